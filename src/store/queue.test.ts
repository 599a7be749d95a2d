import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { Queue } from './queue.ts'

const isUnavailable = (error: unknown) => error instanceof PosternError && error.code === 'store_unavailable'

test('a queue runs so many at a time, in the order in which they came', async () => {
  const queue = new Queue({ width: 2, waitingMax: 10, waitMsMax: 10_000 })
  const order: number[] = []
  let running = 0
  let most = 0
  await Promise.all(
    [1, 2, 3, 4, 5, 6].map((n) =>
      queue.run(async () => {
        order.push(n)
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
      }),
    ),
  )
  assert.deepEqual(order, [1, 2, 3, 4, 5, 6])
  assert.equal(most, 2)
})

test('a queue goes on after work that throws', async () => {
  const queue = new Queue({ width: 1, waitingMax: 10, waitMsMax: 10_000 })
  await assert.rejects(
    queue.run(async () => {
      throw new Error('a bug')
    }),
    /a bug/u,
  )
  assert.equal(await queue.run(async () => 7), 7)
})

test('a queue refuses whom it has no room for, and who has waited too long', async () => {
  const queue = new Queue({ width: 1, waitingMax: 1, waitMsMax: 20 })
  const holding = Promise.withResolvers<void>()
  const held = queue.run(() => holding.promise)
  const waiting = queue.run(async () => assert.fail('it gave up waiting'))
  await assert.rejects(
    queue.run(async () => assert.fail('there is no room')),
    isUnavailable,
  )
  await assert.rejects(waiting, isUnavailable)
  holding.resolve()
  await held
  assert.equal(await queue.run(async () => 7), 7)
})
