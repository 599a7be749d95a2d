import { limits } from '../../core/limits.ts'
import { cleanLineage, unknownLineage } from '../../core/lineage.ts'
import type { StatementLineage } from '../../core/lineage.ts'
import { commandGroups } from '../../core/commands.ts'
import type { StatementAnalysis } from '../../core/statement.ts'
import type { ParseOutcome } from '../parser.ts'
import { traceStatement } from './lineage.ts'
import type { TraceContext } from './lineage.ts'
import { createTraceWorkers } from './trace-workers.ts'
import type { TraceWorkers } from './trace-workers.ts'

/** What a tracer is told. */
export interface TracerOptions {
  /** PostgreSQL's parser. */
  readonly parse: (sql: string) => ParseOutcome
  /** Called with what broke, for the log; never with SQL in it. */
  readonly onFault: (fault: unknown) => void
  /** How long a worker may take for one text; `limits.parseDeadlineMs` by default. */
  readonly deadlineMs?: number
}

/** Says what statements do with classified columns. */
export interface Tracer {
  /**
   * Never throws and never rejects: what cannot be traced is unknown. A promise comes only for texts that a worker has
   * to trace. While it is remembered, the lineage of one analysis over one state is always the same object.
   */
  trace(statement: StatementAnalysis, at: TraceContext): StatementLineage | Promise<StatementLineage>
  /** Ends the worker; what waits for it is unknown. */
  close(): Promise<void>
}

/** Makes a tracer that remembers what it has traced for as long as the analysis is kept. */
export function createTracer(options: TracerOptions): Tracer {
  return new CachingTracer(options)
}

/** Lineages of one statement, under different search paths or states of the catalog. */
const lineagesPerStatementMax = 8

/** PostgreSQL's scanner takes quadratic time over such runs. */
const operatorRun = /[-+*/<>=~!@#%^&|`?]{256}/

class CachingTracer implements Tracer {
  readonly #options: TracerOptions
  readonly #workers: TraceWorkers
  readonly #known = new WeakMap<StatementAnalysis, Map<string, StatementLineage | Promise<StatementLineage>>>()

  constructor(options: TracerOptions) {
    this.#options = options
    const { onFault, deadlineMs } = options
    this.#workers = createTraceWorkers({ onFault, deadlineMs: deadlineMs ?? limits.parseDeadlineMs })
  }

  trace(statement: StatementAnalysis, at: TraceContext): StatementLineage | Promise<StatementLineage> {
    at.schema.useParser(this.#options.parse)
    const key = JSON.stringify([at.schema.key, at.searchPath])
    let known = this.#known.get(statement)
    if (known === undefined) {
      known = new Map()
      this.#known.set(statement, known)
    }
    const found = known.get(key)
    if (found !== undefined) return found
    // The statement that PREPARE prepares has the whole text.
    const lineage = this.#traceNew(statement, { ...at, isPrepared: statement.kind !== 'PREPARE' })
    for (const oldest of known.keys()) {
      if (known.size < lineagesPerStatementMax) break
      known.delete(oldest)
    }
    known.set(key, lineage)
    if (lineage instanceof Promise) this.#keepAnswer(known, key, lineage)
    return lineage
  }

  close(): Promise<void> {
    return this.#workers.close()
  }

  #keepAnswer(
    known: Map<string, StatementLineage | Promise<StatementLineage>>,
    key: string,
    answer: Promise<StatementLineage>,
  ): void {
    void answer.then((lineage) => {
      if (known.get(key) === answer) known.set(key, lineage)
    })
  }

  #traceNew(statement: StatementAnalysis, at: TraceContext): StatementLineage | Promise<StatementLineage> {
    const { sql } = statement
    if (at.schema.classification.columns.size === 0 && at.schema.pending.length === 0) {
      return mayChangeCatalog(statement) ? changingLineage : cleanLineage
    }
    if (statement.kind === 'EMPTY') return cleanLineage
    // The parser would stop at a NUL and not see what follows.
    if (sql.includes('\0') || !sql.isWellFormed()) return unknownLineage('cannot be read')
    const bytes = Buffer.byteLength(sql)
    if (bytes > limits.parseBytesMax) return unknownLineage(`is larger than ${limits.parseBytesMax} bytes`)
    if (bytes > limits.parseInlineBytesMax || operatorRun.test(sql)) return this.#workers.trace(sql, at)
    return this.#inline(sql, at) ?? this.#workers.trace(sql, at)
  }

  /** The lineage, or null where the event loop's small stack is not enough for it. */
  #inline(sql: string, at: TraceContext): StatementLineage | null {
    const outcome = this.#options.parse(sql)
    if (outcome.state === 'syntax_error') return unknownLineage('is not valid SQL')
    if (outcome.state !== 'parsed') return null
    const [statement, ...others] = outcome.statements
    if (statement === undefined || others.length > 0) return unknownLineage('is not one statement')
    try {
      return traceStatement(statement, at)
    } catch (fault) {
      if (fault instanceof RangeError) return null
      this.#options.onFault(fault)
      return unknownLineage('cannot be traced, because Postern failed')
    }
  }
}

/** Groups of commands that change no catalog. */
const harmlessGroups: ReadonlySet<unknown> = new Set(['session', 'read', 'write'])

const changingLineage: StatementLineage = { ...cleanLineage, changesCatalog: true }

/** By its commands, for when nothing is classified and nothing needs to be parsed again. */
function mayChangeCatalog({ commands, opaque }: StatementAnalysis): boolean {
  if (opaque !== null) return true
  return commands.some(({ name }) => !harmlessGroups.has(commandGroups.get(name)) || name === 'SELECT INTO')
}
