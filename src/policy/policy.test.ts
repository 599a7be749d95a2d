import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { commandGroups } from '../core/commands.ts'
import { createDecider, loadPolicySet } from './policy.ts'
import { connectRequest, policySetOf, principalNamed, statementOf, statementRequest, unmaskRequest } from './testing.ts'

const design = `
permit (principal in Group::"engineering", action in Action::"read", resource in Database::"shop");
permit (principal in Group::"engineering", action in Action::"write", resource in Database::"shop");
permit (principal in Group::"dba", action, resource);

@id("no-drop-database") @advice("Ask the platform team.")
forbid (principal, action == Action::"DROP DATABASE", resource);

@id("delete-without-where") @approvers("dba")
forbid (principal, action in [Action::"DELETE", Action::"UPDATE"], resource in Database::"shop")
when { !context.statement.hasWhere };

permit (principal in AccessRole::"support-lead", action == Action::"unmask", resource in Tag::"pii.email");
`
const engineer = principalNamed('alice', { groups: ['engineering'] })
const dba = principalNamed('dora', { groups: ['dba'] })

describe('the policies of the design', () => {
  const decider = createDecider(policySetOf(design))
  const decide = (principal: typeof engineer, statement: ReturnType<typeof statementOf>, rest = {}) =>
    decider.decideStatement(statementRequest(statement, { principal, ...rest }))

  it('allow what a group is permitted, and name the permit', () => {
    const decision = decide(engineer, statementOf('SELECT', ['public.orders']))
    assert.equal(decision.effect, 'allow')
    assert.deepEqual(decision.policies, [{ id: 'p.cedar:2', advice: null }])
  })

  it('deny by default, with no policy named', () => {
    const decision = decide(principalNamed('eve'), statementOf('SELECT', ['public.orders']))
    assert.deepEqual(decision, {
      effect: 'deny',
      reason: 'not_permitted',
      policies: [],
      requirements: [],
      command: 'SELECT',
      resource: 'shop.public.orders',
    })
  })

  it('hold for one database only where they name it', () => {
    const other = { database: { name: 'hr', labels: new Map() } }
    assert.equal(decide(engineer, statementOf('SELECT', ['public.orders']), other).effect, 'deny')
  })

  it('refuse DROP DATABASE to everybody and pass the advice on', () => {
    const decision = decide(dba, statementOf('DROP DATABASE', []))
    assert.equal(decision.effect, 'deny')
    assert.deepEqual(decision, {
      effect: 'deny',
      reason: 'forbidden',
      policies: [{ id: 'no-drop-database', advice: 'Ask the platform team.' }],
      requirements: [],
      command: 'DROP DATABASE',
      resource: 'shop',
    })
  })

  it('ask for approval where every forbid can be lifted and something permits it', () => {
    const decision = decide(engineer, statementOf('DELETE', ['public.orders'], { hasWhere: false }))
    assert.equal(decision.effect === 'deny' && decision.reason, 'needs_approval')
    assert.deepEqual(decision.effect === 'deny' && decision.requirements, [
      { by: 'delete-without-where', approvers: ['dba'], count: 1, goodForMs: 900_000 },
    ])
    assert.equal(decide(engineer, statementOf('DELETE', ['public.orders'])).effect, 'allow')
  })

  it('do not ask for approval of what nothing permits', () => {
    const decision = decide(principalNamed('eve'), statementOf('DELETE', ['public.orders'], { hasWhere: false }))
    assert.equal(decision.effect === 'deny' && decision.reason, 'not_permitted')
  })

  it('allow a session to begin only to who may connect', () => {
    assert.equal(decider.decideConnect(connectRequest({ principal: dba })).effect, 'allow')
    const refused = decider.decideConnect(connectRequest({ principal: engineer }))
    assert.equal(
      refused.effect === 'deny' && `${refused.reason} ${refused.command} ${refused.resource}`,
      'not_permitted connect shop',
    )
  })

  it('decide every command of a statement, and tell the one that is not allowed', () => {
    const statement = statementOf('SELECT', ['public.orders'])
    const writing = {
      ...statement,
      commands: [...statement.commands, ...statementOf('DROP TABLE', ['public.x']).commands],
    }
    const decision = decide(engineer, writing)
    assert.equal(
      decision.effect === 'deny' && `${decision.command} on ${decision.resource}`,
      'DROP TABLE on shop.public.x',
    )
  })

  it('tell a refusal that nobody can lift before one that can be lifted', () => {
    const commands = [
      ...statementOf('DELETE', ['public.orders'], { hasWhere: false }).commands,
      ...statementOf('DROP TABLE', ['public.x']).commands,
    ]
    const decision = decide(engineer, { ...statementOf('DELETE', []), commands })
    assert.equal(decision.effect === 'deny' && decision.reason, 'not_permitted')
  })
})

