import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { frontend } from '../wire/frontend.ts'
import type { FrontendMessages, Treatment } from './frontend-messages.ts'
import { OutgoingBatch } from './outgoing-batch.ts'

/** What the client's half of a session does to the rest of it. */
export interface ClientStreamOutlet {
  /** Bytes for PostgreSQL, in order; `batch` is sent once everything appended to the journal so far is on record. */
  forward(batch: OutgoingBatch): void
  /** The client broke the protocol beyond repair, or asked for what Postern does not do. */
  fail(error: PosternError): void
  /** The client said Terminate; also where that lies behind a statement that waits for a person. */
  terminated(): void
  /** Whether what is held waits for a person. */
  isWaiting(): boolean
}

const empty = Buffer.alloc(0)
const headerBytes = 5

/**
 * The client's bytes on their way to PostgreSQL. Messages are found by walking type and length; runs of messages that
 * stay as they are leave as one slice of what came in. Where a message cannot be treated before PostgreSQL has
 * answered an earlier one, or before a large text is parsed, the stream holds and is resumed later.
 */
export class ClientStream {
  readonly #messages: FrontendMessages
  readonly #outlet: ClientStreamOutlet
  #input: Buffer = empty
  /** Chunks of a message that is not complete, so that a large one is put together once. */
  #parts: Buffer[] = []
  #partsBytes = 0
  #neededBytes = 0
  /** What is left of a CopyData message whose beginning was already treated, and what becomes of the rest. */
  #copyDataLeft = 0
  #copyDataTreatment: 'forward' | 'drop' | 'inspect' = 'drop'
  #isHeld = false
  #isEnded = false
  /** What was treated and is not sent yet. */
  #withheld: OutgoingBatch[] = []

  constructor(messages: FrontendMessages, outlet: ClientStreamOutlet) {
    this.#messages = messages
    this.#outlet = outlet
  }

  /** Whether a message waits for an answer of PostgreSQL, or for its analysis, before anything more is treated. */
  get isHeld(): boolean {
    return this.#isHeld
  }

  /** What has come in and was not treated. */
  get bufferedBytes(): number {
    return this.#input.length + this.#partsBytes
  }

  /** Treats nothing more, for good: the session is about to end. */
  stop(): void {
    this.#isEnded = true
    this.#input = empty
    this.#parts = []
    this.#withheld = []
  }

