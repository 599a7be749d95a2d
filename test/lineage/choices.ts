/*
 * Random choices that are remembered, so that what was made from them can be made again from fewer or simpler ones. In
 * every choice 0 is the simplest answer, and choices that were taken away count as 0: whatever shrinks the list of
 * numbers shrinks the statement that comes of it.
 */

/** A source of random choices. */
export class Choices {
  readonly #next: () => number
  readonly #made: number[] = []

  constructor(next: () => number) {
    this.#next = next
  }

  /** The numbers behind the choices so far, each from 0 to 1. */
  get made(): readonly number[] {
    return this.#made
  }

  /** A whole number from 0 up to but not including `below`. */
  int(below: number): number {
    const drawn = this.#next()
    this.#made.push(drawn)
    return Math.min(below - 1, Math.floor(drawn * below))
  }

  /** True with this probability; false is the simpler answer. */
  chance(probability: number): boolean {
    const drawn = this.#next()
    this.#made.push(drawn)
    return drawn >= 1 - probability
  }

  /** One of these, the first being the simplest. Throws where there is none. */
  pick<T>(from: readonly T[]): T {
    const picked = from[this.int(from.length)]
    if (picked === undefined) throw new Error('there is nothing to pick from')
    return picked
  }

  /** Between `least` and `most` of what `make` gives. */
  some<T>(least: number, most: number, make: (index: number) => T): T[] {
    const count = least + this.int(most - least + 1)
    return Array.from({ length: count }, (_, index) => make(index))
  }
}

/** Choices read off a list; past its end they are the simplest. */
export function replayed(numbers: readonly number[]): Choices {
  let at = 0
  return new Choices(() => {
    const number = numbers[at] ?? 0
    at += 1
    return number
  })
}

/** The shortest list of numbers found for which `fails` still holds, after at most `tries` attempts. */
export async function shrink(
  numbers: readonly number[],
  fails: (numbers: readonly number[]) => Promise<boolean>,
  tries: number,
): Promise<readonly number[]> {
  const search = { best: numbers, left: tries }
  const attempt = async (candidate: readonly number[]): Promise<boolean> => {
    if (search.left <= 0) return false
    search.left -= 1
    if (!(await fails(candidate))) return false
    search.best = candidate
    return true
  }
  while (await shrinkOnce(search, attempt)) {
    // Each round that found something may have made more possible.
  }
  return search.best
}

async function shrinkOnce(
  search: { readonly best: readonly number[]; readonly left: number },
  attempt: (candidate: readonly number[]) => Promise<boolean>,
): Promise<boolean> {
  let isBetter = false
  for (let size = Math.max(1, Math.floor(search.best.length / 2)); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < search.best.length && search.left > 0;) {
      const { best } = search
      if (await attempt([...best.slice(0, at), ...best.slice(at + size)])) {
        isBetter = true
        continue
      }
      const block = best.slice(at, at + size)
      const zeroed = [...best.slice(0, at), ...block.map(() => 0), ...best.slice(at + size)]
      if (block.some((number) => number !== 0) && (await attempt(zeroed))) isBetter = true
      at += size
    }
  }
  return isBetter && search.left > 0
}
