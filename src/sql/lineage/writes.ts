import type { Fields } from '../parse-tree.ts'
import { unknownResult } from './context.ts'
import type { QueryResult, Scope, Trace } from './context.ts'

/** Traces INSERT, UPDATE, DELETE and MERGE. */
export function traceWrite(tag: string, _node: Fields, _outer: Scope, trace: Trace): QueryResult {
  trace.hazard(`holds a ${tag}`, 'unknown')
  return unknownResult
}
