import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { Client } from 'pg'
import { backend, decodeErrorResponse } from '../src/wire/backend.ts'
import type { Frame } from '../src/wire/framer.ts'
import { encodeBind, encodeExecute, encodeParse, encodeQuery, sync } from '../src/wire/frontend.ts'
import { as, askedRaw, type Caller, errorOf, namesOf, people, waiting } from './support/approvals.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

const alice = 'alice@example.com'
let sandbox: Sandbox
let dana: Caller
let client: Client
const raws: RawClient[] = []

before(async () => {
  sandbox = await startSandbox({
    access: {},
    setUp: `
      CREATE TABLE orders (id int PRIMARY KEY, note text);
      INSERT INTO orders SELECT n, 'n' FROM generate_series(1, 4321) n;
      ANALYZE orders;
      CREATE SCHEMA archive;
      CREATE TABLE archive.orders (id int PRIMARY KEY, note text);
      INSERT INTO archive.orders VALUES (1, 'old');
      CREATE ROLE other;
      GRANT ALL ON ALL TABLES IN SCHEMA public TO other;
    `,
  })
  dana = as(people.dana, sandbox)
})

after(async () => {
  await sandbox.stop()
})

beforeEach(async () => {
  client = await sandbox.connect()
})

afterEach(async () => {
  await client.end()
  for (const each of raws.splice(0)) each.close()
})

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

describe('an approver is shown', () => {
  test('the text byte for byte, whatever it holds', async () => {
    for (const text of [
      '  DELETE  FROM orders  ',
      'DELETE FROM orders;',
      '-- only old ones\nDELETE /* all */ FROM\torders\r\n;\n-- done',
      "UPDATE orders SET note = 'ünï\u202ecode \u{1f600} -- ''; DROP TABLE orders'",
      'UPDATE orders SET note = $tag$ it\'s; "quoted" $tag$',
      `UPDATE orders SET note = '${'x'.repeat(50_000)}'`,
      "UPDATE orders SET note = E'\\\\n\\'x'",
    ]) {
      const { id, result } = await waiting(client, () => client.query(text))
      const { statement } = await dana.request(id)
      assert.equal(statement?.sql, text)
      assert.equal(statement.isRedacted, false)
      await dana.deny(id)
      await errorOf(result)
    }
  })

  test('who asks for what, where, from where and why it has to wait', async () => {
    const named = await sandbox.connect(alice, { application_name: 'nightly job' })
    const { id, result } = await waiting(named, () => named.query('DELETE FROM public.orders'))
    const { requester, statement, state, expiresAt, createdAt } = await dana.request(id)
    assert.deepEqual(requester, { name: alice, kind: 'human', actors: [] })
    assert.equal(state, 'pending')
    assert.equal(Date.parse(expiresAt) - Date.parse(createdAt), 60_000)
    assert.equal(statement?.database, 'shop')
    assert.equal(statement.command, 'DELETE')
    assert.deepEqual(statement.relations, ['public.orders'])
    assert.deepEqual(statement.parameters, [])
    assert.deepEqual(statement.policies, [{ id: 'delete-without-where', advice: null }])
    assert.equal(statement.application, 'nightly job')
    assert.equal(statement.clientAddress, '127.0.0.1')
    await dana.deny(id)
    await errorOf(result)
    await named.end()
  })

  test('how many rows the planner expects, in both protocols and under the search path of the session', async () => {
    const rowsOf = async (run: () => Promise<unknown>): Promise<number | undefined> => {
      const { id, result } = await waiting(client, run)
      const { statement } = await dana.request(id)
      await dana.deny(id)
      await errorOf(result)
      return statement?.estimate?.rows
    }
    assert.equal(await rowsOf(() => client.query('DELETE FROM orders')), 4321)
    assert.equal(await rowsOf(() => client.query('UPDATE orders SET note = $1', ['x'])), 4321)
    assert.equal(await rowsOf(() => client.query('DELETE FROM orders; SELECT 1')), undefined)
    await client.query('SET search_path = archive')
    await sandbox.postgres.query('shop', 'ANALYZE archive.orders')
    assert.equal(await rowsOf(() => client.query('DELETE FROM orders')), 1)
  })

  test('nothing of the text any more than its redacted form once it is over, and the record has no text in its changes', async () => {
    const { id, result } = await waiting(client, () => client.query("UPDATE orders SET note = 'marker-7f3a'"))
    await dana.deny(id)
    await errorOf(result)
    const changes = (await sandbox.entries()).filter((entry) => entry['request'] === id)
    assert.equal(changes.length, 3)
    assert.doesNotMatch(JSON.stringify(changes), /marker-7f3a/)
  })
})

