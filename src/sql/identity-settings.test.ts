import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { analyzeOne, analyzeText } from './golden.ts'

let postgres: SandboxPostgres

before(async () => {
  postgres = await startPostgres()
  await postgres.query('postgres', 'CREATE DATABASE shop')
  await postgres.query('shop', 'CREATE TABLE ruled (i int)')
})

after(async () => {
  await postgres.stop()
})

/** A session as the gateway opens one. */
async function open(): Promise<Client> {
  const client = new Client({
    host: postgres.socketDirectory,
    port: postgres.port,
    user: 'postgres',
    database: 'shop',
    options: '-c postern.principal=alice -c postern.session=s_1',
    application_name: 'alice psql',
  })
  await client.connect()
  return client
}

/** Who PostgreSQL takes the session for. */
async function identityOf(client: Client): Promise<string> {
  const { rows } = await client.query<{ who: string }>(
    "SELECT concat_ws(' ', current_setting('postern.principal', true), current_setting('postern.session', true)) AS who",
  )
  return rows[0]?.who ?? ''
}

/** Texts behind which PostgreSQL takes the session for somebody else; those before the last only prepare it. */
const forgeries: readonly (readonly string[])[] = [
  ["SET postern.principal = 'mallory'"],
  ['set POSTERN.Principal to mallory'],
  ['SET/**/"postern"./* */"principal" TO mallory'],
  ['SET "postern.principal" TO mallory'],
  [String.raw`SET U&"\0070ostern".principal TO mallory`],
  [String.raw`SET U&"!0070ostern.principal" UESCAPE '!' TO mallory`],
  ['SET SESSION postern.session TO s_2'],
  ["BEGIN; SET LOCAL postern.principal = ''"],
  ["SELECT set_config('postern.principal', 'mallory', false)"],
  ["SELECT pg_catalog.SET_CONFIG('POSTERN.principal'::text, 'mallory', false)"],
  [String.raw`SELECT set_config(E'\x70ostern.principal', 'mallory', false)`],
  [String.raw`SELECT U&"set\005fconfig"('postern.principal', 'mallory', false)`],
  ["SELECT set_config('post' || 'ern.principal', 'mallory', false)"],
  ["SELECT set_config(n, 'mallory', false) FROM (VALUES ('postern.principal')) v (n)"],
  [
    "SELECT 1 WHERE (SELECT set_config(convert_from('\\x706f737465726e2e7072696e636970616c', 'UTF8'), 'm', false)) IS NULL",
  ],
  ["WITH x AS (SELECT set_config('postern.principal', 'm', false)) SELECT * FROM x"],
  ["VALUES (set_config('postern.principal', 'm', false))"],
  ["EXPLAIN ANALYZE SELECT set_config('postern.principal', 'm', false)"],
  ["CREATE TEMP TABLE made AS SELECT set_config('postern.principal', 'm', false)"],
  [
    "CREATE TEMP TABLE pg_settings2 AS SELECT 'postern.principal' AS name",
    "SELECT set_config(name, 'm', false) FROM pg_settings2 WHERE name = 'postern.principal'",
  ],
  ["PREPARE p AS SELECT set_config('postern.principal', 'mallory', false)", 'EXECUTE p'],
  ["PREPARE q (text) AS SELECT set_config($1, 'mallory', false)", "EXECUTE q ('postern.principal')"],
  ["DECLARE c CURSOR WITH HOLD FOR SELECT set_config('postern.principal', 'm', false)", 'FETCH c'],
  ["DO $$ BEGIN PERFORM set_config('postern.principal', 'm', false); END $$"],
  ["DO $$ BEGIN PERFORM pg_catalog.set_config('post' || 'ern.principal', 'm', false); END $$"],
  ["DO LANGUAGE plpgsql 'BEGIN SET LOCAL postern.principal = m; RESET work_mem; SET postern . session = s_3; END'"],
  ["CREATE VIEW changes AS SELECT set_config('postern.principal', 'm', false)", 'TABLE changes'],
  [
    "CREATE TABLE with_default (t text DEFAULT set_config('postern.principal', 'm', false), n int)",
    'INSERT INTO with_default (n) VALUES (1)',
  ],
  [
    "CREATE FUNCTION forge() RETURNS text BEGIN ATOMIC SELECT set_config('postern.principal', 'm', false); END",
    'SELECT forge()',
  ],
  [
    "CREATE FUNCTION forge2() RETURNS text LANGUAGE sql AS 'SELECT set_config(''postern.principal'', ''m'', false)'",
    'SELECT forge2()',
  ],
  [
    "CREATE AGGREGATE forge3 (text, bool) (SFUNC = set_config, STYPE = text, INITCOND = 'postern.principal')",
    "SELECT forge3('mallory', false)",
  ],
  [
    "CREATE FUNCTION forge4(text, text, bool) RETURNS text LANGUAGE internal AS 'set_config_by_name'",
    "SELECT forge4('postern.principal', 'mallory', false)",
  ],
]

