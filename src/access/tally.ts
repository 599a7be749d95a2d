import { createHash, randomBytes } from 'node:crypto'

const places = 4_096

/**
 * Compares two sets of ids of whatever size in little memory: each id is added by one side and taken away by the other,
 * at a place of its own hash. Where all places are empty again the sets are the same; otherwise the places tell where to
 * look. The hash has a key of its own, so that nobody can choose ids that cancel each other out.
 */
export class Tally {
  readonly #key = randomBytes(32)
  readonly #counts = new Int32Array(places)
  readonly #sums = new BigInt64Array(places * 2)

  add(id: string): void {
    this.#put(id, 1)
  }

  take(id: string): void {
    this.#put(id, -1)
  }

  /** Whether the two sides agree on all ids that share this one's place. */
  agreesOn(id: string): boolean {
    const place = this.#hashOf(id).readUInt16BE(0) % places
    return this.#isEmpty(place)
  }

  /** Whether the two sides agree. */
  agrees(): boolean {
    return this.#counts.every((_, place) => this.#isEmpty(place))
  }

  #isEmpty(place: number): boolean {
    return this.#counts[place] === 0 && this.#sums[place * 2] === 0n && this.#sums[place * 2 + 1] === 0n
  }

  #put(id: string, sign: 1 | -1): void {
    const hash = this.#hashOf(id)
    const place = hash.readUInt16BE(0) % places
    this.#counts[place] = (this.#counts[place] ?? 0) + sign
    for (const [half, offset] of [8, 16].entries()) {
      const at = place * 2 + half
      const value = hash.readBigInt64BE(offset)
      // The array keeps the low 64 bits, so that what is added and taken away again leaves nothing.
      this.#sums[at] = (this.#sums[at] ?? 0n) + (sign === 1 ? value : -value)
    }
  }

  #hashOf(id: string): Buffer {
    return createHash('sha256').update(this.#key).update(id).digest()
  }
}
