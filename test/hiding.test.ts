import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { backend, decodeErrorResponse } from '../src/wire/backend.ts'
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
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

/*
 * Somebody who may only read tries to delete a row, each time in another disguise. What he is told matters less than
 * that the row is there afterwards.
 */

const sam = 'sam@example.com'
const deletion = 'DELETE FROM victims WHERE id = 1'
let sandbox: Sandbox
let client: RawClient

before(async () => {
  sandbox = await startSandbox({
    setUp: `
      CREATE TABLE victims (id int PRIMARY KEY);
      CREATE FUNCTION run(sql text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN 1; END $$;
      CREATE FUNCTION quiet() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    `,
  })
})

after(async () => {
  await sandbox.stop()
})

beforeEach(async () => {
  await sandbox.postgres.query('shop', 'INSERT INTO victims VALUES (1) ON CONFLICT DO NOTHING')
  client = await RawClient.logIn({
    port: sandbox.postern.port,
    ca: sandbox.authority.certificate,
    parameters: { user: sam, database: 'shop' },
    password: await sandbox.issuer.issueToken({ identity: sam }),
  })
})

const run = (name: string): Buffer => Buffer.concat([encodeBind({ statement: name }), encodeExecute('', 0)])
const parse = (sql: string | Buffer, name = ''): Buffer => encodeParse({ name, sql, parameterTypes: [] })
const setOff = 'SET standard_conforming_strings = off'
/** Two strings to those who think that a backslash is a character like any other; a deletion to the others. */
const hiddenInQuery = String.raw`SELECT '\' , '; ${deletion}; --'`
const hiddenInParse = String.raw`WITH a AS (SELECT '\', '), b AS (${deletion} RETURNING 1) SELECT 1 --') SELECT 1`
const swallowing = Buffer.concat([
  Buffer.from("SELECT E'"),
  Buffer.from([0x83, 0x5c]),
  Buffer.from(`', E'; ${deletion}; --'`),
])

/** `encodeQuery` would not do it. */
const queryWithNul = Buffer.from(encodeQuery(`SELECT 1@; ${deletion}`).toString('latin1').replace('@', '\0'), 'latin1')

