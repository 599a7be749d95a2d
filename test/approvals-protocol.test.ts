import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import postgres from 'postgres'
import {
  backend,
  decodeCommandComplete,
  decodeDataRow,
  decodeErrorResponse,
  decodeReadyForQuery,
} from '../src/wire/backend.ts'
import type { Frame } from '../src/wire/framer.ts'
import {
  encodeBind,
  encodeClose,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  flush,
  sync,
} from '../src/wire/frontend.ts'
import {
  as,
  askedRaw,
  type Caller,
  errorOf,
  namesOf,
  people,
  requestIn,
  stateOf,
  waiting,
} from './support/approvals.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

const alice = 'alice@example.com'
const dangerous = 'DELETE FROM orders'
let sandbox: Sandbox
let dana: Caller

before(async () => {
  sandbox = await startSandbox({
    access: {},
    setUp: `
      CREATE TABLE orders (id int PRIMARY KEY, note text);
      CREATE TABLE log (id serial PRIMARY KEY, what text);
      CREATE TABLE parents (id int PRIMARY KEY);
      CREATE TABLE children (id int REFERENCES parents);
      INSERT INTO parents VALUES (1);
      INSERT INTO children VALUES (1);
    `,
  })
  dana = as(people.dana, sandbox)
})

after(async () => {
  await sandbox.stop()
})

const fill = (rows = 3): Promise<unknown> =>
  sandbox.postgres.query(
    'shop',
    `TRUNCATE orders, log; INSERT INTO orders SELECT n, 'n' FROM generate_series(1, ${String(rows)}) n`,
  )

const left = async (): Promise<number> =>
  Number((await sandbox.postgres.query('shop', 'SELECT count(*) AS n FROM orders'))[0]?.['n'])

const raw = async (): Promise<RawClient> =>
  RawClient.logIn({
    port: sandbox.postern.port,
    ca: sandbox.authority.certificate,
    parameters: { user: alice, database: 'shop' },
    password: await sandbox.issuer.issueToken({ identity: alice }),
  })

const codesOf = (frames: readonly Frame[]): string[] =>
  frames
    .filter(({ type }) => type === backend.ErrorResponse)
    .map(({ body }) => decodeErrorResponse(body).get('C') ?? '')

describe('in the simple protocol', () => {
  test('a statement waits, runs when it is approved, and its session goes on', async () => {
    await fill()
    const client = await sandbox.connect()
    const { id, result } = await waiting(client, () => client.query(dangerous))
    assert.equal(await left(), 3)
    assert.equal((await dana.approve(id, 'go ahead')).state, 'approved')
    assert.equal((await result).rowCount, 3)
    assert.equal((await dana.request(id)).state, 'used')
    assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.['one'], 1)
    await client.end()
  })

  test('a denied statement is an ordinary error with what the approver says', async () => {
    await fill()
    const client = await sandbox.connect()
    const { id, result } = await waiting(client, () => client.query(dangerous))
    await dana.deny(id, 'not on a Friday')
    const error = await errorOf(result)
    assert.equal(error.code, '42501')
    assert.match(error.message, /DELETE on orders was denied by dana@example\.com/)
    assert.match(error.detail ?? '', /not on a Friday/)
    assert.equal(await left(), 3)
    assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.['one'], 1)
    await client.end()
  })

  test('a text of several statements is one request for all of it, and runs as a whole or not at all', async () => {
    await fill()
    const client = await sandbox.connect()
    const text =
      "INSERT INTO log (what) VALUES ('before'); DELETE FROM orders;\n  UPDATE log SET what = 'after' -- done"
    const denied = await waiting(client, () => client.query(text))
    const shown = await dana.request(denied.id)
    assert.equal(shown.statement?.sql, text)
    assert.equal(shown.statement?.isRedacted, false)
    assert.deepEqual(shown.statement?.relations.toSorted(), ['log', 'orders'])
    assert.equal((await dana.pending()).length, 1)
    await dana.deny(denied.id)
    assert.equal((await errorOf(denied.result)).code, '42501')
    assert.deepEqual(await sandbox.postgres.query('shop', 'SELECT what FROM log'), [])

    const approved = await waiting(client, () => client.query(text))
    await dana.approve(approved.id)
    await approved.result
    assert.equal(await left(), 0)
    assert.deepEqual(await sandbox.postgres.query('shop', 'SELECT what FROM log'), [{ what: 'after' }])
    await client.end()
  })

  test('what fails when it runs has used its approval up', async () => {
    await fill()
    const client = await sandbox.connect()
    const failing = await waiting(client, () => client.query('DELETE FROM parents'))
    await dana.approve(failing.id)
    assert.equal((await errorOf(failing.result)).code, '23503')
    assert.equal((await dana.request(failing.id)).state, 'used')
    const again = await waiting(client, () => client.query('DELETE FROM parents'))
    assert.notEqual(again.id, failing.id)
    await dana.deny(again.id)
    await errorOf(again.result)
    await client.end()
  })
})

