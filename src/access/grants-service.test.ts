import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noHolding, type Grant } from '../core/access.ts'
import type { RoleWish } from '../core/access-service.ts'
import { newSessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { compareWithJournal, type Access, type Difference } from './access.ts'
import { alice, bench, bob, carol, hourMs, minuteMs, person, role, root } from './testing.ts'

const yes = { answer: 'approve', comment: '', via: 'api' } as const
const wish: RoleWish = { role: 'support', durationMs: hourMs, reason: 'INC-1' }

async function grantTo(access: Access, by: Principal = alice, more: Partial<RoleWish> = {}): Promise<Grant> {
  const { request } = await access.ask(by, { ...wish, ...more })
  const { request: granted } = await access.answer(bob, request.id, yes)
  assert.equal(granted.state.state, 'granted')
  const id = granted.state.state === 'granted' ? granted.state.grant : ('' as never)
  const grant = (await access.grants(root, {})).find((each) => each.id === id)
  assert.ok(grant !== undefined)
  return grant
}

void test('an access role is asked for, given, held in its databases and gone at its end', async () => {
  const { access, clock, store, notices, journal } = await bench()
  const changed: unknown[] = []
  access.onChange((subjects) => changed.push(subjects))
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), noHolding)
  const grant = await grantTo(access)
  assert.deepEqual(changed, [[{ issuer: alice.issuer, subject: alice.subject }]])
  const holding = access.holdingOf(alice, 'shop', clock.nowMs)
  assert.deepEqual(holding, { roles: ['support'], untilMs: grant.untilMs })
  assert.equal(access.holdingOf({ ...alice }, 'shop', clock.nowMs + 5), holding, 'the same object')
  assert.equal(access.holdingOf(alice, 'other', clock.nowMs), noHolding)
  assert.equal(access.holdingOf({ ...alice, actors: [bob] }, 'shop', clock.nowMs), noHolding)
  clock.nowMs = grant.untilMs - 1
  await access.sweep()
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), holding)
  clock.nowMs += 1
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), noHolding)
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs - 1), noHolding, 'a clock that goes back revives nothing')
  await access.sweep()
  assert.equal(store.tables.grants.get(grant.id)?.ended?.why, 'expired')
  assert.ok(changed.length >= 2)
  assert.equal(notices.at(-1)?.type, 'grant_ended')
  assert.deepEqual(await compareWithJournal(store, journal), [])
  await access.close()
})

void test('an end that was seen in one database is one in all, though the clock went back', async () => {
  const settings = { storeStalenessMs: 24 * hourMs }
  const { access, clock } = await bench({ roles: [role('support', { databases: null })], settings })
  const grant = await grantTo(access)
  assert.deepEqual(access.holdingOf(alice, 'crm', clock.nowMs).roles, ['support'])
  assert.equal(access.holdingOf(alice, 'shop', grant.untilMs), noHolding)
  assert.equal(access.holdingOf(alice, 'third', grant.untilMs - minuteMs), noHolding)
  await access.close()
})

void test('what cannot be asked for is refused', async () => {
  const { access } = await bench({ roles: [role('support'), role('free', { needsReason: false })] })
  const attacks: [Principal, Partial<RoleWish>, string][] = [
    [carol, {}, 'access_refused'],
    [alice, { role: 'absent' }, 'access_refused'],
    [alice, { role: '__proto__' }, 'access_refused'],
    [alice, { durationMs: 5 * hourMs }, 'input_invalid'],
    [alice, { durationMs: 0 }, 'input_invalid'],
    [alice, { durationMs: NaN }, 'input_invalid'],
    [alice, { durationMs: -1 }, 'input_invalid'],
    [alice, { reason: null }, 'input_invalid'],
    [alice, { reason: '  ' }, 'input_invalid'],
    [alice, { reason: 'a\u0000b' }, 'input_invalid'],
    [alice, { extends: 'a_absent' as never }, 'request_unknown'],
    [{ ...alice, sessionToken: { id: 't' as never, role: null, database: 'shop' } }, {}, 'access_refused'],
  ]
  for (const [by, more, code] of attacks) await assert.rejects(access.ask(by, { ...wish, ...more }), { code })
  await access.ask(alice, { ...wish, role: 'free', reason: null })
  await access.close()
})

