import { noSources } from '../../core/lineage.ts'
import type { Fields } from '../parse-tree.ts'
import { textsOf } from '../parse-tree.ts'
import { isWholeValue } from './conditions.ts'
import { findQuery } from './context.ts'
import type { QueryResult, Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { applyOperator } from './operators.ts'
import { allOf, traceQueryNode, withReferences } from './select.ts'
import { isNone, union } from './sources.ts'
import { fieldsOf, listOf } from './tree.ts'
import { addPresence, addSources, combine, plainValue, rowOf, tellsOf } from './value.ts'
import type { Value } from './value.ts'

/** A subquery in place of a value. */
export function traceSubLink(fields: Fields, scope: Scope, trace: Trace): Value {
  const result = traceQueryNode(fields['subselect'], scope, trace)
  const bits = union(result.rowHints, result.rowSources)
  trace.addPredicates(bits)
  const name = result.columns?.[0]?.name
  if (name !== undefined) trace.subqueryNames.set(fields, name)
  if (!isWhole(fields, result, scope)) trace.partialSubqueries.add(fields)
  switch (fields['subLinkType']) {
    case 'EXISTS_SUBLINK':
      return withReferences({ ...plainValue, hints: bits, sources: result.outerTaint }, result)
    case 'EXPR_SUBLINK':
    case 'MULTIEXPR_SUBLINK': {
      const value = addSources(addPresence(rowValue(result), bits), result.outerTaint)
      return withReferences(value, result)
    }
    case 'ARRAY_SUBLINK':
      return withReferences(addPresence(valueOfRows(result), bits), result)
    default:
      return withReferences(traceComparison(fields, { result, bits }, scope, trace), result)
  }
}

/** Whether what a subquery gives are columns as they are, or the least, the average and the like of one. */
function isWhole(fields: Fields, { columns, rowSources }: QueryResult, scope: Scope): boolean {
  if (fields['subLinkType'] === 'EXISTS_SUBLINK') return true
  const isDirect = columns?.every(({ value }) => isNone(union(value.sources, value.hints)) || value.direct !== null)
  if (isDirect === true) return true
  if (!isNone(rowSources)) return false
  const select = fieldsOf(fields['subselect'], 'SelectStmt')
  const areTables = listOf(select?.['fromClause']).every((each) => {
    const table = fieldsOf(each, 'RangeVar')
    return table !== null && findQuery(String(table['relname']), scope) === null
  })
  const targets = listOf(select?.['targetList']).map((each) => fieldsOf(each, 'ResTarget')?.['val'])
  return areTables && select?.['withClause'] === undefined && targets.length > 0 && targets.every(isWholeValue)
}

/** `x IN (SELECT ...)`, ANY and ALL. */
function traceComparison(
  fields: Fields,
  { result, bits }: { result: QueryResult; bits: QueryResult['rowHints'] },
  scope: Scope,
  trace: Trace,
): Value {
  const tested = traceExpression(fields['testexpr'], scope, trace)
  const found = allOf(result)
  const operator = textsOf(fields['operName'])
  const compared = applyOperator(operator.length === 0 ? ['='] : operator, [tested, found], scope, trace)
  const sources = union(compared.sources, union(tested.hints, found.hints))
  return addSources(addPresence({ ...compared, hints: noSources, sources }, bits), result.outerTaint)
}

/** The one row of a scalar subquery. */
function rowValue(result: QueryResult): Value {
  const { columns } = result
  if (columns === null) return result.any
  const [first] = columns
  if (first === undefined) return plainValue
  return columns.length === 1 ? first.value : rowOf(columns, 0)
}

/** All rows of a query put together, as an array or a JSON text: what decides which those are is part of it. */
export function valueOfRows(result: QueryResult): Value {
  const all = combine([allOf(result)])
  const told = union(result.rowSources, result.outerTaint)
  const value = addSources(all, told)
  if (!all.isSynthetic || isNone(tellsOf(all)) === isNone(result.rowHints)) return addPresence(value, result.rowHints)
  return addSources(value, result.rowHints)
}
