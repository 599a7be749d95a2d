import { noHolding, type Holding, type SessionRecord } from '../core/access.ts'
import type { AccessOnPath, AccessService } from '../core/access-service.ts'
import { PosternError } from '../core/errors.ts'
import type { SessionId, TokenId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Principal, Subject } from '../core/principal.ts'
import { Alarm } from './alarm.ts'
import { answer, withdraw } from './answering.ts'
import { ask, breakGlass } from './asking.ts'
import { Closings } from './closings.ts'
import { Feed, type FeedNews } from './feed.ts'
import { Holdings } from './holdings.ts'
import { Ledger } from './ledger.ts'
import { OpenRequests } from './open-requests.ts'
import type { AccessOptions } from './options.ts'
import * as reading from './reading.ts'
import { review, revoke } from './revoking.ts'
import { mayAnswer } from './rules.ts'
import type { Scene } from './scene.ts'
import { StatementRequests } from './statement-requests.ts'
import { Sweep } from './sweep.ts'
import { issueToken, revokeToken, scramVerifierOf, startSession, verifyToken, type TokenVerifier } from './tokens.ts'
import type { Work } from './work.ts'

export { compareWithJournal, type Difference, type JournalledChange } from './compare.ts'
export type { AccessNotice } from './notices.ts'
export type { AccessOptions, AccessSettings } from './options.ts'
export type { TokenVerifier } from './tokens.ts'

/** Requests, approvals, grants and session tokens of one gateway process. */
export interface Access extends AccessService, AccessOnPath {
  /** The principal whose session token that is. Rejects with a `token_*` code, or `store_unavailable`. */
  verifyToken(secret: string, at: { readonly nowMs: number }): Promise<Principal>
  /** What a SCRAM exchange needs that is to show the secret of that token; rejects as `verifyToken` does. */
  scramVerifierOf(id: TokenId): Promise<TokenVerifier>
  /** Whether sessions of that principal may go on: false once its session token is over; true without one. */
  isTokenGood(principal: Principal, nowMs: number): boolean
  /** Does now what timers do otherwise: takes over what others changed, and writes down what has ended. */
  sweep(): Promise<void>
  /** Withdraws what waits and stops; the store is closed by whoever opened it. */
  close(): Promise<void>
}

/**
 * Starts access on a control store: reads what is in force, puts on record what an earlier run left undone, and withdraws
 * what gateways that are gone waited for. Rejects with `store_unavailable` or `journal_unavailable`.
 */
export async function createAccess(options: AccessOptions): Promise<Access> {
  const service = new Service(options)
  try {
    await service.start()
  } catch (error) {
    service.stop()
    throw error
  }
  const scene = service.scene
  const live = (by: Principal): Principal => unrevoked(scene, by)
  return {
    roles: options.roles,
    requests: async (by, filter) => reading.requests(scene, live(by), filter),
    request: async (by, id) => reading.request(scene, live(by), id),
    mayAnswer: (by, { request, approvals }) => mayAnswer(by, { request, approvals, nowMs: scene.now() }),
    answer: async (by, id, given) => answer(scene, live(by), id, given),
    ask: async (by, wish) => ask(scene, live(by), wish),
    breakGlass: async (by, wish) => breakGlass(scene, live(by), wish),
    withdraw: async (by, id) => withdraw(scene, live(by), id),
    grants: async (by, filter) => reading.grants(scene, live(by), filter),
    revoke: async (by, wish) => revoke(scene, live(by), wish),
    review: async (by, id, said) => review(scene, live(by), id, said),
    issueToken: async (by, wish) => issueToken(scene, live(by), wish),
    revokeToken: async (by, id) => revokeToken(scene, live(by), id),
    sessions: async (by) => reading.sessions(scene, live(by)),
    holdingOf: (principal, database, nowMs) => service.holdingOf(principal, database, nowMs),
    revokedBeforeMs: (subject) => scene.holdings.revokedBeforeMs(subject),
    onChange: (listener) => service.onChange(listener),
    file: async (wish) => service.statements.file(wish),
    sessionStarted: async (session) => service.sessionStarted(session),
    sessionEnded: (id, atMs) => service.sessionEnded(id, atMs),
    verifyToken: async (secret, { nowMs }) => {
      const principal = await verifyToken(scene, secret, nowMs)
      await service.know(principal)
      return principal
    },
    scramVerifierOf: async (id) => {
      const verifier = await scramVerifierOf(scene, id, scene.now())
      await service.know(verifier.principal)
      return verifier
    },
    isTokenGood: (principal, nowMs) => service.isTokenGood(principal, nowMs),
    sweep: async () => service.sweepNow(),
    close: async () => service.close(),
  }
}

