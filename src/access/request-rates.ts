import { subjectKey } from '../core/access.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Subject } from '../core/principal.ts'

const windowMs = 3_600_000
/** How many times what one principal may have waiting it may ask within an hour. */
const turnsMax = 10

/**
 * How often each principal had statements asked about lately. Each request is on record, in the store and in front of
 * people for good, also where it is withdrawn at once, so that asking in a loop would bury those of others.
 */
export class RequestRates {
  readonly #asked = new Map<string, { readonly fromMs: number; count: number }>()

  /** Counts one more. Throws `limit_exceeded` where it is one too many. */
  take(subject: Subject, { nowMs, waitingMax }: { readonly nowMs: number; readonly waitingMax: number }): void {
    const key = subjectKey(subject)
    const known = this.#asked.get(key)
    if (known !== undefined && nowMs >= known.fromMs && nowMs < known.fromMs + windowMs) {
      if (known.count >= waitingMax * turnsMax) throw tooOften()
      known.count += 1
      return
    }
    this.#asked.delete(key)
    this.#asked.set(key, { fromMs: nowMs, count: 1 })
    // The longest ago of them goes first.
    const [oldest] = this.#asked.keys()
    if (this.#asked.size > limits.rateBucketsMax && oldest !== undefined) this.#asked.delete(oldest)
  }
}

function tooOften(): PosternError {
  return new PosternError('limit_exceeded', 'you have asked for too many approvals within an hour', {
    hint: 'Ask later, or have one statement approved that does it all.',
  })
}
