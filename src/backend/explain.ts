import { limits } from '../core/limits.ts'
import { isPlannedWithoutCode, type Planned } from './plannable.ts'
import { createQueryClient, type QueryClient, type QueryConnection } from './query.ts'

/** What is asked of PostgreSQL about a statement that waits for somebody to agree to it. */
export interface ExplainedStatement extends Planned {
  /** One statement that EXPLAIN takes; null where there is nothing to plan. */
  readonly sql: string | null
  readonly hasParameters: boolean
  /** Where its names are looked up; null where that is not known. */
  readonly searchPath: readonly string[] | null
  /** The backend whose locks are asked for. */
  readonly processId: number
}

/** What PostgreSQL says of it; null where it cannot. */
export interface Explanation {
  readonly estimate: { readonly rows: number; readonly cost: number } | null
  /** Such as `RowExclusiveLock on public.orders`. */
  readonly locks: readonly string[]
}

const nothing: Explanation = { estimate: null, locks: [] }

/**
 * Asks about statements over connections of its own, a few at a time; whoever comes while many wait is told nothing, so
 * that a crowd of waiting statements does not become a crowd of connections. Nothing is run: a plan is made, in a
 * transaction that may only read, and only where that computes nothing but what is PostgreSQL's own. Never rejects.
 */
export function createExplainer(options: {
  readonly connect: (signal: AbortSignal) => Promise<QueryConnection>
  readonly onFailed: (error: unknown) => void
  /** Whether statements are planned; false where sessions may do less than the role that asks. */
  readonly plans: boolean
}): { explain(asked: ExplainedStatement): Promise<Explanation> } {
  const queue: (() => void)[] = []
  let underWay = 0
  const enter = async (): Promise<boolean> => {
    if (underWay < limits.explainsAtOnceMax) {
      underWay += 1
      return true
    }
    if (queue.length >= limits.explainsWaitingMax) return false
    await new Promise<void>((resolve) => queue.push(resolve))
    return true
  }
  const leave = (): void => {
    const next = queue.shift()
    if (next === undefined) underWay -= 1
    else next()
  }
  return {
    async explain(asked) {
      if (!(await enter())) return nothing
      const signal = AbortSignal.timeout(limits.explainMsMax)
      try {
        const client = createQueryClient(await options.connect(signal), { signal, rowsBytesMax: 4 * 1024 * 1024 })
        try {
          return {
            locks: await locksOf(client, asked.processId),
            estimate: options.plans ? await estimateOf(client, asked) : null,
          }
        } finally {
          client.close()
        }
      } catch (error) {
        options.onFailed(error)
        return nothing
      } finally {
        leave()
      }
    },
  }
}

async function locksOf(client: QueryClient, processId: number): Promise<readonly string[]> {
  const rows = await client.query(`
    SELECT DISTINCT l.mode || ' on ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
    FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_class c ON c.oid = l.relation
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE l.pid = ${String(Math.trunc(processId))} AND l.granted AND l.locktype IN ('relation', 'tuple')
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND c.relkind IN ('r', 'p', 'm', 'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY 1 LIMIT 50`)
  return rows.flatMap(([lock]) => (typeof lock === 'string' ? [lock] : []))
}

async function estimateOf(
  client: QueryClient,
  { sql, hasParameters, searchPath, relations, functions }: ExplainedStatement,
): Promise<Explanation['estimate']> {
  if (sql === null || searchPath === null) return null
  try {
    await client.query('BEGIN READ ONLY')
    // The text was analysed as one statement under this setting.
    await client.query('SET LOCAL standard_conforming_strings = on')
    await client.query(`SET LOCAL statement_timeout = ${String(limits.explainMsMax / 2)}`)
    if (!(await isPlannedWithoutCode(client, { relations, functions, searchPath }))) return null
    // Parameters have no values here: a generic plan is one that does without.
    const rows = await client.query(`EXPLAIN (FORMAT JSON${hasParameters ? ', GENERIC_PLAN' : ''}) ${sql}`)
    return estimateIn(rows.map(([line]) => line ?? '').join('\n'))
  } catch {
    // A statement that PostgreSQL will refuse anyway, or a server that knows no generic plans.
    return null
  }
}

/** The rows that the topmost node works on: those that it is given, where it writes. */
function estimateIn(json: string): Explanation['estimate'] {
  const [document] = JSON.parse(json) as readonly { Plan?: PlanNode }[]
  const plan = document?.Plan
  if (plan === undefined) return null
  const writes = plan['Node Type'] === 'ModifyTable'
  const rows = writes
    ? (plan.Plans ?? []).reduce((sum, node) => sum + numberOf(node['Plan Rows']), 0)
    : numberOf(plan['Plan Rows'])
  return { rows: Math.round(rows), cost: numberOf(plan['Total Cost']) }
}

interface PlanNode {
  readonly 'Node Type'?: unknown
  readonly 'Plan Rows'?: unknown
  readonly 'Total Cost'?: unknown
  readonly Plans?: readonly PlanNode[]
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}
