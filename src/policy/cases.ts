import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { PosternError } from '../core/errors.ts'
import { nearestName } from '../core/nearest.ts'
import type { PrincipalKind, Subject } from '../core/principal.ts'

/** A file of cases: databases as the cases need them, and what is expected of statements in them. */
export interface CaseFile {
  readonly databases: ReadonlyMap<string, CaseDatabase>
  readonly cases: readonly PolicyCase[]
}

/** What a case file says of a database where no configuration does. Paths are as written. */
export interface CaseDatabase {
  readonly labels: ReadonlyMap<string, string>
  readonly classification: string | null
  readonly safeFunctions: readonly string[]
  readonly line: number
}

/** One case: who runs what, and what policy has to say. */
export interface PolicyCase {
  readonly name: string
  readonly line: number
  readonly principal: CasePrincipal
  readonly database: string
  readonly session: { readonly clientAddress: string; readonly applicationName: string; readonly isTls: boolean }
  /** Null for the time at which the cases are run. */
  readonly timeMs: number | null
  readonly searchPath: readonly string[] | null
  /** SQL; null where the question is whether a session may begin. */
  readonly statement: string | null
  readonly statementLine: number
  readonly expected: Expectation
}

/** Who asks in a case. */
export interface CasePrincipal {
  readonly name: string
  readonly kind: PrincipalKind
  readonly issuer: string
  readonly subject: string
  readonly groups: readonly string[]
  readonly accessRoles: readonly string[]
  readonly actors: readonly Subject[]
  readonly authenticationMethods: readonly string[]
}

/** What a case expects; null for what it leaves open. */
export interface Expectation {
  readonly decision: 'allow' | 'deny' | 'needs_approval'
  /** Ids of the determining policies, sorted. */
  readonly policies: readonly string[] | null
  /** Groups that may approve, sorted. */
  readonly approvers: readonly string[] | null
  /** Masked columns of the relations it names, as `schema.relation.column`, sorted. */
  readonly masked: readonly string[] | null
}

/** Reads a file of cases. Throws `input_invalid` with file, line, what is wrong and what to do. */
export function parseCases(text: string, shown: string): CaseFile {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true })
  const reader = new Reader((offset) => counter.linePos(offset).line)
  for (const { message, pos } of [...document.errors, ...document.warnings]) {
    reader.fail(pos[0], `it is not valid YAML: ${message}`, 'Texts with `: ` or `#` in them stand in quotes.')
  }
  const file = reader.faults.length > 0 ? null : readFile(reader, document.contents)
  const [first, ...rest] = reader.faults
  if (file !== null && first === undefined) return file
  const also = rest.slice(0, 20).map(({ line, what }) => `line ${String(line)}: ${what}`)
  throw new PosternError(
    'input_invalid',
    `${shown} cannot be used: line ${String(first?.line)}: ${first?.what ?? ''}`,
    {
      detail: also.length === 0 ? undefined : ['Also:', ...also].join('\n'),
      hint: first?.remedy,
    },
  )
}

function readFile(reader: Reader, contents: unknown): CaseFile {
  const top = reader.fields(contents, 'the file', ['databases', 'cases'])
  const databases = reader.entries(top.get('databases'), '`databases`').map(([name, node]) => {
    const fields = reader.fields(node, `\`databases.${name}\``, ['labels', 'classification', 'safe_functions'])
    const labels = reader.entries(fields.get('labels'), '`labels`')
    const database: CaseDatabase = {
      labels: new Map(labels.map(([label, value]) => [label, reader.text(value, `label \`${label}\``) ?? ''])),
      classification: reader.text(fields.get('classification'), '`classification`'),
      safeFunctions: reader.texts(fields.get('safe_functions'), '`safe_functions`') ?? [],
      line: reader.lineOf(node),
    }
    return [name, database] as const
  })
  const cases = reader.items(top.get('cases'), '`cases`').map((node) => readCase(reader, node))
  if (cases.length === 0) reader.fail(contents, '`cases` is empty', 'Write at least one case below it.')
  return { databases: new Map(databases), cases }
}

const caseFields = ['name', 'principal', 'database', 'session', 'time', 'search_path', 'statement', 'expect']

