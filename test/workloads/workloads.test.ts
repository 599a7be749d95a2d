import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Client } from 'pg'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { resolveClassification } from '../../src/classification/classify.ts'
import { parseClassificationFile } from '../../src/classification/file.ts'
import type { StatementLineage } from '../../src/core/lineage.ts'
import { createCatalog } from '../../src/sql/catalog/catalog.ts'
import { loadCatalog } from '../../src/sql/catalog/load.ts'
import { traceStatement } from '../../src/sql/lineage/lineage.ts'
import { createSchema } from '../../src/sql/lineage/schema.ts'
import { createParser } from '../../src/sql/parser.ts'
import { classificationText, inSecondVariant, schemaSql, seedSql, workloads } from './workloads.ts'
import type { Workload, WorkloadStatement } from './workloads.ts'

/*
 * What applications and tools really send, for somebody who may unmask nothing. Which outputs carry classified data is
 * found out by running each statement over two databases that differ in the classified values alone; a third that is
 * like the first tells what differs anyway, such as the time.
 */

/**
 * Outputs that are masked and need not be, by workload; the others have none. All are RETURNING of values that the same
 * statement inserts, where a trigger could change them and PostgreSQL names the classified column as the origin.
 */
const overMasked = new Map([
  ['sequelize', 7],
  ['node-postgres', 6],
  ['postgres-js', 1],
])

let postgres: SandboxPostgres
let clients: readonly [Client, Client, Client]
let trace: (statement: WorkloadStatement, workload: Workload) => StatementLineage

before(async () => {
  postgres = await startPostgres()
  await postgres.query('postgres', 'CREATE DATABASE shop')
  await postgres.query('shop', schemaSql)
  for (const copy of ['other', 'same']) await postgres.query('postgres', `CREATE DATABASE ${copy} TEMPLATE shop`)
  await postgres.query('shop', seedSql('first'))
  await postgres.query('other', seedSql('second'))
  // Filled once more rather than copied, so that transaction and file numbers differ as those of the second do.
  await postgres.query('same', seedSql('first'))
  clients = [await open('shop'), await open('other'), await open('same')]
  const data = await loadCatalog(async (text) => {
    const { rows } = await clients[0].query<(string | null)[]>({ text, rowMode: 'array' })
    return rows
  })
  const catalog = createCatalog(data, 1)
  const file = parseClassificationFile(classificationText, 'classification')
  const { classification, faults } = resolveClassification({ file, catalog, memory: null, version: 1 })
  assert.deepEqual(faults, [])
  const parser = await createParser({
    onFault(fault) {
      throw fault
    },
  })
  const schema = createSchema({ catalog, classification, pending: [], parse: (sql) => parser.parse(sql) })
  trace = ({ sql }, { searchPath }) => {
    const parsed = parser.parse(sql)
    const [statement] = parsed.state === 'parsed' ? parsed.statements : []
    assert.ok(statement !== undefined, `the parser does not take ${sql}`)
    return traceStatement(statement, { schema, searchPath })
  }
})

after(async () => {
  for (const client of clients) await client.end()
  await postgres.stop()
})

