import type { Socket } from 'node:net'
import type { AccessOnPath } from '../core/access-service.ts'
import type { SessionToken } from '../core/access.ts'
import type { ColumnKey, Oid } from '../core/catalog.ts'
import type { ClassifiedColumn } from '../core/classification.ts'
import type {
  ConnectRequest,
  DatabaseResource,
  Decision,
  SessionFacts,
  StatementRequest,
  UnmaskRequest,
} from '../core/decision.ts'
import type { PosternError } from '../core/errors.ts'
import type { TokenId } from '../core/ids.ts'
import type { CopyFormat, CopyIn, CreatedRelation, Sources, StatementLineage } from '../core/lineage.ts'
import type { ClassifiedWrite } from '../core/lineage.ts'
import type { Principal } from '../core/principal.ts'
import type { RelationName, StatementAnalysis, TextAnalysis } from '../core/statement.ts'
import type { FieldDescription } from '../wire/backend.ts'

/*
 * What the path needs from the domains, in its own words. `main.ts` brings the implementations; nothing here knows a
 * library, a file or a socket of theirs.
 */

/** Who is this? Rejects with a PosternError that tells which way the token fails. */
export interface Identifies {
  identify(token: string, nowMs: number): Promise<Principal>
}

/**
 * Log-in with session tokens of Postern's own. `principalOf` and `verifyToken` reject with a PosternError where the token
 * is unknown, over or taken by another session.
 */
export interface TokenLogIn {
  /** What checks the secret of a token by SCRAM-SHA-256; null where there is none. */
  scramVerifierOf(id: TokenId): Promise<SessionToken['scram'] | null>
  /** Who a token stands for. It proves nothing: ask only about a token whose secret was proven. */
  principalOf(id: TokenId, nowMs: number): Promise<Principal>
  /** Who the token of this secret stands for. */
  verifyToken(secret: string, nowMs: number): Promise<Principal>
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
  decideUnmask(request: UnmaskRequest): 'raw' | 'masked'
}

/** A catalog snapshot together with the classification in force: what a lineage is traced against. */
export interface ProtectedSchema {
  /** The same for two schemas that no lineage could tell apart. */
  readonly key: string
  readonly columns: ReadonlyMap<ColumnKey, ClassifiedColumn>
  /** What the rows of a relation's column hold; `unknown` for a relation that the snapshot does not have. */
  originOf(relation: Oid, column: number): { readonly sources: Sources; readonly direct: ColumnKey | null }
}

/** What replaces the values of one column; null sends them as they are. */
export type ColumnMask = ((value: Buffer | null) => Buffer | null) | null

/** What is classified in one database, and how its values are masked. */
export interface Protects {
  /** The schema in force; null until a snapshot could be read. */
  readonly schema: ProtectedSchema | null
  /** Channels whose notifications carry nothing classified. */
  readonly safeChannels: ReadonlySet<string>
  /** Reads the catalog anew: what was committed before the call is in it. Settles also where it fails. */
  refresh(why: 'changed' | 'missing'): Promise<void>
  /** What a statement does with classified columns. Never fails: what cannot be traced has hazards. */
  trace(
    statement: StatementAnalysis,
    at: { readonly schema: ProtectedSchema; readonly searchPath: readonly string[] | null },
  ): StatementLineage | Promise<StatementLineage>
  /** How the catalog is read over a client's own connection, within its open transaction. */
  ownCatalog(): OwnCatalog
  /** From now on a relation of that name carries these tags; `settle` tells that the statement has ended. */
  pend(created: CreatedRelation): { settle(): void }
  /** Whether only PostgreSQL's own functions have that name. */
  isBuiltin(name: string): boolean
  /** The masks of a result's columns, or null where all of it may be seen. */
  planRows(result: MaskedResult & { readonly fields: readonly FieldDescription[] }): readonly ColumnMask[] | null
  /** The same for the columns of COPY TO, whose types only the lineage knows. */
  planCopy(
    result: MaskedResult & { readonly columnCount: number; readonly format: 0 | 1 },
  ): readonly ColumnMask[] | null
  maskRow(message: Buffer, masks: readonly ColumnMask[]): Buffer
  copyMasker(copy: CopyFormat, masks: readonly ColumnMask[], clientEncoding: string): CopyMasks
  /** Whether COPY data can be taken apart in this encoding. */
  canMaskCopy(clientEncoding: string): boolean
  /** Why the data of a COPY FROM STDIN cannot be looked into under this client_encoding; null where it can. */
  copyInFault(copyIn: CopyIn, clientEncoding: string): PosternError | null
  /** Looks for placeholders in what goes to columns that the principal may not see; `where` is such as `line 3`. */
  inspectCopy(options: {
    readonly schema: ProtectedSchema
    readonly copyIn: CopyIn
    readonly clientEncoding: string
    readonly isMasked: (column: ColumnKey) => boolean
    readonly refuse: (column: ColumnKey, where: string) => PosternError
  }): CopyInspector
  /** The fields of an error or notice without the values that they may show. */
  scrubReport(fields: ReadonlyMap<string, string>, sql: string): Map<string, string>
  readonly isName: IsName
  /** The type of a column, of a domain the one it is over; 0 where it is not known. */
  typeOf(column: ColumnKey): Oid
  /** The values of all literals of a text. */
  literalsOf(sql: string): readonly (string | null)[]
  /** Whether a text that a client writes into a classified column is what masking put in the place of its value. */
  isPlaceholder(text: string | null, write: ClassifiedWrite): boolean
}

