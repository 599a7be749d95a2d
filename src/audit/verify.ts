import type { KeyObject } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { fitsItsPlace, hasValidSignature, readCheckpoint } from './checkpoint.ts'
import { genesis, parseEntry, type Entry } from './entry.ts'
import { keyIdOf } from './key.ts'
import { hashLine, type ChainHead } from './line-buffer.ts'
import { readLines } from './lines.ts'
import { isLocked } from './lock.ts'
import { followIntent } from './recovery.ts'
import { listSegments, type SegmentName } from './segments.ts'

/** What the journal is checked against. */
export interface VerifyOptions {
  /** The keys that checkpoints may be signed with; with none, signatures are counted as unchecked. */
  readonly publicKeys: readonly KeyObject[]
  /** An entry whose hash was noted elsewhere: proves that nothing up to it was rewritten or cut. */
  readonly anchor?: ChainHead | undefined
  /** Older segments were moved to an archive: the journal may begin later than entry 1. */
  readonly mayBeginLater?: boolean | undefined
}

/** What was done to a journal. */
type ProblemKind = 'altered' | 'removed' | 'reordered' | 'truncated' | 'signature' | 'anchor'

/** The first place where a journal is not what the gateway wrote. */
export interface Problem {
  readonly kind: ProblemKind
  readonly file: string
  readonly line: number
  readonly seq: number
  readonly message: string
}

/** What was proved, and the first problem if there is one. */
export interface VerifyReport {
  readonly segments: number
  readonly entries: number
  readonly bytes: number
  /** The last entry that fits the chain; null where there is none. */
  readonly head: ChainHead | null
  readonly signatures: { readonly valid: number; readonly unchecked: number }
  /** The last entry that a valid signature covers; what follows it could be cut off unnoticed. */
  readonly signedUpTo: number
  /** Intents without an outcome, oldest first, at most a thousand of them; of the live tail these are running now. */
  readonly openIntents: readonly number[]
  readonly openIntentCount: number
  /** `sealed`: ended by a signed checkpoint; `live`: a gateway writes to it; `open`: neither. */
  readonly tail: 'sealed' | 'live' | 'open'
  /** Bytes of an unfinished last line that a running gateway may be writing. */
  readonly unfinishedBytes: number
  readonly problem: Problem | null
}

/**
 * Reads the whole journal in bounded memory and checks form, numbers, hashes, segments and signatures, up to the first
 * problem. Fails with `input_invalid` where the directory cannot be read.
 */
export function verifyJournal(directory: string, options: VerifyOptions): VerifyReport {
  const segments = listSegments(directory)
  const isLive = isLocked(directory)
  const check = new ChainCheck(options, isLive)
  let count = 0
  for (const segment of segments) {
    count += 1
    if (!check.takeSegment(segment, count === segments.length)) break
  }
  check.end()
  return { segments: segments.length, ...check.report() }
}

interface Place {
  readonly file: string
  readonly line: number
  readonly seq: number
}

/** A line read ahead of the one that is judged. */
interface Ahead {
  readonly entry: Entry | null
  readonly hash: string
  readonly bytes: number
  readonly isWhole: boolean
  readonly place: Place
}

const openIntentsShownMax = 1_000

class ChainCheck {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #options: VerifyOptions
  readonly #isLive: boolean
  readonly #open = new Set<number>()
  #head: ChainHead | null = null
  #headPlace: Place | null = null
  #isSealed = false
  #entries = 0
  #bytes = 0
  #valid = 0
  #unchecked = 0
  #signedUpTo = 0
  #unfinishedBytes = 0
  #problem: Problem | null = null

  constructor(options: VerifyOptions, isLive: boolean) {
    this.#options = options
    this.#isLive = isLive
    this.#keys = new Map(options.publicKeys.map((key) => [keyIdOf(key), key]))
  }

