import { tagged } from '../parse-tree.ts'
import type { Scope, Trace } from './context.ts'

/** Traces a statement that is no query. */
export function traceUtility(node: unknown, _scope: Scope, trace: Trace): void {
  trace.hazard(`is a ${tagged(node)?.tag ?? 'statement'} that Postern does not know`, 'unknown')
  trace.changesCatalog = true
}
