import { CompiledQuery, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely'
import type { SQLInputValue } from 'node:sqlite'
import { limits } from '../core/limits.ts'
import type { Engine } from './engine.ts'
import { SqliteThread } from './sqlite-thread.ts'
import type { Tables } from './tables.ts'

/** A store in one SQLite file, which may be open in several processes of one machine. */
export function openSqlite(
  file: string,
  { onFault, isReadOnly }: { readonly onFault: (error: unknown) => void; readonly isReadOnly: boolean },
): Engine {
  // Two connections: who only reads waits for no commit to reach the disk.
  const writing = new SqliteFile(file, { onFault, isReadOnly })
  const reading = new SqliteFile(file, { onFault, isReadOnly })
  return {
    kind: 'sqlite',
    where: file,
    writer: new Kysely<Tables>({ dialect: dialectOf(writing) }),
    reader: new Kysely<Tables>({ dialect: dialectOf(reading) }),
    readersMax: 1,
    beginChange: 'begin immediate',
    beginRead: 'begin',
    announce: null,
    tableExists: "select 1 as found from sqlite_schema where type = 'table' and name = ?",
    prepare: null,
    watch: (listener) => watchFile(writing, listener, onFault),
    async close() {
      await Promise.all([writing.close(), reading.close()])
    },
  }
}

/** A connection that is opened when it is needed, and again after it was lost. */
class SqliteFile {
  readonly #file: string
  readonly #onFault: (error: unknown) => void
  readonly #isReadOnly: boolean
  #opening: Promise<SqliteThread> | undefined
  #wasOpen = false
  #isClosed = false

  constructor(
    file: string,
    { onFault, isReadOnly }: { readonly onFault: (error: unknown) => void; readonly isReadOnly: boolean },
  ) {
    this.#file = file
    this.#onFault = onFault
    this.#isReadOnly = isReadOnly
  }

  async thread(): Promise<SqliteThread> {
    if (this.#isClosed) throw new Error('the file is closed')
    this.#opening ??= this.#open()
    const thread = await this.#opening
    if (!thread.isLost) return thread
    this.#opening = this.#open()
    return this.#opening
  }

  async close(): Promise<void> {
    this.#isClosed = true
    // What could not be opened needs no closing; whoever asked for it was told.
    const [opened] = await Promise.allSettled([this.#opening])
    if (opened.status === 'fulfilled') await opened.value?.close()
  }

  async #open(): Promise<SqliteThread> {
    const isReadOnly = this.#isReadOnly
    const mayCreate = !this.#wasOpen && !isReadOnly
    const thread = new SqliteThread(
      { file: this.#file, mayCreate, isReadOnly, lockWaitMsMax: limits.storeLockWaitMsMax },
      this.#onFault,
    )
    try {
      await thread.opened
      this.#wasOpen = true
      return thread
    } catch (error) {
      thread.discard()
      this.#opening = undefined
      throw error
    }
  }
}

function dialectOf(file: SqliteFile): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new FileDriver(file),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

class FileDriver implements Driver {
  readonly #file: SqliteFile

  constructor(file: SqliteFile) {
    this.#file = file
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return new FileConnection(await this.#file.thread())
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

class FileConnection implements DatabaseConnection {
  readonly #thread: SqliteThread

  constructor(thread: SqliteThread) {
    this.#thread = thread
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    try {
      const rows = await this.#thread.run(sql, parameters as readonly SQLInputValue[])
      return { rows: rows as readonly R[] as R[] }
    } catch (error) {
      if (sql === 'rollback') this.#thread.discard()
      throw error
    }
  }

  // eslint-disable-next-line require-yield
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('the store streams nothing')
  }
}

/**
 * Looks for commits of other connections, which SQLite counts per connection; those of this one are not among them. A
 * connection that was opened anew counts from a start of its own, so that is told as well.
 */
function watchFile(file: SqliteFile, listener: () => void, onFault: (error: unknown) => void): () => void {
  const seen: { thread?: SqliteThread; version?: unknown; isFailing: boolean; isAsking: boolean } = {
    isFailing: false,
    isAsking: false,
  }
  const look = async (): Promise<void> => {
    const thread = await file.thread()
    const [row] = await thread.run('PRAGMA data_version')
    const version = row?.['data_version']
    const isNew = seen.thread !== thread || seen.version !== version || seen.isFailing
    Object.assign(seen, { thread, version, isFailing: false })
    if (isNew) listener()
  }
  const poll = (): void => {
    if (seen.isAsking) return
    seen.isAsking = true
    look()
      .catch((error: unknown) => {
        // Told once; everybody who uses the store is told for themselves.
        if (!seen.isFailing) onFault(error)
        seen.isFailing = true
      })
      .finally(() => {
        seen.isAsking = false
      })
  }
  poll()
  const timer = setInterval(poll, limits.storePollMs)
  timer.unref()
  return () => clearInterval(timer)
}
