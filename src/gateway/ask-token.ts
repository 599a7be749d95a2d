import { PosternError } from '../core/errors.ts'
import {
  authenticationCleartextPassword,
  encodeAuthenticationSASL,
  encodeAuthenticationSASLContinue,
} from '../wire/backend.ts'
import { decodePasswordMessage, decodeSASLInitialResponse, frontend } from '../wire/frontend.ts'
import {
  type BearerDiscovery,
  bearerFailureAcknowledgement,
  type BearerMessage,
  decodeBearerMessage,
  encodeBearerFailure,
  oauthBearerMechanism,
} from '../wire/oauth-bearer.ts'
import type { StartUp } from './start-up.ts'

/** How clients present their token: as a cleartext password, or by SASL OAUTHBEARER (PostgreSQL 18). */
export type LoginMethod = 'password' | 'oauth'

/** How a session token of Postern's own begins, and no other. */
const ownTokenPrefix = 'pst_'

/** Whether this is, by its form, the secret of a session token of Postern's own. */
export function isOwnToken(token: string): boolean {
  return token.startsWith(ownTokenPrefix)
}

/** The client closed without answering: psql does so when it has to ask its user for the password first. */
export class ClientGone extends Error {}

/** The client asked where to get a token and was told. It comes back with one: this was no failed log-in. */
export class DiscoveryAnswered extends Error {
  readonly told = new PosternError('token_absent', 'no token was presented', {
    hint: 'Clients that speak OAUTHBEARER fetch one now and connect again.',
  })
}

/** A client that has asked for a session. */
export type SessionStartUp = Extract<StartUp, { kind: 'session' }>

/**
 * Asks the client for its token and hands it to `identify`. Rejects with what that rejects with, after telling a client
 * of OAUTHBEARER where to get a better one; with ClientGone or DiscoveryAnswered where there was no token.
 */
export async function askToken<Identity>(
  start: SessionStartUp,
  how: { readonly method: LoginMethod; readonly discovery: BearerDiscovery },
  identify: (token: string) => Promise<Identity>,
): Promise<Identity> {
  if (how.method === 'password') return identify(await askPassword(start))
  const message = await askBearer(start)
  if (message.kind === 'discovery') {
    await failBearer(start, how.discovery)
    throw new DiscoveryAnswered()
  }
  try {
    return await identify(message.token)
  } catch (error) {
    if (error instanceof PosternError && error.code.startsWith('token_')) await failBearer(start, how.discovery)
    throw error
  }
}

async function askPassword(start: SessionStartUp): Promise<string> {
  start.socket.write(authenticationCleartextPassword)
  return decodePasswordMessage(await answerOf(start, 'a password response')).password
}

async function askBearer(start: SessionStartUp): Promise<BearerMessage> {
  // Nothing else is offered: libpq takes whichever mechanism comes first, whatever the person has configured.
  start.socket.write(encodeAuthenticationSASL([oauthBearerMechanism]))
  const { mechanism, response } = decodeSASLInitialResponse(await answerOf(start, 'a SASL response'))
  if (mechanism !== oauthBearerMechanism) {
    throw new PosternError('protocol_violation', 'client selected an invalid SASL authentication mechanism')
  }
  if (response !== null) return decodeBearerMessage(response)
  start.socket.write(encodeAuthenticationSASLContinue(Buffer.alloc(0)))
  return decodeBearerMessage(await answerOf(start, 'a SASL response'))
}

/** The failure is a challenge: the client acknowledges it, and then the log-in ends with an ordinary error. */
async function failBearer(start: SessionStartUp, discovery: BearerDiscovery): Promise<void> {
  start.socket.write(encodeAuthenticationSASLContinue(encodeBearerFailure(discovery)))
  const acknowledgement = await answerOf(start, 'a SASL response')
  if (!acknowledgement.equals(bearerFailureAcknowledgement)) {
    throw new PosternError('protocol_violation', 'malformed OAUTHBEARER message: a failure is acknowledged with 0x01')
  }
}

/** The body of the next message, which has to be one of those that share the type `p`; `expected` names it. */
export async function answerOf(start: SessionStartUp, expected: string): Promise<Buffer> {
  const message = await start.handshake.nextMessage()
  if (message === null) throw new ClientGone()
  if (message.type !== frontend.PasswordMessage) throw new PosternError('protocol_violation', `expected ${expected}`)
  return message.body
}
