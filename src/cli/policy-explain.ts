import { Command } from 'commander'
import pc from 'picocolors'
import type { Decision } from '../core/decision.ts'
import { PosternError } from '../core/errors.ts'
import type { PrincipalKind } from '../core/principal.ts'
import { changeText, createDecider, explain, isIndirect, loadPolicySet } from '../policy/policy.ts'
import type { Asking, Decider, Explanation, Policy } from '../policy/policy.ts'
import { isColouredFor, visible } from './failure.ts'
import { decisionText, effectOf } from './policy-text.ts'
import { databaseOf, openWorkbench, policyFolder, policyPlace } from './policy-workbench.ts'
import type { BenchStatement, PolicyPlace } from './policy-workbench.ts'

interface ExplainOptions {
  readonly as: string
  readonly groups?: string
  readonly kind: string
  readonly accessRole?: readonly string[]
  readonly database?: string
  readonly time?: string
  readonly searchPath: string
  readonly clientAddress: string
  readonly application: string
  readonly authenticationMethods?: string
  readonly issuer: string
  readonly plaintext?: true
  readonly config?: string
  readonly policies?: string
  readonly json?: true
}

/** `postern policy explain`: why a principal may or may not run a statement, and what would change it. */
export function policyExplainCommand(): Command {
  return new Command('explain')
    .description('say why somebody may or may not run a statement, and what would change it')
    .argument('<sql>', 'the statement, or several')
    .requiredOption('--as <name>', 'the name of the principal')
    .option('--groups <names>', 'its groups, separated by commas')
    .option('--kind <kind>', 'human, service or agent', 'human')
    .option('--access-role <name...>', 'an access role that it holds')
    .option('--database <name>', 'the database; the only one of postern.yaml unless told')
    .option('--time <time>', 'when, as in 2026-11-23T16:00:00Z; now unless told')
    .option('--search-path <schemas>', 'where names without a schema are looked up', 'public')
    .option('--client-address <address>', 'where it connects from', '127.0.0.1')
    .option('--application <name>', 'what its client calls itself', '')
    .option('--authentication-methods <names>', 'how it logged in, as the issuer says, such as pwd,mfa')
    .option('--issuer <url>', 'the issuer of its token', '')
    .option('--plaintext', 'the connection has no TLS')
    .option('--config <file>', 'the postern.yaml that names databases and classifications')
    .option('--policies <dir>', 'the folder of the policies, instead of the one that postern.yaml names')
    .option('--json', 'print an object')
    .action(async (sql: string, options: ExplainOptions) => {
      const place = policyPlace(options.config)
      const decider = createDecider(await loadPolicySet(policyFolder(place, options.policies)))
      const database = databaseOf(place, databaseName(place, options.database))
      const asking = { ...askingOf(options), database: database.resource }
      const bench = await openWorkbench(database)
      try {
        const text = await bench.statements(sql, asking.searchPath)
        const told: Told = { decider, asking, text, explanation: explain(decider, asking, text) }
        process.stdout.write(
          options.json === true ? `${JSON.stringify(asJson(told))}\n` : asText(told, isColouredFor(process.stdout)),
        )
      } finally {
        await bench.close()
      }
    })
}

interface Told {
  readonly decider: Decider
  readonly asking: Asking
  readonly text: readonly BenchStatement[]
  readonly explanation: Explanation
}

function databaseName({ databases, config }: PolicyPlace, named: string | undefined): string {
  const [only, ...others] = databases.keys()
  if (named !== undefined) return named
  if (only !== undefined && others.length === 0) return only
  throw new PosternError('input_invalid', 'it is not known which database is meant', {
    hint:
      config === null ? 'Name it with --database.' : `Name it with --database: ${[...databases.keys()].join(', ')}.`,
  })
}

const kinds: readonly PrincipalKind[] = ['human', 'service', 'agent']

function askingOf(options: ExplainOptions): Omit<Asking, 'database'> {
  const kind = kinds.find((each) => each === options.kind)
  if (kind === undefined) throw wrong('--kind', options.kind, `Write one of: ${kinds.join(', ')}.`)
  const nowMs = options.time === undefined ? Date.now() : Date.parse(options.time)
  if (Number.isNaN(nowMs)) throw wrong('--time', options.time ?? '', 'Write it as in 2026-11-23T16:00:00Z.')
  return {
    principal: {
      name: options.as,
      kind,
      issuer: options.issuer,
      subject: options.as,
      groups: listOf(options.groups),
      actors: [],
      authenticationMethods: listOf(options.authenticationMethods),
      tokenId: undefined,
      expiresAtMs: Infinity,
    },
    accessRoles: [...(options.accessRole ?? [])].flatMap(listOf).sort(),
    session: {
      clientAddress: options.clientAddress,
      applicationName: options.application,
      isTls: options.plaintext !== true,
    },
    searchPath: listOf(options.searchPath),
    nowMs,
  }
}

