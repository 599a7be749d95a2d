import { columnKey, partsOfColumnKey } from '../../core/catalog.ts'
import type { CatalogRelation, ColumnKey } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import { relationCandidates } from '../catalog/resolve.ts'
import { textsOf } from '../parse-tree.ts'
import { relationOf } from '../walk.ts'
import type { Schema } from './schema.ts'
import { union } from './sources.ts'
import { fieldsOf, listOf } from './tree.ts'

/** Adds where PostgreSQL itself puts what is written: to the table that a view shows, to partitions and children. */
export function alsoWritten(written: ReadonlyMap<ColumnKey, Sources>, schema: Schema): ReadonlyMap<ColumnKey, Sources> {
  const all = new Map(written)
  const pending = [...written]
  for (const [key, sources] of pending) {
    const { relation: oid, column } = partsOfColumnKey(key)
    const relation = schema.catalog.relation(oid)
    if (relation === undefined) continue
    const isView = relation.kind === 'view'
    for (const below of isView ? columnsBelow(relation, column, schema) : columnsOfChildren(relation, column, schema)) {
      const before = all.get(below) ?? noSources
      const after = union(before, sources)
      if (after === before) continue
      all.set(below, after)
      pending.push([below, sources])
    }
  }
  return all
}

function columnsOfChildren(relation: CatalogRelation, column: number, schema: Schema): readonly ColumnKey[] {
  const name = relation.columns.find((each) => each.number === column)?.name
  return schema.catalog
    .childrenOf(relation.oid)
    .flatMap((child) =>
      child.columns.filter((each) => each.name === name).map((each) => columnKey(child.oid, each.number)),
    )
}

/** The columns that a view's column may be, if it is updatable by itself: then it shows one relation, row by row. */
function columnsBelow(view: CatalogRelation, column: number, schema: Schema): readonly ColumnKey[] {
  const [statement] = schema.parse(view.definition ?? '') ?? []
  const select = fieldsOf(statement?.stmt, 'SelectStmt')
  if (view.triggers.some(({ isBefore }) => isBefore) || select?.['groupClause'] !== undefined) return []
  const [from, ...others] = listOf(select?.['fromClause'])
  const rangeVar = fieldsOf(from, 'RangeVar')
  if (rangeVar === null || others.length > 0) return []
  const position = view.columns.findIndex(({ number }) => number === column)
  const target = fieldsOf(listOf(select?.['targetList'])[position], 'ResTarget')
  const name = textsOf(fieldsOf(target?.['val'], 'ColumnRef')?.['fields']).at(-1)
  return relationCandidates(schema.catalog, relationOf(rangeVar), ['pg_catalog']).flatMap((relation) =>
    relation.columns.filter((each) => each.name === name).map((each) => columnKey(relation.oid, each.number)),
  )
}
