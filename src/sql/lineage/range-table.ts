import type { Oid } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import { isNone, union, unionAll } from './sources.ts'
import { addHints, addSources, rowOf, unionReferences, noReferences } from './value.ts'
import type { Field, References, Value } from './value.ts'

/** Columns of one range table entry that can be told apart; PostgreSQL allows 1,600, and 1,664 in a result. */
const columnsMax = 4_000

/** The position of what stands for all rows of a query level together. */
const rowsPosition = 4_095

/** A query level: its FROM, and what decides which rows it has. */
export interface Level {
  /** Conditions, sort keys and the like, to be settled when all are known; see `transfer.ts`. */
  readonly units: Unit[]
  /** Classified columns that decide which rows there are. */
  rowHints: Sources
  /** Classified columns that decide how many there are, other than by choosing among those that are stored. */
  rowSources: Sources
  /** Classified columns that rows were compared with, so that which rows there are, and how often, spells them. */
  transferSources: Sources
  /** Classified columns that a LIMIT or OFFSET is worked out from: which rows are left tells what they hold. */
  cutSources: Sources
  /** What was learnt about entries of outer levels here: their rows were compared with these columns. */
  outerTaint: Sources
  /** What conditions here point to in outer levels. */
  references: References
  /** The entry that stands for the rows. */
  readonly rows: Entry
  /** Whether rows of one of its items need not be there. */
  hasOuterJoin: boolean
  /** Whether there is an aggregate of this level. */
  isAggregated: boolean
}

/** A condition as one unit: what compares inside of it, and its parts between which nothing is compared. */
export interface Unit {
  readonly atoms: readonly Atom[]
  /** Whether the unit is an OR of atoms, or a single one. */
  readonly isSimple: boolean
  /** Whether it compares rows with each other, as sorting and grouping do. */
  readonly isOrdering: boolean
}

/** A part of a condition that AND, OR and NOT do not divide further. */
export interface Atom {
  readonly value: Value
  /** Whether it looks for something given in a text put together from columns, so that it compares no two of them. */
  readonly isSearch: boolean
  /** Whether it compares columns as they are, apart from upper and lower case. */
  readonly isWhole: boolean
  /** Whether it is one column that equals another. */
  readonly isEquality: boolean
  /** Whether it is nothing but a column. */
  readonly isColumn: boolean
  /** Its subqueries in place of a value. */
  readonly parts: readonly object[]
}

/** A range table entry: a relation, subquery, function, join alias or the like under its name. */
export interface Entry {
  readonly id: number
  /** Null where nothing can refer to it by name. */
  readonly name: string | null
  readonly schema: string | null
  readonly columns: readonly EntryColumn[]
  /** Whether there may be columns that are not listed; `rest` is what is known of those. */
  readonly rest: Value | null
  /** Whether every name that a column may have is listed, be it not certain which of them there are. */
  readonly areNamesKnown?: boolean
  /** Whether it has system columns such as ctid. */
  readonly isRelation: boolean
  readonly rowType: Oid
  /** Relations it may be, for functions that take their rows. */
  readonly level: Level
  readonly taint: Taint
}

/** One column of an entry. */
export interface EntryColumn extends Field {
  /** Whether the column need not exist, because it does not in all relations that the name may mean. */
  readonly isDoubtful: boolean
}

/** What an entry's columns turned out to derive from, since its rows were chosen by comparing them. */
export interface Taint {
  all: Sources
  hints: Sources
  readonly columns: Map<number, Sources>
}

/** All entries of one statement. */
export class RangeTable {
  readonly #entries: Entry[] = []

  /** A new query level without anything. */
  level(): Level {
    const level: { -readonly [Key in keyof Level]: Level[Key] } = {
      units: [],
      rowHints: noSources,
      rowSources: noSources,
      transferSources: noSources,
      cutSources: noSources,
      outerTaint: noSources,
      references: noReferences,
      rows: placeholder,
      hasOuterJoin: false,
      isAggregated: false,
    }
    level.rows = this.add({ name: null, schema: null, columns: [], rest: null, isRelation: false, rowType: 0, level })
    return level
  }

  /** An entry whose columns are its own: what is learnt about it later reaches all that was read from it. */
  add(given: Omit<Entry, 'id' | 'taint'>): Entry {
    const id = this.#entries.length
    const columns = given.columns.map((column, index) => ({
      ...column,
      value: { ...column.value, references: unionReferences(column.value.references, new Set([key(id, index)])) },
    }))
    const rest =
      given.rest === null
        ? null
        : { ...given.rest, references: unionReferences(given.rest.references, new Set([key(id, columnsMax)])) }
    const entry: Entry = {
      ...given,
      columns,
      rest,
      id,
      taint: { all: noSources, hints: noSources, columns: new Map() },
    }
    this.#entries.push(entry)
    return entry
  }

