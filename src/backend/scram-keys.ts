import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { limits } from '../core/limits.ts'
import { preparePassword } from './saslprep.ts'

/** What SCRAM-SHA-256 derives from a password (RFC 5802 section 3). As good as the password: never log one. */
export interface ScramKeys {
  readonly clientKey: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** The salt and iteration count under which a server stores a password. */
export interface ScramSalt {
  readonly salt: Buffer
  readonly iterations: number
}

/** Derives the keys anew, in the thread pool: thousands of hashes must not hold the event loop. */
export async function deriveScramKeys(password: string, { salt, iterations }: ScramSalt): Promise<ScramKeys> {
  const salted = await promisify(pbkdf2)(preparePassword(password), salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  return {
    clientKey,
    storedKey: createHash('sha256').update(clientKey).digest(),
    serverKey: createHmac('sha256', salted).update('Server Key').digest(),
  }
}

/**
 * Keeps derived keys in memory, the least recently used leaving first, so that only the first log-in of a role pays for
 * the derivation; log-ins that come together share one. Another salt, count or password is another entry.
 */
export class ScramKeyCache {
  readonly #entries = new Map<string, Promise<ScramKeys>>()
  readonly #secret = randomBytes(32)
  readonly #entriesMax: number

  constructor(entriesMax: number = limits.scramKeysMax) {
    this.#entriesMax = entriesMax
  }

  get size(): number {
    return this.#entries.size
  }

  /** The keys for a password; derived only where they are not here yet. */
  async keys(password: string, salt: ScramSalt): Promise<ScramKeys> {
    const name = createHmac('sha256', this.#secret)
      .update(`${salt.iterations},${salt.salt.toString('base64')},${password}`)
      .digest('base64')
    const known = this.#entries.get(name)
    const entry = known ?? deriveScramKeys(password, salt)
    // Setting it again makes it the youngest.
    this.#entries.delete(name)
    this.#entries.set(name, entry)
    if (this.#entries.size > this.#entriesMax) {
      const [eldest] = this.#entries.keys()
      if (eldest !== undefined) this.#entries.delete(eldest)
    }
    try {
      return await entry
    } catch (error) {
      this.#entries.delete(name)
      throw error
    }
  }

  clear(): void {
    this.#entries.clear()
  }
}
