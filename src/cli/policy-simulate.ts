import { Command } from 'commander'
import pc from 'picocolors'
import { PosternError } from '../core/errors.ts'
import { createDecider, loadPolicySet } from '../policy/policy.ts'
import type { PolicySet } from '../policy/policy.ts'
import { isColouredFor, visible } from './failure.ts'
import { entriesSince } from './policy-journal.ts'
import { createSimulator } from './policy-simulation.ts'
import type { DifferenceKind, SimulatedDifference, Simulation } from './policy-simulation.ts'
import { databaseOf, openWorkbench, policyFolder, policyPlace } from './policy-workbench.ts'
import type { PolicyPlace, Workbench } from './policy-workbench.ts'
import { timeOf } from './option-times.ts'

interface SimulateOptions {
  readonly since: string
  readonly policies?: string
  readonly searchPath?: string
  readonly oneAtATime?: true
  readonly journal?: string
  readonly config?: string
  readonly fail?: true
  readonly json?: true
}

/** `postern policy simulate`: replays the journal against a policy set and tells what would go differently. */
export function policySimulateCommand(): Command {
  return new Command('simulate')
    .description('replay the journal against a policy set: what it would newly refuse, hold, mask, show and allow')
    .option('--since <time>', 'from when on: a time such as 2026-11-23T16:00:00Z, or how long ago: 15m, 2h, 30d', '30d')
    .option('--policies <dir>', 'the folder of the proposed policies; that of postern.yaml unless told')
    .option(
      '--search-path <schemas>',
      'take names without a schema to be looked up here; the journal does not say where',
    )
    .option('--one-at-a-time', 'take every statement for the only one of its text; the journal does not say')
    .option('--journal <dir>', "the journal's directory, instead of the one that postern.yaml names")
    .option('--config <file>', 'the postern.yaml')
    .option('--fail', 'end with 1 where anything would go differently')
    .option('--json', 'print an object')
    .action(async (options: SimulateOptions) => {
      const place = policyPlace(options.config)
      const folder = policyFolder(place, options.policies)
      const set = await loadPolicySet(folder)
      const inForce =
        options.policies === undefined || place.policies === null ? null : await loadPolicySet(place.policies)
      const simulation = await replay(place, { set, inForce, options })
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify(asJson(simulation, set))}\n`
          : asText(simulation, { set, inForce, since: options.since }, isColouredFor(process.stdout)),
      )
      if (options.fail === true && simulation.differences.length > 0) process.exitCode = 1
    })
}

async function replay(
  place: PolicyPlace,
  { set, inForce, options }: { set: PolicySet; inForce: PolicySet | null; options: SimulateOptions },
): Promise<Simulation> {
  const journal = options.journal ?? place.journal
  if (journal === null) {
    throw new PosternError('input_invalid', 'it is not known which journal is meant: there is no postern.yaml here', {
      hint: 'Name its directory with --journal DIR, or the configuration with --config FILE.',
    })
  }
  const benches = new Map<string, Workbench | null>()
  try {
    const simulator = createSimulator({
      proposed: createDecider(set),
      inForce: inForce === null ? null : createDecider(inForce),
      searchPath: options.searchPath?.split(',').map((schema) => schema.trim()) ?? null,
      statementCount: options.oneAtATime === true ? 1 : null,
      benchOf: async (name) => {
        const known = benches.get(name)
        if (known !== undefined) return known
        const isKnown = place.config === null || place.databases.has(name)
        const bench = isKnown ? await openWorkbench(databaseOf(place, name)) : null
        benches.set(name, bench)
        return bench
      },
    })
    for await (const entry of entriesSince(journal, timeOf('--since', options.since, Date.now()))) {
      await simulator.add(entry)
    }
    return simulator.result()
  } finally {
    for (const bench of benches.values()) await bench?.close()
  }
}

const headings: Record<DifferenceKind, string> = {
  newly_refused: 'would be refused, and was not',
  newly_needs_approval: 'would wait for approval, and did not',
  newly_allowed: 'would be allowed, or could be approved, and was not',
  newly_masked: 'would be masked, and is not by the policies in force',
  newly_shown: 'would be shown, and is masked by the policies in force',
}

function asJson(simulation: Simulation, set: PolicySet): unknown {
  const { notReplayed, ...rest } = simulation
  return { hash: set.hash, ...rest, notReplayed: Object.fromEntries(notReplayed) }
}

interface Compared {
  readonly set: PolicySet
  readonly inForce: PolicySet | null
  readonly since: string
}

function asText(simulation: Simulation, { set, inForce, since }: Compared, isColoured: boolean): string {
  const { bold, dim, green } = pc.createColors(isColoured)
  const { sessions, statements, same, differences, differencesLeftOut, notReplayed, byRecordAlone } = simulation
  const head = `${String(statements)} statements and ${String(sessions)} sessions since ${since}, against ${set.directory} (hash ${set.hash.slice(0, 12)})`
  const parts = [visible(head)]
  for (const kind of Object.keys(headings) as DifferenceKind[]) {
    const found = differences.filter((difference) => difference.kind === kind)
    if (found.length === 0) continue
    parts.push([bold(`What ${headings[kind]}:`), ...table(found)].join('\n'))
  }
  if (differences.length === 0) parts.push(`${green('ok')}  Nothing that could be replayed would go differently.`)
  const left = [...notReplayed].map(([reason, count]) => `  ${String(count).padStart(6)}  ${visible(reason)}`)
  if (left.length > 0)
    parts.push([bold('What could not be replayed, and about which nothing is said:'), ...left].join('\n'))
  const notes = [
    `${String(same)} went as they would go.`,
    ...(byRecordAlone > 0
      ? [`${String(byRecordAlone)} were replayed without their text, by what is recorded beside it.`]
      : []),
    ...(differencesLeftOut > 0 ? [`${String(differencesLeftOut)} more differences are not listed.`] : []),
    ...(inForce === null
      ? ['Masks are compared only with --policies, since the journal does not say which there were.']
      : []),
  ]
  return `${[...parts, dim(notes.join(' '))].join('\n\n')}\n`
}

function table(found: readonly SimulatedDifference[]): readonly string[] {
  const rows = found.map(
    ({ count, principal, principalKind, database, what, policies, example, isSoAlready, kind }) => {
      const why = kind.endsWith('masked') || kind.endsWith('shown') ? '' : policies.join(', ') || 'no policy permits it'
      const where = example.resource === '' ? database : example.resource
      const already = isSoAlready ? ', by the policies in force as well' : ''
      return [
        `${String(count)} ×`,
        `${principal} (${principalKind})`,
        `${what} on ${where}`,
        why,
        `entry ${String(example.seq)}${already}`,
      ]
    },
  )
  const widths = [0, 1, 2, 3].map((place) => Math.max(...rows.map((row) => row[place]?.length ?? 0)))
  return rows.map((row) =>
    visible(
      `  ${row.map((cell, place) => (place === 0 ? cell.padStart(widths[0] ?? 0) : cell.padEnd(widths[place] ?? 0))).join('  ')}`.trimEnd(),
    ),
  )
}
