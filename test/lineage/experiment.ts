import type { FieldDef } from 'pg'
import { columnKey } from '../../src/core/catalog.ts'
import type { ColumnKey } from '../../src/core/catalog.ts'
import type { OutputLineage, Sources, StatementLineage } from '../../src/core/lineage.ts'
import type { Copy, RandomDatabase } from './databases.ts'
import { shownOf } from './shown.ts'

/** What a statement gave in one copy; an error where it failed. */
export type Ran =
  | {
      readonly state: 'rows'
      readonly fields: readonly FieldDef[]
      readonly rows: readonly (readonly (string | null)[])[]
      readonly stored: Stored | null
    }
  | { readonly state: 'failed'; readonly message: string }

/** What tables hold after a write: column, then all values in one text. */
type Stored = ReadonlyMap<ColumnKey, string>

/** What lineage said wrongly of a statement. */
export interface Finding {
  readonly kind: 'shown' | 'count' | 'leak' | 'dependence' | 'split' | 'direct' | 'type' | 'copied' | 'missing' | 'rows'
  readonly what: string
}

/** What was found, and what the run counts. */
export interface Verdict {
  readonly findings: readonly Finding[]
  readonly outputs: number
  readonly tainted: number
  readonly unknown: number
  /** Tainted though the values did not change with any classified value. */
  readonly overMasked: readonly string[]
  readonly hasHazard: boolean
  /** Whether not even the number of outputs could be told. */
  readonly isUnreadable: boolean
}

/** Runs a statement in a transaction that is taken back; a write is asked for what it left in tables. */
export async function run(
  copy: Copy,
  sql: string,
  options: { database: RandomDatabase; isWrite: boolean },
): Promise<Ran> {
  const { client } = copy
  await client.query('BEGIN')
  try {
    const { fields, rows } = await client.query<(string | null)[]>({ text: sql, rowMode: 'array' })
    const stored = options.isWrite ? await storedValues(copy, options.database) : null
    return { state: 'rows', fields, rows, stored }
  } catch (error) {
    return { state: 'failed', message: String(error) }
  } finally {
    await client.query('ROLLBACK')
  }
}

async function storedValues({ client }: Copy, database: RandomDatabase): Promise<Stored> {
  const stored = new Map<ColumnKey, string>()
  for (const { name, kind } of database.world.tables) {
    if (kind === 'partitioned') continue
    const { rows } = await client.query<(string | null)[]>({ text: `SELECT * FROM ONLY ${name}`, rowMode: 'array' })
    const relation = database.catalog.relationsNamed(name).find(({ schema }) => schema === 'public')
    for (const [at, column] of (relation?.columns ?? []).entries()) {
      // A generated column has no value of its own: reading it is reading what it is made of.
      if (relation === undefined || column.isGenerated) continue
      stored.set(columnKey(relation.oid, column.number), rows.map((row) => row[at] ?? '').join('\n'))
    }
  }
  return stored
}

/** Whether one of these columns is among the sources. */
export function meets(sources: Sources, columns: ReadonlySet<ColumnKey>): boolean {
  if (sources === 'unknown') return true
  for (const key of sources) if (columns.has(key)) return true
  return false
}

/** Holds what lineage says of a statement against what really came of it in every copy. */
export function judge(lineage: StatementLineage, ran: readonly Ran[], database: RandomDatabase): Verdict {
  const [first] = ran
  const nothing = {
    outputs: 0,
    tainted: 0,
    unknown: 0,
    overMasked: [],
    hasHazard: lineage.hazards.length > 0,
    isUnreadable: false,
  }
  if (first === undefined || first.state === 'failed') return { findings: [], ...nothing }
  const findings: Finding[] = []
  if (lineage.missing.length > 0)
    findings.push({ kind: 'missing', what: `does not know ${lineage.missing.join(', ')}` })
  const { outputs } = lineage
  // Where not even that can be told nobody from whom anything is kept gets it.
  if (outputs === null) return { findings, ...nothing, isUnreadable: true }
  if (outputs.length !== first.fields.length) {
    const what = `says ${String(outputs.length)} outputs, there are ${String(first.fields.length)}`
    return { findings: [...findings, { kind: 'count', what }], ...nothing }
  }
  const overMasked: string[] = []
  for (const [at, output] of outputs.entries()) {
    const values = first.rows.map((row) => row[at] ?? null)
    const name = `output ${String(at + 1)} (${first.fields[at]?.name ?? ''})`
    findings.push(...judgeOutput({ output, values, name, at, lineage, ran, database }))
    const isTainted = output.sources === 'unknown' || output.sources.size > 0
    if (isTainted && values.some((value) => value !== null) && isSame(first, ran[1], at)) overMasked.push(name)
  }
  findings.push(
    ...judgeRows(lineage, ran, database),
    ...judgeShown(lineage, ran, database),
    ...judgeStored(lineage, first, database),
  )
  return {
    findings,
    outputs: outputs.length,
    tainted: outputs.filter(({ sources }) => sources === 'unknown' || sources.size > 0).length,
    unknown: outputs.filter(({ sources }) => sources === 'unknown').length,
    overMasked,
    hasHazard: lineage.hazards.length > 0,
    isUnreadable: false,
  }
}

