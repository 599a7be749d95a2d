import type { Catalog, CatalogColumn, CatalogRelation, RelationKind } from '../core/catalog.ts'
import { decisionOf } from './decisions.ts'
import type { ClassificationFile } from './file.ts'
import { tagsOfComment } from './tags.ts'

/** A column of a user's table. */
export interface UserColumn {
  readonly relation: CatalogRelation
  readonly column: CatalogColumn
  /** Whether the file decides on it, by itself or by a default, or its comment gives it tags. */
  readonly isDecided: boolean
}

/**
 * Columns of tables that hold rows of their own. PostgreSQL's and temporary ones are left out, and those that a partition
 * or child has from its parent, which share its tags.
 */
export function userColumns(file: ClassificationFile, catalog: Catalog): readonly UserColumn[] {
  const tables = catalog.data.relations.filter(isUserTable).toSorted((left, right) => compare(left, right))
  return tables.flatMap((relation) => {
    const inherited = new Set(
      relation.parents.flatMap((oid) => (catalog.relation(oid)?.columns ?? []).map(({ name }) => name)),
    )
    return relation.columns
      .filter(({ name }) => !inherited.has(name))
      .map((column) => ({ relation, column, isDecided: isDecided(column, { relation, file }) }))
  })
}

function compare(left: CatalogRelation, right: CatalogRelation): number {
  return left.schema.localeCompare(right.schema, 'en') || left.name.localeCompare(right.name, 'en')
}

function isUserTable({ kind, schema, isTemporary }: CatalogRelation): boolean {
  return tableKinds.has(kind) && !isTemporary && schema !== 'information_schema' && !schema.startsWith('pg_')
}

const tableKinds: ReadonlySet<RelationKind> = new Set(['table', 'partitioned', 'foreign'])

function isDecided(
  { name, comment }: CatalogColumn,
  { relation, file }: { readonly relation: CatalogRelation; readonly file: ClassificationFile },
): boolean {
  if (decisionOf(file, { schema: relation.schema, relation: relation.name, column: name }) !== null) return true
  return tagsOfComment(comment ?? '').tags.length > 0
}
