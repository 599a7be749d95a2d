import { readdirSync, readFileSync } from 'node:fs'

/**
 * User and system time that a process has used so far with all its threads, in microseconds. Linux only. The scheduler's
 * own account (nanoseconds, /proc/<pid>/task/<tid>/schedstat) is preferred to utime and stime in /proc/<pid>/stat, which
 * count the same in steps of 10 ms; a thread that has ended is in the latter only, and no process here ends any.
 */
export function processorTimeUs(processId: number): number {
  try {
    let nanoseconds = 0
    for (const thread of readdirSync(`/proc/${String(processId)}/task`)) {
      const text = readFileSync(`/proc/${String(processId)}/task/${thread}/schedstat`, 'latin1')
      nanoseconds += Number(text.split(' ')[0])
    }
    return nanoseconds / 1_000
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return statTimeUs(processId)
  }
}

/** Clock ticks are hundredths of a second on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
const tickUs = 10_000

function statTimeUs(processId: number): number {
  const text = readFileSync(`/proc/${String(processId)}/stat`, 'latin1')
  // The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of proc(5), 12 and 13 behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickUs
}

/** Processor time of this process so far, in microseconds; unlike the clock it does not see who else runs. */
export function ownTimeUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Resident memory of a process in MiB. */
export function residentMib(processId: number): number {
  const status = readFileSync(`/proc/${String(processId)}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024
}

/** Follows a process's processor time, so that a part of a run can be told from its beginning and end. */
export class ProcessorTimeTrace {
  readonly #processId: number
  readonly #samples: { readonly atMs: number; readonly timeUs: number }[] = []
  readonly #timer: NodeJS.Timeout

  constructor(processId: number) {
    this.#processId = processId
    this.#take()
    this.#timer = setInterval(() => this.#take(), 50)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Processor microseconds per second of the clock between two moments of performance.now(). */
  usPerS(fromMs: number, toMs: number): number {
    const within = this.#samples.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    const [first, last] = [within[0], within.at(-1)]
    if (first === undefined || last === undefined || first === last) return Number.NaN
    return ((last.timeUs - first.timeUs) / (last.atMs - first.atMs)) * 1_000
  }

  #take(): void {
    this.#samples.push({ atMs: performance.now(), timeUs: processorTimeUs(this.#processId) })
  }
}
