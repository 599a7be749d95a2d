import { PosternError } from '../core/errors.ts'

/** The only SASL mechanism for tokens (RFC 7628), as PostgreSQL 18 speaks it. */
export const oauthBearerMechanism = 'OAUTHBEARER'

/** What the client's first message holds: a token, or the question where to get one. */
export type BearerMessage = { readonly kind: 'token'; readonly token: string } | { readonly kind: 'discovery' }

/** Where a client that has no token gets one. */
export interface BearerDiscovery {
  /** The issuer, byte for byte as clients are configured with it. */
  readonly issuer: string
  /** Scopes to ask for, separated by blanks. */
  readonly scope: string
}

const separator = '\x01'

/** What a client answers to a failure, so that the server can end the exchange (RFC 7628 section 3.2.3). */
export const bearerFailureAcknowledgement: Buffer = Buffer.from(separator)

/**
 * Decodes the initial client response (RFC 7628 section 3.1): a GS2 header without channel binding and without an
 * authorization identity, then key=value pairs of which exactly one is `auth`. An empty `auth` asks for discovery.
 * Throws `protocol_violation` for everything else, without repeating any of it.
 */
export function decodeBearerMessage(data: Buffer): BearerMessage {
  const [header, ...pairs] = data.toString('latin1').split(separator)
  // `n`: no channel binding; `y`: the client could and believes that the server cannot. `p=` would demand it.
  if (header !== 'n,,' && header !== 'y,,') {
    throw malformed('it has no GS2 header without channel binding and authorization identity')
  }
  // Each pair ends with a separator and the list with another, so that two empty pieces stand at the end.
  if (pairs.pop() !== '' || pairs.pop() !== '') throw malformed('it does not end with two separators')
  if (!pairs.every(isPair)) throw malformed('a part of it is not a key and a printable value')
  const auths = pairs.filter((pair) => pair.startsWith('auth='))
  const [auth] = auths
  if (auth === undefined || auths.length > 1) throw malformed('it has not exactly one `auth`')
  const value = auth.slice('auth='.length)
  if (value === '') return { kind: 'discovery' }
  const token = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(value)?.[1]
  if (token === undefined) throw malformed('its `auth` is not a bearer token')
  return { kind: 'token', token }
}

/** Encodes the challenge that says that a token is wanted or not valid, and where to get one (section 3.2.2). */
export function encodeBearerFailure({ issuer, scope }: BearerDiscovery): Buffer {
  const failure = {
    // Any other status would make libpq give up instead of fetching a token.
    status: 'invalid_token',
    'openid-configuration': `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    scope,
  }
  return Buffer.from(JSON.stringify(failure))
}

function isPair(pair: string): boolean {
  const [key = '', ...value] = pair.split('=')
  return /^[A-Za-z]+$/.test(key) && value.length > 0 && /^[\t\n\r\u0020-\u007e]*$/.test(value.join('='))
}

function malformed(why: string): PosternError {
  return new PosternError('protocol_violation', `malformed OAUTHBEARER message: ${why}`)
}
