import type { Identified, ReadableStore, StoreChange } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { compareRevocations, compareRow, namesOf, type RowDifference } from './compare-rows.ts'
import { MergedChanges, type ChangeDifference, type JournalledChange } from './compare-changes.ts'
import { beginningOf, Replay, type Expected, type Told } from './replay.ts'
import { Tally } from './tally.ts'

export type { RowDifference } from './compare-rows.ts'
export type { ChangeDifference, JournalledChange } from './compare-changes.ts'

/** One place where the store and the journals say different things. */
export type Difference = ChangeDifference | RowDifference

/** What a comparison begins and ends with. */
export interface ComparisonOptions {
  /** Now, which says what need not be kept any more; the clock's unless told. */
  readonly nowMs?: number
  /** The last change that is looked at; the newest one unless told. */
  readonly untilSeq?: number
  /** Changes from before that are taken at the store's word: the journals begin later. */
  readonly beginsAtMs?: number
}

/** Entries of journals; read a second time where rows are there that none of them seems to tell of. */
export type Entries = AsyncIterable<JournalledChange> | Iterable<JournalledChange>

const batchRows = 200
const pageRows = 1_000

/**
 * Checks the store against the entries of all journals: its list of changes against them, and its requests, approvals,
 * grants, tokens and revocations against what they tell. Memory is for what is not over, and for entries as far as they
 * are not in the order of changes. What changes meanwhile is left out. Reports at most `limits.differencesMax`.
 */
export async function compareWithJournal(
  store: Pick<ReadableStore, 'changesAfter' | 'read'>,
  entries: Entries,
  options: ComparisonOptions = {},
): Promise<readonly Difference[]> {
  const { nowMs = Date.now(), beginsAtMs = -Infinity } = options
  const untilSeq = options.untilSeq ?? (await store.read(async (reads) => reads.lastChange()))
  const merged = new MergedChanges(store, { untilSeq, beginsAtMs })
  const rows = new Rows(store, nowMs)
  const replay = new Replay()
  for await (const told of merged.read(entries)) {
    rows.begin(told)
    const over = replay.take(told)
    if (over !== null) await rows.add(over)
  }
  for (const open of replay.open()) await rows.add(open)
  await rows.flush()
  await rows.compareRevocations(replay.revocations)
  rows.found.push(...(await rows.strays(entries)))
  const meanwhile = await touchedAfter(store, untilSeq)
  const differences: Difference[] = [
    ...merged.differences(),
    ...rows.found.filter(({ of, id }) => !meanwhile.has(of === 'revocation' ? 'revocations' : id)),
  ]
  return differences.sort((a, b) => (a.change ?? Infinity) - (b.change ?? Infinity)).slice(0, limits.differencesMax)
}

/** Compares things with their rows, some at a time, and ids with ids. */
class Rows {
  readonly #store: Pick<ReadableStore, 'changesAfter' | 'read'>
  readonly #nowMs: number
  readonly #tallies: Readonly<Record<Identified, Tally>> = {
    requests: new Tally(),
    grants: new Tally(),
    tokens: new Tally(),
  }
  #batch: Expected[] = []
  readonly found: RowDifference[] = []

  constructor(store: Pick<ReadableStore, 'changesAfter' | 'read'>, nowMs: number) {
    this.#store = store
    this.#nowMs = nowMs
  }

  begin(told: Told): void {
    const beginning = beginningOf(told)
    if (beginning !== null) this.#tallies[beginning.of].add(beginning.id)
  }

  async add(expected: Expected): Promise<void> {
    this.#batch.push(expected)
    if (this.#batch.length >= batchRows) await this.flush()
  }

  async flush(): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    try {
      await this.#compare(batch)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      // One row among them has no shape; each by itself tells which.
      for (const expected of batch) await this.#compareAlone(expected)
    }
  }

  async #compareAlone(expected: Expected): Promise<void> {
    try {
      await this.#compare([expected])
    } catch (error) {
      if (!isUnreadable(error)) throw error
      const { of, id, change } = expected
      this.#add([{ of: namesOf[of], id, what: 'unreadable', members: [], change }])
    }
  }

  async compareRevocations(told: readonly Told[]): Promise<void> {
    try {
      this.#add(compareRevocations(told, await this.#store.read(async (reads) => reads.revocations())))
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.#add([{ of: 'revocation', id: '', what: 'unreadable', members: [], change: null }])
    }
  }

  async #compare(batch: readonly Expected[]): Promise<void> {
    if (batch.length === 0) return
    const nowMs = this.#nowMs
    const compared = await this.#store.read(async (reads) => {
      const results: { readonly expected: Expected; readonly row: Awaited<ReturnType<typeof compareRow>> }[] = []
      for (const expected of batch) results.push({ expected, row: await compareRow(reads, expected, { nowMs }) })
      return results
    })
    for (const { expected, row } of compared) {
      if (!row.isThere && expected.begun !== null) this.#tallies[expected.of].take(expected.id)
      this.#add(row.differences)
    }
  }

  #add(differences: readonly RowDifference[]): void {
    if (this.found.length < limits.differencesMax) this.found.push(...differences)
  }

  /** Rows that nothing began. */
  async strays(entries: Entries): Promise<readonly RowDifference[]> {
    const strays: RowDifference[] = []
    for (const table of ['requests', 'grants', 'tokens'] as const) {
      const tally = this.#tallies[table]
      for await (const id of this.#ids(table)) tally.take(id)
      if (tally.agrees()) continue
      // Only ids at places where the two sides do not agree are kept in memory.
      const begun = new Set<string>()
      const keep = (told: Pick<Told, 'type' | 'facts'>): void => {
        const beginning = beginningOf(told)
        if (beginning?.of === table && !tally.agreesOn(beginning.id)) begun.add(beginning.id)
      }
      for await (const entry of entries) keep(entry)
      for await (const change of changesAfter(this.#store, 0)) keep(change)
      for await (const id of this.#ids(table)) {
        if (tally.agreesOn(id) || begun.has(id)) continue
        strays.push({ of: namesOf[table], id, what: 'without_entry', members: [], change: null })
        if (strays.length >= limits.differencesMax) return strays
      }
    }
    return strays
  }

  async *#ids(of: Identified): AsyncGenerator<string> {
    let after: string | null = null
    for (;;) {
      const last: string | null = after
      const ids: readonly string[] = await this.#store.read(async (reads) => reads.idsAfter(of, last, pageRows))
      yield* ids
      if (ids.length < pageRows) return
      after = ids.at(-1) ?? null
    }
  }
}

/** What changes behind a number speak of: it may be newer than what was replayed. */
async function touchedAfter(
  store: Pick<ReadableStore, 'changesAfter'>,
  untilSeq: number,
): Promise<ReadonlySet<unknown>> {
  const touched = new Set<unknown>()
  for await (const { type, facts } of changesAfter(store, untilSeq)) {
    for (const member of ['request', 'grant', 'token']) touched.add(facts[member])
    if (type === 'principal_revoked') touched.add('revocations')
  }
  touched.delete(undefined)
  touched.delete(null)
  return touched
}

async function* changesAfter(store: Pick<ReadableStore, 'changesAfter'>, after: number): AsyncGenerator<StoreChange> {
  let seq = after
  for (;;) {
    const changes = await store.changesAfter(seq, pageRows)
    yield* changes
    seq = changes.at(-1)?.seq ?? seq
    if (changes.length < pageRows) return
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof PosternError && error.code === 'internal'
}
