/** How much is remembered at most. */
export interface RememberedBounds {
  readonly countMax: number
  readonly bytesMax: number
}

/** Things by their name, as many as the bounds allow: the one remembered longest is forgotten first. */
export class Remembered<T extends { readonly name: string }> {
  readonly #byName = new Map<string, { readonly item: T; readonly bytes: number }>()
  readonly #bounds: RememberedBounds
  readonly #weigh: (item: T) => number
  #bytes = 0

  /** `weigh` says about how many bytes a thing keeps in memory. */
  constructor(bounds: RememberedBounds, weigh: (item: T) => number) {
    this.#bounds = bounds
    this.#weigh = weigh
  }

  get(name: string): T | undefined {
    return this.#byName.get(name)?.item
  }

  set(item: T): void {
    this.delete(item.name)
    const bytes = this.#weigh(item)
    this.#byName.set(item.name, { item, bytes })
    this.#bytes += bytes
    while (this.#byName.size > this.#bounds.countMax || this.#bytes > this.#bounds.bytesMax) {
      const oldest = this.#byName.keys().next()
      if (oldest.done === true) return
      this.delete(oldest.value)
    }
  }

  delete(name: string): void {
    const known = this.#byName.get(name)
    if (known === undefined) return
    this.#byName.delete(name)
    this.#bytes -= known.bytes
  }

  clear(): void {
    this.#byName.clear()
    this.#bytes = 0
  }

  /** Forgets all but what passes. */
  keep(passes: (item: T) => boolean): void {
    for (const { item } of this.#byName.values()) if (!passes(item)) this.delete(item.name)
  }
}
