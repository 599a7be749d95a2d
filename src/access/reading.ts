import { subjectKey, type Grant, type RequestRecord, type SessionRecord } from '../core/access.ts'
import type { AnsweredRequest } from '../core/access-service.ts'
import type { GrantFilter, RequestFilter } from '../core/control-store.ts'
import type { RequestId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import { unknownRequest } from './inputs.ts'
import { isMember, namedGroups } from './rules.ts'
import { answeredOf, readAnswers, type Scene } from './scene.ts'

/** Newest first: what one may see is picked out of so many at most. */
const searchedMax = 2_000
const listedMax = 1_000
const listedUnlessTold = 100

/** Whether the caller may know of a request: an own one, one that the caller's groups are asked about, or any. */
export function maySeeRequest(scene: Pick<Scene, 'settings'>, by: Principal, request: RequestRecord): boolean {
  if (by.sessionToken !== undefined) return false
  return (
    subjectKey(by) === subjectKey(request.requester) ||
    namedGroups(by, request.requirements).length > 0 ||
    maySeeAll(scene, by)
  )
}

/** Whether the caller may know of a grant: an own one, one of a role that the caller approves, or any. */
export function maySeeGrant(scene: Pick<Scene, 'settings' | 'roles'>, by: Principal, grant: Grant): boolean {
  if (by.sessionToken !== undefined) return false
  return (
    subjectKey(by) === subjectKey(grant.principal) ||
    isMember(by, scene.roles.get(grant.role)?.approvers ?? []) ||
    maySeeAll(scene, by)
  )
}

/** The requests that the caller may see. */
export async function requests(
  scene: Scene,
  by: Principal,
  filter: RequestFilter,
): Promise<readonly AnsweredRequest[]> {
  const limit = limitOf(filter.limit)
  return scene.options.store.read(async (reads) => {
    const { states = [], requester } = filter
    const isOpen = states.length > 0 && states.every((state) => state === 'pending' || state === 'approved')
    // Of those that wait there are no more than that, and an approver has to find the oldest of them as well.
    const mayWait = isOpen ? scene.settings.pendingRequestsMax : 0
    const isOwn = requester !== undefined && subjectKey(requester) === subjectKey(by)
    const searched =
      maySeeAll(scene, by) || isOwn ? limit : Math.min(Math.max(searchedMax, mayWait), limits.storeRowsMax)
    const found = await reads.requests({ ...filter, limit: searched })
    const seen = found.filter((request) => maySeeRequest(scene, by, request)).slice(0, limit)
    const answered: AnsweredRequest[] = []
    for (const { id } of seen) {
      const answers = await readAnswers(reads, id)
      if (answers !== null) answered.push(answeredOf(answers, scene.now()))
    }
    return answered
  })
}

/** One request that the caller may see. */
export async function request(scene: Scene, by: Principal, id: RequestId): Promise<AnsweredRequest> {
  const answers = await scene.options.store.read(async (reads) => readAnswers(reads, id))
  if (answers === null || !maySeeRequest(scene, by, answers.request)) throw unknownRequest()
  return answeredOf(answers, scene.now())
}

/** The grants that the caller may see; of those that are active, or to be reviewed, all unless told otherwise. */
export async function grants(scene: Scene, by: Principal, filter: GrantFilter): Promise<readonly Grant[]> {
  // A list of who holds what is all of it, or it would be taken for all.
  const isActive = filter.isEnded === false || filter.needsReview === true
  const limit = isActive && filter.limit === undefined ? limits.storeRowsMax : limitOf(filter.limit)
  const searched = isActive ? limits.storeRowsMax : maySeeAll(scene, by) ? limit : searchedMax
  const found = await scene.options.store.read(async (reads) => reads.grants({ ...filter, limit: searched }))
  return found.filter((grant) => maySeeGrant(scene, by, grant)).slice(0, limit)
}

/** The live sessions that the caller may see. */
export async function sessions(scene: Scene, by: Principal): Promise<readonly SessionRecord[]> {
  if (by.sessionToken !== undefined) return []
  const found = await scene.options.store.read(async (reads) => reads.sessions({ isEnded: false }))
  if (maySeeAll(scene, by)) return found
  return found.filter(({ principal }) => subjectKey(principal) === subjectKey(by))
}

function maySeeAll({ settings }: Pick<Scene, 'settings'>, by: Principal): boolean {
  return by.sessionToken === undefined && (isMember(by, settings.auditors) || isMember(by, settings.admins))
}

function limitOf(limit: number = listedUnlessTold): number {
  return Math.min(Math.max(1, Math.trunc(limit) || 1), listedMax, limits.storeRowsMax)
}
