import type { GatewayId, GrantId, RequestId, SessionId, TokenId } from './ids.ts'
import type { Principal, PrincipalKind, Subject } from './principal.ts'

/*
 * Requests, approvals, grants and session tokens: what people decide, and for how long it holds. Plain values; times are
 * milliseconds since the epoch. Nothing here is trusted because it was read back: every use compares and checks again.
 */

/** A party as it is kept with what it did: who, and who acted for it. */
export interface Party extends Subject {
  readonly name: string
  readonly kind: PrincipalKind
  readonly actors: readonly Subject[]
}

/** The party of a principal. */
export function partyOf({ name, kind, issuer, subject, actors }: Principal): Party {
  return {
    name,
    kind,
    issuer,
    subject,
    actors: actors.map((actor) => ({ issuer: actor.issuer, subject: actor.subject })),
  }
}

/** One key per subject, whatever it is called. */
export function subjectKey({ issuer, subject }: Subject): string {
  return JSON.stringify([issuer, subject])
}

/** One thing that has to be agreed to: by so many different members of one of these groups. */
export interface ApprovalRequirement {
  /** The policy that asks, or the access role that is asked for. */
  readonly by: string
  readonly approvers: readonly string[]
  /** How many different approvers have to say yes; at least 1. */
  readonly count: number
  /** How long one yes counts. */
  readonly goodForMs: number
}

/** One approver's recorded answer. */
export interface Approval {
  readonly request: RequestId
  readonly approver: Party
  /** Those of the approver's groups that a requirement names. */
  readonly groups: readonly string[]
  readonly answer: 'approve' | 'deny'
  /** What the approver says to it; may be empty. */
  readonly comment: string
  readonly atMs: number
  readonly via: ApprovalChannel
}

/** Where an answer was given. */
export type ApprovalChannel = 'api' | 'page' | 'cli' | 'slack'

/** Where a request stands. Everything but `pending` and `approved` is final. */
export type RequestState =
  | { readonly state: 'pending' }
  /** All requirements are met; a statement is to be run before `goodUntilMs`. */
  | { readonly state: 'approved'; readonly atMs: number; readonly goodUntilMs: number }
  /** The approved statement was let through, once. */
  | { readonly state: 'used'; readonly atMs: number }
  /** The access role was given. */
  | { readonly state: 'granted'; readonly atMs: number; readonly grant: GrantId }
  | { readonly state: 'denied'; readonly atMs: number; readonly by: Party; readonly comment: string }
  | { readonly state: 'expired'; readonly atMs: number }
  | { readonly state: 'withdrawn'; readonly atMs: number; readonly why: WithdrawalReason }

/** Why nobody needs an answer any more. */
export type WithdrawalReason =
  | 'cancelled'
  | 'client_lost'
  | 'session_ended'
  | 'gateway_lost'
  | 'withdrawn_by_requester'
  /** Policy changed while it waited, and asks for something else now. */
  | 'policy_changed'

/** What every request has. */
export interface RequestBase {
  readonly id: RequestId
  readonly requester: Party
  readonly reason: string | null
  readonly requirements: readonly ApprovalRequirement[]
  readonly createdAtMs: number
  /** When it lapses unless it was decided. */
  readonly expiresAtMs: number
  readonly state: RequestState
}

/** A statement that waits on its connection. */
export interface StatementRequestRecord extends RequestBase {
  readonly kind: 'statement'
  readonly database: string
  readonly session: SessionId
  readonly gateway: GatewayId
  readonly clientAddress: string
  readonly applicationName: string
  /** Hash of statement, parameters, principal, database and session: what the approval is for and nothing else. */
  readonly binding: string
  readonly about: StatementFacts
}

/** What an approver is shown of a statement. */
export interface StatementFacts {
  /** The text as it will run; null once the request has ended, and where it is like `redacted`. */
  readonly sql: string | null
  /** The text without the values that classified columns are compared with or set to. */
  readonly redacted: string
  /** SQL command, such as `DELETE`; of several statements, the first one that has to be approved. */
  readonly command: string
  /** Parameters as text, null for NULL; null once the request has ended, and where they are like `redactedParameters`. */
  readonly parameters: readonly (string | null)[] | null
  readonly redactedParameters: readonly (string | null)[]
  readonly relations: readonly string[]
  readonly tags: readonly string[]
  /** Keys of classified columns it touches, as `schema.table.column`: who may see them all sees the raw text. */
  readonly columns: readonly string[]
  /** What PostgreSQL's planner estimates; null where it was not asked or could not say. */
  readonly estimate: { readonly rows: number; readonly cost: number } | null
  readonly transaction: { readonly isOpen: boolean; readonly locks: readonly string[] }
  readonly policies: readonly { readonly id: string; readonly advice: string | null }[]
}