void test('every text that makes PostgreSQL take a session for somebody else is found', async () => {
  for (const texts of forgeries) {
    const client = await open()
    assert.equal(await identityOf(client), 'alice s_1')
    const found = texts.map((text) => analyzeText(text).statements.some(({ forgesIdentity }) => forgesIdentity))
    for (const text of texts) await client.query(text)
    assert.notEqual(await identityOf(client), 'alice s_1', `${texts.join('; ')} forges nothing`)
    assert.ok(found.includes(true), `${texts.join('; ')} is not found`)
    await client.end()
  }
})

void test('what changes settings by way of pg_settings is found, whatever its condition says', async () => {
  for (const texts of [
    ["UPDATE pg_settings SET setting = 'mallory' WHERE name = 'application_name'"],
    ["UPDATE pg_catalog.pg_settings AS s SET setting = 'mallory' WHERE s.name LIKE 'app%'"],
    ["WITH u AS (SELECT 1) UPDATE ONLY pg_settings SET setting = 'mallory' FROM u WHERE name LIKE 'app%'"],
    ["PREPARE u AS UPDATE pg_settings SET setting = 'mallory' WHERE name LIKE 'app%'", 'EXECUTE u'],
    ["SELECT set_config(name, 'mallory', false) FROM pg_settings WHERE name LIKE 'app%name'"],
    ["SELECT set_config(name, 'mallory', false) FROM pg_settings WHERE name = 'x' OR name = 'application_name'"],
    [
      'CREATE VIEW own_settings AS SELECT * FROM pg_settings',
      "UPDATE own_settings SET setting = 'mallory' WHERE name = 'application_name'",
    ],
    [
      "CREATE RULE forges AS ON INSERT TO ruled DO ALSO UPDATE pg_settings SET setting = 'mallory' WHERE name = 'application_name'",
      'INSERT INTO ruled VALUES (1)',
    ],
  ]) {
    const client = await open()
    const found = texts.flatMap((text) => analyzeText(text).statements).some(({ forgesIdentity }) => forgesIdentity)
    assert.ok(found, texts.join('; '))
    for (const text of texts) await client.query(text)
    const { rows } = await client.query<{ name: string }>("SELECT current_setting('application_name') AS name")
    assert.equal(rows[0]?.name, 'mallory', texts.join('; '))
    await client.end()
  }
  const [update] = analyzeText("UPDATE pg_settings SET setting = 'x'").statements
  assert.deepEqual(update?.setsApplicationName, { to: null })
})

void test('what would forge later sessions, or who asks while a function runs, is found', () => {
  for (const text of [
    "ALTER ROLE app SET postern.principal = 'm'",
    'ALTER ROLE ALL IN DATABASE shop RESET postern.principal',
    'ALTER USER app SET Postern.x FROM CURRENT',
    'ALTER DATABASE shop SET "postern"."x" TO 1',
    "ALTER SYSTEM SET postern.principal = 'm'",
    'ALTER SYSTEM RESET postern.principal',
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET postern.principal = 'm' AS 'SELECT 1'",
    "CREATE PROCEDURE f() LANGUAGE sql SET postern.principal = 'm' AS ''",
    'ALTER FUNCTION f() SET postern.principal = m',
    'ALTER ROUTINE f() RESET postern.principal',
    'RESET postern.principal',
    'SET postern.session TO DEFAULT',
    'SELECT set_config($1, $2, true)',
    "SELECT set_config(new_value => 'm', is_local => false, setting_name => 'postern.principal')",
    "COPY (SELECT set_config('postern.a', '1', true)) TO STDOUT",
    "MERGE INTO pg_settings s USING t ON s.name = t.n WHEN MATCHED THEN UPDATE SET setting = 'x'",
    "CREATE POLICY p ON t USING (set_config('postern.principal', 'm', true) = 'm')",
    "SELECT set_config(name, 'x', true) FROM pg_settings, t WHERE name = 'jit'",
    "WITH pg_settings AS (SELECT 'postern.principal' AS name) SELECT set_config(name, 'x', true) FROM pg_settings WHERE name = 'jit'",
    "SELECT set_config(t.name, 'x', true) FROM pg_settings WHERE name = 'jit'",
    "SELECT (SELECT set_config(name, 'x', true) FROM t) FROM pg_settings WHERE name = 'jit'",
  ]) {
    assert.equal(analyzeOne(text).forgesIdentity, true, text)
  }
})

