import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { Client } from 'pg'
import { backend, decodeCommandComplete, decodeErrorResponse } from '../src/wire/backend.ts'
import type { Frame } from '../src/wire/framer.ts'
import {
  copyDone,
  encodeBind,
  encodeCopyData,
  encodeExecute,
  encodeParse,
  encodeQuery,
  sync,
} from '../src/wire/frontend.ts'
import { as, askedRaw, type Caller, errorOf, namesOf, people, waiting } from './support/approvals.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox, testPolicies } from './support/sandbox.ts'

const alice = 'alice@example.com'
const secrets = 'shop.public.secrets'
const policies = `${testPolicies}
@id("secrets-are-read-together") @approvers("dba")
forbid (principal, action in Action::"read", resource == Relation::"${secrets}");

@id("secrets-are-loaded-together") @approvers("dba")
forbid (principal, action in [Action::"INSERT", Action::"COPY FROM"], resource == Relation::"${secrets}");
`
let sandbox: Sandbox
let dana: Caller
let client: Client
const raws: RawClient[] = []

before(async () => {
  sandbox = await startSandbox({
    policies,
    access: {},
    setUp: `
      CREATE TABLE orders (id int PRIMARY KEY, note text);
      CREATE TABLE secrets (id int);
      CREATE TABLE other (id int);
      CREATE TABLE parents (id int);
    `,
  })
  dana = as(people.dana, sandbox)
})

beforeEach(async () => {
  client = await sandbox.connect()
})

afterEach(async () => {
  await client.end()
  for (const each of raws.splice(0)) each.close()
})

after(async () => {
  await sandbox.stop()
})

const fill = async (): Promise<void> => {
  await sandbox.postgres.query(
    'shop',
    `TRUNCATE orders, secrets, other;
     INSERT INTO orders SELECT n, 'n' FROM generate_series(1, 3) n;
     INSERT INTO secrets SELECT n FROM generate_series(1, 5) n;`,
  )
}

const countOf = async (table: string): Promise<number> =>
  Number((await sandbox.postgres.query('shop', `SELECT count(*) AS n FROM ${table}`))[0]?.['n'])

const raw = async (): Promise<RawClient> => {
  const opened = await RawClient.logIn({
    port: sandbox.postern.port,
    ca: sandbox.authority.certificate,
    parameters: { user: alice, database: 'shop' },
    password: await sandbox.issuer.issueToken({ identity: alice }),
  })
  raws.push(opened)
  return opened
}

const codesOf = (frames: readonly Frame[]): string[] =>
  frames
    .filter(({ type }) => type === backend.ErrorResponse)
    .map(({ body }) => decodeErrorResponse(body).get('C') ?? '')

const tagsOf = (frames: readonly Frame[]): string[] =>
  frames.filter(({ type }) => type === backend.CommandComplete).map(({ body }) => decodeCommandComplete(body).tag)

describe('a statement prepared by SQL', () => {
  test('is asked for when it is executed, each time, with what it was prepared as', async () => {
    await fill()
    await client.query('PREPARE d AS DELETE FROM orders')
    const first = await waiting(client, () => client.query('EXECUTE d'))
    const { statement } = await dana.request(first.id)
    assert.match(statement?.sql ?? '', /^EXECUTE d\n[^]*DELETE FROM orders$/)
    assert.deepEqual(statement?.relations, ['orders'])
    assert.equal(statement?.command, 'DELETE')
    await dana.approve(first.id)
    assert.equal((await first.result).rowCount, 3)
    const second = await waiting(client, () => client.query('EXECUTE d'))
    await dana.deny(second.id)
    assert.equal((await errorOf(second.result)).code, '42501')
    await client.query('DEALLOCATE d')
  })

  test('and executed by the extended protocol, or explained with ANALYZE, is asked for as well', async () => {
    await fill()
    await client.query('PREPARE d AS DELETE FROM orders')
    const bound = await waiting(client, () => client.query({ text: 'EXECUTE d', values: [], name: 'execute-d' }))
    await dana.deny(bound.id)
    assert.equal((await errorOf(bound.result)).code, '42501')
    const explained = await waiting(client, () => client.query('EXPLAIN (ANALYZE, COSTS off) EXECUTE d'))
    await dana.deny(explained.id)
    assert.equal((await errorOf(explained.result)).code, '42501')
    assert.equal(await countOf('orders'), 3)
    await client.query('DEALLOCATE d')
  })

  test('and used by CREATE TABLE AS EXECUTE is asked for as well', async () => {
    await fill()
    await client.query('PREPARE s AS SELECT * FROM secrets')
    const denied = await waiting(client, () => client.query('CREATE TABLE copied AS EXECUTE s'))
    await dana.deny(denied.id)
    assert.equal((await errorOf(denied.result)).code, '42501')
    const approved = await waiting(client, () => client.query('CREATE TABLE copied AS EXECUTE s'))
    await dana.approve(approved.id)
    await approved.result
    assert.equal(await countOf('copied'), 5)
    await client.query('DROP TABLE copied; DEALLOCATE s')
  })

  test('in the text that executes it is shown by that text, and not as what was prepared under the name before', async () => {
    await fill()
    await client.query('PREPARE x AS SELECT 1')
    const text = 'DEALLOCATE x; PREPARE x AS DELETE FROM orders; EXECUTE x'
    const { id, result } = await waiting(client, () => client.query(text))
    assert.equal((await dana.request(id)).statement?.sql, text)
    await dana.deny(id)
    await errorOf(result)
    await client.query('DEALLOCATE x')
  })

  test('under the name of one that was approved in the same pipeline does not run by its approval', async () => {
    await fill()
    await sandbox.postgres.query('shop', 'INSERT INTO other SELECT 1')
    const pipelining = await raw()
    pipelining.send(encodeQuery('BEGIN; PREPARE d AS UPDATE other SET id = 2'))
    await pipelining.until(backend.ReadyForQuery)
    const run = (sql: string): Buffer[] => [encodeParse({ sql }), encodeBind({}), encodeExecute('', 0)]
    pipelining.send(
      encodeParse({ sql: 'EXECUTE d', name: 'e' }),
      encodeBind({ statement: 'e', portal: 'p' }),
      ...run('DEALLOCATE d'),
      ...run('PREPARE d AS UPDATE orders SET note = null'),
      encodeExecute('p', 0),
      sync,
    )
    const asked = await askedRaw(pipelining)
    await dana.approve(asked.id)
    const frames = await pipelining.until(backend.ReadyForQuery)
    assert.deepEqual(codesOf(frames), ['42501'], namesOf(frames))
    pipelining.send(encodeQuery('COMMIT'))
    await pipelining.until(backend.ReadyForQuery)
    const notes = await sandbox.postgres.query('shop', 'SELECT DISTINCT note FROM orders')
    assert.deepEqual(notes, [{ note: 'n' }])
  })
})

