import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { backend, decodeDataRow, decodeErrorResponse } from '../src/wire/backend.ts'
import { encodeBind, encodeExecute, encodeParse, encodeQuery, sync } from '../src/wire/frontend.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

/*
 * What a client that writes its own messages tries against masking: orders of messages that no driver sends, names
 * defined over again, settings and catalogs that change between a decision and its rows, connections that are cut.
 */

const policies = `
@id("masked-may-everything-else")
permit (principal in Group::"engineering", action in [Action::"connect", Action::"statement"], resource);

@id("dba-sees")
permit (principal in Group::"dba", action, resource);
`

const classification = `
tags: { pii.email: redact }
columns:
  public.people: { email: pii.email }
  one.people: { email: pii.email }
`

let sandbox: Sandbox
before(async () => {
  sandbox = await startSandbox({
    policies,
    classification,
    allowPlaintextOnLoopback: true,
    setUp: `
      CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, city text);
      INSERT INTO people SELECT n, 'secret' || n || '@example.com', 'Graz' FROM generate_series(1, 5) n;
      CREATE SCHEMA one;
      CREATE SCHEMA two;
      CREATE TABLE one.people (email text);
      INSERT INTO one.people SELECT 'secret' || n || '@example.com' FROM generate_series(1, 5) n;
      CREATE TABLE two.people (email text);
      CREATE VIEW places AS SELECT id, city FROM people;
      CREATE TABLE parents (id int PRIMARY KEY);
      CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);`,
  })
})
after(() => sandbox.stop())

async function raw(identity = 'alice@example.com'): Promise<RawClient> {
  const { password } = await sandbox.clientConfig(identity)
  return RawClient.logIn({
    port: sandbox.postern.port,
    parameters: { user: identity, database: 'shop' },
    password: String(password),
  })
}

/** What comes back up to `count` times ReadyForQuery: rows, tags of their messages and SQLSTATEs. */
async function told(client: RawClient, count: number, ...messages: readonly Buffer[]): Promise<string> {
  client.send(...messages)
  const frames = await client.until(backend.ReadyForQuery, count)
  return frames
    .flatMap(({ type, body }) => {
      if (type === backend.DataRow)
        return [
          decodeDataRow(body)
            .map((value) => value?.toString() ?? 'NULL')
            .join('|'),
        ]
      if (type === backend.CopyData) return [body.toString('latin1')]
      if (type === backend.ErrorResponse) return [decodeErrorResponse(body).get('C') ?? '']
      return []
    })
    .join(' ')
}

const query = (client: RawClient, sql: string): Promise<string> => told(client, 1, encodeQuery(sql))

test('executing a cursor by a message of the protocol does not make it one that was declared just now', async () => {
  const client = await raw()
  await query(client, 'SET search_path = one')
  await query(client, 'BEGIN')
  await query(client, 'DECLARE c SCROLL CURSOR FOR SELECT lower(email) AS email FROM people')
  await query(client, 'SET search_path = two')
  assert.doesNotMatch(await query(client, 'FETCH 1 FROM c'), /secret/u)
  assert.doesNotMatch(await told(client, 1, encodeExecute('c', 0), sync), /secret/u)
  await query(client, 'MOVE ABSOLUTE 0 IN c')
  assert.doesNotMatch(await query(client, 'FETCH ALL FROM c'), /secret/u)
  client.close()
})

test('COPY data in an encoding that the text itself has changed is not read as UTF-8', async () => {
  const client = await raw()
  const answer = await query(
    client,
    "SET client_encoding = 'SJIS'; COPY (SELECT 'ソ', lower(email), 'ポ' FROM people) TO STDOUT (DELIMITER '|')",
  )
  assert.doesNotMatch(answer, /secret/u)
  client.close()
})

test('a commit that fails is no second answer to the statement before it', async () => {
  const client = await raw()
  await query(client, 'CREATE TABLE one.words AS SELECT 1 AS id')
  await query(client, 'CREATE TABLE words AS SELECT 1 AS id')
  const segment = [
    encodeParse({ sql: 'INSERT INTO children VALUES (7)' }),
    encodeBind({}),
    encodeExecute('', 0),
    encodeParse({ sql: 'CREATE TABLE unused (id int)' }),
    encodeBind({}),
    encodeExecute('', 0),
    sync,
  ]
  assert.equal(await told(client, 1, ...segment), '23503')
  // What follows a change before its outcome is known is refused, and is not where no change is under way.
  const answer = await told(
    client,
    1,
    encodeParse({ sql: 'CREATE TABLE unused (id int)' }),
    encodeBind({}),
    encodeExecute('', 0),
    encodeParse({ sql: 'SELECT id FROM words' }),
    encodeBind({}),
    encodeExecute('', 0),
    sync,
  )
  assert.equal(answer, '42501')
  client.close()
})

