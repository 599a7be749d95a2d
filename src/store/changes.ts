import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { StoreChanges } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import type { GatewayId } from '../core/ids.ts'
import { whole } from './decode.ts'
import { readsOf } from './reads.ts'
import {
  changedGrant,
  changedRequest,
  changedToken,
  grantOfRow,
  requestOfRow,
  rowOfApproval,
  rowOfChange,
  rowOfGrant,
  rowOfRequest,
  rowOfRevocation,
  rowOfSession,
  rowOfToken,
  tokenOfRow,
} from './rows.ts'
import type { Tables } from './tables.ts'
import type { Scope } from './transactions.ts'

/** What can be read and written within a transaction that is serialised with all others. */
export function changesOf(scope: Scope): StoreChanges {
  // For this transaction only: between two of them a gateway that was not seen for long may have been removed.
  const known = new Set<GatewayId>()
  const knowGateway = async (db: Kysely<Tables>, gateway: GatewayId, atMs: number): Promise<void> => {
    if (known.has(gateway)) return
    // A gateway that has left anything here can be missed, even if it never gave a sign of life.
    await db
      .insertInto('gateways')
      .values({ id: gateway, seen_at_ms: atMs })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute()
    known.add(gateway)
  }
  return {
    ...readsOf(scope),
    insertRequest: (request) =>
      scope.step(async (db) => {
        const row = rowOfRequest(request)
        if (request.kind === 'statement') await knowGateway(db, request.gateway, request.createdAtMs)
        await db.insertInto('requests').values(row).execute()
      }),
    updateRequest: (request) =>
      scope.step(async (db) => {
        const row = rowOfRequest(request)
        const old = await db.selectFrom('requests').selectAll().where('id', '=', request.id).executeTakeFirst()
        const kept = old === undefined ? undefined : rowOfRequest(requestOfRow(old))
        requireSame(kept, row, changedRequest(row))
        await db.updateTable('requests').set(changedRequest(row)).where('id', '=', request.id).execute()
      }),
    insertApproval: (approval) =>
      scope.step(async (db) => {
        const row = rowOfApproval(approval)
        const ordinal = sql<number>`(select coalesce(max(ordinal), 0) + 1 from approvals where request = ${row.request})`
        await db
          .insertInto('approvals')
          .values({ ...row, ordinal })
          .execute()
      }),
    insertGrant: (grant) =>
      scope.step(async (db) => {
        await db.insertInto('grants').values(rowOfGrant(grant)).execute()
      }),
    updateGrant: (grant) =>
      scope.step(async (db) => {
        const row = rowOfGrant(grant)
        const old = await db.selectFrom('grants').selectAll().where('id', '=', grant.id).executeTakeFirst()
        const kept = old === undefined ? undefined : rowOfGrant(grantOfRow(old))
        requireSame(kept, row, changedGrant(row))
        await db.updateTable('grants').set(changedGrant(row)).where('id', '=', grant.id).execute()
      }),
    insertToken: (token) =>
      scope.step(async (db) => {
        await db.insertInto('tokens').values(rowOfToken(token)).execute()
      }),
    updateToken: (token) =>
      scope.step(async (db) => {
        const row = rowOfToken(token)
        const old = await db.selectFrom('tokens').selectAll().where('id', '=', token.id).executeTakeFirst()
        const kept = old === undefined ? undefined : rowOfToken(tokenOfRow(old))
        requireSame(kept, row, changedToken(row))
        await db.updateTable('tokens').set(changedToken(row)).where('id', '=', token.id).execute()
      }),
    insertSession: (session) =>
      scope.step(async (db) => {
        const row = rowOfSession(session)
        await knowGateway(db, session.gateway, session.startedAtMs)
        await db.insertInto('sessions').values(row).execute()
      }),
    endSession: (id, atMs) =>
      scope.step(async (db) => {
        const endedAtMs = whole(atMs, 'session.endedAtMs')
        const old = await db.selectFrom('sessions').select('ended_at_ms').where('id', '=', id).executeTakeFirst()
        if (old === undefined) throw absent()
        // The first end is the one that counts; who finds it ended has nothing to do.
        if (old.ended_at_ms !== null) return
        await db.updateTable('sessions').set({ ended_at_ms: endedAtMs }).where('id', '=', id).execute()
      }),
    insertRevocation: (revocation) =>
      scope.step(async (db) => {
        const row = rowOfRevocation(revocation)
        const ordinal = sql<number>`(select coalesce(max(ordinal), 0) + 1 from revocations)`
        await db
          .insertInto('revocations')
          .values({ ...row, ordinal })
          .execute()
      }),
    note: (change) =>
      scope.step(async (db) => {
        const row = rowOfChange(change)
        await knowGateway(db, change.gateway, change.atMs)
        // Counted on by the store itself: nobody else changes it meanwhile, and what is rolled back leaves no gap.
        const next = sql<number>`(select coalesce(max(seq), 0) + 1 from changes)`
        const { seq } = await db
          .insertInto('changes')
          .values({ ...row, seq: next })
          .returning('seq')
          .executeTakeFirstOrThrow()
        return whole(seq, 'changes.seq')
      }),
  }
}

/** What an update does not replace has to be as it was: an approval is for what was asked, and for nothing else. */
function requireSame(kept: object | undefined, row: object, replaced: object): void {
  if (kept === undefined) throw absent()
  if (isDeepStrictEqual({ ...kept, ...replaced }, { ...row, ...replaced })) return
  throw new PosternError('internal', 'a record of the control store is to change in what never changes', {
    hint: 'Nothing was changed. Please tell whoever runs this gateway.',
  })
}

function absent(): PosternError {
  return new PosternError('internal', 'a record that is to change is not in the control store', {
    hint: 'Nothing was changed. Please tell whoever runs this gateway.',
  })
}
