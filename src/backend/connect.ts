import { PosternError } from '../core/errors.ts'
import {
  backend,
  decodeBackendKeyData,
  decodeErrorResponse,
  decodeNegotiateProtocolVersion,
  decodeParameterStatus,
  decodeReadyForQuery,
} from '../wire/backend.ts'
import type { TransactionStatus } from '../wire/backend.ts'
import type { Frame } from '../wire/framer.ts'
import { encodeStartupMessage, protocol30, protocol32 } from '../wire/startup.ts'
import type { ProtocolVersion } from '../wire/startup.ts'
import { authenticate } from './authenticate.ts'
import type { AuthenticationMethod } from './authenticate.ts'
import { cancelBackend } from './cancel.ts'
import type { CancelKey } from './cancel.ts'
import type { Credential } from './credential.ts'
import { BackendFault, BackendRefusal, loginFailed, unavailable } from './failure.ts'
import { MessageStream } from './message-stream.ts'
import { addressOf } from './target.ts'
import type { BackendTarget } from './target.ts'
import { openTransport } from './transport.ts'
import type { TlsFacts, Transport } from './transport.ts'

/** A connection to PostgreSQL that is logged in and ready for its first query. */
export interface BackendConnection {
  /** Paused; its only listener is one for 'error' that keeps a failure from ending the process. See `openTransport`. */
  readonly socket: Transport['socket']
  /** Bytes that came after ReadyForQuery: part of the stream, to be handled before anything read from the socket. */
  readonly rest: Buffer
  /** PostgreSQL's process id for this session, or 0 where the server (a pooler) sent no BackendKeyData. */
  readonly processId: number
  /** Bytes of the backend's own cancel key; 0 where there is none. */
  readonly cancelKeyBytes: number
  /** What the server reported, in order. */
  readonly parameterStatuses: readonly (readonly [name: string, value: string])[]
  /** Whole NoticeResponse messages, as they came. */
  readonly notices: readonly Buffer[]
  readonly protocolVersion: ProtocolVersion
  readonly transactionStatus: TransactionStatus
  readonly authentication: AuthenticationMethod
  readonly tls: TlsFacts | null
  /** Passes a cancel request on, on a connection of its own. Resolves once PostgreSQL has taken it. */
  cancel(): Promise<void>
}

/** What a log-in needs besides its target; the signal is its deadline. */
export interface ConnectOptions {
  readonly signal: AbortSignal
  readonly credential: Credential
}

/**
 * Connects to PostgreSQL and logs in with the client's start-up parameters, under the target's own role and database.
 * Asks for protocol 3.2. Rejects with `backend_unavailable` or `backend_login_failed`, whose `cause` (a BackendFault) is
 * for the operator alone, or with a BackendRefusal that is meant for the client. Leaves no socket behind when it fails.
 */
export async function connectBackend(
  target: BackendTarget,
  startup: ReadonlyMap<string, string>,
  options: ConnectOptions,
): Promise<BackendConnection> {
  const startupMessage = encodeStartupMessage(protocol32, startupParameters(target, startup))
  try {
    return await attempt(target, startupMessage, options)
  } catch (error) {
    if (!(error instanceof RejectedPassword)) throw error
    // The password may have been rotated since the credential was last read. Once only: some servers lock a role out.
    if (!(await options.credential.renew(error.password))) throw error.failure
  }
  try {
    return await attempt(target, startupMessage, options)
  } catch (error) {
    throw error instanceof RejectedPassword ? error.failure : error
  }
}

/** PostgreSQL refused a password; `failure` is what to tell if there is no newer one. */
class RejectedPassword extends Error {
  readonly failure: PosternError
  readonly password: string

  constructor(failure: PosternError, password: string) {
    super('the password was refused')
    this.failure = failure
    this.password = password
  }
}

async function attempt(
  target: BackendTarget,
  startupMessage: Buffer,
  options: ConnectOptions,
): Promise<BackendConnection> {
  const transport = await openTransport(target, options.signal)
  const stream = new MessageStream(transport.socket, options.signal)
  const login: Login = { target, transport, stream, options, notices: [], password: null }
  try {
    return await logIn(login, startupMessage)
  } catch (error) {
    stream.release()
    transport.socket.destroy()
    throw explain(error, login)
  }
}

interface Login {
  readonly target: BackendTarget
  readonly transport: Transport
  readonly stream: MessageStream
  readonly options: ConnectOptions
  readonly notices: Buffer[]
  /** What was sent, if anything: to tell a newer password from it. */
  password: string | null
}

