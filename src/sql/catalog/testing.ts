import type { SandboxPostgres } from '../../../sandbox/postgres.ts'
import { connectBackend, createCredentialSource } from '../../backend/backend.ts'
import type { BackendConnection } from '../../backend/backend.ts'
import { createQueryClient } from '../../backend/query.ts'
import type { QueryClient } from '../../backend/query.ts'
import type { Catalog, CatalogRelation } from '../../core/catalog.ts'

// Helpers of this folder's tests.

/** Logs in as superuser. */
export async function connectTo(postgres: SandboxPostgres, database: string): Promise<BackendConnection> {
  const { socketDirectory, port, superuser, password } = postgres
  return connectBackend(
    { host: socketDirectory, port, database, role: superuser, tls: { mode: 'disable' } },
    new Map(),
    { signal: AbortSignal.timeout(30_000), credential: createCredentialSource({ password }, {}) },
  )
}

/** A client of a superuser's own session. */
export async function clientOf(postgres: SandboxPostgres, database: string): Promise<QueryClient> {
  return createQueryClient(await connectTo(postgres, database))
}

/** The only relation of that schema and name. */
export function relationOf(catalog: Catalog, schema: string, name: string): CatalogRelation {
  const found = catalog.relationsNamed(name).filter((each) => each.schema === schema)
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} relations are ${schema}.${name}`)
  return found[0]
}
