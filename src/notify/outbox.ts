import { deliveryIdOf, OutboxFiles, type Delivery } from './outbox-files.ts'

/** How an attempt ended. */
export type Attempt =
  | { readonly outcome: 'delivered' }
  /** It failed; why is shown to operators, so it holds nothing that the receiver said. */
  | { readonly outcome: 'failed'; readonly why: string }
  /** The receiver asks for a pause, or something else has to come first: no failure. */
  | { readonly outcome: 'postponed'; readonly why: string; readonly forMs: number }

/** Something that operators have to know of: a thing that was not told, or may not be. */
export interface NotifyFault {
  readonly kind: 'refused' | 'given_up' | 'unreadable' | 'orphaned' | 'storage_failed' | 'attempt_failed'
  /** The receiver by its name, never its whole URL. */
  readonly target: string
  readonly delivery: string | null
  readonly eventType: string | null
  readonly why: string
  readonly cause?: unknown
}

/** When a failed delivery is tried again. */
export interface RetrySchedule {
  /** The pause after each failed attempt; there is one attempt more than pauses. */
  readonly pausesMs: readonly number[]
  /** By which part of itself a pause is made longer or shorter by chance, so that receivers are not hit in step. */
  readonly jitter: number
}

/** What an outbox needs to know. */
export interface OutboxOptions {
  /** The folder of this receiver alone. */
  readonly directory: string
  /** What the receiver is called in faults. */
  readonly target: string
  readonly schedule: RetrySchedule
  readonly inFlightMax: number
  /** What waits and what was given up together may not be more than this. */
  readonly deliveriesMax: number
  readonly bytesMax: number
  /** A delivery that is still being postponed after this long is given up. */
  readonly ageMsMax: number
  readonly now: () => number
  attempt(delivery: Delivery, signal: AbortSignal): Promise<Attempt>
  onFault(fault: NotifyFault): void
}

interface Waiting {
  readonly id: string
  readonly bytes: number
  nextAtMs: number
}

/** The longest pause that a timer of the runtime can make; due times are looked at again after it. */
const timerMsMax = 2_000_000_000

