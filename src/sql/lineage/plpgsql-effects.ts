import type { Trace } from './context.ts'
import { tokensOf } from './plpgsql-tokens.ts'
import type { PlStatement } from './plpgsql-tree.ts'

/** Whether a body does anything that outlasts it, or may: then whether it does so tells of what it was decided by. */
export function hasEffects(statements: readonly PlStatement[], trace: Trace): boolean {
  return statements.some((statement) => {
    switch (statement.kind) {
      case 'query':
      case 'returnQuery':
        return statement.query.kind === 'dynamic' || !isReading(statement.query.sql, trace)
      case 'assign':
        return !isReading(`SELECT ${statement.expression}`, trace)
      case 'return':
        return !isReading(`SELECT ${statement.expression ?? ''}`, trace)
      case 'branch':
      case 'loop':
        if (statement.conditions.some((each) => !isReading(`SELECT ${each}`, trace))) return true
        if (statement.kind === 'loop' && statement.source?.kind === 'dynamic') return true
        if (statement.kind === 'loop' && statement.source?.kind === 'static' && !isReading(statement.source.sql, trace))
          return true
        return hasEffects(statement.body, trace)
      case 'handler':
        return hasEffects(statement.body, trace)
      case 'fetch':
      case 'diagnose':
        return false
      case 'evaluate':
      case 'open':
        return true
    }
  })
}

/** Whether a query writes nothing and calls nothing that may. */
function isReading(sql: string, trace: Trace): boolean {
  const tokens = tokensOf(sql)
  if (!['select', 'values', 'table', 'with'].includes(tokens[0]?.text ?? '')) return false
  return tokens.every((token) => {
    if (token.kind !== 'word' && token.kind !== 'name') return true
    if (['insert', 'update', 'delete', 'merge'].includes(token.text)) return false
    const { catalog } = trace.schema
    const isVolatile = catalog.functionsNamed(token.text).some(({ volatility }) => volatility === 'volatile')
    return !isVolatile && !(catalog.builtin(token.text)?.volatility === 'volatile' && !harmlessVolatile.has(token.text))
  })
}

const harmlessVolatile: ReadonlySet<string> = new Set(['random', 'clock_timestamp', 'timeofday', 'gen_random_uuid'])
