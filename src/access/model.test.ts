import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { partyOf } from '../core/access.ts'
import { newSessionId, type GrantId, type RequestId } from '../core/ids.ts'
import { compareWithJournal } from './access.ts'
import { dbaAgrees, hourMs, minuteMs, root, wishOf } from './testing.ts'
import {
  checkHoldings,
  codeOf,
  isTokenAllowed,
  maxDurationMs,
  mayHaveHappened,
  people,
  startGateway,
  startReal,
  Model,
  type ModelGrant,
  type ModelRequest,
  type Real,
  type RealGateway,
} from './testing-model.ts'

/*
 * Random sequences of requests, answers, grants, tokens, sessions, clock steps, outages and killed gateways, against a
 * model of what is allowed at most. POSTERN_FUZZ_SEED repeats a run, POSTERN_FUZZ_RUNS makes more of them.
 */

const seed = Number(process.env['POSTERN_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)
const numRuns = Number(process.env['POSTERN_FUZZ_RUNS'] ?? 150)

type Command = fc.AsyncCommand<Model, Real>

/** A command that is possible at any time, checked afterwards by what must always hold. */
function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real)
      checkHoldings(model, real)
    },
    toString: () => name,
  }
}

function pick<T>(values: Iterable<T>, index: number): T | undefined {
  const all = [...values]
  // The latest are the most interesting.
  return all.at(-1 - (index % Math.max(1, all.length)))
}

const gatewayAt = (real: Real, index: number): RealGateway => pick(real.gateways, index) ?? assert.fail()
const personAt = (index: number) => pick(people, index) ?? assert.fail()
const small = fc.nat(3)

const file = fc.tuple(small, small, fc.integer({ min: 1, max: 2 })).map(([who, where, count]) =>
  command(`file(${who}, ${where}, ${count})`, async (model, real) => {
    await fileAt(model, real, { gateway: gatewayAt(real, where), by: personAt(who), count })
  }),
)

async function fileAt(
  model: Model,
  real: Real,
  { gateway, by, count }: { gateway: RealGateway; by: (typeof people)[number]; count: number },
): Promise<RequestId | null> {
  const wish = wishOf(by, { requirements: [{ ...dbaAgrees, count }] })
  try {
    const request = await gateway.bench.access.file(wish)
    real.filed.set(request.id, { request, gateway })
    const { id, expiresAtMs } = request
    model.requests.set(id, requestOf({ kind: 'statement', by, count, createdAtMs: model.nowMs, expiresAtMs }))
    return id
  } catch (error) {
    assert.ok(!model.isCalm, String(error))
    return null
  }
}

function requestOf(
  more: Pick<ModelRequest, 'kind' | 'by' | 'count' | 'createdAtMs' | 'expiresAtMs'> & Partial<ModelRequest>,
): ModelRequest {
  return { durationMs: 0, extends: null, yeses: [], isClosed: false, isWithdrawn: false, ...more }
}

function grantOf(more: Pick<ModelGrant, 'by' | 'fromMs' | 'untilMs' | 'isBreakGlass'>): ModelGrant {
  return { isEnded: false, isReviewed: false, seenBy: new Set(), over: new Map(), ...more }
}

const ask = fc
  .tuple(small, small, fc.integer({ min: 1, max: 5 }), fc.option(small))
  .map(([who, where, hours, extended]) =>
    command(`ask(${who}, ${where}, ${hours}h, ${String(extended)})`, async (model, real) => {
      const by = personAt(who)
      const old = extended === null ? undefined : pick(model.grants, extended)
      const wish = {
        role: 'support',
        durationMs: hours * hourMs,
        reason: 'x',
        ...(old !== undefined && { extends: old[0] }),
      }
      const { access } = gatewayAt(real, where).bench
      let id: RequestId | undefined
      const code = await codeOf(access.ask(by, wish).then(({ request }) => (id = request.id)))
      if (code === null) {
        assert.ok(hours <= 4, 'longer than the role allows')
        if (old !== undefined)
          assert.ok(old[1].by === by && !old[1].isEnded && model.nowMs < old[1].untilMs, 'extends what it may not')
      } else {
        const may = hours <= 4 && old === undefined
        assert.ok(!model.isCalm || !may || model.isKilled(by, model.nowMs), `could not ask: ${code}`)
      }
      if (id === undefined) return
      const more = { durationMs: wish.durationMs, extends: old?.[1] ?? null }
      const times = { createdAtMs: model.nowMs, expiresAtMs: model.nowMs + 24 * hourMs }
      model.requests.set(id, requestOf({ kind: 'access', by, count: 1, ...times, ...more }))
    }),
  )

