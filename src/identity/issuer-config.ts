import { limits } from '../core/limits.ts'
import { PosternError } from '../core/errors.ts'
import { tokenAlgorithms } from '../core/token-algorithms.ts'
import type { PrincipalKind } from '../core/principal.ts'

const defaultAlgorithms: readonly string[] = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']

/** Which claims of an issuer's tokens say who someone is. A path such as `realm_access.roles` reaches into objects. */
export interface ClaimsConfig {
  /** `email` unless told. */
  readonly name?: string | undefined
  /** `groups` unless told. */
  readonly groups?: string | undefined
  /** Without it everyone is human. A token without the claim is human; a value that is not listed is refused. */
  readonly kind?: { readonly claim: string; readonly values: Readonly<Record<string, PrincipalKind>> } | undefined
  /** Refuses a token whose `email_verified` is not true; true unless told where the name comes from `email`. */
  readonly requireVerifiedEmail?: boolean | undefined
}

/** One identity provider whose tokens are accepted. */
export interface IssuerConfig {
  /** The issuer identifier exactly as its tokens state it in `iss`. */
  readonly url: string
  /** What `aud` must contain one of. */
  readonly audience: string | readonly string[]
  readonly algorithms?: readonly string[] | undefined
  /** How far clocks may differ, in seconds: 0 to 120, 30 unless told. */
  readonly leewayS?: number | undefined
  readonly claims?: ClaimsConfig | undefined
  /** Put before names and groups, so that two issuers cannot mint each other's principals. Empty unless told. */
  readonly prefix?: string | undefined
  /** PEM certificates to trust for this issuer instead of the system's. */
  readonly tlsCa?: string | undefined
  /** Permits http, on a loopback address only. */
  readonly allowInsecure?: boolean | undefined
}

/** An issuer's configuration with every default filled in. */
export interface ResolvedIssuer {
  readonly url: string
  readonly audiences: readonly string[]
  readonly algorithms: readonly string[]
  readonly leewayS: number
  readonly nameClaim: string
  readonly groupsClaim: string
  readonly kind: { readonly claim: string; readonly values: ReadonlyMap<string, PrincipalKind> } | null
  readonly requireVerifiedEmail: boolean
  readonly prefix: string
  /** Longer prefixes of other issuers that begin with this one's: names and groups that begin so are not its to give. */
  readonly foreignPrefixes: readonly string[]
  readonly tlsCa: string | undefined
  readonly allowInsecure: boolean
}

/**
 * Fills in the defaults and checks the issuers against each other; `config_invalid` names the issuer, the setting and
 * the remedy.
 */
export function resolveIssuers(issuers: readonly IssuerConfig[]): readonly ResolvedIssuer[] {
  if (issuers.length === 0) {
    throw invalid('no issuer is configured, so nobody could log in', 'Name at least one issuer under `issuers`.')
  }
  const prefixes = issuers.map(({ prefix }) => prefix ?? '')
  for (const [index, { url, prefix = '' }] of issuers.entries()) {
    if (issuers.findIndex((other) => other.url === url) !== index) {
      throw invalid(`issuer ${url} is configured twice`, 'Give it one entry with all its audiences.')
    }
    if (prefixes.indexOf(prefix) !== index) {
      throw invalid(
        `issuer ${url} has the same \`prefix\` (${prefix === '' ? 'none' : `"${prefix}"`}) as another issuer`,
        'Give each issuer a prefix of its own; otherwise each could issue names and groups of the other.',
      )
    }
  }
  return issuers.map((issuer) => resolveIssuer(issuer, prefixes))
}

/** Whether `host` can only be this machine; an IPv6 address may be in brackets, as in a URL. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function resolveIssuer(issuer: IssuerConfig, prefixes: readonly string[]): ResolvedIssuer {
  const { url, prefix = '', leewayS = 30, algorithms = defaultAlgorithms, allowInsecure = false, claims = {} } = issuer
  checkUrl(url, allowInsecure)
  const audiences = typeof issuer.audience === 'string' ? [issuer.audience] : issuer.audience
  if (audiences.length === 0 || audiences.includes('')) {
    throw invalid(
      `issuer ${url} has no \`audience\``,
      'Set it to what its tokens for this gateway state in `aud`; without it tokens made for other services would do.',
    )
  }
  if (!Number.isFinite(leewayS) || leewayS < 0 || leewayS > 120) {
    throw invalid(`issuer ${url}: \`leeway_s\` must be 0 to 120 seconds`, 'Correct the clocks rather than widen it.')
  }
  const unknown = algorithms.find((name) => !(tokenAlgorithms as readonly string[]).includes(name))
  if (unknown !== undefined || algorithms.length === 0) {
    throw invalid(
      `issuer ${url}: \`algorithms\` ${unknown === undefined ? 'is empty' : `has ${JSON.stringify(unknown)}`}`,
      `Choose among ${tokenAlgorithms.join(', ')}; unsigned and shared-secret tokens are never accepted.`,
    )
  }
  if (prefix.length > limits.principalNameCharsMax / 2 || /[\p{Cc}\p{Cf}\p{Cs}\s]/u.test(prefix)) {
    throw invalid(`issuer ${url}: \`prefix\` is too long or has spaces or control characters`, 'Use e.g. `corp:`.')
  }
  const nameClaim = claims.name ?? 'email'
  const kind = claims.kind
  return {
    url,
    audiences,
    algorithms,
    leewayS,
    nameClaim,
    groupsClaim: claims.groups ?? 'groups',
    kind: kind === undefined ? null : { claim: kind.claim, values: new Map(Object.entries(kind.values)) },
    requireVerifiedEmail: claims.requireVerifiedEmail ?? nameClaim === 'email',
    prefix,
    foreignPrefixes: prefixes.filter((other) => other.length > prefix.length && other.startsWith(prefix)),
    tlsCa: issuer.tlsCa,
    allowInsecure,
  }
}

function checkUrl(url: string, allowInsecure: boolean): void {
  const parsed = URL.parse(url)
  if (parsed === null || parsed.search !== '' || parsed.hash !== '' || parsed.username !== '') {
    throw invalid(`issuer ${url} is not a plain URL`, 'Copy the issuer as its tokens state it in `iss`.')
  }
  if (parsed.protocol === 'https:') return
  if (parsed.protocol === 'http:' && allowInsecure && isLoopbackHost(parsed.hostname)) return
  throw invalid(
    `issuer ${url} is not https`,
    'Keys fetched without TLS prove nothing. Only an issuer on a loopback address may use http, with `allow_insecure: true`.',
  )
}

function invalid(message: string, hint: string): PosternError {
  return new PosternError('config_invalid', `the configuration of issuers cannot be used: ${message}`, { hint })
}