interface OutputCase {
  readonly output: OutputLineage
  readonly values: readonly (string | null)[]
  readonly name: string
  readonly at: number
  readonly lineage: StatementLineage
  readonly ran: readonly Ran[]
  readonly database: RandomDatabase
}

function judgeOutput({ output, values, name, at, lineage, ran, database }: OutputCase): Finding[] {
  const findings: Finding[] = []
  const { sources } = output
  const type = ran[0]?.state === 'rows' ? (ran[0].fields[at]?.dataTypeID ?? 0) : 0
  // RowDescription names what a domain is over.
  const said = database.catalog.type(output.type)
  if (output.type !== 0 && output.type !== type && said?.base !== type) {
    findings.push({ kind: 'type', what: `${name}: says type ${String(output.type)}, it is ${String(type)}` })
  }
  if (sources === 'unknown') return findings
  // Only somebody who may unmask what a hazard names gets to run it.
  const allowed = new Set(lineage.hazards.flatMap(({ columns }) => (columns === 'unknown' ? [] : [...columns])))
  if (lineage.hazards.some(({ columns }) => columns === 'unknown')) return findings
  const isWrite = ran[0]?.state === 'rows' && ran[0].stored !== null
  const leaked = (text: string): [ColumnKey, string][] =>
    [...database.canaries.find(text)].filter(
      ([key]) =>
        ![sources, allowed].some((columns) => covers(columns, key as ColumnKey, database)) &&
        !(isWrite && isAlike(sources, key as ColumnKey, database)),
    ) as [ColumnKey, string][]
  for (const value of values) {
    const [leak] = value === null ? [] : leaked(value)
    if (leak === undefined) continue
    findings.push({ kind: 'leak', what: `${name}: shows ${nameOf(leak[0], database)} by ${leak[1]}` })
    break
  }
  const isSplit = values.length >= 6 && values.every((value) => (value ?? '').length <= 2)
  const [split] = isSplit ? leaked(values.join('')) : []
  if (split !== undefined) findings.push({ kind: 'split', what: `${name}: spells ${nameOf(split[0], database)}` })
  for (const [index, copy] of database.copies.entries()) {
    if (index === 0 || (isWrite && sources.size > 0)) continue
    if ([sources, lineage.predicates, allowed].some((columns) => meets(columns, copy.changed))) continue
    const [first] = ran
    if (first !== undefined && ran[index]?.state === 'rows' && !isSame(first, ran[index], at)) {
      findings.push({ kind: 'dependence', what: `${name}: changes with classified columns that are not its sources` })
    }
  }
  if (output.direct !== null && !isWrite && findings.length === 0)
    findings.push(...judgeDirect(output.direct, values, name, database))
  return findings
}

/** What a parent shows of its children's rows is the parent's column or theirs. */
function covers(sources: ReadonlySet<ColumnKey>, key: ColumnKey, database: RandomDatabase): boolean {
  return sources.has(key) || relatives(key, database).some((each) => sources.has(each))
}

/** What was written from one column to another with the same tags is as well kept there, and RETURNING shows it. */
function isAlike(sources: ReadonlySet<ColumnKey>, key: ColumnKey, { classification }: RandomDatabase): boolean {
  const needed = classification.columns.get(key)?.tags ?? []
  return [...sources].some((each) => {
    const tags = classification.columns.get(each)?.tags ?? []
    return needed.every((tag) => tags.includes(tag))
  })
}

