import { closeSync, openSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseEntry, type Entry } from './entry.ts'
import { readLines, readLinesBackward } from './lines.ts'
import { listSegments, type SegmentName } from './segments.ts'
import { matches, type SearchFilter, type Shown } from './statement-record.ts'

/** What is looked for, in which order, and how much of it. */
export interface SearchOptions {
  readonly filter: SearchFilter
  readonly order: 'newest-first' | 'oldest-first'
  readonly limit: number
}

/** Entries that wait for their other half; beyond it a statement is shown without its outcome. */
const heldMax = 10_000
/** After so many entries the event loop gets a turn. */
const entriesPerTurn = 2_000

/**
 * Finds what `filter` asks for, streaming and in bounded memory, each intent joined with its outcome. An unfinished last
 * line and lines that are not entries are passed over: whether they should be there is for `verifyJournal` to say. Fails
 * with `input_invalid` where the directory cannot be read.
 */
export async function* searchJournal(
  directory: string,
  options: SearchOptions,
): AsyncGenerator<Shown, void, undefined> {
  const { filter, limit } = options
  if (limit <= 0) return
  let found = 0
  const records = options.order === 'newest-first' ? newestFirst(directory, filter) : oldestFirst(directory)
  for await (const shown of records) {
    if (!matches(shown, filter)) continue
    yield shown
    found += 1
    if (found >= limit) return
  }
}

async function* newestFirst(directory: string, filter: SearchFilter): AsyncGenerator<Shown, void, undefined> {
  const outcomes = new Map<number, Entry>()
  for (const segment of listSegments(directory).toReversed()) {
    let firstAt = ''
    for await (const entry of entriesOf(segment, 'backward')) {
      firstAt = entry.at
      const intent = intentOf(entry)
      if (intent !== null) {
        if (outcomes.size < heldMax) outcomes.set(intent, entry)
        continue
      }
      const outcome = outcomes.get(entry.seq) ?? null
      outcomes.delete(entry.seq)
      yield { entry, outcome }
    }
    // Whole segments only: within one the clock may have been set back.
    if (filter.sinceMs !== undefined && firstAt !== '' && Date.parse(firstAt) < filter.sinceMs) return
  }
}

async function* oldestFirst(directory: string): AsyncGenerator<Shown, void, undefined> {
  // In the order of the journal; an intent holds back what follows it until its outcome is read.
  const held = new Map<number, { entry: Entry; outcome: Entry | null }>()
  for (const segment of listSegments(directory)) {
    for await (const entry of entriesOf(segment, 'forward')) {
      const intent = intentOf(entry)
      if (intent === null) held.set(entry.seq, { entry, outcome: null })
      else {
        const waiting = held.get(intent)
        if (waiting !== undefined) waiting.outcome = entry
      }
      for (const [seq, shown] of held) {
        if (shown.entry.type === 'intent' && shown.outcome === null && held.size < heldMax) break
        held.delete(seq)
        yield shown
      }
    }
  }
  yield* held.values()
}

async function* entriesOf(
  segment: SegmentName,
  direction: 'forward' | 'backward',
): AsyncGenerator<Entry, void, undefined> {
  const descriptor = openSync(segment.path, 'r')
  let count = 0
  try {
    for (const line of direction === 'forward' ? readLines(descriptor) : readLinesBackward(descriptor)) {
      count += 1
      if (count % entriesPerTurn === 0) await nextTurn()
      const entry = line.isWhole ? parseEntry(line.bytes) : null
      if (entry !== null) yield entry
    }
  } finally {
    closeSync(descriptor)
  }
}

/** The intent that an outcome belongs to; null for every other entry. */
export function intentOf(entry: Entry): number | null {
  if (entry.type !== 'outcome') return null
  const intent = entry['intent']
  return typeof intent === 'number' ? intent : null
}
