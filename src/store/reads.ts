import { sql } from 'kysely'
import type { GrantFilter, RequestFilter, StoreReads } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import type { GatewayId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import { named, plainText, whole as wholeNumber } from './decode.ts'
import { approvalOfRow, grantOfRow, requestOfRow, revocationOfRow, sessionOfRow, tokenOfRow } from './rows.ts'
import type { Scope } from './transactions.ts'

const gatewayId = named<GatewayId>()
const listedMaxDefault = 100

/** What can be read within a transaction. */
export function readsOf(scope: Scope): StoreReads {
  return {
    request: (id) =>
      scope.step(async (db) => {
        const row = await db.selectFrom('requests').selectAll().where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : requestOfRow(row)
      }),
    requests: (filter) => listRequests(scope, filter),
    approvals: (request) =>
      scope.step(async (db) => {
        const rows = await db
          .selectFrom('approvals')
          .selectAll()
          .where('request', '=', request)
          .orderBy('ordinal')
          .limit(limits.storeRowsMax + 1)
          .execute()
        return whole(rows).map(approvalOfRow)
      }),
    grant: (id) =>
      scope.step(async (db) => {
        const row = await db.selectFrom('grants').selectAll().where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : grantOfRow(row)
      }),
    grants: (filter) => listGrants(scope, filter),
    token: (id) =>
      scope.step(async (db) => {
        const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : tokenOfRow(row)
      }),
    tokens: ({ principal, isEnded }) =>
      scope.step(async (db) => {
        let query = db.selectFrom('tokens').selectAll()
        if (principal !== undefined) {
          const { issuer, subject } = principal
          query = query.where('principal_subject', '=', subject).where('principal_issuer', '=', issuer)
        }
        if (isEnded !== undefined) query = query.where('ended_at_ms', isEnded ? 'is not' : 'is', null)
        const rows = await query
          .orderBy('issued_at_ms', 'desc')
          .orderBy('id')
          .limit(limits.storeRowsMax + 1)
          .execute()
        return whole(rows).map(tokenOfRow)
      }),
    session: (id) =>
      scope.step(async (db) => {
        const row = await db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : sessionOfRow(row)
      }),
    sessions: ({ gateway, isEnded }) =>
      scope.step(async (db) => {
        let query = db.selectFrom('sessions').selectAll()
        if (gateway !== undefined) query = query.where('gateway', '=', gateway)
        if (isEnded !== undefined) query = query.where('ended_at_ms', isEnded ? 'is not' : 'is', null)
        const rows = await query
          .orderBy('started_at_ms', 'desc')
          .orderBy('id')
          .limit(limits.storeRowsMax + 1)
          .execute()
        return whole(rows).map(sessionOfRow)
      }),
    revocations: () =>
      scope.step(async (db) => {
        const rows = await db
          .selectFrom('revocations')
          .selectAll()
          .orderBy('ordinal')
          .limit(limits.storeRowsMax + 1)
          .execute()
        return whole(rows).map(revocationOfRow)
      }),
    gatewaysNotSeenSince: (atMs) =>
      scope.step(async (db) => {
        const rows = await db
          .selectFrom('gateways')
          .select('id')
          .where('seen_at_ms', '<', atMs)
          .orderBy('seen_at_ms')
          .limit(limits.storeRowsMax + 1)
          .execute()
        return whole(rows).map(({ id }) => gatewayId(id, 'gateways.id'))
      }),
    idsAfter: (of, after, limit) => {
      const listedMax = checkedLimit(limit)
      return scope.step(async (db) => {
        let query = db.selectFrom(of).select('id')
        if (after !== null) query = query.where('id', '>', after)
        const rows = await query.orderBy('id').limit(listedMax).execute()
        return rows.map(({ id }) => plainText(id, `${of}.id`))
      })
    },
    lastChange: () =>
      scope.step(async (db) => {
        const row = await db.selectFrom('changes').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst()
        return row === undefined ? 0 : wholeNumber(row.seq, 'changes.seq')
      }),
  }
}

function listRequests(scope: Scope, filter: RequestFilter): ReturnType<StoreReads['requests']> {
  const { kind, states, requester, gateway, session, createdBeforeMs, limit } = filter
  const listedMax = checkedLimit(limit)
  return scope.step(async (db) => {
    if (states?.length === 0) return []
    let query = db.selectFrom('requests').selectAll()
    if (kind !== undefined) query = query.where('kind', '=', kind)
    if (states !== undefined) query = query.where('state', 'in', [...new Set(states)])
    if (requester !== undefined) {
      const { issuer, subject } = requester
      query = query.where('requester_subject', '=', subject).where('requester_issuer', '=', issuer)
    }
    if (gateway !== undefined) query = query.where('gateway', '=', gateway)
    if (session !== undefined) query = query.where('session', '=', session)
    if (createdBeforeMs !== undefined) query = query.where('created_at_ms', '<', createdBeforeMs)
    const rows = await query.orderBy('created_at_ms', 'desc').orderBy('id').limit(listedMax).execute()
    return rows.map(requestOfRow)
  })
}

function listGrants(scope: Scope, filter: GrantFilter): ReturnType<StoreReads['grants']> {
  const { isEnded, principal, principalName, role, needsReview, fromBeforeMs, limit } = filter
  const listedMax = checkedLimit(limit)
  return scope.step(async (db) => {
    let query = db.selectFrom('grants').selectAll()
    if (isEnded !== undefined) query = query.where('ended_at_ms', isEnded ? 'is not' : 'is', null)
    if (principal !== undefined) {
      const { issuer, subject } = principal
      query = query.where('principal_subject', '=', subject).where('principal_issuer', '=', issuer)
    }
    if (principalName !== undefined) query = query.where('principal_name', '=', principalName)
    if (role !== undefined) query = query.where('role', '=', role)
    if (needsReview !== undefined) {
      // Written out instead of bound, so that the index of what is to be reviewed is found to fit.
      const isToReview = sql<boolean>`(kind = 'break_glass' and reviewed_at_ms is null)`
      query = query.where(needsReview ? isToReview : sql<boolean>`not ${isToReview}`)
    }
    if (fromBeforeMs !== undefined) query = query.where('from_ms', '<', fromBeforeMs)
    const rows = await query.orderBy('from_ms', 'desc').orderBy('id').limit(listedMax).execute()
    return rows.map(grantOfRow)
  })
}

/** A limit out of bounds is refused: a list that is shorter than it was asked for looks like one that is complete. */
function checkedLimit(limit: number = listedMaxDefault): number {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= limits.storeRowsMax) return limit
  throw new PosternError('input_invalid', 'the control store cannot list so many', {
    hint: `A limit is a whole number from 1 to ${String(limits.storeRowsMax)}.`,
  })
}

function whole<T>(rows: readonly T[]): readonly T[] {
  if (rows.length <= limits.storeRowsMax) return rows
  throw new PosternError('limit_exceeded', 'the control store holds more of these than can be listed at once', {
    hint: 'Ask for fewer: of one principal or gateway, or only those that are not over.',
  })
}