function relatives(key: ColumnKey, { catalog, world }: RandomDatabase): readonly ColumnKey[] {
  const found = nameOf(key, { catalog }).split('.')
  const table = world.tables.find(({ name }) => name === found[0])
  const [parent] = table?.parent === undefined || table.parent === null ? [] : catalog.relationsNamed(table.parent)
  const column = parent?.columns.find(({ name }) => name === found[1])
  return parent === undefined || column === undefined ? [] : [columnKey(parent.oid, column.number)]
}

function judgeDirect(
  key: ColumnKey,
  values: readonly (string | null)[],
  name: string,
  database: RandomDatabase,
): Finding[] {
  // A canary is found in it whole or not at all: a part of one would be another value.
  for (const value of values) {
    if (value === null) continue
    const others = [...database.canaries.find(value).keys()].filter(
      (owner) => owner !== key && !relatives(owner as ColumnKey, database).includes(key),
    )
    if (others.length > 0)
      return [{ kind: 'direct', what: `${name}: is not ${nameOf(key, database)} as it is: ${value}` }]
  }
  return []
}

function judgeRows(lineage: StatementLineage, ran: readonly Ran[], database: RandomDatabase): Finding[] {
  const [first] = ran
  if (first?.state !== 'rows') return []
  return database.copies.flatMap((copy, index): Finding[] => {
    const other = ran[index]
    if (other?.state !== 'rows' || meets(lineage.predicates, copy.changed) || other.rows.length === first.rows.length)
      return []
    return [{ kind: 'rows', what: 'the number of rows changes with classified columns that are no predicates' }]
  })
}

/**
 * Of what is masked, what is shown in its place stays the same whatever the classified values are, NULLs included. Which
 * rows there are is up to the conditions.
 */
function judgeShown(lineage: StatementLineage, ran: readonly Ran[], database: RandomDatabase): Finding[] {
  const [first] = ran
  if (first?.state !== 'rows' || lineage.hazards.length > 0) return []
  const shown = shownOf({ lineage, given: first }, database)
  return database.copies.flatMap((copy, index): Finding[] => {
    const other = ran[index]
    if (index === 0 || other?.state !== 'rows' || meets(lineage.predicates, copy.changed)) return []
    if (other.rows.length !== first.rows.length) return []
    const changed = shownOf({ lineage, given: other }, database)
    return shown.flatMap((values, at): Finding[] => {
      if (values === null || values.join('\n') === changed[at]?.join('\n')) return []
      return [{ kind: 'shown', what: `output ${String(at + 1)}: what is shown in its place changes with the values` }]
    })
  })
}

/** After a write that nobody need be kept from, no column holds what it has no tags for. */
function judgeStored(lineage: StatementLineage, first: Ran, database: RandomDatabase): Finding[] {
  if (first.state !== 'rows' || first.stored === null) return []
  const findings: Finding[] = []
  for (const [column, text] of first.stored) {
    const tags = new Set(database.classification.columns.get(column)?.tags)
    for (const owner of database.canaries.find(text).keys()) {
      const key = owner as ColumnKey
      const needed = database.classification.columns.get(key)?.tags ?? []
      if (key === column || needed.every((tag) => tags.has(tag))) continue
      const family = new Set([key, ...relatives(key, database)])
      if (lineage.hazards.some(({ columns }) => meets(columns, family))) continue
      findings.push({ kind: 'copied', what: `${nameOf(key, database)} is now in ${nameOf(column, database)}` })
    }
  }
  return findings
}

/** Whether a column has the same values in two copies, in whatever order. */
function isSame(one: Ran, other: Ran | undefined, at: number): boolean {
  if (one.state !== 'rows' || other?.state !== 'rows') return false
  const sorted = (ran: typeof one): string =>
    JSON.stringify(ran.rows.map((row) => inOrder(row[at] ?? null)).toSorted(byText))
  return sorted(one) === sorted(other)
}

/** An aggregate without ORDER BY takes the rows as they come, and how they come is up to the plan. */
function inOrder(value: string | null): string | null {
  return value === null
    ? null
    : value
        .split(/[,;{}[\]"]/)
        .toSorted(byText)
        .join()
}

function byText(one: string | null, other: string | null): number {
  const [a, b] = [JSON.stringify(one), JSON.stringify(other)]
  return a < b ? -1 : Number(a > b)
}

function nameOf(key: ColumnKey, { catalog }: Pick<RandomDatabase, 'catalog'>): string {
  const [oid, number] = key.split('.').map(Number)
  const relation = catalog.relation(oid ?? 0)
  const column = relation?.columns.find((each) => each.number === number)
  return `${relation?.name ?? ''}.${column?.name ?? ''}`
}
