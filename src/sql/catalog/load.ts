import { createHash } from 'node:crypto'
import type { CatalogData } from '../../core/catalog.ts'
import { PosternError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { catalogQueries, definitionsQuery, printed, settings } from './queries.ts'
import type { QueryScope } from './queries.ts'
import { readResults, SystemCatalogChanged } from './read.ts'
import type { CatalogReading, SystemCatalog } from './read.ts'
import type { Rows } from './row-reader.ts'

export type { CatalogReading, SystemCatalog } from './read.ts'

/** What one database's next snapshot takes over from the one before; begins as `{ system: null }`. */
export interface SystemCatalogCache {
  /** What initdb made: most of an ordinary snapshot. */
  system: SystemCatalog | null
  /** The last snapshot and the digest of what it was read from: while that stays the same, so does the object. */
  last?: { readonly digest: string; readonly data: CatalogData } | null
}

/** Runs one SQL statement by the simple protocol and gives its rows as text. */
export type RunsQuery = (sql: string) => Promise<Rows>

/**
 * Reads a snapshot over a connection of our own that has no transaction open, in one that is read-only, sees one state
 * and is over when this returns. With a cache, objects that initdb made are read once. Rejects with whatever `query`
 * rejects with and `backend_unavailable`; the connection is then to be closed.
 */
export async function loadCatalog(
  query: RunsQuery,
  cache: SystemCatalogCache = { system: null },
): Promise<CatalogData> {
  const serverVersion = versionOf(await query('SHOW server_version_num'))
  try {
    return await loadWith(query, { cache, serverVersion })
  } catch (error) {
    if (!(error instanceof SystemCatalogChanged)) throw error
    cache.system = null
    cache.last = null
    return await loadWith(query, { cache, serverVersion })
  }
}

async function loadWith(
  query: RunsQuery,
  { cache, serverVersion }: { cache: SystemCatalogCache; serverVersion: number },
): Promise<CatalogData> {
  const { system } = cache
  const scope: QueryScope = { serverVersion, withSystem: system === null, isInTransaction: false }
  const definitions = await readDefinitions(query, scope)
  const results = [definitions]
  const hash = createHash('sha256').update(JSON.stringify(definitions))
  await inTransaction(query, async () => {
    // The first of them has been answered.
    for (const sql of catalogQueries(scope).slice(1)) {
      const rows = await query(sql)
      // One result at a time, so that a large catalog does not hold up the event loop.
      hash.update(JSON.stringify(rows))
      results.push(rows)
    }
  })
  const digest = hash.digest('base64')
  if (system !== null && cache.last?.digest === digest) return cache.last.data
  const { data, system: systemRead } = readResults(results, system)
  cache.system = systemRead
  // Without the system's part the next results will be others.
  cache.last = system === null ? null : { digest, data }
  return data
}

/**
 * Definitions have a transaction of their own, so that the locks that printing them takes are soon over. Where views are
 * made and dropped all the time it fails as often as not; then each is printed alone, and what cannot be is left out.
 */
async function readDefinitions(query: RunsQuery, scope: QueryScope): Promise<Rows> {
  for (let attempt = 1; attempt <= attemptsTogether; attempt += 1) {
    try {
      return await inTransaction(query, async () => query(definitionsQuery(scope, { asList: false })))
    } catch {
      // A lost connection fails the next attempt as well, and the last.
    }
  }
  return inTransaction(query, async () => {
    const definitions: (readonly (string | null)[])[] = []
    await query(`SET LOCAL lock_timeout = ${lockWaitAloneMsMax}`)
    for (const [kind, oid] of await query(definitionsQuery(scope, { asList: true }))) {
      if ((kind !== 'view' && kind !== 'rule' && kind !== 'function') || !/^\d+$/.test(oid ?? '')) continue
      await query(`SAVEPOINT ${savepoint}`)
      try {
        const [[text = null] = []] = await query(`SELECT ${printed(kind, oid ?? '0')}`)
        definitions.push([kind, oid ?? null, text])
      } catch {
        // It has no definition then, which nobody can see through.
      } finally {
        await query(`ROLLBACK TO SAVEPOINT ${savepoint}`)
      }
    }
    return definitions
  })
}

const attemptsTogether = 3
const lockWaitAloneMsMax = 10

async function inTransaction<T>(query: RunsQuery, work: () => Promise<T>): Promise<T> {
  await query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE')
  try {
    for (const setting of [...settings, ...timeouts]) await query(setting)
    return await work()
  } finally {
    await query('ROLLBACK')
  }
}

const timeouts: readonly string[] = [
  `SET LOCAL lock_timeout = ${limits.catalogLockWaitMsMax}`,
  `SET LOCAL statement_timeout = ${limits.catalogQueryMsMax}`,
]

/** What `catalogScript` has to know. */
export interface ScriptOptions {
  /** server_version_num. */
  readonly serverVersion: number
  /** What is known of the server's system part, so that it need not be read; the same goes to `readCatalog`. */
  readonly system: SystemCatalog | null
  /** Whether a transaction is open on the connection that the text is for. */
  readonly isInTransaction: boolean
}

/**
 * One text for one Query on a client's own connection, whose rows `readCatalog` takes. It reads what that session sees,
 * its own uncommitted changes included, under settings that are local to it.
 *
 * Within a transaction all of it happens behind a savepoint that is rolled back, which also gives back the locks that
 * printing views takes. If it fails the transaction is left failed and `catalogRepair` brings it back. Outside of one
 * it is one transaction by being one text, and needs no repair.
 *
 * PostgreSQL reports settings when it is ready again, and then they are what they were before: nothing is reported. A
 * server before 14 reports client_encoding and standard_conforming_strings there and back while it runs; none of the
 * ParameterStatus messages of this text are for the client.
 */
export function catalogScript(options: ScriptOptions): string {
  const { serverVersion, system, isInTransaction } = options
  const before = isInTransaction
    ? [`SAVEPOINT ${savepoint}`]
    : ['SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE']
  const after = isInTransaction ? [catalogRepair] : []
  const queries = catalogQueries({ serverVersion, withSystem: system === null, isInTransaction })
  return [...before, ...settings, ...timeouts, ...queries, ...after].join(';\n')
}

const savepoint = 'postern_catalog'

/** Brings a transaction back in which `catalogScript` has failed. */
export const catalogRepair = `ROLLBACK TO SAVEPOINT ${savepoint};\nRELEASE SAVEPOINT ${savepoint}`

/**
 * Reads what `catalogScript` gave with the same `system`: the results that have a row description, in order. Throws a
 * PosternError where they are not those, or where the system part has changed: then the script is to be sent without.
 */
export function readCatalog(results: readonly Rows[], system: SystemCatalog | null): CatalogReading {
  return readResults(results, system)
}

function versionOf(rows: Rows): number {
  const version = Number(rows[0]?.[0])
  if (Number.isSafeInteger(version) && version >= 130_000) return version
  throw new PosternError('backend_unavailable', 'the catalog of a server before PostgreSQL 13 cannot be read')
}