describe('what would lift a denial', () => {
  const set = policySetOf(`
    permit (principal, action in Action::"write", resource);
    @id("no-where") @approvers("dba, security") @approval_good_for("5m")
    forbid (principal, action == Action::"DELETE", resource) when { !context.statement.hasWhere };
    @id("salaries") @approvers("hr") @approvals("2")
    forbid (principal, action, resource == Relation::"shop.hr.salaries");
    @id("audit") forbid (principal, action, resource == Relation::"shop.public.audit");`)
  const noWhere = { by: 'no-where', approvers: ['dba', 'security'], count: 1, goodForMs: 300_000 }
  const salaries = { by: 'salaries', approvers: ['hr'], count: 2, goodForMs: 900_000 }
  const asked = (relations: readonly string[], hasWhere = false) => {
    const decision = createDecider(set).decideStatement(
      statementRequest(statementOf('DELETE', relations, { hasWhere }), { principal: engineer }),
    )
    return decision.effect === 'deny' ? [decision.reason, decision.requirements] : 'allow'
  }

  it('is one requirement for each forbid, with its approvers, their number and how long a yes counts', () => {
    assert.deepEqual(asked(['hr.salaries']), ['needs_approval', [noWhere, salaries]])
    assert.deepEqual(asked(['hr.salaries'], true), ['needs_approval', [salaries]])
    assert.deepEqual(asked(['public.orders'], true), 'allow')
  })

  it('is all of it together where several relations need approval, each once', () => {
    assert.deepEqual(asked(['public.orders', 'hr.salaries', 'public.customers']), [
      'needs_approval',
      [noWhere, salaries],
    ])
  })

  it('is nothing where one of the forbids, or one of the relations, cannot be lifted', () => {
    assert.deepEqual(asked(['public.audit']), ['forbidden', []])
    assert.deepEqual(asked(['hr.salaries', 'public.audit'], true), ['forbidden', []])
  })
})

describe('an access role', () => {
  const set = policySetOf(`
    permit (principal in AccessRole::"fixer", action in Action::"write", resource);
    permit (principal in AccessRole::"support-lead", action == Action::"unmask", resource in Tag::"pii.email");
    permit (principal in AccessRole::"fixer", action == Action::"connect", resource);
    @id("audited") forbid (principal is Human in AccessRole::"audited", action, resource);`)
  const statement = statementOf('UPDATE', ['public.orders'])
  const email = ['public', 'customers', 'email'] as const

  it('permits while it is held, and no longer', () => {
    const decider = createDecider(set)
    const decide = (accessRoles: readonly string[]) => {
      const { effect } = decider.decideStatement(statementRequest(statement, { principal: engineer, accessRoles }))
      const session = decider.decideConnect(connectRequest({ principal: engineer, accessRoles }))
      return [effect, session.effect]
    }
    for (let round = 0; round < 3; round++) {
      assert.deepEqual(decide(['fixer']), ['allow', 'allow'])
      assert.deepEqual(decide([]), ['deny', 'deny'])
      assert.deepEqual(decide(['other']), ['deny', 'deny'])
      assert.deepEqual(decide(['audited', 'fixer']), ['deny', 'deny'])
    }
  })

  it('shows a column while it is held, and no longer, however often it was asked before', () => {
    const decider = createDecider(set)
    const { column } = unmaskRequest(email, ['pii.email'])
    const decide = (accessRoles: readonly string[]) =>
      decider.decideUnmask(unmaskRequest(email, [], { principal: engineer, column, accessRoles }))
    for (let round = 0; round < 3; round++) {
      assert.equal(decide(['support-lead']), 'raw')
      assert.equal(decide([]), 'masked')
      assert.equal(decide(['fixer']), 'masked')
    }
  })

  it('is not a group of the same name, nor is a group an access role', () => {
    const decider = createDecider(set)
    const principal = principalNamed('mallory', { groups: ['fixer', 'support-lead'] })
    assert.equal(decider.decideStatement(statementRequest(statement, { principal })).effect, 'deny')
    assert.equal(decider.decideUnmask(unmaskRequest(email, ['pii.email'], { principal })), 'masked')
  })

  it("of one principal is not another principal's, although they look the same to policies", () => {
    const decider = createDecider(set)
    const held = ['fixer']
    const decide = (name: string, accessRoles: readonly string[]) =>
      decider.decideStatement(statementRequest(statement, { principal: principalNamed(name), accessRoles })).effect
    assert.deepEqual([decide('a', held), decide('b', []), decide('a', held)], ['allow', 'deny', 'allow'])
  })

  it('that no policy names makes no question of its own', () => {
    const decider = createDecider(set)
    const decide = (accessRoles: readonly string[]) =>
      decider.decideStatement(statementRequest(statement, { principal: engineer, accessRoles }))
    assert.equal(decide(['unheard-of']), decide(['another']))
    assert.equal(decide(['unheard-of']), decide([]))
  })
})

