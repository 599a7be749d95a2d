import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pruning } from '../core/control-store.ts'
import { limits } from '../core/limits.ts'
import { bench } from './testing.ts'

void test('what is kept no longer is removed about hourly, a batch at each sweep while there is more', async () => {
  const { access, store, clock, gateway } = await bench()
  const asked: Pruning[] = []
  let left = limits.prunedRowsMax + 1
  store.prune = async (pruning) => {
    asked.push(pruning)
    const removed = Math.min(left, pruning.rowsMax)
    left -= removed
    return Promise.resolve(removed)
  }
  await access.sweep()
  assert.equal(asked.length, 0, 'a start has other things to do')
  clock.nowMs += limits.pruneFirstMs
  for (let sweep = 0; sweep < 4; sweep += 1) await access.sweep()
  assert.equal(asked.length, 2)
  assert.deepEqual(asked[0], {
    by: gateway,
    aliveSinceMs: clock.nowMs - limits.gatewayLostMs,
    endedBeforeMs: clock.nowMs - limits.endedKeptMs,
    notSeenSinceMs: clock.nowMs - limits.gatewayKeptMs,
    rowsMax: limits.prunedRowsMax,
  })
  clock.nowMs += limits.pruneIntervalMs - 1
  await access.sweep()
  assert.equal(asked.length, 2)
  clock.nowMs += 1
  await access.sweep()
  assert.equal(asked.length, 3)
  clock.nowMs -= 1_000 * limits.pruneIntervalMs
  await access.sweep()
  clock.nowMs += limits.pruneIntervalMs
  await access.sweep()
  assert.equal(asked.length, 4, 'a clock that went back does not put it off for good')
  await access.close()
})
