import { unavailable } from './failures.ts'

/** What a queue holds back. */
export interface QueueOptions {
  /** How many run at a time. */
  readonly width: number
  readonly waitingMax: number
  readonly waitMsMax: number
}

interface Waiting {
  readonly start: () => void
  readonly refuse: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** Lets so many run at a time, in the order in which they came. Who cannot be taken rejects with `store_unavailable`. */
export class Queue {
  readonly #options: QueueOptions
  readonly #waiting = new Set<Waiting>()
  #running = 0
  #isClosed = false
  #idle: (() => void)[] = []

  constructor(options: QueueOptions) {
    this.#options = options
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#turn()
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** Refuses who waits and who comes, and resolves once nothing runs. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const waiting of this.#waiting) {
      clearTimeout(waiting.timer)
      waiting.refuse(closedError())
    }
    this.#waiting.clear()
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #turn(): Promise<void> {
    const { width, waitingMax, waitMsMax } = this.#options
    if (this.#isClosed) return Promise.reject(closedError())
    if (this.#running < width) {
      this.#running += 1
      return Promise.resolve()
    }
    if (this.#waiting.size >= waitingMax) {
      return Promise.reject(unavailable('too many changes and questions wait for the control store'))
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting)
        reject(unavailable('the control store is too busy: it could not be used in time'))
      }, waitMsMax)
      const waiting: Waiting = { start: resolve, refuse: reject, timer }
      this.#waiting.add(waiting)
    })
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next !== undefined) {
      // Its place passes on, so nobody who comes in between can take it.
      this.#waiting.delete(next)
      clearTimeout(next.timer)
      next.start()
      return
    }
    this.#running -= 1
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}

function closedError(): Error {
  return unavailable('the control store is closed: the gateway is stopping')
}
