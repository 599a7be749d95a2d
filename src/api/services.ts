import type { AccessService } from '../core/access-service.ts'
import type { StatementRequestRecord } from '../core/access.ts'
import type { Principal, Subject } from '../core/principal.ts'

/*
 * What the HTTP API is told and what it needs from the domains, in its own words.
 */

/** So many requests at once, and so many a minute from then on. */
export interface Rate {
  readonly burst: number
  readonly perMinute: number
}

/** How often the API may be asked. */
export interface Rates {
  /** By one address, before it is known who asks; of IPv6 by one network of 64 bits. */
  readonly perAddress: Rate
  /** By one principal. */
  readonly perPrincipal: Rate
  /** As how many requests a failed authentication counts for its address. */
  readonly failureCost: number
}

/** Rates that people do not meet and programs that guess do. */
export const defaultRates: Rates = Object.freeze({
  perAddress: Object.freeze({ burst: 300, perMinute: 600 }),
  perPrincipal: Object.freeze({ burst: 120, perMinute: 300 }),
  failureCost: 20,
})

/** Where browsers log in: the issuer's client with the code flow and PKCE. */
export interface ApiLogin {
  readonly issuer: string
  readonly clientId: string
  /** Only for confidential clients. */
  readonly clientSecret?: string | undefined
  readonly scope: string | null
  /** Whether the issuer may be reached without TLS, which is for issuers on this machine. */
  readonly allowInsecure: boolean
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string | undefined
}

/** A certificate and its key, as PEM. */
export interface ApiCertificate {
  readonly cert: string | Buffer
  readonly key: string | Buffer
}

/** What the HTTP API is told. */
export interface ApiOptions {
  readonly address: string
  /** 0 for a free one. */
  readonly port: number
  /** Scheme, host and port that people reach it under; null where that is the address it listens on. */
  readonly publicUrl: string | null
  /** Asked at the start and at every connection, so that a renewed certificate is taken up; null for plain HTTP. */
  readonly tls: () => ApiCertificate | null
  /** Null where there are no pages to log in to: bearer tokens only. */
  readonly login: ApiLogin | null
  readonly sessionHours: number
  readonly rates: Rates
}

/** Where the API says what an operator has to know. Never a token, a statement or a comment. */
export interface LogsApi {
  error(fields: object, message: string): void
  warn(fields: object, message: string): void
  info(fields: object, message: string): void
}

/** What handles what Slack sends; it checks the signature by itself. */
export interface HandlesSlack {
  handle(rawBody: Buffer, headers: Headers): Promise<{ readonly status: number; readonly body: string }>
}

/** What the HTTP API needs from the domains. */
export interface ApiServices {
  readonly access: AccessService
  /** Who is this? Rejects with a PosternError that tells which way the token fails. */
  identify(token: string, nowMs: number): Promise<Principal>
  /** Whether this caller may see the statement with its values. */
  maySeeRaw(by: Principal, request: StatementRequestRecord): boolean
  /** Since when what was issued to a subject is dead, console sessions included; absent where nothing is revoked so. */
  readonly revokedBeforeMs?: (subject: Subject) => number
  readonly log: LogsApi
  now(): number
  readonly slack?: HandlesSlack | null
}
