import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** What is still to be told to one receiver, as it is kept on disk. */
export interface Delivery {
  /** The same for the same event and receiver, so that being told twice does no harm. */
  readonly id: string
  readonly eventType: string
  readonly createdAtMs: number
  /** Attempts that failed so far. */
  readonly attempts: number
  readonly nextAtMs: number
  /** Why the last attempt failed; never what the receiver said. */
  readonly lastFailure: string | null
  readonly body: string
}

const fileName = /^d_[\w-]{22}\.json$/u

/** The id of telling `eventId` to `target`: 128 bits of a hash, fit for a file's name whatever the event is called. */
export function deliveryIdOf(eventId: string, target: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([target, eventId]))
    .digest('base64url')
  return `d_${hash.slice(0, 22)}`
}

/**
 * The deliveries to one receiver: one file each, of mode 0600 in a folder of mode 0700, and those given up in `dead/`
 * below. Every file is whole whenever the process or the machine stops.
 */
export class OutboxFiles {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  /** Makes the folders, and removes what an earlier process had begun to write. */
  async prepare(): Promise<void> {
    await mkdir(join(this.directory, 'dead'), { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.directory))
      if (name.startsWith('.new-')) await rm(join(this.directory, name), { force: true })
  }

  /** The ids of what waits. */
  async waiting(): Promise<readonly string[]> {
    return idsIn(await readdir(this.directory))
  }

  /** How many were given up, and how many bytes they take. */
  async dead(): Promise<{ readonly count: number; readonly bytes: number }> {
    let count = 0
    let bytes = 0
    for (const name of await readdir(join(this.directory, 'dead'))) {
      count += 1
      bytes += await sizeOf(join(this.directory, 'dead', name))
    }
    return { count, bytes }
  }

  /** The delivery of that id, or null where its file is gone or is not one of ours. */
  async read(id: string): Promise<Delivery | null> {
    try {
      return parseDelivery(id, await readFile(this.#pathOf(id), 'utf8'))
    } catch (error) {
      if (isAbsent(error)) return null
      throw error
    }
  }

  /** Writes a delivery so that it survives a power cut, and returns the bytes it takes. */
  async write(delivery: Delivery): Promise<number> {
    const text = JSON.stringify(delivery)
    const begun = join(this.directory, `.new-${randomBytes(8).toString('hex')}`)
    const file = await open(begun, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(begun, this.#pathOf(delivery.id))
    await syncDirectory(this.directory)
    return Buffer.byteLength(text)
  }

  async remove(id: string): Promise<void> {
    await rm(this.#pathOf(id), { force: true })
  }

  /** Gives a delivery up: it is kept in `dead/` until somebody takes it away. */
  async bury(id: string): Promise<void> {
    await rename(this.#pathOf(id), join(this.directory, 'dead', `${id}.json`))
    await syncDirectory(this.directory)
  }

  #pathOf(id: string): string {
    return join(this.directory, `${id}.json`)
  }
}

/** Whether a call of the file system failed since there is no such file. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function idsIn(names: readonly string[]): readonly string[] {
  return names.filter((name) => fileName.test(name)).map((name) => name.slice(0, -'.json'.length))
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isAbsent(error)) return 0
    throw error
  }
}

/** A rename is durable only once the folder is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function parseDelivery(id: string, text: string): Delivery | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  if (typeof value !== 'object' || value === null) return null
  const { eventType, createdAtMs, attempts, nextAtMs, lastFailure, body } = value as Record<string, unknown>
  if (typeof eventType !== 'string' || typeof body !== 'string') return null
  if (!isTime(createdAtMs) || !isTime(attempts) || !isTime(nextAtMs)) return null
  const failure = typeof lastFailure === 'string' ? lastFailure : null
  return { id, eventType, createdAtMs, attempts, nextAtMs, lastFailure: failure, body }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
