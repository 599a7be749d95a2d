import type { Admin } from './ephemeral-roles-admin.ts'
import { quoteLiteral } from './ephemeral-roles-sql.ts'

/** Views that look with the eyes of who asks are of 15. */
const version15 = 150_000

/**
 * Takes from what a role made whatever of it acts with the privileges of its owner, who is the service role from now on:
 * SECURITY DEFINER, views, and rules. Else a session could leave itself something to do more by than it may.
 */
export async function disarmLegacy(admin: Admin, role: string): Promise<void> {
  const owner = `(SELECT oid FROM pg_roles WHERE rolname = ${quoteLiteral(role)})`
  const rows = await admin.query(
    `SELECT format('ALTER ROUTINE %s SECURITY INVOKER', oid::regprocedure) FROM pg_proc WHERE proowner = ${owner} AND prosecdef
     UNION ALL
     SELECT format('DROP RULE %I ON %s', r.rulename, r.ev_class::regclass)
     FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relowner = ${owner} AND r.rulename <> '_RETURN'
     UNION ALL
     SELECT format('ALTER VIEW %s SET (security_invoker = true)', oid::regclass) FROM pg_class
     WHERE relowner = ${owner} AND relkind = 'v' AND ${String(admin.serverVersion >= version15)}`,
  )
  for (const [statement] of rows) if (typeof statement === 'string') await admin.run(statement)
}
