import { median } from './figures.ts'
import { ownTimeUs } from './processor-time.ts'

/** Processor microseconds per call: the median of nine batches, after one that warms. */
export function time(calls: number, call: () => unknown): number {
  const batches = Array.from({ length: 10 }, () => {
    const startUs = ownTimeUs()
    for (let index = 0; index < calls; index += 1) call()
    return (ownTimeUs() - startUs) / calls
  })
  return median(batches.slice(1))
}

/** Microseconds of the clock of one call, which is too short for the account of processor time. */
export function timeOnce(call: () => unknown): number {
  const startMs = performance.now()
  call()
  return (performance.now() - startMs) * 1_000
}

/** The median over single calls that each get another number. */
export function timeCold(call: (number: number) => unknown): number {
  const times = Array.from({ length: 300 }, (_, number) => timeOnce(() => call(number)))
  return median(times.slice(100))
}