/** Texts of honest clients, after each of which PostgreSQL still knows who asks. */
const harmless: readonly string[] = [
  'RESET ALL',
  'DISCARD ALL',
  'RESET work_mem',
  "SET work_mem = '8MB'",
  'SET app.principal = mallory',
  'SET "posterns.principal" = mallory',
  "SET app.note = 'postern.principal'",
  "SELECT set_config('search_path', '', true)",
  "SELECT pg_catalog.set_config('app.x'::text, 'postern.principal', false)",
  "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
  "SELECT current_setting('postern.principal'), name FROM pg_settings WHERE name LIKE 'postern.%'",
  'SHOW postern.principal',
  'CREATE TABLE principals (who text DEFAULT current_setting(\'postern.principal\'), "postern.principal" text)',
  "CREATE POLICY own ON principals USING (who = current_setting('postern.principal'))",
  'UPDATE principals SET "postern.principal" = \'mallory\'',
  "CREATE FUNCTION who() RETURNS text STABLE LANGUAGE sql AS $$ SELECT current_setting('postern.principal') $$",
  "DO $$ BEGIN PERFORM set_config('app.tenant', '7', false); RAISE NOTICE '%', current_setting('postern.principal'); END $$",
  'CREATE TEMP TABLE set_config (name text)',
  'SELECT name AS set_config FROM set_config',
  'CREATE ROLE postern',
  'ALTER ROLE postern SET search_path = public',
  'SET ROLE postern',
  'RESET ROLE',
  "SET SESSION AUTHORIZATION 'postern'",
  'RESET SESSION AUTHORIZATION',
  'BEGIN',
  'ROLLBACK',
]

void test('what honest clients send is let be, and leaves the session who it is', async () => {
  const client = await open()
  for (const text of harmless) {
    assert.equal(analyzeOne(text).forgesIdentity, false, text)
    await client.query(text)
    assert.equal(await identityOf(client), 'alice s_1', text)
  }
  await client.end()
})

const renamings: readonly (readonly [text: string, to: string | null])[] = [
  ["SET application_name = 'bob'", 'bob'],
  ['SET SESSION Application_Name TO bob', 'bob'],
  ['SET "application_name" = 7', null],
  [String.raw`SET U&"\0061pplication_name" = bob`, 'bob'],
  ["SELECT set_config('application_name', 'bob', false)", 'bob'],
  ["SELECT set_config('application_name', 'b' || 'ob', false)", null],
  ["SELECT set_config('application_' || 'name', 'bob', false)", 'bob'],
  ["SELECT set_config('application_name', 'bob', false), set_config('application_name', 'eve', false)", null],
  ["DO LANGUAGE plpgsql 'BEGIN NULL; END'; SET application_name = ''", ''],
]

void test('what changes the name of the application is found, with the new name where the text has it', async () => {
  for (const [text, to] of renamings) {
    const client = await open()
    const facts = analyzeText(text).statements.flatMap(({ setsApplicationName }) => setsApplicationName ?? [])
    assert.deepEqual(facts, [{ to }], text)
    await client.query(text)
    const { rows } = await client.query<{ name: string }>("SELECT current_setting('application_name') AS name")
    assert.notEqual(rows[0]?.name, 'alice psql', text)
    if (to !== null) assert.equal(rows[0]?.name, to, text)
    for (const back of ['RESET application_name', 'SET application_name TO DEFAULT', 'RESET ALL', 'DISCARD ALL']) {
      assert.equal(analyzeOne(back).setsApplicationName, null, back)
      await client.query(back)
      const { rows: again } = await client.query<{ name: string }>("SELECT current_setting('application_name') AS name")
      assert.equal(again[0]?.name, 'alice psql', back)
    }
    await client.end()
  }
})

void test('a name of the application kept for a role does not outrank the one of the start', async () => {
  assert.equal(analyzeOne('ALTER ROLE postgres SET application_name = bob').setsApplicationName, null)
  await postgres.query('shop', 'ALTER ROLE postgres SET application_name = bob')
  await postgres.query('shop', "ALTER ROLE postgres SET postern.principal = 'mallory'")
  const client = await open()
  const { rows } = await client.query<{ name: string }>("SELECT current_setting('application_name') AS name")
  assert.equal(rows[0]?.name, 'alice psql')
  assert.equal(await identityOf(client), 'alice s_1')
  await client.end()
})