const answer = fc.tuple(small, small, small, fc.nat(5)).map(([which, who, where, no]) =>
  command(`answer(${which}, ${who}, ${where}, ${no === 0 ? 'no' : 'yes'})`, async (model, real) => {
    const [id, request] = pick(model.requests, which) ?? []
    if (id === undefined || request === undefined) return
    await give(model, real, { id, request, who, where, isNo: no === 0 })
  }),
)

const answerTwice = fc.tuple(small, small).map(([which, where]) =>
  command(`answer at once(${which}, ${where})`, async (model, real) => {
    const [id, request] = pick(model.requests, which) ?? []
    if (id === undefined || request === undefined) return
    const given = { id, request, isNo: false }
    await Promise.all([
      give(model, real, { ...given, who: 0, where }),
      give(model, real, { ...given, who: 1, where: where + 1 }),
      give(model, real, { ...given, who: 1, where }),
    ])
  }),
)

async function give(
  model: Model,
  real: Real,
  of: { id: RequestId; request: ModelRequest; who: number; where: number; isNo: boolean },
): Promise<void> {
  const { id, request } = of
  const by = personAt(of.who)
  const may = model.mayAnswer(request, by)
  const { access } = gatewayAt(real, of.where).bench
  const given = { answer: of.isNo ? 'deny' : 'approve', comment: '', via: 'api' } as const
  const code = await codeOf(access.answer(by, id, given))
  if (code === null) assert.ok(may, `${by.name} answered ${id}, which they may not`)
  if (!may || !mayHaveHappened(code)) return
  // Of one person's two answers at once, one counts; where one was not heard of, it may be either.
  if (of.isNo) {
    if (code !== 'store_unavailable') request.isClosed = true
    return
  }
  request.yeses.push({ by, atMs: model.nowMs, isSure: code === null })
  if (request.kind === 'access') learnGrant(model, real, id, request)
}

function learnGrant(model: Model, real: Real, id: RequestId, request: ModelRequest): void {
  const state = real.store.tables.requests.get(id)?.state
  if (state?.state !== 'granted') return
  assert.ok(model.goodYeses(request) >= request.count, 'given without its approvals')
  request.isClosed = true
  const durationMs = Math.min(request.durationMs, maxDurationMs)
  const { extends: extended } = request
  if (extended === null) {
    const grant = grantOf({
      by: request.by,
      fromMs: model.nowMs,
      untilMs: model.nowMs + durationMs,
      isBreakGlass: false,
    })
    model.grants.set(state.grant, grant)
    return
  }
  assert.ok(!extended.isEnded && model.nowMs < extended.untilMs, 'what has ended was extended')
  const untilMs = Math.min(extended.untilMs + durationMs, model.nowMs + maxDurationMs)
  extended.untilMs = Math.max(extended.untilMs, untilMs)
}

const use = fc.tuple(small, fc.nat(4), fc.nat(4)).map(([which, how, meanwhile]) =>
  command(`use(${which}, ${how}, ${meanwhile})`, async (model, real) => {
    const [id, filed] = pick(real.filed, which) ?? []
    const request = id === undefined ? undefined : model.requests.get(id)
    if (id === undefined || filed === undefined || request === undefined) return
    const asked = { ...dbaAgrees, count: request.count }
    const now =
      how === 1
        ? { binding: 'other', requirements: [asked] }
        : how === 2
          ? { binding: 'b1', requirements: [{ ...asked, count: 3 }] }
          : { binding: 'b1', requirements: [asked] }
    const may =
      how !== 1 &&
      how !== 2 &&
      !request.isClosed &&
      !request.isWithdrawn &&
      model.goodYeses(request) >= request.count &&
      !model.isKilled(request.by, request.createdAtMs)
    // Its gateway has to have heard of an answer that was given at another.
    if (model.isCalm) await settle(model, real)
    const calls = [filed.request.use(now), filed.request.use(now)]
    if (meanwhile === 1) filed.request.withdraw('cancelled')
    const settled = await Promise.allSettled(calls)
    const ran = settled.filter((each) => each.status === 'fulfilled' && each.value).length
    const total = (real.uses.get(id) ?? 0) + ran
    real.uses.set(id, total)
    if (!real.gateways.includes(filed.gateway)) {
      // What a killed gateway withdraws reaches nobody.
      assert.equal(ran, 0, 'it ran at a gateway that was killed')
      return
    }
    assert.ok(total <= 1, 'it ran twice')
    if (ran > 0) {
      assert.ok(may, 'it ran without what it needs')
      assert.ok(meanwhile !== 1, 'it ran after it was withdrawn')
      const isOnRecord = real.first.journal.some(
        ({ type, facts }) => type === 'request_closed' && facts['request'] === id && facts['state'] === 'used',
      )
      assert.ok(isOnRecord, 'it ran without being on record')
    } else if (may && model.isCalm && meanwhile !== 1) {
      assert.fail('it did not run though it may')
    }
    if (meanwhile === 1) request.isWithdrawn = true
    // What was approved may be used up or closed by it; nothing runs by it again.
    const state = real.store.tables.requests.get(id)?.state.state
    if (state !== 'pending' && state !== 'approved') request.isClosed = true
  }),
)

