import type { Socket } from 'node:net'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { backend, decodeErrorResponse, decodeReadyForQuery } from '../wire/backend.ts'
import { Framer } from '../wire/framer.ts'
import type { Frame } from '../wire/framer.ts'
import { encodeQuery, terminate } from '../wire/frontend.ts'
import { Reader } from '../wire/reader.ts'
import { BackendFault, BackendRefusal } from './failure.ts'

/** Rows of one result as text, NULL as null. Bytes that are not UTF-8 are U+FFFD in it. */
export type QueryRows = readonly (readonly (string | null)[])[]

/** Asks PostgreSQL what the gateway itself wants to know. One query at a time. */
export interface QueryClient {
  /**
   * Runs one text by the simple protocol and gives the rows of its last result; a statement without one gives none.
   * Rejects with `backend_unavailable` where PostgreSQL refuses it, whose cause is a BackendFault: the client can then
   * be used on. Rejects with `backend_lost` or `limit_exceeded` where the connection is gone.
   */
  readonly query: (sql: string) => Promise<QueryRows>
  /** The same for a text of several statements: the rows of each that has a row description, in order. */
  readonly queryAll: (sql: string) => Promise<readonly QueryRows[]>
  /** Says goodbye and lets go. May be called twice, and while a query is under way, which then rejects. */
  close(): void
}

/** What of a logged-in connection it takes. */
export interface QueryConnection {
  readonly socket: Socket
  readonly rest: Buffer
}

/** Bounds of a client. */
export interface QueryClientOptions {
  /** Ends the connection, and the query with it. */
  readonly signal?: AbortSignal
  /** Of one text's results, as they are on the wire. */
  readonly rowsBytesMax?: number
}

/** Takes over a connection that is logged in and idle; nobody else may use it from here on. */
export function createQueryClient(connection: QueryConnection, options: QueryClientOptions = {}): QueryClient {
  const client = new SimpleClient(connection, options)
  return {
    query: async (sql) => (await client.queryAll(sql)).at(-1) ?? [],
    queryAll: async (sql) => client.queryAll(sql),
    close: () => client.close(),
  }
}

interface Pending {
  readonly results: (string | null)[][][]
  rowsBytes: number
  refusal: PosternError | null
  resolve(results: readonly QueryRows[]): void
  reject(error: Error): void
}

class SimpleClient {
  readonly #socket: Socket
  readonly #signal: AbortSignal | undefined
  readonly #rowsBytesMax: number
  readonly #framer: Framer
  #pending: Pending | null = null
  #failure: PosternError | null = null

