import { createHmac, timingSafeEqual } from 'node:crypto'

/** How far the time of an interaction may be from ours. */
const windowMs = 5 * 60_000
/** Interactions remembered so that none counts twice; a person clicks some in five minutes. */
const rememberedMax = 10_000

/** Tells interactions that Slack signed, lately and never seen before, from all others. */
export class SlackSignatures {
  /** Signatures by when they may be forgotten. */
  readonly #seen = new Map<string, number>()

  /** Why the body cannot be trusted; null where it can, and then never again. */
  refusalOf(
    body: Buffer,
    { headers, secret, nowMs }: { headers: ReadonlyMap<string, string>; secret: string; nowMs: number },
  ): string | null {
    if (secret === '') return 'no signing secret is configured'
    const timestamp = headers.get('x-slack-request-timestamp') ?? ''
    const signature = headers.get('x-slack-signature') ?? ''
    if (!/^\d{1,12}$/u.test(timestamp) || !/^v0=[0-9a-f]{64}$/u.test(signature)) return 'it is not signed'
    if (Math.abs(nowMs - Number(timestamp) * 1_000) > windowMs) return 'it was signed at another time'
    const expected = createHmac('sha256', secret).update(`v0:${timestamp}:`).update(body).digest()
    if (!timingSafeEqual(expected, Buffer.from(signature.slice('v0='.length), 'hex'))) return 'its signature is wrong'
    return this.#isNew(signature, nowMs) ? null : 'it was seen before'
  }

  #isNew(signature: string, nowMs: number): boolean {
    if (this.#seen.has(signature)) return false
    for (const [each, untilMs] of this.#seen) {
      if (untilMs < nowMs) this.#seen.delete(each)
    }
    // Full of signatures that are still good: rather refuse than let one count twice.
    if (this.#seen.size >= rememberedMax) return false
    // Signed up to a window ahead of our clock, it is good for two.
    this.#seen.set(signature, nowMs + 2 * windowMs)
    return true
  }
}
