import { columnKey } from '../../core/catalog.ts'
import type { CatalogColumn, CatalogRelation } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Schema } from './schema.ts'
import { derivationsOf } from './trigger-derivations.ts'

/** What existing triggers and rules put into a column, out of their rows and whatever else they read. */
export function triggerSources(relation: CatalogRelation, column: CatalogColumn, schema: Schema): Sources {
  return derivationsOf(schema).sources.get(columnKey(relation.oid, column.number)) ?? noSources
}

/**
 * The triggers and rules that cannot be followed although classified values reach them: whoever runs the database has
 * to classify what they write. Empty for a schema without a parser.
 */
export function triggerFaults(schema: Schema): readonly string[] {
  return derivationsOf(schema).faults
}
