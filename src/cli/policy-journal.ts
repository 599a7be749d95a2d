import { closeSync, openSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseEntry } from '../audit/entry.ts'
import type { Entry } from '../audit/entry.ts'
import { readLines } from '../audit/lines.ts'
import { listSegments } from '../audit/segments.ts'
import type { SegmentName } from '../audit/segments.ts'
import { memberOf } from '../audit/statement-record.ts'
import type { Principal, PrincipalKind, Subject } from '../core/principal.ts'
import { emptyStatement } from '../core/statement.ts'
import type { RelationName, StatementAnalysis } from '../core/statement.ts'

const entriesPerTurn = 1_000

/** Reads what sessions and statements there were since a moment, oldest first, one line in memory at a time. */
export async function* entriesSince(directory: string, sinceMs: number): AsyncGenerator<Entry, void, undefined> {
  let count = 0
  for (const segment of segmentsSince(listSegments(directory), sinceMs)) {
    const descriptor = openSync(segment.path, 'r')
    try {
      for (const { bytes, isWhole } of readLines(descriptor)) {
        count += 1
        if (count % entriesPerTurn === 0) await nextTurn()
        const entry = isWhole && isReplayable(bytes) ? parseEntry(bytes) : null
        if (entry !== null && Date.parse(entry.at) >= sinceMs) yield entry
      }
    } finally {
      closeSync(descriptor)
    }
  }
}

/** Outcomes and checkpoints, which are every other line, are not even parsed. The first four members have their order. */
function isReplayable(line: Buffer): boolean {
  const head = line.toString('latin1', 0, 160)
  const type = /"type":"(\w+)"/u.exec(head)?.[1]
  return type === 'intent' || type === 'refusal' || type === 'session_started'
}

/** Leaves out segments that ended before; their names are in the order of time, but for clocks that were set. */
function segmentsSince(segments: readonly SegmentName[], sinceMs: number): readonly SegmentName[] {
  const later = segments.findIndex((segment) => firstAtMs(segment) >= sinceMs)
  if (later === -1) return segments.slice(-1)
  return segments.slice(Math.max(0, later - 1))
}

function firstAtMs({ path }: SegmentName): number {
  const descriptor = openSync(path, 'r')
  try {
    for (const { bytes, isWhole } of readLines(descriptor)) {
      const entry = isWhole ? parseEntry(bytes) : null
      if (entry !== null) return Date.parse(entry.at)
    }
    return Infinity
  } finally {
    closeSync(descriptor)
  }
}

/** Who an entry is about and from where; null where it does not say. */
export interface EntryFacts {
  readonly principal: Omit<Principal, 'authenticationMethods'>
  readonly authenticationMethods: readonly string[] | null
  readonly accessRoles: readonly string[] | null
  readonly database: string
  readonly session: { readonly clientAddress: string; readonly applicationName: string; readonly isTls: boolean }
}

const kinds: readonly PrincipalKind[] = ['human', 'service', 'agent']

/** Reads the session members of an entry. */
export function factsOf(entry: Entry): EntryFacts | null {
  const { principal, client, database } = entry
  const name = textOf(memberOf(principal, 'name'))
  const kind = kinds.find((each) => each === memberOf(principal, 'kind'))
  const groups = textsOf(memberOf(principal, 'groups'))
  const address = textOf(memberOf(client, 'address'))
  if (name === null || kind === undefined || groups === null || address === null || typeof database !== 'string') {
    return null
  }
  const actors = memberOf(principal, 'actors')
  return {
    principal: {
      name,
      kind,
      groups,
      issuer: textOf(memberOf(principal, 'issuer')) ?? '',
      subject: textOf(memberOf(principal, 'subject')) ?? '',
      actors: Array.isArray(actors) ? actors.flatMap(actorOf) : [],
      tokenId: undefined,
      expiresAtMs: Infinity,
    },
    authenticationMethods: textsOf(memberOf(principal, 'authenticationMethods')),
    // Entries without the member are of principals who held none.
    accessRoles: entry['accessRoles'] === undefined ? [] : (textsOf(entry['accessRoles'])?.toSorted() ?? null),
    database,
    session: {
      clientAddress: address,
      applicationName: textOf(memberOf(client, 'application')) ?? '',
      isTls: (memberOf(client, 'tls') ?? null) !== null,
    },
  }
}

