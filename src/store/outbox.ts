import { sql } from 'kysely'
import type { StoreChange } from '../core/control-store.ts'
import type { GatewayId } from '../core/ids.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { whole } from './decode.ts'
import { changeOfRow } from './rows.ts'
import type { Scope } from './transactions.ts'

/** Values in one list of a statement; SQLite takes 32,766 and PostgreSQL 65,535. */
const listedMax = 500

/** Changes behind a number, in order. */
export function changesAfter(scope: Scope, seq: number, limit: number): Promise<readonly StoreChange[]> {
  return scope.step(async (db) => {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > limits.storeRowsMax) {
      throw new PosternError('input_invalid', 'the control store cannot list so many changes', {
        hint: `A limit is a whole number from 1 to ${String(limits.storeRowsMax)}.`,
      })
    }
    const rows = await db
      .selectFrom('changes')
      .selectAll()
      .where('seq', '>', whole(seq, 'seq'))
      .orderBy('seq')
      .limit(limit)
      .execute()
    return rows.map(changeOfRow)
  })
}

/**
 * Changes that no journal has and this gateway has to see to: its own, and those of gateways that are gone. In order, the
 * first of them where there are very many; once these are marked the next ones come.
 */
export function unjournalled(
  scope: Scope,
  { gateway, notSeenSinceMs }: { readonly gateway: GatewayId; readonly notSeenSinceMs: number },
): Promise<readonly StoreChange[]> {
  return scope.step(async (db) => {
    const rows = await db
      .selectFrom('changes')
      .selectAll()
      // Written out instead of bound, so that the index of these is found to fit.
      .where(sql<boolean>`is_journalled = 0`)
      .where((is) =>
        is.or([
          is('gateway', '=', gateway),
          is(
            'gateway',
            'in',
            is.selectFrom('gateways').select('id').where('seen_at_ms', '<', whole(notSeenSinceMs, 'notSeenSinceMs')),
          ),
        ]),
      )
      .orderBy('seq')
      .limit(limits.storeRowsMax)
      .execute()
    return rows.map(changeOfRow)
  })
}

/** Marks changes that a journal has. Marking again does nothing; a number that is not there rejects, and marks none. */
export function markJournalled(scope: Scope, seqs: readonly number[]): Promise<void> {
  return scope.step(async (db) => {
    const distinct = [...new Set(seqs)].map((seq) => whole(seq, 'seq'))
    for (let at = 0; at < distinct.length; at += listedMax) {
      const some = distinct.slice(at, at + listedMax)
      const marked = await db
        .updateTable('changes')
        .set({ is_journalled: 1 })
        .where('seq', 'in', some)
        .returning('seq')
        .execute()
      if (marked.length === some.length) continue
      throw new PosternError('internal', 'a change that is to be marked is not in the control store', {
        hint: 'Nothing was marked. Please tell whoever runs this gateway.',
      })
    }
  })
}

/** Notes a sign of life. */
export function touchGateway(scope: Scope, gateway: GatewayId, atMs: number): Promise<void> {
  return scope.step(async (db) => {
    const seenAtMs = whole(atMs, 'atMs')
    await db
      .insertInto('gateways')
      .values({ id: gateway, seen_at_ms: seenAtMs })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ seen_at_ms: seenAtMs }))
      .execute()
  })
}
