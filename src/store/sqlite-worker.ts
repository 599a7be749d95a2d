import { randomBytes } from 'node:crypto'
import { chmodSync, linkSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

/*
 * One connection to a SQLite file in a thread of its own. node:sqlite is synchronous, and a commit waits for the disk, or
 * for another process: the event loop, which all sessions share, must not.
 */

/** What the thread is started with. */
export interface SqliteWorkerData {
  readonly file: string
  /** False once the store was open before: a file that went away is then not replaced by an empty one. */
  readonly mayCreate: boolean
  /** Nothing about the file is changed, neither what is in it nor who may open it. */
  readonly isReadOnly?: boolean
  readonly lockWaitMsMax: number
}

/** One call: SQL that is run, or the order to close. Without parameters it may be several statements. */
export type SqliteCall =
  | { readonly id: number; readonly sql: string; readonly parameters: readonly SQLInputValue[] }
  | { readonly id: number; readonly sql: null }

/** What came of a call; the one with id 0 is the opening. */
export type SqliteAnswer =
  | { readonly id: number; readonly rows: readonly Record<string, unknown>[] }
  | { readonly id: number; readonly failure: { readonly message: string; readonly resultCode: number } }

/** Prepared statements that are kept; the store has some dozens of texts, and filters make some more. */
const statementsMax = 200
const busy = 5

const { file, mayCreate, isReadOnly = false, lockWaitMsMax } = workerData as SqliteWorkerData
const port = parentPort
if (port === null) throw new Error('this file is run as a worker')

const statements = new Map<string, StatementSync>()
let database: DatabaseSync | undefined
let identity = ''

const answer = (id: number, run: () => readonly Record<string, unknown>[]): void => {
  try {
    port.postMessage({ id, rows: run() } satisfies SqliteAnswer)
  } catch (error) {
    const { message, errcode = 0 } = error as Error & { errcode?: number }
    port.postMessage({ id, failure: { message, resultCode: errcode } } satisfies SqliteAnswer)
  }
}

port.on('message', (call: SqliteCall) => {
  answer(call.id, () => {
    if (call.sql !== null) return run(opened(), call.sql, call.parameters)
    statements.clear()
    database?.close()
    database = undefined
    return []
  })
})

answer(0, () => {
  database = open()
  return []
})

function opened(): DatabaseSync {
  if (database === undefined) throw new Error('the file is not open')
  return database
}

function open(): DatabaseSync {
  if (mayCreate) create()
  // Without a descriptor: closing one would drop the locks that this process has on the file (see fcntl(2)).
  const { mode } = statSync(file)
  if ((mode & 0o077) !== 0 && !isReadOnly) chmodSync(file, 0o600)
  identity = fileIdentity()
  const connection = new DatabaseSync(file, {
    readOnly: isReadOnly,
    timeout: lockWaitMsMax,
    enableForeignKeyConstraints: true,
    allowExtension: false,
    // As numbers, integers beyond 2^53 would make the whole answer fail; the decoders refuse the one that is too large.
    readBigInts: true,
    defensive: true,
  })
  if (isReadOnly) return connection
  try {
    const journal = patiently(() => connection.prepare('PRAGMA journal_mode = WAL').get())
    if (journal?.['journal_mode'] !== 'wal') throw new Error('SQLite cannot keep a write-ahead log beside the file')
    connection.exec('PRAGMA synchronous = FULL; PRAGMA recursive_triggers = ON')
    return connection
  } catch (error) {
    connection.close()
    throw error
  }
}

/** Made aside and linked, so that nobody ever sees it with another mode, and nobody's file is replaced. */
function create(): void {
  if (statSync(file, { throwIfNoEntry: false }) !== undefined) return
  const aside = `${file}.${randomBytes(6).toString('hex')}`
  writeFileSync(aside, '', { flag: 'wx', mode: 0o600 })
  try {
    linkSync(aside, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(aside)
  }
}

/** Changing to a write-ahead log does not wait for other connections by itself. */
function patiently<T>(run: () => T): T {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + lockWaitMsMax
  for (;;) {
    try {
      return run()
    } catch (error) {
      const code = (error as { errcode?: number }).errcode ?? 0
      if (code % 256 !== busy || performance.now() > deadline) throw error
      Atomics.wait(pause, 0, 0, 10)
    }
  }
}

function run(
  connection: DatabaseSync,
  sql: string,
  parameters: readonly SQLInputValue[],
): readonly Record<string, unknown>[] {
  // SQLite ends a transaction by itself when the disk is full or broken; there is nothing left to roll back then.
  if (sql === 'rollback' && !connection.isTransaction) return []
  if (sql.startsWith('begin') && fileIdentity() !== identity) {
    // What is committed to a file that has no name any more is gone with this process.
    throw new Error('the file was removed or replaced while it was open; start again')
  }
  const statement = prepared(connection, sql)
  if (parameters.length === 0 && statement.columns().length === 0) {
    connection.exec(sql)
    return []
  }
  return statement.all(...parameters)
}

function prepared(connection: DatabaseSync, sql: string): StatementSync {
  const known = statements.get(sql)
  if (known !== undefined) return known
  const [oldest] = statements.keys()
  if (statements.size >= statementsMax && oldest !== undefined) statements.delete(oldest)
  const statement = connection.prepare(sql)
  statements.set(sql, statement)
  return statement
}

function fileIdentity(): string {
  const { dev, ino } = statSync(file)
  return `${String(dev)}:${String(ino)}`
}
