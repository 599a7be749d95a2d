import type { Contender, Contest } from './contenders.ts'
import { medianRatio, quantile, shown, table, times } from './figures.ts'
import type { BenchOptions } from './options.ts'
import { runPgbench, warmUp } from './pgbench.ts'

const clients = 8
/** As many times the rounds of other parts: what is looked for is small. */
const roundsFactor = 4

/**
 * What a classification costs statements that touch nothing of it. Three processes take turns, the order turned round
 * every round: Postern without a classification, another just like it, and Postern with one. The ratio between the
 * first two is what chance makes of nothing; a cost that can be measured is one beyond that.
 */
export async function benchUntouched(
  contest: Contest,
  options: BenchOptions,
  tell: (text: string) => void,
): Promise<string> {
  const twin = await contest.startPostern({})
  try {
    const contenders = {
      postern: contest.postern.contender,
      twin: twin.contender,
      classified: contest.classified.contender,
    }
    await warmUp(Object.values(contenders), options.modes)
    const rows: string[][] = []
    for (const script of options.scripts) {
      for (const mode of options.modes) {
        tell(`untouched, ${script}, ${mode}`)
        const run = async (contender: Contender): Promise<number> => {
          const { usPerTransaction } = await runPgbench(contender, { script, mode, clients, seconds: options.runS })
          return usPerTransaction
        }
        rows.push([`${script}, ${mode}, ${String(clients)}`, ...(await compare(contenders, options.rounds, run))])
      }
    }
    return table(head, rows)
  } finally {
    await twin.stop()
  }
}

const head = [
  'script, mode, clients',
  'Postern µs/tx',
  'its twin / Postern',
  'quartiles',
  'classified / Postern',
  'quartiles',
  'classified / twin',
]

async function compare(
  contenders: Readonly<Record<'postern' | 'twin' | 'classified', Contender>>,
  rounds: number,
  run: (contender: Contender) => Promise<number>,
): Promise<string[]> {
  const figures = { postern: [] as number[], twin: [] as number[], classified: [] as number[] }
  const names = ['postern', 'twin', 'classified'] as const
  for (let round = 0; round < rounds * roundsFactor; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) figures[name].push(await run(contenders[name]))
  }
  const { postern, twin, classified } = figures
  return [
    shown(quantile(postern, 0.5)),
    times(medianRatio(twin, postern)),
    quartiles(twin, postern),
    times(medianRatio(classified, postern)),
    quartiles(classified, postern),
    times(medianRatio(classified, twin)),
  ]
}

function quartiles(figures: readonly number[], others: readonly number[]): string {
  const ratios = figures.map((figure, round) => figure / (others[round] ?? Number.NaN))
  return `${quantile(ratios, 0.25).toFixed(2)} to ${quantile(ratios, 0.75).toFixed(2)}`
}
