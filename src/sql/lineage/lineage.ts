import { cleanLineage, unknownLineage } from '../../core/lineage.ts'
import type { OutputLineage, StatementLineage } from '../../core/lineage.ts'
import type { RawStatement } from '../parse-tree.ts'
import { tagged } from '../parse-tree.ts'
import { hasInto, queryTags } from '../queries.ts'
import { rootScope, Trace, Untraceable } from './context.ts'
import type { QueryResult } from './context.ts'
import type { Schema } from './schema.ts'
import { describeColumns } from './names.ts'
import { union, unionAll } from './sources.ts'
import { sessionTags, traceAny } from './statements.ts'
import { fieldsOf } from './tree.ts'
import { outputOf, withdraw } from './value.ts'
import type { Value } from './value.ts'

/** Where a statement runs. */
export interface TraceContext {
  readonly schema: Schema
  /** Null where it is not certain. */
  readonly searchPath: readonly string[] | null
  /** Whether of a PREPARE the statement that it prepares is asked about, and not the PREPARE itself. */
  readonly isPrepared?: boolean
}

/**
 * What a statement does with classified columns. Pure; a statement that is too large is unknown. Throws a RangeError
 * where the tree is nested deeper than the stack allows.
 */
export function traceStatement(statement: RawStatement, context: TraceContext): StatementLineage {
  const { schema, searchPath } = context
  const prepared = context.isPrepared === true ? fieldsOf(statement.stmt, 'PrepareStmt') : null
  const node = prepared === null ? statement.stmt : prepared['query']
  const tag = tagged(node)?.tag ?? ''
  if (schema.classification.columns.size === 0 && schema.pending.length === 0) {
    return { ...cleanLineage, changesCatalog: mayChangeCatalog(tag) || hasInto(fieldsOf(node, 'SelectStmt')) }
  }
  const trace = new Trace(schema)
  const scope = rootScope(searchPath)
  try {
    return lineageOf(traceAny(node, scope, trace), trace)
  } catch (fault) {
    if (fault instanceof Untraceable) return unknownLineage(fault.message)
    throw fault
  }
}

function lineageOf(given: QueryResult | null, trace: Trace): StatementLineage {
  const result = trace.asksTooMuch && given !== null ? withheld(given) : given
  const keepers = [...trace.keepers].map((name) => `${name}()`).join(', ')
  if (keepers !== '')
    trace.hazard(`calls ${keepers} depending on ${describeColumns(trace.derived, trace)}`, trace.derived)
  const outputs: readonly OutputLineage[] | null =
    result === null ? [] : (result.columns?.map(({ value }) => outputOf(value)) ?? null)
  const rest = outputs === null && result !== null ? [outputOf(result.any)] : []
  return {
    ...cleanLineage,
    outputs,
    anyOutput: unionAll([...(outputs ?? []), ...rest].map(({ sources }) => sources)),
    predicates: trace.predicates,
    touched: trace.touched,
    hazards: [...trace.hazards.values()],
    writes: trace.writes,
    copyIn: trace.copyIn,
    copyOut: trace.copyOut,
    creates: trace.creates,
    missing: [...trace.missing],
    changesCatalog: trace.changesCatalog,
  }
}

/** So many answers of one bit spell a value. */
function withheld(result: QueryResult): QueryResult {
  const whole = (value: Value): Value => withdraw(value, union(value.hints, value.presence))
  const columns = result.columns?.map(({ name, value }) => ({ name, value: whole(value) })) ?? null
  return { ...result, columns, any: whole(result.any) }
}

/** Whether a statement of this kind may, for when nothing is classified and nothing else of it matters. */
function mayChangeCatalog(tag: string): boolean {
  return !queryTags.has(tag) && !sessionTags.includes(tag) && !readingTags.has(tag)
}

const readingTags: ReadonlySet<string> = new Set([
  'VariableShowStmt',
  'LockStmt',
  'ExecuteStmt',
  'ExplainStmt',
  'DeclareCursorStmt',
  'CopyStmt',
])
