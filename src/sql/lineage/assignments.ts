import { isDeepStrictEqual } from 'node:util'
import { columnKey } from '../../core/catalog.ts'
import type { CatalogColumn, CatalogRelation, ColumnKey } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Trace } from './context.ts'
import { literalsOf } from './literals.ts'
import { describeColumns } from './names.ts'
import { areTagsCarried, isNone, only, union } from './sources.ts'
import { expressionSources } from './stored.ts'
import type { Value } from './value.ts'
import type { Target } from './writes.ts'

/** A value on its way into a column. */
export interface Assignment {
  readonly name: string
  readonly value: Value
  /** Where it is written in the statement, for its constants and parameters. */
  readonly expressions: readonly unknown[]
  readonly isReplacing: boolean
  /** Whether only an element or field of the column is set. */
  readonly isPart: boolean
}

/** Notes what is certain to happen with whatever is written to a relation. */
export function noteTarget({ candidates }: Pick<Target, 'candidates'>, trace: Trace): void {
  for (const relation of candidates) {
    const name = `${relation.schema}.${relation.name}`
    if (relation.hasRules) trace.hazard(`writes to ${name}, whose rules may do something else`, 'unknown')
    if (relation.schema === 'pg_catalog' && relation.kind === 'table') {
      trace.hazard(`writes to the system catalog ${name}`, 'unknown')
    }
  }
}

/** Notes a value that is written: where its tags do not follow, only those may run it who may see the value. */
export function assign(given: Assignment, { candidates, made }: Target, trace: Trace): void {
  const { name, value } = given
  if (value.direct === null || given.isPart) made.set(name, union(made.get(name) ?? noSources, value.sources))
  if (candidates.length === 0) trace.observer?.assigned(null, name, value)
  for (const relation of candidates) trace.observer?.assigned(relation, name, value)
  if (candidates.length === 0) trace.hazard(`copies ${describeColumns(value.sources, trace)}`, value.sources)
  for (const relation of candidates) {
    const column = relation.columns.find((each) => each.name === name)
    if (column !== undefined) assignTo(relation, column, given, trace)
    else if (!isNone(value.sources))
      trace.hazard(copies(value.sources, `${relation.schema}.${relation.name}`, trace), value.sources)
  }
}

function assignTo(relation: CatalogRelation, column: CatalogColumn, given: Assignment, trace: Trace): void {
  const { sources } = given.value
  const { direct } = storedAs(relation, column, trace)
  const target: Sources = direct === null ? new Set() : only(direct)
  const name = `${relation.schema}.${relation.name}.${column.name}`
  if (!areTagsCarried(sources, target, trace.schema.classification)) {
    trace.hazard(copies(sources, name, trace), sources)
  } else if (direct !== null && sources !== 'unknown' && [...sources].some((each) => each !== direct)) {
    // The same tags may be shown in one column and not in another.
    trace.hazard(`copies ${describeColumns(sources, trace)} to ${name}, which may be seen`, sources, direct)
  }
  if (direct === null) return
  noteShownPart(relation, column, { given, direct }, trace)
  for (const expression of given.expressions) {
    const literals = literalsOf(expression)
    if (literals === null) continue
    trace.writes.push({
      target: direct,
      isReplacing: given.isReplacing,
      ...literals,
      isExact: literals.isExact && !given.isPart,
    })
  }
}

/**
 * Masking functions that show a part of a value, or which values are equal, are made for the values of their column.
 * Whoever could put a piece of a value there would read that piece, and then the next. Of a placeholder nothing is read
 * but whether there is a value: that spells another column's, piece by piece over rows that somebody makes.
 */
function noteShownPart(
  relation: CatalogRelation,
  column: CatalogColumn,
  { given, direct }: { readonly given: Assignment; readonly direct: ColumnKey },
  trace: Trace,
): void {
  const { columns } = trace.schema.classification
  const rule = columns.get(direct)?.masking
  if (rule === undefined || rule.function === 'null') return
  const from = given.value.direct
  if (rule.function === 'redact' && (from !== null || isOwnOnly(given.value.sources, direct))) return
  const isWhole = from !== null && !given.isPart && isDeepStrictEqual(columns.get(from)?.masking, rule)
  if (isWhole) return
  const name = `${relation.schema}.${relation.name}.${column.name}`
  const { sources } = given.value
  const why = rule.function === 'redact' ? 'whose NULLs may be seen' : 'which is shown in part'
  trace.hazard(`puts what it makes of ${describeColumns(sources, trace)} into ${name}, ${why}`, sources)
}

function isOwnOnly(sources: Sources, own: ColumnKey): boolean {
  return sources !== 'unknown' && [...sources].every((each) => each === own)
}

/** The classified column that a value ends up in: of a view the one that it shows. */
export function storedAs(
  relation: CatalogRelation,
  column: CatalogColumn,
  trace: Trace,
): { readonly direct: ColumnKey | null } {
  const key = columnKey(relation.oid, column.number)
  if (trace.schema.classification.columns.has(key) && relation.definition === null) return { direct: key }
  if (relation.definition === null) return { direct: null }
  return trace.schema.sourcesOf(relation.oid, column.number)
}

function copies(sources: Sources, target: string, trace: Trace): string {
  return `copies ${describeColumns(sources, trace)} to ${target}, which does not carry its tags`
}

/** Notes what columns get that the statement leaves to their defaults. */
export function assignDefaults(named: ReadonlySet<string>, target: Target, trace: Trace): void {
  for (const relation of target.candidates) {
    for (const column of relation.columns) {
      const { expression } = column
      if (expression === null || column.isGenerated || named.has(column.name) || isPlainDefault(expression)) continue
      const sources = trace.schema.remember<Sources>(`default ${relation.oid}.${column.number}`, 'unknown', () =>
        expressionSources(relation, expression, trace.schema),
      )
      if (isNone(sources)) continue
      const own = storedAs(relation, column, trace).direct
      if (areTagsCarried(sources, own === null ? new Set() : only(own), trace.schema.classification)) continue
      trace.hazard(copies(sources, `${relation.schema}.${relation.name}.${column.name}`, trace), sources)
    }
  }
}

/** Defaults that most tables have, so that they need not be parsed. */
function isPlainDefault(expression: string): boolean {
  return /^(now\(\)|CURRENT_TIMESTAMP|true|false|-?\d+|nextval\('[^']*'::regclass\)|'[^']*'::[a-z ]+|gen_random_uuid\(\))$/.test(
    expression,
  )
}
