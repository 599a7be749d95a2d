import type { Holding } from '../core/access.ts'
import type { Principal } from '../core/principal.ts'
import { opaqueStatement, type StatementAnalysis } from '../core/statement.ts'
import type { SessionHolding } from './holding.ts'
import type { Lookup, SessionNames } from './names.ts'
import { combineNeeds, type Needs } from './needs.ts'
import type { Protected } from './protection.ts'
import type { Refusal } from './refusal.ts'
import type { GatewayDatabase } from './services.ts'
import type { SessionProtection } from './session-protection.ts'
import type { SessionSettings } from './settings.ts'

/** What a statement needs to know of its session. */
export interface StatementContext {
  readonly principal: Principal
  /** The access roles that the principal holds. */
  readonly holding: SessionHolding
  readonly database: Pick<GatewayDatabase, 'resource' | 'showsIdentity' | 'sql'>
  readonly client: { readonly address: string; readonly isTls: boolean }
  readonly names: SessionNames
  readonly settings: SessionSettings
  /** The members that every entry of the session carries. */
  readonly members: Buffer
  /** What is classified and what of it may be seen; null in a database without classification. */
  readonly protection: SessionProtection | null
}

/** A statement that may run, and by which policies; good for as long as what it was decided by stays the same. */
export interface Allowed {
  readonly version: number
  readonly epoch: number
  readonly minute: number
  /** The access roles that it was decided with. */
  readonly holding: Holding
  /** What has to be agreed to first, each time that it runs; null where nothing has. */
  readonly needs: Needs | null
  /** The `"policies"` member of its entries, and what is said there of what it touches. */
  readonly members: string
  readonly protection: Protected | null
  /** What was fixed when the cursor that it fetches from was declared. */
  readonly fixed: Protected | null
  /** What EXECUTE or FETCH stands for; null for what stands for itself. */
  readonly means: Meaning | null
  /** Where its names were looked for; null where that was not certain. */
  readonly searchPath: readonly string[] | null
}

/** Where a statement stands in its text. */
export interface Place {
  /** How many statements the text holds. */
  readonly count: number
  /** What the statements before it define, by name. */
  readonly prepared: ReadonlyMap<string, StatementAnalysis>
  readonly declared: ReadonlyMap<string, StatementAnalysis>
  /** Whether a statement before it may change a setting, such as the search path. */
  readonly followsSetting: boolean
  /** Whether a statement before it may change the catalog. */
  readonly followsChange: boolean
}

/** A statement that is all of its text. */
export const alone: Place = {
  count: 1,
  prepared: new Map(),
  declared: new Map(),
  followsSetting: false,
  followsChange: false,
}

/** What a statement does with classified columns, for as long as all of this is the same. */
export interface KnownProtection {
  readonly schema: object
  readonly basis: object
  readonly searchPath: readonly string[] | null
  readonly protection: Protected
}

/** For whoever takes the schema as it is. */
export const impatience = { isPatient: () => false }

/** What EXECUTE or FETCH stands for. */
export interface Meaning {
  readonly statement: StatementAnalysis
  readonly fixed: Protected | null
  /** Whether it was approved when the cursor was declared: fetching from it is what was approved. */
  readonly isApproved: boolean
}

/** May run, may not, or cannot be said before PostgreSQL has answered what was sent earlier. */
export type Verdict = { readonly allowed: Allowed } | { readonly refusal: Refusal } | 'undecided'

/** What a statement and what it stands for ask for. */
export function needed(
  { names }: StatementAnalysis,
  { means, own, others }: { readonly means: Meaning | null; readonly own: Allowed; readonly others: Allowed },
): Needs | null {
  // PostgreSQL only parses it; running it is EXECUTE, and asked for then.
  if (names.prepares !== null) return null
  if (means === null) return own.needs
  return means.isApproved ? own.needs : combineNeeds([own.needs, others.needs])
}

/** The same, with other needs, of what stands for something else. */
export function withMeaning(allowed: Allowed, { needs, means }: Pick<Allowed, 'needs' | 'means'>): Allowed {
  return allowed.needs === needs && allowed.means === means ? allowed : { ...allowed, needs, means }
}

/** What a name stands for, once it is certain; opaque where nobody has seen it defined. */
export function meaning<T>(
  lookup: Lookup<T>,
  meaningOf: (found: T) => Meaning,
  user: StatementAnalysis,
): Meaning | 'undecided' {
  if (lookup === 'undecided') return lookup
  if (lookup === 'unknown') {
    const reason = `${user.kind} of a name that Postern has not seen defined`
    return { statement: opaqueStatement(user.sql, reason), fixed: null, isApproved: false }
  }
  return meaningOf(lookup.found)
}
