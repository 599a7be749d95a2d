import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partyOf } from '../core/access.ts'
import { newSessionId } from '../core/ids.ts'
import { alice, bench, bob, carol, dbaAgrees, hourMs, minuteMs, person, root, stateOf, wishOf } from './testing.ts'

const yes = { answer: 'approve', comment: 'fine', via: 'cli' } as const
const no = { answer: 'deny', comment: 'not today', via: 'page' } as const
const now = { binding: 'b1', requirements: [dbaAgrees] }

void test('a statement waits, is approved, and is let through once', async () => {
  const { access, notices, journal, store } = await bench()
  const filed = await access.file(wishOf(alice))
  assert.deepEqual(
    notices.map(({ type }) => type),
    ['request_opened'],
    'told when it settles',
  )
  assert.equal(await stateOf(filed), 'waits')
  const answered = await access.answer(bob, filed.id, yes)
  assert.deepEqual(answered.given, [1])
  const outcome = await filed.outcome
  assert.deepEqual(outcome.outcome === 'approved' && outcome.approvers, ['bob'])
  assert.deepEqual(await Promise.all([filed.use(now), filed.use(now), filed.use(now)]), [true, false, false])
  assert.equal(await filed.use(now), false)
  assert.deepEqual(
    journal.map(({ type }) => type),
    ['request_opened', 'request_answered', 'request_closed'],
  )
  assert.equal(JSON.stringify(journal).includes('topsecret'), false, 'no text and no parameter is on record')
  assert.equal(
    store.tables.changes.every(({ isJournalled }) => isJournalled),
    true,
  )
  const { request } = await access.request(alice, filed.id)
  assert.equal(request.state.state, 'used')
  await access.close()
})

void test('it is let through for the same binding only, and what policy asks for now', async () => {
  const attacks = {
    'another binding': { ...now, binding: 'b2' },
    'another policy': { ...now, requirements: [{ ...dbaAgrees, by: 'other' }] },
    'more people': { ...now, requirements: [{ ...dbaAgrees, count: 2 }] },
    'other groups': { ...now, requirements: [{ ...dbaAgrees, approvers: ['security'] }] },
    'one more policy': { ...now, requirements: [dbaAgrees, { ...dbaAgrees, by: 'other' }] },
  }
  const { access } = await bench()
  for (const [name, asked] of Object.entries(attacks)) {
    const filed = await access.file(wishOf(alice))
    await access.answer(bob, filed.id, yes)
    assert.equal(await filed.use(asked), false, name)
    assert.equal(await filed.use(now), false, `${name}: the request is closed by it`)
    assert.equal((await access.request(alice, filed.id)).request.state.state, 'withdrawn')
  }
  await access.close()
})

void test('a record that was changed behind our back lets nothing through', async () => {
  const { access, store } = await bench()
  for (const change of [{ binding: 'b9' }, { session: 's_other' as never }, { gateway: 'g_other' as never }]) {
    const filed = await access.file(wishOf(alice))
    await access.answer(bob, filed.id, yes)
    const record = store.tables.requests.get(filed.id)
    if (record?.kind === 'statement') store.tables.requests.set(filed.id, { ...record, ...change })
    assert.equal(await filed.use(now), false)
  }
  await access.close()
})

void test('an approval is used before it lapses, not at that instant, and not after the clock went back', async () => {
  const { access, clock } = await bench()
  const early = await access.file(wishOf(alice))
  const late = await access.file(wishOf(alice))
  await access.answer(bob, early.id, yes)
  await access.answer(bob, late.id, yes)
  clock.nowMs += 15 * minuteMs - 1
  assert.equal(await early.use(now), true)
  clock.nowMs += 1
  assert.equal(await late.use(now), false)
  clock.nowMs -= 10 * minuteMs
  assert.equal(await late.use(now), false)
  assert.equal((await access.request(alice, late.id)).request.state.state, 'expired')
  await access.close()
})

void test('one no closes it, and later answers find it closed', async () => {
  const { access } = await bench()
  const filed = await access.file(wishOf(alice))
  await access.answer(bob, filed.id, no)
  assert.deepEqual(await filed.outcome, { outcome: 'denied', by: 'bob', comment: 'not today' })
  await assert.rejects(access.answer(carol, filed.id, yes), { code: 'request_closed' })
  assert.equal(await filed.use(now), false)
  await access.close()
})