describe('in the extended protocol', () => {
  const parameters = [Buffer.from('changed'), null]
  const update = 'UPDATE orders SET note = coalesce($1, $2)'

  test('a driver with parameters waits, and the approver sees them', async () => {
    await fill()
    const client = await sandbox.connect()
    const { id, result } = await waiting(client, () => client.query(update, ['changed', null]))
    const { statement } = await dana.request(id)
    assert.equal(statement?.sql, update)
    assert.deepEqual(statement?.parameters, ['changed', null])
    await dana.approve(id)
    assert.equal((await result).rowCount, 3)
    await client.end()
  })

  test('postgres.js waits, with a statement that it prepares, and each run asks anew', async () => {
    await fill()
    const { promise: first, resolve: tellFirst } = Promise.withResolvers<string>()
    const { promise: second, resolve: tellSecond } = Promise.withResolvers<string>()
    const tell = [tellFirst, tellSecond]
    const sql = postgres({
      host: '127.0.0.1',
      port: sandbox.postern.port,
      user: alice,
      database: 'shop',
      password: () => sandbox.issuer.issueToken({ identity: alice }),
      ssl: { ca: sandbox.authority.certificate },
      max: 1,
      onnotice: ({ hint }) => tell.shift()?.(requestIn(hint ?? '')),
    })
    const run = async (value: string): Promise<number> => (await sql`UPDATE orders SET note = ${value}`).count
    const one = run('one')
    await dana.approve(await first)
    assert.equal(await one, 3)
    const two = errorOf(run('two'))
    await dana.deny(await second, 'once is enough')
    assert.equal((await two).code, '42501')
    assert.equal((await sql`SELECT DISTINCT note FROM orders`)[0]?.['note'], 'one')
    await sql.end()
  })

  test('parameters in binary are shown as text where that can be done', async () => {
    await fill()
    const client = await raw()
    const id = Buffer.alloc(4)
    id.writeInt32BE(42)
    client.send(
      encodeParse({ sql: 'UPDATE orders SET id = id + $1', parameterTypes: [23] }),
      encodeBind({ parameters: [id], parameterFormats: [1] }),
      encodeDescribe('P', ''),
      encodeExecute('', 0),
      sync,
    )
    const asked = await askedRaw(client)
    const { statement } = await dana.request(asked.id)
    assert.deepEqual(statement?.parameters, ['42'])
    await dana.approve(asked.id)
    const frames = await client.until(backend.ReadyForQuery)
    assert.equal(namesOf(frames), 'ParseComplete, BindComplete, NoData, CommandComplete, ReadyForQuery')
    assert.equal(await left(), 3)
    client.close()
  })

  test('a named statement that is described first waits at its Bind, and is asked for at each', async () => {
    await fill()
    const client = await raw()
    client.send(encodeParse({ sql: update, name: 'u' }), encodeDescribe('S', 'u'), sync)
    assert.equal(
      namesOf(await client.until(backend.ReadyForQuery)),
      'ParseComplete, ParameterDescription, NoData, ReadyForQuery',
    )
    const ids = new Set<string>()
    for (const round of ['first', 'second']) {
      client.send(encodeBind({ statement: 'u', parameters: [Buffer.from(round), null] }), encodeExecute('', 0), sync)
      const asked = await askedRaw(client)
      ids.add(asked.id)
      assert.deepEqual((await dana.request(asked.id)).statement?.parameters, [round, null])
      await dana.approve(asked.id)
      assert.equal(namesOf(await client.until(backend.ReadyForQuery)), 'BindComplete, CommandComplete, ReadyForQuery')
    }
    assert.equal(ids.size, 2)
    client.close()
  })

  test('with Flush in the place of Sync the answers come as far as they can', async () => {
    await fill()
    const client = await raw()
    client.send(encodeParse({ sql: update }), flush)
    assert.equal(namesOf(await client.until(backend.ParseComplete)), 'ParseComplete')
    client.send(encodeBind({ parameters }), encodeExecute('', 0), flush)
    const asked = await askedRaw(client)
    assert.equal(namesOf(asked.frames), '')
    await dana.approve(asked.id)
    assert.equal(namesOf(await client.until(backend.CommandComplete)), 'BindComplete, CommandComplete')
    client.send(sync)
    assert.equal(namesOf(await client.until(backend.ReadyForQuery)), 'ReadyForQuery')
    client.close()
  })

  test('what is bound and never executed does not run, and its approval serves nothing else', async () => {
    await fill()
    const client = await raw()
    client.send(encodeParse({ sql: dangerous, name: 'd' }), encodeBind({ statement: 'd' }), sync)
    const asked = await askedRaw(client)
    await dana.approve(asked.id)
    assert.equal(namesOf(await client.until(backend.ReadyForQuery)), 'ParseComplete, BindComplete, ReadyForQuery')
    assert.equal(await left(), 3)
    client.send(encodeBind({ statement: 'd' }), encodeExecute('', 0), sync)
    const again = await askedRaw(client)
    assert.notEqual(again.id, asked.id)
    await dana.deny(again.id)
    assert.deepEqual(codesOf(await client.until(backend.ReadyForQuery)), ['42501'])
    assert.equal(await left(), 3)
    client.close()
  })

  test('what runs in slices is one run, and executing it once more runs nothing', async () => {
    await fill()
    const client = await raw()
    client.send(
      encodeParse({ sql: 'DELETE FROM orders RETURNING id' }),
      encodeBind({}),
      encodeExecute('', 2),
      encodeExecute('', 2),
      encodeExecute('', 2),
      sync,
    )
    const asked = await askedRaw(client)
    await dana.approve(asked.id)
    const frames = await client.until(backend.ReadyForQuery)
    assert.equal(
      namesOf(frames),
      'ParseComplete, BindComplete, DataRow, DataRow, PortalSuspended, DataRow, CommandComplete, CommandComplete, ReadyForQuery',
    )
    assert.equal((await dana.request(asked.id)).state, 'used')
    assert.equal(await left(), 0)
    client.close()
  })

  test('the same portal executed twice runs once', async () => {
    await fill()
    const client = await raw()
    client.send(
      encodeParse({ sql: "INSERT INTO log (what) VALUES ('x')" }),
      encodeBind({}),
      encodeExecute('', 0),
      encodeParse({ sql: 'UPDATE orders SET id = id + 10' }),
      encodeBind({ portal: 'p' }),
      encodeExecute('p', 0),
      encodeExecute('p', 0),
      sync,
    )
    const asked = await askedRaw(client)
    await dana.approve(asked.id)
    // PostgreSQL's own refusal; it takes back all of the segment.
    assert.deepEqual(codesOf(await client.until(backend.ReadyForQuery)), ['55000'])
    const ids = await sandbox.postgres.query('shop', 'SELECT max(id) AS n FROM orders')
    assert.equal(ids[0]?.['n'], 3)
    client.close()
  })

  test('a prepared statement that was approved is asked for again when it is bound twice in one pipeline', async () => {
    await fill()
    const client = await raw()
    const run = [encodeBind({ statement: 'd' }), encodeExecute('', 0)]
    client.send(encodeParse({ sql: dangerous, name: 'd' }), ...run, ...run, sync)
    const first = await askedRaw(client)
    await dana.approve(first.id)
    const second = await askedRaw(client)
    assert.notEqual(second.id, first.id)
    await dana.approve(second.id)
    const frames = await client.until(backend.ReadyForQuery)
    const tags = frames
      .filter(({ type }) => type === backend.CommandComplete)
      .map(({ body }) => decodeCommandComplete(body).tag)
    assert.deepEqual(tags, ['DELETE 3', 'DELETE 0'])
    client.close()
  })

  test('the approval of a Bind whose portal is closed does not serve the one that takes its name', async () => {
    await fill()
    const client = await raw()
    client.send(encodeQuery('BEGIN'))
    await client.until(backend.ReadyForQuery)
    client.send(encodeParse({ sql: update, name: 'u' }), encodeBind({ statement: 'u', portal: 'p', parameters }), sync)
    const asked = await askedRaw(client)
    await dana.approve(asked.id)
    await client.until(backend.ReadyForQuery)
    client.send(
      encodeClose('P', 'p'),
      encodeBind({ statement: 'u', portal: 'p', parameters: [Buffer.from('other'), null] }),
      encodeExecute('p', 0),
      sync,
    )
    const again = await askedRaw(client)
    assert.deepEqual((await dana.request(again.id)).statement?.parameters, ['other', null])
    await dana.deny(again.id)
    assert.deepEqual(codesOf(await client.until(backend.ReadyForQuery)), ['42501'])
    client.close()
  })
})

