import { PosternError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { BearerDiscovery } from '../wire/oauth-bearer.ts'
import { askScram, tokenIdOf } from './ask-scram.ts'
import { askToken, isOwnToken, type LoginMethod, type SessionStartUp } from './ask-token.ts'
import type { Services } from './services.ts'
import { loginMethod } from './start-up-parameters.ts'

/** How tokens are asked for where the client does not say. */
export interface Asking {
  readonly login: LoginMethod
  readonly discovery: BearerDiscovery
}

/**
 * Asks a client who it is: by SCRAM-SHA-256 where its user is the id of a session token of Postern's own, else for a
 * token, which may be a session token's secret as well. Rejects as `askToken` does, and where somebody else is meant.
 */
export async function identifyClient(
  start: SessionStartUp,
  { identity, tokens }: Pick<Services, 'identity' | 'tokens'>,
  asking: Asking,
): Promise<Principal> {
  const user = start.parameters.get('user') ?? ''
  const id = tokens === null ? null : tokenIdOf(user)
  const method = loginMethod(start.parameters, id === null ? asking.login : 'scram')
  if (method === 'scram') {
    // Without both nothing leads here.
    if (tokens === null || id === null) throw mismatch()
    await askScram(start, id, (asked) => tokens.scramVerifierOf(asked))
    return tokens.principalOf(id, Date.now())
  }
  const principal = await askToken(start, { method, discovery: asking.discovery }, (token) =>
    tokens !== null && isOwnToken(token) ? tokens.verifyToken(token, Date.now()) : identity.identify(token, Date.now()),
  )
  if (user !== principal.name && user !== principal.sessionToken?.id) throw mismatch()
  return principal
}

/**
 * The name of the database that a client means. A session token is good for one only; who names none, which drivers
 * make the user's name of, means that one. Throws `connect_refused` for another.
 */
export function databaseMeant({ parameters }: SessionStartUp, { sessionToken }: Principal): string {
  const user = parameters.get('user') ?? ''
  const named = parameters.get('database') ?? user
  if (sessionToken === undefined || named === sessionToken.database) return named
  if (named === user && user === sessionToken.id) return sessionToken.database
  throw new PosternError('connect_refused', 'this session token is for another database', {
    detail: `It is good for ${sessionToken.database} only.`,
    hint: 'Connect to that database, or make a token for this one with `postern token`.',
  })
}

function mismatch(): PosternError {
  return new PosternError('principal_mismatch', 'the token belongs to somebody else than the user of this connection', {
    hint: 'Connect as the name in your token: `postern token --json` shows it, and `postern connect` does so by itself.',
  })
}
