import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import { isFields, tagged, textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { hasColumn } from './column-names.ts'
import { addCondition, addDecision } from './conditions.ts'
import { innerScope, Untraceable, unknownResult } from './context.ts'
import type { QueryResult, Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { traceFrom } from './from.ts'
import { describeColumns } from './names.ts'
import type { Level } from './range-table.ts'
import { traceSetOperation } from './set-operations.ts'
import { isNone, union, unionAll } from './sources.ts'
import { starFields, targetsOf } from './targets.ts'
import type { Targets } from './targets.ts'
import { gated, gatesOf } from './gates.ts'
import { settleUnits } from './transfer.ts'
import { fieldsOf, listOf } from './tree.ts'
import { addHints, addSources, either, nullValue, tellsOf, unionReferences, withdraw } from './value.ts'
import type { Field, Value } from './value.ts'
import { traceWith } from './with.ts'
import { traceWrite } from './writes.ts'

/** Results of more columns than PostgreSQL allows cannot run. */
const outputsMax = 3_000

/** Traces a query of any kind. */
export function traceQuery(tag: string, node: Fields, outer: Scope, trace: Trace): QueryResult {
  trace.visit()
  if (tag !== 'SelectStmt') return traceWrite(tag, node, outer, trace)
  return traceSelect(node, outer, trace)
}

/** Traces a query as it stands in the tree; anything else there is unknown. */
export function traceQueryNode(node: unknown, outer: Scope, trace: Trace): QueryResult {
  const found = tagged(node)
  if (found === null || !isFields(found.fields)) return unknownResult
  return traceQuery(found.tag, found.fields, outer, trace)
}

/** Traces a SELECT, VALUES or set operation. */
export function traceSelect(node: Fields, outer: Scope, trace: Trace): QueryResult {
  trace.visit()
  const scope = traceWith(node['withClause'], outer, trace)
  const operation = node['op']
  if (operation !== undefined && operation !== 'SETOP_NONE') return traceSetOperation(node, scope, trace)
  const level = trace.table.level()
  const own = innerScope(scope, { level, items: [], windows: windowsOf(node['windowClause']) })
  traceFromList(node['fromClause'], { own, around: scope, level }, trace)
  if (node['whereClause'] !== undefined) addCondition(node['whereClause'], own, level, trace)
  if (Array.isArray(node['valuesLists'])) return traceValues(node, own, level, trace)
  return traceTargets(node, own, level, trace)
}

/** Traces a list of FROM items into the scope of their level. */
export function traceFromList(
  list: unknown,
  place: { readonly own: Scope; readonly around: Scope; readonly level: Level },
  trace: Trace,
): void {
  for (const item of listOf(list)) {
    place.own.items.push(traceFrom(item, { lateral: place.own, around: place.around, level: place.level }, trace))
  }
}

function traceTargets(node: Fields, scope: Scope, level: Level, trace: Trace): QueryResult {
  const targets = targetsOf(listOf(node['targetList']), scope, trace)
  const groups = listOf(node['groupClause']).flatMap(groupItems)
  for (const group of groups) addNamed(group, { targets, scope, level, isGroup: true }, trace)
  const unitsBefore = level.units.length
  if (node['havingClause'] !== undefined) addCondition(node['havingClause'], scope, level, trace)
  const having = level.units.slice(unitsBefore).flatMap((unit) => unit.atoms)
  const havingHints = unionAll(having.map(({ value }) => tellsOf(value)))
  targets.traceAll()
  const isOneRow = level.isAggregated && groups.length === 0
  const orderHints = traceOrder(node, { targets, scope, level, isGroup: false }, trace)
  const { columns } = targets
  if (node['distinctClause'] !== undefined && columns !== null) {
    // Whether two rows are the same is decided by comparing them, as GROUP BY does.
    if (!isDistinctOn(node)) for (const { value } of columns) addDecision(value, level, trace)
    const told = unionAll(columns.map(({ value }) => tellsOf(value)))
    level.rowHints = union(level.rowHints, told)
    trace.addPredicates(told)
  }
  const result = finish(
    { columns, any: targets.any },
    { level, hints: isOneRow ? union(havingHints, orderHints) : null },
    trace,
  )
  if (node['lockingClause'] !== undefined) noteLocks(scope, trace)
  return result
}

/** A row that is locked shows by its xmax that it was chosen. */
function noteLocks({ items }: Scope, trace: Trace): void {
  const told = unionAll(items.flatMap(({ entries }) => entries.map(({ taint }) => taint.all)))
  trace.hazard(`locks rows by comparing them with ${describeColumns(told, trace)}`, told)
}

/** DISTINCT ON, ORDER BY, LIMIT and OFFSET; gives what LIMIT and OFFSET say about rows. */
function traceOrder(node: Fields, place: NamePlace, trace: Trace): QueryResult['rowHints'] {
  const { scope, level } = place
  for (const each of listOf(node['distinctClause'])) {
    // Plain DISTINCT is a list of one empty node.
    if (tagged(each) !== null) addNamed(each, place, trace)
  }
  for (const each of listOf(node['sortClause'])) addNamed(fieldsOf(each, 'SortBy')?.['node'], place, trace)
  return traceLimits(node, { scope, level }, trace)
}

/** LIMIT and OFFSET; gives what they say about rows. */
export function traceLimits(
  node: Fields,
  { scope, level }: { readonly scope: Scope; readonly level: Level },
  trace: Trace,
): Sources {
  let told: Sources = noSources
  for (const part of [node['limitCount'], node['limitOffset']]) {
    if (part === undefined) continue
    const value = traceExpression(part, scope, trace)
    addDecision(value, level, trace)
    told = union(told, tellsOf(value))
  }
  level.rowSources = union(level.rowSources, told)
  level.cutSources = union(level.cutSources, told)
  return told
}

/** Plain DISTINCT is a list of one empty node. */
function isDistinctOn(node: Fields): boolean {
  return listOf(node['distinctClause']).some((each) => tagged(each) !== null)
}

interface NamePlace {
  readonly targets: Targets
  readonly scope: Scope
  readonly level: Level
  readonly isGroup: boolean
}

/** A sort or group key: the number or name of an output column, or an expression over the input. */
function addNamed(node: unknown, { targets, scope, level, isGroup }: NamePlace, trace: Trace): void {
  const number = fieldsOf(node, 'A_Const')?.['ival']
  if (isFields(number)) {
    const position = typeof number['ival'] === 'number' ? number['ival'] : 0
    return addDecision(targets.at(position - 1), level, trace)
  }
  const parts = textsOf(fieldsOf(node, 'ColumnRef')?.['fields'])
  const named = parts.length === 1 ? targets.named(parts[0] ?? '') : null
  if (named !== null) addDecision(named, level, trace)
  // ORDER BY takes an output's name before a column's, GROUP BY the other way round; noting both is never too little.
  const isColumn = isGroup && hasColumn(parts[0] ?? '', scope)
  if (named === null || isColumn) addCondition(node, scope, level, trace, true)
}

/** The keys of a GROUP BY, those inside of grouping sets included. */
function groupItems(node: unknown): readonly unknown[] {
  const set = fieldsOf(node, 'GroupingSet')
  if (set !== null) return set['kind'] === 'GROUPING_SET_EMPTY' ? [{}] : listOf(set['content']).flatMap(groupItems)
  const row = fieldsOf(node, 'RowExpr')
  return row === null ? [node] : listOf(row['args'])
}

function traceValues(node: Fields, scope: Scope, level: Level, trace: Trace): QueryResult {
  const rows = listOf(node['valuesLists']).map((row) =>
    listOf(fieldsOf(row, 'List')?.['items']).flatMap((item) => valuesOfItem(item, scope, trace)),
  )
  const width = rows[0]?.length ?? 0
  const columns = Array.from({ length: width }, (_unused, index) => ({
    name: `column${index + 1}`,
    value: either(rows.map((row) => row[index] ?? nullValue)),
  }))
  const targets = { columns, any: either(columns.map(({ value }) => value)) }
  for (const each of listOf(node['sortClause']))
    addCondition(fieldsOf(each, 'SortBy')?.['node'], scope, level, trace, true)
  traceLimits(node, { scope, level }, trace)
  return finish(targets, { level, hints: null }, trace)
}

/** One value, or all columns of a row whose `*` stands among them. */
function valuesOfItem(item: unknown, scope: Scope, trace: Trace): readonly Value[] {
  const star = starFields(item, scope, trace)
  if (star === undefined) return [traceExpression(item, scope, trace)]
  if (star.fields === null) throw new Untraceable('holds a list of values whose number cannot be told')
  return star.fields.map(({ value }) => value)
}

/**
 * What a level gives when all of it is known. `hints` is what decides whether there is a row where that is not what
 * decides about the level's own rows: an aggregate without GROUP BY always gives one.
 */
export function finish(
  given: { readonly columns: readonly Field[] | null; readonly any: Value },
  { level, hints }: { readonly level: Level; readonly hints: QueryResult['rowHints'] | null },
  trace: Trace,
): QueryResult {
  settleUnits(level, trace)
  const counted = unionAll([level.rowSources, level.cutSources, level.outerTaint])
  trace.counted = union(trace.counted, counted)
  trace.derived = union(trace.derived, counted)
  const isOneRow = hints !== null
  const gates = isOneRow ? null : gatesOf(level, trace)
  const columns =
    given.columns?.map(({ name, value }) => ({ name, value: settled(gated(value, gates), level, isOneRow, trace) })) ??
    null
  for (const { value } of columns ?? []) {
    if (value.direct === null) trace.derived = union(trace.derived, value.sources)
  }
  if (columns !== null && columns.length > outputsMax) throw new Untraceable('has more columns than it may')
  const references = new Set(
    [...level.references].filter((reference) => trace.table.find(reference)?.entry.level !== level),
  )
  return {
    columns,
    any: settled(gated(given.any, gates), level, isOneRow, trace),
    rowHints: hints ?? level.rowHints,
    rowSources: isOneRow ? noSources : union(level.rowSources, level.outerTaint),
    outerTaint: level.outerTaint,
    references,
  }
}

function settled(value: Value, level: Level, isOneRow: boolean, trace: Trace): Value {
  const compared = isOneRow ? noSources : level.transferSources
  const known = withdraw(addSources(trace.table.settle(value, level), level.cutSources), compared)
  if (!value.isSynthetic || isOneRow) return known
  // Whoever wrote the statement chose it, so that it tells what decides about its row.
  const told = addHints(known, level.rowHints)
  return isNone(level.rowSources) ? told : addSources(told, level.rowSources)
}

/** The value of a query that stands for its rows as a whole, wherever it is put. */
export function allOf(result: QueryResult): Value {
  return result.columns === null ? result.any : either(result.columns.map(({ value }) => value))
}

/** What a query's conditions point to around it. */
export function withReferences(value: Value, result: QueryResult): Value {
  return { ...value, innerReferences: unionReferences(value.innerReferences, result.references) }
}

function windowsOf(clause: unknown): ReadonlyMap<string, unknown> {
  const named = listOf(clause).map((each) => fieldsOf(each, 'WindowDef'))
  return new Map(named.flatMap((each) => (typeof each?.['name'] === 'string' ? [[each['name'], each] as const] : [])))
}
