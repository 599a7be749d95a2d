import { textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { relationOf } from '../walk.ts'
import { addCondition, addEquality } from './conditions.ts'
import { findQuery, innerScope } from './context.ts'
import type { Item, QueryResult, Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { traceFunctions, traceJsonTable, traceXmlTable } from './from-functions.ts'
import { columnAliases } from './output-names.ts'
import { taintHints } from './range-table.ts'
import type { Entry, EntryColumn, Level, Unit } from './range-table.ts'
import { findRelation } from './relations.ts'
import { allOf, traceQueryNode, withReferences } from './select.ts'
import { isNone, union, unionAll } from './sources.ts'
import { aliasOf, fieldsOf, listOf, toFields } from './tree.ts'
import { combine, either, tellsOf, unionReferences, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'
import { tagged } from '../parse-tree.ts'

/** Where an item of FROM stands. */
export interface FromPlace {
  /** What LATERAL sees: the items to the left and all around. */
  readonly lateral: Scope
  /** What everything else sees: only what is around the query. */
  readonly around: Scope
  readonly level: Level
}

/** Traces one item of FROM. */
export function traceFrom(node: unknown, place: FromPlace, trace: Trace): Item {
  trace.visit()
  const found = tagged(node)
  const fields = toFields(found?.fields)
  switch (found?.tag) {
    case 'RangeVar':
      return traceRelation(fields, place, trace)
    case 'RangeSubselect':
      return traceSubselect(fields, place, trace)
    case 'JoinExpr':
      return traceJoin(fields, place, trace)
    case 'RangeFunction':
      return traceFunctions(fields, place, trace)
    case 'RangeTableFunc':
      return traceXmlTable(fields, place, trace)
    case 'JsonTable':
      return traceJsonTable(fields, place, trace)
    case 'RangeTableSample':
      return traceSample(fields, place, trace)
    default:
      return traceUnknown(node, place, trace)
  }
}

/** What a new entry is made of. */
export interface NewEntry {
  readonly name: string | null
  readonly schema?: string | null
  readonly columns: readonly Field[]
  readonly rest: Value | null
  readonly areNamesKnown?: boolean
  readonly isRelation?: boolean
  readonly rowType?: number
}

/** An item that is one entry of its own, with the columns renamed as its alias says. */
export function itemOf(given: NewEntry, alias: unknown, place: FromPlace, trace: Trace): Item {
  const { columns, rest } = withAliases(given, columnAliases(alias))
  const areNamesKnown = given.areNamesKnown === true && columnAliases(alias).length === 0
  const entry = trace.table.add({
    name: given.name,
    schema: given.schema ?? null,
    columns,
    rest,
    areNamesKnown,
    isRelation: given.isRelation ?? false,
    rowType: given.rowType ?? 0,
    level: place.level,
  })
  return { entries: [entry], columns: entry.columns, rest: entry.rest, areNamesKnown }
}

/** An item of what a query gives; what decides about its rows decides about the rows of the level. */
export function itemOfResult(
  result: QueryResult,
  name: string | null,
  alias: unknown,
  place: FromPlace,
  trace: Trace,
): Item {
  const { level } = place
  level.rowHints = union(level.rowHints, result.rowHints)
  level.rowSources = union(level.rowSources, result.rowSources)
  level.outerTaint = union(level.outerTaint, result.outerTaint)
  level.references = unionReferences(level.references, result.references)
  const columns = result.columns?.map((column) => ({ ...column, value: withReferences(column.value, result) })) ?? []
  const rest = result.columns === null ? withReferences(allOf(result), result) : null
  return itemOf({ name, columns, rest }, alias, place, trace)
}

/** An item of the relation that a RangeVar names; it can be a common table expression too. */
export function traceRelation(rangeVar: Fields, place: FromPlace, trace: Trace): Item {
  const name = relationOf(rangeVar)
  const alias = aliasOf(rangeVar['alias'])
  const query = name.schema === null ? findQuery(name.name, place.lateral) : null
  if (query !== null) return itemOfResult(query.result, alias ?? name.name, rangeVar['alias'], place, trace)
  return traceStored(rangeVar, place, trace).item
}

/** As `traceRelation` for what is certainly a relation, such as what a statement writes to. */
export function traceStored(
  rangeVar: Fields,
  place: FromPlace,
  trace: Trace,
): { readonly item: Item; readonly candidates: ReturnType<typeof findRelation>['candidates'] } {
  const name = relationOf(rangeVar)
  const alias = aliasOf(rangeVar['alias'])
  const shape = findRelation(name, place.lateral.searchPath, trace)
  const { level } = place
  level.rowHints = union(level.rowHints, shape.rowHints)
  level.rowSources = union(level.rowSources, shape.rowSources)
  const [first] = shape.candidates
  const item = itemOf(
    {
      name: alias ?? name.name,
      schema: alias === null ? name.schema : null,
      columns: shape.columns,
      rest: shape.rest,
      areNamesKnown: shape.areNamesKnown === true,
      isRelation: true,
      rowType: shape.candidates.length === 1 ? (first?.rowType ?? 0) : 0,
    },
    rangeVar['alias'],
    place,
    trace,
  )
  return { item, candidates: shape.candidates }
}

function traceSubselect(node: Fields, place: FromPlace, trace: Trace): Item {
  const scope = node['lateral'] === true ? place.lateral : place.around
  const result = traceQueryNode(node['subquery'], scope, trace)
  return itemOfResult(result, aliasOf(node['alias']), node['alias'], place, trace)
}

function traceSample(node: Fields, place: FromPlace, trace: Trace): Item {
  const item = traceFrom(node['relation'], place, trace)
  for (const each of [...listOf(node['args']), node['repeatable']]) {
    if (each === undefined) continue
    const value = traceExpression(each, place.lateral, trace)
    trace.addPredicates(tellsOf(value))
    place.level.rowSources = union(place.level.rowSources, tellsOf(value))
  }
  return item
}

function traceUnknown(node: unknown, place: FromPlace, trace: Trace): Item {
  const value = traceExpression(node, place.lateral, trace)
  trace.hazard('reads from something that Postern does not know', 'unknown')
  return itemOf({ name: null, columns: [], rest: combine([value, unknownValue]) }, null, place, trace)
}

function traceJoin(node: Fields, place: FromPlace, trace: Trace): Item {
  const left = traceFrom(node['larg'], place, trace)
  // What is to the left can be seen from the right by LATERAL, in nested joins as well.
  const items = [...place.lateral.items, left]
  const lateral = innerScope(place.around, { level: place.level, items, windows: place.lateral.windows })
  const right = traceFrom(node['rarg'], { ...place, lateral }, trace)
  const shared = sharedNames(node, left, right)
  const unitsBefore = place.level.units.length
  const item = joined(node, { left, right, shared }, place, trace)
  if (node['quals'] !== undefined) {
    const scope = innerScope(place.around, { level: place.level, items: [left, right] })
    addCondition(node['quals'], scope, place.level, trace)
  }
  place.level.hasOuterJoin ||= node['jointype'] !== undefined && node['jointype'] !== 'JOIN_INNER'
  notePresence(node['jointype'], { left, right, units: place.level.units.slice(unitsBefore) })
  return renamedJoin(node, item, place, trace)
}

/** Of an outer join, whether there is a row on the side that may have none tells of its condition. */
function notePresence(
  kind: unknown,
  { left, right, units }: { readonly left: Item; readonly right: Item; readonly units: readonly Unit[] },
): void {
  const told = unionAll(units.flatMap((unit) => unit.atoms.map(({ value }) => tellsOf(value))))
  if (isNone(told)) return
  const sides = [
    kind === 'JOIN_LEFT' || kind === 'JOIN_FULL' ? right : null,
    kind === 'JOIN_RIGHT' || kind === 'JOIN_FULL' ? left : null,
  ]
  for (const side of sides) for (const entry of side?.entries ?? []) taintHints(entry, told)
}

/** The names of the columns that USING or NATURAL joins by. */
function sharedNames(node: Fields, left: Item, right: Item): readonly string[] {
  if (node['isNatural'] !== true) return textsOf(node['usingClause'])
  const names = new Set(right.columns.map((column) => column.name))
  return left.columns.map((column) => column.name).filter((name) => names.has(name))
}

function joined(
  node: Fields,
  { left, right, shared }: { left: Item; right: Item; shared: readonly string[] },
  place: FromPlace,
  trace: Trace,
): Item {
  const merged = shared.map((name) => mergedColumn(name, node['jointype'], { left, right }, place, trace))
  const isOwn = (column: EntryColumn): boolean => !shared.includes(column.name)
  const columns = [...merged, ...left.columns.filter(isOwn), ...right.columns.filter(isOwn)]
  const rests = [left.rest, right.rest].filter((rest) => rest !== null)
  const entries = [...left.entries, ...right.entries]
  const alias = aliasOf(node['join_using_alias'])
  if (alias !== null) entries.push(addAlias(alias, merged, null, place, trace))
  const areNamesKnown = [left, right].every((item) => item.rest === null || item.areNamesKnown === true)
  return { entries, columns, rest: rests.length === 0 ? null : either(rests), areNamesKnown }
}

/** A column of USING is the left one, the right one of a RIGHT JOIN, and either of a FULL JOIN. */
function mergedColumn(
  name: string,
  kind: unknown,
  { left, right }: { left: Item; right: Item },
  place: FromPlace,
  trace: Trace,
): EntryColumn {
  const first = named(name, left)
  const second = named(name, right)
  addEquality(first, second, place.level, trace)
  const value = kind === 'JOIN_RIGHT' ? second : kind === 'JOIN_FULL' ? either([first, second]) : first
  return { name, value, isDoubtful: false }
}

function named(name: string, item: Item): Value {
  const values = item.columns.filter((column) => column.name === name).map((column) => column.value)
  if (item.rest !== null && item.areNamesKnown !== true) values.push(item.rest)
  return values.length === 0 ? unknownValue : either(values)
}

/** An alias of a join hides the names inside of it. */
function renamedJoin(node: Fields, item: Item, place: FromPlace, trace: Trace): Item {
  const alias = aliasOf(node['alias'])
  if (alias === null) return item
  const { columns, rest } = withAliases(item, columnAliases(node['alias']))
  const entry = addAlias(alias, columns, rest, place, trace)
  return { entries: [entry], columns: entry.columns, rest: entry.rest }
}

function addAlias(
  name: string,
  columns: readonly EntryColumn[],
  rest: Value | null,
  place: FromPlace,
  trace: Trace,
): Entry {
  const { level } = place
  return trace.table.addAlias({ name, schema: null, columns, rest, isRelation: false, rowType: 0, level })
}

/** The columns under the names that an alias gives them by position. */
function withAliases(
  given: { readonly columns: readonly (Field & { readonly isDoubtful?: boolean })[]; readonly rest: Value | null },
  names: readonly string[],
): { readonly columns: readonly EntryColumn[]; readonly rest: Value | null } {
  const columns = given.columns.map(({ name, value, isDoubtful }) => ({ name, value, isDoubtful: isDoubtful ?? false }))
  if (names.length === 0) return { columns, rest: given.rest }
  if (given.rest === null) {
    return { columns: columns.map((column, index) => ({ ...column, name: names[index] ?? column.name })), rest: null }
  }
  // Where the positions are not certain, each name may be any of the columns.
  const whole = either([...columns.map(({ value }) => value), given.rest])
  const renamed = names.map((name) => ({ name, value: whole, isDoubtful: false }))
  return { columns: [...renamed, ...columns], rest: whole }
}

/** The fields of a list of column definitions, all with one value. */
export function definedColumns(list: unknown, value: Value): readonly Field[] {
  return listOf(list).map((each) => {
    const name = fieldsOf(each, 'ColumnDef')?.['colname']
    return { name: typeof name === 'string' ? name : '', value }
  })
}
