/** setTimeout fires at once beyond this. */
const stepMsMax = 2 ** 31 - 1

/** One timer for whatever comes first. It does not keep the process alive, and may fire early: whoever is called compares times. */
export class Alarm {
  readonly #now: () => number
  readonly #ring: () => void
  #timer: NodeJS.Timeout | null = null
  #atMs = Infinity

  constructor(now: () => number, ring: () => void) {
    this.#now = now
    this.#ring = ring
  }

  /** Rings at that moment, or at an earlier one that was set before. */
  set(atMs: number): void {
    if (atMs >= this.#atMs) return
    this.clear()
    this.#atMs = atMs
    const stepMs = Math.min(Math.max(0, atMs - this.#now()), stepMsMax)
    this.#timer = setTimeout(() => {
      this.clear()
      this.#ring()
    }, Math.ceil(stepMs))
    this.#timer.unref()
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#atMs = Infinity
  }
}
