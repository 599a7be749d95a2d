import type { StatementAnalysis } from '../core/statement.ts'
import type { FieldDescription } from '../wire/backend.ts'
import type { Bind } from '../wire/frontend.ts'
import type { Ticket } from './needs.ts'
import type { Protected } from './protection.ts'
import type { Refusal } from './refusal.ts'
import type { ColumnMask, CopyMasks } from './services.ts'
import type { Allowed } from './statement-parts.ts'

/** A named result of Parse or of SQL's PREPARE, as the session knows it. */
export interface PreparedStatement {
  readonly name: string
  /** What running it does; for a text with a syntax error one opaque statement. */
  readonly statement: StatementAnalysis
  /** Type oids, declared by Parse or told by PostgreSQL; 0 where nobody said. */
  parameterTypes: readonly number[]
  /** How often it was executed in this session. */
  executions: number
  /** What PostgreSQL said of its result, and against which schema its names were read then. */
  description: Description | null
  /** The schema and settings under which a Describe of it was sent last. */
  describedAs: string
}

/** A RowDescription, without columns for what returns none. */
export interface Description {
  readonly fields: readonly FieldDescription[]
  /** The message's body, by which it is known again. */
  readonly body: Buffer
  /** Masks by what they were planned for: the same object for as long as nothing has changed. */
  readonly masks: Map<Protected, { readonly formats: string; readonly masks: readonly ColumnMask[] | null }>
}

/** A prepared statement bound to parameters, or a cursor that SQL declared. */
export interface Portal {
  readonly name: string
  readonly prepared: PreparedStatement
  /** The Bind message until its parameters are encoded for the record; null afterwards and for SQL cursors. */
  bind: Bind | null
  /** Result formats as Bind gave them. */
  readonly resultFormats: readonly number[]
  /** What its statement did when it was bound or declared: what it returns was fixed then. */
  readonly protection: Protected | null
  /** The parameters as a JSON array, once encoded. */
  parameters: string
  /** The approval that its Bind got, to be used up by its Execute. */
  ticket: Ticket | null
  /** What its Bind was refused by: executing it fails as well, and says nothing new. */
  refused: Refusal | null
  /** Whether its DECLARE ran by an approval. */
  readonly isApproved: boolean
  /** Whether DECLARE has opened it: executing it fetches from it, and declares nothing. */
  readonly isCursor: boolean
}

/** One run of one statement: opened by its intent entry, closed by its outcome entry. */
export interface Execution {
  /** Sequence number of the intent entry. */
  readonly intent: number
  readonly statement: StatementAnalysis
  readonly startedAtMs: number
  rows: number
  bytes: number
  /** What is classified in it; null in a database without classification. */
  readonly protection: Protected | null
  /** What was fixed earlier for the cursor or portal whose rows it returns, where that differs. */
  readonly fixed: Protected | null
  /** By what it was let through: names and settings may have changed since, by itself even. */
  readonly allowed: Pick<Allowed, 'means' | 'searchPath'>
  /** The portal that it executes; null in the simple protocol. */
  readonly portal: Portal | null
  /** Whether somebody agreed to it. */
  readonly isApproved: boolean
  /** How its rows are masked; undefined until the first of them, or its description, has come. */
  masks: readonly ColumnMask[] | null | undefined
  /** What masks its COPY data. */
  copyMasker: CopyMasks | null
}

/**
 * A message sent to PostgreSQL that it has yet to answer. PostgreSQL answers in order, so the oldest operation is the
 * one an answer belongs to. `refusal` is set where the message was replaced by one that always fails.
 */
export type Operation =
  | {
      readonly kind: 'query'
      /** All of its text where that holds several statements: positions in errors count from its beginning. */
      readonly text: string | null
      readonly executions: readonly Execution[]
      finished: number
      refusal: Refusal | null
    }
  | { readonly kind: 'parse'; readonly prepared: PreparedStatement; refusal: Refusal | null }
  | { readonly kind: 'bind'; readonly portal: Portal; refusal: Refusal | null }
  | { readonly kind: 'execute'; readonly execution: Execution | null; refusal: Refusal | null }
  | { readonly kind: 'describe'; readonly prepared: PreparedStatement | null; readonly isOwn: boolean }
  | { readonly kind: 'close'; readonly target: 'S' | 'P'; readonly name: string }
  | { readonly kind: 'sync' }

/** A Query, which carries all of its text's statements. */
export type QueryOperation = Extract<Operation, { kind: 'query' }>

/** A Query on its way, with an execution for each of its statements. */
export function newQuery(
  executions: readonly Execution[],
  text: string | null = null,
): Extract<Operation, { kind: 'query' }> {
  return { kind: 'query', text, executions, finished: 0, refusal: null }
}

/** An Execute on its way; without an execution where it is refused. */
export function newExecute(execution: Execution | null): Extract<Operation, { kind: 'execute' }> {
  return { kind: 'execute', execution, refusal: null }
}

/** The operations of one session that PostgreSQL has not answered, oldest first. */
export class PendingOperations {
  #items: Operation[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  /** The operation that the next answer belongs to. */
  get oldest(): Operation | undefined {
    return this.#items[this.#head]
  }

  /** The operation that was sent last. */
  get newest(): Operation | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1]
  }

  *[Symbol.iterator](): Generator<Operation> {
    for (let index = this.#head; index < this.#items.length; index += 1) {
      const operation = this.#items[index]
      if (operation !== undefined) yield operation
    }
  }

  push(operation: Operation): void {
    this.#items.push(operation)
  }

  shift(): Operation | undefined {
    const operation = this.#items[this.#head]
    if (operation === undefined) return undefined
    this.#head += 1
    if (this.#head === this.#items.length) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return operation
  }
}
