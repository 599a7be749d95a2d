import type { GatewayId, SessionId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Ledger } from './ledger.ts'
import type { OpenRequest } from './open-requests.ts'
import type { Scene } from './scene.ts'
import type { StatementRequests } from './statement-requests.ts'
import { endSession } from './tokens.ts'

/** A session that ended and is not in the store as such. */
export interface EndedSession {
  readonly id: SessionId
  readonly atMs: number
}

/**
 * Writes down what has ended: by time, with its session, or with its gateway. Every gateway sweeps; whoever comes second
 * finds, within the transaction, that it is done.
 */
export class Sweep {
  readonly #scene: Scene
  readonly #ledger: Ledger
  readonly #statements: StatementRequests
  readonly #ended = new Map<SessionId, EndedSession>()
  #lost: ReadonlySet<GatewayId> = new Set()
  #touchedAtMs = -Infinity
  #lookedAtMs: number | null = null
  #pruneAtMs: number | null = null
  #running: Promise<void> | null = null

  constructor(scene: Scene, { ledger, statements }: { ledger: Ledger; statements: StatementRequests }) {
    this.#scene = scene
    this.#ledger = ledger
    this.#statements = statements
  }

  /** Who was not seen since then counts as lost. */
  notSeenSinceMs(): number {
    const nowMs = this.#scene.now()
    return this.#scene.settings.isOnlyGateway === true ? Number.MAX_SAFE_INTEGER : nowMs - limits.gatewayLostMs
  }

  /** A session of this process ended; written down now or as soon as it can be. */
  sessionEnded(session: EndedSession): void {
    this.#ended.set(session.id, session)
  }

  /** One sweep; rejects where the store cannot be reached, and the next one goes on. */
  async run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #run(): Promise<void> {
    await this.touch()
    const failures: unknown[] = []
    // A journal that cannot be written must not keep what has ended from being written down as ended.
    const steps: (() => Promise<void>)[] = [
      async () => this.#ledger.catchUp(this.notSeenSinceMs()),
      async () => this.endSessions(),
      async () => this.#closeRequests(),
      async () => this.#endGrants(),
      async () => this.#endTokens(),
      async () => this.#endSessionsOfLost(),
      async () => this.#prune(),
    ]
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  /** A sign of life, as often as it is due. */
  async touch(): Promise<void> {
    const { options } = this.#scene
    const nowMs = this.#scene.now()
    if (nowMs >= this.#touchedAtMs && nowMs < this.#touchedAtMs + limits.gatewayTouchMs) return
    await options.store.touchGateway(options.gateway, nowMs)
    this.#touchedAtMs = nowMs
  }

  /** Writes down the sessions of this process that ended. */
  async endSessions(): Promise<void> {
    while (this.#ended.size > 0) {
      const batch = [...this.#ended.values()].slice(0, limits.closingsPerChangeMax)
      await this.#scene.commit(async (work) => {
        for (const { id, atMs } of batch) {
          const session = await work.reads.session(id)
          if (session !== null) await endSession(work, session, atMs)
        }
      })
      for (const each of batch) this.#ended.delete(each.id)
    }
  }

  async #lostGateways(): Promise<ReadonlySet<GatewayId>> {
    const { options } = this.#scene
    const nowMs = this.#scene.now()
    const passedMs = nowMs - (this.#lookedAtMs ?? nowMs)
    this.#lookedAtMs = nowMs
    // Where so much has passed since the last look, this clock jumped or this process stood still, and the others had no
    // chance to give a sign of life by it: they have until the next look.
    if (passedMs > limits.gatewayLostMs / 2) return new Set()
    const notSeenSinceMs = this.notSeenSinceMs()
    const gateways = await options.store.read(async (reads) => reads.gatewaysNotSeenSince(notSeenSinceMs))
    return new Set(gateways.filter((gateway) => gateway !== options.gateway))
  }

