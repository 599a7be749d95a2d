import type { StoreChange } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Facts } from './facts.ts'
import { noticeOf, type NoticeBody } from './notices.ts'
import type { AccessOptions } from './options.ts'
import { Work, type Noted } from './work.ts'

type Entry = Pick<Noted, 'seq' | 'atMs' | 'type' | 'notice'> & { readonly facts: Facts }

/** Which part of putting a change on record is done. */
interface Outstanding {
  readonly entry: Entry
  isRecorded: boolean
  /** Somebody waits for it right now. */
  isUnderWay: boolean
}

/** What is done with what a transaction took away, before it is on record. */
export type TakesAway = (work: Work) => void

/**
 * Commits changes and puts them on record: one transaction with what it means, then the journal, then the mark that the
 * journal has it. What fails half-way stays here, and in the store, and is tried again.
 */
export class Ledger {
  readonly #options: AccessOptions
  readonly #now: () => number
  readonly #takesAway: TakesAway
  readonly #outstanding = new Map<number, Outstanding>()
  /** Own changes that nobody here knows of, seen once: a commit whose success was never heard of. */
  #strangers = new Set<number>()
  #marking: { readonly seqs: number[]; readonly done: Promise<void> } | null = null

  constructor(options: AccessOptions, now: () => number, takesAway: TakesAway) {
    this.#options = options
    this.#now = now
    this.#takesAway = takesAway
  }

  /** How many changes are not on record yet. */
  get size(): number {
    return this.#outstanding.size
  }

  /**
   * Runs `work` in a transaction; settles once everything it noted is on record. Rejects with what `work` threw (nothing
   * is kept then), with `store_unavailable`, or with `journal_unavailable` (what was written is kept, and takes effect
   * once the journal has it).
   */
  async commit<T>(work: (work: Work) => Promise<T>): Promise<{ readonly result: T; readonly hasChanged: boolean }> {
    const { store, gateway } = this.#options
    let last: Work | undefined
    const result = await store.change(async (changes) => {
      last = new Work(changes, { gateway, nowMs: this.#now() })
      return work(last)
    })
    if (last === undefined) throw new Error('the store committed without running its work')
    this.#takesAway(last)
    const outstanding = last.noted.map((entry) => this.#add(entry))
    // All are handed to the journal before any is waited for, so that they are in it in their order and in one write.
    const settled = await Promise.allSettled(outstanding.map(async (each) => this.#record(each)))
    const failed = settled.find((each) => each.status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
    return { result, hasChanged: last.noted.length > 0 }
  }

  /** Tries again what is not on record yet, of this gateway and of those that are gone. Rejects where the store does. */
  async catchUp(notSeenSinceMs: number): Promise<void> {
    for (const each of [...this.#outstanding.values()].sort((a, b) => a.entry.seq - b.entry.seq)) {
      if (!each.isUnderWay) await this.#record(each)
    }
    const { store, gateway } = this.#options
    const strangers = new Set<number>()
    for (const change of await store.unjournalled({ gateway, notSeenSinceMs })) {
      if (this.#outstanding.has(change.seq)) continue
      // A change of this process that is not known here may be one whose commit is being heard of at this moment.
      if (change.gateway === gateway && !this.#strangers.has(change.seq)) strangers.add(change.seq)
      else await this.#adopt(change)
    }
    this.#strangers = strangers
  }

  async #adopt(change: StoreChange): Promise<void> {
    const { store, gateway, log } = this.#options
    const [current] = await store.changesAfter(change.seq - 1, 1)
    if (current?.seq !== change.seq || current.isJournalled) return
    const notice = await store.read(async (reads) => noticeOf(change, reads))
    if (change.gateway !== gateway) {
      log.warn({ change: change.seq, type: change.type }, 'puts a change on record that its gateway did not')
    }
    await this.#record(this.#add({ ...change, notice }))
  }

  #add(entry: Entry): Outstanding {
    const known = this.#outstanding.get(entry.seq)
    if (known !== undefined) return known
    const outstanding = { entry, isRecorded: false, isUnderWay: false }
    this.#outstanding.set(entry.seq, outstanding)
    return outstanding
  }

  async #record(each: Outstanding): Promise<void> {
    const { seq, type, facts, notice, atMs } = each.entry
    each.isUnderWay = true
    try {
      if (!each.isRecorded) {
        await this.#append(type, facts, seq)
        each.isRecorded = true
      }
      await this.#mark(seq)
    } finally {
      each.isUnderWay = false
    }
    if (this.#outstanding.delete(seq) && notice !== null) this.#tell(notice, seq, atMs)
  }

  async #append(type: Entry['type'], facts: Facts, seq: number): Promise<void> {
    try {
      await this.#options.record(type, facts, seq)
    } catch (error) {
      this.#options.log.error({ err: error, change: seq, type }, 'a change could not be put on record')
      throw new PosternError('journal_unavailable', 'this cannot be put on record, so it has no effect yet', {
        cause: error,
        hint: 'It takes effect once the journal can be written again; please tell whoever runs this gateway.',
      })
    }
  }

  /** Marks what comes together in one go. */
  async #mark(seq: number): Promise<void> {
    if (this.#marking === null || this.#marking.seqs.length >= limits.closingsPerChangeMax * 10) {
      const seqs: number[] = []
      const done = new Promise<void>((resolve) => {
        setImmediate(resolve)
      }).then(async () => {
        if (this.#marking?.seqs === seqs) this.#marking = null
        await this.#options.store.markJournalled(seqs)
      })
      this.#marking = { seqs, done }
    }
    this.#marking.seqs.push(seq)
    await this.#marking.done
  }

  #tell(notice: NoticeBody, change: number, atMs: number): void {
    try {
      this.#options.onNotice?.({ ...notice, change, atMs })
    } catch (error) {
      // Telling is a courtesy: what was decided is decided and on record, whoever could not be told.
      this.#options.log.error({ err: error, change }, 'nobody could be told of a change')
    }
  }
}
