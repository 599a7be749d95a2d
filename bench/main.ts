/** Measures Postern against the direct connection and PgBouncer in the same run; see README.md. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchBulk } from './bulk.ts'
import { type Contest, startContest } from './contenders.ts'
import { benchLatency } from './latency.ts'
import { machineFacts } from './machine.ts'
import { benchMicro } from './micro.ts'
import { type BenchOptions, readOptions, usage } from './options.ts'
import { benchPgbench } from './pgbench.ts'
import { profileGateway } from './profile.ts'
import { benchSessions } from './sessions.ts'
import { benchUntouched } from './untouched.ts'

const tell = (text: string): void => console.error(`… ${text}`)

function parsedOptions(): BenchOptions | 'help' {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    return process.exit(2)
  }
}

const options = parsedOptions()
if (options === 'help') console.log(usage)
else await bench(options)

async function bench(options: BenchOptions): Promise<void> {
  const startMs = performance.now()
  tell('starting PostgreSQL, PgBouncer and Postern')
  const contest = await startContest()
  const sections: string[] = []
  const add = (title: string, text: string): void => {
    const section = `## ${title}\n\n${text}\n`
    console.log(section)
    sections.push(section)
  }
  try {
    add('Machine', await machineFacts(contest, options))
    await measure(contest, options, add)
  } finally {
    await contest.stop()
  }
  const tookS = Math.round((performance.now() - startMs) / 1_000)
  console.log(`Took ${String(tookS)} s.`)
  if (!options.isWritten) return
  const date = new Date().toISOString().slice(0, 10)
  const directory = join(import.meta.dirname, 'results')
  mkdirSync(directory, { recursive: true })
  // A second run on one day leaves the first one's results alone.
  const names = [`${date}.md`, ...Array.from({ length: 99 }, (_, index) => `${date}-${String(index + 2)}.md`)]
  const name = names.find((each) => !existsSync(join(directory, each))) ?? `${date}.md`
  writeFileSync(join(directory, name), [`# Benchmarks of ${date}\n`, ...sections].join('\n'))
  console.log(`Written to bench/results/${name}.`)
}

async function measure(
  contest: Contest,
  options: BenchOptions,
  add: (title: string, text: string) => void,
): Promise<void> {
  const { direct, pgbouncer, freshPgbouncer } = contest
  const bouncers = pgbouncer === null ? [] : [pgbouncer]
  const contenders = [direct, ...bouncers, contest.postern.contender, contest.classified.contender]
  const { parts, rounds, bulkMb } = options
  if (parts.includes('pgbench')) add('pgbench', await benchPgbench(contenders, options, tell))
  if (parts.includes('untouched'))
    add('Statements that touch nothing classified', await benchUntouched(contest, options, tell))
  if (parts.includes('latency')) {
    tell('latency')
    add('Latency', await benchLatency(contenders, { rounds }))
  }
  if (parts.includes('bulk')) {
    add('Bulk results', await benchBulk([...contenders, contest.masking.contender], { rounds, bulkMb }, tell))
  }
  if (parts.includes('sessions')) {
    tell('new sessions')
    const all = freshPgbouncer === null ? contenders : [...contenders, freshPgbouncer]
    add('New sessions', await benchSessions(all, { rounds, seconds: options.runS }))
  }
  if (parts.includes('micro')) {
    tell('micro-benchmarks')
    add('Micro-benchmarks', await benchMicro(contest.postgres))
  }
  if (parts.includes('profile')) add('Profiles', await profileGateway(contest, tell))
}
