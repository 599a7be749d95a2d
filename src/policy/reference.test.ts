import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { policyReferenceFile, withActionTable } from './reference.ts'
import { policySetOf } from './testing.ts'

const page = readFileSync(policyReferenceFile, 'utf8')

test('the reference page lists every action (else run: node src/policy/reference.ts)', () => {
  assert.equal(page, withActionTable(page))
  assert.match(page, /\| `admin` \| .*`DROP DATABASE`/u)
})

test('the policies on the reference page are valid', () => {
  const examples = [...page.matchAll(/```cedar\n([^]*?)```/gu)].map(([, text]) => text ?? '')
  assert.ok(examples.length > 0)
  for (const text of examples) assert.ok(policySetOf(text).policies.length > 0)
})

test('the expressions on the reference page are valid', () => {
  const expressions = [
    'resource.hasTag("env") && resource.getTag("env") == "production"',
    'context.session.clientAddress.isInRange(ip("10.0.0.0/8"))',
    'context.session.time < datetime("2027-01-01T00:00:00Z")',
    'principal is Human in Group::"dba"',
  ]
  for (const text of expressions) {
    assert.ok(page.includes(text), text)
    policySetOf(`permit (principal, action in Action::"statement", resource) when { ${text} };`)
  }
})
