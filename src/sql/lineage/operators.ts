import type { Fields } from '../parse-tree.ts'
import { textsOf } from '../parse-tree.ts'
import { builtinOperators } from '../builtin-functions.ts'
import { isOneOf } from './names.ts'
import type { Scope, Trace } from './context.ts'
import { traceExpression } from './expressions.ts'
import { callFunction, opaque } from './functions.ts'
import { combine, combineBits, combineWhole, compareBits, either } from './value.ts'
import type { Value } from './value.ts'

/** Kinds of A_Expr that yield true or false. */
const comparingKinds: ReadonlySet<unknown> = new Set([
  'AEXPR_OP_ANY',
  'AEXPR_OP_ALL',
  'AEXPR_DISTINCT',
  'AEXPR_NOT_DISTINCT',
  'AEXPR_IN',
  'AEXPR_LIKE',
  'AEXPR_ILIKE',
  'AEXPR_SIMILAR',
  'AEXPR_BETWEEN',
  'AEXPR_NOT_BETWEEN',
  'AEXPR_BETWEEN_SYM',
  'AEXPR_NOT_BETWEEN_SYM',
])

const comparingOperators: ReadonlySet<string> = new Set('= <> != < > <= >= ~~ !~~ ~~* !~~* ~ !~ ~* !~*'.split(' '))

/** An operator, or what the grammar makes one: LIKE, IN, BETWEEN, NULLIF. */
export function traceOperator(fields: Fields, scope: Scope, trace: Trace): Value {
  const args = [fields['lexpr'], fields['rexpr']]
    .filter((each) => each !== undefined)
    .map((each) => traceExpression(each, scope, trace))
  const kind = fields['kind']
  if (kind === 'AEXPR_NULLIF') return combine(args)
  const name = textsOf(fields['name'])
  const value = isBetween(kind) ? compareBits(args) : applyOperator(name, args, scope, trace)
  return comparingKinds.has(kind) ? combineBits([value]) : value
}

/** What an operator makes of its operands, PostgreSQL's own and others of the name taken together. */
export function applyOperator(name: readonly string[], args: readonly Value[], scope: Scope, trace: Trace): Value {
  const symbol = name.at(-1) ?? ''
  const schema = name.length > 1 ? (name.at(-2) ?? null) : null
  const builtin = comparingOperators.has(symbol)
    ? compareBits(args)
    : symbol === '||'
      ? combineWhole(args)
      : combine(args)
  const values: Value[] = []
  if (schema === null || schema === 'pg_catalog') {
    if (builtinOperators.has(symbol) || symbol === '!=') values.push(builtin)
  }
  for (const operator of trace.schema.catalog.operatorsNamed(symbol)) {
    if (!isOneOf(operator.schema, schema, scope.searchPath)) continue
    const found = trace.schema.catalog.function(operator.function)
    values.push(
      found === undefined
        ? opaque(`uses the operator ${operator.schema}.${symbol}`, trace)
        : callFunction(found, args, scope, trace).value,
    )
  }
  if (values.length === 0) {
    trace.missing.add(symbol)
    return opaque(`uses the operator ${name.join('.')}`, trace)
  }
  return either(values)
}

function isBetween(kind: unknown): boolean {
  return typeof kind === 'string' && kind.includes('BETWEEN')
}
