import { join } from 'node:path'
import type { SandboxPostgres } from '../sandbox/postgres.ts'
import { connectBackend, createCredentialSource } from '../src/backend/backend.ts'
import { createQueryClient, type QueryClient } from '../src/backend/query.ts'
import { parseClassificationFile } from '../src/classification/file.ts'
import { DatabaseProtection } from '../src/database-protection.ts'
import { createParser } from '../src/sql/parser.ts'
import { createTracer } from '../src/sql/lineage/tracer.ts'
import { classifications, databaseName } from './fill.ts'

/** A connection of the superuser that runs queries, as the catalog is read over one. */
export async function openClient(postgres: SandboxPostgres, database: string): Promise<QueryClient> {
  const { host, port, superuser, password } = postgres
  const connection = await connectBackend(
    { host, port, database, role: superuser, tls: { mode: 'disable' } },
    new Map(),
    { signal: AbortSignal.timeout(30_000), credential: createCredentialSource({ password }, {}) },
  )
  return createQueryClient(connection)
}

/** What protects the database of the benchmarks where columns are classified that no load touches. */
export async function openProtection(
  postgres: SandboxPostgres,
  directory: string,
): Promise<{ readonly protects: DatabaseProtection; close(): Promise<void> }> {
  const onFault = (fault: unknown): void => {
    throw fault
  }
  const parser = await createParser({ onFault })
  const tracer = createTracer({ parse: (sql) => parser.parse(sql), onFault })
  const protects = new DatabaseProtection({
    database: databaseName,
    file: parseClassificationFile(JSON.stringify(classifications.elsewhere), 'classification'),
    stateDirectory: join(directory, 'masking-state'),
    refreshMs: 3_600_000,
    key: Buffer.alloc(32, 7),
    tracer,
    parse: (sql) => parser.parse(sql),
    connect: () => openClient(postgres, databaseName),
    onCatalog: () => undefined,
    onClassified: () => undefined,
    onDerived: () => undefined,
    onFailed: onFault,
  })
  await protects.refresh('changed')
  return {
    protects,
    async close() {
      protects.close()
      await tracer.close()
    },
  }
}
