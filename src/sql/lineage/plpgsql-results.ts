import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { QueryResult } from './context.ts'
import { allOf, withReferences } from './select.ts'
import { union } from './sources.ts'
import { addPresence, addSources, either, plainValue } from './value.ts'
import type { Value } from './value.ts'

/** A result without rows and columns. */
export const noRows: QueryResult = {
  columns: [],
  any: plainValue,
  rowHints: noSources,
  rowSources: noSources,
  outerTaint: noSources,
  references: new Set(),
}

/** A value that a query gives, with what decides whether there is one. */
export function seen(value: Value, result: QueryResult): Value {
  const bits = union(result.rowHints, result.rowSources)
  return withReferences(addSources(addPresence(value, bits), result.outerTaint), result)
}

/** A value with `known` in place of what could be anything. */
export function knownValue(value: Value, known: (sources: Sources) => Sources): Value {
  const fields = value.fields?.map((field) => ({ ...field, value: knownValue(field.value, known) })) ?? null
  const { sources, hints, presence } = value
  if (sources !== 'unknown' && hints !== 'unknown' && presence !== 'unknown') return { ...value, fields }
  return { ...value, fields, sources: known(sources), hints: known(hints), presence: known(presence) }
}

/** Either of two results. */
export function mergeResults(left: QueryResult | undefined, right: QueryResult): QueryResult {
  if (left === undefined) return right
  const isSame = sameShape(left, right)
  return {
    columns: isSame
      ? (left.columns?.map(({ name, value }, index) => ({
          name,
          value: either([value, right.columns?.[index]?.value ?? plainValue]),
        })) ?? null)
      : null,
    any: either([allOf(left), allOf(right)]),
    rowHints: union(left.rowHints, right.rowHints),
    rowSources: union(left.rowSources, right.rowSources),
    outerTaint: union(left.outerTaint, right.outerTaint),
    references: new Set([...left.references, ...right.references]),
  }
}

/** Whether both have as many columns. */
export function sameShape(left: QueryResult, right: QueryResult): boolean {
  return left.columns !== null && left.columns.length === right.columns?.length
}