/** A reading of the catalog as one session sees it. */
export interface OwnCatalog {
  /** One text that leaves no trace in the transaction, unless it fails: then `repair` brings the transaction back. */
  readonly script: string
  readonly repair: string
  /** What its results amount to. Throws where they cannot be relied upon. */
  readonly read: (results: readonly OwnResult[]) => ProtectedSchema
}

/** Rows of one result of the own catalog script, as text. */
export type OwnResult = readonly (readonly (string | null)[])[]

/** What masks the data of one COPY; throws where it is not what the statement says. */
export interface CopyMasks {
  take(data: Buffer): Buffer
  end(): void
}

/**
 * What looks into the data of one COPY FROM STDIN, in pieces cut anywhere: what of it may go on, in order, and why nothing
 * more may. Nothing is given to it after that.
 */
export interface CopyInspector {
  take(data: Buffer): { readonly passes: readonly Buffer[]; readonly refused: PosternError | null }
  end(): { readonly passes: readonly Buffer[]; readonly refused: PosternError | null }
}

/** Whose lineage, and what of it the principal may not see. */
export interface MaskedResult {
  readonly schema: ProtectedSchema
  readonly lineage: Pick<StatementLineage, 'outputs' | 'anyOutput'>
  readonly isMasked: (sources: Sources) => boolean
  /** As reported when its answer arrives. */
  readonly clientEncoding: string
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

/** What PostgreSQL can say of a statement that waits, asked over another connection. Never fails: null is not known. */
export interface Explains {
  explain(asked: {
    /** One statement; null where there is nothing to plan. */
    readonly sql: string | null
    readonly hasParameters: boolean
    readonly relations: readonly RelationName[]
    readonly functions: readonly string[]
    readonly searchPath: readonly string[] | null
    /** The backend whose locks are asked for. */
    readonly processId: number
  }): Promise<{
    readonly estimate: { readonly rows: number; readonly cost: number } | null
    /** Such as `RowExclusiveLock on public.orders`. */
    readonly locks: readonly string[]
  }>
}

/** What a session's own database role is made for. */
export interface SessionRoleWish {
  readonly principal: Principal
  readonly accessRoles: readonly string[]
  readonly database: DatabaseResource
  readonly session: SessionFacts
  /** The start-up parameters of its connection. */
  readonly startUp: ReadonlyMap<string, string>
  readonly signal: AbortSignal
}

/** Makes a database role for one session and logs in with it. Rejects as `connect` of a database does. */
export interface MakesSessionRoles {
  open(wish: SessionRoleWish): Promise<{
    readonly backend: BackendConnection
    readonly role: string
    /** Drops it. Rejects where it is left to a later sweep. */
    release(): Promise<void>
  }>
}

/** A database that clients may connect to. */
export interface GatewayDatabase {
  readonly resource: DatabaseResource
  /** The database role used upstream. */
  readonly role: string
  /** Whether `application_name` says who it is. */
  readonly showsIdentity: boolean
  /** Knows which functions of this database are safe. */
  readonly sql: Analyzes
  /** Null where nothing of this database is classified. */
  readonly protection: Protects | null
  /** Null where all sessions use `role`. */
  readonly sessionRoles: MakesSessionRoles | null
  /** Null where nobody has to be told what a statement would do. */
  readonly explain: Explains | null
  /**
   * Logs in with these start-up parameters. Rejects with a PosternError; with a BackendRefusal
   * where PostgreSQL's own words are meant for the client.
   */
  connect(startup: ReadonlyMap<string, string>, signal: AbortSignal): Promise<BackendConnection>
}

/** How a text is to be read: absent members are not certain. */
export interface StringReading {
  readonly areStringsStandard?: boolean
  readonly isName?: IsName
}

/** Takes values out of texts before they are recorded. */
export interface Redacts {
  /** Every literal of a statement that touches classified columns becomes a pseudonym, and comments are dropped. */
  statement(sql: string, reading?: StringReading): string
  parameter(text: string): string
  /** Of other statements only what looks like a classified value goes. */
  screen(sql: string, reading?: StringReading): string
  screenParameter(text: string): string
}

/** A statement as one entry describes it: in full, or in short where an earlier entry of the session has it in full. */
export type StatementForm = 'full' | 'short'

/** Whether a name is one that the database's catalog shows. */
export type IsName = (name: string) => boolean

/** How much of a text's values an entry shows: all where nothing is classified, what detectors let pass, or none. */
export type Redaction = 'none' | 'screened' | 'redacted'

/** What runs while the process does, as far as the path is concerned. */
export interface LogsPath {
  debug(facts: Readonly<Record<string, unknown>>, message: string): void
  info(facts: Readonly<Record<string, unknown>>, message: string): void
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
  error(facts: Readonly<Record<string, unknown>>, message: string): void
}

/** The domains that a statement passes through. */
export interface Services {
  /** What principals hold, and where statements wait; null where there is no control store, in tests of parts. */
  readonly access: AccessOnPath | null
  /** Where people decide; null where they cannot, and what needs approval is refused. */
  readonly approvals: { readonly urlOf: (request: string) => string | null } | null
  readonly identity: Identifies
  /** Null where session tokens are not taken. */
  readonly tokens: TokenLogIn | null
  readonly policy: Decides
  readonly journal: Records
  readonly log: LogsPath
  /** Null where no database has a classification. */
  readonly redaction: Redacts | null
  /** The members that describe a statement in its entries, encoded once per analysed text, form and redaction. */
  statementMembers(statement: StatementAnalysis, form: StatementForm, redaction: Redaction, isName?: IsName): Buffer
}
