import type { Exchange } from './exchange.ts'
import type { Execution } from './operations.ts'
import type { OwnResult, ProtectedSchema, Protects } from './services.ts'

/** The schema that a statement is traced against, and whether PostgreSQL will surely read its names by it. */
export interface SchemaNow {
  readonly schema: ProtectedSchema
  readonly isCertain: boolean
}

/** Runs a text on the session's own connection while nothing else is under way there; null where it fails. */
export type RunsOwn = (script: string) => Promise<readonly OwnResult[] | null>

/**
 * What a session knows of its database's catalog. Mostly that is the shared snapshot. Once the session itself has
 * changed the catalog, the snapshot is behind: after a commit it waits for a fresh one, and within the open transaction,
 * which no other connection can look into, it reads the catalog over its own.
 */
export class SessionCatalog {
  readonly #protects: Protects
  readonly #exchange: Exchange
  readonly #runOwn: RunsOwn
  readonly #waitFor: (promise: Promise<unknown>) => void
  /** Changes that were sent and whose transaction's state was not told since. */
  #changesUnderWay = 0
  #changesAnswered = 0
  /** Whether the open transaction has changed the catalog. */
  #isChanged = false
  #own: ProtectedSchema | 'unread' | 'unreadable' = 'unread'
  #refreshing: Promise<void> | null = null
  #isReading = false
  #hasAsked = false
  /** Relations made out of classified columns by statements whose transaction has not ended. */
  readonly #created = new Map<Execution, { settle(): void }>()

  constructor(
    protects: Protects,
    parts: {
      readonly exchange: Exchange
      readonly runOwn: RunsOwn
      readonly waitFor: (promise: Promise<unknown>) => void
    },
  ) {
    this.#protects = protects
    this.#exchange = parts.exchange
    this.#runOwn = parts.runOwn
    this.#waitFor = parts.waitFor
  }

  /**
   * The schema for a statement that is treated now, or `undecided` where it has to wait. Whoever `isPatient` waits for
   * certainty; who sees everything anyway does not need it.
   */
  now(options: { readonly isPatient: (schema: ProtectedSchema) => boolean }): SchemaNow | 'undecided' | 'unavailable' {
    const { schema } = this.#protects
    if (schema === null) return this.#awaitFirst()
    const exchange = this.#exchange
    const isUncertain = this.#changesUnderWay > 0 || this.#refreshing !== null || this.#isChanged || this.#isReading
    if (!isUncertain) return { schema, isCertain: true }
    if (!options.isPatient(schema)) return { schema, isCertain: false }
    if (this.#changesUnderWay > 0) return exchange.willBeAnswered ? 'undecided' : { schema, isCertain: false }
    if (this.#refreshing !== null || this.#isReading) return 'undecided'
    if (this.#own !== 'unread' && this.#own !== 'unreadable') return { schema: this.#own, isCertain: true }
    // In a failed transaction nothing runs but its end.
    if (exchange.transactionStatus !== 'T' || this.#own === 'unreadable') return { schema, isCertain: false }
    if (exchange.isIdle) {
      this.#readOwn()
      return 'undecided'
    }
    return exchange.willBeAnswered ? 'undecided' : { schema, isCertain: false }
  }

  /** A statement that may change the catalog goes to PostgreSQL. */
  changeSent(execution: Execution): void {
    this.#changesUnderWay += 1
    const creates = execution.protection?.lineage.creates ?? null
    if (creates?.columns.some(({ sources }) => sources === 'unknown' || sources.size > 0) === true) {
      this.#created.set(execution, this.#protects.pend(creates))
    }
  }

  /** It was answered; what failed has made nothing. */
  changeAnswered(execution: Execution, options: { readonly hasFailed: boolean }): void {
    this.#changesAnswered += 1
    const created = this.#created.get(execution)
    if (!options.hasFailed || created === undefined) return
    this.#created.delete(execution)
    created.settle()
  }

  /**
   * The session is over, and with it its transaction once PostgreSQL has said so: what it has made is there then, or never.
   * Where nobody knows, what bears those names stays pending.
   */
  close(gone: Promise<boolean>): void {
    if (this.#created.size === 0) return
    void gone.then((isOver) => (isOver ? this.#refreshAndSettle() : undefined))
  }

  /** PostgreSQL is ready again: what was answered has happened. `takesBack` is a ROLLBACK TO SAVEPOINT. */
  ready(options: { readonly takesBack: boolean }): void {
    if (this.#changesAnswered > 0) {
      this.#changesUnderWay -= this.#changesAnswered
      this.#changesAnswered = 0
      this.#isChanged = true
      this.#own = 'unread'
    }
    if (options.takesBack) this.#own = 'unread'
    if (!this.#isChanged || this.#exchange.transactionStatus !== 'I') return
    this.#isChanged = false
    this.#own = 'unread'
    const refreshing = this.#refreshAndSettle().finally(() => {
      if (this.#refreshing === refreshing) this.#refreshing = null
    })
    this.#refreshing = refreshing
    this.#waitFor(refreshing)
  }

  /** A name is not in the snapshot: reads a fresh one, once for each schema. */
  refreshForMissing(): void {
    this.#waitFor(this.#protects.refresh('missing'))
  }

  async #refreshAndSettle(): Promise<void> {
    const created = [...this.#created.values()]
    this.#created.clear()
    await this.#protects.refresh('changed')
    for (const each of created) each.settle()
  }

  #awaitFirst(): 'undecided' | 'unavailable' {
    if (this.#refreshing !== null) return 'undecided'
    // Each statement asks once.
    this.#hasAsked = !this.#hasAsked
    if (!this.#hasAsked) return 'unavailable'
    const refreshing = this.#protects.refresh('missing').finally(() => {
      // A change that was committed meanwhile waits for a later one.
      if (this.#refreshing === refreshing) this.#refreshing = null
    })
    this.#refreshing = refreshing
    this.#waitFor(refreshing)
    return 'undecided'
  }

  #readOwn(): void {
    this.#isReading = true
    this.#exchange.isReserved = true
    const reading = this.#readTwice()
      .catch(() => 'unreadable' as const)
      .then((own) => {
        this.#own = own
        this.#isReading = false
        this.#exchange.isReserved = false
      })
    this.#waitFor(reading)
  }

  /** What others define meanwhile can make it fail, so that it is worth a second try. */
  async #readTwice(): Promise<ProtectedSchema | 'unreadable'> {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const { script, repair, read } = this.#protects.ownCatalog()
      const results = await this.#runOwn(script)
      if (results !== null) return read(results)
      // The transaction has failed with it, and the client has not: it goes on from before the script.
      if ((await this.#runOwn(repair)) === null) return 'unreadable'
    }
    return 'unreadable'
  }
}
