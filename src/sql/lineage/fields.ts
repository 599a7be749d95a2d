import { functionCandidates } from '../catalog/resolve.ts'
import { callNamed } from './calls.ts'
import type { Scope, Trace } from './context.ts'
import { combineBits, either } from './value.ts'
import type { Value } from './value.ts'

/** `(x).name`: a field of a row, or the call name(x) where x is no row with such a field. */
export function selectField(value: Value, name: string, scope: Scope, trace: Trace): Value {
  const fields = value.fields?.filter((field) => field.name === name).map((field) => field.value) ?? []
  if (fields.length > 0) return either(fields)
  if (value.fields !== null) return callNamed([name], [value], scope, trace)
  const whole = combineBits([value])
  const isFunction = functionCandidates(trace.schema.catalog, { schema: null, name }, scope.searchPath).length > 0
  return isFunction ? either([whole, callNamed([name], [value], scope, trace)]) : whole
}
