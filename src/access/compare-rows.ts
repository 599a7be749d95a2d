import type { Approval, RequestRecord, Revocation } from '../core/access.ts'
import { subjectKey } from '../core/access.ts'
import type { StoreReads } from '../core/control-store.ts'
import type { GrantId, RequestId, TokenId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import { canonical } from './canonical.ts'
import * as facts from './facts.ts'
import type { Facts } from './facts.ts'
import {
  partyKeyOf,
  type Expected,
  type ExpectedGrant,
  type ExpectedRequest,
  type ExpectedToken,
  type Told,
} from './replay.ts'

/** One row of the store that is not what was told. */
export interface RowDifference {
  readonly of: 'request' | 'approval' | 'grant' | 'token' | 'revocation'
  /** Of an approval the request's; of a revocation the subject. */
  readonly id: string
  readonly what:
    /** It was told of, and is not there. */
    | 'missing'
    /** It is there, and nothing was told of it. */
    | 'without_entry'
    | 'differs'
    /** It does not have the shape that everything in the store has. */
    | 'unreadable'
    /** It is as it was told, but those who would have to agree had not. */
    | 'not_approved'
  /** Names of what differs, as the journal calls it. */
  readonly members: readonly string[]
  /** The last change that spoke of it; null where none did. */
  readonly change: number | null
}

/** Compares one thing with its row; `isPruned` says whether one that is over may be gone by now. */
export async function compareRow(
  reads: StoreReads,
  expected: Expected,
  { nowMs }: { readonly nowMs: number },
): Promise<{ readonly isThere: boolean; readonly differences: readonly RowDifference[] }> {
  const found = await differencesOf(reads, expected, nowMs)
  const of = namesOf[expected.of]
  const { id, change, isUnapproved } = expected
  if (found === 'pruned') return { isThere: false, differences: [] }
  if (found === 'missing') {
    return { isThere: false, differences: [{ of, id, what: 'missing', members: [], change }] }
  }
  const differences = [...found.others]
  if (found.members.length > 0) differences.unshift({ of, id, what: 'differs', members: found.members, change })
  if (isUnapproved) differences.push({ of, id, what: 'not_approved', members: [], change })
  return { isThere: true, differences }
}

/** What a thing of a table is called. */
export const namesOf = { requests: 'request', grants: 'grant', tokens: 'token' } as const

interface Found {
  readonly members: readonly string[]
  readonly others: readonly RowDifference[]
}

async function differencesOf(
  reads: StoreReads,
  expected: Expected,
  nowMs: number,
): Promise<Found | 'missing' | 'pruned'> {
  switch (expected.of) {
    case 'requests': {
      const row = await reads.request(expected.id as RequestId)
      return row === null ? 'missing' : compareRequest(expected, row, await reads.approvals(row.id))
    }
    case 'grants':
      return compareGrant(expected, await reads.grant(expected.id as GrantId))
    case 'tokens':
      return compareToken(expected, await reads.token(expected.id as TokenId), nowMs)
  }
}

function compareRequest(expected: ExpectedRequest, row: RequestRecord, approvals: readonly Approval[]): Found {
  const { id, change, begun, answers, closed } = expected
  const members = [...differing(begun, facts.openedFacts(row))]
  const last = answers.at(-1)
  const state = closed?.['state'] ?? last?.['state'] ?? 'pending'
  if (row.state.state !== state) members.push('state')
  else if (closed !== null) members.push(...differing(closed, facts.closedFacts(row)))
  else if (row.state.state === 'approved') {
    const { atMs, goodUntilMs } = row.state
    const actual = { goodUntil: facts.momentOf(goodUntilMs), answeredAt: facts.momentOf(atMs) }
    members.push(...differing(last ?? null, actual))
  }
  return { members: [...new Set(members)], others: compareApprovals({ id, change }, answers, approvals) }
}

function compareApprovals(
  { id, change }: { readonly id: string; readonly change: number },
  answers: readonly Facts[],
  approvals: readonly Approval[],
): readonly RowDifference[] {
  const told = new Map(answers.map((answer) => [partyKeyOf(answer['by']), answer]))
  const differences: RowDifference[] = []
  for (const approval of approvals) {
    const key = subjectKey(approval.approver)
    const answer = told.get(key)
    told.delete(key)
    const members = differing(answer ?? null, facts.approvalFacts(approval))
    if (answer === undefined) differences.push({ of: 'approval', id, what: 'without_entry', members: [], change })
    else if (members.length > 0) differences.push({ of: 'approval', id, what: 'differs', members, change })
  }
  for (let missing = 0; missing < told.size; missing += 1) {
    differences.push({ of: 'approval', id, what: 'missing', members: [], change })
  }
  return differences
}

function compareGrant(
  { begun, until, ended, review }: ExpectedGrant,
  row: Awaited<ReturnType<StoreReads['grant']>>,
): Found | 'missing' {
  if (row === null) return 'missing'
  const members = [...differing(withUntil(begun, until), facts.grantFacts(row))]
  if ((ended === null) !== (row.ended === null)) members.push('ended')
  else if (ended !== null) {
    // Why it was revoked is in the journal only.
    const { reason: _reason, ...kept } = facts.grantEndedFacts(row, null)
    members.push(...differing(ended, kept))
  }
  if ((review === null) !== (row.review === null)) members.push('review')
  else members.push(...differing(review, facts.reviewedFacts(row)))
  return { members: [...new Set(members)], others: [] }
}

function withUntil(begun: Facts | null, until: unknown): Facts | null {
  if (until === undefined) return begun
  return { ...begun, until }
}

function compareToken(
  { begun, ended }: ExpectedToken,
  row: Awaited<ReturnType<StoreReads['token']>>,
  nowMs: number,
): Found | 'missing' | 'pruned' {
  if (row === null) return isPruned(ended, nowMs) ? 'pruned' : 'missing'
  const members = [...differing(begun, facts.tokenFacts(row))]
  if ((ended === null) !== (row.ended === null)) members.push('ended')
  else if (ended !== null) members.push(...differing(ended, facts.tokenEndedFacts(row)))
  return { members: [...new Set(members)], others: [] }
}

/** Whether a token ended so long ago that the store need not keep it. */
function isPruned(ended: Facts | null, nowMs: number): boolean {
  const endedAtMs = Date.parse(String(ended?.['endedAt']))
  return endedAtMs < nowMs - limits.endedKeptMs + limits.clockSkewMsMax
}

/** Compares revocations, which are never removed, in their order. */
export function compareRevocations(told: readonly Told[], rows: readonly Revocation[]): readonly RowDifference[] {
  const left = new Map<string, { count: number; readonly told: Told }>()
  for (const each of told) {
    const key = canonical(each.facts)
    const known = left.get(key)
    if (known === undefined) left.set(key, { count: 1, told: each })
    else known.count += 1
  }
  const differences: RowDifference[] = []
  for (const row of rows) {
    const known = left.get(canonical(facts.revocationFacts(row)))
    if (known !== undefined && known.count > 0) known.count -= 1
    else differences.push({ of: 'revocation', id: row.subject, what: 'without_entry', members: [], change: null })
  }
  for (const { count, told: each } of left.values()) {
    const { subject } = (each.facts['principal'] ?? {}) as { readonly subject?: unknown }
    const difference = { of: 'revocation', id: String(subject), members: [], change: each.change } as const
    for (let missing = 0; missing < count; missing += 1) differences.push({ ...difference, what: 'missing' })
  }
  return differences
}

/** Names of what a row says otherwise than was told; what was not told of is not compared. */
function differing(told: Facts | null, actual: Facts): readonly string[] {
  if (told === null) return []
  return Object.keys(actual).filter(
    (name) =>
      Object.hasOwn(told, name) && told[name] !== undefined && canonical(told[name]) !== canonical(actual[name]),
  )
}
