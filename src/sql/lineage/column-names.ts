import { noSources } from '../../core/lineage.ts'
import type { Scope, Trace, Item } from './context.ts'
import type { Entry, EntryColumn } from './range-table.ts'
import { callNamed } from './calls.ts'
import { selectField } from './fields.ts'
import { derivedFrom, either, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'

/** Columns that PostgreSQL gives every stored row. They tell where a row is, not what is in it. */
const systemColumns: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

/** The value of `a`, `t.a`, `s.t.a` or `db.s.t.a`, of a whole row `t`, and of `t.f` where f is a function. */
export function resolveColumn(parts: readonly string[], scope: Scope, trace: Trace): Value {
  const name = parts.at(-1)
  if (name === undefined) return unknownValue
  if (parts.length === 1) return resolveBare(name, scope, trace)
  return resolveQualified(parts.slice(0, -1), name, scope, trace)
}

/** The columns of `t.*` or `s.t.*`; null where they cannot be told. */
export function resolveStar(qualifier: readonly string[], scope: Scope, trace: Trace): readonly Field[] | null {
  const entries = findEntries(qualifier, scope)
  const [entry] = entries
  if (entry === undefined) {
    trace.missing.add(qualifier.join('.'))
    return null
  }
  return entries.length === 1 && entry.rest === null ? entry.columns : null
}

/** What any column of `t.*` may be, for where `resolveStar` gives null. */
export function anyOf(qualifier: readonly string[], scope: Scope, trace: Trace): Value {
  const entries = findEntries(qualifier, scope)
  return entries.length === 0 ? unknownValue : either(entries.map((entry) => trace.table.wholeRow(entry)))
}

function resolveBare(name: string, scope: Scope, trace: Trace): Value {
  const found: Value[] = []
  for (let each: Scope | null = scope; each !== null; each = each.outer) {
    const isCertain = collectBare(name, each.items, found, trace)
    if (isCertain) return either(found)
  }
  // Only what is no column anywhere can be a whole row, but a doubtful column may be none.
  for (const entry of findEntries([name], scope)) found.push(trace.table.wholeRow(entry))
  return found.length === 0 ? missingColumn(name, trace) : either(found)
}

/** Whether a column of this name may be in sight. */
export function hasColumn(name: string, scope: Scope): boolean {
  for (let each: Scope | null = scope; each !== null; each = each.outer) {
    const isHere = each.items.some((item) => item.rest !== null || item.columns.some((column) => column.name === name))
    if (isHere) return true
  }
  return false
}

/** Adds what the name may mean in these items; says whether it certainly means something there. */
function collectBare(name: string, items: readonly Item[], found: Value[], trace: Trace): boolean {
  let isCertain = false
  for (const item of items) {
    for (const column of item.columns) {
      if (column.name !== name) continue
      found.push(column.value)
      isCertain ||= !column.isDoubtful
    }
    if (item.rest !== null && item.areNamesKnown !== true) found.push(item.rest)
    if (!isCertain && systemColumns.has(name) && item.entries.some((entry) => entry.isRelation)) {
      found.push(derivedFrom(noSources))
      isCertain = true
    }
  }
  trace.visit()
  return isCertain
}

function resolveQualified(qualifier: readonly string[], name: string, scope: Scope, trace: Trace): Value {
  const entries = findEntries(qualifier, scope)
  if (entries.length === 0) return fieldOfParameter(qualifier, name, scope, trace)
  return either(entries.map((entry) => columnOf(entry, name, scope, trace)))
}

/** In the body of an SQL function, `p.f` and `function.p.f` are a field of a parameter. */
function fieldOfParameter(qualifier: readonly string[], name: string, scope: Scope, trace: Trace): Value {
  const found: Value[] = []
  if (scope.parameters !== null) collectBare(qualifier.at(-1) ?? '', parameterItems(scope), found, trace)
  return found.length === 0
    ? missingColumn([...qualifier, name].join('.'), trace)
    : selectField(either(found), name, scope, trace)
}

function parameterItems(scope: Scope): readonly Item[] {
  return scope.outer === null ? scope.items : parameterItems(scope.outer)
}

function columnOf(entry: Entry, name: string, scope: Scope, trace: Trace): Value {
  const columns = entry.columns.filter((column: EntryColumn) => column.name === name)
  const values = columns.map((column) => column.value)
  if (columns.some((column) => !column.isDoubtful)) return either(values)
  if (entry.rest !== null && entry.areNamesKnown !== true) values.push(entry.rest)
  if (values.length > 0) return either(values)
  if (entry.isRelation && systemColumns.has(name)) return derivedFrom(noSources)
  // PostgreSQL reads t.f as f(t) where t has no such column (ParseFuncOrColumn).
  return callNamed([name], [trace.table.wholeRow(entry)], scope, trace)
}

/** The entries that a qualifier may mean: the nearest of that name, or several where they cannot be told apart. */
export function findEntries(qualifier: readonly string[], scope: Scope): readonly Entry[] {
  const name = qualifier.at(-1)
  const schema = qualifier.length > 1 ? (qualifier.at(-2) ?? null) : null
  for (let each: Scope | null = scope; each !== null; each = each.outer) {
    const named = each.items.flatMap((item) => item.entries).filter((entry) => entry.name === name)
    const fitting = schema === null ? named : named.filter((entry) => entry.schema === null || entry.schema === schema)
    if (fitting.length > 0) return fitting
  }
  return []
}

function missingColumn(name: string, trace: Trace): Value {
  trace.missing.add(name)
  return unknownValue
}
