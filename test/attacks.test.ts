import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { after, before, beforeEach, test } from 'node:test'
import { backend, decodeErrorResponse } from '../src/wire/backend.ts'
import {
  encodeBind,
  encodeExecute,
  encodeParse,
  encodePasswordMessage,
  encodeQuery,
  sync,
} from '../src/wire/frontend.ts'
import type { Frame } from '../src/wire/framer.ts'
import { encodeCancelRequest, encodeStartupMessage, protocol30 } from '../src/wire/startup.ts'
import { RawClient } from './support/raw-client.ts'
import { entriesOfApplication, type Sandbox, startSandbox } from './support/sandbox.ts'

/*
 * Ways around Postern that once worked, each as its attacker would try it again: somebody who may only read, or somebody
 * without a token.
 */

const sam = 'sam@example.com'
let sandbox: Sandbox

before(async () => {
  sandbox = await startSandbox({
    setUp: `
      CREATE TABLE victims (id int PRIMARY KEY);
      CREATE SEQUENCE numbers;
      CREATE ROLE other;
      CREATE FUNCTION run(sql text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN 1; END $$;
    `,
  })
})

after(async () => {
  await sandbox.stop()
})

beforeEach(async () => {
  await sandbox.postgres.query('shop', 'INSERT INTO victims VALUES (1) ON CONFLICT DO NOTHING')
})

async function logIn(parameters: Readonly<Record<string, string>> = {}): Promise<RawClient> {
  return RawClient.logIn({
    port: sandbox.postern.port,
    ca: sandbox.authority.certificate,
    parameters: { user: sam, database: 'shop', ...parameters },
    password: await sandbox.issuer.issueToken({ identity: sam }),
  })
}

function sqlstatesOf(frames: readonly Frame[]): string[] {
  return frames
    .filter((frame) => frame.type === backend.ErrorResponse)
    .map((frame) => decodeErrorResponse(frame.body).get('C') ?? '')
}

async function isVictimThere(): Promise<boolean> {
  return (await sandbox.postgres.query('shop', 'SELECT id FROM victims WHERE id = 1')).length === 1
}

test('no role is switched and no library loaded by the start-up packet, however its switches are bundled', async () => {
  for (const options of ['-ncrole=other', '-n-role=other', '-e -Ecrole=other', '-f s -nnncRole=other']) {
    await assert.rejects(logIn({ options }), /42501 SET ROLE on shop/, options)
  }
  for (const name of ['session_preload_libraries', 'local_preload_libraries']) {
    await assert.rejects(logIn({ [name]: 'auto_explain' }), /42501 LOAD on shop/)
    await assert.rejects(logIn({ options: `-c ${name}=auto_explain` }), /42501 LOAD on shop/)
  }
})

const refusedQueries: readonly (readonly [name: string, sql: string])[] = [
  ['a file of the server is not read like a column', "SELECT ('/etc/hostname'::text).pg_read_file"],
  ['a file is not read like a column of a function', "SELECT x.pg_read_file FROM unnest(ARRAY['/etc/hostname']) x"],
  ['a function is not called like a column', "SELECT ('DELETE FROM victims'::text).run"],
  ['a function is not called like a column of another', "SELECT x.run FROM unnest(ARRAY['DELETE FROM victims']) x"],
  ['a table is not locked against others', 'BEGIN; LOCK TABLE victims'],
  ['a sequence is not set', "SELECT setval('numbers', 1000)"],
  ["somebody else's prepared transaction is not ended", "COMMIT PREPARED 'x'"],
]

for (const [name, sql] of refusedQueries) {
  test(`${name} by somebody who may only read`, { timeout: 15_000 }, async () => {
    const client = await logIn()
    client.send(encodeQuery(sql))
    assert.deepEqual(sqlstatesOf(await client.until(backend.ReadyForQuery)), ['42501'])
    assert.ok(await isVictimThere())
    client.close()
  })
}

const setOn = 'SET standard_conforming_strings = on'
const evil = String.raw`ROLLBACK; SELECT '\' , '; DELETE FROM victims WHERE id = 1; --'`

const failing: readonly (readonly [name: string, messages: readonly Buffer[], readyCount: number])[] = [
  ['a statement that fails', [encodeQuery('SELECT 1/0')], 1],
  ['a refused statement', [encodeQuery('DELETE FROM victims')], 1],
  ['a Parse that fails', [encodeParse({ sql: 'SELECT nothing' }), sync], 1],
]

for (const [name, messages, readyCount] of failing) {
  test(`a setting that ${name} takes back hides nothing in what is sent behind it`, { timeout: 15_000 }, async () => {
    const client = await logIn({ options: '-c standard_conforming_strings=off' })
    client.send(encodeQuery('BEGIN'))
    await client.until(backend.ReadyForQuery)
    client.send(encodeQuery(setOn))
    await client.until(backend.ReadyForQuery)
    client.send(...messages, encodeQuery(evil))
    assert.equal(sqlstatesOf(await client.until(backend.ReadyForQuery, readyCount + 1)).length, 2)
    assert.ok(await isVictimThere())
    client.close()
  })
}

