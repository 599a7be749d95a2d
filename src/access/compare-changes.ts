import type { ReadableStore, StoreChange } from '../core/control-store.ts'
import { limits } from '../core/limits.ts'
import { digestOf } from './canonical.ts'
import type { Told } from './replay.ts'

/** A journal entry of a change of the store. */
export interface JournalledChange {
  readonly type: string
  /** The number of the change. */
  readonly change: number
  readonly facts: Readonly<Record<string, unknown>>
}

/** A change that the store and the journals do not say the same of. */
export interface ChangeDifference {
  readonly of: 'change'
  readonly change: number
  readonly what:
    /** The store says that a journal has it. */
    | 'not_in_journal'
    | 'not_in_store'
    /** It is in journals several times, and not always the same. */
    | 'journalled_differently'
    | 'differs'
    /** A journal has it, and the store does not know that yet. */
    | 'not_marked'
    /** No journal has it yet. */
    | 'not_journalled_yet'
  /** Empty where nothing says what it was. */
  readonly type: string
}

interface Unmatched {
  readonly type: string
  readonly digest: string
  readonly isJournalled: boolean
}

const pageRows = 1_000

/**
 * The changes of a store and the entries of its journals as one sequence, in the order of changes: of each what the
 * journal says, or else what the store does. Entries that come out of order are found as well, at the cost of keeping in
 * mind what they were missed for.
 */
export class MergedChanges {
  readonly #store: Pick<ReadableStore, 'changesAfter'>
  readonly #untilSeq: number
  readonly #beginsAtMs: number
  readonly #unmatched = new Map<number, Unmatched>()
  readonly #found = new Map<number, ChangeDifference>()
  /** Numbers that the store has no change of, and no entry so far. */
  readonly #gaps = new Set<number>()
  #page: readonly StoreChange[] = []
  #at = 0
  #seq = 0

  constructor(
    store: Pick<ReadableStore, 'changesAfter'>,
    { untilSeq, beginsAtMs }: { readonly untilSeq: number; readonly beginsAtMs: number },
  ) {
    this.#store = store
    this.#untilSeq = untilSeq
    this.#beginsAtMs = beginsAtMs
  }

  async *read(entries: AsyncIterable<JournalledChange> | Iterable<JournalledChange>): AsyncGenerator<Told> {
    let change = await this.#next()
    for await (const entry of entries) {
      while (change !== null && change.seq < entry.change) {
        yield this.#miss(change)
        change = await this.#next()
      }
      if (change?.seq === entry.change) {
        this.#match(entry, { ...change, digest: digestOf(change.type, change.facts) })
        yield toldBy(entry)
        change = await this.#next()
      } else if (await this.#isLost(entry)) yield toldBy(entry)
    }
    while (change !== null) {
      yield this.#miss(change)
      change = await this.#next()
    }
  }

  /** What was found, after all has been read. */
  differences(): readonly ChangeDifference[] {
    for (const [change, { type, isJournalled }] of this.#unmatched) {
      this.#find({ change, type, what: isJournalled ? 'not_in_journal' : 'not_journalled_yet' })
    }
    for (const change of this.#gaps) this.#find({ change, type: '', what: 'not_in_store' })
    return [...this.#found.values()]
  }

  /** The next change of the store, up to where it was when this began. */
  async #next(): Promise<StoreChange | null> {
    if (this.#at >= this.#page.length) {
      this.#page = this.#seq >= this.#untilSeq ? [] : await this.#store.changesAfter(this.#seq, pageRows)
      this.#at = 0
    }
    const change = this.#page[this.#at]
    if (change === undefined || change.seq > this.#untilSeq) return null
    this.#at += 1
    // Numbers have no gaps, whatever was undone: one that is not there was removed.
    for (let seq = this.#seq + 1; seq < change.seq && this.#gaps.size < limits.differencesMax; seq += 1) {
      this.#gaps.add(seq)
    }
    this.#seq = change.seq
    return change
  }

  #miss(change: StoreChange): Told {
    const { seq, type, facts, isJournalled, atMs } = change
    const isBefore = atMs < this.#beginsAtMs && isJournalled
    if (!isBefore && this.#unmatched.size < limits.unrecordedChangesMax * 10) {
      this.#unmatched.set(seq, { type, digest: digestOf(type, facts), isJournalled })
    }
    return { change: seq, type, facts }
  }

  #match({ change, type, facts }: JournalledChange, { digest, isJournalled }: Omit<Unmatched, 'type'>): void {
    if (digest !== digestOf(type, facts)) this.#find({ change, type, what: 'differs' })
    else if (!isJournalled) this.#find({ change, type, what: 'not_marked' })
  }

  /** Takes an entry that comes behind its place; true where the store does not have its change at all. */
  async #isLost(entry: JournalledChange): Promise<boolean> {
    const { change, type, facts } = entry
    const known = this.#unmatched.get(change)
    if (known !== undefined) {
      this.#unmatched.delete(change)
      this.#match(entry, known)
      return false
    }
    // An entry may be there twice, and one may be of a change that is newer than what is looked at.
    const [found] = await this.#store.changesAfter(change - 1, 1)
    if (found?.seq === change) {
      const before = this.#found.get(change)
      const isSame = digestOf(found.type, found.facts) === digestOf(type, facts)
      if (!isSame || before?.what === 'differs') this.#found.delete(change)
      if (!isSame || before?.what === 'differs') this.#find({ change, type, what: 'journalled_differently' })
      return false
    }
    this.#gaps.delete(change)
    if (this.#found.has(change)) return false
    this.#find({ change, type, what: 'not_in_store' })
    return true
  }

  #find(difference: Omit<ChangeDifference, 'of'>): void {
    if (this.#found.size < limits.differencesMax && !this.#found.has(difference.change)) {
      this.#found.set(difference.change, { of: 'change', ...difference })
    }
  }
}

function toldBy({ change, type, facts }: JournalledChange): Told {
  return { change, type, facts }
}
