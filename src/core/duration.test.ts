import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, parseDuration } from './duration.ts'

test('a duration is read from seconds, minutes, hours, days and sums of them', () => {
  const read = ['90s', '15m', '2h', '1d', '1h30m'].map(parseDuration)
  assert.deepEqual(read, [90_000, 900_000, 7_200_000, 86_400_000, 5_400_000])
  for (const text of ['0s', '', '5', 'm', '-1h', '1.5h', '2 h', '1h ']) assert.equal(parseDuration(text), null)
})

test('a duration is written as it is read', () => {
  for (const text of ['1s', '15m', '1h30m', '2d3h', '1d1s'])
    assert.equal(formatDuration(parseDuration(text) ?? 0), text)
  assert.equal(formatDuration(1_200), '2s')
  assert.equal(formatDuration(0), '1s')
})
