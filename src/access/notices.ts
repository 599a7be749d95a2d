import type { Approval, Grant, RequestRecord } from '../core/access.ts'
import type { StoreChange, StoreReads } from '../core/control-store.ts'
import type { GrantId, RequestId } from '../core/ids.ts'
import { countGiven } from './rules.ts'

/** What of a change others may want to know, with the records as they were after it. */
export type NoticeBody =
  | { readonly type: 'request_opened'; readonly request: RequestRecord }
  | {
      readonly type: 'request_answered'
      readonly request: RequestRecord
      readonly approval: Approval
      /** How many yeses count now, per requirement and in their order. */
      readonly given: readonly number[]
    }
  | { readonly type: 'request_closed'; readonly request: RequestRecord }
  | { readonly type: 'grant_started'; readonly grant: Grant }
  /** Told instead of `grant_started` where the grant was taken first. */
  | { readonly type: 'break_glass_taken'; readonly grant: Grant }
  | { readonly type: 'grant_ended'; readonly grant: Grant }
  | { readonly type: 'grant_reviewed'; readonly grant: Grant }

/** Something that happened and is on record. The number of the change makes it the same event however often it is told. */
export type AccessNotice = NoticeBody & { readonly change: number; readonly atMs: number }

/**
 * What is to be told of a change that another gateway made and could not tell of, by what the store knows now; null where
 * there is nothing to be told.
 */
export async function noticeOf(change: StoreChange, reads: StoreReads): Promise<NoticeBody | null> {
  const { type, facts, atMs } = change
  switch (type) {
    case 'request_opened':
    case 'request_closed': {
      const request = await reads.request(facts['request'] as RequestId)
      return request === null ? null : { type, request }
    }
    case 'request_answered': {
      const request = await reads.request(facts['request'] as RequestId)
      if (request === null) return null
      const approvals = await reads.approvals(request.id)
      const approval = approvals.find((each) => each.atMs === atMs)
      const given = countGiven(request.requirements, approvals, atMs)
      return approval === undefined ? null : { type, request, approval, given }
    }
    case 'grant_started':
    case 'grant_ended':
    case 'grant_reviewed': {
      const grant = await reads.grant(facts['grant'] as GrantId)
      if (grant === null) return null
      return type === 'grant_started' && grant.kind === 'break_glass'
        ? { type: 'break_glass_taken', grant }
        : { type, grant }
    }
    default:
      return null
  }
}
