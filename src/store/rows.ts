import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Approval, Grant, RequestRecord, Revocation, SessionRecord, SessionToken } from '../core/access.ts'
import type { StoreChange } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import * as records from './records.ts'
import { parseJson, record } from './decode.ts'
import type { Tables } from './tables.ts'

/*
 * Records to rows and back. What is a column is not in the JSON beside it, so the two cannot contradict each other. Every
 * way goes through the record's decoder: an unknown member is left out, and a wrong one rejects.
 */

type Row<T extends keyof Tables> = Selectable<Tables[T]>
type NewRow<T extends keyof Tables> = Insertable<Tables[T]>
type Changed<T extends keyof Tables> = Updateable<Tables[T]>

/** A request as a row; the columns that an update may change are those of `changedRequest`. */
export function rowOfRequest(value: RequestRecord): NewRow<'requests'> {
  const known = records.request(value, 'request')
  const { requester, reason, requirements } = known
  const base = {
    id: known.id,
    kind: known.kind,
    requester_issuer: requester.issuer,
    requester_subject: requester.subject,
    requester_name: requester.name,
    created_at_ms: known.createdAtMs,
    expires_at_ms: known.expiresAtMs,
  }
  const rest = { requesterKind: requester.kind, requesterActors: requester.actors, reason, requirements }
  const { state, ...stateRest } = known.state
  if (known.kind === 'access') {
    const { role, durationMs } = known
    return bounded({
      ...base,
      state,
      gateway: null,
      session: null,
      database: null,
      binding: null,
      about: null,
      role,
      rest: JSON.stringify({ ...rest, durationMs, extends: known.extends }),
      state_rest: JSON.stringify(stateRest),
    })
  }
  const { gateway, session, database, binding, clientAddress, applicationName } = known
  return bounded({
    ...base,
    state,
    gateway,
    session,
    database,
    binding,
    role: null,
    rest: JSON.stringify({ ...rest, clientAddress, applicationName }),
    state_rest: JSON.stringify(stateRest),
    about: JSON.stringify(known.about),
  })
}

/** Of a request's row, what an update replaces. */
export function changedRequest(row: NewRow<'requests'>): Changed<'requests'> {
  const { state, state_rest, about } = row
  return { state, state_rest, about: about ?? null }
}

/** The request that a row keeps. */
export function requestOfRow(row: Row<'requests'>): RequestRecord {
  const rest = record(parseJson(row.rest, 'requests.rest'), 'requests.rest')
  const common = {
    ...rest,
    id: row.id,
    kind: row.kind,
    requester: partyOfColumns(
      { issuer: row.requester_issuer, subject: row.requester_subject, name: row.requester_name },
      { kind: rest['requesterKind'], actors: rest['requesterActors'] },
    ),
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    state: { ...record(parseJson(row.state_rest, 'requests.state_rest'), 'requests.state_rest'), state: row.state },
  }
  const { gateway, session, database, binding, role } = row
  const about = row.about === null ? null : parseJson(row.about, 'requests.about')
  return records.request({ ...common, gateway, session, database, binding, role, about }, 'requests')
}

/** An approval as a row, its place in the order left to the insert. */
export function rowOfApproval(value: Approval): Omit<NewRow<'approvals'>, 'ordinal'> {
  const { approver, request, answer, atMs, groups, comment, via } = records.approval(value, 'approval')
  return bounded({
    request,
    approver_issuer: approver.issuer,
    approver_subject: approver.subject,
    approver_name: approver.name,
    answer,
    at_ms: atMs,
    rest: JSON.stringify({ kind: approver.kind, actors: approver.actors, groups, comment, via }),
  })
}

/** The approval that a row keeps. */
export function approvalOfRow(row: Row<'approvals'>): Approval {
  const rest = record(parseJson(row.rest, 'approvals.rest'), 'approvals.rest')
  const { approver_issuer: issuer, approver_subject: subject, approver_name: name } = row
  return records.approval(
    {
      ...rest,
      request: row.request,
      approver: partyOfColumns({ issuer, subject, name }, rest),
      answer: row.answer,
      atMs: row.at_ms,
    },
    'approvals',
  )
}