/** The caller, unless what it was verified by was issued before a revocation of it; now, where nobody knows when. */
function unrevoked(scene: Scene, by: Principal): Principal {
  const { issuedAtMs = scene.now() } = by
  if ([by, ...by.actors].every((subject) => issuedAtMs >= scene.holdings.revokedBeforeMs(subject))) return by
  throw new PosternError('access_refused', 'what was issued to you has been revoked', { hint: 'Log in again.' })
}

type Listener = (subjects: readonly Subject[] | null) => void

class Service {
  readonly scene: Scene
  readonly statements: StatementRequests
  readonly #options: AccessOptions
  readonly #now: () => number
  readonly #ledger: Ledger
  readonly #feed: Feed
  readonly #sweep: Sweep
  readonly #alarm: Alarm
  readonly #listeners = new Set<Listener>()
  /** When the store was last read, by the clock and by one that never jumps. */
  #readAt = { clockMs: -Infinity, steadyMs: -Infinity }
  #isStale = true
  #timers: NodeJS.Timeout[] = []
  #unlisten: () => void = () => undefined

  constructor(options: AccessOptions) {
    this.#options = options
    const now = options.now ?? Date.now
    this.#now = now
    this.#ledger = new Ledger(options, now, (work) => this.#takeAway(work))
    this.#feed = new Feed({ store: options.store, gateway: options.gateway, take: (news) => this.#take(news) })
    this.#alarm = new Alarm(now, () => this.#ring())
    const commit: Scene['commit'] = async (work) => this.#commit(work)
    this.scene = {
      options,
      settings: options.settings,
      roles: options.roles,
      now,
      holdings: new Holdings(),
      open: new OpenRequests(),
      closings: new Closings({
        commit,
        log: options.log,
        onDelayed: (ids) => this.statements.expireUnasked(ids),
      }),
      commit,
      isBacklogged: () => this.#ledger.size >= limits.unrecordedChangesMax,
    }
    this.statements = new StatementRequests(this.scene, (atMs) => this.#alarm.set(atMs))
    this.#sweep = new Sweep(this.scene, { ledger: this.#ledger, statements: this.statements })
  }

  async start(): Promise<void> {
    const { store } = this.#options
    await this.#sweep.touch()
    const readAt = this.#moment()
    await this.#feed.start()
    this.#wasRead(readAt)
    await this.#sweep.run()
    this.#unlisten = store.onChange(() => void this.#follow())
    this.#every(limits.accessSweepMs, () => void this.#sweepQuietly())
    // What was read has to be read again well before it is too old to count.
    const rereadMs = Math.ceil(this.#options.settings.storeStalenessMs / 4)
    if (rereadMs < limits.accessSweepMs) this.#every(rereadMs, () => void this.#follow())
    this.#every(limits.accessUnrecordedPollMs, () => {
      if (this.#feed.isWaiting) void this.#follow()
    })
  }

  holdingOf(principal: Principal, database: string, nowMs: number): Holding {
    // Asked for in any case, so that what is over at this moment is known to be.
    const holding = this.scene.holdings.holdingOf(principal, database, nowMs)
    return this.#isStaleAt(nowMs) ? noHolding : holding
  }

  isTokenGood({ sessionToken }: Principal, nowMs: number): boolean {
    if (sessionToken === undefined) return true
    return !this.#isStaleAt(nowMs) && this.scene.holdings.isTokenGood(sessionToken.id, nowMs)
  }

  onChange(listener: Listener): () => void {
    // The same function may be given twice, and each is ended by itself.
    const own: Listener = (subjects) => listener(subjects)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** Has a token in memory before its session asks what it holds: another gateway may have issued it just now. */
  async know({ sessionToken }: Principal): Promise<void> {
    if (sessionToken === undefined || this.scene.holdings.token(sessionToken.id) !== undefined) return
    await this.#catchUp()
  }

  async sessionStarted(session: Omit<SessionRecord, 'gateway' | 'endedAtMs'>): Promise<void> {
    await startSession(this.scene, { ...session, gateway: this.#options.gateway, endedAtMs: null })
    this.#tokenOf.set(session.id, session.token)
  }

  readonly #tokenOf = new Map<SessionId, TokenId | null>()

  sessionEnded(id: SessionId, atMs: number): void {
    this.statements.sessionEnded(id)
    const token = this.#tokenOf.get(id) ?? null
    this.#tokenOf.delete(id)
    if (token !== null && this.scene.holdings.token(token)?.isSingleSession === true) {
      this.#tell([this.scene.holdings.endToken(token)])
    }
    this.#sweep.sessionEnded({ id, atMs })
    void this.#quietly(async () => this.#sweep.endSessions(), 'the end of a session could not be written down yet')
  }

  async sweepNow(): Promise<void> {
    this.#ring()
    await this.#catchUp()
    await this.#sweep.run()
    await this.#catchUp()
  }

  async close(): Promise<void> {
    this.statements.close()
    const last = this.#quietly(async () => {
      await this.#sweep.endSessions()
      await this.scene.closings.drain()
    }, 'not everything was written down before the end')
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, limits.accessCloseMsMax)
    await Promise.race([last, promise])
    clearTimeout(timer)
    this.stop()
  }

  stop(): void {
    this.#unlisten()
    this.#alarm.clear()
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
    this.#listeners.clear()
  }

  async #commit<T>(work: (work: Work) => Promise<T>): Promise<T> {
    const { result, hasChanged } = await this.#ledger.commit(work)
    // It is done and on record: where memory lags behind, it holds less than it could.
    if (hasChanged) await this.#follow()
    return result
  }