describe('a cursor', () => {
  test('is asked for when it is declared, and fetched from without asking again', async () => {
    await fill()
    await client.query('BEGIN')
    const { id, result } = await waiting(client, () => client.query('DECLARE c CURSOR FOR SELECT id FROM secrets'))
    await dana.approve(id)
    await result
    assert.equal((await client.query('FETCH 2 FROM c')).rowCount, 2)
    assert.equal((await client.query({ text: 'FETCH 2 FROM c', name: 'fetch-c' })).rowCount, 2)
    assert.equal((await client.query('FETCH ALL FROM c')).rowCount, 1)
    await client.query('COMMIT')
    assert.equal((await dana.request(id)).state, 'used')
  })

  test('that is declared and fetched from in one text is one request', async () => {
    await fill()
    const text = 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM secrets; FETCH ALL FROM c; COMMIT'
    const { id, result } = await waiting(client, () => client.query(text))
    await dana.approve(id)
    await result
  })

  test('that was denied is not there', async () => {
    await fill()
    await client.query('BEGIN')
    const { id, result } = await waiting(client, () => client.query('DECLARE c CURSOR FOR SELECT id FROM secrets'))
    await dana.deny(id)
    assert.equal((await errorOf(result)).code, '42501')
    await client.query('ROLLBACK')
    await client.query('BEGIN')
    assert.equal((await errorOf(client.query('FETCH ALL FROM c'))).code, '34000')
    await client.query('ROLLBACK')
  })

  test('does not lend its approval to another of its name', async () => {
    await fill()
    await client.query('BEGIN')
    const first = await waiting(client, () => client.query('DECLARE c CURSOR FOR SELECT id FROM secrets'))
    await dana.approve(first.id)
    await first.result
    await client.query('CLOSE c')
    const second = await waiting(client, () => client.query('DECLARE c CURSOR FOR SELECT id + 1 FROM secrets'))
    assert.notEqual(second.id, first.id)
    await dana.deny(second.id)
    await errorOf(second.result)
    await client.query('ROLLBACK')
  })
})

describe('COPY', () => {
  const copied = (frames: readonly Frame[]): number => frames.filter(({ type }) => type === backend.CopyData).length

  test('of a query to the client waits, in both protocols', async () => {
    await fill()
    const copying = await raw()
    const text = 'COPY (SELECT id FROM secrets) TO STDOUT'
    for (const messages of [
      [encodeQuery(text)],
      [encodeParse({ sql: text }), encodeBind({}), encodeExecute('', 0), sync],
    ]) {
      copying.send(...messages)
      const denied = await askedRaw(copying)
      await dana.deny(denied.id)
      const refused = await copying.until(backend.ReadyForQuery)
      assert.deepEqual(codesOf(refused), ['42501'])
      assert.equal(copied(refused), 0)
      copying.send(...messages)
      const approved = await askedRaw(copying)
      await dana.approve(approved.id)
      const frames = await copying.until(backend.ReadyForQuery)
      assert.equal(copied(frames), 5)
      assert.deepEqual(tagsOf(frames), ['COPY 5'])
    }
  })

  test('from the client waits with its data, in both protocols', async () => {
    await fill()
    const copying = await raw()
    const text = 'COPY secrets FROM STDIN'
    const data = [encodeCopyData(Buffer.from('7\n8\n')), copyDone]
    const asSimple = [encodeQuery(text), ...data]
    const asExtended = [encodeParse({ sql: text }), encodeBind({}), encodeExecute('', 0), ...data, sync]
    for (const messages of [asSimple, asExtended]) {
      copying.send(...messages)
      const denied = await askedRaw(copying)
      await dana.deny(denied.id)
      assert.deepEqual(codesOf(await copying.until(backend.ReadyForQuery)), ['42501'])
      const before = await countOf('secrets')
      copying.send(...messages)
      const approved = await askedRaw(copying)
      assert.equal(await countOf('secrets'), before)
      await dana.approve(approved.id)
      const frames = await copying.until(backend.ReadyForQuery)
      assert.deepEqual(tagsOf(frames), ['COPY 2'])
      assert.equal(await countOf('secrets'), before + 2)
    }
    copying.send(encodeQuery('SELECT 1'))
    assert.deepEqual(codesOf(await copying.until(backend.ReadyForQuery)), [])
  })
})

