import { createHash } from 'node:crypto'
import type { Catalog, CatalogData } from '../../core/catalog.ts'
import { PosternError, toPosternError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { createCatalog } from './catalog.ts'

/** The current snapshot of one database's catalog. */
export interface CatalogKeeper {
  /** The newest snapshot that could be read; null before the first. */
  readonly current: Catalog | null
  /** Since when refreshes have failed, as `now` tells it; null while they succeed. */
  readonly failingSinceMs: number | null
  /**
   * Reads a snapshot that has everything in it which was committed before this call, and gives it. Calls during a
   * reading share the next one. Rejects with a PosternError where it fails; `current` is then what it was.
   */
  refresh(): Promise<Catalog>
  /** Ends the timer and gives up on a reading; `refresh` rejects from here on. */
  close(): void
}

/** A refresh that failed. */
export interface CatalogFailure {
  readonly error: PosternError
  /** How long refreshes have failed for. */
  readonly forMs: number
  /** Whether that is longer than `staleAfterMs`, so that the snapshot may be wrong about what is committed. */
  readonly isStale: boolean
}

/** What a keeper needs. */
export interface CatalogKeeperOptions {
  /** Reads a snapshot; the signal aborts when it takes too long or is not wanted any more. */
  load(signal: AbortSignal): Promise<CatalogData>
  readonly refreshMs: number
  /** How long refreshes may fail before that is called stale; three times `refreshMs` by default. */
  readonly staleAfterMs?: number
  /** Called with every snapshot that differs from the one before, the first included. */
  onChanged?(catalog: Catalog): void
  onFailed(failure: CatalogFailure): void
  readonly now?: () => number
}

/**
 * Keeps a snapshot fresh: by timer, and when asked. Nothing is read before `refresh` is called for the first time or the
 * timer fires. Snapshots that are equal are one object with one version.
 */
export function createCatalogKeeper(options: CatalogKeeperOptions): CatalogKeeper {
  const keeper = new Keeper(options)
  return {
    get current() {
      return keeper.current
    },
    get failingSinceMs() {
      return keeper.failingSinceMs
    },
    refresh: async () => keeper.refresh(),
    close: () => keeper.close(),
  }
}

class Keeper {
  readonly #options: CatalogKeeperOptions
  readonly #now: () => number
  readonly #staleAfterMs: number
  readonly #timer: NodeJS.Timeout
  readonly #closing = new AbortController()
  current: Catalog | null = null
  failingSinceMs: number | null = null
  #digest = ''
  #version = 0
  #running: Promise<Catalog> | null = null
  #next: Promise<Catalog> | null = null

  constructor(options: CatalogKeeperOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#staleAfterMs = options.staleAfterMs ?? options.refreshMs * staleAfterRefreshes
    this.#timer = setInterval(() => {
      // Whoever waits for the reading that is under way gets its failure; `onFailed` has been told either way.
      if (this.#running === null) void Promise.allSettled([this.refresh()])
    }, options.refreshMs)
    this.#timer.unref()
  }

  async refresh(): Promise<Catalog> {
    const running = this.#running
    if (running === null) return this.#start()
    // What is under way may have read before the change that this call is about.
    this.#next ??= Promise.allSettled([running]).then(async () => {
      this.#next = null
      // One that began meanwhile began after every call that waits here.
      return this.#running ?? this.#start()
    })
    return this.#next
  }

  close(): void {
    clearInterval(this.#timer)
    this.#closing.abort(new PosternError('gateway_stopping', 'the gateway is stopping'))
  }

  async #start(): Promise<Catalog> {
    const running = this.#load().finally(() => {
      if (this.#running === running) this.#running = null
    })
    this.#running = running
    return running
  }

  async #load(): Promise<Catalog> {
    try {
      const data = await this.#loadInTime()
      const catalog = this.#take(data)
      this.failingSinceMs = null
      return catalog
    } catch (error) {
      const failure = toPosternError(error)
      if (this.#closing.signal.aborted) throw failure
      const nowMs = this.#now()
      this.failingSinceMs ??= nowMs
      const forMs = nowMs - this.failingSinceMs
      this.#options.onFailed({ error: failure, forMs, isStale: forMs > this.#staleAfterMs })
      throw failure
    }
  }

  /** A reading that ignores its signal is left to itself, or no snapshot would ever be read again. */
  async #loadInTime(): Promise<CatalogData> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(limits.catalogLoadMsMax)])
    signal.throwIfAborted()
    let onAbort = (): void => undefined
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        const { reason } = signal
        const late = 'the catalog could not be read in time'
        reject(reason instanceof PosternError ? reason : new PosternError('backend_unavailable', late))
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([this.#options.load(signal), aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #take(data: CatalogData): Catalog {
    if (this.current?.data === data) return this.current
    const digest = createHash('sha256').update(JSON.stringify(data)).digest('base64')
    if (this.current !== null && digest === this.#digest) return this.current
    this.#version += 1
    const catalog = createCatalog(data, this.#version)
    // A snapshot that somebody cannot work with is none: the next refresh tries again.
    this.#options.onChanged?.(catalog)
    this.#digest = digest
    this.current = catalog
    return catalog
  }
}

const staleAfterRefreshes = 3