test('two names that the database tells apart are not one name here', { timeout: 15_000 }, async () => {
  const latin = await startSandbox()
  await latin.postgres.query('postgres', 'DROP DATABASE shop')
  await latin.postgres.query(
    'postgres',
    "CREATE DATABASE shop ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0",
  )
  await latin.postgres.query('shop', 'CREATE TABLE victims (id int); INSERT INTO victims VALUES (1)')
  const client = await RawClient.logIn({
    port: latin.postern.port,
    ca: latin.authority.certificate,
    parameters: { user: sam, database: 'shop', client_encoding: 'UTF8' },
    password: await latin.issuer.issueToken({ identity: sam }),
  })
  // 63 bytes in LATIN1. In UTF-8 they would be 64, and cut to 62.
  const name = 'a'.repeat(62)
  client.send(
    encodeQuery(`PREPARE "${name}é" AS DELETE FROM victims`),
    encodeQuery(`PREPARE U&"${name}!00e9" UESCAPE '!' AS DELETE FROM victims`),
    encodeQuery(`PREPARE "${name}è" AS SELECT 1`),
    encodeQuery(`EXECUTE "${name}é"`),
  )
  assert.equal(sqlstatesOf(await client.until(backend.ReadyForQuery, 4)).length, 4)
  assert.equal((await latin.postgres.query('shop', 'SELECT id FROM victims')).length, 1)
  client.close()
  await latin.stop()
})

test('connections that asked for a cancel are closed from this side too', { timeout: 20_000 }, async () => {
  const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length
  const clients: RawClient[] = []
  for (let count = 0; count < 40; count += 1) {
    const client = await RawClient.open({ port: sandbox.postern.port })
    clients.push(client)
    client.send(encodeCancelRequest(1, Buffer.alloc(4)))
  }
  const during = await openFiles()
  for (const client of clients) await client.next()
  // Ours are 40 of them, and all that stays; the other 40 go in good time although nobody closes ours.
  while ((await openFiles()) > during - 40) await new Promise((resolve) => setTimeout(resolve, 100))
  for (const client of clients) client.close()
})

test('a long text executed again and again fills no journal, and nobody else is refused for it', async () => {
  const [client, other] = await Promise.all([logIn({ application_name: 'repeats' }), logIn()])
  const sql = `SELECT 1 /* ${'x'.repeat(1_000_000)} */`
  client.send(encodeParse({ name: 'p', sql }), sync)
  await client.until(backend.ReadyForQuery)
  const run = Buffer.concat([encodeBind({ statement: 'p' }), encodeExecute('', 0), sync])
  client.send(...Array.from({ length: 300 }, () => run))
  other.send(encodeQuery('SELECT 2'))
  assert.deepEqual(sqlstatesOf(await other.until(backend.ReadyForQuery)), [])
  assert.deepEqual(sqlstatesOf(await client.until(backend.ReadyForQuery, 300)), [])
  const entries = entriesOfApplication(await sandbox.entries(), 'repeats')
  const [parse, ...intents] = entries.filter(({ type }) => type === 'prepare' || type === 'intent')
  assert.equal(parse?.['sql'], sql)
  assert.equal(intents.length, 300)
  const sqlSha256 = createHash('sha256').update(sql).digest('base64url')
  for (const intent of intents) {
    assert.equal(intent['fullIn'], parse?.seq)
    assert.equal(intent['sqlChars'], sql.length)
    assert.equal(intent['sqlSha256'], sqlSha256)
    assert.ok(String(intent['sql']).length <= 1_024)
  }
  client.close()
  other.close()
})

test('what a log-in without a token claims to be is recorded in short', async () => {
  const client = await RawClient.open({ port: sandbox.postern.port, ca: sandbox.authority.certificate })
  const claim = (letter: string): string => letter.repeat(3_000)
  const parameters = { user: claim('u'), database: claim('d'), application_name: claim('a') }
  client.send(encodeStartupMessage(protocol30, Object.entries(parameters)), encodePasswordMessage('none'))
  assert.equal(sqlstatesOf(await client.until(backend.ErrorResponse)).length, 1)
  const entry = (await sandbox.entries()).findLast(({ type }) => type === 'login_failed')
  assert.ok(entry !== undefined)
  const { application } = entry['client'] as { application: string }
  assert.deepEqual(
    [entry['claimed'], entry['database'], application],
    ['u', 'd', 'a'].map((c) => c.repeat(255)),
  )
  client.close()
})
