import { fieldsOf, listOf } from './tree.ts'

/** `v = x` in place of `v := x` leaves nothing before the expression, and an empty one is none. */
export function assignedExpression(expression: string): string {
  return expression.trim() === '' ? 'NULL' : expression
}

/** The arguments of a CALL. */
export function argsOfCall(statement: unknown): unknown {
  const call = fieldsOf(statement, 'CallStmt')?.['funccall']
  return typeof call === 'object' && call !== null && 'args' in call ? call.args : []
}

/** The parts of a condition that AND, OR and NOT put together. */
export function atomsOf(node: unknown): readonly unknown[] {
  const list = fieldsOf(node, 'BoolExpr')
  return list === null ? [node] : listOf(list['args']).flatMap(atomsOf)
}

/** The first names of all columns in an expression. */
export function namesIn(node: unknown): readonly string[] {
  if (Array.isArray(node)) return node.flatMap(namesIn)
  if (typeof node !== 'object' || node === null) return []
  const own = fieldsOf(node, 'ColumnRef')
  if (own === null) return Object.values(node).flatMap(namesIn)
  const first = fieldsOf(listOf(own['fields'])[0], 'String')?.['sval']
  return typeof first === 'string' ? [first] : []
}
