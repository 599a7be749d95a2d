import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { pino } from 'pino'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { type SandboxIssuer, startIssuer } from '../../sandbox/issuer.ts'
import { type SandboxPostgres, startPostgres } from '../../sandbox/postgres.ts'
import { loadConfig } from '../../src/config.ts'
import { PosternError } from '../../src/core/errors.ts'
import { type Postern, serve } from '../../src/main.ts'
import { RawClient } from '../support/raw-client.ts'
import type { Rights } from './attack.ts'
import { formsOf, formsQuery } from './forms.ts'
import { createWorld, type World } from './world.ts'

/** Whose rights an attack is made with. */
export const attackers: Readonly<Record<Rights, string>> = {
  write: 'sam@example.com',
  ddl: 'ci-deploy',
  all: 'report-agent',
}

/** One PostgreSQL with the world in it, and one gateway before it, for all attacks. */
export interface Stand {
  readonly world: World
  readonly postgres: SandboxPostgres
  readonly postern: Postern
  readonly journalDirectory: string
  /** False where this gateway does not know classification yet: what is shown then is how it is without masking. */
  readonly isMasking: boolean
  /** A connection through the gateway. */
  logIn(identity: string, startUp?: Readonly<Record<string, string>>): Promise<RawClient>
  /** The same without it. */
  logInDirectly(startUp?: Readonly<Record<string, string>>): Promise<RawClient>
  /** Runs SQL past the gateway on a connection that stays. */
  query(sql: string): Promise<Record<string, unknown>[]>
  /** Sessions past the gateway that have run these statements and are still there. */
  beside(statements: readonly string[]): Promise<{ end(): Promise<void> }>
  /** What differs when an attack has left something behind. */
  fingerprint(): Promise<string>
  /** Every byte of the journal. */
  journal(): Promise<Buffer>
  stop(): Promise<void>
}

/** Starts it all. */
export async function startStand(): Promise<Stand> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-attacks-'))
  const planted = createWorld()
  const [postgres, issuer] = await Promise.all([
    // Without autovacuum nothing but the attacks changes statistics; two prepared transactions let 2PC be tried.
    startPostgres({
      hba: ['local all all trust', 'host all attacker all trust', 'host all all all scram-sha-256'],
      settings: {
        shared_preload_libraries: 'pg_stat_statements',
        autovacuum: 'off',
        max_prepared_transactions: '4',
        track_activity_query_size: '4096',
      },
    }),
    startIssuer(),
  ])
  try {
    await postgres.query('postgres', 'CREATE DATABASE shop')
    await postgres.query('postgres', 'CREATE ROLE attacker SUPERUSER LOGIN')
    await postgres.query('shop', planted.setUp)
    const forms = formsOf(await postgres.query('shop', formsQuery))
    const world = { ...planted, canaries: [...planted.canaries, ...forms] }
    const { postern, isMasking } = await startPostern({ directory, world, postgres, issuer })
    await postgres.query('shop', world.renames)
    return await standing({ directory, world, postgres, issuer, postern, isMasking })
  } catch (error) {
    await Promise.all([issuer.stop(), postgres.stop()])
    throw error
  }
}

interface Parts {
  readonly directory: string
  readonly world: World
  readonly postgres: SandboxPostgres
  readonly issuer: SandboxIssuer
}