/** A statement whose answers come right behind it, which chance alone seldom brings about. */
const fileAndAnswer = fc.tuple(small, small, fc.integer({ min: 1, max: 2 })).map(([who, where, count]) =>
  command(`file and answer(${who}, ${where}, ${count})`, async (model, real) => {
    const gateway = gatewayAt(real, where)
    const by = personAt(who)
    const id = await fileAt(model, real, { gateway, by, count })
    const request = id === null ? undefined : model.requests.get(id)
    if (id === null || request === undefined) return
    for (const other of [0, 1]) await give(model, real, { id, request, who: other, where: where + other, isNo: false })
  }),
)

const withdraw = fc.tuple(small, fc.boolean()).map(([which, byRequester]) =>
  command(`withdraw(${which}, ${String(byRequester)})`, async (model, real) => {
    const [id, filed] = pick(real.filed, which) ?? []
    const request = id === undefined ? undefined : model.requests.get(id)
    if (id === undefined || filed === undefined || request === undefined) return
    if (byRequester) {
      const { access } = gatewayAt(real, which).bench
      const code = await codeOf(access.withdraw(request.by, id))
      if (code === null || code === 'journal_unavailable') request.isClosed = true
    } else {
      filed.request.withdraw('client_lost')
      request.isWithdrawn = true
      // A gateway that was killed withdraws nothing, and nothing runs at it either.
      await filed.request.outcome
      if (!real.gateways.includes(filed.gateway)) return
      const { access } = filed.gateway.bench
      await codeOf(access.sweep())
      assert.equal(await filed.request.use({ binding: 'b1', requirements: [] }), false)
    }
  }),
)

const breakGlass = fc.tuple(small, small).map(([who, where]) =>
  command(`break glass(${who}, ${where})`, async (model, real) => {
    const by = personAt(who)
    const { access } = gatewayAt(real, where).bench
    const before = new Set(real.store.tables.grants.keys())
    const code = await codeOf(access.breakGlass(by, { role: 'support', durationMs: hourMs, reason: 'fire' }))
    const unreviewed = [...model.grants.values()].some(
      (each) => each.by === by && each.isBreakGlass && !each.isReviewed,
    )
    const may = by.groups.includes('oncall') && !unreviewed
    if (code === null) assert.ok(may, `${by.name} took what they may not`)
    else assert.ok(!may || !model.isCalm || model.isKilled(by, model.nowMs), `could not take: ${code}`)
    for (const id of real.store.tables.grants.keys()) {
      if (before.has(id)) continue
      const grant = grantOf({ by, fromMs: model.nowMs, untilMs: model.nowMs + hourMs, isBreakGlass: true })
      model.grants.set(id as GrantId, grant)
    }
  }),
)

const review = fc.tuple(small, small, small).map(([which, who, where]) =>
  command(`review(${which}, ${who}, ${where})`, async (model, real) => {
    const [id, grant] = pick(model.grants, which) ?? []
    if (id === undefined || grant === undefined) return
    const by = personAt(who)
    const { access } = gatewayAt(real, where).bench
    const code = await codeOf(access.review(by, id, { outcome: 'justified', comment: '' }))
    if (code === null)
      assert.ok(grant.isBreakGlass && !grant.isReviewed && by !== grant.by && by.groups.includes('leads'))
    if (mayHaveHappened(code)) grant.isReviewed = real.store.tables.grants.get(id)?.review !== null
  }),
)

