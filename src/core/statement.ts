/** A relation as a statement names it. `schema` is null where the statement leaves it to the search path. */
export interface RelationName {
  readonly schema: string | null
  readonly name: string
}

/**
 * One thing that a statement does, in the vocabulary of policy. A statement does at least one; a writing CTE, EXPLAIN
 * ANALYZE of a DELETE or a COPY of a query does several, and each is decided on its own.
 */
export interface Command {
  /** The SQL command by its PostgreSQL name, such as `SELECT`, `DROP DATABASE`, `COPY FROM PROGRAM`, or `OPAQUE`. */
  readonly name: CommandName
  /** What it applies to; empty means the database as a whole. */
  readonly relations: readonly RelationName[]
  /** False where an UPDATE or DELETE names no row condition (or one without any column); true for all else. */
  readonly hasWhere: boolean
}

/** The PostgreSQL name of a command in capitals; `commands.ts` lists all. */
export type CommandName = string

/** What one SQL statement is and does, as read from PostgreSQL's parse tree. Pure data, shared by all who send the text. */
export interface StatementAnalysis {
  /** The statement's own text: a slice of what was sent. */
  readonly sql: string
  /** The top-level command; what the journal shows as `kind`. */
  readonly kind: CommandName
  /** Everything it does, the top-level command first. */
  readonly commands: readonly Command[]
  /** Why it cannot be analysed, wholly or in part; null where all of it is understood. */
  readonly opaque: string | null
  /** Functions called, as named in the text, lower-cased, without duplicates, in order of appearance. */
  readonly functions: readonly string[]
  /** SQL-level names it defines or uses, so that the session can follow PREPARE, EXECUTE, DECLARE and FETCH. */
  readonly names: StatementNames
  /** `in` when it may ask the client for COPY data, `out` when it may send COPY data. */
  readonly copy: 'in' | 'out' | null
  /** Whether running it may change a setting that decides how later texts are read (see `lexing.ts`). */
  readonly mayChangeSettings: boolean
  /**
   * Whether it names a setting `postern.*`, by which PostgreSQL knows the principal, or may change one by a name that
   * is only known when it runs. What opaque code does besides is not in here.
   */
  readonly forgesIdentity: boolean
  /** That it changes `application_name` and to what, null where only running it tells; null where it does not. */
  readonly setsApplicationName: { readonly to: string | null } | null
}

/** SQL-level prepared statements and cursors, which share their name spaces with the protocol's. */
export interface StatementNames {
  /** PREPARE: the name and what EXECUTE of it will do. */
  readonly prepares: { readonly name: string; readonly analysis: StatementAnalysis } | null
  /** EXECUTE (also inside EXPLAIN, CREATE TABLE AS): the prepared statement's name. */
  readonly executes: string | null
  /** DECLARE: the cursor's name. What it reads is among this statement's own commands. */
  readonly declares: string | null
  /** FETCH or MOVE: the cursor's name. */
  readonly fetches: string | null
}

/** The analysis of one text as sent in Query or Parse. */
export interface TextAnalysis {
  readonly statements: readonly StatementAnalysis[]
  /** Set where the parser refused the text: what PostgreSQL itself would say. `statements` then holds one opaque one. */
  readonly syntaxError: { readonly message: string; readonly position: number } | null
}

/** Names that nothing in a statement defines or uses. */
export const noNames: StatementNames = { prepares: null, executes: null, declares: null, fetches: null }

/** A statement that could not be read. It may do anything, ask for COPY data and change settings included. */
export function opaqueStatement(sql: string, reason: string): StatementAnalysis {
  return {
    sql,
    kind: 'OPAQUE',
    commands: [{ name: 'OPAQUE', relations: [], hasWhere: true }],
    opaque: reason,
    functions: [],
    names: noNames,
    copy: 'in',
    mayChangeSettings: true,
    forgesIdentity: false,
    setsApplicationName: null,
  }
}

/** A text without a statement: white space and comments. */
export const emptyStatement: StatementAnalysis = {
  sql: '',
  kind: 'EMPTY',
  commands: [],
  opaque: null,
  functions: [],
  names: noNames,
  copy: null,
  mayChangeSettings: false,
  forgesIdentity: false,
  setsApplicationName: null,
}
