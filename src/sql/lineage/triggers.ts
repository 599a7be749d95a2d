import type { CatalogColumn, CatalogRelation, Oid } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Schema } from './schema.ts'
import { unionAll } from './sources.ts'

/** PostgreSQL's own trigger functions that fill a tsvector column: by a named and by a stored configuration. */
const tsvectorTriggers: ReadonlySet<Oid> = new Set([3752, 3753])

/** What BEFORE triggers put into a column out of others of its row, as far as it is known. */
export function triggerSources(relation: CatalogRelation, column: CatalogColumn, schema: Schema): Sources {
  return unionAll(
    relation.triggers
      .filter((trigger) => trigger.isBefore && tsvectorTriggers.has(trigger.function))
      .map((trigger) => {
        const [target, _configuration, ...read] = trigger.arguments
        if (target !== column.name) return noSources
        return unionAll(
          relation.columns
            .filter((each) => read.includes(each.name))
            .map((each) => schema.ownColumn(relation.oid, each.number).sources),
        )
      }),
  )
}
