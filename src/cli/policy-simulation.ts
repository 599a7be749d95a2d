import { hash } from 'node:crypto'
import type { Entry } from '../audit/entry.ts'
import { memberOf } from '../audit/statement-record.ts'
import type { ClassifiedColumn } from '../core/classification.ts'
import { limits } from '../core/limits.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { createReplayer, isIndirect } from '../policy/policy.ts'
import type { Decider, RecordedStatement, Replayed, Replayer } from '../policy/policy.ts'
import { factsOf, isSame, rebuilt, shapeOf } from './policy-journal.ts'
import type { EntryFacts, RecordedShape } from './policy-journal.ts'
import { effectOf } from './policy-text.ts'
import type { Effect } from './policy-text.ts'
import type { Workbench } from './policy-workbench.ts'

/** In what way something would go differently. */
export type DifferenceKind = 'newly_refused' | 'newly_needs_approval' | 'newly_allowed' | 'newly_masked' | 'newly_shown'

/** What would go differently for one principal by the same policies. */
export interface SimulatedDifference {
  readonly kind: DifferenceKind
  readonly principal: string
  readonly principalKind: string
  readonly database: string
  /** What it was: a command, or `connect`. For masks the column. */
  readonly what: string
  /** Those of the proposed set that make it so; empty where nothing permits it any more. For masks always empty. */
  readonly policies: readonly string[]
  count: number
  /** The first entry of the journal that shows it. */
  readonly example: { readonly seq: number; readonly at: string; readonly resource: string }
  /** Whether the policies in force say the same as the proposed ones, so that it is not the proposal that changes it. */
  readonly isSoAlready: boolean
}

/** What replaying found. */
export interface Simulation {
  readonly sessions: number
  readonly statements: number
  readonly same: number
  readonly differences: readonly SimulatedDifference[]
  /** Differences that were counted and not kept, since there are too many. */
  readonly differencesLeftOut: number
  /** How many entries could not be replayed exactly, by why. */
  readonly notReplayed: ReadonlyMap<string, number>
  /** Statements whose text is recorded in part, or was redacted, and that were replayed by what is recorded beside it. */
  readonly byRecordAlone: number
}

/** Replays entries one by one, and keeps what differs. */
export interface Simulator {
  add(entry: Entry): Promise<void>
  result(): Simulation
}

/** What a simulator compares. */
export interface SimulatorOptions {
  readonly proposed: Decider
  /** The set in force; null where the proposed one is it. Without it nothing is said about masks. */
  readonly inForce: Decider | null
  /** What is taken for the search path where an entry has none; null where nothing is. */
  readonly searchPath: readonly string[] | null
  /** What is taken for the number of statements in a text where an entry has none; null where nothing is. */
  readonly statementCount: number | null
  /** The workbench of a database; null for one that is not configured any more. */
  benchOf(database: string): Promise<Workbench | null>
}

/** Makes a simulator. What many entries share is worked out once. */
export function createSimulator(options: SimulatorOptions): Simulator {
  return new CountingSimulator(options)
}

type Before = Effect | 'other'

/** What becomes of one entry, apart from what was before: the same for all that are alike. */
interface Fate {
  readonly after: Replayed | null
  /** Why it cannot be replayed; null where it can. */
  readonly reason: string | null
  readonly now: Effect | null
  readonly masks: readonly { readonly kind: 'newly_masked' | 'newly_shown'; readonly column: string }[]
  readonly isByRecordAlone: boolean
}

const unplayed = (reason: string): Fate => ({ after: null, reason, now: null, masks: [], isByRecordAlone: false })

class CountingSimulator implements Simulator {
  readonly #options: SimulatorOptions
  readonly #proposed: Replayer
  readonly #inForce: Replayer | null
  readonly #usesTime: boolean
  readonly #differences = new Map<string, SimulatedDifference>()
  readonly #notReplayed = new Map<string, number>()
  #fates = new Map<string, Fate>()
  #sessions = 0
  #statements = 0
  #same = 0
  #leftOut = 0
  #byRecordAlone = 0

  constructor(options: SimulatorOptions) {
    this.#options = options
    this.#proposed = createReplayer(options.proposed)
    this.#inForce = options.inForce === null ? null : createReplayer(options.inForce)
    this.#usesTime = options.proposed.usesTime || options.inForce?.usesTime === true
  }

