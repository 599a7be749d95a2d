import { Command } from 'commander'
import pc from 'picocolors'
import { readClassificationFile } from '../classification/file.ts'
import { toPosternError } from '../core/errors.ts'
import { checkPolicySet, loadPolicySet } from '../policy/policy.ts'
import type { PolicyFinding, PolicySet } from '../policy/policy.ts'
import { isColouredFor, visible } from './failure.ts'
import { policyFolder, policyPlace } from './policy-workbench.ts'
import type { PolicyPlace } from './policy-workbench.ts'

interface CheckOptions {
  readonly config?: string
  readonly policies?: string
  readonly strict?: true
  readonly json?: true
}

/** `postern policy check`: validates a set and tells what in it does nothing or fits nothing around it. */
export function policyCheckCommand(): Command {
  return new Command('check')
    .description('validate a policy set and find what in it can do nothing; ends with 1 where it does')
    .option('--config <file>', 'the postern.yaml that names databases, classifications and access roles')
    .option('--policies <dir>', 'the folder of the policies, instead of the one that postern.yaml names')
    .option('--strict', 'end with 1 where there are warnings, too')
    .option('--json', 'print an object with all findings')
    .action(async (options: CheckOptions) => {
      const place = policyPlace(options.config)
      const set = await loadPolicySet(policyFolder(place, options.policies))
      const { tags, unread } = tagsOf(place)
      const findings = checkPolicySet(set, {
        databases: place.config === null ? null : place.databases.keys(),
        accessRoles: place.accessRoles,
        tags,
        nowMs: Date.now(),
      })
      const isOk = findings.every(({ severity }) => severity === 'warning' && options.strict !== true)
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ ok: isOk, hash: set.hash, policies: set.policies.length, findings, notChecked: unread })}\n`
          : asText({ set, findings, unread }, isColouredFor(process.stdout)),
      )
      if (!isOk) process.exitCode = 1
    })
}

/** The tags of each classification file; null where there is none at all or one of them cannot be read. */
function tagsOf({ config, databases }: PolicyPlace): {
  tags: ReadonlyMap<string, ReadonlySet<string>> | null
  unread: readonly string[]
} {
  if (config === null) {
    return { tags: null, unread: ['databases, tags and access roles, since there is no postern.yaml'] }
  }
  const tags = new Map<string, ReadonlySet<string>>()
  const unread: string[] = []
  for (const [name, { classification }] of databases) {
    if (classification === null) continue
    try {
      tags.set(name, new Set(readClassificationFile(classification).tags.keys()))
    } catch (thrown) {
      unread.push(`tags, since ${toPosternError(thrown).message}`)
    }
  }
  return unread.length > 0 || tags.size === 0 ? { tags: null, unread } : { tags, unread }
}

function asText(
  result: { readonly set: PolicySet; readonly findings: readonly PolicyFinding[]; readonly unread: readonly string[] },
  isColoured: boolean,
): string {
  const { set, findings, unread } = result
  const { dim, green, red, yellow } = pc.createColors(isColoured)
  const lines = findings.flatMap(({ severity, policy, message, remedy }) => {
    const mark = severity === 'problem' ? red('failed ') : yellow('warning')
    const about = policy === null ? '' : `"${policy.id}" (${policy.file} line ${String(policy.line)}) `
    return [`${mark} ${visible(about + message)}`, `        ${dim('→')} ${visible(remedy)}`]
  })
  const problems = findings.filter(({ severity }) => severity === 'problem').length
  const warnings = findings.length - problems
  const count = `${String(set.policies.length)} policies in ${set.directory}, hash ${set.hash.slice(0, 12)}`
  const sum =
    findings.length === 0
      ? `${green('ok')}      ${visible(count)}: nothing to say against them.`
      : `${visible(count)}: ${String(problems)} ${problems === 1 ? 'problem' : 'problems'}, ${String(warnings)} ${warnings === 1 ? 'warning' : 'warnings'}.`
  return [...lines, sum, ...unread.map((what) => `${dim('Not looked at:')} ${visible(what)}.`), ''].join('\n')
}