const attacks: readonly (readonly [name: string, send: (client: RawClient) => Buffer[], readyCount: number])[] = [
  ['plainly', () => [encodeQuery(deletion)], 1],
  ['behind a statement that may run', () => [encodeQuery(`SELECT 1; ${deletion}`)], 1],
  ['in a writing CTE', () => [encodeQuery(`WITH x AS (${deletion} RETURNING 1) SELECT * FROM x`)], 1],
  ['by EXPLAIN ANALYZE', () => [encodeQuery(`EXPLAIN (ANALYZE, COSTS off) ${deletion}`)], 1],
  ['by PREPARE and EXECUTE', () => [encodeQuery(`PREPARE p AS ${deletion}; EXECUTE p`)], 1],
  ['by PREPARE and Bind', () => [encodeQuery(`PREPARE p AS ${deletion}`), run('p'), sync], 2],
  ['by PREPARE and Bind, not waiting', () => [parse(`PREPARE p AS ${deletion}`), run(''), run('p'), sync], 1],
  ['by Parse and EXECUTE', () => [parse(deletion, 'p'), sync, encodeQuery('EXECUTE p')], 2],
  [
    'by replacing a name on its way',
    () => [parse('SELECT 1', 'p'), encodeClose('S', 'p'), parse(deletion, 'p'), run('p'), sync],
    1,
  ],
  ['by a name defined twice', () => [parse('SELECT 1', 'p'), sync, parse(deletion, 'p'), sync, run('p'), sync], 3],
  ['by a DO block', () => [encodeQuery(`DO $$ BEGIN ${deletion}; END $$`)], 1],
  ['by a function that runs text', () => [encodeQuery(`SELECT run('${deletion}')`)], 1],
  ['by such a function in a default', () => [encodeQuery(`VALUES ((SELECT public.run('${deletion}')))`)], 1],
  ['by query_to_xml', () => [encodeQuery(`SELECT query_to_xml('${deletion} RETURNING 1', true, true, '')`)], 1],
  ['by a cursor', () => [encodeQuery(`BEGIN; DECLARE c CURSOR FOR SELECT run('${deletion}'); FETCH c`)], 1],
  ['by COPY of it', () => [encodeQuery(`COPY (${deletion} RETURNING 1) TO STDOUT`)], 1],
  ['by COPY from a program', () => [encodeQuery(`COPY victims FROM PROGRAM 'echo 2'`)], 1],
  [
    'by MERGE',
    () => [encodeQuery('MERGE INTO victims v USING (SELECT 1 AS id) s ON v.id = s.id WHEN MATCHED THEN DELETE')],
    1,
  ],
  ['by TRUNCATE', () => [encodeQuery('TRUNCATE victims')], 1],
  ['in an old-style string', () => [encodeQuery(setOff), encodeQuery(hiddenInQuery)], 2],
  ['in an old-style string, not waiting', () => [encodeQuery(`${setOff}; SELECT 1`), encodeQuery(hiddenInQuery)], 2],
  ['in an old-style string in a pipeline', () => [parse(setOff), run(''), parse(hiddenInParse), run(''), sync], 1],
  [
    'in an old-style string set by a function',
    () => [
      parse("SELECT set_config('standard_conforming_strings', 'off', false)"),
      run(''),
      parse(hiddenInParse),
      run(''),
      sync,
    ],
    1,
  ],
  [
    'behind a character that swallows a backslash',
    () => [encodeQuery("SET client_encoding = 'SJIS'"), encodeQuery(swallowing)],
    2,
  ],
  [
    'behind such a character, not waiting',
    () => [parse("SET client_encoding = 'SJIS'"), run(''), flush, sync, encodeQuery(swallowing)],
    2,
  ],
  [
    'by a name that another encoding makes of another',
    () => [encodeQuery("SET client_encoding = 'SJIS'"), parse('SELECT 1', 'ソ'), sync, run('ソ'), sync],
    3,
  ],
  ['behind a NUL', () => [queryWithNul], 1],
  ['by another role', () => [encodeQuery('SET ROLE postgres'), encodeQuery(deletion)], 2],
  ['by another session authorization', () => [encodeQuery(`SET SESSION AUTHORIZATION postgres; ${deletion}`)], 1],
  [
    'by a settings function',
    () => [encodeQuery("SELECT set_config('role', 'postgres', false)"), encodeQuery(deletion)],
    2,
  ],
  ['by a rule', () => [encodeQuery(`CREATE RULE r AS ON SELECT TO victims DO INSTEAD ${deletion}`)], 1],
  ['by a portal that is executed twice', () => [parse(deletion), run(''), encodeExecute('', 0), sync], 1],
  ['described first', () => [parse(deletion, 'p'), encodeDescribe('S', 'p'), run('p'), flush, sync], 1],
  ['behind an error', () => [parse('SELEC', 'p'), parse(deletion, 'q'), run('q'), sync, run('q'), sync], 2],
  ['in an unfinished transaction', () => [encodeQuery('BEGIN'), encodeQuery(deletion), encodeQuery('COMMIT')], 3],
  ['in capitals, quotes and comments', () => [encodeQuery('/* a */ dElEtE/**/FrOm"victims"wHeRe"id"=1--')], 1],
  ['by its escaped name', () => [encodeQuery(String.raw`DELETE FROM U&"v\0069ctims" WHERE id = 1`)], 1],
  ['in an opaque text', () => [encodeQuery(`${deletion} )`), encodeQuery(`${deletion} \u0001`)], 2],
]

for (const [name, send, readyCount] of attacks) {
  test(`a row is not deleted ${name}`, { timeout: 15_000 }, async () => {
    client.send(...send(client))
    const answers = await client.until(backend.ReadyForQuery, readyCount)
    const errors = answers.filter((frame) => frame.type === backend.ErrorResponse)
    assert.ok(errors.length > 0, 'nobody objected')
    for (const error of errors) assert.ok((decodeErrorResponse(error.body).get('C') ?? '').length === 5)
    const rows = await sandbox.postgres.query('shop', 'SELECT id FROM victims WHERE id = 1')
    assert.equal(rows.length, 1)
    client.close()
  })
}

test('the same disguises without anything behind them are served', async () => {
  const harmless = [
    [encodeQuery(setOff), encodeQuery("SELECT 'plain'"), encodeQuery("SELECT E'two\\nlines'")],
    [encodeQuery("SET client_encoding = 'SJIS'"), encodeQuery("SELECT 'ascii'")],
    [parse('SELECT 1', 'p'), sync, run('p'), sync, encodeQuery('EXECUTE p')],
    [encodeQuery('BEGIN; DECLARE c CURSOR FOR SELECT id FROM victims; FETCH c; COMMIT')],
  ]
  for (const [index, messages] of harmless.entries()) {
    const ready = messages.filter((message) => message[0] === 0x51 || message === sync).length
    client.send(...messages)
    const answers = await client.until(backend.ReadyForQuery, ready)
    const errors = answers.filter((frame) => frame.type === backend.ErrorResponse)
    if (index === 0) {
      // A backslash under the old syntax is the one thing that cannot be read with certainty.
      assert.equal(errors.length, 1)
      client.send(encodeQuery('SET standard_conforming_strings = on'))
      await client.until(backend.ReadyForQuery)
    } else {
      assert.deepEqual(
        errors.map((error) => decodeErrorResponse(error.body).get('M')),
        [],
      )
    }
  }
  client.close()
})
