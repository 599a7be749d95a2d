import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { bulkQueries } from './bulk.ts'
import type { Contender, Contest } from './contenders.ts'
import { table } from './figures.ts'
import { runPgbench } from './pgbench.ts'
import { summarizeProfile } from './profile-summary.ts'
import type { StartedPostern } from './start-postern.ts'
import { WireClient } from './wire-client.ts'

/** Kept beside the results and out of the repository. */
const directory = join(import.meta.dirname, 'results', 'profiles')

interface ProfiledLoad {
  readonly name: 'postern' | 'classified' | 'masking'
  load(contender: Contender): Promise<unknown>
}

const preparedSelect = (contender: Contender): Promise<unknown> =>
  runPgbench(contender, { script: 'select-only', mode: 'prepared', clients: 8, seconds: 6 })

/** Runs queries one after the other. */
function querying(...texts: readonly string[]): ProfiledLoad['load'] {
  return async (contender) => {
    const client = await WireClient.logIn(contender)
    for (const sql of texts) await client.query(sql)
    await client.close()
  }
}

const loads: Readonly<Record<string, ProfiledLoad>> = {
  'prepared-select': { name: 'postern', load: preparedSelect },
  'prepared-select-classified': { name: 'classified', load: preparedSelect },
  bulk: {
    name: 'postern',
    load: querying(bulkQueries['narrow rows (95 B)'](300), bulkQueries['wide rows (2 KB)'](600)),
  },
  'bulk-masking': { name: 'masking', load: querying(bulkQueries['ten texts (240 B)'](300)) },
  'copy-masking': { name: 'masking', load: querying(bulkQueries['COPY of ten texts'](300)) },
}

/** Profiles Posterns under several loads and counts their system calls; the profiles stay in bench/results/profiles. */
export async function profileGateway(contest: Contest, tell: (text: string) => void): Promise<string> {
  mkdirSync(directory, { recursive: true })
  const sections: string[] = []
  for (const [name, profiled] of Object.entries(loads)) {
    tell(`profile of ${name}`)
    const file = join(directory, `${name}.cpuprofile`)
    const load = (contender: Contender): Promise<unknown> => profiled.load(contender)
    const postern: StartedPostern = contest[profiled.name]
    // Warm first: what starting costs is not what running costs.
    await load(postern.contender)
    await postern.profile(file, () => load(postern.contender))
    sections.push(`### ${name}`, topFunctions(file), await countSystemCalls(postern.contender, load))
  }
  return sections.join('\n\n')
}

function topFunctions(file: string): string {
  const rows = summarizeProfile(file)
    .slice(0, 30)
    .map(({ where, self, total }) => [`\`${where}\``, percent(self), percent(total)])
  return table(['function', 'self', 'with what it calls'], rows)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

/** strace slows the process down many times over: the counts are what matters, not the times. */
async function countSystemCalls(
  contender: Contender,
  load: (contender: Contender) => Promise<unknown>,
): Promise<string> {
  if (contender.processId === null || spawnSync('strace', ['--version']).error !== undefined) {
    return 'strace is not installed: no system calls were counted.'
  }
  const strace = spawn(
    'strace',
    ['-c', '-f', '-U', 'name,calls,errors', '-S', 'calls', '-p', String(contender.processId)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let output = ''
  strace.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  const closed = once(strace, 'close')
  const result = await load(contender)
  strace.kill('SIGINT')
  await closed
  const lines = output.split('\n').filter((line) => !line.startsWith('strace:') && line.trim() !== '')
  const tps = (result as { tps?: number } | undefined)?.tps
  const rate = tps === undefined ? '' : `About ${String(Math.round(tps * 6))} transactions under strace.\n\n`
  return `${rate}\`\`\`\n${lines.slice(0, 16).join('\n')}\n\`\`\``
}
