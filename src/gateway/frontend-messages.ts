import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { emptyStatement, opaqueStatement, type StatementAnalysis, type TextAnalysis } from '../core/statement.ts'
import {
  decodeBind,
  decodeClose,
  decodeDescribe,
  decodeExecute,
  decodeFunctionCall,
  decodeParse,
  decodeQuery,
  encodeDescribe,
  encodeParse,
  encodeQuery,
  flush,
  frontend,
} from '../wire/frontend.ts'
import type { Exchange } from './exchange.ts'
import { isReadAsUtf8, unsettledReason } from './lexing.ts'
import { executeHeader, foundOf, isPlain } from './message-names.ts'
import { newPortal, newPrepared, unknownPortal, unknownPrepared } from './names.ts'
import { combineNeeds, taken, type UsedApproval } from './needs.ts'
import { type Execution, newExecute, newQuery, type Operation, type Portal } from './operations.ts'
import { failing, type OutgoingBatch, type StatementOperation } from './outgoing-batch.ts'
import { howExecuted } from './record.ts'
import { type Refusal, refusalOf, severalStatements, tooManyStatements } from './refusal.ts'
import { CopyInMessages } from './copy-messages.ts'
import { checkType } from './message-types.ts'
import { UnrecordedStatements } from './unrecorded-statements.ts'
import type { ApprovalsOfMessages } from './message-approvals.ts'
import type { StatementWay } from './statement.ts'
import type { Allowed } from './statement-parts.ts'
import { refusedFunctionCall, syntaxRefusal, unapproved } from './statement-refusals.ts'

/**
 * What becomes of one message: it goes on as it is, is dropped, waits until the stream is resumed, ends the session in
 * good order, or is replaced by the message given.
 */
export type Treatment = 'forward' | 'drop' | 'hold' | 'terminate' | Buffer

const sync: Operation = { kind: 'sync' }

/** The client's messages after log-in: what each means, and whether it may go on to PostgreSQL. */
export class FrontendMessages {
  readonly #exchange: Exchange
  readonly #way: StatementWay
  readonly #approvals: ApprovalsOfMessages | null
  readonly #waitFor: (promise: Promise<unknown>) => void
  /** The analysis that the held message waits for, and nobody else: null until it has come. */
  #awaited: { text: TextAnalysis | null } | null = null
  readonly #unrecorded: UnrecordedStatements
  /** What becomes of CopyData, which comes in pieces. */
  readonly copyIn: CopyInMessages

  constructor(
    exchange: Exchange,
    parts: {
      readonly way: StatementWay
      readonly waitFor: (promise: Promise<unknown>) => void
      readonly approvals: ApprovalsOfMessages | null
    },
  ) {
    this.#exchange = exchange
    this.copyIn = new CopyInMessages(exchange)
    this.#way = parts.way
    this.#unrecorded = new UnrecordedStatements(parts.way)
    this.#waitFor = parts.waitFor
    this.#approvals = parts.approvals
  }

  /** Treats one whole message; throws a PosternError where the protocol is broken beyond repair. */
  treat(type: number, body: Buffer, batch: OutgoingBatch): Treatment {
    const treatment = this.#treatInState(type, body, batch)
    // What was analysed for a message must not be taken for the next one, also where an error has it dropped meanwhile.
    if (treatment !== 'hold') {
      this.#awaited = null
      this.#approvals?.treated(treatment === 'drop')
    }
    return treatment
  }

