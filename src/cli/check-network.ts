import { BackendFault, connectBackend, createCredentialSource } from '../backend/backend.ts'
import { createQueryClient } from '../backend/query.ts'
import type { Config, DatabaseConfig } from '../config.ts'
import { limits } from '../core/limits.ts'
import { createIdentifier } from '../identity/identity.ts'
import { failure } from './check-local.ts'
import type { CheckResult } from './check.ts'

/** Every issuer: whether its discovery document and keys can be had. */
export async function checkIssuers(config: Config): Promise<readonly CheckResult[]> {
  try {
    const identifier = createIdentifier({ issuers: config.issuers })
    try {
      return (await identifier.probe()).map(({ url, error }) => {
        const what = `issuer ${url}`
        if (error === null)
          return { what, status: 'ok', found: 'discovery document and keys were fetched', remedy: null }
        const remedy = 'Check the URL, name resolution, the firewall and (with an authority of your own) `ca`.'
        return { what, status: 'failed', found: error, remedy }
      })
    } finally {
      identifier.close()
    }
  } catch (thrown) {
    return [failure('issuers', thrown)]
  }
}

/** Every database: whether the gateway can connect and log in. */
export async function checkDatabases(config: Config): Promise<readonly CheckResult[]> {
  return Promise.all([...config.databases.values()].map(checkDatabase))
}

async function checkDatabase(database: DatabaseConfig): Promise<CheckResult> {
  const what = `database ${database.name}`
  const { host, port, role, tls } = database
  const credential = createCredentialSource(database.credential ?? { password: '' }, process.env)
  const signal = AbortSignal.timeout(limits.backendConnectDeadlineMs)
  try {
    const connection = await connectBackend(
      { host, port, database: database.database, role, tls },
      new Map([['application_name', 'postern check']]),
      { signal, credential },
    )
    const facts = new Map(connection.parameterStatuses)
    const client = createQueryClient(connection, { signal })
    const [rights = []] = await client.query(rightsQuery).finally(() => client.close())
    const [mayMakeRoles, logPrefix] = [rights[0] === 't', rights[1] ?? '']
    const version = facts.get('server_version') ?? 'of unknown version'
    const protection = connection.tls === null ? 'without TLS' : `over ${connection.tls.protocol}`
    const found = `logged in to PostgreSQL ${version} at ${host}:${String(port)} as ${role}, ${protection}`
    if (database.usesEphemeralRoles && !mayMakeRoles) {
      const why = `${found}. The role may make no others (CREATEROLE), which \`ephemeral_roles\` needs: nobody could log in`
      return { what, status: 'failed', found: why, remedy: `Run \`ALTER ROLE "${role}" CREATEROLE\` as a superuser.` }
    }
    if (database.showsIdentity && !logPrefix.includes('%a')) {
      const why = `${found}. \`show_identity\` is on, and PostgreSQL's log shows no application_name`
      return { what, status: 'warning', found: why, remedy: 'Add %a to `log_line_prefix` in postgresql.conf.' }
    }
    if (facts.get('is_superuser') === 'on') {
      const remedy = `Make a role with the rights that clients need. Policy alone stands between them and the rest.`
      return { what, status: 'warning', found: `${found}. The role is a superuser`, remedy }
    }
    const isOpen = connection.tls === null && tls.mode === 'prefer' && !host.startsWith('/')
    const remedy = isOpen ? 'Switch TLS on in PostgreSQL and set `tls.mode` to verify-full.' : null
    return { what, status: isOpen ? 'warning' : 'ok', found, remedy }
  } catch (thrown) {
    return databaseFailure(what, thrown)
  } finally {
    credential.close()
  }
}

/** Whether the role can make others, and what PostgreSQL puts before the lines of its log. */
const rightsQuery =
  "SELECT rolcreaterole OR rolsuper, current_setting('log_line_prefix') FROM pg_roles WHERE rolname = current_user"

/** What clients are told is vague on purpose; the operator gets the cause. */
export function databaseFailure(what: string, thrown: unknown): CheckResult {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  if (cause instanceof BackendFault) {
    const remedy = 'Compare host, port, role, tls and credential with the server and its pg_hba.conf.'
    return { what, status: 'failed', found: cause.message, remedy }
  }
  return failure(what, thrown)
}
