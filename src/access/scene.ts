import type { AccessRole, Approval, RequestRecord } from '../core/access.ts'
import type { AnsweredRequest } from '../core/access-service.ts'
import type { StoreReads } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import type { RequestId } from '../core/ids.ts'
import type { Closings } from './closings.ts'
import type { Holdings } from './holdings.ts'
import type { OpenRequests } from './open-requests.ts'
import type { AccessOptions, AccessSettings } from './options.ts'
import { countGiven, standing } from './rules.ts'
import type { Work } from './work.ts'

/** What the parts of access share. */
export interface Scene {
  readonly options: AccessOptions
  readonly settings: AccessSettings
  readonly roles: ReadonlyMap<string, AccessRole>
  now(): number
  readonly holdings: Holdings
  readonly closings: Closings
  readonly open: OpenRequests
  /** Commits, puts on record, and has it in memory when it settles. */
  commit<T>(work: (work: Work) => Promise<T>): Promise<T>
  /** Whether so much is not on record yet that nothing is to be added to it. */
  isBacklogged(): boolean
}

/** A request with all answers to it, and those of them that still stand. */
export interface Answers {
  readonly request: RequestRecord
  readonly approvals: readonly Approval[]
  readonly standing: readonly Approval[]
}

/** Reads a request with its answers; null where there is none. */
export async function readAnswers(reads: StoreReads, id: RequestId): Promise<Answers | null> {
  const request = await reads.request(id)
  if (request === null) return null
  const approvals = await reads.approvals(id)
  if (approvals.length === 0) return { request, approvals, standing: approvals }
  return { request, approvals, standing: standing(approvals, await reads.revocations()) }
}

/** As it is handed out. */
export function answeredOf({ request, approvals, standing }: Answers, nowMs: number): AnsweredRequest {
  return { request, approvals, given: countGiven(request.requirements, standing, nowMs) }
}

/** Refuses to begin anything new while what was done before cannot be put on record. */
export function refuseBacklog(scene: Scene): void {
  if (!scene.isBacklogged()) return
  throw new PosternError('journal_unavailable', 'too much waits to be put on record for anything to be added', {
    hint: 'Please tell whoever runs this gateway that its journal cannot be written.',
  })
}
