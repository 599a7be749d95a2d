import type { Contender } from './contenders.ts'
import { median, medianRatio, shown, table, times } from './figures.ts'
import { processorTimeUs, residentMib } from './processor-time.ts'
import { WireClient } from './wire-client.ts'

/** A result of about `mb` megabytes (of 1,000,000 bytes) in rows of the one or the other size. */
export const bulkQueries = {
  'narrow rows (95 B)': (mb: number) => `SELECT b.* FROM generate_series(1, ${repeats(mb, 9.2)}) n, bulk_narrow b`,
  'ten texts (240 B)': (mb: number) => `SELECT b.* FROM generate_series(1, ${repeats(mb, 10.9)}) n, bulk_texts b`,
  'wide rows (2 KB)': (mb: number) => `SELECT b.* FROM generate_series(1, ${repeats(mb, 9.9)}) n, bulk_wide b`,
  'COPY of narrow rows': (mb: number) =>
    `COPY (SELECT b.* FROM generate_series(1, ${repeats(mb, 7.7)}) n, bulk_narrow b) TO STDOUT`,
  'COPY of ten texts': (mb: number) =>
    `COPY (SELECT b.* FROM generate_series(1, ${repeats(mb, 9.4)}) n, bulk_texts b) TO STDOUT`,
  'COPY of wide rows': (mb: number) =>
    `COPY (SELECT b.* FROM generate_series(1, ${repeats(mb, 9.8)}) n, bulk_wide b) TO STDOUT`,
} as const

type BulkName = keyof typeof bulkQueries

/** Of these one text column of ten is masked by the contender that masks; the others are the same to all of Postern. */
const maskedQueries: ReadonlySet<string> = new Set<BulkName>([
  'ten texts (240 B)',
  'wide rows (2 KB)',
  'COPY of ten texts',
  'COPY of wide rows',
])

function repeats(mb: number, tableMb: number): string {
  return String(Math.max(1, Math.round(mb / tableMb)))
}

interface Transfer {
  readonly mbPerS: number
  readonly usPerMb: number
}

type Transfers = ReadonlyMap<string, readonly Transfer[]>

/**
 * How fast results of hundreds of megabytes come through, and what a megabyte costs the process in between. A megabyte
 * is one of what PostgreSQL sends: masking makes it less.
 */
export async function benchBulk(
  contenders: readonly Contender[],
  options: { readonly rounds: number; readonly bulkMb: number },
  tell: (text: string) => void,
): Promise<string> {
  const results: [what: string, transfers: Transfers][] = []
  for (const [what, sqlOf] of Object.entries(bulkQueries)) {
    tell(`bulk, ${what}`)
    const takePart = contenders.filter(({ name }) => name !== 'Postern, masking' || maskedQueries.has(what))
    const transfers = new Map<string, Transfer[]>()
    for (const contender of takePart) await transfer(contender, sqlOf(20))
    for (let round = 0; round < options.rounds; round += 1) {
      let sentBytes = Number.NaN
      for (const contender of takePart) {
        const { bytes, seconds, timeUs } = await transfer(contender, sqlOf(options.bulkMb))
        if (contender.name === 'direct') sentBytes = bytes
        const mb = sentBytes / 1_000_000
        const done = { mbPerS: mb / seconds, usPerMb: timeUs / mb }
        transfers.set(contender.name, [...(transfers.get(contender.name) ?? []), done])
      }
    }
    results.push([what, transfers])
  }
  const memory = contenders.flatMap(({ name, processId }) =>
    processId === null ? [] : [`${name} ${shown(residentMib(processId))} MiB`],
  )
  return [
    table(plainHead, results.map(plainRow)),
    'With a classification: of columns that are not in the result, and of one text column of ten in it, which is masked.',
    table(maskedHead, results.map(maskedRow)),
    `Resident memory afterwards: ${memory.join('; ')}.`,
  ].join('\n\n')
}

async function transfer(
  contender: Contender,
  sql: string,
): Promise<{ readonly bytes: number; readonly seconds: number; readonly timeUs: number }> {
  const client = await WireClient.logIn(contender)
  const { processId } = contender
  const timeBeforeUs = processId === null ? Number.NaN : processorTimeUs(processId)
  const startMs = performance.now()
  const bytes = await client.query(sql)
  const seconds = (performance.now() - startMs) / 1_000
  const timeUs = processId === null ? Number.NaN : processorTimeUs(processId) - timeBeforeUs
  await client.close()
  return { bytes, seconds, timeUs }
}

const plainHead = [
  'one client',
  'direct MB/s',
  'PgBouncer MB/s',
  'Postern MB/s',
  'Postern / direct',
  'Postern / PgBouncer',
  'PgBouncer µs/MB',
  'Postern µs/MB',
  'ratio of µs/MB',
]

function plainRow([what, transfers]: readonly [string, Transfers]): string[] {
  const of = figuresOf(transfers)
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

const maskedHead = [
  'one client',
  'classified MB/s',
  '/ direct',
  '/ PgBouncer',
  'classified µs/MB / Postern',
  'masking MB/s',
  '/ direct',
  '/ PgBouncer',
  'masking µs/MB',
  '/ PgBouncer',
  '/ Postern',
]

function maskedRow([what, transfers]: readonly [string, Transfers]): string[] {
  const of = figuresOf(transfers)
  const [classified, masking] = ['Postern, classified', 'Postern, masking'] as const
  return [
    what,
    shown(median(of(classified, 'mbPerS'))),
    times(medianRatio(of(classified, 'mbPerS'), of('direct', 'mbPerS'))),
    times(medianRatio(of(classified, 'mbPerS'), of('PgBouncer', 'mbPerS'))),
    times(medianRatio(of(classified, 'usPerMb'), of('Postern', 'usPerMb'))),
    shown(median(of(masking, 'mbPerS'))),
    times(medianRatio(of(masking, 'mbPerS'), of('direct', 'mbPerS'))),
    times(medianRatio(of(masking, 'mbPerS'), of('PgBouncer', 'mbPerS'))),
    shown(median(of(masking, 'usPerMb'))),
    times(medianRatio(of(masking, 'usPerMb'), of('PgBouncer', 'usPerMb'))),
    times(medianRatio(of(masking, 'usPerMb'), of('Postern', 'usPerMb'))),
  ]
}

function figuresOf(transfers: Transfers) {
  return (name: Contender['name'], figure: keyof Transfer) => (transfers.get(name) ?? []).map((each) => each[figure])
}
