import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { EventStatement } from '../core/access-events.ts'
import { opened, statementRequest } from './notify-testing.ts'
import { requestMessage } from './slack-message.ts'

const messageOf = (changes: Partial<EventStatement>): string => {
  const request = statementRequest()
  if (request.about.kind !== 'statement') assert.fail()
  const event = opened('e1', { ...request, about: { ...request.about, ...changes } })
  if (event.type !== 'request_opened') assert.fail()
  return JSON.stringify(requestMessage(event, { canAnswer: true, nowMs: 0 }))
}
const isApprovable = (changes: Partial<EventStatement>): boolean => messageOf(changes).includes('postern_approve')

describe('a statement in Slack', () => {
  test('is shown with the values for its placeholders, as it is approved with them', () => {
    const redacted = 'DELETE FROM orders WHERE id = ANY ($1) AND note = $2'
    const message = messageOf({ redacted, redactedParameters: ['{1,2,3}', null] })
    assert.ok(message.includes(String.raw`-- $1 = \"{1,2,3}\"\n-- $2 = null`), message)
    assert.ok(isApprovable({ redacted, redactedParameters: ['{1,2,3}', null] }))
  })

  test('cannot be approved there where a value is cut, too long, or hides something behind blanks', () => {
    const values: readonly (readonly string[])[] = [
      ['xxx… (5003 bytes in all)'],
      ['a', '(7 more not recorded)'],
      ['x'.repeat(3_000)],
      [`a${' '.repeat(100)}b`],
      ['```'],
    ]
    for (const redactedParameters of values) assert.equal(isApprovable({ redactedParameters }), false)
    const gaps = ['\n'.repeat(10), ' '.repeat(100), '\n \t\n \n \n \n \n', '\u3164', '\u2800', '\u00a0']
    for (const gap of gaps) assert.equal(isApprovable({ redacted: `SELECT 1;${gap}DROP TABLE x` }), false)
    assert.ok(isApprovable({ redacted: 'SELECT 1\n\n  FROM x\n' }))
  })
})
