import { setTimeout as sleep } from 'node:timers/promises'
import { Client, escapeIdentifier } from 'pg'
import type { ClientConfig } from 'pg'
import { limits } from '../core/limits.ts'

/** What is watched, and who is told. */
export interface PostgresWatchOptions {
  readonly config: ClientConfig
  readonly channel: string
  /** This store's own name: what it announces itself, its listeners know already. */
  readonly instance: string
  readonly listener: () => void
  readonly onFault: (error: unknown) => void
}

const firstPauseMs = 100

/**
 * A connection that does nothing but LISTEN. Whenever it is (again) there, it calls back once, since nobody knows what
 * was committed before. An outage is told once.
 */
export class PostgresWatch {
  readonly #options: PostgresWatchOptions
  readonly #stopping = new AbortController()

  constructor(options: PostgresWatchOptions) {
    this.#options = options
    void this.#run()
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #run(): Promise<void> {
    let pauseMs = firstPauseMs
    let isTold = false
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#listen(() => {
          pauseMs = firstPauseMs
          isTold = false
        })
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (!isTold) this.#options.onFault(error)
        isTold = true
      }
      await this.#pause(pauseMs)
      pauseMs = Math.min(2 * pauseMs, limits.storeRetryPauseMsMax)
    }
  }

  /** Listens until the connection is lost, which rejects, or is no longer wanted. */
  async #listen(onListening: () => void): Promise<void> {
    const { config, channel, instance, listener } = this.#options
    const client = new Client(config)
    const lost = Promise.withResolvers<never>()
    // Without this, a loss before anybody waits for it would count as unhandled.
    lost.promise.catch((error: unknown) => error)
    client.on('error', (error) => lost.reject(error))
    client.on('end', () => lost.reject(new Error('the connection that listens for changes ended')))
    client.on('notification', ({ payload }) => {
      if (payload !== instance) listener()
    })
    try {
      await client.connect()
      await client.query(`listen ${escapeIdentifier(channel)}`)
      onListening()
      listener()
      while (!this.#stopping.signal.aborted) {
        await Promise.race([this.#pause(limits.storeHeartbeatMs), lost.promise])
        // A connection whose other end is gone says nothing for hours; a question finds out.
        if (!this.#stopping.signal.aborted) await client.query('select 1')
      }
    } finally {
      await client.end().catch((error: unknown) => error)
    }
  }

  async #pause(pauseMs: number): Promise<void> {
    const { signal } = this.#stopping
    await sleep(pauseMs, undefined, { signal }).catch((error: unknown) => error)
  }
}
