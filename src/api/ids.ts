import type { GrantId, RequestId, TokenId } from '../core/ids.ts'
import { notFound } from './failures.ts'

/** Reads the id of a request from a path; whatever cannot be one is as unknown as any other. */
export function requestIdOf(text: string): RequestId {
  return checked('r', text) as RequestId
}

/** Reads the id of a grant. */
export function grantIdOf(text: string): GrantId {
  return checked('a', text) as GrantId
}

/** Reads the id of a session token. */
export function tokenIdOf(text: string): TokenId {
  return checked('t', text) as TokenId
}

function checked(prefix: string, text: string): string {
  if (text.startsWith(`${prefix}_`) && /^[0-9a-z]{1,32}$/.test(text.slice(2))) return text
  throw notFound()
}
