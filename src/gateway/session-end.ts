import type { Socket } from 'node:net'
import { PosternError, sqlstateOf } from '../core/errors.ts'
import type { SessionId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import { encodeNoticeResponse } from '../wire/backend.ts'
import type { Exchange } from './exchange.ts'
import type { Execution } from './operations.ts'
import type { StatementWay } from './statement.ts'

/** Why a session ended, for its last entry. */
export type SessionEnd =
  | 'client_terminated'
  | 'client_lost'
  | 'backend_closed'
  | 'backend_lost'
  | 'expired'
  | 'access_ended'
  | 'gateway_stopping'
  | 'protocol_violation'

/** How long PostgreSQL may take to end a cancelled statement before the connection is cut. */
export const cancelPatienceMs = 5_000

/** Whether PostgreSQL has closed the connection, which it does when it has done all that was asked on it. */
export async function goneOf(socket: Socket): Promise<boolean> {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return socket.readableEnded
}

/** Whoever does not take his last bytes in good time loses them. */
export function destroyInTime(socket: Socket): void {
  if (socket.closed) return
  const timer = setTimeout(() => socket.destroy(), limits.closePatienceMs).unref()
  socket.once('close', () => clearTimeout(timer))
}

/**
 * Asks for cancels one at a time: each is a connection of its own, and all that is asked meanwhile is one more.
 */
export class Cancelling {
  readonly #cancel: () => Promise<void>
  #isUnderWay = false
  #isDue = false

  constructor(cancel: () => Promise<void>) {
    this.#cancel = cancel
  }

  /** Settles when PostgreSQL was asked, and rejects if it cannot be. */
  async request(): Promise<void> {
    this.#isDue = true
    if (this.#isUnderWay) return
    this.#isUnderWay = true
    try {
      while (this.#isDue) {
        this.#isDue = false
        await this.#cancel()
      }
    } finally {
      this.#isUnderWay = false
    }
  }
}

/** setTimeout's longest delay. */
const timerMsMax = 2_147_483_647

/** Calls `due` when a token has expired, and `over` a grace later unless it is disarmed before. */
export function armExpiry(
  expiresAtMs: number,
  graceMs: number,
  calls: { readonly due: (error: PosternError) => void; readonly over: (error: PosternError) => void },
): { readonly disarm: () => void } {
  let timer: NodeJS.Timeout | undefined
  let isDisarmed = false
  const arm = (): void => {
    const leftMs = expiresAtMs - Date.now()
    if (leftMs > 0) {
      timer = setTimeout(arm, Math.min(leftMs, timerMsMax))
      return
    }
    const error = new PosternError('session_expired', 'terminating connection: the token has expired', {
      hint: 'Run `postern token` for a fresh token and connect again.',
    })
    calls.due(error)
    if (!isDisarmed) timer = setTimeout(() => calls.over(error), graceMs)
  }
  arm()
  return {
    disarm() {
      isDisarmed = true
      clearTimeout(timer)
    },
  }
}

/** How often is looked whether something that has to be cancelled has come to run. */
const queuedLookMs = 200

/**
 * Access has changed while something may be running: what would not be let through any more is cancelled after a grace,
 * unless it has finished by then; what was sent and has not come to run by then, as soon as it does. `cancel` is given
 * what the client is to be told first.
 */
export function cancelWhatIsOver(running: {
  readonly exchange: Pick<Exchange, 'running'>
  readonly way: Pick<StatementWay, 'mayGoOn'>
  readonly graceMs: number
  readonly cancel: (warning: Buffer) => void
}): void {
  const { exchange, way, graceMs, cancel } = running
  const begun = exchange.running
  if (begun.length === 0) return
  const concerned = new Set(begun)
  let cancelled: Execution | null = null
  const check = (): void => {
    const { running } = exchange
    const over = running.filter((execution) => concerned.has(execution) && !way.mayGoOn(execution))
    if (over.length === 0) return
    // A cancel hits what runs, which is the first of them; it has to be one that is over.
    const [first] = running
    if (first !== undefined && first !== cancelled && over.includes(first)) {
      cancelled = first
      const message = 'the access that this statement was begun with is over, so that it is cancelled'
      cancel(encodeNoticeResponse({ severity: 'WARNING', code: sqlstateOf('access_ended'), message }))
    }
    setTimeout(check, queuedLookMs).unref()
  }
  setTimeout(check, graceMs).unref()
}

/** What the log says where a cancel did not reach PostgreSQL. */
export function uncancelled(session: SessionId, cause: unknown): [Readonly<Record<string, unknown>>, string] {
  return [{ session, err: cause }, 'a running statement could not be cancelled']
}
