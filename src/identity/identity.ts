import { createHash } from 'node:crypto'
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import { resolveIssuers, type IssuerConfig, type ResolvedIssuer } from './issuer-config.ts'
import { createIssuerKeys, type IssuerKeys } from './issuer-keys.ts'
import { principalFromClaims } from './principal-from-claims.ts'
import {
  issuerUnavailable,
  tokenAbsent,
  tokenExpired,
  tokenForeign,
  tokenMalformed,
  tokenUntrusted,
  tokenUnusable,
} from './refusal.ts'
import { readToken } from './read-token.ts'
import { VerifiedTokens, type VerifiedToken } from './verified-tokens.ts'

export { isLoopbackHost, type IssuerConfig } from './issuer-config.ts'
export { claimAt } from './principal-from-claims.ts'
export { readToken } from './read-token.ts'

/** What an identifier is told. */
export interface IdentifierOptions {
  readonly issuers: readonly IssuerConfig[]
  /** How long after fetching an issuer's keys an unknown key id does not fetch them again; 30 s unless told. */
  readonly unknownKeyPauseMs?: number | undefined
}

/** Whether one issuer answers; `error` is for the operator and names URLs. */
export interface IssuerProbe {
  readonly url: string
  readonly error: string | null
}

/** Turns tokens into principals. */
export interface Identifier {
  /**
   * Says whose token this is. Fails with a PosternError: `token_*` for what is wrong with the token,
   * `issuer_unavailable` where its issuer's keys cannot be had.
   */
  identify(token: string, nowMs: number): Promise<Principal>
  /** Asks every issuer for its discovery document and keys. */
  probe(): Promise<readonly IssuerProbe[]>
  /** Forgets every verified token; each is verified anew at its next use. */
  forget(): void
  /** Ends requests to issuers that are under way. */
  close(): void
}

/** Makes an identifier for the configured issuers; contacts none of them yet. Fails with `config_invalid`. */
export function createIdentifier(options: IdentifierOptions): Identifier {
  const issuers = new Map(
    resolveIssuers(options.issuers).map((issuer): [string, IssuerWithKeys] => [
      issuer.url,
      { issuer, keys: createIssuerKeys(issuer, { unknownKeyPauseMs: options.unknownKeyPauseMs }) },
    ]),
  )
  const verified = new VerifiedTokens()
  const underWay = new Map<string, Promise<VerifiedToken>>()

  /** Two log-ins with one token at the same moment are verified once. */
  function verifyOnce(token: string, digest: string, nowMs: number): Promise<VerifiedToken> {
    const pending = underWay.get(digest)
    if (pending !== undefined) return pending
    const started = verifyToken(token, issuers, nowMs)
      .then((result) => {
        verified.add(digest, result)
        return result
      })
      .finally(() => underWay.delete(digest))
    underWay.set(digest, started)
    return started
  }

  return {
    async identify(token, nowMs) {
      if (token === '') throw tokenAbsent()
      if (token.length > limits.tokenCharsMax) throw tokenMalformed('it is too long')
      const digest = createHash('sha256').update(token).digest('base64')
      const result = verified.find(digest, nowMs) ?? (await verifyOnce(token, digest, nowMs))
      if (nowMs >= result.usableUntilMs) throw tokenExpired()
      return result.principal
    },
    async probe() {
      return Promise.all([...issuers.values()].map(probeIssuer))
    },
    forget() {
      verified.forget()
    },
    close() {
      for (const { keys } of issuers.values()) keys.close()
    },
  }
}

interface IssuerWithKeys {
  readonly issuer: ResolvedIssuer
  readonly keys: IssuerKeys
}

