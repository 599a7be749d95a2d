import {
  partyOf,
  type AccessRequestRecord,
  type AccessRole,
  type ApprovalRequirement,
  type Grant,
  type Party,
} from '../core/access.ts'
import type { AnsweredRequest, RoleWish } from '../core/access-service.ts'
import type { PosternError } from '../core/errors.ts'
import { newGrantId, newRequestId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { extendedUntilMs, isHolder } from './grants.ts'
import * as inputs from './inputs.ts'
import { areCovered, isRevoked, mayAsk, mayBreakGlass } from './rules.ts'
import { refuseBacklog, type Answers, type Scene } from './scene.ts'
import { tooMany, tooManyOwn } from './statement-requests.ts'
import type { Work } from './work.ts'

/** Asks for an access role, or for more time with one. */
export async function ask(scene: Scene, by: Principal, wish: RoleWish): Promise<AnsweredRequest> {
  const reason = inputs.checkedReason(wish.reason)
  const role = scene.roles.get(wish.role)
  if (role === undefined) throw inputs.refused(`ask for "${shown(wish.role)}"`, 'There is no access role of that name.')
  const verdict = mayAsk(by, role)
  if (!verdict.may) throw inputs.refused(`ask for "${role.name}"`, verdict.why)
  const durationMs = inputs.checkedDuration(wish.durationMs, role.maxDurationMs, `"${role.name}"`)
  if (role.needsReason && reason === null) throw needsReason(role.name)
  refuseBacklog(scene)
  if (scene.open.pending >= scene.settings.pendingRequestsMax) throw tooMany()
  const requirements = [requirementOf(scene, role)]
  inputs.checkRequirements(requirements)
  return scene.commit(async (work) => {
    const { nowMs } = work
    const requester = partyOf(by)
    const { requestsPerPrincipalMax } = scene.settings
    const waiting = await work.reads.requests({ requester, states: ['pending'], limit: requestsPerPrincipalMax + 1 })
    if (waiting.length >= requestsPerPrincipalMax) throw tooManyOwn(waiting.length)
    if (wish.extends !== undefined) await checkExtension(scene, work, by, { ...wish, extends: wish.extends })
    const request: AccessRequestRecord = {
      kind: 'access',
      id: newRequestId(),
      requester,
      reason,
      requirements,
      createdAtMs: nowMs,
      expiresAtMs: nowMs + scene.settings.accessRequestWaitMs,
      state: { state: 'pending' },
      role: role.name,
      durationMs,
      extends: wish.extends ?? null,
    }
    await work.openRequest(request)
    return { request, approvals: [], given: [0] }
  })
}

async function checkExtension(
  scene: Scene,
  work: Work,
  by: Principal,
  wish: RoleWish & { readonly extends: Grant['id'] },
): Promise<void> {
  const grant = await work.reads.grant(wish.extends)
  // Of somebody else's grant nothing is said, not even that it exists.
  if (grant === null || !isHolder(by, grant.principal)) throw inputs.unknownRequest()
  if (!isExtensible(scene, grant, { role: wish.role, requester: by }, work.nowMs)) {
    throw inputs.invalid(
      'This grant cannot be extended: it has ended, or is of another access role',
      'Ask for a new one.',
    )
  }
}

function isExtensible(
  scene: Scene,
  grant: Grant,
  { role, requester }: { readonly role: string; readonly requester: Pick<Party, 'issuer' | 'subject' | 'actors'> },
  nowMs: number,
): boolean {
  return (
    grant.ended === null &&
    nowMs < grant.untilMs &&
    !scene.holdings.isOver(grant) &&
    grant.role === role &&
    isHolder(requester, grant.principal)
  )
}

/** Takes an access role at once; at most one that nobody has reviewed, per role and principal. */
export async function breakGlass(scene: Scene, by: Principal, wish: RoleWish): Promise<Grant> {
  const reason = inputs.checkedReason(wish.reason)
  const role = scene.roles.get(wish.role)
  if (role === undefined) throw inputs.refused(`take "${shown(wish.role)}"`, 'There is no access role of that name.')
  const verdict = mayBreakGlass(by, role)
  if (!verdict.may) throw inputs.refused(`take "${role.name}" without asking`, verdict.why)
  const durationMs = inputs.checkedDuration(wish.durationMs, role.maxDurationMs, `"${role.name}"`)
  if (reason === null) throw needsReason(role.name)
  if (wish.extends !== undefined)
    throw inputs.invalid('what is taken at once extends nothing', 'Ask for the extension.')
  refuseBacklog(scene)
  return scene.commit(async (work) => {
    const { nowMs } = work
    const principal = partyOf(by)
    const unreviewed = await work.reads.grants({ principal, role: role.name, needsReview: true, limit: 1 })
    if (unreviewed.length > 0) {
      throw inputs.refused(
        `take "${role.name}" without asking`,
        'You have taken it before, and nobody has reviewed that yet. Ask for it, or have that reviewed.',
      )
    }
    const grant: Grant = {
      id: newGrantId(),
      principal,
      role: role.name,
      databases: role.databases,
      kind: 'break_glass',
      request: null,
      reason,
      fromMs: nowMs,
      untilMs: nowMs + durationMs,
      ended: null,
      review: null,
    }
    await work.startGrant(grant)
    return grant
  })
}

/** The grant that an approved access request gives; null where its role or the grant to extend is not there any more. */
export async function grantOf(
  scene: Scene,
  work: Work,
  request: AccessRequestRecord,
  { standing }: Answers,
): Promise<{ readonly grant: Grant; readonly before: Grant | null } | null> {
  const { nowMs } = work
  const role = scene.roles.get(request.role)
  // A role that was configured anew since may need more people, or others.
  if (role === undefined) return null
  if (isRevoked(request.requester, request.createdAtMs, await work.reads.revocations())) return null
  const asked = requirementOf(scene, role)
  if (!areCovered([asked], request.requirements, { approvals: standing, nowMs })) return null
  if (request.extends !== null) {
    const before = await work.reads.grant(request.extends)
    if (before === null || !isExtensible(scene, before, request, nowMs)) return null
    return {
      before,
      grant: { ...before, untilMs: extendedUntilMs(before, { durationMs: request.durationMs, role, nowMs }) },
    }
  }
  const grant: Grant = {
    id: newGrantId(),
    principal: request.requester,
    role: role.name,
    databases: role.databases,
    kind: 'approved',
    request: request.id,
    reason: request.reason,
    fromMs: nowMs,
    untilMs: nowMs + Math.min(request.durationMs, role.maxDurationMs),
    ended: null,
    review: null,
  }
  return { before: null, grant }
}

/** Who has to say yes to an access role. */
function requirementOf(scene: Scene, role: AccessRole): ApprovalRequirement {
  const { name, approvers, approvals } = role
  return { by: name, approvers, count: approvals, goodForMs: scene.settings.accessRequestWaitMs }
}

function needsReason(role: string): PosternError {
  return inputs.invalid(
    `The access role "${role}" needs a reason`,
    'Say what it is for, such as the number of a ticket.',
  )
}

/** A name that somebody made up, short enough to be repeated. */
function shown(name: string): string {
  return name.slice(0, 100).replaceAll(/[^\p{L}\p{N} ._:/-]/gu, '?')
}
