import { limits } from '../../core/limits.ts'
import type { StatementLineage } from '../../core/lineage.ts'
import type { StatementAnalysis } from '../../core/statement.ts'
import type { ParseOutcome } from '../parser.ts'
import { traceStatement } from './lineage.ts'
import type { TraceContext } from './lineage.ts'
import { unknownLineage } from './unknown.ts'

/** What a tracer is told. */
export interface TracerOptions {
  /** PostgreSQL's parser. */
  readonly parse: (sql: string) => ParseOutcome
  /** Called with what broke, for the log; never with SQL in it. */
  readonly onFault: (fault: unknown) => void
}

/** Says what statements do with classified columns. */
export interface Tracer {
  /** Never throws and never rejects: what cannot be traced is unknown. A promise comes only for large texts. */
  trace(statement: StatementAnalysis, at: TraceContext): StatementLineage | Promise<StatementLineage>
  /** Ends the workers. */
  close(): Promise<void>
}

/** Makes a tracer with its own cache. */
export function createTracer(options: TracerOptions): Tracer {
  return {
    trace: (statement, at) => traceText(statement.sql, at, options),
    close: () => Promise.resolve(),
  }
}

function traceText(sql: string, at: TraceContext, { parse, onFault }: TracerOptions): StatementLineage {
  at.schema.useParser(parse)
  if (sql.includes('\0') || !sql.isWellFormed()) return unknownLineage('cannot be read')
  if (Buffer.byteLength(sql) > limits.parseInlineBytesMax) return unknownLineage('is too large to be traced')
  const outcome = parse(sql)
  const statement = outcome.state === 'parsed' ? outcome.statements[0] : undefined
  if (statement === undefined) return unknownLineage('cannot be parsed')
  try {
    return traceStatement(statement, at)
  } catch (fault) {
    if (!(fault instanceof RangeError)) onFault(fault)
    return unknownLineage('cannot be traced')
  }
}