async function verifyToken(
  token: string,
  issuers: ReadonlyMap<string, IssuerWithKeys>,
  nowMs: number,
): Promise<VerifiedToken> {
  const { header, claims: unverified } = readToken(token)
  // What decides where to look is not trusted yet; all of it is verified below.
  const found = typeof unverified['iss'] === 'string' ? issuers.get(unverified['iss']) : undefined
  if (found === undefined) throw tokenForeign()
  const { issuer, keys } = found
  if (typeof header['alg'] !== 'string' || !issuer.algorithms.includes(header['alg'])) {
    throw tokenUntrusted('it is not signed with an algorithm that is accepted here')
  }
  checkType(header['typ'])
  const claims = await verifyClaims(token, keys, {
    issuer: issuer.url,
    audience: [...issuer.audiences],
    algorithms: [...issuer.algorithms],
    clockTolerance: issuer.leewayS,
    currentDate: new Date(nowMs),
    requiredClaims: ['exp'],
  })
  // RFC 7519 section 4.1.6 asks nothing of `iat`, but a token from the future means that a clock cannot be trusted.
  if (claims.iat !== undefined && claims.iat > nowMs / 1_000 + issuer.leewayS) throw notYetValid()
  const principal = principalFromClaims(claims, issuer)
  return { principal, usableUntilMs: principal.expiresAtMs, verifiedAtMs: nowMs }
}

/** RFC 8725 section 3.11: tokens of other sorts that the same keys sign (logout, DPoP proofs) are told apart by type. */
function checkType(typ: unknown): void {
  if (typ === undefined) return
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : ''
  if (type !== 'jwt' && type !== 'at+jwt') {
    throw tokenUntrusted('it is of a type (`typ`) that is not for logging in')
  }
}

async function verifyClaims(token: string, keys: IssuerKeys, options: JWTVerifyOptions): Promise<JWTPayload> {
  const lookup = await keys.lookup().catch((error: unknown) => {
    throw issuerUnavailable(error)
  })
  /** Tells a failure to fetch keys, which is the issuer's, from whatever is wrong with the token. */
  const lookupKey: JWTVerifyGetKey = async (header, input) => {
    try {
      return await lookup(header, input)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error
      throw issuerUnavailable(error)
    }
  }
  try {
    return (await jwtVerify(token, lookupKey, options)).payload
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithAnyKey(token, error, options)
    throw toRefusal(error)
  }
}

/** A token without a key id may be signed by any key of its type. */
async function verifyWithAnyKey(
  token: string,
  candidates: errors.JWKSMultipleMatchingKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of candidates) {
    try {
      return (await jwtVerify(token, key, options)).payload
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw toRefusal(error)
    }
  }
  throw toRefusal(new errors.JWSSignatureVerificationFailed())
}

function toRefusal(error: unknown): PosternError {
  if (error instanceof PosternError) return error
  // jose keeps the claims on these errors; as a cause they would reach the log, so they go no further.
  if (error instanceof errors.JWTExpired) return tokenExpired()
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error.claim)
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return tokenUntrusted('its signature is not that of its issuer', error)
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return tokenUntrusted('it is signed with a key that its issuer does not publish', error)
  }
  if (error instanceof errors.JOSENotSupported) {
    return tokenUntrusted('it demands an extension that is not supported here', error)
  }
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) {
    return tokenMalformed('its parts do not fit together', error)
  }
  return tokenUntrusted('it cannot be verified', error)
}

function claimRefusal(claim: string): PosternError {
  if (claim === 'aud' || claim === 'iss') return tokenForeign()
  if (claim === 'nbf') return notYetValid()
  return tokenUnusable(
    `its \`${/^[a-z_]{1,20}$/.test(claim) ? claim : 'claims'}\` claim is missing or malformed`,
    'Whoever runs the identity provider should look at how it makes tokens for this gateway.',
  )
}

function notYetValid(): PosternError {
  return tokenUnusable('it is not valid yet', "Compare the gateway's clock with the issuer's.")
}

async function probeIssuer({ issuer, keys }: IssuerWithKeys): Promise<IssuerProbe> {
  try {
    const lookup = await keys.lookup()
    // A key id that cannot exist makes the key set be fetched; that it is not found is the good outcome.
    await lookup({ alg: issuer.algorithms[0] ?? 'RS256', kid: '' }, { payload: '', signature: '' })
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return { url: issuer.url, error: null }
    return { url: issuer.url, error: error instanceof Error ? error.message : 'it failed for an unknown reason' }
  }
  return { url: issuer.url, error: null }
}
