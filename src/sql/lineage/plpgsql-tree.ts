/*
 * A PL/pgSQL body as far as values flow through it: which expressions and statements there are, what they are assigned
 * to, and what loops and conditions stand around them. In which order they run does not matter.
 */

/** What is assigned to: a variable, or a field or element of it. */
export interface PlTarget {
  readonly name: string
  /** Names behind it: a field, or behind a block's label the variable. */
  readonly path: readonly string[]
  readonly isElement: boolean
}

/** A query, as it stands or made at run time. */
export type PlQuery =
  | { readonly kind: 'static'; readonly sql: string }
  | { readonly kind: 'dynamic'; readonly text: string; readonly using: readonly string[] }

/** A variable or a cursor as declared, in whichever block; without a type it is a loop's. */
export interface PlVariable {
  readonly name: string
  readonly type: string | null
  readonly initial: string | null
  /** What it is another name for, such as `$1`. */
  readonly alias: string | null
  readonly cursor: { readonly parameters: readonly string[]; readonly sql: string } | null
}

/** What one statement does with values. */
export type PlStatement =
  | { readonly kind: 'assign'; readonly target: PlTarget; readonly expression: string }
  | { readonly kind: 'query'; readonly query: PlQuery; readonly into: readonly PlTarget[] }
  | { readonly kind: 'return'; readonly expression: string | null; readonly isNext: boolean }
  | { readonly kind: 'returnQuery'; readonly query: PlQuery }
  | { readonly kind: 'branch'; readonly conditions: readonly string[]; readonly body: readonly PlStatement[] }
  | { readonly kind: 'handler'; readonly body: readonly PlStatement[] }
  | {
      readonly kind: 'loop'
      readonly conditions: readonly string[]
      readonly targets: readonly PlTarget[]
      readonly source: PlSource | null
      readonly body: readonly PlStatement[]
    }
  | { readonly kind: 'evaluate'; readonly expressions: readonly string[] }
  | { readonly kind: 'open'; readonly cursor: string; readonly query: PlQuery | null; readonly args: string | null }
  | { readonly kind: 'fetch'; readonly cursor: string; readonly into: readonly PlTarget[] }
  /** What is told about an error, and how many rows there were. */
  | { readonly kind: 'diagnose'; readonly targets: readonly PlTarget[]; readonly counts: readonly PlTarget[] }

/** What FOR and FOREACH go through. */
export type PlSource =
  | PlQuery
  | { readonly kind: 'values'; readonly expressions: readonly string[] }
  | { readonly kind: 'cursor'; readonly name: string; readonly args: string | null }

/** A body with everything that any of its blocks declares. */
export interface PlBody {
  readonly variables: readonly PlVariable[]
  readonly labels: readonly string[]
  readonly statements: readonly PlStatement[]
}
