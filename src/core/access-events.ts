import type { Approval, ApprovalChannel, Grant, GrantReview, Party, RequestRecord, WithdrawalReason } from './access.ts'
import { subjectKey } from './access.ts'
import type { GrantId, RequestId } from './ids.ts'
import type { PrincipalKind } from './principal.ts'

/*
 * What others are told of requests and grants while it happens: webhooks and chat. Telling is a courtesy; the journal is
 * the record. Nothing here holds a statement's text, a parameter or a secret: of a statement only the redacted text.
 */

/** A party as others are told of it. */
export interface EventParty {
  readonly name: string
  readonly kind: PrincipalKind
  /** Who acted for it, nearest first, by subject. */
  readonly actors: readonly string[]
}

/** A request as others are told of it. */
export interface EventRequest {
  readonly id: RequestId
  readonly requester: EventParty
  readonly reason: string | null
  readonly requirements: readonly {
    readonly by: string
    readonly approvers: readonly string[]
    readonly count: number
  }[]
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly about: EventStatement | EventWish
  /** The page where it is answered; null where Postern does not know its own address. */
  readonly url: string | null
}

/** The statement that waits. */
export interface EventStatement {
  readonly kind: 'statement'
  readonly database: string
  readonly command: string
  /** The text without the values that classified columns are compared with or set to; chat shows it, webhooks do not. */
  readonly redacted: string
  /** Parameters in the same way; chat shows them, webhooks do not. */
  readonly redactedParameters: readonly (string | null)[]
  readonly relations: readonly string[]
  readonly tags: readonly string[]
  readonly policies: readonly string[]
  /** Null also where it could tell of values in classified columns. */
  readonly estimatedRows: number | null
  readonly isTransactionOpen: boolean
}

/** The access role that is asked for. */
export interface EventWish {
  readonly kind: 'access'
  readonly role: string
  readonly durationMs: number
  readonly extends: GrantId | null
}

/** A grant as others are told of it. */
export interface EventGrant {
  readonly id: GrantId
  readonly principal: EventParty
  readonly role: string
  /** Null for every database. */
  readonly databases: readonly string[] | null
  readonly kind: Grant['kind']
  readonly reason: string | null
  readonly request: RequestId | null
  readonly fromMs: number
  readonly untilMs: number
  /** The page where it is seen, and reviewed if need be; null where Postern does not know its own address. */
  readonly url: string | null
}

/** How a request ended. */
export type EventOutcome =
  | { readonly state: 'used' }
  | { readonly state: 'granted'; readonly grant: GrantId }
  | { readonly state: 'denied'; readonly by: EventParty; readonly comment: string }
  | { readonly state: 'expired' }
  | { readonly state: 'withdrawn'; readonly why: WithdrawalReason }

interface EventBase {
  /** The same for the same event however often it is told, so that who is told twice can tell. */
  readonly id: string
  readonly atMs: number
}

/** Something happened to a request or a grant that others may want to know. */
export type AccessEvent = EventBase &
  (
    | { readonly type: 'request_opened'; readonly request: EventRequest }
    | {
        readonly type: 'request_answered'
        readonly request: EventRequest
        readonly answer: {
          readonly by: EventParty
          readonly answer: Approval['answer']
          readonly comment: string
          readonly via: ApprovalChannel
        }
        /** How many yeses count now, per requirement and in their order. */
        readonly given: readonly number[]
        /** Whether all requirements are met, so that nobody else needs to answer. */
        readonly isApproved: boolean
      }
    | { readonly type: 'request_closed'; readonly request: EventRequest; readonly outcome: EventOutcome }
    | { readonly type: 'grant_started'; readonly grant: EventGrant }
    | {
        readonly type: 'grant_ended'
        readonly grant: EventGrant
        readonly why: 'expired' | 'revoked'
        readonly by: EventParty | null
      }
    /** Told instead of `grant_started` where the grant was taken first. */
    | { readonly type: 'break_glass_taken'; readonly grant: EventGrant }
    | {
        readonly type: 'grant_reviewed'
        readonly grant: EventGrant
        readonly review: {
          readonly by: EventParty
          readonly outcome: GrantReview['outcome']
          readonly comment: string
        }
      }
  )

/** Every type of event, for configurations to choose from. */
export const accessEventTypes = [
  'request_opened',
  'request_answered',
  'request_closed',
  'grant_started',
  'grant_ended',
  'break_glass_taken',
  'grant_reviewed',
] as const satisfies readonly AccessEvent['type'][]

/** A party as others are told of it. */
export function eventPartyOf({ name, kind, actors }: Party): EventParty {
  return { name, kind, actors: actors.map(subjectKey) }
}

/** A request as others are told of it: whatever is kept of a statement, only its redacted text is handed on. */
export function eventRequestOf(request: RequestRecord, url: string | null): EventRequest {
  const { id, requester, reason, requirements, createdAtMs, expiresAtMs } = request
  return {
    id,
    requester: eventPartyOf(requester),
    reason,
    requirements: requirements.map(({ by, approvers, count }) => ({ by, approvers, count })),
    createdAtMs,
    expiresAtMs,
    about: aboutOf(request),
    url,
  }
}

function aboutOf(request: RequestRecord): EventStatement | EventWish {
  if (request.kind === 'access') {
    const { kind, role, durationMs, extends: extended } = request
    return { kind, role, durationMs, extends: extended }
  }
  const { kind, database, about } = request
  const { redacted, redactedParameters, command, relations, tags, policies, estimate, columns, transaction } = about
  return {
    kind,
    database,
    command,
    redacted,
    redactedParameters,
    relations,
    tags,
    policies: policies.map((policy) => policy.id),
    estimatedRows: columns.length === 0 ? (estimate?.rows ?? null) : null,
    isTransactionOpen: transaction.isOpen,
  }
}

/** A grant as others are told of it. */
export function eventGrantOf(grant: Grant, url: string | null): EventGrant {
  const { id, principal, role, databases, kind, reason, request, fromMs, untilMs } = grant
  return { id, principal: eventPartyOf(principal), role, databases, kind, reason, request, fromMs, untilMs, url }
}
