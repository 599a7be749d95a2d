import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkParsePolicySet, policyToJson, validate } from '@cedar-policy/cedar-wasm/nodejs'
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { parseDuration } from '../core/duration.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { nearestName } from '../core/nearest.ts'
import { parseId } from './names.ts'
import { parseApart } from './parse-apart.ts'
import { policySchema } from './schema.ts'
import { charactersOf, contentStart, positionOf, splitPolicies } from './source.ts'
import type { PolicySource } from './source.ts'
import { usesFact, vocabularyOf } from './vocabulary.ts'
import type { Vocabulary } from './vocabulary.ts'

/** One policy as loaded and found valid. */
export interface Policy {
  /** Its `@id`; for a permit without one `file.cedar:line`. Unique in its set. */
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly advice: string | null
  /** The groups of `@approvers("a, b")`; empty where nobody can lift this policy. */
  readonly approvers: readonly string[]
  /** How many of them have to agree (`@approvals("2")`), and how long a yes counts (`@approval_good_for("15m")`). */
  readonly approvals: number
  readonly approvalGoodForMs: number
  readonly file: string
  readonly line: number
  readonly text: string
}

/** Every policy of a folder, all of them valid. */
export interface PolicySet {
  readonly directory: string
  readonly policies: readonly Policy[]
  /** SHA-256 over the names and texts of the files, in hexadecimal. */
  readonly hash: string
  /** Whether a decision may change as time goes by, so that a running statement has to be asked about again. */
  readonly usesTime: boolean
  readonly vocabulary: Vocabulary
  /** What Cedar finds odd but not wrong, such as a group name in mixed scripts. */
  readonly warnings: readonly string[]
}

interface PolicyFile {
  readonly name: string
  readonly text: string
}

interface Problem {
  readonly file: PolicyFile
  readonly offset: number
  readonly message: string
  readonly help: string | null
}

/**
 * Reads every `*.cedar` file of `directory`, in the order of their names. Throws `policy_invalid` with file, line and
 * column if anything in any of them is wrong: a set is taken as a whole or not at all.
 */
export async function loadPolicySet(directory: string): Promise<PolicySet> {
  return parseApart(await readPolicies(directory))
}

/** The files of a folder as they are, before anything is said about them. */
export interface PolicyFiles {
  readonly directory: string
  readonly files: readonly PolicyFile[]
  /** SHA-256 over the names and texts of the files, in hexadecimal. */
  readonly hash: string
}

/** The second half of `loadPolicySet`, in this thread: everything but reading the files. */
export function parsePolicies({ directory, files, hash }: PolicyFiles): PolicySet {
  const problems: Problem[] = []
  const loaded = files.flatMap((file) => splitPolicies(file.text).flatMap((source) => read(file, source, problems)))
  problems.push(...duplicates(loaded))
  const warnings = problems.length === 0 ? validateAll(loaded, problems) : []
  if (problems.length > 0) throw refusal(directory, problems)
  if (loaded.length === 0) {
    throw new PosternError('policy_invalid', `the policy set in ${directory} cannot be used: it holds no policy`, {
      hint: 'Deny is the default, so nobody could connect. `postern init` writes a starter set.',
    })
  }
  const vocabulary = vocabularyOf(loaded.map(({ json }) => json))
  return {
    directory,
    policies: loaded.map(({ policy }) => policy),
    hash,
    usesTime: ['session.time', 'session.hour', 'session.weekday'].some((fact) => usesFact(vocabulary, fact)),
    vocabulary,
    warnings,
  }
}

/** The first half of `loadPolicySet`: reads the files, and throws `policy_invalid` where they cannot be read. */
export async function readPolicies(directory: string): Promise<PolicyFiles> {
  const fail = (what: string, cause?: unknown) =>
    new PosternError('policy_invalid', `the policies in ${directory} cannot be read: ${what}`, {
      cause,
      hint: 'The key `policies` of postern.yaml names the folder with the *.cedar files.',
    })
  try {
    const names = (await readdir(directory)).filter((name) => name.endsWith('.cedar')).sort()
    const files = await Promise.all(
      names.map(async (name) => ({ name, text: await readFile(join(directory, name), 'utf8') })),
    )
    const bytes = files.reduce((sum, file) => sum + Buffer.byteLength(file.text), 0)
    if (bytes > limits.policySetBytesMax) {
      throw fail(`they hold ${String(bytes)} bytes, more than ${String(limits.policySetBytesMax)}`)
    }
    const hash = createHash('sha256')
    for (const file of files) hash.update(JSON.stringify([file.name, file.text]))
    return { directory, files, hash: hash.digest('hex') }
  } catch (error) {
    throw error instanceof PosternError ? error : fail(error instanceof Error ? error.message : String(error), error)
  }
}

