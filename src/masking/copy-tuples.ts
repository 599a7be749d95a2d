import type { InspectedColumn } from './copy-fields.ts'
import { limits } from '../core/limits.ts'

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const headerBytes = signature.length + 8

/** What the data goes on with: a whole header or tuple, the trailer, what PostgreSQL refuses, or a placeholder at a position. */
export interface Tuple {
  readonly end: number
  readonly kind: 'row' | 'last' | 'broken' | 'long' | 'placeholder'
  readonly position: number
}

/** Finds the tuples of COPY FROM in binary format. Each length is looked at once, in whatever pieces the data comes. */
export class TupleFinder {
  readonly #columns: readonly (InspectedColumn | null)[]
  /** How many tuples have begun. */
  rowNumber = 0
  #state: 'header' | 'extension' | 'count' | 'length' | 'value' = 'header'
  /** Where, from the beginning of the tuple, that is. */
  #at = 0
  #position = 0
  #bytes = 0
  readonly #values: { readonly from: number; readonly to: number; readonly position: number }[] = []

  constructor(columns: readonly (InspectedColumn | null)[]) {
    this.#columns = columns
  }

  /** The tuple that begins at `start`; null where it has not come whole. */
  next(data: Buffer, start: number): Tuple | null {
    for (;;) {
      const left = data.length - start - this.#at
      const found = this.#step(data, start + this.#at, left)
      if (found === 'more') return null
      if (found === 'on') continue
      this.#at = 0
      this.#position = 0
      this.#values.length = 0
      return found
    }
  }

  #step(data: Buffer, at: number, left: number): Tuple | 'more' | 'on' {
    switch (this.#state) {
      case 'header':
        return this.#readHeader(data, at, left)
      case 'extension':
        if (left < this.#bytes) return 'more'
        this.#state = 'count'
        return { end: at + this.#bytes, kind: 'row', position: -1 }
      case 'count':
        return this.#readCount(data, at, left)
      case 'length':
        return this.#readLength(data, at, left)
      case 'value':
        if (left < this.#bytes) return 'more'
        if ((this.#columns[this.#position] ?? null) !== null) {
          this.#values.push({ from: this.#at, to: this.#at + this.#bytes, position: this.#position })
        }
        this.#at += this.#bytes
        return this.#afterValue(data, at + this.#bytes)
    }
  }

  #readHeader(data: Buffer, at: number, left: number): Tuple | 'more' | 'on' {
    const known = Math.min(left, signature.length)
    if (!data.subarray(at, at + known).equals(signature.subarray(0, known))) {
      return left < signature.length ? 'more' : broken(at + signature.length)
    }
    if (left < headerBytes) return 'more'
    this.#bytes = data.readUInt32BE(at + signature.length + 4)
    if (data.readUInt32BE(at + signature.length) >= 0x1_0000) return broken(at + headerBytes)
    if (this.#bytes > limits.copyRowBytesMax) return { end: at, kind: 'long', position: -1 }
    this.#at += headerBytes
    this.#state = 'extension'
    return 'on'
  }

  #readCount(data: Buffer, at: number, left: number): Tuple | 'more' | 'on' {
    if (left < 2) return 'more'
    const count = data.readInt16BE(at)
    if (count === -1) return { end: at + 2, kind: 'last', position: -1 }
    this.rowNumber += 1
    if (count !== this.#columns.length) return broken(at + 2)
    this.#at += 2
    if (count === 0) return { end: at + 2, kind: 'row', position: -1 }
    this.#state = 'length'
    return 'on'
  }

  #readLength(data: Buffer, at: number, left: number): Tuple | 'more' | 'on' {
    if (left < 4) return 'more'
    const length = data.readInt32BE(at)
    if (length < -1) return broken(at + 4)
    // It is not waited for: nobody could keep it.
    if (this.#at + length > limits.copyRowBytesMax) return { end: at, kind: 'long', position: -1 }
    this.#at += 4
    if (length === -1) return this.#afterValue(data, at + 4)
    this.#bytes = length
    this.#state = 'value'
    return 'on'
  }

  #afterValue(data: Buffer, end: number): Tuple | 'on' {
    this.#position += 1
    this.#state = this.#position < this.#columns.length ? 'length' : 'count'
    if (this.#state === 'length') return 'on'
    const start = end - this.#at
    for (const { from, to, position } of this.#values) {
      const value = data.subarray(start + from, start + to)
      if (this.#columns[position]?.isPlaceholder(value) === true) return { end, kind: 'placeholder', position }
    }
    return { end, kind: 'row', position: -1 }
  }
}

/** PostgreSQL refuses what ends here. */
function broken(end: number): Tuple {
  return { end, kind: 'broken', position: -1 }
}
