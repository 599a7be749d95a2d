import type { Contender } from './contenders.ts'
import { median, medianRatio, shown, table, times } from './figures.ts'
import { processorTimeUs } from './processor-time.ts'
import { WireClient } from './wire-client.ts'

const clientsAtOnce = 8

interface Churn {
  readonly perS: number
  readonly usPerSession: number
}

/** New sessions per second: connect, log in, SELECT 1, close, by eight clients at a time. */
export async function benchSessions(
  contenders: readonly Contender[],
  options: { readonly rounds: number; readonly seconds: number },
): Promise<string> {
  const churns = new Map<Contender['name'], Churn[]>()
  for (const contender of contenders) await churn(contender, 0.5)
  for (let round = 0; round < options.rounds; round += 1) {
    for (const contender of contenders) {
      const done = await churn(contender, options.seconds)
      churns.set(contender.name, [...(churns.get(contender.name) ?? []), done])
    }
  }
  const of = (name: Contender['name'], figure: keyof Churn) => (churns.get(name) ?? []).map((each) => each[figure])
  return table(
    [
      `sessions, ${String(clientsAtOnce)} at a time`,
      'per second',
      'against direct',
      'against PgBouncer, fresh',
      'µs/session',
      'µs/session against PgBouncer, fresh',
    ],
    [...churns.keys()].map((name) => [
      name,
      shown(median(of(name, 'perS'))),
      times(medianRatio(of(name, 'perS'), of('direct', 'perS'))),
      times(medianRatio(of(name, 'perS'), of('PgBouncer, fresh', 'perS'))),
      shown(median(of(name, 'usPerSession'))),
      times(medianRatio(of(name, 'usPerSession'), of('PgBouncer, fresh', 'usPerSession'))),
    ]),
  )
}

async function churn(contender: Contender, seconds: number): Promise<Churn> {
  const { processId } = contender
  const timeBeforeUs = processId === null ? Number.NaN : processorTimeUs(processId)
  const startMs = performance.now()
  const endMs = startMs + seconds * 1_000
  let sessions = 0
  await Promise.all(
    Array.from({ length: clientsAtOnce }, async () => {
      while (performance.now() < endMs) {
        const client = await WireClient.logIn(contender)
        await client.query('SELECT 1')
        await client.close()
        sessions += 1
      }
    }),
  )
  const tookS = (performance.now() - startMs) / 1_000
  const timeUs = processId === null ? Number.NaN : processorTimeUs(processId) - timeBeforeUs
  return { perS: sessions / tookS, usPerSession: timeUs / sessions }
}