async function logIn(login: Login, startupMessage: Buffer): Promise<BackendConnection> {
  const { target, transport, stream, options } = login
  const { credential, signal } = options
  const protocol: { version: ProtocolVersion; isSettled: boolean } = { version: protocol32, isSettled: false }
  transport.socket.write(startupMessage)

  const authentication = await authenticate({
    transport,
    role: target.role,
    scramKeys: credential.scramKeys,
    async password() {
      login.password = await beforeAbort(credential.password(), signal)
      return login.password
    },
    async nextAuthentication() {
      for (;;) {
        const frame = await nextMessage(login)
        if (frame.type === backend.Authentication) return frame.body
        if (frame.type !== backend.NegotiateProtocolVersion || protocol.isSettled) throw unexpected(frame)
        protocol.version = settledVersion(frame)
        protocol.isSettled = true
      }
    },
  })

  const parameterStatuses: [string, string][] = []
  let key: CancelKey | null = null
  for (;;) {
    const frame = await nextMessage(login)
    switch (frame.type) {
      case backend.ParameterStatus: {
        const { name, value } = decodeParameterStatus(frame.body)
        parameterStatuses.push([name, value])
        break
      }
      case backend.BackendKeyData:
        key = decodeBackendKeyData(frame.body)
        // Longer keys are what 3.2 is about; a 3.0 server that sends one is broken.
        if (protocol.version === protocol30 && key.secretKey.length !== 4) throw unexpected(frame)
        break
      case backend.ReadyForQuery:
        return {
          socket: transport.socket,
          transactionStatus: decodeReadyForQuery(frame.body).status,
          rest: stream.release(),
          processId: key?.processId ?? 0,
          cancelKeyBytes: key?.secretKey.length ?? 0,
          parameterStatuses,
          notices: login.notices,
          protocolVersion: protocol.version,
          authentication,
          tls: transport.tls,
          cancel: async () => cancelBackend(target, key),
        }
      default:
        throw unexpected(frame)
    }
  }
}

/** The next message that is neither a notice, which is kept, nor an error, which is thrown. */
async function nextMessage(login: Login): Promise<Frame> {
  for (;;) {
    const frame = await login.stream.next()
    if (frame.type === backend.ErrorResponse) throw new BackendRefusal(decodeErrorResponse(frame.body), frame.bytes)
    if (frame.type !== backend.NoticeResponse) return frame
    login.notices.push(frame.bytes)
  }
}

/** The manual, NegotiateProtocolVersion: the server's newest minor version, and the options it does not know. */
function settledVersion(frame: Frame): ProtocolVersion {
  const { version, unknownOptions } = decodeNegotiateProtocolVersion(frame.body)
  if (unknownOptions.length > 0) throw new Error('PostgreSQL refuses a protocol option that was not asked for')
  if (version < protocol30 || version > protocol32) {
    throw new Error(`PostgreSQL speaks protocol ${version >>> 16}.${version & 0xffff}, and 3.0 to 3.2 are supported`)
  }
  // 3.1 was never released and differs from 3.0 in nothing.
  return version === protocol32 ? protocol32 : protocol30
}

/**
 * The client's parameters go through in its order, so that RESET returns to them, under the target's role and database.
 * Protocol options (`_pq_.`) are between the gateway and its own peer on each side.
 */
function startupParameters(target: BackendTarget, startup: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const parameters = new Map([
    ['user', target.role],
    ['database', target.database],
  ])
  for (const [name, value] of startup) {
    if (parameters.has(name) || name.startsWith('_pq_.')) continue
    if (name === 'replication') {
      // What PostgreSQL reads as false is an ordinary session; anything else would not be made of statements.
      if (/^(f|fa|fal|fals|false|n|no|of|off|0)$/i.test(value)) continue
      throw new PosternError('feature_refused', 'replication connections are not passed on', {
        hint: 'Connect without the replication parameter.',
      })
    }
    parameters.set(name, value)
  }
  return parameters
}

/** Turns whatever ended a log-in into what `connectBackend` promises to reject with. */
function explain(error: unknown, login: Login): Error {
  const { target, options } = login
  const address = addressOf(target)
  if (error instanceof BackendRefusal) return explainRefusal(error, login)
  const isOurs = error instanceof PosternError && error.cause instanceof BackendFault
  if (isOurs) return error
  if (options.signal.aborted) return unavailable(`${address} did not finish the log-in in time`, options.signal.reason)
  if (error instanceof PosternError) {
    // A decoder's complaint is about the server here; the client has broken nothing.
    return unavailable(`${address} does not speak the protocol: ${error.message}`, error)
  }
  if (error instanceof Error) return unavailable(`the log-in at ${address} ended: ${error.message}`, error)
  return unavailable(`the log-in at ${address} ended`, error)
}

function explainRefusal(refusal: BackendRefusal, { target, password }: Login): Error {
  const { code, message } = refusal
  // Class 28 is about our credential, 3D000 about our database name: neither is of the client's making.
  if (!code.startsWith('28') && code !== '3D000') return refusal
  const said = `${addressOf(target)} refuses role ${target.role} for database ${target.database}: ${message} (${code}).`
  const failure = loginFailed(`${said} ${adviceFor(code)}`, refusal)
  // Some providers that issue short-lived passwords answer an old one with 28000 and not 28P01.
  return password !== null && code.startsWith('28') ? new RejectedPassword(failure, password) : failure
}

function adviceFor(code: string): string {
  if (code === '28P01') return 'Check the password that the credential gives, and that the role has one in PostgreSQL.'
  if (code === '3D000') return 'Check the name of the database.'
  return 'Check that pg_hba.conf lets this role in from the gateway, with or without TLS as configured.'
}

function unexpected(frame: Frame): Error {
  return new Error(`it sent a message of type 0x${frame.type.toString(16).padStart(2, '0')} out of turn`)
}

/** Gives up waiting when the signal aborts; the source has a deadline of its own. */
async function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(loginFailed('the credential did not give the password in time', signal.reason))
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
