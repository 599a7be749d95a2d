import { isFields } from '../parse-tree.ts'
import { innerScope } from './context.ts'
import type { Item, QueryResult, Trace } from './context.ts'
import { describeColumns } from './names.ts'
import { finish } from './select.ts'
import { isNone } from './sources.ts'
import { targetsOf } from './targets.ts'
import { fieldsOf, listOf } from './tree.ts'
import { plainValue } from './value.ts'
import type { Target } from './writes.ts'

/** RETURNING, with OLD and NEW under whatever names they have. */
export function traceReturning(clause: unknown, target: Target, trace: Trace): QueryResult {
  const { level } = target
  if (!isFields(clause)) return finish({ columns: [], any: plainValue }, { level, hints: null }, trace)
  const options = listOf(clause['options']).map((each) => fieldsOf(each, 'ReturningOption')?.['value'])
  const renamed = options.filter((each) => typeof each === 'string')
  const versions = ['old', 'new', ...renamed].map((name) => versionOf(name, target, trace))
  const scope = innerScope(target.scope, { level, items: [...target.scope.items, ...versions] })
  const targets = targetsOf(listOf(clause['exprs']), scope, trace)
  targets.traceAll()
  return finish({ columns: targets.columns, any: targets.any }, { level, hints: null }, trace)
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
export function noteChosen(does: 'deletes' | 'keeps', { item, candidates }: Target, trace: Trace): void {
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
