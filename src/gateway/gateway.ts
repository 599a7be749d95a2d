import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { TLSSocket } from 'node:tls'
import { PosternError, sqlstateOf, toPosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { partyOf, subjectKey } from '../core/access.ts'
import type { Subject } from '../core/principal.ts'
import {
  authenticationOk,
  encodeBackendKeyData,
  encodeErrorResponse,
  encodeParameterStatus,
  encodeReadyForQuery,
  reportOf,
} from '../wire/backend.ts'
import type { BearerDiscovery } from '../wire/oauth-bearer.ts'
import type { CancelRequest } from '../wire/startup.ts'
import { CancelKeys } from './cancel-keys.ts'
import { ClientGone, DiscoveryAnswered, type LoginMethod } from './ask-token.ts'
import { isRelayed, logIn, type LoggedIn } from './log-in.ts'
import { type ClientFacts, membersOf } from './record.ts'
import type { GatewayDatabase, Services } from './services.ts'
import { Session } from './session.ts'
import { type StartUp, startUp } from './start-up.ts'

/** What a gateway is told. */
export interface GatewayOptions {
  readonly address: string
  /** 0 for a free one. */
  readonly port: number
  /** Makes a connection's TLS context, read at each connection so that a renewed certificate is taken up; null for none. */
  readonly secureContext: () => SecureContext | null
  readonly allowPlaintextOnLoopback: boolean
  /** How tokens are asked for where a client does not say, and where those of OAUTHBEARER get one. */
  readonly login: LoginMethod
  readonly discovery: BearerDiscovery
  readonly databases: ReadonlyMap<string, GatewayDatabase>
  readonly expiryGraceMs: number
}

/** A gateway that listens. */
export interface Gateway {
  readonly port: number
  readonly sessionCount: number
  /** Something that access depends on has changed for these subjects, or for all: their sessions may have to end. */
  reconsider(subjects: readonly Subject[] | null): void
  /** Stops listening, ends each session when nothing of it is under way or at the deadline, and settles when all ended. */
  stop(options: { readonly deadlineMs: number }): Promise<void>
}

/** Listens for clients and takes each of them through start-up and log-in to a session. Rejects if it cannot listen. */
export async function startGateway(options: GatewayOptions, services: Services): Promise<Gateway> {
  const door = new Door(options, services)
  await door.open()
  return door
}

class Door implements Gateway {
  readonly #options: GatewayOptions
  readonly #services: Services
  readonly #server: Server
  readonly #cancelKeys = new CancelKeys<Session>()
  readonly #sessions = new Set<Session>()
  readonly #halfOpen = new Set<Socket>()
  readonly #releasing = new Set<Promise<void>>()
  /** One for all sessions: those that wait for an approval are few. */
  readonly #keepAlive: NodeJS.Timeout
  #isStopping = false

  constructor(options: GatewayOptions, services: Services) {
    this.#options = options
    this.#services = services
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket),
    )
    this.#keepAlive = setInterval(() => {
      for (const session of this.#sessions) session.keepAlive()
    }, limits.keepAliveMs).unref()
  }

  get port(): number {
    const address = this.#server.address()
    return address !== null && typeof address === 'object' ? address.port : 0
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  async open(): Promise<void> {
    this.#server.listen(this.#options.port, this.#options.address)
    await once(this.#server, 'listening')
  }

  reconsider(subjects: readonly Subject[] | null): void {
    const keys = subjects === null ? null : new Set(subjects.map(subjectKey))
    for (const session of this.#sessions) {
      const { principal } = session
      const parties = [principal, ...principal.actors]
      if (keys === null || parties.some((party) => keys.has(subjectKey(party)))) session.reconsider()
    }
  }

  async stop(options: { readonly deadlineMs: number }): Promise<void> {
    this.#isStopping = true
    this.#server.close()
    for (const socket of this.#halfOpen) socket.destroy()
    const error = new PosternError('gateway_stopping', 'terminating connection: the gateway is stopping', {
      hint: 'Connect again in a moment.',
    })
    for (const session of this.#sessions) session.endAtBoundary('gateway_stopping', error)
    const deadline = setTimeout(() => {
      for (const session of this.#sessions) session.endNow('gateway_stopping', error)
    }, options.deadlineMs)
    while (this.#sessions.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    clearTimeout(deadline)
    clearInterval(this.#keepAlive)
    await Promise.all(this.#releasing)
  }

  #accept(socket: Socket): void {
    // Stays for good: an error of a connection is never an error of the process.
    socket.on('error', () => socket.destroy())
    if (this.#isStopping) {
      socket.destroy()
      return
    }
    if (this.#halfOpen.size >= limits.halfOpenConnectionsMax) this.#dropOldestHalfOpen()
    this.#halfOpen.add(socket)
    socket.on('close', () => this.#halfOpen.delete(socket))
    void this.#admit(socket)
  }

  /** Whoever holds all places without logging in loses them one by one to those who come: they are done in no time. */
  #dropOldestHalfOpen(): void {
    const [oldest] = this.#halfOpen
    if (oldest === undefined) return
    this.#halfOpen.delete(oldest)
    oldest.destroy()
  }

  /** One client from its first byte to its session. Whatever goes wrong ends here and concerns nobody else. */
  async #admit(socket: Socket): Promise<void> {
    const deadline = new AbortController()
    const timer = setTimeout(
      () => deadline.abort(new PosternError('startup_timeout', 'the log-in took too long')),
      limits.startupDeadlineMs,
    )
    const onClose = (): void => deadline.abort(new ClientGone())
    socket.on('close', onClose)
    try {
      const secureContext = this.#options.secureContext()
      const start = await startUp(socket, { secureContext, signal: deadline.signal })
      if (start.kind === 'session') await this.#beginSession(start, deadline.signal)
      if (start.kind === 'cancel') this.#cancel(start.request, socket)
      if (start.kind !== 'session') endInTime(start.kind === 'cancel' ? start.socket : socket)
    } catch (error) {
      this.#refuseStart(socket, error)
    } finally {
      clearTimeout(timer)
      socket.off('close', onClose)
      this.#halfOpen.delete(socket)
    }
  }

  async #beginSession(start: Extract<StartUp, { kind: 'session' }>, signal: AbortSignal): Promise<void> {
    const { socket } = start
    const client = clientFacts(socket, start)
    try {
      if (start.negotiation !== null) socket.write(start.negotiation)
      if (this.#sessions.size >= limits.sessionsMax) throw tooManySessions()
      const services = this.#services
      const { databases, allowPlaintextOnLoopback, login, discovery } = this.#options
      const who = { databases, allowPlaintextOnLoopback, login, discovery }
      const loggedIn = await logIn(start, { ...who, services, client, signal })
      await this.#openSession(start, loggedIn, client)
    } catch (error) {
      this.#refuseLogIn(start, client, error)
    }
  }

  async #openSession(
    start: Extract<StartUp, { kind: 'session' }>,
    loggedIn: LoggedIn,
    client: ClientFacts,
  ): Promise<void> {
    const { socket, handshake } = start
    const { backend, role, principal, database } = loggedIn
    const session = new Session(
      {
        id: loggedIn.sessionId,
        services: this.#services,
        principal,
        database,
        client: socket,
        clientFacts: client,
        backend,
        role,
        expiryGraceMs: this.#options.expiryGraceMs,
        reason: loggedIn.reason,
      },
      () => {
        this.#sessions.delete(session)
        this.#cancelKeys.withdraw(key)
        this.#services.access?.sessionEnded(session.id, Date.now())
        this.#release(loggedIn)
      },
    )
    const key = this.#cancelKeys.issue(backend.processId, start.version, session)
    this.#sessions.add(session)
    try {
      await this.#registerSession(session, database)
      await this.#recordStart(session)
    } catch (error) {
      this.#sessions.delete(session)
      this.#cancelKeys.withdraw(key)
      backend.socket.destroy()
      this.#services.access?.sessionEnded(session.id, Date.now())
      this.#release(loggedIn)
      throw error
    }
    socket.write(
      Buffer.concat([
        authenticationOk,
        ...backend.notices,
        ...backend.parameterStatuses.map(([name, value]) => encodeParameterStatus(name, value)),
        encodeBackendKeyData(key.processId, key.secretKey),
        encodeReadyForQuery('I'),
      ]),
    )
    session.start(handshake.takeRest())
    if (this.#isStopping) {
      session.endAtBoundary('gateway_stopping', new PosternError('gateway_stopping', 'the gateway is stopping'))
    }
  }

  /** A database role that was made for the session goes with it; what cannot be dropped now is found by a sweep. */
  #release({ release, sessionId }: LoggedIn): void {
    const released = release()
      .catch((error: unknown) => {
        this.#services.log.warn({ session: sessionId, err: error }, 'a database role is left to the next sweep')
      })
      .finally(() => this.#releasing.delete(released))
    this.#releasing.add(released)
  }

  /**
   * Makes the session known to the control store. One that was let in by a token of ours has to be: the token may be good
   * for one session only. Others do not wait for it, since nothing is decided by it.
   */
  async #registerSession({ id, principal }: Session, database: GatewayDatabase): Promise<void> {
    const { access, log } = this.#services
    if (access === null) return
    const token = principal.sessionToken?.id ?? null
    const record = {
      id,
      principal: partyOf(principal),
      database: database.resource.name,
      token,
      startedAtMs: Date.now(),
    }
    const registered = access.sessionStarted(record)
    if (token !== null) return registered
    registered.catch((error: unknown) => log.warn({ session: id, err: error }, 'a session is not in the control store'))
  }

  /** No session without its entry. */
  #recordStart(session: Session): Promise<void> {
    const { journal } = this.#services
    const { authenticationMethods, tokenId, expiresAtMs } = session.principal
    const token = { expires: new Date(expiresAtMs).toISOString(), ...(tokenId === undefined ? {} : { id: tokenId }) }
    journal.append('session_started', JSON.stringify({ authenticationMethods, token }).slice(1, -1), session.members)
    return new Promise((resolve, reject) => {
      journal.commit((error) => (error === null ? resolve() : reject(error)))
    })
  }

  #refuseLogIn(start: Extract<StartUp, { kind: 'session' }>, client: ClientFacts, thrown: unknown): void {
    const { socket } = start
    if (thrown instanceof ClientGone) {
      socket.destroy()
      return
    }
    if (thrown instanceof DiscoveryAnswered) {
      endWith(socket, thrown.told)
      return
    }
    if (isRelayed(thrown)) {
      this.#recordFailure(start, client, { code: 'backend_refused', sqlstate: thrown.code })
      socket.write(thrown.raw)
      endInTime(socket)
      return
    }
    const error = this.#toTold(thrown)
    this.#recordFailure(start, client, { code: error.code, sqlstate: sqlstateOf(error.code) })
    endWith(socket, error)
  }

  #recordFailure(
    start: Extract<StartUp, { kind: 'session' }>,
    client: ClientFacts,
    why: { readonly code: string; readonly sqlstate: string },
  ): void {
    const claimed = start.parameters.get('user') ?? ''
    const database = start.parameters.get('database') ?? claimed
    const { journal } = this.#services
    // Written by whoever wants to: what is said of it is bounded.
    const short = (text: string): string => text.slice(0, limits.recordedClaimCharsMax)
    const from = { ...client, application: short(client.application) }
    const members = membersOf({ ...why, claimed: short(claimed), database: short(database), client: from })
    journal.append('login_failed', members.toString())
    journal.commit(() => undefined)
  }

  /** Something before the StartupMessage went wrong: nobody to record yet, and often nobody who speaks PostgreSQL. */
  #refuseStart(socket: Socket, thrown: unknown): void {
    if (thrown instanceof PosternError) {
      this.#services.log.debug({ code: thrown.code }, thrown.message)
      endWith(socket, thrown)
      return
    }
    socket.destroy()
  }

  #toTold(thrown: unknown): PosternError {
    const error = toPosternError(thrown)
    if (error.code === 'internal') this.#services.log.error({ err: thrown }, 'a log-in failed')
    else if (error.cause !== undefined) this.#services.log.warn({ code: error.code, err: error.cause }, error.message)
    return error
  }

  #cancel(request: CancelRequest, socket: Socket): void {
    const session = this.#cancelKeys.find(request)
    const from = { address: addressOf(socket), port: socket.remotePort ?? 0 }
    const { journal, log } = this.#services
    journal.append('cancel', membersOf({ matched: session !== null, from }).toString(), session?.members ?? null)
    journal.commit(() => {
      session?.cancel().catch((error: unknown) => log.warn({ session: session.id, err: error }, 'a cancel failed'))
    })
  }
}

function endWith(socket: Socket, error: PosternError): void {
  if (!socket.writable) return
  socket.write(encodeErrorResponse(reportOf(error, 'FATAL')))
  endInTime(socket)
}

/** Closes a connection that is done with. One that is not closed from the other side as well is cut. */
function endInTime(socket: Socket): void {
  socket.end()
  // Its end is only seen if it is read.
  socket.resume()
  setTimeout(() => socket.destroy(), limits.refusalPatienceMs).unref()
}

function clientFacts(socket: Socket, start: Extract<StartUp, { kind: 'session' }>): ClientFacts {
  const tls =
    socket instanceof TLSSocket ? { version: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name } : null
  const application = start.parameters.get('application_name') ?? ''
  return { address: addressOf(socket), port: socket.remotePort ?? 0, application, tls }
}

/** The peer's address; an IPv4 one in IPv4 form also where the listener is IPv6. */
function addressOf(socket: Socket): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '')
}

function tooManySessions(): PosternError {
  return new PosternError('too_many_connections', 'this gateway serves as many sessions as it is allowed to', {
    hint: 'Close some, or ask whoever runs the gateway.',
  })
}
