import type {
  AccessRole,
  Approval,
  ApprovalChannel,
  Grant,
  GrantReview,
  Holding,
  RequestRecord,
  SessionRecord,
  StatementFacts,
} from './access.ts'
import type { ApprovalRequirement } from './access.ts'
import type { GrantFilter, RequestFilter } from './control-store.ts'
import type { GrantId, RequestId, SessionId, TokenId } from './ids.ts'
import type { Principal, Subject } from './principal.ts'

/** A request with what was answered to it. */
export interface AnsweredRequest {
  readonly request: RequestRecord
  readonly approvals: readonly Approval[]
  /** Per requirement, in their order: how many yeses count now. */
  readonly given: readonly number[]
}

/** What somebody asks for. */
export interface RoleWish {
  readonly role: string
  readonly durationMs: number
  readonly reason: string | null
  /** The own grant that is to last longer. */
  readonly extends?: GrantId
}

/** Which grants are to end; with several members, those that fit all. At least one is needed. */
export interface RevocationWish {
  readonly grant?: GrantId
  /** The principal's name. */
  readonly principal?: string
  readonly role?: string
  readonly reason: string
  /** Also kills what was issued to the principal so far: tokens and sessions. Needs `principal` alone. */
  readonly killsSessions?: boolean
}

/** What a new session token is to be good for. */
export interface TokenWish {
  readonly database: string
  /** An access role that the principal holds there now; null for a token without one. */
  readonly role: string | null
  readonly durationMs: number
  readonly isSingleSession: boolean
}

/** A token of Postern's own, shown once. */
export interface IssuedToken {
  readonly id: TokenId
  /** What is given as password; holds the id. */
  readonly secret: string
  readonly expiresAtMs: number
}

/**
 * What people do about access. Every call checks by itself who may: nothing but a verified principal is trusted. All
 * reject with a PosternError: `access_refused` where the caller may not, `request_unknown`, `request_closed` where
 * somebody was faster, `input_invalid`, `store_unavailable`, `journal_unavailable`.
 */
export interface AccessService {
  readonly roles: ReadonlyMap<string, AccessRole>
  /** The requests that the caller may see: own ones, those the caller may answer, and all for auditors and admins. */
  requests(by: Principal, filter: RequestFilter): Promise<readonly AnsweredRequest[]>
  request(by: Principal, id: RequestId): Promise<AnsweredRequest>
  /** Whether the caller's yes or no would count now; otherwise the reason why not, to be shown. */
  mayAnswer(
    by: Principal,
    request: AnsweredRequest,
  ): { readonly may: true } | { readonly may: false; readonly why: string }
  answer(
    by: Principal,
    id: RequestId,
    answer: { readonly answer: Approval['answer']; readonly comment: string; readonly via: ApprovalChannel },
  ): Promise<AnsweredRequest>
  /** Asks for an access role, or more time with one. */
  ask(by: Principal, wish: RoleWish): Promise<AnsweredRequest>
  /** Takes an access role at once; loud, and to be reviewed. A reason is always needed. */
  breakGlass(by: Principal, wish: RoleWish): Promise<Grant>
  withdraw(by: Principal, id: RequestId): Promise<AnsweredRequest>
  grants(by: Principal, filter: GrantFilter): Promise<readonly Grant[]>
  /** Ends grants now; those of oneself, or any for who may approve the role and for admins. Returns those it ended. */
  revoke(by: Principal, wish: RevocationWish): Promise<readonly Grant[]>
  review(by: Principal, grant: GrantId, review: Pick<GrantReview, 'outcome' | 'comment'>): Promise<Grant>
  issueToken(by: Principal, wish: TokenWish): Promise<IssuedToken>
  revokeToken(by: Principal, id: TokenId): Promise<void>
  sessions(by: Principal): Promise<readonly SessionRecord[]>
}

/** A statement that asks to be let through. */
export interface StatementWish {
  readonly principal: Principal
  readonly session: SessionId
  readonly database: string
  readonly clientAddress: string
  readonly applicationName: string
  readonly reason: string | null
  readonly binding: string
  readonly requirements: readonly ApprovalRequirement[]
  readonly about: StatementFacts
}

/** How the wait for an approval ended. */
export type ApprovalOutcome =
  /** It may run now, once, if it is used before `goodUntilMs`. */
  | { readonly outcome: 'approved'; readonly approvers: readonly string[]; readonly goodUntilMs: number }
  | { readonly outcome: 'denied'; readonly by: string; readonly comment: string }
  | { readonly outcome: 'expired' }
  | { readonly outcome: 'withdrawn' }

/** A statement's request, on file and on record. */
export interface FiledRequest {
  readonly id: RequestId
  readonly expiresAtMs: number
  /** Settles once. Rejects with a PosternError where the store is lost for good while it waits. */
  readonly outcome: Promise<ApprovalOutcome>
  /**
   * Uses the approval up: on file and on record before it settles. True at most once, and only before its end, for the
   * same binding, while the requirements that policy makes now are among those that were met.
   */
  use(now: { readonly binding: string; readonly requirements: readonly ApprovalRequirement[] }): Promise<boolean>
  /** Nobody needs an answer any more. Never rejects; what cannot be written now is written later. */
  withdraw(why: 'cancelled' | 'client_lost' | 'session_ended' | 'policy_changed'): void
}

/** What the path needs of access: no call here waits for anybody but `file` and what it gives. */
export interface AccessOnPath {
  /**
   * The access roles held in a database at that moment, from memory. After `untilMs` of what it returns, or after
   * `onChange` has called, it has to be asked for again. Holds nothing while the store is out of reach for too long.
   */
  holdingOf(principal: Principal, database: string, nowMs: number): Holding
  /** Since when what was issued to a subject is dead; 0 where nothing is. */
  revokedBeforeMs(subject: Subject): number
  /** Whether sessions of that principal may go on: false once its session token is over; true without one. */
  isTokenGood(principal: Principal, nowMs: number): boolean
  /** Calls back when what subjects hold may have changed; null for all of them. Also when a grant reaches its end. */
  onChange(listener: (subjects: readonly Subject[] | null) => void): () => void
  /** Files a statement's request: on file, on record and notified when it settles. */
  file(wish: StatementWish): Promise<FiledRequest>
  sessionStarted(session: Omit<SessionRecord, 'gateway' | 'endedAtMs'>): Promise<void>
  sessionEnded(id: SessionId, atMs: number): void
}