const revoke = fc.tuple(small, small, small, fc.boolean()).map(([which, who, where, kills]) =>
  command(`revoke(${which}, ${who}, ${where}, ${String(kills)})`, async (model, real) => {
    const [id, grant] = pick(model.grants, which) ?? []
    const { access } = gatewayAt(real, where).bench
    if (kills && who === 0) {
      const victim = personAt(which)
      const code = await codeOf(access.revoke(root, { principal: victim.name, reason: 'x', killsSessions: true }))
      if (code !== null && code !== 'journal_unavailable') return
      model.killedBeforeMs.set(victim, Math.max(model.killedBeforeMs.get(victim) ?? 0, model.nowMs + 1))
      for (const each of model.grants.values()) if (each.by === victim) each.isEnded = true
      for (const each of model.tokens.values()) if (each.by === victim) each.isEnded = true
      for (const each of model.requests.values()) if (each.by === victim) each.isClosed = true
      // Other gateways learn of it as soon as they read the store.
      await settle(model, real)
      return
    }
    if (id === undefined || grant === undefined) return
    const by = personAt(who)
    const code = await codeOf(access.revoke(by, { grant: id, reason: 'x' }))
    if (code === null) assert.ok(by === grant.by || by.groups.includes('leads'))
    if (code === null || code === 'journal_unavailable') grant.isEnded = true
    await settle(model, real)
  }),
)

/** Lets every gateway read the store, which it does by itself a moment later; where it cannot, what it holds may be old. */
async function settle(model: Model, real: Real): Promise<void> {
  if (model.isStoreDown) return
  // Twice, since the first may learn only then what the second wrote down.
  for (const { bench } of [...real.gateways, ...real.gateways]) await codeOf(bench.access.sweep())
}

const token = fc.tuple(small, small, fc.boolean(), fc.boolean()).map(([who, where, withRole, isSingle]) =>
  command(`token(${who}, ${where}, ${String(withRole)}, ${String(isSingle)})`, async (model, real) => {
    const by = personAt(who)
    const gateway = gatewayAt(real, where)
    const index = real.gateways.indexOf(gateway)
    const wish = {
      database: 'shop',
      role: withRole ? 'support' : null,
      durationMs: 2 * hourMs,
      isSingleSession: isSingle,
    }
    const issuing = gateway.bench.access.issueToken(by, wish)
    const code = await codeOf(issuing)
    if (code !== null) return
    const { id, secret, expiresAtMs } = await issuing
    const stored = real.store.tables.tokens.get(id)?.grant ?? null
    const grant =
      stored === null ? null : (model.grants.get(stored) ?? assert.fail('a token of a grant that nobody gave'))
    if (withRole)
      assert.ok(grant !== null && grant.by === by && model.isInForce(grant, index), 'a token for what is not held')
    assert.ok(expiresAtMs <= Math.min(model.nowMs + 2 * hourMs, grant?.untilMs ?? Infinity))
    real.secrets.set(id, secret)
    model.tokens.set(id, { by, grant, issuedAtMs: model.nowMs, expiresAtMs, isSingle, session: null, isEnded: false })
  }),
)

const session = fc.tuple(small, small, fc.nat(2)).map(([which, where, what]) =>
  command(`session(${which}, ${where}, ${what})`, async (model, real) => {
    const [id, known] = pick(model.tokens, which) ?? []
    if (id === undefined || known === undefined) return
    const gateway = gatewayAt(real, where)
    const { access } = gateway.bench
    if (what === 2) {
      if (known.session !== null) access.sessionEnded(known.session, model.nowMs)
      if (known.session !== null && known.isSingle) await settle(model, real)
      if (known.session !== null && real.store.tables.tokens.get(id)?.ended !== null) known.isEnded = true
      return
    }
    const isAllowed = isTokenAllowed(model, known, real.gateways.indexOf(gateway)) && known.session === null
    const verified = await codeOf(access.verifyToken(real.secrets.get(id) ?? '', { nowMs: model.nowMs }))
    if (verified === null) assert.ok(isAllowed, 'a token let somebody in that is over')
    if (what === 1) return
    const started = newSessionId()
    const principal = partyOf(known.by)
    const code = await codeOf(
      access.sessionStarted({ id: started, principal, database: 'shop', token: id, startedAtMs: model.nowMs }),
    )
    if (code === null) {
      assert.ok(isAllowed, 'a session began with a token that is over')
      if (known.isSingle) known.session = started
    }
  }),
)

const clock = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, minuteMs, 15 * minuteMs, 20 * minuteMs, hourMs) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -minuteMs, -20 * minuteMs, -2 * hourMs) },
)

