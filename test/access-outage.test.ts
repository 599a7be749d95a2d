import assert from 'node:assert/strict'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Client } from 'pg'
import { pino } from 'pino'
import type { Config } from '../src/config.ts'
import { type Postern, serve } from '../src/main.ts'
import { type SandboxPostgres, startPostgres } from '../sandbox/postgres.ts'
import { alice, Desk, endOf, pause, root, sam, startAccessSandbox, told, until } from './support/access.ts'
import type { Sandbox } from './support/sandbox.ts'

/*
 * What access comes to while the control store cannot be read, behind a restart of the gateway, and at a second gateway.
 */

const notes = 'SELECT note FROM cases.notes WHERE id = 1'
const shown = '[["note 1"]]'
const stalenessMs = 2_000

type StoreConfig = Extract<Config['controlStore'], { kind: 'postgres' }>

function storeIn(postgres: SandboxPostgres, stalenessMs_ = stalenessMs): StoreConfig {
  return {
    kind: 'postgres',
    host: postgres.host,
    port: postgres.port,
    database: 'postgres',
    schema: 'postern',
    role: postgres.superuser,
    tls: { mode: 'disable', ca: undefined, serverName: undefined },
    credential: { password: postgres.password },
    stalenessMs: stalenessMs_,
  }
}

/** Holds by the store's last reading, then loses by its age, and is back when the store is. */
async function survives(
  sandbox: Sandbox,
  store: { readonly lose: () => Promise<void> | void; readonly restore: () => Promise<void> | void },
): Promise<void> {
  const desk = new Desk(sandbox)
  const client = await sandbox.connect(sam)
  await desk.grant(sam, 'support-lead', '10m')
  await desk.grant(alice, 'visitor', '10m')
  const visitor = await sandbox.connect(alice)
  const end = endOf(visitor)
  assert.equal(await told(client, notes), shown)
  await store.lose()
  const lostMs = Date.now()
  let lastShownMs = 0
  await until(async () => {
    const answer = await told(client, notes)
    if (answer === shown) lastShownMs = Date.now()
    else assert.equal(answer, '42501')
    return answer !== shown
  }, 'the end of what counted')
  assert.ok(lastShownMs > lostMs, 'what was read counts for a while')
  assert.ok(lastShownMs - lostMs <= stalenessMs, `it counted for ${String(lastShownMs - lostMs)} ms`)
  const { code, message } = await end
  assert.equal(code, '57P01')
  assert.match(message, /access that it was opened with is over/)
  await assert.rejects(sandbox.connect(alice), { code: '42501' })
  // What needs no role goes on.
  assert.equal(await told(client, 'SELECT count(*)::int FROM customers'), '[[20]]')
  assert.equal((await desk.call(sam, 'POST', '/requests', { role: 'idle', for: '1h', reason: 'x' })).status, 503)
  await store.restore()
  await until(async () => (await told(client, notes)) === shown, 'what is held')
  const again = await sandbox.connect(alice)
  assert.equal(await told(again, 'SELECT 1'), '[[1]]')
  for (const each of [client, again]) await each.end()
}

describe('a control store that cannot be read', () => {
  test('counts as it was read last for the staleness and no longer, in SQLite', async () => {
    const sandbox = await startAccessSandbox()
    const { controlStore } = sandbox.config
    assert.ok(controlStore.kind === 'sqlite')
    await sandbox.postern.stop({ deadlineMs: 500 })
    const postern = await serve({ ...sandbox.config, controlStore: { ...controlStore, stalenessMs } }, silent)
    const own = { ...sandbox, ...reaching(sandbox, postern) }
    const files = ['', '-wal', '-shm'].map((suffix) => `${controlStore.file}${suffix}`)
    const away = (file: string): string => `${file}.away`
    await survives(own, {
      lose() {
        for (const file of files.filter((each) => existsSync(each))) renameSync(file, away(file))
        writeFileSync(controlStore.file, 'this is no database')
      },
      restore() {
        for (const file of files.filter((each) => existsSync(away(each)))) renameSync(away(file), file)
      },
    })
    await postern.stop({ deadlineMs: 500 })
    await sandbox.stop()
  })

  test('counts as it was read last for the staleness and no longer, in PostgreSQL', async () => {
    const password = 'the-password-of-the-store'
    const keepDirectory = await mkdtemp(join(tmpdir(), 'postern-kept-'))
    let postgres = await startPostgres({ password, keepDirectory })
    const { port } = postgres
    const sandbox = await startAccessSandbox({ access: { controlStore: storeIn(postgres) } })
    await survives(sandbox, {
      lose: () => postgres.stop(),
      restore: async () => {
        postgres = await startPostgres({ password, port, keepDirectory })
      },
    })
    await sandbox.stop()
    await postgres.stop()
    await rm(keepDirectory, { recursive: true, force: true })
  })

  test('that can be read counts, however short the staleness is', async () => {
    const sandbox = await startAccessSandbox()
    await sandbox.postern.stop({ deadlineMs: 500 })
    const { controlStore } = sandbox.config
    const postern = await serve({ ...sandbox.config, controlStore: { ...controlStore, stalenessMs: 1_000 } }, silent)
    const own = { ...sandbox, ...reaching(sandbox, postern) }
    const desk = new Desk(own)
    await desk.grant(alice, 'visitor', '10m')
    const client = await own.connect(alice)
    for (let attempt = 0; attempt < 40; attempt += 1) {
      assert.equal(await told(client, 'SELECT 1'), '[[1]]')
      await pause(100)
    }
    await client.end()
    await postern.stop({ deadlineMs: 500 })
    await sandbox.stop()
  })
})

