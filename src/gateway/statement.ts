import type { SessionFacts, StatementRequest } from '../core/decision.ts'
import { PosternError, sqlstateOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import { opaqueStatement, type StatementAnalysis, type TextAnalysis } from '../core/statement.ts'
import { readStatementText } from './lexing.ts'
import type { Lookup, SessionNames } from './names.ts'
import type { Execution } from './operations.ts'
import { policiesMember } from './record.ts'
import { refusalOf, refusalOfDecision, type Refusal, refuseWith } from './refusal.ts'
import type { GatewayDatabase, Services } from './services.ts'
import type { SessionSettings } from './settings.ts'

/** What a statement needs to know of its session. */
export interface StatementContext {
  readonly principal: Principal
  readonly database: Pick<GatewayDatabase, 'resource' | 'sql'>
  readonly client: { readonly address: string; readonly isTls: boolean }
  readonly names: SessionNames
  readonly settings: SessionSettings
  /** The members that every entry of the session carries. */
  readonly members: Buffer
}

/** A statement that may run, and by which policies; good for as long as what it was decided by stays the same. */
export interface Allowed {
  readonly version: number
  readonly epoch: number
  readonly minute: number
  /** The `"policies"` member of its entries. */
  readonly policies: string
}

/** Where a statement stands in its text. */
export interface Place {
  /** How many statements the text holds. */
  readonly count: number
  /** What the statements before it define, by name. */
  readonly prepared: ReadonlyMap<string, StatementAnalysis>
  readonly declared: ReadonlyMap<string, StatementAnalysis>
  /** Whether a statement before it may change a setting, such as the search path. */
  readonly followsSetting: boolean
}

const alone: Place = { count: 1, prepared: new Map(), declared: new Map(), followsSetting: false }

/** May run, may not, or cannot be said before PostgreSQL has answered what was sent earlier. */
export type Verdict = { readonly allowed: Allowed } | { readonly refusal: Refusal } | 'undecided'

/**
 * The way of one statement, from its bytes to the intent entry: analyse, decide, record. The steps are separate calls
 * because PostgreSQL's are: Parse is analysed and decided, Bind and Execute are decided again since access may have
 * ended in between, and Execute is recorded.
 */
export class StatementWay {
  readonly #services: Services
  readonly #session: StatementContext
  #allowed = new WeakMap<StatementAnalysis, Allowed>()
  /** The entry that has a long text in full, so that executing it again and again does not fill the journal with it. */
  readonly #fullIn = new WeakMap<StatementAnalysis, number>()
  #facts: { readonly epoch: number; readonly facts: SessionFacts } | null = null

  constructor(services: Services, session: StatementContext) {
    this.#services = services
    this.#session = session
  }

  /** What does it do? */
  analyze(bytes: Buffer): TextAnalysis | Promise<TextAnalysis> {
    const text = readStatementText(bytes, this.#session.settings)
    if (text.uncertain === null) return this.#session.database.sql.analyze(text.sql)
    return { statements: [opaqueStatement(text.sql, text.uncertain)], syntaxError: null }
  }

  /** May they? `place` is where the statement stands in its text: the ones before it may define what it uses. */
  decide(statement: StatementAnalysis, place: Place = alone): Verdict {
    if (!this.#services.journal.isAvailable) return { refusal: refusalOf(unrecordable()) }
    const means = this.#meaningOf(statement, place)
    if (means === 'undecided') return means
    const verdict = this.#decideOne(statement, place)
    if (means === null || 'refusal' in verdict) return verdict
    return this.#decideOne(means, place)
  }

  /** Nothing runs unrecorded: the intent entry, whose number the execution carries to its outcome entry. */
  record(statement: StatementAnalysis, allowed: Allowed, how: string): Execution {
    const members = how === '' ? allowed.policies : `${allowed.policies},${how}`
    const intent = this.#append('intent', members, statement)
    // The journal took nothing in: its backlog is full. What cannot be recorded does not run.
    if (intent === 0) throw unrecordable()
    return { intent, statement, startedAtMs: performance.now(), rows: 0, bytes: 0 }
  }

  /** A statement that PostgreSQL gets to see before it is run, if ever: Parse analyses it there, Bind plans it. */
  recordPrepare(statement: StatementAnalysis, how: string): void {
    this.#append('prepare', how, statement)
  }

  /** A statement that PostgreSQL never sees. */
  recordRefusal(statement: StatementAnalysis, refusal: Refusal): void {
    const { code, message, detail } = refusal.error
    const why = JSON.stringify({ sqlstate: code, refused: { message, detail } }).slice(1, -1)
    this.#append('refusal', why, statement)
  }

  #append(type: 'intent' | 'prepare' | 'refusal', members: string, statement: StatementAnalysis): number {
    const { journal } = this.#services
    const fullIn = this.#fullIn.get(statement)
    if (fullIn !== undefined) {
      const short = this.#services.statementMembers(statement, 'short')
      return journal.append(type, `${members},"fullIn":${String(fullIn)}`, this.#session.members, short)
    }
    const full = this.#services.statementMembers(statement, 'full')
    const seq = journal.append(type, members, this.#session.members, full)
    if (seq > 0 && statement.sql.length > limits.repeatedSqlCharsMax) this.#fullIn.set(statement, seq)
    return seq
  }

  /** What EXECUTE and FETCH stand for: what was prepared or declared under their name, here or earlier. */
  #meaningOf(statement: StatementAnalysis, place: Place): StatementAnalysis | 'undecided' | null {
    const { executes, fetches } = statement.names
    const name = executes ?? fetches
    if (name === null) return null
    if (executes !== null) {
      const prepared = place.prepared.get(name)
      if (prepared !== undefined) return prepared
      return meaning(this.#session.names.prepared(name), (found) => found.statement, statement)
    }
    const declared = place.declared.get(name)
    if (declared !== undefined) return declared
    return meaning(this.#session.names.portal(name), (found) => found.prepared.statement, statement)
  }

  #decideOne(statement: StatementAnalysis, place: Place): Exclude<Verdict, 'undecided'> {
    const { policy } = this.#services
    const { settings, principal, database } = this.#session
    const nowMs = Date.now()
    const minute = policy.usesTime ? Math.floor(nowMs / 60_000) : 0
    const statementCount = place.count
    // While the search path is uncertain a decision is good for this moment only.
    const isCertain = settings.isSettled && !place.followsSetting
    const isKeepable = isCertain && statementCount === 1
    const known = isKeepable ? this.#allowed.get(statement) : undefined
    if (
      known !== undefined &&
      known.version === policy.version &&
      known.epoch === settings.epoch &&
      known.minute === minute
    ) {
      return { allowed: known }
    }
    const { version } = policy
    const searchPath = isCertain ? settings.searchPath : null
    const request: StatementRequest = {
      principal,
      database: database.resource,
      session: this.#sessionFacts(),
      statement,
      statementCount,
      searchPath,
      nowMs,
    }
    const decision = policy.decideStatement(request)
    if (decision.effect === 'deny') {
      const permittedSchema = (searchPath ?? []).find(
        (schema) => policy.decideStatement({ ...request, searchPath: [schema] }).effect === 'allow',
      )
      return { refusal: refusalOfDecision(decision, { ...statement, permittedSchema }) }
    }
    const allowed = { version, epoch: settings.epoch, minute, policies: policiesMember(decision.policies) }
    if (isKeepable) this.#allowed.set(statement, allowed)
    return { allowed }
  }

  /** One object for as long as nothing in it changes: policy knows what comes back by its identity. */
  #sessionFacts(): SessionFacts {
    const { settings, client } = this.#session
    if (this.#facts?.epoch !== settings.epoch) {
      const facts = { clientAddress: client.address, applicationName: settings.application, isTls: client.isTls }
      this.#facts = { epoch: settings.epoch, facts }
    }
    return this.#facts.facts
  }
}

/** What PostgreSQL itself would say of a text that does not parse, for those who may not run what Postern cannot read. */
export function syntaxRefusal(error: NonNullable<TextAnalysis['syntaxError']>): Refusal {
  return refuseWith({ code: sqlstateOf('statement_unparsable'), message: error.message, position: error.position })
}

function unrecordable(): PosternError {
  return new PosternError('journal_unavailable', 'the statement cannot be recorded, so it is not run', {
    hint: 'Try again shortly. If it persists, tell whoever runs this gateway: its log says what to check.',
  })
}

function meaning<T>(
  lookup: Lookup<T>,
  statementOf: (found: T) => StatementAnalysis,
  user: StatementAnalysis,
): StatementAnalysis | 'undecided' {
  if (lookup === 'undecided') return lookup
  if (lookup === 'unknown') return opaqueStatement(user.sql, `${user.kind} of a name that Postern has not seen defined`)
  return statementOf(lookup.found)
}