describe('an approval is for one run and nothing else', () => {
  test('not for other parameters, which are asked for by themselves', async () => {
    const query = (note: string): Promise<unknown> =>
      client.query({ name: 'u', text: 'UPDATE orders SET note = $1', values: [note] })
    const first = await waiting(client, () => query('one'))
    await dana.approve(first.id)
    await first.result
    const second = await waiting(client, () => query('two'))
    assert.notEqual(second.id, first.id)
    assert.deepEqual((await dana.request(second.id)).statement?.parameters, ['two'])
    await dana.deny(second.id)
    await errorOf(second.result)
  })

  test('not for the same text in another session, or of another person', async () => {
    const others = [await sandbox.connect(), await sandbox.connect('dana@example.com')]
    const text = "UPDATE archive.orders SET note = 'x'"
    const asked = []
    for (const each of [client, ...others]) asked.push(await waiting(each, () => each.query(text)))
    const [first, ...rest] = asked
    assert.ok(first !== undefined)
    await dana.approve(first.id)
    await first.result
    for (const { id } of rest) assert.equal((await as(people.audrey, sandbox).request(id)).state, 'pending')
    for (const { id, result } of rest) {
      await as(people.dora, sandbox).deny(id)
      await errorOf(result)
    }
    for (const each of others) await each.end()
  })

  test('not where the search path changed between Bind and Execute', async () => {
    await refusedBetween('SET LOCAL search_path = archive')
  })

  test('not where the role changed between Bind and Execute', async () => {
    await refusedBetween('SET LOCAL ROLE other')
  })

  test('not where names came to mean other relations between Bind and Execute', async () => {
    await refusedBetween('CREATE TEMP TABLE orders (id int, note text)')
  })

  test('but a statement that only reads in between takes nothing from it', async () => {
    const { asked, frames } = await between('SELECT 1')
    assert.deepEqual(codesOf(frames), [], namesOf(frames))
    assert.equal((await dana.request(asked)).state, 'used')
  })

  async function refusedBetween(sql: string): Promise<void> {
    const { asked, frames } = await between(sql)
    assert.deepEqual(codesOf(frames), ['42501'], namesOf(frames))
    assert.notEqual((await dana.request(asked)).state, 'used')
    const notes = await sandbox.postgres.query(
      'shop',
      "SELECT count(*)::int AS n FROM (TABLE orders UNION ALL TABLE archive.orders) o WHERE note = 'changed'",
    )
    assert.deepEqual(notes, [{ n: 0 }])
  }

  /** Binds what needs approval in a transaction, lets another statement run, and executes it. */
  async function between(sql: string): Promise<{ asked: string; frames: Frame[] }> {
    const session = await raw()
    session.send(encodeQuery("BEGIN; PREPARE u AS UPDATE orders SET note = 'changed'"))
    await session.until(backend.ReadyForQuery)
    session.send(encodeParse({ sql: 'EXECUTE u', name: 'e' }), encodeBind({ statement: 'e', portal: 'p' }), sync)
    const { id } = await askedRaw(session)
    await dana.approve(id)
    assert.deepEqual(codesOf(await session.until(backend.ReadyForQuery)), [])
    session.send(encodeQuery(sql))
    const before = await session.until(backend.ReadyForQuery)
    assert.deepEqual(codesOf(before), [])
    session.send(encodeExecute('p', 0), sync)
    const frames = await session.until(backend.ReadyForQuery)
    session.send(encodeQuery('ROLLBACK'))
    await session.until(backend.ReadyForQuery)
    return { asked: id, frames }
  }

  test('what is asked for behind a change of settings is asked for under the new ones', async () => {
    const session = await raw()
    session.send(encodeQuery('SET search_path = archive'), encodeQuery("UPDATE orders SET note = 'x'"))
    const { id } = await askedRaw(session)
    assert.equal((await dana.request(id)).statement?.estimate?.rows, 1)
    await dana.approve(id)
    const frames = await session.until(backend.ReadyForQuery)
    assert.deepEqual(codesOf(frames), [])
    assert.deepEqual(await sandbox.postgres.query('shop', 'SELECT note FROM archive.orders'), [{ note: 'x' }])
  })
})
