import { Command } from 'commander'
import * as oidc from 'openid-client'
import { PosternError } from '../core/errors.ts'
import { claimAt, isLoopbackHost, readToken } from '../identity/identity.ts'
import { cacheDirectory, TokenCache, type CachedToken } from './token-cache.ts'

/** Which of the tokens that an issuer gives is presented; `auto` takes the id token if it is meant for the gateway. */
export type PresentedToken = 'auto' | 'id_token' | 'access_token'

/** How to log in at one issuer: its part of the configuration, or what was said on the command line. */
export interface LoginConfig {
  readonly issuer: string
  /** The client id that people log in with; null where the configuration has none. */
  readonly clientId: string | null
  /** What the gateway accepts as `aud`; empty means the client id. */
  readonly audiences?: readonly string[] | undefined
  /** Scopes to ask for; unless told, `openid` and those of profile, email, groups and offline_access that there are. */
  readonly scopes?: string | undefined
  /** `auto` unless told. */
  readonly present?: PresentedToken | undefined
  /** The claim that holds the principal's name; unless told `email`, else `preferred_username`. */
  readonly nameClaim?: string | undefined
  /** What the gateway puts before names of this issuer. */
  readonly prefix?: string | undefined
}

/** What the commands need from outside; everything a test would want to choose. */
export interface TokenDeps {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The issuers of the configuration at `path`, or of the default one; empty where there is no configuration. */
  loadLogins(path: string | undefined): Promise<readonly LoginConfig[]>
  /** For the result alone. */
  writeOut(text: string): void
  /** For people. */
  writeErr(text: string): void
  nowMs(): number
  /** Pause between two questions to the issuer whether the log-in is done; the issuer's own (5 s as a rule) unless told. */
  readonly pollIntervalS?: number | undefined
}

/** A token to present and when it ends; `expiresAtMs` is null where the token does not say. */
export interface ObtainedToken {
  readonly token: string
  readonly expiresAtMs: number | null
}

/** What the command line says about the log-in; the configuration says the rest. */
export interface LoginOptions {
  readonly issuer?: string | undefined
  readonly clientId?: string | undefined
  readonly config?: string | undefined
  readonly fresh?: boolean | undefined
}

/** Cached tokens with less than this left are not presented any more: a log-in takes a moment. */
const remainingMsMin = 60_000
const requestDeadlineS = 10

/** `postern token`: prints a token for the gateway, logging in by device code where none is cached. */
export function tokenCommand(deps: TokenDeps): Command {
  return new Command('token')
    .description('print a token to present as the password, logging in if need be')
    .option('--issuer <url>', 'the identity provider to log in at')
    .option('--client-id <id>', 'the client id to log in with')
    .option('--config <file>', 'take issuer and client id from this postern.yaml')
    .option('--fresh', 'log in anew even if a token is cached')
    .option('--json', 'print an object with the token, the name in it and its expiry')
    .action((options: TokenOptions) => printToken(options, deps))
}

/** What `postern token` is told. */
export interface TokenOptions extends LoginOptions {
  readonly json?: boolean
}

/** Prints the token of the identity provider, which is all that `postern token` does unless it is asked for another. */
export async function printToken(options: TokenOptions, deps: TokenDeps): Promise<void> {
  const obtained = await presentedToken(options, deps)
  const text = options.json === true ? toJson(obtained, await deps.loadLogins(options.config)) : obtained.token
  deps.writeOut(`${text}\n`)
}

/** The token that speaks for the person or job at this command line: POSTERN_TOKEN, or the one of a log-in. */
export async function presentedToken(options: LoginOptions, deps: TokenDeps): Promise<ObtainedToken> {
  return presetToken(deps.env) ?? (await obtainToken(await chooseLogin(options, deps), deps, options))
}

/** The token of `POSTERN_TOKEN`, which wins over everything: CI jobs bring their own. */
export function presetToken(env: TokenDeps['env']): ObtainedToken | null {
  const token = env['POSTERN_TOKEN']
  return token === undefined || token === '' ? null : { token, expiresAtMs: expiryOf(token) }
}

