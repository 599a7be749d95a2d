import { functionCandidates } from '../catalog/resolve.ts'
import { textsOf } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import type { QueryResult, Scope, Trace } from './context.ts'
import { traceList } from './expressions.ts'
import { callFunction, opaque, takes } from './functions.ts'
import { cleanRows } from './statements.ts'
import { toFields } from './tree.ts'
import { either } from './value.ts'
import type { Value } from './value.ts'

/** CALL: what the procedure does, and the row of its output parameters. */
export function call(fields: Fields, scope: Scope, trace: Trace): QueryResult | null {
  trace.changesCatalog = true
  const call = toFields(fields['funccall'])
  const name = textsOf(call['funcname'])
  const args = traceList(call['args'], scope, trace)
  const named = { schema: name.length > 1 ? (name.at(-2) ?? null) : null, name: name.at(-1) ?? '' }
  const found = functionCandidates(trace.schema.catalog, named, scope.searchPath)
  // Output parameters have arguments too, in a CALL.
  const fitting = found.filter((each) => takes(each, args.length) || each.parameters.length === args.length)
  const values: Value[] = fitting.map((each) => callFunction(each, args, scope, trace).value)
  if (fitting.length === 0) {
    trace.missing.add(name.join('.'))
    values.push(opaque(`calls ${name.join('.')}()`, trace))
  }
  const hasOutputs =
    fitting.length === 0 ||
    fitting.some((each) => each.parameters.some(({ mode }) => mode === 'out' || mode === 'inout'))
  return hasOutputs ? { ...cleanRows(0), columns: null, any: either(values) } : null
}