const step = clock.map((byMs) =>
  command(`clock(${byMs})`, async (model, real) => {
    model.nowMs += byMs
    real.first.clock.nowMs = model.nowMs
    model.latestMs = Math.max(model.latestMs, model.nowMs)
    if (byMs < 0) model.isCalm = false
    // Whole minutes pass for those that are alive, who give a sign of it.
    if (byMs > 0) await settle(model, real)
  }),
)

const sweep = small.map((where) =>
  command(`sweep(${where})`, async (model, real) => {
    const gateway = gatewayAt(real, where)
    await codeOf(gateway.bench.access.sweep())
    if (!model.isCalm) return
    for (const by of people) {
      const { roles } = gateway.bench.access.holdingOf(by, 'shop', model.nowMs)
      const index = real.gateways.indexOf(gateway)
      const allowed = [...model.grants.values()].some((grant) => grant.by === by && model.isInForce(grant, index))
      assert.deepEqual(roles, allowed ? ['support'] : [], `${by.name} holds what the model says`)
    }
  }),
)

const outage = fc.constantFrom('store', 'journal', 'commit').map((what) =>
  command(`outage(${what})`, async (model, real) => {
    model.isCalm = false
    if (what === 'commit') real.store.losesNextCommit = true
    if (what === 'store') real.store.isDown = model.isStoreDown = !model.isStoreDown
    if (what === 'journal') {
      model.isJournalDown = !model.isJournalDown
      real.first.journalFault.error = model.isJournalDown ? new Error('disk full') : null
    }
    await Promise.resolve()
  }),
)

const restart = small.map((where) =>
  command(`restart(${where})`, async (model, real) => {
    if (model.isStoreDown || model.isJournalDown) return
    model.isCalm = false
    real.store.losesNextCommit = false
    const old = gatewayAt(real, where)
    const index = real.gateways.indexOf(old)
    old.cut()
    await old.bench.access.close()
    real.gateways[index] = await startGateway(real.first)
    for (const grant of model.grants.values()) {
      grant.seenBy.delete(index)
      grant.over.delete(index)
    }
  }),
)

const commands = fc.commands(
  [
    file,
    fileAndAnswer,
    fileAndAnswer,
    ask,
    answer,
    answer,
    answerTwice,
    use,
    use,
    withdraw,
    breakGlass,
    review,
    revoke,
    token,
    session,
    session,
    step,
    sweep,
    outage,
    restart,
  ],
  { maxCommands: 60, size: 'max' },
)

void test(`no sequence leaves access after its end or runs a statement without its approvals (seed ${seed})`, async () => {
  let ran = 0
  let held = 0
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      const real = await startReal()
      const model = new Model()
      try {
        await fc.asyncModelRun(() => ({ model, real }), sequence)
        // Whatever happened: once all is well again, the journal says what the store says, and nobody waits in vain.
        real.store.isDown = false
        real.store.losesNextCommit = false
        real.first.journalFault.error = null
        model.isStoreDown = false
        real.first.clock.nowMs = model.nowMs = model.latestMs + 61_000
        for (let round = 0; round < 3; round++) await settle(model, real)
        // What ended in the background is marked a turn of the event loop later, which a store in memory never waits for.
        let left = await compareWithJournal(real.store, real.first.journal)
        for (let round = 0; round < 10 && left.length > 0; round++) {
          await new Promise((resolve) => {
            setImmediate(resolve)
          })
          left = await compareWithJournal(real.store, real.first.journal)
        }
        assert.deepEqual(left, [], 'store and journal agree')
        for (const [id, { gateway }] of real.filed) {
          const request = real.store.tables.requests.get(id)
          const isOpen = request?.state.state === 'pending' || request?.state.state === 'approved'
          if (isOpen) assert.ok(real.gateways.includes(gateway), 'nobody answers for a gateway that is gone')
        }
        ran += [...real.uses.values()].filter((uses) => uses > 0).length
        held += model.grants.size
      } finally {
        for (const { bench } of real.gateways) await bench.access.close()
      }
    }),
    { seed, numRuns, endOnFailure: process.env['POSTERN_FUZZ_SHRINK'] === undefined },
  )
  console.log(`${ran} statements ran, ${held} grants were given in ${numRuns} runs`)
  // A test in which nothing ever ran, or was given, would say nothing.
  assert.ok(ran > 0 && held > 0, 'nothing ran, or nothing was given')
})
