import type { AccessService, AnsweredRequest, RoleWish } from '../core/access-service.ts'
import {
  type AccessRequestRecord,
  type AccessRole,
  type Approval,
  type Grant,
  partyOf,
  type RequestRecord,
  type StatementRequestRecord,
} from '../core/access.ts'
import { PosternError } from '../core/errors.ts'
import { newGrantId, newRequestId, newTokenId, type GatewayId, type RequestId, type SessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'

/** Access over plain objects: the rules of the real one as far as pages and endpoints show them. */
export interface PlainAccess extends AccessService {
  readonly filed: Map<RequestId, { request: RequestRecord; approvals: Approval[] }>
  readonly given: Grant[]
  /** Files a statement of a principal. */
  fileStatement(by: Principal, what?: Partial<StatementRequestRecord>): StatementRequestRecord
}

export const supportRole: AccessRole = {
  name: 'support-lead',
  description: 'Sees the e-mail addresses of customers',
  requestableBy: ['engineering', 'support'],
  approvers: ['dba'],
  approvals: 1,
  maxDurationMs: 8 * 3_600_000,
  needsReason: true,
  databases: ['shop'],
  breakGlass: ['engineering'],
}

export function plainAccess(now: () => number): PlainAccess {
  const filed: PlainAccess['filed'] = new Map()
  const given: Grant[] = []
  const tokens = new Map<string, string>()

  const isApprover = (by: Principal, request: RequestRecord): boolean =>
    request.requirements.some(({ approvers }) => approvers.some((group) => by.groups.includes(group)))
  const isSame = (by: Principal, subject: { issuer: string; subject: string }): boolean =>
    by.issuer === subject.issuer && by.subject === subject.subject
  const answered = (entry: { request: RequestRecord; approvals: Approval[] }): AnsweredRequest => ({
    request: entry.request,
    approvals: [...entry.approvals],
    given: entry.request.requirements.map(
      ({ approvers }) =>
        entry.approvals.filter(
          ({ answer, groups }) => answer === 'approve' && groups.some((group) => approvers.includes(group)),
        ).length,
    ),
  })
  const entryOf = (by: Principal, id: RequestId) => {
    const entry = filed.get(id)
    const maySee = entry !== undefined && (isSame(by, entry.request.requester) || isApprover(by, entry.request))
    if (!maySee) throw new PosternError('request_unknown', `there is no request ${id}`)
    return entry
  }
  const mayAnswer: AccessService['mayAnswer'] = (by, { request, approvals }) => {
    const { requester } = request
    if (request.state.state !== 'pending') return { may: false, why: 'this request is decided already' }
    if (by.kind !== 'human' || by.actors.length > 0) return { may: false, why: 'only people may answer' }
    if (isSame(by, requester) || requester.actors.some((actor) => isSame(by, actor))) {
      return { may: false, why: 'nobody answers their own request' }
    }
    if (!isApprover(by, request)) return { may: false, why: 'you are in none of the groups that may answer' }
    if (approvals.some(({ approver }) => isSame(by, approver))) return { may: false, why: 'you have answered already' }
    return { may: true }
  }
  const wished = (by: Principal, wish: RoleWish): void => {
    if (wish.role !== supportRole.name) throw new PosternError('access_refused', 'you may not ask for that role')
    if (wish.durationMs > supportRole.maxDurationMs) throw new PosternError('input_invalid', 'that is too long')
    if (by.groups.length === 0) throw new PosternError('access_refused', 'you may not ask for that role')
  }
  const grantOf = (by: Principal, wish: RoleWish, kind: Grant['kind'], request: RequestId | null): Grant => ({
    id: newGrantId(),
    principal: partyOf(by),
    role: wish.role,
    databases: supportRole.databases,
    kind,
    request,
    reason: wish.reason,
    fromMs: now(),
    untilMs: now() + wish.durationMs,
    ended: null,
    review: null,
  })
  const end = (grant: Grant, by: Principal): Grant => {
    const ended: Grant = { ...grant, ended: { atMs: now(), why: 'revoked', by: partyOf(by) } }
    given.splice(given.indexOf(grant), 1, ended)
    return ended
  }

  return {
    filed,
    given,
    roles: new Map([[supportRole.name, supportRole]]),
    mayAnswer,
    async requests(by, filter) {
      return [...filed.values()]
        .filter(({ request }) => isSame(by, request.requester) || isApprover(by, request))
        .filter(({ request }) => filter.requester === undefined || isSame(by, request.requester))
        .filter(({ request }) => filter.states === undefined || filter.states.includes(request.state.state))
        .filter(({ request }) => filter.kind === undefined || filter.kind === request.kind)
        .toReversed()
        .slice(0, filter.limit ?? 100)
        .map(answered)
    },
    async request(by, id) {
      return answered(entryOf(by, id))
    },
    async answer(by, id, { answer, comment, via }) {
      const entry = entryOf(by, id)
      if (entry.request.state.state !== 'pending') {
        throw new PosternError('request_closed', 'somebody was faster', { hint: 'Look at how it ended.' })
      }
      const may = mayAnswer(by, answered(entry))
      if (!may.may) throw new PosternError('access_refused', may.why)
      entry.approvals.push({ request: id, approver: partyOf(by), groups: by.groups, answer, comment, atMs: now(), via })
      const isMet = entry.request.requirements.every(({ count }, index) => (answered(entry).given[index] ?? 0) >= count)
      if (answer === 'deny') {
        entry.request = { ...entry.request, state: { state: 'denied', atMs: now(), by: partyOf(by), comment } }
      } else if (isMet) {
        entry.request = { ...entry.request, state: { state: 'approved', atMs: now(), goodUntilMs: now() + 900_000 } }
      }
      return answered(entry)
    },
    async ask(by, wish) {
      wished(by, wish)
      const request: AccessRequestRecord = {
        kind: 'access',
        id: newRequestId(),
        requester: partyOf(by),
        reason: wish.reason,
        requirements: [{ by: wish.role, approvers: supportRole.approvers, count: 1, goodForMs: 900_000 }],
        createdAtMs: now(),
        expiresAtMs: now() + 3_600_000,
        state: { state: 'pending' },
        role: wish.role,
        durationMs: wish.durationMs,
        extends: wish.extends ?? null,
      }
      filed.set(request.id, { request, approvals: [] })
      return answered(entryOf(by, request.id))
    },
    async breakGlass(by, wish) {
      wished(by, wish)
      if (wish.reason === null) throw new PosternError('input_invalid', 'a reason is needed')
      const grant = grantOf(by, wish, 'break_glass', null)
      given.push(grant)
      return grant
    },
    async withdraw(by, id) {
      const entry = entryOf(by, id)
      if (!isSame(by, entry.request.requester)) throw new PosternError('access_refused', 'this is not your request')
      entry.request = {
        ...entry.request,
        state: { state: 'withdrawn', atMs: now(), why: 'withdrawn_by_requester' },
      }
      return answered(entry)
    },
    async grants(by, filter) {
      return given
        .filter((grant) => isSame(by, grant.principal) || by.groups.includes('dba'))
        .filter((grant) => filter.principal === undefined || isSame(by, grant.principal))
        .filter((grant) => filter.principalName === undefined || filter.principalName === grant.principal.name)
        .filter((grant) => filter.role === undefined || filter.role === grant.role)
        .filter((grant) => filter.isEnded === undefined || filter.isEnded === (grant.ended !== null))
        .filter(
          (grant) =>
            filter.needsReview === undefined ||
            filter.needsReview === (grant.kind === 'break_glass' && grant.review === null),
        )
    },
    async revoke(by, wish) {
      const found = given.filter(
        (grant) =>
          grant.ended === null &&
          (wish.grant === undefined || wish.grant === grant.id) &&
          (wish.principal === undefined || wish.principal === grant.principal.name) &&
          (wish.role === undefined || wish.role === grant.role),
      )
      if (found.some((grant) => !isSame(by, grant.principal) && !by.groups.includes('dba'))) {
        throw new PosternError('access_refused', 'you may not end this access')
      }
      return found.map((grant) => end(grant, by))
    },
    async review(by, id, { outcome, comment }) {
      const grant = given.find((each) => each.id === id)
      if (grant === undefined) throw new PosternError('request_unknown', `there is no grant ${id}`)
      if (isSame(by, grant.principal)) throw new PosternError('access_refused', 'nobody reviews what they took')
      const reviewed: Grant = { ...grant, review: { by: partyOf(by), atMs: now(), outcome, comment } }
      given.splice(given.indexOf(grant), 1, reviewed)
      return reviewed
    },
    async issueToken(by, { durationMs }) {
      const id = newTokenId()
      tokens.set(id, by.name)
      return { id, secret: `${id}.secret`, expiresAtMs: now() + durationMs }
    },
    async revokeToken(by, id) {
      if (tokens.get(id) !== by.name) throw new PosternError('request_unknown', `there is no token ${id}`)
      tokens.delete(id)
    },
    async sessions(by) {
      return [
        {
          id: 's_one' as SessionId,
          gateway: 'g_one' as GatewayId,
          principal: partyOf(by),
          database: 'shop',
          token: null,
          startedAtMs: now(),
          endedAtMs: null,
        },
      ]
    },
    fileStatement(by, what = {}) {
      const request: StatementRequestRecord = {
        kind: 'statement',
        id: newRequestId(),
        requester: partyOf(by),
        reason: 'INC-1234: duplicate orders of the broken import',
        requirements: [{ by: 'delete-without-where', approvers: ['dba'], count: 1, goodForMs: 900_000 }],
        createdAtMs: now() - 60_000,
        expiresAtMs: now() + 14 * 60_000,
        state: { state: 'pending' },
        database: 'shop',
        session: 's_one' as SessionId,
        gateway: 'g_one' as GatewayId,
        clientAddress: '10.4.7.21',
        applicationName: 'psql',
        binding: 'binding',
        about: {
          sql: "DELETE FROM orders USING customers c WHERE orders.customer_id = c.id AND c.email = 'mia@example.com'",
          redacted: "DELETE FROM orders USING customers c WHERE orders.customer_id = c.id AND c.email = 'pseudonym-1'",
          command: 'DELETE',
          parameters: null,
          redactedParameters: [],
          relations: ['public.orders', 'public.customers'],
          tags: ['pii.email'],
          columns: ['public.customers.email'],
          estimate: { rows: 12_400, cost: 812.5 },
          transaction: { isOpen: false, locks: [] },
          policies: [
            { id: 'delete-without-where', advice: 'Deletes that touch many rows need a second pair of eyes.' },
          ],
        },
        ...what,
      }
      filed.set(request.id, { request, approvals: [] })
      return request
    },
  }
}
