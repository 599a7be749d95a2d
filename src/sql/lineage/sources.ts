import type { ColumnKey } from '../../core/catalog.ts'
import type { Classification } from '../../core/classification.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'

/** Both sets as one. Sets are shared and never changed, so that a union of equal ones costs nothing. */
export function union(left: Sources, right: Sources): Sources {
  if (left === right || isNone(right)) return left
  if (isNone(left)) return right
  if (left === 'unknown' || right === 'unknown') return 'unknown'
  const [large, small] = left.size >= right.size ? [left, right] : [right, left]
  for (const key of small) if (!large.has(key)) return new Set([...large, ...small])
  return large
}

/** All of these sets as one. */
export function unionAll(sets: Iterable<Sources>): Sources {
  let all: Sources = noSources
  for (const each of sets) all = union(all, each)
  return all
}

/** Whether nothing classified is in it. */
export function isNone(sources: Sources): boolean {
  return sources !== 'unknown' && sources.size === 0
}

/** Whether all of `inner` is in `outer`. */
export function isWithin(inner: Sources, outer: Sources): boolean {
  if (outer === 'unknown' || isNone(inner)) return true
  if (inner === 'unknown') return false
  for (const key of inner) if (!outer.has(key)) return false
  return true
}

/** What is in the first set and not in the second. */
export function without(sources: Sources, other: Sources): Sources {
  if (isWithin(sources, other)) return noSources
  if (sources === 'unknown' || other === 'unknown') return sources
  return new Set([...sources].filter((key) => !other.has(key)))
}

/** The set of one column. */
export function only(key: ColumnKey): ReadonlySet<ColumnKey> {
  return new Set([key])
}

/**
 * Whether whoever may see columns with the tags of `to` may see all of `from` as well. Where something is unknown there
 * are no tags to compare, so only nothing is carried by it.
 */
export function areTagsCarried(from: Sources, to: Sources, classification: Classification): boolean {
  if (isNone(from)) return true
  if (from === 'unknown' || to === 'unknown') return from === to
  const carried = new Set([...to].flatMap((key) => classification.columns.get(key)?.tags ?? []))
  return [...from].every((key) => (classification.columns.get(key)?.tags ?? []).every((tag) => carried.has(tag)))
}
