import type { ColumnKey, Oid } from '../core/catalog.ts'
import type { Tag } from '../core/classification.ts'
import { type Holding, noHolding } from '../core/access.ts'
import { commandGroups } from '../core/commands.ts'
import type { SessionFacts } from '../core/decision.ts'
import { PosternError } from '../core/errors.ts'
import { cleanLineage, unknownLineage, type Hazard, type Sources, type StatementLineage } from '../core/lineage.ts'
import type { Principal } from '../core/principal.ts'
import type { CommandName, StatementAnalysis } from '../core/statement.ts'
import { copyInRefusal, placeholderWritten, shown } from './copy-in.ts'
import type { SessionHolding } from './holding.ts'
import type { SchemaNow } from './session-catalog.ts'
import type {
  Decides,
  GatewayDatabase,
  IsName,
  MaskedResult,
  ProtectedSchema,
  Protects,
  Redaction,
} from './services.ts'

/**
 * What a statement does with classified columns, and what of that its principal may not see. One object for as long as
 * nothing in it changes, so that masks which were planned for it can be found by it.
 */
export interface Protected extends Omit<MaskedResult, 'clientEncoding'> {
  readonly schema: ProtectedSchema
  readonly lineage: StatementLineage
  /** Whether what it returns has to be looked at column by column. */
  readonly isMasking: boolean
  /** Whether errors and notices could show what the principal may not see. */
  readonly isScrubbing: boolean
  readonly redaction: Redaction
  /** Tags of the classified columns that it touches, and of those that decide which rows there are. */
  readonly tags: readonly Tag[]
  readonly predicateTags: readonly Tag[]
  /** The members that its entries carry, each preceded by a comma. */
  readonly members: string
  /** By what it was decided what of it is masked. */
  readonly basis: Basis
}

/** What decides which columns are masked, with what was decided by it so far. */
export interface Basis {
  readonly version: number
  readonly epoch: number
  readonly minute: number
  /** The key of the schema. */
  readonly schema: string
  readonly holding: Holding
  readonly decided: Map<ColumnKey, boolean>
}

/** Whose eyes, and by which policies they see. */
export interface Viewer {
  readonly principal: Principal
  readonly database: Pick<GatewayDatabase, 'resource'>
  readonly policy: Decides
  readonly holding: SessionHolding
  readonly facts: () => SessionFacts
  /** `epoch` grows when one of them changes, and the facts may with them. */
  readonly settings: { readonly epoch: number; readonly answerEncoding: string }
}

/** What one session may see of what is classified. */
export class SessionView {
  readonly #viewer: Viewer
  readonly #protects: Protects
  /** Everything below is good for one policy version, epoch, minute, schema and holding. */
  #basis: Basis = { version: -1, epoch: -1, minute: -1, schema: '', holding: noHolding, decided: new Map() }
  #seesAll: boolean | null = null
  #protected = new WeakMap<StatementAnalysis, Protected[]>()

  constructor(protects: Protects, viewer: Viewer) {
    this.#protects = protects
    this.#viewer = viewer
  }

  /** The same object for as long as nothing changes by which columns are masked. */
  basisFor(schema: ProtectedSchema): object {
    this.#renew(schema)
    return this.#basis
  }

  /** Who does not see everything waits until it is certain what a statement's names mean. */
  readonly patience = { isPatient: (schema: ProtectedSchema): boolean => !this.seesAll(schema) }

  /** Whether a name is one that the catalog shows anyway. */
  get isName(): IsName {
    return this.#protects.isName
  }

  /** Whether there is nothing classified that the principal may not see. */
  seesAll(schema: ProtectedSchema): boolean {
    this.#renew(schema)
    const seesAll = this.#seesAll ?? ![...schema.columns.keys()].some((key) => this.#isMaskedColumn(key, schema))
    this.#seesAll = seesAll
    return seesAll
  }