/** What an entry says of its statement beside the text. */
export interface RecordedShape {
  readonly kind: string
  readonly commands: readonly string[]
  readonly relations: readonly string[]
  readonly functions: readonly string[]
  readonly opaque: string | null
  readonly sql: string
  /** Null where the entry does not say. */
  readonly searchPath: readonly string[] | null
  readonly statementCount: number | null
  /** Whether names or text were left out. */
  readonly isCut: boolean
}

/** Reads the statement members of an entry; null where they are not there. */
export function shapeOf(entry: Entry): RecordedShape | null {
  const { kind, sql } = entry
  const commands = textsOf(entry['commands'])
  const relations = textsOf(entry['relations'])
  if (typeof kind !== 'string' || typeof sql !== 'string' || commands === null || relations === null) return null
  const opaque = textOf(entry['opaque'])
  const isCut = entry['sqlChars'] !== undefined || entry['fullIn'] !== undefined
  const { statements: count, protocol } = entry
  return {
    kind,
    commands,
    relations,
    functions: textsOf(entry['functions']) ?? [],
    opaque,
    sql,
    searchPath: textsOf(entry['searchPath']),
    // Said where there are several.
    statementCount: typeof count === 'number' ? count : typeof protocol === 'string' ? 1 : null,
    isCut,
  }
}

/** Whether an analysis of the text as recorded, which must not be cut, says what was recorded when it ran. */
export function isSame(analysis: StatementAnalysis, shape: RecordedShape): boolean {
  const commands = analysis.commands.map(({ name }) => name)
  return (
    analysis.kind === shape.kind &&
    isEqual(commands, shape.commands) &&
    isEqual(relationNames(analysis), shape.relations) &&
    isEqual(analysis.functions, shape.functions)
  )
}

/** The statement as far as its record says it: that is all of it where it does but one thing. Null where it is not. */
export function rebuilt(shape: RecordedShape): StatementAnalysis | null {
  const [name, ...others] = shape.commands
  const isCutShort = shape.isCut && (shape.relations.length >= namesMax || shape.functions.length >= namesMax)
  const isIndirect = indirect.has(shape.kind)
  if (name === undefined || others.length > 0 || isCutShort || isIndirect) return null
  const relations = shape.relations.map(relationOf)
  if (relations.includes(null)) return null
  return {
    ...emptyStatement,
    sql: shape.sql,
    kind: shape.kind,
    commands: [{ name, relations: relations.filter((relation) => relation !== null), hasWhere: true }],
    opaque: shape.opaque,
    functions: shape.functions,
  }
}

const namesMax = 50
const indirect: ReadonlySet<string> = new Set(['EXECUTE', 'FETCH', 'MOVE', 'EXPLAIN', 'CREATE TABLE AS'])

function relationOf(text: string): RelationName | null {
  const [first, second, ...rest] = text.split('.')
  if (first === undefined || rest.length > 0) return null
  return second === undefined ? { schema: null, name: first } : { schema: first, name: second }
}

function relationNames({ commands }: StatementAnalysis): readonly string[] {
  const names = commands.flatMap(({ relations }) =>
    relations.map(({ schema, name }) => (schema === null ? name : `${schema}.${name}`)),
  )
  return [...new Set(names)]
}

function isEqual(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index])
}

function actorOf(value: unknown): readonly Subject[] {
  const [issuer, subject] = [textOf(memberOf(value, 'issuer')), textOf(memberOf(value, 'subject'))]
  return issuer === null || subject === null ? [] : [{ issuer, subject }]
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function textsOf(value: unknown): readonly string[] | null {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : null
}