/** A grant as a row; the columns that an update may change are those of `changedGrant`. */
export function rowOfGrant(value: Grant): NewRow<'grants'> {
  const { principal, databases, reason, ended, review, ...known } = records.grant(value, 'grant')
  return bounded({
    id: known.id,
    kind: known.kind,
    principal_issuer: principal.issuer,
    principal_subject: principal.subject,
    principal_name: principal.name,
    role: known.role,
    request: known.request,
    from_ms: known.fromMs,
    until_ms: known.untilMs,
    ended_at_ms: ended?.atMs ?? null,
    ended_why: ended?.why ?? null,
    ended_by: ended === null || ended.by === null ? null : JSON.stringify(ended.by),
    reviewed_at_ms: review?.atMs ?? null,
    review:
      review === null ? null : JSON.stringify({ by: review.by, outcome: review.outcome, comment: review.comment }),
    rest: JSON.stringify({ kind: principal.kind, actors: principal.actors, databases, reason }),
  })
}

/** Of a grant's row, what an update replaces. */
export function changedGrant(row: NewRow<'grants'>): Changed<'grants'> {
  const { until_ms, ended_at_ms = null, ended_why = null, ended_by = null, reviewed_at_ms = null, review = null } = row
  return { until_ms, ended_at_ms, ended_why, ended_by, reviewed_at_ms, review }
}

/** The grant that a row keeps. */
export function grantOfRow(row: Row<'grants'>): Grant {
  const rest = record(parseJson(row.rest, 'grants.rest'), 'grants.rest')
  const { principal_issuer: issuer, principal_subject: subject, principal_name: name } = row
  const by = row.ended_by === null ? null : parseJson(row.ended_by, 'grants.ended_by')
  const review =
    row.review === null
      ? null
      : { ...record(parseJson(row.review, 'grants.review'), 'grants.review'), atMs: row.reviewed_at_ms }
  return records.grant(
    {
      id: row.id,
      kind: row.kind,
      principal: partyOfColumns({ issuer, subject, name }, rest),
      role: row.role,
      databases: rest['databases'],
      reason: rest['reason'],
      request: row.request,
      fromMs: row.from_ms,
      untilMs: row.until_ms,
      ended: row.ended_at_ms === null ? null : { atMs: row.ended_at_ms, why: row.ended_why, by },
      review,
    },
    'grants',
  )
}

/** A session token as a row; the columns that an update may change are those of `changedToken`. */
export function rowOfToken(value: SessionToken): NewRow<'tokens'> {
  const known = records.token(value, 'token')
  const { issuer, subject, name, ...principal } = known.principal
  return bounded({
    id: known.id,
    principal_issuer: issuer,
    principal_subject: subject,
    principal_name: name,
    role: known.role,
    grant_id: known.grant,
    database: known.database,
    secret_hash: known.secretHash,
    issued_at_ms: known.issuedAtMs,
    expires_at_ms: known.expiresAtMs,
    is_single_session: known.isSingleSession ? 1 : 0,
    session: known.session,
    ended_at_ms: known.ended?.atMs ?? null,
    ended_why: known.ended?.why ?? null,
    rest: JSON.stringify({ principal, scram: known.scram }),
  })
}

/** Of a token's row, what an update replaces. */
export function changedToken(row: NewRow<'tokens'>): Changed<'tokens'> {
  const { session = null, ended_at_ms = null, ended_why = null } = row
  return { session, ended_at_ms, ended_why }
}

