import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Contender } from './contenders.ts'
import { databaseName } from './fill.ts'
import { median, medianRatio, shown, table, times } from './figures.ts'
import type { BenchOptions, Mode, Script } from './options.ts'
import { ProcessorTimeTrace } from './processor-time.ts'

/** One run of pgbench. */
export interface PgbenchRun {
  readonly tps: number
  readonly latencyMs: number
  /** Processor time of the process in between per transaction; NaN where there is none. */
  readonly usPerTransaction: number
}

/** What one run of pgbench does. */
export interface Load {
  readonly script: Script
  readonly mode: Mode
  readonly clients: number
  readonly seconds: number
}

/**
 * Runs pgbench against one contender. The processor time is taken over the last part of the run only, so that the
 * log-ins are not in it.
 */
export async function runPgbench(contender: Contender, load: Load): Promise<PgbenchRun> {
  const { seconds } = load
  const trace = contender.processId === null ? null : new ProcessorTimeTrace(contender.processId)
  const child = spawn('pgbench', argumentsOf(contender, load), {
    env: { PATH: process.env['PATH'], PGPASSWORD: contender.password, PGSSLMODE: 'disable' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [status] = (await once(child, 'close')) as [number | null]
  const endMs = performance.now()
  trace?.stop()
  const tps = Number(/^tps = ([\d.]+)/m.exec(output)?.[1])
  const latencyMs = Number(/^latency average = ([\d.]+) ms/m.exec(output)?.[1])
  const failed = Number(/^number of failed transactions: (\d+)/m.exec(output)?.[1] ?? 0)
  if (status !== 0 || Number.isNaN(tps) || failed > 0) {
    throw new Error(`pgbench failed against ${contender.name}: ${errors || output}`)
  }
  const usPerS = trace?.usPerS(endMs - seconds * 1_000 + 250, endMs - 100) ?? Number.NaN
  return { tps, latencyMs, usPerTransaction: usPerS / tps }
}

function argumentsOf(contender: Contender, { script, mode, clients, seconds }: Load): string[] {
  const threads = Math.min(clients, 2)
  const load = `-n -b ${script} -M ${mode} -c ${String(clients)} -j ${String(threads)} -T ${String(seconds)}`
  return [...load.split(' '), '-h', '127.0.0.1', '-p', String(contender.port), '-U', contender.user, databaseName]
}

/** Code that was never run is slow, and so is a cache that is empty: V8 takes some 50,000 transactions to compile all. */
export async function warmUp(contenders: readonly Contender[], modes: readonly Mode[]): Promise<void> {
  for (const contender of contenders) {
    const seconds = contender.name.startsWith('Postern') ? 4 : 1
    for (const mode of modes) await runPgbench(contender, { script: 'select-only', mode, clients: 8, seconds })
  }
}

/** Measures every shape of load and writes them as two tables: without and with a classification. */
export async function benchPgbench(
  contenders: readonly Contender[],
  options: BenchOptions,
  tell: (text: string) => void,
): Promise<string> {
  await warmUp(contenders, options.modes)
  const rows: string[][] = []
  const classifiedRows: string[][] = []
  for (const script of options.scripts) {
    for (const mode of options.modes) {
      for (const clients of options.clients) {
        tell(`pgbench ${script}, ${mode}, ${String(clients)} clients`)
        const runs = new Map<string, PgbenchRun[]>()
        for (let round = 0; round < options.rounds; round += 1) {
          for (const contender of contenders) {
            const run = await runPgbench(contender, { script, mode, clients, seconds: options.runS })
            runs.set(contender.name, [...(runs.get(contender.name) ?? []), run])
          }
        }
        const what = `${script}, ${mode}, ${String(clients)}`
        rows.push(rowOf(what, runs))
        classifiedRows.push(classifiedRowOf(what, runs))
      }
    }
  }
  return [
    table(plainHead, rows),
    'With a classification of columns that none of these statements touches:',
    table(classifiedHead, classifiedRows),
  ].join('\n\n')
}

const plainHead = [
  'script, mode, clients',
  'direct tps',
  'PgBouncer tps',
  'Postern tps',
  'Postern / direct',
  'Postern / PgBouncer',
  'direct ms',
  'PgBouncer ms',
  'Postern ms',
  'PgBouncer µs/tx',
  'Postern µs/tx',
  'ratio of µs/tx',
]

function rowOf(what: string, runs: ReadonlyMap<string, readonly PgbenchRun[]>): string[] {
  const of = (name: Contender['name'], figure: keyof PgbenchRun) => (runs.get(name) ?? []).map((run) => run[figure])
  const middle = (name: Contender['name'], figure: keyof PgbenchRun) => shown(median(of(name, figure)))
  return [
    what,
    middle('direct', 'tps'),
    middle('PgBouncer', 'tps'),
    middle('Postern', 'tps'),
    times(medianRatio(of('Postern', 'tps'), of('direct', 'tps'))),
    times(medianRatio(of('Postern', 'tps'), of('PgBouncer', 'tps'))),
    middle('direct', 'latencyMs'),
    middle('PgBouncer', 'latencyMs'),
    middle('Postern', 'latencyMs'),
    middle('PgBouncer', 'usPerTransaction'),
    middle('Postern', 'usPerTransaction'),
    times(medianRatio(of('Postern', 'usPerTransaction'), of('PgBouncer', 'usPerTransaction'))),
  ]
}

const classifiedHead = [
  'script, mode, clients',
  'classified tps',
  '/ direct',
  '/ PgBouncer',
  '/ Postern',
  'classified ms',
  'classified µs/tx',
  '/ PgBouncer',
  '/ Postern',
]

function classifiedRowOf(what: string, runs: ReadonlyMap<string, readonly PgbenchRun[]>): string[] {
  const of = (name: Contender['name'], figure: keyof PgbenchRun) => (runs.get(name) ?? []).map((run) => run[figure])
  const own = (figure: keyof PgbenchRun) => of('Postern, classified', figure)
  return [
    what,
    shown(median(own('tps'))),
    times(medianRatio(own('tps'), of('direct', 'tps'))),
    times(medianRatio(own('tps'), of('PgBouncer', 'tps'))),
    times(medianRatio(own('tps'), of('Postern', 'tps'))),
    shown(median(own('latencyMs'))),
    shown(median(own('usPerTransaction'))),
    times(medianRatio(own('usPerTransaction'), of('PgBouncer', 'usPerTransaction'))),
    times(medianRatio(own('usPerTransaction'), of('Postern', 'usPerTransaction'))),
  ]
}