  /** Whether any of these columns is one that the principal may not see. */
  isMasked(sources: Sources, schema: ProtectedSchema): boolean {
    if (sources === 'unknown') return !this.seesAll(schema)
    if (sources.size === 0) return false
    this.#renew(schema)
    for (const key of sources) if (this.#isMaskedColumn(key, schema)) return true
    return false
  }

  /** Whether whatever is masked of it now was masked as well when it was looked at. */
  wasMasked(made: Protected): boolean {
    const { basis, lineage, schema, isScrubbing } = made
    this.#renew(schema)
    if (basis === this.#basis) return true
    if (!isScrubbing && this.isMasked(lineage.touched, schema)) return false
    const outputs = lineage.anyOutput === 'unknown' ? schema.columns.keys() : lineage.anyOutput
    for (const key of outputs) {
      if (this.#isMaskedColumn(key, schema) && !this.#wasMaskedColumn(key, made)) return false
    }
    return true
  }

  /** Traces a statement; a promise where its text is too large for the event loop. */
  protect(
    statement: StatementAnalysis,
    at: { readonly now: SchemaNow; readonly searchPath: readonly string[] | null },
  ): Protected | Promise<unknown> {
    const { schema, isCertain } = at.now
    this.#renew(schema)
    if (isHarmless(statement)) return this.#protectedBy(statement, schema, cleanLineage)
    if (!isCertain && !makesRelation(statement)) return this.#protectedBy(statement, schema, uncertainLineage)
    if (!isText(statement)) return this.#protectedBy(statement, schema, untraceable(statement))
    const traced = this.#protects.trace(statement, { schema, searchPath: at.searchPath })
    if (traced instanceof Promise) return traced
    // Whoever may run it all the same hands on tags as far as they are known; what is not known has all of them.
    const lineage = isCertain ? traced : { ...uncertainLineage, creates: traced.creates }
    return this.#protectedBy(statement, schema, lineage)
  }

  /** What EXECUTE and FETCH come to: what they stand for, as this statement uses it. */
  combine(statement: StatementAnalysis, own: Protected, means: Protected): Protected {
    const { kind } = statement
    if (kind === 'EXECUTE' || kind === 'FETCH' || kind === 'MOVE') return means
    const { lineage } = means
    const isExplain = kind === 'EXPLAIN'
    const keeps: Hazard = {
      reason: `keeps what ${statement.names.executes ?? 'a prepared statement'} returns`,
      columns: lineage.anyOutput,
    }
    return this.#make(own.schema, {
      ...lineage,
      outputs: own.lineage.outputs,
      anyOutput: own.lineage.anyOutput,
      hazards: isExplain ? lineage.hazards : [...lineage.hazards, ...own.lineage.hazards, keeps],
      creates: null,
      changesCatalog: own.lineage.changesCatalog || lineage.changesCatalog,
    })
  }

  /** Why the principal may not run it, or null. `followsSetting` is behind a change of settings in its own text. */
  refusal(protection: Protected, options: { followsSetting: boolean }): PosternError | null {
    const { lineage, schema, isMasking } = protection
    const encoding = options.followsSetting ? '' : this.#viewer.settings.answerEncoding
    if (isMasking && lineage.copyOut !== null && !this.#protects.canMaskCopy(encoding)) {
      const why = encoding === '' ? 'is not certain' : `is ${encoding}`
      return new PosternError('feature_refused', `COPY data cannot be masked while client_encoding ${why}`, {
        hint:
          encoding === ''
            ? 'Send what may change settings before it, as a text of its own.'
            : "SET client_encoding = 'UTF8' first.",
      })
    }
    const hazard = lineage.hazards.find(
      ({ columns, unlessMasked }) =>
        this.isMasked(columns, schema) &&
        (unlessMasked === undefined || !this.isMasked(new Set([unlessMasked]), schema)),
    )
    if (hazard !== undefined) return this.#hazardRefusal(hazard, schema)
    return copyInRefusal(protection, this.#protects, encoding)
  }

  /** Why these values may not be written: they are what masking put in the place of others. */
  writeRefusal(
    { lineage, schema }: Protected,
    parameter: ((number: number, likelyType: Oid) => string | null) | null,
  ): PosternError | null {
    for (const write of lineage.writes) {
      if (!this.isMasked(new Set([write.target]), schema)) continue
      const texts =
        parameter === null
          ? write.constants
          : write.parameters.map((number) => parameter(number, this.#protects.typeOf(write.target)))
      if (!texts.some((text) => this.#protects.isPlaceholder(text, write))) continue
      return placeholderWritten(shown(write.target, schema), null)
    }
    return null
  }

  /** The same for the arguments of EXECUTE, which are literals of its text. */
  argumentRefusal(protection: Protected, sql: string): PosternError | null {
    for (const text of this.#protects.literalsOf(sql)) {
      const error = this.writeRefusal(protection, () => text)
      if (error !== null) return error
    }
    return null
  }

  #protectedBy(statement: StatementAnalysis, schema: ProtectedSchema, lineage: StatementLineage): Protected {
    let known = this.#protected.get(statement)
    if (known === undefined) {
      known = []
      this.#protected.set(statement, known)
    }
    for (const each of known) if (each.lineage === lineage) return each
    const made = this.#make(schema, lineage)
    // One text has few lineages at a time: one for each search path it is run under.
    if (known.length >= 8) known.length = 0
    known.push(made)
    return made
  }

  #make(schema: ProtectedSchema, lineage: StatementLineage): Protected {
    const isMasked = (sources: Sources): boolean => this.isMasked(sources, schema)
    const tags = tagsOf(lineage.touched, schema)
    const predicateTags = tagsOf(lineage.predicates, schema)
    const isTouching = lineage.touched === 'unknown' || lineage.touched.size > 0 || predicateTags.length > 0
    const member = (name: string, values: readonly string[]): string =>
      values.length === 0 ? '' : `,"${name}":${JSON.stringify(values)}`
    return {
      schema,
      lineage,
      isMasked,
      isMasking: isMasked(lineage.anyOutput),
      isScrubbing: isMasked(lineage.touched) || isMasked(lineage.anyOutput),
      redaction: isTouching ? 'redacted' : 'screened',
      tags,
      predicateTags,
      members: member('tags', tags) + member('predicateTags', predicateTags),
      basis: this.#basis,
    }
  }

  #isMaskedColumn(key: ColumnKey, schema: ProtectedSchema): boolean {
    const { decided, holding } = this.#basis
    const known = decided.get(key)
    if (known !== undefined) return known
    const isMasked = this.#decideMasked(key, schema, holding)
    decided.set(key, isMasked)
    return isMasked
  }

  /** Not every column was asked about then; by the same policies it can be asked now what they would have said. */
  #wasMaskedColumn(key: ColumnKey, { basis, schema }: Protected): boolean {
    const known = basis.decided.get(key)
    if (known !== undefined) return known
    const { version, epoch, minute } = this.#basis
    const isAskable = basis.version === version && basis.epoch === epoch && basis.minute === minute
    return isAskable && this.#decideMasked(key, schema, basis.holding)
  }

  #decideMasked(key: ColumnKey, schema: ProtectedSchema, holding: Holding): boolean {
    const column = schema.columns.get(key)
    const { principal, database, policy, facts } = this.#viewer
    return (
      // A column that is gone has no tags to ask policy about.
      column === undefined ||
      policy.decideUnmask({
        principal,
        accessRoles: holding.roles,
        database: database.resource,
        session: facts(),
        column,
        nowMs: Date.now(),
      }) === 'masked'
    )
  }

  #renew(schema: ProtectedSchema): void {
    const { policy, settings } = this.#viewer
    const nowMs = Date.now()
    const minute = policy.usesTime ? Math.floor(nowMs / 60_000) : 0
    const holding = this.#viewer.holding.at(nowMs)
    const basis = this.#basis
    if (
      basis.schema === schema.key &&
      basis.version === policy.version &&
      basis.epoch === settings.epoch &&
      basis.minute === minute &&
      basis.holding === holding
    ) {
      return
    }
    const { version } = policy
    this.#basis = { version, epoch: settings.epoch, minute, schema: schema.key, holding, decided: new Map() }
    this.#seesAll = null
    this.#protected = new WeakMap()
  }

