import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../../sandbox/postgres.ts'
import type { QueryClient } from '../../backend/query.ts'
import type { Catalog } from '../../core/catalog.ts'
import { createCatalog } from './catalog.ts'
import { harmlessFields, harmlessFunctions } from './harmless.ts'
import { loadCatalog } from './load.ts'
import { clientOf } from './testing.ts'

let postgres: SandboxPostgres
let session: QueryClient
before(async () => {
  postgres = await startPostgres()
  session = await clientOf(postgres, 'postgres')
  await session.query(`
    CREATE SCHEMA ext; CREATE SCHEMA "Up"; CREATE SCHEMA other;
    CREATE FUNCTION other.defined(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
    CREATE EXTENSION pg_trgm SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION hstore SCHEMA "Up";
    CREATE EXTENSION tablefunc SCHEMA ext; CREATE EXTENSION dblink SCHEMA ext; CREATE EXTENSION unaccent SCHEMA ext;
    CREATE EXTENSION pgcrypto SCHEMA ext; CREATE EXTENSION cube SCHEMA ext; CREATE EXTENSION earthdistance SCHEMA ext;
    CREATE TABLE people (email text, "Full Name" text, lower text, word_similarity text, leaky text);
    CREATE TYPE place AS (street text, zip text);
    CREATE FUNCTION leaky(people) RETURNS text LANGUAGE sql AS 'SELECT $1.email';
    CREATE FUNCTION plain(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i';
  `)
})
test('what an operator vouches for is harmless, with its schema and without where no other has its name', async () => {
  const names = harmlessFunctions(await read(), new Set(['other.defined']))
  assert.ok(names.has('other.defined') && names.has('defined'))
  assert.ok(!harmlessFunctions(await read()).has('other.defined'))
})

after(async () => {
  session.close()
  await postgres.stop()
})

async function read(): Promise<Catalog> {
  return createCatalog(await loadCatalog(session.query), 1)
}

void test('immutable C functions of extensions are harmless by their bare and their qualified name', async () => {
  const names = harmlessFunctions(await read())
  for (const name of ['similarity', 'ext.word_similarity', '"Up".akeys', 'akeys', 'digest', 'ext.pgp_sym_decrypt']) {
    assert.ok(names.has(name), name)
  }
  assert.ok(!names.has('other.similarity'))
})

void test('functions that read, connect or run SQL are not', async () => {
  const names = harmlessFunctions(await read())
  for (const name of [
    'dblink',
    'ext.dblink',
    'ext.dblink_exec',
    'ext.crosstab',
    'ext.connectby',
    'ext.unaccent',
    'ext.set_limit',
    'ext.gen_salt',
    'leaky',
    'public.leaky',
    'plain',
    'public.plain',
    // Written in SQL, so that it is seen through instead.
    'ext.earth_distance',
  ]) {
    assert.ok(!names.has(name), name)
  }
})

void test('a name that PostgreSQL has too is harmless only with its schema', async () => {
  const names = harmlessFunctions(await read())
  // Whoever finds the bare name in the set does not look at what PostgreSQL's own function of that name does.
  const clash = `CREATE FUNCTION ext.pg_read_file(text, text) RETURNS float4 LANGUAGE c IMMUTABLE
    AS '$libdir/pg_trgm', 'similarity'; ALTER EXTENSION pg_trgm ADD FUNCTION ext.pg_read_file(text, text)`
  await session.query(clash)
  const clashing = harmlessFunctions(await read())
  assert.deepEqual([clashing.has('pg_read_file'), clashing.has('ext.pg_read_file')], [false, true])
  await session.query(`ALTER EXTENSION pg_trgm DROP FUNCTION ext.pg_read_file(text, text);
    DROP FUNCTION ext.pg_read_file(text, text)`)
  const builtins = (await read()).data.builtins.filter(({ name }) => names.has(name))
  assert.deepEqual(builtins, [])
})

void test('one function of the same name that may do anything takes the bare name away', async () => {
  const before = harmlessFunctions(await read())
  assert.ok(before.has('akeys'))
  // This one was there before the extension's.
  assert.deepEqual([before.has('defined'), before.has('"Up".defined')], [false, true])
  await session.query(`CREATE FUNCTION other.akeys(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'`)
  const names = harmlessFunctions(await read())
  assert.deepEqual([names.has('akeys'), names.has('"Up".akeys'), names.has('other.akeys')], [false, true, false])
  await session.query('DROP FUNCTION other.akeys(text)')
})

void test('an overload in the same schema takes the qualified name away, whatever it calls itself', async () => {
  await session.query(`CREATE FUNCTION "Up".akeys(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN END';
    ALTER EXTENSION hstore ADD FUNCTION "Up".akeys(text)`)
  const names = harmlessFunctions(await read())
  assert.deepEqual([names.has('akeys'), names.has('"Up".akeys')], [false, false])
  await session.query('ALTER EXTENSION hstore DROP FUNCTION "Up".akeys(text); DROP FUNCTION "Up".akeys(text)')
})

void test('an immutable C function that no extension brought is not harmless', async () => {
  await session.query(`CREATE FUNCTION other.odd(text, text) RETURNS float4 LANGUAGE c IMMUTABLE
    AS '$libdir/pg_trgm', 'similarity'`)
  assert.ok(!harmlessFunctions(await read()).has('other.odd'))
  await session.query('DROP FUNCTION other.odd(text, text)')
})

void test('aggregates are not harmless, as what they run is not known', async () => {
  await session.query(`CREATE AGGREGATE ext.gathered (text) (SFUNC = textcat, STYPE = text);
    ALTER EXTENSION citext ADD AGGREGATE ext.gathered (text)`)
  const names = harmlessFunctions(await read())
  assert.deepEqual([names.has('gathered'), names.has('ext.gathered')], [false, false])
  await session.query(`ALTER EXTENSION citext DROP AGGREGATE ext.gathered (text); DROP AGGREGATE ext.gathered (text)`)
})

void test('operators are as harmless as their functions', async () => {
  const names = harmlessFunctions(await read())
  for (const name of ['<->>', 'ext.<->>', '"Up".->', '~>', 'ext.~>']) assert.ok(names.has(`operator ${name}`), name)
  // It compares with a setting, so it is only stable.
  assert.ok(!names.has('operator %>'))
  await session.query(`CREATE FUNCTION other.run(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN END';
    CREATE OPERATOR other.~> (LEFTARG = text, RIGHTARG = text, FUNCTION = other.run);
    CREATE OPERATOR other.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.texteq)`)
  const now = harmlessFunctions(await read())
  assert.deepEqual([now.has('operator ~>'), now.has('operator ext.~>')], [false, true])
  // Which function of PostgreSQL's own it is has no place in the snapshot, and some of them are dangerous.
  assert.deepEqual([now.has('operator ==='), now.has('operator other.===')], [false, false])
})

void test('fields are columns that are no function which may do anything', async () => {
  const fields = harmlessFields(await read())
  assert.deepEqual(
    ['email', '"Full Name"', 'street', 'zip', 'lower', 'leaky', 'absent', 'pg_read_file'].map((name) =>
      fields.has(name),
    ),
    [true, true, true, true, false, false, false, false],
  )
  await session.query('CREATE TABLE bait (pg_read_file text, set_config text, query_to_xml text)')
  const baited = harmlessFields(await read())
  assert.deepEqual(
    ['pg_read_file', 'set_config', 'query_to_xml'].filter((name) => baited.has(name)),
    [],
  )
})
