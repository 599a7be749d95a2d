import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { PosternError } from '../core/errors.ts'
import { type CancelRequest, decodeStartupPacket, negotiateProtocol, type ProtocolVersion } from '../wire/startup.ts'
import { Handshake } from './handshake.ts'

/** A client that has said what it wants, before anybody asked who it is. */
export type StartUp =
  | {
      readonly kind: 'session'
      readonly socket: Socket
      readonly handshake: Handshake
      readonly isTls: boolean
      readonly version: ProtocolVersion
      readonly parameters: ReadonlyMap<string, string>
      /** A NegotiateProtocolVersion message to send first, or null. */
      readonly negotiation: Buffer | null
    }
  | { readonly kind: 'cancel'; readonly request: CancelRequest; readonly socket: Socket }
  /** It closed, or was answered and has no further business. */
  | { readonly kind: 'gone' }

/** How TLS is offered: the certificate, or null where the listener has none. */
export interface StartUpOptions {
  readonly secureContext: SecureContext | null
  readonly signal: AbortSignal
}

const alpnProtocol = 'postgresql'
const tlsHandshakeByte = 0x16
const willing = Buffer.from('S')
const unwilling = Buffer.from('N')

/**
 * Takes a new connection through encryption requests to its StartupMessage or CancelRequest (the manual's "Message
 * Flow: Start-up", "SSL Session Encryption", "Canceling Requests in Progress"). Throws a PosternError for what breaks
 * the protocol, and the socket's own error.
 */
export async function startUp(plain: Socket, options: StartUpOptions): Promise<StartUp> {
  let socket = plain
  let handshake = new Handshake(socket, options.signal)
  if ((await handshake.peekByte()) === tlsHandshakeByte && options.secureContext !== null) {
    // Direct TLS, PostgreSQL 17: here ALPN is what proves that both sides mean PostgreSQL.
    const secured = await secure(socket, options.secureContext, options.signal)
    if (secured.alpnProtocol !== alpnProtocol) {
      throw new PosternError('protocol_violation', 'a direct TLS connection without the ALPN protocol "postgresql"')
    }
    socket = secured
    handshake = new Handshake(socket, options.signal)
  }
  let isGssAnswered = false
  for (;;) {
    const bytes = await handshake.nextStartupPacket()
    if (bytes === null) return { kind: 'gone' }
    const packet = decodeStartupPacket(bytes)
    const isTls = socket instanceof TLSSocket
    switch (packet.kind) {
      case 'GSSENCRequest':
        if (isTls || isGssAnswered) throw unexpected('GSSENCRequest')
        isGssAnswered = true
        socket.write(unwilling)
        break
      case 'SSLRequest':
        if (isTls) throw unexpected('SSLRequest')
        if (options.secureContext === null) {
          socket.write(unwilling)
          break
        }
        refuseEarlyBytes(handshake)
        socket.write(willing)
        socket = await secure(plain, options.secureContext, options.signal)
        handshake = new Handshake(socket, options.signal)
        break
      case 'CancelRequest':
        return { kind: 'cancel', request: packet, socket }
      case 'StartupMessage': {
        const { version, reply } = negotiateProtocol(packet)
        const { parameters } = packet
        return { kind: 'session', socket, handshake, isTls, version, parameters, negotiation: reply }
      }
    }
  }
}

/** Bytes behind an SSLRequest were sent by somebody who had not seen the certificate yet (CVE-2021-23214). */
function refuseEarlyBytes(handshake: Handshake): void {
  if (handshake.bufferedBytes > 0) {
    throw new PosternError('protocol_violation', 'received unencrypted data after SSL request', {
      hint: 'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
    })
  }
}

function secure(plain: Socket, secureContext: SecureContext, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = new TLSSocket(plain, {
      isServer: true,
      secureContext,
      ALPNProtocols: [alpnProtocol],
    })
    const settle = (finish: () => void): void => {
      socket.off('secure', onSecure).off('close', onClose)
      signal.removeEventListener('abort', onAbort)
      finish()
    }
    const onSecure = (): void => settle(() => resolve(socket))
    const onError = (error: Error): void => settle(() => reject(error))
    const onClose = (): void => settle(() => reject(new Error('closed during the TLS handshake')))
    const onAbort = (): void => {
      settle(() => reject(new PosternError('startup_timeout', 'the TLS handshake took too long')))
      socket.destroy()
    }
    // The error listener stays: an error that comes late must not end the process.
    socket.on('secure', onSecure).on('error', onError).on('close', onClose)
    signal.addEventListener('abort', onAbort)
  })
}

function unexpected(packet: string): PosternError {
  return new PosternError('protocol_violation', `received ${packet} twice or inside of encryption`)
}
