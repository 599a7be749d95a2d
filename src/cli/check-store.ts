import { constants, existsSync } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { connectBackend, createCredentialSource } from '../backend/backend.ts'
import { createQueryClient } from '../backend/query.ts'
import type { Config } from '../config.ts'
import { limits } from '../core/limits.ts'
import { nearestExisting } from './check-local.ts'
import { databaseFailure } from './check-network.ts'
import type { CheckResult } from './check.ts'

type StoreConfig = Config['controlStore']
type SharedStore = Extract<StoreConfig, { kind: 'postgres' }>

const what = 'control store'

/** The control store without contacting anything: its file, or whom else its role lets in. Creates nothing. */
export async function checkStoreLocally({ controlStore, databases }: Config): Promise<readonly CheckResult[]> {
  if (controlStore.kind === 'sqlite') return [await checkStoreFile(controlStore.file)]
  const { host, port, database, role } = controlStore
  const guarded = [...databases.values()].find(
    (each) => each.host === host && each.port === port && each.database === database && each.role === role,
  )
  if (guarded === undefined) return []
  const found = `database "${guarded.name}" is served as ${role}, the owner of the control store in it: whoever may write there can give themselves access`
  const remedy = 'Give the control store a role of its own, better a database of its own.'
  return [{ what, status: 'warning', found, remedy }]
}

async function checkStoreFile(file: string): Promise<CheckResult> {
  const failed = (found: string, remedy: string) => ({ what, status: 'failed', found, remedy }) as const
  const toOwner = 'Give it to the account that runs the gateway, which does not start without it.'
  try {
    // Beside the file SQLite makes two more.
    await access(nearestExisting(dirname(file)), constants.W_OK | constants.X_OK)
    if (!existsSync(file)) return { what, status: 'ok', found: `${file}, made at the first start`, remedy: null }
    await access(file, constants.R_OK | constants.W_OK)
    const { mode } = await stat(file)
    if (!(await isDatabase(file))) {
      return failed(`${file} is no SQLite database`, 'Restore it from a backup, or name another file.')
    }
    if ((mode & 0o077) === 0) return { what, status: 'ok', found: file, remedy: null }
    const found = `${file} is open to other accounts: whoever writes to it gives access`
    return { what, status: 'warning', found, remedy: `Run \`chmod 600 ${file}\`.` }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return failed(`${file} cannot be made or written by this account: ${why}`, toOwner)
  }
}

/** By its first bytes, so that looking changes nothing. An empty file is a database that nothing was written to. */
async function isDatabase(file: string): Promise<boolean> {
  const handle = await open(file, 'r')
  try {
    const head = Buffer.alloc(sqliteMagic.length)
    const { bytesRead } = await handle.read(head, 0, head.length, 0)
    return bytesRead === 0 || head.equals(sqliteMagic)
  } finally {
    await handle.close()
  }
}

const sqliteMagic = Buffer.from('SQLite format 3\0', 'latin1')

/** The control store in PostgreSQL: whether the gateway can log in, and make or use its schema. */
export async function checkStoreRemotely({ controlStore }: Config): Promise<readonly CheckResult[]> {
  return controlStore.kind === 'postgres' ? [await checkSharedStore(controlStore)] : []
}

async function checkSharedStore({ host, port, database, schema, role, tls, credential }: SharedStore) {
  const source = createCredentialSource(credential ?? { password: '' }, process.env)
  const signal = AbortSignal.timeout(limits.backendConnectDeadlineMs)
  // The gateway does not fall back to a connection without TLS here, so neither does the check.
  const mode = tls.mode === 'prefer' ? 'require' : tls.mode
  try {
    const connection = await connectBackend(
      { host, port, database, role, tls: { ...tls, mode } },
      new Map([['application_name', 'postern check']]),
      { signal, credential: source },
    )
    const client = createQueryClient(connection, { signal })
    try {
      const [row = []] = await client.query(rightsQuery(schema))
      const [isThere, mayUse, mayMake] = row.map((value) => value === 't')
      const place = `schema ${schema} of ${database} at ${host}:${String(port)}`
      if (isThere === true && mayUse === true) {
        return { what, status: 'ok', found: `${place}, as ${role}`, remedy: null } as const
      }
      if (isThere !== true && mayMake === true) {
        return { what, status: 'ok', found: `${place}, made at the first start by ${role}`, remedy: null } as const
      }
      const found = `${role} may not ${isThere === true ? 'use' : 'make'} ${place}`
      const remedy =
        isThere === true
          ? `Run \`ALTER SCHEMA "${schema}" OWNER TO "${role}"\`, its tables likewise, or name another schema.`
          : `Run \`CREATE SCHEMA "${schema}" AUTHORIZATION "${role}"\` in ${database}.`
      return { what, status: 'failed', found, remedy } as const
    } finally {
      client.close()
    }
  } catch (thrown) {
    return databaseFailure(what, thrown)
  } finally {
    source.close()
  }
}

function rightsQuery(schema: string): string {
  const name = `'${schema.replaceAll("'", "''")}'`
  const there = `EXISTS (SELECT FROM pg_namespace WHERE nspname = ${name})`
  return `SET standard_conforming_strings = on; SELECT ${there},
    coalesce((SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE')
      FROM pg_namespace WHERE nspname = ${name}), false),
    has_database_privilege(current_database(), 'CREATE')`
}
