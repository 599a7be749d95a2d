import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { StatementLineage } from '../../src/core/lineage.ts'
import { traceStatement } from '../../src/sql/lineage/lineage.ts'
import { createSchema } from '../../src/sql/lineage/schema.ts'
import type { Parser } from '../../src/sql/parser.ts'
import type { Choices } from './choices.ts'
import type { RandomDatabase } from './databases.ts'
import { judge, run } from './experiment.ts'
import type { Finding, Ran, Verdict } from './experiment.ts'
import type { Making } from './model.ts'
import { query } from './random-query.ts'
import { write } from './random-write.ts'

/** Traces the one statement of a text. */
export type Traces = (sql: string) => StatementLineage

/** Traces statements over a random database. */
export function tracer({ catalog, classification }: RandomDatabase, parser: Parser): Traces {
  const schema = createSchema({ catalog, classification, pending: [], parse: (sql) => parser.parse(sql) })
  return (sql) => {
    const parsed = parser.parse(sql)
    const [statement] = parsed.state === 'parsed' ? parsed.statements : []
    assert.ok(statement !== undefined, `the parser does not take ${sql}`)
    return traceStatement(statement, { schema, searchPath: ['pg_catalog', 'public'] })
  }
}

/** A statement and what came of it. */
export interface Tried {
  readonly sql: string
  readonly isWrite: boolean
  /** What PostgreSQL said against it, if it did. */
  readonly refusal: string | null
  readonly verdict: Verdict | null
}

/** Makes a statement from choices, runs it in all copies and holds it against its lineage. */
export async function attempt(choices: Choices, database: RandomDatabase, trace: Traces): Promise<Tried> {
  let last = 0
  const isWrite = choices.chance(0.3)
  const mayTestSecrets = choices.chance(0.35)
  const making: Making = { choices, world: database.world, ctes: [], mayTestSecrets, next: () => (last += 1) }
  const sql = isWrite ? write(making) : query(making, null, 3).sql
  const ran: Ran[] = []
  for (const copy of database.copies) {
    const result = await run(copy, sql, { database, isWrite: isWrite && ran.length === 0 })
    ran.push(result)
    if (ran.length === 1 && result.state === 'failed') return { sql, isWrite, refusal: result.message, verdict: null }
  }
  return { sql, isWrite, refusal: null, verdict: judge(trace(sql), ran, database) }
}

/** Whether one of these kinds of findings was made. */
export function hasAny({ verdict }: Tried, kinds: ReadonlySet<Finding['kind']>): boolean {
  return verdict !== null && verdict.findings.some(({ kind }) => kinds.has(kind))
}

/** What was found, the statement and all that it is about. */
export function described({ sql, verdict }: Tried, database: RandomDatabase, seed: number): string {
  const findings = verdict?.findings.map(({ kind, what }) => `${kind}: ${what}`) ?? []
  const words = new Set(sql.match(/\w+/g))
  // Views may be over views: whatever a definition that was kept names is kept as well.
  const kept: string[] = []
  for (const statement of database.script.toReversed()) {
    const name = /(?:VIEW|TABLE|FUNCTION) (\w+)/.exec(statement)?.[1]
    if (name !== undefined && !words.has(name)) continue
    for (const word of statement.match(/\w+/g) ?? []) words.add(word)
    kept.unshift(statement)
  }
  const classified = [...database.classification.columns.values()]
    .filter(({ schema, relation }) => schema === 'public' && words.has(relation))
    .map(({ relation, column, tags }) => `${relation}.${column} (${tags.join(', ')})`)
  return [
    ...findings,
    sql,
    '-- over',
    ...kept,
    `-- classified: ${classified.join(', ')}`,
    `POSTERN_FUZZ_SEED=${String(seed)} repeats this`,
  ].join('\n')
}

/** Figures of a run. */
export class Counts {
  #tried = 0
  #refused = 0
  #outputs = 0
  #tainted = 0
  #unknown = 0
  #overMasked = 0
  #unreadable = 0
  #readsWithHazard = 0
  #writesWithHazard = 0

  add({ isWrite, refusal, verdict }: Tried): void {
    // One that took too long is valid, whatever else it is.
    if (refusal?.includes('statement timeout') === true) return
    this.#tried += 1
    if (refusal !== null) this.#refused += 1
    if (verdict === null) return
    if (verdict.isUnreadable) this.#unreadable += 1
    this.#outputs += verdict.outputs
    this.#tainted += verdict.tainted
    this.#unknown += verdict.unknown
    this.#overMasked += verdict.overMasked.length
    if (verdict.hasHazard && isWrite) this.#writesWithHazard += 1
    if (verdict.hasHazard && !isWrite) this.#readsWithHazard += 1
  }

  get discardRate(): number {
    return this.#refused / Math.max(1, this.#tried)
  }

  /** Tainted outputs whose values did not change with any classified value, of all outputs. */
  get overMaskedRate(): number {
    return this.#overMasked / Math.max(1, this.#outputs)
  }

  report(context: TestContext, seed: number): void {
    const share = (of: number, all: number): string => `${((100 * of) / Math.max(1, all)).toFixed(1)} %`
    context.diagnostic(
      `POSTERN_FUZZ_SEED=${String(seed)}: ${String(this.#tried)} statements (${share(this.#refused, this.#tried)} refused by PostgreSQL), ` +
        `${String(this.#outputs)} outputs, ${share(this.#tainted, this.#outputs)} tainted, ${share(this.#unknown, this.#outputs)} unknown, ` +
        `${share(this.#overMasked, this.#outputs)} tainted for nothing; ${String(this.#unreadable)} unreadable; hazards in ${String(this.#readsWithHazard)} reads and ${String(this.#writesWithHazard)} writes`,
    )
  }
}
