import { createHash, type KeyObject } from 'node:crypto'
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, statSync } from 'node:fs'
import { PosternError } from '../core/errors.ts'
import { fitsItsPlace, hasValidSignature, readCheckpoint } from './checkpoint.ts'
import { genesis, parseEntry, type Entry } from './entry.ts'
import { keyIdOf } from './key.ts'
import { hashLine, type ChainHead } from './line-buffer.ts'
import { lastLine, readLines, withFile, type Line } from './lines.ts'
import { listSegments, type SegmentName } from './segments.ts'

/** What was cut off the end of the live segment: a line that was never finished. */
interface CutTail {
  readonly segment: string
  readonly bytes: number
  /** SHA-256 of the bytes cut, in hex, as evidence. */
  readonly sha256: string
}

/** What opening found of the run before. */
export interface RecoveryFacts {
  readonly lastSeq: number
  readonly cut: CutTail | null
  /** Intents that ended without an outcome and were given the outcome `unknown`. */
  readonly unknownIntents: readonly number[]
}

/** Where a journal stands after its last run. */
export interface RecoveredState {
  readonly head: ChainHead
  /** The unsealed segment to go on with, or null where the next entry starts a new one. */
  readonly live: { readonly path: string; readonly firstSeq: number; readonly bytes: number } | null
  readonly cut: CutTail | null
  /** Intents that no outcome was recorded for, oldest first. */
  readonly openIntents: readonly number[]
  /** Whether the last run ended without sealing its segment. */
  readonly isUnclean: boolean
}

interface Scan {
  /** The first entry of the segment. */
  readonly firstSeq: number
  head: ChainHead
  readonly open: Set<number>
  isSealed: boolean
  /** Where the last good line ends. */
  bytes: number
}

/**
 * Reads the last segment, checks its chain and our own signatures in it, and cuts an unfinished last line. Bounded by
 * the size of one segment. Fails with `journal_unavailable` where the chain is broken before its end: that is damage
 * or tampering, which nothing here may paper over.
 */
export function recover(directory: string, publicKey: KeyObject): RecoveredState {
  const segments = listSegments(directory)
  const last = segments.at(-1)
  if (last === undefined) {
    return { head: { seq: 0, hash: genesis }, live: null, cut: null, openIntents: [], isUnclean: false }
  }
  const scan = startOf(last, segments.at(-2))
  const broken = scanSegment(last, scan, publicKey)
  let cut: CutTail | null = null
  if (broken !== null) {
    cut = judgeTail(last, broken)
    if (cut === null) throw brokenError(last, broken.why, scan.head.seq + 1)
    truncate(last.path, scan.bytes)
  }
  return {
    head: scan.head,
    live: scan.isSealed ? null : { path: last.path, firstSeq: last.firstSeq, bytes: scan.bytes },
    cut,
    openIntents: [...scan.open].sort((a, b) => a - b),
    isUnclean: !scan.isSealed,
  }
}

/** The chain as the segment before the last one hands it over. */
function startOf(last: SegmentName, previous: SegmentName | undefined): Scan {
  const { firstSeq } = last
  const scan: Scan = { firstSeq, head: { seq: firstSeq - 1, hash: '' }, open: new Set(), isSealed: false, bytes: 0 }
  if (previous === undefined) {
    // Older segments may have been moved to an archive; then the first `prev` is taken as it stands.
    if (last.firstSeq === 1) scan.head = { seq: 0, hash: genesis }
    return scan
  }
  const line = lastLine(previous.path)
  const entry = line === null ? null : parseEntry(line)
  if (line === null || entry === null || entry.seq !== last.firstSeq - 1) {
    throw brokenError(previous, 'does not end where the next segment begins', last.firstSeq - 1)
  }
  scan.head = { seq: entry.seq, hash: hashLine(line) }
  for (const seq of readCheckpoint(entry)?.open ?? []) scan.open.add(seq)
  return scan
}

interface Broken {
  readonly why: string
  readonly offset: number
}

