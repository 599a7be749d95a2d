import type { Catalog, CatalogColumn, CatalogRelation, RelationKind } from '../core/catalog.ts'
import { decisionOf } from './decisions.ts'
import type { ClassificationFile } from './file.ts'
import { tagsOfComment } from './tags.ts'

/** A column of a user's table. */
export interface UserColumn {
  readonly relation: CatalogRelation
  readonly column: CatalogColumn
  /** Whether the file decides on it, by itself or by a default, or its comment does, or its parent's column has been. */
  readonly isDecided: boolean
}

/** Columns of tables that hold rows of their own, PostgreSQL's and temporary ones left out. */
export function userColumns(file: ClassificationFile, catalog: Catalog): readonly UserColumn[] {
  const tables = catalog.data.relations.filter(isUserTable)
  return tables.flatMap((relation) =>
    relation.columns.map((column) => ({
      relation,
      column,
      isDecided: isDecided(column, { relation, file, catalog, depth: 0 }),
    })),
  )
}

/** Whether somebody has to decide on the columns of a relation: views and such are seen through. */
export function isUserTable({ kind, schema, isTemporary }: CatalogRelation): boolean {
  return tableKinds.has(kind) && !isTemporary && schema !== 'information_schema' && !schema.startsWith('pg_')
}

const tableKinds: ReadonlySet<RelationKind> = new Set(['table', 'partitioned', 'foreign'])
const depthMax = 64

function isDecided(
  column: CatalogColumn,
  at: { relation: CatalogRelation; file: ClassificationFile; catalog: Catalog; depth: number },
): boolean {
  const { relation, file, catalog, depth } = at
  if (decisionOf(file, { schema: relation.schema, relation: relation.name, column: column.name }) !== null) return true
  const comment = tagsOfComment(column.comment ?? '')
  if (comment.tags.length > 0) return true
  if (depth > depthMax) return false
  return relation.parents.some((oid) => {
    const parent = catalog.relation(oid)
    const inherited = parent?.columns.find(({ name }) => name === column.name)
    if (parent === undefined || inherited === undefined) return false
    return isDecided(inherited, { relation: parent, file, catalog, depth: depth + 1 })
  })
}
