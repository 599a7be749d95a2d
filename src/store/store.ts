import type { ControlStore, ReadableStore } from '../core/control-store.ts'
import { limits } from '../core/limits.ts'
import { changesOf } from './changes.ts'
import type { Engine } from './engine.ts'
import { openingError } from './failures.ts'
import { Listeners } from './listeners.ts'
import { checkMigrations, migrate, readMigrations } from './migrate.ts'
import type { Migration } from './migrate.ts'
import { changesAfter, markJournalled, touchGateway, unjournalled } from './outbox.ts'
import { openPostgres } from './postgres.ts'
import type { PostgresConnection } from './postgres.ts'
import { prune } from './prune.ts'
import { readsOf } from './reads.ts'
import { openSqlite } from './sqlite.ts'
import { Transactions } from './transactions.ts'

/** Where the control store is: in a file of this machine, or in a PostgreSQL that several gateways share. */
export type ControlStoreOptions =
  | { readonly kind: 'sqlite'; readonly file: string }
  /** `schema` is `postern` unless told; it is made where it is absent. */
  | { readonly kind: 'postgres'; readonly connection: PostgresConnection; readonly schema?: string }

/** Who is told of what. */
export interface ControlStoreHooks {
  /** Failures that no caller sees: a connection lost while it was idle, a listener that threw. */
  readonly onFault?: (error: unknown) => void
  /** Other bounds and migrations than the program's own, for tests. */
  readonly workMsMax?: number
  readonly migrations?: readonly Migration[]
}

/**
 * Opens the control store and brings its schema up to date. Rejects with `store_unavailable` where it cannot be reached
 * or written, was made by a newer program, or has another schema than it says.
 */
export async function openControlStore(
  options: ControlStoreOptions,
  hooks: ControlStoreHooks = {},
): Promise<ControlStore> {
  const { onFault = ignored, workMsMax = limits.storeWorkMsMax } = hooks
  const engine = engineOf(options, { onFault, isReadOnly: false })
  const transactions = new Transactions(engine, { workMsMax })
  try {
    await migrate(engine, transactions, hooks.migrations ?? readMigrations(engine.kind))
    await transactions.read((scope) => scope.step((db) => db.selectFrom('changes').select('seq').limit(1).execute()))
  } catch (error) {
    await engine.close().catch(onFault)
    throw openingError(engine.where, error)
  }
  return new Store(engine, transactions, onFault)
}

/**
 * Opens a control store to look at it only, also while gateways use it: nothing is made, migrated or written. Rejects
 * with `store_unavailable` where it is not there, cannot be reached, or is of another version.
 */
export async function openControlStoreForReading(
  options: ControlStoreOptions,
  { onFault = ignored }: Pick<ControlStoreHooks, 'onFault'> = {},
): Promise<ReadableStore> {
  const engine = engineOf(options, { onFault, isReadOnly: true })
  const transactions = new Transactions(engine)
  try {
    await checkMigrations(engine, transactions, readMigrations(engine.kind))
  } catch (error) {
    await engine.close().catch(onFault)
    throw openingError(engine.where, error)
  }
  return new Store(engine, transactions, onFault)
}

function engineOf(
  options: ControlStoreOptions,
  { onFault, isReadOnly }: { readonly onFault: (error: unknown) => void; readonly isReadOnly: boolean },
): Engine {
  return options.kind === 'sqlite'
    ? openSqlite(options.file, { onFault, isReadOnly })
    : openPostgres(options.connection, { schema: options.schema ?? 'postern', onFault })
}

class Store implements ControlStore {
  readonly #engine: Engine
  readonly #transactions: Transactions
  readonly #listeners: Listeners
  #stopWatching: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(engine: Engine, transactions: Transactions, onFault: (error: unknown) => void) {
    this.#engine = engine
    this.#transactions = transactions
    this.#listeners = new Listeners(onFault)
  }

  change: ControlStore['change'] = (work) =>
    this.#telling(() => this.#transactions.change((scope) => work(changesOf(scope))))

  read: ControlStore['read'] = (work) => this.#transactions.read((scope) => work(readsOf(scope)))

  changesAfter: ControlStore['changesAfter'] = (seq, limit) =>
    this.#transactions.read((scope) => changesAfter(scope, seq, limit))

  unjournalled: ControlStore['unjournalled'] = (of) => this.#transactions.read((scope) => unjournalled(scope, of))

  // Others are told as well: a change takes effect with them once it is on record.
  markJournalled: ControlStore['markJournalled'] = (seqs) =>
    this.#telling(() => this.#transactions.change((scope) => markJournalled(scope, seqs)))

  touchGateway: ControlStore['touchGateway'] = (gateway, atMs) =>
    this.#transactions.change((scope) => touchGateway(scope, gateway, atMs), { isQuiet: true })

  prune: ControlStore['prune'] = (pruning) =>
    this.#transactions.change((scope) => prune(scope, pruning), { isQuiet: true })

  onChange: ControlStore['onChange'] = (listener) => {
    if (this.#closing !== undefined) return () => undefined
    const remove = this.#listeners.add(listener)
    this.#stopWatching ??= this.#engine.watch(() => this.#listeners.notify())
    return () => {
      remove()
      if (this.#listeners.size > 0) return
      this.#stopWatching?.()
      this.#stopWatching = undefined
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stopWatching?.()
    this.#listeners.clear()
    await this.#transactions.close()
    await this.#engine.close()
  }

  /** Tells after a failure as well: a commit whose answer was lost may have happened. */
  async #telling<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change()
    } finally {
      this.#listeners.notify()
    }
  }
}

function ignored(error: unknown): void {
  void error
}
