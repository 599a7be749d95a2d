import { PosternError, sqlstateOf, toPosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { SessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { encodeErrorResponse, encodeParameterStatus, reportOf } from '../wire/backend.ts'
import { terminate } from '../wire/frontend.ts'
import { BackendMessages } from './backend-messages.ts'
import { BackendStream } from './backend-stream.ts'
import { ClientStream } from './client-stream.ts'
import { Exchange } from './exchange.ts'
import { FrontendMessages } from './frontend-messages.ts'
import type { OutgoingBatch } from './outgoing-batch.ts'
import { outcomeMembers, sessionMembers } from './record.ts'
import { refusalOf } from './refusal.ts'
import { SessionAccess } from './session-access.ts'
import type { SessionParts } from './session-parts.ts'
import {
  armExpiry,
  Cancelling,
  cancelPatienceMs,
  cancelWhatIsOver,
  destroyInTime,
  goneOf,
  type SessionEnd,
  uncancelled,
} from './session-end.ts'
import { protectSession } from './session-protection.ts'
import { StatementWay } from './statement.ts'
import type { StatementContext } from './statement-parts.ts'

/** Bytes a client may have on their way to the journal before it is read no further. */
const unrecordedBytesMax = 1024 * 1024

/**
 * One authenticated connection, from start to end. It joins the two streams, keeps their pace in step with the slower
 * side, and ends in good order whatever ends first: client, PostgreSQL, token or gateway.
 */
export class Session {
  readonly id: SessionId
  readonly #parts: SessionParts
  readonly #exchange: Exchange
  readonly #cancelling: Cancelling
  readonly #access: SessionAccess
  readonly #way: StatementWay
  readonly #clientStream: ClientStream
  readonly #backendStream: BackendStream
  readonly #backendMessages: BackendMessages
  readonly #context: { -readonly [Key in keyof StatementContext]: StatementContext[Key] }
  readonly #startedAtMs = Date.now()
  readonly #onEnded: () => void
  #expiry: { readonly disarm: () => void } | null = null
  #unrecordedBatches = 0
  #unrecordedBytes = 0
  #discardedBytes = 0
  #isBackendFull = false
  #hasClientFinished = false
  #fatalSqlstate: string | null = null
  /** Set once nothing more is taken from the client; at the next boundary, or when what a held message follows is over. */
  #ending: { readonly how: SessionEnd; readonly error: PosternError; readonly wasWaiting: boolean } | null = null
  #isStarted = false
  #isOver = false
  constructor(parts: SessionParts, onEnded: () => void) {
    const { services, principal, database, clientFacts } = parts
    this.id = parts.id
    this.#parts = parts
    this.#onEnded = onEnded
    this.#exchange = new Exchange(parts.role)
    this.#cancelling = new Cancelling(() => parts.backend.cancel())
    for (const [name, value] of parts.backend.parameterStatuses) this.#exchange.settings.report(name, value)
    const { names, settings } = this.#exchange
    const waitFor = (promise: Promise<unknown>): void => {
      promise.then(
        () => this.#resumeClient(),
        (error: unknown) => this.#crash(error),
      )
    }
    this.#access = new SessionAccess({
      ...parts,
      clientAddress: clientFacts.address,
    })
    const { holding } = this.#access
    const protection = protectSession({
      database,
      principal,
      policy: services.policy,
      holding,
      exchange: this.#exchange,
      facts: () => this.#way.sessionFacts(),
      send: (message) => this.#send([message]),
      waitFor,
    })
    this.#context = {
      principal,
      holding,
      database,
      client: { address: clientFacts.address, isTls: clientFacts.tls !== null },
      names,
      settings,
      members: this.#encodeMembers(),
      protection,
    }
    this.#way = new StatementWay(services, this.#context)
    const approvals = this.#access.openApprovals({
      way: this.#way,
      exchange: this.#exchange,
      processId: parts.backend.processId,
      waitFor,
      tell: (message) => this.#tell(message),
    })
    const messages = new FrontendMessages(this.#exchange, { way: this.#way, waitFor, approvals })
    this.#clientStream = new ClientStream(messages, {
      forward: (batch) => this.#forward(batch),
      fail: (error) => this.#endWith('protocol_violation', error),
      terminated: () => {
        this.#hasClientFinished = true
        if (this.#access.isWaiting) this.#finishClient()
      },
      isWaiting: () => this.#access.isWaiting,
    })
    this.#backendMessages = new BackendMessages(this.#exchange, {
      journal: services.journal,
      members: outcomeMembers(parts.id, principal),
      news: {
        sessionChanged: () => {
          this.#context.members = this.#encodeMembers()
        },
        fatal: (sqlstate) => {
          this.#fatalSqlstate = sqlstate
        },
      },
      guard: protection,
    })
    this.#backendStream = new BackendStream(this.#backendMessages, {
      deliver: (bytes) => this.#deliver(bytes),
    })
  }

  get members(): Buffer {
    return this.#context.members
  }
  get principal(): Principal {
    return this.#parts.principal
  }

  /** Begins to relay. `rest` is what the client sent behind its log-in. */
  start(rest: Buffer): void {
    const { client, backend } = this.#parts
    client.on('data', (chunk: Buffer) => this.#receiveFromClient(chunk))
    client.on('drain', () => backend.socket.resume())
    client.on('end', () => this.#finishClient())
    client.on('error', () => client.destroy())
    client.on('close', () => this.#close('client_lost'))
    backend.socket.on('data', (chunk: Buffer) => this.#receiveFromBackend(chunk))
    backend.socket.on('drain', () => {
      this.#isBackendFull = false
      this.#paceClient()
    })
    backend.socket.on('end', () => this.#backendClosed())
    backend.socket.on('error', () => backend.socket.destroy())
    backend.socket.on('close', () => this.#backendClosed())
    const { principal, expiryGraceMs } = this.#parts
    this.#expiry = armExpiry(principal.expiresAtMs, expiryGraceMs, {
      due: (error) => this.endAtBoundary('expired', error),
      over: (error) => this.endNow('expired', error),
    })
    // What it was let in by may have ended while PostgreSQL was asked for a connection.
    this.#isStarted = true
    this.reconsider()
    if (this.#isOver) return
    if (backend.rest.length > 0) this.#receiveFromBackend(backend.rest)
    backend.socket.resume()
    if (rest.length > 0) this.#receiveFromClient(rest)
    client.resume()
  }

  /** Ends the wait for an approval, or else asks PostgreSQL to cancel what the session runs. */
  async cancel(): Promise<void> {
    if (!this.#access.cancel() || !this.#exchange.isStalled) await this.#cancelling.request()
  }

  /** Takes nothing more from the client and ends the session as soon as nothing is under way. */
  endAtBoundary(how: SessionEnd, error: PosternError): void {
    if (this.#ending !== null || this.#isOver) return
    this.#ending = { how, error, wasWaiting: this.#access.isWaiting }
    this.#clientStream.stop()
    this.#access.end('session_ended')
    this.#endIfIdle()
  }

  /** Ends the session now: a running statement is cancelled, and the connection cut if that does not help soon. */
  endNow(how: SessionEnd, error: PosternError): void {
    this.endAtBoundary(how, error)
    if (this.#isOver) return
    this.cancel().catch((cause: unknown) => this.#parts.services.log.warn(...uncancelled(this.id, cause)))
    setTimeout(() => this.#endWith(how, error), cancelPatienceMs).unref()
  }

  /** Something that access depends on has changed: the session may have to end, or what it runs. */
  reconsider(): void {
    if (!this.#isStarted || this.#isOver || this.#ending !== null) return
    const { expiryGraceMs } = this.#parts
    const error = this.#access.whyNot(this.#way.sessionFacts(), Date.now())
    if (error !== null) {
      this.endAtBoundary('access_ended', error)
      if (!this.#isOver) setTimeout(() => this.endNow('access_ended', error), expiryGraceMs).unref()
      return
    }
    if (this.#access.isWaiting) this.#resumeClient()
    cancelWhatIsOver({
      exchange: this.#exchange,
      way: this.#way,
      graceMs: expiryGraceMs,
      cancel: (warning) => {
        if (this.#isOver) return
        this.#tell(warning)
        this.#cancelling
          .request()
          .catch((cause: unknown) => this.#parts.services.log.warn(...uncancelled(this.id, cause)))
      },
    })
  }

  /** Keeps what lies between from taking the connection of a waiting statement for idle. Clients take no notice of it. */
  keepAlive(): void {
    if (this.#isOver || !this.#access.isWaiting) return
    this.#tell(encodeParameterStatus('application_name', this.#exchange.settings.application))
  }

  #receiveFromClient(chunk: Buffer): void {
    try {
      this.#clientStream.receive(chunk)
    } catch (error) {
      this.#crash(error)
    }
    this.#paceClient()
  }

  #resumeClient(): void {
    if (this.#isOver) return
    try {
      this.#clientStream.resume()
    } catch (error) {
      this.#crash(error)
    }
    this.#paceClient()
    if (this.#hasClientFinished) this.#finishClient()
  }

  /** Sends a batch once what it asks for is on record; one behind another, also those that ask for nothing. */
  #forward(batch: OutgoingBatch): void {
    const { buffers } = batch
    if (buffers.length === 0) return
    if (!batch.carriesStatements && this.#unrecordedBatches === 0) return this.#send(buffers)
    let bytes = 0
    for (const buffer of buffers) bytes += buffer.length
    this.#unrecordedBatches += 1
    this.#unrecordedBytes += bytes
    this.#parts.services.journal.commit((error) => {
      this.#unrecordedBatches -= 1
      this.#unrecordedBytes -= bytes
      if (this.#isOver) return
      if (error === null) this.#send(buffers)
      else this.#send(batch.refused(() => refusalOf(error)))
      this.#paceClient()
      if (this.#hasClientFinished) this.#finishClient()
    })
  }

  #send(buffers: readonly Buffer[]): void {
    const { socket } = this.#parts.backend
    if (!socket.writable) return
    let isRoomLeft = true
    if (buffers.length > 1) socket.cork()
    for (const buffer of buffers) isRoomLeft = socket.write(buffer)
    if (buffers.length > 1) socket.uncork()
    if (!isRoomLeft) {
      this.#isBackendFull = true
      this.#paceClient()
    }
  }

  /** Reads from the client only while what it sends can go somewhere. */
  #paceClient(): void {
    const { client } = this.#parts
    const { isHeld, bufferedBytes } = this.#clientStream
    // While a person is waited for, the client is read, within bounds: else its end would go unnoticed.
    const isWaiting = isHeld && !(this.#access.isWaiting && bufferedBytes < limits.waitingInputBytesMax)
    if (this.#isBackendFull || isWaiting || this.#unrecordedBytes > unrecordedBytesMax) client.pause()
    else client.resume()
  }

  #receiveFromBackend(chunk: Buffer): void {
    if (this.#isOver) return this.#discard(chunk)
    try {
      this.#backendStream.receive(chunk)
    } catch (error) {
      return this.#crash(error)
    }
    if (this.#clientStream.isHeld) this.#resumeClient()
    if (this.#ending !== null) this.#endIfIdle()
  }

  /** PostgreSQL may finish what it was told, but a result that nobody reads it need not send to its end. */
  #discard(chunk: Buffer): void {
    this.#discardedBytes += chunk.length
    if (this.#discardedBytes > limits.discardedBytesMax) this.#parts.backend.socket.destroy()
  }

  /** A message of the gateway's own goes to the client, between two of PostgreSQL's. */
  #tell(message: Buffer): void {
    if (!this.#isOver) this.#backendStream.tell(message)
  }

  #deliver(bytes: Buffer): void {
    const { client, backend } = this.#parts
    if (client.writable && !client.write(bytes)) backend.socket.pause()
  }

  /** The client will send no more; it still gets its answers, as from PostgreSQL itself. */
  #finishClient(): void {
    this.#hasClientFinished = true
    if (this.#access.isWaiting) return this.#close('client_lost')
    if (this.#clientStream.isHeld || this.#unrecordedBatches > 0) return
    this.#parts.backend.socket.end()
  }

  #backendClosed(): void {
    if (this.#isOver) return
    if (this.#ending !== null) return this.#endWith(this.#ending.how, this.#ending.error)
    if (this.#hasClientFinished) return this.#close('client_terminated')
    if (this.#fatalSqlstate !== null) return this.#close('backend_closed')
    this.#endWith(
      'backend_lost',
      new PosternError('backend_lost', 'the connection to PostgreSQL was lost', {
        hint: 'Connect again; if it happens again, whoever runs the database should look at its log.',
      }),
    )
  }

  #endIfIdle(): void {
    const { isIdle, isStalled } = this.#exchange
    if (this.#ending === null || !(this.#ending.wasWaiting ? isStalled : isIdle) || this.#unrecordedBatches > 0) return
    this.#endWith(this.#ending.how, this.#ending.error)
  }

  /** Says goodbye where a goodbye can be understood, and closes. */
  #endWith(how: SessionEnd, error: PosternError): void {
    if (this.#isOver) return
    const { client } = this.#parts
    if (!this.#backendStream.isInsideMessage && client.writable) {
      client.write(encodeErrorResponse(reportOf(error, 'FATAL')))
    }
    this.#close(how, sqlstateOf(error.code))
  }

  #close(how: SessionEnd, sqlstate: string | null = this.#fatalSqlstate): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#expiry?.disarm()
    this.#clientStream.stop()
    this.#access.end(how === 'client_lost' ? 'client_lost' : 'session_ended')
    const { client, backend, services } = this.#parts
    const gone = goneOf(backend.socket)
    this.#context.protection?.underWay.close(gone)
    this.#backendMessages.abandon()
    this.#context.protection?.catalog.close(gone)
    backend.socket.resume()
    const reason = how === 'client_lost' && this.#hasClientFinished ? 'client_terminated' : how
    const ended = {
      end: reason,
      ...(sqlstate === null ? {} : { sqlstate }),
      durationMs: Date.now() - this.#startedAtMs,
    }
    services.journal.append('session_ended', JSON.stringify(ended).slice(1, -1), this.#context.members)
    services.journal.commit(() => this.#onEnded())
    if (backend.socket.writable) backend.socket.end(terminate)
    client.end()
    destroyInTime(backend.socket)
    destroyInTime(client)
  }

  /** A bug, or an answer of PostgreSQL that fits nothing: nothing of this session can be trusted any more. */
  #crash(thrown: unknown): void {
    const error = toPosternError(thrown)
    const { log } = this.#parts.services
    if (error.code === 'internal') log.error({ session: this.id, err: thrown }, 'a session failed')
    else log.warn({ session: this.id, code: error.code }, error.message)
    this.#endWith('protocol_violation', error)
  }

  #encodeMembers(): Buffer {
    const { id, principal, database, clientFacts, reason } = this.#parts
    const client = { ...clientFacts, application: this.#exchange.settings.application }
    return sessionMembers({ session: id, principal, client, database: database.resource.name, reason })
  }
}
