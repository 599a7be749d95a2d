import type { GatewayId } from '../core/ids.ts'
import { connectBackend } from './connect.ts'
import { createCredentialSource } from './credential.ts'
import { createEphemeralRoles, type EphemeralRoles, type GrantedRelation } from './ephemeral-roles.ts'
import { createQueryClient, type QueryClient } from './query.ts'

// Helpers of the tests of ephemeral roles.

/** Where a sandbox PostgreSQL listens. */
export interface Place {
  readonly socketDirectory: string
  readonly port: number
}

/** Somebody to log in as. */
export interface Who {
  readonly role: string
  readonly password?: string
  readonly isTcp?: boolean
}

/** A connection to the database `shop`; over TCP PostgreSQL asks for the password. */
export async function connectAs(place: Place, { role, password = '', isTcp = false }: Who): Promise<QueryClient> {
  const host = isTcp ? '127.0.0.1' : place.socketDirectory
  const tls = { mode: 'disable', ca: undefined, serverName: undefined } as const
  const connection = await connectBackend({ host, port: place.port, database: 'shop', role, tls }, new Map(), {
    signal: AbortSignal.timeout(10_000),
    credential: createCredentialSource({ password }, {}),
  })
  return createQueryClient(connection)
}

/** Ephemeral roles of one gateway, over the service role `service`. */
export function startRoles(
  place: Place,
  options: {
    readonly gateway: string
    readonly service?: string
    readonly now?: () => number
    readonly warnings?: string[]
  },
): EphemeralRoles {
  return createEphemeralRoles({
    admin: () => connectAs(place, { role: options.service ?? 'service' }),
    gateway: options.gateway as GatewayId,
    log: {
      info: () => undefined,
      warn: (facts, message) => void options.warnings?.push(`${message} ${String(facts['role'])}`),
    },
    now: options.now ?? Date.now,
  })
}

/** The relations of the database as the catalog snapshot lists them, as far as privileges need them. */
export async function relationsOf(place: Place): Promise<readonly GrantedRelation[]> {
  const client = await connectAs(place, { role: 'postgres' })
  const kinds = new Map<string | null | undefined, GrantedRelation['kind']>([
    ['r', 'table'],
    ['p', 'partitioned'],
    ['v', 'view'],
    ['m', 'materialized'],
    ['S', 'sequence'],
  ])
  const rows = await client.query(`
    SET search_path = '';
    SELECT c.oid, n.nspname, c.relname, c.relkind,
      (SELECT json_agg(pg_catalog.pg_get_expr(d.adbin, d.adrelid)) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = c.oid)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')`)
  client.close()
  return rows.map(([oid, schema, name, kind, defaults]) => ({
    oid: Number(oid),
    schema: schema ?? '',
    name: name ?? '',
    kind: kinds.get(kind) ?? 'table',
    isTemporary: false,
    columns: ((JSON.parse(defaults ?? '[]') as readonly string[] | null) ?? []).map((expression, index) => ({
      number: index + 1,
      name: `c${String(index)}`,
      type: 23,
      typeModifier: -1,
      isNotNull: false,
      isGenerated: false,
      expression,
      comment: null,
    })),
  }))
}
