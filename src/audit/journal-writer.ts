import { fdatasync, fdatasyncSync } from 'node:fs'
import type { PosternError } from '../core/errors.ts'
import type { CheckpointSigner } from './checkpoint.ts'
import { CheckpointSchedule } from './checkpoint-schedule.ts'
import { lineBytesMax, type EntryType } from './entry.ts'
import { closedError, operatorError, tooLong } from './journal-errors.ts'
import { keptBytesMax, type LineBuffer, type TakenLines } from './line-buffer.ts'
import type { DirectoryLock } from './lock.ts'
import { encodeMembers } from './members.ts'
import { outageAfter, type Outage } from './outage.ts'
import type { RecoveryFacts } from './recovery.ts'
import { SegmentFile, SegmentLost } from './segment-file.ts'

/** How long an entry that nobody waits for (an outcome) may wait for company before it is written. */
const lazyFlushMs = 5
/** How often the files are checked to be still ours. What is lost in between is at most what was written since. */
const checkIntervalMs = 1_000
/** While nothing can be written, commits try again at most this often; besides them there is a timer. */
const retryWithCommitMs = 50

/** What the writer is made of; all defaults are filled in. */
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
  readonly #checkpoints: CheckpointSchedule
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

  constructor(options: WriterOptions) {
    this.#options = options
    this.#lines = options.lines
    this.#checkpoints = new CheckpointSchedule({
      signer: options.signer,
      lines: options.lines,
      openIntents: options.recovered.unknownIntents,
      everyEntries: options.checkpointEntries,
      everyMs: options.checkpointIntervalMs,
    })
    this.recovered = options.recovered
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
    this.#checkpoints.follow(type, seq, members)
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
        if (this.#checkpoints.isDue(nowMs)) this.#addCheckpoint()
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
    const segment = this.#ensureSegment()
    const seal = this.#checkpoints.add({ sealed: true, firstSeq: segment.firstSeq })
    try {
      if (this.#options.durability === 'disk') segment.syncDirectory()
      const start = segment.bytes
      segment.append(this.#lines.view())
      this.#sync(segment, start)
    } catch (error) {
      // Entries to come must be able to follow, and nothing follows a seal.
      seal.undo()
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

  #addCheckpoint(): void {
    this.#checkpoints.add({ sealed: false, firstSeq: this.#segment?.firstSeq ?? this.#lines.firstSeq })
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
    if (this.#checkpoints.isDue(nowMs)) this.#scheduleFlush()
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
    const outage = outageAfter(error, before, nowMs)
    if (before?.timer) clearTimeout(before.timer)
    if (!this.#isClosed) {
      outage.timer = setTimeout(this.#flush, outage.retryMs)
      outage.timer.unref()
    }
    this.#outage = outage
    if (before === null) this.#options.onFailure(operatorError(this.#options.directory, error))
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
