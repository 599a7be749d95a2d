import { createHash } from 'node:crypto'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type Admin, refusalOf } from './ephemeral-roles-admin.ts'
import type { Privilege } from './ephemeral-roles-privileges.ts'
import { grantStatements, quoteIdentifier, quoteLiteral } from './ephemeral-roles-sql.ts'
import { unavailable } from './failure.ts'

/*
 * Roles that hold one set of privileges. The name is the hash of the set, of which the oid of every relation is a part:
 * a table that is dropped, renamed or made anew makes another set, so that what a role of that name may do never
 * changes, and a role that is there need not be looked at again.
 */

/** PostgreSQL 17 brought MAINTAIN; servers before it have no such privilege to give. */
const maintainSince = 170_000

/** These privileges as far as the server has them. Throws `limit_exceeded` where there are too many. */
export function withServerPrivileges(privileges: readonly Privilege[], admin: Admin): readonly Privilege[] {
  if (privileges.length > limits.rolePrivilegesMax) {
    throw new PosternError('limit_exceeded', 'a database role cannot have privileges on that many objects', {
      hint: 'Leave ephemeral roles off for this database.',
    })
  }
  if (admin.serverVersion >= maintainSince) return privileges
  return privileges.flatMap((each): Privilege[] => {
    if (each.kind === 'schema') return [each]
    const known = each.privileges.filter((privilege) => privilege !== 'MAINTAIN')
    return known.length === 0 ? [] : [{ ...each, privileges: known }]
  })
}

/** The name of the role that holds exactly these privileges. */
export function privilegeRoleName(
  privileges: readonly Privilege[],
  { prefix, admin }: { readonly prefix: string; readonly admin: Admin },
): string {
  const lines = privileges.map((each) =>
    JSON.stringify(
      each.kind === 'schema'
        ? [each.name, [...each.privileges].toSorted()]
        : [each.oid, each.schema, each.name, [...each.privileges].toSorted()],
    ),
  )
  const hash = createHash('sha256').update(lines.toSorted().join('\n')).digest('hex').slice(0, 24)
  return `${prefix}p_${admin.place}_${hash}`
}

/**
 * Makes sure, within an open transaction, that the role is there until the transaction ends. Rejects with
 * `catalog_unavailable` where the relations are not those that the privileges were worked out for.
 */
export async function ensurePrivilegeRole(
  admin: Admin,
  wish: { readonly holder: string; readonly privileges: readonly Privilege[]; readonly nowMs: number },
): Promise<void> {
  const { holder, privileges, nowMs } = wish
  // Shared by those who use what is there; who makes or drops one has it alone.
  await admin.query(`SELECT pg_advisory_xact_lock_shared(${lockKey(admin)})`)
  if (await exists(admin, holder)) return
  // Begun anew: two who hold the lock together would wait for each other for good.
  await admin.run('COMMIT; BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE')
  await admin.query(`SELECT pg_advisory_xact_lock(${lockKey(admin)})`)
  if (await exists(admin, holder)) return
  const role = quoteIdentifier(holder)
  const keptUntil = new Date(nowMs + limits.rolePrivilegesKeptMs).toISOString()
  await admin.run(`CREATE ROLE ${role} NOLOGIN ${admin.roleOptions} VALID UNTIL ${quoteLiteral(keptUntil)}`)
  await admin.run(`COMMENT ON ROLE ${role} IS 'Postern: privileges that roles of sessions share'`)
  for (const statement of [...admin.takeOver(holder), ...grantStatements(privileges, holder)]) {
    try {
      await admin.run(statement)
    } catch (error) {
      throw explained(error, statement)
    }
  }
  await checkGranted(admin, holder, privileges)
}

