import type { AccessEvent } from '../core/access-events.ts'
import type { AccessRole } from '../core/access.ts'
import { parseDuration } from '../core/duration.ts'
import { buildCredential, buildTls, type CredentialSettings, type DatabaseConfig, type Place } from './build.ts'
import type { ConfigFile } from './schema.ts'

/** Where requests and grants are kept. */
export type ControlStoreSettings =
  | { readonly kind: 'sqlite'; readonly file: string }
  | {
      readonly kind: 'postgres'
      readonly host: string
      readonly port: number
      readonly database: string
      readonly schema: string
      readonly role: string
      readonly tls: DatabaseConfig['tls']
      readonly credential: CredentialSettings | null
    }

/** A secret that is kept outside of postern.yaml. */
export type SecretSettings = { readonly file: string } | { readonly environment: string }

/** The HTTP API. */
export interface ApiSettings {
  readonly address: string
  readonly port: number
  readonly publicUrl: string | null
  readonly tls: {
    readonly certificate: string
    readonly key: string
    readonly certificateFile: string
    readonly keyFile: string
  } | null
  readonly login: {
    readonly clientId: string
    readonly clientSecret: string | undefined
    /** Null for what the issuer lists. */
    readonly scope: string | null
  } | null
  readonly consoleSessionMs: number
}

/** Who is told. */
export interface NotificationSettings {
  readonly directory: string
  readonly webhooks: readonly {
    readonly url: string
    readonly secret: SecretSettings
    readonly events: readonly AccessEvent['type'][] | null
    readonly allowInsecure: boolean
  }[]
  readonly slack: {
    readonly channel: string
    readonly token: SecretSettings
    readonly signingSecret: SecretSettings
    readonly baseUrl: string
    readonly trustEmail: boolean
    /** E-mail by Slack user id. */
    readonly users: ReadonlyMap<string, string>
    readonly groups: Readonly<Record<string, readonly string[]>>
  } | null
}

/** What postern.yaml says of requests, approvals and grants. */
export interface AccessSettings {
  readonly controlStore: ControlStoreSettings & { readonly stalenessMs: number }
  readonly approvals: {
    readonly statementWaitMs: number
    readonly accessWaitMs: number
    readonly auditors: readonly string[]
    readonly admins: readonly string[]
  }
  readonly accessRoles: ReadonlyMap<string, AccessRole>
  /** Null where nobody can approve anything. */
  readonly api: ApiSettings | null
  readonly notifications: NotificationSettings
}

/** The sections about access, with defaults filled in and durations in milliseconds. */
export function buildAccess(values: ConfigFile, place: Place): AccessSettings {
  const { approvals } = values
  return {
    controlStore: buildControlStore(values.control_store, place),
    approvals: {
      statementWaitMs: msOf(approvals.statement_wait),
      accessWaitMs: msOf(approvals.access_wait),
      auditors: approvals.auditors,
      admins: approvals.admins,
    },
    accessRoles: new Map(
      Object.entries(values.access_roles).map(([name, role]) => [
        name,
        {
          name,
          description: role.description,
          requestableBy: role.requestable_by,
          approvers: role.approvers,
          approvals: role.approvals,
          maxDurationMs: msOf(role.max_duration),
          needsReason: role.needs_reason,
          databases: role.databases ?? null,
          breakGlass: role.break_glass,
        },
      ]),
    ),
    api: values.api === undefined ? null : buildApi(values.api, place),
    notifications: buildNotifications(values.notifications, place),
  }
}

function buildControlStore(
  { file, postgres, staleness }: ConfigFile['control_store'],
  place: Place,
): AccessSettings['controlStore'] {
  const stalenessMs = msOf(staleness)
  if (postgres === undefined) return { kind: 'sqlite', file: place.at(file), stalenessMs }
  const { host, port, database, schema, role, credential } = postgres
  const path = ['control_store', 'postgres']
  return {
    kind: 'postgres',
    host,
    port,
    database,
    schema,
    role,
    tls: buildTls(postgres, { ...place, path }),
    credential: buildCredential(credential, { ...place, path: [...path, 'credential'] }),
    stalenessMs,
  }
}

function buildApi(api: NonNullable<ConfigFile['api']>, { at, reader }: Place): ApiSettings {
  const { address, port, tls, login } = api
  const shared = {
    address,
    port,
    publicUrl: api.public_url?.replace(/\/+$/u, '') ?? null,
    login:
      login === undefined
        ? null
        : { clientId: login.client_id, clientSecret: login.client_secret, scope: login.scope ?? null },
    consoleSessionMs: msOf(api.console_session),
  }
  if (tls === undefined) return { ...shared, tls: null }
  const [certificateFile, keyFile] = [at(tls.certificate), at(tls.key)]
  const certificate = reader.certificates(certificateFile, ['api', 'tls', 'certificate'])
  const key = reader.privateKey(keyFile, ['api', 'tls', 'key'], certificate)
  return { ...shared, tls: { certificate, key, certificateFile, keyFile } }
}

function buildNotifications(
  { state, webhooks, slack }: ConfigFile['notifications'],
  { at, reader }: Place,
): NotificationSettings {
  const path = ['notifications']
  const secret = (from: { file?: string | undefined; environment?: string | undefined }, key: (string | number)[]) => {
    if (from.file === undefined) return { environment: from.environment ?? '' }
    const file = at(from.file)
    reader.secret(file, [...path, ...key, 'file'])
    return { file }
  }
  return {
    directory: at(state),
    webhooks: webhooks.map((webhook, index) => ({
      url: webhook.url,
      secret: secret(webhook.secret, ['webhooks', index, 'secret']),
      events: webhook.events ?? null,
      allowInsecure: webhook.allow_insecure,
    })),
    slack:
      slack === undefined
        ? null
        : {
            channel: slack.channel,
            token: secret(slack.token, ['slack', 'token']),
            signingSecret: secret(slack.signing_secret, ['slack', 'signing_secret']),
            baseUrl: slack.base_url,
            trustEmail: slack.trust_email,
            users: new Map(Object.entries(slack.users)),
            groups: slack.groups,
          },
  }
}

/** The schema has checked that it is one. */
function msOf(duration: string): number {
  return parseDuration(duration) ?? 0
}
