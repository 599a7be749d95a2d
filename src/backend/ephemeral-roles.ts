import { createHash, randomBytes } from 'node:crypto'
import { PosternError } from '../core/errors.ts'
import type { GatewayId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import { type Admin, type AdminOptions, RoleAdmins } from './ephemeral-roles-admin.ts'
import { disarmLegacy } from './ephemeral-roles-legacy.ts'
import type { Privilege } from './ephemeral-roles-privileges.ts'
import {
  ensurePrivilegeRole,
  privilegeRoleName,
  sweepPrivilegeRoles,
  withServerPrivileges,
} from './ephemeral-roles-sets.ts'
import { quoteIdentifier, quoteLiteral } from './ephemeral-roles-sql.ts'
import { deriveScramKeys } from './scram-keys.ts'

export { privilegesFor } from './ephemeral-roles-privileges.ts'
export type { GrantedRelation, Privilege } from './ephemeral-roles-privileges.ts'

/*
 * Database roles that live as long as one session (ADR 15). Two sorts of them are in PostgreSQL: for each distinct set of
 * privileges one that cannot log in and holds them, and for each session one that logs in, owns nothing and is a member
 * of the first. So a thousand sessions with the same rights cost a thousand rows in pg_authid and not a thousand entries
 * in the access list of every table, which PostgreSQL could not hold.
 */

/** What ephemeral roles are made with. */
export interface EphemeralRolesOptions extends AdminOptions {
  /** What names of these roles begin with; `postern_e_` unless told. */
  readonly prefix?: string
  readonly gateway: GatewayId
  readonly log: LogsRoles
  readonly now: () => number
}

/** Where it is told what could not be dropped. */
export interface LogsRoles {
  info(facts: Readonly<Record<string, unknown>>, message: string): void
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
}

/** What one session's role is to be. */
export interface EphemeralRoleWish {
  readonly privileges: readonly Privilege[]
  /** Schemas of the role's `search_path`; the database's own without. */
  readonly searchPath?: readonly string[]
  /** The end of log-ins with it. */
  readonly validUntilMs: number
  /** Database roles whose privileges it has besides. */
  readonly memberOf?: readonly string[]
  /** For the comment on the role. */
  readonly principalName: string
}

/** A role that one session logs in with. */
export interface EphemeralRole {
  readonly role: string
  readonly password: string
  /** Ends its session and drops it; what it owns goes to the service role. Rejects where it is left to the next sweep. */
  drop(): Promise<void>
}

/** What one sweep did. */
export interface Sweep {
  readonly dropped: readonly string[]
  /** Those that could not be dropped; the log says why. */
  readonly failed: readonly string[]
}

/** Makes and drops database roles of one database. */
export interface EphemeralRoles {
  /**
   * Makes a role with exactly these privileges. Rejects with `catalog_unavailable` where a relation is no longer what it
   * was when the privileges were worked out, and with `backend_unavailable` where PostgreSQL does not let the service
   * role do it; nothing of it is left then.
   */
  create(wish: EphemeralRoleWish): Promise<EphemeralRole>
  /**
   * Drops roles that nobody uses any more: those behind their end, those of gateways said to be dead, and own ones that
   * could not be dropped. Spares `liveRoles`. Several gateways may sweep at once.
   */
  sweep(liveRoles: ReadonlySet<string>, options?: { readonly deadGateways?: ReadonlySet<GatewayId> }): Promise<Sweep>
}

/** The front door of ephemeral roles. Throws `input_invalid` for a prefix that is no plain name. */
export function createEphemeralRoles(options: EphemeralRolesOptions): EphemeralRoles {
  const prefix = options.prefix ?? 'postern_e_'
  if (!/^[a-z_][a-z0-9_]{2,15}$/.test(prefix) || prefix.startsWith('pg_')) {
    throw new PosternError('input_invalid', 'the prefix of ephemeral roles has to be 3 to 16 plain lower-case letters')
  }
  return new Roles({ ...options, prefix })
}

const passwordBytes = 32
const verifierIterations = 4_096

class Roles implements EphemeralRoles {
  readonly #options: EphemeralRolesOptions & { readonly prefix: string }
  readonly #admins: RoleAdmins
  /** Roles that are being made or in use. */
  readonly #own = new Set<string>()
  /** Roles that could not be dropped, or of which it is not known whether they came to be. */
  readonly #lost = new Set<string>()

  constructor(options: EphemeralRolesOptions & { readonly prefix: string }) {
    this.#options = options
    this.#admins = new RoleAdmins(options)
  }

  async create(wish: EphemeralRoleWish): Promise<EphemeralRole> {
    const validUntil = timestamp(wish.validUntilMs)
    if (wish.validUntilMs <= this.#options.now()) {
      throw new PosternError('input_invalid', 'a database role that has ended already cannot be made')
    }
    const password = randomBytes(passwordBytes).toString('base64url')
    const verifier = await scramVerifier(password)
    const role = await this.#admins.use(async (admin) => {
      const name = `${this.#sessionPrefix(admin)}${gatewayHash(this.#options.gateway)}_${randomBytes(8).toString('hex')}`
      this.#own.add(name)
      try {
        await this.#make(admin, name, { ...wish, validUntil, verifier })
      } catch (error) {
        this.#own.delete(name)
        this.#lost.add(name)
        throw error
      }
      return name
    })
    return { role, password, drop: () => this.#drop(role) }
  }

  async sweep(
    liveRoles: ReadonlySet<string>,
    { deadGateways = new Set<GatewayId>() }: { readonly deadGateways?: ReadonlySet<GatewayId> } = {},
  ): Promise<Sweep> {
    return this.#admins.use(async (admin) => {
      const dead = new Set([...deadGateways].map(gatewayHash))
      const dropped: string[] = []
      const failed: string[] = []
      const lost = new Set(this.#lost)
      for (const { role, validUntilMs } of await this.#listed(admin)) {
        lost.delete(role)
        const gateway = role.slice(this.#sessionPrefix(admin).length).split('_')[0] ?? ''
        const isOver = validUntilMs + limits.roleGraceMs < this.#options.now()
        if (liveRoles.has(role) || this.#own.has(role)) continue
        if (!isOver && !this.#lost.has(role) && !dead.has(gateway)) continue
        try {
          await dropRole(admin, role)
          this.#lost.delete(role)
          dropped.push(role)
        } catch (error) {
          // One that cannot be dropped, such as for a lock, must not keep the others.
          failed.push(role)
          this.#options.log.warn({ role, err: error }, 'a database role that nobody uses could not be dropped')
        }
      }
      // Those that are not there never came to be, or somebody else has dropped them.
      for (const role of lost) this.#lost.delete(role)
      await sweepPrivilegeRoles(admin, { prefix: this.#options.prefix, nowMs: this.#options.now() })
      if (dropped.length > 0)
        this.#options.log.info({ count: dropped.length }, 'database roles left behind were dropped')
      return { dropped, failed }
    })
  }

  async #make(
    admin: Admin,
    name: string,
    wish: EphemeralRoleWish & { readonly validUntil: string; readonly verifier: string },
  ): Promise<void> {
    const { prefix, now, gateway } = this.#options
    const privileges = withServerPrivileges(wish.privileges, admin)
    const holder = privileges.length === 0 ? null : privilegeRoleName(privileges, { prefix, admin })
    const role = quoteIdentifier(name)
    const comment = `Postern: gateway ${gateway}, until ${wish.validUntil}, for ${wish.principalName}`
    const members = [...(holder === null ? [] : [holder]), ...(wish.memberOf ?? [])]
    const statements = [
      `CREATE ROLE ${role} LOGIN ${admin.roleOptions} CONNECTION LIMIT 1 PASSWORD ${quoteLiteral(wish.verifier)} VALID UNTIL ${quoteLiteral(wish.validUntil)}`,
      `COMMENT ON ROLE ${role} IS ${quoteLiteral(comment)}`,
      ...members.map((member) => `GRANT ${quoteIdentifier(member)} TO ${role}${admin.membership}`),
      ...admin.takeOver(name),
      ...searchPathOf(role, wish.searchPath),
    ]
    await admin.transaction(async () => {
      if (holder !== null) await ensurePrivilegeRole(admin, { holder, privileges, nowMs: now() })
      await admin.run(statements.join('; '))
      const [row] = await admin.query(
        `SELECT has_database_privilege(${quoteLiteral(name)}, current_database(), 'CONNECT')`,
      )
      if (row?.[0] !== 't') await admin.run(`GRANT CONNECT ON DATABASE ${quoteIdentifier(admin.database)} TO ${role}`)
    })
  }

  async #drop(role: string): Promise<void> {
    // From now on a sweep may try as well.
    this.#own.delete(role)
    this.#lost.add(role)
    await this.#admins.use((admin) => dropRole(admin, role))
    this.#lost.delete(role)
  }

  async #listed(admin: Admin): Promise<readonly { readonly role: string; readonly validUntilMs: number }[]> {
    const rows = await admin.query(
      `SELECT rolname, coalesce(extract(epoch FROM rolvaliduntil) * 1000, 0) FROM pg_roles
       WHERE starts_with(rolname, ${quoteLiteral(this.#sessionPrefix(admin))})
       ORDER BY rolvaliduntil LIMIT ${String(limits.rolesPerSweepMax)}`,
    )
    return rows.map(([role, validUntil]) => ({ role: role ?? '', validUntilMs: Number(validUntil ?? 0) }))
  }

  #sessionPrefix(admin: Admin): string {
    return `${this.#options.prefix}s_${admin.place}_`
  }
}

