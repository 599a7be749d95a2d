import type { AccessNotice } from './access/access.ts'
import {
  type AccessEvent,
  eventGrantOf,
  eventPartyOf,
  eventRequestOf,
  type EventOutcome,
} from './core/access-events.ts'
import type { RequestRecord } from './core/access.ts'

/** What others are told of something that happened; `url` is where the pages are, null where there are none. */
export function accessEventOf(notice: AccessNotice, url: string | null): AccessEvent {
  const base = { id: `c${String(notice.change)}`, atMs: notice.atMs }
  const requestOf = (request: RequestRecord) => eventRequestOf(request, url === null ? null : `${url}/r/${request.id}`)
  switch (notice.type) {
    case 'request_opened':
      return { ...base, type: notice.type, request: requestOf(notice.request) }
    case 'request_answered': {
      const { approval, given, request } = notice
      const { approver, answer, comment, via } = approval
      const isApproved = request.requirements.every(({ count }, index) => (given[index] ?? 0) >= count)
      return {
        ...base,
        type: notice.type,
        request: requestOf(request),
        answer: { by: eventPartyOf(approver), answer, comment, via },
        given,
        isApproved,
      }
    }
    case 'request_closed':
      return { ...base, type: notice.type, request: requestOf(notice.request), outcome: outcomeOf(notice.request) }
    case 'grant_started':
    case 'break_glass_taken':
      return { ...base, type: notice.type, grant: grantOf(notice.grant) }
    case 'grant_ended': {
      const { ended } = notice.grant
      const by = ended?.by ?? null
      const why = ended?.why ?? 'expired'
      return {
        ...base,
        type: notice.type,
        grant: grantOf(notice.grant),
        why,
        by: by === null ? null : eventPartyOf(by),
      }
    }
    case 'grant_reviewed': {
      const { review } = notice.grant
      if (review === null) throw new Error('a review is told of that is not there')
      const { by, outcome, comment } = review
      return {
        ...base,
        type: notice.type,
        grant: grantOf(notice.grant),
        review: { by: eventPartyOf(by), outcome, comment },
      }
    }
  }

  function grantOf(grant: Parameters<typeof eventGrantOf>[0]) {
    return eventGrantOf(grant, url === null ? null : `${url}/grants#${grant.id}`)
  }
}

function outcomeOf({ state }: RequestRecord): EventOutcome {
  switch (state.state) {
    case 'used':
    case 'expired':
      return { state: state.state }
    case 'granted':
      return { state: 'granted', grant: state.grant }
    case 'denied':
      return { state: 'denied', by: eventPartyOf(state.by), comment: state.comment }
    case 'withdrawn':
      return { state: 'withdrawn', why: state.why }
    case 'pending':
    case 'approved':
      throw new Error('a request is told of as closed that is not')
  }
}
