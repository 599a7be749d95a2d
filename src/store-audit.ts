import { closeSync, openSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { compareWithJournal, type Difference, type JournalledChange } from './access/access.ts'
import { parseEntry } from './audit/entry.ts'
import { readLines } from './audit/lines.ts'
import { listSegments } from './audit/segments.ts'
import type { AccessSettings } from './config.ts'
import type { ReadableStore } from './core/control-store.ts'
import type { GatewayId } from './core/ids.ts'
import { limits } from './core/limits.ts'
import { openControlStoreForReading } from './store/store.ts'
import { storeOptions } from './store-options.ts'

/** What a control store and the journals of its gateways were found to say differently. */
export interface StoreReport {
  readonly journals: readonly string[]
  /** The newest change that was looked at. */
  readonly change: number
  /** What is older was taken at the store's word, since a journal begins there; null where all is in the journals. */
  readonly beginsAt: string | null
  /** In the order of changes; at most `limits.differencesMax`. */
  readonly differences: readonly Difference[]
}

/**
 * Checks the control store of a configuration against journals, also while gateways run. Writes nothing. Rejects with
 * `store_unavailable`, or with `input_invalid` where a journal cannot be read.
 */
export async function auditStore(
  settings: AccessSettings['controlStore'],
  {
    journals,
    environment,
    nowMs,
  }: {
    readonly journals: readonly string[]
    readonly environment: Readonly<Record<string, string | undefined>>
    readonly nowMs: number
  },
): Promise<StoreReport> {
  const closing: (() => void)[] = []
  const options = storeOptions(settings, { environment, atStop: (step) => void closing.push(step) })
  try {
    for (const journal of journals) listSegments(journal)
    const store = await openControlStoreForReading(options)
    try {
      const change = await store.read((reads) => reads.lastChange())
      await settled(store, change)
      // Read after the store: what is in the store and on record by now is in these files.
      const beginsAtMs = Math.max(...journals.map(beginningOf))
      const entries = { [Symbol.asyncIterator]: () => merged(journals) }
      const differences = await compareWithJournal(store, entries, { nowMs, beginsAtMs, untilSeq: change })
      const beginsAt = Number.isFinite(beginsAtMs) ? new Date(beginsAtMs).toISOString() : null
      return { journals, change, beginsAt, differences }
    } finally {
      await store.close()
    }
  } finally {
    for (const close of closing) close()
  }
}

const settlePollMs = 100

/** Gives running gateways the moment that putting a change on record takes. */
async function settled(store: ReadableStore, untilSeq: number): Promise<void> {
  const deadline = performance.now() + limits.auditSettleMsMax
  for (;;) {
    const all = await store.unjournalled({ gateway: '' as GatewayId, notSeenSinceMs: Number.MAX_SAFE_INTEGER })
    if (all.every(({ seq }) => seq > untilSeq) || performance.now() > deadline) return
    await pause(settlePollMs)
  }
}

/** Since when a journal tells all: of one whose oldest segments were moved away, that is the first entry of those left. */
function beginningOf(directory: string): number {
  const [first] = listSegments(directory)
  // A first segment without its first entry is no journal that begins later, but one that was cut.
  if (first === undefined || first.firstSeq === 1) return -Infinity
  for (const { bytes, isWhole } of linesOf(first.path)) {
    const entry = isWhole ? parseEntry(bytes) : null
    if (entry !== null) return Date.parse(entry.at) + limits.clockSkewMsMax
  }
  return -Infinity
}

/** The entries of all journals about changes, as far as they can be in the order of changes. */
async function* merged(journals: readonly string[]): AsyncGenerator<JournalledChange> {
  const heads: { readonly of: AsyncGenerator<JournalledChange>; entry: JournalledChange }[] = []
  try {
    for (const journal of journals) {
      const of = changesIn(journal)
      const first = await of.next()
      if (first.done !== true) heads.push({ of, entry: first.value })
    }
    for (;;) {
      const [first, ...others] = heads
      if (first === undefined) return
      const head = others.reduce((least, each) => (each.entry.change < least.entry.change ? each : least), first)
      yield head.entry
      const next = await head.of.next()
      if (next.done === true) heads.splice(heads.indexOf(head), 1)
      else head.entry = next.value
    }
  } finally {
    for (const { of } of heads) await of.return(undefined)
  }
}

const entriesPerTurn = 1_000

async function* changesIn(directory: string): AsyncGenerator<JournalledChange> {
  let count = 0
  for (const { path } of listSegments(directory)) {
    for (const { bytes, isWhole } of linesOf(path)) {
      count += 1
      if (count % entriesPerTurn === 0) await nextTurn()
      const entry = isWhole && isOfChange(bytes) ? parseEntry(bytes) : null
      if (entry === null) continue
      const { seq: _seq, prev: _prev, at: _at, type, change, ...facts } = entry
      if (typeof change === 'number' && Number.isSafeInteger(change) && change > 0) yield { type, change, facts }
    }
  }
}

/** Most lines are of statements, and not even parsed. The first four members have their order. */
function isOfChange(line: Buffer): boolean {
  const type = /"type":"(\w+)"/u.exec(line.toString('latin1', 0, 200))?.[1] ?? ''
  return /^(?:request|grant|token|principal)_/u.test(type)
}

function* linesOf(path: string): ReturnType<typeof readLines> {
  const descriptor = openSync(path, 'r')
  try {
    yield* readLines(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
