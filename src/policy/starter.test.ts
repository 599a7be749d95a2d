import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commandGroups } from '../core/commands.ts'
import type { ActionGroup } from '../core/commands.ts'
import { createDecider, loadPolicySet } from './policy.ts'
import type { Decider } from './policy.ts'
import { connectRequest, principalNamed, statementOf, statementRequest, unmaskRequest } from './testing.ts'

const who = {
  engineer: principalNamed('alice', { groups: ['engineering'] }),
  dba: principalNamed('dora', { groups: ['dba'] }),
  support: principalNamed('sam', { groups: ['support'] }),
  ci: principalNamed('deploy', { kind: 'service', groups: ['ci'] }),
  agent: principalNamed('helper', { kind: 'agent', groups: ['agents', 'engineering'] }),
  stranger: principalNamed('eve'),
}
type Who = keyof typeof who

let decider: Decider
before(async () => {
  decider = createDecider(await loadPolicySet(fileURLToPath(new URL('../../deploy/starter/policies', import.meta.url))))
})

/** The policy that refuses, `nothing permits it`, or null where it is allowed. */
function refusal(person: Who, command: string, facts: { hasWhere?: boolean; statementCount?: number } = {}) {
  const { statementCount = 1, ...rest } = facts
  const request = statementRequest(statementOf(command, ['public.orders'], rest), {
    principal: who[person],
    statementCount,
  })
  const decision = decider.decideStatement(request)
  if (decision.effect === 'allow') return null
  return decision.policies.map(({ id }) => id).join() || 'nothing permits it'
}

const permitted: Record<Who, readonly ActionGroup[]> = {
  engineer: ['session', 'read', 'write', 'opaque'],
  dba: ['session', 'read', 'write', 'ddl', 'admin', 'opaque'],
  support: ['session', 'read'],
  ci: ['session', 'read', 'write', 'ddl'],
  agent: ['session', 'read'],
  stranger: [],
}
/** Commands that guard rails refuse to everybody. */
const forbidden = new Map([
  ...['DROP DATABASE', 'DROP TABLESPACE', 'DROP OWNED'].map((name) => [name, 'no-drop-database'] as const),
  ['DROP SCHEMA', 'no-drop-schema'] as const,
  ...['ALTER SYSTEM', 'LOAD'].map((name) => [name, 'no-server-settings'] as const),
  ...['COPY TO FILE', 'COPY FROM FILE', 'COPY TO PROGRAM', 'COPY FROM PROGRAM'].map(
    (name) => [name, 'no-server-files'] as const,
  ),
  ...['CREATE', 'ALTER', 'DROP', 'GRANT', 'REVOKE', 'SET'].map((verb) => [`${verb} ROLE`, 'no-roles'] as const),
  ['SET SESSION AUTHORIZATION', 'no-roles'] as const,
  ['REPLICATION', 'no-way-out'] as const,
  ...['SUBSCRIPTION', 'PUBLICATION', 'SERVER', 'USER MAPPING', 'FOREIGN DATA WRAPPER'].flatMap((kind) => [
    [`CREATE ${kind}`, 'no-way-out'] as const,
    [`ALTER ${kind}`, 'no-way-out'] as const,
  ]),
])

describe('the starter policies', () => {
  for (const person of Object.keys(who) as Who[]) {
    test(`permit ${person} the groups ${permitted[person].join(', ') || 'of nobody'}, but for what is forbidden`, () => {
      for (const [command, group] of commandGroups) {
        const rail = forbidden.get(command)
        const said = refusal(person, command)
        if (rail !== undefined) assert.ok(said?.split(',').includes(rail), `${person} ${command}: ${String(said)}`)
        else if (command === 'TRUNCATE TABLE') assert.equal(said === null, person === 'dba', `${person} ${command}`)
        else if (command === 'LOCK TABLE' && person === 'agent') assert.equal(said, 'agents-only-read')
        else assert.equal(said === null, permitted[person].includes(group), `${person} ${command}: ${String(said)}`)
      }
    })
  }

  test('let everybody but a stranger connect', () => {
    const connecting = (Object.keys(who) as Who[]).filter(
      (person) => decider.decideConnect(connectRequest({ principal: who[person] })).effect === 'allow',
    )
    assert.deepEqual(connecting, ['engineer', 'dba', 'support', 'ci', 'agent'])
  })

  test('let all but a DBA change every row only once a DBA has agreed', () => {
    const decision = decider.decideStatement(
      statementRequest(statementOf('DELETE', ['public.orders'], { hasWhere: false }), { principal: who.engineer }),
    )
    assert.equal(decision.effect === 'deny' && decision.reason, 'needs_approval')
    assert.equal(refusal('engineer', 'DELETE', { hasWhere: false }), 'no-change-of-every-row')
    assert.equal(refusal('ci', 'UPDATE', { hasWhere: false }), 'no-change-of-every-row')
    assert.equal(refusal('dba', 'DELETE', { hasWhere: false }), null)
  })

  test('let an agent send one statement at a time', () => {
    assert.equal(refusal('agent', 'SELECT', { statementCount: 2 }), 'agents-one-at-a-time')
  })

  test('give a person no rights of a job, and a service none of a DBA', () => {
    const decide = (principal: (typeof who)[Who]) =>
      decider.decideStatement(statementRequest(statementOf('CREATE TABLE', ['public.x']), { principal })).effect
    assert.equal(decide({ ...who.ci, kind: 'human' }), 'deny')
    assert.equal(decide({ ...who.dba, kind: 'service' }), 'deny')
  })

  test('show nobody a classified column, but cards to those who look into fraud', () => {
    const decide = (principal: (typeof who)[Who], tags: readonly string[]) =>
      decider.decideUnmask(unmaskRequest(['public', 'customers', 'card'], tags, { principal }))
    for (const principal of Object.values(who)) {
      assert.equal(decide(principal, ['pii.email']), 'masked', principal.name)
      assert.equal(decide(principal, ['pii.card']), 'masked', principal.name)
    }
    const investigator = { ...who.support, groups: ['support', 'fraud'] }
    assert.equal(decide(investigator, ['pii.card']), 'raw')
    assert.equal(decide(investigator, ['pii.card', 'pii.name']), 'masked')
    assert.equal(decide({ ...investigator, kind: 'agent' }, ['pii.card']), 'masked')
  })

  test('refuse to look for a card to all but those', () => {
    const decide = (groups: readonly string[], predicateTags: readonly string[]) =>
      decider.decideStatement(
        statementRequest(statementOf('SELECT', ['public.customers']), {
          principal: { ...who.support, groups },
          tags: ['pii.card'],
          predicateTags,
        }),
      )
    const refused = decide(['support'], ['pii.card'])
    assert.equal(refused.effect === 'deny' && refused.policies.map(({ id }) => id).join(), 'no-search-by-card')
    assert.equal(decide(['support'], []).effect, 'allow')
    assert.equal(decide(['support', 'fraud'], ['pii.card']).effect, 'allow')
  })

  test('advise what to do at every forbid', () => {
    for (const { id, effect, advice } of decider.set.policies) assert.ok(effect === 'permit' || advice !== null, id)
    assert.deepEqual(decider.set.warnings, [])
  })
})
