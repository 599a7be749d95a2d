import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision } from '../core/decision.ts'
import { approversOf, refusalOfDecision } from './refusal.ts'

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

test('who has to agree is told with how many, and which of several groups will do', () => {
  const asked = (by: string, approvers: readonly string[], count: number) => ({ by, approvers, count, goodForMs: 1 })
  const of = (...all: ReturnType<typeof asked>[]) => approversOf(all)
  assert.equal(of(asked('a', ['dba'], 1)), '"dba"')
  assert.equal(of(asked('a', ['dba', 'lead'], 1)), '"dba" or "lead"')
  assert.equal(of(asked('a', ['dba', 'lead'], 2)), '2 members of "dba" or "lead"')
  assert.equal(of(asked('a', ['dba'], 2), asked('b', ['lead'], 1)), '2 members of "dba" and "lead"')
  assert.equal(of(asked('a', ['dba'], 1), asked('b', ['dba'], 1)), '"dba"')
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