void test('a role that was configured anew gives nothing by an answer to the old one', async () => {
  const here = await bench()
  const { request } = await here.access.ask(alice, wish)
  const stricter = await here.another({}, [role('support', { approvals: 2 })])
  await assert.rejects(stricter.access.answer(bob, request.id, yes), { code: 'request_closed' })
  assert.equal(here.store.tables.grants.size, 0)
  await here.access.close()
  await stricter.access.close()
})

void test('an extension moves the end, by the holder, while the grant lasts, and no further than the role allows', async () => {
  const { access, clock, journalFault } = await bench()
  const grant = await grantTo(access)
  await assert.rejects(access.ask(bob, { ...wish, extends: grant.id }), { code: 'request_unknown' })
  await assert.rejects(access.ask({ ...alice, actors: [bob] }, { ...wish, extends: grant.id }), {
    code: 'request_unknown',
  })
  const { request } = await access.ask(alice, { ...wish, durationMs: 4 * hourMs, extends: grant.id })
  journalFault.error = new Error('full')
  await assert.rejects(access.answer(bob, request.id, yes), { code: 'journal_unavailable' })
  await access.sweep().catch(() => 'the journal is full')
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs).untilMs, grant.untilMs, 'not before it is on record')
  journalFault.error = null
  await access.sweep()
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs).untilMs, clock.nowMs + 4 * hourMs)
  const late = await access.ask(alice, { ...wish, extends: grant.id })
  clock.nowMs += 4 * hourMs
  await assert.rejects(access.answer(bob, late.request.id, yes), { code: 'request_closed' })
  await assert.rejects(access.ask(alice, { ...wish, extends: grant.id }), { code: 'input_invalid' })
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), noHolding)
  await access.close()
})

void test('an end that was seen is not moved, though the clock went back', async () => {
  const { access, clock } = await bench()
  const grant = await grantTo(access)
  const { request } = await access.ask(alice, { ...wish, extends: grant.id })
  assert.equal(access.holdingOf(alice, 'shop', grant.untilMs), noHolding)
  clock.nowMs = grant.untilMs - minuteMs
  await assert.rejects(access.answer(bob, request.id, yes), { code: 'request_closed' })
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), noHolding)
  await access.close()
})

void test('revoking ends it at once, for whoever may, even where the journal lags', async () => {
  const { access, clock, journalFault, store } = await bench()
  const grant = await grantTo(access)
  for (const [by, code] of [
    [person('dan', ['dba']), 'request_unknown'],
    [person('au', ['auditors']), 'access_refused'],
  ] as const) {
    await assert.rejects(access.revoke(by, { grant: grant.id, reason: 'x' }), { code })
  }
  await assert.rejects(access.revoke(root, { reason: 'x' }), { code: 'input_invalid' })
  await assert.rejects(access.revoke(bob, { principal: 'alice', reason: 'x', killsSessions: true }), {
    code: 'access_refused',
  })
  await assert.rejects(access.revoke(root, { principal: 'alice', role: 'support', reason: 'x', killsSessions: true }), {
    code: 'input_invalid',
  })
  journalFault.error = new Error('full')
  await assert.rejects(access.revoke(bob, { grant: grant.id, reason: 'x' }), { code: 'journal_unavailable' })
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), noHolding)
  journalFault.error = null
  assert.equal(store.tables.grants.get(grant.id)?.ended?.why, 'revoked')
  for (const wanted of [{ principal: 'alice' }, { role: 'support' }, { principal: 'alice', role: 'support' }]) {
    const next = await grantTo(access)
    assert.equal((await access.revoke(alice, { ...wanted, reason: 'done' })).length, 1)
    assert.deepEqual(await access.revoke(alice, { ...wanted, reason: 'done' }), [])
    assert.equal(access.isTokenGood(alice, clock.nowMs), true)
    assert.equal(store.tables.grants.get(next.id)?.ended?.by?.name, 'alice')
  }
  await access.close()
})

void test('killing a principal ends grants, tokens, requests and what was issued before', async () => {
  const { access, clock, store } = await bench()
  await grantTo(access)
  await access.issueToken(alice, { database: 'shop', role: 'support', durationMs: hourMs, isSingleSession: false })
  const { secret } = await access.issueToken(alice, {
    database: 'shop',
    role: null,
    durationMs: hourMs,
    isSingleSession: false,
  })
  const { request } = await access.ask(alice, wish)
  assert.equal((await access.revoke(root, { principal: 'alice', reason: 'left', killsSessions: true })).length, 1)
  assert.equal(access.revokedBeforeMs(alice), clock.nowMs + 1)
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), noHolding)
  assert.equal(store.tables.requests.get(request.id)?.state.state, 'denied')
  await assert.rejects(access.verifyToken(secret, { nowMs: clock.nowMs }), { code: 'token_unusable' })
  assert.equal(
    [...store.tables.tokens.values()].every(({ ended }) => ended !== null),
    true,
  )
  await assert.rejects(access.ask({ ...alice, issuedAtMs: clock.nowMs }, wish), { code: 'access_refused' })
  await access.ask({ ...alice, issuedAtMs: clock.nowMs + 1 }, wish)
  await access.close()
})

