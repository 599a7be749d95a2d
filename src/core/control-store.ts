import type { Approval, Grant, RequestRecord, Revocation, SessionRecord, SessionToken } from './access.ts'
import type { GatewayId, GrantId, RequestId, SessionId, TokenId } from './ids.ts'
import type { Subject } from './principal.ts'

/** What happened in a change of the store; the journal has an entry of the same name for each. */
export type StoreChangeType =
  | 'request_opened'
  | 'request_answered'
  | 'request_closed'
  | 'grant_started'
  | 'grant_extended'
  | 'grant_ended'
  | 'grant_reviewed'
  | 'token_issued'
  | 'token_ended'
  | 'principal_revoked'

/** One change of the store, kept in it until, and after, the journal has it. */
export interface StoreChange {
  /** Grows by commit: whoever has seen number n has seen all before it. */
  readonly seq: number
  readonly atMs: number
  /** The gateway that made it, and has to put it on record. */
  readonly gateway: GatewayId
  readonly type: StoreChangeType
  /** What the journal says of it: ids, states, parties. Never a statement's text, a parameter or a secret. */
  readonly facts: Readonly<Record<string, unknown>>
  readonly isJournalled: boolean
}

/** Which requests are meant; absent members do not matter. Newest first, at most `limit` (100 unless told). */
export interface RequestFilter {
  readonly kind?: RequestRecord['kind']
  readonly states?: readonly RequestRecord['state']['state'][]
  readonly requester?: Subject
  readonly gateway?: GatewayId
  readonly session?: SessionId
  readonly createdBeforeMs?: number
  readonly limit?: number
}

/** Which grants are meant; absent members do not matter. Newest first, at most `limit` (100 unless told). */
export interface GrantFilter {
  readonly isEnded?: boolean
  readonly principal?: Subject
  readonly principalName?: string
  readonly role?: string
  readonly needsReview?: boolean
  readonly fromBeforeMs?: number
  readonly limit?: number
}

/** What is kept by an id of its own, and spoken of by changes. */
export type Identified = 'requests' | 'grants' | 'tokens'

/** What is no longer needed, and who sees to it. */
export interface Pruning {
  readonly by: GatewayId
  /** Who was seen since then is alive; of those, only the one whose id comes first removes anything. */
  readonly aliveSinceMs: number
  /** Sessions that ended before, and tokens that did and that no session refers to, are removed. */
  readonly endedBeforeMs: number
  /** Gateways not seen since then are removed, unless a session, a request or a change names them. */
  readonly notSeenSinceMs: number
  /** How many rows are removed at most. */
  readonly rowsMax: number
}

/** What can be read within a transaction. */
export interface StoreReads {
  request(id: RequestId): Promise<RequestRecord | null>
  requests(filter: RequestFilter): Promise<readonly RequestRecord[]>
  /** In the order in which they were given. */
  approvals(request: RequestId): Promise<readonly Approval[]>
  grant(id: GrantId): Promise<Grant | null>
  grants(filter: GrantFilter): Promise<readonly Grant[]>
  token(id: TokenId): Promise<SessionToken | null>
  tokens(filter: { readonly principal?: Subject; readonly isEnded?: boolean }): Promise<readonly SessionToken[]>
  session(id: SessionId): Promise<SessionRecord | null>
  sessions(filter: { readonly gateway?: GatewayId; readonly isEnded?: boolean }): Promise<readonly SessionRecord[]>
  revocations(): Promise<readonly Revocation[]>
  /** Gateways whose last sign of life is older than that. */
  gatewaysNotSeenSince(atMs: number): Promise<readonly GatewayId[]>
  /** All ids of that sort behind `after`, in the store's own order, at most `limit`; null for the first ones. */
  idsAfter(of: Identified, after: string | null, limit: number): Promise<readonly string[]>
  /** The number of the newest change; 0 where there is none. */
  lastChange(): Promise<number>
}

/** What can be written within a transaction. Inserting what is there, or changing what is not, rejects. */
export interface StoreChanges extends StoreReads {
  insertRequest(request: RequestRecord): Promise<void>
  /** Replaces a request's state and, of a statement, what is shown of it. */
  updateRequest(request: RequestRecord): Promise<void>
  insertApproval(approval: Approval): Promise<void>
  insertGrant(grant: Grant): Promise<void>
  updateGrant(grant: Grant): Promise<void>
  insertToken(token: SessionToken): Promise<void>
  updateToken(token: SessionToken): Promise<void>
  insertSession(session: SessionRecord): Promise<void>
  endSession(id: SessionId, atMs: number): Promise<void>
  insertRevocation(revocation: Revocation): Promise<void>
  /** Notes what happened, in the same transaction; returns its number. */
  note(change: Omit<StoreChange, 'seq' | 'isJournalled'>): Promise<number>
}

/**
 * The control store: the working state of requests, approvals, grants, tokens and sessions, shared by all gateways of a
 * deployment. Every call rejects with a PosternError `store_unavailable` where the store cannot be reached, and nothing
 * of its transaction is kept then.
 */
export interface ControlStore {
  /**
   * Runs `work` in a transaction that is serialised with every other change, of this process or another. What it throws
   * undoes the transaction and is thrown. `work` may run only once.
   */
  change<T>(work: (changes: StoreChanges) => Promise<T>): Promise<T>
  /** Runs `work` on one consistent state. */
  read<T>(work: (reads: StoreReads) => Promise<T>): Promise<T>
  /** Changes behind number `seq`, in order, at most `limit`. */
  changesAfter(seq: number, limit: number): Promise<readonly StoreChange[]>
  /** Changes of that gateway, or of gateways not seen since `notSeenSinceMs`, that no journal has yet; in order. */
  unjournalled(of: { readonly gateway: GatewayId; readonly notSeenSinceMs: number }): Promise<readonly StoreChange[]>
  markJournalled(seqs: readonly number[]): Promise<void>
  /** A sign of life of a gateway. */
  touchGateway(gateway: GatewayId, atMs: number): Promise<void>
  /** Removes what is no longer needed, as far as one batch goes; returns how many rows. Changes are never removed. */
  prune(pruning: Pruning): Promise<number>
  /**
   * Calls back some time after each commit, of this process or another: once for several, and once when the connection
   * to the store was lost and is back. Returns what ends it.
   */
  onChange(listener: () => void): () => void
  close(): Promise<void>
}

/** A control store that is looked at from outside, while gateways use it or none does. */
export type ReadableStore = Pick<ControlStore, 'read' | 'changesAfter' | 'unjournalled' | 'close'>
