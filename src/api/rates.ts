import type { Rate } from './services.ts'

interface Bucket {
  left: number
  atMs: number
}

/**
 * Token buckets by key, for a bounded number of keys: beyond it, further ones share a single bucket, so that nobody
 * gets a fresh one by making up keys.
 */
export class RateLimiter {
  readonly #rate: Rate
  readonly #keysMax: number
  readonly #buckets = new Map<string, Bucket>()
  readonly #shared: Bucket
  #sweptAtMs = -Infinity

  constructor(rate: Rate, keysMax: number) {
    this.#rate = rate
    this.#keysMax = keysMax
    this.#shared = { left: rate.burst, atMs: -Infinity }
  }

  /** Takes one; returns how many seconds to wait where there is none, and null where there was. */
  take(key: string, nowMs: number): number | null {
    const bucket = this.#bucketOf(key, nowMs)
    if (bucket.left < 1) return Math.max(1, Math.ceil((1 - bucket.left) / (this.#rate.perMinute / 60)))
    bucket.left -= 1
    return null
  }

  /** Takes that many more, down to a burst of debt: the next ones wait for it. */
  charge(key: string, amount: number, nowMs: number): void {
    const bucket = this.#bucketOf(key, nowMs)
    bucket.left = Math.max(-this.#rate.burst, bucket.left - amount)
  }

  #bucketOf(key: string, nowMs: number): Bucket {
    const known = this.#buckets.get(key)
    if (known !== undefined) return this.#refill(known, nowMs)
    if (this.#buckets.size >= this.#keysMax) this.#sweep(nowMs)
    if (this.#buckets.size >= this.#keysMax) return this.#refill(this.#shared, nowMs)
    const fresh: Bucket = { left: this.#rate.burst, atMs: nowMs }
    this.#buckets.set(key, fresh)
    return fresh
  }

  #refill(bucket: Bucket, nowMs: number): Bucket {
    // A clock that went back gives nothing and takes nothing.
    const passedMs = Math.max(0, nowMs - bucket.atMs)
    bucket.left = Math.min(this.#rate.burst, bucket.left + (passedMs * this.#rate.perMinute) / 60_000)
    bucket.atMs = nowMs
    return bucket
  }

  /** Forgets keys whose bucket is full again; they are like new ones. At most once a second, since it looks at all. */
  #sweep(nowMs: number): void {
    if (Math.abs(nowMs - this.#sweptAtMs) < 1_000) return
    this.#sweptAtMs = nowMs
    for (const [key, bucket] of this.#buckets) {
      if (this.#refill(bucket, nowMs).left >= this.#rate.burst) this.#buckets.delete(key)
    }
  }
}

/** What an address is counted under: of IPv6 the network of 64 bits, since one host has all addresses in it. */
export function addressKey(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(':')) return address
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after.length)
  const all = [...groups, ...Array.from({ length: missing }, () => '0'), ...after]
  return all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
