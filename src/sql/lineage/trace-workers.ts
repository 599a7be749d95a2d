import { unknownLineage } from '../../core/lineage.ts'
import { Worker } from 'node:worker_threads'
import { limits } from '../../core/limits.ts'
import type { StatementLineage } from '../../core/lineage.ts'
import type { TraceContext } from './lineage.ts'
import type { SchemaMessage, TextMessage, WorkerAnswer } from './trace-worker.ts'

/** What the worker is told. */
export interface TraceWorkersOptions {
  /** Called with what ended a worker before its time, for the log. */
  readonly onFault: (fault: unknown) => void
  readonly deadlineMs?: number
}

/** A thread for texts that the event loop must not parse: large ones, and those that are nested deeply. */
export interface TraceWorkers {
  /** Never rejects: a text that breaks the worker or takes too long is unknown. */
  trace(sql: string, at: TraceContext): Promise<StatementLineage>
  close(): Promise<void>
}

/** Texts that may wait for the thread. */
const waitingMax = 1_000

/** A thread that has parsed a text this long is ended, since what it took for the tree would stay with it. */
const threadTextMax = 256 * 1024

interface Job {
  readonly sql: string
  readonly at: TraceContext
  readonly settle: (lineage: StatementLineage) => void
}

/** Makes a pool of one thread that starts when it is needed and is replaced when it had to be ended. */
export function createTraceWorkers(options: TraceWorkersOptions): TraceWorkers {
  return new Pool(options)
}

class Pool implements TraceWorkers {
  readonly #options: TraceWorkersOptions
  readonly #waiting: Job[] = []
  #worker: Worker | null = null
  /** The schema that the thread has. */
  #key: string | null = null
  #job: Job | null = null
  #deadline: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(options: TraceWorkersOptions) {
    this.#options = options
  }

  trace(sql: string, at: TraceContext): Promise<StatementLineage> {
    if (this.#isClosed) return Promise.resolve(unknownLineage('came while the gateway was stopping'))
    if (this.#waiting.length >= waitingMax) return Promise.resolve(unknownLineage('came while too many others waited'))
    return new Promise((settle) => {
      this.#waiting.push({ sql, at, settle })
      this.#next()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const job of this.#waiting.splice(0)) job.settle(unknownLineage('came while the gateway was stopping'))
    await this.#end('came while the gateway was stopping')
  }

  #next(): void {
    if (this.#job !== null) return
    const job = this.#waiting.shift()
    if (job === undefined) return
    this.#job = job
    const worker = this.#worker ?? this.#start()
    worker.ref()
    // Starting the thread counts as well: it takes some tens of milliseconds.
    this.#deadline = setTimeout(
      () => void this.#end('took too long to trace'),
      this.#options.deadlineMs ?? limits.parseDeadlineMs,
    )
    const { schema, searchPath, isPrepared = false } = job.at
    if (this.#key !== schema.key) {
      const { key, catalog, classification, pending } = schema
      const { data, version } = catalog
      worker.postMessage({ kind: 'schema', key, data, version, classification, pending } satisfies SchemaMessage, [])
      this.#key = key
    }
    worker.postMessage(
      { kind: 'text', sql: job.sql, key: schema.key, searchPath, isPrepared } satisfies TextMessage,
      [],
    )
  }

  #start(): Worker {
    const worker = new Worker(new URL(`./trace-worker${extension}`, import.meta.url), {
      name: 'postern-trace',
      resourceLimits: { stackSizeMb: 16, maxOldGenerationSizeMb: 1_024 },
    })
    worker.on('message', (answer: WorkerAnswer) => this.#answered(worker, answer))
    worker.on('error', (fault) => this.#failed(worker, fault))
    worker.on('exit', () => this.#failed(worker, new Error('a trace worker ended by itself')))
    this.#worker = worker
    this.#key = null
    return worker
  }

  #answered(worker: Worker, answer: WorkerAnswer): void {
    if (answer.state === 'ready' || worker !== this.#worker) return
    const isSpent = (this.#job?.sql.length ?? 0) > threadTextMax
    this.#settle(() => answer.lineage)
    if (isSpent) return void this.#end('took too long to trace')
    // A gateway that has nothing else to do may end.
    worker.unref()
    this.#next()
  }

  #failed(worker: Worker, fault: unknown): void {
    if (worker !== this.#worker) return
    this.#options.onFault(fault)
    void this.#end('cannot be traced')
  }

  async #end(reason: string): Promise<void> {
    const worker = this.#worker
    this.#worker = null
    this.#settle(() => unknownLineage(reason))
    this.#next()
    await worker?.terminate()
  }

  #settle(lineageOf: () => StatementLineage): void {
    const job = this.#job
    this.#job = null
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#deadline = null
    job?.settle(lineageOf())
  }
}

/** Run from source this is a `.ts` file, compiled a `.js` one. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
