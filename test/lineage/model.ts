import type { Choices } from './choices.ts'

/*
 * What the generators know of a schema. It is kept apart from the catalog that lineage reads, so that one cannot hide a
 * fault of the other.
 */

/** The types that random expressions are made of. Domains and varchar count as text, bigint as numeric. */
export type ValueType =
  | 'text'
  | 'int'
  | 'numeric'
  | 'bool'
  | 'date'
  | 'jsonb'
  | 'text[]'
  | 'int[]'
  | 'mood'
  | 'addr'
  | 'bytea'

/** Types from the most to the least ordinary. */
export const valueTypes: readonly ValueType[] = [
  'text',
  'int',
  'numeric',
  'bool',
  'date',
  'jsonb',
  'text[]',
  'int[]',
  'mood',
  'addr',
  'bytea',
]

/** A column of something in FROM. */
export interface Column {
  readonly name: string
  readonly type: ValueType
  /** Whether it may carry a classified value, as a rough guess that steers the generator and decides nothing. */
  readonly isSecret: boolean
}

/** A column of a table that random worlds have. */
export interface TableColumn extends Column {
  /** As CREATE TABLE has it. */
  readonly declared: string
  /** Set where it is computed, so that nothing can be written to it. */
  readonly isGenerated: boolean
  /** Tags, if it is classified. */
  readonly tags: readonly string[]
}

/** A table with rows of its own, or a partitioned one. */
export interface Table {
  readonly name: string
  readonly columns: readonly TableColumn[]
  readonly kind: 'table' | 'partitioned' | 'partition' | 'child'
  /** The table that this one is a partition or child of. */
  readonly parent: string | null
  readonly hasKey: boolean
}

/** Anything with rows that a query can name. */
export interface Readable {
  readonly name: string
  readonly columns: readonly Column[]
  /** Whether ONLY and TABLESAMPLE are allowed. */
  readonly isTable: boolean
  /** Columns that a write can go to, and whether ON CONFLICT (id) can be said; null where it cannot be written. */
  readonly writable: { readonly columns: readonly Column[]; readonly hasKey: boolean } | null
}

/** A SQL function. */
export interface RoutineModel {
  readonly name: string
  readonly arguments: readonly ValueType[]
  readonly returns:
    | { readonly kind: 'value'; readonly type: ValueType }
    | { readonly kind: 'rows'; readonly columns: readonly Column[] }
  readonly isSecret: boolean
}

/** All that statements can be made over. It grows while views and functions are made. */
export interface World {
  readonly tables: readonly Table[]
  readonly readables: readonly Readable[]
  readonly routines: readonly RoutineModel[]
}

/** An expression and what is known of it. */
export interface Expression {
  readonly sql: string
  readonly type: ValueType
  readonly isSecret: boolean
}

/** One thing in FROM under its alias. */
export interface Source {
  readonly alias: string
  readonly columns: readonly Column[]
  /** Whether the alias alone stands for a row of named columns. */
  readonly isRow: boolean
}

/** What an expression can refer to. */
export interface Scope {
  readonly sources: readonly Source[]
  /** Columns that JOIN USING merged, to be named without an alias. */
  readonly merged: readonly Column[]
  readonly outer: Scope | null
  /** Set where there are more sources than these, so that a column without its alias may be ambiguous. */
  readonly isPartial?: boolean
}

/** A query and the columns it gives. */
export interface Query {
  readonly sql: string
  readonly columns: readonly Column[]
}

/** What every generator gets. */
export interface Making {
  readonly choices: Choices
  readonly world: World
  /** CTEs in scope. */
  readonly ctes: readonly Readable[]
  /** Whether conditions may use classified columns; where not, what remains can be checked more strictly. */
  readonly mayTestSecrets: boolean
  /** Gives each alias of a statement another number. */
  readonly next: () => number
}

/** The same columns under other names. */
export function renamed<T extends Column>(columns: readonly T[], name: (column: T, index: number) => string): T[] {
  const result: T[] = []
  for (const [index, column] of columns.entries()) result.push({ ...column, name: name(column, index) })
  return result
}

/** The scope in which nothing can be named. */
export const emptyScope: Scope = { sources: [], merged: [], outer: null }
