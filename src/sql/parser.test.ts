import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createParser } from './parser.ts'

/** Overflows any stack of the event loop, within the parser. */
const overflowing = `SELECT 1${' + 1'.repeat(100_000)}`

void test('an instance that broke is replaced at once, and by the next turn there is a spare again', async () => {
  const faults: unknown[] = []
  const parser = await createParser({ onFault: (fault) => faults.push(fault) })
  for (let round = 1; round <= 5; round += 1) {
    await nextTurn()
    assert.equal(parser.parse(overflowing).state, 'crashed')
    assert.equal(faults.length, round)
    assert.ok(faults.at(-1) instanceof RangeError)
    assert.equal(parser.parse('SELECT 1').state, 'parsed')
  }
})

void test('a parser without an instance says so and has one again soon', async () => {
  const parser = await createParser({ onFault: () => {} })
  await nextTurn()
  assert.equal(parser.parse(overflowing).state, 'crashed')
  assert.equal(parser.parse(overflowing).state, 'crashed')
  assert.equal(parser.parse('SELECT 1').state, 'unavailable')
  await nextTurn()
  assert.equal(parser.parse('SELECT 1').state, 'parsed')
})

void test('an instance whose memory has grown is replaced', async () => {
  const parser = await createParser({ onFault: fail })
  await nextTurn()
  const large = `INSERT INTO t VALUES ${"(1, 'x'), ".repeat(250_000)}(1, 'x')`
  assert.equal(parser.parse(large).state, 'parsed')
  assert.equal(parser.parse(large).state, 'parsed')
  assert.equal(parser.parse('SELECT 1').state, 'unavailable')
})

void test('errors leave the instance as it was', async () => {
  const parser = await createParser({ onFault: fail })
  for (let i = 0; i < 2_000; i += 1) {
    assert.equal(parser.parse(`SELECT ${i} FROM FROM`).state, 'syntax_error')
    assert.equal(parser.parse(`SELECT ${i} NOT/**/IN (1) --`).state, 'parsed')
  }
})

function fail(fault: unknown): never {
  throw fault
}