  constructor({ socket, rest }: QueryConnection, options: QueryClientOptions) {
    this.#socket = socket
    this.#signal = options.signal
    this.#rowsBytesMax = options.rowsBytesMax ?? limits.ownQueryRowsBytesMax
    this.#framer = new Framer({ messageBytesMax: Math.min(this.#rowsBytesMax, limits.backendHeldMessageBytesMax) })
    this.#framer.push(rest)
    socket.on('data', this.#onData).on('close', this.#onClose).on('end', this.#onClose)
    this.#signal?.addEventListener('abort', this.#onAbort)
    if (this.#signal?.aborted === true) this.#onAbort()
    else if (socket.destroyed) this.#onClose()
  }

  async queryAll(sql: string): Promise<readonly QueryRows[]> {
    if (this.#failure !== null) throw this.#failure
    if (this.#pending !== null) throw new Error('a query is under way')
    return new Promise((resolve, reject) => {
      this.#pending = { results: [], rowsBytes: 0, refusal: null, resolve, reject }
      this.#socket.write(encodeQuery(sql))
      this.#read()
      this.#socket.resume()
    })
  }

  close(): void {
    if (this.#failure !== null) return
    this.#fail(lost('it was closed'), { isPolite: true })
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#framer.push(chunk)
    this.#read()
  }

  readonly #onClose = (): void => {
    // Where PostgreSQL has said why, that is the better cause.
    this.#fail(lost('PostgreSQL closed it', this.#pending?.refusal ?? this.#socket.errored))
  }

  readonly #onAbort = (): void => {
    this.#fail(lost('the time for it is over', this.#signal?.reason))
  }

  #read(): void {
    try {
      for (let frame = this.#framer.next(); frame !== null; frame = this.#framer.next()) this.#take(frame)
    } catch (error) {
      this.#fail(error instanceof PosternError ? error : lost('an answer could not be read', error))
    }
  }

  #take(frame: Frame): void {
    const pending = this.#pending
    switch (frame.type) {
      case backend.ParameterStatus:
      case backend.NoticeResponse:
      case backend.NotificationResponse:
        return
      case backend.ErrorResponse: {
        const refusal = new BackendRefusal(decodeErrorResponse(frame.body), frame.bytes)
        // Between queries it is the server that says why it ends the connection.
        if (pending === null) throw lost(refusal.message, refusal)
        pending.refusal ??= refused(refusal)
        return
      }
      default:
        if (pending === null) throw unexpected(frame)
        this.#takeAnswer(frame, pending)
    }
  }

  #takeAnswer(frame: Frame, pending: Pending): void {
    switch (frame.type) {
      case backend.RowDescription:
        pending.results.push([])
        return
      case backend.DataRow: {
        const rows = pending.results.at(-1)
        if (rows === undefined) throw unexpected(frame)
        pending.rowsBytes += frame.bytes.length
        if (pending.rowsBytes > this.#rowsBytesMax) {
          throw new PosternError('limit_exceeded', `a query of the gateway gives more than ${this.#rowsBytesMax} bytes`)
        }
        rows.push(decodeTexts(frame.body))
        return
      }
      case backend.CommandComplete:
      case backend.EmptyQueryResponse:
        return
      case backend.ReadyForQuery:
        decodeReadyForQuery(frame.body)
        this.#pending = null
        if (pending.refusal === null) pending.resolve(pending.results)
        else pending.reject(pending.refusal)
        return
      default:
        // COPY among them, which nothing asks for here and which would wait for data.
        throw unexpected(frame)
    }
  }

  #fail(failure: PosternError, options: { readonly isPolite: boolean } = { isPolite: false }): void {
    if (this.#failure !== null) return
    this.#failure = failure
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#socket.removeListener('data', this.#onData).removeListener('close', this.#onClose)
    this.#socket.removeListener('end', this.#onClose)
    const pending = this.#pending
    this.#pending = null
    // In the middle of a query PostgreSQL would not read the goodbye.
    if (options.isPolite && pending === null && !this.#socket.destroyed) {
      const patience = setTimeout(() => this.#socket.destroy(), limits.closePatienceMs)
      patience.unref()
      this.#socket.end(terminate, () => {
        clearTimeout(patience)
        this.#socket.destroy()
      })
    } else {
      this.#socket.destroy()
    }
    pending?.reject(failure)
  }
}

function decodeTexts(body: Buffer): (string | null)[] {
  const reader = new Reader(body, 'DataRow')
  const count = reader.count16(4)
  const values: (string | null)[] = []
  for (let i = 0; i < count; i++) values.push(reader.nullable()?.toString('utf8') ?? null)
  reader.end()
  return values
}

/** PostgreSQL's own words may hold values of rows, so they are for the operator alone. */
function refused(refusal: BackendRefusal): PosternError {
  return new PosternError('backend_unavailable', `PostgreSQL refused a query of the gateway (${refusal.code})`, {
    cause: new BackendFault(`${refusal.message} (${refusal.code})`, refusal),
  })
}

function lost(reason: string, cause?: unknown): PosternError {
  return new PosternError('backend_lost', 'a connection of the gateway to PostgreSQL has ended', {
    cause: new BackendFault(reason, cause),
  })
}

function unexpected(frame: Frame): PosternError {
  return lost(`PostgreSQL sent a message of type 0x${frame.type.toString(16).padStart(2, '0')} out of turn`)
}
