import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { readCheckpoint } from './checkpoint.ts'
import { parseEntry, type Entry } from './entry.ts'
import { readLines } from './lines.ts'
import { intentOf, searchJournal } from './search.ts'
import { listSegments } from './segments.ts'
import { matches, type SearchFilter, type Shown } from './statement-record.ts'

/** What is shown, and whether to wait for more. */
export interface TailOptions {
  readonly filter: SearchFilter
  /** How many of the latest are given before new ones are waited for. */
  readonly lines: number
  /** Ends the following. */
  readonly signal: AbortSignal
  readonly isFollowing: boolean
}

const pollMs = 200
/** An intent is shown without its outcome after this long, and again with it. */
const outcomeWaitMs = 1_000
const heldMax = 100_000

/** Gives the latest records and, if following, each new one until the signal; survives the change of segments. */
export async function* tailJournal(directory: string, options: TailOptions): AsyncGenerator<Shown, void, undefined> {
  const { filter, lines, signal } = options
  const follower = new Follower(directory)
  // The end is noted first: what is written while the latest are searched is given after them, not lost between.
  if (options.isFollowing) follower.skipToEnd()
  const latest: Shown[] = []
  for await (const shown of searchJournal(directory, { filter, order: 'newest-first', limit: lines })) {
    if (!options.isFollowing || shown.entry.seq <= follower.seq) latest.push(shown)
  }
  yield* latest.toReversed()
  if (!options.isFollowing) return
  while (!signal.aborted) {
    for (const shown of follower.poll(Date.now())) if (matches(shown, filter)) yield shown
    await sleep(pollMs, undefined, { signal }).catch(() => {
      // Only the signal ends a sleep early, and the loop asks it.
    })
  }
}

class Follower {
  readonly #directory: string
  readonly #held = new Map<number, { entry: Entry; atMs: number; wasShown: boolean }>()
  #firstSeq = 0
  #offset = 0
  #isSealed = false
  /** The last entry read. */
  seq = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  skipToEnd(): void {
    const last = listSegments(this.#directory).at(-1)
    if (last === undefined) return
    this.#begin(last.firstSeq)
    for (const entry of this.#readNew(last.path)) this.#hold(entry, 0)
  }

  /** What is new: whole statements, and intents that have run for a while. */
  poll(nowMs: number): Shown[] {
    const shown: Shown[] = []
    for (const segment of listSegments(this.#directory)) {
      if (segment.firstSeq < this.#firstSeq) continue
      if (segment.firstSeq > this.#firstSeq) this.#begin(segment.firstSeq)
      for (const entry of this.#readNew(segment.path)) this.#take(entry, { nowMs, shown })
    }
    for (const [seq, held] of this.#held) {
      if (held.wasShown) continue
      if (nowMs - held.atMs < outcomeWaitMs && this.#held.size < heldMax) break
      held.wasShown = true
      shown.push({ entry: held.entry, outcome: null })
      if (this.#held.size >= heldMax) this.#held.delete(seq)
    }
    return shown
  }

  #begin(firstSeq: number): void {
    this.#firstSeq = firstSeq
    this.#offset = 0
    this.#isSealed = false
  }

  #take(entry: Entry, context: { nowMs: number; shown: Shown[] }): void {
    const intent = intentOf(entry)
    if (intent !== null) {
      const held = this.#held.get(intent)
      this.#held.delete(intent)
      if (held !== undefined) context.shown.push({ entry: held.entry, outcome: entry })
    } else if (entry.type === 'intent') this.#hold(entry, context.nowMs)
    else context.shown.push({ entry, outcome: null })
  }

  #hold(entry: Entry, nowMs: number): void {
    const intent = intentOf(entry)
    if (intent !== null) this.#held.delete(intent)
    // What was there before we came is given by the search already.
    else if (entry.type === 'intent') this.#held.set(entry.seq, { entry, atMs: nowMs, wasShown: nowMs === 0 })
  }

  *#readNew(path: string): Generator<Entry, void, undefined> {
    if (this.#isSealed) return
    const descriptor = openSync(path, 'r')
    try {
      for (const line of readLines(descriptor, this.#offset)) {
        // A line without its end is being written; it is read again with the next poll.
        if (!line.isWhole) return
        this.#offset = line.offset + line.bytes.length
        const entry = parseEntry(line.bytes)
        if (entry === null) continue
        this.seq = entry.seq
        if (entry.type === 'checkpoint') this.#isSealed = readCheckpoint(entry)?.sealed ?? false
        yield entry
      }
    } finally {
      closeSync(descriptor)
    }
  }
}
