import type { Socket } from 'node:net'
import type { ConnectRequest, DatabaseResource, Decision, StatementRequest } from '../core/decision.ts'
import type { PosternError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { StatementAnalysis, TextAnalysis } from '../core/statement.ts'

/*
 * What the path needs from the domains, in its own words. `main.ts` brings the implementations; nothing here knows a
 * library, a file or a socket of theirs.
 */

/** Who is this? Rejects with a PosternError that tells which way the token fails. */
export interface Identifies {
  identify(token: string, nowMs: number): Promise<Principal>
}

/** What does this text do? A promise only where the text is too large for the event loop. Never fails: opaque. */
export interface Analyzes {
  analyze(sql: string): TextAnalysis | Promise<TextAnalysis>
}

/** May they? Reads no clock; `version` grows with every change of the policy set. */
export interface Decides {
  readonly version: number
  /** Whether a decision may change by time alone; it is then asked again every minute. */
  readonly usesTime: boolean
  decideConnect(request: ConnectRequest): Decision
  decideStatement(request: StatementRequest): Decision
}

/** The entries that the path writes. */
export type PathEntryType =
  | 'session_started'
  | 'session_ended'
  | 'login_failed'
  | 'prepare'
  | 'intent'
  | 'outcome'
  | 'refusal'
  | 'cancel'

/** The record. An entry is appended to the batch of this turn of the event loop and is on record once committed. */
export interface Records {
  append(type: PathEntryType, members: string, shared?: Buffer | null, moreShared?: Buffer | null): number
  /** Calls back in order, never synchronously; with an error the statements of the batch must be refused. */
  commit(whenRecorded: (error: PosternError | null) => void): void
  readonly isAvailable: boolean
}

/** A connection to PostgreSQL that is logged in and ready. */
export interface BackendConnection {
  /** Paused, with no listeners; nothing after ReadyForQuery has been read from it but `rest`. */
  readonly socket: Socket
  readonly rest: Buffer
  readonly processId: number
  readonly parameterStatuses: readonly (readonly [name: string, value: string])[]
  /** NoticeResponse messages of the log-in, whole. */
  readonly notices: readonly Buffer[]
  /** Asks PostgreSQL to cancel what the connection runs; settles when it was asked, and rejects if it cannot be. */
  cancel(): Promise<void>
}

/** A database that clients may connect to. */
export interface GatewayDatabase {
  readonly resource: DatabaseResource
  /** The database role used upstream. */
  readonly role: string
  /** Knows which functions of this database are safe. */
  readonly sql: Analyzes
  /**
   * Logs in with these start-up parameters. Rejects with a PosternError; with a BackendRefusal
   * where PostgreSQL's own words are meant for the client.
   */
  connect(startup: ReadonlyMap<string, string>, signal: AbortSignal): Promise<BackendConnection>
}

/** A statement as one entry describes it: in full, or in short where an earlier entry of the session has it in full. */
export type StatementForm = 'full' | 'short'

/** What runs while the process does, as far as the path is concerned. */
export interface LogsPath {
  debug(facts: Readonly<Record<string, unknown>>, message: string): void
  info(facts: Readonly<Record<string, unknown>>, message: string): void
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
  error(facts: Readonly<Record<string, unknown>>, message: string): void
}

/** The domains that a statement passes through. */
export interface Services {
  readonly identity: Identifies
  readonly policy: Decides
  readonly journal: Records
  readonly log: LogsPath
  /** The members that describe a statement in its entries, encoded once per analysed text and form. */
  statementMembers(statement: StatementAnalysis, form: StatementForm): Buffer
}
