import type { ColumnKey } from './catalog.ts'

/** A classification of a column, such as `pii.email`. */
export type Tag = string

/** How a value is replaced. */
export type MaskingRule =
  /** A placeholder of the type: the same for every value. */
  | { readonly function: 'redact' }
  | { readonly function: 'null' }
  /** Keyed, equal for equal values. */
  | { readonly function: 'pseudonym' }
  /** The last `keep` characters of a text; of an e-mail address its first character and its domain's ending. */
  | { readonly function: 'partial'; readonly keep: number }
  /** Of a date or timestamp the first of January of its year. */
  | { readonly function: 'year' }

/** Where a column got its tags from. */
export type TagOrigin = 'file' | 'comment' | 'table' | 'schema' | 'builtin' | 'derived'

/** A column that carries tags. */
export interface ClassifiedColumn {
  readonly key: ColumnKey
  readonly schema: string
  readonly relation: string
  readonly column: string
  /** At least one, sorted. */
  readonly tags: readonly Tag[]
  /** What its tags say, the strictest where they differ: null, redact, pseudonym, year, partial. */
  readonly masking: MaskingRule
  readonly origin: TagOrigin
  /** Set where a statement that made its table worked the values out: no one of them is a value as it is. */
  readonly isExpression?: boolean
}

/** Which columns of one database carry which tags, resolved against one catalog snapshot. Plain data. */
export interface Classification {
  /** Grows with every change. */
  readonly version: number
  readonly columns: ReadonlyMap<ColumnKey, ClassifiedColumn>
  /**
   * Functions that an operator vouches for, `schema.name`: their result derives from their arguments and nothing else,
   * and they copy nothing anywhere.
   */
  readonly computingFunctions: ReadonlySet<string>
  /** Channels whose notifications carry no tagged data. */
  readonly safeChannels: ReadonlySet<string>
}
