import type { CatalogFunction, CatalogParameter } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Scope, Trace } from './context.ts'
import { callPlpgsqlFunction } from './plpgsql-functions.ts'
import { callSqlFunction } from './sql-functions.ts'
import { combine, tellsOf, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'

/** What a call gives. */
export interface CallResult {
  readonly value: Value
  /** The columns of the rows it gives in FROM, or null where it is one column, named like the function or its alias. */
  readonly columns: readonly Field[] | null
  /** Whether the number of columns is certain. */
  readonly isCertain: boolean
  /** What decides which rows it gives in FROM. */
  readonly rowHints: Sources
  /** What decides how many it makes. */
  readonly rowSources: Sources
}

/** An argument, with its name where the call gives one (`f(a => 1)`). */
export interface Argument {
  readonly name: string | null
  readonly value: Value
}

/** Calls a function that is not PostgreSQL's own. */
export function callFunction(
  called: CatalogFunction,
  values: readonly Value[],
  scope: Scope,
  trace: Trace,
  names: readonly (string | null)[] = [],
): CallResult {
  const args = values.map((value, index) => ({ name: names[index] ?? null, value }))
  const shape = shapeOf(called, trace)
  if (called.volatility === 'volatile') trace.volatileCalls += 1
  if (computes(called, trace)) return shaped(combine(values), called, shape)
  if (
    called.language === 'sql' &&
    called.body !== null &&
    (called.kind === 'function' || called.kind === 'procedure')
  ) {
    return callSqlFunction(called, { args, shape }, scope, trace)
  }
  if (called.language === 'plpgsql' && (called.kind === 'function' || called.kind === 'procedure')) {
    return callPlpgsqlFunction(called, { args, shape }, scope, trace)
  }
  return shaped(opaque(`calls ${called.schema}.${called.name}()`, trace), called, shape)
}

/** What nobody can see into may read and give away anything. */
export function opaque(does: string, trace: Trace): Value {
  trace.hazard(`${does}, which Postern cannot see through`, 'unknown')
  return unknownValue
}

/** Whether what it gives derives from its arguments and from nothing else. */
function computes(called: CatalogFunction, trace: Trace): boolean {
  const { schema, name, language, volatility, isFromExtension } = called
  if (trace.schema.classification.computingFunctions.has(`${schema}.${name}`)) return true
  return (language === 'c' || language === 'internal') && volatility === 'immutable' && isFromExtension
}

/** Names of the columns that a function gives, null where it gives a single value. */
export type RowShape = { readonly names: readonly string[] | null; readonly isCertain: boolean }

function shapeOf(called: CatalogFunction, trace: Trace): RowShape {
  const outputs = called.parameters.filter(({ mode }) => mode === 'out' || mode === 'inout' || mode === 'table')
  if (outputs.length > 1 || outputs.some(({ mode }) => mode === 'table')) {
    return {
      names: outputs.map((each, index) => (each.name === '' ? `column${index + 1}` : each.name)),
      isCertain: true,
    }
  }
  const names = trace.schema.fieldsOfType(called.returnType)
  if (names !== null) return { names, isCertain: true }
  const kind = trace.schema.catalog.type(called.returnType)?.kind
  return { names: null, isCertain: kind !== undefined && kind !== 'pseudo' }
}

function shaped(value: Value, called: CatalogFunction, shape: RowShape): CallResult {
  const typed = { ...value, type: called.returnType }
  const rows = { rowHints: noSources, rowSources: tellsOf(value) }
  if (shape.names === null) return { value: typed, columns: null, isCertain: shape.isCertain, ...rows }
  const columns = shape.names.map((name) => ({ name, value }))
  return { value: { ...typed, fields: columns }, columns, isCertain: shape.isCertain, ...rows }
}

/** The parameters that a call gives values for. */
export function inputsOf(called: CatalogFunction): readonly CatalogParameter[] {
  return called.parameters.filter(({ mode }) => mode === 'in' || mode === 'inout' || mode === 'variadic')
}

/** Whether it can be called with so many arguments. */
export function takes(called: CatalogFunction, count: number): boolean {
  const inputs = inputsOf(called)
  const isVariadic = inputs.at(-1)?.mode === 'variadic'
  const required = inputs.length - called.defaultCount - (isVariadic ? 1 : 0)
  return count >= required && (isVariadic || count <= inputs.length)
}
