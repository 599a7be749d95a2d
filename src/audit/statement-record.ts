import type { Entry } from './entry.ts'

/** An entry as it is shown: an intent together with its outcome, anything else alone. */
export interface Shown {
  readonly entry: Entry
  /** The outcome of an intent, as far as it is known. */
  readonly outcome: Entry | null
}

/** What people look for; every condition given must hold. Texts are compared without regard to case. */
export interface SearchFilter {
  /** Name or subject of the principal; for failed log-ins the name that was claimed. */
  readonly principal?: string | undefined
  /** The statement's kind, such as `DELETE`, or an entry type such as `refusal`. */
  readonly kind?: string | undefined
  readonly database?: string | undefined
  /** A relation as recorded, with or without its schema. */
  readonly relation?: string | undefined
  readonly session?: string | undefined
  /** A part of the statement's text. */
  readonly text?: string | undefined
  readonly type?: string | undefined
  readonly outcome?: string | undefined
  readonly sqlstate?: string | undefined
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
}

/** Whether `shown` is what `filter` asks for. */
export function matches(shown: Shown, filter: SearchFilter): boolean {
  const { entry, outcome } = shown
  return (
    matchesTime(entry, filter) &&
    (filter.type === undefined || entry.type === filter.type) &&
    (filter.session === undefined || entry['session'] === filter.session) &&
    (filter.database === undefined || same(entry['database'], filter.database)) &&
    (filter.kind === undefined || same(entry['kind'], filter.kind) || same(entry.type, filter.kind)) &&
    (filter.principal === undefined || matchesPrincipal(entry, filter.principal)) &&
    (filter.relation === undefined || matchesRelation(entry, filter.relation)) &&
    (filter.text === undefined || contains(entry['sql'], filter.text)) &&
    (filter.outcome === undefined || outcomeName(shown) === filter.outcome) &&
    (filter.sqlstate === undefined || same((outcome ?? entry)['sqlstate'], filter.sqlstate))
  )
}

/** How it ended, in one word: an intent's outcome, or what the entry's type says by itself. */
export function outcomeName(shown: Shown): string | null {
  const { entry, outcome } = shown
  if (entry.type === 'refusal') return 'refused'
  const name = (entry.type === 'intent' ? outcome : entry)?.['outcome']
  return typeof name === 'string' ? name : null
}

/** The member `name` of an object that was read from JSON; undefined for anything else. */
export function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}

function matchesTime(entry: Entry, filter: SearchFilter): boolean {
  if (filter.sinceMs === undefined && filter.untilMs === undefined) return true
  const atMs = Date.parse(entry.at)
  return (
    (filter.sinceMs === undefined || atMs >= filter.sinceMs) && (filter.untilMs === undefined || atMs < filter.untilMs)
  )
}

function matchesPrincipal(entry: Entry, wanted: string): boolean {
  const principal = entry['principal']
  return (
    same(memberOf(principal, 'name'), wanted) ||
    same(memberOf(principal, 'subject'), wanted) ||
    same(entry['claimed'], wanted)
  )
}

function matchesRelation(entry: Entry, wanted: string): boolean {
  const relations = entry['relations']
  if (!Array.isArray(relations)) return false
  return relations.some((relation) => same(relation, wanted) || endsWithName(relation, wanted))
}

function endsWithName(relation: unknown, wanted: string): boolean {
  return typeof relation === 'string' && relation.toLowerCase().endsWith(`.${wanted.toLowerCase()}`)
}

function same(value: unknown, wanted: string): boolean {
  return typeof value === 'string' && value.toLowerCase() === wanted.toLowerCase()
}

function contains(value: unknown, wanted: string): boolean {
  return typeof value === 'string' && value.toLowerCase().includes(wanted.toLowerCase())
}