void test('break-glass is taken at once, with a reason, by those named, once until it was reviewed', async () => {
  const { access, clock, notices } = await bench()
  await assert.rejects(access.breakGlass(bob, wish), { code: 'access_refused' })
  await assert.rejects(access.breakGlass(alice, { ...wish, reason: ' ' }), { code: 'input_invalid' })
  await assert.rejects(access.breakGlass(alice, { ...wish, durationMs: 5 * hourMs }), { code: 'input_invalid' })
  await assert.rejects(access.breakGlass({ ...alice, actors: [bob] }, wish), { code: 'access_refused' })
  const both = await Promise.allSettled([access.breakGlass(alice, wish), access.breakGlass(alice, wish)])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  assert.deepEqual(
    notices.map(({ type }) => type),
    ['break_glass_taken'],
  )
  assert.deepEqual(access.holdingOf(alice, 'shop', clock.nowMs).roles, ['support'])
  const [grant] = await access.grants(bob, { needsReview: true })
  assert.ok(grant !== undefined)
  await access.revoke(alice, { grant: grant.id, reason: 'done' })
  await assert.rejects(access.breakGlass(alice, wish), { code: 'access_refused' })
  const said = { outcome: 'justified', comment: 'there was a fire' } as const
  await assert.rejects(access.review({ ...alice, groups: ['leads'] }, grant.id, said), { code: 'access_refused' })
  await assert.rejects(access.review(person('eve'), grant.id, said), { code: 'request_unknown' })
  assert.equal((await access.review(bob, grant.id, said)).review?.outcome, 'justified')
  await assert.rejects(access.review(carol, grant.id, said), { code: 'access_refused' })
  await access.breakGlass(alice, wish)
  await access.close()
})

void test('a token lets its principal in, with that role and no other, until its grant ends', async () => {
  const { access, clock, store } = await bench({ roles: [role('support'), role('reader')] })
  const grant = await grantTo(access)
  await grantTo(access, alice, { role: 'reader' })
  const wanted = { database: 'shop', role: 'support', durationMs: 4 * hourMs, isSingleSession: false }
  await assert.rejects(access.issueToken(alice, { ...wanted, role: 'absent' }), { code: 'access_refused' })
  await assert.rejects(access.issueToken(alice, { ...wanted, database: 'other' }), { code: 'access_refused' })
  await assert.rejects(access.issueToken(carol, wanted), { code: 'access_refused' })
  await assert.rejects(access.issueToken(alice, { ...wanted, durationMs: 25 * hourMs }), { code: 'input_invalid' })
  const issued = await access.issueToken(alice, wanted)
  assert.equal(issued.expiresAtMs, grant.untilMs)
  const principal = await access.verifyToken(issued.secret, { nowMs: clock.nowMs })
  assert.deepEqual(
    [principal.name, principal.expiresAtMs, principal.sessionToken?.role],
    ['alice', grant.untilMs, 'support'],
  )
  const holding = access.holdingOf(principal, 'shop', clock.nowMs)
  assert.deepEqual(holding.roles, ['support'])
  assert.equal(access.holdingOf({ ...principal }, 'shop', clock.nowMs), holding)
  assert.deepEqual(access.holdingOf(alice, 'shop', clock.nowMs).roles, ['reader', 'support'])
  assert.equal(access.holdingOf(principal, 'other', clock.nowMs), noHolding)
  const forged = { ...principal, sessionToken: { id: issued.id, role: 'reader', database: 'shop' } }
  assert.equal(access.holdingOf(forged, 'shop', clock.nowMs), noHolding)
  const wrong = `${issued.secret.slice(0, -1)}${issued.secret.endsWith('A') ? 'B' : 'A'}`
  await assert.rejects(access.verifyToken(wrong, { nowMs: clock.nowMs }), { code: 'token_untrusted' })
  await assert.rejects(access.verifyToken(`pst_t_000000000000_${'A'.repeat(32)}`, { nowMs: clock.nowMs }), {
    code: 'token_untrusted',
  })
  await assert.rejects(access.verifyToken('secret', { nowMs: clock.nowMs }), { code: 'token_malformed' })
  await assert.rejects(access.verifyToken(issued.secret, { nowMs: issued.expiresAtMs }), { code: 'token_expired' })
  assert.equal((await access.scramVerifierOf(issued.id)).scram.iterations, 4096)
  await assert.rejects(access.issueToken(principal, { ...wanted, role: null }), { code: 'access_refused' })
  await access.revoke(bob, { grant: grant.id, reason: 'enough' })
  assert.equal(access.holdingOf(principal, 'shop', clock.nowMs), noHolding)
  assert.equal(access.isTokenGood(principal, clock.nowMs), false)
  assert.equal(store.tables.tokens.get(issued.id)?.ended?.why, 'revoked', 'it died with its grant')
  await assert.rejects(access.verifyToken(issued.secret, { nowMs: clock.nowMs }), { code: 'token_unusable' })
  await access.close()
})

