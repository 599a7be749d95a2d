import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Fields } from '../parse-tree.ts'
import { addCondition, addDecision } from './conditions.ts'
import { innerScope } from './context.ts'
import type { QueryResult, Scope, Trace } from './context.ts'
import { finish, traceLimits, traceSelect } from './select.ts'
import { areTagsCarried, isNone, union, unionAll } from './sources.ts'
import { fieldsOf, listOf, toFields } from './tree.ts'
import { addHints, addSources, either, tellsOf, unionReferences, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'

/** Traces UNION, INTERSECT and EXCEPT with their ORDER BY and LIMIT. */
export function traceSetOperation(node: Fields, scope: Scope, trace: Trace): QueryResult {
  const left = traceSelect(toFields(node['larg']), scope, trace)
  const right = traceSelect(toFields(node['rarg']), scope, trace)
  const both = merged(node, left, right, trace)
  const isOrdered =
    listOf(node['sortClause']).length > 0 || node['limitCount'] !== undefined || node['limitOffset'] !== undefined
  return isOrdered ? ordered(node, both, scope, trace) : both
}

function merged(node: Fields, left: QueryResult, right: QueryResult, trace: Trace): QueryResult {
  const isUnionAll = node['op'] === 'SETOP_UNION' && node['all'] === true
  const isHinted = !isNone(left.rowHints) && !isNone(right.rowHints)
  const armHints = isHinted ? union(left.rowHints, right.rowHints) : noSources
  const columns = pair(left, right)?.map(({ name, values }) => ({ name, value: eitherArm(values, armHints) })) ?? null
  let rowHints = union(left.rowHints, right.rowHints)
  if (!isUnionAll) {
    // Rows that are equal are one, or are looked for in the other arm.
    const compared = unionAll([tellsOf(left.any), tellsOf(right.any), ...toldBy(columns)])
    rowHints = union(rowHints, compared)
    trace.addPredicates(compared)
  }
  const result: QueryResult = {
    columns,
    any: eitherArm([left.any, right.any, ...(columns === null ? valuesOf(left, right) : [])], armHints),
    rowHints,
    rowSources: union(left.rowSources, right.rowSources),
    outerTaint: union(left.outerTaint, right.outerTaint),
    references: unionReferences(left.references, right.references),
  }
  // Which rows are left is decided by comparing, column by column.
  const compared = node['op'] === 'SETOP_UNION' ? null : comparedIn(left, right, trace)
  if (compared === null || isNone(compared)) return result
  const taint = (value: Value): Value => addSources(value, compared)
  return {
    ...result,
    columns: result.columns?.map(({ name, value }) => ({ name, value: taint(value) })) ?? null,
    any: taint(result.any),
    rowSources: union(result.rowSources, compared),
  }
}

/**
 * Several arms behind conditions on classified columns are more than one bit. Constants tell which arm it was, and
 * even stored values could stand for one, so that nothing may be put together from them any more.
 */
function eitherArm(values: readonly Value[], armHints: Sources): Value {
  const value = either(values)
  if (isNone(armHints)) return value
  const hints = unionAll([armHints, ...values.map((each) => each.hints)])
  const isChosen = values.every((each) => each.isSynthetic && !each.isCount && !isNone(each.hints))
  return isChosen ? addSources(value, hints) : addHints(value, hints)
}

function comparedIn(left: QueryResult, right: QueryResult, trace: Trace): QueryResult['rowSources'] {
  const { classification } = trace.schema
  const pairs: readonly (readonly [Value, Value])[] = pair(left, right)?.map(({ values }) => values) ?? [
    [left.any, right.any],
  ]
  return unionAll(
    pairs.flatMap(([first, second]) => {
      const isCarried =
        areTagsCarried(first.sources, second.sources, classification) &&
        areTagsCarried(second.sources, first.sources, classification)
      return isCarried ? [] : [first.sources, second.sources]
    }),
  )
}

function pair(
  left: QueryResult,
  right: QueryResult,
): readonly { readonly name: string; readonly values: readonly [Value, Value] }[] | null {
  if (left.columns === null || left.columns.length !== right.columns?.length) return null
  const others = right.columns
  return left.columns.map(({ name, value }, index) => ({ name, values: [value, others[index]?.value ?? unknownValue] }))
}

function valuesOf(...results: readonly QueryResult[]): readonly Value[] {
  return results.flatMap((result) => result.columns?.map(({ value }) => value) ?? [])
}

function toldBy(columns: readonly Field[] | null): readonly QueryResult['rowHints'][] {
  return columns?.map(({ value }) => tellsOf(value)) ?? ['unknown']
}

function ordered(node: Fields, both: QueryResult, outer: Scope, trace: Trace): QueryResult {
  const level = trace.table.level()
  const columns = both.columns?.map((column) => ({ ...column, isDoubtful: false })) ?? []
  const rest = both.columns === null ? both.any : null
  const entry = trace.table.add({ name: null, schema: null, columns, rest, isRelation: false, rowType: 0, level })
  const scope = innerScope(outer, { level, items: [{ entries: [entry], columns: entry.columns, rest: entry.rest }] })
  level.rowHints = both.rowHints
  level.rowSources = both.rowSources
  level.outerTaint = both.outerTaint
  level.references = both.references
  for (const each of listOf(node['sortClause'])) {
    const key = fieldsOf(each, 'SortBy')?.['node']
    const number = toFields(fieldsOf(key, 'A_Const')?.['ival'])['ival']
    if (typeof number === 'number') addDecision(entry.columns[number - 1]?.value ?? both.any, level, trace)
    else addCondition(key, scope, level, trace, true)
  }
  traceLimits(node, { scope, level }, trace)
  return finish({ columns: both.columns === null ? null : entry.columns, any: both.any }, { level, hints: null }, trace)
}
