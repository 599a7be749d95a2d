import type { Catalog, CatalogRelation } from '../../core/catalog.ts'
import type { Sources } from '../../core/lineage.ts'
import type { Trace } from './context.ts'
import { tokensOf, Unreadable } from './plpgsql-tokens.ts'
import type { Token } from './plpgsql-tokens.ts'
import type { Variables } from './plpgsql-variables.ts'
import { unionAll } from './sources.ts'

/*
 * Where a part of a trigger cannot be followed, what it does is taken to derive from all that its text mentions, and to
 * be written to what it mentions. That is less than everything, which would mask the whole database for one trigger.
 */

/** What the variables and relations derive from that a text mentions, be it in a constant. */
export function mentionedSources(text: string, variables: Variables, trace: Trace): Sources {
  const tokens = tokensOrNull(text)
  if (tokens === null) return variables.tellsOf()
  const told: Sources[] = []
  tokens.forEach((token, index) => {
    if (token.kind === 'string') told.push(mentionedSources(token.text, variables, trace))
    if (token.kind !== 'word' && token.kind !== 'name') return
    const isQualifier = tokens[index + 1]?.text === '.'
    if (variables.has(token.text))
      told.push(variables.tellsOf(token.text, isQualifier ? tokens[index + 2]?.text : undefined))
    for (const each of relationsCalled(token.text, trace.schema.catalog)) told.push(trace.schema.touchedOf(each.oid))
  })
  return unionAll(told)
}

/** The relations that a text mentions, be it in a constant. */
export function mentionedRelations(text: string, catalog: Catalog): readonly CatalogRelation[] {
  const tokens = tokensOrNull(text) ?? []
  const found = tokens.flatMap((token) => {
    if (token.kind === 'string') return mentionedRelations(token.text, catalog)
    return token.kind === 'word' || token.kind === 'name' ? relationsCalled(token.text, catalog) : []
  })
  return [...new Set(found)]
}

function relationsCalled(name: string, catalog: Catalog): readonly CatalogRelation[] {
  return catalog
    .relationsNamed(name)
    .filter(({ kind, schema }) => kind !== 'composite' && schema !== 'pg_catalog' && schema !== 'information_schema')
}

function tokensOrNull(text: string): readonly Token[] | null {
  try {
    return tokensOf(text)
  } catch (error) {
    if (error instanceof Unreadable) return null
    throw error
  }
}
