import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { backend, decodeNotificationResponse } from '../../src/wire/backend.ts'
import type { Frame } from '../../src/wire/framer.ts'
import { encodeQuery, frontend } from '../../src/wire/frontend.ts'
import { RawClient, type RawClientOptions } from './raw-client.ts'

/** How the bytes of a step are handed to the socket. */
export type Chunking = (bytes: Buffer) => readonly Buffer[]

/** How to reach a server, the same for each connection of a run. */
export interface Way {
  readonly name: string
  /** Everything of a log-in but the start-up parameters that a scenario asks for. */
  readonly options: Omit<RawClientOptions, 'parameters'>
  readonly parameters: Readonly<Record<string, string>>
  readonly chunking?: Chunking
  /** Process ids of the sessions of one run, in order of log-in. */
  readonly processIds: number[]
}

/** What a scenario may ask of a log-in. */
export interface LogInOptions {
  readonly parameters?: Readonly<Record<string, string>>
  readonly version?: number
}

const stepDeadlineMs = 10_000
const shownCharsMax = 400

/**
 * One connection that follows a scenario and writes down every message the server sends, as text that two runs of the
 * same scenario have in common, however they reached the server.
 */
export class Recorder {
  readonly client: RawClient
  readonly lines: string[]
  readonly #way: Way
  readonly #tableOids: Map<number, number>
  readonly #label: string
  readonly #others: Recorder[] = []

  private constructor(client: RawClient, way: Way, shared: Pick<Recorder, 'lines'> & { oids: Map<number, number> }) {
    this.client = client
    this.#way = way
    this.lines = shared.lines
    this.#tableOids = shared.oids
    this.#label = way.processIds.length > 1 ? `${String(way.processIds.length)}: ` : ''
  }

  /** Logs in; the greeting is the beginning of the transcript. */
  static async open(way: Way, options: LogInOptions = {}, before: Recorder | null = null): Promise<Recorder> {
    const client = await RawClient.logIn({
      ...way.options,
      ...(options.version === undefined ? {} : { version: options.version }),
      parameters: { ...way.parameters, ...options.parameters },
    })
    way.processIds.push(client.cancelKey.processId)
    const shared = before === null ? { lines: [], oids: new Map() } : { lines: before.lines, oids: before.#tableOids }
    const recorder = new Recorder(client, way, shared)
    for (const frame of client.greeting) if (frame.type !== backend.Authentication) recorder.#write(frame)
    return recorder
  }

  /** A second session over the same way; its messages go into the same transcript, with a mark. */
  async another(options: LogInOptions = {}): Promise<Recorder> {
    const other = await Recorder.open(this.#way, options, this)
    this.#others.push(other)
    return other
  }

  /** Where the server listens. */
  get port(): number {
    return this.#way.options.port
  }

  /** Sends messages, in the pieces that the run asks for. */
  async send(...messages: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(messages)
    if (this.#way.chunking === undefined) {
      this.client.send(bytes)
      return
    }
    for (const chunk of this.#way.chunking(bytes)) {
      this.client.send(chunk)
      // The other side runs in this process too and gets to read what is there.
      await turn()
    }
  }

  /** Writes down what comes up to the `count`-th message of `type`; gives up where nothing more comes. */
  async until(type: number, count = 1): Promise<readonly Frame[]> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`nothing more came ${this.#way.name} after:\n${this.lines.slice(-12).join('\n')}`))
      }, stepDeadlineMs)
    })
    try {
      return await Promise.race([this.#readUntil(type, count), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Writes down what comes until the server is ready for as many queries. */
  ready(count = 1): Promise<readonly Frame[]> {
    return this.until(backend.ReadyForQuery, count)
  }

  /** Writes down what comes until the server closes. */
  closed(): Promise<readonly Frame[]> {
    return this.until(-1)
  }

  /** Sends a Query for each text at once and reads all the answers. */
  async query(...texts: readonly (string | Buffer)[]): Promise<readonly Frame[]> {
    await this.send(...texts.map((text) => encodeQuery(text)))
    return this.ready(texts.length)
  }

  /** Sends it all at once and reads as many answers as there are Sync and Query messages. */
  async pipeline(...messages: readonly Buffer[]): Promise<readonly Frame[]> {
    await this.send(...messages)
    return this.ready(messages.filter(([type]) => type === frontend.Sync || type === frontend.Query).length)
  }

  /** Closes this session and all that were opened from it. */
  close(): void {
    this.client.close()
    for (const other of this.#others) other.close()
  }

  async #readUntil(type: number, count: number): Promise<readonly Frame[]> {
    const frames: Frame[] = []
    let left = count
    while (left > 0) {
      const frame = await this.client.next()
      if (frame === null) {
        this.lines.push(`${this.#label}(closed)`)
        return frames
      }
      this.#write(frame)
      frames.push({ ...frame, body: Buffer.from(frame.body) })
      if (frame.type === type) left -= 1
    }
    return frames
  }

  #write(frame: Frame): void {
    this.lines.push(this.#label + this.#render(frame))
  }

  #render({ type, body }: Frame): string {
    const name = nameOf(type)
    switch (type) {
      case backend.BackendKeyData:
        return `${name} (${String(body.length)} bytes)`
      case backend.RowDescription:
        return `${name} ${shown(this.#withoutOids(body))}`
      case backend.NotificationResponse: {
        const { processId, channel, payload } = decodeNotificationResponse(body)
        return `${name} from session ${String(this.#way.processIds.indexOf(processId) + 1)} ${channel} ${payload}`
      }
      default:
        return `${name} ${shown(body)}`
    }
  }

  /** Tables made in the scenario have an oid of their own in each run: these are numbered as they appear. */
  #withoutOids(body: Buffer): Buffer {
    const copy = Buffer.from(body)
    let offset = 2
    while (offset < copy.length) {
      offset = copy.indexOf(0, offset) + 1
      const oid = copy.readUInt32BE(offset)
      if (oid >= 16_384) {
        const number = this.#tableOids.get(oid) ?? this.#tableOids.size + 1
        this.#tableOids.set(oid, number)
        copy.writeUInt32BE(number, offset)
      }
      offset += 18
    }
    return copy
  }
}

/** Every byte on its own. */
export function oneByOne(bytes: Buffer): readonly Buffer[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
}

/** Pieces of random lengths, the same ones for the same seed. */
export function inRandomPieces(random: () => number): Chunking {
  return (bytes) => {
    const pieces: Buffer[] = []
    const bytesMax = Math.max(64, bytes.length / 50)
    let offset = 0
    while (offset < bytes.length) {
      const end = offset + 1 + Math.floor(random() ** 3 * bytesMax)
      pieces.push(bytes.subarray(offset, end))
      offset = end
    }
    return pieces
  }
}

/** A small generator of numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const names = new Map(Object.entries(backend).map(([name, type]) => [type as number, name]))

function nameOf(type: number): string {
  return names.get(type) ?? `type ${String(type)}`
}

function shown(body: Buffer): string {
  const text = body.toString('latin1').replaceAll('\0', '␀')
  if (text.length <= shownCharsMax) return text
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 16)
  return `${text.slice(0, 80)}… (${String(body.length)} bytes, ${hash})`
}
