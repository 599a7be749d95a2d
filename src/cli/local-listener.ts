import { createHash, timingSafeEqual } from 'node:crypto'
import { connect as connectTcp, createServer, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { PosternError, toPosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { isLoopbackHost } from '../identity/identity.ts'
import {
  authenticationCleartextPassword,
  backend,
  decodeAuthentication,
  encodeErrorResponse,
  reportOf,
} from '../wire/backend.ts'
import { Framer } from '../wire/framer.ts'
import { decodePasswordMessage, encodePasswordMessage, frontend } from '../wire/frontend.ts'
import {
  decodeStartupPacket,
  encodeCancelRequest,
  encodeStartupMessage,
  sslRequest,
  type CancelRequest,
  type StartupMessage,
} from '../wire/startup.ts'

/** Where the gateway is and how its certificate is checked. */
export interface GatewayTarget {
  readonly host: string
  readonly port: number
  /** PEM certificates to trust instead of the system's. */
  readonly tlsCa?: string | undefined
  /** `disable` is for a gateway on this machine that has its loopback exception switched on. `verify-full` unless told. */
  readonly tlsMode?: 'verify-full' | 'disable' | undefined
}

/** Where the local listener listens, and whom it connects to. */
export interface LocalListenerOptions {
  /** 0 takes a free port. */
  readonly port: number
  readonly gateway: GatewayTarget
  /** The database for tools that name none. */
  readonly database: string
  /** A current token and the name it is for; asked once per connection. */
  login(): Promise<{ readonly user: string; readonly token: string }>
  /** What tools must present; null switches that off. */
  readonly localPassword: string | null
  readonly connectionsMax?: number | undefined
  readonly startupDeadlineMs?: number | undefined
  /** Told about failed connections, for the person at the terminal. */
  report(problem: string): void
}

/** A running listener. */
export interface LocalListener {
  readonly port: number
  /** Stops listening and ends every connection. */
  close(): Promise<void>
}

/**
 * Listens on 127.0.0.1 for tools that cannot obtain a token themselves: takes their plain connection, logs in to the
 * gateway over TLS with the token, then passes bytes both ways. Fails where the port is taken.
 */
export async function startLocalListener(options: LocalListenerOptions): Promise<LocalListener> {
  checkTarget(options.gateway)
  const open = new Set<Socket>()
  const connectionsMax = options.connectionsMax ?? 100
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    // Without a listener an error event ends the process; what it means shows in whatever is being awaited.
    client.on('error', () => client.destroy())
    if (open.size >= connectionsMax) {
      refuse(client, new PosternError('too_many_connections', `there are ${connectionsMax} connections already`))
      return
    }
    open.add(client)
    client.once('close', () => open.delete(client))
    void serve(client, options)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const hint = 'Choose another port, or 0 for any that is free.'
      reject(new PosternError('input_invalid', `port ${options.port} cannot be listened on`, { cause, hint }))
    })
    server.listen(options.port, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP listener without a port')
  return {
    port: address.port,
    async close() {
      for (const client of open) client.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** One tool's connection, from its first byte until bytes flow both ways. Never fails: it tells the tool. */
async function serve(client: Socket, options: LocalListenerOptions): Promise<void> {
  const deadline = new AbortController()
  const timer = setTimeout(() => {
    deadline.abort(new PosternError('startup_timeout', 'the log-in took too long'))
  }, options.startupDeadlineMs ?? limits.startupDeadlineMs)
  client.once('close', () => deadline.abort(new PosternError('backend_lost', 'the tool closed the connection')))
  let gateway: Socket | null = null
  try {
    const tool = new MessageStream(client, deadline.signal)
    const first = await readFirstPacket(tool)
    if (first.kind === 'CancelRequest') {
      gateway = await openGateway(options.gateway, deadline.signal)
      forwardCancel(client, gateway, first)
      return
    }
    if (options.localPassword !== null) await checkLocalPassword(tool, options.localPassword)
    const { user, token } = await abortable(options.login(), deadline.signal)
    gateway = await openGateway(options.gateway, deadline.signal)
    const upstream = new MessageStream(gateway, deadline.signal)
    const parameters = new Map([['database', options.database], ...first.parameters, ['user', user]])
    gateway.write(encodeStartupMessage((first.protocolMajor << 16) | first.protocolMinor, parameters))
    if (await logIn(tool, upstream, token)) passBytes(tool, upstream)
  } catch (error) {
    const refusal = toPosternError(error)
    gateway?.destroy()
    if (!client.destroyed) options.report(refusal.message)
    refuse(client, refusal)
  } finally {
    clearTimeout(timer)
  }
}

async function readFirstPacket(tool: MessageStream): Promise<StartupMessage | CancelRequest> {
  // libpq asks for GSS and TLS once each at most.
  for (let answered = 0; answered <= 2; answered += 1) {
    const packet = decodeStartupPacket(await tool.receive((framer) => framer.nextStartupPacket()))
    if (packet.kind === 'StartupMessage' || packet.kind === 'CancelRequest') return packet
    tool.socket.write('N')
  }
  throw new PosternError('protocol_violation', 'encryption was asked for again after it was declined')
}

/** The tool may hang up as soon as it has asked; the gateway hangs up once it has passed the request on. */
function forwardCancel(client: Socket, gateway: Socket, request: CancelRequest): void {
  gateway.setTimeout(limits.startupDeadlineMs, () => gateway.destroy())
  gateway.once('close', () => client.destroy())
  gateway.end(encodeCancelRequest(request.processId, request.secretKey))
  gateway.resume()
}

async function checkLocalPassword(tool: MessageStream, expected: string): Promise<void> {
  tool.socket.write(authenticationCleartextPassword)
  const frame = await tool.receive((framer) => framer.next())
  if (frame.type !== frontend.PasswordMessage) {
    throw new PosternError('protocol_violation', 'a password was expected')
  }
  const { password } = decodePasswordMessage(frame.body)
  if (!timingSafeEqual(digest(password), digest(expected))) {
    throw new PosternError('token_untrusted', 'the local password is wrong', {
      hint: 'Use the password that `postern connect` printed when it began to listen on this port.',
    })
  }
}

/** Passes the gateway's log-in on to the tool, except that the token answers for it. False where it was refused. */
async function logIn(tool: MessageStream, upstream: MessageStream, token: string): Promise<boolean> {
  for (;;) {
    const { type, body, bytes } = await upstream.receive((framer) => framer.next())
    if (type !== backend.Authentication) {
      tool.socket.write(bytes)
      if (type === backend.ErrorResponse) {
        upstream.socket.destroy()
        hangUp(tool.socket)
        return false
      }
      continue
    }
    const authentication = decodeAuthentication(body)
    if (authentication.kind === 'Ok') {
      tool.socket.write(bytes)
      return true
    }
    if (authentication.kind !== 'CleartextPassword') {
      throw new PosternError('backend_login_failed', 'what was reached does not ask for a token', {
        hint: 'Check that the address is that of the gateway, and not of PostgreSQL itself.',
      })
    }
    upstream.socket.write(encodePasswordMessage(token))
  }
}

/** Bytes both ways with back-pressure; each side's end is passed on, and neither outlives the other. */
function passBytes(tool: MessageStream, upstream: MessageStream): void {
  const client = tool.socket
  const gateway = upstream.socket
  gateway.write(tool.takeRest())
  client.write(upstream.takeRest())
  client.once('close', () => gateway.destroySoon())
  gateway.once('close', () => client.destroySoon())
  // A server that has ended will not read either; a client that has ended still waits for its answer.
  gateway.once('end', () => gateway.destroySoon())
  client.pipe(gateway)
  gateway.pipe(client)
}

async function openGateway(target: GatewayTarget, signal: AbortSignal): Promise<Socket> {
  const { host, port, tlsCa } = target
  const socket = connectTcp({ host, port, noDelay: true, allowHalfOpen: true })
  try {
    await event(socket, 'connect', signal)
    if (target.tlsMode === 'disable') {
      socket.on('error', () => socket.destroy())
      return socket
    }
    socket.write(sslRequest)
    const answer = await event(socket, 'data', signal)
    // Bytes beyond the one would be read as if they had come through TLS.
    if (!Buffer.isBuffer(answer) || answer.length !== 1 || answer[0] !== 0x53) {
      throw new PosternError('tls_required', `${host}:${port} does not offer TLS, so no token is sent there`, {
        hint: 'Check the address of the gateway.',
      })
    }
    const secure = connectTls({
      socket,
      host,
      servername: isIP(host) === 0 ? host : '',
      ALPNProtocols: ['postgresql'],
      minVersion: 'TLSv1.2',
      ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    })
    await event(secure, 'secureConnect', signal)
    secure.on('error', () => secure.destroy())
    socket.on('error', () => secure.destroy())
    return secure
  } catch (error) {
    socket.destroy()
    if (error instanceof PosternError) throw error
    const why = error instanceof Error ? error.message : 'it failed'
    throw new PosternError('backend_unavailable', `the gateway at ${host}:${port} cannot be reached: ${why}`, {
      hint: 'Check --gateway and the network; for a certificate that is not trusted give its authority with --ca.',
      cause: error,
    })
  }
}

/** Waits for one event, in flowing mode only for as long as that takes. */
function event(socket: Socket, name: 'connect' | 'secureConnect' | 'data', signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.off(name, onEvent)
      socket.off('error', onError)
      socket.off('end', onClose)
      socket.off('close', onClose)
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (error: unknown): void => {
      done()
      // A socket that is given up may fail once more.
      socket.on('error', () => socket.destroy())
      reject(error instanceof Error ? error : new Error('the connection failed', { cause: error }))
    }
    const onEvent = (value: unknown): void => {
      if (name === 'data') socket.pause()
      done()
      resolve(value)
    }
    const onError = (error: Error): void => fail(error)
    const onClose = (): void => fail(new PosternError('backend_lost', 'the connection was closed during the log-in'))
    const onAbort = (): void => fail(signal.reason)
    socket.once(name, onEvent).once('error', onError).once('end', onClose).once('close', onClose)
    // A socket that was paused stays so until told otherwise.
    if (name === 'data') socket.resume()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
  })
}

/** Whole messages from a socket, until it is joined to another. */
class MessageStream {
  readonly socket: Socket
  readonly #signal: AbortSignal
  readonly #framer = new Framer({ messageBytesMax: limits.passwordMessageBytesMax })

  constructor(socket: Socket, signal: AbortSignal) {
    this.socket = socket
    this.#signal = signal
  }

  async receive<Message>(take: (framer: Framer) => Message | null): Promise<Message> {
    for (;;) {
      const message = take(this.#framer)
      if (message !== null) return message
      const chunk = await event(this.socket, 'data', this.#signal)
      if (Buffer.isBuffer(chunk)) this.#framer.push(chunk)
    }
  }

  takeRest(): Buffer {
    return this.#framer.takeRest()
  }
}

function abortable<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function checkTarget({ host, tlsMode }: GatewayTarget): void {
  if (tlsMode !== 'disable' || isLoopbackHost(host)) return
  throw new PosternError('input_invalid', `a token is not sent to ${host} without TLS`, {
    hint: 'Only a gateway on this machine can be reached without TLS.',
  })
}

function refuse(client: Socket, error: PosternError): void {
  if (client.destroyed) return
  client.write(encodeErrorResponse(reportOf(error, 'FATAL')))
  hangUp(client)
}

/** Ends a connection whose tool has been told why; one that does not hang up in turn is cut. */
function hangUp(client: Socket): void {
  client.end()
  client.resume()
  setTimeout(() => client.destroy(), 1_000).unref()
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