  async add(entry: Entry): Promise<void> {
    const isSession = entry.type === 'session_started'
    if (isSession) this.#sessions += 1
    else this.#statements += 1
    const facts = factsOf(entry)
    const shape = isSession ? null : shapeOf(entry)
    if (facts === null || (shape === null && !isSession)) return this.#count('the entry lacks what names its statement')
    const before = beforeOf(entry)
    if (before === 'other') return this.#count('it was refused for another reason than policy')
    const fate = await this.#fateOf(entry, facts, shape)
    if (fate.reason !== null || fate.after === null) return this.#count(fate.reason ?? 'it cannot be read')
    if (fate.isByRecordAlone) this.#byRecordAlone += 1
    this.#compare(entry, { facts, before, fate })
  }

  result(): Simulation {
    return {
      sessions: this.#sessions,
      statements: this.#statements,
      same: this.#same,
      differences: [...this.#differences.values()].toSorted((a, b) => b.count - a.count),
      differencesLeftOut: this.#leftOut,
      notReplayed: this.#notReplayed,
      byRecordAlone: this.#byRecordAlone,
    }
  }

  #count(reason: string): void {
    this.#notReplayed.set(reason, (this.#notReplayed.get(reason) ?? 0) + 1)
  }

  async #fateOf(entry: Entry, facts: EntryFacts, shape: RecordedShape | null): Promise<Fate> {
    const atMs = Date.parse(entry.at)
    const tags = [entry['tags'], entry['predicateTags']]
    const all = [facts, shape, tags, entry.type === 'refusal', this.#usesTime ? Math.floor(atMs / 1_000) : 0]
    // A text may be long, and many are kept.
    const key = hash('sha256', JSON.stringify(all), 'base64')
    const known = this.#fates.get(key)
    if (known !== undefined) return known
    const fate = await this.#work(entry, { facts, shape, atMs })
    if (this.#fates.size >= limits.replayedQuestionsMax) this.#fates = new Map()
    this.#fates.set(key, fate)
    return fate
  }

  async #work(
    entry: Entry,
    { facts, shape, atMs }: { facts: EntryFacts; shape: RecordedShape | null; atMs: number },
  ): Promise<Fate> {
    const bench = await this.#options.benchOf(facts.database)
    if (bench === null) return unplayed(`the database ${facts.database} is not in the configuration`)
    const session = { ...facts, database: bench.database.resource, nowMs: atMs }
    if (shape === null) {
      const after = this.#proposed.connect(session)
      return { ...fateOf(after), now: effectIn(this.#inForce?.connect(session)), masks: [], isByRecordAlone: false }
    }
    const read = await statementOf(bench, shape)
    if (read === null) return unplayed('its text is recorded in part or redacted, and it does several things')
    const { statement, isByRecordAlone } = read
    const own = await tagsFor(entry, bench, statement)
    const isWhereKnown = !isByRecordAlone || !['UPDATE', 'DELETE'].includes(shape.kind)
    const recorded: RecordedStatement = {
      ...session,
      ...own,
      statement,
      isWhereKnown,
      statementCount: shape.statementCount ?? this.#options.statementCount,
      searchPath: shape.searchPath ?? this.#options.searchPath,
    }
    const after = this.#proposed.statement(recorded)
    if (isIndirect(statement) && after.decision?.effect === 'allow') {
      return unplayed('what EXECUTE or FETCH ran is not in its entry')
    }
    const now = effectIn(this.#inForce?.statement(recorded))
    return { ...fateOf(after), now, masks: this.#masksOf(recorded, bench), isByRecordAlone }
  }

  #masksOf(recorded: RecordedStatement, bench: Workbench): Fate['masks'] {
    const inForce = this.#inForce
    if (inForce === null) return []
    const relations = recorded.statement.commands.flatMap((command) => command.relations)
    return bench.columnsOf(relations, recorded.searchPath).flatMap((column): Fate['masks'] => {
      const before = inForce.unmask(recorded, column)
      const after = this.#proposed.unmask(recorded, column)
      if (before === after || before === null || after === null) return []
      return [{ kind: after === 'masked' ? 'newly_masked' : 'newly_shown', column: nameOf(column) }]
    })
  }

  #compare(entry: Entry, { facts, before, fate }: { facts: EntryFacts; before: Effect; fate: Fate }): void {
    const decision = fate.after?.decision ?? null
    if (decision === null) return
    const after = effectOf(decision)
    const about = { principal: facts.principal.name, principalKind: facts.principal.kind, database: facts.database }
    const first = { seq: entry.seq, at: entry.at }
    const kind = kindOf(before, after)
    if (kind === null && (fate.masks.length === 0 || after !== 'allow')) this.#same += 1
    if (kind !== null) {
      const policies = decision.policies.map(({ id }) => id)
      const isDenied = decision.effect === 'deny'
      const what = isDenied ? decision.command : entry.type === 'session_started' ? 'connect' : String(entry['kind'])
      const resource = isDenied ? decision.resource : ''
      const isSoAlready = fate.now === after
      this.#note({ ...about, kind, what, policies, isSoAlready, count: 1, example: { ...first, resource } })
    }
    if (after !== 'allow') return
    for (const { kind: mask, column } of fate.masks) {
      const example = { ...first, resource: '' }
      this.#note({ ...about, kind: mask, what: column, policies: [], isSoAlready: false, count: 1, example })
    }
  }

  #note(difference: SimulatedDifference): void {
    const { example: _example, count: _count, ...about } = difference
    const key = JSON.stringify(about)
    const known = this.#differences.get(key)
    if (known !== undefined) known.count += 1
    else if (this.#differences.size < limits.replayedDifferencesMax) this.#differences.set(key, difference)
    else this.#leftOut += 1
  }
}

function fateOf(after: Replayed): Pick<Fate, 'after' | 'reason'> {
  if (after.missing === null) return { after, reason: null }
  return { after, reason: `it depends on what is not recorded: ${after.missing}` }
}

function effectIn(replayed: Replayed | undefined): Effect | null {
  return replayed === undefined || replayed.decision === null ? null : effectOf(replayed.decision)
}

function kindOf(before: Effect, after: Effect): Exclude<DifferenceKind, 'newly_masked' | 'newly_shown'> | null {
  if (before === after) return null
  if (after === 'deny') return 'newly_refused'
  // What was refused for good and may be asked for now is a way in that there was not.
  if (after === 'needs_approval') return before === 'allow' ? 'newly_needs_approval' : 'newly_allowed'
  return 'newly_allowed'
}

/** What became of it then. */
function beforeOf(entry: Entry): Before {
  if (entry.type === 'intent') return entry['approval'] === undefined ? 'allow' : 'needs_approval'
  if (entry.type === 'session_started') return 'allow'
  const message = memberOf(entry['refused'], 'message')
  return typeof message === 'string' && message.endsWith(' is refused by policy') ? 'deny' : 'other'
}

/** The statement by its text where that says what was recorded of it, else by the record alone. */
async function statementOf(
  bench: Workbench,
  shape: RecordedShape,
): Promise<{ statement: StatementAnalysis; isByRecordAlone: boolean } | null> {
  const [analysis, ...others] = shape.isCut ? [] : await bench.analyses(shape.sql)
  if (analysis !== undefined && others.length === 0 && isSame(analysis, shape)) {
    // What could be analysed then is on record; the functions that were known then are not.
    const statement = analysis.opaque === shape.opaque ? analysis : { ...analysis, opaque: shape.opaque }
    return { statement, isByRecordAlone: false }
  }
  const statement = rebuilt(shape)
  return statement === null ? null : { statement, isByRecordAlone: true }
}

/** Tags as recorded. Entries of refusals have none, and are given those of the present classification. */
async function tagsFor(
  entry: Entry,
  bench: Workbench,
  statement: StatementAnalysis,
): Promise<Pick<RecordedStatement, 'tags' | 'predicateTags'>> {
  const texts = (value: unknown) => (Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [])
  if (entry.type !== 'refusal') return { tags: texts(entry['tags']), predicateTags: texts(entry['predicateTags']) }
  const { tags, predicateTags } = await bench.concerning(statement, null)
  return { tags, predicateTags }
}

function nameOf({ schema, relation, column }: ClassifiedColumn): string {
  return `${schema}.${relation}.${column}`
}
