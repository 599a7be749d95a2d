import { columnKey } from '../../core/catalog.ts'
import type { CatalogRelation, ColumnKey } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Trace, WriteObserver } from './context.ts'
import { areTagsCarried, isNone, only, union, unionAll } from './sources.ts'
import type { Value } from './value.ts'

/** Collects what triggers write, and keeps what cannot be told down to what is mentioned. */
export class TriggerObserver implements WriteObserver {
  /** What columns derive from besides what they are classified as. */
  readonly writes = new Map<ColumnKey, Sources>()
  /** Whether some part could not be followed at all. */
  isUnfollowed = false
  /** What was written to tables that the snapshot does not have, which are temporary ones as a rule. */
  #elsewhere: Sources = noSources
  readonly #mentions: (() => Sources)[] = []
  readonly #trace: Trace

  constructor(trace: Trace) {
    this.#trace = trace
  }

  assigned(relation: CatalogRelation | null, column: string, value: Value): void {
    const sources = this.known(value.sources)
    if (isNone(sources)) return
    if (relation === null) {
      this.#elsewhere = union(this.#elsewhere, sources)
      return
    }
    const found = relation.columns.filter((each) => each.name === column)
    for (const each of found.length > 0 ? found : relation.columns) this.derive(relation, each.number, sources)
  }

  /** Notes what a column derives from, unless its own tags say as much. */
  derive(relation: CatalogRelation, column: number, sources: Sources): void {
    const key = columnKey(relation.oid, column)
    const { classification } = this.#trace.schema
    const own = classification.columns.has(key) ? only(key) : noSources
    if (sources !== 'unknown' && areTagsCarried(sources, own, classification)) return
    this.writes.set(key, union(this.writes.get(key) ?? noSources, sources))
  }

  /** In place of what could be anything: all that is mentioned around. */
  known(sources: Sources): Sources {
    return sources === 'unknown'
      ? union(this.#elsewhere, unionAll(this.#mentions.map((mention) => mention())))
      : sources
  }

  /** Does something while this is mentioned. */
  within<T>(mention: () => Sources, work: () => T): T {
    this.#mentions.push(mention)
    try {
      return work()
    } finally {
      this.#mentions.pop()
    }
  }
}

/** The observer of a trigger that is being followed, or null where an ordinary statement is traced. */
export function observerOf(trace: Trace): TriggerObserver | null {
  return trace.observer instanceof TriggerObserver ? trace.observer : null
}