/** Ends whatever the role runs, gives what it owns to the service role and drops it. One that is gone is dropped. */
async function dropRole(admin: Admin, role: string): Promise<void> {
  const name = quoteIdentifier(role)
  if (!(await exists(admin, role))) return
  try {
    // By itself and first: whatever becomes of the rest, nobody logs in with it again.
    await admin.transaction(() => admin.run(`ALTER ROLE ${name} NOLOGIN`))
    await endSessions(admin, role)
    await admin.transaction(async () => {
      await admin.query(`SELECT pg_advisory_xact_lock(hashtextextended(${quoteLiteral(role)}, 0))`)
      if (!(await exists(admin, role))) return
      await disarmLegacy(admin, role)
      await admin.run(`REASSIGN OWNED BY ${name} TO CURRENT_USER; DROP OWNED BY ${name}; DROP ROLE ${name}`)
    })
  } catch (error) {
    // Another gateway that drops the same one is no failure.
    if (await exists(admin, role)) throw error
  }
}

async function exists(admin: Admin, role: string): Promise<boolean> {
  return (await admin.query(`SELECT 1 FROM pg_roles WHERE rolname = ${quoteLiteral(role)}`)).length > 0
}

async function endSessions(admin: Admin, role: string): Promise<void> {
  const text = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${quoteLiteral(role)}`
  const pauseMs = 20
  for (let waitedMs = 0; (await admin.query(text)).length > 0; waitedMs += pauseMs) {
    if (waitedMs >= limits.roleSessionEndMsMax) {
      throw new PosternError('backend_unavailable', 'a session in PostgreSQL did not end, so that its role stays')
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

function searchPathOf(role: string, searchPath: readonly string[] | undefined): string[] {
  if (searchPath === undefined) return []
  const path = searchPath.length === 0 ? "''" : searchPath.map((schema) => quoteIdentifier(schema)).join(', ')
  return [`ALTER ROLE ${role} SET search_path = ${path}`]
}

/** What PostgreSQL stores instead of the password, so that the password is in no statement and no log. */
async function scramVerifier(password: string): Promise<string> {
  const salt = randomBytes(16)
  const { storedKey, serverKey } = await deriveScramKeys(password, { salt, iterations: verifierIterations })
  const keys = `${storedKey.toString('base64')}:${serverKey.toString('base64')}`
  return `SCRAM-SHA-256$${String(verifierIterations)}:${salt.toString('base64')}$${keys}`
}

function gatewayHash(gateway: GatewayId): string {
  return createHash('sha256').update(gateway).digest('hex').slice(0, 8)
}

/** A moment as PostgreSQL reads it in any time zone; one that is no time throws `input_invalid`. */
function timestamp(ms: number): string {
  const date = new Date(ms)
  const year = date.getUTCFullYear()
  if (Number.isNaN(year) || year > 9_999)
    throw new PosternError('input_invalid', 'the end of a database role is no time')
  return date.toISOString()
}
