import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { preparsePolicySet, preparseSchema, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs'
import * as fc from 'fast-check'
import type { UnmaskRequest } from '../core/decision.ts'
import { createDecider } from './decide.ts'
import type { PolicySet } from './load.ts'
import { columnId, relationId, schemaId } from './names.ts'
import { policySchema } from './schema.ts'
import { policySetOf, principalNamed, unmaskRequest } from './testing.ts'

const email = ['public', 'customers', 'email'] as const
const blanket = 'permit (principal, action == Action::"unmask", resource);\n'

/** What a set of policies says of one column with these tags. */
function decided(policies: string, tags: readonly string[], facts: Partial<UnmaskRequest> = {}): 'raw' | 'masked' {
  return createDecider(policySetOf(policies)).decideUnmask(unmaskRequest(email, tags, facts))
}

describe('a classified column', () => {
  test('is masked by default', () => {
    assert.equal(decided('permit (principal, action == Action::"connect", resource);', ['pii.email']), 'masked')
    const reader = 'permit (principal, action in Action::"statement", resource);'
    assert.equal(decided(reader, ['pii.email']), 'masked')
  })

  test('is shown where a permit names its tag, its column, its relation, its schema or its database', () => {
    for (const scope of [
      'resource in Tag::"pii.email"',
      'resource == Column::"shop.public.customers.email"',
      'resource in Relation::"shop.public.customers"',
      'resource in Schema::"shop.public"',
      'resource in Database::"shop"',
    ]) {
      const policy = `permit (principal in Group::"engineering", action == Action::"unmask", ${scope});`
      assert.equal(decided(policy, ['pii.email']), 'raw', scope)
      assert.equal(decided(policy, ['pii.email'], { principal: principalNamed('eve') }), 'masked', scope)
    }
  })

  test('is not shown by a permit on another column, relation, schema, database or tag', () => {
    for (const scope of [
      'resource in Tag::"pii.name"',
      'resource == Column::"shop.public.customers.name"',
      'resource in Relation::"shop.public.orders"',
      'resource in Schema::"shop.hr"',
      'resource in Database::"hr"',
    ]) {
      assert.equal(decided(`permit (principal, action == Action::"unmask", ${scope});`, ['pii.email']), 'masked', scope)
    }
  })

  test('is shown by a blanket permit, which permits to unmask as well', () => {
    assert.equal(decided('permit (principal, action, resource);', ['pii.email', 'pii.name']), 'raw')
  })

  test('is masked where a policy errors, whether it permits or forbids', () => {
    for (const effect of ['permit', 'forbid']) {
      const broken = `@id("broken") ${effect} (principal, action == Action::"unmask", resource)
        when { context.session.hour * 9223372036854775807 > 5 };`
      assert.equal(decided(blanket + broken, ['pii.email']), 'masked', effect)
      // At midnight the multiplication does not overflow.
      assert.equal(decided(blanket + broken, ['pii.email'], { nowMs: 0 }), 'raw', effect)
    }
  })

  test('is masked where the facts of the session cannot be read', () => {
    const policies = `${blanket} @id("f") forbid (principal, action == Action::"unmask", resource)
      when { context.session.clientAddress.isLoopback() };`
    const session = { clientAddress: 'not an address', applicationName: '', isTls: true }
    assert.equal(decided(policies, ['pii.email'], { session }), 'masked')
    assert.equal(decided(policies, ['pii.email']), 'raw')
  })

  test('is masked by a forbid even if approvers could lift it', () => {
    const forbid = '@id("f") @approvers("dba") forbid (principal, action == Action::"unmask", resource);'
    assert.equal(decided(blanket + forbid, ['pii.email']), 'masked')
  })
})

describe('a column with several tags', () => {
  const onTag = (tag: string) => `permit (principal, action == Action::"unmask", resource in Tag::"${tag}");\n`

  test('is shown only to who may see each of them', () => {
    assert.equal(decided(onTag('pii.email'), ['pii.email', 'secret']), 'masked')
    assert.equal(decided(onTag('pii.email'), ['secret', 'pii.email']), 'masked')
    assert.equal(decided(onTag('pii.email') + onTag('secret'), ['pii.email', 'secret']), 'raw')
  })

  test('is not shown for a tag that no policy names', () => {
    assert.equal(decided(onTag('pii.email'), ['pii.email', 'never-heard-of']), 'masked')
    assert.equal(decided(onTag('?'), ['never-heard-of']), 'masked')
  })

  test('is masked by a forbid on one of them', () => {
    const forbid = '@id("f") forbid (principal, action == Action::"unmask", resource in Tag::"secret");'
    assert.equal(decided(blanket + forbid, ['pii.email', 'secret']), 'masked')
    assert.equal(decided(blanket + forbid, ['pii.email']), 'raw')
  })

  test('is masked by a forbid on two of them at once', () => {
    const forbid = `@id("f") forbid (principal, action == Action::"unmask", resource)
      when { resource in Tag::"pii.email" && resource in Tag::"pii.birth_date" };`
    assert.equal(decided(blanket + forbid, ['pii.birth_date', 'pii.email']), 'masked')
    assert.equal(decided(blanket + forbid, ['pii.birth_date', 'other', 'pii.email']), 'masked')
    assert.equal(decided(blanket + forbid, ['pii.email']), 'raw')
  })

  test('is masked by a forbid that only another tag would have kept away', () => {
    const forbid = `@id("f") forbid (principal, action == Action::"unmask", resource) unless { resource in Tag::"public" };`
    assert.equal(decided(blanket + forbid, ['pii.email', 'public']), 'masked')
    assert.equal(decided(blanket + forbid, ['public']), 'raw')
  })

  test('is not shown by a permit that another tag takes back', () => {
    const permit = `permit (principal, action == Action::"unmask", resource) unless { resource in Tag::"secret" };`
    assert.equal(decided(permit, ['pii.email', 'secret']), 'masked')
    assert.equal(decided(permit, ['pii.email']), 'raw')
  })
})

describe('names that look like others', () => {
  const decide = (
    policy: string,
    name: readonly [string, string, string],
    tags: readonly string[],
    database = 'shop',
  ) =>
    createDecider(policySetOf(policy)).decideUnmask(
      unmaskRequest(name, tags, { database: { name: database, labels: new Map() } }),
    )
  const onColumn = (id: string) =>
    `permit (principal, action == Action::"unmask", resource == Column::${JSON.stringify(id)});`

  test('with dots and quotes stay apart', () => {
    const quoted = onColumn('shop."a.b".c.d')
    assert.equal(decide(quoted, ['a.b', 'c', 'd'], ['t']), 'raw')
    assert.equal(decide(quoted, ['a', 'b.c', 'd'], ['t']), 'masked')
    assert.equal(decide(quoted, ['a', 'b', 'c.d'], ['t']), 'masked')
    assert.equal(decide(quoted, ['"a.b"', 'c', 'd'], ['t']), 'masked')
    assert.equal(decide(quoted, ['b', 'c', 'd'], ['t'], 'shop.a'), 'masked')
    const quotes = onColumn('shop.public.t."say ""hi"""')
    assert.equal(decide(quotes, ['public', 't', 'say "hi"'], ['t']), 'raw')
    assert.equal(decide(quotes, ['public', 't', '"say ""hi"""'], ['t']), 'masked')
  })

  test('such as that of an unnamed column reach nothing', () => {
    const odd = onColumn('shop."?"."?"."?"')
    assert.equal(decide(odd, ['public', 't', 'c'], ['t']), 'masked')
    assert.equal(decide(odd, ['?', '?', '?'], ['t']), 'raw')
    assert.throws(() => policySetOf(onColumn('shop.?.?.?')), /can match nothing/u)
  })

  test('of a tag that is the id of a column, a relation or a group are but a tag', () => {
    for (const tag of ['shop.public.customers.email', 'shop.public.customers', 'shop', 'engineering', '', '"', '\\']) {
      const onTag = `permit (principal, action == Action::"unmask", resource in Tag::${JSON.stringify(tag)});`
      assert.equal(decide(onTag, [...email], ['pii.email']), 'masked', tag)
      assert.equal(decide(onTag, [...email], [tag]), 'raw', tag)
      assert.equal(decide(onColumn('shop.public.customers.email'), ['public', 'customers', 'name'], [tag]), 'masked')
    }
  })

  test('of tags that are one text when joined are not taken for each other', () => {
    const policies = ['a', 'b', 'a","b', 'a,b']
      .map(
        (tag, index) =>
          `@id("p${String(index)}") permit (principal == Human::"bob", action == Action::"unmask", resource in Tag::${JSON.stringify(tag)});\n`,
      )
      .join('')
    const decider = createDecider(
      policySetOf(`${policies} @id("f") forbid (principal, action, resource in Tag::"a,b");`),
    )
    const ask = (tags: readonly string[]) =>
      decider.decideUnmask(unmaskRequest(email, tags, { principal: principalNamed('bob') }))
    assert.deepEqual([ask(['a', 'b']), ask(['a,b']), ask(['a","b']), ask(['a', 'b'])], ['raw', 'masked', 'raw', 'raw'])
  })
})

describe('an answer kept for one column or session', () => {
  test('does not serve another that a policy tells apart', () => {
    const decider = createDecider(
      policySetOf(`permit (principal, action == Action::"unmask", resource in Tag::"pii.email")
        when { context.session.tls && context.session.authenticationMethods.contains("mfa") };
        permit (principal, action == Action::"unmask", resource == Column::"shop.public.t.c");`),
    )
    const principal = principalNamed('a', { authenticationMethods: ['mfa'] })
    const session = { clientAddress: '10.0.0.1', applicationName: '', isTls: true }
    const one = unmaskRequest(email, ['pii.email'], { principal, session })
    const ask = (facts: Partial<UnmaskRequest>) => decider.decideUnmask({ ...one, ...facts })
    assert.equal(ask({}), 'raw')
    assert.equal(ask({ session: { ...session, isTls: false } }), 'masked')
    assert.equal(ask({ principal: principalNamed('b') }), 'masked')
    assert.equal(ask({ column: { ...one.column, tags: ['pii.name'] } }), 'masked')
    assert.equal(ask({ column: { ...one.column, relation: 't', column: 'c', tags: ['pii.name'] } }), 'raw')
    assert.equal(ask({ column: { ...one.column, relation: 't', column: 'd', tags: ['pii.name'] } }), 'masked')
    assert.equal(ask({}), 'raw')
  })

  test('ends with the policies it came from, and with the time where they look at it', () => {
    const office = 'permit (principal, action == Action::"unmask", resource) when { context.session.hour < 18 };'
    const decider = createDecider(policySetOf(office))
    const one = unmaskRequest(email, ['pii.email'])
    const at = (hour: number) => decider.decideUnmask({ ...one, nowMs: Date.UTC(2026, 10, 23, hour) })
    assert.deepEqual([at(17), at(18)], ['raw', 'masked'])
    decider.replace(policySetOf('permit (principal, action == Action::"connect", resource);'))
    assert.equal(at(17), 'masked')
  })

  test('is told apart by the labels of its database', () => {
    const decider = createDecider(
      policySetOf(`permit (principal, action == Action::"unmask", resource)
        when { resource.hasTag("env") && resource.getTag("env") == "test" };`),
    )
    const ask = (env: string) =>
      decider.decideUnmask(
        unmaskRequest(email, ['pii.email'], { database: { name: 'shop', labels: new Map([['env', env]]) } }),
      )
    assert.deepEqual([ask('test'), ask('production'), ask('test')], ['raw', 'masked', 'raw'])
  })
})

/** Policies about columns that look at everything such policies can look at. */
const pool = `
@id("p0") permit (principal in Group::"engineering", action == Action::"unmask", resource in Tag::"a");
@id("p1") permit (principal, action == Action::"unmask", resource in Tag::"b");
@id("p2") permit (principal, action, resource in Schema::"shop.public") when { resource in Tag::"a" || resource in Tag::"c" };
@id("p3") permit (principal == Human::"alice", action, resource in Relation::"shop.hr.salaries");
@id("p4") permit (principal, action == Action::"unmask", resource == Column::"shop.public.x.email");
@id("p5") permit (principal, action, resource) unless { resource in Tag::"b" };
@id("p6") permit (principal, action, resource) when { context.session.clientAddress.isInRange(ip("10.0.0.0/8")) };
@id("p7") permit (principal in AccessRole::"lead", action == Action::"unmask", resource in Tag::"a");
@id("f5") forbid (principal in AccessRole::"engineering", action, resource in Tag::"c");
@id("f0") forbid (principal, action, resource in Schema::"shop.hr") unless { principal in Group::"dba" };
@id("f1") forbid (principal, action == Action::"unmask", resource) when { resource in Tag::"a" && resource in Tag::"b" };
@id("f2") forbid (principal, action == Action::"unmask", resource == Column::"shop.hr.x.email");
@id("f3") forbid (principal is Agent, action == Action::"unmask", resource) unless { resource in Tag::"c" };
@id("f4") forbid (principal, action, resource) when { !context.session.tls };
`
const requests: fc.Arbitrary<UnmaskRequest> = fc
  .record({
    principal: fc
      .record({
        name: fc.constantFrom('alice', 'bob'),
        kind: fc.constantFrom('human' as const, 'agent' as const),
        groups: fc.subarray(['engineering', 'dba']),
      })
      .map(({ name, ...facts }) => principalNamed(name, facts)),
    accessRoles: fc.subarray(['engineering', 'lead', 'unheard-of']),
    session: fc.record({
      clientAddress: fc.constantFrom('10.1.1.1', '192.0.2.1'),
      applicationName: fc.constant(''),
      isTls: fc.boolean(),
    }),
    name: fc.tuple(
      fc.constantFrom('public', 'hr', 'o'),
      fc.constantFrom('x', 'salaries'),
      fc.constantFrom('email', 'y'),
    ),
    tags: fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 }),
  })
  .map(({ name, tags, ...facts }) => unmaskRequest(name, tags, facts))

