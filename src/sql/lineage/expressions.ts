import { noSources } from '../../core/lineage.ts'
import { isFields, isTag, tagged, textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { queryTags } from '../queries.ts'
import { traceAggregate, traceCall } from './calls.ts'
import { traceCast } from './casts.ts'
import { anyOf, resolveColumn } from './column-names.ts'
import type { Scope, Trace } from './context.ts'
import { selectField } from './fields.ts'
import { traceOperator } from './operators.ts'
import { traceQueryNode, withReferences } from './select.ts'
import { traceSubLink, valueOfRows } from './sublinks.ts'
import { starFields } from './targets.ts'
import { listOf, toFields } from './tree.ts'
import { either, combine, combineBits, combineWhole, nullValue, plainValue, rowOf, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'
import { findEntries } from './column-names.ts'

/** What an expression derives from. Kinds of nodes that have no rule derive from everything below them. */
export function traceExpression(node: unknown, scope: Scope, trace: Trace): Value {
  trace.visit()
  const found = tagged(node)
  if (found === null) return traceBelow(node, scope, trace)
  const fields = toFields(found.fields)
  const rule = rules.get(found.tag)
  if (rule !== undefined) return rule(fields, scope, trace)
  if (queryTags.has(found.tag)) return valueOfRows(traceQueryNode(node, scope, trace))
  if (found.tag === 'RangeVar' || found.tag.endsWith('Stmt')) return unknownValue
  return traceBelow(fields, scope, trace)
}

/** All that is below a node, by the tree's shape. */
export function traceBelow(node: unknown, scope: Scope, trace: Trace): Value {
  const values: Value[] = []
  collectBelow(node, scope, trace, values)
  return combine(values)
}

function collectBelow(node: unknown, scope: Scope, trace: Trace, values: Value[]): void {
  if (Array.isArray(node)) {
    for (const each of node) collectBelow(each, scope, trace, values)
    return
  }
  if (!isFields(node)) return
  for (const key in node) {
    if (isTag(key)) values.push(traceExpression({ [key]: node[key] }, scope, trace))
    else collectBelow(node[key], scope, trace, values)
  }
}

type Rule = (fields: Fields, scope: Scope, trace: Trace) => Value

const nothing: Rule = () => plainValue

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['ColumnRef', traceColumn],
  ['ParamRef', traceParameter],
  ['A_Const', (fields) => (fields['isnull'] === true ? nullValue : plainValue)],
  ['TypeCast', traceCast],
  ['CollateClause', (fields, scope, trace) => traceExpression(fields['arg'], scope, trace)],
  ['FuncCall', traceCall],
  ['A_Expr', traceOperator],
  ['BoolExpr', (fields, scope, trace) => combineBits(traceList(fields['args'], scope, trace))],
  ['BooleanTest', (fields, scope, trace) => combineBits([traceExpression(fields['arg'], scope, trace)])],
  ['NullTest', traceNullTest],
  ['SubLink', traceSubLink],
  ['CoalesceExpr', traceCoalesce],
  ['RowExpr', traceRow],
  ['A_Indirection', traceIndirection],
  ['NamedArgExpr', (fields, scope, trace) => traceExpression(fields['arg'], scope, trace)],
  ['JsonObjectAgg', traceJsonAggregate],
  ['JsonArrayAgg', traceJsonAggregate],
  ['JsonArrayQueryConstructor', traceJsonQuery],
  ['SQLValueFunction', nothing],
  ['GroupingFunc', nothing],
  ['MergeSupportFunc', nothing],
  ['CurrentOfExpr', nothing],
  ['SetToDefault', nothing],
  ['TypeName', nothing],
])

/** Each of a list of expressions. */
export function traceList(list: unknown, scope: Scope, trace: Trace): readonly Value[] {
  return listOf(list).map((each) => traceExpression(each, scope, trace))
}

function traceColumn(fields: Fields, scope: Scope, trace: Trace): Value {
  const parts = textsOf(fields['fields'])
  const isRow = tagged(listOf(fields['fields']).at(-1))?.tag === 'A_Star'
  if (!isRow) return resolveColumn(parts, scope, trace)
  if (parts.length > 0) {
    const [entry, ...others] = findEntries(parts, scope)
    return entry !== undefined && others.length === 0 ? trace.table.wholeRow(entry) : anyOf(parts, scope, trace)
  }
  return either(scope.items.flatMap((item) => item.entries.map((entry) => trace.table.wholeRow(entry))))
}

function traceParameter(fields: Fields, scope: Scope): Value {
  if (scope.parameters === null) return plainValue
  const number = fields['number']
  return typeof number === 'number' ? (scope.parameters[number - 1] ?? plainValue) : unknownValue
}

/** Whether a column is NULL is one bit about it; whether an expression is can be made to tell more. */
function traceNullTest(fields: Fields, scope: Scope, trace: Trace): Value {
  const value = traceExpression(fields['arg'], scope, trace)
  return asBit(value)
}

/** What tells of a value only whether it is there. */
export function asBit(value: Value): Value {
  const bits = combineBits([value])
  return value.direct === null ? bits : { ...bits, sources: noSources, hints: value.sources }
}

/** A count, or a subquery, with constants in place of NULL stays the one bit it is. */
function traceCoalesce(fields: Fields, scope: Scope, trace: Trace): Value {
  const values = traceList(fields['args'], scope, trace)
  const others = values.slice(1)
  const areConstants = others.every((value) => value.isSynthetic && isPlain(value))
  return areConstants ? combineBits(values) : combineWhole(values)
}

function isPlain(value: Value): boolean {
  return combine([value]).sources === noSources && value.references.size === 0
}

function traceRow(fields: Fields, scope: Scope, trace: Trace): Value {
  const columns: Field[] = []
  const uncertain: Value[] = []
  for (const each of listOf(fields['args'])) {
    const star = starFields(each, scope, trace)
    if (star === undefined) columns.push({ name: `f${columns.length + 1}`, value: traceExpression(each, scope, trace) })
    else if (star.fields === null) uncertain.push(star.any)
    else for (const field of star.fields) columns.push({ name: `f${columns.length + 1}`, value: field.value })
  }
  if (uncertain.length === 0) return rowOf(columns, 0)
  return combine([...columns.map(({ value }) => value), ...uncertain])
}

function traceIndirection(fields: Fields, scope: Scope, trace: Trace): Value {
  let value = traceExpression(fields['arg'], scope, trace)
  for (const step of listOf(fields['indirection'])) {
    const found = tagged(step)
    if (found?.tag === 'String') value = selectField(value, textsOf([step])[0] ?? '', scope, trace)
    else if (found?.tag !== 'A_Star') value = combine([value, traceBelow(found?.fields, scope, trace)])
  }
  return value
}

function traceJsonAggregate(fields: Fields, scope: Scope, trace: Trace): Value {
  const constructor = toFields(fields['constructor'])
  const { constructor: _constructor, ...own } = fields
  const args = [traceBelow(own, scope, trace)]
  // RETURNING says which type it is.
  return { ...traceAggregate({ name: 'json_agg', node: constructor, args }, scope, trace), type: 0 }
}

function traceJsonQuery(fields: Fields, scope: Scope, trace: Trace): Value {
  const result = traceQueryNode(fields['query'], scope, trace)
  return withReferences(valueOfRows(result), result)
}