  /** Checks one segment; false where a problem ends the reading. */
  takeSegment(segment: SegmentName, isLast: boolean): boolean {
    if (!this.#beginSegment(segment)) return false
    const descriptor = openSync(segment.path, 'r')
    try {
      const lines = readAhead(descriptor, segment.name, segment.firstSeq)
      let current = lines.next()
      while (current.done !== true) {
        const next = lines.next()
        const ahead = next.done === true ? null : next.value
        if (!this.#takeLine(current.value, { ahead, segment, isLast })) return false
        current = next
      }
    } finally {
      closeSync(descriptor)
    }
    return true
  }

  end(): void {
    const { anchor } = this.#options
    if (this.#problem !== null || anchor === undefined) return
    const seq = this.#head?.seq ?? 0
    if (seq >= anchor.seq) return
    const place = this.#headPlace ?? { file: '', line: 0, seq: 0 }
    this.#found('truncated', place, `the journal ends at entry ${seq}, before entry ${anchor.seq} whose hash was noted`)
  }

  report(): Omit<VerifyReport, 'segments'> {
    return {
      entries: this.#entries,
      bytes: this.#bytes,
      head: this.#head,
      signatures: { valid: this.#valid, unchecked: this.#unchecked },
      signedUpTo: this.#signedUpTo,
      openIntents: [...this.#open].slice(0, openIntentsShownMax),
      openIntentCount: this.#open.size,
      tail: this.#isLive ? 'live' : this.#isSealed ? 'sealed' : 'open',
      unfinishedBytes: this.#unfinishedBytes,
      problem: this.#problem,
    }
  }

  #beginSegment(segment: SegmentName): boolean {
    const place = { file: segment.name, line: 1, seq: segment.firstSeq }
    const head = this.#head
    if (head === null) {
      if (segment.firstSeq === 1 || this.#options.mayBeginLater === true) return true
      return this.#found(
        'removed',
        place,
        `entries 1 to ${segment.firstSeq - 1} are missing: the journal begins with ${segment.name}`,
      )
    }
    const expected = head.seq + 1
    if (segment.firstSeq > expected) {
      const what = this.#isSealed ? 'a segment was removed' : 'the segment before it lost its end'
      return this.#found(
        this.#isSealed ? 'removed' : 'truncated',
        this.#isSealed ? place : { ...(this.#headPlace ?? place), seq: expected },
        `entries ${expected} to ${segment.firstSeq - 1} are missing: ${what}`,
      )
    }
    if (segment.firstSeq < expected) {
      return this.#found(
        'reordered',
        place,
        `the segment begins with entry ${segment.firstSeq}, which the one before it holds already`,
      )
    }
    if (!this.#isSealed) {
      return this.#found(
        'truncated',
        this.#headPlace ?? place,
        'the segment does not end with a checkpoint that seals it',
      )
    }
    this.#isSealed = false
    return true
  }

  #takeLine(line: Ahead, context: { ahead: Ahead | null; segment: SegmentName; isLast: boolean }): boolean {
    const { entry, place } = line
    const expected = this.#head === null ? context.segment.firstSeq : this.#head.seq + 1
    const here = { ...place, seq: expected }
    if (!line.isWhole) return this.#takeUnfinished(line, { ...context, here })
    if (entry === null) return this.#found('altered', here, 'the line is not a journal entry')
    if (this.#isSealed) return this.#found('altered', here, 'the line follows the checkpoint that sealed the segment')
    if (entry.seq !== expected) return this.#misnumbered(entry, { ahead: context.ahead, here })
    if (!this.#continuesChain(entry)) return this.#unchained(line, { ahead: context.ahead, here })
    if (entry.type === 'checkpoint' && !this.#takeCheckpoint(entry, { here, firstSeq: context.segment.firstSeq }))
      return false
    const { anchor } = this.#options
    if (anchor?.seq === entry.seq && anchor.hash !== line.hash) {
      return this.#found('anchor', here, 'the entry is not the one whose hash was noted: the journal was rewritten')
    }
    followIntent(entry, this.#open)
    this.#head = { seq: entry.seq, hash: line.hash }
    this.#headPlace = here
    this.#entries += 1
    this.#bytes += line.bytes
    return true
  }

  #takeUnfinished(line: Ahead, context: { isLast: boolean; here: Place }): boolean {
    if (context.isLast && this.#isLive) {
      this.#unfinishedBytes = line.bytes
      return true
    }
    const what = `the last line has ${line.bytes} bytes and no end`
    const why = context.isLast
      ? ': the gateway was killed while it wrote (the next start cuts the line and records that), or the file was cut'
      : ': the segment was cut'
    return this.#found('truncated', context.here, what + why)
  }

  #continuesChain(entry: Entry): boolean {
    if (this.#head !== null) return entry.prev === this.#head.hash
    // Where the journal may begin later, the first link leads to a line that is not here.
    return entry.seq !== 1 || entry.prev === genesis
  }

  #misnumbered(entry: Entry, context: { ahead: Ahead | null; here: Place }): boolean {
    const { here, ahead } = context
    if (this.#head !== null && entry.prev === this.#head.hash) {
      return this.#found('altered', here, `the entry's number was changed to ${entry.seq}`)
    }
    if (entry.seq < here.seq) return this.#found('reordered', here, `entry ${entry.seq} stands here a second time`)
    if (ahead?.entry?.seq === here.seq)
      return this.#found('reordered', here, `entry ${entry.seq} stands before entry ${here.seq}`)
    const missing = entry.seq - 1 === here.seq ? `entry ${here.seq} is` : `entries ${here.seq} to ${entry.seq - 1} are`
    return this.#found('removed', here, `${missing} missing`)
  }

  /** The link from this line back does not hold: the next line's link tells which of the two was changed. */
  #unchained(line: Ahead, context: { ahead: Ahead | null; here: Place }): boolean {
    const { here, ahead } = context
    const before = this.#headPlace
    if (before === null) return this.#found('altered', here, 'the first entry does not begin a chain')
    if (ahead !== null && ahead.entry !== null && ahead.entry.prev !== line.hash) {
      return this.#found('altered', here, 'the entry was changed: neither the line before nor the line after fits it')
    }
    if (line.entry?.type === 'checkpoint' && line.entry['head'] === this.#head?.hash) {
      return this.#found('altered', here, "the checkpoint's link to the line before it was changed")
    }
    return this.#found('altered', before, 'the entry was changed: its hash is not the one that the next line carries')
  }

  #takeCheckpoint(entry: Entry, context: { here: Place; firstSeq: number }): boolean {
    const { here, firstSeq } = context
    const facts = readCheckpoint(entry)
    if (facts === null) return this.#found('altered', here, 'the checkpoint lacks its facts')
    const key = this.#keys.get(facts.key)
    if (key === undefined && this.#keys.size > 0) {
      return this.#found('signature', here, `the checkpoint is signed with a key that was not given (${facts.key})`)
    }
    if (key !== undefined && !hasValidSignature(entry, facts, key)) {
      return this.#found(
        'signature',
        here,
        `the checkpoint's signature is wrong: entries ${Math.max(this.#signedUpTo + 1, firstSeq)} to ${here.seq} are not what the gateway signed`,
      )
    }
    if (!fitsItsPlace(entry, facts, firstSeq)) {
      return this.#found('altered', here, 'the checkpoint speaks of another segment or another place in it')
    }
    if (key === undefined) {
      this.#unchecked += 1
    } else {
      this.#valid += 1
      this.#signedUpTo = entry.seq
    }
    this.#isSealed = facts.sealed
    return true
  }

  #found(kind: ProblemKind, place: Place, message: string): false {
    this.#problem = { kind, file: place.file, line: place.line, seq: place.seq, message }
    return false
  }
}

function* readAhead(descriptor: number, file: string, firstSeq: number): Generator<Ahead, void, undefined> {
  let line = 0
  for (const { bytes, isWhole } of readLines(descriptor)) {
    line += 1
    const place = { file, line, seq: firstSeq + line - 1 }
    yield { entry: isWhole ? parseEntry(bytes) : null, hash: hashLine(bytes), bytes: bytes.length, isWhole, place }
  }
}
