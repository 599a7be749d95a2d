import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { Pruning } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { whole } from './decode.ts'
import type { Tables } from './tables.ts'
import type { Scope } from './transactions.ts'

/**
 * Removes what nobody asks for any more, at most so many rows, and returns how many. A gateway whose requests or changes
 * are kept stays with them: they name it for good.
 */
export function prune(scope: Scope, pruning: Pruning): Promise<number> {
  const endedBeforeMs = whole(pruning.endedBeforeMs, 'endedBeforeMs')
  const notSeenSinceMs = whole(pruning.notSeenSinceMs, 'notSeenSinceMs')
  const { rowsMax } = pruning
  if (!Number.isSafeInteger(rowsMax) || rowsMax < 1 || rowsMax > limits.storeRowsMax) {
    throw new PosternError('input_invalid', 'the control store cannot remove so many rows at once')
  }
  return scope.step(async (db) => {
    if (!(await isFirst(db, pruning))) return 0
    let removed = 0
    // In this order: a token is free once its sessions are gone, and a gateway once all that names it is.
    const steps = [
      (limit: number) => sql`delete from sessions where id in (
        select id from sessions where ended_at_ms < ${endedBeforeMs} order by ended_at_ms limit ${limit}) returning id`,
      (limit: number) => sql`delete from tokens where id in (
        select id from tokens where ended_at_ms < ${endedBeforeMs}
        and not exists (select 1 from sessions where sessions.token = tokens.id)
        order by ended_at_ms limit ${limit}) returning id`,
      (limit: number) => sql`delete from gateways where id in (
        select id from gateways where seen_at_ms < ${notSeenSinceMs}
        and not exists (select 1 from sessions where sessions.gateway = gateways.id)
        and not exists (select 1 from requests where requests.gateway = gateways.id)
        and not exists (select 1 from changes where changes.gateway = gateways.id)
        order by seen_at_ms limit ${limit}) returning id`,
    ]
    for (const step of steps) {
      if (removed >= rowsMax) break
      const { rows } = await step(rowsMax - removed).execute(db)
      removed += rows.length
    }
    return removed
  })
}

/** Of the gateways that are alive the first one sees to it, so that not all of them do the same. */
async function isFirst(db: Kysely<Tables>, { by, aliveSinceMs }: Pruning): Promise<boolean> {
  const others = await db
    .selectFrom('gateways')
    .select('id')
    .where('seen_at_ms', '>=', whole(aliveSinceMs, 'aliveSinceMs'))
    .where('id', '<', by)
    .limit(1)
    .execute()
  return others.length === 0
}
