import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { Client } from 'pg'
import postgres from 'postgres'
import { limits } from '../src/core/limits.ts'
import { backend, decodeErrorResponse, decodeParameterStatus } from '../src/wire/backend.ts'
import { encodeBind, encodeExecute, encodeParse, encodeQuery, sync, terminate } from '../src/wire/frontend.ts'
import {
  as,
  asked,
  askedRaw,
  type Caller,
  errorOf,
  eventually,
  namesOf,
  people,
  requestIn,
  stateOf,
  waiting,
} from './support/approvals.ts'
import { RawClient, sendCancel } from './support/raw-client.ts'
import { type Sandbox, startSandbox, testPolicies } from './support/sandbox.ts'

const alice = 'alice@example.com'
const dangerous = 'DELETE FROM orders'
const extended = [encodeParse({ sql: dangerous }), encodeBind({}), encodeExecute('', 0), sync]
const hasPsql = spawnSync('psql', ['--version']).status === 0

// Real ones are fifteen seconds apart.
Object.assign(limits, { keepAliveMs: 50 })

let sandbox: Sandbox
let dana: Caller
let client: Client
const raws: RawClient[] = []

before(async () => {
  sandbox = await startSandbox({ access: {}, expiryGraceS: 20, setUp: 'CREATE TABLE orders (id int)' })
  dana = as(people.dana, sandbox)
  await writeFile(join(sandbox.directory, 'ca.pem'), sandbox.authority.certificate)
})

after(async () => {
  await sandbox.stop()
})

beforeEach(async () => {
  client = await sandbox.connect()
  await sandbox.postgres.query('shop', 'TRUNCATE orders; INSERT INTO orders VALUES (1), (2), (3)')
})

afterEach(async () => {
  await client.end().catch(() => undefined)
  for (const each of raws.splice(0)) each.close()
})

const left = async (): Promise<number> =>
  Number((await sandbox.postgres.query('shop', 'SELECT count(*) AS n FROM orders'))[0]?.['n'])

const raw = async (expiresInS = 3_600): Promise<RawClient> => {
  const opened = await RawClient.logIn({
    port: sandbox.postern.port,
    ca: sandbox.authority.certificate,
    parameters: { user: alice, database: 'shop' },
    password: await sandbox.issuer.issueToken({ identity: alice, expiresInS }),
  })
  raws.push(opened)
  return opened
}

/** It is withdrawn, nothing has run, and nobody can bring it to life any more. */
const assertGone = async (id: string, ...whys: readonly string[]): Promise<void> => {
  const why = (await stateOf(dana, id, 'withdrawn')).outcome?.why ?? ''
  assert.ok(whys.includes(why), why)
  const { status, body } = await dana.post(`/requests/${id}/approve`)
  assert.equal(status, 409)
  assert.match(JSON.stringify(body), /request_closed.*withdrawn/)
  assert.equal(await left(), 3)
}