test('a table that is still being made when its client goes is masked once it is there', async () => {
  const client = await raw()
  client.send(
    encodeQuery('CREATE TABLE late AS SELECT email AS words, pg_sleep(1)::text AS nothing FROM people WHERE id < 3'),
  )
  await new Promise((resolve) => setTimeout(resolve, 300))
  client.socket.resetAndDestroy()
  await new Promise((resolve) => setTimeout(resolve, 3000))
  const other = await raw()
  const answer = await query(other, 'SELECT lower(words) FROM late')
  assert.doesNotMatch(answer, /secret/u)
  other.close()
})

test('a table is not made under a name that a statement under way in another session may mean by it', async () => {
  const [client, other] = [await raw(), await raw()]
  await query(client, "CREATE TABLE source AS SELECT 'plain' AS words")
  await query(client, 'CREATE TABLE target (words text)')
  other.send(encodeQuery('SELECT pg_sleep(1.5); INSERT INTO target SELECT lower(words) FROM source'))
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.equal(await query(client, 'CREATE TABLE unrelated AS SELECT email FROM people'), '')
  await query(client, 'DROP TABLE source')
  assert.equal(await query(client, 'CREATE TABLE source AS SELECT email AS words FROM people'), '42501')
  await told(other, 1)
  const answer = await query(client, 'SELECT words FROM target')
  assert.doesNotMatch(answer, /secret/u)
  assert.equal(await query(client, 'CREATE TABLE source AS SELECT email AS words FROM people'), '')
  client.close()
  other.close()
})

test('copies of copies that are made in one transaction or text carry tags, also where who makes them sees everything', async () => {
  const [dana, alice] = [await raw('dana@example.com'), await raw()]
  await query(dana, 'BEGIN')
  await query(dana, 'CREATE TABLE copy_one AS SELECT email AS e, 1 AS n FROM people')
  await query(dana, 'CREATE TABLE copy_two AS SELECT e, n FROM copy_one')
  await query(dana, 'COMMIT')
  await query(dana, 'CREATE TABLE copy_three AS SELECT e FROM copy_two; SELECT e INTO copy_four FROM copy_three')
  for (const name of ['copy_one', 'copy_two', 'copy_three', 'copy_four']) {
    assert.doesNotMatch(await query(alice, `SELECT lower(e) FROM ${name}`), /secret/u, name)
  }
  assert.equal(await query(alice, 'SELECT n + 1 FROM copy_two LIMIT 1'), '2')
  dana.close()
  alice.close()
})

test('a connection that PostgreSQL ends while the gateway itself asks says why', async () => {
  // PostgreSQL resets the connection where it ends without having read all that was sent, and its last words are lost.
  const said = new Set<string | undefined>()
  for (let round = 0; round < 20 && !said.has('57P01'); round += 1)
    for (const code of await endedWhileAsking()) said.add(code)
  said.delete('08006')
  assert.deepEqual([...said], ['57P01'])
})

async function endedWhileAsking(): Promise<readonly (string | undefined)[]> {
  const client = await raw()
  await query(client, 'BEGIN')
  await query(client, 'CREATE TABLE never (id int)')
  client.send(encodeQuery('SELECT id FROM people'))
  const [, frames] = await Promise.all([
    sandbox.postgres.query('shop', `SELECT pg_terminate_backend(${String(client.cancelKey.processId)})`),
    client.until(backend.ReadyForQuery, Infinity),
  ])
  client.close()
  const codes = frames
    .filter(({ type }) => type === backend.ErrorResponse)
    .map(({ body }) => decodeErrorResponse(body).get('C'))
  assert.equal(codes.length, 1)
  return codes
}

test('masks that were planned in one encoding are not used behind a change of it that is not reported yet', async () => {
  const client = await raw()
  const row = "SELECT ROW(chr(12477) || ' ', lower(email) || ' ', 'x,y') FROM people LIMIT 1"
  const execute = [encodeBind({ statement: 'row' }), encodeExecute('', 0)]
  assert.doesNotMatch(await told(client, 1, encodeParse({ name: 'row', sql: row }), ...execute, sync), /secret/u)
  const set = [encodeParse({ sql: "SET client_encoding = 'SJIS'" }), encodeBind({}), encodeExecute('', 0)]
  assert.equal(await told(client, 1, ...set, ...execute, sync), 'NULL')
  client.close()
})