function wrong(option: string, value: string, hint: string): PosternError {
  return new PosternError('input_invalid', `${option} cannot be "${value}"`, { hint })
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
}

function placesOf(decider: Decider, { policies }: Decision): readonly { id: string; policy: Policy | null }[] {
  return policies.map(({ id }) => ({ id, policy: decider.set.policies.find((policy) => policy.id === id) ?? null }))
}

function asJson({ decider, text, explanation }: Told): unknown {
  const policies = (decision: Decision) =>
    placesOf(decider, decision).map(({ id, policy }) => ({
      id,
      effect: policy?.effect ?? null,
      file: policy?.file ?? null,
      line: policy?.line ?? null,
    }))
  const decided = (decision: Decision) => ({
    decision: effectOf(decision),
    reason: decision.effect === 'allow' ? null : decision.reason,
    policies: policies(decision),
  })
  return {
    outcome: explanation.outcome,
    connect: decided(explanation.connect),
    statements: explanation.statements.map(({ analysed, decision, answers }, index) => ({
      sql: analysed.statement.sql,
      kind: analysed.statement.kind,
      opaque: analysed.statement.opaque,
      tags: analysed.tags,
      predicateTags: analysed.predicateTags,
      assumedFor: text[index]?.unknownRelations ?? [],
      ...decided(decision),
      answers: answers.map((answer) => ({
        command: answer.command,
        resource: answer.resource,
        counts: !answer.isPassedOver,
        ...decided(answer.decision),
      })),
    })),
    changes: explanation.changes.map((change) => ({ ...change, text: changeText(change) })),
    notAllTried: explanation.isCut,
    masked: explanation.masked.map(({ schema, relation, column, tags }) => ({ schema, relation, column, tags })),
  }
}

function asText(told: Told, isColoured: boolean): string {
  const { decider, asking, text, explanation } = told
  const { bold, dim, green, red, yellow } = pc.createColors(isColoured)
  const paint = { allow: green, deny: red, needs_approval: yellow }
  const word = { allow: 'allowed', deny: 'refused', needs_approval: 'needs approval' }
  const head = (decision: Decision) => paint[effectOf(decision)](word[effectOf(decision)])
  const lines: string[] = []
  const list = (decision: Decision) => {
    for (const { id, policy } of placesOf(decider, decision)) {
      const where = policy === null ? '' : ` ${dim(`${policy.file}:${String(policy.line)}`)}`
      lines.push(`      ${policy?.effect ?? ''} "${visible(id)}"${where}`)
    }
  }
  const { name, kind } = asking.principal
  lines.push(
    `${visible(name)} (${kind}) in ${visible(asking.database.name)}: ${bold(paint[explanation.outcome](word[explanation.outcome]))}`,
  )
  if (explanation.connect.effect === 'deny') {
    lines.push(`  ${red('cannot connect')}: ${visible(decisionText(explanation.connect))}`)
    list(explanation.connect)
  }
  for (const [index, { analysed, answers }] of explanation.statements.entries()) {
    lines.push('', `  ${visible(firstLine(analysed.statement.sql))}`)
    if (analysed.statement.opaque !== null)
      lines.push(`    ${yellow('opaque')}: it ${visible(analysed.statement.opaque)}`)
    if (isIndirect(analysed.statement)) {
      lines.push(`    ${yellow('not all')}: what it runs was prepared or declared before, and is decided as well`)
    }
    for (const { command, resource, decision, isPassedOver } of answers) {
      if (isPassedOver) continue
      const why = decision.policies.length === 0 ? ', no policy permits it' : ''
      lines.push(`    ${command} on ${visible(resource)}: ${head(decision)}${why}`)
      list(decision)
    }
    const assumed = text[index]?.unknownRelations ?? []
    if (assumed.length > 0) {
      const what = `the classification does not list ${visible(assumed.join(', '))}, so every tag that may decide is taken to`
      lines.push(`    ${dim(what)}`)
    }
  }
  if (explanation.outcome !== 'allow') lines.push('', ...changeLines(explanation))
  if (explanation.masked.length > 0) {
    lines.push('', `  ${bold('Masked')} for ${visible(name)} in what it names:`)
    for (const { schema, relation, column, tags } of explanation.masked) {
      lines.push(`    ${visible(`${schema}.${relation}.${column}`)} ${dim(tags.join(', '))}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function changeLines({ changes, isCut }: Explanation): readonly string[] {
  const more = isCut ? ['  There was more to try than was tried.'] : []
  if (changes.length > 0) {
    return ['  It would run', ...changes.map((change) => `    - ${visible(changeText(change))}`), ...more]
  }
  return ['  No single access role, group or schema that a policy names would let it run.', ...more]
}

function firstLine(sql: string): string {
  const line = sql.replaceAll(/\s+/gu, ' ').trim()
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