let all: PolicySet
before(() => {
  all = policySetOf(pool)
  assert.equal(preparseSchema('plain', policySchema()).type, 'success')
})

/** The slow plain way: the column by its own name with the given tags, checked against the schema, nothing left out. */
function isAllowedPlainly(request: UnmaskRequest, tags: readonly string[]): boolean {
  const { principal, accessRoles, database, session, column, nowMs } = request
  const type = { human: 'Human', service: 'Service', agent: 'Agent' }[principal.kind]
  const { name, issuer, subject, groups } = principal
  const labels = Object.fromEntries(database.labels)
  const now = new Date(nowMs)
  const home = { type: 'Database', id: database.name }
  const schema = { type: 'Schema', id: schemaId(database.name, column.schema) }
  const relation = { type: 'Relation', id: relationId(database.name, column.schema, column.relation) }
  const uid = { type: 'Column', id: columnId(database.name, column.schema, column.relation, column.column) }
  const entity = (uid: { type: string; id: string }, parents: { type: string; id: string }[]) => ({
    uid,
    attrs: {},
    tags: labels,
    parents,
  })
  const answer = statefulIsAuthorized({
    principal: { type, id: name },
    action: { type: 'Action', id: 'unmask' },
    resource: uid,
    context: {
      session: {
        clientAddress: { __extn: { fn: 'ip', arg: session.clientAddress } },
        applicationName: session.applicationName,
        tls: session.isTls,
        authenticationMethods: [...principal.authenticationMethods],
        actors: [],
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
      entity(home, []),
      entity(schema, [home]),
      entity(relation, [schema]),
      entity(uid, [relation, ...tags.map((id) => ({ type: 'Tag', id }))]),
    ],
    preparsedSchemaName: 'plain',
    validateRequest: true,
    preparsedPolicySetId: 'plain',
  })
  assert.equal(answer.type, 'success', JSON.stringify(answer))
  return answer.type === 'success' && answer.response.decision === 'allow'
}

const chosenIds = fc.subarray(
  [...pool.matchAll(/@id\("(\w+)"\)/gu)].map(([, id]) => id ?? ''),
  { minLength: 1 },
)

describe('deciding about columns with what no policy looks at left out', () => {
  test('says the same as deciding with everything, for all tags together and each alone', () => {
    fc.assert(
      fc.property(chosenIds, fc.array(requests, { minLength: 1, maxLength: 6 }), (ids, asked) => {
        const policies = all.policies.filter(({ id }) => ids.includes(id))
        const decider = createDecider({ ...all, policies })
        const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]))
        assert.equal(preparsePolicySet('plain', { staticPolicies }).type, 'success')
        for (const request of [...asked, ...asked]) {
          const { tags } = request.column
          const isAllowed = [tags, ...tags.map((tag) => [tag])].every((some) => isAllowedPlainly(request, some))
          assert.equal(decider.decideUnmask(request), isAllowed ? 'raw' : 'masked')
        }
      }),
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    )
  })
})
