import { resolve } from 'node:path'
import { type AccessSettings, buildAccess } from './build-access.ts'
import type { FileReader } from './files.ts'
import type { ConfigFile } from './schema.ts'

type Kind = 'human' | 'service' | 'agent'

/** Where clients connect. */
export interface ListenConfig {
  readonly address: string
  readonly port: number
  /** PEM texts, and the files they came from; null only where plaintext on loopback is allowed. */
  readonly tls: {
    readonly certificate: string
    readonly key: string
    readonly certificateFile: string
    readonly keyFile: string
  } | null
  readonly allowPlaintextOnLoopback: boolean
  /** How clients are asked for their token where they do not say. */
  readonly login: 'password' | 'oauth'
  /** Scopes that clients of OAUTHBEARER ask for. */
  readonly oauthScope: string
}

/** One identity provider; fits `IssuerConfig` of identity. */
export interface IssuerSettings {
  readonly url: string
  readonly audience: string | readonly string[]
  /** For `postern token`; the gateway itself has no use for it. */
  readonly clientId: string | undefined
  readonly algorithms: readonly string[]
  readonly leewayS: number
  readonly claims: {
    readonly name: string
    readonly groups: string
    readonly kind: { readonly claim: string; readonly values: Readonly<Record<string, Kind>> } | undefined
    readonly requireVerifiedEmail: boolean | undefined
  }
  readonly prefix: string
  /** PEM text. */
  readonly tlsCa: string | undefined
  readonly allowInsecure: boolean
}

/** Where the password for PostgreSQL comes from; fits `CredentialConfig` of backend. */
export type CredentialSettings =
  | { readonly file: string }
  | { readonly environment: string }
  | { readonly command: readonly [string, ...string[]]; readonly refreshAfterS: number }
  | { readonly password: string }

/** One PostgreSQL database that clients can connect to. */
export interface DatabaseConfig {
  /** The name clients connect to. */
  readonly name: string
  /** A host name or address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  /** The name PostgreSQL gives it. */
  readonly database: string
  readonly role: string
  readonly tls: {
    readonly mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
    /** PEM text. */
    readonly ca: string | undefined
    readonly serverName: string | undefined
  }
  /** Null where PostgreSQL asks for no password. */
  readonly credential: CredentialSettings | null
  readonly labels: ReadonlyMap<string, string>
  readonly safeFunctions: readonly string[]
  /** The file that says which columns carry which tags; null where nothing of the database is classified. */
  readonly classification: string | null
  /** How often its catalog is read again. */
  readonly catalogRefreshMs: number
  /** Whether `application_name` says who it is. */
  readonly showsIdentity: boolean
  /** Whether each session gets a database role of its own. */
  readonly usesEphemeralRoles: boolean
}

