import { createHmac, randomBytes } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { serverEndPoint } from '../backend/channel-binding.ts'
import type { SessionToken } from '../core/access.ts'
import { PosternError } from '../core/errors.ts'
import type { TokenId } from '../core/ids.ts'
import {
  encodeAuthenticationSASL,
  encodeAuthenticationSASLContinue,
  encodeAuthenticationSASLFinal,
} from '../wire/backend.ts'
import { decodeSASLInitialResponse, decodeSASLResponse } from '../wire/frontend.ts'
import {
  answerProof,
  isBoundTo,
  readClientFinal,
  readClientFirst,
  scramMechanism,
  scramPlusMechanism,
  serverFirst,
  type ClientBinding,
  type ScramVerifier,
} from '../wire/scram-server.ts'
import { answerOf, type SessionStartUp } from './ask-token.ts'

/** How PostgreSQL itself and Postern's tokens are salted: what there is no verifier for must look the same. */
const saltBytes = 16
const iterations = 4_096
const hashBytes = 32
/** As many random bytes as PostgreSQL takes for its half of the nonce. */
const nonceBytes = 18

/** Of this process, so that nobody outside can tell a verifier that was made up. */
const mockSecret = randomBytes(32)

/** The token whose id this is in its form, as names of principals hardly are; null for anything else. */
export function tokenIdOf(user: string): TokenId | null {
  return /^t_[0-9a-z]{12}$/.test(user) ? (user as TokenId) : null
}

/**
 * Has a client prove by SCRAM-SHA-256 that it knows the secret of a session token, without sending it. An id that is not
 * known goes the same way to the same end. Rejects with `token_untrusted` where the proof is wrong; one attempt only.
 */
export async function askScram(
  start: SessionStartUp,
  id: TokenId,
  verifierOf: (id: TokenId) => Promise<SessionToken['scram'] | null>,
): Promise<void> {
  const endPoint = endPointOf(start)
  start.socket.write(
    encodeAuthenticationSASL(endPoint === null ? [scramMechanism] : [scramPlusMechanism, scramMechanism]),
  )
  const { mechanism, response } = decodeSASLInitialResponse(await answerOf(start, 'a SASL response'))
  const isPlus = mechanism === scramPlusMechanism && endPoint !== null
  if (!isPlus && mechanism !== scramMechanism)
    throw violation('client selected an invalid SASL authentication mechanism')
  const first = readClientFirst(response ?? (await emptyChallenge(start)))
  checkBinding(first.binding, { isPlus, isOffered: endPoint !== null })
  const kept = await verifierOf(id)
  const verifier = kept === null ? madeUp(id) : decoded(kept)
  const nonce = first.nonce + randomBytes(nonceBytes).toString('base64')
  const challenge = serverFirst(nonce, verifier)
  start.socket.write(encodeAuthenticationSASLContinue(Buffer.from(challenge, 'latin1')))
  const final = readClientFinal(decodeSASLResponse(await answerOf(start, 'a SASL response')).data)
  if (final.nonce !== nonce) throw violation('the nonce of the SCRAM exchange is not the one that it began with')
  if (!isBoundTo(final, first, endPoint)) throw unbound()
  const proof = answerProof({ clientFirst: first, serverFirst: challenge, clientFinal: final }, verifier)
  // Of a verifier that was made up nobody knows the secret; the second look costs nothing and asks no luck.
  if (proof === null || kept === null) throw notProven()
  start.socket.write(encodeAuthenticationSASLFinal(Buffer.from(proof, 'latin1')))
}

/** The hash of the certificate that this connection was secured with; null where there is none to bind to. */
function endPointOf({ socket }: SessionStartUp): Buffer | null {
  const certificate = socket instanceof TLSSocket ? socket.getX509Certificate() : undefined
  return certificate === undefined ? null : serverEndPoint(certificate)
}

/** The initial response may come behind an empty challenge (RFC 4422 section 3.3). */
async function emptyChallenge(start: SessionStartUp): Promise<Buffer> {
  start.socket.write(encodeAuthenticationSASLContinue(Buffer.alloc(0)))
  return decodeSASLResponse(await answerOf(start, 'a SASL response')).data
}

/** RFC 5802 section 6: a client that could bind and was not offered to, though it was, had its offer tampered with. */
function checkBinding(binding: ClientBinding, how: { readonly isPlus: boolean; readonly isOffered: boolean }): void {
  const isBinding = binding === 'tls-server-end-point'
  if (isBinding !== how.isPlus) throw violation('channel binding and SASL mechanism of the client do not go together')
  if (binding === 'not-offered' && how.isOffered) {
    throw new PosternError(
      'token_untrusted',
      'the client was not offered channel binding, and this gateway offers it',
      {
        hint: 'Somebody may have changed what was sent: check what is between the client and the gateway.',
      },
    )
  }
}

function decoded({ salt, iterations: count, storedKey, serverKey }: SessionToken['scram']): ScramVerifier {
  const verifier = {
    salt: Buffer.from(salt, 'base64'),
    iterations: count,
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  }
  const isWhole = verifier.storedKey.length === hashBytes && verifier.serverKey.length === hashBytes
  if (!isWhole || verifier.salt.length === 0) throw new Error('the verifier of a session token is broken')
  return verifier
}

/** The same for the same id as long as the process lives, as the salt of a token that exists is. */
function madeUp(id: TokenId): ScramVerifier {
  const derive = (what: string): Buffer => createHmac('sha256', mockSecret).update(`${what} ${id}`).digest()
  return {
    salt: derive('salt').subarray(0, saltBytes),
    iterations,
    storedKey: derive('stored key'),
    serverKey: derive('server key'),
  }
}

function violation(message: string): PosternError {
  return new PosternError('protocol_violation', message)
}

function unbound(): PosternError {
  return new PosternError('token_untrusted', 'the log-in is bound to another connection than this one', {
    hint: 'Somebody may be in between. Where that is a proxy of your own, connect with channel_binding=disable.',
  })
}

function notProven(): PosternError {
  return new PosternError('token_untrusted', 'there is no such session token, or its secret is another one', {
    hint: "Give the token's id as user and its secret as password; `postern token` makes a new one.",
  })
}
