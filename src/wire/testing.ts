import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { toPosternError } from '../core/errors.ts'
import { backend, decodeDataRow, decodeErrorResponse, decodeRowDescription } from './backend.ts'
import { Framer } from './framer.ts'
import type { Frame } from './framer.ts'
import { encodeBind, encodeDescribe, encodeExecute, encodeParse, sync, terminate } from './frontend.ts'

/** Start-up parameters under which PostgreSQL's text output depends on nothing but the value. */
export const plainSettings: readonly (readonly [string, string])[] = [
  ['user', 'postgres'],
  ['database', 'postgres'],
  ['client_encoding', 'UTF8'],
  ['TimeZone', 'UTC'],
]

/** For tests: a client made of the codec and a socket, and nothing else. */
export class CodecClient {
  /** What the server said to the start-up packet, up to ReadyForQuery or its refusal. */
  readonly greeting: Frame[] = []
  /** The type of the first column of the last `rows`. */
  typeOid = 0
  readonly #socket: Socket
  readonly #framer = new Framer({ messageBytesMax: 16 * 1024 * 1024 })

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Connects to the server's unix socket and sends a start-up packet. */
  static async open(socketFile: string, startup: Buffer): Promise<CodecClient> {
    const socket = connect(socketFile)
    await once(socket, 'connect')
    const client = new CodecClient(socket)
    client.greeting.push(...(await client.ask([startup])))
    return client
  }

  /** Sends, and gives all frames until ReadyForQuery or the end of the connection. */
  ask(messages: readonly Buffer[]): Promise<Frame[]> {
    return new Promise((resolve, reject) => {
      const frames: Frame[] = []
      const onEnd = () => resolve(frames)
      const onData = (chunk: Buffer) => {
        try {
          this.#framer.push(chunk)
          for (let frame = this.#framer.next(); frame !== null; frame = this.#framer.next()) frames.push(frame)
        } catch (error) {
          this.#socket.destroy()
          reject(toPosternError(error))
        }
        if (frames.at(-1)?.type !== backend.ReadyForQuery) return
        this.#socket.off('data', onData).off('end', onEnd).off('error', reject)
        resolve(frames)
      }
      this.#socket.on('data', onData).on('end', onEnd).on('error', reject)
      this.#socket.write(Buffer.concat(messages))
    })
  }

  /** Runs one statement by the extended protocol; an error of the server rejects. */
  async rows(sql: string, format: 0 | 1): Promise<(Buffer | null)[][]> {
    const frames = await this.ask([
      encodeParse({ sql }),
      encodeBind({ resultFormats: [format] }),
      encodeDescribe('P', ''),
      encodeExecute('', 0),
      sync,
    ])
    for (const frame of frames) {
      if (frame.type === backend.ErrorResponse) throw new Error(`${sql}: ${decodeErrorResponse(frame.body).get('M')}`)
      if (frame.type === backend.RowDescription) this.typeOid = decodeRowDescription(frame.body)[0]?.typeOid ?? 0
    }
    return frames.filter((frame) => frame.type === backend.DataRow).map((frame) => decodeDataRow(frame.body))
  }

  /** Ends the connection, and waits until the server has closed it. */
  async end(): Promise<void> {
    // After a refusal PostgreSQL has closed its side already.
    if (this.#socket.readableEnded) this.#socket.destroy()
    else await once(this.#socket.end(terminate), 'close')
  }
}