  receive(chunk: Buffer): void {
    if (this.#isEnded) return
    if (this.#parts.length > 0 || this.#neededBytes > 0) {
      this.#parts.push(chunk)
      this.#partsBytes += chunk.length
      if (this.#input.length + this.#partsBytes < this.#neededBytes) return
    } else if (this.#input.length === 0) {
      this.#input = chunk
    } else {
      this.#parts.push(chunk)
      this.#partsBytes += chunk.length
    }
    this.resume()
  }

  /** Treats what has come in, as far as it goes now. */
  resume(): void {
    if (this.#isEnded) return
    if (this.#partsBytes > 0) {
      this.#input = Buffer.concat([this.#input, ...this.#parts])
      this.#parts = []
      this.#partsBytes = 0
    }
    this.#neededBytes = 0
    this.#isHeld = false
    const batch = new OutgoingBatch(this.#input)
    try {
      const used = this.#treatAll(batch)
      this.#input = used === this.#input.length ? empty : this.#input.subarray(used)
      this.#messages.finishBatch()
    } catch (error) {
      this.#isEnded = true
      this.#input = empty
      // What was in order before the offending message still goes on.
      this.#messages.finishBatch()
      this.#pass(batch)
      if (error instanceof PosternError) this.#outlet.fail(error)
      else throw error
      return
    }
    this.#pass(batch)
    if (this.#isHeld && this.#outlet.isWaiting() && holdsTerminate(this.#input)) this.#outlet.terminated()
  }

  /**
   * Sends a batch on. While a person is waited for, what no Sync or Flush has ended yet stays here: PostgreSQL could
   * not answer it, would hold its locks for all that time, and count the time as the statement's own.
   */
  #pass(batch: OutgoingBatch): void {
    const isWaiting = this.#isHeld && this.#outlet.isWaiting()
    const late = isWaiting ? batch.takeUnmarked() : null
    if (!isWaiting || batch.buffers.length > 0) {
      for (const before of this.#withheld.splice(0)) this.#outlet.forward(before)
      this.#outlet.forward(batch)
    }
    if (late !== null) this.#withheld.push(late)
  }

  #treatAll(batch: OutgoingBatch): number {
    const input = this.#input
    let offset = this.#passCopyDataRest(batch)
    while (input.length - offset >= headerBytes && !this.#isEnded) {
      const type = input[offset] ?? 0
      const length = input.readUInt32BE(offset + 1)
      if (length < 4) throw new PosternError('protocol_violation', 'invalid message length')
      const end = offset + 1 + length
      if (type === frontend.CopyData) {
        if (!this.#treatCopyData(batch, offset, end)) {
          this.#isHeld = true
          break
        }
        offset = Math.min(end, input.length)
        continue
      }
      if (length > limits.clientMessageBytesMax) throw tooLarge(length)
      if (end > input.length) {
        this.#neededBytes = end - offset
        break
      }
      const treatment = this.#messages.treat(type, input.subarray(offset + headerBytes, end), batch)
      if (treatment === 'hold') {
        this.#isHeld = true
        break
      }
      this.#apply(treatment, { batch, offset, end })
      if (type === frontend.Sync || type === frontend.Query || type === frontend.Flush) batch.mark()
      offset = end
    }
    return offset
  }

  #apply(treatment: Exclude<Treatment, 'hold'>, at: { batch: OutgoingBatch; offset: number; end: number }): void {
    if (treatment === 'forward') return at.batch.keep(at.offset, at.end)
    if (treatment === 'drop') return
    if (treatment === 'terminate') {
      at.batch.keep(at.offset, at.end)
      this.#isEnded = true
      return this.#outlet.terminated()
    }
    at.batch.insert(treatment)
  }

  /** COPY data streams through without being put together; outside of COPY it is dropped, as PostgreSQL does. */
  #treatCopyData(batch: OutgoingBatch, offset: number, end: number): boolean {
    const { copyIn } = this.#messages
    const treatment = copyIn.treatData()
    if (treatment === 'hold') return false
    const here = Math.min(end, this.#input.length)
    if (treatment === 'forward') batch.keep(offset, here)
    else if (treatment === 'inspect') copyIn.inspect(this.#input.subarray(offset + headerBytes, here), batch)
    this.#copyDataLeft = end - here
    this.#copyDataTreatment = treatment
    return true
  }

  #passCopyDataRest(batch: OutgoingBatch): number {
    const bytes = Math.min(this.#copyDataLeft, this.#input.length)
    const treatment = this.#copyDataTreatment
    if (bytes > 0 && treatment === 'forward') batch.keepData(bytes)
    else if (bytes > 0 && treatment === 'inspect') {
      this.#messages.copyIn.inspect(this.#input.subarray(0, bytes), batch)
    }
    this.#copyDataLeft -= bytes
    return bytes
  }
}

/** Whether one of the whole messages in there says that the client is done. */
function holdsTerminate(input: Buffer): boolean {
  let offset = 0
  while (input.length - offset >= headerBytes) {
    if (input[offset] === frontend.Terminate) return true
    offset += 1 + Math.max(4, input.readUInt32BE(offset + 1))
  }
  return false
}

function tooLarge(length: number): PosternError {
  return new PosternError(
    'message_too_large',
    `a message of ${String(length)} bytes is larger than this gateway accepts (${String(limits.clientMessageBytesMax)})`,
    { hint: 'Send less at once; COPY FROM STDIN has no such limit.' },
  )
}
