import { partyOf, type ApprovalRequirement, type StatementRequestRecord } from '../core/access.ts'
import type { ApprovalOutcome, FiledRequest, StatementWish } from '../core/access-service.ts'
import { PosternError } from '../core/errors.ts'
import { newRequestId, type RequestId, type SessionId } from '../core/ids.ts'
import type { ReadRequest } from './feed.ts'
import { checkedReason, checkRequirements } from './inputs.ts'
import { advance } from './request-machine.ts'
import { RequestRates } from './request-rates.ts'
import { areCovered, isRevoked } from './rules.ts'
import { readAnswers, refuseBacklog, type Answers, type Scene } from './scene.ts'
import type { Work } from './work.ts'

/** A statement of this process that waits, or was approved and not let through yet. */
interface Filed {
  readonly id: RequestId
  readonly session: SessionId
  readonly dueAtMs: number
  readonly settle: (outcome: ApprovalOutcome) => void
  /** Its time is over, and the store is being asked what became of it. */
  isOver: boolean
  /** Its wait is over; what remains is to use it. */
  isSettled: boolean
  /** Somebody is using it; a second use at the same time is none. */
  isInUse: boolean
  /** Nothing may run by it any more, whatever the store says. */
  isClosed: boolean
}

/** Statements that wait for their approval on sessions of this process: one small object for each, and no timer. */
export class StatementRequests {
  readonly #scene: Scene
  readonly #filed = new Map<RequestId, Filed>()
  readonly #rates = new RequestRates()
  readonly #onDue: (atMs: number) => void

  constructor(scene: Scene, onDue: (atMs: number) => void) {
    this.#scene = scene
    this.#onDue = onDue
  }

  async file(wish: StatementWish): Promise<FiledRequest> {
    const scene = this.#scene
    checkRequirements(wish.requirements)
    const reason = checkedReason(wish.reason)
    refuseBacklog(scene)
    if (Math.max(scene.open.pending, this.#filed.size) >= scene.settings.pendingRequestsMax) throw tooMany()
    const waitingMax = scene.settings.requestsPerPrincipalMax
    this.#rates.take(wish.principal, { nowMs: scene.now(), waitingMax })
    const { promise, resolve } = Promise.withResolvers<ApprovalOutcome>()
    const createdAtMs = scene.now()
    const request: StatementRequestRecord = {
      kind: 'statement',
      id: newRequestId(),
      requester: partyOf(wish.principal),
      reason,
      requirements: wish.requirements,
      createdAtMs,
      expiresAtMs: createdAtMs + scene.settings.statementWaitMs,
      state: { state: 'pending' },
      database: wish.database,
      session: wish.session,
      gateway: scene.options.gateway,
      clientAddress: wish.clientAddress,
      applicationName: wish.applicationName,
      binding: wish.binding,
      about: wish.about,
    }
    const { id, session, expiresAtMs } = request
    const flags = { isOver: false, isSettled: false, isInUse: false, isClosed: false }
    const filed: Filed = { id, session, dueAtMs: expiresAtMs, settle: resolve, ...flags }
    // It is known here before it is in the store: whoever answers at once finds somebody waiting.
    this.#filed.set(id, filed)
    try {
      await scene.commit(async (work) => {
        await refuseTooMany(scene, work, request)
        await work.openRequest(request)
      })
    } catch (error) {
      // It may be in the store all the same, where nobody shall answer it for nothing.
      if (isHalfDone(error)) this.#close(filed, 'cancelled')
      else this.#filed.delete(id)
      throw error
    }
    this.#onDue(expiresAtMs)
    return {
      id,
      expiresAtMs,
      outcome: promise,
      use: async (now) => this.#use(filed, request, now),
      withdraw: (why) => this.#close(filed, why),
    }
  }

  /** What was read of a request; what somebody waits for is told once it is on record. */
  learn({ request, approvals, isOnRecord }: ReadRequest): void {
    const filed = this.#filed.get(request.id)
    if (filed === undefined) return
    const { state } = request
    switch (state.state) {
      case 'approved':
        if (!isOnRecord || filed.isClosed) return
        this.#settle(filed, {
          outcome: 'approved',
          approvers: approvals.filter(({ answer }) => answer === 'approve').map(({ approver }) => approver.name),
          goodUntilMs: state.goodUntilMs,
        })
        break
      case 'denied':
        this.#end(filed, { outcome: 'denied', by: state.by.name, comment: state.comment })
        break
      case 'expired':
        this.#end(filed, { outcome: 'expired' })
        break
      case 'withdrawn':
        this.#end(filed, { outcome: 'withdrawn' })
        break
      default:
    }
  }

  /** Has what is over by time closed; whoever waits is told what the store says of it, or that it expired. */
  expireDue(nowMs: number): void {
    for (const filed of this.#filed.values()) {
      if (nowMs < filed.dueAtMs || filed.isOver || filed.isSettled) continue
      filed.isOver = true
      this.#scene.closings.add({ id: filed.id, event: { type: 'expire', atMs: nowMs } })
    }
  }

  /** The store could not be asked about these, and their time is over. */
  expireUnasked(ids: readonly RequestId[]): void {
    for (const id of ids) {
      const filed = this.#filed.get(id)
      if (filed !== undefined) this.#end(filed, { outcome: 'expired' })
    }
  }

