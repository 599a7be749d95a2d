import type { DeterminingPolicy } from '../core/decision.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import type { RelationName, StatementAnalysis } from '../core/statement.ts'
import { type Bind, formatAt } from '../wire/frontend.ts'
import { decodeParameter } from '../wire/parameters.ts'
import type { Portal, PreparedStatement } from './operations.ts'
import type { StatementForm } from './services.ts'
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
}): Buffer {
  const { issuer, subject, name, kind, groups, actors } = facts.principal
  return membersOf({
    session: facts.session,
    principal: { issuer, subject, name, kind, groups, ...(actors.length > 0 ? { actors } : {}) },
    client: facts.client,
    database: facts.database,
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

/** Encodes each analysed statement once in each form, for as long as its analysis is kept. */
export function createStatementEncoder(): (statement: StatementAnalysis, form: StatementForm) => Buffer {
  const encoded = {
    full: new WeakMap<StatementAnalysis, Buffer>(),
    short: new WeakMap<StatementAnalysis, Buffer>(),
  }
  return (statement, form) => {
    const known = encoded[form].get(statement)
    if (known !== undefined) return known
    const members = statementMembers(statement, bounds[form])
    encoded[form].set(statement, members)
    return members
  }
}

const bounds = {
  full: { sqlCharsMax: limits.recordedSqlCharsMax, namesMax: Infinity },
  short: { sqlCharsMax: limits.repeatedSqlCharsMax / 4, namesMax: 50 },
}

/** The members that describe a statement; the place where redaction will go. */
function statementMembers(statement: StatementAnalysis, { sqlCharsMax, namesMax }: (typeof bounds)['full']): Buffer {
  const { functions } = statement
  return membersOf({
    kind: statement.kind,
    commands: statement.commands.slice(0, namesMax).map((command) => command.name),
    relations: relationsOf(statement).slice(0, namesMax),
    ...(functions.length > 0 ? { functions: functions.slice(0, namesMax) } : {}),
    ...(statement.opaque === null ? {} : { opaque: statement.opaque }),
    ...recordedSql(statement.sql, sqlCharsMax),
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

/** How a portal's execution came, as members of its intent entry. */
export function howExecuted(portal: Portal): string {
  const { name, prepared } = portal
  return (
    `"protocol":"extended","statement":${JSON.stringify(prepared.name)},"portal":${JSON.stringify(name)},` +
    `"execution":${String(prepared.executions)},"parameters":${encodedParameters(portal)}`
  )
}

/** Encodes a portal's parameters once, and lets go of the bytes they came in. */
export function encodedParameters(portal: Portal): string {
  if (portal.bind !== null) {
    portal.parameters = parametersOf(portal.bind, portal.prepared)
    portal.bind = null
  }
  return portal.parameters
}

/** Encodes the parameters of a Bind as a JSON array, each value and the whole bounded. */
export function parametersOf(bind: Bind, prepared: PreparedStatement): string {
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
    const text = recordedParameter(bytes, format, prepared.parameterTypes[index] ?? 0)
    charsLeft -= text === null ? 4 : text.length
    texts.push(text)
  }
  return JSON.stringify(texts)
}

function recordedParameter(bytes: Buffer | null, format: 0 | 1, typeOid: number): string | null {
  if (bytes === null) return null
  // Four bytes a character at the most: no need to decode a gigabyte in order to show its beginning.
  const bytesMax = limits.recordedParameterCharsMax * 4
  const isCut = bytes.length > bytesMax
  if (isCut && format === 1)
    return `\\x${bytes.subarray(0, limits.recordedParameterCharsMax / 2).toString('hex')}${cutMark(bytes.length)}`
  const text = decodeParameter(isCut ? bytes.subarray(0, bytesMax) : bytes, format, typeOid) ?? ''
  if (!isCut && text.length <= limits.recordedParameterCharsMax) return text
  return text.slice(0, limits.recordedParameterCharsMax) + cutMark(bytes.length)
}

function cutMark(bytes: number): string {
  return `… (${String(bytes)} bytes in all)`
}

function recordedSql(sql: string, charsMax: number): Readonly<Record<string, unknown>> {
  if (sql.length <= charsMax) return { sql }
  return {
    sql: sql.slice(0, charsMax),
    sqlChars: sql.length,
    sqlSha256: createHash('sha256').update(sql).digest('base64url'),
  }
}

function relationsOf(statement: StatementAnalysis): readonly string[] {
  const names = new Set<string>()
  for (const command of statement.commands) for (const relation of command.relations) names.add(nameOf(relation))
  return [...names]
}

function nameOf(relation: RelationName): string {
  return relation.schema === null ? relation.name : `${relation.schema}.${relation.name}`
}