function scanSegment(segment: SegmentName, scan: Scan, publicKey: KeyObject): Broken | null {
  const keyId = keyIdOf(publicKey)
  return withFile(segment.path, (descriptor) => {
    for (const line of readLines(descriptor)) {
      const why = takeLine(line, scan, { publicKey, keyId })
      if (why !== null) return { why, offset: line.offset }
    }
    return null
  })
}

/** Takes one line into the scan, or says why it does not belong there. */
function takeLine(line: Line, scan: Scan, key: { publicKey: KeyObject; keyId: string }): string | null {
  if (!line.isWhole) return 'is not finished'
  const entry = parseEntry(line.bytes)
  if (entry === null) return 'is not a journal entry'
  if (scan.isSealed) return 'follows the checkpoint that sealed the segment'
  if (entry.seq !== scan.head.seq + 1) return `has the sequence number ${entry.seq}`
  if (scan.head.hash !== '' && entry.prev !== scan.head.hash) return 'does not carry the hash of the line before it'
  if (entry.type === 'checkpoint') {
    const facts = readCheckpoint(entry)
    if (facts === null) return 'is a checkpoint without its facts'
    if (facts.key === key.keyId && !hasValidSignature(entry, facts, key.publicKey)) {
      return 'is a checkpoint whose signature is wrong'
    }
    if (!fitsItsPlace(entry, facts, scan.firstSeq)) return 'is a checkpoint that speaks of another place'
    scan.isSealed = facts.sealed
  }
  followIntent(entry, scan.open)
  scan.head = { seq: entry.seq, hash: hashLine(line.bytes) }
  scan.bytes = line.offset + line.bytes.length
  return null
}

/** Keeps the set of intents without an outcome up to date with one more entry. */
export function followIntent(entry: Entry, open: Set<number>): void {
  if (entry.type === 'intent') {
    open.add(entry.seq)
  } else if (entry.type === 'outcome') {
    const intent = entry['intent']
    if (typeof intent === 'number') open.delete(intent)
  }
}

/**
 * Whether what follows the last good line is what a kill or a power cut leaves: one line without its end, or blocks
 * that the file system never filled (zeros). Null where entries follow it, or where it is a whole line of other text.
 */
function judgeTail(segment: SegmentName, broken: Broken): CutTail | null {
  return withFile(segment.path, (descriptor) => {
    const sha256 = createHash('sha256')
    const chunk = Buffer.allocUnsafeSlow(1024 * 1024)
    let bytes = 0
    let hasZero = false
    let firstLineFeed = -1
    for (;;) {
      const count = readSync(descriptor, chunk, 0, chunk.length, broken.offset + bytes)
      if (count === 0) break
      const part = chunk.subarray(0, count)
      sha256.update(part)
      hasZero ||= part.includes(0)
      if (firstLineFeed === -1) {
        const at = part.indexOf(0x0a)
        if (at !== -1) firstLineFeed = broken.offset + bytes + at
      }
      bytes += count
    }
    if (firstLineFeed !== -1) {
      if (!hasZero) return null
      for (const line of readLines(descriptor, firstLineFeed + 1)) {
        if (line.isWhole && parseEntry(line.bytes) !== null) return null
      }
    }
    return { segment: segment.name, bytes, sha256: sha256.digest('hex') }
  })
}

function truncate(path: string, bytes: number): void {
  if (statSync(path).size === bytes) return
  const descriptor = openSync(path, 'r+')
  try {
    ftruncateSync(descriptor, bytes)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function brokenError(segment: SegmentName, why: string, seq: number): PosternError {
  return new PosternError('journal_unavailable', `the journal is broken: ${segment.name}, entry ${seq}: ${why}`, {
    detail: `The file is ${segment.path}.`,
    hint:
      'Run `postern audit verify` to see what was changed. Keep the directory as evidence: move it away, ' +
      'create an empty one in its place and start again; the gateway then begins a new journal.',
  })
}
