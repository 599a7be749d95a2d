import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isTag } from './parse-tree.ts'
import { queryTags } from './queries.ts'

// The generic walk rests on how the parser writes its tree as JSON. The types of the parser's package say how.
const types = readFileSync(new URL(import.meta.resolve('@pgsql/types').replace(/[^/]*$/, 'types.d.ts')), 'utf8')
const interfaces = [...types.matchAll(/^export interface (\w+) \{\n([^}]*)\}/gm)].map(([, name = '', body = '']) => ({
  name,
  fields: [...body.matchAll(/^ {4}(\w+)\?: ([^;]+);/gm)].map(([, field = '', type = '']) => ({ field, type })),
}))
const tags = [...(/^export type Node = \{([\s\S]*?)^\};/m.exec(types)?.[1] ?? '').matchAll(/^ {4}(\w+): /gm)].map(
  ([, tag = '']) => tag,
)

void test('all tags of nodes begin with a capital and no name of a field does', () => {
  assert.ok(tags.length > 250 && interfaces.length > 250)
  for (const tag of tags) assert.ok(isTag(tag), tag)
  for (const { name, fields } of interfaces)
    for (const { field } of fields) assert.ok(!isTag(field), `${name}.${field}`)
})

void test('queries without their tag stand only where the walk looks for them', () => {
  const untagged = interfaces.flatMap(({ name, fields }) =>
    fields.filter(({ type }) => queryTags.has(type)).map(({ field }) => `${name}.${field}`),
  )
  // A PLAssignStmt is PL/pgSQL's and never part of a text.
  assert.deepEqual(untagged, ['SelectStmt.larg', 'SelectStmt.rarg', 'PLAssignStmt.val'])
})

void test('statements, calls and WITH without their tag stand only where they are handled', () => {
  const untagged = (wanted: (type: string) => boolean): string[] =>
    interfaces.flatMap(({ name, fields }) =>
      fields.filter(({ type }) => wanted(type)).map(({ field, type }) => `${name}.${field}: ${type}`),
    )
  assert.deepEqual(
    untagged((type) => type.endsWith('Stmt') && !queryTags.has(type)),
    [
      'AlterDefaultPrivilegesStmt.action: GrantStmt',
      'CreateForeignTableStmt.base: CreateStmt',
      'AlterRoleSetStmt.setstmt: VariableSetStmt',
      'AlterDatabaseSetStmt.setstmt: VariableSetStmt',
      'AlterSystemStmt.setstmt: VariableSetStmt',
    ],
  )
  assert.deepEqual(
    untagged((type) => ['FuncCall', 'A_Expr', 'SubLink', 'SortBy', 'RangeTableSample'].includes(type)),
    ['CallStmt.funccall: FuncCall'],
  )
  assert.deepEqual(
    untagged((type) => type === 'WithClause'),
    ['InsertStmt', 'DeleteStmt', 'UpdateStmt', 'MergeStmt', 'SelectStmt'].map(
      (name) => `${name}.withClause: WithClause`,
    ),
  )
  assert.deepEqual(
    untagged((type) => type === 'IntoClause'),
    ['SelectStmt.intoClause: IntoClause', 'CreateTableAsStmt.into: IntoClause'],
  )
})

void test('only names of relations have a relname', () => {
  const named = interfaces.filter(({ fields }) => fields.some(({ field }) => field === 'relname'))
  // A WithCheckOption is the planner's and never part of a parse tree.
  assert.deepEqual(
    named.map(({ name }) => name),
    ['RangeVar', 'WithCheckOption'],
  )
})
