import type { Catalog, CatalogFunction, CatalogRelation, CatalogType } from '../../core/catalog.ts'
import type { RelationName } from '../../core/statement.ts'
import { isTemporarySchema } from './read.ts'

/*
 * What a name may mean. PostgreSQL takes the first match on the search path, but it passes over schemas that the current
 * role has no USAGE on, and which those are is not in the snapshot: so every match on the path counts. Which of the
 * temporary schemas is the session's own is not known either: all of them count.
 */

/** Relations that a name in FROM may mean; `searchPath` is null where it is not known. Empty if there is none. */
export function relationCandidates(
  catalog: Catalog,
  name: RelationName,
  searchPath: readonly string[] | null,
): readonly CatalogRelation[] {
  // The relation behind a composite type has no rows.
  const named = catalog.relationsNamed(name.name).filter(({ kind }) => kind !== 'composite')
  return candidates(named, name.schema, searchPath)
}

/** Types that a name may mean, as for relations. */
export function typeCandidates(
  catalog: Catalog,
  name: RelationName,
  searchPath: readonly string[] | null,
): readonly CatalogType[] {
  return candidates(catalog.typesNamed(name.name), name.schema, searchPath)
}

/**
 * Functions that a name may mean, PostgreSQL's own aside (`catalog.builtin`). Overloads are chosen by types, so every
 * schema on the path counts. Unqualified names are never looked for in the session's temporary schema.
 */
export function functionCandidates(
  catalog: Catalog,
  name: RelationName,
  searchPath: readonly string[] | null,
): readonly CatalogFunction[] {
  const named = catalog.functionsNamed(name.name)
  if (name.schema !== null) return inSchema(named, name.schema)
  const path = settledPath(searchPath)
  return named.filter(({ schema }) =>
    path === null ? !isTemporarySchema(schema) : schema === 'pg_catalog' || path.includes(schema),
  )
}

function candidates<T extends { readonly schema: string }>(
  named: readonly T[],
  schema: string | null,
  searchPath: readonly string[] | null,
): readonly T[] {
  if (schema !== null) return inSchema(named, schema)
  const path = settledPath(searchPath)
  if (path === null) return named
  const isTemporary = (each: T): boolean => isTemporarySchema(each.schema)
  if (!path.includes('pg_catalog')) {
    // It is searched before the path then, and nobody can be kept out of it.
    const system = named.filter((each) => each.schema === 'pg_catalog')
    if (system.length > 0) return [...named.filter(isTemporary), ...system]
  }
  return named.filter((each) => isTemporary(each) || path.includes(each.schema))
}

function inSchema<T extends { readonly schema: string }>(named: readonly T[], schema: string): readonly T[] {
  return named.filter((each) => (schema === 'pg_temp' ? isTemporarySchema(each.schema) : each.schema === schema))
}

/** `$user` stands for a schema that is named like the current role, whoever that is. */
function settledPath(searchPath: readonly string[] | null): readonly string[] | null {
  return searchPath === null || searchPath.includes('$user') ? null : searchPath
}
