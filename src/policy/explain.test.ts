import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StatementAnalysis } from '../core/statement.ts'
import { createDecider } from './decide.ts'
import { changeText, explain } from './explain.ts'
import type { Asking } from './examine.ts'
import { connectRequest, policySetOf, principalNamed, statementOf, unmaskRequest } from './testing.ts'

const decider = createDecider(
  policySetOf(`
permit (principal in Group::"staff", action == Action::"connect", resource);
permit (principal in AccessRole::"fixer", action in Action::"write", resource in Schema::"shop.public");
permit (principal in Group::"lead", action in Action::"write", resource);
@id("ask") @approvers("dba") @approvals("2") forbid (principal, action == Action::"DELETE", resource);
@id("no-drop") forbid (principal, action == Action::"DROP TABLE", resource) unless { principal in Group::"dba" };
permit (principal in Group::"dba", action in [Action::"connect", Action::"ddl"], resource);`),
)
const staff = principalNamed('a', { groups: ['staff'] })
const textOf = (...statements: readonly StatementAnalysis[]) =>
  statements.map((statement) => ({ statement, tags: [], predicateTags: [], columns: [] }))
const update = statementOf('UPDATE', ['t'])
const remove = statementOf('DELETE', ['t'])

/** The outcome, and the changes that would help. */
function told(facts: Partial<Asking>, ...statements: readonly StatementAnalysis[]): readonly string[] {
  const asking = { ...connectRequest({ principal: staff }), searchPath: ['public'], ...facts }
  const { outcome, changes } = explain(decider, asking, textOf(...statements))
  return [outcome, ...changes.map(changeText)]
}

describe('explaining a denial', () => {
  test('finds the access role and the group that some policy names and that would help', () => {
    assert.deepEqual(told({}, update), ['deny', 'with the access role "fixer"', 'as a member of the group "lead"'])
    assert.deepEqual(told({ accessRoles: ['fixer'] }, update), ['allow'])
  })

  test('says where an approval would still be needed then, and by whom', () => {
    assert.deepEqual(told({}, remove), [
      'deny',
      'with the access role "fixer", once it is approved',
      'as a member of the group "lead", once it is approved',
    ])
    assert.deepEqual(told({ accessRoles: ['fixer'] }, remove), ['needs_approval', 'approved for "ask" by 2 of "dba"'])
  })

  test('finds the schema to write', () => {
    const asking = { accessRoles: ['fixer'], searchPath: ['app', 'public'] }
    assert.deepEqual(told(asking, update), [
      'deny',
      'with public. before the names that have no schema',
      'as a member of the group "lead"',
    ])
    assert.deepEqual(told({ accessRoles: ['fixer'] }, statementOf('UPDATE', ['app.t'])), [
      'deny',
      'as a member of the group "lead"',
    ])
  })

  test('finds the group that a forbid leaves out', () => {
    assert.deepEqual(told({}, statementOf('DROP TABLE', ['t'])), ['deny', 'as a member of the group "dba"'])
  })

  test('promises nothing that the door, or another statement of the text, would still stop', () => {
    const stranger = { principal: principalNamed('eve') }
    assert.deepEqual(told(stranger, update), ['deny'])
    assert.deepEqual(told(stranger, statementOf('DROP TABLE', ['t'])), ['deny', 'as a member of the group "dba"'])
    const drop = statementOf('DROP TABLE', ['t'])
    const held = { accessRoles: ['fixer'] }
    assert.deepEqual(told({}, update, drop), ['deny'])
    assert.deepEqual(told(held, update, drop), ['deny', 'as a member of the group "dba"'])
    assert.deepEqual(told(held, remove, drop), ['deny', 'as a member of the group "dba", once it is approved'])
  })

  test('gives every single answer, with the policies behind it', () => {
    const asking = { ...connectRequest({ principal: staff }), accessRoles: ['fixer'], searchPath: ['public', 'app'] }
    const { statements, connect } = explain(decider, asking, textOf(remove))
    assert.equal(connect.effect, 'allow')
    assert.deepEqual(
      statements[0]?.answers.map(({ command, resource, decision }) => [
        `${command} ${resource}`,
        decision.effect === 'deny' && decision.reason,
        decision.policies.map(({ id }) => id),
      ]),
      [
        ['DELETE shop.public.t', 'needs_approval', ['ask']],
        ['DELETE shop.app.t', 'not_permitted', []],
      ],
    )
  })

  test('says which columns would be masked', () => {
    const { column } = unmaskRequest(['public', 't', 'email'], ['pii.email'])
    const asking = { ...connectRequest({ principal: staff }), searchPath: ['public'] }
    const text = [{ statement: update, tags: ['pii.email'], predicateTags: [], columns: [column] }]
    assert.deepEqual(explain(decider, asking, text).masked, [column])
    const unmasking = createDecider(policySetOf('permit (principal, action == Action::"unmask", resource);'))
    assert.deepEqual(explain(unmasking, asking, text).masked, [])
  })
})
