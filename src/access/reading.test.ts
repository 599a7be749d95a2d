import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partyOf, type Grant } from '../core/access.ts'
import { newGrantId } from '../core/ids.ts'
import { alice, bench, bob, hourMs, person, root, wishOf } from './testing.ts'

void test('all active grants are listed, however many there are, and however many newer ones are others’', async () => {
  const { access, store, clock } = await bench()
  const grantTo = (name: string, nth: number): Grant => ({
    id: newGrantId(),
    principal: partyOf(person(name)),
    role: 'support',
    databases: null,
    kind: 'approved',
    request: null,
    reason: null,
    fromMs: clock.nowMs + nth,
    untilMs: clock.nowMs + hourMs,
    ended: null,
    review: null,
  })
  await store.change(async (changes) => {
    for (let nth = 0; nth < 2_200; nth += 1) await changes.insertGrant(grantTo(nth < 150 ? 'alice' : 'dan', nth))
  })
  assert.equal((await access.grants(root, { isEnded: false })).length, 2_200)
  assert.equal((await access.grants(bob, { isEnded: false })).length, 2_200)
  assert.equal((await access.grants(alice, { isEnded: false })).length, 150)
  assert.equal((await access.grants(root, { isEnded: false, limit: 20 })).length, 20)
  assert.equal((await access.grants(root, {})).length, 100, 'of the history the newest')
  await access.close()
})

void test('an approver finds the oldest request that waits behind thousands that others answer', async () => {
  const { access } = await bench({ settings: { requestsPerPrincipalMax: 5_000, pendingRequestsMax: 2_100 } })
  const requirement = { by: 'others', approvers: ['others'], count: 1, goodForMs: hourMs }
  const { id } = await access.file(wishOf(alice))
  for (let nth = 0; nth < 2_050; nth += 1) {
    await access.file(wishOf(person('dan'), { requirements: [requirement] }))
  }
  const seen = await access.requests(bob, { states: ['pending'] })
  assert.deepEqual(
    seen.map(({ request }) => request.id),
    [id],
  )
  await access.close()
})
