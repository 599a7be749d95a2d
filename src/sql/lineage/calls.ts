import type { CatalogFunction } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import { functionCandidates } from '../catalog/resolve.ts'
import { isFields, textsOf, tagged } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { callBuiltin } from './builtins.ts'
import { addMatch, traceCondition } from './conditions.ts'
import { findWindow, levelOf } from './context.ts'
import type { Scope, Trace } from './context.ts'
import { asBit, traceExpression, traceList } from './expressions.ts'
import { callFunction, opaque, takes } from './functions.ts'
import type { CallResult } from './functions.ts'
import { isRows } from './range-table.ts'
import type { Level } from './range-table.ts'
import { isNone, union, unionAll } from './sources.ts'
import { fieldsOf, listOf } from './tree.ts'
import {
  addHints,
  addPresence,
  addSources,
  combine,
  combineBits,
  either,
  plainValue,
  tellsOf,
  unionReferences,
} from './value.ts'
import type { Value } from './value.ts'

/** A call of any kind of function. */
export function traceCall(fields: Fields, scope: Scope, trace: Trace): Value {
  return traceFunctionCall(fields, scope, trace).value
}

/** As `traceCall`, with the columns it has in FROM. */
export function traceFunctionCall(fields: Fields, scope: Scope, trace: Trace): CallResult {
  const name = textsOf(fields['funcname'])
  const args = traceList(fields['args'], scope, trace)
  const names = listOf(fields['args']).map((each) => argumentName(each))
  const last = name.at(-1) ?? ''
  if (isAggregate(name, fields, scope, trace)) {
    return single(traceAggregate({ name: last, node: fields, args }, scope, trace, name))
  }
  const result = call(name, args, scope, trace, names)
  if (trace.schema.returnsSet(last)) {
    const level = levelOf(scope)
    // How many rows there are is then up to the arguments.
    if (level !== null) {
      level.rowSources = union(level.rowSources, result.rowSources)
      level.rowHints = union(level.rowHints, result.rowHints)
      // A row for which there is nothing vanishes, so that the arguments are compared like in a condition.
      addMatch(combine(args), level, trace)
    }
  }
  return result
}

/** The call `name(args)` that functional notation of a column may be. */
export function callNamed(name: readonly string[], args: readonly Value[], scope: Scope, trace: Trace): Value {
  return call(name, args, scope, trace, []).value
}

function call(
  name: readonly string[],
  args: readonly Value[],
  scope: Scope,
  trace: Trace,
  names: readonly (string | null)[],
): CallResult {
  const last = name.at(-1) ?? ''
  const schema = name.length > 1 ? (name.at(-2) ?? null) : null
  const results: CallResult[] = []
  const column = schema === null && args.length === 1 ? fieldNamed(args[0], last) : null
  if (column !== null) results.push(single(column))
  const isOwn = schema === null || schema === 'pg_catalog' || schema === 'information_schema'
  const builtin = isOwn ? trace.schema.catalog.builtin(last) : undefined
  if (builtin !== undefined) results.push(callBuiltin(builtin, args, trace))
  const candidates = functionCandidates(trace.schema.catalog, { schema, name: last }, scope.searchPath)
  for (const each of candidates) if (takes(each, args.length)) results.push(callOther(each, args, scope, trace, names))
  if (results.length === 0) return unresolved(name, args, scope, trace)
  const [first] = results
  if (results.length === 1 && first !== undefined) return first
  return {
    value: either(results.map((result) => result.value)),
    columns: null,
    isCertain: results.every((result) => result.isCertain && result.columns === null),
    rowHints: unionAll(results.map((result) => result.rowHints)),
    rowSources: unionAll(results.map((result) => result.rowSources)),
  }
}

/** The planner works out what a stable function gives where that tells how many rows there will be. */
function callOther(
  called: CatalogFunction,
  args: readonly Value[],
  scope: Scope,
  trace: Trace,
  names: readonly (string | null)[],
): CallResult {
  const result = callFunction(called, args, scope, trace, names)
  const isFolded = called.volatility === 'stable' && !called.returnsSet && args.every((each) => each.isSynthetic)
  if (isFolded) trace.folded = union(trace.folded, tellsOf(result.value))
  return result
}

/** A name that no function has: PostgreSQL reads `type(x)` as a cast. */
function unresolved(name: readonly string[], args: readonly Value[], scope: Scope, trace: Trace): CallResult {
  const names = name.map((sval) => ({ String: { sval } }))
  const type = trace.schema.typeNamed({ names }, scope.searchPath)
  if (type !== null && args.length === 1 && trace.schema.castsTo(type.oid).length === 0) {
    return single({ ...combineBits(args), type: type.oid })
  }
  trace.missing.add(name.join('.'))
  return { ...single(opaque(`calls ${name.join('.')}()`, trace)), isCertain: false }
}

function fieldNamed(value: Value | undefined, name: string): Value | null {
  return value?.fields?.find((field) => field.name === name)?.value ?? null
}

function single(value: Value): CallResult {
  return { value, columns: null, isCertain: true, rowHints: noSources, rowSources: tellsOf(value) }
}

function argumentName(node: unknown): string | null {
  const name = fieldsOf(node, 'NamedArgExpr')?.['name']
  return typeof name === 'string' ? name : null
}