function readCase(reader: Reader, node: unknown): PolicyCase {
  const fields = reader.fields(node, 'a case', caseFields)
  const statement = fields.get('statement')
  const session = reader.fields(fields.get('session'), '`session`', ['client_address', 'application_name', 'tls'])
  const time = reader.text(fields.get('time'), '`time`')
  const timeMs = time === null ? null : Date.parse(time)
  if (Number.isNaN(timeMs)) {
    reader.fail(fields.get('time'), '`time` is no time', 'Write it as in 2026-11-23T16:00:00Z.')
  }
  const sql = reader.text(statement, '`statement`')
  return {
    name: reader.needed(fields, 'name', node),
    line: reader.lineOf(node),
    principal: readPrincipal(reader, fields.get('principal'), node),
    database: reader.needed(fields, 'database', node),
    session: {
      clientAddress: reader.text(session.get('client_address'), '`client_address`') ?? '127.0.0.1',
      applicationName: reader.text(session.get('application_name'), '`application_name`') ?? '',
      isTls: reader.truth(session.get('tls'), '`tls`') ?? true,
    },
    timeMs,
    searchPath: reader.texts(fields.get('search_path'), '`search_path`'),
    statement: sql,
    statementLine: reader.lineOf(statement ?? node),
    expected: readExpectation(reader, fields.get('expect'), { node, hasStatement: sql !== null }),
  }
}

const kinds = ['human', 'service', 'agent'] as const

function readPrincipal(reader: Reader, node: unknown, at: unknown): CasePrincipal {
  if (node === undefined) {
    reader.fail(at, 'the case has no `principal`', 'Write `principal: { name: alice, groups: [engineering] }`.')
  }
  const names = ['name', 'kind', 'issuer', 'subject', 'groups', 'access_roles', 'actors', 'authentication_methods']
  const fields = reader.fields(node, '`principal`', names)
  const actors = fields.has('actors') ? reader.items(fields.get('actors'), '`actors`') : []
  const name = reader.text(fields.get('name'), '`principal.name`') ?? 'somebody'
  return {
    name,
    issuer: reader.text(fields.get('issuer'), '`issuer`') ?? '',
    subject: reader.text(fields.get('subject'), '`subject`') ?? name,
    kind: reader.choice(fields.get('kind'), '`kind`', kinds) ?? 'human',
    groups: reader.texts(fields.get('groups'), '`groups`') ?? [],
    accessRoles: [...(reader.texts(fields.get('access_roles'), '`access_roles`') ?? [])].sort(),
    actors: actors.map((actor) => {
      const parts = reader.fields(actor, 'an actor', ['issuer', 'subject'])
      return { issuer: reader.needed(parts, 'issuer', actor), subject: reader.needed(parts, 'subject', actor) }
    }),
    authenticationMethods: reader.texts(fields.get('authentication_methods'), '`authentication_methods`') ?? [],
  }
}

const decisions = ['allow', 'deny', 'needs_approval'] as const

function readExpectation(
  reader: Reader,
  node: unknown,
  { node: at, hasStatement }: { node: unknown; hasStatement: boolean },
): Expectation {
  if (node === undefined)
    reader.fail(at, 'the case has no `expect`', 'Write `expect: allow`, `deny` or `needs_approval`.')
  const isShort = isScalar(node)
  const fields = isShort
    ? new Map<string, unknown>([['decision', node]])
    : reader.fields(node, '`expect`', ['decision', 'policies', 'approvers', 'masked'])
  if (node !== undefined && !fields.has('decision')) {
    reader.fail(node, '`expect` has no `decision`', 'Write `decision: allow`, `deny` or `needs_approval`.')
  }
  const masked = fields.get('masked')
  if (masked !== undefined && !hasStatement) {
    reader.fail(masked, '`masked` belongs to a case with a statement', 'Leave it out, or add the statement.')
  }
  return {
    decision: reader.choice(fields.get('decision'), '`decision`', decisions) ?? 'deny',
    policies: sorted(reader.texts(fields.get('policies'), '`policies`')),
    approvers: sorted(reader.texts(fields.get('approvers'), '`approvers`')),
    masked: masked === undefined ? null : sorted(readMasked(reader, masked)),
  }
}

