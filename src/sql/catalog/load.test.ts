import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../../sandbox/postgres.ts'
import type { QueryClient } from '../../backend/query.ts'
import type { Catalog, CatalogFunction, CatalogType } from '../../core/catalog.ts'
import { createCatalog } from './catalog.ts'
import { loadCatalog } from './load.ts'
import type { SystemCatalogCache } from './load.ts'
import { clientOf, relationOf } from './testing.ts'

let postgres: SandboxPostgres
let session: QueryClient
before(async () => {
  postgres = await startPostgres()
  await postgres.query('postgres', 'CREATE DATABASE shop')
  session = await clientOf(postgres, 'shop')
  await session.query(`
    CREATE SCHEMA "Odd ""Schema";
    CREATE TYPE mood AS ENUM ('so, so', 'it''s "fine"', '\\');
    CREATE DOMAIN loose AS numeric(8, 2);
    CREATE DOMAIN tight AS loose CHECK (VALUE > 0);
    CREATE DOMAIN tighter AS tight;
    CREATE TYPE span AS RANGE (subtype = float8);
    CREATE TYPE pair AS (a int, "b c" text);
    CREATE TABLE customers (
      id int PRIMARY KEY, gone text, email varchar(40) NOT NULL DEFAULT lower('X@y'), moods mood[],
      domain_part text GENERATED ALWAYS AS (split_part(email, '@', 2)) STORED,
      virtual_part text GENERATED ALWAYS AS (upper(email)) VIRTUAL);
    ALTER TABLE customers DROP COLUMN gone;
    COMMENT ON TABLE customers IS 'who buys';
    COMMENT ON COLUMN customers.email IS '@tag(pii.email)';
    CREATE TABLE orders (n int, other int, customer int REFERENCES customers, made date,
      UNIQUE (n, customer)) ;
    CREATE TABLE lines (c int, o int, FOREIGN KEY (o, c) REFERENCES orders (n, customer));
    CREATE TABLE events (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE child (more text) INHERITS (customers);
    CREATE VIEW buyers AS SELECT c.email AS mail, o.n FROM customers c JOIN orders o ON o.customer = c.id;
    CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM orders;
    CREATE TABLE "Odd ""Schema"."t
able" ("col""umn" text, "ü\\x" text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER before_it BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION note('a b', 'c"d', '', 'é');
    CREATE TRIGGER after_it AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER after_all AFTER UPDATE ON customers REFERENCING OLD TABLE AS gone NEW TABLE AS "Come"
      EXECUTE FUNCTION note();
    CREATE TRIGGER before_all BEFORE INSERT ON customers FOR EACH STATEMENT EXECUTE FUNCTION note();
    CREATE TRIGGER on_view INSTEAD OF INSERT ON buyers FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER on_events BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION note();
    CREATE RULE diverted AS ON INSERT TO lines DO INSTEAD NOTHING;
    CREATE FUNCTION named(a int, OUT b text, INOUT c int DEFAULT 1, VARIADIC d text[] DEFAULT '{}')
      LANGUAGE sql STABLE SET search_path = "Odd ""Schema", PUBLIC, pg_temp AS 'SELECT ''x'', 1';
    CREATE FUNCTION standard(i int) RETURNS SETOF text STABLE BEGIN ATOMIC SELECT email FROM customers WHERE id = i; END;
    CREATE FUNCTION made() RETURNS TABLE (x int, y text) LANGUAGE sql AS 'SELECT 1, ''a''';
    CREATE FUNCTION emptied() RETURNS int LANGUAGE sql SET search_path = '' AS 'SELECT 1';
    CREATE PROCEDURE done() LANGUAGE sql AS '';
    CREATE AGGREGATE summed (int) (SFUNC = int4pl, STYPE = int);
    CREATE FUNCTION same(mood, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
    CREATE OPERATOR === (LEFTARG = mood, RIGHTARG = text, FUNCTION = same);
    CREATE FUNCTION to_mood(int) RETURNS mood LANGUAGE sql AS 'SELECT null::mood';
    CREATE CAST (int AS mood) WITH FUNCTION to_mood(int);
    CREATE TEMP TABLE mine (i int);
    CREATE TEMP VIEW mine_too AS SELECT * FROM mine;
  `)
})
after(async () => {
  session.close()
  await postgres.stop()
})