describe('in a transaction', () => {
  const statusAfter = async (session: RawClient, ...messages: readonly Buffer[]): Promise<string> => {
    session.send(...messages)
    const frames = await session.until(backend.ReadyForQuery)
    return `${codesOf(frames).join()}${frames.at(-1)?.body.toString() ?? ''}`
  }

  for (const [name, messages] of [
    ['simple', [encodeQuery('DELETE FROM orders')]],
    ['extended', [encodeParse({ sql: 'DELETE FROM orders' }), encodeBind({}), encodeExecute('', 0), sync]],
  ] as const) {
    test(`a denial in the ${name} protocol fails it as any error does, and a savepoint brings it back`, async () => {
      await fill()
      const session = await raw()
      assert.equal(await statusAfter(session, encodeQuery('BEGIN')), 'T')
      assert.equal(await statusAfter(session, encodeQuery("INSERT INTO orders VALUES (10, 'kept')")), 'T')
      assert.equal(await statusAfter(session, encodeQuery('SAVEPOINT s')), 'T')
      session.send(...messages)
      const first = await askedRaw(session)
      await dana.deny(first.id)
      assert.equal((await session.until(backend.ReadyForQuery)).at(-1)?.body.toString(), 'E')
      assert.equal(await statusAfter(session, encodeQuery('SELECT 1')), '25P02E')
      assert.equal(await statusAfter(session, encodeQuery('ROLLBACK TO s')), 'T')
      session.send(...messages)
      const second = await askedRaw(session)
      assert.equal((await dana.request(second.id)).statement?.transaction.isOpen, true)
      await dana.approve(second.id)
      assert.deepEqual(tagsOf(await session.until(backend.ReadyForQuery)), ['DELETE 4'])
      assert.equal(await countOf('orders'), 3, 'nothing is committed yet')
      assert.equal(await statusAfter(session, encodeQuery('COMMIT')), 'I')
      assert.equal(await countOf('orders'), 0)
    })
  }

  test('outside of one a denial leaves none behind', async () => {
    await fill()
    const session = await raw()
    session.send(encodeQuery('DELETE FROM orders'))
    const asked = await askedRaw(session)
    assert.equal((await dana.request(asked.id)).statement?.transaction.isOpen, false)
    await dana.deny(asked.id)
    assert.equal((await session.until(backend.ReadyForQuery)).at(-1)?.body.toString(), 'I')
  })

  test('the approver sees that it is open and what it has locked', async () => {
    await fill()
    await client.query('BEGIN')
    await client.query('UPDATE other SET id = 1 WHERE id = 0')
    await client.query('LOCK TABLE parents IN SHARE MODE')
    const { id, result } = await waiting(client, () => client.query('DELETE FROM orders'))
    const { statement } = await dana.request(id)
    assert.deepEqual(statement?.transaction, {
      isOpen: true,
      locks: ['RowExclusiveLock on public.other', 'ShareLock on public.parents'],
    })
    await dana.deny(id)
    await errorOf(result)
    await client.query('ROLLBACK')
  })

  test('a statement in the extended protocol holds nothing while it waits', async () => {
    await fill()
    const { id, result } = await waiting(client, () => client.query('UPDATE orders SET note = $1', ['x']))
    assert.deepEqual((await dana.request(id)).statement?.transaction, { isOpen: false, locks: [] })
    const held = await sandbox.postgres.query(
      'shop',
      `SELECT mode FROM pg_locks WHERE relation = 'orders'::regclass AND pid <> pg_backend_pid()`,
    )
    assert.deepEqual(held, [])
    await dana.approve(id)
    await result
  })

  test('waiting is no time that a statement takes', async () => {
    await fill()
    const session = await raw()
    await statusAfter(session, encodeQuery("SET statement_timeout = '300ms'"))
    session.send(encodeParse({ sql: 'DELETE FROM orders' }), encodeBind({}), encodeExecute('', 0), sync)
    const asked = await askedRaw(session)
    await new Promise((resolve) => setTimeout(resolve, 600))
    await dana.approve(asked.id)
    assert.deepEqual(codesOf(await session.until(backend.ReadyForQuery)), [])
    assert.equal(await countOf('orders'), 0)
  })
})
