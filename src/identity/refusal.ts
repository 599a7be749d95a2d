import { PosternError } from '../core/errors.ts'

const getToken = 'Run `postern token` for a fresh one and present it as the password.'

/** Nothing was presented. */
export function tokenAbsent(): PosternError {
  return new PosternError('token_absent', 'no token was presented: the password is empty', { hint: getToken })
}

/** What was presented cannot be a token at all; most often it is a shared password. */
export function tokenMalformed(why: string, cause?: unknown): PosternError {
  return new PosternError(
    'token_malformed',
    `what was sent as the password is not a token (${why}); shared passwords are not accepted here`,
    { hint: getToken, cause },
  )
}

/** The signature does not prove that the issuer made the token. */
export function tokenUntrusted(why: string, cause?: unknown): PosternError {
  return new PosternError('token_untrusted', `the token cannot be trusted: ${why}`, { hint: getToken, cause })
}

/** The token was good and is over. */
export function tokenExpired(cause?: unknown): PosternError {
  return new PosternError('token_expired', 'the token has expired', {
    hint: `${getToken} If it is fresh, compare this machine's clock with the gateway's.`,
    cause,
  })
}

/** The token is for someone else: one text for "unknown issuer" and "other audience", so that it tells less. */
export function tokenForeign(cause?: unknown): PosternError {
  return new PosternError('token_foreign', 'the token was not made for this gateway', {
    hint: 'Its issuer or its audience is not one that this gateway accepts. Ask whoever runs the gateway which to use.',
    cause,
  })
}

/** The token is genuine, and something in it is missing or wrong; `advice` is for whoever runs the gateway or issuer. */
export function tokenUnusable(why: string, advice: string, cause?: unknown): PosternError {
  return new PosternError('token_unusable', `the token is genuine but cannot be used: ${why}`, { hint: advice, cause })
}

/** The issuer's keys cannot be had, so nothing can be checked; nobody gets in on trust. */
export function issuerUnavailable(cause: unknown): PosternError {
  return new PosternError(
    'issuer_unavailable',
    'the token cannot be checked now: its issuer does not answer as it should',
    {
      hint: 'Try again in a moment. Whoever runs the gateway finds the cause in its log, and `postern check` tries every issuer.',
      cause,
    },
  )
}