interface Loaded {
  readonly policy: Policy
  readonly json: PolicyJson
  readonly file: PolicyFile
  readonly source: PolicySource
}

const annotationNames = ['id', 'advice', 'approvers', 'approvals', 'approval_good_for']

/** Parses one policy and checks its annotations; what is wrong goes to `problems`. */
function read(file: PolicyFile, source: PolicySource, problems: Problem[]): readonly Loaded[] {
  const start = source.offset + contentStart(source.text)
  const problem = (message: string, help: string | null, offset = start) => {
    problems.push({ file, offset, message, help })
    return []
  }
  if (source.refusal !== null) {
    const help = 'Split the policy: several small ones are also easier to name in a refusal.'
    return problem(`a policy is refused before it is parsed: ${source.refusal.reason}`, help, source.refusal.offset)
  }
  const parsed = checkParsePolicySet({ staticPolicies: { policy: source.text } })
  if (parsed.type === 'failure') return parsed.errors.flatMap((error) => problem(...told(error, source)))
  const converted = policyToJson(source.text)
  if (converted.type === 'failure') return converted.errors.flatMap((error) => problem(...told(error, source)))
  const { json } = converted
  const line = positionOf(file.text, start).line
  const annotations = new Map(Object.entries(json.annotations ?? {}))
  for (const name of annotations.keys()) {
    const meant = annotationNames.includes(name) ? null : nearestName(name, annotationNames)
    if (meant !== null) problem(`@${name} is no annotation that Postern knows`, `Did you mean @${meant}?`)
  }
  const id = annotations.get('id') ?? (json.effect === 'permit' ? `${file.name}:${String(line)}` : '')
  if (id.trim() === '' || id.length > 200 || /\p{Cc}/u.test(id)) {
    const help = 'Write @id("a-short-name") above it: refusals and the journal name the policy by it.'
    return problem('a forbid needs an @id of 1 to 200 printable characters, and so does every @id', help)
  }
  const named =
    annotations
      .get('approvers')
      ?.split(',')
      .map((group) => group.trim()) ?? []
  const approvers = [...new Set(named)]
  if (annotations.has('approvers') && (json.effect === 'permit' || approvers.includes(''))) {
    return problem(
      `@approvers of policy "${id}" says nothing`,
      'It belongs on a forbid and names the groups that may lift it once, as in @approvers("dba, security").',
    )
  }
  const approvals = annotations.get('approvals') ?? '1'
  const goodForMs = parseDuration(annotations.get('approval_good_for') ?? '15m')
  if (!/^[1-9]$/u.test(approvals) || (annotations.has('approvals') && approvers.length === 0)) {
    return problem(
      `@approvals of policy "${id}" says nothing`,
      'It stands beside @approvers and says how many of them have to agree, 1 to 9, as in @approvals("2").',
    )
  }
  const isGoodForTooLong = goodForMs !== null && goodForMs > limits.approvalGoodForMsMax
  if (goodForMs === null || isGoodForTooLong || (annotations.has('approval_good_for') && approvers.length === 0)) {
    return problem(
      `@approval_good_for of policy "${id}" says nothing`,
      'It stands beside @approvers and says how long an approval counts, 1s to 1d, as in @approval_good_for("15m").',
    )
  }
  for (const { reason, help } of wrongIds(json)) problem(`policy "${id}": ${reason}`, help)
  const policy: Policy = {
    id,
    effect: json.effect,
    advice: annotations.get('advice') ?? null,
    approvers,
    approvals: Number(approvals),
    approvalGoodForMs: goodForMs,
    file: file.name,
    line,
    text: source.text.slice(contentStart(source.text)),
  }
  return [{ policy, json, file, source }]
}

