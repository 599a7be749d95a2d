import type { CatalogRelation } from '../../core/catalog.ts'
import type { StatementLineage } from '../../core/lineage.ts'
import { textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import { addCondition } from './conditions.ts'
import { innerScope } from './context.ts'
import type { QueryResult, Scope, Trace } from './context.ts'
import { formatOf, readingOf } from './copy-options.ts'
import { traceStored } from './from.ts'
import { noteTarget, storedAs } from './assignments.ts'
import { noteChosen } from './returning.ts'
import { settleUnits } from './transfer.ts'
import { allOf, finish, traceQueryNode } from './select.ts'
import { isNone } from './sources.ts'
import { describeColumns } from './names.ts'
import { toFields } from './tree.ts'
import { either, tellsOf, unknownValue } from './value.ts'

/** COPY in all its directions. */
export function copyStatement(fields: Fields, scope: Scope, trace: Trace): QueryResult | null {
  if (fields['is_from'] === true) return copyFrom(fields, scope, trace)
  const format = formatOf(fields['options'])
  if (format.isUncertain) trace.hazard('copies in a way that Postern does not know', 'unknown')
  const result =
    fields['query'] === undefined ? copyOfTable(fields, scope, trace) : traceQueryNode(fields['query'], scope, trace)
  if (fields['filename'] === undefined && fields['is_program'] !== true) {
    trace.copyOut = format
    return result
  }
  const told = tellsOf(allOf(result))
  trace.hazard(`copies ${describeColumns(told, trace)} to where it can be read without Postern`, told)
  return null
}

/** The columns of COPY t (a, b); without a list all but the generated ones. */
function copyOfTable(fields: Fields, scope: Scope, trace: Trace): QueryResult {
  const { item, candidates, level } = stored(fields, scope, trace)
  const named = textsOf(fields['attlist'])
  const all = either([...item.columns.map(({ value }) => value), ...(item.rest === null ? [] : [item.rest])])
  const end = { level, hints: null }
  if (named.length > 0) {
    const columns = named.map((name) => {
      const found = item.columns.filter((column) => column.name === name).map(({ value }) => value)
      if (item.rest !== null && item.areNamesKnown !== true) found.push(item.rest)
      return { name, value: found.length === 0 ? unknownValue : either(found) }
    })
    return finish({ columns, any: all }, end, trace)
  }
  const generated = candidates.map((each) => each.columns.map((column) => column.isGenerated))
  const [first] = generated
  const isSame = generated.every((each) => String(each) === String(first))
  if (item.rest !== null || (candidates.length > 0 && !isSame)) return finish({ columns: null, any: all }, end, trace)
  const columns = item.columns.filter((_column, index) => first?.[index] !== true)
  return finish({ columns, any: all }, end, trace)
}

function copyFrom(fields: Fields, scope: Scope, trace: Trace): null {
  const target = stored(fields, scope, trace)
  noteTarget(target, trace)
  if (fields['whereClause'] !== undefined) addCondition(fields['whereClause'], target.scope, target.level, trace)
  settleUnits(target.level, trace)
  noteChosen('keeps', target, trace)
  if (fields['filename'] !== undefined || fields['is_program'] === true) {
    trace.hazard('copies from a file or program of the server', 'unknown')
    return null
  }
  trace.copyIn = copyInOf(target.candidates, fields, trace)
  return null
}

/** The classified columns by position, and how they are read; null where it could be told for no single relation. */
function copyInOf(candidates: readonly CatalogRelation[], fields: Fields, trace: Trace): StatementLineage['copyIn'] {
  const named = textsOf(fields['attlist'])
  const { forcesNull, forcesNotNull, ...how } = readingOf(fields['options'])
  const [relation, ...others] = candidates
  if (relation === undefined) return null
  if (others.length > 0) {
    const touched = candidates.some((each) => !isNone(trace.schema.touchedOf(each.oid)))
    if (touched) trace.hazard('copies into one of several relations of the name', 'unknown')
    return null
  }
  const columns =
    named.length === 0
      ? relation.columns.filter((column) => !column.isGenerated)
      : named.map((name) => relation.columns.find((column) => column.name === name))
  const filled = columns.map((column) => {
    const key = column === undefined ? null : storedAs(relation, column, trace).direct
    if (key === null || column === undefined) return null
    return { key, forcesNull: forcesNull(column.name), forcesNotNull: forcesNotNull(column.name) }
  })
  return { relation: relation.oid, columns: filled, ...how }
}

function stored(
  fields: Fields,
  outer: Scope,
  trace: Trace,
): ReturnType<typeof traceStored> & {
  readonly level: ReturnType<typeof trace.table.level>
  readonly scope: Scope
} {
  const level = trace.table.level()
  const scope = innerScope(outer, { level, items: [] })
  const found = traceStored(toFields(fields['relation']), { lateral: scope, around: outer, level }, trace)
  scope.items.push(found.item)
  return { ...found, level, scope }
}
