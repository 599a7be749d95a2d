import type { SessionFacts } from '../core/decision.ts'
import type { Principal } from '../core/principal.ts'
import { encodeQuery } from '../wire/frontend.ts'
import type { Exchange } from './exchange.ts'
import type { SessionHolding } from './holding.ts'
import { OwnQuery } from './own-query.ts'
import { SessionView } from './protection.ts'
import { ResultGuard } from './result-guard.ts'
import type { Decides, GatewayDatabase, OwnResult } from './services.ts'
import { SessionCatalog } from './session-catalog.ts'
import { UnderWay } from './under-way.ts'

/** What a session knows of what is classified in its database, and what watches over its answers. */
export interface SessionProtection {
  readonly catalog: SessionCatalog
  readonly view: SessionView
  readonly results: ResultGuard
  /** What is under way here, and in the other sessions of the database. */
  readonly underWay: UnderWay
  /** Has the message that is being treated wait. */
  readonly waitFor: (promise: Promise<unknown>) => void
}

/** What protection needs of its session. */
export interface ProtectedSession {
  readonly database: GatewayDatabase
  readonly principal: Principal
  readonly policy: Decides
  readonly holding: SessionHolding
  readonly exchange: Exchange
  readonly facts: () => SessionFacts
  /** Sends a message of the gateway's own to PostgreSQL. */
  readonly send: (message: Buffer) => void
  readonly waitFor: (promise: Promise<unknown>) => void
}

/** Protects what is classified from the principal of a session; null where nothing of the database is. */
export function protectSession(session: ProtectedSession): SessionProtection | null {
  const { database, principal, policy, holding, exchange, facts, waitFor } = session
  const protects = database.protection
  if (protects === null) return null
  const { settings } = exchange
  const view = new SessionView(protects, { principal, database, policy, holding, facts, settings })
  const runOwn = (script: string): Promise<readonly OwnResult[] | null> =>
    new Promise((resolve) => {
      exchange.own = new OwnQuery(resolve)
      session.send(encodeQuery(script))
    })
  const seesAll = (): boolean => protects.schema !== null && view.seesAll(protects.schema)
  return {
    view,
    underWay: new UnderWay(protects, exchange),
    catalog: new SessionCatalog(protects, { exchange, runOwn, waitFor }),
    results: new ResultGuard(protects, { seesAll, settings }),
    waitFor,
  }
}
