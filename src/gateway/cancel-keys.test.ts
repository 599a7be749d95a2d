import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protocol30, protocol32 } from '../wire/startup.ts'
import { CancelKeys } from './cancel-keys.ts'

test('a key leads to its session, also where two databases use the same process id', () => {
  const keys = new CancelKeys<string>()
  const first = keys.issue(4711, protocol30, 'first')
  const second = keys.issue(4711, protocol32, 'second')
  assert.equal(first.secretKey.length, 4)
  assert.equal(second.secretKey.length, 32)
  assert.equal(keys.find(first), 'first')
  assert.equal(keys.find(second), 'second')
  assert.equal(keys.find({ processId: 4712, secretKey: first.secretKey }), null)
  assert.equal(keys.find({ processId: 4711, secretKey: second.secretKey.subarray(0, 4) }), null)
  assert.equal(keys.find({ processId: 4711, secretKey: Buffer.alloc(0) }), null)
})

test('a withdrawn key leads nowhere, and leaves the other one alone', () => {
  const keys = new CancelKeys<string>()
  const first = keys.issue(1, protocol30, 'first')
  const second = keys.issue(1, protocol30, 'second')
  keys.withdraw(first)
  assert.equal(keys.find(first), null)
  assert.equal(keys.find(second), 'second')
})