describe('somebody who may unmask nothing', () => {
  for (const workload of workloads) {
    test(`gets what is not classified from ${workload.name} as it is`, async (context) => {
      const faults: string[] = []
      let outputs = 0
      let masked = 0
      const needless: string[] = []
      for (const statement of workload.statements) {
        const lineage = trace(statement, workload)
        const shown = `\n  ${statement.sql.replaceAll(/\s+/g, ' ').slice(0, 1500)}`
        for (const { reason } of lineage.hazards) faults.push(`hazard: it ${reason}${shown}`)
        if (lineage.missing.length > 0) faults.push(`missing: ${lineage.missing.join(', ')}${shown}`)
        if (lineage.outputs === null) faults.push(`outputs not known${shown}`)
        const truth = await carriers(statement, workload)
        if (truth === null) faults.push(`PostgreSQL refuses it${shown}`)
        for (const [at, { sources }] of (lineage.outputs ?? []).entries()) {
          outputs += 1
          const isMasked = sources === 'unknown' || sources.size > 0
          const carries = truth?.carriers.has(at + 1) ?? false
          const name = `${String(at + 1)} (${truth?.names[at] ?? ''})`
          if (isMasked) masked += 1
          if (sources === 'unknown') faults.push(`output ${name} is unknown${shown}`)
          if (carries && !isMasked) faults.push(`output ${name} carries classified data and is not masked${shown}`)
          if (isMasked && !carries && truth !== null) needless.push(`output ${name} is masked for nothing${shown}`)
        }
        if (lineage.outputs !== null && truth !== null && truth.names.length !== lineage.outputs.length) {
          faults.push(`says ${String(lineage.outputs.length)} outputs, there are ${String(truth.names.length)}${shown}`)
        }
      }
      context.diagnostic(
        `${String(workload.statements.length)} statements, ${String(outputs)} outputs, ` +
          `${String(masked)} masked, ${String(needless.length)} of them for nothing`,
      )
      assert.deepEqual(faults, [])
      assert.equal(needless.length, overMasked.get(workload.name) ?? 0, needless.join('\n'))
    })
  }
})

async function open(database: string): Promise<Client> {
  const client = new Client({
    host: postgres.socketDirectory,
    port: postgres.port,
    user: 'postgres',
    database,
    types: { getTypeParser: () => (value: unknown) => value },
  })
  await client.connect()
  return client
}

interface Carriers {
  readonly names: readonly string[]
  /** The outputs, from 1, whose values change with classified values and with nothing else. */
  readonly carriers: ReadonlySet<number>
}

/** Null where the statement cannot be run. */
async function carriers(statement: WorkloadStatement, workload: Workload): Promise<Carriers | null> {
  const [first, second, again] = [
    await run(clients[0], statement, workload),
    await run(
      clients[1],
      {
        ...statement,
        sql: inSecondVariant(statement.sql),
        parameters: statement.parameters.map((value) => (value === null ? null : inSecondVariant(value))),
      },
      workload,
    ),
    await run(clients[2], statement, workload),
  ]
  if (first === null || second === null || again === null) return null
  const found = new Set(statement.carries)
  // What the server's processes wait for changes by itself, so that only what is noted by hand counts.
  if (statement.sql.includes('pg_stat_activity')) return { names: first.names, carriers: found }
  for (let at = 0; at < first.names.length; at += 1) {
    const [one, other, same] = [first, second, again].map(({ rows }) =>
      JSON.stringify(rows.map((row) => row[at] ?? '\0').toSorted((a, b) => (a < b ? -1 : Number(a > b)))),
    )
    if (one === same && one !== other) found.add(at + 1)
  }
  return { names: first.names, carriers: found }
}

interface Ran {
  readonly names: readonly string[]
  readonly rows: readonly (readonly (string | null)[])[]
}

async function run(client: Client, statement: WorkloadStatement, workload: Workload): Promise<Ran | null> {
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL search_path = ${workload.searchPath.join(', ')}`)
    const text = asQuery(statement.sql)
    const { fields, rows } = await client.query<(string | null)[]>({
      text,
      values: [...statement.parameters],
      rowMode: 'array',
    })
    return { names: fields.map(({ name }) => name), rows }
  } catch {
    return null
  } finally {
    await client.query('ROLLBACK')
  }
}

/** The rows of COPY TO and of a cursor are those of a query, which are easier to compare. */
function asQuery(sql: string): string {
  const ofCursor = /^DECLARE .* CURSOR .*?FOR (.*)$/is.exec(sql)?.[1]
  if (ofCursor !== undefined) return ofCursor
  const ofQuery = /^COPY \((.*)\) TO STDOUT\b/is.exec(sql)?.[1]
  if (ofQuery !== undefined) return ofQuery
  const [, table, columns] = /^COPY ([\w.]+) \(([^)]*)\) TO STDOUT\b/i.exec(sql) ?? []
  return table === undefined || columns === undefined ? sql : `SELECT ${columns} FROM ONLY ${table}`
}
