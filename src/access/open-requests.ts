import type { RequestRecord } from '../core/access.ts'
import type { GatewayId, RequestId } from '../core/ids.ts'
import { dueAtMs, isFinal } from './request-machine.ts'

/** A request that nothing final has happened to, as far as is known here. */
export interface OpenRequest {
  readonly id: RequestId
  /** The gateway whose session waits; null for access requests, which wait at none. */
  readonly gateway: GatewayId | null
  readonly isPending: boolean
  readonly dueAtMs: number
}

/** All open requests of all gateways, kept by following the store, so that nobody has to search it by the second. */
export class OpenRequests {
  readonly #open = new Map<RequestId, OpenRequest>()
  #pending = 0

  /** How many wait for an answer. A little behind the store, which for a bound on memory is good enough. */
  get pending(): number {
    return this.#pending
  }

  put(request: RequestRecord): void {
    const before = this.#open.get(request.id)
    if (before?.isPending === true) this.#pending--
    if (isFinal(request.state)) {
      this.#open.delete(request.id)
      return
    }
    const isPending = request.state.state === 'pending'
    if (isPending) this.#pending++
    const gateway = request.kind === 'statement' ? request.gateway : null
    this.#open.set(request.id, { id: request.id, gateway, isPending, dueAtMs: dueAtMs(request) })
  }

  [Symbol.iterator](): IterableIterator<OpenRequest> {
    return this.#open.values()
  }
}
