import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { clientFinal, clientFirst, readServerFirst, type ClientFirst } from '../src/backend/scram.ts'
import { ScramKeyCache } from '../src/backend/scram-keys.ts'
import { backend, decodeAuthentication, decodeErrorResponse } from '../src/wire/backend.ts'
import {
  encodeBind,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodePasswordMessage,
  encodeQuery,
  encodeSASLInitialResponse,
  encodeSASLResponse,
  sync,
  terminate,
} from '../src/wire/frontend.ts'
import { encodeStartupMessage, protocol30 } from '../src/wire/startup.ts'
import type { Contender } from './contenders.ts'
import { databaseName } from './fill.ts'

const headerBytes = 5
/** Derived once for all log-ins, so that the load generator is not what is measured. */
const scramKeys = new ScramKeyCache()

/** A client that costs little: it counts the bytes of results and throws them away. */
export class WireClient {
  readonly #contender: Contender
  readonly #socket: Socket
  readonly #head = Buffer.alloc(headerBytes)
  #headBytes = 0
  #type = 0
  #bodyLeft = 0
  /** The body of a message that is read and not just counted. */
  #body: Buffer[] | null = null
  #bytes = 0
  #error: Error | null = null
  #ready: { resolve(): void; reject(error: Error): void } | null = null
  #scram: ClientFirst | null = null

  private constructor(contender: Contender) {
    this.#contender = contender
    this.#socket = connect({
      host: '127.0.0.1',
      port: contender.port,
      noDelay: true,
      // One buffer for all reads: what arrives is never kept.
      onread: {
        buffer: Buffer.allocUnsafeSlow(256 * 1024),
        callback: (count, buffer) => {
          this.#receive(Buffer.from(buffer.buffer, buffer.byteOffset, count))
          return true
        },
      },
    })
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error(`${contender.name} closed the connection`)))
  }

  /** Connects and logs in; rejects with what the server said. */
  static async logIn(contender: Contender): Promise<WireClient> {
    const client = new WireClient(contender)
    const parameters = [
      ['user', contender.user],
      ['database', databaseName],
    ] as const
    await client.#untilReady(encodeStartupMessage(protocol30, parameters))
    return client
  }

  /** Runs a text by the simple protocol and returns how many bytes came back. */
  async query(sql: string): Promise<number> {
    const before = this.#bytes
    await this.#untilReady(encodeQuery(sql))
    return this.#bytes - before
  }

  /** Prepares a statement. */
  async prepare(name: string, sql: string): Promise<void> {
    await this.#untilReady(Buffer.concat([encodeParse({ name, sql }), sync]))
  }

  /** Runs a prepared statement with the four messages that libpq sends. */
  execute(name: string, parameters: readonly string[]): Promise<void> {
    const bind = encodeBind({ statement: name, parameters: parameters.map((text) => Buffer.from(text)) })
    return this.#untilReady(Buffer.concat([bind, encodeDescribe('P', ''), encodeExecute('', 0), sync]))
  }

  /** Says goodbye and waits until the connection is closed. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
    this.#socket.end(terminate)
    await closed
  }

  #untilReady(message: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#ready = { resolve, reject }
      this.#socket.write(message)
    })
  }

  #fail(error: Error): void {
    this.#ready?.reject(error)
    this.#ready = null
  }

  #receive(chunk: Buffer): void {
    this.#bytes += chunk.length
    let at = 0
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const end = Math.min(chunk.length, at + this.#bodyLeft)
        if (this.#body !== null) this.#body.push(Buffer.from(chunk.subarray(at, end)))
        this.#bodyLeft -= end - at
        at = end
      } else if (this.#headBytes === 0 && chunk.length - at >= headerBytes) {
        this.#begin(chunk[at] ?? 0, chunk.readUInt32BE(at + 1))
        at += headerBytes
      } else {
        const taken = chunk.copy(this.#head, this.#headBytes, at, at + headerBytes - this.#headBytes)
        this.#headBytes += taken
        at += taken
        if (this.#headBytes < headerBytes) return
        this.#headBytes = 0
        this.#begin(this.#head[0] ?? 0, this.#head.readUInt32BE(1))
      }
      if (this.#bodyLeft === 0) this.#finish()
    }
  }

  #begin(type: number, length: number): void {
    this.#type = type
    this.#bodyLeft = length - 4
    const isRead = type === backend.Authentication || type === backend.ErrorResponse
    this.#body = isRead ? [] : null
  }

  #finish(): void {
    const body = this.#body === null ? null : Buffer.concat(this.#body)
    if (body !== null && this.#type === backend.Authentication) this.#authenticate(body)
    if (body !== null && this.#type === backend.ErrorResponse) {
      const fields = decodeErrorResponse(body)
      this.#error = new Error(`${this.#contender.name}: ${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`)
      if (fields.get('V') === 'FATAL') this.#fail(this.#error)
    }
    if (this.#type !== backend.ReadyForQuery) return
    const ready = this.#ready
    this.#ready = null
    if (this.#error === null) ready?.resolve()
    else ready?.reject(this.#error)
    this.#error = null
  }

  #authenticate(body: Buffer): void {
    const request = decodeAuthentication(body)
    switch (request.kind) {
      case 'CleartextPassword':
        this.#socket.write(encodePasswordMessage(this.#contender.password))
        return
      case 'SASL':
        this.#scram = clientFirst({ kind: 'unsupported' }, { nonce: randomBytes(18).toString('base64') })
        this.#socket.write(encodeSASLInitialResponse('SCRAM-SHA-256', this.#scram.message))
        return
      case 'SASLContinue':
        this.#continueScram(request.data).catch((error: unknown) => this.#fail(error as Error))
        return
      default:
    }
  }

  async #continueScram(data: Buffer): Promise<void> {
    const first = this.#scram
    if (first === null) throw new Error(`${this.#contender.name} went on with a SCRAM exchange that nobody began`)
    const challenge = readServerFirst(data, first)
    const keys = await scramKeys.keys(this.#contender.password, challenge)
    this.#socket.write(encodeSASLResponse(clientFinal(first, challenge, keys).message))
  }
}
