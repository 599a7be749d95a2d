import type { DeterminingPolicy } from '../core/decision.ts'
import { assertNever } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import type { RelationName, StatementAnalysis } from '../core/statement.ts'
import { type Bind, formatAt } from '../wire/frontend.ts'
import { decodeParameter } from '../wire/parameters.ts'
import type { Portal, PreparedStatement } from './operations.ts'
import type { IsName, Redaction, Redacts, Services } from './services.ts'
import { createHash } from 'node:crypto'

/** Where a session comes from, as every one of its entries says. */
export interface ClientFacts {
  readonly address: string
  readonly port: number
  readonly application: string
  readonly tls: { readonly version: string; readonly cipher: string } | null
}

/** The members that every entry of a session carries: who, from where, on which database. Encoded once per session. */
export function sessionMembers(facts: {
  readonly session: string
  readonly principal: Principal
  readonly client: ClientFacts
  readonly database: string
  /** Why the client is here, as it said at the start. */
  readonly reason?: string | null
}): Buffer {
  const { issuer, subject, name, kind, groups, actors } = facts.principal
  return membersOf({
    session: facts.session,
    principal: { issuer, subject, name, kind, groups, ...(actors.length > 0 ? { actors } : {}) },
    client: facts.client,
    database: facts.database,
    ...(typeof facts.reason === 'string' ? { reason: facts.reason } : {}),
  })
}

/**
 * The members of an outcome entry: who, and in which session. Its intent, which it names, says the rest; an outcome is
 * written for every statement, so that its length counts.
 */
export function outcomeMembers(session: string, principal: Principal): Buffer {
  const { issuer, subject, name, kind, actors } = principal
  return membersOf({ session, principal: { issuer, subject, name, kind, ...(actors.length > 0 ? { actors } : {}) } })
}

/** Encodes each analysed statement once in each form and redaction, for as long as its analysis is kept. */
export function createStatementEncoder(redacts: Redacts | null): Services['statementMembers'] {
  const encoded = new Map<string, WeakMap<StatementAnalysis, Buffer>>()
  return (statement, form, redaction, isName) => {
    const key = form + redaction
    let known = encoded.get(key)
    if (known === undefined) {
      known = new WeakMap()
      encoded.set(key, known)
    }
    const found = known.get(statement)
    if (found !== undefined) return found
    const members = statementMembers(statement, redactedSql(statement, { redaction, redacts, isName }), bounds[form])
    known.set(statement, members)
    return members
  }
}

const bounds = {
  full: { sqlCharsMax: limits.recordedSqlCharsMax, namesMax: Infinity },
  short: { sqlCharsMax: limits.repeatedSqlCharsMax / 4, namesMax: 50 },
}

function unredactable(): Error {
  return new Error('a text has to be redacted and nothing can')
}

/** A text as it is recorded: of a long one that has to be redacted the beginning. */
export function redactedSql(
  { sql, kind }: StatementAnalysis,
  by: { readonly redaction: Redaction; readonly redacts: Redacts | null; readonly isName: IsName | undefined },
): RecordedText {
  const { redaction, redacts, isName } = by
  if (redaction === 'none') return { sql, chars: sql.length }
  if (redacts === null) throw unredactable()
  const beginning = sql.slice(0, limits.redactedSqlCharsMax)
  // A text that was analysed means the same however strings are read; one that was not may not.
  const reading = {
    ...(kind === 'OPAQUE' ? {} : { areStringsStandard: true }),
    ...(isName === undefined ? {} : { isName }),
  }
  const shown = redaction === 'redacted' ? redacts.statement(beginning, reading) : redacts.screen(beginning, reading)
  return { sql: shown, chars: sql.length > beginning.length ? sql.length : shown.length }
}

/** A text as it is recorded, and how long all of it is. */
export interface RecordedText {
  readonly sql: string
  readonly chars: number
}

function statementMembers(
  statement: StatementAnalysis,
  text: RecordedText,
  { sqlCharsMax, namesMax }: (typeof bounds)['full'],
): Buffer {
  const { functions } = statement
  return membersOf({
    kind: statement.kind,
    commands: statement.commands.slice(0, namesMax).map((command) => command.name),
    relations: namesOfRelations(statement).slice(0, namesMax),
    ...(functions.length > 0 ? { functions: functions.slice(0, namesMax) } : {}),
    ...(statement.opaque === null ? {} : { opaque: statement.opaque }),
    ...recordedSql(text, sqlCharsMax),
  })
}

/** An object as JSON members without braces, in UTF-8. */
export function membersOf(object: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(object).slice(1, -1))
}

/** The `"policies"` member of a decision. */
export function policiesMember(policies: readonly DeterminingPolicy[]): string {
  return `"policies":${JSON.stringify(policies.map((policy) => policy.id))}`
}

/** The `"accessRoles"` member, preceded by a comma; nothing where none are held. */
export function accessRolesMember(roles: readonly string[]): string {
  return roles.length === 0 ? '' : `,"accessRoles":${JSON.stringify(roles)}`
}

/** How a portal's execution came, as members of its intent entry. */
export function howExecuted(portal: Portal, redact: RedactsParameter): string {
  const { name, prepared } = portal
  return (
    `"protocol":"extended","statement":${JSON.stringify(prepared.name)},"portal":${JSON.stringify(name)},` +
    `"execution":${String(prepared.executions)},"parameters":${encodedParameters(portal, redact)}`
  )
}

