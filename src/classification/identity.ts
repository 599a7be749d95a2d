import { columnKey } from '../core/catalog.ts'
import type { Catalog, ColumnKey, Oid } from '../core/catalog.ts'
import type { ClassificationMemory, RememberedColumn, RememberedRelation } from './memory.ts'

/**
 * The memory under the identity of the database at hand. In another database, such as a restored dump, the oids mean
 * something else, so what is remembered goes over to the attributes that have the names that were last seen.
 */
export function adoptIdentity(
  memory: ClassificationMemory,
  { catalog, identity }: { readonly catalog: Catalog; readonly identity: string | null },
): ClassificationMemory {
  if (identity === null || memory.identity === identity) return memory
  if (memory.identity === null) return { ...memory, identity }
  const columns = new Map<ColumnKey, RememberedColumn>()
  for (const column of memory.columns.values()) {
    const key = currentKeyOf(column, catalog)
    // Whose values they were cannot be told by oids that are another database's: the tags hold for good.
    const derived = column.derived.map(({ tags }) => ({ tags, from: [] }))
    if (key !== null) columns.set(key.key, { ...column, rowType: key.rowType, derived, absences: 0 })
  }
  const relations = new Map<Oid, RememberedRelation>()
  for (const relation of memory.relations.values()) {
    const { schema, relation: name } = relation.seenAs
    const found = catalog.relationsNamed(name).find((candidate) => candidate.schema === schema)
    if (found !== undefined) relations.set(found.oid, { ...relation, rowType: found.rowType, absences: 0 })
  }
  return { identity, columns, relations }
}

function currentKeyOf({ seenAs }: RememberedColumn, catalog: Catalog): { key: ColumnKey; rowType: Oid } | null {
  if (seenAs === null) return null
  const relation = catalog.relationsNamed(seenAs.relation).find(({ schema }) => schema === seenAs.schema)
  const column = relation?.columns.find(({ name }) => name === seenAs.column)
  if (relation === undefined || column === undefined) return null
  return { key: columnKey(relation.oid, column.number), rowType: relation.rowType }
}
