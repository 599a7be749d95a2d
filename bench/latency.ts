import type { Contender } from './contenders.ts'
import { median, quantile, shown, table, times } from './figures.ts'
import { WireClient } from './wire-client.ts'

const executions = 3_000

/** How long one client waits for a prepared select of one row, and how much of that the process in between adds. */
export async function benchLatency(
  contenders: readonly Contender[],
  { rounds }: { readonly rounds: number },
): Promise<string> {
  const clients = new Map<Contender, WireClient>()
  for (const contender of contenders) {
    const client = await WireClient.logIn(contender)
    await client.prepare('one', 'SELECT abalance FROM pgbench_accounts WHERE aid = $1')
    clients.set(contender, client)
  }
  const figures = new Map<Contender['name'], { p50: number[]; p95: number[]; p99: number[] }>()
  for (let round = 0; round < rounds; round += 1) {
    for (const [{ name }, client] of clients) {
      const waitsUs = await timeExecutions(client)
      const of = figures.get(name) ?? { p50: [], p95: [], p99: [] }
      figures.set(name, of)
      of.p50.push(quantile(waitsUs, 0.5))
      of.p95.push(quantile(waitsUs, 0.95))
      of.p99.push(quantile(waitsUs, 0.99))
    }
  }
  for (const client of clients.values()) await client.close()
  const direct = figures.get('direct')?.p50 ?? []
  const added = (name: Contender['name']) =>
    median((figures.get(name)?.p50 ?? []).map((p50, round) => p50 - (direct[round] ?? Number.NaN)))
  const rows = [...figures].map(([name, { p50, p95, p99 }]) => [
    name,
    shown(median(p50)),
    shown(median(p95)),
    shown(median(p99)),
    name === 'direct' ? '-' : shown(added(name)),
    name.startsWith('Postern') ? times(added(name) / added('PgBouncer')) : '-',
  ])
  return table(
    ['prepared select, 1 client', 'p50 µs', 'p95 µs', 'p99 µs', 'added to p50 µs', 'added / PgBouncer'],
    rows,
  )
}

async function timeExecutions(client: WireClient): Promise<number[]> {
  const waitsUs: number[] = []
  for (let index = 0; index < executions + 200; index += 1) {
    const startMs = performance.now()
    await client.execute('one', [String(1 + ((index * 7_919) % 100_000))])
    if (index >= 200) waitsUs.push((performance.now() - startMs) * 1_000)
  }
  return waitsUs
}
