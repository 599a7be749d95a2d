import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from './entry.ts'
import { formatHeading, formatShown, terminalSafe, terminalSafeJson } from './record-text.ts'

const intent: Entry = {
  seq: 7,
  prev: 'x',
  at: '2026-11-23T16:27:26.123Z',
  type: 'intent',
  principal: { name: 'alice' },
  client: { address: '10.0.0.7', port: 50_123 },
  kind: 'SELECT',
  sql: 'SELECT *\n  FROM orders',
}

const outcome: Entry = {
  ...intent,
  seq: 8,
  type: 'outcome',
  intent: 7,
  outcome: 'completed',
  rows: 3,
  durationUs: 1_240,
}

void test('a statement is one line: when, who, from where, what, how it ended, how much, how long, the text', () => {
  const line = formatShown({ entry: intent, outcome }, 200)
  assert.match(
    line,
    /^2026-11-23T16:27:26\.123Z +alice +10\.0\.0\.7:50123 +SELECT +completed +3 +1\.2 ms +SELECT \* +FROM orders$/,
  )
  assert.equal(formatHeading().indexOf('statement'), line.indexOf('SELECT *'))
  assert.match(formatShown({ entry: intent, outcome: null }, 200), / running /)
  assert.match(
    formatShown({ entry: intent, outcome: { ...outcome, outcome: 'failed', sqlstate: '42P01' } }, 200),
    / failed 42P01 /,
  )
})

void test('a line is never wider than asked for', () => {
  const line = formatShown({ entry: { ...intent, sql: 'x'.repeat(1_000) }, outcome }, 120)
  assert.equal(line.length, 120)
  assert.ok(line.endsWith('…'))
})

void test('refusals say by which policy, failed log-ins who was claimed and why, other entries their members', () => {
  const refusal = { ...intent, type: 'refusal', refused: { policies: ['no-drop-database'], reason: 'forbidden' } }
  assert.match(formatShown({ entry: refusal, outcome: null }, 200), / refused .*by no-drop-database: SELECT/)
  const nobody = { ...refusal, refused: { policies: [], reason: 'not_permitted' } }
  assert.match(formatShown({ entry: nobody, outcome: null }, 200), /not_permitted: SELECT/)
  const told = { ...refusal, refused: { message: 'DELETE is refused', detail: 'by "no-delete".' } }
  assert.match(formatShown({ entry: told, outcome: null }, 200), /DELETE is refused; by "no-delete": SELECT/)
  const failed: Entry = {
    seq: 1,
    prev: 'x',
    at: intent.at,
    type: 'login_failed',
    claimed: 'mallory',
    code: 'token_expired',
  }
  assert.match(formatShown({ entry: failed, outcome: null }, 200), /mallory .*login_failed .*token_expired/)
  const cut: Entry = { seq: 1, prev: 'x', at: intent.at, type: 'recovered', cutBytes: 12 }
  assert.match(formatShown({ entry: cut, outcome: null }, 200), /recovered .*cutBytes=12/)
})

void test('nothing that a terminal obeys is printed, whichever member it hides in', () => {
  const evil = 'a\u001b]0;owned\u0007\u009b31m\u202e\u2066\u200b\u2028\u0000\u007fb'
  const entry: Entry = {
    ...intent,
    principal: { name: evil },
    client: { address: evil, port: 1 },
    kind: evil,
    sql: evil,
  }
  const results: Entry = { ...outcome, outcome: evil, sqlstate: evil }
  const other: Entry = { seq: 1, prev: 'x', at: evil, type: 'cancel', [evil]: evil, claimed: evil, code: evil }
  const printed = [
    formatShown({ entry, outcome: results }, 10_000),
    formatShown({ entry: other, outcome: null }, 10_000),
    terminalSafe(evil),
    terminalSafeJson(entry),
  ]
  for (const line of printed) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  assert.match(terminalSafe(evil), /^a\\u001b\]0;owned\\u0007\\u009b31m\\u202e/)
  assert.deepEqual(JSON.parse(terminalSafeJson(entry)), entry, 'escaped JSON says the same')
})
