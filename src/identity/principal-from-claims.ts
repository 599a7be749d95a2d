import { limits } from '../core/limits.ts'
import type { Principal, PrincipalKind, Subject } from '../core/principal.ts'
import type { ResolvedIssuer } from './issuer-config.ts'
import { tokenUnusable } from './refusal.ts'

/** The claims of a token whose signature, issuer, audience and times have been verified. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * Makes the principal of verified claims. What is malformed is refused with `token_unusable` rather than left out: a
 * group that is dropped may be the one that a policy forbids.
 */
export function principalFromClaims(claims: Claims, issuer: ResolvedIssuer): Principal {
  checkIsLogin(claims)
  const subject = claims['sub']
  if (!isText(subject)) throw tokenUnusable('its `sub` claim is missing or malformed', checkIssuer)
  const expiresAtMs = Number(claims['exp']) * 1_000
  if (!Number.isSafeInteger(Math.floor(expiresAtMs)))
    throw tokenUnusable('its `exp` claim is out of range', checkIssuer)
  return {
    issuer: issuer.url,
    subject,
    name: nameOf(claims, issuer),
    kind: kindOf(claims, issuer),
    groups: groupsOf(claims, issuer),
    actors: actorsOf(claims['act'], issuer.url),
    authenticationMethods: authenticationMethodsOf(claims['amr']),
    tokenId: isText(claims['jti']) ? claims['jti'] : undefined,
    ...(typeof claims['iat'] === 'number' ? { issuedAtMs: claims['iat'] * 1_000 } : {}),
    // Clocks may differ by the leeway in both directions: a token that is accepted late also ends late.
    expiresAtMs: Math.floor(expiresAtMs) + issuer.leewayS * 1_000,
  }
}

/** The claim at `path`: a top-level claim of that very name wins, since namespaced claims have dots in them. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Claims)[key]
  }
  return value
}

const checkIssuer = 'Whoever runs the identity provider should look at how it makes tokens for this gateway.'

/** Tokens that are signed by the same keys and are still not for logging in with. */
function checkIsLogin(claims: Claims): void {
  // RFC 8417: security event tokens, of which back-channel logout tokens are one kind.
  if ('events' in claims) throw tokenUnusable('it reports an event and does not log anyone in', checkIssuer)
  // RFC 7800 and RFC 9449: only the holder of a key may use it, and a password cannot prove that one holds a key.
  if ('cnf' in claims) {
    throw tokenUnusable(
      'it is bound to a key (`cnf`), which a password cannot prove',
      'Ask for a bearer token instead.',
    )
  }
}

function nameOf(claims: Claims, issuer: ResolvedIssuer): string {
  const claim = issuer.nameClaim
  const value = claimAt(claims, claim)
  const advice = `Check that the issuer puts a name into \`${claim}\`, or set \`claims.name\` of the issuer to the claim that has it.`
  if (value === undefined || value === null) throw tokenUnusable(`it has no \`${claim}\` claim`, advice)
  if (!isText(value)) throw tokenUnusable(`its \`${claim}\` claim is not a usable name`, advice)
  const name = issuer.prefix + value
  if (name.length > limits.principalNameCharsMax) throw tokenUnusable(`its \`${claim}\` claim is too long`, advice)
  if (issuer.foreignPrefixes.some((prefix) => name.startsWith(prefix))) {
    throw tokenUnusable('the name in it begins with the prefix of another issuer', 'Change the name or the prefixes.')
  }
  // Cognito and others send it as text.
  const isVerified = claims['email_verified'] === true || claims['email_verified'] === 'true'
  if (issuer.requireVerifiedEmail && !isVerified) {
    throw tokenUnusable(
      'its `email_verified` claim is not true',
      'Verify the address at the issuer. Where only administrators set addresses there, `claims.require_verified_email: false` accepts them.',
    )
  }
  return name
}

function kindOf(claims: Claims, { kind }: ResolvedIssuer): PrincipalKind {
  if (kind === null) return 'human'
  const value = claimAt(claims, kind.claim)
  if (value === undefined) return 'human'
  const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  const found = isScalar ? kind.values.get(String(value)) : undefined
  if (found === undefined) {
    throw tokenUnusable(
      `its \`${kind.claim}\` claim says a kind of party that is not configured`,
      'Add the value under `claims.kind.values` of the issuer.',
    )
  }
  return found
}

function groupsOf(claims: Claims, issuer: ResolvedIssuer): readonly string[] {
  const claim = issuer.groupsClaim
  const value = claimAt(claims, claim)
  if (value === undefined || value === null) {
    // OpenID Connect Core section 5.6.2: the claim is elsewhere, as Entra does beyond 200 groups.
    if (isElsewhere(claims, claim)) {
      throw tokenUnusable(
        `it has too many groups to hold them (\`${claim}\` is only referred to)`,
        'Let the issuer send only the groups that are assigned to this application.',
      )
    }
    return []
  }
  const advice = `Check what the issuer puts into \`${claim}\`: a list of at most ${limits.groupsMax} names.`
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (values.length > limits.groupsMax) throw tokenUnusable('it has too many groups', advice)
  const groups = new Set<string>()
  for (const each of values) {
    if (!isText(each)) throw tokenUnusable(`its \`${claim}\` claim has a malformed group`, advice)
    const group = issuer.prefix + each
    if (group.length > limits.groupNameCharsMax) throw tokenUnusable('it has a group with too long a name', advice)
    if (issuer.foreignPrefixes.some((prefix) => group.startsWith(prefix))) {
      throw tokenUnusable('a group in it begins with the prefix of another issuer', 'Change the group or the prefixes.')
    }
    groups.add(group)
  }
  return [...groups]
}

function isElsewhere(claims: Claims, claim: string): boolean {
  const names = claims['_claim_names']
  const first = claim.split('.')[0] ?? claim
  return typeof names === 'object' && names !== null && (Object.hasOwn(names, claim) || Object.hasOwn(names, first))
}

function actorsOf(act: unknown, issuer: string): readonly Subject[] {
  const actors: Subject[] = []
  let next = act
  while (next !== undefined) {
    if (actors.length === limits.actorsMax) throw tokenUnusable('its chain of actors is too long', checkIssuer)
    if (typeof next !== 'object' || next === null) throw tokenUnusable('its `act` claim is malformed', checkIssuer)
    const actor = next as Claims
    const actorIssuer = actor['iss'] ?? issuer
    if (!isText(actor['sub']) || !isText(actorIssuer)) {
      throw tokenUnusable('an actor in its `act` claim has no usable `sub`', checkIssuer)
    }
    actors.push({ issuer: actorIssuer, subject: actor['sub'] })
    next = actor['act']
  }
  return actors
}

function authenticationMethodsOf(amr: unknown): readonly string[] {
  if (amr === undefined) return []
  if (!Array.isArray(amr) || amr.length > limits.authenticationMethodsMax || !amr.every(isText)) {
    throw tokenUnusable('its `amr` claim is malformed', checkIssuer)
  }
  return amr
}

/** Text that can be shown, compared and recorded: bounded, NFC, no control or invisible characters, no outer spaces. */
function isText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= 255 &&
    value.trim() === value &&
    !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(value) &&
    value.normalize('NFC') === value
  )
}
