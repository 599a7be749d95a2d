import type { CatalogType } from '../../core/catalog.ts'
import { isFields } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'
import type { Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { callFunction, opaque } from './functions.ts'
import { listOf } from './tree.ts'
import { combine, combineBits, either } from './value.ts'
import type { Value } from './value.ts'

/** `x::type`: the same value if it is of that type already, else one that derives from it. */
export function traceCast(fields: Fields, scope: Scope, trace: Trace): Value {
  const value = traceExpression(fields['arg'], scope, trace)
  const type = isFields(fields['typeName']) ? trace.schema.typeNamed(fields['typeName'], scope.searchPath) : null
  const hasModifier = isFields(fields['typeName']) && listOf(fields['typeName']['typmods']).length > 0
  const oid = type?.oid ?? 0
  if (oid !== 0 && value.type === oid && !hasModifier) return value
  // The text of a row holds all of its fields.
  const isPutTogether = value.fields !== null && (oid === 0 || trace.schema.fieldsOfType(oid) === null)
  const cast = isPutTogether ? combine([value]) : combineBits([value])
  const typed = { ...cast, isCount: value.isCount, type: oid }
  const row = rowFields(typed, oid, trace)
  return type === null ? row : either([row, ...userCasts(value, type, scope, trace)])
}

/** What a composite type makes of a value: any of its fields may be any part of that. */
function rowFields(value: Value, type: number, trace: Trace): Value {
  const names = trace.schema.fieldsOfType(type)
  if (names === null) return value
  return { ...value, fields: names.map((name) => ({ name, value: { ...value, type: 0 } })) }
}

/** Functions that casts to this type may run. */
function userCasts(value: Value, type: CatalogType, scope: Scope, trace: Trace): readonly Value[] {
  const isFixed = trace.schema.catalog.type(value.type)?.kind === 'base'
  const casts = trace.schema.castsTo(type.oid).filter((cast) => !isFixed || cast.source === value.type)
  return casts.map((cast) => {
    const found = trace.schema.catalog.function(cast.function)
    if (found === undefined) return opaque(`casts to ${type.schema}.${type.name}`, trace)
    return callFunction(found, [value], scope, trace).value
  })
}