  /** When the next one that waits is over; Infinity where none waits. */
  nextDueMs(): number {
    let nextMs = Infinity
    for (const { dueAtMs, isOver, isSettled } of this.#filed.values()) {
      if (!isOver && !isSettled && dueAtMs < nextMs) nextMs = dueAtMs
    }
    return nextMs
  }

  /** Whether somebody of this process waits for it, or may still use it. */
  has(id: RequestId): boolean {
    return this.#filed.has(id)
  }

  sessionEnded(session: SessionId): void {
    for (const filed of this.#filed.values()) if (filed.session === session) this.#close(filed, 'session_ended')
  }

  close(): void {
    for (const filed of this.#filed.values()) this.#close(filed, 'session_ended')
  }

  async #use(
    filed: Filed,
    own: StatementRequestRecord,
    now: { readonly binding: string; readonly requirements: readonly ApprovalRequirement[] },
  ): Promise<boolean> {
    // What was not told to be approved is not approved on record, whatever the store says of it.
    if (!filed.isSettled || filed.isClosed || filed.isInUse) return false
    filed.isInUse = true
    const scene = this.#scene
    let used: { readonly goodUntilMs: number } | null
    try {
      used = await scene.commit(async (work) => {
        const answers = await readAnswers(work.reads, filed.id)
        if (answers === null || filed.isClosed) return null
        return useWithin(work, answers, { own, now, isRevokedHere: this.#isRevoked(own) })
      })
    } finally {
      filed.isInUse = false
    }
    this.#filed.delete(filed.id)
    if (used === null) {
      filed.isClosed = true
      return false
    }
    // Putting it on record took a while, in which the session may have gone or its time may have ended.
    const mayRun = !this.#isClosed(filed) && scene.now() < used.goodUntilMs && !this.#isRevoked(own)
    filed.isClosed = true
    return mayRun
  }

  /** A function of its own, since the compiler takes a member that it has seen to be false for false after a wait. */
  #isClosed(filed: Filed): boolean {
    return filed.isClosed
  }

  #isRevoked({ requester, createdAtMs }: StatementRequestRecord): boolean {
    const { holdings } = this.#scene
    return [requester, ...requester.actors].some((subject) => createdAtMs < holdings.revokedBeforeMs(subject))
  }

  #close(filed: Filed, why: 'cancelled' | 'client_lost' | 'session_ended' | 'policy_changed'): void {
    if (filed.isClosed) return
    this.#end(filed, { outcome: 'withdrawn' })
    this.#scene.closings.add({ id: filed.id, event: { type: 'withdraw', atMs: this.#scene.now(), why } })
  }

  #end(filed: Filed, outcome: ApprovalOutcome): void {
    filed.isClosed = true
    this.#filed.delete(filed.id)
    this.#settle(filed, outcome)
  }

  #settle(filed: Filed, outcome: ApprovalOutcome): void {
    if (filed.isSettled) return
    filed.isSettled = true
    filed.settle(outcome)
  }
}

/** Uses an approval up, or closes the request as fits; null where nothing may run by it. */
async function useWithin(
  work: Work,
  { request, standing }: Answers,
  {
    own,
    now,
    isRevokedHere,
  }: {
    own: StatementRequestRecord
    now: { readonly binding: string; readonly requirements: readonly ApprovalRequirement[] }
    isRevokedHere: boolean
  },
): Promise<{ readonly goodUntilMs: number } | null> {
  const { nowMs } = work
  if (request.kind !== 'statement' || request.state.state !== 'approved') return null
  const { goodUntilMs } = request.state
  const isSame =
    request.gateway === own.gateway &&
    request.session === own.session &&
    request.binding === own.binding &&
    now.binding === own.binding
  const isDead = isRevokedHere || isRevoked(request.requester, request.createdAtMs, await work.reads.revocations())
  const isCovered = areCovered(now.requirements, request.requirements, { approvals: standing, nowMs })
  const used = advance(request, { type: 'use', atMs: nowMs })
  if (isSame && !isDead && isCovered && used.ok) {
    await work.settleRequest(used.request)
    return { goodUntilMs }
  }
  const why = isDead ? 'session_ended' : isSame ? 'policy_changed' : 'cancelled'
  const expired = advance(request, { type: 'expire', atMs: nowMs })
  const over = expired.ok ? expired : advance(request, { type: 'withdraw', atMs: nowMs, why })
  if (over.ok) await work.settleRequest(over.request)
  return null
}

async function refuseTooMany(scene: Scene, work: Work, { requester }: StatementRequestRecord): Promise<void> {
  const { requestsPerPrincipalMax } = scene.settings
  const waiting = await work.reads.requests({ requester, states: ['pending'], limit: requestsPerPrincipalMax + 1 })
  if (waiting.length >= requestsPerPrincipalMax) throw tooManyOwn(waiting.length)
}

/** Whether something may have been written before it failed. */
function isHalfDone(error: unknown): boolean {
  return !(error instanceof PosternError) || error.code === 'store_unavailable' || error.code === 'journal_unavailable'
}

/** One principal has as many requests waiting as it may. */
export function tooManyOwn(count: number): PosternError {
  return new PosternError('limit_exceeded', `you have ${String(count)} requests waiting already`, {
    hint: 'Wait until they are answered, or withdraw some.',
  })
}

/** All principals together have. */
export function tooMany(): PosternError {
  return new PosternError('limit_exceeded', 'too many requests are waiting already', {
    hint: 'Try again later; whoever answers requests here seems to be behind.',
  })
}
