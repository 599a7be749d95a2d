import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Command } from 'commander'
import pc from 'picocolors'
import type { Decision } from '../core/decision.ts'
import { PosternError, toPosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { createDecider, examine, loadPolicySet, parseCases } from '../policy/policy.ts'
import type { CaseFile, Decider, PolicyCase } from '../policy/policy.ts'
import { isColouredFor, visible } from './failure.ts'
import { decisionText, effectOf } from './policy-text.ts'
import { databaseOf, openWorkbench, policyFolder, policyPlace } from './policy-workbench.ts'
import type { PolicyDatabase, PolicyPlace, Workbench } from './policy-workbench.ts'

interface TestOptions {
  readonly config?: string
  readonly policies?: string
  readonly json?: true
}

/** How one case went: what differs, member by member, or why it could not be tried. */
interface CaseResult {
  readonly file: string
  readonly line: number
  readonly name: string
  readonly ok: boolean
  readonly differences: readonly Difference[]
  /** What policy said, in short. */
  readonly found: string
  readonly error: string | null
}

interface Difference {
  readonly what: 'decision' | 'policies' | 'approvers' | 'masked'
  readonly expected: readonly string[]
  readonly found: readonly string[]
}

/** `postern policy test`: runs cases against a policy set and tells every difference. */
export function policyTestCommand(): Command {
  return new Command('test')
    .description('try cases written in YAML against a policy set; ends with 1 where one comes out differently')
    .argument('<file...>', 'files of cases')
    .option('--config <file>', 'the postern.yaml that names databases and classifications')
    .option('--policies <dir>', 'the folder of the policies; else that of postern.yaml, or that of the file')
    .option('--json', 'print an object with all results')
    .action(async (files: readonly string[], options: TestOptions) => {
      const place = policyPlace(options.config)
      const results: CaseResult[] = []
      for (const file of files) results.push(...(await runFile(file, place, options)))
      const isOk = results.every(({ ok }) => ok)
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ ok: isOk, cases: results })}\n`
          : asText(results, isColouredFor(process.stdout)),
      )
      if (!isOk) process.exitCode = 1
    })
}

async function runFile(file: string, place: PolicyPlace, options: TestOptions): Promise<readonly CaseResult[]> {
  const cases = parseCases(readCases(file), file)
  const decider = createDecider(await loadPolicySet(policyFolder(place, options.policies, dirname(file))))
  const databases = withDatabases(place, cases, file)
  const benches = new Map<string, Workbench>()
  try {
    const results: CaseResult[] = []
    for (const each of cases.cases) results.push(await runCase(each, { file, decider, databases, benches }))
    return results
  } finally {
    for (const bench of benches.values()) await bench.close()
  }
}

function readCases(file: string): string {
  try {
    if (statSync(file).size > limits.policyCasesBytesMax) throw new Error('it is too large')
    return readFileSync(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PosternError('input_invalid', `${file} cannot be read: ${why}`, {
      cause: error,
      hint: 'Check the path; `deploy/starter/policies/tests.yaml` shows how such a file looks.',
    })
  }
}

/** What a case file says of its databases goes before the configuration, so that it means the same everywhere. */
function withDatabases(place: PolicyPlace, { databases }: CaseFile, file: string): PolicyPlace {
  const own = [...databases].map(([name, { labels, classification, safeFunctions }]): [string, PolicyDatabase] => {
    const path = classification === null ? null : resolve(dirname(file), classification)
    return [name, { resource: { name, labels }, safeFunctions, classification: path }]
  })
  return { ...place, databases: new Map([...place.databases, ...own]) }
}

interface Surroundings {
  readonly file: string
  readonly decider: Decider
  readonly databases: PolicyPlace
  readonly benches: Map<string, Workbench>
}

async function runCase(each: PolicyCase, around: Surroundings): Promise<CaseResult> {
  const { file, decider } = around
  const shown = { file, name: each.name }
  try {
    const bench = await benchFor(each, around)
    const { statement, principal, timeMs, searchPath, session } = each
    const asking = {
      principal: { ...principal, tokenId: undefined, expiresAtMs: Infinity },
      accessRoles: principal.accessRoles,
      database: bench.database.resource,
      session,
      nowMs: timeMs ?? Date.now(),
      searchPath: searchPath ?? ['public'],
    }
    const text = statement === null ? [] : await bench.statements(statement, asking.searchPath)
    const verdict = examine(decider, asking, text)
    const decision = statement === null ? decider.decideConnect(asking) : verdict.decision
    const masked = verdict.masked.map(({ schema, relation, column }) => `${schema}.${relation}.${column}`)
    const differences = differencesOf(each, decision, [...new Set(masked)].sort())
    const found = decisionText(decision)
    return { ...shown, line: each.line, ok: differences.length === 0, differences, found, error: null }
  } catch (thrown) {
    const error = toPosternError(thrown)
    if (error.code === 'internal') throw thrown
    return { ...shown, line: each.statementLine, ok: false, differences: [], found: '', error: error.message }
  }
}

async function benchFor(each: PolicyCase, { databases, benches }: Surroundings): Promise<Workbench> {
  const bench = benches.get(each.database) ?? (await openWorkbench(databaseOf(databases, each.database)))
  benches.set(each.database, bench)
  return bench
}

function differencesOf({ expected }: PolicyCase, decision: Decision, masked: readonly string[]): readonly Difference[] {
  const requirements = decision.effect === 'deny' ? decision.requirements : []
  const pairs = [
    ['decision', [expected.decision], [effectOf(decision)]],
    ['policies', expected.policies, decision.policies.map(({ id }) => id).sort()],
    ['approvers', expected.approvers, [...new Set(requirements.flatMap(({ approvers }) => approvers))].sort()],
    ['masked', expected.masked, masked],
  ] as const
  return pairs.flatMap(([what, wanted, found]) =>
    wanted === null || JSON.stringify(wanted) === JSON.stringify(found) ? [] : [{ what, expected: wanted, found }],
  )
}

function asText(results: readonly CaseResult[], isColoured: boolean): string {
  const { dim, green, red } = pc.createColors(isColoured)
  const failed = results.filter(({ ok }) => !ok)
  const lines = failed.flatMap(({ file, line, name, differences, found, error }) => [
    `${red('failed')} ${visible(`${file} line ${String(line)}: ${name}`)}`,
    ...(error === null ? [] : [`  ${visible(error)}`]),
    ...differences.flatMap(({ what, expected, found: is }) => [
      `  ${what}`,
      ...changed(expected, is).map(
        ([sign, text]) => `    ${sign === '-' ? red(`- ${text}`) : sign === '+' ? green(`+ ${text}`) : `  ${text}`}`,
      ),
    ]),
    ...(found === '' ? [] : [`  ${dim(visible(found))}`]),
  ])
  const count = `${String(results.length)} ${results.length === 1 ? 'case' : 'cases'}`
  const sum =
    failed.length === 0
      ? `${green('ok')}     ${count}, all as expected.`
      : `${count}, ${String(failed.length)} not as expected (${red('-')} expected, ${green('+')} found).`
  return [...lines, sum, ''].join('\n')
}

/** Both lists as one: what only the first has, what only the second has, and what both have. */
function changed(
  expected: readonly string[],
  found: readonly string[],
): readonly (readonly ['-' | '+' | ' ', string])[] {
  const all = [...new Set([...expected, ...found])].sort()
  const lines = all.map((text) => {
    const sign = !found.includes(text) ? '-' : !expected.includes(text) ? '+' : ' '
    return [sign, visible(text)] as const
  })
  return [...lines.filter(([sign]) => sign === '-'), ...lines.filter(([sign]) => sign !== '-')]
}