/** The session token that a row keeps. */
export function tokenOfRow(row: Row<'tokens'>): SessionToken {
  const rest = record(parseJson(row.rest, 'tokens.rest'), 'tokens.rest')
  const { principal_issuer: issuer, principal_subject: subject, principal_name: name } = row
  return records.token(
    {
      id: row.id,
      principal: { ...record(rest['principal'], 'tokens.rest.principal'), issuer, subject, name },
      role: row.role,
      grant: row.grant_id,
      database: row.database,
      secretHash: row.secret_hash,
      scram: rest['scram'],
      issuedAtMs: row.issued_at_ms,
      expiresAtMs: row.expires_at_ms,
      isSingleSession: row.is_single_session,
      session: row.session,
      ended: row.ended_at_ms === null ? null : { atMs: row.ended_at_ms, why: row.ended_why },
    },
    'tokens',
  )
}

/** A session as a row. */
export function rowOfSession(value: SessionRecord): NewRow<'sessions'> {
  const { principal, ...known } = records.session(value, 'session')
  return bounded({
    id: known.id,
    gateway: known.gateway,
    principal_issuer: principal.issuer,
    principal_subject: principal.subject,
    principal_name: principal.name,
    database: known.database,
    token: known.token,
    started_at_ms: known.startedAtMs,
    ended_at_ms: known.endedAtMs,
    rest: JSON.stringify({ kind: principal.kind, actors: principal.actors }),
  })
}

/** The session that a row keeps. */
export function sessionOfRow(row: Row<'sessions'>): SessionRecord {
  const rest = record(parseJson(row.rest, 'sessions.rest'), 'sessions.rest')
  const { principal_issuer: issuer, principal_subject: subject, principal_name: name } = row
  return records.session(
    {
      id: row.id,
      gateway: row.gateway,
      principal: partyOfColumns({ issuer, subject, name }, rest),
      database: row.database,
      token: row.token,
      startedAtMs: row.started_at_ms,
      endedAtMs: row.ended_at_ms,
    },
    'sessions',
  )
}

/** A revocation as a row, its number left to the insert. */
export function rowOfRevocation(value: Revocation): Omit<NewRow<'revocations'>, 'ordinal'> {
  const { issuer, subject, name, notBeforeMs, by, reason } = records.revocation(value, 'revocation')
  return bounded({ issuer, subject, name, not_before_ms: notBeforeMs, rest: JSON.stringify({ by, reason }) })
}

/** The revocation that a row keeps. */
export function revocationOfRow(row: Row<'revocations'>): Revocation {
  const { issuer, subject, name, not_before_ms: notBeforeMs } = row
  const rest = record(parseJson(row.rest, 'revocations.rest'), 'revocations.rest')
  return records.revocation({ ...rest, issuer, subject, name, notBeforeMs }, 'revocations')
}

/** A change as a row, its number left to the insert. */
export function rowOfChange(value: Omit<StoreChange, 'seq' | 'isJournalled'>): Omit<NewRow<'changes'>, 'seq'> {
  const { atMs, gateway, type, facts } = records.change({ ...value, seq: 0, isJournalled: false }, 'change')
  return bounded({ at_ms: atMs, gateway, type, facts: JSON.stringify(facts), is_journalled: 0 })
}

/** The change that a row keeps. */
export function changeOfRow(row: Row<'changes'>): StoreChange {
  const { seq, at_ms: atMs, gateway, type, is_journalled: isJournalled } = row
  return records.change(
    { seq, atMs, gateway, type, facts: parseJson(row.facts, 'changes.facts'), isJournalled },
    'changes',
  )
}

function partyOfColumns(
  columns: { readonly issuer: unknown; readonly subject: unknown; readonly name: unknown },
  rest: { readonly kind?: unknown; readonly actors?: unknown },
): unknown {
  return { ...columns, kind: rest.kind, actors: rest.actors }
}

function bounded<T extends object>(row: T): T {
  let chars = 0
  for (const value of Object.values(row)) if (typeof value === 'string') chars += value.length
  if (chars <= limits.storeRecordCharsMax) return row
  throw new PosternError('limit_exceeded', 'this is too large to be kept in the control store', {
    hint: `One record holds at most ${String(limits.storeRecordCharsMax)} characters; a shorter statement does.`,
  })
}
