import { noSources } from '../../core/lineage.ts'
import { isFields } from '../parse-tree.ts'
import { innerScope } from './context.ts'
import type { Item, QueryResult, Trace } from './context.ts'
import { describeColumns } from './names.ts'
import { finish } from './select.ts'
import { isNone, unionAll } from './sources.ts'
import { targetsOf } from './targets.ts'
import { fieldsOf, listOf } from './tree.ts'
import { plainValue, withdraw } from './value.ts'
import type { Target } from './writes.ts'

/** RETURNING, with OLD and NEW under whatever names they have. */
export function traceReturning(clause: unknown, target: Target, trace: Trace): QueryResult {
  const { level } = target
  if (!isFields(clause)) return finish({ columns: [], any: plainValue }, { level, hints: null }, trace)
  const options = listOf(clause['options']).map((each) => fieldsOf(each, 'ReturningOption')?.['value'])
  const renamed = options.filter((each) => typeof each === 'string')
  const item = returned(target, trace)
  const versions = ['old', 'new', ...renamed].map((name) => versionOf(name, { ...target, item }, trace))
  const items = target.scope.items.map((each) => (each === target.item ? item : each))
  const scope = innerScope(target.scope, { level, items: [...items, ...versions] })
  const targets = targetsOf(listOf(clause['exprs']), scope, trace)
  targets.traceAll()
  return finish({ columns: targets.columns, any: targets.any }, { level, hints: null }, trace)
}

/** The target, with what was written by expressions in place of columns as they are. */
function returned({ item, made, level }: Target, trace: Trace): Item {
  const [entry] = item.entries
  if (entry === undefined || [...made.values()].every(isNone)) return item
  const columns = item.columns.map((column) => {
    const value = withdraw(column.value, made.get(column.name) ?? noSources)
    return value === column.value ? column : { ...column, value }
  })
  const rest = item.rest === null ? null : withdraw(item.rest, unionAll([...made.values()]))
  const { name, schema, isRelation, rowType, areNamesKnown = false } = entry
  const alias = trace.table.addAlias({ name, schema, columns, rest, isRelation, rowType, level, areNamesKnown })
  return { ...item, entries: [alias], columns, rest }
}

/** The target under another name; its columns can only be named with that. */
function versionOf(name: string, { item, level }: Target, trace: Trace): Item {
  const columns = item.columns
  const entry = trace.table.addAlias({
    name,
    schema: null,
    columns,
    rest: item.rest,
    isRelation: true,
    rowType: item.entries[0]?.rowType ?? 0,
    level,
  })
  return { entries: [entry], columns: [], rest: null }
}

/** Which rows are left tells what those that are gone were compared with. */
export function noteChosen(
  does: 'deletes' | 'keeps',
  { item, candidates }: Pick<Target, 'item' | 'candidates'>,
  trace: Trace,
): void {
  const [entry] = item.entries
  if (entry === undefined || isNone(entry.taint.all)) return
  const [relation] = candidates
  const name = relation === undefined ? 'rows' : `rows of ${relation.schema}.${relation.name}`
  trace.hazard(`${does} ${name} by comparing them with ${describeColumns(entry.taint.all, trace)}`, entry.taint.all)
}

/** The columns that a list of targets names. */
export function namesOf(list: unknown): readonly string[] {
  return listOf(list).map((each) => String(fieldsOf(each, 'ResTarget')?.['name']))
}
