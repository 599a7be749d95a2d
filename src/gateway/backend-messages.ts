import { PosternError } from '../core/errors.ts'
import {
  backend,
  decodeCommandComplete,
  decodeErrorResponse,
  decodeParameterDescription,
  decodeParameterStatus,
  decodeReadyForQuery,
  encodeErrorResponse,
  rowsOfTag,
} from '../wire/backend.ts'
import type { Exchange } from './exchange.ts'
import type { Execution, Operation, QueryOperation } from './operations.ts'
import { type Ending, endingMembers } from './outcome.ts'
import type { Records } from './services.ts'
import type { SessionProtection } from './session-protection.ts'

/** Tells the session what it has to act upon. */
export interface BackendNews {
  /** The members that the session's entries carry have changed. */
  sessionChanged(): void
  /** PostgreSQL said FATAL: it is about to close the connection. */
  fatal(sqlstate: string): void
}

/** What watches over the answers of a database with a classification. */
type AnswerGuard = Pick<SessionProtection, 'results' | 'catalog'>

const nothing = Buffer.alloc(0)

/**
 * PostgreSQL's messages after log-in: to which of the pending operations each belongs, what that means for the
 * session, and what goes on record. An answer that fits no pending operation ends the session, because from there on
 * nobody could say which statement a row belongs to.
 */
export class BackendMessages {
  readonly #exchange: Exchange
  readonly #journal: Records
  /** Who, and in which session: the members of every outcome. */
  readonly #members: Buffer
  readonly #news: BackendNews
  readonly #guard: AnswerGuard | null
  /** Whether a ROLLBACK TO SAVEPOINT was answered since ReadyForQuery. */
  #isTakenBack = false
  /** How many operations that may have changed settings were answered since ReadyForQuery. */
  #unsettling = 0
  /** The last execution of the current segment: an error at Sync (a failed commit) is its error. */
  #lastExecution: Execution | null = null

  constructor(
    exchange: Exchange,
    parts: {
      readonly journal: Records
      readonly members: Buffer
      readonly news: BackendNews
      readonly guard: AnswerGuard | null
    },
  ) {
    this.#exchange = exchange
    this.#journal = parts.journal
    this.#members = parts.members
    this.#news = parts.news
    this.#guard = parts.guard
  }

  /** Whether what arrives answers the gateway itself. */
  get isOwn(): boolean {
    return this.#exchange.own !== null
  }

  /** What the client gets in the place of a row or of COPY data that arrives now; null for the message as it is. */
  maskerOf(type: number): ((message: Buffer) => Buffer) | null {
    if (this.#guard === null) return null
    const execution = this.#current
    return execution === null ? null : this.#guard.results.maskerOf(execution, type)
  }

  /** Counts a row or COPY data for the execution it belongs to. */
  countData(type: number, length: number): void {
    const execution = this.#current
    if (execution === null) {
      throw new PosternError('protocol_violation', 'PostgreSQL sent data where none was asked for')
    }
    if (type === backend.DataRow) execution.rows += 1
    execution.bytes += length + 1
  }

  get #current(): Execution | null {
    const operation = this.#exchange.pending.oldest
    if (operation?.kind === 'execute') return operation.execution
    if (operation?.kind === 'query') return operation.executions[operation.finished] ?? null
    return null
  }

