import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newSessionId } from '../src/core/ids.ts'
import type { Principal, Subject } from '../src/core/principal.ts'
import { emptyStatement, type StatementAnalysis } from '../src/core/statement.ts'
import { subjectKey } from '../src/core/access.ts'
import { Exchange } from '../src/gateway/exchange.ts'
import type { GatewayDatabase, Services } from '../src/gateway/services.ts'
import { SessionAccess } from '../src/gateway/session-access.ts'
import { StatementWay } from '../src/gateway/statement.ts'
import { alice, bench, type Bench, bob, carol, minuteMs, role } from '../src/access/testing.ts'

/*
 * What a decision that is kept costs: policy is asked again exactly when something about this principal's access has
 * changed. Policy is counted, access is the real one on a clock that the test moves.
 */

const statement: StatementAnalysis = { ...emptyStatement, sql: 'SELECT 1', kind: 'SELECT' }
const facts = { clientAddress: '127.0.0.1', applicationName: '', isTls: true }

interface Counted {
  /** Decides the statement, and whether the session may stay, as a gateway does; says how often policy was asked. */
  ask(): { readonly statement: number; readonly connect: number; readonly roles: readonly string[] }
  reconsider(subjects: readonly Subject[] | null): void
  readonly policy: { version: number }
}

function counted({ access }: Pick<Bench, 'access'>, principal: Principal): Counted {
  let asked = { statement: 0, connect: 0 }
  let roles: readonly string[] = []
  const policy = {
    version: 1,
    usesTime: false,
    decideConnect() {
      asked.connect += 1
      return { effect: 'allow', policies: [] } as const
    },
    decideStatement({ accessRoles }: { readonly accessRoles: readonly string[] }) {
      asked.statement += 1
      roles = accessRoles
      return { effect: 'allow', policies: [] } as const
    },
    decideUnmask: () => 'masked' as const,
  }
  const services: Services = {
    access,
    approvals: null,
    identity: { identify: () => Promise.reject(new Error('not asked')) },
    tokens: null,
    policy,
    journal: { append: () => 1, commit: (done) => setImmediate(() => done(null)), isAvailable: true },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    redaction: null,
    statementMembers: () => Buffer.alloc(0),
  }
  const resource = { name: 'shop', labels: new Map<string, string>() }
  const sql = { analyze: () => ({ statements: [statement], syntaxError: null }) }
  // Of the database, access looks at the resource alone.
  const database = { resource, showsIdentity: false, sql } as unknown as GatewayDatabase
  const sessionAccess = new SessionAccess({
    id: newSessionId(),
    services,
    principal,
    database,
    clientAddress: '127.0.0.1',
    reason: null,
  })
  const exchange = new Exchange('role')
  const way = new StatementWay(services, {
    principal,
    holding: sessionAccess.holding,
    database,
    client: { address: '127.0.0.1', isTls: true },
    names: exchange.names,
    settings: exchange.settings,
    members: Buffer.alloc(0),
    protection: null,
  })
  return {
    policy,
    ask() {
      assert.ok('allowed' in (way.decide(statement) as object))
      const told = { ...asked, roles }
      asked = { statement: 0, connect: 0 }
      return told
    },
    reconsider(subjects) {
      const isMeant = subjects === null || subjects.some((each) => subjectKey(each) === subjectKey(principal))
      if (isMeant) assert.equal(sessionAccess.whyNot(facts, Date.now()), null)
    },
  }
}

const roles = [role('support', { requestableBy: ['engineering'] }), role('other', { requestableBy: ['engineering'] })]

test('a decision that is kept is made again when a grant of this principal changes, and not for anybody else', async () => {
  const here = await bench({ roles })
  // The gateway reads the machine's clock; this one starts where that is.
  here.clock.nowMs = Date.now()
  await here.access.sweep()
  const [own, others] = [counted(here, alice), counted(here, bob)]
  const end = here.access.onChange((subjects) => {
    own.reconsider(subjects)
    others.reconsider(subjects)
  })
  const grant = async (to: Principal, name: string, extended?: string): Promise<string> => {
    const { request } = await here.access.ask(to, {
      role: name,
      durationMs: 30 * minuteMs,
      reason: 'x',
      ...(extended === undefined ? {} : { extends: extended as never }),
    })
    const { request: answered } = await here.access.answer(carol, request.id, {
      answer: 'approve',
      comment: '',
      via: 'api',
    })
    return answered.state.state === 'granted' ? answered.state.grant : ''
  }
  const asks = (counts: ReturnType<Counted['ask']>): readonly number[] => [counts.statement, counts.connect]

  assert.deepEqual(asks(own.ask()), [1, 0])
  assert.deepEqual(asks(own.ask()), [0, 0], 'nothing has changed')
  others.ask()

  const given = await grant(alice, 'support')
  const first = own.ask()
  assert.deepEqual(first, { statement: 1, connect: 1, roles: ['support'] })
  assert.deepEqual(asks(own.ask()), [0, 0])
  assert.deepEqual(asks(others.ask()), [0, 0], 'not for somebody else')

  const foreign = await grant(bob, 'other')
  assert.deepEqual(asks(own.ask()), [0, 0])
  assert.deepEqual(others.ask(), { statement: 1, connect: 1, roles: ['other'] })
  await here.access.revoke(carol, { grant: foreign as never, reason: 'x' })
  assert.deepEqual(asks(own.ask()), [0, 0])
  assert.deepEqual(others.ask(), { statement: 1, connect: 1, roles: [] })

  own.reconsider(null)
  assert.deepEqual(asks(own.ask()), [0, 0], 'though everybody was told')

  await grant(alice, 'support', given)
  assert.deepEqual(own.ask(), { statement: 1, connect: 1, roles: ['support'] })
  await grant(alice, 'other')
  assert.deepEqual(own.ask(), { statement: 1, connect: 1, roles: ['other', 'support'] })
  await here.access.revoke(carol, { grant: given as never, reason: 'x' })
  assert.deepEqual(own.ask(), { statement: 1, connect: 1, roles: ['other'] })
  own.policy.version += 1
  own.reconsider(null)
  assert.deepEqual(asks(own.ask()), [1, 1], 'other policies')
  assert.deepEqual(asks(own.ask()), [0, 0])
  assert.deepEqual(asks(others.ask()), [0, 0])
  end()
  await here.access.close()
})

test('the end that time brings is an end for the session, and stays one when the clock goes back', async () => {
  const here = await bench({ roles })
  const session = counted(here, alice)
  const end = here.access.onChange((subjects) => session.reconsider(subjects))
  const { request } = await here.access.ask(alice, { role: 'support', durationMs: minuteMs, reason: 'x' })
  await here.access.answer(carol, request.id, { answer: 'approve', comment: '', via: 'api' })
  const held = (): readonly string[] => here.access.holdingOf(alice, 'shop', here.clock.nowMs).roles
  assert.deepEqual(held(), ['support'])
  // An hour back: it does not begin to last longer than it was given for.
  here.clock.nowMs -= 60 * minuteMs
  assert.deepEqual(held(), [])
  here.clock.nowMs += 60 * minuteMs
  assert.deepEqual(held(), ['support'])
  here.clock.nowMs += 2 * minuteMs
  assert.deepEqual(held(), [])
  here.clock.nowMs -= 2 * minuteMs
  await here.access.sweep()
  assert.deepEqual(held(), [], 'what has ended has ended')
  end()
  await here.access.close()
})