/** Somebody asks for an access role, or for more time with it. */
export interface AccessRequestRecord extends RequestBase {
  readonly kind: 'access'
  readonly role: string
  readonly durationMs: number
  /** The grant that is to last longer; null for a new one. */
  readonly extends: GrantId | null
}

/** Anything that waits, or waited, for somebody's answer. */
export type RequestRecord = StatementRequestRecord | AccessRequestRecord

/** A principal holds an access role until then. */
export interface Grant {
  readonly id: GrantId
  readonly principal: Party
  readonly role: string
  /** The databases it holds in; null for all. */
  readonly databases: readonly string[] | null
  readonly kind: 'approved' | 'break_glass'
  readonly request: RequestId | null
  readonly reason: string | null
  readonly fromMs: number
  readonly untilMs: number
  /** Null while it lasts. An end by time is recorded as well, some moment after it took effect. */
  readonly ended: { readonly atMs: number; readonly why: 'expired' | 'revoked'; readonly by: Party | null } | null
  /** What was said afterwards of one that was taken first. */
  readonly review: GrantReview | null
}

/** What a reviewer says of a break-glass grant afterwards. */
export interface GrantReview {
  readonly by: Party
  readonly atMs: number
  readonly outcome: 'justified' | 'unjustified'
  readonly comment: string
}

/** A session token of Postern's own, as it is kept: nothing here lets anybody in. */
export interface SessionToken {
  readonly id: TokenId
  /** Who it stands for, as the identity provider's token said when it was issued. */
  readonly principal: Principal
  /** The one access role that its sessions hold; null for none. */
  readonly role: string | null
  readonly grant: GrantId | null
  readonly database: string
  /** SHA-256 of the secret, base64url. */
  readonly secretHash: string
  /** The verifier of RFC 5803: what SCRAM-SHA-256 needs to check the secret. */
  readonly scram: {
    readonly salt: string
    readonly iterations: number
    readonly storedKey: string
    readonly serverKey: string
  }
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  readonly isSingleSession: boolean
  /** The session that uses a single-session token. */
  readonly session: SessionId | null
  readonly ended: { readonly atMs: number; readonly why: 'expired' | 'revoked' | 'session_ended' } | null
}

/** Everything issued to a subject before `notBeforeMs` is dead: tokens, grants, sessions. */
export interface Revocation extends Subject {
  readonly name: string
  readonly notBeforeMs: number
  readonly by: Party
  readonly reason: string
}

/** One live session, as the store knows it. */
export interface SessionRecord {
  readonly id: SessionId
  readonly gateway: GatewayId
  readonly principal: Party
  readonly database: string
  readonly token: TokenId | null
  readonly startedAtMs: number
  readonly endedAtMs: number | null
}

/** An access role as configured: what can be asked for, by whom, and who says yes. */
export interface AccessRole {
  readonly name: string
  readonly description: string
  /** Groups whose members may ask. */
  readonly requestableBy: readonly string[]
  /** Groups whose members may say yes, and how many of them have to. */
  readonly approvers: readonly string[]
  readonly approvals: number
  readonly maxDurationMs: number
  readonly needsReason: boolean
  /** Where it holds; null for every database. */
  readonly databases: readonly string[] | null
  /** Groups whose members may take it at once, to be reviewed afterwards. */
  readonly breakGlass: readonly string[]
}

/** The access roles that a principal holds at a moment. The same object for as long as nothing in it changes. */
export interface Holding {
  /** Sorted. */
  readonly roles: readonly string[]
  /** From when on it has to be asked for again; Infinity where nothing ends. */
  readonly untilMs: number
}

/** Holds nothing, for good. */
export const noHolding: Holding = Object.freeze({ roles: Object.freeze([]), untilMs: Infinity })
