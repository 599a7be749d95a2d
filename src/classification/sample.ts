import type { Catalog, CatalogColumn, CatalogRelation, CatalogType } from '../core/catalog.ts'

/**
 * How values of a column are looked at: as one text each; as a document of many (JSON, arrays, hstore); as numbers that
 * may be ids; or not at all, since their type is a date, holds nothing personal, is binary, or runs code that is not
 * PostgreSQL's when it becomes text.
 */
export type SampledAs = 'text' | 'document' | 'number' | 'date' | 'harmless' | 'binary' | 'unread'

/** One query for some columns of one relation. */
export interface SampleQuery {
  readonly columns: readonly CatalogColumn[]
  readonly sql: string
}

/** How much to read of a relation, and how large it is by PostgreSQL's own estimate. */
export interface SampleSize {
  readonly rows: number
  readonly pages: number
  readonly estimatedRows: number
}

/** Columns that one query reads, and characters of each value: they bound what a sample takes in memory. */
const columnsPerQuery = 16
const charsMax = 2_048
/** Up to here a relation is read from its beginning; of a larger one pages are drawn. */
const wholePagesMax = 2_000

/** How to look at a column, by its type. */
export function sampledAs(column: CatalogColumn, catalog: Catalog): SampledAs {
  const type = baseOf(catalog.type(column.type), catalog)
  if (type === undefined) return 'unread'
  if (type.category === 'A') {
    const element = baseOf(catalog.type(type.element), catalog)
    return element === undefined
      ? 'unread'
      : element.category === 'S' || element.category === 'N'
        ? 'document'
        : byName(element)
  }
  return byName(type)
}

function byName(type: CatalogType): SampledAs {
  const { name, category, kind } = type
  if (name === 'hstore') return 'document'
  if (name === 'citext') return 'text'
  if (kind === 'enum') return 'harmless'
  if (type.schema !== 'pg_catalog') return 'unread'
  if (name === 'json' || name === 'jsonb') return 'document'
  if (name === 'bytea') return 'binary'
  if (name === 'char') return 'harmless'
  if (category === 'S' || name === 'inet' || name === 'cidr' || name.startsWith('macaddr') || name === 'xml')
    return 'text'
  if (/^(?:int8|int4|numeric)$/u.test(name)) return 'number'
  if (name === 'date' || name === 'timestamp' || name === 'timestamptz') return 'date'
  return kind === 'composite' || name === 'tsvector' ? 'unread' : 'harmless'
}

function baseOf(type: CatalogType | undefined, catalog: Catalog): CatalogType | undefined {
  let at = type
  // Domains over domains are few; the bound is against a catalog that was misread.
  for (let depth = 0; at?.kind === 'domain' && depth < 32; depth += 1) at = catalog.type(at.base)
  return at
}

/** The queries that sample a relation. Every value is cut, so that what they give is bounded. */
export function sampleQueries(relation: CatalogRelation, catalog: Catalog, size: SampleSize): readonly SampleQuery[] {
  const columns = relation.columns.filter((column) => readable.has(sampledAs(column, catalog)))
  const from = `${quoted(relation.schema)}.${quoted(relation.name)}`
  return Array.from({ length: Math.ceil(columns.length / columnsPerQuery) }, (_, index) => {
    const some = columns.slice(index * columnsPerQuery, (index + 1) * columnsPerQuery)
    const values = some.map((column) => `pg_catalog.left(${textOf(column, catalog)}, ${String(charsMax)})`)
    const sql = `SELECT ${values.join(', ')} FROM ${from}${sampleClause(size)} LIMIT ${String(size.rows)}`
    return { columns: some, sql }
  })
}

const readable: ReadonlySet<SampledAs> = new Set(['text', 'document', 'number'])

function textOf(column: CatalogColumn, catalog: Catalog): string {
  const name = quoted(column.name)
  const type = baseOf(catalog.type(column.type), catalog)
  // Without the length of its network, which is no part of an address.
  if (type?.name === 'inet') return `pg_catalog.host(${name})`
  return type?.category === 'A' ? `pg_catalog.to_json(${name})::pg_catalog.text` : `${name}::pg_catalog.text`
}

/** A share of the pages that should hold three times the rows that are wanted, since not every page is full. */
function sampleClause({ rows, pages, estimatedRows }: SampleSize): string {
  if (pages <= wholePagesMax || estimatedRows <= 0) return ''
  const percent = Math.min(100, Math.max(0.001, ((rows * 3) / estimatedRows) * 100))
  return ` TABLESAMPLE SYSTEM (${percent.toFixed(3)})`
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