describe('deny by default', () => {
  it('holds for every command where no policy permits it', () => {
    const decider = createDecider(policySetOf('permit (principal, action == Action::"connect", resource);'))
    for (const command of [...commandGroups.keys(), 'NO SUCH COMMAND']) {
      const decision = decider.decideStatement(statementRequest(statementOf(command, ['public.t'])))
      assert.equal(decision.effect === 'deny' && decision.reason, 'not_permitted', command)
    }
  })

  it('decides a command that no group knows as OPAQUE', () => {
    const decider = createDecider(policySetOf('permit (principal, action in Action::"read", resource);'))
    const decision = decider.decideStatement(statementRequest(statementOf('INVENTED', [])))
    assert.equal(decision.effect === 'deny' && decision.command, 'OPAQUE')
  })

  it('also asks for OPAQUE where a part of the statement is not understood, or nothing is', () => {
    const decider = createDecider(policySetOf('permit (principal, action in Action::"read", resource);'))
    const partly = { ...statementOf('SELECT', ['public.t']), opaque: 'calls a function that is not known' }
    for (const statement of [partly, { ...partly, opaque: null, commands: [] }]) {
      const decision = decider.decideStatement(statementRequest(statement))
      assert.equal(decision.effect === 'deny' && decision.command, 'OPAQUE')
    }
  })
})

describe('a policy that errors', () => {
  const policies = (effect: string) => `
    permit (principal, action, resource);
    @id("broken") @advice("Mend it.")
    ${effect} (principal, action == Action::"SELECT", resource)
    when { context.statement.count * 9223372036854775807 > 5 };`

  for (const effect of ['forbid', 'permit']) {
    it(`refuses as a ${effect} and is named`, () => {
      const decider = createDecider(policySetOf(policies(effect)))
      const decision = decider.decideStatement(statementRequest(statementOf('SELECT', []), { statementCount: 2 }))
      assert.equal(decision.effect === 'deny' && decision.reason, 'policy_error')
      assert.deepEqual(decision.policies, [{ id: 'broken', advice: 'Mend it.' }])
      const fine = decider.decideStatement(statementRequest(statementOf('INSERT', [])))
      assert.equal(fine.effect, 'allow')
    })
  }

  it('is joined by a request that Cedar cannot read', () => {
    const decider = createDecider(
      policySetOf('permit (principal, action, resource) unless { context.session.clientAddress.isLoopback() };'),
    )
    const session = { clientAddress: 'not an address', applicationName: '', isTls: true }
    const decision = decider.decideStatement(statementRequest(statementOf('SELECT', []), { session }))
    assert.equal(decision.effect === 'deny' && decision.reason, 'policy_error')
  })
})

describe('replacing the set', () => {
  it('takes effect at the next decision, forgets what was decided before and raises the version', () => {
    const decider = createDecider(policySetOf('permit (principal, action, resource);'))
    const request = statementRequest(statementOf('SELECT', ['public.t']))
    assert.equal(decider.decideStatement(request).effect, 'allow')
    assert.equal(decider.version, 1)
    decider.replace(policySetOf('@id("no") forbid (principal, action, resource);'))
    assert.equal(decider.decideStatement(request).effect, 'deny')
    assert.equal(decider.version, 2)
  })

  it('of one decider leaves another alone', () => {
    const [one, other] = [createDecider(policySetOf(design)), createDecider(policySetOf(design))]
    one.replace(policySetOf('@id("no") forbid (principal, action, resource);'))
    const request = statementRequest(statementOf('SELECT', ['public.t']), { principal: engineer })
    assert.equal(other.decideStatement(request).effect, 'allow')
  })

  it('says whether time matters', () => {
    assert.equal(createDecider(policySetOf(design)).usesTime, false)
    const timed = 'permit (principal, action, resource) when { context.session.hour < 18 };'
    assert.equal(createDecider(policySetOf(timed)).usesTime, true)
  })
})

describe('the policy folder', () => {
  it('is read in the order of names, and its hash changes with any text', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postern-policy-'))
    await writeFile(join(directory, 'b.cedar'), 'permit (principal, action, resource);')
    await writeFile(join(directory, 'a.cedar'), '// first\npermit (principal, action, resource);')
    await writeFile(join(directory, 'notes.txt'), 'not a policy')
    const set = await loadPolicySet(directory)
    assert.deepEqual(
      set.policies.map(({ id }) => id),
      ['a.cedar:2', 'b.cedar:1'],
    )
    await writeFile(join(directory, 'b.cedar'), 'permit (principal, action, resource); ')
    assert.notEqual((await loadPolicySet(directory)).hash, set.hash)
  })
})
