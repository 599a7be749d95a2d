import type { Sources } from '../../core/lineage.ts'
import type { Trace } from './context.ts'

/** Whether an object in `schema` may be meant by a name with this qualifier, or none. */
export function isOneOf(schema: string, qualifier: string | null, searchPath: readonly string[] | null): boolean {
  if (qualifier !== null) return schema === qualifier || (qualifier === 'pg_temp' && schema.startsWith('pg_temp'))
  if (searchPath === null || searchPath.includes('$user')) return true
  return schema === 'pg_catalog' || schema.startsWith('pg_temp') || searchPath.includes(schema)
}

const namedMax = 3

/** Columns as messages name them. */
export function describeColumns(sources: Sources, trace: Trace): string {
  if (sources === 'unknown') return 'values that may be classified'
  const names = [...sources].slice(0, namedMax).map((key) => {
    const column = trace.schema.classification.columns.get(key)
    return column === undefined ? key : `${column.schema}.${column.relation}.${column.column}`
  })
  const left = sources.size - names.length
  return left > 0 ? `${names.join(', ')} and ${left} more` : names.join(', ')
}
