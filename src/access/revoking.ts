import { partyOf, subjectKey, type Grant, type Party, type Revocation, type SessionToken } from '../core/access.ts'
import type { AccessService, RevocationWish } from '../core/access-service.ts'
import type { StoreReads } from '../core/control-store.ts'
import type { GrantId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Principal, Subject } from '../core/principal.ts'
import * as inputs from './inputs.ts'
import { maySeeGrant } from './reading.ts'
import { advance } from './request-machine.ts'
import { isMember, mayReview, mayRevoke } from './rules.ts'
import type { Scene } from './scene.ts'
import type { Work } from './work.ts'

/** Ends grants now. Of several that fit, those end that the caller may end; where that is none of them, it is refused. */
export async function revoke(scene: Scene, by: Principal, wish: RevocationWish): Promise<readonly Grant[]> {
  const reason = inputs.checkedText(wish.reason, 'reason')
  const { grant: id, principal: name, role } = wish
  if (id === undefined && name === undefined && role === undefined) {
    throw inputs.invalid('nothing is named that is to be revoked', 'Name a grant, a principal or an access role.')
  }
  if (wish.killsSessions === true) return kill(scene, by, wish, reason)
  return scene.commit(async (work) => {
    const found = await fitting(work.reads, wish)
    const seen = found.filter((grant) => maySeeGrant(scene, by, grant))
    if (id !== undefined && seen.length === 0) throw inputs.unknownRequest()
    const verdictOf = (grant: Grant): ReturnType<typeof mayRevoke> =>
      mayRevoke(by, grant, { role: scene.roles.get(grant.role), admins: scene.settings.admins })
    const mine = seen.filter((grant) => verdictOf(grant).may)
    const [first] = seen
    if (mine.length === 0 && first !== undefined) {
      const verdict = verdictOf(first)
      throw inputs.refused('revoke this', verdict.may ? '' : verdict.why)
    }
    return endAll(work, mine, partyOf(by), reason)
  })
}

async function fitting(reads: StoreReads, { grant: id, principal, role }: RevocationWish): Promise<readonly Grant[]> {
  if (id !== undefined) {
    const grant = await reads.grant(id)
    const fits =
      grant !== null &&
      (principal === undefined || grant.principal.name === principal) &&
      (role === undefined || grant.role === role)
    return fits ? [grant] : []
  }
  return reads.grants({
    isEnded: false,
    ...(principal !== undefined && { principalName: principal }),
    ...(role !== undefined && { role }),
    limit: limits.storeRowsMax,
  })
}

async function endAll(work: Work, grants: readonly Grant[], by: Party, reason: string): Promise<readonly Grant[]> {
  const ended: Grant[] = []
  for (const grant of grants) {
    if (grant.ended === null) ended.push(await work.endGrant(grant, { why: 'revoked', by, reason }))
  }
  return ended
}

/** Ends all that a principal was given, and whatever was issued to it: tokens, sessions, requests. Admins only. */
async function kill(scene: Scene, by: Principal, wish: RevocationWish, reason: string): Promise<readonly Grant[]> {
  const { principal: name, grant, role } = wish
  if (name === undefined || grant !== undefined || role !== undefined) {
    throw inputs.invalid('sessions are killed of a principal, and of all of it', 'Name the principal alone.')
  }
  if (by.sessionToken !== undefined || !isMember(by, scene.settings.admins)) {
    throw inputs.refused('kill sessions', 'Only admins may.')
  }
  return scene.commit(async (work) => {
    const { nowMs, reads } = work
    const party = partyOf(by)
    const tokens = await reads.tokens({ isEnded: false })
    const subjects = await subjectsCalled(reads, name, tokens)
    if (subjects.length === 0) throw inputs.unknownRequest()
    for (const { issuer, subject } of subjects) {
      // What was issued in this very millisecond is dead as well.
      const revocation: Revocation = { issuer, subject, name, notBeforeMs: nowMs + 1, by: party, reason }
      await work.revokePrincipal(revocation)
    }
    const keys = new Set(subjects.map(subjectKey))
    const concerns = (each: Subject & { readonly actors: readonly Subject[] }): boolean =>
      [each, ...each.actors].some((subject) => keys.has(subjectKey(subject)))
    const grants = await reads.grants({ isEnded: false, limit: limits.storeRowsMax })
    const ended = await endAll(
      work,
      grants.filter(({ principal }) => concerns(principal)),
      party,
      reason,
    )
    const over = new Set(work.endedTokens.map(({ id }) => id))
    for (const token of tokens)
      if (concerns(token.principal) && !over.has(token.id)) await work.endToken(token, 'revoked')
    await denyRequests(work, concerns, { by: party, comment: reason })
    return ended
  })
}

async function subjectsCalled(
  reads: StoreReads,
  name: string,
  tokens: readonly SessionToken[],
): Promise<readonly Subject[]> {
  const parties: (Subject & { readonly name: string })[] = [
    ...(await reads.sessions({ isEnded: false })).map(({ principal }) => principal),
    ...(await reads.grants({ principalName: name, limit: limits.storeRowsMax })).map(({ principal }) => principal),
    ...(await reads.requests({ states: ['pending', 'approved'], limit: limits.storeRowsMax })).map(
      ({ requester }) => requester,
    ),
    ...tokens.map(({ principal }) => principal),
  ]
  const found = new Map(parties.filter((party) => party.name === name).map((party) => [subjectKey(party), party]))
  return [...found.values()]
}

async function denyRequests(
  work: Work,
  concerns: (party: Party) => boolean,
  denial: { readonly by: Party; readonly comment: string },
): Promise<void> {
  for (const request of await work.reads.requests({ states: ['pending', 'approved'], limit: limits.storeRowsMax })) {
    if (!concerns(request.requester)) continue
    const denied = advance(request, { type: 'deny', atMs: work.nowMs, ...denial })
    // What is approved, or over by time, can no longer be denied.
    const closed = denied.ok ? denied : advance(request, { type: 'withdraw', atMs: work.nowMs, why: 'session_ended' })
    if (closed.ok) await work.settleRequest(closed.request)
  }
}

/** Says afterwards whether a grant that was taken at once was justified. */
export async function review(
  scene: Scene,
  by: Principal,
  id: GrantId,
  { outcome, comment: text }: Parameters<AccessService['review']>[2],
): Promise<Grant> {
  const comment = inputs.checkedText(text, 'comment')
  return scene.commit(async (work) => {
    const grant = await work.reads.grant(id)
    if (grant === null || !maySeeGrant(scene, by, grant)) throw inputs.unknownRequest()
    const verdict = mayReview(by, grant, { role: scene.roles.get(grant.role), admins: scene.settings.admins })
    if (!verdict.may) throw inputs.refused('review this grant', verdict.why)
    const reviewed: Grant = { ...grant, review: { by: partyOf(by), atMs: work.nowMs, outcome, comment } }
    await work.reviewGrant(reviewed)
    return reviewed
  })
}