/** What a parameter's text becomes before it is recorded. */
export type RedactsParameter = (text: string) => string

/** How parameters are recorded beside a text that is redacted in this way. */
export function parameterRedaction(redaction: Redaction, redacts: Redacts | null): RedactsParameter {
  if (redaction === 'none') return (text) => text
  if (redacts === null) throw unredactable()
  switch (redaction) {
    case 'screened':
      return (text) => redacts.screenParameter(text)
    case 'redacted':
      return (text) => redacts.parameter(text)
    default:
      return assertNever(redaction)
  }
}

/**
 * One parameter of a Bind as text; null is NULL or one that is not there. `likelyType` is its type where the client has
 * not said, and PostgreSQL has not been asked.
 */
export function boundText(
  bind: Bind,
  { index, declaredTypes, likelyType }: { index: number; declaredTypes: readonly number[]; likelyType: number },
): string | null {
  const bytes = bind.parameters[index] ?? null
  if (bytes === null) return null
  // Masking puts nothing that long in the place of anything.
  if (bytes.length > limits.recordedParameterCharsMax * 4) return ''
  if (formatAt(bind.parameterFormats, index) !== 1) return bytes.toString('utf8')
  const declared = declaredTypes[index] ?? 0
  const typeOid = declared === 0 ? likelyType : declared
  return typeOid === 0 ? bytes.toString('utf8') : decodeParameter(bytes, 1, typeOid)
}

/** Encodes a portal's parameters once, and lets go of the bytes they came in. */
export function encodedParameters(portal: Portal, redact: RedactsParameter): string {
  if (portal.bind !== null) {
    portal.parameters = parametersOf(portal.bind, portal.prepared, redact)
    portal.bind = null
  }
  return portal.parameters
}

/** Encodes the parameters of a Bind as a JSON array, each value and the whole bounded. */
export function parametersOf(bind: Bind, prepared: PreparedStatement, redact: RedactsParameter): string {
  const { parameters, parameterFormats } = bind
  if (parameters.length === 0) return '[]'
  let charsLeft: number = limits.recordedParametersCharsMax
  const texts: (string | null)[] = []
  for (const [index, bytes] of parameters.entries()) {
    if (charsLeft <= 0) {
      texts.push(`(${String(parameters.length - index)} more not recorded)`)
      break
    }
    const format = formatAt(parameterFormats, index) === 1 ? 1 : 0
    const text = recordedParameter(bytes, { format, typeOid: prepared.parameterTypes[index] ?? 0, redact })
    charsLeft -= text === null ? 4 : text.length
    texts.push(text)
  }
  return JSON.stringify(texts)
}

/**
 * The parameters of a Bind as somebody has to look at them who agrees to them: all of each. What decoding might cut is
 * shown by its bytes.
 */
export function approvableParametersOf(
  { parameters, parameterFormats }: Bind,
  { parameterTypes }: Pick<PreparedStatement, 'parameterTypes'>,
): readonly (string | null)[] {
  return parameters.map((bytes, index) => {
    const format = formatAt(parameterFormats, index) === 1 ? 1 : 0
    const typeOid = parameterTypes[index] ?? 0
    const text = decodeParameter(bytes, format, typeOid)
    if (bytes === null || text === null || format === 0 || neverCut.has(typeOid)) return text
    return text.length < limits.recordedParameterCharsMax ? text : `\\x${bytes.toString('hex')}`
  })
}

/** Types that are their text in binary as well: name, text, json, xml, unknown, bpchar, varchar, jsonb. */
const neverCut: ReadonlySet<number> = new Set([19, 25, 114, 142, 705, 1042, 1043, 3802])

function recordedParameter(
  bytes: Buffer | null,
  as: { readonly format: 0 | 1; readonly typeOid: number; readonly redact: RedactsParameter },
): string | null {
  if (bytes === null) return null
  const { format, typeOid, redact } = as
  // Four bytes a character at the most: no need to decode a gigabyte in order to show its beginning.
  const bytesMax = limits.recordedParameterCharsMax * 4
  const isCut = bytes.length > bytesMax
  if (isCut && format === 1) {
    const start = bytes.subarray(0, limits.recordedParameterCharsMax / 2).toString('hex')
    return redact(`\\x${start}`) + cutMark(bytes.length)
  }
  const text = decodeParameter(isCut ? bytes.subarray(0, bytesMax) : bytes, format, typeOid) ?? ''
  if (!isCut && text.length <= limits.recordedParameterCharsMax) return redact(text)
  return redact(text.slice(0, limits.recordedParameterCharsMax)) + cutMark(bytes.length)
}

function cutMark(bytes: number): string {
  return `… (${String(bytes)} bytes in all)`
}

/** The hash is of what may be shown: that of a short value could be guessed. */
function recordedSql({ sql, chars }: RecordedText, charsMax: number): Readonly<Record<string, unknown>> {
  if (chars <= charsMax && chars === sql.length) return { sql }
  return {
    sql: sql.slice(0, charsMax),
    sqlChars: chars,
    sqlSha256: createHash('sha256').update(sql).digest('base64url'),
  }
}

/** The relations that a statement names, each once. */
export function namesOfRelations(statement: StatementAnalysis): readonly string[] {
  const names = new Set<string>()
  for (const command of statement.commands) for (const relation of command.relations) names.add(nameOf(relation))
  return [...names]
}

function nameOf(relation: RelationName): string {
  return relation.schema === null ? relation.name : `${relation.schema}.${relation.name}`
}
