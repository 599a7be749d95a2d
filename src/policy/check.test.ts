import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { undeclaredAccessRoles, unusedAccessRoles } from './access-roles.ts'
import { checkPolicySet } from './check.ts'
import type { PolicySurroundings } from './check.ts'
import { createDecider } from './decide.ts'
import { loadPolicySet } from './load.ts'
import { connectRequest, policySetOf, principalNamed, statementOf, statementRequest } from './testing.ts'

const nowMs = Date.UTC(2026, 10, 23)
const nothing: PolicySurroundings = { databases: null, accessRoles: null, tags: null, nowMs }
const base = 'permit (principal in Group::"base", action in Action::"session", resource);\n'

/** `kind policy` of every finding. */
function found(text: string, around: Partial<PolicySurroundings> = {}): readonly string[] {
  const findings = checkPolicySet(policySetOf(base + text), { ...nothing, ...around })
  return findings.map(({ kind, policy, message }) => `${kind} ${policy?.id ?? message.replace(/[,:].*/u, '')}`)
}

const wall = (scope: string, rest = '') => `@id("wall") forbid (${scope})${rest};\n`
const gift = (scope: string, rest = '') => `@id("gift") permit (${scope})${rest};\n`
const reads = 'principal in Group::"a", action in Action::"read", resource in Schema::"shop.hr"'

describe('a permit that permits nothing', () => {
  const shadowing = [
    'principal, action, resource',
    'principal in Group::"a", action, resource',
    'principal, action in Action::"read", resource in Database::"shop"',
    'principal, action in [Action::"statement"], resource in Schema::"shop.hr"',
  ]
  for (const scope of shadowing) {
    test(`is told where all of it is forbidden to ${scope}`, () => {
      assert.ok(found(wall(scope) + gift(reads)).includes('shadowed gift'))
    })
  }

  const leaving = [
    ['another group', wall('principal in Group::"b", action, resource')],
    ['fewer actions', wall('principal, action == Action::"SELECT", resource')],
    ['a smaller resource', wall('principal, action, resource in Relation::"shop.hr.salaries"')],
    ['another database', wall('principal, action, resource in Database::"shop2"')],
    ['one kind of principal', wall('principal is Agent, action, resource')],
    ['the schema as such and not what is inside', wall('principal, action, resource == Relation::"shop.hr.x"')],
    ['the database as such and not what is inside', wall('principal, action, resource == Database::"shop"')],
    ['a condition', wall('principal, action, resource', ' when { context.session.tls }')],
    ['an approval that lifts it', `@approvers("dba") ${wall('principal, action, resource')}`],
  ]
  for (const [what = '', text = ''] of leaving) {
    test(`is not told where the forbid has ${what}`, () => {
      assert.ok(!found(text + gift(reads)).includes('shadowed gift'))
    })
  }

  test('is told where several forbids cover it action by action, and all are named', () => {
    const text =
      '@id("w1") forbid (principal, action in [Action::"SELECT", Action::"COPY TO"], resource);' +
      '@id("w2") forbid (principal, action in [Action::"EXPLAIN", Action::"LOCK TABLE"], resource);'
    const findings = checkPolicySet(policySetOf(base + text + gift(reads)), nothing)
    assert.match(findings[0]?.message ?? '', /without a condition by "w1" \(p\.cedar line 2\) and "w2"/u)
    assert.deepEqual(findings[0]?.policy, { id: 'gift', file: 'p.cedar', line: 2 })
    assert.equal(findings[0]?.severity, 'problem')
  })

  test('is told by the conditions that it has', () => {
    for (const rest of [
      ' when { context.session.time < datetime("2026-11-01T00:00:00Z") }',
      ' when { context.session.tls && context.session.time <= datetime("2026-11-01") }',
      ' when { context.session.tls } unless { context.session.tls }',
      ' when { context.session.tls } unless { context.session.hour < 3 || context.session.tls }',
      ' unless { 1 < 2 }',
    ]) {
      const told = (() => {
        try {
          return found(gift(reads, rest))
        } catch (error) {
          // Cedar's own validator finds some of them impossible, so that the set is not even loaded.
          return [error instanceof Error && /impossible/u.test(error.message) ? 'never_matches gift' : String(error)]
        }
      })()
      assert.deepEqual(told, ['never_matches gift'], rest)
    }
    for (const rest of [
      ' when { context.session.time < datetime("2026-12-01T00:00:00Z") }',
      ' unless { context.session.time < datetime("2026-11-01T00:00:00Z") }',
      ' when { context.session.tls || context.session.time < datetime("2026-11-01T00:00:00Z") }',
      ' when { context.session.tls } unless { !context.session.tls }',
    ]) {
      assert.deepEqual(found(gift(reads, rest)), [], rest)
    }
  })
})

