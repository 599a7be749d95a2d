import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision } from '../core/decision.ts'
import { refusalOfDecision } from './refusal.ts'

const denial: Extract<Decision, { effect: 'deny' }> = {
  effect: 'deny',
  policies: [],
  command: 'OPAQUE',
  resource: 'shop',
  reason: 'not_permitted',
  approvers: [],
}

test('a refusal of what cannot be analysed says why it cannot', () => {
  const { error } = refusalOfDecision(denial, { opaque: 'calls note(), which Postern does not know' })
  assert.equal(error.detail, 'No policy permits it. It cannot be analysed: calls note(), which Postern does not know.')
})

test('a refusal of a command that is plain says nothing of what is opaque beside it', () => {
  const { error } = refusalOfDecision({ ...denial, command: 'DELETE' }, { opaque: 'calls note()' })
  assert.equal(error.detail, 'No policy permits it.')
})

test('a refusal for an open search path says which schema to name', () => {
  const { error } = refusalOfDecision({ ...denial, command: 'SELECT' }, { permittedSchema: 'public' })
  assert.match(error.hint ?? '', /Write "public\." before the name/)
})

test('the advice of a policy is the hint', () => {
  const policies = [
    { id: 'a', advice: null },
    { id: 'b', advice: 'Ask the owner.' },
  ]
  const { error } = refusalOfDecision({ ...denial, reason: 'forbidden', policies })
  assert.equal(error.detail, 'Forbidden by "a", "b".')
  assert.equal(error.hint, 'Ask the owner.')
})