/** Everything postern.yaml says, with defaults filled in, paths absolute and PEM files read. Frozen. */
export interface Config extends AccessSettings {
  readonly file: string
  readonly listen: ListenConfig
  readonly issuers: readonly IssuerSettings[]
  readonly databases: ReadonlyMap<string, DatabaseConfig>
  /** Folder of the policies. */
  readonly policies: string
  readonly journal: {
    readonly directory: string
    readonly durability: 'process' | 'disk'
    /** The file of the key; the journal makes it at the first start. */
    readonly signingKey: string
    readonly segmentBytes: number
  }
  readonly masking: {
    /** The file of the key for pseudonyms; made at the first start. */
    readonly key: string
    /** The folder of what was classified before. */
    readonly state: string
  }
  readonly session: { readonly expiryGraceS: number }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

/** Turns validated values into the configuration; what is wrong with the files goes to `reader.faults`. */
export function buildConfig(values: ConfigFile, from: { file: string; directory: string; reader: FileReader }): Config {
  const at = (path: string) => resolve(from.directory, path)
  const { journal, masking, session, log } = values
  return deepFreeze({
    file: from.file,
    listen: buildListen(values.listen, { at, reader: from.reader }),
    issuers: values.issuers.map((issuer, index) => ({
      url: issuer.url,
      audience: issuer.audience,
      clientId: issuer.client_id,
      algorithms: issuer.algorithms,
      leewayS: issuer.leeway_s,
      claims: {
        name: issuer.claims.name,
        groups: issuer.claims.groups,
        kind: issuer.claims.kind,
        requireVerifiedEmail: issuer.claims.require_verified_email,
      },
      prefix: issuer.prefix,
      tlsCa: issuer.ca === undefined ? undefined : from.reader.certificates(at(issuer.ca), ['issuers', index, 'ca']),
      allowInsecure: issuer.allow_insecure,
    })),
    databases: new Map(
      Object.entries(values.databases).map(([name, database]) => [
        name,
        deepFreeze(buildDatabase(name, database, { at, reader: from.reader })),
      ]),
    ),
    policies: at(values.policies),
    journal: {
      directory: at(journal.directory),
      durability: journal.durability,
      signingKey: at(journal.signing_key),
      segmentBytes: journal.segment_bytes,
    },
    masking: { key: at(masking.key), state: at(masking.state) },
    session: { expiryGraceS: session.expiry_grace_s },
    log: { level: log.level },
    ...buildAccess(values, { at, reader: from.reader }),
  })
}

/** Where paths lead, and what reads the files. */
export interface Place {
  readonly at: (path: string) => string
  readonly reader: FileReader
}

function buildListen(listen: ConfigFile['listen'], { at, reader }: Place): ListenConfig {
  const { address, port, tls, login, oauth_scope: oauthScope } = listen
  const shared = { address, port, allowPlaintextOnLoopback: listen.allow_plaintext_on_loopback, login, oauthScope }
  if (tls === undefined) return { ...shared, tls: null }
  const [certificateFile, keyFile] = [at(tls.certificate), at(tls.key)]
  const certificate = reader.certificates(certificateFile, ['listen', 'tls', 'certificate'])
  const key = reader.privateKey(keyFile, ['listen', 'tls', 'key'], certificate)
  return { ...shared, tls: { certificate, key, certificateFile, keyFile } }
}

function buildDatabase(name: string, database: ConfigFile['databases'][string], { at, reader }: Place): DatabaseConfig {
  const { host, port, role, tls, labels } = database
  const path = ['databases', name]
  return {
    name,
    host,
    port,
    database: database.database ?? name,
    role,
    tls: buildTls({ host, tls }, { at, reader, path }),
    credential: buildCredential(database.credential, { at, reader, path: [...path, 'credential'] }),
    labels: new Map(Object.entries(labels)),
    safeFunctions: database.safe_functions,
    classification: database.classification === undefined ? null : at(database.classification),
    catalogRefreshMs: database.catalog_refresh_s * 1_000,
    showsIdentity: database.show_identity,
    usesEphemeralRoles: database.ephemeral_roles,
  }
}

/** How a connection to PostgreSQL is protected: there is no TLS on a Unix socket. */
export function buildTls(
  { host, tls }: Pick<ConfigFile['databases'][string], 'host' | 'tls'>,
  { at, reader, path }: Place & { path: readonly string[] },
): DatabaseConfig['tls'] {
  return {
    mode: host.startsWith('/') ? 'disable' : tls.mode,
    ca: tls.ca === undefined ? undefined : reader.certificates(at(tls.ca), [...path, 'tls', 'ca']),
    serverName: tls.server_name,
  }
}

/** Where a password comes from; null where none is asked for. */
export function buildCredential(
  credential: ConfigFile['databases'][string]['credential'],
  { at, reader, path }: Place & { path: readonly string[] },
): CredentialSettings | null {
  if (credential?.file !== undefined) {
    const file = at(credential.file)
    reader.secret(file, [...path, 'file'])
    return { file }
  }
  if (credential?.environment !== undefined) return { environment: credential.environment }
  if (credential?.password !== undefined) return { password: credential.password }
  const [program, ...rest] = credential?.command ?? []
  if (program === undefined) return null
  return { command: [program, ...rest], refreshAfterS: credential?.refresh_after_s ?? 300 }
}

/** Freezes objects and arrays all the way down; a Map keeps its methods, so only its type protects it. */
function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
