import { createHash } from 'node:crypto'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { quoteIdentifier } from './ephemeral-roles-sql.ts'
import { BackendFault, BackendRefusal } from './failure.ts'
import type { QueryClient, QueryRows } from './query.ts'

/** How roles are administered. */
export interface AdminOptions {
  /** A fresh connection as the service role, which has CREATEROLE and may grant what sessions are to have. */
  readonly admin: () => Promise<QueryClient>
}

/** A connection of the service role, and what of server and role decides how roles are made. */
export interface Admin {
  /** Of server, database and service role: roles of different places never meet. */
  readonly place: string
  readonly database: string
  readonly serverVersion: number
  /** Attributes of every role. */
  readonly roleOptions: string
  /** How a role becomes a member of another: it has that one's privileges and cannot become it. */
  readonly membership: string
  /** What lets the service role end a role's sessions and take over what it owns. */
  takeOver(role: string): readonly string[]
  query(sql: string): Promise<QueryRows>
  run(sql: string): Promise<void>
  /** Runs `work` between BEGIN and COMMIT; again where PostgreSQL says that it was only unlucky. */
  transaction<T>(work: () => Promise<T>): Promise<T>
}

/** Gives out connections of the service role, a few at a time. */
export class RoleAdmins {
  readonly #options: AdminOptions
  readonly #waiting: (() => void)[] = []
  #underWay = 0

  constructor(options: AdminOptions) {
    this.#options = options
  }

  /** Runs `work` over a connection of its own. Rejects with `limit_exceeded` where too many wait already. */
  async use<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    await this.#enter()
    try {
      const client = await this.#options.admin()
      try {
        return await work(await openAdmin(client))
      } finally {
        client.close()
      }
    } finally {
      this.#leave()
    }
  }

  async #enter(): Promise<void> {
    if (this.#underWay < limits.roleConnectionsMax) {
      this.#underWay += 1
      return
    }
    if (this.#waiting.length >= limits.roleChangesWaitingMax) {
      throw new PosternError('limit_exceeded', 'too many database roles are being made at once', {
        hint: 'Connect again in a moment.',
      })
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#underWay -= 1
    else next()
  }
}

const transactionAttemptsMax = 5

/** MAINTAIN is of 17; of 16 that a membership says by itself what it gives. */
const version16 = 160_000

/** Prepares a connection: nothing of the service role's own settings or of the database's functions is trusted. */
export async function openAdmin(client: QueryClient): Promise<Admin> {
  const settings = [
    "SET client_encoding = 'UTF8'",
    'SET standard_conforming_strings = on',
    'SET search_path = pg_catalog, pg_temp',
    `SET statement_timeout = ${String(limits.roleStatementMsMax)}`,
    `SET lock_timeout = ${String(limits.roleLockWaitMsMax)}`,
  ]
  await client.query(settings.join('; '))
  const [row] = await client.query(
    `SELECT current_setting('server_version_num'), d.oid, d.datname, r.rolname, r.rolsuper
     FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`,
  )
  const [version = null, databaseOid = null, database = null, role = null, isSuperuser = null] = row ?? []
  if (version === null || database === null || role === null) {
    throw new PosternError('backend_unavailable', 'PostgreSQL does not say which role the gateway has there')
  }
  const serverVersion = Number(version)
  const place = createHash('sha256')
    .update(JSON.stringify([databaseOid, role]))
    .digest('hex')
    .slice(0, 8)
  const isModern = serverVersion >= version16
  return {
    place,
    database,
    serverVersion,
    roleOptions: `NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS ${isModern ? 'NOINHERIT' : 'INHERIT'}`,
    membership: isModern ? ' WITH INHERIT TRUE, SET FALSE' : '',
    takeOver: (name) =>
      isSuperuser === 't'
        ? []
        : [`GRANT ${quoteIdentifier(name)} TO CURRENT_USER${isModern ? ' WITH INHERIT TRUE, SET FALSE' : ''}`],
    query: (sql) => client.query(sql),
    run: async (sql) => void (await client.query(sql)),
    transaction: (work) => transaction(client, work),
  }
}

async function transaction<T>(client: QueryClient, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE')
    try {
      const result = await work()
      await client.query('COMMIT')
      return result
    } catch (error) {
      if (error instanceof PosternError && error.code === 'backend_lost') throw error
      await client.query('ROLLBACK')
      if (attempt >= transactionAttemptsMax || !isUnlucky(error)) throw error
    }
  }
}

/** Two changes of one catalog row at once, which PostgreSQL reports as an internal error, and deadlocks. */
function isUnlucky(error: unknown): boolean {
  const refusal = refusalOf(error)
  if (refusal === null) return false
  return refusal.code === '40P01' || (refusal.code === 'XX000' && refusal.message.startsWith('tuple concurrently'))
}

/** What PostgreSQL said, where it was PostgreSQL that refused. */
export function refusalOf(error: unknown): BackendRefusal | null {
  if (!(error instanceof PosternError) || !(error.cause instanceof BackendFault)) return null
  return error.cause.cause instanceof BackendRefusal ? error.cause.cause : null
}
