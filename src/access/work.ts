import type { Approval, Grant, Party, RequestRecord, Revocation, SessionToken } from '../core/access.ts'
import type { StoreChanges, StoreChangeType, StoreReads } from '../core/control-store.ts'
import type { GatewayId, SessionId } from '../core/ids.ts'
import * as facts from './facts.ts'
import type { NoticeBody } from './notices.ts'
import { isFinal } from './request-machine.ts'

/** One noted change of a transaction. */
export interface Noted {
  readonly seq: number
  readonly atMs: number
  readonly type: StoreChangeType
  readonly facts: facts.Facts
  readonly notice: NoticeBody | null
}

/**
 * One transaction of access. Every write notes what it means in the same transaction, so that nothing changes without a
 * word; what it takes away is kept, to take effect before anybody has put it on record.
 */
export class Work {
  readonly #changes: StoreChanges
  readonly #gateway: GatewayId
  /** The moment that everything in this transaction is judged by. */
  readonly nowMs: number
  readonly noted: Noted[] = []
  readonly endedGrants: Grant[] = []
  readonly endedTokens: SessionToken[] = []
  readonly closedRequests: RequestRecord[] = []
  readonly revocations: Revocation[] = []

  constructor(changes: StoreChanges, { gateway, nowMs }: { gateway: GatewayId; nowMs: number }) {
    this.#changes = changes
    this.#gateway = gateway
    this.nowMs = nowMs
  }

  get reads(): StoreReads {
    return this.#changes
  }

  async openRequest(request: RequestRecord): Promise<void> {
    await this.#changes.insertRequest(request)
    await this.#note('request_opened', facts.openedFacts(request), { type: 'request_opened', request })
  }

  /** Keeps an answer, and the state that the request has by it. */
  async answerRequest(request: RequestRecord, approval: Approval, given: readonly number[]): Promise<void> {
    await this.#changes.insertApproval(approval)
    await this.#note('request_answered', facts.answeredFacts(request, approval), {
      type: 'request_answered',
      request,
      approval,
      given,
    })
    if (request.state.state !== 'pending') await this.settleRequest(request)
  }

  /** Keeps the new state of a request. */
  async settleRequest(request: RequestRecord): Promise<void> {
    await this.#changes.updateRequest(request)
    if (!isFinal(request.state)) return
    await this.#note('request_closed', facts.closedFacts(request), { type: 'request_closed', request })
    if (request.state.state !== 'used' && request.state.state !== 'granted') this.closedRequests.push(request)
  }

  async startGrant(grant: Grant): Promise<void> {
    await this.#changes.insertGrant(grant)
    const type = grant.kind === 'break_glass' ? 'break_glass_taken' : 'grant_started'
    await this.#note('grant_started', facts.grantFacts(grant), { type, grant })
  }

  async extendGrant(grant: Grant, before: Grant, request: RequestRecord): Promise<void> {
    await this.#changes.updateGrant(grant)
    await this.#note('grant_extended', facts.extendedFacts(grant, before, request), null)
  }

  /** Ends a grant, and the tokens that stand on it. */
  async endGrant(
    grant: Grant,
    { why, by, reason }: { why: 'expired' | 'revoked'; by: Party | null; reason: string | null },
  ): Promise<Grant> {
    const ended: Grant = { ...grant, ended: { atMs: this.nowMs, why, by } }
    await this.#changes.updateGrant(ended)
    await this.#note('grant_ended', facts.grantEndedFacts(ended, reason), { type: 'grant_ended', grant: ended })
    this.endedGrants.push(ended)
    const tokens = await this.#changes.tokens({ principal: grant.principal, isEnded: false })
    for (const token of tokens) if (token.grant === grant.id) await this.endToken(token, why)
    return ended
  }

  async reviewGrant(grant: Grant): Promise<void> {
    await this.#changes.updateGrant(grant)
    await this.#note('grant_reviewed', facts.reviewedFacts(grant), { type: 'grant_reviewed', grant })
  }

  async issueToken(token: SessionToken): Promise<void> {
    await this.#changes.insertToken(token)
    await this.#note('token_issued', facts.tokenFacts(token), null)
  }

  /** A single-session token has its session now; whose, the record of the session says. */
  async claimToken(token: SessionToken, session: SessionId): Promise<void> {
    await this.#changes.updateToken({ ...token, session })
  }

  async endToken(token: SessionToken, why: 'expired' | 'revoked' | 'session_ended'): Promise<void> {
    const ended: SessionToken = { ...token, ended: { atMs: this.nowMs, why } }
    await this.#changes.updateToken(ended)
    await this.#note('token_ended', facts.tokenEndedFacts(ended), null)
    this.endedTokens.push(ended)
  }

  async revokePrincipal(revocation: Revocation): Promise<void> {
    await this.#changes.insertRevocation(revocation)
    await this.#note('principal_revoked', facts.revocationFacts(revocation), null)
    this.revocations.push(revocation)
  }

  /** Sessions are on record by entries of their own. */
  async startSession(session: Parameters<StoreChanges['insertSession']>[0]): Promise<void> {
    await this.#changes.insertSession(session)
  }

  async endSession(id: SessionId, atMs: number): Promise<void> {
    await this.#changes.endSession(id, atMs)
  }

  async #note(type: StoreChangeType, said: facts.Facts, notice: NoticeBody | null): Promise<void> {
    const atMs = this.nowMs
    const seq = await this.#changes.note({ atMs, gateway: this.#gateway, type, facts: said })
    this.noted.push({ seq, atMs, type, facts: said, notice })
  }
}
