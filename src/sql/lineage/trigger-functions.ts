import { columnKey } from '../../core/catalog.ts'
import type { CatalogFunction, CatalogRelation, CatalogTrigger, Oid } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { CommonTable, Trace } from './context.ts'
import { declareAll, plpgsqlBodyOf } from './plpgsql-declarations.ts'
import { runBody } from './plpgsql.ts'
import { Variables } from './plpgsql-variables.ts'
import { union, unionAll } from './sources.ts'
import { deriveAll, derivationsOf } from './trigger-derivations.ts'
import type { TriggerObserver } from './trigger-observer.ts'
import { combine, derivedFrom, plainValue } from './value.ts'
import type { Field, Value } from './value.ts'

/** PostgreSQL's own trigger functions that fill a tsvector column: by a named and by a stored configuration. */
const tsvectorTriggers: ReadonlySet<Oid> = new Set([3752, 3753])

/** Trigger functions that carry no value from one column to another: PostgreSQL's own, and those of its extensions. */
const harmlessBuiltins: ReadonlySet<Oid> = new Set([1291])
const harmlessExtensions: ReadonlySet<string> = new Set([
  'autoinc',
  'check_foreign_key',
  'check_primary_key',
  'insert_username',
  'lo_manage',
  'moddatetime',
  'triggered_change_notification',
])

/** Notes with the observer what a trigger may write. */
export function followTrigger(
  trigger: CatalogTrigger,
  relation: CatalogRelation,
  observer: TriggerObserver,
  trace: Trace,
): void {
  if (tsvectorTriggers.has(trigger.function)) return followTsvector(trigger, relation, observer, trace)
  if (harmlessBuiltins.has(trigger.function)) return
  const called = trace.schema.catalog.function(trigger.function)
  if (called !== undefined && isHarmless(called, trace)) return
  const body = called?.language === 'plpgsql' ? plpgsqlBodyOf(called, trace.schema) : null
  if (called === undefined || body === null) return deriveAll(trigger, relation, observer, trace.schema)
  const variables = variablesOf(relation, trace)
  const searchPath = /search_path/i.test(called.body ?? '') ? null : called.searchPath
  declareAll(body, variables, searchPath, trace)
  const { values } = runBody(
    {
      body,
      variables,
      given: new Set(),
      name: called.name,
      positional: [],
      searchPath,
      tables: transitionTables(trigger, relation, trace),
      trigger: { name: trigger.name, relation, arguments: trigger.arguments },
    },
    trace,
  )
  if (!trigger.isBefore) return
  const row = variables.valueOf('new').fields ?? []
  relation.columns.forEach((column, index) => {
    const given = values.map((value) => (value.fields === null ? value : (value.fields[index]?.value ?? plainValue)))
    const own = row[index]?.value ?? plainValue
    observer.derive(relation, column.number, unionAll([own, ...given].map(({ sources }) => sources)))
  })
}

function isHarmless({ schema, name, isFromExtension }: CatalogFunction, trace: Trace): boolean {
  if (trace.schema.classification.computingFunctions.has(`${schema}.${name}`)) return true
  return isFromExtension && harmlessExtensions.has(name)
}

function followTsvector(
  trigger: CatalogTrigger,
  relation: CatalogRelation,
  observer: TriggerObserver,
  { schema }: Trace,
): void {
  const [target, _configuration, ...read] = trigger.arguments
  const sources = unionAll(
    relation.columns
      .filter((each) => read.includes(each.name))
      .map((each) => schema.storedSources(relation.oid, each.number).sources),
  )
  for (const { name, number } of relation.columns) if (name === target) observer.derive(relation, number, sources)
}

/** The rows NEW and OLD, and what PostgreSQL tells a trigger about itself. */
export function variablesOf(relation: CatalogRelation, trace: Trace): Variables {
  const variables = new Variables()
  const row = rowOfRelation(relation, trace)
  variables.declareRow('new', row)
  variables.declareRow('old', row)
  for (const name of told) variables.declare(name)
  return variables
}

const told = [
  'tg_name',
  'tg_when',
  'tg_level',
  'tg_op',
  'tg_relid',
  'tg_relname',
  'tg_table_name',
  'tg_table_schema',
  'tg_nargs',
  'tg_argv',
  'tg_event',
  'tg_tag',
  'found',
]

function rowOfRelation(relation: CatalogRelation, { schema }: Trace): readonly Field[] {
  return relation.columns.map(({ name, number, type }) => {
    const { sources: stored, direct } = schema.sourcesOf(relation.oid, number)
    // What is written to a view goes to its triggers and rules and nowhere else.
    const written = derivationsOf(schema).sources.get(columnKey(relation.oid, number)) ?? noSources
    const sources = union(stored, written)
    const value: Value = { ...derivedFrom(sources), direct, type }
    const fields = schema.fieldsOfType(type)?.map((field) => ({ name: field, value: derivedFrom(sources) })) ?? null
    return { name, value: { ...value, fields } }
  })
}

/** The rows of a statement, which a trigger that fires once for it can query. */
function transitionTables(
  { oldTable, newTable }: CatalogTrigger,
  relation: CatalogRelation,
  trace: Trace,
): ReadonlyMap<string, CommonTable> {
  const columns = rowOfRelation(relation, trace)
  const any = combine(columns.map(({ value }) => value))
  const result = {
    columns,
    any,
    rowHints: noSources,
    rowSources: noSources,
    outerTaint: noSources,
    references: new Set<number>(),
  }
  const names = [oldTable, newTable].filter((name) => name !== null)
  return new Map(names.map((name) => [name, { result }]))
}
