import type { CatalogRelation, CatalogTrigger, ColumnKey } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { ParseOutcome } from '../parser.ts'
import { Trace, Untraceable } from './context.ts'
import { createSchema } from './schema.ts'
import type { Schema } from './schema.ts'
import { isNone, union, unionAll } from './sources.ts'
import { TriggerObserver } from './trigger-observer.ts'
import { followRule } from './trigger-rules.ts'
import { followTrigger } from './trigger-functions.ts'
import { alsoWritten } from './trigger-targets.ts'

/** What existing triggers and rules put into columns, besides what those are classified as. */
export interface Derivations {
  readonly sources: ReadonlyMap<ColumnKey, Sources>
  /** What could not be followed, in words. */
  readonly faults: readonly string[]
}

const memoryKey = 'trigger derivations'
const noDerivations: Derivations = { sources: new Map(), faults: [] }

/** As many triggers as may hand a value on to each other. */
const passesMax = 24

/** What triggers and rules derive columns from, chains of them included; worked out once for a schema. */
export function derivationsOf(schema: Schema): Derivations {
  return schema.remember(memoryKey, noDerivations, () => settle(schema))
}

function settle(schema: Schema): Derivations {
  const active = schema.catalog.data.relations.filter((each) => each.triggers.length > 0 || each.rules.length > 0)
  if (active.length === 0 || schema.classification.columns.size === 0) return noDerivations
  const parse = remembering(schema)
  let known = noDerivations
  for (let pass = 1; ; pass += 1) {
    // What a column derives from is part of what a trigger copies from it, so every pass has a schema of its own.
    const { catalog, classification } = schema
    const inner = createSchema({ catalog, classification, pending: [], parse })
    const before = known
    inner.remember(memoryKey, before, () => before)
    const found = followAll(active, inner)
    known = { sources: merged(before.sources, alsoWritten(found.sources, inner)), faults: found.faults }
    if (sizeOf(known) === sizeOf(before)) return known
    if (pass === passesMax)
      return { ...known, sources: new Map([...known.sources.keys()].map((key) => [key, 'unknown'])) }
  }
}

function followAll(relations: readonly CatalogRelation[], schema: Schema): Derivations {
  let sources: ReadonlyMap<ColumnKey, Sources> = new Map()
  const faults: string[] = []
  const follow = (
    relation: CatalogRelation,
    what: string,
    work: (observer: TriggerObserver, trace: Trace) => void,
  ): void => {
    const trace = new Trace(schema)
    const observer = new TriggerObserver(trace)
    trace.observer = observer
    try {
      work(observer, trace)
    } catch (error) {
      if (!(error instanceof Untraceable)) throw error
      observer.isUnfollowed = true
    }
    sources = merged(sources, observer.writes)
    const isOpaque = [...trace.hazards].some(([reason, { columns }]) => columns === 'unknown' && !expected.test(reason))
    const isTelling = !isNone(trace.touched) || !isNone(rowSources(relation, schema))
    if ((observer.isUnfollowed || isOpaque) && isTelling) {
      faults.push(`${what} on ${relation.schema}.${relation.name} cannot be followed: classify what it writes`)
    }
  }
  for (const relation of relations) {
    for (const trigger of relation.triggers) {
      follow(relation, `trigger ${trigger.name}`, (observer, trace) => {
        try {
          followTrigger(trigger, relation, observer, trace)
        } catch (error) {
          if (error instanceof Untraceable) deriveAll(trigger, relation, observer, schema)
          throw error
        }
      })
    }
    for (const rule of relation.rules) {
      follow(relation, 'a rule', (observer, trace) => followRule(rule, relation, observer, trace))
    }
  }
  return { sources, faults: [...new Set(faults)] }
}

/** That a trigger copies is what is followed here, gaps derive from what is mentioned, and rules are followed too. */
const expected = /^copies |^passes |^calls postern_gap_|^writes to .*, whose rules may do something else$/s

/** A trigger that could not be followed may have changed its row in any way before it was stored. */
export function deriveAll(
  trigger: CatalogTrigger,
  relation: CatalogRelation,
  observer: TriggerObserver,
  schema: Schema,
): void {
  observer.isUnfollowed = true
  if (!trigger.isBefore) return
  const all = rowSources(relation, schema)
  for (const { number } of relation.columns) observer.derive(relation, number, all)
}

function rowSources(relation: CatalogRelation, schema: Schema): Sources {
  return unionAll(relation.columns.map(({ number }) => schema.sourcesOf(relation.oid, number).sources))
}

function merged(
  left: ReadonlyMap<ColumnKey, Sources>,
  right: ReadonlyMap<ColumnKey, Sources>,
): ReadonlyMap<ColumnKey, Sources> {
  const all = new Map(left)
  for (const [key, sources] of right) all.set(key, union(all.get(key) ?? noSources, sources))
  return all
}

function sizeOf({ sources }: Derivations): number {
  let size = 0
  for (const each of sources.values()) size += each === 'unknown' ? 1_000_000 : 1 + each.size
  return size
}

/** The schema's parser, so that no text is parsed twice. */
function remembering(schema: Schema): (sql: string) => ParseOutcome {
  const known = new Map<string, ParseOutcome>()
  return (sql) => {
    const found = known.get(sql)
    if (found !== undefined) return found
    const statements = schema.parse(sql)
    const outcome: ParseOutcome = statements === null ? { state: 'crashed' } : { state: 'parsed', statements }
    known.set(sql, outcome)
    return outcome
  }
}
