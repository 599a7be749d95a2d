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
  requirements: [],
}

test('a refusal of what cannot be analysed says why it cannot', () => {
  const { error } = refusalOfDecision(denial, {
    opaque: 'calls note(), which Postern does not know',
    commands: [],
  })
  assert.equal(error.detail, 'No policy permits it. It cannot be analysed: calls note(), which Postern does not know.')
})

test('a refusal of a command that is plain says nothing of what is opaque beside it', () => {
  const { error } = refusalOfDecision({ ...denial, command: 'DELETE' }, { opaque: 'calls note()', commands: [] })
  assert.equal(error.detail, 'No policy permits it.')
})

test('a refusal for an open search path says which schema to name', () => {
  const { error } = refusalOfDecision(
    { ...denial, command: 'SELECT' },
    { opaque: null, commands: [], permittedSchema: 'public' },
  )
  assert.match(error.hint ?? '', /Write "public\." before the name/)
})

test('a relation is named as it was written, but for a forbid, which knows the schema it is for', () => {
  const commands = [{ name: 'DELETE', relations: [{ schema: null, name: 'orders' }], hasWhere: true }]
  const denied = { ...denial, command: 'DELETE', resource: 'shop.owner.orders' }
  const told = (reason: typeof denied.reason): string =>
    refusalOfDecision({ ...denied, reason }, { opaque: null, commands }).error.message
  assert.equal(told('not_permitted'), 'DELETE on orders is refused by policy')
  assert.equal(told('forbidden'), 'DELETE on shop.owner.orders is refused by policy')
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
