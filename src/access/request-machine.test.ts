import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partyOf, type RequestRecord, type RequestState } from '../core/access.ts'
import { newGatewayId, newGrantId, newRequestId, newSessionId } from '../core/ids.ts'
import { advance, dueAtMs, isFinal, type RequestEvent } from './request-machine.ts'
import { alice, bob, wishOf } from './testing.ts'

const base = {
  id: newRequestId(),
  requester: partyOf(alice),
  reason: null,
  requirements: [],
  createdAtMs: 0,
  expiresAtMs: 100,
}
const { about } = wishOf(alice)
const grant = newGrantId()
const by = partyOf(bob)
const deny = { by, comment: 'no' }

const states: Record<string, RequestState> = {
  pending: { state: 'pending' },
  approved: { state: 'approved', atMs: 10, goodUntilMs: 50 },
  used: { state: 'used', atMs: 20 },
  granted: { state: 'granted', atMs: 20, grant },
  denied: { state: 'denied', atMs: 20, ...deny },
  expired: { state: 'expired', atMs: 100 },
  withdrawn: { state: 'withdrawn', atMs: 20, why: 'cancelled' },
}

function requestOf(kind: 'statement' | 'access', state: RequestState): RequestRecord {
  return kind === 'access'
    ? { ...base, kind, state, role: 'support', durationMs: 1, extends: null }
    : {
        ...base,
        kind,
        state,
        database: 'shop',
        session: newSessionId(),
        gateway: newGatewayId(),
        clientAddress: '',
        applicationName: '',
        binding: 'b',
        about,
      }
}

const events = (atMs: number): Record<RequestEvent['type'], RequestEvent> => ({
  approve: { type: 'approve', atMs, goodUntilMs: atMs + 40 },
  grant: { type: 'grant', atMs, grant },
  deny: { type: 'deny', atMs, ...deny },
  use: { type: 'use', atMs },
  expire: { type: 'expire', atMs },
  withdraw: { type: 'withdraw', atMs, why: 'cancelled' },
})

const names = ['approve', 'grant', 'deny', 'use', 'expire', 'withdraw'] as const
const allClosed = ['closed', 'closed', 'closed', 'closed', 'closed', 'closed']

// One column per event, in the order of `names`; at the times before, at and after the end of what the state has.
const table: Record<string, Record<string, readonly string[]>> = {
  'statement pending': {
    99: ['approved', 'wrong_kind', 'denied', 'not_approved', 'too_early', 'withdrawn'],
    100: ['expired!', 'wrong_kind', 'expired!', 'not_approved', 'expired', 'withdrawn'],
    101: ['expired!', 'wrong_kind', 'expired!', 'not_approved', 'expired', 'withdrawn'],
  },
  'access pending': {
    99: ['wrong_kind', 'granted', 'denied', 'wrong_kind', 'too_early', 'withdrawn'],
    100: ['wrong_kind', 'expired!', 'expired!', 'wrong_kind', 'expired', 'withdrawn'],
    101: ['wrong_kind', 'expired!', 'expired!', 'wrong_kind', 'expired', 'withdrawn'],
  },
  'statement approved': {
    49: ['closed', 'closed', 'closed', 'used', 'too_early', 'withdrawn'],
    50: ['closed', 'closed', 'closed', 'expired!', 'expired', 'withdrawn'],
    51: ['closed', 'closed', 'closed', 'expired!', 'expired', 'withdrawn'],
  },
  'access approved': {
    49: ['closed', 'closed', 'closed', 'wrong_kind', 'too_early', 'withdrawn'],
    50: ['closed', 'closed', 'closed', 'wrong_kind', 'expired', 'withdrawn'],
  },
}
for (const kind of ['statement', 'access']) {
  for (const state of ['used', 'granted', 'denied', 'expired', 'withdrawn']) {
    table[`${kind} ${state}`] = { 1: allClosed, 99: allClosed, 100: allClosed, 1000: allClosed }
  }
}

void test('every event in every state, before, at and after its end, does what the table says', () => {
  assert.equal(Object.keys(table).length, 2 * Object.keys(states).length, 'the table is whole')
  for (const [name, times] of Object.entries(table)) {
    const [kind, stateName = ''] = name.split(' ')
    const state = states[stateName] ?? { state: 'pending' }
    for (const [atMs, expected] of Object.entries(times)) {
      const before = requestOf(kind === 'access' ? 'access' : 'statement', state)
      for (const [index, type] of names.entries()) {
        const after = advance(before, events(Number(atMs))[type])
        // A refusal because time is over has a mark, so that it is not taken for the state of that name.
        const what = after.ok ? after.request.state.state : after.why === 'expired' ? 'expired!' : after.why
        assert.equal(what, expected[index], `${name} ${type} at ${atMs}`)
      }
    }
  }
})

void test('an approval that lapsed before it was given approves nothing', () => {
  const after = advance(requestOf('statement', { state: 'pending' }), { type: 'approve', atMs: 10, goodUntilMs: 10 })
  assert.deepEqual(after, { ok: false, why: 'expired' })
})

void test('a final state shows no statement any more, and the states before it do', () => {
  for (const type of names) {
    for (const state of ['pending', 'approved'] as const) {
      const after = advance(requestOf('statement', states[state] ?? { state: 'pending' }), events(20)[type])
      if (!after.ok || after.request.kind !== 'statement') continue
      const isGone = after.request.about.sql === null && after.request.about.parameters === null
      assert.equal(isGone, isFinal(after.request.state), `${state} ${type}`)
      assert.equal(after.request.about.redacted, about.redacted)
    }
  }
})

void test('a request is due when it expires, or when its approval lapses', () => {
  const due = Object.values(states).map((state) => dueAtMs(requestOf('statement', state)))
  assert.deepEqual(due, [100, 50, Infinity, Infinity, Infinity, Infinity, Infinity])
})
