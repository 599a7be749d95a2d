import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { backend } from '../wire/backend.ts'
import type { BackendMessages } from './backend-messages.ts'

const headerBytes = 5

/** Where the backend's half of a session delivers to. */
export interface BackendStreamOutlet {
  /** Bytes for the client, in order. */
  deliver(bytes: Buffer): void
}

/**
 * PostgreSQL's bytes on their way to the client. Rows and COPY data are counted and pass as they come, in pieces if
 * they are large; every other message is held until it is whole, because something depends on it. Whole chunks leave
 * as one slice unless a message in them is replaced.
 */
export class BackendStream {
  readonly #messages: BackendMessages
  readonly #outlet: BackendStreamOutlet
  /** What is left of a row or of COPY data whose beginning was already delivered. */
  #dataLeft = 0
  /** Messages of the gateway's own that wait until the client has all of that. */
  #untold: Buffer[] = []
  #parts: Buffer[] = []
  #partsBytes = 0
  #neededBytes = 0

  constructor(messages: BackendMessages, outlet: BackendStreamOutlet) {
    this.#messages = messages
    this.#outlet = outlet
  }

  /** Whether the client has received a part of a message: nothing may be put in between then. */
  get isInsideMessage(): boolean {
    return this.#dataLeft > 0
  }

  /** Puts a message of the gateway's own between two of PostgreSQL's: now, or right behind the one under way. */
  tell(message: Buffer): void {
    if (this.isInsideMessage) this.#untold.push(message)
    else this.#outlet.deliver(message)
  }

  /** Takes in what arrived; throws a PosternError where the answer fits nothing that was asked. */
  receive(chunk: Buffer): void {
    let input = chunk
    if (this.#partsBytes > 0) {
      this.#parts.push(chunk)
      this.#partsBytes += chunk.length
      if (this.#partsBytes < this.#neededBytes) return
      input = Buffer.concat(this.#parts)
      this.#parts = []
      this.#partsBytes = 0
    }
    const used = this.#takeAll(input)
    if (used === input.length) return
    this.#parts = [input.subarray(used)]
    this.#partsBytes = input.length - used
  }

  #takeAll(input: Buffer): number {
    let offset = Math.min(this.#dataLeft, input.length)
    this.#dataLeft -= offset
    let runStart = 0
    this.#neededBytes = headerBytes
    const out: Buffer[] = []
    if (this.#untold.length > 0 && this.#dataLeft === 0) {
      out.push(input.subarray(0, offset), ...this.#untold.splice(0))
      runStart = offset
    }
    while (input.length - offset >= headerBytes) {
      const type = input[offset]
      if (type === undefined) break
      const length = input.readUInt32BE(offset + 1)
      if (length < 4) throw new PosternError('protocol_violation', 'PostgreSQL sent a message with an invalid length')
      const end = offset + 1 + length
      const isData = (type === backend.DataRow || type === backend.CopyData) && !this.#messages.isOwn
      const mask = isData ? this.#messages.maskerOf(type) : null
      if (isData && mask === null) {
        this.#messages.countData(type, length)
        if (end > input.length) {
          this.#dataLeft = end - input.length
          offset = input.length
        } else {
          offset = end
        }
        continue
      }
      if (end > input.length) {
        if (length > (isData ? limits.maskedRowBytesMax : limits.backendHeldMessageBytesMax)) {
          throw isData ? tooLargeToMask(length) : tooLarge(length)
        }
        this.#neededBytes = end - offset
        break
      }
      if (isData) this.#messages.countData(type, length)
      const replacement =
        mask === null
          ? this.#messages.take(type, input.subarray(offset + headerBytes, end))
          : mask(input.subarray(offset, end))
      if (replacement !== null) {
        if (offset > runStart) out.push(input.subarray(runStart, offset))
        if (replacement.length > 0) out.push(replacement)
        runStart = end
      }
      offset = end
    }
    if (offset > runStart)
      out.push(runStart === 0 && offset === input.length ? input : input.subarray(runStart, offset))
    const [first] = out
    if (first !== undefined) this.#outlet.deliver(out.length === 1 ? first : Buffer.concat(out))
    return offset
  }
}

function tooLargeToMask(length: number): PosternError {
  return new PosternError('message_too_large', `a row of ${String(length)} bytes is too large to be masked`, {
    hint: 'Select the large value without the columns that are masked, or in pieces with substr().',
  })
}

function tooLarge(length: number): PosternError {
  return new PosternError(
    'message_too_large',
    `PostgreSQL sent a message of ${String(length)} bytes that is not data`,
    {
      hint: 'Raise no such large notices or errors.',
    },
  )
}
