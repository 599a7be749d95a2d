import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CatalogData, CatalogFunction, CatalogRelation, CatalogType, RelationKind } from '../../core/catalog.ts'
import { createCatalog } from './catalog.ts'
import { functionCandidates, relationCandidates, typeCandidates } from './resolve.ts'

const empty: CatalogData = {
  serverVersion: 180_004,
  schemas: [],
  relations: [],
  types: [],
  functions: [],
  operators: [],
  casts: [],
  builtins: [],
  constraintNames: [],
}

function relation(oid: number, path: string, kind: RelationKind = 'table'): CatalogRelation {
  const [schema = '', name = ''] = path.split('.')
  return {
    oid,
    schema,
    name,
    kind,
    rowType: 0,
    isTemporary: schema.startsWith('pg_temp_'),
    columns: [],
    definition: null,
    parents: [],
    triggers: [],
    foreignKeys: [],
    hasRules: false,
    rules: [],
    comment: null,
  }
}

function found(schema: string): CatalogFunction {
  return {
    oid: 1,
    schema,
    name: 'f',
    kind: 'function',
    language: 'sql',
    volatility: 'volatile',
    returnsSet: false,
    returnType: 0,
    parameters: [],
    defaultCount: 0,
    body: null,
    isStandardBody: false,
    isFromExtension: false,
    searchPath: null,
  }
}

function type(oid: number, schema: string): CatalogType {
  return {
    oid,
    schema,
    name: 't',
    kind: 'composite',
    category: 'C',
    element: 0,
    array: 0,
    base: 0,
    typeModifier: -1,
    relation: 0,
    labels: [],
    isConstrained: false,
  }
}

const catalog = createCatalog(
  {
    ...empty,
    relations: [
      relation(1, 'a.t'),
      relation(2, 'b.t', 'view'),
      relation(3, 'pg_temp_3.t'),
      relation(4, 'pg_temp_4.t'),
      relation(5, 'c.t', 'composite'),
      relation(6, 'pg_catalog.pg_class'),
      relation(7, 'a.pg_class'),
      relation(8, 'pg_temp_3.pg_class'),
    ],
    functions: ['a', 'b', 'pg_temp_3', 'pg_catalog'].map(found),
    types: [type(1, 'a'), type(2, 'pg_temp_3'), type(3, 'b')],
  },
  1,
)

function oids(name: string, path: readonly string[] | null, schema: string | null = null): number[] {
  return relationCandidates(catalog, { schema, name }, path).map(({ oid }) => oid)
}

void test('a qualified name means the relation in that schema and nothing else', () => {
  assert.deepEqual(oids('t', null, 'a'), [1])
  assert.deepEqual(oids('t', ['b'], 'a'), [1])
  assert.deepEqual(oids('t', null, 'pg_temp_4'), [4])
  assert.deepEqual(oids('t', null, 'absent'), [])
  assert.deepEqual(oids('T', null, 'a'), [])
})

void test('pg_temp means the temporary schema of any session', () => {
  assert.deepEqual(oids('t', null, 'pg_temp'), [3, 4])
})

void test('a bare name means every match on the path, since a role may not see some of the schemas', () => {
  assert.deepEqual(oids('t', ['a', 'b']), [1, 2, 3, 4])
  assert.deepEqual(oids('t', ['b']), [2, 3, 4])
})

void test('a bare name may always mean a temporary relation, whosoever it is', () => {
  assert.deepEqual(oids('t', []), [3, 4])
  assert.deepEqual(oids('t', ['pg_temp']), [3, 4])
})

void test('pg_catalog comes before a path that does not name it', () => {
  assert.deepEqual(oids('pg_class', ['a']), [8, 6])
  assert.deepEqual(oids('pg_class', ['a', 'pg_catalog']), [6, 7, 8])
})

void test('a bare name under an unknown path means every relation of that name that has rows', () => {
  assert.deepEqual(oids('t', null), [1, 2, 3, 4])
  assert.deepEqual(oids('pg_class', null), [6, 7, 8])
  assert.deepEqual(oids('t', ['$user', 'a']), [1, 2, 3, 4])
})

void test('the relation behind a composite type is no candidate', () => {
  assert.deepEqual(oids('t', ['c'], 'c'), [])
})

void test('names of objects that every JavaScript value has mean nothing', () => {
  assert.deepEqual(oids('constructor', null), [])
  assert.equal(catalog.builtin('__proto__'), undefined)
})

void test('functions are looked for in every schema on the path, never in a temporary one unless it is said', () => {
  const schemas = (path: readonly string[] | null, schema: string | null = null): string[] =>
    functionCandidates(catalog, { schema, name: 'f' }, path).map((each) => each.schema)
  assert.deepEqual(schemas(['b', 'a']), ['a', 'b', 'pg_catalog'])
  assert.deepEqual(schemas([]), ['pg_catalog'])
  assert.deepEqual(schemas(['pg_temp']), ['pg_catalog'])
  assert.deepEqual(schemas(null), ['a', 'b', 'pg_catalog'])
  assert.deepEqual(schemas(['b'], 'a'), ['a'])
  assert.deepEqual(schemas(['b'], 'pg_temp'), ['pg_temp_3'])
})

void test('types are looked for as relations are', () => {
  const schemas = (path: readonly string[] | null, schema: string | null = null): string[] =>
    typeCandidates(catalog, { schema, name: 't' }, path).map((each) => each.schema)
  assert.deepEqual(schemas(['b']), ['pg_temp_3', 'b'])
  assert.deepEqual(schemas(null), ['a', 'pg_temp_3', 'b'])
  assert.deepEqual(schemas(null, 'pg_temp'), ['pg_temp_3'])
})