describe('in a pipeline', () => {
  const insert = (what: string): Buffer[] => [
    encodeParse({ sql: 'INSERT INTO log (what) VALUES ($1) RETURNING what' }),
    encodeBind({ parameters: [Buffer.from(what)] }),
    encodeExecute('', 0),
  ]
  const remove = [encodeParse({ sql: dangerous }), encodeBind({}), encodeExecute('', 0)]
  const rowsOf = (frames: readonly Frame[]): string[] =>
    frames.filter(({ type }) => type === backend.DataRow).map(({ body }) => decodeDataRow(body)[0]?.toString() ?? '')

  test('what is before the waiting statement is answered, what is behind it waits, and the order is that of the questions', async () => {
    await fill()
    const client = await raw()
    client.send(...insert('before'), sync, ...remove, sync, ...insert('behind'), sync)
    const asked = await askedRaw(client)
    assert.deepEqual(rowsOf(asked.frames.concat(await framesUntil(client, asked.frames))), ['before'])
    assert.deepEqual(await sandbox.postgres.query('shop', 'SELECT what FROM log'), [{ what: 'before' }])
    await dana.approve(asked.id)
    const frames = await client.until(backend.ReadyForQuery, 2)
    assert.deepEqual(rowsOf(frames), ['behind'])
    assert.deepEqual(codesOf(frames), [])
    assert.equal(await left(), 0)
    client.close()
  })

  test('a denial is an error of its segment: what is behind it up to Sync is discarded, and what is before it taken back', async () => {
    await fill()
    const client = await raw()
    client.send(...insert('before'), ...remove, ...insert('behind'), sync, ...insert('next'), sync)
    const asked = await askedRaw(client)
    await dana.deny(asked.id)
    const frames = asked.frames.concat(await client.until(backend.ReadyForQuery, 2))
    assert.deepEqual(codesOf(frames), ['42501'])
    assert.deepEqual(rowsOf(frames), ['before', 'next'])
    assert.deepEqual(await sandbox.postgres.query('shop', 'SELECT what FROM log'), [{ what: 'next' }])
    assert.equal(await left(), 3)
    client.close()
  })

  test('an error before it takes the waiting statement along, and withdraws its request', async () => {
    await fill()
    const client = await raw()
    client.send(
      encodeParse({ sql: 'SELECT 1 / (CASE WHEN pg_sleep(0.5) IS NULL THEN 1 ELSE 0 END)' }),
      encodeBind({}),
      encodeExecute('', 0),
      flush,
      ...remove,
      sync,
    )
    const asked = await askedRaw(client)
    const frames = await client.until(backend.ReadyForQuery)
    assert.deepEqual(codesOf(frames), ['22012'])
    assert.equal((await stateOf(dana, asked.id, 'withdrawn')).outcome?.why, 'cancelled')
    assert.equal(await left(), 3)
    client.close()
  })

  test('two that need approval in one segment are asked for one behind the other', async () => {
    await fill()
    const client = await raw()
    client.send(
      ...remove,
      encodeParse({ sql: "UPDATE log SET what = 'all'" }),
      encodeBind({}),
      encodeExecute('', 0),
      sync,
    )
    const first = await askedRaw(client)
    assert.equal((await dana.pending()).length, 1)
    await dana.approve(first.id)
    const second = await askedRaw(client)
    assert.equal((await dana.request(second.id)).statement?.command, 'UPDATE')
    assert.equal(await left(), 3, 'the segment is not committed yet')
    await dana.approve(second.id)
    const frames = await client.until(backend.ReadyForQuery)
    assert.deepEqual(codesOf(frames), [])
    assert.equal(await left(), 0)
    const last = frames.at(-1)
    assert.equal(last === undefined ? '' : decodeReadyForQuery(last.body).status, 'I')
    client.close()
  })

  async function framesUntil(client: RawClient, seen: readonly Frame[]): Promise<Frame[]> {
    return seen.some(({ type }) => type === backend.ReadyForQuery) ? [] : client.until(backend.ReadyForQuery)
  }
})
