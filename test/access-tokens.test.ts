import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Client, type ClientConfig } from 'pg'
import postgres from 'postgres'
import { dana, Desk, endOf, pause, root, sam, startAccessSandbox, told, until } from './support/access.ts'
import { accessRole, accessRoles } from './support/access.ts'
import type { Sandbox } from './support/sandbox.ts'

/*
 * Session tokens of Postern's own: who they let in, with what, for how long, and that nothing which is kept lets anybody in.
 */

const notes = 'SELECT note FROM cases.notes WHERE id = 1'
const email = 'SELECT email FROM customers WHERE id = 1'

let sandbox: Sandbox
let desk: Desk
let grant: string

before(async () => {
  sandbox = await startAccessSandbox({
    access: { accessRoles: new Map([...accessRoles, accessRole('elsewhere', { databases: ['other'] })]) },
  })
  desk = new Desk(sandbox)
  await writeFile(join(sandbox.directory, 'ca.pem'), sandbox.authority.certificate)
})

after(() => sandbox.stop())

beforeEach(async () => {
  for (const { id } of await desk.grants('?active=true')) await desk.revoke({ grant: id })
  grant = (await desk.grant(sam, 'support-lead', '10m')).id
})

interface Token {
  readonly id: string
  readonly secret: string
}

/** Settings of a driver that logs in with a token: by SCRAM where the user is its id, else with a cleartext password. */
function configOf({ id, secret }: Token, overrides: ClientConfig = {}): ClientConfig {
  const { port } = sandbox.postern
  const ssl = { ca: sandbox.authority.certificate }
  return { host: '127.0.0.1', port, user: id, password: secret, database: 'shop', ssl, ...overrides }
}

