import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { PosternError } from '../core/errors.ts'
import { sslRequest } from '../wire/startup.ts'
import { unavailable } from './failure.ts'
import { addressOf, socketPath } from './target.ts'
import type { BackendTarget } from './target.ts'

/** What TLS came to on one connection. */
export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  /** Whether the certificate's chain was checked; under verify-full the name too. */
  readonly isVerified: boolean
}

/** A byte stream to PostgreSQL on which nothing of the protocol but SSLRequest has been said. */
export interface Transport {
  readonly socket: Socket | TLSSocket
  /** The server's certificate where there is TLS. */
  readonly certificate: X509Certificate | undefined
  readonly tls: TlsFacts | null
  /** No other machine can listen in: TLS or a unix socket. */
  readonly isPrivate: boolean
}

const keepAliveAfterMs = 30_000
const tlsAccepted = 0x53
const tlsDeclined = 0x4e

/**
 * Connects and settles TLS by the target's mode. Rejects with `backend_unavailable`, whose cause tells what to check; the
 * socket is then destroyed. An 'error' listener stays on the socket for good: whoever takes it over sees 'close', or
 * `socket.destroyed` where that has been, and a failure in between cannot end the process.
 */
export async function openTransport(target: BackendTarget, signal: AbortSignal): Promise<Transport> {
  const path = socketPath(target)
  const { mode } = target.tls
  if (path !== null && mode !== 'disable' && mode !== 'prefer') {
    throw unavailable(
      `TLS mode ${mode} cannot be had on the unix socket ${path}. Set the mode to disable, or give a host name.`,
    )
  }
  const socket = path === null ? connectTcp(target) : connect({ path })
  keepAlive(socket)
  try {
    await whileConnecting(socket, 'connect', { target, signal })
    if (path !== null) return { socket, certificate: undefined, tls: null, isPrivate: true }
    if (mode === 'disable' || !(await negotiateTls(socket, target, signal))) {
      return { socket, certificate: undefined, tls: null, isPrivate: false }
    }
    return await startTls(socket, target, signal)
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function connectTcp(target: BackendTarget): Socket {
  const { host, port } = target
  return connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveAfterMs })
}

function keepAlive(socket: Socket): void {
  socket.on('error', () => {
    // Whoever waits for the socket at that time has a listener of its own.
  })
}

async function whileConnecting(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  { target, signal }: { target: BackendTarget; signal: AbortSignal },
): Promise<void> {
  const step = event === 'connect' ? 'connect to' : 'set up TLS with'
  const closed = new AbortController()
  const onClose = (): void => closed.abort(new Error('the server closed the connection'))
  socket.once('close', onClose)
  try {
    await once(socket, event, { signal: AbortSignal.any([signal, closed.signal]) })
  } catch (error) {
    if (signal.aborted)
      throw unavailable(`cannot ${step} ${addressOf(target)}: it did not answer in time`, signal.reason)
    const cause = closed.signal.aborted ? (socket.errored ?? closed.signal.reason) : error
    throw unavailable(`cannot ${step} ${addressOf(target)}: ${describe(cause)}`, cause)
  } finally {
    socket.removeListener('close', onClose)
  }
}

/** SSLRequest: the manual, "SSL Session Encryption". True where the server is ready for the handshake. */
async function negotiateTls(socket: Socket, target: BackendTarget, signal: AbortSignal): Promise<boolean> {
  socket.write(sslRequest)
  const answer = await firstBytes(socket, target, signal)
  // Whatever comes with the answer was not protected: it may be an attacker's, made to look like a part of the session
  // (CVE-2021-23222). What comes later, before the handshake, is read as TLS and breaks it.
  if (answer.length !== 1) {
    throw unavailable(`${addressOf(target)} sent unencrypted data where TLS should begin: somebody may be in between`)
  }
  if (answer[0] === tlsAccepted) return true
  if (answer[0] !== tlsDeclined) {
    // An ErrorResponse here is not protected either, so its text is not believed (CVE-2024-10977).
    throw unavailable(
      `${addressOf(target)} does not answer a request for TLS as PostgreSQL does. Check that it is PostgreSQL.`,
    )
  }
  if (target.tls.mode === 'prefer') return false
  throw unavailable(
    `${addressOf(target)} has no TLS, and TLS mode ${target.tls.mode} demands it. Switch ssl on in PostgreSQL, or relax the mode.`,
  )
}

async function firstBytes(socket: Socket, target: BackendTarget, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = (outcome: () => void): void => {
      socket.pause()
      socket.removeListener('data', onData).removeListener('close', onClose)
      signal.removeEventListener('abort', onAbort)
      outcome()
    }
    const onData = (chunk: Buffer): void => finish(() => resolve(chunk))
    const onClose = (): void =>
      finish(() => reject(unavailable(`${addressOf(target)} closed the connection when asked for TLS`, socket.errored)))
    const onAbort = (): void =>
      finish(() => reject(unavailable(`${addressOf(target)} did not answer in time when asked for TLS`, signal.reason)))
    socket.on('data', onData).once('close', onClose)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

async function startTls(raw: Socket, target: BackendTarget, signal: AbortSignal): Promise<Transport> {
  const { mode, ca } = target.tls
  const isVerified = mode === 'verify-ca' || mode === 'verify-full' || ca !== undefined
  const socket = connectTls({ socket: raw, ...tlsOptions(target, isVerified) })
  keepAlive(socket)
  try {
    await whileConnecting(socket, 'secureConnect', { target, signal })
  } catch (error) {
    socket.destroy()
    throw error
  }
  const tls = { protocol: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().standardName, isVerified }
  return { socket, certificate: socket.getPeerX509Certificate(), tls, isPrivate: true }
}

function tlsOptions(target: BackendTarget, isVerified: boolean): ConnectionOptions {
  const { mode, ca, serverName } = target.tls
  const name = serverName ?? target.host
  return {
    ...(ca === undefined ? {} : { ca }),
    // SNI is for names only (RFC 6066 section 3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ALPNProtocols: ['postgresql'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: isVerified,
    checkServerIdentity: (_host, certificate) =>
      mode === 'verify-full' ? checkServerIdentity(name, certificate) : undefined,
  }
}

function describe(cause: unknown): string {
  if (cause instanceof PosternError || !(cause instanceof Error)) return 'it failed'
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined
  const advice = code === undefined ? undefined : adviceByCode.get(code)
  const text = cause.message === '' ? (code ?? 'it failed') : cause.message
  return advice === undefined ? text : `${text}. ${advice}`
}

const trustAdvice = "Check that tls.ca holds the certificate of the authority that issued the server's."

const adviceByCode: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'Check host and port, that PostgreSQL runs, and its listen_addresses.'],
  ['ENOENT', 'Check the socket directory and port, and that PostgreSQL runs.'],
  ['EACCES', 'Check that the gateway runs as an account that may enter the socket directory.'],
  ['ENOTFOUND', 'Check the host name.'],
  ['EAI_AGAIN', 'Check the name server.'],
  ['EHOSTUNREACH', 'Check routes and firewalls.'],
  ['ENETUNREACH', 'Check routes and firewalls.'],
  ['ETIMEDOUT', 'Check routes and firewalls.'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'Check host and tls.serverName: the certificate is for another name.'],
  ['CERT_HAS_EXPIRED', 'The server needs a new certificate.'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', trustAdvice],
  ['UNABLE_TO_GET_ISSUER_CERT', trustAdvice],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', trustAdvice],
  ['SELF_SIGNED_CERT_IN_CHAIN', trustAdvice],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', trustAdvice],
  ['CERT_SIGNATURE_FAILURE', trustAdvice],
])
