import { isAscii } from 'node:buffer'
import { limits } from '../core/limits.ts'
import { PosternError } from '../core/errors.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { type FactSources, type Run, situationOf, wantedOf } from './approval-facts.ts'
import type { SessionApprovals, Sought } from './approvals.ts'
import { readStatementText } from './lexing.ts'
import type { Needs, Ticket } from './needs.ts'
import type { Portal } from './operations.ts'
import { approvableParametersOf } from './record.ts'
import { refusalOf } from './refusal.ts'
import type { Allowed } from './statement-parts.ts'

/** What the client's messages ask of the session's approvals. */
export class ApprovalsOfMessages {
  readonly #approvals: SessionApprovals
  readonly #sources: FactSources
  /** What EXECUTE stands for, now. */
  readonly #meaningOf: (statement: StatementAnalysis) => StatementAnalysis | null

  constructor(
    approvals: SessionApprovals,
    parts: {
      readonly sources: FactSources
      readonly meaningOf: (statement: StatementAnalysis) => StatementAnalysis | null
    },
  ) {
    this.#approvals = approvals
    this.#sources = parts.sources
    this.#meaningOf = parts.meaningOf
  }

  /** The approval of a text that is sent as it is: asked for, and used up. */
  run(text: {
    readonly needs: Needs
    readonly sql: Buffer
    readonly statements: readonly StatementAnalysis[]
    readonly allowed: readonly Allowed[]
  }): ReturnType<SessionApprovals['use']> {
    if (this.#isUncertain) return 'hold'
    const sql = text.sql.toString('utf8')
    if (sql.length > limits.approvalTextCharsMax) return tooLong(sql.length)
    if (readStatementText(text.sql, this.#sources.exchange.settings).uncertain !== null) return unreadable()
    const ownNames = new Set<string>()
    const statements = text.statements.map((statement, index) => {
      const { executes, prepares } = statement.names
      if (prepares !== null) ownNames.add(prepares.name)
      const part = this.#part(statement, text.allowed[index])
      // What the text itself prepares is in it; what had the name before is not what runs.
      return executes !== null && ownNames.has(executes) ? { ...part, means: null } : part
    })
    return this.#approvals.run(wantedOf({ needs: text.needs, sql, statements, bound: null }, this.#sources))
  }

  /** The approval of a prepared statement with its parameters: asked for, and used up by its Execute. */
  seekBound(portal: Portal, allowed: Allowed): Sought {
    const { bind, prepared } = portal
    const { needs } = allowed
    if (bind === null || needs === null) throw new Error('nothing is bound that needs an approval')
    if (this.#isUncertain) return 'hold'
    const { sql } = prepared.statement
    const size = bind.parameters.reduce((sum, bytes) => sum + (bytes?.length ?? 0), sql.length)
    if (size > limits.approvalTextCharsMax) return tooLong(size)
    const { settings } = this.#sources.exchange
    const texts = settings.clientEncoding === 'UTF8' ? [] : approvableParametersOf(bind, prepared)
    const isReadable = texts.every((text) => text === null || isAscii(Buffer.from(text)))
    if (!isReadable || readStatementText(Buffer.from(sql), settings).uncertain !== null) return unreadable()
    const run: Run = { needs, sql, statements: [this.#part(prepared.statement, allowed)], bound: { bind, prepared } }
    return this.#approvals.seek(wantedOf(run, this.#sources))
  }

  /** Uses the approval of a Bind up for its Execute. */
  use(
    ticket: Ticket,
    { statement, needs }: { readonly statement: StatementAnalysis; readonly needs: Needs },
  ): ReturnType<SessionApprovals['use']> {
    const situation = situationOf([{ means: this.#meaningOf(statement) }], this.#sources)
    return this.#approvals.use(ticket, { needs, situation })
  }

  treated(isDropped: boolean): void {
    this.#approvals.treated(isDropped ? 'cancelled' : 'policy_changed')
  }

  /** What it would run under is about to be known: nobody is asked before. */
  get #isUncertain(): boolean {
    const { settings, isStalled } = this.#sources.exchange
    return !settings.isSettled && !isStalled
  }

  #part(statement: StatementAnalysis, allowed: Allowed | undefined): Run['statements'][number] {
    return { statement, protection: allowed?.protection ?? null, means: this.#meaningOf(statement) }
  }
}

/** PostgreSQL would read other characters than the approver is shown. */
function unreadable(): { readonly refusal: ReturnType<typeof refusalOf> } {
  return {
    refusal: refusalOf(
      new PosternError('feature_refused', 'an approver could not be shown this as PostgreSQL reads it', {
        detail: 'How it is read depends on client_encoding or standard_conforming_strings.',
        hint: "SET client_encoding = 'UTF8' and standard_conforming_strings = on, and send it again.",
      }),
    ),
  }
}

/** An approver has to be able to look at all of it. */
function tooLong(chars: number): { readonly refusal: ReturnType<typeof refusalOf> } {
  const bound = String(limits.approvalTextCharsMax)
  return {
    refusal: refusalOf(
      new PosternError(
        'limit_exceeded',
        `a statement of ${String(chars)} characters is more than an approver can be asked to look at (${bound})`,
        { hint: 'Split it, or load large data by COPY.' },
      ),
    ),
  }
}
