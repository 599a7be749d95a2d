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