describe('while it waits', () => {
  test('the connection carries something now and then, which pg, postgres.js and psql take no notice of', async () => {
    const quiet = await raw()
    quiet.send(encodeQuery(dangerous))
    const { id: rawId } = await askedRaw(quiet)
    const frames = await quiet.until(backend.ParameterStatus, 3)
    assert.deepEqual(new Set(frames.map(({ type }) => type)), new Set([backend.ParameterStatus]))
    assert.equal(decodeParameterStatus(frames[0]?.body ?? Buffer.alloc(0)).name, 'application_name')
    await dana.approve(rawId)
    assert.equal(
      namesOf((await quiet.until(backend.ReadyForQuery)).filter(({ type }) => type !== backend.ParameterStatus)),
      'CommandComplete, ReadyForQuery',
    )

    const byPg = await waiting(client, () => client.query(dangerous))
    await sleep(200)
    await dana.approve(byPg.id)
    await byPg.result

    const { promise: told, resolve: tell } = Promise.withResolvers<string>()
    const sql = postgres({
      host: '127.0.0.1',
      port: sandbox.postern.port,
      user: alice,
      database: 'shop',
      password: () => sandbox.issuer.issueToken({ identity: alice }),
      ssl: { ca: sandbox.authority.certificate },
      max: 1,
      onnotice: ({ hint }) => tell(requestIn(hint ?? '')),
    })
    const byPostgres = sql`DELETE FROM orders`
    const running = byPostgres.execute()
    const id = await told
    await sleep(200)
    await dana.approve(id)
    await running
    await sql.end()
  })

  test('psql shows the notice, goes on waiting, and shows the result', { skip: !hasPsql }, async () => {
    const shell = await psql(['-c', dangerous, '-c', 'SELECT 7 AS seven'])
    const id = await eventually(async () => Promise.resolve(/postern approve (r_\w+)/.exec(shell.text())?.[1]))
    assert.match(
      shell.text(),
      /NOTICE: {2}DELETE on orders waits for approval by "dba"\nDETAIL: {2}.*\nHINT: {2}.*\/r\/r_/,
    )
    await sleep(200)
    await dana.approve(id)
    await shell.ended
    assert.match(shell.text(), /DELETE 3\n[^]*7/)
    assert.doesNotMatch(shell.text(), /application_name|ParameterStatus|protocol/)
  })

  test('Ctrl-C in psql withdraws it at once, and psql goes on', { skip: !hasPsql }, async () => {
    const shell = await psql(['-c', dangerous, '-c', 'SELECT 7 AS seven'])
    const id = await eventually(async () => Promise.resolve(/postern approve (r_\w+)/.exec(shell.text())?.[1]))
    shell.interrupt()
    await shell.ended
    assert.match(shell.text(), /ERROR: {2}canceling statement due to user request/)
    assert.match(shell.text(), /7/)
    await assertGone(id, 'cancelled')
  })

  for (const [name, messages] of [
    ['simple', [encodeQuery(dangerous)]],
    ['extended', extended],
  ] as const) {
    test(`a cancel request withdraws it in the ${name} protocol, and the session lives on`, async () => {
      const session = await raw()
      session.send(...messages)
      const { id } = await askedRaw(session)
      await sendCancel(sandbox.postern.port, session.cancelKey)
      const frames = await session.until(backend.ReadyForQuery)
      const error = frames.find(({ type }) => type === backend.ErrorResponse)
      const fields = decodeErrorResponse(error?.body ?? Buffer.alloc(0))
      assert.equal(fields.get('C'), '57014')
      assert.match(fields.get('D') ?? '', /withdrawn/)
      session.send(encodeQuery('SELECT 1'))
      assert.match(namesOf(await session.until(backend.ReadyForQuery)), /DataRow, CommandComplete, ReadyForQuery$/)
      await assertGone(id, 'cancelled')
    })

    test(`a client that is gone withdraws it in the ${name} protocol`, async () => {
      for (const leave of [
        (session: RawClient) => session.socket.destroy(),
        (session: RawClient) => session.socket.end(),
        (session: RawClient) => session.send(terminate),
        (session: RawClient) => session.send(encodeQuery('SELECT 1'), terminate),
      ]) {
        const session = await raw()
        session.send(...messages)
        const { id } = await askedRaw(session)
        leave(session)
        await assertGone(id, 'client_lost')
      }
    })
  }

  test('what follows in one go with a Terminate does not run either', async () => {
    const session = await raw()
    session.send(encodeQuery(dangerous), terminate)
    const frames = await session.until(backend.ReadyForQuery)
    assert.ok(session.isClosed, namesOf(frames))
    assert.equal(await left(), 3)
    await eventually(async () => (await dana.pending()).length === 0)
  })

  test('the end of its token ends the session at once, and withdraws it', async () => {
    for (const messages of [[encodeQuery(dangerous)], extended]) {
      const session = await raw(2)
      session.send(...messages)
      const { id } = await askedRaw(session)
      const frames = await session.until(backend.ReadyForQuery)
      const last = frames.findLast(({ type }) => type === backend.ErrorResponse)
      assert.equal(decodeErrorResponse(last?.body ?? Buffer.alloc(0)).get('C'), '57P01')
      await assertGone(id, 'session_ended')
    }
  })

  test('a backend that is ended ends the session with its word, and withdraws it', async () => {
    for (const messages of [[encodeQuery(dangerous)], extended]) {
      const session = await raw()
      session.send(encodeQuery('SELECT pg_backend_pid()'))
      const [, row] = await session.until(backend.ReadyForQuery)
      const pid = row?.body.subarray(6).toString() ?? ''
      session.send(...messages)
      const { id } = await askedRaw(session)
      await sandbox.postgres.query('shop', `SELECT pg_terminate_backend(${pid})`)
      const frames = await session.until(backend.ReadyForQuery)
      const last = frames.findLast(({ type }) => type === backend.ErrorResponse)
      assert.equal(decodeErrorResponse(last?.body ?? Buffer.alloc(0)).get('C'), '57P01')
      // An error of PostgreSQL's discards what waits in the extended protocol.
      await assertGone(id, 'session_ended', 'cancelled')
    }
  })

  test('a transaction that may not be idle for so long ends with it', async () => {
    const session = await raw()
    session.send(encodeQuery("SET idle_in_transaction_session_timeout = '300ms'"), encodeQuery('BEGIN'))
    await session.until(backend.ReadyForQuery, 2)
    session.send(encodeQuery(dangerous))
    const { id } = await askedRaw(session)
    const frames = await session.until(backend.ReadyForQuery)
    const last = frames.findLast(({ type }) => type === backend.ErrorResponse)
    assert.equal(decodeErrorResponse(last?.body ?? Buffer.alloc(0)).get('C'), '25P03')
    await assertGone(id, 'session_ended')
  })
})

