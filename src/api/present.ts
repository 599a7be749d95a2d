import type { z } from '@hono/zod-openapi'
import type { AccessService, AnsweredRequest } from '../core/access-service.ts'
import type { AccessRole, Grant, RequestState, SessionRecord, StatementRequestRecord } from '../core/access.ts'
import { formatDuration } from '../core/duration.ts'
import { assertNever } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { grantSchema, meSchema, requestSchema, sessionSchema } from './schemas.ts'

/** A request as it goes over the wire. */
export type RequestJson = z.infer<typeof requestSchema>
/** A grant as it goes over the wire. */
export type GrantJson = z.infer<typeof grantSchema>

/** For whom something is shown, and what decides how much of it. */
export interface Viewer {
  readonly by: Principal
  readonly access: Pick<AccessService, 'mayAnswer'>
  readonly maySeeRaw: (by: Principal, request: StatementRequestRecord) => boolean
  readonly siteUrl: string
}

/** A statement as a viewer may see it. */
export interface ShownStatement {
  readonly sql: string
  readonly parameters: readonly (string | null)[]
  readonly isRedacted: boolean
  /** What the planner expects; null where it could tell of values that the viewer may not see. */
  readonly estimate: { readonly rows: number; readonly cost: number } | null
}

/** Shows a request to a viewer; the statement with its values only to who may see them. */
export function requestJson(answered: AnsweredRequest, viewer: Viewer): RequestJson {
  const { request, approvals, given } = answered
  const may = viewer.access.mayAnswer(viewer.by, answered)
  const outcome = outcomeOf(request.state)
  return {
    id: request.id,
    kind: request.kind,
    requester: {
      name: request.requester.name,
      kind: request.requester.kind,
      actors: request.requester.actors.map(({ issuer, subject }) => ({ issuer, subject })),
    },
    reason: request.reason,
    state: request.state.state,
    createdAt: timeOf(request.createdAtMs),
    expiresAt: timeOf(request.expiresAtMs),
    requirements: request.requirements.map(({ by, approvers, count }, index) => ({
      by,
      approvers: [...approvers],
      count,
      given: given[index] ?? 0,
    })),
    approvals: approvals.map(({ approver, answer, comment, atMs, via }) => ({
      approver: approver.name,
      answer,
      comment,
      at: timeOf(atMs),
      via,
    })),
    mayAnswer: may.may,
    ...(may.may ? {} : { whyNot: may.why }),
    ...(request.kind === 'statement'
      ? { statement: statementJson(request, viewer) }
      : { access: { role: request.role, for: formatDuration(request.durationMs), extends: request.extends } }),
    ...(outcome === null ? {} : { outcome }),
    url: `${viewer.siteUrl}/r/${request.id}`,
  }
}

/** The statement and its parameters as this viewer may see them. */
export function shownStatement(
  request: StatementRequestRecord,
  { by, maySeeRaw }: Pick<Viewer, 'by' | 'maySeeRaw'>,
): ShownStatement {
  const { sql, redacted, parameters, redactedParameters, columns } = request.about
  const seesAll = maySeeRaw(by, request)
  // How many rows a comparison finds says which values there are, and asking costs nothing but a withdrawal.
  // Two who agree to it beforehand would be one.
  const estimate = columns.length === 0 || seesAll ? request.about.estimate : null
  if (seesAll && (sql !== null || parameters !== null)) {
    return { sql: sql ?? redacted, parameters: parameters ?? redactedParameters, isRedacted: false, estimate }
  }
  // The text with its values is there only where it differs, and gone once the request has ended.
  const isOver = request.state.state !== 'pending' && request.state.state !== 'approved'
  const differs =
    (sql !== null && sql !== redacted) ||
    (parameters !== null && !isDeepEqual(parameters, redactedParameters)) ||
    (isOver && columns.length > 0)
  return { sql: redacted, parameters: redactedParameters, isRedacted: differs, estimate }
}

