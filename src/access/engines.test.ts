import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openControlStore } from '../store/store.ts'
import { testEngines } from '../store/testing.ts'
import { compareWithJournal } from './access.ts'
import { alice, benchOn, bob, carol, dbaAgrees, hourMs, person, root, wishOf } from './testing.ts'

const yes = { answer: 'approve', comment: 'fine', via: 'cli' } as const
const now = { binding: 'b1', requirements: [dbaAgrees] }

for (const engine of testEngines()) {
  before(async () => engine.start())
  after(async () => engine.stop())

  void test(`on ${engine.kind}: statements and grants of two gateways, and the store agrees with the journal`, async () => {
    const options = engine.fresh()
    const [one, two] = [await openControlStore(options), await openControlStore(options)]
    const here = await benchOn(one)
    const there = await benchOn(two, { shared: here })
    const filed = await here.access.file(wishOf(alice))
    await there.access.answer(bob, filed.id, yes)
    assert.equal((await filed.outcome).outcome, 'approved')
    assert.deepEqual(await Promise.all([filed.use(now), filed.use(now)]), [true, false])
    const race = await here.access.file(wishOf(alice))
    const answers = await Promise.allSettled([
      here.access.answer(bob, race.id, yes),
      there.access.answer(carol, race.id, yes),
    ])
    assert.deepEqual(answers.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    assert.equal((await race.outcome).outcome, 'approved')
    race.withdraw('cancelled')
    const { request } = await there.access.ask(alice, { role: 'support', durationMs: hourMs, reason: 'INC-1' })
    await here.access.answer(bob, request.id, yes)
    await there.access.sweep()
    assert.deepEqual(there.access.holdingOf(alice, 'shop', here.clock.nowMs).roles, ['support'])
    const wish = { database: 'shop', role: 'support', durationMs: hourMs, isSingleSession: true }
    const { id, secret } = await there.access.issueToken(alice, wish)
    const principal = await here.access.verifyToken(secret, { nowMs: here.clock.nowMs })
    assert.deepEqual(here.access.holdingOf(principal, 'shop', here.clock.nowMs).roles, ['support'])
    const session = { principal: { ...alice }, database: 'shop', token: id, startedAtMs: here.clock.nowMs }
    await here.access.sessionStarted({ ...session, id: 's_1' as never })
    await assert.rejects(there.access.sessionStarted({ ...session, id: 's_2' as never }), { code: 'token_unusable' })
    assert.equal((await here.access.sessions(alice)).length, 1)
    const taken = await here.access.breakGlass(alice, { role: 'support', durationMs: hourMs, reason: 'fire' })
    await there.access.review(bob, taken.id, { outcome: 'unjustified', comment: 'no fire' })
    here.clock.nowMs += 1
    assert.equal(
      (await there.access.revoke(root, { principal: 'alice', reason: 'left', killsSessions: true })).length,
      2,
    )
    await here.access.sweep()
    assert.deepEqual(here.access.holdingOf(alice, 'shop', here.clock.nowMs).roles, [])
    assert.equal(here.access.isTokenGood(principal, here.clock.nowMs), false)
    here.access.sessionEnded('s_1' as never, here.clock.nowMs)
    // Whoever opens it next withdraws what nobody waits for any more.
    const waiting = await here.access.file(wishOf(person('dan')))
    here.clock.nowMs += 61_000
    await there.access.sweep()
    await there.access.sweep()
    assert.equal((await waiting.outcome).outcome, 'withdrawn')
    await here.access.sweep()
    assert.deepEqual(await compareWithJournal(one, here.journal), [])
    await here.access.close()
    await there.access.close()
    await one.close()
    await two.close()
  })
}
