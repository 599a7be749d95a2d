import type { BuiltinFunction } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import { dangerousFunctions } from '../dangerous-functions.ts'
import type { Trace } from './context.ts'
import type { CallResult } from './functions.ts'
import { describeColumns } from './names.ts'
import { isNone, unionAll } from './sources.ts'
import { addSources, combine, combineWhole, tellsOf, unknownValue } from './value.ts'
import type { Field, Value } from './value.ts'

/** Calls a function of PostgreSQL's own: what it gives derives from its arguments, but for those that read. */
export function callBuiltin(called: BuiltinFunction, args: readonly Value[], trace: Trace): CallResult {
  const { name } = called
  const danger = dangerOf(name, args.length)
  if (danger !== undefined) {
    trace.hazard(`calls ${name}(), which ${danger}`, 'unknown')
    return shaped(unknownValue, called, args, trace)
  }
  const value: Value = {
    ...(joining.has(name) ? combineWhole(args) : combine(args)),
    isSynthetic: args.every((arg) => arg.isSynthetic) && !readers.has(name),
  }
  const rows = rowsOf(args)
  const told = tellsOf(value)
  if (keeping.test(name)) trace.keepers.add(name)
  if (called.volatility === 'volatile') trace.volatileCalls += 1
  if (called.volatility === 'volatile' && !computing.has(name) && !isNone(told)) {
    trace.hazard(`passes ${describeColumns(told, trace)} to ${name}(), from where it can be read`, told)
  }
  const read = readBy(name, trace)
  const [column, sources] = read
  if (isNone(sources)) return shaped(value, called, args, trace)
  if (column === null) return shaped(addSources(value, sources), called, args, trace)
  const fields = called.outputs.map((output) => ({
    name: output,
    value: output === column ? addSources(value, sources) : value,
  }))
  return { value: { ...addSources(value, sources), fields }, columns: fields, ...rows, isCertain: fields.length > 0 }
}

/** Functions that only put their arguments next to each other. */
const joining: ReadonlySet<string> = new Set([
  'concat',
  'concat_ws',
  'format',
  'json_build_object',
  'jsonb_build_object',
])

/** Functions that keep something where another statement finds it. */
const keeping =
  /^(set_config|setval|pg_notify|lowrite|lo_(from_bytea|put|create?|truncate|truncate64|unlink)|pg_(try_)?advisory_.*|pg_logical_emit_message)$/

/** Volatile only because chance or the moment is in them: nothing of an argument stays behind. */
const computing: ReadonlySet<string> = new Set(['random', 'random_normal', 'array_shuffle', 'array_sample', 'uuidv7'])

/** Dangers that concern the server and other sessions, but read nothing and keep nothing. */
const harmless: ReadonlySet<string> = new Set(['acts on the server as a whole', 'acts on other sessions'])

function dangerOf(name: string, count: number): string | undefined {
  if (name === 'ts_rewrite' && count !== 3) return 'runs SQL that is not part of the statement'
  const danger = dangerousFunctions.get(name)
  return danger === undefined || harmless.has(danger) ? undefined : danger
}

/** Functions that give what is in a column without naming it, and in which column of theirs, or null for all. */
const readers: ReadonlyMap<string, readonly [relation: string, column: string, output: string | null]> = new Map([
  ['pg_stat_get_activity', ['pg_stat_activity', 'query', 'query']],
  ['pg_stat_get_backend_activity', ['pg_stat_activity', 'query', null]],
  ['lo_get', ['pg_largeobject', 'data', null]],
  ['loread', ['pg_largeobject', 'data', null]],
  ['pg_get_backend_memory_contexts', ['pg_stat_activity', 'query', null]],
] as const)

function readBy(name: string, trace: Trace): readonly [column: string | null, sources: Sources] {
  const reader = readers.get(name)
  if (reader === undefined) return [null, noSources]
  const [relation, column, output] = reader
  return [output, trace.schema.systemSources(relation, column)]
}

/** Functions of several result types, all of them single values. */
const singleValued: ReadonlySet<string> = new Set([
  'generate_series',
  'generate_subscripts',
  'coalesce',
  'array_agg',
  'jsonb_path_query',
  'jsonb_path_query_tz',
  'regexp_matches',
  'jsonb_array_elements',
  'json_array_elements',
  'now',
])

function shaped(value: Value, called: BuiltinFunction, args: readonly Value[], trace: Trace): CallResult {
  const typed: Value = { ...value, type: called.returnType }
  const rows = rowsOf(args)
  if (called.name === 'unnest') return unnested(typed, args, trace)
  if (called.outputs.length > 0) {
    const columns: readonly Field[] = called.outputs.map((name) => ({ name, value }))
    const fields = columns.length > 1 ? columns : null
    return { value: { ...typed, fields }, columns, ...rows, isCertain: true }
  }
  const names = trace.schema.fieldsOfType(called.returnType)
  if (names !== null) {
    const columns = names.map((name) => ({ name, value }))
    return { value: { ...typed, fields: columns }, columns, ...rows, isCertain: true }
  }
  return { value: typed, columns: null, ...rows, isCertain: called.returnType !== 0 || singleValued.has(called.name) }
}

/** One column for each array, or all fields of one whose elements are rows. */
function unnested(value: Value, args: readonly Value[], trace: Trace): CallResult {
  const rows = rowsOf(args)
  const elements = args.map((arg) => trace.schema.catalog.type(trace.schema.catalog.type(arg.type)?.element ?? 0))
  const areScalars = elements.every((element) => element !== undefined && element.kind !== 'composite')
  if (args.length === 1) return { value, columns: null, ...rows, isCertain: areScalars }
  if (!areScalars) return { value, columns: null, ...rows, isCertain: false }
  const all = unionAll(args.map(tellsOf))
  return {
    value,
    columns: args.map((arg) => ({ name: 'unnest', value: addSources(combine([arg]), all) })),
    ...rows,
    isCertain: true,
  }
}

/** How many rows there are is up to the arguments. */
function rowsOf(args: readonly Value[]): Pick<CallResult, 'rowHints' | 'rowSources'> {
  return { rowHints: noSources, rowSources: unionAll(args.map(tellsOf)) }
}