/** A grant; `nowMs` says nothing of its end, which is a matter of record. */
export function grantJson(grant: Grant): GrantJson {
  const { ended, review } = grant
  return {
    id: grant.id,
    principal: grant.principal.name,
    role: grant.role,
    databases: grant.databases === null ? null : [...grant.databases],
    kind: grant.kind,
    reason: grant.reason,
    from: timeOf(grant.fromMs),
    until: timeOf(grant.untilMs),
    ...(grant.request === null ? {} : { request: grant.request }),
    ...(ended === null
      ? {}
      : { ended: { at: timeOf(ended.atMs), why: ended.why, ...(ended.by === null ? {} : { by: ended.by.name }) } }),
    ...(review === null
      ? {}
      : {
          review: {
            by: review.by.name,
            at: timeOf(review.atMs),
            outcome: review.outcome,
            comment: review.comment,
          },
        }),
    needsReview: grant.kind === 'break_glass' && review === null,
  }
}

/** A live session. */
export function sessionJson(session: SessionRecord): z.infer<typeof sessionSchema> {
  return {
    id: session.id,
    gateway: session.gateway,
    principal: session.principal.name,
    database: session.database,
    ...(session.token === null ? {} : { token: session.token }),
    startedAt: timeOf(session.startedAtMs),
  }
}

/** The caller, with the access roles that they may do anything about; others are nobody's business. */
export function meJson(by: Principal, roles: ReadonlyMap<string, AccessRole>): z.infer<typeof meSchema> {
  const isIn = (groups: readonly string[]): boolean => groups.some((group) => by.groups.includes(group))
  return {
    name: by.name,
    kind: by.kind,
    groups: [...by.groups],
    accessRoles: [...roles.values()]
      .filter((role) => isIn([...role.requestableBy, ...role.breakGlass, ...role.approvers]))
      .map((role) => ({
        name: role.name,
        description: role.description,
        mayAsk: isIn(role.requestableBy),
        mayBreakGlass: isIn(role.breakGlass),
        maxDuration: formatDuration(role.maxDurationMs),
        needsReason: role.needsReason,
        databases: role.databases === null ? null : [...role.databases],
      })),
  }
}

function statementJson(request: StatementRequestRecord, viewer: Viewer): NonNullable<RequestJson['statement']> {
  const { about } = request
  const shown = shownStatement(request, viewer)
  return {
    database: request.database,
    command: about.command,
    sql: shown.sql,
    parameters: [...shown.parameters],
    isRedacted: shown.isRedacted,
    relations: [...about.relations],
    tags: [...about.tags],
    estimate: shown.estimate === null ? null : { rows: shown.estimate.rows, cost: shown.estimate.cost },
    transaction: { isOpen: about.transaction.isOpen, locks: [...about.transaction.locks] },
    policies: about.policies.map(({ id, advice }) => ({ id, advice })),
    clientAddress: request.clientAddress,
    application: request.applicationName,
  }
}

function outcomeOf(state: RequestState): RequestJson['outcome'] | null {
  switch (state.state) {
    case 'pending':
      return null
    case 'approved':
      return { at: timeOf(state.atMs), goodUntil: timeOf(state.goodUntilMs) }
    case 'used':
    case 'expired':
      return { at: timeOf(state.atMs) }
    case 'granted':
      return { at: timeOf(state.atMs), grant: state.grant }
    case 'denied':
      return { at: timeOf(state.atMs), by: state.by.name, comment: state.comment }
    case 'withdrawn':
      return { at: timeOf(state.atMs), why: state.why }
    default:
      return assertNever(state)
  }
}

function isDeepEqual(left: readonly (string | null)[], right: readonly (string | null)[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index])
}

function timeOf(ms: number): string {
  // A duration that never ends has no calendar date; the last one that JavaScript has stands for it.
  return new Date(Math.min(ms, 8.64e15)).toISOString()
}
