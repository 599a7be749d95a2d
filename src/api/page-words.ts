import { assertNever } from '../core/errors.ts'
import type { RequestRecord, RequestState, WithdrawalReason } from '../core/access.ts'
import { formatDuration } from '../core/duration.ts'
import { span } from './page-text.ts'

/** How a state is shown: a few words, and whether they are good news. */
export interface StateWords {
  readonly text: string
  readonly tone: 'wait' | 'good' | 'bad' | ''
}

/** A request's state in words for people. */
export function stateWords(request: RequestRecord, nowMs: number): StateWords {
  const { state } = request
  switch (state.state) {
    case 'pending':
      return nowMs < request.expiresAtMs
        ? { text: 'Waiting', tone: 'wait' }
        : { text: 'Nobody answered in time', tone: '' }
    case 'approved':
      return { text: 'Approved', tone: 'good' }
    case 'used':
      return { text: 'Approved, and run', tone: 'good' }
    case 'granted':
      return { text: 'Approved, access given', tone: 'good' }
    case 'denied':
      return { text: 'Denied', tone: 'bad' }
    case 'expired':
      return { text: 'Nobody answered in time', tone: '' }
    case 'withdrawn':
      return { text: 'Taken back', tone: '' }
    default:
      return assertNever(state)
  }
}

/** Why nobody needs an answer any more, as a sentence. */
export function withdrawalWords(why: WithdrawalReason): string {
  switch (why) {
    case 'cancelled':
      return 'Whoever ran the statement cancelled it while it waited.'
    case 'client_lost':
      return 'The connection of whoever ran the statement broke while it waited.'
    case 'session_ended':
      return 'The session that the statement waited in has ended.'
    case 'gateway_lost':
      return 'The gateway that the statement waited at has stopped.'
    case 'withdrawn_by_requester':
      return 'Whoever asked for it took the request back.'
    case 'policy_changed':
      return 'The rules changed while it waited, and ask for something else now.'
    default:
      return assertNever(why)
  }
}

/** What a request is about, in a line: for headings and lists. */
export function subjectWords(request: RequestRecord): string {
  if (request.kind === 'statement') return `run ${request.about.command} on ${request.database}`
  const length = span(request.durationMs) ?? formatDuration(request.durationMs)
  return request.extends === null
    ? `have the role ${request.role} for ${length}`
    : `keep the role ${request.role} for ${length} more`
}

/** Whether a request still waits for answers. */
export function isOpen(request: RequestRecord, nowMs: number): boolean {
  return request.state.state === 'pending' && nowMs < request.expiresAtMs
}

/** What came of an answer, for the one who gave it. */
export function consequenceWords(state: RequestState, kind: RequestRecord['kind']): string {
  switch (state.state) {
    case 'pending':
      return 'More people have to say yes before anything happens.'
    case 'approved':
      return kind === 'statement' ? 'The statement runs now.' : 'The access is being given now.'
    case 'used':
      return 'The statement was let through.'
    case 'granted':
      return 'The access is given, and ends by itself.'
    case 'denied':
      return kind === 'statement' ? 'The statement does not run.' : 'The access is not given.'
    case 'expired':
      return 'The time ran out, so nothing happens.'
    case 'withdrawn':
      return 'Nobody needs an answer any more.'
    default:
      return assertNever(state)
  }
}
