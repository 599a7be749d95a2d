import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import { tagged, textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { queryTags } from '../queries.ts'
import { relationOf } from '../walk.ts'
import { noReferences, outputOf, plainValue, tellsOf } from './value.ts'
import type { QueryResult, Scope, Trace } from './context.ts'
import { copyStatement } from './copy.ts'
import { define } from './definitions.ts'
import { traceList } from './expressions.ts'
import { describeColumns } from './names.ts'
import { call } from './procedures.ts'
import { findRelation } from './relations.ts'
import { allOf, traceQueryNode } from './select.ts'
import { union, unionAll } from './sources.ts'
import { fieldsOf, listOf, toFields } from './tree.ts'

/** Traces a statement that is no query; gives the rows it returns, or null where it returns none. */
export function traceUtility(node: unknown, scope: Scope, trace: Trace): QueryResult | null {
  trace.visit()
  const found = tagged(node)
  const tag = found?.tag ?? ''
  const fields = toFields(found?.fields)
  const handle = handlers.get(tag)
  if (handle !== undefined) return handle(fields, scope, trace)
  trace.changesCatalog = true
  const isDefined = define(tag, fields, scope, trace)
  if (!isDefined) trace.hazard('does what Postern cannot see through', 'unknown')
  return null
}

/** Traces any statement at the top of a text. */
export function traceAny(node: unknown, scope: Scope, trace: Trace): QueryResult | null {
  const tag = tagged(node)?.tag ?? ''
  if (!queryTags.has(tag)) return traceUtility(node, scope, trace)
  const result = traceQueryNode(node, scope, trace)
  const into = intoOf(fieldsOf(node, 'SelectStmt'))
  if (into === null) return result
  noteCreated(into, result, trace)
  return null
}

type Handler = (fields: Fields, scope: Scope, trace: Trace) => QueryResult | null

const nothing: Handler = () => null

/** Statements of the session, which change no catalog and read no row. */
export const sessionTags: readonly string[] = [
  'TransactionStmt',
  'VariableSetStmt',
  'ConstraintsSetStmt',
  'DeallocateStmt',
  'ClosePortalStmt',
  'FetchStmt',
  'ListenStmt',
  'UnlistenStmt',
  'NotifyStmt',
  'CheckPointStmt',
  'PrepareStmt',
]

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ...sessionTags.map((tag) => [tag, nothing] as const),
  ['VariableShowStmt', (fields) => cleanRows(fields['name'] === 'all' ? 3 : 1)],
  ['LockStmt', lock],
  ['ExecuteStmt', execute],
  ['ExplainStmt', explain],
  ['DeclareCursorStmt', (fields, scope, trace) => traceQueryNode(fields['query'], scope, trace)],
  ['CreateTableAsStmt', createTableAs],
  ['CopyStmt', copyStatement],
  ['CallStmt', call],
  ['DiscardStmt', discard],
])

/** Rows of so many columns in which nothing classified is. */
export function cleanRows(count: number): QueryResult {
  return {
    columns: Array.from({ length: count }, () => ({ name: '', value: plainValue })),
    any: plainValue,
    rowHints: noSources,
    rowSources: noSources,
    outerTaint: noSources,
    references: noReferences,
  }
}

/** DISCARD TEMP and ALL drop temporary tables. */
function discard(_fields: Fields, _scope: Scope, trace: Trace): null {
  trace.changesCatalog = true
  return null
}

function lock(fields: Fields, scope: Scope, trace: Trace): null {
  for (const each of listOf(fields['relations'])) {
    findRelation(relationOf(fieldsOf(each, 'RangeVar')), scope.searchPath, trace)
  }
  return null
}

/** What EXECUTE does is up to what was prepared; its arguments become parameters there, of which nothing is known. */
function execute(fields: Fields, scope: Scope, trace: Trace): null {
  const told = unionAll(traceList(fields['params'], scope, trace).map(tellsOf))
  trace.hazard(`passes ${describeColumns(told, trace)} to a prepared statement`, told)
  return null
}

/** A plan shows what the statement is made of, and what the planner worked out while it planned. */
function explain(fields: Fields, scope: Scope, trace: Trace): QueryResult {
  const result = traceAny(fields['query'], scope, trace)
  const rows = cleanRows(1)
  const isRun = listOf(fields['options']).some((each) => fieldsOf(each, 'DefElem')?.['defname'] === 'analyze')
  // It tells of every node how many rows it had.
  const counts = isRun ? unionAll([trace.counted, trace.asksTooMuch ? trace.predicates : noSources]) : noSources
  const shown: Sources = result === null ? noSources : union(trace.folded, counts)
  return { ...rows, columns: [{ name: 'QUERY PLAN', value: { ...plainValue, sources: shown } }] }
}

function createTableAs(fields: Fields, scope: Scope, trace: Trace): null {
  trace.changesCatalog = true
  if (fieldsOf(fields['query'], 'ExecuteStmt') !== null) {
    execute(toFields(fieldsOf(fields['query'], 'ExecuteStmt')), scope, trace)
    trace.hazard('makes a table out of a prepared statement', 'unknown')
    return null
  }
  noteCreated(toFields(fields['into']), traceQueryNode(fields['query'], scope, trace), trace)
  return null
}

/** The INTO of a SELECT; in a UNION it stands in the first part. */
function intoOf(select: Fields | null): Fields | null {
  for (let each = select; each !== null; each = each['larg'] === undefined ? null : toFields(each['larg'])) {
    if (each['intoClause'] !== undefined) return toFields(each['intoClause'])
  }
  return null
}

/** A table that takes the tags of what is put into it along. */
function noteCreated(into: Fields, result: QueryResult, trace: Trace): void {
  trace.changesCatalog = true
  const relation = toFields(into['rel'])
  const { schema, name } = relationOf(relation)
  const names = textsOf(into['colNames'])
  if (result.columns === null) {
    trace.hazard(`makes ${name} out of columns that cannot be told`, allOf(result).sources)
  }
  const columns = (result.columns ?? []).map((column, index) => {
    const { sources, direct } = outputOf(column.value)
    return { name: names[index] ?? column.name, sources, direct }
  })
  const lost = columns.filter(({ sources }) => sources === 'unknown')
  if (lost.length > 0) trace.hazard(`makes ${name} out of values that may be classified`, 'unknown')
  const isTemporary = relation['relpersistence'] === 't' || schema === 'pg_temp'
  trace.creates = { schema, name, isTemporary, columns }
}
