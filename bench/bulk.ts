import type { Contender } from './contenders.ts'
import { median, medianRatio, shown, table, times } from './figures.ts'
import { processorTimeUs, residentMib } from './processor-time.ts'
import { WireClient } from './wire-client.ts'

/** A result of about `mb` megabytes (of 1,000,000 bytes) in rows of the one or the other size. */
export const bulkQueries = {
  'narrow rows (95 B)': (mb: number) => `SELECT b.* FROM generate_series(1, ${repeats(mb, 9.2)}) n, bulk_narrow b`,
  'wide rows (2 KB)': (mb: number) => `SELECT b.* FROM generate_series(1, ${repeats(mb, 9.9)}) n, bulk_wide b`,
  'COPY of narrow rows': (mb: number) =>
    `COPY (SELECT b.* FROM generate_series(1, ${repeats(mb, 7.7)}) n, bulk_narrow b) TO STDOUT`,
} as const

function repeats(mb: number, tableMb: number): string {
  return String(Math.max(1, Math.round(mb / tableMb)))
}

interface Transfer {
  readonly mbPerS: number
  readonly usPerMb: number
}

/** How fast results of hundreds of megabytes come through, and what a megabyte costs the process in between. */
export async function benchBulk(
  contenders: readonly Contender[],
  options: { readonly rounds: number; readonly bulkMb: number },
  tell: (text: string) => void,
): Promise<string> {
  const rows: string[][] = []
  for (const [what, sqlOf] of Object.entries(bulkQueries)) {
    tell(`bulk, ${what}`)
    const transfers = new Map<Contender['name'], Transfer[]>()
    for (const contender of contenders) await transfer(contender, sqlOf(20))
    for (let round = 0; round < options.rounds; round += 1) {
      for (const contender of contenders) {
        const done = await transfer(contender, sqlOf(options.bulkMb))
        transfers.set(contender.name, [...(transfers.get(contender.name) ?? []), done])
      }
    }
    rows.push(rowOf(what, transfers))
  }
  const memory = contenders.flatMap(({ name, processId }) =>
    processId === null ? [] : [`${name} ${shown(residentMib(processId))} MiB`],
  )
  const head = [
    'one client',
    'direct MB/s',
    'PgBouncer MB/s',
    'Postern MB/s',
    'Postern / direct',
    'Postern / PgBouncer',
  ]
  return [
    table([...head, 'PgBouncer µs/MB', 'Postern µs/MB', 'ratio of µs/MB'], rows),
    `Resident memory afterwards: ${memory.join(', ')}.`,
  ].join('\n\n')
}

async function transfer(contender: Contender, sql: string): Promise<Transfer> {
  const client = await WireClient.logIn(contender)
  const { processId } = contender
  const timeBeforeUs = processId === null ? Number.NaN : processorTimeUs(processId)
  const startMs = performance.now()
  const mb = (await client.query(sql)) / 1_000_000
  const seconds = (performance.now() - startMs) / 1_000
  const timeUs = processId === null ? Number.NaN : processorTimeUs(processId) - timeBeforeUs
  await client.close()
  return { mbPerS: mb / seconds, usPerMb: timeUs / mb }
}

function rowOf(what: string, transfers: ReadonlyMap<Contender['name'], readonly Transfer[]>): string[] {
  const of = (name: Contender['name'], figure: keyof Transfer) =>
    (transfers.get(name) ?? []).map((each) => each[figure])
  return [
    what,
    shown(median(of('direct', 'mbPerS'))),
    shown(median(of('PgBouncer', 'mbPerS'))),
    shown(median(of('Postern', 'mbPerS'))),
    times(medianRatio(of('Postern', 'mbPerS'), of('direct', 'mbPerS'))),
    times(medianRatio(of('Postern', 'mbPerS'), of('PgBouncer', 'mbPerS'))),
    shown(median(of('PgBouncer', 'usPerMb'))),
    shown(median(of('Postern', 'usPerMb'))),
    times(medianRatio(of('Postern', 'usPerMb'), of('PgBouncer', 'usPerMb'))),
  ]
}
