import { fdatasync, fdatasyncSync } from 'node:fs'
import { PosternError } from '../core/errors.ts'
import type { CheckpointSigner } from './checkpoint.ts'
import { lineBytesMax, type EntryType } from './entry.ts'
import { keptBytesMax, type LineBuffer, type TakenLines } from './line-buffer.ts'
import type { DirectoryLock } from './lock.ts'
import { encodeMembers } from './members.ts'
import type { RecoveryFacts } from './recovery.ts'
import { SegmentFile, SegmentLost } from './segment-file.ts'

/** How long an entry that nobody waits for (an outcome) may wait for company before it is written. */
const lazyFlushMs = 5
/** How often the files are checked to be still ours. What is lost in between is at most what was written since. */
const checkIntervalMs = 1_000
/** A failed write is tried again after this, doubling up to the longest; and with a commit, at most this often. */
const retryFirstMs = 100
const retryLongestMs = 5_000
const retryWithCommitMs = 50

export interface WriterOptions {
  readonly directory: string
  readonly lock: DirectoryLock
  readonly live: { readonly path: string; readonly firstSeq: number; readonly bytes: number } | null
  readonly lines: LineBuffer
  readonly recovered: RecoveryFacts
  readonly signer: CheckpointSigner
  readonly durability: 'process' | 'disk'
  readonly segmentBytes: number
  readonly backlogBytesMax: number
  readonly checkpointEntries: number
  readonly checkpointIntervalMs: number
  readonly onFailure: (error: PosternError) => void
  readonly onRecovered: () => void
}

type WhenRecorded = (error: PosternError | null) => void

/** Why and since when nothing can be written. */
interface Outage {
  readonly error: PosternError
  readonly reason: string
  readonly sinceMs: number
  retryMs: number
  lastTryMs: number
  dropped: number
  timer: NodeJS.Timeout | null
}

/**
 * Owns the live segment and the batch in memory. One write per event-loop turn carries everything that was appended
 * in it; with durability `disk`, one write and one fdatasync carry everything that arrived during the one before.
 *
 * It is in one of three states: writing; out (a write failed: `#outage` is set, entries collect up to the bound and are
 * tried again in order); closed. Within writing, `#syncing` says that a group is on its way to the disk.
 */
export class JournalWriter {
  readonly recovered: RecoveryFacts
  readonly #options: WriterOptions
  readonly #lines: LineBuffer
  readonly #open: Set<number>
  readonly #housekeeping: NodeJS.Timeout
  readonly #lazyTimer: NodeJS.Timeout
  #segment: SegmentFile | null = null
  #waiting: WhenRecorded[] = []
  #spare: Buffer | null = null
  #syncing: Promise<void> | null = null
  #isFlushScheduled = false
  #isLazyArmed = false
  #isClosed = false
  #closing: Promise<void> | null = null
  #outage: Outage | null = null
  #lastCheckMs = 0
  #checkpointSeq: number
  #checkpointMs = Date.now()

  constructor(options: WriterOptions) {
    this.#options = options
    this.#lines = options.lines
    this.#open = new Set(options.recovered.unknownIntents)
    this.recovered = options.recovered
    this.#checkpointSeq = options.lines.head.seq
    if (options.live !== null) this.#segment = SegmentFile.reopen(options.directory, options.live)
    this.#lazyTimer = setTimeout(this.#flushLazily, lazyFlushMs)
    this.#isLazyArmed = true
    this.#housekeeping = setInterval(this.#keepHouse, checkIntervalMs)
    this.#housekeeping.unref()
  }

  get isAvailable(): boolean {
    return this.#outage === null && !this.#isClosed
  }

