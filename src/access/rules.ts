import type {
  AccessRole,
  Approval,
  ApprovalRequirement,
  Grant,
  Party,
  RequestRecord,
  Revocation,
} from '../core/access.ts'
import { subjectKey } from '../core/access.ts'
import { limits } from '../core/limits.ts'
import type { Principal, Subject } from '../core/principal.ts'

/*
 * Who may do what about access. Pure: what is compared comes from within the transaction that acts on the answer.
 */

/** Yes, or no with the reason why, to be shown. */
export type Verdict = { readonly may: true } | { readonly may: false; readonly why: string }

const yes: Verdict = Object.freeze({ may: true })

function no(why: string): Verdict {
  return { may: false, why }
}

/** Whether a yes or no of that principal would count now; `approvals` are all answers given so far. */
export function mayAnswer(
  by: Principal,
  { request, approvals, nowMs }: { request: RequestRecord; approvals: readonly Approval[]; nowMs: number },
): Verdict {
  if (request.state.state !== 'pending') return no(`This request is ${request.state.state} already.`)
  if (nowMs >= request.expiresAtMs) return no('This request has expired.')
  const direct = isPersonDirectly(by)
  if (!direct.may) return direct
  if (!isDisjoint(by, request.requester))
    return no('Nobody answers a request of their own, or of those who act for them.')
  if (namedGroups(by, request.requirements).length === 0) {
    return no(`Only members of ${groupList(request.requirements.flatMap(({ approvers }) => approvers))} may answer.`)
  }
  if (approvals.some(({ approver }) => isSameParty(by, approver))) return no('You have answered this request already.')
  return yes
}

/** Those of a principal's groups that requirements name. */
export function namedGroups(by: Principal, requirements: readonly ApprovalRequirement[]): readonly string[] {
  const named = new Set(requirements.flatMap(({ approvers }) => approvers))
  return by.groups.filter((group) => named.has(group))
}

/** Whether somebody is an approver of it: a person, no agent, by a token of the identity provider. */
function isPersonDirectly(by: Principal): Verdict {
  if (by.kind !== 'human') return no('Only people may answer.')
  if (by.actors.length > 0) return no('Only a person directly may answer, nobody who acts for them.')
  if (by.sessionToken !== undefined) return no('A session token opens sessions and nothing else.')
  return yes
}

/** Whether an approver is neither the requester, nor anybody who acts for the requester, by subject and by name. */
function isDisjoint(by: Principal, requester: Party): boolean {
  const key = subjectKey(by)
  return (
    !isSameParty(by, requester) &&
    requester.actors.every((actor) => subjectKey(actor) !== key) &&
    by.actors.every((actor) => subjectKey(actor) !== subjectKey(requester))
  )
}

/** One person under two names, or one name of two subjects, however it is spelled, is taken for one. */
function isSameParty(one: Subject & { name: string }, other: Subject & { name: string }): boolean {
  return subjectKey(one) === subjectKey(other) || folded(one.name) === folded(other.name)
}

/** Mail addresses and log-in names differ by case nowhere that people know of. */
function folded(name: string): string {
  return name.normalize('NFKC').toLowerCase()
}

/** Answers of approvers that still stand: of one who was revoked, nothing said before counts. */
export function standing(approvals: readonly Approval[], revocations: readonly Revocation[]): readonly Approval[] {
  if (revocations.length === 0) return approvals
  return approvals.filter(({ approver, atMs }) => !isRevoked(approver, atMs, revocations))
}

/** Whether what a party, or anybody who acts for it, was given at `sinceMs` is dead by a revocation. */
export function isRevoked(
  party: Subject & { readonly actors: readonly Subject[] },
  sinceMs: number,
  revocations: readonly Revocation[],
): boolean {
  if (revocations.length === 0) return false
  const keys = new Set([party, ...party.actors].map(subjectKey))
  return revocations.some((revocation) => sinceMs < revocation.notBeforeMs && keys.has(subjectKey(revocation)))
}

/** Per requirement, in their order: how many yeses count at that moment. */
export function countGiven(
  requirements: readonly ApprovalRequirement[],
  approvals: readonly Approval[],
  nowMs: number,
): readonly number[] {
  return requirements.map((requirement) => goodUntils(requirement, approvals, nowMs).length)
}

/**
 * Until when all requirements are met by the yeses that are good at that moment; null where they are not. Without any
 * requirement there is nothing that could be met, so that is null as well.
 */