function isAggregate(name: readonly string[], fields: Fields, scope: Scope, trace: Trace): boolean {
  if (fields['over'] !== undefined || fields['agg_star'] === true || fields['agg_within_group'] === true) return true
  if (fields['agg_order'] !== undefined || fields['agg_filter'] !== undefined) return true
  const last = name.at(-1) ?? ''
  const schema = name.length > 1 ? (name.at(-2) ?? null) : null
  const builtin = schema === null || schema === 'pg_catalog' ? trace.schema.catalog.builtin(last) : undefined
  if (builtin !== undefined && (builtin.isAggregate || builtin.isWindow)) return true
  const candidates = functionCandidates(trace.schema.catalog, { schema, name: last }, scope.searchPath)
  return candidates.some(({ kind }) => kind === 'aggregate' || kind === 'window')
}

/** Aggregates and window functions that only count rows, whatever their arguments are. */
const counting: ReadonlySet<string> = new Set([
  'count',
  'row_number',
  'rank',
  'dense_rank',
  'percent_rank',
  'cume_dist',
])

/** Aggregates of one bit each that give one bit. */
const deciding: ReadonlySet<string> = new Set(['bool_and', 'bool_or', 'every'])

/** An aggregate or a window function over the rows of the level around it. */
export function traceAggregate(
  given: { readonly name: string; readonly node: Fields; readonly args: readonly Value[] },
  scope: Scope,
  trace: Trace,
  names: readonly string[] = [given.name],
): Value {
  const { name, node, args } = given
  const level = levelOf(scope)
  const isOrderedSet = node['agg_within_group'] === true
  const ordered = listOf(node['agg_order']).map((each) => fieldsOf(each, 'SortBy')?.['node'])
  const orderedArgs = isOrderedSet ? ordered.map((each) => traceExpression(each, scope, trace)) : []
  if (!isOrderedSet) for (const each of ordered) traceCondition(each, scope, level, trace, true)
  let told: Sources = noSources
  if (node['agg_filter'] !== undefined) told = tellsOf(traceCondition(node['agg_filter'], scope, level, trace))
  told = union(told, traceWindow(node['over'], scope, trace))
  const bounds = traceFrame(node['over'], scope, trace)
  const all = [...args, ...orderedArgs]
  if (level !== null && node['over'] === undefined) noteAggregate(all, level, trace)
  const rows = level === null ? plainValue.references : trace.table.rowsOf(level)
  const own = call(names, all, scope, trace, []).value
  const rowHints = level === null ? noSources : level.rowHints
  const isOwn = trace.schema.catalog.builtin(name) !== undefined
  if (isOwn && !isOrderedSet && counting.has(name)) {
    const bits = combineBits(all.map(asBit))
    const counted = {
      ...bits,
      isCount: true,
      isSynthetic: true,
      type: own.type,
      references: unionReferences(bits.references, rows),
    }
    const hinted = addHints(addHints({ ...counted, presence: noSources }, union(told, rowHints)), bits.presence)
    return either([addSources(hinted, bounds), ...foreign(own)])
  }
  const value = { ...own, references: unionReferences(own.references, rows), isSynthetic: false }
  if (isOwn && deciding.has(name) && all.every((each) => isNone(each.sources))) {
    return addHints({ ...value, sources: noSources }, union(told, union(tellsOf(own), rowHints)))
  }
  // Constants are put together once for each row, so that what decides about the rows is in the result.
  const promoted = all.every((each) => each.isSynthetic) ? addSources(value, union(told, rowHints)) : value
  return addPresence(addSources(promoted, bounds), told)
}

/** What calling another function of the name adds: nothing but what cannot be told. */
function foreign(value: Value): readonly Value[] {
  return value.sources === 'unknown' ? [value] : []
}

/** Counts as an aggregate of this level unless its arguments point around it only: then it is one of a level there. */
function noteAggregate(args: readonly Value[], level: Level, trace: Trace): void {
  const references = [...combine(args).references].filter((reference) => !isRows(reference))
  const isOwn =
    references.length === 0 || references.some((reference) => trace.table.find(reference)?.entry.level === level)
  if (isOwn) level.isAggregated = true
}

/** What a frame is worked out from: how many rows are in it is no single bit. */
function traceFrame(over: unknown, scope: Scope, trace: Trace): Sources {
  if (!isFields(over)) return noSources
  const window = fieldsOf(over, 'WindowDef') ?? over
  const offsets = [window['startOffset'], window['endOffset']].filter((each) => tagged(each) !== null)
  let told = unionAll(offsets.map((each) => tellsOf(traceExpression(each, scope, trace))))
  for (const name of [window['name'], window['refname']]) {
    const other = typeof name === 'string' ? findWindow(name, scope) : undefined
    if (other !== undefined && other !== window) told = union(told, traceFrame(other, scope, trace))
  }
  return told
}

/** What the partitions, order and frame of a window tell of. */
function traceWindow(over: unknown, scope: Scope, trace: Trace): Sources {
  if (!isFields(over)) return noSources
  const window = fieldsOf(over, 'WindowDef') ?? over
  const level = levelOf(scope)
  let told: Sources = noSources
  const keys = [
    ...listOf(window['partitionClause']),
    ...listOf(window['orderClause']).map((each) => fieldsOf(each, 'SortBy')?.['node']),
    window['startOffset'],
    window['endOffset'],
  ].filter((each) => tagged(each) !== null)
  for (const each of keys) told = union(told, tellsOf(traceCondition(each, scope, level, trace, true)))
  for (const name of [window['name'], window['refname']]) {
    if (typeof name !== 'string') continue
    const other = findWindow(name, scope)
    if (other !== undefined && other !== window) told = union(told, traceWindow(other, scope, trace))
  }
  return told
}
