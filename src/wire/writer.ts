import { PosternError } from '../core/errors.ts'

const lengthMax = 0x7fff_ffff

/**
 * Builds one message: a type byte (or none, for start-up packets), a length that `finish` fills in, and the body in the
 * order of the calls. A string that holds a NUL throws `input_invalid`, since it would end early and turn the rest of
 * itself into protocol.
 */
export class Writer {
  #buffer: Buffer
  #at: number
  readonly #lengthAt: number

  /** `type` is the type byte, or null for a start-up packet; `bodyBytesHint` saves regrowing where it is right. */
  constructor(type: number | null, bodyBytesHint = 64) {
    this.#lengthAt = type === null ? 0 : 1
    this.#at = this.#lengthAt + 4
    this.#buffer = Buffer.allocUnsafe(this.#at + bodyBytesHint)
    if (type !== null) this.#buffer[0] = type
  }

  int8(value: number): this {
    const at = this.#reserve(1)
    this.#buffer[at] = value
    return this
  }

  /** Takes signed and unsigned values alike: -32,768 to 65,535. */
  int16(value: number): this {
    const at = this.#reserve(2)
    this.#buffer.writeUInt16BE(value & 0xffff, at)
    return this
  }

  /** Takes signed and unsigned values alike: -2^31 to 2^32 - 1. */
  int32(value: number): this {
    const at = this.#reserve(4)
    this.#buffer.writeInt32BE(value | 0, at)
    return this
  }

  /** An Int16 count, refused with `limit_exceeded` where it does not fit. */
  count16(count: number): this {
    if (count > 0xffff) throw new PosternError('limit_exceeded', 'a message cannot hold more than 65535 items')
    return this.int16(count)
  }

  /** A string as UTF-8 and its terminating NUL. */
  cstring(text: string): this {
    if (text.includes('\0')) throw zeroByte()
    const byteCount = Buffer.byteLength(text, 'utf8')
    const at = this.#reserve(byteCount + 1)
    this.#buffer.write(text, at, byteCount, 'utf8')
    this.#buffer[at + byteCount] = 0
    return this
  }

  /** A string given as bytes, and its terminating NUL. */
  cstringBytes(text: Buffer): this {
    if (text.includes(0)) throw zeroByte()
    return this.bytes(text).int8(0)
  }

  bytes(bytes: Buffer): this {
    const at = this.#reserve(bytes.length)
    this.#buffer.set(bytes, at)
    return this
  }

  /** A value with an Int32 length in front; NULL is the length -1. */
  nullable(value: Buffer | null): this {
    return value === null ? this.int32(-1) : this.int32(value.length).bytes(value)
  }

  /** The whole message. The writer is used up. */
  finish(): Buffer {
    const length = this.#at - this.#lengthAt
    if (length > lengthMax) throw new PosternError('message_too_large', 'a message cannot be larger than 2 GB')
    this.#buffer.writeInt32BE(length, this.#lengthAt)
    return this.#buffer.subarray(0, this.#at)
  }

  #reserve(byteCount: number): number {
    const at = this.#at
    const end = at + byteCount
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#buffer.length * 2))
      grown.set(this.#buffer.subarray(0, at))
      this.#buffer = grown
    }
    this.#at = end
    return at
  }
}

/** A message that is its type byte and nothing else. One Buffer serves every sender: never write to it. */
export function bodyless(type: number): Buffer {
  return new Writer(type, 0).finish()
}

function zeroByte(): PosternError {
  return new PosternError('input_invalid', 'a text with a zero byte cannot be sent to PostgreSQL', {
    hint: 'Remove the zero byte from the value.',
  })
}
