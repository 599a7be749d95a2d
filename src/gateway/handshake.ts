import type { Socket } from 'node:net'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type Frame, Framer } from '../wire/framer.ts'

/**
 * Reads a client's packets one at a time until it is logged in. It keeps the socket paused but for what it waits for,
 * so that a client can send no more than the socket's own buffer ahead. Every wait ends with the signal.
 */
export class Handshake {
  readonly #socket: Socket
  readonly #signal: AbortSignal
  readonly #framer = new Framer({ messageBytesMax: limits.passwordMessageBytesMax })

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket
    this.#signal = signal
  }

  /** Bytes that arrived behind the last packet read. */
  get bufferedBytes(): number {
    return this.#framer.bufferedBytes + this.#socket.readableLength
  }

  /** The first byte the client sent, left where it is; null if it closed without sending any. */
  async peekByte(): Promise<number | null> {
    const chunk = await this.#nextChunk()
    if (chunk === null) return null
    this.#socket.unshift(chunk)
    return chunk[0] ?? null
  }

  /** The next untyped packet without its length, or null if the client closed. */
  async nextStartupPacket(): Promise<Buffer | null> {
    return this.#next(() => this.#framer.nextStartupPacket())
  }

  /** The next typed message, or null if the client closed. */
  async nextMessage(): Promise<Frame | null> {
    return this.#next(() => this.#framer.next())
  }

  /** Gives back what was read and not used, for whoever reads the socket from here on. */
  takeRest(): Buffer {
    return this.#framer.takeRest()
  }

  async #next<T>(read: () => T | null): Promise<T | null> {
    for (;;) {
      const found = read()
      if (found !== null) return found
      const chunk = await this.#nextChunk()
      if (chunk === null) return null
      this.#framer.push(chunk)
    }
  }

  #nextChunk(): Promise<Buffer | null> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd).off('error', onError)
        this.#signal.removeEventListener('abort', onAbort)
        finish()
      }
      const onReadable = (): void => {
        const chunk = socket.read() as Buffer | null
        if (chunk !== null) settle(() => resolve(chunk))
      }
      const onEnd = (): void => settle(() => resolve(null))
      const onError = (error: Error): void => settle(() => reject(error))
      const onAbort = (): void => settle(() => reject(toError(this.#signal.reason)))
      if (this.#signal.aborted) return reject(toError(this.#signal.reason))
      const ready = socket.read() as Buffer | null
      if (ready !== null) return resolve(ready)
      if (socket.readableEnded || socket.destroyed) return resolve(null)
      socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd).on('error', onError)
      this.#signal.addEventListener('abort', onAbort)
    })
  }
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new PosternError('startup_timeout', 'the log-in took too long')
}
