import { createPublicKey, type KeyObject } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { limits } from '../core/limits.ts'
import type { GatewayId } from '../core/ids.ts'
import { PosternError } from '../core/errors.ts'
import { CheckpointSigner } from './checkpoint.ts'
import type { EntryType } from './entry.ts'
import { JournalWriter } from './journal-writer.ts'
import { LineBuffer } from './line-buffer.ts'
import { DirectoryLock } from './lock.ts'
import { encodeMembers } from './members.ts'
import { recover, type RecoveryFacts } from './recovery.ts'

/** How a journal is opened; the optional numbers come from `limits` or are given with their meaning below. */
export interface JournalOptions {
  readonly directory: string
  /** `process`: the operating system has every entry before its commit calls back; `disk`: the disk has. */
  readonly durability: 'process' | 'disk'
  /** Ed25519 private key that signs checkpoints. */
  readonly signingKey: KeyObject
  readonly gatewayId: GatewayId
  readonly segmentBytes?: number
  readonly backlogBytesMax?: number
  /** A checkpoint is written after so many entries ... */
  readonly checkpointEntries?: number
  /** ... or after so long, where anything was written since the last one. */
  readonly checkpointIntervalMs?: number
  /** Told once when the journal becomes unavailable, with what an operator needs to know. */
  readonly onFailure?: (error: PosternError) => void
  readonly onRecovered?: () => void
}

/** The record of one gateway process. Its format is docs/reference/journal.md. */
export interface Journal {
  /**
   * Appends one entry to the batch in memory and returns its sequence number, or 0 where the backlog is full and the
   * entry was dropped and counted (a commit then fails). `members` comes from `encodeMembers`: JSON members without
   * braces and without a raw line feed; the Buffers are further members from `encodeSharedMembers`. An `outcome`
   * starts with `"intent":<seq>`. Throws `limit_exceeded` for a line that no reader would accept.
   */
  append(type: EntryType, members: string, shared?: Buffer | null, moreShared?: Buffer | null): number
  /**
   * Calls back, in order and never synchronously, once everything appended before is recorded (per durability), or
   * with `journal_unavailable`: then the statements must be refused, and a `refused` outcome appended for each intent,
   * since what was appended is kept and written when the disk is back.
   */
  commit(whenRecorded: (error: PosternError | null) => void): void
  /** False from a failed write until a retry succeeds, and after close. */
  readonly isAvailable: boolean
  readonly recovered: RecoveryFacts
  /** Writes what is pending, seals the segment, gives the directory up. Fails with `journal_unavailable`. */
  close(): Promise<void>
}

/**
 * Opens the journal in `directory` (created if absent) for writing and repairs what a kill left. Fails with
 * `journal_unavailable` where another gateway holds the directory, the chain is broken or nothing can be written.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, signingKey } = options
  if (signingKey.asymmetricKeyType !== 'ed25519') throw new TypeError('the signing key must be an Ed25519 key')
  const lock = takeDirectory(directory)
  let writer: JournalWriter
  let isUnclean: boolean
  try {
    const state = recover(directory, createPublicKey(signingKey))
    isUnclean = state.isUnclean
    writer = new JournalWriter({
      directory,
      lock,
      live: state.live,
      lines: new LineBuffer(state.head),
      recovered: { lastSeq: state.head.seq, cut: state.cut, unknownIntents: state.openIntents },
      signer: new CheckpointSigner(signingKey, options.gatewayId),
      durability: options.durability,
      segmentBytes: options.segmentBytes ?? limits.journalSegmentBytes,
      backlogBytesMax: options.backlogBytesMax ?? limits.journalBacklogBytesMax,
      checkpointEntries: options.checkpointEntries ?? 10_000,
      checkpointIntervalMs: options.checkpointIntervalMs ?? 60_000,
      onFailure: options.onFailure ?? (() => {}),
      onRecovered: options.onRecovered ?? (() => {}),
    })
  } catch (error) {
    lock.release()
    throw toUnavailable(error, directory)
  }
  await recordRecovery(writer, { isUnclean, directory })
  return writer
}

function takeDirectory(directory: string): DirectoryLock {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return new DirectoryLock(directory)
  } catch (error) {
    throw toUnavailable(error, directory)
  }
}

async function recordRecovery(journal: Journal, found: { isUnclean: boolean; directory: string }): Promise<void> {
  const { cut, unknownIntents } = journal.recovered
  if (!found.isUnclean && unknownIntents.length === 0) return
  const facts = { cutBytes: cut?.bytes ?? 0, cutSha256: cut?.sha256 ?? null, unknownIntents: unknownIntents.length }
  journal.append('recovered', encodeMembers(facts))
  for (const intent of unknownIntents) journal.append('outcome', `"intent":${intent},"outcome":"unknown"`)
  const failure = await new Promise<PosternError | null>((resolve) => journal.commit(resolve))
  if (failure === null) return
  try {
    await journal.close()
  } catch (error) {
    // The directory is given up all the same; what kept it from being sealed is most likely the same failure.
    throw toUnavailable(error, found.directory)
  }
  throw failure
}

function toUnavailable(error: unknown, directory: string): PosternError {
  if (error instanceof PosternError) return error
  return new PosternError('journal_unavailable', `the journal directory ${directory} cannot be used`, {
    cause: error,
    hint: 'The directory must exist or be creatable, be writable for the account that runs the gateway, and have room.',
  })
}
