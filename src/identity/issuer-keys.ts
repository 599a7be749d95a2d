import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose'
import { limits } from '../core/limits.ts'
import { fetchJson } from './fetch-json.ts'
import { isLoopbackHost, type ResolvedIssuer } from './issuer-config.ts'

/** The signing keys of one issuer, found by discovery on first use. */
export interface IssuerKeys {
  /** The key lookup for verification; fails where the issuer cannot be reached or its discovery document is wrong. */
  lookup(): Promise<JWTVerifyGetKey>
  close(): void
}

/** How an issuer's keys are fetched. */
export interface IssuerKeysOptions {
  /** How long after a fetch an unknown key id does not cause another: keeps forged key ids from becoming a fetch storm. */
  readonly unknownKeyPauseMs?: number | undefined
}

/**
 * Discovers and caches an issuer's keys (OpenID Connect Discovery 1.0 section 4). A failure is remembered for a pause
 * that doubles, so that an issuer that is down is not asked at every log-in.
 */
export function createIssuerKeys(issuer: ResolvedIssuer, options: IssuerKeysOptions = {}): IssuerKeys {
  const closing = new AbortController()
  let failures = 0
  let retryAtMs = 0
  let lookup: Promise<JWTVerifyGetKey> | null = null

  async function fetchFrom(url: URL): Promise<unknown> {
    const waitMs = retryAtMs - performance.now()
    if (waitMs > 0) throw new Error(`${url.href}: failed a moment ago, asked again in ${Math.ceil(waitMs)} ms`)
    try {
      const document = await fetchJson(url, { tlsCa: issuer.tlsCa, signal: closing.signal })
      failures = 0
      return document
    } catch (error) {
      retryAtMs = performance.now() + Math.min(250 * 2 ** failures, limits.issuerRetryPauseMsMax)
      failures += 1
      throw error
    }
  }

  async function discover(): Promise<JWTVerifyGetKey> {
    const document = await fetchFrom(discoveryUrl(issuer.url))
    const keysUrl = keysUrlOf(document, issuer)
    return createRemoteJWKSet(keysUrl, {
      cooldownDuration: options.unknownKeyPauseMs ?? 30_000,
      cacheMaxAge: limits.verifiedTokenAgeMsMax,
      timeoutDuration: limits.issuerDeadlineMs,
      [customFetch]: async () => {
        try {
          return Response.json(await fetchFrom(keysUrl))
        } catch (error) {
          // The keys may have moved: the next look-up asks discovery again.
          lookup = null
          throw error
        }
      },
    })
  }

  return {
    lookup() {
      lookup ??= discover().catch((error: unknown) => {
        lookup = null
        throw error
      })
      return lookup
    },
    close() {
      closing.abort()
    },
  }
}

/** Where an issuer publishes its discovery document. */
export function discoveryUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
}

function keysUrlOf(document: unknown, issuer: ResolvedIssuer): URL {
  const from = discoveryUrl(issuer.url).href
  if (typeof document !== 'object' || document === null) throw new Error(`${from}: not a JSON object`)
  // Section 4.3: the issuer must be exactly the one asked, or whoever answers here could speak for another.
  if (!('issuer' in document) || document.issuer !== issuer.url) {
    throw new Error(`${from}: names another issuer than the configured one; they must be equal byte for byte`)
  }
  const url = 'jwks_uri' in document && typeof document.jwks_uri === 'string' ? URL.parse(document.jwks_uri) : null
  if (url === null) throw new Error(`${from}: has no usable jwks_uri`)
  const isSafe =
    url.protocol === 'https:' || (issuer.allowInsecure && url.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (!isSafe) throw new Error(`${from}: its jwks_uri is not https`)
  return url
}