  /** Takes in one whole message that is not a row; returns what the client gets instead, or null for the message itself. */
  take(type: number, body: Buffer): Buffer | null {
    const exchange = this.#exchange
    if (exchange.own !== null && type !== backend.NotificationResponse) {
      const isLast = type === backend.ErrorResponse && this.#noteFatal(decodeErrorResponse(body))
      if (exchange.own.take(type, body)) exchange.own = null
      // Why the connection ends is for the client.
      return isLast ? (this.#guard?.results.scrub(type, body, undefined) ?? null) : nothing
    }
    switch (type) {
      case backend.ParseComplete:
        exchange.names.define({ prepared: this.#answered('parse').prepared })
        return null
      case backend.BindComplete:
        exchange.names.define({ portal: this.#answered('bind').portal })
        return null
      case backend.CloseComplete: {
        const { target, name } = this.#answered('close')
        exchange.names.close(target, name)
        return null
      }
      case backend.ParameterDescription:
        this.#noteParameterTypes(body)
        return null
      case backend.NoData:
        return this.#takeDescription(null)
      case backend.RowDescription:
        if (exchange.pending.oldest?.kind === 'describe') return this.#takeDescription(body)
        this.#expectRunning('RowDescription')
        if (this.#current !== null) this.#guard?.results.describe(this.#current, body)
        return null
      case backend.CommandComplete:
        this.#finish({ outcome: 'completed', tag: decodeCommandComplete(body).tag })
        return null
      case backend.EmptyQueryResponse:
        this.#finish({ outcome: 'completed', tag: '' })
        return null
      case backend.PortalSuspended:
        this.#finish({ outcome: 'suspended' })
        return null
      case backend.CopyInResponse:
        this.#expectRunning('CopyInResponse')
        exchange.copy = 'receiving'
        exchange.inspector =
          this.#current === null ? null : (this.#guard?.results.receiveCopy(this.#current, body) ?? null)
        return null
      case backend.CopyOutResponse:
        this.#expectRunning('CopyOutResponse')
        if (this.#current !== null) this.#guard?.results.describeCopy(this.#current, body)
        return null
      case backend.CopyDone:
        this.#expectRunning('CopyDone')
        this.#current?.copyMasker?.end()
        return null
      case backend.ErrorResponse:
        return this.#takeError(body)
      case backend.ReadyForQuery:
        this.#takeReady(body)
        return null
      case backend.ParameterStatus:
        this.#takeParameterStatus(body)
        return null
      case backend.NoticeResponse:
        return this.#guard?.results.scrub(type, body, exchange.pending.oldest) ?? null
      case backend.NotificationResponse:
        return this.#guard?.results.scrubNotification(body) ?? null
      default:
        throw outOfOrder(`message type ${String(type)}`)
    }
  }

  /** The connection is gone: closes every execution whose end nobody will hear of. */
  abandon(): void {
    this.#exchange.own?.abandon()
    this.#exchange.own = null
    for (;;) {
      const operation = this.#exchange.answer()
      if (operation === undefined) return
      for (const execution of openExecutions(operation)) this.#recordOutcome(execution, { outcome: 'abandoned' })
    }
  }

  #takeDescription(body: Buffer | null): Buffer | null {
    const { prepared, isOwn } = this.#answered('describe')
    if (prepared !== null && this.#guard !== null) {
      prepared.description = body === null ? null : this.#guard.results.described(prepared.statement, body)
    }
    return isOwn ? nothing : null
  }

  #answered<K extends Operation['kind']>(kind: K): Extract<Operation, { kind: K }> {
    const operation = this.#exchange.answer()
    if (operation?.kind !== kind) throw outOfOrder(`an answer to ${kind}`)
    return operation as Extract<Operation, { kind: K }>
  }

  #expectRunning(message: string): void {
    const kind = this.#exchange.pending.oldest?.kind
    if (kind !== 'query' && kind !== 'execute') throw outOfOrder(message)
  }

  #noteParameterTypes(body: Buffer): void {
    const operation = this.#exchange.pending.oldest
    if (operation?.kind !== 'describe') throw outOfOrder('ParameterDescription')
    if (operation.prepared !== null) operation.prepared.parameterTypes = decodeParameterDescription(body)
  }

  /** A statement has run to its end, or to its row limit. */
  #finish(ending: Extract<Ending, { outcome: 'completed' | 'suspended' }>): void {
    const operation = this.#exchange.pending.oldest
    if (operation?.kind === 'query') this.#finishInQuery(operation, ending)
    else if (operation?.kind === 'execute') this.#finishExecute(ending)
    else throw outOfOrder('the end of a statement')
  }

  #finishExecute(ending: Extract<Ending, { outcome: 'completed' | 'suspended' }>): void {
    const operation = this.#answered('execute')
    const { execution } = operation
    if (execution === null) throw outOfOrder('the end of a statement that was refused')
    this.#noteAnswered(operation)
    this.#endCopy()
    this.#lastExecution = execution
    if (ending.outcome === 'completed') this.#exchange.names.complete(execution, ending.tag)
    this.#recordOutcome(execution, ending)
  }

  /** Each statement of a Query ends with one CommandComplete; an empty one with EmptyQueryResponse. */
  #finishInQuery(operation: QueryOperation, ending: Extract<Ending, { outcome: 'completed' | 'suspended' }>): void {
    const execution = operation.executions[operation.finished]
    if (execution === undefined) {
      if (operation.executions.length > 0 || operation.refusal !== null) throw outOfOrder('the end of a statement')
      return
    }
    // How many statements an unparsed text holds is known when PostgreSQL is ready again.
    if (isUnparsed(execution)) return
    operation.finished += 1
    if (ending.outcome === 'completed') this.#exchange.names.complete(execution, ending.tag)
    this.#recordOutcome(execution, ending)
  }

