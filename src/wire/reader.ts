import { isUtf8 } from 'node:buffer'
import { PosternError } from '../core/errors.ts'

/** PostgreSQL's NAMEDATALEN less the terminator: it tells names of prepared statements and portals apart by this much. */
const objectNameBytesMax = 63

/**
 * Reads one message body from front to back. Every step checks its bounds first; a body that is too short, too long or
 * unterminated throws `protocol_violation`, so a decoder made of these steps can neither read outside the body nor
 * believe a count that the body cannot hold. Buffers handed out are views of the body.
 */
export class Reader {
  readonly #buffer: Buffer
  readonly #message: string
  #at = 0

  /** `message` is the manual's name of what is read; it appears in error texts only. */
  constructor(buffer: Buffer, message: string) {
    this.#buffer = buffer
    this.#message = message
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#buffer.length - this.#at
  }

  uint8(): number {
    return this.#buffer.readUInt8(this.#advance(1))
  }

  int8(): number {
    return this.#buffer.readInt8(this.#advance(1))
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#advance(2))
  }

  uint16(): number {
    return this.#buffer.readUInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#advance(4))
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#advance(4))
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#advance(8))
  }

  float32(): number {
    return this.#buffer.readFloatBE(this.#advance(4))
  }

  float64(): number {
    return this.#buffer.readDoubleBE(this.#advance(8))
  }

  /**
   * An Int16 count of items that take at least `itemBytesMin` bytes each. PostgreSQL reads it unsigned (65,535
   * parameters are legal); a count that the rest of the body cannot hold is refused before anything is allocated for it.
   */
  count16(itemBytesMin: number): number {
    const count = this.uint16()
    if (count * itemBytesMin > this.remaining) throw this.violation('it announces more items than it holds')
    return count
  }

  /** The next `byteCount` bytes as a view. */
  take(byteCount: number): Buffer {
    if (byteCount < 0) throw this.violation('it holds a negative length')
    const at = this.#advance(byteCount)
    return this.#buffer.subarray(at, at + byteCount)
  }

  /** A value with an Int32 length in front, where -1 stands for NULL; no other negative length is legal. */
  nullable(): Buffer | null {
    const byteCount = this.int32()
    return byteCount === -1 ? null : this.take(byteCount)
  }

  /** Everything not read yet, as a view. */
  rest(): Buffer {
    return this.take(this.remaining)
  }

  /** A NUL-terminated string as the bytes before the NUL, as a view. */
  cstringBytes(): Buffer {
    const terminatorAt = this.#buffer.indexOf(0, this.#at)
    if (terminatorAt === -1) throw this.violation('a string in it has no end')
    const bytes = this.#buffer.subarray(this.#at, terminatorAt)
    this.#at = terminatorAt + 1
    return bytes
  }

  /**
   * A NUL-terminated string that must be UTF-8. Use it for whatever is compared or looked up: two byte strings that
   * differ never come out equal.
   */
  cstring(): string {
    return this.#strictText(this.cstringBytes())
  }

  /** A NUL-terminated string for people to read; bytes that are not UTF-8 become U+FFFD. Never compare these. */
  cstringLossy(): string {
    return this.cstringBytes().toString('utf8')
  }

  /**
   * The name of a prepared statement or portal, cut to 63 bytes as PostgreSQL's own hash tables do: two names that
   * PostgreSQL takes for one must not be two to the gateway. A cut that would split a character is refused.
   */
  objectName(): string {
    const bytes = this.cstringBytes()
    return this.#strictText(bytes.length > objectNameBytesMax ? bytes.subarray(0, objectNameBytesMax) : bytes)
  }

  /** Ends the message: bytes left over are a violation. */
  end(): void {
    if (this.remaining !== 0) throw this.violation('it has bytes after its end')
  }

  /** The error to throw where this message breaks the protocol, with the reason as a clause. */
  violation(reason: string): PosternError {
    return new PosternError('protocol_violation', `malformed ${this.#message}: ${reason}`)
  }

  #advance(byteCount: number): number {
    const at = this.#at
    if (byteCount > this.#buffer.length - at) throw this.violation('it ends too early')
    this.#at = at + byteCount
    return at
  }

  #strictText(bytes: Buffer): string {
    if (bytes.length === 0) return ''
    if (!isUtf8(bytes)) throw this.violation('a name in it is not UTF-8')
    return bytes.toString('utf8')
  }
}
