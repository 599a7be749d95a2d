import type { Holding, StatementRequestRecord } from './core/access.ts'
import type { Principal } from './core/principal.ts'
import type { GatewayDatabase } from './gateway/services.ts'
import type { Decider } from './policy/policy.ts'

/**
 * Whether an approver may see a waiting statement with its values: where it touches no classified column, and where
 * policy lets the approver see all of those that it touches. What cannot be looked up may not be seen.
 */
export function createApproverEyes(by: {
  readonly policy: Pick<Decider, 'decideUnmask'>
  readonly databases: ReadonlyMap<string, GatewayDatabase>
  readonly holdingOf: (principal: Principal, database: string, nowMs: number) => Holding
}): (approver: Principal, request: StatementRequestRecord) => boolean {
  return (principal, request) => {
    const { columns } = request.about
    if (columns.length === 0) return true
    const database = by.databases.get(request.database)
    const schema = database?.protection?.schema ?? null
    if (database === undefined || schema === null) return false
    const nowMs = Date.now()
    const known = new Map(
      Array.from(schema.columns.values(), (column) => [`${column.schema}.${column.relation}.${column.column}`, column]),
    )
    const touched = columns.includes('*') ? [...known.values()] : columns.map((name) => known.get(name))
    const asked = {
      principal,
      accessRoles: by.holdingOf(principal, request.database, nowMs).roles,
      database: database.resource,
      session: { clientAddress: '', applicationName: 'postern', isTls: true },
      nowMs,
    }
    return touched.every((column) => column !== undefined && by.policy.decideUnmask({ ...asked, column }) === 'raw')
  }
}
