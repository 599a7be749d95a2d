import type { Holding } from '../core/access.ts'
import type { SessionFacts } from '../core/decision.ts'
import { PosternError } from '../core/errors.ts'
import type { SessionId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import type { FactSources } from './approval-facts.ts'
import { SessionApprovals } from './approvals.ts'
import type { Exchange } from './exchange.ts'
import { SessionHolding } from './holding.ts'
import { ApprovalsOfMessages } from './message-approvals.ts'
import { refusalOfDecision } from './refusal.ts'
import type { GatewayDatabase, Services } from './services.ts'

/** What the access of a session depends on. */
export interface AccessParts {
  readonly id: SessionId
  readonly services: Services
  readonly principal: Principal
  readonly database: GatewayDatabase
  readonly clientAddress: string
  /** Why the client is here, as it said at the start. */
  readonly reason: string | null
}

/** What approvals need of the rest of the session. */
export interface ApprovalParts {
  readonly way: FactSources['way']
  readonly exchange: Exchange
  readonly processId: number
  readonly waitFor: (promise: Promise<unknown>) => void
  readonly tell: (message: Buffer) => void
}

/**
 * Whether what a principal shows, or those who act for it, was issued before a revocation of one of them. A token that does
 * not say when it was issued may be of before.
 */
export function isRevokedFor({ access }: Pick<Services, 'access'>, principal: Principal): boolean {
  if (access === null) return false
  const issuedAtMs = principal.issuedAtMs ?? 0
  return [principal, ...principal.actors].some((subject) => issuedAtMs < access.revokedBeforeMs(subject))
}

/** The access of one session: the roles that it holds, the approvals that it waits for, and whether it may stay. */
export class SessionAccess {
  readonly holding: SessionHolding
  readonly #parts: AccessParts
  #approvals: SessionApprovals | null = null
  /** With what was held then, the session was let in, or let stay. */
  #stayedWith: { readonly holding: Holding; readonly version: number } | null = null

  constructor(parts: AccessParts) {
    const { services, principal, database } = parts
    this.#parts = parts
    this.holding = new SessionHolding(services.access, { principal, database: database.resource.name })
  }

  /** Whether a person is waited for. */
  get isWaiting(): boolean {
    return this.#approvals?.isWaiting ?? false
  }

  /** Makes the approvals of the session; null where nobody can approve anything. */
  openApprovals({ way, exchange, processId, waitFor, tell }: ApprovalParts): ApprovalsOfMessages | null {
    const { id, services, principal, database, clientAddress, reason } = this.#parts
    const { access, approvals, log } = services
    if (access === null || approvals === null) return null
    this.#approvals = new SessionApprovals({
      id,
      principal,
      database: database.resource.name,
      clientAddress,
      applicationName: () => exchange.settings.application,
      reason,
      access,
      urlOf: approvals.urlOf,
      waitFor,
      tell,
      log,
    })
    return new ApprovalsOfMessages(this.#approvals, {
      sources: { way, exchange, processId, explain: database.explain },
      meaningOf({ names }) {
        if (names.executes === null) return null
        const found = exchange.names.prepared(names.executes)
        return typeof found === 'object' ? found.found.statement : null
      },
    })
  }

  /** The client asks for a cancel; says whether that ended the wait for an approval. */
  cancel(): boolean {
    return this.#approvals?.cancel() ?? false
  }

  /** The session is over. */
  end(why: 'client_lost' | 'session_ended'): void {
    this.#approvals?.end(why)
  }

  /** Why the session may not stay, after something has changed; null where it may. */
  whyNot(facts: SessionFacts, nowMs: number): PosternError | null {
    const { services, principal, database } = this.#parts
    this.holding.changed()
    const isRevoked = isRevokedFor(services, principal)
    const isTokenGood = services.access?.isTokenGood(principal, nowMs) ?? true
    if (isRevoked || !isTokenGood) {
      return new PosternError(
        'access_ended',
        'terminating connection: the access that it was opened with is over or was revoked',
        {
          hint: 'Ask whoever manages access; connect again with a fresh token once it is given back.',
        },
      )
    }
    const holding = this.holding.at(nowMs)
    const { version } = services.policy
    if (this.#stayedWith?.holding === holding && this.#stayedWith.version === version) return null
    const asked = { principal, accessRoles: holding.roles, database: database.resource, session: facts, nowMs }
    const decision = services.policy.decideConnect(asked)
    if (decision.effect === 'allow') {
      this.#stayedWith = { holding, version }
      return null
    }
    const { detail } = refusalOfDecision(decision).error
    return new PosternError('access_ended', 'terminating connection: the access that it was opened with is over', {
      detail,
      hint: 'Ask for the access again (`postern request`), and connect again.',
    })
  }
}