describe('a policy that changes nothing', () => {
  test('is told: one that says the same under another name', () => {
    assert.deepEqual(found(gift(reads) + `@id("again") permit (${reads});`), ['duplicate again'])
    assert.deepEqual(found(gift(reads) + `@id("again") permit (${reads}) when { context.session.tls };`), [
      'redundant again',
    ])
  })

  test('is told: a permit inside another, wherever it stands', () => {
    const wide = '@id("wide") permit (principal in Group::"a", action in Action::"statement", resource);'
    assert.deepEqual(found(wide + gift(reads)), ['redundant gift'])
    assert.deepEqual(found(gift(reads) + wide), ['redundant gift'])
    assert.deepEqual(found(gift(reads, ' when { context.session.tls }') + wide), ['redundant gift'])
    assert.deepEqual(found(wide.replace(');', ') when { context.session.tls };') + gift(reads)), [])
  })

  test('is told: approvers of a forbid that another forbids for good', () => {
    const liftable = '@id("ask") @approvers("dba") forbid (principal, action == Action::"DELETE", resource);'
    assert.deepEqual(found(liftable + wall('principal, action in Action::"write", resource')), ['never_liftable ask'])
    assert.deepEqual(found(liftable + wall('principal is Agent, action in Action::"write", resource')), [])
  })

  test('is told: a condition that is always met', () => {
    assert.deepEqual(found(gift(reads, ' when { 1 == 1 }')), ['always_true gift'])
    assert.deepEqual(found(gift(reads, ' when { !(1 > 2) && true } unless { "a" == "b" }')), ['always_true gift'])
  })
})

describe('approvers', () => {
  const ask = '@id("ask") @approvers("dba") forbid (principal, action == Action::"DELETE", resource);'
  const permit = (group: string) => `\npermit (principal in Group::"${group}", action == Action::"DELETE", resource);`

  test('who alone could ask are told', () => {
    assert.deepEqual(found(ask + permit('dba')), ['approvers_are_requesters ask'])
  })

  test('are in order where somebody else may ask, or approve', () => {
    assert.deepEqual(found(ask + permit('dba') + permit('eng')), [])
    assert.deepEqual(found(ask.replace('"dba"', '"dba, lead"') + permit('dba')), [])
    assert.deepEqual(found(`${ask}\npermit (principal, action == Action::"DELETE", resource);`), [])
  })
})

