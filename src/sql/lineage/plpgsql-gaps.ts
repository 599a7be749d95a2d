import type { CatalogRelation } from '../../core/catalog.ts'
import type { Fields } from '../parse-tree.ts'
import { isFields, textsOf } from '../parse-tree.ts'
import { gapPattern } from './plpgsql-templates.ts'
import type { Schema } from './schema.ts'
import { fieldsOf } from './tree.ts'

/** Relations that one name with a gap may mean, at most; it is as good as unknown behind that. */
const relationsMax = 64

/** The statements that one with gaps may be. */
export interface Fillings {
  readonly statements: readonly unknown[]
  /** Whether it names a relation that could be any. */
  readonly isOpen: boolean
}

/** Puts in place of names with gaps every relation that they fit, and takes gaps out of constants. */
export function fillGaps(statement: unknown, schema: Schema): Fillings {
  const node = withoutConstants(statement)
  const found = relationWithGap(node)
  if (found === null) return { statements: [node], isOpen: false }
  const relations = relationsFitting(found, schema)
  if (relations === null || relations.length === 0) return { statements: [node], isOpen: true }
  const all = relations.map((relation) => {
    const { schema: schemaname, name: relname } = relation
    return fillGaps(replaced(node, found, { ...found, schemaname, relname }), schema)
  })
  return { statements: all.flatMap((each) => each.statements), isOpen: all.some((each) => each.isOpen) }
}

function hasGap(text: unknown): text is string {
  return typeof text === 'string' && text.search(gapPattern) >= 0
}

/** The relations whose names a name with gaps fits; null where it says too little. */
function relationsFitting(rangeVar: Fields, schema: Schema): readonly CatalogRelation[] | null {
  const { relname, schemaname } = rangeVar
  const isOpen = (text: unknown): boolean =>
    text === undefined || (hasGap(text) && text.replaceAll(gapPattern, '') === '')
  if (isOpen(relname) && isOpen(schemaname)) return null
  const fits = (name: string, text: unknown): boolean => typeof text !== 'string' || patternOf(text).test(name)
  const fitting = schema.catalog.data.relations.filter(
    (each) =>
      each.kind !== 'composite' &&
      each.schema !== 'pg_catalog' &&
      each.schema !== 'information_schema' &&
      fits(each.name, relname) &&
      fits(each.schema, schemaname),
  )
  return fitting.length > relationsMax ? null : fitting
}

function patternOf(text: string): RegExp {
  const parts = text.split(gapPattern).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's')
}

function relationWithGap(node: unknown): Fields | null {
  if (Array.isArray(node)) {
    for (const each of node) {
      const found = relationWithGap(each)
      if (found !== null) return found
    }
    return null
  }
  if (!isFields(node)) return null
  if (hasGap(node['relname']) || (hasGap(node['schemaname']) && node['relname'] !== undefined)) return node
  return relationWithGap(Object.values(node))
}

function replaced(node: unknown, from: Fields, to: Fields): unknown {
  if (node === from) return to
  if (Array.isArray(node)) return node.map((each) => replaced(each, from, to))
  if (!isFields(node)) return node
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, replaced(value, from, to)]))
}

/** A gap within quotes was put there as a value, and several that follow each other are several. */
function withoutConstants(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutConstants)
  if (!isFields(node)) return node
  const text = fieldsOf(node, 'A_Const')?.['sval']
  if (isFields(text) && hasGap(text['sval'])) {
    const names = text['sval'].match(gapPattern) ?? []
    return { A_ArrayExpr: { elements: names.map(columnCalled) } }
  }
  const [name, ...more] = textsOf(fieldsOf(node, 'ColumnRef')?.['fields'])
  const run = more.length === 0 ? (name?.match(gapPattern) ?? []) : []
  if (run.length > 1 && run.join('') === name) return { A_ArrayExpr: { elements: run.map(columnCalled) } }
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, withoutConstants(value)]))
}

function columnCalled(sval: string): unknown {
  return { ColumnRef: { fields: [{ String: { sval } }] } }
}
