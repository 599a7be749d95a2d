import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GrantedRelation, privilegesFor } from './ephemeral-roles-privileges.ts'
import { grantStatements } from './ephemeral-roles-sql.ts'

let oid = 1
function relation(
  schema: string,
  name: string,
  facts: Partial<GrantedRelation> & { default?: string } = {},
): GrantedRelation {
  oid += 1
  const column = {
    number: 1,
    name: 'c',
    type: 23,
    typeModifier: -1,
    isNotNull: false,
    isGenerated: false,
    comment: null,
  }
  const columns = [{ ...column, expression: facts.default ?? null }]
  return { oid, schema, name, kind: 'table', isTemporary: false, columns, ...facts }
}

/** `schema.name: PRIVILEGES` for what comes out. */
function told(
  relations: readonly GrantedRelation[],
  may: readonly string[],
  creating: readonly string[] = [],
): string[] {
  const privileges = privilegesFor({
    relations,
    mayRun: (command, { schema, name }) => may.includes(`${command} ${schema ?? ''}.${name}`),
    mayCreateIn: (schema) => creating.includes(schema),
  })
  return privileges.map((each) =>
    each.kind === 'schema'
      ? `${each.name}: ${each.privileges.join(' ')}`
      : `${each.schema}.${each.name}: ${each.privileges.join(' ')}`,
  )
}

void test('each command asks for the privilege that PostgreSQL asks for, and for no other', () => {
  const expected: Readonly<Record<string, string>> = {
    SELECT: 'SELECT',
    'COPY TO': 'SELECT',
    INSERT: 'INSERT',
    'COPY FROM': 'INSERT',
    UPDATE: 'UPDATE',
    DELETE: 'DELETE',
    'TRUNCATE TABLE': 'TRUNCATE',
    'CREATE TABLE': 'REFERENCES',
    'ALTER TABLE': 'REFERENCES',
    'CREATE TRIGGER': 'TRIGGER',
    VACUUM: 'MAINTAIN',
    ANALYZE: 'MAINTAIN',
    CLUSTER: 'MAINTAIN',
    REINDEX: 'MAINTAIN',
    'REFRESH MATERIALIZED VIEW': 'MAINTAIN',
  }
  for (const [command, privilege] of Object.entries(expected)) {
    assert.deepEqual(told([relation('s', 't'), relation('s', 'u')], [`${command} s.t`]), [
      's: USAGE',
      `s.t: ${privilege}`,
    ])
  }
  for (const command of ['DROP TABLE', 'GRANT', 'COMMENT', 'OPAQUE', 'MERGE', 'EXPLAIN']) {
    assert.deepEqual(told([relation('s', 't')], [`${command} s.t`]), [])
  }
})

void test('sequences may be used where a default takes its numbers of them, and set by who may update them', () => {
  const tables = [
    relation('s', 'plain', { default: "nextval('s.plain_seq'::regclass)" }),
    relation('s', 'odd', { default: `nextval('"S x"."it''s ""it"""'::regclass)` }),
    relation('s', 'bare', { default: "(10 + nextval('bare_seq'::regclass))" }),
  ]
  const sequences = [
    relation('s', 'plain_seq', { kind: 'sequence' }),
    relation('S x', `it's "it"`, { kind: 'sequence' }),
    relation('other', 'bare_seq', { kind: 'sequence' }),
    relation('other', 'plain_seq', { kind: 'sequence' }),
  ]
  assert.deepEqual(told([...tables, ...sequences], ['INSERT s.plain', 'COPY FROM s.odd', 'UPDATE s.bare']), [
    's: USAGE',
    'S x: USAGE',
    'other: USAGE',
    's.plain: INSERT',
    's.odd: INSERT',
    's.bare: UPDATE',
    's.plain_seq: USAGE',
    `S x.it's "it": USAGE`,
    'other.bare_seq: USAGE',
  ])
  assert.deepEqual(told(sequences, ['SELECT s.plain_seq', 'UPDATE other.bare_seq', 'DELETE other.plain_seq']), [
    's: USAGE',
    'other: USAGE',
    's.plain_seq: SELECT',
    'other.bare_seq: UPDATE USAGE',
  ])
})

void test("PostgreSQL's own relations, other sessions' and composite types are left out", () => {
  const relations = [
    relation('pg_catalog', 'pg_authid'),
    relation('information_schema', 'sql_parts'),
    relation('pg_temp_3', 't', { isTemporary: true }),
    relation('s', 'row_type', { kind: 'composite' }),
  ]
  const names = relations.map(({ schema, name }) => `SELECT ${schema}.${name}`)
  assert.deepEqual(told(relations, names), [])
})

void test('tables may be made where that is allowed, whether anything is there or not', () => {
  assert.deepEqual(told([relation('s', 't')], [], ['s', 'nowhere']), ['s: USAGE CREATE'])
  const empty = privilegesFor({ relations: [], schemas: ['new'], mayRun: () => true, mayCreateIn: () => true })
  assert.deepEqual(empty, [{ kind: 'schema', name: 'new', privileges: ['USAGE', 'CREATE'] }])
})

void test('what is granted alike is granted together, a bounded number at a time', () => {
  const relations = Array.from({ length: 450 }, (_, index) => relation('s', `t${String(index)}`))
  const privileges = privilegesFor({ relations, mayRun: (command) => command === 'SELECT' || command === 'DELETE' })
  const statements = grantStatements(privileges, 'the "role"')
  assert.equal(statements.length, 4)
  assert.equal(statements[0], 'GRANT USAGE ON SCHEMA "s" TO "the ""role"""')
  assert.match(statements[1] ?? '', /^GRANT SELECT, DELETE ON TABLE "s"."t0", .* TO "the ""role"""$/)
})
