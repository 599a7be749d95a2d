import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { preparsePolicySet, preparseSchema, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs'
import * as fc from 'fast-check'
import type { StatementRequest } from '../core/decision.ts'
import type { Command } from '../core/statement.ts'
import { createDecider } from './decide.ts'
import type { PolicySet } from './load.ts'
import { relationId, schemaId } from './names.ts'
import { policySchema } from './schema.ts'
import { policySetOf, principalNamed, statementOf, statementRequest } from './testing.ts'

/** Policies that look at everything policies can look at; the tests put random choices of them in force. */
const pool = `
@id("p0") permit (principal in Group::"engineering", action in [Action::"read", Action::"write"], resource in Database::"shop");
@id("p1") permit (principal, action in Action::"read", resource in Schema::"shop.public");
@id("p2") permit (principal == Human::"alice", action, resource);
@id("p3") permit (principal is Service, action in Action::"write", resource == Relation::"shop.hr.salaries");
@id("p4") permit (principal, action, resource) when { resource.hasTag("env") && resource.getTag("env") == "test" };
@id("p5") permit (principal, action, resource) when { principal.groups.contains("dba") };
@id("p6") permit (principal, action, resource) when { context.session.clientAddress.isInRange(ip("10.0.0.0/8")) };
@id("p7") permit (principal, action, resource) when { context.session.hour < 12 };
@id("f0") forbid (principal, action, resource in Schema::"shop.hr") unless { principal in Group::"dba" };
@id("f1") forbid (principal, action, resource == Relation::"shop.public.orders") when { context.statement.kind == "DELETE" };
@id("f2") @approvers("dba") forbid (principal, action in Action::"statement", resource) when { !context.statement.hasWhere };
@id("f3") forbid (principal, action in Action::"statement", resource) when { context.statement.functions.contains("pg_sleep") };
@id("f4") forbid (principal, action, resource) when { context.session.applicationName like "bad*" || !context.session.tls };
@id("f5") forbid (principal is Agent, action in Action::"statement", resource) when { context.statement.opaque };
@id("f6") forbid (principal, action in Action::"statement", resource) when { !context.session.authenticationMethods.contains("mfa") };
@id("f7") forbid (principal, action in Action::"statement", resource) when { context.statement.count > 2 };
@id("f8") forbid (principal, action, resource) when { context.session.weekday >= 6 };
@id("f9") forbid (principal, action in Action::"write", resource in Schema::"shop.a.b") unless { context.session.actors.isEmpty() };
@id("f10") forbid (principal, action in Action::"statement", resource) when { context.statement.predicateTags.contains("pii.card") };
@id("p8") permit (principal in AccessRole::"fixer", action in Action::"write", resource in Database::"shop");
@id("p9") permit (principal is Human in AccessRole::"reader", action in Action::"read", resource);
@id("f12") forbid (principal in AccessRole::"engineering", action, resource in Schema::"shop.hr");
@id("f13") @approvers("dba") forbid (principal, action in Action::"write", resource) unless { principal in AccessRole::"fixer" };
@id("f11") forbid (principal is Agent, action in Action::"statement", resource) unless { context.statement.tags.isEmpty() };
`.replace('shop.a.b', 'shop.\\"a.b\\"')

const principals = fc.record({
  name: fc.constantFrom('alice', 'bob', '?'),
  kind: fc.constantFrom('human' as const, 'service' as const, 'agent' as const),
  groups: fc.subarray(['engineering', 'dba', 'other', '?']),
  authenticationMethods: fc.subarray(['pwd', 'mfa']),
  actors: fc.subarray([{ issuer: 'https://idp.example.com', subject: 'robot' }]),
})
const relations = fc.record({
  schema: fc.constantFrom('public', 'hr', 'a.b', 'other'),
  name: fc.constantFrom('orders', 'salaries', 'x'),
})
const commands: fc.Arbitrary<Command> = fc.record({
  name: fc.constantFrom('SELECT', 'DELETE', 'UPDATE', 'DROP TABLE', 'OPAQUE'),
  relations: fc.array(relations, { maxLength: 2 }),
  hasWhere: fc.boolean(),
})
const requests: fc.Arbitrary<StatementRequest> = fc
  .record({
    principal: principals.map(({ name, ...facts }) => principalNamed(name, facts)),
    database: fc.constantFrom('shop', 'other').chain((name) =>
      fc.constantFrom('test', 'production', null).map((env) => ({
        name,
        labels: new Map(env === null ? [] : [['env', env]]),
      })),
    ),
    session: fc.record({
      clientAddress: fc.constantFrom('10.1.1.1', '::ffff:10.1.1.1', '192.0.2.1', '::1', 'fe80::1%eth0'),
      applicationName: fc.constantFrom('psql', 'bad one'),
      isTls: fc.boolean(),
    }),
    nowMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    accessRoles: fc.subarray(['engineering', 'fixer', 'reader', 'unheard-of']),
    statementCount: fc.integer({ min: 1, max: 4 }),
    tags: fc.subarray(['pii.card', 'pii.email']),
    predicateTags: fc.subarray(['pii.card', 'pii.email']),
    commands: fc.array(commands, { minLength: 1, maxLength: 3 }),
    functions: fc.subarray(['pg_sleep', 'pg_catalog.pg_sleep', 'now']),
  })
  .map(({ commands, functions, ...facts }) => {
    const isOpaque = commands.some(({ name }) => name === 'OPAQUE')
    const kind = commands[0]?.name ?? ''
    const statement = statementOf(kind, [], { functions, opaque: isOpaque ? 'unknown function' : null })
    return statementRequest({ ...statement, commands }, facts)
  })

let all: PolicySet
let byId: Map<string, PolicySet['policies'][number]>
before(() => {
  all = policySetOf(pool)
  assert.equal(preparseSchema('plain', policySchema()).type, 'success')
  byId = new Map(all.policies.map((policy) => [policy.id, policy]))
})

function chosen(ids: readonly string[]): PolicySet {
  return { ...all, policies: all.policies.filter(({ id }) => ids.includes(id)) }
}

const chosenIds = fc.subarray(
  [...pool.matchAll(/@id\("(\w+)"\)/gu)].map(([, id]) => id ?? ''),
  { minLength: 1 },
)

/** The slow plain way: every command on every relation by its own name, checked against the schema, nothing left out. */
function isAllowedPlainly(ids: readonly string[], request: StatementRequest): boolean {
  const { principal, accessRoles, database, session, statement, statementCount, nowMs } = request
  const { tags: touched, predicateTags } = request
  const now = new Date(nowMs)
  const type = { human: 'Human', service: 'Service', agent: 'Agent' }[principal.kind]
  const group = (id: string) => ({ uid: { type: 'Group', id }, attrs: {}, parents: [] })
  const { name, issuer, subject, groups } = principal
  const tags = Object.fromEntries(database.labels)
  const home = { type: 'Database', id: database.name }
  const names = statement.functions.flatMap((written) => [written, written.split('.').at(-1) ?? ''])
  const staticPolicies = Object.fromEntries(ids.map((id) => [id, byId.get(id)?.text ?? '']))
  assert.equal(preparsePolicySet('plain', { staticPolicies }).type, 'success')
  return statement.commands.every((command) => {
    const resources = command.relations.map((relation) => {
      const schema = { type: 'Schema', id: schemaId(database.name, relation.schema ?? '') }
      const uid = { type: 'Relation', id: relationId(database.name, relation.schema ?? '', relation.name) }
      return {
        uid,
        entities: [
          { uid: schema, attrs: {}, tags, parents: [home] },
          { uid, attrs: {}, tags, parents: [schema] },
        ],
      }
    })
    return (resources.length === 0 ? [{ uid: home, entities: [] }] : resources).every((resource) => {
      const answer = statefulIsAuthorized({
        principal: { type, id: name },
        action: { type: 'Action', id: command.name },
        resource: resource.uid,
        context: {
          statement: {
            kind: statement.kind,
            hasWhere: command.hasWhere,
            count: statementCount,
            functions: [...new Set(names)],
            opaque: statement.opaque !== null,
            tags: [...touched],
            predicateTags: [...predicateTags],
          },
          session: {
            clientAddress: {
              __extn: { fn: 'ip', arg: session.clientAddress.replace('::ffff:', '').replace('%eth0', '') },
            },
            applicationName: session.applicationName,
            tls: session.isTls,
            authenticationMethods: [...principal.authenticationMethods],
            actors: principal.actors.map(({ issuer, subject }) => ({ issuer, subject })),
            time: { __extn: { fn: 'datetime', arg: now.toISOString() } },
            hour: now.getUTCHours(),
            weekday: now.getUTCDay() || 7,
          },
        },
        entities: [
          {
            uid: { type, id: name },
            attrs: { name, issuer, subject, groups: [...groups] },
            parents: [
              ...groups.map((id) => ({ type: 'Group', id })),
              ...accessRoles.map((id) => ({ type: 'AccessRole', id })),
            ],
          },
          ...groups.map(group),
          ...accessRoles.map((id) => ({ uid: { type: 'AccessRole', id }, attrs: {}, parents: [] })),
          { uid: home, attrs: {}, tags, parents: [] },
          ...resource.entities,
        ],
        preparsedSchemaName: 'plain',
        validateRequest: true,
        preparsedPolicySetId: 'plain',
      })
      assert.equal(answer.type, 'success', JSON.stringify(answer))
      return answer.type === 'success' && answer.response.decision === 'allow'
    })
  })
}

describe('deciding with what no policy looks at left out', () => {
  test('says the same as deciding with everything', () => {
    fc.assert(
      fc.property(chosenIds, fc.array(requests, { minLength: 1, maxLength: 3 }), (ids, asked) => {
        // One decider for several requests: an answer kept for one must be right for the other.
        const decider = createDecider(chosen(ids))
        for (const request of [...asked, ...asked]) {
          assert.equal(decider.decideStatement(request).effect === 'allow', isAllowedPlainly(ids, request))
        }
      }),
      { numRuns: 100, interruptAfterTimeLimit: 20_000 },
    )
  })

  test('never lets another forbid turn a deny into an allow', () => {
    fc.assert(
      fc.property(
        chosenIds,
        fc.constantFrom('f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9', 'f10', 'f11', 'f12', 'f13'),
        requests,
        (ids, forbid, request) => {
          const without = createDecider(chosen(ids.filter((id) => id !== forbid))).decideStatement(request)
          const withIt = createDecider(chosen([...ids, forbid])).decideStatement(request)
          assert.ok(without.effect === 'allow' || withIt.effect === 'deny')
        },
      ),
      { numRuns: 200, interruptAfterTimeLimit: 10_000 },
    )
  })
})

describe('an answer kept for one statement', () => {
  const permit = 'permit (principal, action, resource);\n'
  const forbid = (when: string) =>
    `@id("f") forbid (principal, action in Action::"statement", resource) when { ${when} };`
  const statement = statementOf('SELECT', ['public.t'])
  const asked = (policies: string) => {
    const decider = createDecider(policySetOf(permit + policies))
    return (tags: readonly string[], predicateTags: readonly string[]) =>
      decider.decideStatement(statementRequest(statement, { tags, predicateTags })).effect
  }

  test('does not serve the same text once it touches other tags', () => {
    const decide = asked(forbid('context.statement.tags.contains("pii.card")'))
    assert.equal(decide([], []), 'allow')
    assert.equal(decide(['pii.card'], []), 'deny')
    assert.equal(decide(['pii.email'], ['pii.card']), 'allow')
    assert.equal(decide(['pii.card', 'pii.email'], []), 'deny')
  })

  test('does not serve the same text once other tags decide about its rows', () => {
    const decide = asked(forbid('context.statement.predicateTags.containsAny(["pii.card", "secret"])'))
    assert.equal(decide(['pii.card', 'secret'], []), 'allow')
    assert.equal(decide(['pii.card', 'secret'], ['secret']), 'deny')
    assert.equal(decide(['pii.card', 'secret'], ['pii.card","secret']), 'allow')
  })

  test('serves the text with whatever tags where no policy looks at them', () => {
    const decider = createDecider(policySetOf(permit))
    const decide = (tags: readonly string[]) =>
      decider.decideStatement(statementRequest(statement, { tags, predicateTags: tags }))
    assert.equal(decide(['a']), decide(['b']))
  })
})

describe('an answer kept for one principal', () => {
  test('does not serve another that a policy tells apart', () => {
    const policies = `permit (principal, action, resource) when { context.session.authenticationMethods.contains("mfa") };
      permit (principal == Human::"root", action, resource);`
    const decider = createDecider(policySetOf(policies))
    const statement = statementOf('SELECT', ['public.t'])
    const decide = (name: string, authenticationMethods: readonly string[]) =>
      decider.decideStatement(
        statementRequest(statement, { principal: principalNamed(name, { authenticationMethods }) }),
      ).effect
    assert.deepEqual([decide('a', ['mfa']), decide('a', ['pwd']), decide('b', ['mfa'])], ['allow', 'deny', 'allow'])
    assert.deepEqual([decide('root', ['pwd']), decide('a', ['pwd'])], ['allow', 'deny'])
  })

  test('is not that of a principal who is named as those are whom no policy names', () => {
    const decider = createDecider(policySetOf('permit (principal == Human::"?", action, resource);'))
    const decide = (name: string) =>
      decider.decideStatement(statementRequest(statementOf('SELECT', []), { principal: principalNamed(name) })).effect
    assert.deepEqual([decide('alice'), decide('?')], ['deny', 'allow'])
  })
})

describe('an unqualified name', () => {
  const decided = (policies: string, relation: string, searchPath: readonly string[] | null) => {
    const decider = createDecider(policySetOf(policies))
    const decision = decider.decideStatement(statementRequest(statementOf('SELECT', [relation]), { searchPath }))
    return decision.effect === 'allow' ? 'allow' : `${decision.reason} ${decision.resource}`
  }
  const everywhere = 'permit (principal, action, resource in Database::"shop");\n'
  const notHr = '@id("hr") forbid (principal, action, resource in Schema::"shop.hr");\n'
  const publicOnly = 'permit (principal, action, resource in Schema::"shop.public");\n'

  test('is refused where any schema of the search path is', () => {
    assert.equal(decided(everywhere + notHr, 'salaries', ['public']), 'allow')
    assert.equal(decided(everywhere + notHr, 'salaries', ['public', 'hr']), 'forbidden shop.hr.salaries')
    assert.equal(decided(publicOnly, 'orders', ['public']), 'allow')
    assert.equal(decided(publicOnly, 'orders', ['public', 'other']), 'not_permitted shop.other.orders')
  })

  test('is refused on an unknown search path where any schema that a policy names is', () => {
    assert.equal(decided(everywhere, 'salaries', null), 'allow')
    assert.equal(decided(everywhere + notHr, 'salaries', null), 'forbidden shop.hr.salaries')
    const one = '@id("s") forbid (principal, action, resource == Relation::"shop.hr.salaries");'
    assert.equal(decided(everywhere + one, 'salaries', null), 'forbidden shop.hr.salaries')
    assert.equal(decided(everywhere + one, 'orders', null), 'allow')
    assert.equal(decided(publicOnly, 'orders', null), 'not_permitted shop.?.orders')
  })

  test('is refused on an empty search path unless the database as a whole is permitted', () => {
    assert.equal(decided(publicOnly, 'orders', []), 'not_permitted shop.?.orders')
    assert.equal(decided(everywhere, 'orders', []), 'allow')
  })

  test('may mean a system catalog, which PostgreSQL looks for first', () => {
    const noCatalog = '@id("c") forbid (principal, action, resource in Schema::"shop.pg_catalog");\n'
    assert.equal(decided(publicOnly, 'pg_authid', ['public']), 'not_permitted shop.pg_catalog.pg_authid')
    assert.equal(decided(everywhere + noCatalog, 'pg_authid', ['public']), 'forbidden shop.pg_catalog.pg_authid')
    assert.equal(decided(everywhere + noCatalog, 'orders', ['public']), 'forbidden shop.pg_catalog.orders')
    assert.equal(decided(publicOnly, 'orders', ['public']), 'allow')
  })

  test('on a long search path is no longer a question than the policies make it', { timeout: 30_000 }, () => {
    const decider = createDecider(policySetOf(everywhere + notHr))
    const relations = Array.from({ length: 20_000 }, (_, index) => `t${String(index)}`)
    const path = Array.from({ length: 20_000 }, (_, index) => `s${String(index)}`)
    const decide = (searchPath: readonly string[]) =>
      decider.decideStatement(statementRequest(statementOf('SELECT', relations), { searchPath }))
    assert.equal(decide(path).effect, 'allow')
    const decision = decide([...path, 'hr'])
    assert.equal(decision.effect === 'deny' && decision.resource, 'shop.hr.t0')
  })

  test('that needs quotes stays apart from another that would look the same', () => {
    const quoted = '@id("q") forbid (principal, action, resource == Relation::"shop.\\"a.b\\".c");'
    const decider = createDecider(policySetOf(everywhere + quoted))
    const effects = [
      { schema: 'a.b', name: 'c' },
      { schema: 'a', name: 'b.c' },
    ].map((relation) => {
      const statement = {
        ...statementOf('SELECT', []),
        commands: [{ name: 'SELECT', relations: [relation], hasWhere: true }],
      }
      return decider.decideStatement(statementRequest(statement)).effect
    })
    assert.deepEqual(effects, ['deny', 'allow'])
  })
})

describe('time', () => {
  test('is looked at again where a policy asks for it', () => {
    const office =
      'permit (principal, action, resource) when { context.session.hour >= 8 && context.session.hour < 18 };'
    const decider = createDecider(policySetOf(office))
    const statement = statementOf('SELECT', [])
    const at = (hour: number) =>
      decider.decideStatement(statementRequest(statement, { nowMs: Date.UTC(2026, 10, 23, hour, 59, 59) })).effect
    assert.deepEqual([at(7), at(8), at(17), at(18)], ['deny', 'allow', 'allow', 'deny'])
  })

  test('can end access for good', () => {
    const until =
      'permit (principal, action, resource) when { context.session.time < datetime("2026-12-01T00:00:00Z") };'
    const decider = createDecider(policySetOf(until))
    const at = (nowMs: number) => decider.decideStatement(statementRequest(statementOf('SELECT', []), { nowMs })).effect
    assert.deepEqual([at(Date.UTC(2026, 10, 30)), at(Date.UTC(2026, 11, 1))], ['allow', 'deny'])
    assert.equal(decider.usesTime, true)
  })
})