/** Settles where to log in: the command line, then POSTERN_ISSUER and POSTERN_CLIENT_ID, then the configuration. */
export async function chooseLogin(options: LoginOptions, deps: TokenDeps): Promise<LoginConfig> {
  const issuer = options.issuer ?? deps.env['POSTERN_ISSUER']
  const clientId = options.clientId ?? deps.env['POSTERN_CLIENT_ID']
  const configured = await deps.loadLogins(options.config)
  const candidates = issuer === undefined ? configured : configured.filter((each) => each.issuer === issuer)
  const [login, ...others] = candidates
  if (login !== undefined && others.length === 0) return { ...login, clientId: clientId ?? login.clientId }
  if (issuer !== undefined && login === undefined) return { issuer, clientId: clientId ?? null }
  const hint = 'Name it: postern token --issuer https://id.example.com --client-id postern'
  if (login === undefined) throw new PosternError('input_invalid', 'it is not known where to log in', { hint })
  throw new PosternError('input_invalid', 'the configuration has several issuers to log in at', {
    detail: candidates.map((each) => each.issuer).join('\n'),
    hint,
  })
}

/** A token for `login`: cached, refreshed, or by a device log-in. Fails with a PosternError that says what to do. */
export async function obtainToken(
  login: LoginConfig,
  deps: TokenDeps,
  options: { readonly fresh?: boolean | undefined } = {},
): Promise<ObtainedToken> {
  const { clientId } = login
  if (clientId === null) {
    throw new PosternError('input_invalid', `no client id is known for logging in at ${login.issuer}`, {
      hint: 'Give --client-id, or set `client_id` of the issuer in postern.yaml.',
    })
  }
  const cache = new TokenCache(cacheDirectory(deps.env))
  const key = JSON.stringify([
    login.issuer,
    clientId,
    login.scopes ?? '',
    login.present ?? 'auto',
    login.audiences ?? [],
  ])
  const cached = await cache.read(key)
  if (cached !== null && options.fresh !== true && cached.expiresAtMs - deps.nowMs() > remainingMsMin) return cached

  const client = await discover(login.issuer, clientId)
  const refreshToken = options.fresh === true ? null : (cached?.refreshToken ?? null)
  const refreshed = refreshToken === null ? null : await refresh(client, refreshToken, login)
  const entry = refreshed ?? (await logInByDevice(client, login, deps))
  await cache.write(key, entry)
  return entry
}

/** The name that the gateway will know the holder of `token` by; unverified, since only the gateway's word counts. */
export function principalNameOf(token: string, login: Pick<LoginConfig, 'nameClaim' | 'prefix'>): string {
  const { claims } = readToken(token)
  const { nameClaim } = login
  const found = nameClaim === undefined ? (claims['email'] ?? claims['preferred_username']) : claimAt(claims, nameClaim)
  if (typeof found === 'string' && found !== '') return (login.prefix ?? '') + found
  throw new PosternError('input_invalid', `the token has no name in its \`${nameClaim ?? 'email'}\` claim`, {
    hint: 'Say who you are to the gateway with --user NAME, or set `claims.name` of the issuer in postern.yaml.',
  })
}

async function discover(issuer: string, clientId: string): Promise<oidc.Configuration> {
  const url = URL.parse(issuer)
  const isLoopback = url?.protocol === 'http:' && isLoopbackHost(url.hostname)
  if (url === null || (url.protocol !== 'https:' && !isLoopback)) {
    throw new PosternError('input_invalid', `the issuer ${printable(issuer)} is not an https URL`, {
      hint: 'A password typed there could be read on the way. Only an issuer on this machine may use http.',
    })
  }
  const client = await oidc
    .discovery(url, clientId, undefined, oidc.None(), {
      timeout: requestDeadlineS,
      ...(isLoopback ? { execute: [oidc.allowInsecureRequests] } : {}),
    })
    .catch((error: unknown) => {
      throw unreachable(issuer, error)
    })
  return client
}

async function refresh(
  client: oidc.Configuration,
  refreshToken: string,
  login: LoginConfig,
): Promise<CachedToken | null> {
  try {
    return choose(await oidc.refreshTokenGrant(client, refreshToken), login, refreshToken)
  } catch (error) {
    // Withdrawn or over, or no token for the gateway this way: logging in anew is the remedy.
    if (error instanceof oidc.ResponseBodyError || error instanceof PosternError) return null
    throw unreachable(login.issuer, error)
  }
}