async function read(): Promise<Catalog> {
  const client = await clientOf(postgres, 'shop')
  try {
    return createCatalog(await loadCatalog(client.query), 1)
  } finally {
    client.close()
  }
}

function functionOf(catalog: Catalog, name: string): Omit<CatalogFunction, 'oid' | 'returnType' | 'parameters'> {
  const {
    oid: _oid,
    returnType: _type,
    parameters: _parameters,
    ...rest
  } = catalog.functionsNamed(name)[0] ?? fail(name)
  return rest
}

function typeOf(catalog: Catalog, name: string): CatalogType {
  return catalog.typesNamed(name)[0] ?? fail(name)
}

function fail(what: string): never {
  throw new Error(`no ${what}`)
}

void test('columns come by attribute number, with what they are made of and without those that were dropped', async () => {
  const { columns, comment, kind, schema } = relationOf(await read(), 'public', 'customers')
  assert.deepEqual({ comment, kind, schema }, { comment: 'who buys', kind: 'table', schema: 'public' })
  assert.deepEqual(
    columns.map(({ number, name, typeModifier, isNotNull, isGenerated }) => [
      number,
      name,
      typeModifier,
      isNotNull,
      isGenerated,
    ]),
    [
      [1, 'id', -1, true, false],
      [3, 'email', 44, true, false],
      [4, 'moods', -1, false, false],
      [5, 'domain_part', -1, false, true],
      [6, 'virtual_part', -1, false, true],
    ],
  )
  assert.equal(columns[1]?.comment, '@tag(pii.email)')
  assert.equal(columns[1]?.expression, "lower('X@y'::text)")
  assert.match(columns[3]?.expression ?? '', /split_part\(\(email\)::text, '@'::text, 2\)/)
  assert.equal(columns[4]?.expression, 'upper((email)::text)')
})

void test('relations have their kind, parents, keys, rules and triggers', async () => {
  const catalog = await read()
  const of = (name: string): ReturnType<typeof relationOf> => relationOf(catalog, 'public', name)
  assert.equal(of('events').kind, 'partitioned')
  assert.equal(of('totals').kind, 'materialized')
  assert.equal(of('pair').kind, 'composite')
  assert.deepEqual(
    of('pair').columns.map(({ name }) => name),
    ['a', 'b c'],
  )
  assert.deepEqual(of('child').parents, [of('customers').oid])
  assert.deepEqual(
    catalog.childrenOf(of('events').oid).map(({ name }) => name),
    ['events_1'],
  )
  assert.deepEqual(of('lines').foreignKeys, [
    { columns: [2, 1], referenced: of('orders').oid, referencedColumns: [1, 3] },
  ])
  assert.deepEqual([of('lines').hasRules, of('buyers').hasRules, of('orders').hasRules], [true, false, false])
  assert.equal(of('lines').rules.length, 1)
  assert.match(of('lines').rules[0] ?? '', /^CREATE RULE \w+ AS\s+ON \w+ TO public\.lines/)
  assert.deepEqual(of('buyers').rules, [])
  assert.deepEqual(of('orders').triggers, [])
  assert.deepEqual(
    of('customers').triggers.map(({ name, isBefore, arguments: texts }) => [name, isBefore, texts]),
    [
      ['after_all', false, []],
      ['after_it', false, []],
      ['before_all', false, []],
      ['before_it', true, ['a b', 'c"d', '', 'é']],
    ],
  )
  assert.deepEqual(
    of('customers').triggers.map(({ oldTable, newTable }) => [oldTable, newTable]),
    [
      ['gone', 'Come'],
      [null, null],
      [null, null],
      [null, null],
    ],
  )
  assert.deepEqual(
    of('buyers').triggers.map(({ isBefore }) => isBefore),
    [true],
  )
  assert.deepEqual(
    of('events_1').triggers.map(({ name }) => name),
    ['on_events'],
  )
  const odd = relationOf(catalog, 'Odd "Schema', 't\nable')
  assert.deepEqual(
    odd.columns.map(({ name }) => name),
    ['col"umn', 'ü\\x'],
  )
  assert.equal(catalog.relationsNamed('customers_pkey').length, 0)
  assert.equal(catalog.data.relations.filter(({ schema }) => schema.startsWith('pg_toast')).length, 0)
  assert.ok(catalog.data.schemas.includes('Odd "Schema'))
})

