import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ControlStore } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { newGatewayId, newGrantId, newRequestId, newSessionId, newTokenId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import { openControlStore } from './store.ts'
import type { ControlStoreOptions } from './store.ts'
import {
  accessRequest,
  alice,
  approvalOf,
  bob,
  gateway,
  grantOf,
  noteOf,
  party,
  sessionOf,
  statementRequest,
  testEngines,
  tokenOf,
} from './testing.ts'

const refused = (code: string) => (error: unknown) => error instanceof PosternError && error.code === code

for (const engine of testEngines()) {
  describe(`the control store on ${engine.kind}`, { timeout: 120_000 }, () => {
    let options: ControlStoreOptions
    let store: ControlStore

    before(async () => {
      await engine.start()
      options = engine.fresh()
      store = await openControlStore(options)
    })
    after(async () => {
      await store.close()
      await engine.stop()
    })

    const empty = async (): Promise<ControlStore> => openControlStore(engine.fresh())

    describe('keeps records', () => {
      it('gives requests of both kinds back as they were, in every state', async () => {
        const states = [
          { state: 'pending' },
          { state: 'approved', atMs: 5, goodUntilMs: 6 },
          { state: 'denied', atMs: 5, by: bob, comment: 'no\nreally' },
          { state: 'expired', atMs: 5 },
          { state: 'withdrawn', atMs: 5, why: 'client_lost' },
        ] as const
        const requests = [
          ...states.flatMap((state) => [statementRequest({ state }), accessRequest({ state })]),
          statementRequest({ state: { state: 'used', atMs: 5 } }),
          statementRequest({ reason: null, about: { ...statementRequest().about, sql: null, parameters: null } }),
          statementRequest({ about: { ...statementRequest().about, estimate: null } }),
          accessRequest({ state: { state: 'granted', atMs: 5, grant: newGrantId() }, extends: null }),
        ]
        await store.change(async (changes) => {
          for (const request of requests) await changes.insertRequest(request)
        })
        for (const request of requests) {
          assert.deepEqual(await store.read((reads) => reads.request(request.id)), request)
        }
      })

      it('gives approvals back in the order in which they were given, whatever their times say', async () => {
        const request = statementRequest()
        const approvals = [
          approvalOf(request.id, { approver: party('carol'), atMs: 9_000, via: 'slack' }),
          approvalOf(request.id, { approver: { ...bob, kind: 'service' }, atMs: 8_000, answer: 'deny', comment: '' }),
          approvalOf(request.id, { approver: party('dave'), atMs: 8_500, groups: [] }),
        ]
        await store.change(async (changes) => {
          await changes.insertRequest(request)
          for (const approval of approvals) await changes.insertApproval(approval)
          assert.deepEqual(await changes.approvals(request.id), approvals)
        })
        assert.deepEqual(await store.read((reads) => reads.approvals(request.id)), approvals)
      })

      it('gives grants back as they were, also ended and reviewed ones', async () => {
        const request = accessRequest()
        const review = { by: bob, atMs: 7, outcome: 'unjustified', comment: 'why?' } as const
        const grants = [
          grantOf({ request: request.id }),
          grantOf({ kind: 'break_glass', databases: null, reason: null, review }),
          grantOf({ ended: { atMs: 6, why: 'expired', by: null } }),
          grantOf({ ended: { atMs: 6, why: 'revoked', by: bob }, databases: [] }),
        ]
        await store.change(async (changes) => {
          await changes.insertRequest(request)
          for (const grant of grants) await changes.insertGrant(grant)
        })
        for (const grant of grants) assert.deepEqual(await store.read((reads) => reads.grant(grant.id)), grant)
      })

      it('gives tokens, sessions and revocations back as they were', async () => {
        const grant = grantOf()
        const tokens = [
          tokenOf({ grant: grant.id, role: 'support', session: newSessionId() }),
          tokenOf({ isSingleSession: false, ended: { atMs: 7, why: 'revoked' }, principal: withoutIssueTime() }),
          tokenOf({
            principal: { ...tokenOf().principal, kind: 'agent', tokenId: 'jti', actors: [bob].map(subjectOf) },
          }),
        ] as const
        const sessions = [sessionOf({ token: tokens[0].id }), sessionOf({ endedAtMs: 7 })]
        const revocation = { ...subjectOf(alice), name: 'alice', notBeforeMs: 5, by: bob, reason: 'left' }
        await store.change(async (changes) => {
          await changes.insertGrant(grant)
          for (const token of tokens) await changes.insertToken(token)
          for (const session of sessions) await changes.insertSession(session)
          await changes.insertRevocation(revocation)
          await changes.insertRevocation(revocation)
        })
        await store.read(async (reads) => {
          for (const token of tokens) assert.deepEqual(await reads.token(token.id), token)
          for (const session of sessions) assert.deepEqual(await reads.session(session.id), session)
          assert.deepEqual(await reads.revocations(), [revocation, revocation])
        })
      })

      it('says null for what is not there', async () => {
        await store.read(async (reads) => {
          assert.equal(await reads.request(newRequestId()), null)
          assert.equal(await reads.grant(newGrantId()), null)
          assert.equal(await reads.token(newTokenId()), null)
          assert.equal(await reads.session(newSessionId()), null)
          assert.deepEqual(await reads.approvals(newRequestId()), [])
        })
      })

      it('leaves out what a record has beyond its type', async () => {
        const grant = grantOf()
        await store.change((changes) =>
          changes.insertGrant({ ...grant, principal: { ...alice, secret: 'x' } as never }),
        )
        assert.deepEqual(await store.read((reads) => reads.grant(grant.id)), grant)
      })
    })

    describe('changes records', () => {
      it('replaces the state of a request and what is shown of it', async () => {
        const request = statementRequest()
        await store.change((changes) => changes.insertRequest(request))
        const closed = {
          ...request,
          state: { state: 'withdrawn', atMs: 9, why: 'cancelled' } as const,
          about: { ...request.about, sql: null, parameters: null },
        }
        await store.change((changes) => changes.updateRequest(closed))
        assert.deepEqual(await store.read((reads) => reads.request(request.id)), closed)
      })

      it('extends, ends and reviews a grant', async () => {
        const grant = grantOf({ kind: 'break_glass' })
        await store.change((changes) => changes.insertGrant(grant))
        const longer = { ...grant, untilMs: 20_000 }
        await store.change((changes) => changes.updateGrant(longer))
        const over = { ...longer, ended: { atMs: 6, why: 'revoked', by: bob } as const }
        await store.change((changes) => changes.updateGrant(over))
        const reviewed = { ...over, review: { by: bob, atMs: 7, outcome: 'justified', comment: '' } as const }
        await store.change((changes) => changes.updateGrant(reviewed))
        assert.deepEqual(await store.read((reads) => reads.grant(grant.id)), reviewed)
      })

      it('binds a token to its session and ends it', async () => {
        const token = tokenOf()
        await store.change((changes) => changes.insertToken(token))
        const used = { ...token, session: newSessionId() }
        await store.change((changes) => changes.updateToken(used))
        const over = { ...used, ended: { atMs: 7, why: 'session_ended' } as const }
        await store.change((changes) => changes.updateToken(over))
        assert.deepEqual(await store.read((reads) => reads.token(token.id)), over)
      })

      it('ends a session once: the first end counts', async () => {
        const session = sessionOf()
        await store.change((changes) => changes.insertSession(session))
        await store.change((changes) => changes.endSession(session.id, 70))
        await store.change((changes) => changes.endSession(session.id, 80))
        assert.equal((await store.read((reads) => reads.session(session.id)))?.endedAtMs, 70)
      })

      it('refuses to change what an approval was asked for', async () => {
        const request = statementRequest()
        const grant = grantOf()
        const token = tokenOf()
        await store.change(async (changes) => {
          await changes.insertRequest(request)
          await changes.insertGrant(grant)
          await changes.insertToken(token)
        })
        const attacks: ((changes: Parameters<Parameters<ControlStore['change']>[0]>[0]) => Promise<void>)[] = [
          (changes) => changes.updateRequest({ ...request, binding: 'another' }),
          (changes) => changes.updateRequest({ ...request, requester: bob }),
          (changes) => changes.updateRequest({ ...request, requirements: [] }),
          (changes) => changes.updateRequest({ ...request, expiresAtMs: 1e9 }),
          (changes) => changes.updateRequest({ ...request, session: newSessionId() }),
          (changes) => changes.updateGrant({ ...grant, principal: bob }),
          (changes) => changes.updateGrant({ ...grant, role: 'admin' }),
          (changes) => changes.updateGrant({ ...grant, databases: null }),
          (changes) => changes.updateToken({ ...token, expiresAtMs: 1e9 }),
          (changes) => changes.updateToken({ ...token, secretHash: 'mine' }),
          (changes) => changes.updateToken({ ...token, role: 'admin' }),
        ]
        for (const attack of attacks) await assert.rejects(store.change(attack), refused('internal'))
        await store.read(async (reads) => {
          assert.deepEqual(await reads.request(request.id), request)
          assert.deepEqual(await reads.grant(grant.id), grant)
          assert.deepEqual(await reads.token(token.id), token)
        })
      })

      it('refuses to insert what is there and to change what is not', async () => {
        const request = statementRequest()
        const grant = grantOf()
        const token = tokenOf()
        const session = sessionOf()
        await store.change(async (changes) => {
          await changes.insertRequest(request)
          await changes.insertGrant(grant)
          await changes.insertToken(token)
          await changes.insertSession(session)
        })
        const attacks: ((changes: Parameters<Parameters<ControlStore['change']>[0]>[0]) => Promise<void>)[] = [
          (changes) => changes.insertRequest(request),
          (changes) => changes.insertGrant(grant),
          (changes) => changes.insertToken(token),
          (changes) => changes.insertToken(tokenOf({ secretHash: token.secretHash })),
          (changes) => changes.insertSession(session),
          (changes) => changes.updateRequest(statementRequest()),
          (changes) => changes.updateGrant(grantOf()),
          (changes) => changes.updateToken(tokenOf()),
          (changes) => changes.endSession(newSessionId(), 5),
          (changes) => changes.insertApproval(approvalOf(newRequestId())),
          (changes) => changes.insertGrant(grantOf({ request: newRequestId() })),
          (changes) => changes.insertToken(tokenOf({ grant: newGrantId() })),
          (changes) => changes.insertSession(sessionOf({ token: newTokenId() })),
        ]
        for (const attack of attacks) await assert.rejects(store.change(attack), refused('internal'))
      })

      it('refuses what could not be read again, and what is too large', async () => {
        const wrong = [
          statementRequest({ createdAtMs: 1.5 }),
          statementRequest({ expiresAtMs: Infinity }),
          statementRequest({ database: 'nul\0' }),
          statementRequest({ binding: '\ud800' }),
          statementRequest({ state: { state: 'granted', atMs: 5, grant: newGrantId() } }),
          accessRequest({ state: { state: 'used', atMs: 5 } }),
          statementRequest({ about: { ...statementRequest().about, estimate: { rows: NaN, cost: 1 } } }),
        ]
        for (const request of wrong) {
          await assert.rejects(
            store.change((changes) => changes.insertRequest(request)),
            refused('internal'),
          )
        }
        const sql = 'x'.repeat(limits.storeRecordCharsMax)
        const large = statementRequest({ about: { ...statementRequest().about, sql } })
        await assert.rejects(
          store.change((changes) => changes.insertRequest(large)),
          refused('limit_exceeded'),
        )
      })
    })

    describe('lists', () => {
      it('finds requests by each member of a filter, newest first, so many', async () => {
        const some = await empty()
        const other = newGatewayId()
        const one = statementRequest({ createdAtMs: 10 })
        const two = statementRequest({ createdAtMs: 30, gateway: other, state: { state: 'expired', atMs: 5 } })
        const three = accessRequest({ createdAtMs: 20, requester: bob })
        await some.change(async (changes) => {
          for (const request of [one, two, three]) await changes.insertRequest(request)
        })
        const found = async (filter: Parameters<Parameters<Parameters<ControlStore['read']>[0]>[0]['requests']>[0]) =>
          (await some.read((reads) => reads.requests(filter))).map(({ id }) => id)
        assert.deepEqual(await found({}), [two.id, three.id, one.id])
        assert.deepEqual(await found({ kind: 'statement' }), [two.id, one.id])
        assert.deepEqual(await found({ states: ['pending'] }), [three.id, one.id])
        assert.deepEqual(await found({ states: ['pending', 'expired'], limit: 2 }), [two.id, three.id])
        assert.deepEqual(await found({ states: [] }), [])
        assert.deepEqual(await found({ requester: bob }), [three.id])
        assert.deepEqual(await found({ requester: { issuer: 'https://other', subject: bob.subject } }), [])
        assert.deepEqual(await found({ gateway: other }), [two.id])
        assert.deepEqual(await found({ session: one.session }), [one.id])
        assert.deepEqual(await found({ createdBeforeMs: 20 }), [one.id])
        for (const limit of [0, -1, 1.5, Infinity]) {
          await assert.rejects(found({ limit }), refused('input_invalid'))
        }
        await some.close()
      })

      it('finds grants by each member of a filter, newest first, so many', async () => {
        const some = await empty()
        const one = grantOf({ fromMs: 10 })
        const two = grantOf({ fromMs: 30, kind: 'break_glass', role: 'admin' })
        const three = grantOf({ fromMs: 20, principal: bob, ended: { atMs: 25, why: 'expired', by: null } })
        const review = { by: bob, atMs: 45, outcome: 'justified', comment: '' } as const
        const four = grantOf({ fromMs: 40, kind: 'break_glass', review })
        await some.change(async (changes) => {
          for (const grant of [one, two, three, four]) await changes.insertGrant(grant)
        })
        const found = async (filter: Parameters<Parameters<Parameters<ControlStore['read']>[0]>[0]['grants']>[0]) =>
          (await some.read((reads) => reads.grants(filter))).map(({ id }) => id)
        assert.deepEqual(await found({}), [four.id, two.id, three.id, one.id])
        assert.deepEqual(await found({ isEnded: false }), [four.id, two.id, one.id])
        assert.deepEqual(await found({ isEnded: true }), [three.id])
        assert.deepEqual(await found({ principal: bob }), [three.id])
        assert.deepEqual(await found({ principalName: 'alice', limit: 1 }), [four.id])
        assert.deepEqual(await found({ role: 'admin' }), [two.id])
        assert.deepEqual(await found({ needsReview: true }), [two.id])
        assert.deepEqual(await found({ needsReview: false }), [four.id, three.id, one.id])
        assert.deepEqual(await found({ fromBeforeMs: 20 }), [one.id])
        await some.close()
      })

      it('finds tokens, sessions and gateways that were not seen', async () => {
        const some = await empty()
        const other = newGatewayId()
        const silent = newGatewayId()
        const token = tokenOf()
        const dead = tokenOf({ ended: { atMs: 7, why: 'expired' }, principal: { ...tokenOf().principal, ...bob } })
        const live = sessionOf({ token: token.id })
        const over = sessionOf({ gateway: other, endedAtMs: 9 })
        await some.change(async (changes) => {
          await changes.insertToken(token)
          await changes.insertToken(dead)
          await changes.insertSession(live)
          await changes.insertSession(over)
          await changes.insertRequest(statementRequest({ gateway: silent, createdAtMs: 100 }))
        })
        await some.touchGateway(gateway, 5_000)
        await some.touchGateway(other, 2_000)
        await some.touchGateway(other, 3_000)
        await some.read(async (reads) => {
          const ids = (records: readonly { readonly id: string }[]) => records.map(({ id }) => id)
          assert.deepEqual(ids(await reads.tokens({ principal: alice })), [token.id])
          assert.deepEqual(ids(await reads.tokens({ isEnded: true })), [dead.id])
          assert.deepEqual(ids(await reads.sessions({ gateway })), [live.id])
          assert.deepEqual(ids(await reads.sessions({ isEnded: true })), [over.id])
          assert.deepEqual(await reads.gatewaysNotSeenSince(3_000), [silent])
          assert.deepEqual(await reads.gatewaysNotSeenSince(3_001), [silent, other])
        })
        await some.close()
      })
    })

    describe('holds rules whatever writes', () => {
      const request = statementRequest()
      const closed = statementRequest({ state: { state: 'denied', atMs: 5, by: bob, comment: '' } })
      const ended = grantOf({ ended: { atMs: 6, why: 'revoked', by: bob } })
      const used = tokenOf({ session: newSessionId(), ended: { atMs: 6, why: 'revoked' } })
      const insert = (approver: string) =>
        `insert into approvals (request, ordinal, approver_issuer, approver_subject, approver_name, answer, at_ms, rest)
         values ('${request.id}', 7, 'https://id.example', '${approver}', 'x', 'approve', 1, '{}')`
      const attacks: readonly [string, string][] = [
        ['a second answer of one approver', insert(bob.subject)],
        ['an answer of the requester', insert(alice.subject)],
        ['a state that there is not', `update requests set state = 'lost' where id = '${request.id}'`],
        ['reopening a request', `update requests set state = 'pending' where id = '${closed.id}'`],
        ['a statement without a binding', `update requests set binding = null where id = '${request.id}'`],
        ['changing an answer', `update approvals set answer = 'deny'`],
        ['removing an answer', `delete from approvals`],
        ['changing what happened', `update changes set facts = '{}', is_journalled = 1`],
        ['taking back that it is on record', `update changes set is_journalled = 0`],
        ['removing what happened', `delete from changes`],
        [
          'a number that is passed already',
          `insert into changes (seq, at_ms, gateway, type, facts, is_journalled) values (0, 1, '${gateway}', 'x', '{}', 0)`,
        ],
        ['a change of nobody', `insert into changes values (99, 1, 'nobody', 'request_opened', '{}', 0)`],
        [
          'a grant that comes back',
          `update grants set ended_at_ms = null, ended_why = null, ended_by = null where id = '${ended.id}'`,
        ],
        ['an ended grant that lasts longer', `update grants set until_ms = 99999 where id = '${ended.id}'`],
        ['a token that comes back', `update tokens set ended_at_ms = null, ended_why = null where id = '${used.id}'`],
        ['a token for a second session', `update tokens set session = 's_2' where id = '${used.id}'`],
        ['a bound token that is for many', `update tokens set is_single_session = 0 where id = '${used.id}'`],
      ]

      before(async () => {
        await store.change(async (changes) => {
          await changes.insertRequest(request)
          await changes.insertRequest(closed)
          await changes.insertApproval(approvalOf(request.id))
          await changes.insertGrant(ended)
          await changes.insertToken(used)
          await changes.note(noteOf(request.id))
        })
      })

      for (const [what, sql] of attacks) {
        it(`refuses ${what}`, async () => {
          await assert.rejects(
            engine.raw(options, sql),
            /constraint|only added|numbered in order|own request|stays (?:as it is|ended|so)/u,
          )
        })
      }

      it('counts an approver once however often the answer arrives', async () => {
        const attack = store.change((changes) => changes.insertApproval(approvalOf(request.id, { answer: 'deny' })))
        await assert.rejects(attack, refused('internal'))
        assert.equal((await store.read((reads) => reads.approvals(request.id))).length, 1)
      })
    })

    describe('trusts no row', () => {
      const damage: readonly [string, string][] = [
        ['JSON that is none', `update sessions set rest = '{' where id = ID`],
        ['a member that is missing', `update sessions set rest = '{}' where id = ID`],
        ['a member of another type', `update sessions set rest = '{"kind":"human","actors":"none"}' where id = ID`],
        ['a kind that there is not', `update sessions set rest = '{"kind":"root","actors":[]}' where id = ID`],
        ['an id that is none', `update sessions set database = 'x', id = '' where id = ID`],
        ['a time that is not exact', `update sessions set started_at_ms = 9007199254740993 where id = ID`],
      ]
      for (const [what, sql] of damage) {
        it(`rejects ${what}`, async () => {
          const fresh = engine.fresh()
          const damaged = await openControlStore(fresh)
          const session = sessionOf()
          await damaged.change((changes) => changes.insertSession(session))
          await engine.raw(fresh, sql.replace('ID', `'${session.id}'`))
          await assert.rejects(
            damaged.read((reads) => reads.sessions({})),
            refused('internal'),
          )
          await damaged.close()
        })
      }
    })
  })
}

function withoutIssueTime() {
  const { issuedAtMs, ...principal } = tokenOf().principal
  assert.notEqual(issuedAtMs, undefined)
  return { ...principal, sessionToken: { id: newTokenId(), role: null, database: 'shop' } }
}

function subjectOf({ issuer, subject }: { readonly issuer: string; readonly subject: string }) {
  return { issuer, subject }
}
