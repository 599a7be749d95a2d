import assert from 'node:assert/strict'
import { test } from 'node:test'
import { analyzeStatement } from './statements.ts'

const rules = { safeFunctions: new Set<string>() }

void test('a statement that is not known, as of a later PostgreSQL, is opaque', () => {
  for (const node of [{ RepackStmt: { relation: { relname: 't' } } }, { RawStmt: {} }, { constructor: {} }, {}, null]) {
    const { kind, commands, opaque, mayChangeSettings } = analyzeStatement(node, 'x', rules)
    assert.equal(kind, 'OPAQUE')
    assert.deepEqual(commands, [{ name: 'OPAQUE', relations: [], hasWhere: true }])
    assert.match(opaque ?? '', /does not know/)
    assert.equal(mayChangeSettings, true)
  }
})

void test('a statement in a place where none is expected makes it all opaque', () => {
  const hidden = { DropdbStmt: { dbname: 'shop' } }
  const select = {
    SelectStmt: { targetList: [{ ResTarget: { val: { NewExpr: { arg: hidden } } } }], op: 'SETOP_NONE' },
  }
  const { kind, opaque } = analyzeStatement(select, 'x', rules)
  assert.equal(kind, 'SELECT')
  assert.equal(opaque, 'holds a DropdbStmt where Postern does not expect one')
})

void test('queries are found in nodes that are not known', () => {
  const query = { DeleteStmt: { relation: { relname: 't' } } }
  const select = { SelectStmt: { newClause: { newField: [[{ NewExpr: { arg: [query] } }]] }, op: 'SETOP_NONE' } }
  assert.deepEqual(
    analyzeStatement(select, 'x', rules).commands.map(({ name }) => name),
    ['SELECT', 'DELETE'],
  )
})