describe('what is around the policies', () => {
  const tags = new Map([['shop', new Set(['pii.email', 'pii.card'])]])
  const unmask = (resource: string) => `permit (principal in Group::"a", action == Action::"unmask", ${resource});`

  test('may have tags that nobody may see, and policies tags that nothing carries', () => {
    const text = unmask('resource in Tag::"pii.email"') + wall('principal, action, resource in Tag::"pii.mail"')
    assert.deepEqual(found(text, { tags }), [
      'tag_always_masked the tag pii.card of the database shop is shown to nobody',
      'tag_unknown wall',
    ])
    const asking = '@id("f") forbid (principal, action in Action::"statement", resource) when'
    const predicate = `${asking} { context.statement.predicateTags.containsAny(["pii.card", "pii.crad"]) };`
    assert.deepEqual(found(predicate + unmask('resource'), { tags }), ['tag_unknown f'])
  })

  test('is not said to mask a tag that some permit may show', () => {
    for (const resource of ['resource', 'resource in Relation::"shop.public.t"', 'resource in Database::"shop"']) {
      assert.deepEqual(found(unmask(resource), { tags }), [], resource)
    }
    assert.equal(found(unmask('resource in Database::"hr"'), { tags }).length, 2)
    assert.deepEqual(found('permit (principal in Group::"dba", action, resource);', { tags }), [])
  })

  test('may lack access roles, databases, or policies about them', () => {
    const text = 'permit (principal in AccessRole::"fixer", action in Action::"write", resource in Database::"shop");'
    const around = { accessRoles: ['reader'], databases: ['hr'] }
    const findings = checkPolicySet(policySetOf(text), { ...nothing, ...around })
    assert.deepEqual(
      findings.map(({ kind, severity }) => `${kind} ${severity}`),
      ['access_role_unknown warning', 'access_role_unused warning', 'database_unknown warning'],
    )
    assert.deepEqual(undeclaredAccessRoles(policySetOf(text), ['reader']), ['fixer'])
    assert.deepEqual(unusedAccessRoles(policySetOf(text), ['reader', 'fixer']), ['reader'])
    assert.deepEqual(checkPolicySet(policySetOf(text), nothing), [])
  })
})

test('the starter set has no problem', async () => {
  const set = await loadPolicySet(fileURLToPath(new URL('../../deploy/starter/policies', import.meta.url)))
  assert.deepEqual(checkPolicySet(set, { ...nothing, accessRoles: ['support-lead'] }), [])
})

test('what is found to do nothing does nothing: no decision changes when it is removed', () => {
  const principals = ['principal', 'principal in Group::"a"', 'principal is Human', 'principal is Human in Group::"a"']
  const actions = ['action', 'action == Action::"SELECT"', 'action in Action::"read"', 'action in Action::"statement"']
  const resources = ['resource', 'resource in Database::"shop"', 'resource in Schema::"shop.public"']
  const heads = fc.record({
    effect: fc.constantFrom('permit', 'forbid'),
    principal: fc.constantFrom(...principals, 'principal == Human::"alice"'),
    action: fc.constantFrom(...actions),
    resource: fc.constantFrom(...resources, 'resource == Relation::"shop.public.t"'),
    rest: fc.constantFrom('', '', ' when { context.session.tls }', ' when { true }'),
  })
  const requests = ['SELECT', 'EXPLAIN', 'DELETE'].flatMap((command) =>
    [['public.t'], ['public.u'], ['hr.t'], []].flatMap((relations) =>
      [principalNamed('alice', { groups: ['a'] }), principalNamed('bot', { kind: 'agent', groups: ['a'] })].flatMap(
        (principal) =>
          [true, false].map((isTls) =>
            statementRequest(statementOf(command, relations), {
              principal,
              session: { ...connectRequest().session, isTls },
            }),
          ),
      ),
    ),
  )
  let checked = 0
  fc.assert(
    fc.property(fc.array(heads, { minLength: 2, maxLength: 5 }), (made) => {
      const lines = made.map(
        ({ effect, principal, action, resource, rest }, index) =>
          `@id("p${String(index)}") ${effect} (${principal}, ${action}, ${resource})${rest};`,
      )
      const set = policySetOf(lines.join('\n'))
      for (const { kind, policy } of checkPolicySet(set, nothing)) {
        if (!['shadowed', 'duplicate', 'redundant', 'never_matches'].includes(kind)) continue
        checked += 1
        const left = set.policies.filter(({ id }) => id !== policy?.id)
        const [before, after] = [createDecider(set), createDecider({ ...set, policies: left })]
        for (const request of requests) {
          assert.equal(after.decideStatement(request).effect, before.decideStatement(request).effect, lines.join('\n'))
        }
      }
    }),
    { numRuns: 60, interruptAfterTimeLimit: 15_000 },
  )
  assert.ok(checked > 0)
})