void test('two approvals at once count once each, and one person at once counts once', async () => {
  const { access } = await bench()
  const two = { ...dbaAgrees, count: 2 }
  const filed = await access.file(wishOf(alice, { requirements: [two] }))
  const same = await Promise.allSettled([access.answer(bob, filed.id, yes), access.answer(bob, filed.id, yes)])
  assert.deepEqual(same.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  assert.equal(await stateOf(filed), 'waits')
  const other = await access.file(wishOf(alice, { requirements: [two] }))
  await Promise.all([access.answer(bob, other.id, yes), access.answer(carol, other.id, yes)])
  assert.equal(await stateOf(other), 'approved')
  // Two at once where one is enough: the second finds it decided.
  const one = await access.file(wishOf(alice))
  const both = await Promise.allSettled([access.answer(bob, one.id, yes), access.answer(carol, one.id, yes)])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  assert.equal(await one.use(now), true)
  await access.close()
})

void test('a yes that lapsed while another was awaited does not count, and takes another person', async () => {
  const { access, clock } = await bench({ settings: { statementWaitMs: 2 * hourMs } })
  const filed = await access.file(wishOf(alice, { requirements: [{ ...dbaAgrees, count: 2 }] }))
  await access.answer(bob, filed.id, yes)
  clock.nowMs += 15 * minuteMs
  assert.deepEqual((await access.answer(carol, filed.id, yes)).given, [1])
  assert.equal(await stateOf(filed), 'waits')
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'access_refused' })
  await access.answer(person('dan', ['dba']), filed.id, yes)
  assert.equal(await stateOf(filed), 'approved')
  await access.close()
})

void test('an answer at the very instant of expiry comes too late, and the clock that goes back changes nothing', async () => {
  const { access, clock } = await bench()
  const filed = await access.file(wishOf(alice))
  clock.nowMs = filed.expiresAtMs
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'request_closed' })
  clock.nowMs -= minuteMs
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'request_closed' })
  assert.deepEqual(await filed.outcome, { outcome: 'expired' })
  await access.close()
})

void test('approve and expire at once: the store decides, once', async () => {
  const { access, clock, store } = await bench()
  for (const isFirst of [true, false]) {
    const filed = await access.file(wishOf(alice))
    clock.nowMs = filed.expiresAtMs - 1
    // The clock passes the end between the two transactions, whichever comes first.
    let seen = 0
    store.onTransaction = () => {
      if (seen++ === 0) clock.nowMs = isFirst ? filed.expiresAtMs - 1 : filed.expiresAtMs
      else clock.nowMs = filed.expiresAtMs
    }
    const [answered] = await Promise.allSettled([access.answer(bob, filed.id, yes), access.sweep()])
    store.onTransaction = () => undefined
    assert.equal(answered.status, isFirst ? 'fulfilled' : 'rejected')
    assert.equal((await filed.outcome).outcome, isFirst ? 'approved' : 'expired')
  }
  await access.close()
})

void test('what was withdrawn is not approved, and nothing runs by it, however the two race', async () => {
  const { access } = await bench()
  const before = await access.file(wishOf(alice))
  before.withdraw('cancelled')
  assert.deepEqual(await before.outcome, { outcome: 'withdrawn' })
  await assert.rejects(access.answer(bob, before.id, yes), { code: 'request_closed' })
  const during = await access.file(wishOf(alice))
  const answering = access.answer(bob, during.id, yes)
  during.withdraw('client_lost')
  await Promise.allSettled([answering])
  assert.equal((await during.outcome).outcome, 'withdrawn')
  assert.equal(await during.use(now), false)
  await access.sweep()
  assert.equal((await access.request(alice, during.id)).request.state.state, 'withdrawn')
  const using = await access.file(wishOf(alice))
  await access.answer(bob, using.id, yes)
  const used = using.use(now)
  using.withdraw('session_ended')
  assert.equal(await used, false)
  await access.close()
})

void test('a principal who is revoked while their statement is let through does not run it', async () => {
  const { access, store, clock } = await bench()
  const filed = await access.file(wishOf(alice))
  await access.answer(bob, filed.id, yes)
  clock.nowMs += 1
  const revoked = access.revoke(root, { principal: 'alice', reason: 'left', killsSessions: true })
  const used = filed.use(now)
  await revoked
  assert.equal(await used, false)
  assert.ok(access.revokedBeforeMs(alice) > clock.nowMs - 1)
  // The other way round: the revocation comes while the use is being put on record.
  await access.sessionStarted({
    id: newSessionId(),
    principal: partyOf(bob),
    database: 'shop',
    token: null,
    startedAtMs: clock.nowMs,
  })
  const second = await access.file(wishOf(bob, { requirements: [dbaAgrees] }))
  await access.answer(carol, second.id, yes)
  let transactions = 0
  store.onTransaction = () => void transactions++
  const late = second.use(now)
  const killed = access.revoke(root, { principal: 'bob', reason: 'left', killsSessions: true })
  assert.equal(await late, false)
  await killed
  assert.ok(transactions >= 2)
  await access.close()
})

