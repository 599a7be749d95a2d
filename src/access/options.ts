import type { AccessRole } from '../core/access.ts'
import type { ControlStore, StoreChangeType } from '../core/control-store.ts'
import type { GatewayId } from '../core/ids.ts'
import type { AccessNotice } from './notices.ts'

/** Where access says what an operator has to know. Never a statement, a comment or a secret. */
export interface LogsAccess {
  info(facts: Readonly<Record<string, unknown>>, message: string): void
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
  error(facts: Readonly<Record<string, unknown>>, message: string): void
}

/** What an operator chooses. */
export interface AccessSettings {
  /** How long a statement waits for its approval. */
  readonly statementWaitMs: number
  /** How long an access request can be answered. */
  readonly accessRequestWaitMs: number
  /** How long what was read of the store counts while it cannot be read. */
  readonly storeStalenessMs: number
  /** Requests of one principal that wait at a time. */
  readonly requestsPerPrincipalMax: number
  /** Requests that wait at a time, of all gateways. */
  readonly pendingRequestsMax: number
  /** Groups whose members may read everything. */
  readonly auditors: readonly string[]
  /** Groups whose members may read everything and revoke everything. */
  readonly admins: readonly string[]
  /** Whether no other gateway uses the store, as where it is embedded: then whoever else is in it is gone. */
  readonly isOnlyGateway?: boolean
}

/** What access is made of. */
export interface AccessOptions {
  readonly store: ControlStore
  readonly gateway: GatewayId
  readonly roles: ReadonlyMap<string, AccessRole>
  readonly now?: () => number
  /** Appends to the journal; resolves once the entry is on record, rejects where it cannot be. */
  record(type: StoreChangeType, facts: object, changeSeq: number): Promise<void>
  /** Told of what happened once it is on record; by the gateway that made it. Must not throw. */
  onNotice?(notice: AccessNotice): void
  readonly settings: AccessSettings
  readonly log: LogsAccess
}
