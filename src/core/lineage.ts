import type { ColumnKey, Oid } from './catalog.ts'

/*
 * What a statement does with classified columns. Only those are in the sets: a column without tags derives from
 * nothing. Sets over-approximate; `unknown` stands for every classified column of the database.
 */

/** Classified columns, or all of the database where it could not be told. */
export type Sources = ReadonlySet<ColumnKey> | 'unknown'

/** One output column of a statement that returns rows, or one column of COPY TO. */
export interface OutputLineage {
  /** The classified columns that its values may derive from. */
  readonly sources: Sources
  /** Set where every value is exactly that of this classified column, so that its masking function makes sense. */
  readonly direct: ColumnKey | null
  /** The type if it could be told, else 0; PostgreSQL's RowDescription knows better where there is one. */
  readonly type: Oid
  readonly typeModifier: number
  /** Set where the value is a whole row, field by field in the order of its type. */
  readonly fields: readonly OutputLineage[] | null
}

/** Who may run the statement at all: only those who may unmask all of `columns`. */
export interface Hazard {
  /** Completes "refused, because it ...": `copies shop.customers.email to public.notes.text, which does not carry its tags`. */
  readonly reason: string
  readonly columns: Sources
  /** A classified column to which the values go: whoever may not see that one either learns nothing. */
  readonly unlessMasked?: ColumnKey
}

/** A value written into a classified column, so that a placeholder that comes back can be recognised. */
export interface ClassifiedWrite {
  readonly target: ColumnKey
  /** Whether it replaces a value that is there (UPDATE, ON CONFLICT DO UPDATE, MERGE), or adds one. */
  readonly isReplacing: boolean
  /** Whether the value is one constant or parameter as it is (casts aside); else they are parts of an expression. */
  readonly isExact: boolean
  /** The texts of constants in it; null is NULL. */
  readonly constants: readonly (string | null)[]
  /** The numbers of parameters in it, from 1. */
  readonly parameters: readonly number[]
}

/** A table that the statement makes out of a query. */
export interface CreatedRelation {
  readonly schema: string | null
  readonly name: string
  readonly isTemporary: boolean
  readonly columns: readonly { readonly name: string; readonly sources: Sources; readonly direct: ColumnKey | null }[]
}

/** How COPY writes and reads its lines. */
export interface CopyFormat {
  readonly format: 'text' | 'csv' | 'binary'
  readonly hasHeader: boolean
  /** One character each, as PostgreSQL's defaults are where the statement does not say. */
  readonly delimiter: string
  readonly quote: string
  readonly escape: string
  /** What stands for NULL. */
  readonly null: string
  /** Set where an option was not understood; the statement then has a hazard too. */
  readonly isUncertain: boolean
}

/** One classified column that COPY FROM STDIN fills. */
export interface CopyInColumn {
  readonly key: ColumnKey
  /** Whether a quoted field of the text of NULL is NULL too. */
  readonly forcesNull: boolean
  /** Whether the text of NULL is a value there. */
  readonly forcesNotNull: boolean
}

/** What COPY FROM STDIN fills, and how it reads its rows. */
export interface CopyIn {
  readonly relation: Oid
  /** By position in the data; null for a column that is not classified. */
  readonly columns: readonly (CopyInColumn | null)[]
  readonly format: CopyFormat
  /** What stands for the column's default; null where nothing does. */
  readonly default: string | null
  /** The encoding as the statement names it; null where it is client_encoding. */
  readonly encoding: string | null
}

/** The lineage of one statement under one catalog snapshot, classification and search path. */
export interface StatementLineage {
  /**
   * What it returns, in order: rows of a query, RETURNING or EXPLAIN, columns of COPY TO, and for DECLARE the rows of
   * its cursor. Empty where it returns nothing, null where not even the number of columns could be told.
   */
  readonly outputs: readonly OutputLineage[] | null
  /** What any output may derive from: the union of `outputs`, and more where `outputs` is null. */
  readonly anyOutput: Sources
  /** Classified columns that decide which rows there are or in which order. */
  readonly predicates: Sources
  /** Classified columns of every relation it names, reads through a view or writes, whether it uses them or not. */
  readonly touched: Sources
  readonly hazards: readonly Hazard[]
  readonly writes: readonly ClassifiedWrite[]
  /** What it receives by COPY FROM STDIN; null where that could be told for no single relation. */
  readonly copyIn: CopyIn | null
  readonly copyOut: CopyFormat | null
  readonly creates: CreatedRelation | null
  /** Names of relations and functions that the snapshot does not have: worth one refresh. */
  readonly missing: readonly string[]
  /** Whether it may change the catalog, so that a fresh snapshot is needed when it has committed. */
  readonly changesCatalog: boolean
}

/** The empty set, shared. */
export const noSources: ReadonlySet<ColumnKey> = new Set()

/** Nothing classified is concerned. */
export const cleanLineage: StatementLineage = {
  outputs: [],
  anyOutput: noSources,
  predicates: noSources,
  touched: noSources,
  hazards: [],
  writes: [],
  copyIn: null,
  copyOut: null,
  creates: null,
  missing: [],
  changesCatalog: false,
}

/** The lineage of a statement that could not be traced: it may read everything and do anything. */
export function unknownLineage(reason: string): StatementLineage {
  return {
    outputs: null,
    anyOutput: 'unknown',
    predicates: 'unknown',
    touched: 'unknown',
    hazards: [{ reason, columns: 'unknown' }],
    writes: [],
    copyIn: null,
    copyOut: null,
    creates: null,
    missing: [],
    changesCatalog: true,
  }
}