void test('a token for one session serves the first that comes, and dies with it', async () => {
  const { access, clock, store } = await bench()
  const { id, secret } = await access.issueToken(alice, {
    database: 'shop',
    role: null,
    durationMs: hourMs,
    isSingleSession: true,
  })
  const principal = await access.verifyToken(secret, { nowMs: clock.nowMs })
  const session = (database = 'shop') => ({
    id: newSessionId(),
    principal: { name: 'alice', kind: 'human' as const, issuer: alice.issuer, subject: alice.subject, actors: [] },
    database,
    token: id,
    startedAtMs: clock.nowMs,
  })
  await assert.rejects(access.sessionStarted(session('other')), { code: 'token_untrusted' })
  const first = session()
  const both = await Promise.allSettled([access.sessionStarted(first), access.sessionStarted(session())])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  await assert.rejects(access.verifyToken(secret, { nowMs: clock.nowMs }), { code: 'token_unusable' })
  assert.equal(access.isTokenGood(principal, clock.nowMs), true)
  store.isDown = true
  access.sessionEnded(first.id, clock.nowMs)
  assert.equal(access.isTokenGood(principal, clock.nowMs), false, 'at once')
  await assert.rejects(access.sweep())
  store.isDown = false
  await access.sweep()
  assert.equal(store.tables.tokens.get(id)?.ended?.why, 'session_ended')
  assert.notEqual(store.tables.sessions.get(first.id)?.endedAtMs, null)
  await access.close()
})

void test('tokens and sessions of a gateway that is gone end', async () => {
  const here = await bench()
  const there = await here.another()
  const { id } = await here.access.issueToken(alice, {
    database: 'shop',
    role: null,
    durationMs: hourMs,
    isSingleSession: true,
  })
  const started = {
    id: newSessionId(),
    principal: { ...alice },
    database: 'shop',
    token: id,
    startedAtMs: here.clock.nowMs,
  }
  await here.access.sessionStarted(started)
  here.clock.nowMs += 61_000
  await there.access.sweep()
  await there.access.sweep()
  assert.equal(here.store.tables.tokens.get(id)?.ended?.why, 'session_ended')
  assert.notEqual(here.store.tables.sessions.get(started.id)?.endedAtMs, null)
  await here.access.close()
  await there.access.close()
})

void test('a token is for whom it was issued to: others neither see nor revoke it, admins do', async () => {
  const { access, clock } = await bench()
  const { id, secret } = await access.issueToken(alice, {
    database: 'shop',
    role: null,
    durationMs: hourMs,
    isSingleSession: false,
  })
  await assert.rejects(access.revokeToken(bob, id), { code: 'request_unknown' })
  await assert.rejects(access.revokeToken(alice, 't_absent' as never), { code: 'request_unknown' })
  await access.revokeToken(root, id)
  await assert.rejects(access.verifyToken(secret, { nowMs: clock.nowMs }), { code: 'token_unusable' })
  await access.close()
})