  /** An entry that gives other entries' columns another name, such as the alias of a join. */
  addAlias(given: Omit<Entry, 'id' | 'taint'>): Entry {
    const entry: Entry = {
      ...given,
      id: this.#entries.length,
      taint: { all: noSources, hints: noSources, columns: new Map() },
    }
    this.#entries.push(entry)
    return entry
  }

  /** The entry and position that a reference means. */
  find(reference: number): { readonly entry: Entry; readonly position: number } | null {
    const entry = this.#entries[Math.floor(reference / (rowsPosition + 1))]
    return entry === undefined ? null : { entry, position: reference % (rowsPosition + 1) }
  }

  /** What the entries that are pointed to turned out to derive from. */
  taintOf(references: References): Sources {
    return unionAll([...references].map((reference) => this.#taintOf(reference, 'all')))
  }

  /** A value with what was learnt about the entries of this level that it points to; it points to outer ones only. */
  settle(value: Value, level: Level): Value {
    const own: number[] = []
    const outer: number[] = []
    for (const each of value.references) (this.find(each)?.entry.level === level ? own : outer).push(each)
    const innerOwn: number[] = []
    const innerOuter: number[] = []
    for (const each of value.innerReferences) {
      if (this.find(each)?.entry.level === level) innerOwn.push(each)
      else innerOuter.push(each)
    }
    if (own.length === 0 && innerOwn.length === 0) return value
    const taint = unionAll([...own, ...innerOwn].map((each) => this.#taintOf(each, 'all')))
    const hints = unionAll([...own, ...innerOwn].map((each) => this.#taintOf(each, 'hints')))
    const fields = value.fields?.map((field) => ({ ...field, value: this.settle(field.value, level) })) ?? null
    const bare = { ...value, fields, references: new Set(outer), innerReferences: new Set(innerOuter) }
    const told = addSources(bare, taint)
    return value.isCombined ? addSources(told, hints) : addHints(told, hints)
  }

  /** What points to the rows of a level as a whole. */
  rowsOf(level: Level): References {
    return new Set([key(level.rows.id, rowsPosition)])
  }

  /** The whole row of an entry. */
  wholeRow(entry: Entry): Value {
    if (entry.rest !== null) {
      const fields = [...entry.columns, { name: '', value: entry.rest }]
      return { ...rowOf(fields, 0), fields: null }
    }
    return rowOf(entry.columns, entry.rowType)
  }

  #taintOf(reference: number, kind: 'all' | 'hints'): Sources {
    const found = this.find(reference)
    if (found === null) return 'unknown'
    const { entry, position } = found
    if (position === rowsPosition) return kind === 'all' ? entry.level.rowSources : noSources
    if (kind === 'hints') return entry.taint.hints
    return union(entry.taint.all, entry.taint.columns.get(position) ?? noSources)
  }
}

/** Whether a reference is to the rows of a level and not to a column. */
export function isRows(reference: number): boolean {
  return reference % (rowsPosition + 1) === rowsPosition
}

/** The column that is pointed to, or what is known of the columns that are not listed. */
export function valueAt(entry: Entry, position: number): Value | null {
  return position === columnsMax ? entry.rest : (entry.columns[position]?.value ?? null)
}

/** Adds to what is known of a whole entry; says whether that is new. */
export function taintAll(entry: Entry, sources: Sources): boolean {
  if (isNone(sources)) return false
  const after = union(entry.taint.all, sources)
  if (sizeOf(after) === sizeOf(entry.taint.all)) return false
  entry.taint.all = after
  return true
}

/** As `taintAll` for one column. */
export function taintColumn(entry: Entry, position: number, sources: Sources): boolean {
  const before = entry.taint.columns.get(position) ?? noSources
  const after = union(before, sources)
  if (sizeOf(after) === sizeOf(before)) return false
  entry.taint.columns.set(position, after)
  return true
}

/** As `taintAll` for one-bit knowledge. */
export function taintHints(entry: Entry, sources: Sources): boolean {
  const after = union(entry.taint.hints, sources)
  if (sizeOf(after) === sizeOf(entry.taint.hints)) return false
  entry.taint.hints = after
  return true
}

function sizeOf(sources: Sources): number {
  return sources === 'unknown' ? Infinity : sources.size
}

function key(entry: number, position: number): number {
  return entry * (rowsPosition + 1) + position
}

const placeholder = {} as Entry
