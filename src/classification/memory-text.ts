import type { ColumnKey } from '../core/catalog.ts'
import type {
  ClassificationMemory,
  ColumnName,
  DerivedTags,
  RelationNames,
  RememberedColumn,
  RememberedRelation,
} from './memory.ts'

const version = 1

/** The memory as JSON, one attribute a line, in a stable order. */
export function formatMemory({ identity, columns, relations }: ClassificationMemory): string {
  const head = JSON.stringify({ version, identity })
  const lines = [
    ...[...relations].map(([oid, relation]) => JSON.stringify({ relation: oid, ...relation })),
    ...[...columns].map(([key, column]) => JSON.stringify({ column: key, ...column })),
  ]
  // The count tells a file that was cut at the end of a line.
  return `${[head, ...lines.toSorted(), JSON.stringify({ count: lines.length })].join('\n')}\n`
}

/** Reads what `formatMemory` wrote. Throws where anything is not as it should be. */
export function parseMemory(text: string): ClassificationMemory {
  const [head, ...rest] = text
    .trimEnd()
    .split('\n')
    .map((line) => object(JSON.parse(line)))
  const foot = rest.pop()
  if (head === undefined || foot === undefined) throw new Error('it is cut off')
  if (head['version'] !== version) throw new Error('it was written by another version of Postern')
  if (foot['count'] !== rest.length) throw new Error('it is cut off')
  const identity = head['identity'] === null ? null : string(head['identity'])
  const columns = new Map<ColumnKey, RememberedColumn>()
  const relations = new Map<number, RememberedRelation>()
  for (const line of rest) {
    if ('column' in line) columns.set(columnKeyOf(line['column']), readColumn(line))
    else relations.set(count(line['relation']), readRelation(line))
  }
  return { identity, columns, relations }
}

function readColumn(line: Fields): RememberedColumn {
  const commented = line['commented'] === null ? null : object(line['commented'])
  return {
    rowType: count(line['rowType']),
    seenAs: line['seenAs'] === null ? null : readColumnName(line['seenAs']),
    names: list(line['names']).map(readColumnName),
    commented:
      commented === null ? null : { tags: list(commented['tags']).map(string), as: readColumnName(commented['as']) },
    derived: list(line['derived']).map(readDerived),
    absences: count(line['absences']),
  }
}

function readRelation(line: Fields): RememberedRelation {
  return {
    rowType: count(line['rowType']),
    seenAs: readRelationNames(line['seenAs']),
    names: list(line['names']).map(readRelationNames),
    absences: count(line['absences']),
  }
}

function readDerived(value: unknown): DerivedTags {
  const { tags, from, isExpression } = object(value)
  return {
    tags: list(tags).map(string),
    from: list(from).map(columnKeyOf),
    ...(isExpression === true ? { isExpression } : {}),
  }
}

function readColumnName(value: unknown): ColumnName {
  const { schema, relation, column } = object(value)
  return { schema: string(schema), relation: string(relation), column: string(column) }
}

function readRelationNames(value: unknown): RelationNames {
  const { schema, relation } = object(value)
  return { schema: string(schema), relation: string(relation) }
}

type Fields = Readonly<Record<string, unknown>>

function object(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new Error('it has a part that is no object')
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Error('it has a part that is no list')
}

function string(value: unknown): string {
  if (typeof value === 'string') return value
  throw new Error('it has a part that is no text')
}

function count(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new Error('it has a part that is no number')
}

function columnKeyOf(value: unknown): ColumnKey {
  const key = string(value)
  if (/^\d+\.\d+$/u.test(key)) return key as ColumnKey
  throw new Error('it has a part that is no attribute')
}
