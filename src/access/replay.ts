import { subjectKey } from '../core/access.ts'
import type { Identified } from '../core/control-store.ts'
import type { Facts } from './facts.ts'

/** One change as it was told, by the journal or else by the store. */
export interface Told {
  readonly change: number
  readonly type: string
  readonly facts: Facts
}

interface Begun {
  readonly id: string
  /** The last change that spoke of it. */
  change: number
  /** What was said when it began; null where nothing was. */
  begun: Facts | null
  /** Whether somebody was given something that, by what was told, nobody had agreed to. */
  isUnapproved: boolean
}

/** A request as it has to be. */
export interface ExpectedRequest extends Begun {
  readonly of: 'requests'
  readonly answers: Facts[]
  closed: Facts | null
}

/** A grant as it has to be. */
export interface ExpectedGrant extends Begun {
  readonly of: 'grants'
  /** Its end after the last extension; undefined where there was none. */
  until: unknown
  ended: Facts | null
  review: Facts | null
}

/** A session token as it has to be. */
export interface ExpectedToken extends Begun {
  readonly of: 'tokens'
  ended: Facts | null
}

/** Something that the store has to keep as it was told. */
export type Expected = ExpectedRequest | ExpectedGrant | ExpectedToken

/**
 * What the store has to hold, from what was told, change by change. Only what is not over is kept: what is over is handed
 * out, to be compared and forgotten.
 */
export class Replay {
  readonly #requests = new Map<string, ExpectedRequest>()
  readonly #grants = new Map<string, ExpectedGrant>()
  readonly #tokens = new Map<string, ExpectedToken>()
  /** Grants that a request has just been closed with; what is told of them next makes them so. */
  readonly #granted = new Set<string>()
  /** In the order in which they were told. */
  readonly revocations: Told[] = []

  /** Takes the next change; returns what is over with it. */
  take(told: Told): Expected | null {
    const { type, facts } = told
    if (type.startsWith('request_')) return this.#takeRequest(told, idOf(facts, 'request'))
    if (type.startsWith('grant_')) return this.#takeGrant(told, idOf(facts, 'grant'))
    if (type.startsWith('token_')) return this.#takeToken(told, idOf(facts, 'token'))
    if (type === 'principal_revoked') this.revocations.push(told)
    return null
  }

  /** What is not over. */
  *open(): Generator<Expected> {
    yield* this.#requests.values()
    yield* this.#grants.values()
    yield* this.#tokens.values()
  }

  #takeRequest({ change, type, facts }: Told, id: string): Expected | null {
    const known = this.#requests.get(id) ?? {
      of: 'requests',
      ...unknown(id),
      answers: [],
      closed: null,
    }
    this.#requests.set(id, known)
    known.change = change
    if (type === 'request_opened') known.begun = facts
    if (type === 'request_answered') {
      known.answers.push(facts)
      const isGiven = facts['state'] === 'approved' || facts['state'] === 'granted'
      if (isGiven && known.begun !== null && !areMet(known.begun, known.answers)) known.isUnapproved = true
    }
    if (type !== 'request_closed') return null
    const wasApproved = known.answers.at(-1)?.['state'] === facts['state']
    if (facts['state'] === 'granted') {
      this.#granted.add(idOf(facts, 'grant'))
      if (!wasApproved) known.isUnapproved = true
    }
    if (facts['state'] === 'used' && known.answers.at(-1)?.['state'] !== 'approved') known.isUnapproved = true
    known.closed = facts
    this.#requests.delete(id)
    return known
  }

  #takeGrant({ change, type, facts }: Told, id: string): Expected | null {
    const known = this.#grants.get(id) ?? {
      of: 'grants',
      ...unknown(id),
      until: undefined,
      ended: null,
      review: null,
    }
    this.#grants.set(id, known)
    known.change = change
    if (type === 'grant_started') known.begun = facts
    if (type === 'grant_extended') known.until = facts['until']
    if (type === 'grant_ended') known.ended = facts
    if (type === 'grant_reviewed') known.review = facts
    const needsRequest = type === 'grant_extended' || (type === 'grant_started' && facts['kind'] !== 'break_glass')
    if (needsRequest && !this.#granted.delete(id)) known.isUnapproved = true
    const isToReview = known.begun?.['kind'] === 'break_glass' && known.review === null
    if (known.ended === null || isToReview) return null
    this.#grants.delete(id)
    return known
  }

  #takeToken({ change, type, facts }: Told, id: string): Expected | null {
    const known = this.#tokens.get(id) ?? { of: 'tokens', ...unknown(id), ended: null }
    this.#tokens.set(id, known)
    known.change = change
    if (type === 'token_issued') known.begun = facts
    if (type !== 'token_ended') return null
    known.ended = facts
    this.#tokens.delete(id)
    return known
  }
}

/** What begins with a change, and its id; null where nothing does. */
export function beginningOf({ type, facts }: Pick<Told, 'type' | 'facts'>): { of: Identified; id: string } | null {
  if (type === 'request_opened') return { of: 'requests', id: idOf(facts, 'request') }
  if (type === 'grant_started') return { of: 'grants', id: idOf(facts, 'grant') }
  if (type === 'token_issued') return { of: 'tokens', id: idOf(facts, 'token') }
  return null
}

function unknown(id: string): Begun {
  return { id, change: 0, begun: null, isUnapproved: false }
}

function idOf(facts: Facts, member: string): string {
  const id = facts[member]
  return typeof id === 'string' ? id : ''
}

/** Whether so many different people said yes as were asked for; when each yes lapses is not looked at. */
function areMet(begun: Facts, answers: readonly Facts[]): boolean {
  return listOf(begun['requirements']).every((requirement) => {
    const { approvers, count } = requirement as { readonly approvers?: unknown; readonly count?: unknown }
    const groups = new Set(listOf(approvers))
    const said = answers.filter(
      ({ answer, groups: own }) => answer === 'approve' && listOf(own).some((group) => groups.has(group)),
    )
    return new Set(said.map(({ by }) => partyKeyOf(by))).size >= (typeof count === 'number' ? count : Infinity)
  })
}

/** Which subject a party in an entry is. */
export function partyKeyOf(party: unknown): string {
  const { issuer, subject } = (party ?? {}) as { readonly issuer?: unknown; readonly subject?: unknown }
  return subjectKey({ issuer: String(issuer), subject: String(subject) })
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