  async #closeRequests(): Promise<void> {
    const { closings, open } = this.#scene
    this.#lost = await this.#lostGateways()
    const nowMs = this.#scene.now()
    const notSeenSinceMs = this.notSeenSinceMs()
    for (const each of open) {
      const { id, gateway, dueAtMs } = each
      if (gateway !== null && this.#lost.has(gateway)) {
        const event = { type: 'withdraw', atMs: nowMs, why: 'gateway_lost' } as const
        closings.add({ id, event, lost: { gateway, notSeenSinceMs } })
      } else if (nowMs >= dueAtMs && this.#isOurs(each, nowMs)) {
        closings.add({ id, event: { type: 'expire', atMs: nowMs } })
      } else if (gateway === this.#scene.options.gateway && !this.#statements.has(id)) {
        // Filed by a call that failed half-way: nobody waits for it.
        closings.add({ id, event: { type: 'withdraw', atMs: nowMs, why: 'client_lost' } })
      }
    }
    await closings.drain()
  }

  /** Another gateway's clock may be a little behind, and it is the one that tells its session. */
  #isOurs({ gateway, dueAtMs }: OpenRequest, nowMs: number): boolean {
    return gateway === null || gateway === this.#scene.options.gateway || nowMs >= dueAtMs + limits.clockSkewMsMax
  }

  async #endGrants(): Promise<void> {
    const { holdings } = this.#scene
    const due = holdings.grantsToEnd(this.#scene.now())
    for (let at = 0; at < due.length; at += limits.closingsPerChangeMax) {
      const batch = due.slice(at, at + limits.closingsPerChangeMax)
      await this.#scene.commit(async (work) => {
        for (const id of batch) {
          const grant = await work.reads.grant(id)
          // It may have been extended, or ended by somebody else, since.
          if (grant === null || grant.ended !== null || (work.nowMs < grant.untilMs && !holdings.isOver(grant)))
            continue
          await work.endGrant(grant, { why: 'expired', by: null, reason: null })
        }
      })
    }
  }

  async #endTokens(): Promise<void> {
    const { holdings } = this.#scene
    const due = holdings.tokensToEnd(this.#scene.now())
    for (let at = 0; at < due.length; at += limits.closingsPerChangeMax) {
      const batch = due.slice(at, at + limits.closingsPerChangeMax)
      await this.#scene.commit(async (work) => {
        for (const id of batch) {
          const token = await work.reads.token(id)
          if (token === null || token.ended !== null) continue
          if (work.nowMs >= token.expiresAtMs || holdings.isTokenDead(id)) await work.endToken(token, 'expired')
        }
      })
    }
  }

  async #endSessionsOfLost(): Promise<void> {
    if (this.#lost.size === 0) return
    const { options } = this.#scene
    const live = await options.store.read(async (reads) => reads.sessions({ isEnded: false }))
    const orphans = live.filter(({ gateway }) => this.#lost.has(gateway))
    for (let at = 0; at < orphans.length; at += limits.closingsPerChangeMax) {
      const batch = orphans.slice(at, at + limits.closingsPerChangeMax)
      await this.#scene.commit(async (work) => {
        const lost = new Set(await work.reads.gatewaysNotSeenSince(this.notSeenSinceMs()))
        for (const { id } of batch) {
          const session = await work.reads.session(id)
          if (session !== null && session.endedAtMs === null && lost.has(session.gateway)) {
            await endSession(work, session, work.nowMs)
          }
        }
      })
    }
  }

  /** What is kept no longer goes, a batch at each sweep while there is more, then about hourly. */
  async #prune(): Promise<void> {
    const { options, settings } = this.#scene
    const nowMs = this.#scene.now()
    // One due much later than that was set before the clock went back.
    this.#pruneAtMs = Math.min(this.#pruneAtMs ?? nowMs + limits.pruneFirstMs, nowMs + limits.pruneIntervalMs)
    if (nowMs < this.#pruneAtMs) return
    const removed = await options.store.prune({
      by: options.gateway,
      aliveSinceMs: settings.isOnlyGateway === true ? nowMs + 1 : nowMs - limits.gatewayLostMs,
      endedBeforeMs: nowMs - limits.endedKeptMs,
      notSeenSinceMs: nowMs - limits.gatewayKeptMs,
      rowsMax: limits.prunedRowsMax,
    })
    if (removed < limits.prunedRowsMax) this.#pruneAtMs = nowMs + limits.pruneIntervalMs
  }
}
