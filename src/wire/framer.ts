import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

const headerBytes = 5
const startupPacketBytesMin = 8
const noBytes = Buffer.alloc(0)

/** One whole message: `bytes` is all of it, `body` what follows type and length. Both are views. */
export interface Frame {
  readonly type: number
  readonly body: Buffer
  readonly bytes: Buffer
}

/** Bounds of a framer. */
export interface FramerOptions {
  /** The largest length a message may announce (the length counts itself, not the type byte), for all types or by type. */
  readonly messageBytesMax: number | ((type: number) => number)
}

/**
 * Cuts a stream of bytes into messages. A length is refused as soon as its header is there (`protocol_violation` below
 * 4, `message_too_large` above the bound): memory is only ever spent on bytes that arrived, at most twice over. A chunk
 * is kept, not copied, so its owner must not write to it again.
 */
export class Framer {
  readonly #messageBytesMax: (type: number) => number
  // The bytes not handed out yet are #buffer[#start, #end). Bytes before #start may be views in other hands, so the
  // buffer is never compacted in place. Bytes after #end are ours to fill: a chunk that is kept has none.
  #buffer: Buffer = noBytes
  #start = 0
  #end = 0
  // How many bytes the message at #start takes once its header has been checked, else 0.
  #wanted = 0

  constructor(options: FramerOptions) {
    const max = options.messageBytesMax
    this.#messageBytesMax = typeof max === 'number' ? () => max : max
  }

  /** Bytes that were pushed and not handed out. Before a TLS handshake it must be zero. */
  get bufferedBytes(): number {
    return this.#end - this.#start
  }

  /** Adds what arrived. Costs amortised constant time per byte, however small the chunks. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    const buffered = this.bufferedBytes
    if (buffered === 0) {
      this.#buffer = chunk
      this.#start = 0
      this.#end = chunk.length
      return
    }
    const needed = buffered + chunk.length
    if (this.#end + chunk.length > this.#buffer.length) this.#grow(needed)
    this.#buffer.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** The next typed message, or null until all of it has arrived. */
  next(): Frame | null {
    if (this.#wanted === 0) {
      if (this.bufferedBytes < headerBytes) return null
      this.#wanted = 1 + this.#checkedLength()
    }
    const bytes = this.#takeWanted()
    if (bytes === null) return null
    return { type: bytes.readUInt8(0), body: bytes.subarray(headerBytes), bytes }
  }

  /** The untyped packet that opens a connection, without its length: for `decodeStartupPacket`. Null until it is whole. */
  nextStartupPacket(): Buffer | null {
    if (this.#wanted === 0) {
      if (this.bufferedBytes < 4) return null
      const length = this.#buffer.readUInt32BE(this.#start)
      if (length < startupPacketBytesMin || length > limits.startupPacketBytesMax) {
        throw new PosternError('protocol_violation', 'invalid length of startup packet', {
          hint: 'This port speaks the PostgreSQL protocol.',
        })
      }
      this.#wanted = length
    }
    return this.#takeWanted()?.subarray(4) ?? null
  }

  /** Hands over what has not been framed, and forgets it: for whoever reads the stream from here on. */
  takeRest(): Buffer {
    const rest = this.#buffer.subarray(this.#start, this.#end)
    this.#buffer = noBytes
    this.#start = 0
    this.#end = 0
    this.#wanted = 0
    return rest
  }

  #checkedLength(): number {
    const type = this.#buffer.readUInt8(this.#start)
    const length = this.#buffer.readInt32BE(this.#start + 1)
    if (length < 4) {
      throw new PosternError('protocol_violation', `a message of type ${typeName(type)} has an invalid length`)
    }
    const max = this.#messageBytesMax(type)
    if (length > max) {
      throw new PosternError(
        'message_too_large',
        `a message of type ${typeName(type)} has ${length} bytes where ${max} are allowed`,
      )
    }
    return length
  }

  #takeWanted(): Buffer | null {
    if (this.bufferedBytes < this.#wanted) return null
    const at = this.#start
    this.#start = at + this.#wanted
    this.#wanted = 0
    return this.#buffer.subarray(at, this.#start)
  }

  /** Doubles, but not beyond the message that is waited for: its announced length alone allocates nothing. */
  #grow(needed: number): void {
    const doubled = Math.max(needed * 2, 256)
    const capacity = this.#wanted > needed ? Math.min(doubled, this.#wanted) : doubled
    const grown = Buffer.allocUnsafeSlow(capacity)
    grown.set(this.#buffer.subarray(this.#start, this.#end))
    this.#end -= this.#start
    this.#start = 0
    this.#buffer = grown
  }
}

/** A type byte as people write it: the letter where it is one. */
function typeName(type: number): string {
  return type > 0x20 && type < 0x7f ? `'${String.fromCharCode(type)}'` : `0x${type.toString(16).padStart(2, '0')}`
}
