import { randomBytes } from 'node:crypto'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Names one authenticated connection, from start to end. */
export type SessionId = Branded<'SessionId'>
/** Names one run of a gateway process. */
export type GatewayId = Branded<'GatewayId'>

/** A fresh session id: `s_` and 96 random bits in base64url. */
export function newSessionId(): SessionId {
  return `s_${randomBytes(12).toString('base64url')}` as SessionId
}

/** A fresh gateway id: `g_` and 96 random bits in base64url. */
export function newGatewayId(): GatewayId {
  return `g_${randomBytes(12).toString('base64url')}` as GatewayId
}

/** Names one request: for a statement to be let through, or for an access role. */
export type RequestId = Branded<'RequestId'>
/** Names one grant of an access role. */
export type GrantId = Branded<'GrantId'>
/** Names one session token of Postern's own; the public half of it. */
export type TokenId = Branded<'TokenId'>

/** A fresh request id, short enough to be typed from a phone: `r_` and 60 random bits. No secret. */
export function newRequestId(): RequestId {
  return `r_${typable()}` as RequestId
}

/** A fresh grant id: `a_` and 60 random bits. */
export function newGrantId(): GrantId {
  return `a_${typable()}` as GrantId
}

/** A fresh token id: `t_` and 60 random bits. The secret is another value. */
export function newTokenId(): TokenId {
  return `t_${typable()}` as TokenId
}

/** Letters and digits that cannot be taken for one another, as in Crockford's base 32. */
const typableLetters = '0123456789abcdefghjkmnpqrstvwxyz'

function typable(): string {
  return Array.from(randomBytes(12), (byte) => typableLetters[byte % 32] ?? '').join('')
}
