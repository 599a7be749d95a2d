import { columnKey, partsOfColumnKey } from '../core/catalog.ts'
import type { Catalog, CatalogRelation, ColumnKey } from '../core/catalog.ts'
import type { Tag } from '../core/classification.ts'
import type { ClassificationMemory, DerivedTags } from './memory.ts'

/** One column that takes over the tags of another. */
export interface Edge {
  readonly from: ColumnKey
  readonly to: ColumnKey
  /** Whether values were copied, so that the tags stay when the tie is cut (DETACH PARTITION, DROP CONSTRAINT). */
  readonly isLasting: boolean
}

/** Spreads tags over the edges until nothing changes. `tags` is changed in place. */
export function spread(tags: Map<ColumnKey, Set<Tag>>, edges: readonly Edge[]): void {
  const outgoing = Map.groupBy(edges, ({ from }) => from)
  const pending = [...tags.keys()]
  for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
    const own = tags.get(key) ?? new Set()
    for (const { to } of outgoing.get(key) ?? []) {
      const target = tags.get(to) ?? new Set()
      const before = target.size
      for (const tag of own) target.add(tag)
      tags.set(to, target)
      if (target.size > before) pending.push(to)
    }
  }
}

/** How columns of the catalog are tied: by inheritance and partitioning in both ways, by foreign keys to what they refer to. */
export function catalogEdges(catalog: Catalog): readonly Edge[] {
  return catalog.data.relations.flatMap((relation) => [
    ...inheritanceEdges(relation, catalog),
    ...relation.foreignKeys.flatMap(({ columns, referenced, referencedColumns }) =>
      columns.flatMap((column, index): readonly Edge[] => {
        const other = referencedColumns[index]
        if (other === undefined) return []
        return [{ from: columnKey(referenced, other), to: columnKey(relation.oid, column), isLasting: true }]
      }),
    ),
  ])
}

function inheritanceEdges(child: CatalogRelation, catalog: Catalog): readonly Edge[] {
  return child.parents.flatMap((oid) => {
    const own = new Map(child.columns.map(({ name, number }) => [name, columnKey(child.oid, number)]))
    return (catalog.relation(oid)?.columns ?? []).flatMap(({ name, number }): readonly Edge[] => {
      const inherited = own.get(name)
      if (inherited === undefined) return []
      const parent = columnKey(oid, number)
      return [
        { from: parent, to: inherited, isLasting: true },
        // A scan of the parent shows rows of the child, but they are not the parent's.
        { from: inherited, to: parent, isLasting: false },
      ]
    })
  })
}

/** Whether an attribute exists, and is not another one that got its oid. */
export function isAlive(key: ColumnKey, catalog: Catalog, memory: ClassificationMemory): boolean {
  const { relation: oid, column } = partsOfColumnKey(key)
  const relation = catalog.relation(oid)
  if (relation === undefined || !relation.columns.some(({ number }) => number === column)) return false
  const rowType = memory.columns.get(key)?.rowType ?? 0
  return rowType === 0 || rowType === relation.rowType
}

/** What remembered origins give: edges from those that exist, tags for good from those that do not. */
export function derivedEdges(
  key: ColumnKey,
  derived: readonly DerivedTags[],
  isSource: (key: ColumnKey) => boolean,
): { readonly edges: readonly Edge[]; readonly tags: readonly Tag[]; readonly settled: readonly DerivedTags[] } {
  const settled = derived.map((entry) => (entry.from.every(isSource) ? entry : { ...entry, from: [] }))
  return {
    edges: settled.flatMap(({ from }) => from.map((source) => ({ from: source, to: key, isLasting: true }))),
    tags: settled.filter(({ from }) => from.length === 0).flatMap(({ tags }) => tags),
    settled,
  }
}
