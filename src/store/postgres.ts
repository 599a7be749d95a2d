import { createHash, randomBytes } from 'node:crypto'
import { Kysely, PostgresDialect, sql } from 'kysely'
import type { PostgresPool, PostgresPoolClient } from 'kysely'
import { DatabaseError, Pool, escapeIdentifier, escapeLiteral } from 'pg'
import type { ClientConfig, PoolClient } from 'pg'
import { limits } from '../core/limits.ts'
import type { Engine } from './engine.ts'
import { PostgresWatch } from './postgres-watch.ts'
import type { Tables } from './tables.ts'

/** Where a shared store is. */
export interface PostgresConnection {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Asked for again at each connect where it is a function. */
  readonly password: string | (() => Promise<string>)
  /** As node's TLS takes it; absent for an unencrypted connection. */
  readonly ssl?: ClientConfig['ssl']
}

const readersMax = 3

/** A store in one schema of a PostgreSQL database, which many gateways may share. */
export function openPostgres(
  connection: PostgresConnection,
  { schema, onFault }: { readonly schema: string; readonly onFault: (error: unknown) => void },
): Engine {
  const pool = new Pool({ ...clientConfig(connection), max: readersMax + 1, idleTimeoutMillis: 60_000 })
  // An idle connection that breaks is replaced when one is needed; it is told and nobody else sees it.
  pool.on('error', onFault)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded(pool, schema) }) })
  // Names of the server's that all stores of one database share, so each schema has its own.
  const digest = createHash('sha256').update(`postern control store ${schema}`).digest()
  const lock = String(digest.readBigInt64BE(0))
  const channel = `postern_${digest.subarray(0, 12).toString('hex')}`
  const instance = randomBytes(9).toString('base64url')
  return {
    kind: 'postgres',
    where: `in schema ${schema} of database ${connection.database} on ${connection.host}:${String(connection.port)}`,
    writer: db,
    reader: db,
    readersMax,
    // Each statement behind the lock sees all that was committed before the lock was obtained.
    beginChange: `begin isolation level read committed read write; select pg_advisory_xact_lock(${lock})`,
    beginRead: 'begin isolation level repeatable read read only',
    announce: `select pg_notify(${escapeLiteral(channel)}, ${escapeLiteral(instance)})`,
    tableExists: `select 1 as found where to_regclass(quote_ident(current_schema()) || '.' || $1) is not null`,
    prepare: (writer) => makeSchema(writer, schema),
    watch(listener) {
      const watch = new PostgresWatch({ config: clientConfig(connection), channel, instance, listener, onFault })
      return () => watch.stop()
    },
    async close() {
      await db.destroy()
      // What no query has used yet, the query builder does not close.
      if (!pool.ended) await pool.end()
    },
  }
}

function clientConfig({ host, port, database, user, password, ssl }: PostgresConnection): ClientConfig {
  return {
    host,
    port,
    database,
    user,
    password,
    ...(ssl === undefined ? {} : { ssl }),
    application_name: 'postern',
    connectionTimeoutMillis: limits.storeConnectMsMax,
    // The server's own limit comes first, and leaves the connection in order; this one is for a server that is gone.
    query_timeout: limits.storeStatementMsMax + 2_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: limits.storeHeartbeatMs,
  }
}

/** Asking for existence first: to make a schema that is there takes a right that the gateway's role need not have. */
async function makeSchema(writer: Kysely<Tables>, schema: string): Promise<void> {
  const { rows } = await sql`select 1 from pg_namespace where nspname = ${schema}`.execute(writer)
  if (rows.length === 0) await sql`create schema ${sql.id(schema)}`.execute(writer)
}

/** Connections that are set up before their first use, and never used again after a failure that may have left them odd. */
function guarded(pool: Pool, schema: string): PostgresPool {
  const known = new WeakMap<PoolClient, GuardedClient>()
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect()
      const before = known.get(client)
      if (before !== undefined) return before
      try {
        await client.query(settings(schema))
      } catch (error) {
        client.release(true)
        throw error
      }
      const fresh = new GuardedClient(client)
      known.set(client, fresh)
      return fresh
    },
  }
}

class GuardedClient implements PostgresPoolClient {
  readonly #client: PoolClient
  #isBroken = false

  constructor(client: PoolClient) {
    this.#client = client
    // The pool listens only while it has the connection; unheard, an error would end the process.
    client.on('error', () => {
      this.#isBroken = true
    })
  }

  // The query builder also knows cursors, which the store does not use.
  readonly query = ((text: string, parameters: readonly unknown[]) => this.#query(text, parameters)) as never

  async #query(text: string, parameters: readonly unknown[]): Promise<unknown> {
    try {
      return await this.#client.query(text, [...parameters])
    } catch (error) {
      // Only after an ordinary error of a statement is it certain what the connection's state is.
      const isOrdinary = error instanceof DatabaseError && error.severity === 'ERROR'
      if (!isOrdinary || text.endsWith('commit') || text === 'rollback') this.#isBroken = true
      throw error
    }
  }

  release(): void {
    this.#client.release(this.#isBroken)
  }
}

/** What a session of the store relies on, whatever the server's, the database's or the role's own settings are. */
function settings(schema: string): string {
  const values: readonly [string, string][] = [
    // Temporary tables would be found first unless they are named last.
    ['search_path', `${escapeIdentifier(schema)}, pg_temp`],
    ['statement_timeout', String(limits.storeStatementMsMax)],
    ['lock_timeout', String(limits.storeLockWaitMsMax)],
    ['idle_in_transaction_session_timeout', String(limits.storeWorkMsMax + 2_000)],
    ['standard_conforming_strings', 'on'],
  ]
  const calls = values.map(([name, value]) => `set_config('${name}', ${escapeLiteral(value)}, false)`)
  // A server may be set to answer before a commit is on its disk; stronger settings than `on` stay.
  return `select ${calls.join(', ')};
    select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`
}
