import { createHash, randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { lstat, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { PosternError } from '../core/errors.ts'

/** What is kept between two calls of the command. */
export interface CachedToken {
  readonly token: string
  readonly expiresAtMs: number
  readonly refreshToken: string | null
}

const fileBytesMax = 256 * 1024

/** The folder for cached tokens: `$XDG_CACHE_HOME/postern`, or `~/.cache/postern`. A relative XDG path does not count. */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>>): string {
  const xdg = env['XDG_CACHE_HOME']
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(env['HOME'] ?? homedir(), '.cache'), 'postern')
}

/**
 * Tokens on disk, for this person only: a folder of mode 0700 with one file of mode 0600 per log-in. A folder or file
 * that others could read or have written is refused with `input_invalid`, not repaired: someone may have read it already.
 */
export class TokenCache {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  /** The token kept for `key` (whatever identifies the log-in), or null. */
  async read(key: string): Promise<CachedToken | null> {
    const path = this.#pathOf(key)
    if (!(await this.#isDirectoryThere())) return null
    let file: FileHandle
    try {
      // A link could point the check at one file and the read at another.
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null
      throw unsafe(path, 'it cannot be opened as a plain file', error)
    }
    try {
      const stats = await file.stat()
      checkPrivate(path, stats, 'file')
      if (stats.size > fileBytesMax) throw unsafe(path, 'it is too large')
      return parse(await file.readFile('utf8'))
    } finally {
      await file.close()
    }
  }

  /** Keeps `entry` for `key`: written beside the old one and moved over it, so that nobody sees half a file. */
  async write(key: string, entry: CachedToken): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    await this.#isDirectoryThere()
    const path = this.#pathOf(key)
    const draft = `${path}.${randomBytes(8).toString('hex')}.tmp`
    const file = await open(draft, 'wx', 0o600)
    try {
      try {
        await file.writeFile(JSON.stringify(entry))
        await file.datasync()
      } finally {
        await file.close()
      }
      await rename(draft, path)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  #pathOf(key: string): string {
    return join(this.#directory, `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`)
  }

  async #isDirectoryThere(): Promise<boolean> {
    try {
      checkPrivate(this.#directory, await lstat(this.#directory), 'folder')
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }
}

function checkPrivate(path: string, stats: Stats, wanted: 'file' | 'folder'): void {
  const isWanted = wanted === 'file' ? stats.isFile() : stats.isDirectory()
  if (!isWanted) throw unsafe(path, `it is not a plain ${wanted}`)
  // Windows has neither; its profile folders are private by default.
  if (process.getuid === undefined) return
  if (stats.uid !== process.getuid()) throw unsafe(path, 'it belongs to someone else')
  if ((stats.mode & 0o077) !== 0) throw unsafe(path, 'others may read or change it')
}

function parse(text: string): CachedToken | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // A cache that cannot be read is no cache; logging in anew replaces it.
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { token, expiresAtMs, refreshToken } = value as Partial<Record<keyof CachedToken, unknown>>
  if (typeof token !== 'string' || typeof expiresAtMs !== 'number') return null
  return { token, expiresAtMs, refreshToken: typeof refreshToken === 'string' ? refreshToken : null }
}

function unsafe(path: string, why: string, cause?: unknown): PosternError {
  return new PosternError('input_invalid', `the token cache ${path} cannot be trusted: ${why}`, {
    hint: 'Find out who changed it, delete it, and run the command again: it is made anew with safe permissions.',
    cause,
  })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
