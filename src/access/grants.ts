import type { AccessRole, Grant, Holding, Party } from '../core/access.ts'
import { noHolding, subjectKey } from '../core/access.ts'
import { limits } from '../core/limits.ts'
import type { Subject } from '../core/principal.ts'

/**
 * One key per party. What was given to a person does not hold for an agent that acts for them, nor the other way round:
 * the approver said yes to one of the two.
 */
export function partyKey({ issuer, subject, actors }: Subject & { readonly actors: readonly Subject[] }): string {
  return [{ issuer, subject }, ...actors].map(subjectKey).join('\n')
}

/** Whether a grant holds at a moment; its last instant is the one before `untilMs`. */
export function isHeldAt(grant: Grant, nowMs: number): boolean {
  return grant.ended === null && nowMs < grant.untilMs && nowMs >= startsAtMs(grant)
}

/**
 * From when on a grant holds. Clocks of gateways may differ a little; a grant that begins later than that is one from
 * before this clock went back, and would otherwise last longer than it was given for.
 */
export function startsAtMs(grant: Grant): number {
  return grant.fromMs - limits.clockSkewMsMax
}

/** Whether a grant is for that database. */
export function isForDatabase({ databases }: Pick<Grant, 'databases'>, database: string): boolean {
  return databases === null || databases.includes(database)
}

/** What these grants of one party amount to in a database at a moment. */
export function holdingAt(grants: Iterable<Grant>, database: string, nowMs: number): Holding {
  const roles = new Set<string>()
  let untilMs = Infinity
  for (const grant of grants) {
    if (grant.ended !== null || nowMs >= grant.untilMs || !isForDatabase(grant, database)) continue
    const fromMs = startsAtMs(grant)
    if (nowMs < fromMs) {
      untilMs = Math.min(untilMs, fromMs)
    } else {
      roles.add(grant.role)
      untilMs = Math.min(untilMs, grant.untilMs)
    }
  }
  return untilMs === Infinity ? noHolding : Object.freeze({ roles: Object.freeze([...roles].sort()), untilMs })
}

/** The end of a grant after an extension: added to its end, and never further off than the role allows from now. */
export function extendedUntilMs(
  grant: Grant,
  { durationMs, role, nowMs }: { durationMs: number; role: AccessRole; nowMs: number },
): number {
  return Math.max(grant.untilMs, Math.min(grant.untilMs + durationMs, nowMs + role.maxDurationMs))
}

/** Whether a grant is that party's own: same subject, same actors. */
export function isHolder(by: Pick<Party, 'issuer' | 'subject' | 'actors'>, holder: Party): boolean {
  return partyKey(by) === partyKey(holder)
}
