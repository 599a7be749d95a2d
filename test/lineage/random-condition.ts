import type { Expression, Making, Scope, ValueType } from './model.ts'
import { anyType, columnsInScope, expression, joined, literal } from './random-expression.ts'
import { listQuery } from './random-query.ts'

/** A random condition; over classified columns only where the statement may test them. */
export function condition(making: Making, scope: Scope, depth: number): Expression {
  const { choices } = making
  for (let tries = 0; tries < 4; tries += 1) {
    const made = anyCondition(making, scope, depth)
    if (making.mayTestSecrets || !made.isSecret) return made
  }
  const harmless = columnsInScope(scope, 'int', true).filter(({ isSecret }) => !isSecret)
  if (harmless.length === 0) return { sql: 'true', type: 'bool', isSecret: false }
  return { ...choices.pick(harmless), sql: `${choices.pick(harmless).sql} < 4`, type: 'bool', isSecret: false }
}

function anyCondition(making: Making, scope: Scope, depth: number): Expression {
  const { choices } = making
  const type = anyType(making)
  const operand = (of: ValueType): Expression => {
    const columns = columnsInScope(scope, of, true).filter(({ isSecret }) => making.mayTestSecrets || !isSecret)
    if (columns.length > 0 && choices.chance(0.9)) return choices.pick(columns)
    return depth > 0 && making.mayTestSecrets ? expression(making, scope, of, depth - 1) : literal(making, of)
  }
  const of = (form: (...sql: [string, string, string]) => string, ...types: ValueType[]): Expression =>
    joined('bool', types.map(operand), form)
  const comparable = type === 'addr' ? 'int' : type
  switch (choices.int(depth > 0 ? 14 : 5)) {
    case 0:
      return of((a, b) => `${a} ${choices.pick(['=', '<', '<>', '>='])} ${b}`, comparable, comparable)
    case 1:
      return of((a) => `${a} IS ${choices.chance(0.5) ? 'NOT ' : ''}NULL`, type)
    case 2:
      return of((a) => `${a} < ${choices.pick(['3', '4', '150000000'])}`, 'int')
    case 3:
      return of((a) => `${a} LIKE '${choices.pick(['a', 'b', 'g', 'q'])}%'`, 'text')
    case 4:
      return of((a, b) => `${a} IN (${b}, ${literal(making, comparable).sql})`, comparable, comparable)
    case 5:
      return of((a, b, c) => `${a} BETWEEN ${b} AND ${c}`, comparable, comparable, comparable)
    case 6:
      return of((a, b) => `${a} IS DISTINCT FROM ${b}`, comparable, comparable)
    case 7:
      return of((a, b) => `${a} = ANY (${b})`, 'text', 'text[]')
    case 8: {
      const query = listQuery(making, scope, 'int', depth - 1)
      const left = operand('int')
      return { sql: `${left.sql} IN (${query.sql})`, type: 'bool', isSecret: left.isSecret || query.isSecret }
    }
    case 9: {
      const query = listQuery(making, scope, 'text', depth - 1)
      return { sql: `EXISTS (${query.sql})`, type: 'bool', isSecret: query.isSecret }
    }
    case 10: {
      const inner = condition(making, scope, depth - 1)
      return { ...inner, sql: `NOT (${inner.sql})` }
    }
    case 11:
      return joined(
        'bool',
        [condition(making, scope, depth - 1), condition(making, scope, depth - 1)],
        (a, b) => `(${a} OR ${b})`,
      )
    case 12:
      return joined(
        'bool',
        [condition(making, scope, depth - 1), condition(making, scope, depth - 1)],
        (a, b) => `(${a} AND ${b})`,
      )
    default:
      return of((a) => `${a} ? 'k'`, 'jsonb')
  }
}
