import { createHash } from 'node:crypto'
import type { ControlStore, StoreChange } from '../core/control-store.ts'
import { limits } from '../core/limits.ts'

/** A journal entry of a change of the store. */
export interface JournalledChange {
  readonly type: string
  /** The number of the change. */
  readonly change: number
  readonly facts: Readonly<Record<string, unknown>>
}

/** One place where store and journal say different things. */
export interface Difference {
  readonly change: number
  readonly what:
    /** The store says that the journal has it. */
    | 'not_in_journal'
    | 'not_in_store'
    /** The journal has it several times, and not always the same. */
    | 'journalled_differently'
    | 'differs'
    /** The journal has it, and the store does not know that yet. */
    | 'not_marked'
    /** No journal has it yet. */
    | 'not_journalled_yet'
  readonly type: string
}

const pageRows = 1_000

/**
 * Checks the changes in the store against the entries of all journals, in whatever order they come; an entry that is
 * there twice and says the same is one. Reports at most `limits.differencesMax` differences, in the order of changes.
 */
export async function compareWithJournal(
  store: Pick<ControlStore, 'changesAfter'>,
  entries: AsyncIterable<JournalledChange> | Iterable<JournalledChange>,
): Promise<readonly Difference[]> {
  const journalled = new Map<number, { readonly type: string; readonly digest: string; isOne: boolean }>()
  for await (const { change, type, facts } of entries) {
    const digest = digestOf(type, facts)
    const before = journalled.get(change)
    if (before === undefined) journalled.set(change, { type, digest, isOne: true })
    else if (before.digest !== digest) before.isOne = false
  }
  const differences: Difference[] = []
  let seq = 0
  let isWhole = false
  while (!isWhole && differences.length < limits.differencesMax) {
    const changes = await store.changesAfter(seq, pageRows)
    for (const change of changes) {
      const what = differenceOf(change, journalled.get(change.seq))
      if (what !== null) differences.push({ change: change.seq, what, type: change.type })
      journalled.delete(change.seq)
      seq = change.seq
    }
    isWhole = changes.length < pageRows
  }
  for (const [change, { type }] of journalled) {
    if (isWhole || change <= seq) differences.push({ change, what: 'not_in_store', type })
  }
  return differences.sort((a, b) => a.change - b.change).slice(0, limits.differencesMax)
}

function differenceOf(
  change: StoreChange,
  entry: { readonly digest: string; readonly isOne: boolean } | undefined,
): Difference['what'] | null {
  if (entry === undefined) return change.isJournalled ? 'not_in_journal' : 'not_journalled_yet'
  if (!entry.isOne) return 'journalled_differently'
  if (entry.digest !== digestOf(change.type, change.facts)) return 'differs'
  return change.isJournalled ? null : 'not_marked'
}

/** The same for facts that say the same, in whatever order their members are. */
function digestOf(type: string, facts: unknown): string {
  return createHash('sha256').update(type).update('\n').update(canonical(facts)).digest('base64url')
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}