describe('behind a restart of the gateway', () => {
  test('grants still hold, those that ended meanwhile do not, and a token for one session is not used again', async () => {
    const sandbox = await startAccessSandbox()
    const desk = new Desk(sandbox)
    await desk.grant(sam, 'support-lead', '10m')
    await desk.grant(alice, 'visitor', '2s')
    const token = await desk.token(sam, { role: 'support-lead', singleSession: true })
    const many = await desk.token(sam, { role: 'support-lead' })
    const lost = await sandbox.connect(sam, { user: token.id, password: token.secret })
    assert.equal(await told(lost, notes), shown)
    const { until: end } = (await desk.grants('?active=true')).find(({ role }) => role === 'visitor') ?? { until: '' }
    await sandbox.postern.stop({ deadlineMs: 100 })
    await pause(Math.max(0, Date.parse(end) - Date.now()))
    const postern = await serve(sandbox.config, silent)
    const again = { ...sandbox, ...reaching(sandbox, postern) }
    const client = await again.connect(sam)
    assert.equal(await told(client, notes), shown)
    const byToken = await again.connect(sam, { user: many.id, password: many.secret })
    assert.equal(await told(byToken, notes), shown)
    await assert.rejects(again.connect(alice), { code: '42501' })
    await assert.rejects(again.connect(sam, { user: token.id, password: token.secret }))
    const { sessions } = await new Desk(again).mustCall<{ sessions: unknown[] }>(root, 'GET', '/sessions')
    assert.equal(sessions.length, 2)
    const ended = (await again.entries()).filter(({ type }) => type === 'grant_ended')
    assert.equal(ended.length, 1)
    assert.equal(ended[0]?.['why'], 'expired')
    for (const each of [client, byToken]) await each.end()
    await postern.stop({ deadlineMs: 500 })
    await sandbox.stop()
  })
})

describe('two gateways on one PostgreSQL', () => {
  let store: SandboxPostgres
  let one: Sandbox
  let two: Sandbox
  let second: Postern

  before(async () => {
    store = await startPostgres()
    one = await startAccessSandbox({ access: { controlStore: storeIn(store, 30_000) } })
    const { journal, notifications, masking } = one.config
    second = await serve(
      {
        ...one.config,
        journal: { ...journal, directory: `${journal.directory}-2`, signingKey: `${journal.signingKey}-2` },
        notifications: { ...notifications, directory: `${notifications.directory}-2` },
        masking: { ...masking, state: `${masking.state}-2` },
      },
      silent,
    )
    two = { ...one, ...reaching(one, second) }
  })

  after(async () => {
    await second.stop({ deadlineMs: 500 })
    await one.stop()
    await store.stop()
  })

  test('what is approved at one is held at the other, and what is revoked there is over here', async () => {
    const [here, there] = [new Desk(one), new Desk(two)]
    const client = await two.connect(sam)
    const delays: Record<'given' | 'taken', number[]> = { given: [], taken: [] }
    for (let round = 0; round < 10; round += 1) {
      assert.equal(await told(client, notes), '42501')
      const { id } = await here.ask(sam, 'support-lead', '10m')
      const { outcome } = await here.approve(id)
      delays.given.push(await elapsed(client, (answer) => answer === shown))
      await here.revoke({ grant: outcome?.grant })
      delays.taken.push(await elapsed(client, (answer) => answer === '42501'))
    }
    const text = (of: readonly number[]): string => `${String(Math.min(...of))} to ${String(Math.max(...of))} ms`
    console.log(`held at the other gateway behind ${text(delays.given)}, over behind ${text(delays.taken)}`)
    await client.end()
    // A request that was made at one is answered at the other.
    const { id } = await there.ask(sam, 'idle', '10m')
    assert.equal((await here.approve(id)).state, 'granted')
  })

  test('a session at one is ended by a revocation at the other, and a token issued at one lets in at the other', async () => {
    const here = new Desk(one)
    await here.grant(sam, 'support-lead', '10m')
    const token = await here.token(sam, { role: 'support-lead', singleSession: true })
    const log = (sandbox: Sandbox): Promise<Client> => sandbox.connect(sam, { user: token.id, password: token.secret })
    const came = await Promise.allSettled([log(one), log(two)])
    const clients = came.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    assert.equal(clients.length, 1)
    const [client] = clients
    assert.ok(client !== undefined)
    assert.equal(await told(client, notes), shown)
    const direct = await two.connect(sam)
    const ends = [endOf(client), endOf(direct)]
    await here.revoke({ principal: sam, killSessions: true }, root)
    for (const end of ends) assert.equal((await end).code, '57P01')
  })
})

const silent = { log: pino({ level: 'silent' }) }

/** What of a sandbox depends on the gateway, for another one beside it. */
function reaching(sandbox: Sandbox, postern: Postern): Pick<Sandbox, 'postern' | 'clientConfig' | 'connect'> {
  const clientConfig: Sandbox['clientConfig'] = async (identity, overrides = {}) =>
    sandbox.clientConfig(identity, { port: postern.port, ...overrides })
  return {
    postern,
    clientConfig,
    connect: (identity = alice, overrides = {}) => sandbox.connect(identity, { port: postern.port, ...overrides }),
  }
}

/** How long it took until a statement is answered like that. */
async function elapsed(client: Client, isMeant: (answer: string) => boolean): Promise<number> {
  const startedMs = performance.now()
  await until(async () => isMeant(await told(client, notes)), 'the answer')
  return Math.round(performance.now() - startedMs)
}
