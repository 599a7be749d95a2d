import { randomBytes, timingSafeEqual } from 'node:crypto'
import { protocol32, type ProtocolVersion } from '../wire/startup.ts'

/** A cancel key as the client knows it: the backend's own process id and a secret of ours. */
export interface CancelKey {
  readonly processId: number
  readonly secretKey: Buffer
}

/**
 * Finds what a CancelRequest means. Process ids repeat between databases on different hosts, so several sessions can
 * share one; the secret decides, compared in constant time.
 */
export class CancelKeys<Target> {
  readonly #byProcessId = new Map<number, { readonly secretKey: Buffer; readonly target: Target }[]>()

  /** Issues a key: 32 bytes of secret where the protocol allows it, else the 4 of protocol 3.0. */
  issue(processId: number, version: ProtocolVersion, target: Target): CancelKey {
    const secretKey = randomBytes(version === protocol32 ? 32 : 4)
    const holders = this.#byProcessId.get(processId) ?? []
    holders.push({ secretKey, target })
    this.#byProcessId.set(processId, holders)
    return { processId, secretKey }
  }

  /** Who holds this key, or null. */
  find(key: CancelKey): Target | null {
    let found: Target | null = null
    for (const holder of this.#byProcessId.get(key.processId) ?? []) {
      if (holder.secretKey.length === key.secretKey.length && timingSafeEqual(holder.secretKey, key.secretKey)) {
        found = holder.target
      }
    }
    return found
  }

  /** The session is over. */
  withdraw(key: CancelKey): void {
    const left = (this.#byProcessId.get(key.processId) ?? []).filter((holder) => holder.secretKey !== key.secretKey)
    if (left.length === 0) this.#byProcessId.delete(key.processId)
    else this.#byProcessId.set(key.processId, left)
  }
}
