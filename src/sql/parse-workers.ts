import { Worker } from 'node:worker_threads'
import { limits } from '../core/limits.ts'
import type { TextAnalysis } from '../core/statement.ts'
import { opaqueText } from './classify.ts'
import type { FunctionRules } from './functions.ts'
import type { WorkerAnswer, WorkerSettings } from './parse-worker.ts'

/** What the workers are told. */
export interface ParseWorkersOptions extends FunctionRules {
  /** Called with what ended a worker before its time, for the log. */
  readonly onFault: (fault: unknown) => void
  readonly workersMax?: number
  readonly deadlineMs?: number
  /** Past this, a thread's heap is full of one text's tree and the thread is ended. */
  readonly heapMbMax?: number
}

/** Threads for the texts that the event loop must not parse: large ones, and those that take the parser long. */
export interface ParseWorkers {
  /** Never rejects: a text that breaks a worker or takes too long is opaque. */
  analyze(sql: string): Promise<TextAnalysis>
  /** Puts other rules in force for the texts that are sent from now on. */
  replaceRules(rules: FunctionRules): void
  /** Ends all threads; texts that wait are opaque. */
  close(): Promise<void>
}

/** Makes a pool that starts its threads when they are needed and replaces one that had to be ended. */
export function createParseWorkers(options: ParseWorkersOptions): ParseWorkers {
  return new Pool(options)
}

/** Texts that may wait for a thread; each session waits for its own text, so this is more than a crowd. */
const waitingMax = 2_000

/**
 * A thread that has parsed a text this long (in UTF-16 units) is ended: what it took for the tree, some hundred times
 * as much, would otherwise stay with it. The next one starts in some tens of milliseconds.
 */
const threadTextMax = 256 * 1024

interface Job {
  readonly sql: string
  readonly settle: (analysis: TextAnalysis) => void
}

class Pool implements ParseWorkers {
  #options: ParseWorkersOptions
  readonly #threads = new Set<Thread>()
  readonly #waiting: Job[] = []
  #isClosed = false

  constructor(options: ParseWorkersOptions) {
    this.#options = options
  }

  analyze(sql: string): Promise<TextAnalysis> {
    if (this.#isClosed) return Promise.resolve(opaqueText(sql, 'the gateway is stopping'))
    if (this.#waiting.length >= waitingMax) {
      return Promise.resolve(opaqueText(sql, 'too many large texts wait to be parsed'))
    }
    return new Promise((settle) => {
      this.#waiting.push({ sql, settle })
      this.#assign()
    })
  }

  replaceRules(rules: FunctionRules): void {
    this.#options = { ...this.#options, ...rules }
    for (const thread of this.#threads) thread.retire()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const job of this.#waiting.splice(0)) job.settle(opaqueText(job.sql, 'the gateway is stopping'))
    await Promise.all([...this.#threads].map((thread) => thread.end('the gateway is stopping')))
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      const thread = [...this.#threads].find((each) => each.isIdle) ?? this.#start()
      if (thread === null) return
      const job = this.#waiting.shift()
      if (job !== undefined) thread.run(job)
    }
  }

  #start(): Thread | null {
    if (this.#threads.size >= (this.#options.workersMax ?? 2)) return null
    const thread = new Thread(this.#options, {
      onIdle: () => this.#assign(),
      onEnd: () => {
        this.#threads.delete(thread)
        this.#assign()
      },
    })
    this.#threads.add(thread)
    return thread
  }
}

/** One worker with at most one text at a time. */
class Thread {
  readonly #options: ParseWorkersOptions
  readonly #events: { readonly onIdle: () => void; readonly onEnd: () => void }
  readonly #worker: Worker
  #job: Job | null = null
  #deadline: NodeJS.Timeout | null = null
  #isEnded = false
  #isRetired = false

  constructor(options: ParseWorkersOptions, events: { onIdle: () => void; onEnd: () => void }) {
    this.#options = options
    this.#events = events
    const { safeFunctions, safeFields = [] } = options
    const settings: WorkerSettings = { safeFunctions: [...safeFunctions], safeFields: [...safeFields] }
    this.#worker = new Worker(new URL(`./parse-worker${extension}`, import.meta.url), {
      name: 'postern-parse',
      workerData: settings,
      resourceLimits: { stackSizeMb: 16, maxOldGenerationSizeMb: options.heapMbMax ?? 1_024 },
    })
    // A gateway that has nothing else to do may end.
    this.#worker.unref()
    this.#worker.on('message', (answer: WorkerAnswer) => this.#answered(answer))
    this.#worker.on('error', (fault) => this.#failed(fault))
    this.#worker.on('exit', () => this.#failed(new Error('a parse worker ended by itself')))
  }

  get isIdle(): boolean {
    return this.#job === null && !this.#isEnded
  }

  run(job: Job): void {
    this.#job = job
    this.#worker.ref()
    // Starting the thread counts as well: it takes some tens of milliseconds.
    this.#deadline = setTimeout(
      () => void this.end('parsing it took too long'),
      this.#options.deadlineMs ?? limits.parseDeadlineMs,
    )
    this.#worker.postMessage(job.sql, [])
  }

  /** Takes no more texts: at once where it is idle, after the one it has where it is not. */
  retire(): void {
    this.#isRetired = true
    if (this.isIdle) void this.end('the thread has retired')
  }

  async end(reason: string): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#settle((job) => opaqueText(job.sql, reason))
    this.#events.onEnd()
    await this.#worker.terminate()
  }

  #answered(answer: WorkerAnswer): void {
    if (answer.state === 'ready' || this.#isEnded) return
    const isSpent = this.#isRetired || (this.#job?.sql.length ?? 0) > threadTextMax
    this.#settle(() => answer.analysis)
    if (isSpent) return void this.end('the thread is spent')
    this.#worker.unref()
    this.#events.onIdle()
  }

  #failed(fault: unknown): void {
    if (this.#isEnded) return
    this.#options.onFault(fault)
    void this.end('the parser could not read it')
  }

  #settle(analysisOf: (job: Job) => TextAnalysis): void {
    const job = this.#job
    this.#job = null
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#deadline = null
    if (job !== null) job.settle(analysisOf(job))
  }
}

/** Run from source this is a `.ts` file, compiled a `.js` one. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
