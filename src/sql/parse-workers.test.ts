import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createParseWorkers } from './parse-workers.ts'

void test('texts that wait are answered in order of arrival, and too many of them are opaque', async () => {
  const workers = createParseWorkers({ safeFunctions: new Set(), onFault: fail, workersMax: 1 })
  const order: number[] = []
  const answers = await Promise.all(
    Array.from({ length: 2_003 }, async (_, i) => {
      const analysis = await workers.analyze(`SELECT ${i}`)
      order.push(i)
      return analysis.statements[0]?.opaque
    }),
  )
  // One is parsed and 2,000 wait; the others are answered at once.
  assert.deepEqual(
    [...answers.keys()].filter((i) => answers[i] !== null),
    [2_001, 2_002],
  )
  assert.match(answers[2_002] ?? '', /too many/)
  assert.deepEqual(order.slice(2), [...answers.keys()].slice(0, 2_001))
  await workers.close()
})

void test('a worker knows the functions that were classified safe', async () => {
  const workers = createParseWorkers({ safeFunctions: new Set(['shop.total']), onFault: fail })
  const analysis = await workers.analyze('SELECT shop.total(1); SELECT shop.purge(1)')
  assert.deepEqual(
    analysis.statements.map((statement) => statement.opaque),
    [null, 'calls shop.purge(), which Postern does not know'],
  )
  await workers.close()
})

void test('a worker that cannot hold a tree is ended and its text opaque, and the next one works', async () => {
  const faults: unknown[] = []
  const workers = createParseWorkers({
    safeFunctions: new Set(),
    onFault: (fault) => faults.push(fault),
    deadlineMs: 60_000,
    heapMbMax: 24,
  })
  const analysis = await workers.analyze(`SELECT ${'a.b, '.repeat(100_000)}1`)
  assert.equal(analysis.statements[0]?.opaque, 'the parser could not read it')
  assert.equal(faults.length, 1)
  assert.equal((await workers.analyze('SELECT 1')).statements[0]?.opaque, null)
  await workers.close()
})

function fail(fault: unknown): never {
  throw fault
}
