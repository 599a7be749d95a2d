import assert from 'node:assert/strict'
import type { FiledRequest } from '../core/access-service.ts'
import type { ControlStore } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import type { GrantId, RequestId, SessionId, TokenId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { alice, bench, benchOn, bob, carol, dbaAgrees, hourMs, minuteMs, role, startMs, type Bench } from './testing.ts'
import type { TestingStore } from './testing-store.ts'

/*
 * What access is allowed to do at most, told without a store, a journal or a transaction: who said yes when, what was
 * given until when, what was taken away. The real thing may do less, where it cannot do all; never more.
 */

export const people: readonly Principal[] = [alice, bob, carol]
export const maxDurationMs = 4 * hourMs

export interface ModelRequest {
  readonly kind: 'statement' | 'access'
  readonly by: Principal
  readonly count: number
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly durationMs: number
  readonly extends: ModelGrant | null
  /** Everybody whose yes may have counted. */
  readonly yeses: { readonly by: Principal; readonly atMs: number; readonly isSure: boolean }[]
  isClosed: boolean
  /** Its session needs it no more; where the store is out of reach, others may still answer it. */
  isWithdrawn: boolean
}

export interface ModelGrant {
  readonly by: Principal
  readonly fromMs: number
  /** The latest that it may last. */
  untilMs: number
  isEnded: boolean
  readonly isBreakGlass: boolean
  isReviewed: boolean
  /** Gateways that had it in force. */
  readonly seenBy: Set<number>
  /** Gateways that saw it end, and with which end. */
  readonly over: Map<number, number>
}

export interface ModelToken {
  readonly by: Principal
  readonly grant: ModelGrant | null
  readonly issuedAtMs: number
  readonly expiresAtMs: number
  readonly isSingle: boolean
  session: SessionId | null
  isEnded: boolean
}

export class Model {
  nowMs = startMs
  latestMs = startMs
  readonly requests = new Map<RequestId, ModelRequest>()
  readonly grants = new Map<GrantId, ModelGrant>()
  readonly tokens = new Map<TokenId, ModelToken>()
  readonly killedBeforeMs = new Map<Principal, number>()
  isStoreDown = false
  isJournalDown = false
  /** Nothing has gone wrong yet, so that what is allowed has to happen as well. */
  isCalm = true

  /** Whether a grant may be held, as far as one gateway knows. */
  isInForce(grant: ModelGrant, gateway: number): boolean {
    const killedMs = this.killedBeforeMs.get(grant.by) ?? 0
    const over = grant.over.get(gateway) ?? 0
    return !grant.isEnded && this.nowMs < grant.untilMs && over < grant.untilMs && grant.fromMs >= killedMs
  }

  isKilled(by: Principal, sinceMs: number): boolean {
    return sinceMs < (this.killedBeforeMs.get(by) ?? 0)
  }

  /** How many different people's yeses may be good now. */
  goodYeses(request: ModelRequest): number {
    const good = request.yeses.filter(
      ({ by, atMs }) => this.nowMs < atMs + goodForMs(request) && !this.isKilled(by, atMs),
    )
    return new Set(good.map(({ by }) => by.name)).size
  }

  /** Whether an answer may count: by the brief words of the rule. */
  mayAnswer(request: ModelRequest, by: Principal): boolean {
    const group = request.kind === 'statement' ? 'dba' : 'leads'
    return (
      !request.isClosed &&
      !this.isKilled(by, this.nowMs) &&
      this.nowMs < request.expiresAtMs &&
      by.groups.includes(group) &&
      by.name !== request.by.name &&
      !request.yeses.some((yes) => yes.by === by && yes.isSure)
    )
  }
}

export const goodForMs = (request: ModelRequest): number =>
  request.kind === 'statement' ? dbaAgrees.goodForMs : 24 * hourMs

/** One gateway of the real thing; its store can be cut off for good, as by a kill. */
export interface RealGateway {
  readonly bench: Bench<ControlStore>
  readonly cut: () => void
}

export interface Real {
  readonly store: TestingStore
  readonly first: Bench
  readonly gateways: RealGateway[]
  readonly filed: Map<RequestId, { readonly request: FiledRequest; readonly gateway: RealGateway }>
  readonly secrets: Map<TokenId, string>
  readonly uses: Map<RequestId, number>
}

const settings = { storeStalenessMs: 90 * minuteMs, statementWaitMs: 20 * minuteMs }
export const roles = [
  role('support', { maxDurationMs, breakGlass: ['oncall'], requestableBy: ['engineering', 'leads'] }),
]

/** A store that its gateway can lose. */
export function cuttable(store: ControlStore): { readonly store: ControlStore; readonly cut: () => void } {
  let isCut = false
  const guard = async <T>(call: () => Promise<T>): Promise<T> => {
    if (isCut) throw new PosternError('store_unavailable', 'this gateway was killed')
    return call()
  }
  return {
    cut: () => {
      isCut = true
    },
    store: {
      ...store,
      change: async (work) => guard(async () => store.change(work)),
      read: async (work) => guard(async () => store.read(work)),
      changesAfter: async (...args) => guard(async () => store.changesAfter(...args)),
      unjournalled: async (of) => guard(async () => store.unjournalled(of)),
      markJournalled: async (seqs) => guard(async () => store.markJournalled(seqs)),
      touchGateway: async (...args) => guard(async () => store.touchGateway(...args)),
    },
  }
}

export async function startGateway(first: Bench): Promise<RealGateway> {
  const { store, cut } = cuttable(first.store)
  return { bench: await benchOn(store, { roles, settings, shared: first }), cut }
}

export async function startReal(): Promise<Real> {
  const first = await bench({ roles, settings })
  await first.access.close()
  const gateways = [await startGateway(first), await startGateway(first)]
  return { store: first.store, first, gateways, filed: new Map(), secrets: new Map(), uses: new Map() }
}

/** The code that a call was refused with, or null where it was not; bugs are thrown. */
export async function codeOf(call: Promise<unknown>): Promise<string | null> {
  try {
    await call
    return null
  } catch (error) {
    if (error instanceof PosternError && error.code !== 'internal') return error.code
    throw error
  }
}

/** Whether a call that ended so may have changed something. */
export function mayHaveHappened(code: string | null): boolean {
  return code === null || code === 'store_unavailable' || code === 'journal_unavailable'
}

/** What must hold after whatever happened: nobody holds anything that the model does not allow. */
export function checkHoldings(model: Model, real: Real): void {
  for (const [index, { bench: gateway }] of real.gateways.entries()) {
    for (const by of people) {
      const held = gateway.access.holdingOf(by, 'shop', model.nowMs)
      const own = [...model.grants].filter(([, grant]) => grant.by === by)
      const allowed = own.filter(([, grant]) => model.isInForce(grant, index))
      if (held.roles.length > 0) {
        assert.ok(allowed.length > 0, `${by.name} holds ${held.roles.join()} at gateway ${index}, which nothing allows`)
        assert.ok(
          held.untilMs <= Math.max(...allowed.map(([, grant]) => grant.untilMs)),
          'no longer than it was given for',
        )
        assert.ok(
          allowed.some(([id]) =>
            real.first.journal.some(({ type, facts }) => type === 'grant_started' && facts['grant'] === id),
          ),
          `${by.name} holds what is not on record`,
        )
      }
      for (const [, grant] of own) {
        if (held.roles.length > 0 && allowed.length === 1 && allowed[0]?.[1] === grant) grant.seenBy.add(index)
        if (model.nowMs >= grant.untilMs && grant.seenBy.has(index)) grant.over.set(index, grant.untilMs)
      }
    }
    for (const [id, token] of model.tokens) {
      const principal = {
        ...token.by,
        sessionToken: { id, role: token.grant === null ? null : 'support', database: 'shop' },
      }
      const held = gateway.access.holdingOf(principal, 'shop', model.nowMs)
      const stands = isTokenAllowed(model, token, index)
      if (!stands || token.grant === null)
        assert.deepEqual(held.roles, [], `a token of ${token.by.name} holds something`)
      if (gateway.access.isTokenGood(principal, model.nowMs)) assert.ok(stands, `a token of ${token.by.name} is good`)
    }
  }
}

/** Whether sessions of a token may go on, as far as one gateway knows. */
export function isTokenAllowed(model: Model, token: ModelToken, gateway: number): boolean {
  return (
    !token.isEnded &&
    model.nowMs < token.expiresAtMs &&
    !model.isKilled(token.by, token.issuedAtMs) &&
    (token.grant === null || model.isInForce(token.grant, gateway))
  )
}
