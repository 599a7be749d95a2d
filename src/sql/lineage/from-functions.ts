import { tagged } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { addMatch } from './conditions.ts'
import { traceFunctionCall } from './calls.ts'
import type { Item, Trace } from './context.ts'
import { traceBelow, traceExpression } from './expressions.ts'
import { definedColumns, itemOf } from './from.ts'
import type { FromPlace } from './from.ts'
import { nameOfExpression } from './output-names.ts'
import { isNone, union } from './sources.ts'
import { aliasOf, fieldsOf, listOf } from './tree.ts'
import { plainValue, tellsOf } from './value.ts'
import type { Field, Value } from './value.ts'

/** `FROM f(x)`, `ROWS FROM (...)` and WITH ORDINALITY. */
export function traceFunctions(node: Fields, place: FromPlace, trace: Trace): Item {
  const alias = aliasOf(node['alias'])
  const list = listOf(node['functions'])
  const columns: Field[] = []
  const rests: Value[] = []
  for (const each of list) {
    const [expression, definitions] = listOf(fieldsOf(each, 'List')?.['items'])
    const defined = listOf(fieldsOf(definitions, 'List')?.['items'])
    const isOnly = list.length === 1
    const found = traceOne(expression, { place, alias: isOnly ? alias : null }, trace)
    const own = isOnly ? listOf(node['coldeflist']) : []
    const definitionsOf = defined.length > 0 ? defined : own
    if (definitionsOf.length > 0) columns.push(...definedColumns(definitionsOf, found.value))
    else {
      columns.push(...found.columns)
      if (!found.isCertain) rests.push(found.value)
    }
  }
  if (node['ordinality'] === true) columns.push({ name: 'ordinality', value: plainValue })
  const [rest] = rests
  const name = alias ?? nameOf(list)
  return itemOf({ name, columns, rest: rest ?? null }, node['alias'], place, trace)
}

function traceOne(
  expression: unknown,
  { place, alias }: { place: FromPlace; alias: string | null },
  trace: Trace,
): { readonly value: Value; readonly columns: readonly Field[]; readonly isCertain: boolean } {
  const call = fieldsOf(expression, 'FuncCall')
  const name = alias ?? nameOfExpression(expression, trace)
  if (call === null) {
    const value = traceExpression(expression, place.lateral, trace)
    noteRows(value, place)
    return { value, columns: [{ name, value }], isCertain: value.fields === null && isNone(tellsOf(value)) }
  }
  const result = traceFunctionCall(call, place.lateral, trace)
  addMatch(result.value, place.level, trace)
  place.level.rowHints = union(place.level.rowHints, result.rowHints)
  place.level.rowSources = union(place.level.rowSources, result.rowSources)
  const [only] = result.columns ?? []
  // A single column that has a name of its own keeps it, others are named by the alias.
  if (result.columns === null || only === undefined) {
    const isCertain = result.isCertain && result.value.fields === null
    return { value: result.value, columns: [{ name, value: result.value }], isCertain }
  }
  return { value: result.value, columns: result.columns, isCertain: result.isCertain }
}

/** How many rows a function in FROM gives is up to its arguments. */
function noteRows(value: Value, { level }: FromPlace): void {
  level.rowSources = union(level.rowSources, tellsOf(value))
}

function nameOf(list: readonly unknown[]): string | null {
  const [expression] = listOf(fieldsOf(list[0], 'List')?.['items'])
  const call = fieldsOf(expression, 'FuncCall')
  const last = tagged(listOf(call?.['funcname']).at(-1))?.fields
  return typeof last === 'object' && last !== null && 'sval' in last && typeof last.sval === 'string' ? last.sval : null
}

/** XMLTABLE: every column derives from the document and all paths. */
export function traceXmlTable(node: Fields, place: FromPlace, trace: Trace): Item {
  const names = listOf(node['columns']).map((each) => fieldsOf(each, 'RangeTableFuncCol')?.['colname'])
  return tableItem(node, names, place, trace)
}

/** JSON_TABLE: every column derives from the document, what is passed and all paths. */
export function traceJsonTable(node: Fields, place: FromPlace, trace: Trace): Item {
  return tableItem(node, jsonColumns(node['columns']), place, trace)
}

function jsonColumns(list: unknown): readonly unknown[] {
  return listOf(list).flatMap((each) => {
    const column = fieldsOf(each, 'JsonTableColumn')
    return column?.['coltype'] === 'JTC_NESTED' ? jsonColumns(column['columns']) : [column?.['name']]
  })
}

function tableItem(node: Fields, names: readonly unknown[], place: FromPlace, trace: Trace): Item {
  const { alias, ...parts } = node
  const value = traceBelow(parts, place.lateral, trace)
  noteRows(value, place)
  addMatch(value, place.level, trace)
  const columns = names.map((name) => ({ name: typeof name === 'string' ? name : '', value }))
  return itemOf({ name: aliasOf(alias), columns, rest: null }, alias, place, trace)
}
