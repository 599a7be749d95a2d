import type { Party, RequestRecord, RequestState, WithdrawalReason } from '../core/access.ts'
import { assertNever } from '../core/errors.ts'
import type { GrantId } from '../core/ids.ts'

/** What can happen to a request. Whether it is allowed to is for the rules; whether it fits the state is decided here. */
export type RequestEvent =
  /** All requirements of a statement are met, for as long as that. */
  | { readonly type: 'approve'; readonly atMs: number; readonly goodUntilMs: number }
  /** All requirements of an access request are met. */
  | { readonly type: 'grant'; readonly atMs: number; readonly grant: GrantId }
  | { readonly type: 'deny'; readonly atMs: number; readonly by: Party; readonly comment: string }
  | { readonly type: 'use'; readonly atMs: number }
  | { readonly type: 'expire'; readonly atMs: number }
  | { readonly type: 'withdraw'; readonly atMs: number; readonly why: WithdrawalReason }

/** Why an event does not fit. */
export type Misfit =
  /** The state is final, or the answer has been given. */
  | 'closed'
  /** Its time is over: only `expire` and `withdraw` fit. */
  | 'expired'
  /** Its time is not over yet. */
  | 'too_early'
  /** Nobody has approved it. */
  | 'not_approved'
  /** Statements are approved and used, access is granted. */
  | 'wrong_kind'

/** The request after the event, or why there is none. */
export type Advance<Record extends RequestRecord = RequestRecord> =
  | { readonly ok: true; readonly request: Record }
  | { readonly ok: false; readonly why: Misfit }

/**
 * The one place where a request's state changes. A request whose time is over at `atMs` can only expire or be withdrawn;
 * the same instant counts as over. Once the state is final, what was to be shown of a statement is gone from it.
 */
export function advance<Record extends RequestRecord>(request: Record, event: RequestEvent): Advance<Record> {
  const { state } = request
  switch (state.state) {
    case 'pending':
      return advancePending(request, event)
    case 'approved':
      return advanceApproved(request, state, event)
    case 'used':
    case 'granted':
    case 'denied':
    case 'expired':
    case 'withdrawn':
      return { ok: false, why: 'closed' }
    default:
      return assertNever(state)
  }
}

/** Whether nothing can happen any more. */
export function isFinal({ state }: RequestState): boolean {
  return state !== 'pending' && state !== 'approved'
}

/** When a request's time is over, unless something happens before; Infinity where something has. */
export function dueAtMs(request: RequestRecord): number {
  const { state } = request
  if (state.state === 'pending') return request.expiresAtMs
  return state.state === 'approved' ? state.goodUntilMs : Infinity
}

function advancePending<Record extends RequestRecord>(request: Record, event: RequestEvent): Advance<Record> {
  const isOver = event.atMs >= request.expiresAtMs
  switch (event.type) {
    case 'approve':
      if (request.kind !== 'statement') return { ok: false, why: 'wrong_kind' }
      if (isOver || event.goodUntilMs <= event.atMs) return { ok: false, why: 'expired' }
      return entered(request, { state: 'approved', atMs: event.atMs, goodUntilMs: event.goodUntilMs })
    case 'grant':
      if (request.kind !== 'access') return { ok: false, why: 'wrong_kind' }
      if (isOver) return { ok: false, why: 'expired' }
      return entered(request, { state: 'granted', atMs: event.atMs, grant: event.grant })
    case 'deny':
      if (isOver) return { ok: false, why: 'expired' }
      return entered(request, { state: 'denied', atMs: event.atMs, by: event.by, comment: event.comment })
    case 'use':
      return { ok: false, why: request.kind === 'statement' ? 'not_approved' : 'wrong_kind' }
    case 'expire':
      return isOver ? entered(request, { state: 'expired', atMs: event.atMs }) : { ok: false, why: 'too_early' }
    case 'withdraw':
      return entered(request, { state: 'withdrawn', atMs: event.atMs, why: event.why })
    default:
      return assertNever(event)
  }
}

function advanceApproved<Record extends RequestRecord>(
  request: Record,
  { goodUntilMs }: Extract<RequestState, { state: 'approved' }>,
  event: RequestEvent,
): Advance<Record> {
  const isOver = event.atMs >= goodUntilMs
  switch (event.type) {
    case 'approve':
    case 'grant':
    case 'deny':
      return { ok: false, why: 'closed' }
    case 'use':
      if (request.kind !== 'statement') return { ok: false, why: 'wrong_kind' }
      return isOver ? { ok: false, why: 'expired' } : entered(request, { state: 'used', atMs: event.atMs })
    case 'expire':
      return isOver ? entered(request, { state: 'expired', atMs: event.atMs }) : { ok: false, why: 'too_early' }
    case 'withdraw':
      return entered(request, { state: 'withdrawn', atMs: event.atMs, why: event.why })
    default:
      return assertNever(event)
  }
}

function entered<Record extends RequestRecord>(request: Record, state: RequestState): Advance<Record> {
  if (request.kind !== 'statement' || !isFinal(state)) return { ok: true, request: { ...request, state } }
  return { ok: true, request: { ...request, state, about: { ...request.about, sql: null, parameters: null } } }
}
