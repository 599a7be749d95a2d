import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  partyOf,
  type AccessRequestRecord,
  type Approval,
  type ApprovalRequirement,
  type Grant,
} from '../core/access.ts'
import { newGrantId, newRequestId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import * as rules from './rules.ts'
import { alice, bob, carol, hourMs, minuteMs, person, role, root, startMs } from './testing.ts'

const id = newRequestId()
const dba: ApprovalRequirement = { by: 'p1', approvers: ['dba'], count: 1, goodForMs: 15 * minuteMs }
const two: ApprovalRequirement = { by: 'p2', approvers: ['dba', 'security'], count: 2, goodForMs: hourMs }

function request(requester: Principal = alice, more: Partial<AccessRequestRecord> = {}): AccessRequestRecord {
  return {
    kind: 'access',
    id,
    requester: partyOf(requester),
    reason: null,
    requirements: [dba],
    createdAtMs: startMs,
    expiresAtMs: startMs + hourMs,
    state: { state: 'pending' },
    role: 'support',
    durationMs: hourMs,
    extends: null,
    ...more,
  }
}

function yesOf(by: Principal, atMs: number = startMs, more: Partial<Approval> = {}): Approval {
  return {
    request: id,
    approver: partyOf(by),
    groups: by.groups,
    answer: 'approve',
    comment: '',
    atMs,
    via: 'api',
    ...more,
  }
}

function may(
  by: Principal,
  of: AccessRequestRecord = request(),
  approvals: readonly Approval[] = [],
  nowMs = startMs,
): boolean {
  return rules.mayAnswer(by, { request: of, approvals, nowMs }).may
}

void test('a person who is directly a member of a named group and somebody else may answer', () => {
  assert.equal(may(bob), true)
})

void test('nobody answers for themselves, whatever they are called and whoever acts for them', () => {
  const bot = { issuer: 'https://issuer', subject: 'sub-bot' }
  const dbas = ['dba']
  const agentOfBob = person('bob', dbas, { kind: 'agent', actors: [bot] })
  const attacks: Record<string, [Principal, AccessRequestRecord]> = {
    'the requester': [bob, request(bob)],
    'the same subject by another name': [person('bobby', dbas, { subject: 'sub-bob' }), request(bob)],
    'the same name by another subject': [
      person('bob', dbas, { subject: 'other', issuer: 'https://other' }),
      request(bob),
    ],
    'the person whom an agent acts for': [bob, request(agentOfBob)],
    'an actor of the requester': [person('botty', dbas, { subject: 'sub-bot' }), request(agentOfBob)],
    'somebody whom the requester acts for': [person('x', dbas, { actors: [alice] }), request(alice)],
    'an agent': [person('x', dbas, { kind: 'agent' }), request()],
    'a service': [person('x', dbas, { kind: 'service' }), request()],
    'a person through an agent': [person('x', dbas, { actors: [bot] }), request()],
    'a session token': [
      { ...bob, sessionToken: { id: 't_000000000000' as never, role: null, database: 'shop' } },
      request(),
    ],
    'somebody of another group': [person('x', ['leads']), request()],
    'somebody of no group': [person('x'), request()],
    'somebody of a group with another case': [person('x', ['DBA']), request()],
  }
  for (const [name, [by, of]] of Object.entries(attacks)) assert.equal(may(by, of), false, name)
})

void test('nobody answers twice, by subject or by name', () => {
  assert.equal(may(bob, request(), [yesOf(bob)]), false)
  assert.equal(may(person('robert', ['dba'], { subject: 'sub-bob' }), request(), [yesOf(bob)]), false)
  assert.equal(may(person('bob', ['dba'], { subject: 'other' }), request(), [yesOf(bob)]), false)
  // Not even after a yes lapsed: then another person is needed.
  assert.equal(may(bob, request(), [yesOf(bob)], startMs + 20 * minuteMs), false)
  assert.equal(may(carol, request(), [yesOf(bob)]), true)
})

void test('what is decided or over is not answered', () => {
  assert.equal(may(bob, request(alice, { state: { state: 'approved', atMs: 1, goodUntilMs: 2 } })), false)
  assert.equal(may(bob, request(), [], startMs + hourMs - 1), true)
  assert.equal(may(bob, request(), [], startMs + hourMs), false)
})

void test('a requirement is met by so many different people as it says, while their yeses are good', () => {
  const untilMs = (approvals: readonly Approval[], nowMs = startMs, requirements = [two]): number | null =>
    rules.metUntilMs(requirements, approvals, nowMs)
  assert.equal(untilMs([]), null)
  assert.equal(untilMs([yesOf(bob)]), null)
  assert.equal(untilMs([yesOf(bob), yesOf(bob)]), null, 'one person twice is one')
  assert.equal(untilMs([yesOf(bob), yesOf(person('robert', ['dba'], { subject: 'sub-bob' }))]), null)
  assert.equal(untilMs([yesOf(bob), yesOf(person('bob', ['dba'], { subject: 'x' }))]), null)
  assert.equal(untilMs([yesOf(bob), yesOf(carol, startMs, { answer: 'deny' })]), null)
  assert.equal(untilMs([yesOf(bob), yesOf(root)]), null, 'of another group')
  assert.equal(untilMs([yesOf(bob), yesOf(carol, startMs + 5)]), startMs + hourMs, 'the first to lapse counts')
  const third = yesOf(person('dan', ['security']), startMs + 9)
  assert.equal(untilMs([yesOf(bob), yesOf(carol, startMs + 5), third]), startMs + 5 + hourMs, 'two are left')
  assert.equal(untilMs([yesOf(bob), yesOf(carol)], startMs + hourMs), null, 'the same instant is over')
  assert.equal(untilMs([yesOf(bob), yesOf(carol)], startMs, []), null, 'nothing to be met is not met')
  assert.equal(
    untilMs([yesOf(bob), yesOf(carol)], startMs, [{ ...two, count: 0 }]),
    startMs + hourMs,
    'never by nobody',
  )
  assert.equal(untilMs([], startMs, [{ ...two, count: 0 }]), null)
  assert.equal(untilMs([yesOf(bob), yesOf(carol)], startMs, [two, dba]), startMs + 15 * minuteMs, 'one counts for both')
  assert.equal(
    untilMs([yesOf(bob), yesOf(carol)], startMs - 2 * minuteMs),
    null,
    'from the future: the clock went back',
  )
  assert.deepEqual(rules.countGiven([dba, two], [yesOf(bob), yesOf(carol)], startMs), [2, 2])
})

void test('what policy asks for now has to be among what was agreed to', () => {
  const approvals = [yesOf(bob), yesOf(carol)]
  const covered = (now: ApprovalRequirement[], nowMs = startMs): boolean =>
    rules.areCovered(now, [dba, two], { approvals, nowMs })
  assert.equal(covered([dba, two]), true)
  assert.equal(covered([two]), true)
  assert.equal(covered([]), true)
  assert.equal(covered([{ ...two, count: 1 }]), true)
  assert.equal(covered([{ ...two, approvers: ['security', 'dba'] }]), true)
  assert.equal(covered([{ ...two, by: 'other' }]), false)
  assert.equal(covered([{ ...two, count: 3 }]), false)
  assert.equal(covered([{ ...two, approvers: ['dba'] }]), false)
  assert.equal(covered([{ ...two, approvers: ['dba', 'security', 'leads'] }]), false)
  assert.equal(covered([two], startMs + hourMs), false)
  assert.equal(
    covered([{ ...two, goodForMs: minuteMs }], startMs + minuteMs),
    false,
    'policy lets them lapse sooner now',
  )
  assert.equal(
    covered([{ ...dba, goodForMs: 9 * hourMs }], startMs + 15 * minuteMs),
    false,
    'never longer than answered',
  )
})

void test('of an approver who was revoked, nothing said before stands', () => {
  const { issuer, subject, name } = bob
  const revocation = { issuer, subject, name, notBeforeMs: startMs + 1, by: partyOf(root), reason: 'left' }
  assert.deepEqual(rules.standing([yesOf(bob), yesOf(carol)], [revocation]), [yesOf(carol)])
  assert.deepEqual(rules.standing([yesOf(bob, startMs + 1)], [revocation]), [yesOf(bob, startMs + 1)])
  assert.equal(rules.isRevoked({ issuer: 'x', subject: 'y', actors: [bob] }, startMs, [revocation]), true)
})

const taken: Grant = {
  id: newGrantId(),
  principal: partyOf(alice),
  role: 'support',
  databases: null,
  kind: 'break_glass',
  request: null,
  reason: 'fire',
  fromMs: startMs,
  untilMs: startMs + hourMs,
  ended: null,
  review: null,
}

void test('who may ask, take at once, revoke and review is what the access role says', () => {
  const support = role('support')
  const admins = ['admins']
  assert.equal(rules.mayAsk(alice, support).may, true)
  assert.equal(rules.mayAsk(carol, support).may, false)
  assert.equal(rules.mayBreakGlass(alice, support).may, true)
  assert.equal(rules.mayBreakGlass(bob, support).may, false)
  assert.equal(rules.mayBreakGlass({ ...alice, kind: 'agent' }, support).may, false)
  assert.equal(rules.mayBreakGlass({ ...alice, actors: [bob] }, support).may, false)
  for (const [by, expected] of [
    [alice, true],
    [bob, true],
    [root, true],
    [person('dan', ['dba']), false],
  ] as const) {
    assert.equal(rules.mayRevoke(by, taken, { role: support, admins }).may, expected, by.name)
  }
  assert.equal(rules.mayRevoke(bob, taken, { role: undefined, admins }).may, false)
  const review = (by: Principal, grant: Grant = taken): boolean =>
    rules.mayReview(by, grant, { role: support, admins }).may
  assert.equal(review(bob), true)
  assert.equal(review(root), false)
  assert.equal(rules.mayReview(root, taken, { role: undefined, admins }).may, true)
  assert.equal(review({ ...alice, groups: ['leads'] }), false, 'the taker')
  assert.equal(review(person('alice', ['leads'], { subject: 'x' })), false, 'the taker by name')
  assert.equal(review({ ...bob, kind: 'agent' }), false)
  assert.equal(review(bob, { ...taken, kind: 'approved' }), false)
  const said = { by: partyOf(carol), atMs: startMs, outcome: 'justified', comment: '' } as const
  assert.equal(review(bob, { ...taken, review: said }), false)
})
