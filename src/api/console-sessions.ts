import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { subjectKey } from '../core/access.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'

/** One browser's log-in. The token stays here; the browser has only the id. */
export interface ConsoleSession {
  readonly subject: string
  /** Verified anew at every use, so that a withdrawn key or token ends the session. */
  readonly token: string
  /** What a form has to bring along to show that it is from a page of this session. */
  readonly csrf: string
  readonly startedAtMs: number
  readonly endsAtMs: number
}

/** The console sessions of this process, by the hash of their id: whoever reads them out cannot use one. */
export class ConsoleSessions {
  readonly #lifetimeMs: number
  readonly #sessions = new Map<string, ConsoleSession>()

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs
  }

  /**
   * Opens a session that ends with the identity token or at the configured age; returns the id for the cookie. Always a
   * fresh one, so that nobody can plant an id that they know. Fails with `limit_exceeded` where there are too many.
   */
  open(login: { readonly principal: Principal; readonly token: string }, nowMs: number): string {
    const subject = subjectKey(login.principal)
    this.#makeRoom(subject, nowMs)
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(keyOf(id), {
      subject,
      token: login.token,
      csrf: randomBytes(32).toString('base64url'),
      startedAtMs: nowMs,
      endsAtMs: Math.min(login.principal.expiresAtMs, nowMs + this.#lifetimeMs),
    })
    return id
  }

  /** The session of that id; null where there is none any more. */
  find(id: string, nowMs: number): ConsoleSession | null {
    const key = keyOf(id)
    const session = this.#sessions.get(key)
    if (session === undefined) return null
    if (nowMs < session.endsAtMs) return session
    this.#sessions.delete(key)
    return null
  }

  end(id: string): void {
    this.#sessions.delete(keyOf(id))
  }

  #makeRoom(subject: string, nowMs: number): void {
    const own: string[] = []
    for (const [key, session] of this.#sessions) {
      if (nowMs >= session.endsAtMs) this.#sessions.delete(key)
      else if (session.subject === subject) own.push(key)
    }
    // Insertion order is age.
    const surplus = own.length + 1 - limits.consoleSessionsPerPrincipalMax
    for (const key of own.slice(0, Math.max(0, surplus))) this.#sessions.delete(key)
    if (this.#sessions.size < limits.consoleSessionsMax) return
    throw new PosternError('limit_exceeded', 'nobody else can log in now: too many people are logged in', {
      hint: 'Try again in a while, or use the command line: postern requests.',
    })
  }
}

/** Compares secrets in a time that tells nothing of them. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected))
}

function keyOf(id: string): string {
  return digestOf(id).toString('base64url')
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
