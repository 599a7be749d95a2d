import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { PosternError } from '../core/errors.ts'
import { isErrno } from './key.ts'

/** The file that says who writes to a journal directory. */
export const lockName = 'journal.lock'

/** A lock of another host or container counts as left behind when it was not refreshed for this long. */
const foreignLockStaleMs = 15_000

interface Holder {
  readonly pid: number
  /** When that process started, in the kernel's ticks: tells a process from a later one with the same number. */
  readonly startTicks: string | null
  /** Host name and boot: process numbers mean something only within both. */
  readonly host: string
  readonly boot: string | null
  readonly token: string
}

/** Whether a process that runs writes to `directory` now, as far as this host can tell. */
export function isLocked(directory: string): boolean {
  const found = readHolder(join(directory, lockName))
  return found !== null && isAlive(found)
}

/**
 * Sole use of one journal directory. A lock whose process is gone is taken over; the holder notices within its next
 * `check` if the lock was taken from it, and must then stop writing.
 */
export class DirectoryLock {
  readonly #path: string
  readonly #text: string

  /** Takes the lock; fails with `journal_unavailable` where another process holds it. */
  constructor(directory: string) {
    this.#path = join(directory, lockName)
    const holder: Holder = { ...ourselves(), token: randomBytes(12).toString('base64url') }
    this.#text = `${JSON.stringify(holder)}\n`
    this.#take()
  }

  /** Refreshes the lock and throws where it is no longer ours; a lock file that was removed is made again. */
  check(nowMs: number): void {
    const text = readOrNull(this.#path)
    if (text === null) {
      this.#take()
      return
    }
    if (text !== this.#text) throw heldError(this.#path, text)
    // The time tells gateways in other containers, which cannot see our process, that we live.
    utimesSync(this.#path, nowMs / 1000, nowMs / 1000)
  }

  release(): void {
    if (readOrNull(this.#path) === this.#text) unlinkSync(this.#path)
  }

  #take(): void {
    // Written aside and linked: the lock appears whole or not at all, and never over another one.
    const aside = `${this.#path}.${randomBytes(6).toString('hex')}`
    writeFileSync(aside, this.#text, { flag: 'wx', mode: 0o600 })
    try {
      if (this.#link(aside)) return
      const text = readOrNull(this.#path)
      if (text !== null) this.#removeStale(text)
      if (!this.#link(aside)) throw heldError(this.#path, readOrNull(this.#path))
    } finally {
      unlinkSync(aside)
    }
  }

  #link(aside: string): boolean {
    try {
      linkSync(aside, this.#path)
      return true
    } catch (error) {
      if (isErrno(error, 'EEXIST')) return false
      throw error
    }
  }

  #removeStale(text: string): void {
    const found = readHolder(this.#path)
    if (found !== null && isAlive(found)) throw heldError(this.#path, text)
    const moved = `${this.#path}.${randomBytes(6).toString('hex')}`
    try {
      renameSync(this.#path, moved)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return
      throw error
    }
    // Another process may have taken over between our look and our rename: then this is its lock, and goes back.
    if (readOrNull(moved) !== text) this.#link(moved)
    unlinkSync(moved)
  }
}

function heldError(path: string, text: string | null): PosternError {
  const holder = text === null ? null : parseHolder(text)
  const who = holder === null ? 'another process' : `process ${holder.pid} on ${holder.host}`
  return new PosternError('journal_unavailable', `the journal directory is in use by ${who}`, {
    detail: `The lock is ${path}.`,
    hint: 'Give every gateway a journal directory of its own. If that process is on another host and gone, wait 15 seconds and start again.',
  })
}

function isAlive(found: { holder: Holder; refreshedMs: number }): boolean {
  const { holder, refreshedMs } = found
  const us = ourselves()
  if (holder.host !== us.host) return Date.now() - refreshedMs < foreignLockStaleMs
  if (holder.boot !== us.boot) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it runs, under another account.
    if (!isErrno(error, 'EPERM')) return false
  }
  return holder.startTicks === null || holder.startTicks === startTicksOf(holder.pid)
}

function ourselves(): Omit<Holder, 'token'> {
  return {
    pid: process.pid,
    startTicks: startTicksOf(process.pid),
    host: hostname(),
    boot: readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? null,
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); null where there is no such file system. */
function startTicksOf(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`)
  // The second field is a name in parentheses that may itself hold spaces and parentheses.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
}

function readHolder(path: string): { holder: Holder; refreshedMs: number } | null {
  const text = readOrNull(path)
  const holder = text === null ? null : parseHolder(text)
  if (holder === null) return null
  const refreshedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return refreshedMs === undefined ? null : { holder, refreshedMs }
}

function parseHolder(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null
    if (typeof value?.pid !== 'number' || typeof value.host !== 'string' || typeof value.token !== 'string') return null
    return {
      pid: value.pid,
      host: value.host,
      token: value.token,
      startTicks: value.startTicks ?? null,
      boot: value.boot ?? null,
    }
  } catch {
    // A lock file that is not ours to read (cut by a power failure) names nobody.
    return null
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return null
    throw error
  }
}