/** Columns by relation, or `[]` for none. */
function readMasked(reader: Reader, node: unknown): readonly string[] {
  if (isSeq(node) && node.items.length === 0) return []
  return reader.entries(node, '`masked`').flatMap(([relation, columns]) => {
    const names = reader.texts(columns, `\`masked.${relation}\``) ?? []
    return names.map((column) => `${relation}.${column}`)
  })
}

function sorted(texts: readonly string[] | null): readonly string[] | null {
  return texts === null ? null : [...texts].sort()
}

interface Fault {
  readonly line: number
  readonly what: string
  readonly remedy: string
}

/** Takes YAML nodes apart and collects what is wrong with them. Absent is `undefined` or null. */
class Reader {
  readonly faults: Fault[] = []
  readonly #lineAt: (offset: number) => number

  constructor(lineAt: (offset: number) => number) {
    this.#lineAt = lineAt
  }

  lineOf(node: unknown): number {
    return this.#lineAt(typeof node === 'number' ? node : isNode(node) ? (node.range?.[0] ?? 0) : 0)
  }

  fail(at: unknown, what: string, remedy: string): void {
    this.faults.push({ line: this.lineOf(at), what, remedy })
  }

  entries(node: unknown, what: string): readonly (readonly [string, unknown])[] {
    if (isAbsent(node)) return []
    if (!isMap(node)) {
      this.fail(node, `${what} must be a group of keys`, 'Write one `key: value` a line, indented below it.')
      return []
    }
    return node.items.map(({ key, value }) => [String(isScalar(key) ? key.value : key), value] as const)
  }

  fields(node: unknown, what: string, known: readonly string[]): ReadonlyMap<string, unknown> {
    const entries = this.entries(node, what)
    for (const [key, value] of entries) {
      if (known.includes(key)) continue
      const meant = nearestName(key, known)
      const remedy = meant === null ? `Known keys: ${known.join(', ')}.` : `Did you mean \`${meant}\`?`
      this.fail(isAbsent(value) ? node : value, `${what} has the key \`${key}\`, which is not known`, remedy)
    }
    return new Map(entries)
  }

  items(node: unknown, what: string): readonly unknown[] {
    if (isAbsent(node)) return []
    if (isSeq(node)) return node.items
    this.fail(node, `${what} must be a list`, 'Begin each item with `- `.')
    return []
  }

  text(node: unknown, what: string): string | null {
    if (isAbsent(node)) return null
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '') return node.value
    const remedy = isAlias(node) ? 'Write it out instead of repeating it by an alias.' : 'Write it in quotes.'
    this.fail(node, `${what} must be a text`, remedy)
    return null
  }

  needed(fields: ReadonlyMap<string, unknown>, name: string, at: unknown): string {
    const text = this.text(fields.get(name), `\`${name}\``)
    if (text === null && isAbsent(fields.get(name))) {
      this.fail(at, `there is no \`${name}\` here`, `Add \`${name}: ...\`.`)
    }
    return text ?? ''
  }

  /** A list of texts, or one text for a list of it alone. */
  texts(node: unknown, what: string): readonly string[] | null {
    if (isAbsent(node)) return null
    const items = isSeq(node) ? node.items : [node]
    return items.flatMap((item) => this.text(item, what) ?? [])
  }

  truth(node: unknown, what: string): boolean | null {
    if (isAbsent(node)) return null
    if (isScalar(node) && typeof node.value === 'boolean') return node.value
    this.fail(node, `${what} must be true or false`, 'Write `true` or `false`.')
    return null
  }

  choice<Choice extends string>(node: unknown, what: string, choices: readonly Choice[]): Choice | null {
    const text = this.text(node, what)
    const found = choices.find((choice) => choice === text) ?? null
    if (text !== null && found === null) {
      this.fail(node, `${what} cannot be \`${text}\``, `Write one of: ${choices.join(', ')}.`)
    }
    return found
  }
}

function isAbsent(node: unknown): boolean {
  return node === undefined || node === null || (isScalar(node) && node.value === null)
}