async function standing(parts: Parts & { postern: Postern; isMasking: boolean }): Promise<Stand> {
  const { directory, postgres, issuer, postern } = parts
  const tokens = new Map<string, Promise<string>>()
  const tokenOf = (identity: string): Promise<string> => {
    const token = tokens.get(identity) ?? issuer.issueToken({ identity })
    tokens.set(identity, token)
    return token
  }
  const side = await sideConnection(postgres)
  const journalDirectory = join(directory, 'journal')
  return {
    ...parts,
    journalDirectory,
    logIn: async (identity, startUp = {}) =>
      RawClient.logIn({
        port: postern.port,
        parameters: { user: identity, database: 'shop', ...startUp },
        password: await tokenOf(identity),
      }),
    logInDirectly: (startUp = {}) =>
      RawClient.logIn({ port: postgres.port, parameters: { user: 'attacker', database: 'shop', ...startUp } }),
    query: async (sql) => lastRows(await side.query(sql)),
    async beside(statements) {
      const client = await sideConnection(postgres)
      for (const statement of statements) await client.query(statement)
      return { end: () => client.end() }
    },
    async fingerprint() {
      const [row] = lastRows(await side.query(fingerprintQuery))
      return String(row?.['f'])
    },
    async journal() {
      await new Promise((resolve) => setTimeout(resolve, 50))
      const files = (await readdir(journalDirectory)).filter((name) => name.endsWith('.jsonl')).sort()
      return Buffer.concat(await Promise.all(files.map((name) => readFile(join(journalDirectory, name)))))
    },
    async stop() {
      await side.end()
      await postern.stop({ deadlineMs: 500 })
      await Promise.all([issuer.stop(), postgres.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function sideConnection(postgres: SandboxPostgres): Promise<Client> {
  const client = new Client({ host: postgres.socketDirectory, port: postgres.port, user: 'postgres', database: 'shop' })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

function lastRows(result: unknown): Record<string, unknown>[] {
  const last: unknown = Array.isArray(result) ? result.at(-1) : result
  return (last as { rows?: Record<string, unknown>[] } | undefined)?.rows ?? []
}

/** Rows by their checksums, and how many objects of each kind there are. */
const fingerprintQuery = `
  SELECT concat_ws(' ',
    (SELECT md5(string_agg(c::text COLLATE "C", '' ORDER BY id)) FROM (SELECT id, to_jsonb(customers.*)::text AS c FROM customers) x),
    ${[
      'orders',
      'notes',
      'audit',
      'accounts',
      'payments',
      'bookings',
      'letters',
      'members',
      'people',
      'staff',
      'strongroom',
      'hr.employees',
      'dictionary',
      'limits_of_notes',
      'inbox',
    ]
      .map((table) => `(SELECT count(*) || ':' || coalesce(sum(hashtext(to_jsonb(t.*)::text)), 0) FROM ${table} t)`)
      .join(', ')},
    ${[
      'pg_class',
      'pg_proc',
      'pg_type',
      'pg_trigger',
      'pg_rewrite',
      'pg_constraint',
      'pg_attribute',
      'pg_cast',
      'pg_operator',
      'pg_policy',
      'pg_description',
      'pg_largeobject_metadata',
      'pg_namespace',
      'pg_inherits',
      'pg_roles',
      'pg_event_trigger',
      'pg_statistic_ext',
      'pg_foreign_server',
      'pg_publication',
      'pg_db_role_setting',
    ]
      .map(
        (table) =>
          `'${table}=' || (SELECT count(*) FROM ${table} ${table === 'pg_class' ? "WHERE relpersistence <> 't'" : table === 'pg_namespace' ? "WHERE nspname NOT LIKE 'pg_%'" : table === 'pg_type' || table === 'pg_attribute' || table === 'pg_constraint' ? 'WHERE false' : ''})`,
      )
      .join(', ')},
    (SELECT md5(string_agg(attrelid::regclass || attname, ',' ORDER BY attrelid, attnum)) FROM pg_attribute
      WHERE attrelid > 16383 AND attrelid IN (SELECT oid FROM pg_class WHERE relpersistence <> 't'))
  ) AS f
`

async function startPostern(parts: Parts): Promise<{ postern: Postern; isMasking: boolean }> {
  const { directory, world } = parts
  const { certificate, key } = await issueCertificate(await createCertificateAuthority(), { hosts: ['localhost'] })
  await mkdir(join(directory, 'policies'))
  const write = (name: string, text: string) => writeFile(join(directory, name), text, { mode: 0o600 })
  await Promise.all([
    write('gateway.crt', certificate),
    write('gateway.key', key),
    write('policies/attacks.cedar', world.policies),
    write('classification.yaml', world.classification),
    write('password', parts.postgres.password),
  ])
  for (const isMasking of [true, false]) {
    await write('postern.yaml', configText(parts, isMasking))
    try {
      const config = loadConfig(join(directory, 'postern.yaml'), {})
      const log = pino({ level: process.env['POSTERN_TEST_LOG'] ?? 'silent' })
      return { postern: await serve({ ...config, listen: { ...config.listen, port: 0 } }, { log }), isMasking }
    } catch (error) {
      if (!isMasking || !(error instanceof PosternError) || !isUnknownKey(error)) throw error
    }
  }
  throw new Error('unreachable: the last attempt returns or throws')
}

/** Whether this gateway is one from before there was masking. */
function isUnknownKey(error: PosternError): boolean {
  return error.code === 'config_invalid' && /classification|masking/.test(`${error.message} ${error.detail ?? ''}`)
}

function configText({ issuer, postgres }: Parts, isMasking: boolean): string {
  return `listen:
  address: 127.0.0.1
  port: 6543
  tls: { certificate: gateway.crt, key: gateway.key }
  allow_plaintext_on_loopback: true
issuers:
  - url: ${issuer.url}
    audience: ${issuer.audience}
    client_id: ${issuer.clientId}
    claims:
      name: preferred_username
      groups: groups
      kind: { claim: kind, values: { human: human, service: service, agent: agent } }
    allow_insecure: true
databases:
  shop:
    host: ${postgres.host}
    port: ${String(postgres.port)}
    role: ${postgres.superuser}
    tls: { mode: disable }
    credential: { file: password }
${isMasking ? '    classification: classification.yaml\n    catalog_refresh_s: 60' : ''}
${isMasking ? 'masking: { key: masking-key, state: masking-state }' : ''}
policies: policies
journal: { directory: journal, signing_key: journal-key.pem, durability: process }
log: { level: error }
`
}
