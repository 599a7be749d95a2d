import { BackendFault, connectBackend, createCredentialSource } from '../backend/backend.ts'
import { createQueryClient } from '../backend/query.ts'
import type { UserColumn } from '../classification/coverage.ts'
import { decisionOf } from '../classification/decisions.ts'
import type { ClassificationFile } from '../classification/file.ts'
import { propose } from '../classification/propose.ts'
import { sampledAs, sampleQueries } from '../classification/sample.ts'
import type { SampleSize } from '../classification/sample.ts'
import type { DatabaseConfig } from '../config.ts'
import type { Catalog, CatalogRelation } from '../core/catalog.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { JudgedColumn } from './classify.ts'

type Rows = readonly (readonly (string | null)[])[]

/** Runs one statement and gives its rows as text. */
export type RunsQuery = (sql: string) => Promise<Rows>

/** Logs in to a database with its own role, lets `use` ask it, and closes the connection. */
export async function withDatabase(database: DatabaseConfig, use: (query: RunsQuery) => Promise<void>): Promise<void> {
  const { host, port, role, tls } = database
  const credential = createCredentialSource(database.credential ?? { password: '' }, process.env)
  try {
    const connection = await connectBackend(
      { host, port, database: database.database, role, tls },
      new Map([
        ['application_name', 'postern classify'],
        ['client_encoding', 'UTF8'],
      ]),
      { signal: AbortSignal.timeout(limits.backendConnectDeadlineMs), credential },
    )
    const signal = AbortSignal.timeout(limits.classifyDeadlineMs)
    const client = createQueryClient(connection, { signal })
    try {
      for (const setting of settings) await client.query(setting)
      await use(async (sql) => client.query(sql))
    } finally {
      client.close()
    }
  } catch (error) {
    throw explained(error, database)
  } finally {
    credential.close()
  }
}

// Nothing is written, nobody is kept waiting, and no name means another thing than it says.
const settings: readonly string[] = [
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
  "SET statement_timeout = '15s'",
  "SET lock_timeout = '2s'",
  "SET search_path = 'pg_catalog'",
]

/** What clients are told is vague on purpose; the operator gets the cause. */
function explained(error: unknown, { name }: DatabaseConfig): unknown {
  if (!(error instanceof PosternError) || !(error.cause instanceof BackendFault)) return error
  return new PosternError(error.code, `the database ${name} cannot be asked: ${error.cause.message}`, {
    cause: error,
    hint: '`postern check` says more about the connection. The role needs to read the tables that are looked at.',
  })
}

/** Looks at every column that the file gives no tags; `unread` names the tables that could not be read. */
export async function sampleAll(
  query: RunsQuery,
  options: {
    readonly columns: readonly UserColumn[]
    readonly catalog: Catalog
    readonly file: ClassificationFile
    readonly rows: number
  },
): Promise<{ readonly columns: readonly JudgedColumn[]; readonly unread: readonly string[] }> {
  const { catalog, file, rows } = options
  const sizes = await readSizes(query, rows)
  const judged: JudgedColumn[] = []
  const unread: string[] = []
  for (const [relation, columns] of Map.groupBy(options.columns, (column) => column.relation)) {
    const wanted = columns.filter((column) => !hasTags(column, file))
    const values =
      wanted.length === 0
        ? new Map<number, readonly string[]>()
        : await readValues(query, { relation, catalog, size: sizes.get(relation.oid) ?? noSize(rows) })
    if (values === null) unread.push(`${relation.schema}.${relation.name}`)
    for (const column of columns) {
      const proposal = wanted.includes(column)
        ? propose({
            relation: relation.name,
            column: column.column.name,
            as: sampledAs(column.column, catalog),
            values: values?.get(column.column.number) ?? [],
          })
        : null
      judged.push({ ...column, proposal })
    }
  }
  return { columns: judged, unread }
}

/** What is reviewed as `none` is looked at too, since values may have come since. */
function hasTags({ relation, column, isDecided }: UserColumn, file: ClassificationFile): boolean {
  if (!isDecided) return false
  const decision = decisionOf(file, { schema: relation.schema, relation: relation.name, column: column.name })
  return decision === null || decision.tags.length > 0
}

function noSize(rows: number): SampleSize {
  return { rows, pages: 0, estimatedRows: 0 }
}

async function readSizes(query: RunsQuery, rows: number): Promise<ReadonlyMap<number, SampleSize>> {
  const sql = "SELECT oid, relpages, reltuples::int8 FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p')"
  const found = await query(sql)
  return new Map(
    found.map(([oid, pages, tuples]) => [Number(oid), { rows, pages: Number(pages), estimatedRows: Number(tuples) }]),
  )
}

/** Values by attribute number without NULLs; null where the relation could not be read. */
async function readValues(
  query: RunsQuery,
  at: { readonly relation: CatalogRelation; readonly catalog: Catalog; readonly size: SampleSize },
): Promise<ReadonlyMap<number, readonly string[]> | null> {
  const { relation, catalog, size } = at
  const values = new Map<number, readonly string[]>()
  const whole = sampleQueries(relation, catalog, noSize(size.rows))
  for (const [index, { sql, columns }] of sampleQueries(relation, catalog, size).entries()) {
    let rows = await rowsOrNull(query, sql)
    // Pages drawn at random may be empty ones; then the beginning has to do.
    if (rows !== null && rows.length < Math.min(20, size.rows)) rows = await rowsOrNull(query, whole[index]?.sql ?? sql)
    if (rows === null) return null
    for (const [place, { number }] of columns.entries()) {
      values.set(
        number,
        rows.flatMap((row) => row[place] ?? []).filter((value) => value !== ''),
      )
    }
  }
  return values
}

/** Null where PostgreSQL refuses, because of rights or time; a lost connection is thrown. */
async function rowsOrNull(query: RunsQuery, sql: string): Promise<Rows | null> {
  try {
    return await query(sql)
  } catch (error) {
    if (error instanceof PosternError && error.code === 'backend_unavailable') return null
    throw error
  }
}