/** Drops roles of privileges that no role of a session has, and that nobody asked for in a while. */
export async function sweepPrivilegeRoles(
  admin: Admin,
  { prefix, nowMs }: { readonly prefix: string; readonly nowMs: number },
): Promise<void> {
  const unused = `
    SELECT r.rolname FROM pg_roles r
    WHERE starts_with(r.rolname, ${quoteLiteral(`${prefix}p_${admin.place}_`)})
      AND r.rolvaliduntil < ${quoteLiteral(new Date(nowMs).toISOString())}
      AND NOT EXISTS (
        SELECT FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member
        WHERE m.roleid = r.oid AND u.rolname <> current_user)
    ORDER BY r.rolvaliduntil LIMIT ${String(limits.rolesPerSweepMax)}`
  // Mostly there is none, and then nobody has to be kept waiting.
  if ((await admin.query(unused)).length === 0) return
  await admin.transaction(async () => {
    await admin.query(`SELECT pg_advisory_xact_lock(${lockKey(admin)})`)
    for (const [role] of await admin.query(unused)) {
      const name = quoteIdentifier(role ?? '')
      await admin.run(`REASSIGN OWNED BY ${name} TO CURRENT_USER; DROP OWNED BY ${name}; DROP ROLE ${name}`)
    }
  })
}

/** What the role has been given has to be what was meant: names may have come to mean other relations meanwhile. */
async function checkGranted(admin: Admin, holder: string, privileges: readonly Privilege[]): Promise<void> {
  const rows = await admin.query(`
    SELECT c.oid, a.privilege_type
    FROM pg_shdepend d JOIN pg_class c ON c.oid = d.objid, aclexplode(c.relacl) a
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_authid'::regclass AND d.deptype = 'a'
      AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND d.refobjid = a.grantee AND a.grantee = (SELECT oid FROM pg_roles WHERE rolname = ${quoteLiteral(holder)})`)
  const given = new Set(rows.map(([oid, privilege]) => `${oid ?? ''} ${privilege ?? ''}`))
  const relations = privileges.flatMap((each) => (each.kind === 'relation' ? [each] : []))
  const wanted = relations.flatMap(({ oid, privileges: names }) => names.map((name) => `${String(oid)} ${name}`))
  if (wanted.length !== given.size || wanted.some((each) => !given.has(each))) {
    // A name that leads to another relation now is one thing, a GRANT that PostgreSQL answers by a mere warning another.
    const oids = new Set(relations.map(({ oid }) => String(oid)))
    if (rows.some(([oid]) => !oids.has(oid ?? ''))) throw changed()
    throw mayNotGrant('some of the privileges on relations')
  }
  for (const each of privileges) {
    if (each.kind !== 'schema') continue
    const [row] = await admin.query(
      `SELECT ${each.privileges.map((name) => `has_schema_privilege(${quoteLiteral(holder)}, ${quoteLiteral(each.name)}, '${name}')`).join(' AND ')}`,
    )
    if (row?.[0] !== 't') throw mayNotGrant(`privileges on schema ${each.name}`)
  }
}

function explained(error: unknown, statement: string): unknown {
  const code = refusalOf(error)?.code
  // Undefined table and schema: they were there when the catalog was read.
  if (code === '42P01' || code === '3F000') return changed()
  if (code === '42501') return mayNotGrant(`what this says: ${statement.slice(0, 200)}`, error)
  return error
}

function changed(): PosternError {
  return new PosternError(
    'catalog_unavailable',
    'the tables of this database have changed since its catalog was read',
    {
      hint: 'Connect again in a moment.',
    },
  )
}

function mayNotGrant(what: string, cause?: unknown): PosternError {
  return unavailable(
    `the service role may not grant ${what}; it has to own these objects, be a member of their owner, or hold the privileges WITH GRANT OPTION`,
    cause,
  )
}

async function exists(admin: Admin, role: string): Promise<boolean> {
  return (await admin.query(`SELECT 1 FROM pg_roles WHERE rolname = ${quoteLiteral(role)}`)).length > 0
}

/** One lock for all roles of a place: making a set of privileges changes rows of pg_class, one transaction at a time. */
function lockKey(admin: Admin): string {
  return `hashtextextended(${quoteLiteral(`postern roles ${admin.place}`)}, 0)`
}
