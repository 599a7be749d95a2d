import type { StatementAnalysis } from '../core/statement.ts'
import type { Execution } from './operations.ts'

/** An execution of a statement in a database without classification, for tests. */
export function newExecution(statement: StatementAnalysis): Execution {
  return {
    intent: 1,
    statement,
    startedAtMs: 0,
    rows: 0,
    bytes: 0,
    protection: null,
    fixed: null,
    allowed: { means: null, searchPath: null },
    portal: null,
    isApproved: false,
    masks: undefined,
    copyMasker: null,
  }
}
