import type { TokenId } from './ids.ts'

/** What sort of party a principal is; Cedar entity types carry the same names, capitalised. */
export type PrincipalKind = 'human' | 'service' | 'agent'

/** The identity provider's identifier of a party: `iss` and `sub` of its token. */
export interface Subject {
  readonly issuer: string
  readonly subject: string
}

/** The authenticated party that is decided for and recorded. Immutable for the length of a session. */
export interface Principal extends Subject {
  /** The name that policies, the record and the start-up `user` use; unique over all configured issuers. */
  readonly name: string
  readonly kind: PrincipalKind
  readonly groups: readonly string[]
  /** Who acts on the subject's behalf, nearest first (RFC 8693 section 4.1 `act`, nested); empty for most. */
  readonly actors: readonly Subject[]
  /** Authentication methods as the issuer states them (RFC 8176 `amr`). */
  readonly authenticationMethods: readonly string[]
  /** The `jti` of the token where it has one. */
  readonly tokenId: string | undefined
  /** When its token was issued, to the second; absent where the issuer does not say. */
  readonly issuedAtMs?: number
  /** When access ends: milliseconds since the epoch, the issuer's leeway included. */
  readonly expiresAtMs: number
  /**
   * Set where the party logged in with a session token of Postern's own: it is good for that database only, and its
   * sessions hold that access role and no other.
   */
  readonly sessionToken?: { readonly id: TokenId; readonly role: string | null; readonly database: string }
}
