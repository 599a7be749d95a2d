import type { PosternError } from '../core/errors.ts'
import { reasonOf, unavailableError } from './journal-errors.ts'

/** A failed write is tried again after this, doubling up to the longest. */
const retryFirstMs = 100
const retryLongestMs = 5_000

/** Why and since when nothing can be written. */
export interface Outage {
  /** What everybody who waits is told. */
  readonly error: PosternError
  /** What it began with. */
  readonly reason: string
  readonly sinceMs: number
  readonly retryMs: number
  lastTryMs: number
  /** Entries that did not fit into the backlog. */
  dropped: number
  timer: NodeJS.Timeout | null
}

/** The outage after one more failure: a new one, or the one before with a longer wait. */
export function outageAfter(error: unknown, before: Outage | null, nowMs: number): Outage {
  return {
    error: unavailableError(error),
    reason: before?.reason ?? reasonOf(error),
    sinceMs: before?.sinceMs ?? nowMs,
    retryMs: before === null ? retryFirstMs : Math.min(before.retryMs * 2, retryLongestMs),
    lastTryMs: nowMs,
    dropped: before?.dropped ?? 0,
    timer: null,
  }
}
