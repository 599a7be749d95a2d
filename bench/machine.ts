import { spawnSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem } from 'node:os'
import type { Contest } from './contenders.ts'
import type { BenchOptions } from './options.ts'
import { pgbouncerVersion } from './start-pgbouncer.ts'

/** What a figure depends on, as a Markdown list. */
export async function machineFacts(contest: Contest, options: BenchOptions): Promise<string> {
  const [server] = await contest.postgres.query('postgres', 'SHOW server_version')
  const [cpu] = cpus()
  const changes = firstLine('git', ['status', '--porcelain', '--', 'src']) === '' ? '' : ', with changes in src'
  const facts = {
    command: `\`${options.command}\``,
    commit: `${firstLine('git', ['rev-parse', '--short', 'HEAD'])}${changes}`,
    processor: `${cpu?.model.trim() ?? 'unknown'}, ${String(cpus().length)} cores`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    system: `Linux ${release()}, load average before the run ${loadavg()[0]?.toFixed(1) ?? '-'}`,
    node: process.version,
    PostgreSQL: String(server?.['server_version']),
    PgBouncer: pgbouncerVersion(),
    pgbench: firstLine('pgbench', ['--version']),
    rounds: `${String(options.rounds)}, interleaved; figures are medians, ratios medians of the ratios within a round`,
  }
  return Object.entries(facts)
    .map(([name, fact]) => `- ${name}: ${fact}`)
    .join('\n')
}

function firstLine(command: string, args: readonly string[]): string {
  const { stdout, error } = spawnSync(command, [...args], { encoding: 'utf8', cwd: import.meta.dirname })
  return error === undefined ? (stdout.split('\n')[0] ?? '') : 'unknown'
}