void test('grants count for a while where the store cannot be read, and then no more', async () => {
  const { access, clock, store } = await bench()
  await grantTo(access)
  const changed: unknown[] = []
  access.onChange((subjects) => changed.push(subjects))
  store.isDown = true
  clock.nowMs += 5 * minuteMs - 1
  await assert.rejects(access.sweep())
  assert.deepEqual(access.holdingOf(alice, 'shop', clock.nowMs).roles, ['support'])
  clock.nowMs += 1
  assert.equal(access.holdingOf(alice, 'shop', clock.nowMs), noHolding)
  await assert.rejects(access.sweep())
  assert.deepEqual(changed, [null])
  clock.nowMs -= 10 * minuteMs
  assert.equal(
    access.holdingOf(alice, 'shop', clock.nowMs),
    noHolding,
    'nor where the clock goes back behind the last reading',
  )
  clock.nowMs += 10 * minuteMs
  store.isDown = false
  await access.sweep()
  assert.deepEqual(changed, [null, null])
  assert.deepEqual(access.holdingOf(alice, 'shop', clock.nowMs).roles, ['support'])
  await access.close()
})

void test('a grant of another gateway counts once it is on record, its end at once', async () => {
  const here = await bench()
  const there = await here.another()
  const { request } = await here.access.ask(alice, wish)
  here.journalFault.error = new Error('full')
  await assert.rejects(there.access.answer(bob, request.id, yes), { code: 'journal_unavailable' })
  await here.access.sweep().catch(() => 'full')
  assert.equal(here.access.holdingOf(alice, 'shop', here.clock.nowMs), noHolding)
  here.journalFault.error = null
  await there.access.sweep()
  await here.access.sweep()
  assert.deepEqual(here.access.holdingOf(alice, 'shop', here.clock.nowMs).roles, ['support'])
  here.journalFault.error = new Error('full')
  await assert.rejects(there.access.revoke(root, { role: 'support', reason: 'x' }), { code: 'journal_unavailable' })
  await here.access.sweep().catch(() => 'full')
  assert.equal(here.access.holdingOf(alice, 'shop', here.clock.nowMs), noHolding)
  here.journalFault.error = null
  await here.access.close()
  await there.access.close()
})

void test('a gateway that starts knows what is in force, and puts on record what one before it did not', async () => {
  const here = await bench()
  await grantTo(here.access)
  here.journalFault.error = new Error('killed')
  await assert.rejects(here.access.breakGlass(alice, wish), { code: 'journal_unavailable' })
  here.journalFault.error = null
  const told = here.notices.length
  const next = await here.another({ isOnlyGateway: true })
  assert.equal(
    here.store.tables.changes.every(({ isJournalled }) => isJournalled),
    true,
  )
  assert.deepEqual(
    here.notices.slice(told).map(({ type }) => type),
    ['break_glass_taken'],
    'loud all the same',
  )
  assert.deepEqual(next.access.holdingOf(alice, 'shop', next.clock.nowMs).roles, ['support'])
  assert.deepEqual(await compareWithJournal(here.store, here.journal), [])
  await here.access.close()
  await next.access.close()
})

const isOfChange = ({ of }: Difference): boolean => of === 'change'

void test('what is in the store is checked against the journal', async () => {
  const { access, store, journal } = await bench()
  await grantTo(access)
  assert.deepEqual(await compareWithJournal(store, journal), [])
  assert.deepEqual(await compareWithJournal(store, [...journal, ...journal]), [], 'twice the same is one')
  const changed = journal.map((entry, index) =>
    index === 1 ? { ...entry, facts: { ...entry.facts, by: { name: 'eve' } } } : entry,
  )
  const what = async (entries: typeof journal): Promise<string[]> =>
    (await compareWithJournal(store, entries)).filter(isOfChange).map((each) => `${String(each.change)} ${each.what}`)
  assert.deepEqual(await what(changed), ['2 differs'])
  assert.deepEqual(await what(journal.slice(1)), ['1 not_in_journal'])
  assert.deepEqual(await what([...journal, ...changed]), ['2 journalled_differently'])
  assert.deepEqual(await what([...journal, { type: 'grant_started', change: 99, facts: {} }]), ['99 not_in_store'])
  await access.close()
})

void test('a clock that jumps forward does not make the other gateways lost ones before they had their turn', async () => {
  const here = await bench()
  const there = await here.another()
  const { id } = await here.access.issueToken(alice, {
    database: 'shop',
    role: null,
    durationMs: hourMs,
    isSingleSession: true,
  })
  const { nowMs: startedAtMs } = here.clock
  await here.access.sessionStarted({
    id: newSessionId(),
    principal: { ...alice },
    database: 'shop',
    token: id,
    startedAtMs,
  })
  here.clock.nowMs += 10 * minuteMs
  await there.access.sweep()
  await here.access.sweep()
  await there.access.sweep()
  assert.equal(here.store.tables.tokens.get(id)?.ended, null)
  await here.access.close()
  await there.access.close()
})