/** Ids that no entity can ever have: a forbid on one would protect nothing without anybody noticing. */
function wrongIds(json: PolicyJson): readonly { reason: string; help: string }[] {
  const { entities } = vocabularyOf([json])
  const shapes = [
    ['Schema', 2, 'database.schema'],
    ['Relation', 3, 'database.schema.relation'],
    ['Column', 4, 'database.schema.relation.column'],
  ] as const
  return shapes.flatMap(([type, count, shape]) =>
    Array.from(entities.get(type) ?? []).flatMap((id) => {
      if (parseId(id)?.length === count) return []
      const help = `Write ${type}::"${shape}", each name as PostgreSQL stores it, in \\"...\\" if it is not plain.`
      return [{ reason: `${type}::${JSON.stringify(id)} can match nothing`, help }]
    }),
  )
}

function duplicates(loaded: readonly Loaded[]): readonly Problem[] {
  const first = new Map<string, Loaded>()
  return loaded.flatMap((item) => {
    const other = first.get(item.policy.id)
    if (other === undefined) {
      first.set(item.policy.id, item)
      return []
    }
    const message = `the @id "${item.policy.id}" is taken by ${other.policy.file} line ${String(other.policy.line)}`
    const help = 'Give one of them another @id: refusals and the journal name a policy by it.'
    return [{ file: item.file, offset: item.source.offset + contentStart(item.source.text), message, help }]
  })
}

/** Type-checks every policy against the schema. A policy that can never match is an error: it would protect nothing. */
function validateAll(loaded: readonly Loaded[], problems: Problem[]): readonly string[] {
  const byId = new Map(loaded.map((item) => [item.policy.id, item]))
  const answer = validate({
    schema: policySchema(),
    policies: { staticPolicies: Object.fromEntries(loaded.map((item) => [item.policy.id, item.source.text])) },
    validationSettings: { mode: 'strict' },
  })
  if (answer.type === 'failure') throw new Error(`Cedar refused to validate: ${JSON.stringify(answer.errors)}`)
  const wrong = new Set(answer.validationErrors.map(({ policyId }) => policyId))
  const impossible = answer.validationWarnings.filter(
    ({ policyId, error }) => !wrong.has(policyId) && /impossible|unable to find an applicable/u.test(error.message),
  )
  for (const { policyId, error } of [...answer.validationErrors, ...impossible]) {
    const item = byId.get(policyId)
    if (item === undefined) throw new Error(`Cedar names a policy that was not given to it: ${policyId}`)
    const [message, help, offset] = told(error, item.source)
    problems.push({ file: item.file, offset, message: `policy "${policyId}": ${message}`, help })
  }
  return answer.validationWarnings
    .filter(({ policyId, error }) => !wrong.has(policyId) && !impossible.some((item) => item.error === error))
    .map(({ policyId, error }) => `policy "${policyId}": ${plain(error.message)}`)
}

function told(error: DetailedError, source: PolicySource): [message: string, help: string | null, offset: number] {
  const start = error.sourceLocations?.[0]?.start
  const within = start === undefined ? contentStart(source.text) : charactersOf(source.text, start)
  return [plain(error.message), error.help, source.offset + Math.max(within, contentStart(source.text))]
}

/** Cedar's message without the prefix that names the policy by the key we gave it. */
function plain(message: string): string {
  return message.replace(/^(?:for policy `[^`]*`, |failed to parse policy with id `[^`]*` from string: )/u, '')
}

function refusal(directory: string, problems: readonly Problem[]): PosternError {
  const unique = new Map<string, Problem>()
  const lines = problems.map((problem) => {
    const { line, column } = positionOf(problem.file.text, problem.offset)
    const text = `${problem.file.name} line ${String(line)} column ${String(column)}: ${problem.message}`
    unique.set(text, unique.get(text) ?? problem)
    return text
  })
  const all = [...new Set(lines)]
  const [first = '', ...rest] = all
  const help = unique.get(first)?.help ?? 'Correct it; docs/reference/policy.md lists what policies may say.'
  return new PosternError('policy_invalid', `the policy set in ${directory} cannot be used: ${first}`, {
    detail: rest.length === 0 ? undefined : ['Also:', ...rest.slice(0, 20)].join('\n'),
    hint: `${help.charAt(0).toUpperCase()}${help.slice(1)}`,
  })
}
