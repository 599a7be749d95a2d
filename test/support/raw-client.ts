import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'
import { backend, decodeAuthentication, decodeBackendKeyData, decodeErrorResponse } from '../../src/wire/backend.ts'
import { type Frame, Framer } from '../../src/wire/framer.ts'
import { encodePasswordMessage } from '../../src/wire/frontend.ts'
import { encodeCancelRequest, encodeStartupMessage, protocol30, sslRequest } from '../../src/wire/startup.ts'

/** Where and how a raw client connects. */
export interface RawClientOptions {
  readonly host?: string
  readonly port: number
  /** The authority to trust; without it the connection is plain. */
  readonly ca?: string
  readonly parameters: Readonly<Record<string, string>>
  readonly password?: string
  readonly version?: number
}

/**
 * A client that sends what it is told, byte for byte, and shows what came back, message by message. For what no
 * driver would do.
 */
export class RawClient {
  readonly socket: Socket
  readonly #framer = new Framer({ messageBytesMax: 0x3fff_ffff })
  readonly #waiting: (() => void)[] = []
  /** Everything that the log-in brought, from AuthenticationOk to ReadyForQuery. */
  greeting: Frame[] = []
  isClosed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk)
      this.#wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
    socket.on('end', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  /** Opens the socket, with TLS where an authority is given, and sends nothing more. */
  static async open(options: Pick<RawClientOptions, 'host' | 'port' | 'ca'>): Promise<RawClient> {
    const plain = connectPlain({
      host: options.host ?? '127.0.0.1',
      port: options.port,
      noDelay: true,
      allowHalfOpen: true,
    })
    await once(plain, 'connect')
    if (options.ca === undefined) return new RawClient(plain)
    plain.write(sslRequest)
    const [answer] = (await once(plain, 'data')) as [Buffer]
    if (answer.toString() !== 'S') throw new Error(`no TLS: ${answer.toString()}`)
    plain.removeAllListeners('data')
    const secured = connectTls({ socket: plain, ca: options.ca, host: 'localhost', ALPNProtocols: ['postgresql'] })
    await once(secured, 'secureConnect')
    return new RawClient(secured)
  }

  /** Logs in with a cleartext password or by trust; throws with the SQLSTATE and message of a refusal. */
  static async logIn(options: RawClientOptions): Promise<RawClient> {
    const client = await RawClient.open(options)
    client.send(encodeStartupMessage(options.version ?? protocol30, Object.entries(options.parameters)))
    for (;;) {
      const message = await client.next()
      if (message === null) throw new Error('closed during log-in')
      if (message.type === backend.ErrorResponse) {
        const fields = decodeErrorResponse(message.body)
        throw new Error(`${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`)
      }
      client.greeting.push(message)
      if (message.type === backend.ReadyForQuery) return client
      if (message.type === backend.Authentication && decodeAuthentication(message.body).kind === 'CleartextPassword') {
        client.send(encodePasswordMessage(options.password ?? ''))
      }
    }
  }

  send(...messages: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(messages))
  }

  /** The next message, or null once the connection is closed and all was read. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const frame = this.#framer.next()
      if (frame !== null) return frame
      if (this.isClosed) return null
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Messages up to and including the `count`-th of `type`, or up to the end of the connection. */
  async until(type: number, count = 1): Promise<Frame[]> {
    const frames: Frame[] = []
    let left = count
    while (left > 0) {
      const frame = await this.next()
      if (frame === null) return frames
      frames.push({ ...frame, bytes: Buffer.from(frame.bytes), body: Buffer.from(frame.body) })
      if (frame.type === type) left -= 1
    }
    return frames
  }

  /** The cancel key that the log-in brought. */
  get cancelKey(): { processId: number; secretKey: Buffer } {
    const message = this.greeting.find((frame) => frame.type === backend.BackendKeyData)
    if (message === undefined) throw new Error('no BackendKeyData')
    return decodeBackendKeyData(message.body)
  }

  close(): void {
    this.socket.destroy()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Sends a CancelRequest on a connection of its own and waits until the server has closed it. */
export async function sendCancel(port: number, key: { processId: number; secretKey: Buffer }): Promise<void> {
  const client = await RawClient.open({ port })
  client.send(encodeCancelRequest(key.processId, key.secretKey))
  await client.next()
  client.close()
}