  append(type: EntryType, members: string, shared: Buffer | null = null, moreShared: Buffer | null = null): number {
    const bytes = this.#lines.bytesNeeded(members, shared, moreShared)
    if (bytes > lineBytesMax) throw tooLong()
    if (this.#isClosed) return 0
    if (this.#lines.length + bytes > this.#options.backlogBytesMax) return this.#drop()
    const seq = this.#lines.add(type, members, { shared, moreShared, atMs: Date.now() })
    if (type === 'intent') this.#open.add(seq)
    else if (type === 'outcome') this.#open.delete(intentOf(members))
    if (!this.#isLazyArmed) {
      this.#isLazyArmed = true
      this.#lazyTimer.refresh()
    }
    return seq
  }

  commit(whenRecorded: WhenRecorded): void {
    const outage = this.#outage
    // What was dropped will never be recorded, however soon the disk is back: whoever asks meanwhile hears no.
    if (outage !== null && outage.dropped > 0) this.#waiting.push(() => whenRecorded(outage.error))
    else this.#waiting.push(whenRecorded)
    this.#scheduleFlush()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#housekeeping)
    clearTimeout(this.#lazyTimer)
    // A group that fails puts its lines back, so this ends with nothing on its way.
    while (this.#syncing !== null) await this.#syncing
    if (this.#outage?.timer) clearTimeout(this.#outage.timer)
    let failure: PosternError | null = null
    try {
      this.#check(Date.now())
      if (this.#outage !== null) this.#endOutage()
      this.#seal()
    } catch (error) {
      failure = this.#fail(error).error
    }
    this.#settle(this.#takeWaiting(), failure)
    this.#segment?.close()
    this.#segment = null
    this.#options.lock.release()
    if (failure !== null) throw failure
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    // The check phase follows the poll phase: all sockets read in this turn share the write.
    setImmediate(this.#flush)
  }

  readonly #flushLazily = (): void => {
    this.#isLazyArmed = false
    if (this.#lines.length > 0) this.#flush()
  }

  readonly #flush = (): void => {
    this.#isFlushScheduled = false
    // The group on its way schedules the next one when it is done.
    if (this.#syncing !== null) return
    if (this.#isClosed) {
      // Closing answers those who came before it; this is for who came after.
      this.#settle(this.#takeWaiting(), closedError())
      return
    }
    const nowMs = Date.now()
    const outage = this.#outage
    if (outage !== null && nowMs - outage.lastTryMs < retryWithCommitMs) {
      this.#settle(this.#takeWaiting(), outage.error)
      return
    }
    if (outage !== null) outage.lastTryMs = nowMs
    try {
      if (outage !== null || nowMs - this.#lastCheckMs >= checkIntervalMs) this.#check(nowMs)
      if (this.#isSegmentFull()) {
        this.#seal()
      } else {
        this.#addCheckpointIfDue(nowMs)
        this.#write()
      }
    } catch (error) {
      const { error: failure } = this.#fail(error)
      this.#settle(this.#takeWaiting(), failure)
      return
    }
    if (this.#syncing !== null) return
    // The waiting are taken before recovery is told, so that nobody joins a group that is already written.
    const waiting = this.#takeWaiting()
    this.#endOutage()
    this.#settle(waiting, null)
  }

  /** Writes all lines to the live segment, which is created when there is something to put into it. */
  #write(): void {
    if (this.#lines.length === 0) return
    const segment = this.#ensureSegment()
    if (this.#options.durability === 'process') {
      segment.append(this.#lines.view())
      this.#lines.clear()
      return
    }
    segment.syncDirectory()
    const start = segment.bytes
    segment.append(this.#lines.view())
    this.#syncing = this.#syncGroup(segment, start)
  }

  /** Sends the lines just written on to the disk, with the event loop free meanwhile. */
  #syncGroup(segment: SegmentFile, start: number): Promise<void> {
    const taken = this.#lines.take(this.#spare)
    const waiting = this.#takeWaiting()
    this.#spare = null
    return new Promise((resolve) => {
      fdatasync(segment.descriptor, (error) => {
        this.#syncing = null
        let failure: PosternError | null = null
        if (error === null) {
          if (taken.memory.length <= keptBytesMax) this.#spare = taken.memory
          this.#endOutage()
        } else {
          this.#bringBack(segment, { taken, start })
          failure = this.#fail(error).error
        }
        this.#settle(waiting, failure)
        if (this.#waiting.length > 0) this.#scheduleFlush()
        resolve()
      })
    })
  }

  /** After a failed fdatasync the kernel may have dropped the pages: they are cut off and written anew. */
  #bringBack(segment: SegmentFile, group: { taken: TakenLines; start: number }): void {
    this.#lines.putBack(group.taken)
    try {
      segment.takeBack(group.start)
    } catch {
      // The fdatasync's error is the one to report; the segment stays marked as torn and cuts before it writes.
    }
  }

  /** Ends the live segment with a signed checkpoint as its last line; synchronously, so that nothing can follow it. */
  #seal(): void {
    if (this.#lines.length === 0 && this.#segment === null) return
    const before = this.#lines.mark()
    const checkpointSeq = this.#checkpointSeq
    const firstSeq = this.#ensureSegment().firstSeq
    this.#addCheckpoint({ sealed: true, firstSeq })
    const segment = this.#ensureSegment()
    try {
      if (this.#options.durability === 'disk') segment.syncDirectory()
      const start = segment.bytes
      segment.append(this.#lines.view())
      this.#sync(segment, start)
    } catch (error) {
      // Entries to come must be able to follow, and nothing follows a seal.
      this.#lines.rewind(before)
      this.#checkpointSeq = checkpointSeq
      throw error
    }
    this.#lines.clear()
    this.#segment = null
    segment.close()
  }

  #sync(segment: SegmentFile, start: number): void {
    if (this.#options.durability !== 'disk' && !this.#isClosed) return
    try {
      fdatasyncSync(segment.descriptor)
    } catch (error) {
      segment.takeBack(start)
      throw error
    }
  }

  #ensureSegment(): SegmentFile {
    this.#segment ??= SegmentFile.create(this.#options.directory, this.#lines.firstSeq)
    return this.#segment
  }

  #isSegmentFull(): boolean {
    return (this.#segment?.bytes ?? 0) + this.#lines.length >= this.#options.segmentBytes
  }

  #addCheckpointIfDue(nowMs: number): void {
    const entries = this.#lines.head.seq - this.#checkpointSeq
    if (entries === 0) return
    if (entries < this.#options.checkpointEntries && nowMs - this.#checkpointMs < this.#options.checkpointIntervalMs)
      return
    this.#addCheckpoint({ sealed: false, firstSeq: this.#segment?.firstSeq ?? this.#lines.firstSeq })
  }

  #addCheckpoint(options: { sealed: boolean; firstSeq: number }): void {
    const atMs = Date.now()
    const members = this.#options.signer.members({
      sealed: options.sealed,
      first: options.firstSeq,
      head: this.#lines.head,
      open: this.#open,
      atMs,
    })
    this.#checkpointSeq = this.#lines.add('checkpoint', members, { shared: null, moreShared: null, atMs })
    this.#checkpointMs = atMs
  }

  /** Notices within `checkIntervalMs` that a file was removed, replaced or changed, even where nothing is written. */
  readonly #keepHouse = (): void => {
    if (this.#syncing !== null || this.#outage !== null) return
    const nowMs = Date.now()
    try {
      this.#check(nowMs)
    } catch (error) {
      this.#fail(error)
      return
    }
    const isDue =
      this.#lines.head.seq > this.#checkpointSeq && nowMs - this.#checkpointMs >= this.#options.checkpointIntervalMs
    if (isDue) this.#scheduleFlush()
  }

  #check(nowMs: number): void {
    this.#segment?.check()
    this.#options.lock.check(nowMs)
    this.#lastCheckMs = nowMs
  }

  #fail(error: unknown): Outage {
    const nowMs = Date.now()
    if (error instanceof SegmentLost && error.isDamaged) {
      // What is gone is gone and must show: the chain goes on in a new segment, and verify finds the gap.
      this.#segment?.close()
      this.#segment = null
    }
    const before = this.#outage
    const reason = reasonOf(error)
    const outage: Outage = {
      error: unavailableError(error),
      reason: before?.reason ?? reason,
      sinceMs: before?.sinceMs ?? nowMs,
      retryMs: before === null ? retryFirstMs : Math.min(before.retryMs * 2, retryLongestMs),
      lastTryMs: nowMs,
      dropped: before?.dropped ?? 0,
      timer: null,
    }
    if (before?.timer) clearTimeout(before.timer)
    if (!this.#isClosed) {
      outage.timer = setTimeout(this.#flush, outage.retryMs)
      outage.timer.unref()
    }
    this.#outage = outage
    if (before === null) this.#options.onFailure(operatorError(this.#options.directory, reason, error))
    return outage
  }

  #endOutage(): void {
    const outage = this.#outage
    if (outage === null) return
    if (outage.timer !== null) clearTimeout(outage.timer)
    this.#outage = null
    const facts = { awayMs: Date.now() - outage.sinceMs, reason: outage.reason, dropped: outage.dropped }
    // Past the bound if need be: it is the one entry that tells how many were dropped.
    this.#lines.add('journal_recovered', encodeMembers(facts), { shared: null, moreShared: null, atMs: Date.now() })
    this.#scheduleFlush()
    this.#options.onRecovered()
  }

  /** The backlog is full: the entry is counted instead, and until it is written no commit succeeds. */
  #drop(): number {
    const outage = this.#outage ?? this.#fail(new Error('the backlog in memory is full: the disk does not keep up'))
    outage.dropped += 1
    return 0
  }

  #takeWaiting(): WhenRecorded[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  #settle(waiting: readonly WhenRecorded[], error: PosternError | null): void {
    for (const whenRecorded of waiting) {
      try {
        whenRecorded(error)
      } catch (bug) {
        // One caller's bug must not keep the others waiting; it leaves as what it is, an uncaught exception.
        queueMicrotask(() => {
          throw bug
        })
      }
    }
  }
}

/** The intent that the members of an outcome name, or 0; digits are read in place, as this is on the path of every statement. */
function intentOf(members: string): number {
  const name = '"intent":'
  let at = members.startsWith(name) ? name.length : members.indexOf(name) + name.length
  if (at < name.length) return 0
  let value = 0
  for (; at < members.length; at += 1) {
    const digit = members.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
  }
  return value
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return (error as NodeJS.ErrnoException).code ?? error.message
}

/** What a client is told: it holds no path. */
function unavailableError(cause: unknown): PosternError {
  return new PosternError('journal_unavailable', 'this cannot be recorded now, and nothing runs unrecorded', {
    cause,
    hint: 'Tell whoever runs this gateway that its journal cannot be written; it goes on by itself once that is mended.',
  })
}

/** What the gateway's log is told. */
function operatorError(directory: string, reason: string, cause: unknown): PosternError {
  const text = cause instanceof Error ? cause.message : reason
  return new PosternError('journal_unavailable', `the journal in ${directory} cannot be written: ${text}`, {
    cause,
    hint: 'Every statement is refused until it can: make room, or put the directory back. It is tried again by itself.',
  })
}

function closedError(): PosternError {
  return new PosternError('journal_unavailable', 'this cannot be recorded: the gateway is stopping', {
    hint: 'Connect again in a moment.',
  })
}

function tooLong(): PosternError {
  return new PosternError('limit_exceeded', 'this statement is too large to be recorded', {
    hint: `An entry of the journal holds at most ${lineBytesMax} bytes.`,
  })
}
