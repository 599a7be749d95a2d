import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'

/** A token that was verified: whose it is and until when it may be used, leeway included. */
export interface VerifiedToken {
  readonly principal: Principal
  readonly usableUntilMs: number
  readonly verifiedAtMs: number
}

/** Remembers verified tokens by their SHA-256, so that neither tokens nor claims beyond the principal stay in memory. */
export class VerifiedTokens {
  readonly #byDigest = new Map<string, VerifiedToken>()
  readonly #countMax: number

  constructor(countMax: number = limits.verifiedTokensMax) {
    this.#countMax = countMax
  }

  /** The verified token, unless it is unknown, over, or was verified too long ago. */
  find(digest: string, nowMs: number): VerifiedToken | undefined {
    const found = this.#byDigest.get(digest)
    if (found === undefined) return undefined
    const ageMs = nowMs - found.verifiedAtMs
    if (nowMs >= found.usableUntilMs || ageMs >= limits.verifiedTokenAgeMsMax || ageMs < 0) {
      this.#byDigest.delete(digest)
      return undefined
    }
    return found
  }

  /** Remembers a token; beyond the bound the one remembered longest goes. */
  add(digest: string, token: VerifiedToken): void {
    this.#byDigest.delete(digest)
    this.#byDigest.set(digest, token)
    if (this.#byDigest.size <= this.#countMax) return
    const oldest = this.#byDigest.keys().next()
    if (oldest.done !== true) this.#byDigest.delete(oldest.value)
  }

  forget(): void {
    this.#byDigest.clear()
  }
}
