import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRequest } from './api-answers.ts'
import { describedRequest } from './access-text.ts'

const textOf = (sql: string, parameters: readonly (string | null)[] = []): string =>
  describedRequest(
    readRequest({
      id: 'r_0123456789ab',
      kind: 'statement',
      requester: { name: 'alice@example.com', kind: 'human', actors: [] },
      reason: null,
      state: 'pending',
      createdAt: '2030-01-01T00:00:00Z',
      expiresAt: '2030-01-01T01:00:00Z',
      requirements: [],
      approvals: [],
      mayAnswer: true,
      statement: {
        database: 'shop',
        command: 'DELETE',
        sql,
        parameters,
        isRedacted: false,
        relations: [],
        tags: [],
        estimate: null,
        transaction: { isOpen: false, locks: [] },
        policies: [],
        clientAddress: '127.0.0.1',
        application: '',
      },
      url: 'https://postern.example.com/r/r_0123456789ab',
    }),
    { isColoured: false, width: 80, nowMs: 0 },
  )

test('nothing of a statement is pushed off the screen by lines in which nothing is to be seen', () => {
  for (const blank of ['', ' \t', '\u3164', '\u2800\u115f']) {
    const text = textOf(`DELETE FROM orders;${`\n${blank}`.repeat(5_000)}\nSELECT 1`)
    assert.ok(text.split('\n').length < 30, text.slice(0, 500))
    assert.match(text, /│ DELETE FROM orders;/)
    assert.match(text, /│ SELECT 1/)
    assert.match(text, /\n {2}… 4998 empty lines are left out here\n/)
  }
  const long = textOf('SELECT $1', [`a${' '.repeat(100_000)}b`])
  assert.ok(long.split('\n').length < 30)
  assert.match(textOf('SELECT 1\n\n\nFROM x'), /│ SELECT 1\n {2}│ \n {2}│ \n {2}│ FROM x/)
})