/**
 * What is still to be told to one receiver. A delivery is on disk before its first attempt and leaves it after the
 * receiver has taken it, so each is made at least once, also after a kill. Order is not promised.
 */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #files: OutboxFiles
  readonly #waiting = new Map<string, Waiting>()
  readonly #inFlight = new Map<string, Promise<void>>()
  readonly #ending = new AbortController()
  /** Additions and their bounds are looked at one after the other. */
  #adding: Promise<void>
  #addingCount = 0
  #bytes = 0
  #dead = { count: 0, bytes: 0 }
  #timer: NodeJS.Timeout | null = null
  #isClosing = false

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#files = new OutboxFiles(options.directory)
    this.#adding = this.#resume()
  }

  /** Puts an event into the outbox, or says by a fault that it could not. Never rejects. */
  add(event: { readonly id: string; readonly type: string; readonly body: string }): void {
    const id = deliveryIdOf(event.id, this.#options.target)
    const about = { id, eventType: event.type }
    if (this.#isClosing) return this.#fault('refused', about, 'Postern is stopping')
    // What waits to be written is in memory, so it counts as well.
    if (this.#addingCount + this.#waiting.size >= this.#options.deliveriesMax)
      return this.#fault('refused', about, full)
    this.#addingCount += 1
    this.#adding = this.#adding
      .then(() => this.#write({ ...event, id }))
      .catch((cause: unknown) => this.#fault('storage_failed', about, 'it cannot be written to disk', cause))
      .finally(() => {
        this.#addingCount -= 1
      })
  }

  /** Settles once everything that was added is on disk, or was refused by a fault. */
  flushed(): Promise<void> {
    return this.#adding
  }

  /** Whether a delivery of that event is still to be made. */
  isWaiting(eventId: string): boolean {
    return this.#waiting.has(deliveryIdOf(eventId, this.#options.target))
  }

  /**
   * Stops: nothing new is begun, what is under way has a moment to end, since what is broken off is told twice, and
   * everything that was not taken stays on disk.
   */
  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#adding
    await endingWithin(closePatienceMs, this.#inFlight.values(), this.#ending)
  }

  async #resume(): Promise<void> {
    const { now } = this.#options
    try {
      await this.#files.prepare()
      this.#dead = await this.#files.dead()
      for (const id of await this.#files.waiting()) {
        const delivery = await this.#files.read(id)
        if (delivery === null) {
          this.#fault('unreadable', { id, eventType: null }, 'its file is not one that Postern wrote; it is in dead/')
          await this.#bury(id, 0)
          continue
        }
        // A clock that was ahead when it was written must not hold it up for longer than any pause would.
        const latestMs = now() + Math.max(0, ...this.#options.schedule.pausesMs) * 2
        this.#enlist({ id, bytes: delivery.body.length, nextAtMs: Math.min(delivery.nextAtMs, latestMs) })
      }
    } catch (cause) {
      this.#fault('storage_failed', null, `the folder ${this.#options.directory} cannot be used`, cause)
    }
    this.#wake()
  }

  async #write({ id, type, body }: { id: string; type: string; body: string }): Promise<void> {
    if (this.#waiting.has(id) || this.#inFlight.has(id)) return
    if (this.#isFull(body)) this.#dead = await this.#files.dead()
    if (this.#isFull(body)) return this.#fault('refused', { id, eventType: type }, full)
    const nowMs = this.#options.now()
    const delivery = { id, eventType: type, createdAtMs: nowMs, attempts: 0, nextAtMs: nowMs, lastFailure: null, body }
    const bytes = await this.#files.write(delivery)
    this.#enlist({ id, bytes, nextAtMs: nowMs })
    this.#wake()
  }

  #isFull(body: string): boolean {
    const { deliveriesMax, bytesMax } = this.#options
    const count = this.#waiting.size + this.#dead.count
    return count >= deliveriesMax || this.#bytes + this.#dead.bytes + Buffer.byteLength(body) > bytesMax
  }

  #enlist(waiting: Waiting): void {
    this.#waiting.set(waiting.id, waiting)
    this.#bytes += waiting.bytes
  }

  #strike(id: string): void {
    this.#bytes -= this.#waiting.get(id)?.bytes ?? 0
    this.#waiting.delete(id)
  }

  /** Starts what is due and can be under way, and sets the timer for what is due next. */
  #wake(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#isClosing) return
    const nowMs = this.#options.now()
    let nextAtMs = Infinity
    for (const waiting of this.#waiting.values()) {
      if (this.#inFlight.has(waiting.id)) continue
      if (waiting.nextAtMs > nowMs) nextAtMs = Math.min(nextAtMs, waiting.nextAtMs)
      else if (this.#inFlight.size < this.#options.inFlightMax) this.#start(waiting)
    }
    if (nextAtMs === Infinity) return
    this.#timer = setTimeout(() => this.#wake(), Math.min(nextAtMs - nowMs, timerMsMax))
    // What waits is on disk: it is no reason for the process to live on.
    this.#timer.unref()
  }

  #start(waiting: Waiting): void {
    const running = this.#run(waiting)
      .catch((cause: unknown) => {
        // The disk fails: what is in memory is tried again later, and the file, if any, at the next start.
        waiting.nextAtMs = this.#options.now() + pauseOf(this.#options.schedule, 1)
        this.#fault('storage_failed', { id: waiting.id, eventType: null }, 'its file cannot be changed', cause)
      })
      .finally(() => {
        this.#inFlight.delete(waiting.id)
        this.#wake()
      })
    this.#inFlight.set(waiting.id, running)
  }

  async #run(waiting: Waiting): Promise<void> {
    const { signal } = this.#ending
    const delivery = await this.#files.read(waiting.id)
    // Taken away by hand.
    if (delivery === null) return this.#strike(waiting.id)
    const attempt = await this.#attempt(delivery)
    if (attempt.outcome === 'delivered') {
      await this.#files.remove(delivery.id)
      return this.#strike(delivery.id)
    }
    // Broken off by our own end: that says nothing of the receiver.
    if (signal.aborted) return
    await this.#settle(waiting, delivery, attempt)
  }

  async #attempt(delivery: Delivery): Promise<Attempt> {
    try {
      return await this.#options.attempt(delivery, this.#ending.signal)
    } catch (cause) {
      return {
        outcome: 'failed',
        why: `it could not be made: ${cause instanceof Error ? cause.name : 'unknown error'}`,
      }
    }
  }

  async #settle(waiting: Waiting, delivery: Delivery, attempt: Exclude<Attempt, { outcome: 'delivered' }>) {
    const { schedule, now, ageMsMax } = this.#options
    // One that was taken out of dead/ by hand has all its attempts again.
    const before = delivery.attempts > schedule.pausesMs.length ? 0 : delivery.attempts
    const attempts = attempt.outcome === 'failed' ? before + 1 : before
    const isOver = attempts > schedule.pausesMs.length || now() - delivery.createdAtMs > ageMsMax
    const pauseMs = attempt.outcome === 'postponed' ? attempt.forMs : pauseOf(schedule, attempts)
    const nextAtMs = Math.ceil(now() + pauseMs)
    const about = { id: delivery.id, eventType: delivery.eventType }
    await this.#files.write({ ...delivery, attempts, nextAtMs, lastFailure: attempt.why })
    if (isOver) {
      await this.#bury(delivery.id, waiting.bytes)
      this.#strike(delivery.id)
      return this.#fault('given_up', about, `${attempt.why}; it is kept in dead/`)
    }
    waiting.nextAtMs = nextAtMs
    if (attempt.outcome === 'failed') this.#fault('attempt_failed', about, attempt.why)
  }

  async #bury(id: string, bytes: number): Promise<void> {
    await this.#files.bury(id)
    this.#dead = { count: this.#dead.count + 1, bytes: this.#dead.bytes + bytes }
  }

  #fault(
    kind: NotifyFault['kind'],
    about: { id: string; eventType: string | null } | null,
    why: string,
    cause?: unknown,
  ) {
    const { target } = this.#options
    const { id: delivery = null, eventType = null } = about ?? {}
    this.#options.onFault({ kind, target, delivery, eventType, why, ...(cause === undefined ? {} : { cause }) })
  }
}

/** Waits for all of them, and breaks off what has not ended in time. */
export async function endingWithin(
  patienceMs: number,
  running: Iterable<Promise<void>>,
  ending: AbortController,
): Promise<void> {
  const timer = setTimeout(() => ending.abort(), patienceMs)
  await Promise.all(running)
  clearTimeout(timer)
  ending.abort()
}

/** How long closing waits for what is under way. */
export const closePatienceMs = 2_000

const full = 'too much waits for this receiver already, or lies in its dead/ folder'

function pauseOf({ pausesMs, jitter }: RetrySchedule, attempts: number): number {
  const pauseMs = pausesMs[attempts - 1] ?? pausesMs.at(-1) ?? 60_000
  return pauseMs * (1 + jitter * (2 * Math.random() - 1))
}