  #hazardRefusal({ reason, columns }: Hazard, schema: ProtectedSchema): PosternError {
    const masked =
      columns === 'unknown' ? [] : [...columns].filter((key) => this.isMasked(new Set([key]), schema)).slice(0, 5)
    const names = masked.map((key) => shown(key, schema)).join(', ')
    const tags = tagsOf(new Set(masked), schema).join(', ')
    return new PosternError('masking_refused', `the statement is refused, because it ${reason}`, {
      detail:
        masked.length === 0
          ? 'There are columns in this database whose values you may not see, and it cannot be ruled out that they would be shown or copied.'
          : `You may not see the values of ${names}.`,
      hint:
        tags === ''
          ? 'Write it in a way that can be followed, or ask for access that unmasks what is classified here.'
          : `Leave what is masked out of it, or ask for access that unmasks ${tags}.`,
    })
  }
}

/** A statement that follows what may have changed the catalog: nobody can say what its names mean. */
const uncertainLineage = unknownLineage('follows a change of the catalog before the outcome of that change is known')

function untraceable(statement: StatementAnalysis): StatementLineage {
  return unknownLineage(`cannot be analysed (${statement.opaque ?? 'unknown'})`)
}

/** What was read as SQL; the rest is a text that was not certain or no text at all. */
function isText({ kind }: StatementAnalysis): boolean {
  return kind !== 'OPAQUE' && kind !== 'FUNCTION CALL'
}

/** CREATE TABLE AS and its like. */
function makesRelation({ commands }: StatementAnalysis): boolean {
  return commands.some(({ name }) => making.has(name))
}

const making: ReadonlySet<CommandName> = new Set(['CREATE TABLE AS', 'SELECT INTO', 'CREATE MATERIALIZED VIEW'])

/** Transaction control, SET, SHOW and the like read no relation and call nothing. */
function isHarmless({ commands, opaque, names, functions }: StatementAnalysis): boolean {
  return (
    opaque === null &&
    functions.length === 0 &&
    names.executes === null &&
    names.prepares === null &&
    names.declares === null &&
    commands.every(({ name, relations }) => relations.length === 0 && commandGroups.get(name) === 'session')
  )
}

function tagsOf(sources: Sources, schema: ProtectedSchema): readonly Tag[] {
  const tags = new Set<Tag>()
  const keys = sources === 'unknown' ? schema.columns.keys() : sources
  for (const key of keys) for (const tag of schema.columns.get(key)?.tags ?? []) tags.add(tag)
  return [...tags].sort()
}
