import { assertNever } from '../core/errors.ts'
import { frontend } from '../wire/frontend.ts'
import type { Operation } from './operations.ts'
import { failingBind, failingExecute, failingParse, failingQuery, type Refusal } from './refusal.ts'

/** An operation whose message carries a statement to PostgreSQL. */
export type StatementOperation = Extract<Operation, { kind: 'query' | 'parse' | 'bind' | 'execute' }>

/**
 * What goes to PostgreSQL after one look at the client's bytes: slices of these, with messages of ours in between. It
 * also remembers which of its messages carry statements, so that all of them can still be refused if the record of
 * their intent fails.
 */
export class OutgoingBatch {
  readonly #input: Buffer
  readonly #buffers: Buffer[] = []
  readonly #statements: StatementOperation[] = []
  #runStart = 0
  #runEnd = 0
  #dataBytes = 0
  /** Where the last mark is: buffers before it, bytes of the run that was open then, and statements. */
  #markBuffers = 0
  #markRunBytes = 0
  #markStatements = 0

  constructor(input: Buffer) {
    this.#input = input
  }

  /** Passes on the bytes of the input from `start` to `end`. */
  keep(start: number, end: number): void {
    if (this.#runEnd !== start) {
      this.#closeRun()
      this.#runStart = start
    }
    this.#runEnd = end
  }

  /** Passes on the first `bytes` of the input, which end a CopyData message that began in an earlier batch. */
  keepData(bytes: number): void {
    this.#dataBytes = bytes
    this.keep(0, bytes)
    this.mark()
  }

  /** Puts a message of ours here. */
  insert(message: Buffer): void {
    this.#closeRun()
    this.#buffers.push(message)
    this.#runStart = this.#runEnd
  }

  /** Notes that the message treated next carries this operation's statement; called in order. */
  carry(operation: StatementOperation): void {
    this.#statements.push(operation)
  }

  /** PostgreSQL will answer all that is here so far, without being sent more. */
  mark(): void {
    this.#markBuffers = this.#buffers.length
    this.#markRunBytes = this.#runEnd - this.#runStart
    this.#markStatements = this.#statements.length
  }

  /** Takes out what is behind the last mark; null where nothing is. */
  takeUnmarked(): OutgoingBatch | null {
    let markBytes = this.#markRunBytes
    for (const buffer of this.#buffers.slice(0, this.#markBuffers)) markBytes += buffer.length
    const bytes = Buffer.concat(this.buffers)
    if (bytes.length === markBytes) return null
    const rest = new OutgoingBatch(bytes.subarray(markBytes))
    rest.keep(0, bytes.length - markBytes)
    for (const operation of this.#statements.splice(this.#markStatements)) rest.carry(operation)
    this.#buffers.length = 0
    if (markBytes > 0) this.#buffers.push(bytes.subarray(0, markBytes))
    return rest
  }

  /** Whether anything in here needs to be on record first. */
  get carriesStatements(): boolean {
    return this.#statements.length > 0
  }

  /** The bytes to send, in order. */
  get buffers(): readonly Buffer[] {
    this.#closeRun()
    this.#runStart = this.#runEnd
    return this.#buffers
  }

  /** The same messages with every statement replaced by one that always fails, told to the client as `refusal`. */
  refused(refusalFor: () => Refusal): Buffer[] {
    const bytes = Buffer.concat(this.buffers)
    // What ends an earlier message is data: read as messages, it could make a statement look like a part of itself.
    const out: Buffer[] = this.#dataBytes > 0 ? [bytes.subarray(0, this.#dataBytes)] : []
    let statement = 0
    let offset = this.#dataBytes
    while (offset < bytes.length) {
      const end = offset + 1 + bytes.readUInt32BE(offset + 1)
      const type = bytes[offset]
      const message = bytes.subarray(offset, end)
      offset = end
      if (type !== frontend.Query && type !== frontend.Parse && type !== frontend.Bind && type !== frontend.Execute) {
        out.push(message)
        continue
      }
      const operation = this.#statements[statement]
      statement += 1
      if (operation === undefined) throw new Error('a statement in the batch has no operation')
      if (operation.refusal === null) {
        operation.refusal = refusalFor()
        out.push(failing(operation, operation.refusal))
      } else {
        out.push(message)
      }
    }
    return out
  }

  #closeRun(): void {
    if (this.#runEnd > this.#runStart) this.#buffers.push(this.#input.subarray(this.#runStart, this.#runEnd))
  }
}

/** The message that stands in for the one `operation` was made of. */
export function failing(operation: StatementOperation, refusal: Refusal): Buffer {
  switch (operation.kind) {
    case 'query':
      return failingQuery(refusal)
    case 'parse':
      return failingParse(refusal, operation.prepared.name)
    case 'bind':
      return failingBind(refusal)
    case 'execute':
      return failingExecute(refusal)
    default:
      return assertNever(operation)
  }
}
