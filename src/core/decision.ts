import type { ApprovalRequirement } from './access.ts'
import type { ClassifiedColumn, Tag } from './classification.ts'
import type { Principal } from './principal.ts'
import type { StatementAnalysis } from './statement.ts'

/** A database as policy sees it. */
export interface DatabaseResource {
  /** The name clients connect to; not necessarily the name PostgreSQL gives it. */
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
}

/** Facts of the session that policies may refer to as `context.session`. */
export interface SessionFacts {
  readonly clientAddress: string
  readonly applicationName: string
  readonly isTls: boolean
}

/** One question to policy. `nowMs` is passed in, so that deciding reads no clock. */
export interface StatementRequest {
  readonly principal: Principal
  /** Access roles held at this moment, sorted; the same array for as long as they are the same. */
  readonly accessRoles: readonly string[]
  readonly database: DatabaseResource
  readonly session: SessionFacts
  readonly statement: StatementAnalysis
  /** How many statements the text holds that this one is part of. */
  readonly statementCount: number
  /** Schemas that unqualified names are looked up in, or null where that is not certain. */
  readonly searchPath: readonly string[] | null
  /** Tags of the classified columns that it touches, sorted. */
  readonly tags: readonly Tag[]
  /** Tags of those that decide which rows there are or in which order, sorted. */
  readonly predicateTags: readonly Tag[]
  readonly nowMs: number
}

/** The question whether a session may see the values of one classified column as they are. */
export interface UnmaskRequest {
  readonly principal: Principal
  /** Access roles held at this moment, sorted; the same array for as long as they are the same. */
  readonly accessRoles: readonly string[]
  readonly database: DatabaseResource
  readonly session: SessionFacts
  readonly column: ClassifiedColumn
  readonly nowMs: number
}

/** The question whether a session may begin. */
export interface ConnectRequest {
  readonly principal: Principal
  /** Access roles held at this moment, sorted; the same array for as long as they are the same. */
  readonly accessRoles: readonly string[]
  readonly database: DatabaseResource
  readonly session: SessionFacts
  readonly nowMs: number
}

/** A policy that made a decision what it is. */
export interface DeterminingPolicy {
  readonly id: string
  /** The text of `@advice("...")`, shown as HINT. */
  readonly advice: string | null
}

/** What policy says. A deny with no determining policy means that nothing permits it. */
export type Decision =
  | { readonly effect: 'allow'; readonly policies: readonly DeterminingPolicy[] }
  | {
      readonly effect: 'deny'
      readonly policies: readonly DeterminingPolicy[]
      /** The command that was not allowed and what it was applied to, such as `DELETE` on `shop.public.orders`. */
      readonly command: string
      readonly resource: string
      readonly reason: 'forbidden' | 'not_permitted' | 'policy_error' | 'needs_approval'
      /** What would lift it, where every determining forbid has `@approvers`; one for each of these, empty otherwise. */
      readonly requirements: readonly ApprovalRequirement[]
    }
