import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { parseId } from './names.ts'

/** What a set of policies refers to. What no policy refers to cannot change a decision, and caches leave it out. */
export interface Vocabulary {
  /** Facts such as `statement.hasWhere` and `session.time`; `statement`, `session` or `context` where used as a whole. */
  readonly facts: ReadonlySet<string>
  readonly usesPrincipalAttributes: boolean
  /** The ids of each entity type that policies name, such as `Relation` and `shop.public.orders`. */
  readonly entities: ReadonlyMap<string, ReadonlySet<string>>
  /** Per database, the schemas that policies name, on their own or as part of a relation's id. */
  readonly schemas: ReadonlyMap<string, ReadonlySet<string>>
}

/** Whether any policy may look at `fact`, such as `session.time`. */
export function usesFact(vocabulary: Vocabulary, fact: string): boolean {
  const { facts } = vocabulary
  return facts.has(fact) || facts.has('context') || facts.has(fact.slice(0, fact.indexOf('.')))
}

/** Reads the vocabulary from the policies' syntax trees. */
export function vocabularyOf(policies: readonly PolicyJson[]): Vocabulary {
  const facts = new Set<string>()
  const entities = new Map<string, Set<string>>()
  const found = { facts, entities, usesPrincipalAttributes: false }
  for (const policy of policies) walk(policy, found)
  return { ...found, schemas: schemasOf(entities) }
}

interface Found {
  readonly facts: Set<string>
  readonly entities: Map<string, Set<string>>
  usesPrincipalAttributes: boolean
}

function walk(node: unknown, found: Found): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, found)
    return
  }
  if (!isRecord(node)) return
  if (typeof node['type'] === 'string' && typeof node['id'] === 'string') {
    const ids = found.entities.get(node['type']) ?? new Set<string>()
    found.entities.set(node['type'], ids.add(node['id']))
    return
  }
  const path = pathOf(node)
  if (path !== null && path[0] === 'context') {
    found.facts.add(path.length === 1 ? 'context' : path.slice(1, 3).join('.'))
    return
  }
  if (path !== null && path[0] === 'principal' && path.length > 1) {
    found.usesPrincipalAttributes = true
    return
  }
  for (const value of Object.values(node)) walk(value, found)
}

/** The path of `context.a.b`, also as asked for by `context has a.b`; null for any other expression. */
function pathOf(node: unknown): readonly string[] | null {
  if (!isRecord(node)) return null
  if (typeof node['Var'] === 'string') return [node['Var']]
  const access = node['.'] ?? node['has']
  if (!isRecord(access)) return null
  const left = pathOf(access['left'])
  const attribute = access['attr']
  if (left === null) return null
  return [...left, ...(Array.isArray(attribute) ? attribute.map(String) : [String(attribute)])]
}

function schemasOf(entities: ReadonlyMap<string, ReadonlySet<string>>): Map<string, Set<string>> {
  const schemas = new Map<string, Set<string>>()
  for (const type of ['Schema', 'Relation']) {
    for (const id of entities.get(type) ?? []) {
      const [database, schema] = parseId(id) ?? []
      if (database === undefined || schema === undefined) continue
      schemas.set(database, (schemas.get(database) ?? new Set<string>()).add(schema))
    }
  }
  return schemas
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
