import { extname } from 'node:path'
import type { SQLInputValue } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { limits } from '../core/limits.ts'
import { SqliteError } from './failures.ts'
import type { SqliteAnswer, SqliteCall, SqliteWorkerData } from './sqlite-worker.ts'

/** A call may wait for another process's transaction and for the disk; beyond this the disk counts as gone. */
const callMsMax = limits.storeLockWaitMsMax + limits.storeStatementMsMax

interface Call {
  readonly resolve: (rows: readonly Record<string, unknown>[]) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/**
 * One connection to a SQLite file, which lives in a thread. It is not opened a second time: what was begun on a
 * connection that is lost must not go on on another one.
 */
export class SqliteThread {
  readonly #worker: Worker
  readonly #calls = new Map<number, Call>()
  /** Resolves once the file is open. */
  readonly opened: Promise<unknown>
  #lastId = 0
  #lost: Error | undefined

  constructor(data: SqliteWorkerData, onFault: (error: unknown) => void) {
    const extension = extname(import.meta.filename)
    this.#worker = new Worker(new URL(`./sqlite-worker${extension}`, import.meta.url), { workerData: data })
    this.#worker.on('message', (answer: SqliteAnswer) => this.#settle(answer))
    this.#worker.on('error', (error) => {
      onFault(error)
      this.#lose(new SqliteError('the thread of the file failed', 0))
    })
    this.#worker.on('exit', () => this.#lose(new SqliteError('the thread of the file ended', 0)))
    this.opened = this.#wait(0)
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  run(sql: string, parameters: readonly SQLInputValue[] = []): Promise<readonly Record<string, unknown>[]> {
    return this.#call({ id: this.#nextId(), sql, parameters })
  }

  /** Gives the connection up: what it had begun is undone when its thread ends. */
  discard(): void {
    this.#lose(new SqliteError('the connection to the file was given up', 0))
    void this.#worker.terminate()
  }

  async close(): Promise<void> {
    try {
      if (!this.isLost) await this.#call({ id: this.#nextId(), sql: null })
    } finally {
      this.discard()
    }
  }

  #call(call: SqliteCall): Promise<readonly Record<string, unknown>[]> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    const answered = this.#wait(call.id)
    this.#worker.postMessage(call, [])
    return answered
  }

  #wait(id: number): Promise<readonly Record<string, unknown>[]> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#lose(new SqliteError('the file did not answer in time', 0))
        void this.#worker.terminate()
      }, callMsMax)
      this.#calls.set(id, { resolve, reject, timer })
      // Only what somebody waits for keeps the process running.
      this.#worker.ref()
    })
  }

  #settle(answer: SqliteAnswer): void {
    const call = this.#calls.get(answer.id)
    if (call === undefined) return
    this.#forget(answer.id, call)
    if ('rows' in answer) call.resolve(answer.rows)
    else call.reject(new SqliteError(answer.failure.message, answer.failure.resultCode))
  }

  #forget(id: number, call: Call): void {
    clearTimeout(call.timer)
    this.#calls.delete(id)
    if (this.#calls.size === 0) this.#worker.unref()
  }

  #lose(error: Error): void {
    this.#lost ??= error
    for (const [id, call] of this.#calls) {
      this.#forget(id, call)
      call.reject(this.#lost)
    }
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }
}
