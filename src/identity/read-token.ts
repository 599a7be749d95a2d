import { tokenMalformed } from './refusal.ts'

/** A JWT's header and claims as they stand there: nothing about them is verified. */
export interface UnverifiedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Reads a signed JWT (RFC 7519, compact form) without verifying it; fails with `token_malformed`. Each part must be
 * base64url in its one canonical spelling (RFC 4648 section 3.5), so that one token has exactly one text.
 */
export function readToken(token: string): UnverifiedToken {
  const parts = token.split('.', 6)
  if (parts.length === 5) throw tokenMalformed('encrypted tokens are not supported')
  const [header, claims, signature] = parts
  if (parts.length !== 3 || header === undefined || claims === undefined || signature === undefined) {
    throw tokenMalformed('a token has three parts')
  }
  for (const part of parts) {
    if (Buffer.from(part, 'base64url').toString('base64url') !== part) throw tokenMalformed('it is not base64url')
  }
  return { header: readPart(header), claims: readPart(claims) }
}

function readPart(part: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url')))
  } catch {
    // The parser's own text quotes what it read, so it is not kept even as a cause.
    throw tokenMalformed('it does not hold JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw tokenMalformed('it does not hold JSON')
  return value as Record<string, unknown>
}
