import { tagged, textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { innerScope, unknownResult, Untraceable } from './context.ts'
import type { CommonTable, QueryResult, Scope, Trace } from './context.ts'
import { traceQueryNode } from './select.ts'
import { isWithin, union } from './sources.ts'
import { fieldsOf, listOf, toFields } from './tree.ts'
import { combine, either, plainValue, unionReferences } from './value.ts'
import type { Field, Value } from './value.ts'

/**
 * Traces the queries of a WITH and gives the scope in which they can be read. Each sees those before it; in WITH
 * RECURSIVE all see all.
 */
export function traceWith(withClause: unknown, outer: Scope, trace: Trace): Scope {
  const list = listOf(toFields(withClause)['ctes']).map((each) => toFields(tagged(each)?.fields))
  if (list.length === 0) return outer
  const queries = new Map<string, CommonTable>()
  const scope = innerScope(outer, { queries })
  const isRecursive = toFields(withClause)['recursive'] === true
  if (!isRecursive) {
    for (const each of list) queries.set(nameOf(each), { result: traceTable(each, scope, trace) })
    return scope
  }
  for (const each of inOrder(list)) {
    queries.set(nameOf(each), { result: traceRecursive(each, { scope, queries, list }, trace) })
  }
  return scope
}

function traceTable(table: Fields, scope: Scope, trace: Trace): QueryResult {
  return withExtras(table, renamed(traceQueryNode(table['ctequery'], scope, trace), table))
}

/** Each round sees what the one before found, until nothing new comes; bounded, since what is found only grows. */
const roundsMax = 30

function traceRecursive(
  table: Fields,
  place: { scope: Scope; queries: Map<string, CommonTable>; list: readonly Fields[] },
  trace: Trace,
): QueryResult {
  const { scope, queries, list } = place
  const name = nameOf(table)
  if (!mentions(table['ctequery'], name)) return traceTable(table, scope, trace)
  // One that is reached from another that comes later in the list: PostgreSQL refuses mutual recursion.
  if (
    list.some((other) => other !== table && !queries.has(nameOf(other)) && mentions(table['ctequery'], nameOf(other)))
  ) {
    return unknownResult
  }
  let known = startOf(table, scope, trace)
  for (let round = 0; round < roundsMax; round += 1) {
    queries.set(name, { result: known })
    const next = grown(known, traceTable(table, scope, trace))
    if (isSame(known, next)) return next
    known = next
  }
  throw new Untraceable('recurses in a way that cannot be traced')
}

/** The columns of the part that does not recurse: names and number come from it. */
function startOf(table: Fields, scope: Scope, trace: Trace): QueryResult {
  const query = fieldsOf(table['ctequery'], 'SelectStmt')
  const first = query?.['larg']
  if (first === undefined) return unknownResult
  return withExtras(
    table,
    renamed(traceQueryNode({ SelectStmt: first }, scopeOfQuery(query, scope, trace), trace), table),
  )
}

/** A WITH of the recursive query itself is seen by both of its parts. */
function scopeOfQuery(query: Fields | null, scope: Scope, trace: Trace): Scope {
  return traceWith(query?.['withClause'], scope, trace)
}

function grown(before: QueryResult, after: QueryResult): QueryResult {
  const columns =
    before.columns === null || after.columns === null || before.columns.length !== after.columns.length
      ? null
      : before.columns.map((column, index) => grownField(column, after.columns?.[index]))
  return {
    columns,
    any: either([before.any, after.any]),
    rowHints: union(before.rowHints, after.rowHints),
    rowSources: union(before.rowSources, after.rowSources),
    outerTaint: union(before.outerTaint, after.outerTaint),
    references: unionReferences(before.references, after.references),
  }
}

function grownField(before: Field, after: Field | undefined): Field {
  return after === undefined ? before : { name: before.name, value: either([before.value, after.value]) }
}

function isSame(before: QueryResult, after: QueryResult): boolean {
  if ((before.columns === null) !== (after.columns === null)) return false
  const isSameValue = (left: Value, right: Value): boolean =>
    isWithin(right.sources, left.sources) &&
    isWithin(right.hints, left.hints) &&
    isWithin(right.presence, left.presence) &&
    left.direct === right.direct &&
    left.isSynthetic === right.isSynthetic &&
    right.references.size <= left.references.size &&
    right.innerReferences.size <= left.innerReferences.size
  const areSame = (after.columns ?? []).every((column, index) => {
    const other = before.columns?.[index]
    return other !== undefined && isSameValue(other.value, column.value)
  })
  return (
    areSame &&
    isSameValue(before.any, after.any) &&
    isWithin(after.rowHints, before.rowHints) &&
    isWithin(after.rowSources, before.rowSources) &&
    isWithin(after.outerTaint, before.outerTaint)
  )
}

function renamed(result: QueryResult, table: Fields): QueryResult {
  const names = textsOf(table['aliascolnames'])
  if (names.length === 0 || result.columns === null) return names.length === 0 ? result : { ...result, columns: null }
  const columns = result.columns.map((column, index) => ({ ...column, name: names[index] ?? column.name }))
  return { ...result, columns }
}

/** The columns that SEARCH and CYCLE add. */
function withExtras(table: Fields, result: QueryResult): QueryResult {
  const search = toFields(table['search_clause'])
  const cycle = toFields(table['cycle_clause'])
  if (result.columns === null) return result
  const valueOf = (names: unknown): Value => {
    const listed = textsOf(names)
    const values = result.columns?.filter(({ name }) => listed.includes(name)).map(({ value }) => value) ?? []
    return values.length === 0 ? plainValue : { ...combine(values), fields: null }
  }
  const extras: Field[] = []
  if (typeof search['search_seq_column'] === 'string') {
    extras.push({ name: search['search_seq_column'], value: valueOf(search['search_col_list']) })
  }
  if (typeof cycle['cycle_mark_column'] === 'string') {
    extras.push({ name: cycle['cycle_mark_column'], value: valueOf(cycle['cycle_col_list']) })
  }
  if (typeof cycle['cycle_path_column'] === 'string') {
    extras.push({ name: cycle['cycle_path_column'], value: valueOf(cycle['cycle_col_list']) })
  }
  if (extras.length === 0) return result
  const own = result.columns.filter(({ name }) => !extras.some((extra) => extra.name === name))
  return { ...result, columns: [...own, ...extras] }
}

/** Those that others of the list read come first, as PostgreSQL orders them; in a circle any order is unknown anyhow. */
function inOrder(list: readonly Fields[]): readonly Fields[] {
  const left = new Set(list)
  const ordered: Fields[] = []
  while (left.size > 0) {
    const free = [...left].filter((each) =>
      [...left].every((other) => other === each || !mentions(each['ctequery'], nameOf(other))),
    )
    const next = free.length > 0 ? free : [...left].slice(0, 1)
    for (const each of next) {
      ordered.push(each)
      left.delete(each)
    }
  }
  return ordered
}

/** Whether a relation of this name, without a schema, is anywhere below; one that is hidden there counts as well. */
function mentions(node: unknown, name: string): boolean {
  if (typeof node !== 'object' || node === null) return false
  if (Array.isArray(node)) return node.some((each) => mentions(each, name))
  const fields = node as Fields
  if (fields['relname'] === name && fields['schemaname'] === undefined) return true
  return Object.keys(fields).some((key) => mentions(fields[key], name))
}

function nameOf(table: Fields): string {
  return typeof table['ctename'] === 'string' ? table['ctename'] : ''
}
