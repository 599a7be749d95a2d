import type { Socket } from 'node:net'
import { limits } from '../core/limits.ts'
import { Framer } from '../wire/framer.ts'
import type { Frame } from '../wire/framer.ts'

/**
 * Reads one message after the other during log-in. The socket flows only while a message is awaited, so at most one read
 * is held beyond it. Fails when the socket closes or the signal aborts, also for the next call if that was in between.
 */
export class MessageStream {
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #framer = new Framer({ messageBytesMax: limits.backendLoginMessageBytesMax })
  #wake: (() => void) | null = null
  #count = 0

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket
    this.#signal = signal
    socket.on('data', this.#onData).on('close', this.#onOver).on('end', this.#onOver)
    socket.pause()
    signal.addEventListener('abort', this.#onOver)
  }

  /** The next message. Its bytes stay valid. */
  async next(): Promise<Frame> {
    for (;;) {
      if (this.#signal.aborted) throw new Error('PostgreSQL did not answer in time', { cause: this.#signal.reason })
      const frame = this.#framer.next()
      if (frame !== null) {
        this.#count += 1
        if (this.#count > limits.backendLoginMessagesMax) throw new Error('PostgreSQL sends too many messages')
        return frame
      }
      if (this.#socket.destroyed || this.#socket.readableEnded) {
        throw new Error('PostgreSQL closed the connection', { cause: this.#socket.errored ?? undefined })
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#socket.resume()
      })
    }
  }

  /** Lets go of the socket, paused, and hands over the bytes that came after the last message. */
  release(): Buffer {
    this.#socket.pause()
    this.#socket.removeListener('data', this.#onData).removeListener('close', this.#onOver)
    this.#socket.removeListener('end', this.#onOver)
    this.#signal.removeEventListener('abort', this.#onOver)
    return this.#framer.takeRest()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#socket.pause()
    this.#framer.push(chunk)
    this.#onOver()
  }

  readonly #onOver = (): void => {
    const wake = this.#wake
    this.#wake = null
    wake?.()
  }
}
