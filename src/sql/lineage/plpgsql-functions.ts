import type { CatalogFunction } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { QueryResult, Scope, Trace } from './context.ts'
import { inputsOf, opaque } from './functions.ts'
import type { Argument, CallResult, RowShape } from './functions.ts'
import { declareAll, declareTyped, plpgsqlBodyOf } from './plpgsql-declarations.ts'
import { mergeResults, seen } from './plpgsql-results.ts'
import { runBody } from './plpgsql.ts'
import type { PlBody } from './plpgsql-tree.ts'
import { Variables } from './plpgsql-variables.ts'
import { describeColumns } from './names.ts'
import { hasEffects } from './plpgsql-effects.ts'
import { allOf } from './select.ts'
import { union } from './sources.ts'
import { addSources, combine, either, plainValue, rowOf, tellsOf, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'

/**
 * Sees through a function in PL/pgSQL: all that its statements do, with the arguments in place of its parameters. What
 * it gives is everything that it may return anywhere. A body that cannot be read, SQL that it makes out of what it is
 * given, and recursion are opaque.
 */
export function callPlpgsqlFunction(
  called: CatalogFunction,
  { args, shape }: { readonly args: readonly Argument[]; readonly shape: RowShape },
  scope: Scope,
  trace: Trace,
): CallResult {
  const body = isLiteral(called, trace) ? plpgsqlBodyOf(called, trace.schema) : null
  const key = `function ${called.oid}`
  if (body === null || trace.under.has(key)) {
    const value = opaque(`calls ${called.schema}.${called.name}()`, trace)
    const columns = shape.names?.map((name) => ({ name, value })) ?? null
    return { value, columns, isCertain: shape.isCertain, rowHints: 'unknown', rowSources: 'unknown' }
  }
  trace.under.add(key)
  try {
    const result = callBody(called, { body, args, shape }, scope, trace)
    if (called.volatility === 'immutable') trace.folded = union(trace.folded, tellsOf(result.value))
    return result
  } finally {
    trace.under.delete(key)
  }
}

/**
 * Whether a text means the same whatever the session is set to. A trigger's is given the benefit of the doubt: nobody
 * who may not see a value has chosen it.
 */
function isLiteral({ body }: CatalogFunction, trace: Trace): boolean {
  return trace.observer !== null || !/\\|search_path|set_config/i.test(body ?? '')
}

function callBody(
  called: CatalogFunction,
  { body, args, shape }: { readonly body: PlBody; readonly args: readonly Argument[]; readonly shape: RowShape },
  scope: Scope,
  trace: Trace,
): CallResult {
  const searchPath = called.searchPath ?? scope.searchPath
  const variables = new Variables()
  const positional = valuesOf(called, args)
  const place = { variables, searchPath, trace }
  const inputs = inputsOf(called)
  const names = called.parameters.map(({ name }, index) => (name === '' ? `$${index + 1}` : name))
  called.parameters.forEach((parameter, index) => {
    const name = names[index] ?? ''
    const type = trace.schema.catalog.type(parameter.type)
    const isRow = type?.kind === 'composite' || type?.name === 'record'
    if (isRow)
      declareTyped(name, type.kind === 'composite' ? `${quote(type.schema)}.${quote(type.name)}` : 'record', place)
    else variables.declare(name)
    const number = inputs.indexOf(parameter)
    const value = number < 0 ? undefined : positional[number]
    if (value !== undefined) variables.assign({ name, path: [], isElement: false }, value)
    variables.alias(`$${index + 1}`, name)
  })
  declareAll(body, variables, searchPath, trace)
  variables.declare('found')
  const { values, queries, told } = runBody(
    {
      body,
      variables,
      given: new Set(names),
      name: called.name,
      positional,
      searchPath,
      tables: new Map(),
      trigger: null,
    },
    trace,
  )
  if (trace.observer === null && hasEffects(body.statements, trace)) {
    trace.hazard(`decides by ${describeColumns(told, trace)} what it does`, told)
  }
  const outputs = called.parameters
    .map((parameter, index) => ({ parameter, name: names[index] ?? '' }))
    .filter(({ parameter: { mode } }) => mode === 'out' || mode === 'inout' || mode === 'table')
    .map(({ name }) => ({ name, value: variables.valueOf(name) }))
  const results = [...queries, ...values.map(resultOf)]
  if (outputs.length > 0)
    results.push(resultOf(outputs.length === 1 ? (outputs[0]?.value ?? plainValue) : rowOf(outputs, 0)))
  let all: QueryResult | undefined
  for (const each of results) all = mergeResults(all, expanded(each, shape))
  return shaped(called, shape, { result: all ?? resultOf(plainValue), told })
}

/** Arguments by the position of their parameters. */
function valuesOf(called: CatalogFunction, args: readonly Argument[]): readonly Value[] {
  return inputsOf(called).map((parameter, index) => {
    const named = args.find((each) => each.name !== null && each.name === parameter.name)
    if (named !== undefined) return named.value
    const rest = args.slice(index).filter((each) => each.name === null)
    if (parameter.mode === 'variadic') return combine(rest.map((each) => each.value))
    const given = args[index]
    return given === undefined || given.name !== null ? plainValue : given.value
  })
}

function resultOf(value: Value): QueryResult {
  return {
    columns: [{ name: '', value }],
    any: value,
    rowHints: noSources,
    rowSources: noSources,
    outerTaint: noSources,
    references: new Set(),
  }
}

/** A single column that is the whole row stands for its fields. */
function expanded(result: QueryResult, shape: RowShape): QueryResult {
  const { columns } = result
  const fields = columns?.length === 1 ? (columns[0]?.value.fields ?? null) : null
  if (shape.names === null || fields === null || shape.names.length === 1) return result
  return { ...result, columns: fields }
}

function shaped(
  called: CatalogFunction,
  shape: RowShape,
  { result, told }: { readonly result: QueryResult; readonly told: QueryResult['rowHints'] },
): CallResult {
  const type = called.returnType
  // Assigning a value to a variable may cut it short, so that it is not exactly the column's any more.
  const known = (value: Value): Value => inexact(addSources(called.returnsSet ? value : seen(value, result), told))
  const rows = {
    rowHints: union(result.rowHints, told),
    rowSources: union(result.rowSources, union(result.outerTaint, told)),
  }
  if (shape.names === null) {
    const [first] = result.columns ?? []
    const value = known(result.columns?.length === 1 && first !== undefined ? first.value : allOf(result))
    return {
      value: { ...value, type },
      columns: shape.isCertain ? null : (value.fields ?? null),
      isCertain: shape.isCertain,
      ...rows,
    }
  }
  const isFitting = result.columns?.length === shape.names.length
  const columns: readonly Field[] = shape.names.map((name, index) => ({
    name,
    value: known(isFitting ? (result.columns?.[index]?.value ?? unknownValue) : either([combine([allOf(result)])])),
  }))
  return { value: rowOf(columns, type), columns, isCertain: shape.isCertain, ...rows }
}

function inexact(value: Value): Value {
  const fields = value.fields?.map((field) => ({ name: field.name, value: inexact(field.value) })) ?? null
  return { ...value, direct: null, fields }
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