  #takeError(body: Buffer): Buffer | null {
    const fields = decodeErrorResponse(body)
    const sqlstate = fields.get('C') ?? 'XX000'
    const operation = this.#exchange.pending.oldest
    const refusal = operation !== undefined && 'refusal' in operation ? operation.refusal : null
    const isOurs = refusal !== null && (fields.get('M') ?? '').includes(refusal.token)
    const ending: Ending = isOurs ? { outcome: 'refused', error: refusal.error } : { outcome: 'failed', sqlstate }
    const scrubbed = isOurs ? null : (this.#guard?.results.scrub(backend.ErrorResponse, body, operation) ?? null)
    if (operation !== undefined) this.#failOldest(operation, ending)
    this.#noteFatal(fields)
    return isOurs ? encodeErrorResponse({ severity: 'ERROR', ...refusal.error }) : scrubbed
  }

  #noteFatal(fields: ReadonlyMap<string, string>): boolean {
    const severity = fields.get('V') ?? fields.get('S') ?? 'ERROR'
    const isFatal = severity === 'FATAL' || severity === 'PANIC'
    if (isFatal) this.#news.fatal(fields.get('C') ?? 'XX000')
    return isFatal
  }

  /** An error belongs to the oldest operation; what follows it up to Sync is skipped by PostgreSQL. */
  #failOldest(operation: Operation, ending: Ending): void {
    if (operation.kind === 'sync') {
      // The implicit transaction of the segment could not be committed, or PostgreSQL is ending the connection.
      if (this.#lastExecution !== null) this.#recordOutcome(this.#lastExecution, ending, { isAgain: true })
      return
    }
    if (operation.kind === 'query') {
      for (const [index, execution] of openExecutions(operation).entries()) {
        this.#recordOutcome(execution, index === 0 ? ending : { outcome: 'skipped' })
      }
      operation.finished = operation.executions.length
      const { copy, pending } = this.#exchange
      if (copy !== 'none' && pending.newest === operation) this.#exchange.copy = 'ended'
      return
    }
    this.#exchange.answer()
    this.#noteAnswered(operation)
    forgetDescribe(operation)
    if (operation.kind === 'execute' && operation.execution !== null) this.#recordOutcome(operation.execution, ending)
    this.#skipToSync()
    this.#endCopy()
  }

  /** Nothing is sent behind a statement that may ask for data, so a COPY is over when nothing is pending any more. */
  #endCopy(): void {
    if (this.#exchange.pending.length === 0) this.#exchange.copy = 'none'
  }

  #skipToSync(): void {
    const { pending } = this.#exchange
    for (;;) {
      const skipped = pending.oldest
      if (skipped === undefined) {
        this.#exchange.isDiscarding = true
        return
      }
      if (skipped.kind === 'sync') return
      this.#exchange.answer()
      this.#noteAnswered(skipped)
      forgetDescribe(skipped)
      for (const execution of openExecutions(skipped)) this.#recordOutcome(execution, { outcome: 'skipped' })
    }
  }

  #takeReady(body: Buffer): void {
    const { status } = decodeReadyForQuery(body)
    const exchange = this.#exchange
    exchange.transactionStatus = status
    const operation = exchange.answer()
    if (operation?.kind === 'query') {
      const [execution, ...others] = openExecutions(operation)
      if (execution !== undefined && (!isUnparsed(execution) || others.length > 0)) throw outOfOrder('ReadyForQuery')
      if (execution !== undefined) this.#recordOutcome(execution, { outcome: 'completed', tag: '' })
      this.#noteAnswered(operation)
      this.#endCopy()
    } else if (operation?.kind !== 'sync') {
      throw outOfOrder('ReadyForQuery')
    }
    exchange.settings.settle(this.#unsettling)
    exchange.settings.ready({ isInTransaction: status !== 'I' })
    this.#unsettling = 0
    this.#lastExecution = null
    if (status === 'I') exchange.names.endTransaction()
    this.#guard?.results.ready({ isInTransaction: status !== 'I' })
    this.#guard?.catalog.ready({ takesBack: this.#isTakenBack })
    this.#isTakenBack = false
  }

  #takeParameterStatus(body: Buffer): void {
    const { name, value } = decodeParameterStatus(body)
    if (this.#exchange.settings.report(name, value)) this.#news.sessionChanged()
  }

  #noteAnswered(operation: Operation): void {
    if (operation.kind === 'query') {
      for (const { statement } of operation.executions) if (statement.mayChangeSettings) this.#unsettling += 1
    } else if (operation.kind === 'execute' && operation.execution?.statement.mayChangeSettings === true) {
      this.#unsettling += 1
    }
  }

  /** Follows what the end of an execution means for what is known of the catalog and of the open transaction. */
  #noteEnd(execution: Execution, ending: Ending): void {
    const guard = this.#guard
    if (guard === null) return
    guard.results.finished(execution)
    if (execution.statement.kind === 'ROLLBACK TO SAVEPOINT') this.#isTakenBack = true
    if (execution.protection?.lineage.changesCatalog !== true || ending.outcome === 'abandoned') return
    guard.catalog.changeAnswered(execution, { hasFailed: ending.outcome !== 'completed' })
  }

  /** `isAgain` where it was answered before: then it has not come to an end a second time. */
  #recordOutcome(execution: Execution, ending: Ending, { isAgain } = { isAgain: false }): void {
    if (!isAgain) this.#noteEnd(execution, ending)
    const durationUs = Math.round((performance.now() - execution.startedAtMs) * 1_000)
    let rows = execution.rows
    let how = endingMembers(ending)
    if (ending.outcome === 'completed' && rows === 0) rows = rowsOfTag(ending.tag) ?? 0
    const masked = execution.masks?.filter((mask) => mask !== null).length ?? 0
    if (masked > 0) how += `,"maskedColumns":${String(masked)}`
    this.#journal.append(
      'outcome',
      `"intent":${String(execution.intent)},"outcome":"${ending.outcome}"${how},"rows":${String(rows)},` +
        `"bytes":${String(execution.bytes)},"durationUs":${String(durationUs)}`,
      this.#members,
    )
  }
}

/** A Describe that failed or was skipped has told nothing. */
function forgetDescribe(operation: Operation): void {
  if (operation.kind === 'describe' && operation.prepared !== null) operation.prepared.describedAs = ''
}

/** The executions of an operation whose end has not been told yet. */
function openExecutions(operation: Operation): readonly Execution[] {
  if (operation.kind === 'query') return operation.executions.slice(operation.finished)
  return operation.kind === 'execute' && operation.execution !== null ? [operation.execution] : []
}

/** A text that was let through without being understood: nobody knows how many statements it holds. */
function isUnparsed(execution: Execution): boolean {
  return execution.statement.kind === 'OPAQUE'
}

function outOfOrder(what: string): PosternError {
  return new PosternError('protocol_violation', `PostgreSQL sent ${what} where nothing of the kind was asked for`, {
    hint: 'The session was ended because its answers could no longer be told apart. Connect again.',
  })
}
