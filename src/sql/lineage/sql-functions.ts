import type { CatalogFunction } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import { rootScope } from './context.ts'
import type { Item, QueryResult, Scope, Trace } from './context.ts'
import { inputsOf, opaque } from './functions.ts'
import type { Argument, CallResult, RowShape } from './functions.ts'
import { queryTags } from '../queries.ts'
import { tagged } from '../parse-tree.ts'
import { allOf, traceQueryNode, withReferences } from './select.ts'
import { union } from './sources.ts'
import { traceUtility } from './statements.ts'
import { addPresence, addSources, combine, plainValue, rowOf, tellsOf, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'

/** Sees through a function in SQL: all that its statements do, with the arguments in place of its parameters. */
export function callSqlFunction(
  called: CatalogFunction,
  { args, shape }: { readonly args: readonly Argument[]; readonly shape: RowShape },
  scope: Scope,
  trace: Trace,
): CallResult {
  const shown = `calls ${called.schema}.${called.name}()`
  const body = trace.schema.bodyOf(called)
  const key = `function ${called.oid}`
  if (body === null || trace.under.has(key)) {
    return {
      value: opaque(shown, trace),
      columns: columnsOf(shape, unknownValue),
      isCertain: shape.isCertain,
      rowHints: 'unknown',
      rowSources: 'unknown',
    }
  }
  trace.under.add(key)
  try {
    const inner = rootScope(called.searchPath ?? pathOfCaller(scope), bind(called, args, trace))
    const result = traceBody(body, inner, trace)
    if (result === null) return { value: plainValue, columns: null, isCertain: true, ...noRows }
    const given = resultOf(called, shape, result)
    if (called.volatility === 'immutable') trace.folded = union(trace.folded, tellsOf(given.value))
    return given
  } finally {
    trace.under.delete(key)
  }
}

/** What is stored is read under a path of its own, but a function that it calls runs under whichever its session has. */
function pathOfCaller({ searchPath }: Scope): Scope['searchPath'] {
  return searchPath?.length === 1 && searchPath[0] === 'pg_catalog' ? null : searchPath
}

function traceBody(body: readonly unknown[], scope: Scope, trace: Trace): QueryResult | null {
  let result: QueryResult | null = null
  for (const statement of body) {
    const tag = tagged(statement)?.tag ?? ''
    if (queryTags.has(tag)) {
      result = traceQueryNode(statement, scope, trace)
      continue
    }
    result = null
    traceUtility(statement, scope, trace)
  }
  return result
}

/** Arguments by position and by the names of the parameters, which any column of the same name hides. */
function bind(
  called: CatalogFunction,
  args: readonly Argument[],
  trace: Trace,
): { readonly values: readonly Value[]; readonly items: readonly Item[] } {
  const inputs = inputsOf(called)
  const values = inputs.map((parameter, index) => {
    const named = args.find((each) => each.name !== null && each.name === parameter.name)
    if (named !== undefined) return named.value
    const rest = args.slice(index).filter((each) => each.name === null)
    if (parameter.mode === 'variadic') return combine(rest.map((each) => each.value))
    const given = args[index]
    if (given !== undefined && given.name === null) return given.value
    // Its default, which the snapshot does not have, may call anything.
    return index >= inputs.length - called.defaultCount ? unknownValue : plainValue
  })
  const columns = inputs.map(({ name }, index) => ({ name, value: values[index] ?? plainValue, isDoubtful: false }))
  const level = trace.table.level()
  const entry = trace.table.addAlias({
    name: called.name,
    schema: null,
    columns,
    rest: null,
    isRelation: false,
    rowType: 0,
    level,
  })
  return { values, items: [{ entries: [entry], columns, rest: null }] }
}

function resultOf(called: CatalogFunction, shape: RowShape, result: QueryResult): CallResult {
  const type = called.returnType
  const bits = union(result.rowHints, result.rowSources)
  // Of a function that gives rows, what decides which those are is not in their values.
  const seen = (value: Value): Value =>
    withReferences(addSources(called.returnsSet ? value : addPresence(value, bits), result.outerTaint), result)
  const rows = { rowHints: result.rowHints, rowSources: union(result.rowSources, result.outerTaint) }
  const found = result.columns
  if (shape.names === null) {
    const [first] = found ?? []
    const value = found?.length === 1 && first !== undefined ? first.value : allOf(result)
    return {
      value: seen({ ...value, type }),
      columns: shape.isCertain ? null : (value.fields ?? null),
      isCertain: shape.isCertain,
      ...rows,
    }
  }
  const columns = fieldsOf(shape.names, result).map(({ name, value }) => ({ name, value: seen(value) }))
  return { value: rowOf(columns, type), columns, isCertain: shape.isCertain, ...rows }
}

/** The columns by position; a body may also give one column that is the whole row. */
function fieldsOf(names: readonly string[], result: QueryResult): readonly Field[] {
  const { columns } = result
  const [first] = columns ?? []
  const rows = columns?.length === 1 && names.length !== 1 ? (first?.value.fields ?? null) : columns
  if (rows === null || rows.length !== names.length) {
    const value = allOf(result)
    return names.map((name) => ({ name, value: { ...value, direct: null } }))
  }
  return names.map((name, index) => ({ name, value: rows[index]?.value ?? unknownValue }))
}

function columnsOf(shape: RowShape, value: Value): readonly Field[] | null {
  return shape.names?.map((name) => ({ name, value })) ?? null
}

const noRows = { rowHints: noSources, rowSources: noSources }
