import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { isErrno } from './key.ts'
import { segmentName } from './segments.ts'

/** The file is not what we wrote any more; what is said is for the operator. */
export class SegmentLost extends Error {
  /** Whether the segment is past saving, so that the journal goes on in a new one. */
  readonly isDamaged: boolean

  constructor(message: string, isDamaged = false) {
    super(message)
    this.name = 'SegmentLost'
    this.isDamaged = isDamaged
  }
}

/** The live segment: whole lines are appended or nothing is, and a file that was replaced under us is noticed. */
export class SegmentFile {
  readonly path: string
  readonly firstSeq: number
  readonly #directory: string
  #descriptor: number
  #inode: bigint
  /** Bytes of whole lines written. */
  #bytes: number
  /** Set where a torn write could not be taken back yet: nothing may be written behind it. */
  #isTorn = false
  #isDirectorySynced: boolean

  private constructor(directory: string, options: { path: string; firstSeq: number; bytes: number; isNew: boolean }) {
    this.#directory = directory
    this.path = options.path
    this.firstSeq = options.firstSeq
    this.#bytes = options.bytes
    // O_APPEND, so that the file may carry the append-only attribute; readable, so that a removed file can be restored.
    this.#descriptor = openSync(options.path, options.isNew ? 'ax+' : 'a+', 0o600)
    this.#inode = fstatSync(this.#descriptor, { bigint: true }).ino
    this.#isDirectorySynced = !options.isNew
  }

  /** Creates the segment that starts with entry `firstSeq`; throws the system's error. */
  static create(directory: string, firstSeq: number): SegmentFile {
    return new SegmentFile(directory, { path: join(directory, segmentName(firstSeq)), firstSeq, bytes: 0, isNew: true })
  }

  /** Opens an unsealed segment that recovery has checked up to `bytes`. */
  static reopen(directory: string, live: { path: string; firstSeq: number; bytes: number }): SegmentFile {
    return new SegmentFile(directory, { ...live, isNew: false })
  }

  get bytes(): number {
    return this.#bytes
  }

  get descriptor(): number {
    return this.#descriptor
  }

  /** Appends all of `lines` or none of it; throws the system's error. */
  append(lines: Buffer): void {
    if (this.#isTorn) this.takeBack(this.#bytes)
    let written = 0
    try {
      while (written < lines.length) {
        // A nearly full disk takes a part and reports the failure with the next call.
        written += writeSync(this.#descriptor, lines, written, lines.length - written)
      }
    } catch (error) {
      if (written > 0) this.#isTorn = true
      this.#tryTakeBack()
      throw error
    }
    this.#bytes += written
  }

  /** Cuts the file back to its first `bytes` bytes; throws the system's error and blocks further writes until it worked. */
  takeBack(bytes: number): void {
    this.#bytes = bytes
    this.#isTorn = true
    ftruncateSync(this.#descriptor, bytes)
    this.#isTorn = false
  }

  /** Makes the name of a new segment survive a power cut. */
  syncDirectory(): void {
    if (this.#isDirectorySynced) return
    const descriptor = openSync(this.#directory, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    this.#isDirectorySynced = true
  }

  /**
   * Makes sure that the path still leads to the file we write, of the size we wrote. A removed file is restored from
   * the open descriptor, which still holds all of it. Throws `SegmentLost` where that cannot be.
   */
  check(): void {
    const found = statSync(this.path, { bigint: true, throwIfNoEntry: false })
    if (found === undefined) {
      this.#restore()
      return
    }
    if (found.ino !== this.#inode) {
      throw new SegmentLost(`${this.path} was replaced by another file; move that file away`)
    }
    if (!this.#isTorn && found.size !== BigInt(this.#bytes)) {
      throw new SegmentLost(
        `${this.path} was changed by someone else: it has ${found.size} bytes where the gateway wrote ${this.#bytes}`,
        true,
      )
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #tryTakeBack(): void {
    if (!this.#isTorn) return
    try {
      this.takeBack(this.#bytes)
    } catch {
      // The write's own error is the one to report; #isTorn stays set, and the next append cuts first or fails.
    }
  }

  #restore(): void {
    if (statSync(this.#directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new SegmentLost(`the journal directory ${this.#directory} was removed; create it again`)
    }
    const copy = openSync(this.path, 'ax+', 0o600)
    try {
      copyBytes(this.#descriptor, copy, this.#bytes)
      fsyncSync(copy)
    } catch (error) {
      // Half a copy must not stay under the name; what we have open is still whole.
      closeSync(copy)
      unlinkSync(this.path)
      throw isErrno(error, 'ENOSPC') ? error : new SegmentLost(`${this.path} was removed and cannot be restored`)
    }
    closeSync(this.#descriptor)
    this.#descriptor = copy
    this.#inode = fstatSync(copy, { bigint: true }).ino
    this.#isTorn = false
    this.#isDirectorySynced = false
  }
}

function copyBytes(from: number, to: number, bytes: number): void {
  const chunk = Buffer.allocUnsafeSlow(1024 * 1024)
  let copied = 0
  while (copied < bytes) {
    const count = readSync(from, chunk, 0, Math.min(chunk.length, bytes - copied), copied)
    if (count === 0) throw new SegmentLost('the removed segment is shorter than what was written to it')
    let written = 0
    while (written < count) written += writeSync(to, chunk, written, count - written)
    copied += count
  }
}
