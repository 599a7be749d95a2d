import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type ClientConfig } from 'pg'
import { pino } from 'pino'
import type { Config } from '../../src/config.ts'
import { type Postern, serve } from '../../src/main.ts'
import { type CertificateAuthority, createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { sandboxClaims, type SandboxIssuer, startIssuer } from '../../sandbox/issuer.ts'
import { type PostgresOptions, type SandboxPostgres, startPostgres } from '../../sandbox/postgres.ts'

/** One entry of the journal, as a test reads it. */
export type Entry = Readonly<Record<string, unknown>> & { readonly seq: number; readonly type: string }

/** Permits engineers everything but what the forbids name; support may read all but one schema; agents one. */
export const testPolicies = `
@id("engineering-may-everything")
permit (principal in Group::"engineering", action, resource);

@id("support-may-read")
permit (principal in Group::"support", action in [Action::"connect", Action::"session", Action::"read"], resource);

@id("agents-may-connect")
permit (principal in Group::"agents", action in [Action::"connect", Action::"session"], resource);

@id("agents-may-read-one-schema")
permit (principal in Group::"agents", action in Action::"read", resource in Schema::"shop.public");

@id("no-drop-database") @advice("Databases are dropped by the platform team, with a ticket.")
forbid (principal, action == Action::"DROP DATABASE", resource);

@id("delete-without-where") @approvers("dba")
forbid (principal, action in [Action::"DELETE", Action::"UPDATE"], resource)
when { !context.statement.hasWhere };

@id("support-reads-no-payroll")
forbid (principal in Group::"support", action, resource in Schema::"shop.payroll");
`

/** A gateway in this process, with a real PostgreSQL behind it and a real issuer beside it. */
export interface Sandbox {
  readonly postgres: SandboxPostgres
  readonly issuer: SandboxIssuer
  readonly postern: Postern
  readonly config: Config
  readonly authority: CertificateAuthority
  readonly directory: string
  /** Settings of a driver for a connection through the gateway, over TLS unless told, with a fresh token. */
  clientConfig(identity: string, overrides?: ClientConfig): Promise<ClientConfig>
  /** A connected driver; ended with the sandbox at the latest. */
  connect(identity?: string, overrides?: ClientConfig): Promise<Client>
  /** The same statement's way without the gateway. */
  connectDirect(overrides?: ClientConfig): Promise<Client>
  /** All entries of the journal so far, once nothing is pending. */
  entries(): Promise<Entry[]>
  stop(): Promise<void>
}

/** What a test may want to be different. */
export interface SandboxOptions {
  readonly policies?: string
  readonly postgres?: PostgresOptions
  readonly durability?: 'process' | 'disk'
  readonly journalDirectory?: string
  readonly expiryGraceS?: number
  readonly allowPlaintextOnLoopback?: boolean
  /** Gives the database role superuser rights, as the direct connection has. */
  readonly role?: string
  readonly setUp?: string
  /** The text of a classification file for the database. */
  readonly classification?: string
  readonly showsIdentity?: boolean
  readonly usesEphemeralRoles?: boolean
  /** What differs of the sections about access; with it the API is on, over plain HTTP, and statements can wait. */
  readonly access?: Partial<Pick<Config, 'accessRoles' | 'approvals' | 'controlStore' | 'api' | 'notifications'>>
}

/** Starts it all; about a second. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-test-'))
  const [postgres, issuer, authority] = await Promise.all([
    startPostgres(options.postgres),
    startIssuer(),
    createCertificateAuthority(),
  ])
  try {
    const { certificate, key } = await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] })
    await postgres.query('postgres', 'CREATE DATABASE shop')
    if (options.setUp !== undefined) await postgres.query('shop', options.setUp)
    const policies = join(directory, 'policies')
    await writePolicies(policies, options.policies ?? testPolicies)
    const config: Config = {
      file: join(directory, 'postern.yaml'),
      listen: {
        address: '127.0.0.1',
        port: 0,
        tls: { certificate, key, certificateFile: '', keyFile: '' },
        allowPlaintextOnLoopback: options.allowPlaintextOnLoopback ?? false,
        login: 'password',
        oauthScope: 'openid',
      },
      issuers: [
        {
          url: issuer.url,
          audience: issuer.audience,
          clientId: issuer.clientId,
          algorithms: ['ES256', 'RS256'],
          leewayS: 0,
          claims: { ...sandboxClaims, requireVerifiedEmail: undefined },
          prefix: '',
          tlsCa: undefined,
          allowInsecure: true,
        },
      ],
      databases: new Map([
        [
          'shop',
          {
            name: 'shop',
            host: postgres.socketDirectory,
            port: postgres.port,
            database: 'shop',
            role: options.role ?? postgres.superuser,
            tls: { mode: 'disable', ca: undefined, serverName: undefined },
            credential: { password: postgres.password },
            labels: new Map([['env', 'test']]),
            safeFunctions: [],
            classification: await writeClassification(directory, options.classification),
            catalogRefreshMs: 60_000,
            showsIdentity: options.showsIdentity ?? false,
            usesEphemeralRoles: options.usesEphemeralRoles ?? false,
          },
        ],
      ]),
      policies,
      journal: {
        directory: options.journalDirectory ?? join(directory, 'journal'),
        durability: options.durability ?? 'process',
        signingKey: join(directory, 'journal-key.pem'),
        segmentBytes: 64 * 1024 * 1024,
      },
      masking: { key: join(directory, 'masking-key'), state: join(directory, 'masking-state') },
      session: { expiryGraceS: options.expiryGraceS ?? 30 },
      log: { level: 'error' },
      ...accessSettings(directory, options),
    }
    const postern = await serve(config, { log: pino({ level: process.env['POSTERN_TEST_LOG'] ?? 'silent' }) })
    return joined({ directory, postgres, issuer, authority, config, postern })
  } catch (error) {
    await Promise.all([issuer.stop(), postgres.stop()])
    throw error
  }
}

const sandboxApi: NonNullable<Config['api']> = {
  address: '127.0.0.1',
  port: 0,
  publicUrl: null,
  tls: null,
  login: null,
  consoleSessionMs: 3_600_000,
}

function accessSettings(
  directory: string,
  { access }: SandboxOptions,
): Pick<Config, 'accessRoles' | 'approvals' | 'controlStore' | 'api' | 'notifications'> {
  return {
    accessRoles: new Map(),
    approvals: { statementWaitMs: 60_000, accessWaitMs: 60_000, auditors: ['auditors'], admins: ['admins'] },
    controlStore: { kind: 'sqlite', file: join(directory, 'control.db'), stalenessMs: 30_000 },
    api: access === undefined ? null : sandboxApi,
    notifications: { directory: join(directory, 'notifications'), webhooks: [], slack: null },
    ...access,
  }
}

function joined(
  parts: Pick<Sandbox, 'directory' | 'postgres' | 'issuer' | 'authority' | 'config' | 'postern'>,
): Sandbox {
  const { directory, postgres, issuer, authority, config, postern } = parts
  const clients = new Set<Client>()
  const open = async (clientConfig: ClientConfig): Promise<Client> => {
    const client = new Client(clientConfig)
    client.on('error', () => clients.delete(client))
    client.on('end', () => clients.delete(client))
    await client.connect()
    clients.add(client)
    return client
  }
  const sandbox: Sandbox = {
    ...parts,
    async clientConfig(identity, overrides = {}) {
      return {
        host: '127.0.0.1',
        port: postern.port,
        user: identity,
        database: 'shop',
        password: await issuer.issueToken({ identity }),
        ssl: { ca: authority.certificate },
        ...overrides,
      }
    },
    async connect(identity = 'alice@example.com', overrides = {}) {
      return open(await sandbox.clientConfig(identity, overrides))
    },
    connectDirect: (overrides = {}) =>
      open({
        host: postgres.host,
        port: postgres.port,
        user: postgres.superuser,
        password: postgres.password,
        database: 'shop',
        ...overrides,
      }),
    entries: () => readEntries(config.journal.directory),
    async stop() {
      for (const client of clients) await client.end()
      await postern.stop({ deadlineMs: 500 })
      await Promise.all([issuer.stop(), postgres.stop()])
      await rm(directory, { recursive: true, force: true })
    },
  }
  return sandbox
}

async function writeClassification(directory: string, text: string | undefined): Promise<string | null> {
  if (text === undefined) return null
  const file = join(directory, 'classification.yaml')
  await writeFile(file, text)
  return file
}

async function writePolicies(directory: string, text: string): Promise<void> {
  const { mkdir } = await import('node:fs/promises')
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'test.cedar'), text)
}

/** Reads a journal after a moment in which outcomes can arrive: they are written once per turn of the event loop. */
export async function readEntries(directory: string): Promise<Entry[]> {
  await new Promise((resolve) => setTimeout(resolve, 30))
  const files = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).toSorted()
  const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')))
  return texts.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Entry),
  )
}

/** The entries of the first session whose client called itself `application`: those of the same session id. */
export function entriesOfApplication(entries: readonly Entry[], application: string): Entry[] {
  const started = entries.find(
    (entry) => (entry['client'] as { application?: string } | undefined)?.application === application,
  )
  return entries.filter((entry) => started !== undefined && entry['session'] === started['session'])
}