  #treatInState(type: number, body: Buffer, batch: OutgoingBatch): Treatment {
    const exchange = this.#exchange
    if (exchange.isReserved) return 'hold'
    if (exchange.copy !== 'none') return this.copyIn.treat(type, batch)
    checkType(type)
    if (exchange.isDiscarding && type !== frontend.Sync && type !== frontend.Terminate) return 'drop'
    if (exchange.pending.length >= limits.inFlightMessagesMax) return 'hold'
    try {
      return this.#treatMessage(type, body, batch)
    } catch (error) {
      const isOrdinary =
        error instanceof PosternError && (error.code === 'protocol_violation' || error.code === 'feature_refused')
      if (!isOrdinary) throw error
      // A malformed message is an ordinary error to PostgreSQL, and discards up to Sync where the sound one would.
      const operation = type === frontend.Query ? newQuery([]) : newExecute(null)
      return this.#refuse(operation, refusalOf(error), batch)
    }
  }

  /** Puts on record what PostgreSQL is about to see without an Execute. */
  finishBatch(): void {
    this.#unrecorded.record()
  }

  #treatMessage(type: number, body: Buffer, batch: OutgoingBatch): Treatment {
    switch (type) {
      case frontend.Query:
        return this.#treatQuery(body, batch)
      case frontend.Parse:
        return this.#treatParse(body, batch)
      case frontend.Bind:
        return this.#treatBind(body, batch)
      case frontend.Execute:
        return this.#treatExecute(body, batch)
      case frontend.Describe:
        return this.#treatDescribe(body)
      case frontend.Close:
        return this.#treatClose(body)
      case frontend.Sync:
        this.#exchange.isDiscarding = false
        this.#exchange.send(sync)
        return 'forward'
      case frontend.Flush:
        if (body.length > 0) throw new PosternError('protocol_violation', 'invalid message format')
        return 'forward'
      case frontend.FunctionCall:
        return this.#treatFunctionCall(body, batch)
      case frontend.Terminate:
        return 'terminate'
      case frontend.CopyDone:
      case frontend.CopyFail:
        return 'drop'
      default:
        throw new Error(`message type ${String(type)} is known and not treated`)
    }
  }

  #treatQuery(body: Buffer, batch: OutgoingBatch): Treatment {
    const { sql } = decodeQuery(body)
    const text = this.#analyze(sql)
    if (text === 'hold') return text
    const { statements } = text
    if (statements.length > limits.statementsPerTextMax) {
      return this.#refuse(newQuery([]), tooManyStatements(statements.length), batch)
    }
    const allowed: Allowed[] = []
    const prepared = new Map<string, StatementAnalysis>()
    const declared = new Map<string, StatementAnalysis>()
    let followsSetting = false
    let followsChange = false
    for (const statement of statements) {
      const place = { count: statements.length, prepared, declared, followsSetting, followsChange }
      const verdict = this.#way.decide(statement, place)
      const { prepares, declares } = statement.names
      if (prepares !== null) prepared.set(prepares.name, prepares.analysis)
      if (declares !== null) declared.set(declares, statement)
      followsSetting ||= statement.mayChangeSettings
      if (verdict === 'undecided') return 'hold'
      if ('refusal' in verdict) return this.#refuseStatement(newQuery([]), { statement, text, verdict }, batch)
      followsChange ||= verdict.allowed.protection?.lineage.changesCatalog === true
      allowed.push(verdict.allowed)
    }
    const sought = this.#approveText(sql, { statements, allowed })
    if (sought === 'hold') return 'hold'
    if (sought !== null && 'refusal' in sought) {
      const statement = statements.find((_, index) => allowed[index]?.needs !== null) ?? emptyStatement
      return this.#refuseStatement(newQuery([]), { statement, text, verdict: sought }, batch)
    }
    const approval = sought?.approval ?? null
    const how = `"protocol":"simple"${statements.length > 1 ? `,"statements":${String(statements.length)}` : ''}`
    const executions: Execution[] = []
    for (const [index, statement] of statements.entries()) {
      const verdict = allowed[index]
      if (verdict === undefined) throw new Error('a statement was not decided')
      const execution = this.#way.record(statement, verdict, { members: how, portal: null, approval })
      executions.push(execution)
      this.#noteRun(execution)
    }
    const isProtected = executions.length > 1 && executions[0]?.protection !== null
    const treatment = this.#pass(newQuery(executions, isProtected ? sql.toString() : null), batch)
    const renamed = statements.length === 1 && statements[0] !== undefined ? this.#way.renamed(statements[0]) : null
    return renamed === null ? treatment : encodeQuery(renamed)
  }

  #treatParse(body: Buffer, batch: OutgoingBatch): Treatment {
    const { name, sql, parameterTypes } = decodeParse(body)
    this.#checkNames(name)
    const text = this.#analyze(sql)
    if (text === 'hold') return text
    const isOne = text.statements.length <= 1
    // PostgreSQL refuses several, and says so itself to whoever may run what was not analysed as one.
    const [statement = emptyStatement] = isOne
      ? text.statements
      : [opaqueStatement(sql.toString(), 'several statements')]
    const prepared = newPrepared(name, statement, parameterTypes)
    const operation: Operation = { kind: 'parse', prepared, refusal: null }
    const verdict = this.#way.decide(statement)
    if (verdict === 'undecided') return 'hold'
    if ('refusal' in verdict) {
      const told = isOne ? verdict : { refusal: severalStatements() }
      return this.#refuseStatement(operation, { statement, text, verdict: told }, batch)
    }
    this.#unrecorded.add(prepared)
    const treatment = this.#pass(operation, batch)
    const renamed = this.#way.renamed(statement)
    return renamed === null ? treatment : encodeParse({ name, sql: renamed, parameterTypes })
  }

  #treatBind(body: Buffer, batch: OutgoingBatch): Treatment {
    const bind = decodeBind(body)
    this.#checkNames(bind.portal, bind.statement)
    const lookup = this.#exchange.names.prepared(bind.statement)
    if (lookup === 'undecided') return 'hold'
    const prepared = lookup === 'unknown' ? unknownPrepared(bind.statement) : lookup.found
    const verdict = this.#way.decide(prepared.statement)
    if (verdict === 'undecided') return 'hold'
    const protection = 'allowed' in verdict ? verdict.allowed.protection : null
    const portal = newPortal(bind, prepared, protection)
    const operation: Operation = { kind: 'bind', portal, refusal: null }
    if ('refusal' in verdict) {
      return this.#refuseStatement(operation, { statement: prepared.statement, text: null, verdict }, batch)
    }
    let refusal = this.#way.checkParameters(portal, protection)
    if (refusal === null && verdict.allowed.needs !== null) {
      const sought = this.#approvals?.seekBound(portal, verdict.allowed) ?? { refusal: unapproved() }
      if (sought === 'hold') return 'hold'
      if ('ticket' in sought) portal.ticket = taken(sought.ticket)
      else refusal = sought.refusal
    }
    if (refusal !== null) {
      portal.refused = refusal
      const refused = { statement: prepared.statement, text: null, verdict: { refusal } }
      return this.#refuseStatement(operation, refused, batch)
    }
    this.#unrecorded.add(portal)
    return this.#pass(operation, batch)
  }

  #treatExecute(body: Buffer, batch: OutgoingBatch): Treatment {
    const { portal: name } = decodeExecute(body)
    this.#checkNames(name)
    const lookup = this.#exchange.names.portal(name)
    if (lookup === 'undecided') return 'hold'
    const portal = lookup === 'unknown' ? unknownPortal(name) : lookup.found
    const { prepared, refused } = portal
    if (refused !== null) return this.#refuse(newExecute(null), refused, batch)
    const { statement } = prepared
    const verdict = this.#way.decide(statement)
    if (verdict === 'undecided') return 'hold'
    if ('refusal' in verdict) {
      return this.#refuseStatement(newExecute(null), { statement, text: null, verdict }, batch)
    }
    const used = this.#useTicket(portal, verdict.allowed)
    if (used === 'hold') return 'hold'
    if (used !== null && 'refusal' in used) {
      return this.#refuseStatement(newExecute(null), { statement, text: null, verdict: used }, batch)
    }
    prepared.executions += 1
    this.#unrecorded.delete(prepared)
    this.#unrecorded.delete(portal)
    const members = howExecuted(portal, this.#way.parameterRedactionOf(statement))
    const execution = this.#way.record(statement, verdict.allowed, {
      members,
      portal,
      approval: used?.approval ?? null,
    })
    this.#noteRun(execution)
    const describes = this.#describeFor(execution)
    const treatment = this.#pass(newExecute(execution), batch)
    // Nothing more is sent until it has answered, so it must not wait for more before it does.
    const ends = this.#exchange.copy === 'expected' ? [flush] : []
    if (describes === null && ends.length === 0) return treatment
    return Buffer.concat([describes ?? Buffer.alloc(0), executeHeader(body), body, ...ends])
  }

  /** The approval of a whole text; null where none is needed. */
  #approveText(
    sql: Buffer,
    {
      statements,
      allowed,
    }: { readonly statements: readonly StatementAnalysis[]; readonly allowed: readonly Allowed[] },
  ): ReturnType<ApprovalsOfMessages['run']> | null {
    const needs = combineNeeds(allowed.map((each) => each.needs))
    if (needs === null) return null
    return this.#approvals?.run({ needs, sql, statements, allowed }) ?? { refusal: unapproved() }
  }

  /** The approval that a portal's Bind got; null where none is needed. One that policy asks for since then it has not. */
  #useTicket(
    portal: Portal,
    { needs }: Allowed,
  ): 'hold' | { readonly refusal: Refusal } | { readonly approval: UsedApproval } | null {
    if (needs === null || portal.isApproved) return null
    if (portal.ticket === null || this.#approvals === null) return { refusal: unapproved() }
    return this.#approvals.use(portal.ticket, { statement: portal.prepared.statement, needs })
  }

  /**
   * The Describe that a masked result needs and the client has not sent: a masking plan rests on a real RowDescription.
   * Its answer is not passed on. One that was read under another schema or other settings does not count.
   */
  #describeFor({ protection, fixed, portal }: Execution): Buffer | null {
    if (portal === null || protection === null) return null
    if (!protection.isMasking && fixed?.isMasking !== true) return null
    const as = this.#exchange.describingAs(protection.schema.key)
    if (portal.prepared.describedAs === as) return null
    portal.prepared.describedAs = as
    this.#exchange.send({ kind: 'describe', prepared: portal.prepared, isOwn: true })
    return encodeDescribe('P', portal.name)
  }

  #treatDescribe(body: Buffer): Treatment {
    const { target, name } = decodeDescribe(body)
    this.#checkNames(name)
    const { names } = this.#exchange
    const prepared = target === 'S' ? foundOf(names.prepared(name)) : (foundOf(names.portal(name))?.prepared ?? null)
    const schema = this.#way.schemaKey
    if (prepared !== null && schema !== null) prepared.describedAs = this.#exchange.describingAs(schema)
    this.#exchange.send({ kind: 'describe', prepared, isOwn: false })
    return 'forward'
  }

  #treatClose(body: Buffer): Treatment {
    const closed = decodeClose(body)
    this.#checkNames(closed.name)
    this.#exchange.send({ kind: 'close', ...closed })
    return 'forward'
  }

  /** PostgreSQL converts names from the client's encoding, after which two names of ours may be one name of its. */
  #checkNames(...names: readonly string[]): void {
    if (names.every((name) => isPlain(name)) || isReadAsUtf8(this.#exchange.settings)) return
    throw new PosternError('feature_refused', 'a name that is not plain ASCII cannot be told apart from others', {
      hint: "Use plain names for prepared statements and portals, or SET client_encoding = 'UTF8'.",
    })
  }

  #treatFunctionCall(body: Buffer, batch: OutgoingBatch): Treatment {
    const { statement, refusal } = refusedFunctionCall(decodeFunctionCall(body).functionOid)
    this.#way.recordRefusal(statement, refusal)
    return this.#refuse(newQuery([]), refusal, batch)
  }

  #analyze(sql: Buffer): TextAnalysis | 'hold' {
    if (this.#awaited !== null) return this.#awaited.text ?? 'hold'
    const { settings } = this.#exchange
    const analysis = this.#way.analyze(sql)
    if (analysis instanceof Promise) {
      const awaited: { text: TextAnalysis | null } = { text: null }
      this.#awaited = awaited
      this.#waitFor(
        analysis.then((text) => {
          awaited.text = text
        }),
      )
      return 'hold'
    }
    // What cannot be read for the moment is held where PostgreSQL is going to settle it without being asked.
    const isUncertain = !settings.isSettled && analysis.statements[0]?.opaque === unsettledReason
    return isUncertain && this.#exchange.willBeAnswered ? 'hold' : analysis
  }

  /** Follows what running `statement` means for the messages behind it. */
  #noteRun(execution: Execution): void {
    const { statement, protection } = execution
    if (protection?.lineage.changesCatalog === true) this.#way.noteCatalogChange(execution)
    if (statement.copy === 'in') this.#exchange.copy = 'expected'
    if (statement.mayChangeSettings) this.#exchange.settings.unsettle()
  }

  #refuseStatement(
    operation: StatementOperation,
    refused: { statement: StatementAnalysis; text: TextAnalysis | null; verdict: { refusal: Refusal } },
    batch: OutgoingBatch,
  ): Treatment {
    const syntaxError = refused.text?.syntaxError ?? null
    const refusal = syntaxError === null ? refused.verdict.refusal : syntaxRefusal(syntaxError)
    this.#way.recordRefusal(refused.statement, refusal)
    return this.#refuse(operation, refusal, batch)
  }

  /** A message that carries a statement, or its stand-in, goes to PostgreSQL. */
  #pass(operation: StatementOperation, batch: OutgoingBatch): 'forward' {
    this.#exchange.send(operation)
    batch.carry(operation)
    return 'forward'
  }

  #refuse(operation: StatementOperation, refusal: Refusal, batch: OutgoingBatch): Treatment {
    operation.refusal = refusal
    this.#pass(operation, batch)
    return failing(operation, refusal)
  }
}
