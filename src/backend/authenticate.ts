import { createHash, randomBytes } from 'node:crypto'
import type { Writable } from 'node:stream'
import { decodeAuthentication } from '../wire/backend.ts'
import type { Authentication } from '../wire/backend.ts'
import { encodePasswordMessage, encodeSASLInitialResponse, encodeSASLResponse } from '../wire/frontend.ts'
import { serverEndPoint } from './channel-binding.ts'
import type { Credential } from './credential.ts'
import { loginFailed } from './failure.ts'
import { clientFinal, clientFirst, readServerFirst, verifyServerFinal } from './scram.ts'
import type { ChannelBinding } from './scram.ts'
import type { Transport } from './transport.ts'

/** How the gateway proved itself to PostgreSQL. */
export type AuthenticationMethod = 'trust' | 'password' | 'md5' | 'scram-sha-256' | 'scram-sha-256-plus'

/** What one authentication needs; `nextAuthentication` gives the body of the next Authentication message. */
export interface AuthenticationContext {
  readonly transport: Transport
  readonly role: string
  /** The password, fetched only where PostgreSQL asks for one. */
  password(): Promise<string>
  readonly scramKeys: Credential['scramKeys']
  nextAuthentication(): Promise<Buffer>
}

/** Answers PostgreSQL's demands until AuthenticationOk. Rejects with `backend_login_failed` where it will not. */
export async function authenticate(context: AuthenticationContext): Promise<AuthenticationMethod> {
  const { transport, role } = context
  const demand = decodeAuthentication(await context.nextAuthentication())
  switch (demand.kind) {
    case 'Ok':
      return 'trust'
    case 'CleartextPassword': {
      if (!transport.isPrivate) {
        throw loginFailed(
          `PostgreSQL asks for the password of role ${role} in the clear on an unencrypted connection. Use TLS (tls.mode verify-full), or scram-sha-256 in pg_hba.conf.`,
        )
      }
      send(transport.socket, encodePasswordMessage(await context.password()))
      await expectOk(context)
      return 'password'
    }
    case 'MD5Password': {
      send(transport.socket, encodePasswordMessage(md5Response(await context.password(), role, demand.salt)))
      await expectOk(context)
      return 'md5'
    }
    case 'SASL':
      return scram(context, demand.mechanisms)
    case 'SASLContinue':
    case 'SASLFinal':
      throw unexpected(demand)
    case 'other':
      throw loginFailed(
        `PostgreSQL asks for authentication method ${demand.method} (Kerberos, GSSAPI, SSPI or newer), which is not supported. Use scram-sha-256 in pg_hba.conf for role ${role}.`,
      )
  }
}

async function scram(context: AuthenticationContext, mechanisms: readonly string[]): Promise<AuthenticationMethod> {
  const { transport, role } = context
  const isPlusOffered = mechanisms.includes('SCRAM-SHA-256-PLUS')
  const binding = chooseBinding(transport, isPlusOffered)
  const isPlus = binding.kind === 'tls-server-end-point'
  const mechanism = isPlus ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256'
  if (!mechanisms.includes(mechanism)) {
    throw loginFailed(
      `PostgreSQL offers none of the mechanisms this gateway speaks (it offers ${mechanisms.join(', ')}). Use scram-sha-256 in pg_hba.conf for role ${role}.`,
    )
  }
  const password = await context.password()
  const first = clientFirst(binding, { nonce: randomBytes(18).toString('base64') })
  send(transport.socket, encodeSASLInitialResponse(mechanism, first.message))

  const challenge = decodeAuthentication(await context.nextAuthentication())
  if (challenge.kind !== 'SASLContinue') throw unexpected(challenge)
  const serverFirst = readServerFirst(challenge.data, first)
  const final = clientFinal(first, serverFirst, await context.scramKeys.keys(password, serverFirst))
  send(transport.socket, encodeSASLResponse(final.message))

  // AuthenticationOk without SASLFinal before it would be a server that does not know the password.
  const proof = decodeAuthentication(await context.nextAuthentication())
  if (proof.kind !== 'SASLFinal') throw unexpected(proof)
  verifyServerFinal(proof.data, final.serverSignature)
  await expectOk(context)
  return isPlus ? 'scram-sha-256-plus' : 'scram-sha-256'
}

function chooseBinding(transport: Transport, isPlusOffered: boolean): ChannelBinding {
  const certificateHash = transport.certificate === undefined ? null : serverEndPoint(transport.certificate)
  if (certificateHash === null) return { kind: 'unsupported' }
  return isPlusOffered ? { kind: 'tls-server-end-point', certificateHash } : { kind: 'not-offered' }
}

/** The manual, "Authentication": `md5` and the hash of (the hash of password and role) and salt. */
function md5Response(password: string, role: string, salt: Buffer): string {
  let inner: string
  try {
    inner = createHash('md5').update(`${password}${role}`).digest('hex')
  } catch (error) {
    throw loginFailed(
      `PostgreSQL asks for MD5 authentication of role ${role}, and the cryptography of this machine does not allow MD5. Set password_encryption to scram-sha-256 and the password again.`,
      error,
    )
  }
  return `md5${createHash('md5').update(inner).update(salt).digest('hex')}`
}

async function expectOk(context: AuthenticationContext): Promise<void> {
  const answer = decodeAuthentication(await context.nextAuthentication())
  if (answer.kind !== 'Ok') throw unexpected(answer)
}

function unexpected(answer: Authentication): Error {
  return loginFailed(
    `PostgreSQL sent Authentication ${answer.kind} out of turn: it may not be the PostgreSQL it claims to be`,
  )
}

function send(socket: Writable, message: Buffer): void {
  // A failed write surfaces where the answer is awaited.
  socket.write(message)
}
