import type { RequestRecord, WithdrawalReason } from '../core/access.ts'
import { PosternError } from '../core/errors.ts'
import type { GatewayId, RequestId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { LogsAccess } from './options.ts'
import { advance, isFinal } from './request-machine.ts'
import type { Work } from './work.ts'

/** A request that is to be closed: nobody needs it any more, or its time is over. */
export interface Closing {
  readonly id: RequestId
  readonly event:
    | { readonly type: 'expire'; readonly atMs: number }
    | { readonly type: 'withdraw'; readonly atMs: number; readonly why: WithdrawalReason }
  /** Only if that gateway is still lost, which it is where it was not seen since. */
  readonly lost?: { readonly gateway: GatewayId; readonly notSeenSinceMs: number }
}

/**
 * Requests that were closed in memory and have to be closed in the store: at once where it can be written, and otherwise
 * when it can. Nothing here ever opens anything, so it may come late, twice, or for what is closed already.
 */
export class Closings {
  readonly #commit: (work: (work: Work) => Promise<void>) => Promise<void>
  readonly #log: LogsAccess
  readonly #onDelayed: (ids: readonly RequestId[]) => void
  readonly #queue = new Map<RequestId, Closing>()
  #draining: Promise<void> | null = null

  constructor({
    commit,
    log,
    onDelayed,
  }: {
    commit: (work: (work: Work) => Promise<void>) => Promise<void>
    log: LogsAccess
    /** The store could not be asked about these: they count as closed from here on. */
    onDelayed: (ids: readonly RequestId[]) => void
  }) {
    this.#commit = commit
    this.#log = log
    this.#onDelayed = onDelayed
  }

  get size(): number {
    return this.#queue.size
  }

  /** Whether a request is closed here, whatever the store says of it still. */
  has(id: RequestId): boolean {
    return this.#queue.has(id)
  }

  /** Takes a request to be closed. Of two for one request, the withdrawal stands. */
  add(closing: Closing): void {
    if (this.#queue.get(closing.id)?.event.type === 'withdraw') return
    this.#queue.set(closing.id, closing)
    void this.drain()
  }

  /** Closes what there is; never rejects. */
  async drain(): Promise<void> {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = null
    })
    return this.#draining
  }

  async #drain(): Promise<void> {
    // What is added in the same moment goes along.
    await Promise.resolve()
    while (this.#queue.size > 0) {
      const batch = [...this.#queue.values()].slice(0, limits.closingsPerChangeMax)
      try {
        await this.#commit(async (work) => {
          for (const closing of batch) await close(work, closing)
        })
      } catch (error) {
        if (!(error instanceof PosternError) || error.code === 'store_unavailable') {
          this.#log.warn(
            { err: error, requests: batch.length },
            'requests could not be closed in the control store yet',
          )
          // Those behind them, and those that came meanwhile, would fare no better.
          this.#onDelayed([...this.#queue.keys()])
          return
        }
        // They are closed in the store; what is not on record yet is tried again by whoever puts it there.
        this.#log.warn({ err: error, requests: batch.length }, 'requests were closed, but not on record yet')
      }
      for (const closing of batch) if (this.#queue.get(closing.id) === closing) this.#queue.delete(closing.id)
    }
  }
}

async function close(work: Work, { id, event, lost }: Closing): Promise<void> {
  const request = await work.reads.request(id)
  if (request === null || isFinal(request.state)) return
  if (lost !== undefined) {
    const gateways = await work.reads.gatewaysNotSeenSince(lost.notSeenSinceMs)
    if (!gateways.includes(lost.gateway)) return
  }
  const closed = closedBy(request, event)
  if (closed !== null) await work.settleRequest(closed)
}

function closedBy(request: RequestRecord, event: Closing['event']): RequestRecord | null {
  const advanced = advance(request, event)
  return advanced.ok ? advanced.request : null
}
