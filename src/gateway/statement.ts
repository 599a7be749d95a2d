import type { SessionFacts, StatementRequest } from '../core/decision.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { opaqueStatement, type StatementAnalysis, type TextAnalysis } from '../core/statement.ts'
import { readStatementText } from './lexing.ts'
import { needsOf, type UsedApproval } from './needs.ts'
import type { Execution, Portal } from './operations.ts'
import type { Protected } from './protection.ts'
import {
  accessRolesMember,
  boundText,
  parameterRedaction,
  policiesMember,
  redactedSql,
  type RedactsParameter,
} from './record.ts'
import { refusalOf, refusalOfDecision, type Refusal } from './refusal.ts'
import type { IsName, Redaction, Services, StatementForm } from './services.ts'
import {
  type Allowed,
  alone,
  impatience,
  type KnownProtection,
  type Meaning,
  meaning,
  needed,
  type Place,
  type StatementContext,
  type Verdict,
  withMeaning,
} from './statement-parts.ts'
import { forgery, renamedStatement } from './forged-identity.ts'
import { catalogUnavailable, creationRefusal, unrecordable } from './statement-refusals.ts'

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
  readonly #redactions = new WeakMap<StatementAnalysis, Redaction>()
  /** What a statement came to when it was looked at last, and by what: mostly nothing has changed since. */
  readonly #known = new WeakMap<StatementAnalysis, KnownProtection>()
  /** The schema under which a statement's unknown names were looked for in a fresh snapshot. */
  readonly #refreshedFor = new WeakMap<StatementAnalysis, string>()
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
    const { database } = this.#session
    const forged = forgery(means === null ? [statement] : [statement, means.statement], {
      showsIdentity: database.showsIdentity,
      renames: () => place.count === 1 && means === null && this.renamed(statement) !== null,
    })
    if (forged !== null) return { refusal: refusalOf(forged) }
    const protection = this.#protect(statement, means, place)
    if (protection === 'undecided') return protection
    if (protection instanceof PosternError) return { refusal: refusalOf(protection) }
    const verdict = this.#decideOne(statement, { place, protection, fixed: means?.fixed ?? null })
    const others = means === null || 'refusal' in verdict ? verdict : this.#decideMeaning(means, place, protection)
    if ('refusal' in verdict) return verdict
    if ('refusal' in others) return others
    const needs = needed(statement, { means, own: verdict.allowed, others: others.allowed })
    const allowed = withMeaning(others.allowed, { needs, means })
    if (protection === null || this.#session.protection === null) return { allowed }
    const { view } = this.#session.protection
    const error =
      view.refusal(protection, place) ??
      view.writeRefusal(protection, null) ??
      creationRefusal(protection, this.#session.protection)
    if (error !== null) return { refusal: refusalOf(error) }
    const refused = statement.names.executes === null ? null : this.#checkArguments(statement, protection)
    return refused ?? { allowed }
  }

  /** What goes to PostgreSQL instead of a statement that sets `application_name`, where that says who it is. */
  renamed(statement: StatementAnalysis): string | null {
    const { database, settings, principal } = this.#session
    return database.showsIdentity ? renamedStatement(statement, { principal, settings }) : null
  }

  /** Whether the parameters of a Bind are what masking put in the place of values; null where they are not. */
  checkParameters(portal: Portal, protection: Protected | null): Refusal | null {
    const { bind, prepared } = portal
    if (protection === null || this.#session.protection === null || bind === null) return null
    const declaredTypes = prepared.parameterTypes
    const error = this.#session.protection.view.writeRefusal(protection, (number, likelyType) =>
      boundText(bind, { index: number - 1, declaredTypes, likelyType }),
    )
    return error === null ? null : refusalOf(error)
  }

  /** Nothing runs unrecorded: the intent entry, whose number the execution carries to its outcome entry. */
  record(
    statement: StatementAnalysis,
    allowed: Allowed,
    how: { readonly members: string; readonly portal: Portal | null; readonly approval: UsedApproval | null },
  ): Execution {
    const { protection, fixed } = allowed
    const { approval } = how
    // Whoever calls has seen to it; this is the last place where it could be forgotten.
    const isCovered = approval !== null || how.portal?.isApproved === true
    if (allowed.needs !== null && !isCovered) throw new Error('what needs approval was not approved')
    const approved = approval === null ? '' : `,"approval":${JSON.stringify(approval)}`
    const members = (how.members === '' ? allowed.members : `${allowed.members},${how.members}`) + approved
    const intent = this.#append('intent', members, statement)
    // The journal took nothing in: its backlog is full. What cannot be recorded does not run.
    if (intent === 0) throw unrecordable()
    const { portal } = how
    const fixedThen = fixed ?? portal?.protection ?? null
    return {
      intent,
      statement,
      startedAtMs: performance.now(),
      rows: 0,
      bytes: 0,
      protection,
      fixed: fixedThen === protection ? null : fixedThen,
      allowed,
      portal,
      isApproved: approval !== null,
      masks: undefined,
      copyMasker: null,
    }
  }

  /**
   * Whether a statement that runs would still be let through as it was, by what is held and policy says now. It is asked
   * about as it was understood when it began: names and catalog may have changed since, by itself even.
   */
  mayGoOn({ statement, allowed, protection, fixed, isApproved }: Execution): boolean {
    const { means, searchPath } = allowed
    const at = { place: alone, protection, fixed: null, searchPath }
    const own = this.#decideOne(statement, at)
    const others = means === null ? own : this.#decideOne(means.statement, at)
    if ('refusal' in own || 'refusal' in others) return false
    const needs = needed(statement, { means, own: own.allowed, others: others.allowed })
    if (needs !== null && !isApproved) return false
    if (protection === null || this.#session.protection === null) return true
    const { view } = this.#session.protection
    // What its rows are masked by was fixed when it began: where more is masked now, that is too little.
    const isMaskedEnough = view.wasMasked(protection) && (fixed === null || view.wasMasked(fixed))
    return isMaskedEnough && view.refusal(protection, alone) === null
  }

  /** The schema in force, by its key; null in a database without classification. */
  get schemaKey(): string | null {
    const { protection } = this.#session
    if (protection === null) return null
    const now = protection.catalog.now(impatience)
    return typeof now === 'object' ? now.schema.key : null
  }

  /** A statement that may change the catalog goes to PostgreSQL. */
  noteCatalogChange(execution: Execution): void {
    this.#session.protection?.catalog.changeSent(execution)
  }

  parameterRedactionOf(statement: StatementAnalysis): RedactsParameter {
    return parameterRedaction(this.redactionOf(statement), this.#services.redaction)
  }

  /** How much of the values of a statement's text and parameters goes on record. */
  redactionOf(statement: StatementAnalysis): Redaction {
    if (this.#session.protection === null) return 'none'
    return this.#redactions.get(statement) ?? 'redacted'
  }

  /** A statement's text as it is recorded, for those who may not see the values in it. */
  redactedText(statement: StatementAnalysis): string {
    const by = { redaction: this.redactionOf(statement), redacts: this.#services.redaction, isName: this.#isName }
    return redactedSql(statement, by).sql
  }

  get #isName(): IsName | undefined {
    return this.#session.protection?.view.isName
  }

  /** A statement that PostgreSQL gets to see before it is run, if ever: Parse analyses it there, Bind plans it. */
  recordPrepare(statement: StatementAnalysis, how: string): void {
    this.#append('prepare', how, statement)
  }

  /** A statement that PostgreSQL never sees. */
  recordRefusal(statement: StatementAnalysis, refusal: Refusal): void {
    const { code, message, detail } = refusal.error
    const why = JSON.stringify({ sqlstate: code, refused: { message, detail } }).slice(1, -1)
    this.#append('refusal', why + accessRolesMember(this.#session.holding.at(Date.now()).roles), statement)
  }

  #membersOf(statement: StatementAnalysis, form: StatementForm): Buffer {
    return this.#services.statementMembers(statement, form, this.redactionOf(statement), this.#isName)
  }

  #append(type: 'intent' | 'prepare' | 'refusal', members: string, statement: StatementAnalysis): number {
    const { journal } = this.#services
    const fullIn = this.#fullIn.get(statement)
    if (fullIn !== undefined) {
      const short = this.#membersOf(statement, 'short')
      return journal.append(type, `${members},"fullIn":${String(fullIn)}`, this.#session.members, short)
    }
    const full = this.#membersOf(statement, 'full')
    const seq = journal.append(type, members, this.#session.members, full)
    if (seq > 0 && statement.sql.length > limits.repeatedSqlCharsMax) this.#fullIn.set(statement, seq)
    return seq
  }

  /** What EXECUTE and FETCH stand for: what was prepared or declared under their name, here or earlier. */
  #meaningOf(statement: StatementAnalysis, place: Place): Meaning | 'undecided' | null {
    const { executes, fetches } = statement.names
    const name = executes ?? fetches
    if (name === null) return null
    if (executes !== null) {
      const prepared = place.prepared.get(name)
      if (prepared !== undefined) return { statement: prepared, fixed: null, isApproved: false }
      const lookup = this.#session.names.prepared(name)
      return meaning(lookup, (found) => ({ statement: found.statement, fixed: null, isApproved: false }), statement)
    }
    const declared = place.declared.get(name)
    // Behind its DECLARE in the same text, it is asked for with that.
    if (declared !== undefined) return { statement: declared, fixed: null, isApproved: false }
    const lookup = this.#session.names.portal(name)
    return meaning(
      lookup,
      ({ prepared, protection, isApproved }) => ({ statement: prepared.statement, fixed: protection, isApproved }),
      statement,
    )
  }

  /** What it does with classified columns; null in a database without. An error where that cannot be said at all. */
  #protect(
    statement: StatementAnalysis,
    means: Meaning | null,
    place: Place,
  ): Protected | 'undecided' | PosternError | null {
    const { protection, settings } = this.#session
    if (protection === null) return null
    const { view, catalog } = protection
    const now = catalog.now(view.patience)
    if (now === 'undecided') return now
    if (now === 'unavailable') return catalogUnavailable()
    const searchPath = settings.isSettled && !place.followsSetting ? settings.searchPath : null
    const basis = view.basisFor(now.schema)
    const isPlain = now.isCertain && !place.followsChange && means === null
    const known = isPlain ? this.#known.get(statement) : undefined
    if (known?.basis === basis && known.schema === now.schema && known.searchPath === searchPath) {
      return known.protection
    }
    const at = { now: place.followsChange ? { ...now, isCertain: false } : now, searchPath }
    const own = view.protect(statement, at)
    const whole = means === null ? own : view.protect(means.statement, at)
    if (own instanceof Promise || whole instanceof Promise) {
      protection.waitFor(Promise.all([own, whole]))
      return 'undecided'
    }
    if (at.now.isCertain && own.lineage.missing.length + whole.lineage.missing.length > 0) {
      if (this.#refreshedFor.get(statement) !== now.schema.key) {
        this.#refreshedFor.set(statement, now.schema.key)
        catalog.refreshForMissing()
        return 'undecided'
      }
    }
    const combined = means === null ? own : view.combine(statement, own, whole)
    this.#redactions.set(statement, combined.redaction)
    if (isPlain) this.#known.set(statement, { schema: now.schema, basis, searchPath, protection: combined })
    return combined
  }

  #decideMeaning(means: Meaning, place: Place, protection: Protected | null): Exclude<Verdict, 'undecided'> {
    return this.#decideOne(means.statement, { place, protection, fixed: means.fixed })
  }

  /** The arguments of EXECUTE are constants in its text. */
  #checkArguments(statement: StatementAnalysis, protection: Protected): { readonly refusal: Refusal } | null {
    const view = this.#session.protection?.view
    if (view === undefined || protection.lineage.writes.length === 0) return null
    const error = view.argumentRefusal(protection, statement.sql)
    return error === null ? null : { refusal: refusalOf(error) }
  }

  #decideOne(
    statement: StatementAnalysis,
    at: {
      readonly place: Place
      readonly protection: Protected | null
      readonly fixed: Protected | null
      /** The one by which it began, where it runs already. */
      readonly searchPath?: readonly string[] | null
    },
  ): Exclude<Verdict, 'undecided'> {
    const { place, protection, fixed } = at
    const { policy } = this.#services
    const { settings, principal, database } = this.#session
    const nowMs = Date.now()
    const holding = this.#session.holding.at(nowMs)
    const minute = policy.usesTime ? Math.floor(nowMs / 60_000) : 0
    const statementCount = place.count
    // While the search path is uncertain a decision is good for this moment only.
    const isCertain = settings.isSettled && !place.followsSetting
    const isKeepable = isCertain && statementCount === 1 && at.searchPath === undefined
    const known = isKeepable ? this.#allowed.get(statement) : undefined
    if (
      known !== undefined &&
      known.version === policy.version &&
      known.holding === holding &&
      known.epoch === settings.epoch &&
      known.minute === minute &&
      known.protection === protection &&
      known.fixed === fixed
    ) {
      return { allowed: known }
    }
    const { version } = policy
    const searchPath = at.searchPath !== undefined ? at.searchPath : isCertain ? settings.searchPath : null
    const request: StatementRequest = {
      principal,
      accessRoles: holding.roles,
      database: database.resource,
      session: this.sessionFacts(),
      statement,
      statementCount,
      searchPath,
      tags: protection?.tags ?? [],
      predicateTags: protection?.predicateTags ?? [],
      nowMs,
    }
    const decision = policy.decideStatement(request)
    const isAskable = this.#services.approvals !== null
    const needs =
      decision.effect === 'deny' && decision.reason === 'needs_approval' && isAskable
        ? needsOf(decision, statement)
        : null
    if (decision.effect === 'deny' && needs === null) {
      const permittedSchema = (searchPath ?? []).find(
        (schema) => policy.decideStatement({ ...request, searchPath: [schema] }).effect === 'allow',
      )
      return { refusal: refusalOfDecision(decision, { ...statement, permittedSchema }) }
    }
    const members = policiesMember(decision.policies) + accessRolesMember(holding.roles) + (protection?.members ?? '')
    const { epoch } = settings
    const allowed = { version, epoch, minute, holding, needs, members, protection, fixed, means: null, searchPath }
    if (isKeepable) this.#allowed.set(statement, allowed)
    return { allowed }
  }

  /** One object for as long as nothing in it changes: policy knows what comes back by its identity. */
  sessionFacts(): SessionFacts {
    const { settings, client } = this.#session
    if (this.#facts?.epoch !== settings.epoch) {
      const facts = { clientAddress: client.address, applicationName: settings.application, isTls: client.isTls }
      this.#facts = { epoch: settings.epoch, facts }
    }
    return this.#facts.facts
  }
}
