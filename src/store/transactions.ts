import { CompiledQuery } from 'kysely'
import type { Kysely } from 'kysely'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Engine } from './engine.ts'
import { storeError, unavailable } from './failures.ts'
import { Queue } from './queue.ts'
import type { Tables } from './tables.ts'

/**
 * One transaction as its work sees it. Ends with the transaction: what is asked later, or was not waited for, never
 * reaches the database, where it would be part of somebody else's transaction.
 */
export class Scope {
  readonly #db: Kysely<Tables>
  #state: 'open' | 'ended' = 'open'
  #underWay = 0
  #failure: PosternError | undefined

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** Runs one step. A step that failed dooms the transaction, in whatever way its work takes the error. */
  async step<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    if (this.#state === 'ended')
      throw new PosternError('internal', 'a transaction of the control store is over already')
    if (this.#failure !== undefined) throw this.#failure
    this.#underWay += 1
    try {
      return await run(this.#db)
    } catch (error) {
      this.#failure ??= storeError(error)
      throw this.#failure
    } finally {
      this.#underWay -= 1
    }
  }

  /** Ends it; throws where it must not be committed. */
  seal(): void {
    this.end()
    if (this.#failure !== undefined) throw this.#failure
    if (this.#underWay > 0) {
      throw new PosternError('internal', 'a transaction of the control store ended before all its steps had')
    }
  }

  end(): void {
    this.#state = 'ended'
  }
}

/** Runs work in transactions: changes one at a time, reads some at a time, neither for ever. */
export class Transactions {
  readonly #engine: Engine
  readonly #changes: Queue
  readonly #reads: Queue
  readonly #workMsMax: number

  constructor(engine: Engine, options: { readonly workMsMax?: number } = {}) {
    this.#engine = engine
    const bounds = { waitingMax: limits.storeQueueMax, waitMsMax: limits.storeQueueWaitMsMax }
    this.#changes = new Queue({ ...bounds, width: 1 })
    this.#reads = new Queue({ ...bounds, width: engine.readersMax })
    this.#workMsMax = options.workMsMax ?? limits.storeWorkMsMax
  }

  /** A change, serialised with all others; `isQuiet` ones tell nobody. */
  change<T>(work: (scope: Scope) => Promise<T>, { isQuiet = false } = {}): Promise<T> {
    const { writer, beginChange, announce } = this.#engine
    return this.#changes.run(() =>
      this.#transaction({ db: writer, begin: beginChange, beforeCommit: isQuiet ? null : announce }, work),
    )
  }

  /** A look at one state. */
  read<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const { reader, beginRead } = this.#engine
    return this.#reads.run(() => this.#transaction({ db: reader, begin: beginRead, beforeCommit: null }, work))
  }

  /** Refuses what comes, and resolves once nothing is under way. */
  async close(): Promise<void> {
    await Promise.all([this.#changes.close(), this.#reads.close()])
  }

  async #transaction<T>(
    how: { readonly db: Kysely<Tables>; readonly begin: string; readonly beforeCommit: string | null },
    work: (scope: Scope) => Promise<T>,
  ): Promise<T> {
    // What the work throws is thrown as it is; whatever else is thrown in here is the store's failure.
    let thrownByWork: { readonly error: unknown } | undefined
    try {
      return await how.db.connection().execute(async (connection) => {
        const scope = new Scope(connection)
        try {
          await connection.executeQuery(CompiledQuery.raw(how.begin))
          const value = await this.#bounded(work, scope).catch((error: unknown) => {
            thrownByWork = { error }
            throw error
          })
          scope.seal()
          // In one text: PostgreSQL runs what follows only if what precedes did not fail, and a way there and back is saved.
          const commit = how.beforeCommit === null ? 'commit' : `${how.beforeCommit}; commit`
          const { rows } = await connection.executeQuery<{ readonly command?: string }>(CompiledQuery.raw(commit))
          // PostgreSQL answers the COMMIT of a transaction that had failed with ROLLBACK, and no error.
          if (rows[0]?.command === 'ROLLBACK') throw unavailable('the control store did not keep a change')
          return value
        } catch (error) {
          scope.end()
          await rollBack(connection)
          throw error
        }
      })
    } catch (error) {
      if (thrownByWork !== undefined) throw thrownByWork.error
      throw storeError(error)
    }
  }

  async #bounded<T>(work: (scope: Scope) => Promise<T>, scope: Scope): Promise<T> {
    const deadline = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      scope.end()
      deadline.reject(unavailable('a change or question took longer than the control store may be held'))
    }, this.#workMsMax)
    try {
      return await Promise.race([work(scope), deadline.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}

/**
 * Undoes a transaction. Where that fails, both drivers throw the connection away, which undoes it as well; what is told is
 * why it had to be undone.
 */
async function rollBack(connection: Kysely<Tables>): Promise<void> {
  await connection.executeQuery(CompiledQuery.raw('rollback')).catch((error: unknown) => error)
}