async function logIn(token: Token, overrides: ClientConfig = {}): Promise<Client> {
  const client = new Client(configOf(token, overrides))
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Whether a log-in was refused for its token: which of the two codes depends on how much may be said. */
function refused(error: unknown): boolean {
  return ['28000', '28P01'].includes((error as { code?: string }).code ?? '')
}

describe('a token for a role', () => {
  const ways: readonly (readonly [string, (token: Token) => ClientConfig])[] = [
    ['by SCRAM-SHA-256 with its id as user', () => ({})],
    ['with the name of its principal as user', () => ({ user: sam })],
    ['with its id as user, and without naming a database', ({ id }) => ({ database: id })],
    ['as a cleartext password with its id as user', ({ id }) => ({ user: id, options: '-c postern.login=password' })],
  ]
  for (const [way, overrides] of ways) {
    test(`lets in ${way}`, async () => {
      const token = await desk.token(sam, { role: 'support-lead' })
      const client = await logIn(token, overrides(token))
      assert.equal(await told(client, notes), '[["note 1"]]')
      assert.equal(await told(client, email), '[["secret1@example.com"]]')
      assert.equal(await told(client, "SELECT current_setting('postern.principal')"), `[["${sam}"]]`)
      await client.end()
    })
  }

  test('lets postgres.js in, which speaks SCRAM', async () => {
    const { id, secret } = await desk.token(sam, { role: 'support-lead' })
    const { port } = sandbox.postern
    const ssl = { ca: sandbox.authority.certificate }
    const sql = postgres({ host: 'localhost', port, user: id, password: secret, database: 'shop', ssl, max: 1 })
    const rows = await sql`SELECT note FROM cases.notes WHERE id = ${1}`
    assert.deepEqual([...rows], [{ note: 'note 1' }])
    await sql.end()
  })

  test('lets psql in, by both ways', { skip: !hasPsql() && 'there is no psql on the path' }, async () => {
    const { id, secret } = await desk.token(sam, { role: 'support-lead' })
    for (const user of [id, sam]) {
      const where = `host=localhost port=${String(sandbox.postern.port)} user=${user} dbname=shop sslmode=verify-full sslrootcert=${sandbox.directory}/ca.pem`
      // A client that insists on SCRAM gets it, with the id.
      const only = user === id ? ' require_auth=scram-sha-256' : ''
      const psql = spawn('psql', ['-X', '-A', '-t', '-c', notes, `${where}${isAtLeast16() ? only : ''}`], {
        env: { ...process.env, PGPASSWORD: secret },
      })
      let said = ''
      psql.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
      psql.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
      const code = await new Promise((resolve) => psql.on('close', resolve))
      assert.equal(said.trim(), 'note 1')
      assert.equal(code, 0)
    }
  })

  test('holds that role and none of the others that its principal holds', async () => {
    await desk.grant(sam, 'idle', '10m')
    const idle = await logIn(await desk.token(sam, { role: 'idle' }))
    assert.equal(await told(idle, notes), '42501')
    assert.equal(await told(idle, email), '[["[masked]"]]')
    const none = await logIn(await desk.token(sam))
    assert.equal(await told(none, notes), '42501')
    const itself = await sandbox.connect(sam)
    assert.equal(await told(itself, notes), '[["note 1"]]')
    for (const each of [idle, none, itself]) await each.end()
  })

  test('is issued for what is held, where it is held', async () => {
    const ask = async (wish: object): Promise<number> =>
      (await desk.call(sam, 'POST', '/tokens', { database: 'shop', for: '10m', ...wish })).status
    assert.equal(await ask({ role: 'visitor' }), 403)
    assert.equal(await ask({ role: 'nothing' }), 403)
    assert.equal(await ask({ role: 'support-lead', database: 'other' }), 403)
    await desk.grant(sam, 'elsewhere', '10m')
    assert.equal(await ask({ role: 'elsewhere' }), 403)
    assert.equal(await ask({ for: '40d' }), 400)
    await desk.revoke({ grant })
    assert.equal(await ask({ role: 'support-lead' }), 403)
  })

  test('lets nobody into another database, with another name or with another secret', async () => {
    const token = await desk.token(sam, { role: 'support-lead' })
    const other = await desk.token(sam)
    await assert.rejects(logIn(token, { database: 'other' }), { code: '42501' })
    await assert.rejects(logIn(token, { user: dana }), refused)
    const last = token.secret.at(-1) === 'A' ? 'B' : 'A'
    const wrong = `${token.secret.slice(0, -1)}${last}`
    for (const user of [token.id, sam]) {
      await assert.rejects(logIn(token, { user, password: wrong }), refused, user)
    }
    await assert.rejects(logIn(token, { user: token.id, password: other.secret }), refused)
    await assert.rejects(logIn({ id: 't_000000000000', secret: token.secret }), refused)
    const { status } = await desk.call(sam, 'GET', '/me', undefined, token.secret)
    assert.equal(status, 401)
  })

  test('ends with its grant, also on the live session', async () => {
    const token = await desk.token(sam, { role: 'support-lead' })
    const client = await logIn(token)
    const end = endOf(client)
    await desk.revoke({ grant })
    const { code, message } = await end
    assert.equal(code, '57P01')
    assert.match(message, /is over or was revoked/)
    await assert.rejects(logIn(token), refused)
    await assert.rejects(logIn(token, { user: sam }), refused)
  })

  test('is not there longer than its grant, and its session ends with it', async () => {
    await desk.revoke({ grant })
    const { until: grantEnd } = await desk.grant(sam, 'support-lead', '2s')
    const token = await desk.token(sam, { role: 'support-lead', for: '1h' })
    assert.equal(Date.parse(token.expiresAt), Date.parse(grantEnd))
    const client = await logIn(token)
    assert.equal((await endOf(client)).code, '57P01')
    await assert.rejects(logIn(token))
  })

  test('ends when it is revoked, by its owner and by an admin, and by nobody else', async () => {
    for (const by of [sam, root]) {
      const token = await desk.token(sam)
      const client = await logIn(token)
      const end = endOf(client)
      assert.equal((await desk.call(dana, 'DELETE', `/tokens/${token.id}`)).status, 404)
      assert.equal((await desk.call(by, 'DELETE', `/tokens/${token.id}`)).status, 204)
      assert.equal((await end).code, '57P01')
      await assert.rejects(logIn(token), refused)
      const itself = await sandbox.connect(sam)
      assert.equal(await told(itself, 'SELECT 1'), '[[1]]')
      await itself.end()
    }
  })

  test('expires, with its session', async () => {
    const token = await desk.token(sam, { for: '2s' })
    const client = await logIn(token)
    const { code, message } = await endOf(client)
    assert.equal(code, '57P01')
    assert.match(message, /over|expired/)
    for (const user of [token.id, sam]) await assert.rejects(logIn(token, { user }), refused)
  })
})

describe('a token for one session', () => {
  test('lets nobody in while its session is there, nor afterwards', async () => {
    const token = await desk.token(sam, { role: 'support-lead', singleSession: true })
    const client = await logIn(token)
    for (const user of [token.id, sam]) await assert.rejects(logIn(token, { user }), refused)
    assert.equal(await told(client, notes), '[["note 1"]]')
    await client.end()
    await until(async () => (await sessions()) === 0, 'the end of the session')
    for (const user of [token.id, sam]) await assert.rejects(logIn(token, { user }), refused)
    const ended = (await sandbox.entries()).filter(({ type }) => type === 'token_ended')
    assert.equal(ended.at(-1)?.['why'], 'session_ended')
  })

  test('lets one of several in that come together, in many rounds', async () => {
    for (let round = 0; round < 12; round += 1) {
      const token = await desk.token(sam, { role: 'support-lead', singleSession: true })
      const came = await Promise.allSettled([
        logIn(token),
        logIn(token, { user: sam }),
        logIn(token),
        logIn(token, { user: sam }),
      ])
      const let_ = came.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
      assert.equal(let_.length, 1, `round ${String(round)}`)
      for (const each of came) {
        if (each.status === 'rejected') assert.ok(refused(each.reason))
      }
      for (const client of let_) await client.end()
    }
  })
})

test('nothing that is kept lets anybody in: no secret is in the store, in the journal or in what is sent', async () => {
  const token = await desk.token(sam, { role: 'support-lead' })
  const client = await logIn(token, { user: sam })
  await told(client, notes)
  await client.end()
  const random = token.secret.slice(-32)
  const { controlStore, journal, notifications } = sandbox.config
  assert.equal(controlStore.kind, 'sqlite')
  const directories = [journal.directory, notifications.directory, dirname(controlStore.file)]
  let searched = 0
  for (const directory of directories.filter((each) => existsSync(each))) {
    for (const name of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue
      const bytes = await readFile(join(name.parentPath, name.name))
      searched += 1
      assert.ok(!bytes.includes(random), name.name)
      assert.ok(!bytes.includes(Buffer.from(random, 'base64url')), name.name)
    }
  }
  const files = await readdir(dirname(controlStore.file))
  assert.ok(files.some((name) => name === 'control.db-wal'))
  assert.ok(searched > 3)
})

async function sessions(): Promise<number> {
  await pause(20)
  return (await desk.mustCall<{ sessions: unknown[] }>(root, 'GET', '/sessions')).sessions.length
}

function hasPsql(): boolean {
  return (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, 'psql')))
}

/** Whether libpq knows `require_auth`. */
function isAtLeast16(): boolean {
  const { stdout } = spawnSync('psql', ['--version'], { encoding: 'utf8' })
  return Number(/ (\d+)/.exec(stdout)?.[1] ?? 0) >= 16
}