void test('where the journal takes nothing, nothing takes effect until it does', async () => {
  const { access, journalFault, store, journal } = await bench()
  journalFault.error = new Error('disk full')
  await assert.rejects(access.file(wishOf(alice)), { code: 'journal_unavailable' })
  journalFault.error = null
  await access.sweep()
  const [orphan] = [...store.tables.requests.values()]
  assert.equal(orphan?.state.state, 'withdrawn', 'nobody answers what nobody waits for')
  const filed = await access.file(wishOf(alice))
  journalFault.error = new Error('disk full')
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'journal_unavailable' })
  assert.equal(await stateOf(filed), 'waits', 'approved in the store, but not on record')
  journalFault.error = null
  await access.sweep()
  assert.equal(await stateOf(filed), 'approved')
  journalFault.error = new Error('disk full')
  await assert.rejects(filed.use(now), { code: 'journal_unavailable' })
  journalFault.error = null
  await access.sweep()
  assert.equal(await filed.use(now), false, 'it is used up')
  assert.equal(journal.length, new Set(journal.map(({ change }) => change)).size, 'each is on record once')
  // A denial takes effect before it is on record.
  const denied = await access.file(wishOf(alice))
  journalFault.error = new Error('disk full')
  await assert.rejects(access.answer(bob, denied.id, no), { code: 'journal_unavailable' })
  assert.equal(await stateOf(denied), 'denied')
  await access.close()
})

void test('where the store cannot be reached, all is refused, and what ended stays ended', async () => {
  const { access, store, clock } = await bench()
  const filed = await access.file(wishOf(alice))
  const approved = await access.file(wishOf(alice))
  const withdrawn = await access.file(wishOf(alice))
  await access.answer(bob, approved.id, yes)
  store.isDown = true
  await assert.rejects(access.file(wishOf(alice)), { code: 'store_unavailable' })
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'store_unavailable' })
  await assert.rejects(approved.use(now), { code: 'store_unavailable' })
  withdrawn.withdraw('client_lost')
  assert.deepEqual(await withdrawn.outcome, { outcome: 'withdrawn' })
  clock.nowMs = filed.expiresAtMs
  await assert.rejects(access.sweep())
  assert.deepEqual(await filed.outcome, { outcome: 'expired' })
  clock.nowMs -= 5 * minuteMs
  store.isDown = false
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'request_closed' }, 'before it is written down, too')
  await access.sweep()
  await access.sweep()
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'request_closed' })
  assert.equal((await access.request(alice, withdrawn.id)).request.state.state, 'withdrawn')
  assert.equal(await approved.use(now), true, 'the approval itself still stands')
  await access.close()
})

void test('a commit that nobody heard of leaves nothing that waits for nobody', async () => {
  const { access, store, journal } = await bench()
  store.losesNextCommit = true
  await assert.rejects(access.file(wishOf(alice)), { code: 'store_unavailable' })
  await access.sweep()
  await access.sweep()
  const [orphan] = [...store.tables.requests.values()]
  assert.equal(orphan?.state.state, 'withdrawn')
  assert.deepEqual(journal.map(({ type }) => type).sort(), ['request_closed', 'request_opened'])
  await access.close()
})

void test('two gateways on one store answer each other, once it is on record', async () => {
  const here = await bench()
  const there = await here.another()
  const filed = await here.access.file(wishOf(alice))
  here.journalFault.error = new Error('disk full')
  await assert.rejects(there.access.answer(bob, filed.id, yes), { code: 'journal_unavailable' })
  await here.access.sweep().catch(() => 'the journal is full for both')
  assert.equal(await stateOf(filed), 'waits')
  here.journalFault.error = null
  await there.access.sweep()
  assert.equal((await filed.outcome).outcome, 'approved')
  assert.equal(await filed.use(now), true)
  const denied = await here.access.file(wishOf(alice))
  await there.access.answer(bob, denied.id, no)
  assert.equal((await denied.outcome).outcome, 'denied')
  await here.access.close()
  await there.access.close()
})

void test('a gateway that was killed while statements waited: others withdraw them and put on record what it did not', async () => {
  const here = await bench()
  const there = await here.another()
  const waiting = await here.access.file(wishOf(alice))
  const approved = await here.access.file(wishOf(alice))
  await there.access.answer(bob, approved.id, yes)
  here.journalFault.error = new Error('killed')
  await assert.rejects(here.access.file(wishOf(alice)), { code: 'journal_unavailable' })
  here.journalFault.error = null
  // From here on the first gateway does nothing any more.
  here.clock.nowMs += 59_000
  await there.access.sweep()
  await there.access.sweep()
  assert.equal((await there.access.request(bob, waiting.id)).request.state.state, 'pending')
  here.clock.nowMs += 2_000
  await there.access.sweep()
  await there.access.sweep()
  for (const { id } of [waiting, approved]) {
    const { state } = (await there.access.request(bob, id)).request
    assert.equal(state.state === 'withdrawn' && state.why, 'gateway_lost')
  }
  assert.equal(
    here.store.tables.changes.every(({ isJournalled }) => isJournalled),
    true,
  )
  assert.equal(await approved.use(now), false, 'nothing runs later, even where it comes back')
  await here.access.close()
  await there.access.close()
})

