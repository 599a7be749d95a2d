import { partyOf, subjectKey, type Approval, type RequestRecord } from '../core/access.ts'
import type { AccessService, AnsweredRequest } from '../core/access-service.ts'
import type { RequestId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { grantOf } from './asking.ts'
import * as inputs from './inputs.ts'
import { maySeeRequest } from './reading.ts'
import { advance, isFinal, type RequestEvent } from './request-machine.ts'
import { countGiven, isRevoked, mayAnswer, metUntilMs, namedGroups } from './rules.ts'
import { answeredOf, readAnswers, type Answers, type Scene } from './scene.ts'
import type { Work } from './work.ts'

type Answer = Parameters<AccessService['answer']>[2]

/**
 * Gives a person's yes or no. Everything that decides is read within the transaction; a request whose time is over is
 * closed by the attempt, so that no clock that goes back can bring it to life again.
 */
export async function answer(scene: Scene, by: Principal, id: RequestId, given: Answer): Promise<AnsweredRequest> {
  const comment = inputs.checkedText(given.comment, 'comment')
  const outcome = await scene.commit(async (work) => {
    const answers = await readAnswers(work.reads, id)
    if (answers === null || !maySeeRequest(scene, by, answers.request)) throw inputs.unknownRequest()
    const { request, approvals } = answers
    const { nowMs } = work
    if (isFinal(request.state)) throw inputs.closed(request.state.state)
    if (scene.closings.has(id)) throw inputs.closed('closed')
    const expired = advance(request, { type: 'expire', atMs: nowMs })
    if (expired.ok) {
      await work.settleRequest(expired.request)
      return { closedAs: 'expired' }
    }
    if (request.state.state !== 'pending') throw inputs.closed(request.state.state)
    const verdict = mayAnswer(by, { request, approvals, nowMs })
    if (!verdict.may) throw inputs.refused('answer this request', verdict.why)
    // One millisecond and one clock that goes back are enough to answer before one's own revocation.
    if (isRevoked(partyOf(by), nowMs, await work.reads.revocations())) {
      throw inputs.refused('answer this request', 'What was issued to you has been revoked.')
    }
    const approval: Approval = {
      request: id,
      approver: partyOf(by),
      groups: namedGroups(by, request.requirements),
      answer: given.answer,
      comment,
      atMs: nowMs,
      via: given.via,
    }
    return answerWithin(scene, work, answers, approval)
  })
  if ('closedAs' in outcome) throw inputs.closed(outcome.closedAs)
  return outcome
}

async function answerWithin(
  scene: Scene,
  work: Work,
  answers: Answers,
  approval: Approval,
): Promise<AnsweredRequest | { readonly closedAs: string }> {
  const { request } = answers
  const { nowMs } = work
  const after: Answers = {
    request,
    approvals: [...answers.approvals, approval],
    standing: [...answers.standing, approval],
  }
  const given = countGiven(request.requirements, after.standing, nowMs)
  const keep = async (kept: Answers['request']): Promise<AnsweredRequest> => {
    await work.answerRequest(kept, approval, given)
    return answeredOf({ ...after, request: kept }, nowMs)
  }
  if (approval.answer === 'deny') {
    const { approver, comment } = approval
    return keep(advanced(request, { type: 'deny', atMs: nowMs, by: approver, comment }))
  }
  const goodUntilMs = metUntilMs(request.requirements, after.standing, nowMs)
  if (goodUntilMs === null) return keep(request)
  if (request.kind === 'statement') {
    return keep(advanced(request, { type: 'approve', atMs: nowMs, goodUntilMs }))
  }
  const granted = await grantOf(scene, work, request, after)
  if (granted === null) {
    await work.settleRequest(advanced(request, { type: 'withdraw', atMs: nowMs, why: 'policy_changed' }))
    return { closedAs: 'withdrawn' }
  }
  const result = await keep(advanced(request, { type: 'grant', atMs: nowMs, grant: granted.grant.id }))
  if (granted.before === null) await work.startGrant(granted.grant)
  else await work.extendGrant(granted.grant, granted.before, request)
  return result
}

/** Withdraws a request of one's own. */
export async function withdraw(scene: Scene, by: Principal, id: RequestId): Promise<AnsweredRequest> {
  return scene.commit(async (work) => {
    const answers = await readAnswers(work.reads, id)
    if (answers === null || !maySeeRequest(scene, by, answers.request)) throw inputs.unknownRequest()
    const { request } = answers
    if (by.sessionToken !== undefined || subjectKey(by) !== subjectKey(request.requester)) {
      throw inputs.refused(
        'withdraw this request',
        'Only who asked may withdraw it; whoever may answer it may deny it.',
      )
    }
    const after = advance(request, { type: 'withdraw', atMs: work.nowMs, why: 'withdrawn_by_requester' })
    if (!after.ok) throw inputs.closed(request.state.state)
    await work.settleRequest(after.request)
    return answeredOf({ ...answers, request: after.request }, work.nowMs)
  })
}

function advanced(request: RequestRecord, event: RequestEvent): RequestRecord {
  const after = advance(request, event)
  if (!after.ok) throw inputs.closed(request.state.state)
  return after.request
}
