import type { CheckpointSigner } from './checkpoint.ts'
import type { EntryType } from './entry.ts'
import type { LineBuffer } from './line-buffer.ts'

/** Knows which intents are open and when the next checkpoint is due, and adds checkpoints to the lines. */
export class CheckpointSchedule {
  readonly #signer: CheckpointSigner
  readonly #lines: LineBuffer
  readonly #open: Set<number>
  readonly #everyEntries: number
  readonly #everyMs: number
  #lastSeq: number
  #lastMs = Date.now()

  constructor(options: {
    signer: CheckpointSigner
    lines: LineBuffer
    openIntents: readonly number[]
    everyEntries: number
    everyMs: number
  }) {
    this.#signer = options.signer
    this.#lines = options.lines
    this.#open = new Set(options.openIntents)
    this.#everyEntries = options.everyEntries
    this.#everyMs = options.everyMs
    this.#lastSeq = options.lines.head.seq
  }

  /** Follows one more entry, so that a checkpoint can list the intents without an outcome. */
  follow(type: EntryType, seq: number, members: string): void {
    if (type === 'intent') this.#open.add(seq)
    else if (type === 'outcome') this.#open.delete(intentOf(members))
  }

  isDue(nowMs: number): boolean {
    const entries = this.#lines.head.seq - this.#lastSeq
    return entries > 0 && (entries >= this.#everyEntries || nowMs - this.#lastMs >= this.#everyMs)
  }

  /** Adds a checkpoint for the segment that begins with `firstSeq`, and gives a way to take it back unwritten. */
  add(options: { sealed: boolean; firstSeq: number }): { undo: () => void } {
    const before = this.#lines.mark()
    const [lastSeq, lastMs] = [this.#lastSeq, this.#lastMs]
    const atMs = Date.now()
    const members = this.#signer.members({
      sealed: options.sealed,
      first: options.firstSeq,
      head: this.#lines.head,
      open: this.#open,
      atMs,
    })
    this.#lastSeq = this.#lines.add('checkpoint', members, { shared: null, moreShared: null, atMs })
    this.#lastMs = atMs
    return {
      undo: () => {
        this.#lines.rewind(before)
        this.#lastSeq = lastSeq
        this.#lastMs = lastMs
      },
    }
  }
}

/** The intent that the members of an outcome name, or 0; digits are read in place, since every statement comes by. */
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