void test('unknown and not to be seen are the same answer', async () => {
  const { access } = await bench()
  const filed = await access.file(wishOf(alice))
  const stranger = person('eve', ['sales'])
  for (const by of [stranger, { ...bob, sessionToken: { id: 't' as never, role: null, database: 'shop' } }]) {
    await assert.rejects(access.request(by, filed.id), { code: 'request_unknown' })
    await assert.rejects(access.answer(by, filed.id, yes), { code: 'request_unknown' })
    await assert.rejects(access.withdraw(by, filed.id), { code: 'request_unknown' })
    assert.deepEqual(await access.requests(by, {}), [])
  }
  await assert.rejects(access.request(stranger, 'r_absent' as never), { code: 'request_unknown' })
  for (const by of [alice, bob, root, person('audrey', ['auditors'])]) {
    assert.equal((await access.requests(by, {})).length, 1, by.name)
  }
  await assert.rejects(access.withdraw(bob, filed.id), { code: 'access_refused' })
  await assert.rejects(access.answer(alice, filed.id, yes), { code: 'access_refused' })
  await access.withdraw(alice, filed.id)
  assert.deepEqual(await filed.outcome, { outcome: 'withdrawn' })
  await access.close()
})

void test('requests that wait are bounded for one principal and for all', async () => {
  const { access } = await bench({ settings: { requestsPerPrincipalMax: 2, pendingRequestsMax: 3 } })
  const first = await access.file(wishOf(alice))
  await access.file(wishOf(alice))
  await assert.rejects(access.file(wishOf(alice)), { code: 'limit_exceeded' })
  await access.file(wishOf(carol))
  await assert.rejects(access.file(wishOf(person('dan'))), { code: 'limit_exceeded' })
  first.withdraw('cancelled')
  await access.sweep()
  await access.file(wishOf(person('dan')))
  await access.close()
})

void test('a thousand statements wait without a timer each, and all are told', async () => {
  const { access, clock } = await bench()
  const timersBefore = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const filed = await Promise.all(
    Array.from({ length: 1_000 }, async (_, index) => access.file(wishOf(person(`p${String(index % 100)}`)))),
  )
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  assert.ok(timers <= timersBefore + 1)
  clock.nowMs += 10 * minuteMs
  await access.sweep()
  const outcomes = await Promise.all(filed.map(async (each) => each.outcome))
  assert.deepEqual([...new Set(outcomes.map(({ outcome }) => outcome))], ['expired'])
  await access.close()
})

void test('a statement that is withdrawn while its use is being put on record does not run', async () => {
  const { access, journalFault } = await bench()
  const filed = await access.file(wishOf(alice))
  await access.answer(bob, filed.id, yes)
  Object.defineProperty(journalFault, 'error', {
    get: () => {
      filed.withdraw('cancelled')
      return null
    },
  })
  assert.equal(await filed.use(now), false)
  assert.equal((await access.request(alice, filed.id)).request.state.state, 'used', 'and nothing else runs by it')
  await access.close()
})

void test('what a principal files in the millisecond of their revocation is withdrawn when it is to be used', async () => {
  const { access } = await bench()
  const earlier = await access.file(wishOf(alice))
  await access.revoke(root, { principal: 'alice', reason: 'left', killsSessions: true })
  assert.equal((await earlier.outcome).outcome, 'denied')
  const filed = await access.file(wishOf(alice))
  await access.answer(bob, filed.id, yes)
  assert.equal(await filed.use(now), false)
  assert.equal((await access.request(root, filed.id)).request.state.state, 'withdrawn')
  await access.close()
})

void test('an approver who was revoked at another gateway a moment ago answers no more, nor do answers from before count', async () => {
  const { access, store, clock } = await bench()
  const approved = await access.file(wishOf(alice))
  await access.answer(bob, approved.id, yes)
  const { name, issuer, subject } = bob
  const revocation = { name, issuer, subject, notBeforeMs: clock.nowMs + 1, by: partyOf(root), reason: 'left' }
  store.tables.revocations.push(revocation)
  const filed = await access.file(wishOf(alice))
  await assert.rejects(access.answer(bob, filed.id, yes), { code: 'access_refused' })
  assert.equal(await approved.use(now), false)
  await access.close()
})
