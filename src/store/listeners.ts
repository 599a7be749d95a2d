/** Calls listeners some time after each commit: once for several that come together. */
export class Listeners {
  readonly #listeners = new Set<{ readonly call: () => void }>()
  readonly #onFault: (error: unknown) => void
  #isDue = false

  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault
  }

  get size(): number {
    return this.#listeners.size
  }

  add(call: () => void): () => void {
    const entry = { call }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  notify(): void {
    if (this.#isDue || this.#listeners.size === 0) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      for (const { call } of this.#listeners) {
        try {
          call()
        } catch (error) {
          this.#onFault(error)
        }
      }
    })
  }

  clear(): void {
    this.#listeners.clear()
  }
}