export function metUntilMs(
  requirements: readonly ApprovalRequirement[],
  approvals: readonly Approval[],
  nowMs: number,
): number | null {
  let untilMs = Infinity
  for (const requirement of requirements) {
    // As the yeses lapse, the oldest first, it is the count-th youngest with which the requirement stops being met.
    const last = goodUntils(requirement, approvals, nowMs)[Math.max(1, requirement.count) - 1]
    if (last === undefined) return null
    untilMs = Math.min(untilMs, last)
  }
  return Number.isFinite(untilMs) ? untilMs : null
}

/**
 * Whether what is asked for now was agreed to: each requirement is one of those that were answered, for no more people,
 * and enough yeses are still good for as long as either of the two lets them be.
 */
export function areCovered(
  askedNow: readonly ApprovalRequirement[],
  answered: readonly ApprovalRequirement[],
  { approvals, nowMs }: { approvals: readonly Approval[]; nowMs: number },
): boolean {
  return askedNow.every((asked) =>
    answered.some(
      (before) =>
        before.by === asked.by &&
        asked.count <= before.count &&
        haveSameGroups(asked.approvers, before.approvers) &&
        metUntilMs([{ ...before, goodForMs: Math.min(before.goodForMs, asked.goodForMs) }], approvals, nowMs) !== null,
    ),
  )
}

function haveSameGroups(some: readonly string[], others: readonly string[]): boolean {
  const [a, b] = [new Set(some), new Set(others)]
  return a.size === b.size && [...a].every((group) => b.has(group))
}

/**
 * When each yes that counts for a requirement lapses, the latest first; one for each different approver. A yes from the
 * future beyond what clocks may differ by is none: the clock went back, and what lapsed before must not come back.
 */
function goodUntils(requirement: ApprovalRequirement, approvals: readonly Approval[], nowMs: number): number[] {
  const groups = new Set(requirement.approvers)
  const counted: Approval[] = []
  const untils: number[] = []
  for (const approval of approvals) {
    if (approval.answer !== 'approve' || !approval.groups.some((group) => groups.has(group))) continue
    const untilMs = approval.atMs + requirement.goodForMs
    if (nowMs >= untilMs || nowMs < approval.atMs - limits.clockSkewMsMax) continue
    if (counted.some(({ approver }) => isSameParty(approver, approval.approver))) continue
    counted.push(approval)
    untils.push(untilMs)
  }
  return untils.sort((a, b) => b - a)
}

/** Whether a principal may ask for an access role. */
export function mayAsk(by: Principal, role: AccessRole): Verdict {
  if (by.sessionToken !== undefined) return no('A session token opens sessions and nothing else.')
  return isMember(by, role.requestableBy) ? yes : no(`Only members of ${groupList(role.requestableBy)} may ask for it.`)
}

/** Whether a principal may take an access role at once: a person, directly. */
export function mayBreakGlass(by: Principal, role: AccessRole): Verdict {
  const direct = isPersonDirectly(by)
  if (!direct.may) return no('Only a person directly may take an access role without asking.')
  return isMember(by, role.breakGlass) ? yes : no('Only those whom the access role names for it may take it at once.')
}

/** Whether a principal may end a grant: the holder, an approver of its role, an admin. */
export function mayRevoke(
  by: Principal,
  grant: Grant,
  { role, admins }: { role: AccessRole | undefined; admins: readonly string[] },
): Verdict {
  if (by.sessionToken !== undefined) return no('A session token opens sessions and nothing else.')
  const isOwn = subjectKey(by) === subjectKey(grant.principal)
  if (isOwn || isMember(by, admins) || (role !== undefined && isMember(by, role.approvers))) return yes
  return no('Only the holder, approvers of the access role and admins may revoke it.')
}

/** Whether a principal may say of a break-glass grant whether it was justified; of a role that is gone, admins may. */
export function mayReview(
  by: Principal,
  grant: Grant,
  { role, admins }: { role: AccessRole | undefined; admins: readonly string[] },
): Verdict {
  if (grant.kind !== 'break_glass') return no('Only what was taken at once is reviewed afterwards.')
  if (grant.review !== null) return no('It has been reviewed already.')
  const direct = isPersonDirectly(by)
  if (!direct.may) return no('Only a person directly may review it.')
  if (!isDisjoint(by, grant.principal)) return no('Nobody reviews what they took themselves.')
  const reviewers = role === undefined ? admins : role.approvers
  return isMember(by, reviewers) ? yes : no(`Only members of ${groupList(reviewers)} may review it.`)
}

/** Whether a principal is in one of these groups. */
export function isMember(by: Principal, groups: readonly string[]): boolean {
  return by.groups.some((group) => groups.includes(group))
}

function groupList(groups: readonly string[]): string {
  const names = [...new Set(groups)]
  return names.length === 0 ? 'no group' : names.map((name) => `"${name}"`).join(' or ')
}