  async #catchUp(): Promise<void> {
    const readAt = this.#moment()
    await this.#feed.catchUp()
    this.#wasRead(readAt)
  }

  async #follow(): Promise<void> {
    await this.#quietly(async () => this.#catchUp(), 'the control store could not be read')
  }

  async #sweepQuietly(): Promise<void> {
    this.#ring()
    await this.#quietly(async () => this.sweepNow(), 'what has ended could not be written down yet')
  }

  async #quietly(work: () => Promise<void>, what: string): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#options.log.warn({ err: error }, what)
    }
  }

  /** What a transaction took away is gone before anybody has put it on record. */
  #takeAway(work: Work): void {
    const { holdings, open } = this.scene
    const changed: (Subject | null)[] = [
      ...holdings.revoke(work.revocations),
      ...work.endedGrants.map((grant) => holdings.end(grant)),
      ...work.endedTokens.map(({ id }) => holdings.endToken(id)),
    ]
    for (const request of work.closedRequests) {
      open.put(request)
      this.statements.learn({ request, approvals: [], isOnRecord: false })
    }
    this.#tell(changed)
  }

  #take({ grants, tokens, requests, revocations }: FeedNews): void {
    const { holdings, open } = this.scene
    const changed: (Subject | null)[] = [
      ...holdings.revoke(revocations ?? []),
      ...grants.map((grant) => holdings.put(grant)),
      ...tokens.map((token) => holdings.putToken(token)),
    ]
    for (const read of requests) {
      open.put(read.request)
      this.statements.learn(read)
    }
    this.#tell(changed)
    this.#arm()
  }

  /** Something has reached its end, or may have. */
  #ring(): void {
    const nowMs = this.#now()
    this.statements.expireDue(nowMs)
    this.#tell(this.scene.holdings.endDue(nowMs))
    if (!this.#isStale && this.#isStaleAt(nowMs)) {
      this.#isStale = true
      this.#options.log.error({}, 'the control store has not been read for too long: access roles do not count')
      this.#call(null)
    }
    this.#arm()
  }

  #arm(): void {
    const staleAtMs = this.#isStale ? Infinity : this.#readAt.clockMs + this.#options.settings.storeStalenessMs
    this.#alarm.set(Math.min(this.scene.holdings.nextEndMs(), this.statements.nextDueMs(), staleAtMs))
  }

  #moment(): { clockMs: number; steadyMs: number } {
    return { clockMs: this.#now(), steadyMs: performance.now() }
  }

  #wasRead(readAt: { clockMs: number; steadyMs: number }): void {
    this.#readAt = readAt
    const wasStale = this.#isStale
    this.#isStale = false
    this.#arm()
    if (wasStale) this.#call(null)
  }

  /** By either clock; one that went back says nothing about how old a reading is, so then it is too old. */
  #isStaleAt(nowMs: number): boolean {
    const { storeStalenessMs } = this.#options.settings
    const ageMs = nowMs - this.#readAt.clockMs
    return (
      ageMs >= storeStalenessMs ||
      ageMs < -limits.clockSkewMsMax ||
      performance.now() - this.#readAt.steadyMs >= storeStalenessMs
    )
  }

  #tell(changed: readonly (Subject | null)[]): void {
    const subjects = changed.filter((subject) => subject !== null)
    if (subjects.length > 0) this.#call(subjects.map(({ issuer, subject }) => ({ issuer, subject })))
  }

  #call(subjects: readonly Subject[] | null): void {
    for (const listener of this.#listeners) {
      try {
        listener(subjects)
      } catch (error) {
        this.#options.log.error({ err: error }, 'a listener for changed access failed')
      }
    }
  }

  #every(intervalMs: number, work: () => void): void {
    const timer = setInterval(work, intervalMs)
    timer.unref()
    this.#timers.push(timer)
  }
}