/** RFC 8628: the person approves in a browser, on this machine or another. */
async function logInByDevice(client: oidc.Configuration, login: LoginConfig, deps: TokenDeps): Promise<CachedToken> {
  const scope = login.scopes ?? scopesOf(client.serverMetadata().scopes_supported)
  try {
    const device = await oidc.initiateDeviceAuthorization(client, { scope })
    const page = printable(device.verification_uri_complete ?? device.verification_uri)
    deps.writeErr(`To log in, open ${page}\nand confirm the code ${printable(device.user_code)}\n`)
    const interval = deps.pollIntervalS ?? device.interval
    const tokens = await oidc.pollDeviceAuthorizationGrant(
      client,
      interval === undefined ? device : { ...device, interval },
    )
    return choose(tokens, login, null)
  } catch (error) {
    if (error instanceof PosternError) throw error
    if (error instanceof oidc.ResponseBodyError) {
      throw new PosternError('token_absent', `the log-in did not succeed: ${reasonOf(error.error)}`, {
        hint: 'Run the command again.',
        cause: error,
      })
    }
    throw unreachable(login.issuer, error)
  }
}

function choose(tokens: oidc.TokenEndpointResponse, login: LoginConfig, refreshToken: string | null): CachedToken {
  const audiences = login.audiences?.length ? login.audiences : [login.clientId ?? '']
  const present = login.present ?? 'auto'
  const candidates = [
    present === 'access_token' ? undefined : tokens.id_token,
    present === 'id_token' ? undefined : tokens.access_token,
  ]
  const token = candidates.find((each) => each !== undefined && isFor(each, audiences))
  const expiresAtMs = token === undefined ? null : expiryOf(token)
  if (token === undefined || expiresAtMs === null) {
    throw new PosternError('token_foreign', 'the identity provider gave no token that is meant for the gateway', {
      detail: `Wanted is a JWT with an expiry whose audience is ${audiences.join(' or ')}.`,
      hint: 'Ask whoever runs the gateway which client id and scopes to use.',
    })
  }
  return { token, expiresAtMs, refreshToken: tokens.refresh_token ?? refreshToken }
}

function isFor(token: string, audiences: readonly string[]): boolean {
  const aud = claimsOrNull(token)?.['aud']
  return (Array.isArray(aud) ? aud : [aud]).some((each) => audiences.includes(String(each)))
}

function expiryOf(token: string): number | null {
  const exp = claimsOrNull(token)?.['exp']
  return typeof exp === 'number' && Number.isSafeInteger(Math.floor(exp * 1_000)) ? Math.floor(exp * 1_000) : null
}

/** Access tokens may be opaque (RFC 6749 section 1.4); then they say nothing that could be read. */
function claimsOrNull(token: string): Readonly<Record<string, unknown>> | null {
  try {
    return readToken(token).claims
  } catch (error) {
    if (error instanceof PosternError) return null
    throw error
  }
}

function scopesOf(supported: readonly string[] | undefined): string {
  // Some issuers refuse a scope they do not know, so only what every issuer knows is asked of one that does not say.
  const known = new Set(supported ?? ['openid', 'profile', 'email'])
  return ['openid', 'profile', 'email', 'groups', 'offline_access'].filter((each) => known.has(each)).join(' ')
}

function toJson({ token, expiresAtMs }: ObtainedToken, logins: readonly LoginConfig[]): string {
  const expiresAt = expiresAtMs === null ? null : new Date(expiresAtMs).toISOString()
  return JSON.stringify({ token, name: nameOrNull(token, logins), expiresAt })
}

/** What to connect as: null where the token cannot be read or has no name where its issuer's configuration says. */
function nameOrNull(token: string, logins: readonly LoginConfig[]): string | null {
  const issuer = claimsOrNull(token)?.['iss']
  try {
    return principalNameOf(token, logins.find((login) => login.issuer === issuer) ?? {})
  } catch (error) {
    if (error instanceof PosternError) return null
    throw error
  }
}

function reasonOf(error: string): string {
  if (error === 'access_denied') return 'it was declined'
  if (error === 'expired_token') return 'the code ran out before it was confirmed'
  if (error === 'unauthorized_client') return 'the identity provider does not let this client log in by device code'
  return `the identity provider says ${printable(error)}`
}

function unreachable(issuer: string, cause: unknown): PosternError {
  const why = cause instanceof Error ? printable(cause.message) : 'it failed'
  return new PosternError('issuer_unavailable', `logging in at ${printable(issuer)} is not possible: ${why}`, {
    hint: 'Check the address and the network. For a private certificate authority set NODE_EXTRA_CA_CERTS to its file.',
    cause,
  })
}

/** What comes from the network must not steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '')
}