describe('when policy changes while it waits', () => {
  const more = (): string => join(sandbox.config.policies, 'more.cedar')
  const change = async (text: string): Promise<void> => {
    await writeFile(more(), text)
  }

  const restore = async (): Promise<void> => {
    await writeFile(join(sandbox.config.policies, 'test.cedar'), testPolicies)
    await rm(more(), { force: true })
    await eventually(async () => {
      const probe = await waiting(client, () => client.query(dangerous)).catch(() => null)
      if (probe === null) return false
      const { requirements } = await dana.request(probe.id)
      await dana.deny(probe.id)
      await errorOf(probe.result)
      return requirements.length === 1
    })
  }

  test('and forbids it, it is refused by that without anybody answering', async () => {
    const { id, result } = await waiting(client, () => client.query(dangerous))
    await change('@id("frozen") forbid (principal, action == Action::"DELETE", resource);')
    const error = await errorOf(result)
    assert.equal(error.code, '42501')
    assert.match(error.detail ?? '', /"frozen"/)
    await assertGone(id, 'policy_changed')
    await restore()
  })

  test('and asks others, it is refused, and asked for anew when it is sent again', async () => {
    for (const run of [() => client.query(dangerous), () => client.query({ text: dangerous, name: 'dangerous' })]) {
      const { id, result } = await waiting(client, run)
      await change(
        '@id("and-security") @approvers("security") forbid (principal, action == Action::"DELETE", resource);',
      )
      const error = await errorOf(result)
      assert.equal(error.code, '42501')
      assert.match(error.message, /not what policy asks for now/)
      await assertGone(id, 'policy_changed')
      const again = await waiting(client, run)
      assert.equal((await dana.request(again.id)).requirements.length, 2)
      await dana.deny(again.id)
      await errorOf(again.result)
      await restore()
    }
  })

  test('and asks for what was bound before without having to ask, its Execute is refused', async () => {
    const some = 'DELETE FROM orders WHERE id > 0'
    const session = await raw()
    session.send(encodeQuery('BEGIN'), encodeParse({ sql: some }), encodeBind({ portal: 'p' }), sync)
    await session.until(backend.ReadyForQuery, 2)
    await change('@id("any") @approvers("dba") forbid (principal, action == Action::"DELETE", resource);')
    const probe = await eventually(() => waiting(client, () => client.query(some)).catch(() => null))
    await dana.deny(probe.id)
    await errorOf(probe.result)
    await sandbox.postgres.query('shop', 'DELETE FROM orders; INSERT INTO orders VALUES (1), (2), (3)')
    session.send(encodeExecute('p', 0), sync, encodeQuery('COMMIT'))
    const frames = await session.until(backend.ReadyForQuery, 2)
    assert.match(namesOf(frames), /^ErrorResponse 42501, ReadyForQuery/)
    assert.equal(await left(), 3)
    await restore()
  })

  test('and allows it, it runs', async () => {
    const { id, result } = await waiting(client, () => client.query(dangerous))
    await writeFile(join(sandbox.config.policies, 'test.cedar'), 'permit (principal, action, resource);')
    await result
    assert.equal(await left(), 0)
    assert.equal((await stateOf(dana, id, 'withdrawn')).outcome?.why, 'policy_changed')
    await restore()
  })
})

test('a gateway that stops withdraws what waits, ends its sessions at once, and runs nothing', async () => {
  const own = await startSandbox({ access: {}, setUp: 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)' })
  const clients = await Promise.all([own.connect(), own.connect()])
  const [simple, bound] = clients
  const told = clients.map((each) => asked(each))
  const ended = clients.map((each) => new Promise((resolve) => each.once('end', resolve)))
  const results = [simple.query(dangerous), bound.query('UPDATE orders SET id = $1', [2])]
  for (const each of clients) each.on('error', () => undefined)
  const errors = results.map(errorOf)
  const ids = await Promise.all(told)
  const startedMs = Date.now()
  await own.postern.stop({ deadlineMs: 30_000 })
  assert.ok(Date.now() - startedMs < 20_000)
  for (const error of errors) assert.equal((await error).code, '57P01')
  await Promise.all(ended)
  const entries = await own.entries()
  const closed = entries.filter(({ type }) => type === 'request_closed')
  assert.deepEqual(closed.map((entry) => String(entry['request'])).toSorted(), ids.toSorted())
  for (const entry of closed) assert.equal(entry['why'], 'session_ended')
  assert.deepEqual(await own.postgres.query('shop', 'SELECT id FROM orders'), [{ id: 1 }])
  await own.stop()
})

async function psql(
  args: readonly string[],
): Promise<{ text: () => string; interrupt: () => void; ended: Promise<unknown> }> {
  const child = spawn('psql', ['-X', '-A', '-t', ...args], {
    env: {
      ...process.env,
      PGHOST: '127.0.0.1',
      PGPORT: String(sandbox.postern.port),
      PGUSER: alice,
      PGDATABASE: 'shop',
      PGPASSWORD: await sandbox.issuer.issueToken({ identity: alice }),
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: join(sandbox.directory, 'ca.pem'),
    },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  return { text: () => text, interrupt: () => child.kill('SIGINT'), ended: once(child, 'close') }
}
