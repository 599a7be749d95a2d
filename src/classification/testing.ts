import type { Catalog, CatalogForeignKey, CatalogRelation } from '../core/catalog.ts'
import { createCatalog } from '../sql/catalog/catalog.ts'
import { resolveClassification } from './classify.ts'
import type { Resolved } from './classify.ts'
import { parseClassificationFile } from './file.ts'
import type { ClassificationMemory } from './memory.ts'

/** A relation of a made-up catalog: `columns` by attribute number from 1; null for one that was dropped. */
export interface PlainRelation {
  readonly oid: number
  readonly name: `${string}.${string}`
  readonly columns: readonly (string | null)[]
  readonly comments?: Readonly<Record<string, string>>
  readonly parents?: readonly number[]
  readonly foreignKeys?: readonly CatalogForeignKey[]
  readonly rowType?: number
}

/** A catalog of relations alone. */
export function plainCatalog(relations: readonly PlainRelation[]): Catalog {
  const all = relations.map(plainRelation)
  const schemas = [...new Set(all.map(({ schema }) => schema))]
  const none = { types: [], functions: [], operators: [], casts: [], builtins: [], constraintNames: [] }
  return createCatalog({ serverVersion: 180_004, schemas, relations: all, ...none }, 1)
}

/** Resolves a file's text against a catalog, and remembers. */
export function resolve(
  yaml: string,
  relations: readonly PlainRelation[],
  memory: ClassificationMemory | null = null,
  identity?: string,
): Resolved {
  const file = parseClassificationFile(yaml, 'classification.yaml')
  const catalog = plainCatalog(relations)
  return resolveClassification({ file, catalog, memory, version: 1, ...(identity === undefined ? {} : { identity }) })
}

/** `schema.relation.column: tags (origin)` of every classified column, PostgreSQL's own left out. */
export function classified({ classification }: Resolved): readonly string[] {
  return [...classification.columns.values()]
    .filter(({ origin }) => origin !== 'builtin')
    .map(
      ({ schema, relation, column, tags, origin }) => `${schema}.${relation}.${column}: ${tags.join(' ')} (${origin})`,
    )
}

function plainRelation(plain: PlainRelation): CatalogRelation {
  const [schema = '', name = ''] = plain.name.split('.')
  return {
    oid: plain.oid,
    schema,
    name,
    kind: 'table',
    rowType: plain.rowType ?? plain.oid + 2,
    isTemporary: false,
    columns: plain.columns.flatMap((column, index) =>
      column === null
        ? []
        : [
            {
              number: index + 1,
              name: column,
              type: 25,
              typeModifier: -1,
              isNotNull: false,
              isGenerated: false,
              expression: null,
              comment: plain.comments?.[column] ?? null,
            },
          ],
    ),
    definition: null,
    parents: plain.parents ?? [],
    triggers: [],
    foreignKeys: plain.foreignKeys ?? [],
    hasRules: false,
    rules: [],
    comment: null,
  }
}