void test('temporary relations of another session are there', async () => {
  const catalog = await read()
  const [mine] = catalog.relationsNamed('mine')
  assert.equal(mine?.isTemporary, true)
  assert.match(mine?.schema ?? '', /^pg_temp_\d+$/)
  assert.match(catalog.relationsNamed('mine_too')[0]?.definition ?? '', /FROM pg_temp_\d+\.mine/)
})

void test('definitions name every relation with its schema, those of the system included', async () => {
  const catalog = await read()
  assert.match(
    relationOf(catalog, 'public', 'buyers').definition ?? '',
    /FROM \(public\.customers c\s+JOIN public\.orders o/,
  )
  assert.match(relationOf(catalog, 'pg_catalog', 'pg_views').definition ?? '', /pg_get_viewdef/)
  const views = catalog.data.relations.filter(({ kind }) => kind === 'view' || kind === 'materialized')
  assert.deepEqual(
    views.filter(({ definition }) => definition === null),
    [],
  )
  assert.ok(relationOf(catalog, 'information_schema', 'columns').columns.length > 40)
})

void test('types have their elements, bases, labels and constraints', async () => {
  const catalog = await read()
  const mood = typeOf(catalog, 'mood')
  assert.deepEqual(mood.labels, ['so, so', 'it\'s "fine"', '\\'])
  const moods = catalog.type(mood.array)
  assert.deepEqual([moods?.name, moods?.element, moods?.category], ['_mood', mood.oid, 'A'])
  const numeric = typeOf(catalog, 'numeric')
  const loose = typeOf(catalog, 'loose')
  assert.deepEqual([loose.kind, loose.base, loose.typeModifier], ['domain', numeric.oid, (8 << 16) + 2 + 4])
  assert.deepEqual(
    ['loose', 'tight', 'tighter'].map((name) => typeOf(catalog, name).isConstrained),
    [false, true, true],
  )
  assert.equal(typeOf(catalog, 'span').base, typeOf(catalog, 'float8').oid)
  assert.equal(typeOf(catalog, 'span_multirange').base, typeOf(catalog, 'span').oid)
  assert.equal(typeOf(catalog, 'pair').relation, relationOf(catalog, 'public', 'pair').oid)
  assert.equal(typeOf(catalog, 'int2vector').element, 0)
  assert.equal(typeOf(catalog, 'name').element, 0)
  assert.equal(typeOf(catalog, '_int4').element, typeOf(catalog, 'int4').oid)
  assert.equal(typeOf(catalog, 'record').kind, 'pseudo')
})

void test('functions have their parameters, bodies and search path', async () => {
  const catalog = await read()
  assert.deepEqual(functionOf(catalog, 'named'), {
    schema: 'public',
    name: 'named',
    kind: 'function',
    language: 'sql',
    volatility: 'stable',
    returnsSet: false,
    defaultCount: 2,
    body: "SELECT 'x', 1",
    isStandardBody: false,
    isFromExtension: false,
    searchPath: ['Odd "Schema', 'public', 'pg_temp'],
  })
  assert.deepEqual(
    catalog.functionsNamed('named')[0]?.parameters.map(({ name, mode }) => `${mode} ${name}`),
    ['in a', 'out b', 'inout c', 'variadic d'],
  )
  assert.deepEqual(
    catalog.functionsNamed('made')[0]?.parameters.map(({ name, mode }) => `${mode} ${name}`),
    ['table x', 'table y'],
  )
  const standard = functionOf(catalog, 'standard')
  assert.match(standard.body ?? '', /BEGIN ATOMIC\s+SELECT customers\.email\s+FROM public\.customers/)
  assert.deepEqual([standard.isStandardBody, standard.returnsSet], [true, true])
  assert.deepEqual(functionOf(catalog, 'emptied').searchPath, [])
  assert.equal(functionOf(catalog, 'done').kind, 'procedure')
  assert.equal(functionOf(catalog, 'summed').kind, 'aggregate')
  assert.equal(catalog.functionsNamed('_pg_truetypid')[0]?.schema, 'information_schema')
  assert.deepEqual(
    catalog.operatorsNamed('===').map(({ schema }) => schema),
    ['public'],
  )
  assert.equal(catalog.function(catalog.operatorsNamed('===')[0]?.function ?? 0)?.name, 'same')
  // The range brings one to its multirange.
  const casts = catalog.data.casts.map((cast) => catalog.function(cast.function)?.name)
  assert.deepEqual(new Set(casts), new Set(['span_multirange', 'to_mood']))
})

void test('functions of one name of PostgreSQL itself count as the worst of them', async () => {
  const catalog = await read()
  assert.deepEqual(catalog.builtin('lower'), {
    name: 'lower',
    volatility: 'immutable',
    isAggregate: false,
    isWindow: false,
    returnsSet: false,
    returnType: 0,
    outputs: [],
  })
  assert.equal(catalog.builtin('now')?.volatility, 'stable')
  assert.equal(catalog.builtin('now')?.returnType, typeOf(catalog, 'timestamptz').oid)
  assert.equal(catalog.builtin('row_number')?.isWindow, true)
  assert.equal(catalog.builtin('max')?.isAggregate, true)
  assert.deepEqual(catalog.builtin('json_each')?.outputs, ['key', 'value'])
  assert.equal(catalog.builtin('generate_series')?.returnsSet, true)
  assert.equal(catalog.builtin('named'), undefined)
})

void test('what a superuser puts into pg_catalog is no function of PostgreSQL itself', async () => {
  await session.query(`CREATE FUNCTION pg_catalog.lower(mood) RETURNS text LANGUAGE sql AS 'SELECT ''a'''`)
  await session.query(`CREATE FUNCTION pg_catalog.planted() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT ''a'''`)
  try {
    const catalog = await read()
    assert.equal(catalog.builtin('planted'), undefined)
    assert.equal(catalog.functionsNamed('planted')[0]?.schema, 'pg_catalog')
    assert.deepEqual(
      catalog.functionsNamed('lower').map(({ language }) => language),
      ['sql'],
    )
    assert.equal(catalog.builtin('lower')?.volatility, 'immutable')
  } finally {
    await session.query('DROP FUNCTION pg_catalog.lower(mood); DROP FUNCTION pg_catalog.planted()')
  }
})

void test('what initdb made is read once, and again when it has changed', async () => {
  const client = await clientOf(postgres, 'shop')
  const asked: string[] = []
  const query = async (sql: string): ReturnType<QueryClient['query']> => {
    asked.push(sql)
    return client.query(sql)
  }
  const cache: SystemCatalogCache = { system: null }
  try {
    const first = await loadCatalog(query, cache)
    const askedFirst = asked.splice(0).length
    const second = await loadCatalog(query, cache)
    assert.equal(asked.splice(0).length, askedFirst - 1)
    assert.deepEqual(createCatalog(second, 1).relation(1259), createCatalog(first, 1).relation(1259))
    assert.deepEqual(new Set(second.relations), new Set(first.relations))
    assert.deepEqual(second.builtins, first.builtins)
    assert.equal(await loadCatalog(query, cache), second)

    await session.query('CREATE TABLE fresh (i int)')
    const third = createCatalog(await loadCatalog(query, cache), 1)
    assert.equal(third.relationsNamed('fresh').length, 1)

    await session.query(`COMMENT ON COLUMN pg_catalog.pg_class.relname IS 'changed'`)
    const fourth = createCatalog(await loadCatalog(query, cache), 1)
    assert.equal(fourth.relation(1259)?.columns.find(({ name }) => name === 'relname')?.comment, 'changed')

    await session.query(`CREATE OR REPLACE VIEW information_schema.enabled_roles AS
      SELECT email::information_schema.sql_identifier AS role_name FROM customers`)
    const fifth = createCatalog(await loadCatalog(query, cache), 1)
    assert.match(relationOf(fifth, 'information_schema', 'enabled_roles').definition ?? '', /public\.customers/)
  } finally {
    client.close()
    await session.query('DROP TABLE IF EXISTS fresh')
  }
})
