import type { SandboxPostgres } from '../sandbox/postgres.ts'
import { parseClassificationFile } from '../src/classification/file.ts'
import { resolveClassification } from '../src/classification/classify.ts'
import type { StatementAnalysis, TextAnalysis } from '../src/core/statement.ts'
import { createCatalog } from '../src/sql/catalog/catalog.ts'
import { loadCatalog, type SystemCatalogCache } from '../src/sql/catalog/load.ts'
import type { TraceContext } from '../src/sql/lineage/lineage.ts'
import { createSchema } from '../src/sql/lineage/schema.ts'
import { createTracer, type Tracer } from '../src/sql/lineage/tracer.ts'
import { createParser } from '../src/sql/parser.ts'
import { classificationText, schemaSql, workloads } from '../test/workloads/workloads.ts'
import { classifications, databaseName } from './fill.ts'
import { median, shown, table } from './figures.ts'
import { openClient } from './micro-database.ts'
import { ownTimeUs } from './processor-time.ts'
import { joinSql, selectSql } from './statements.ts'
import { time, timeOnce } from './timing.ts'

type Analyze = (sql: string) => TextAnalysis

/** Times how statements are traced and how catalogs are read, against databases made for it. */
export async function benchLineage(postgres: SandboxPostgres, analyze: Analyze): Promise<string> {
  for (const [name, sql] of Object.entries(databases)) {
    await postgres.query('postgres', `CREATE DATABASE ${name}`)
    for (const text of sql) await postgres.query(name, text)
  }
  const parser = await createParser({
    onFault(fault) {
      throw fault
    },
  })
  const tracer = createTracer({ parse: (sql) => parser.parse(sql), onFault: () => undefined })
  try {
    const rows: string[][] = []
    const bench = await contextOf(postgres, databaseName, JSON.stringify(classifications.elsewhere))
    rows.push(traceRow('pgbench select', [selectSql], { tracer, analyze, at: bench }))
    const shop = await contextOf(postgres, 'micro_workloads', classificationText)
    rows.push(traceRow('join of five tables, ten columns', [joinSql], { tracer, analyze, at: shop }))
    const { statements, searchPath } = workloads.find(({ name }) => name === 'tpch') ?? {
      statements: [],
      searchPath: [],
    }
    const texts = statements.map(({ sql }) => sql)
    const at = { ...shop, searchPath }
    rows.push(traceRow(`TPC-H, mean of ${String(texts.length)}`, texts, { tracer, analyze, at }))
    return [
      table(['lineage', 'analysis, cold µs', 'lineage, cold µs', 'lineage, cached µs'], rows),
      table(
        ['catalog', 'first reading ms', 'of that processor', 'reading again ms', 'of that processor', 'classify ms'],
        [
          await catalogRow(postgres, 'micro_empty', 'empty database'),
          await catalogRow(postgres, 'micro_tables', '2,000 tables of 10 columns'),
        ],
      ),
    ].join('\n\n')
  } finally {
    await tracer.close()
  }
}

const databases: Readonly<Record<string, readonly string[]>> = {
  micro_empty: [],
  micro_workloads: [schemaSql],
  micro_tables: [
    `DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE TABLE table_%s (id int PRIMARY KEY, name text, email text,
       phone text, city text, note text, amount numeric, made_at timestamptz, is_active bool, parent int)', i);
       IF i % 200 = 0 THEN COMMIT; END IF; END LOOP; END $$`,
    'ANALYZE',
  ],
}

async function contextOf(postgres: SandboxPostgres, database: string, classification: string): Promise<TraceContext> {
  const client = await openClient(postgres, database)
  try {
    const catalog = createCatalog(await loadCatalog((sql) => client.query(sql)), 1)
    const file = parseClassificationFile(classification, 'classification')
    const resolved = resolveClassification({ file, catalog, memory: null, version: 1 })
    const schema = createSchema({ catalog, classification: resolved.classification, pending: [] })
    return { schema, searchPath: ['pg_catalog', 'public'] }
  } finally {
    client.close()
  }
}

/** Each text is new in every cold call: a comment makes it so. */
function traceRow(
  what: string,
  texts: readonly string[],
  { tracer, analyze, at }: { readonly tracer: Tracer; readonly analyze: Analyze; readonly at: TraceContext },
): string[] {
  const trace = (statement: StatementAnalysis): void => {
    const lineage = tracer.trace(statement, at)
    if (lineage instanceof Promise || lineage.hazards.length > 0) throw new Error(`${what} was not traced here`)
  }
  const figures = texts.map((sql) => {
    const analysis: number[] = []
    const lineage: number[] = []
    for (let number = 0; number < coldCalls; number += 1) {
      let statements: readonly StatementAnalysis[] = []
      analysis.push(timeOnce(() => ({ statements } = analyze(`${sql} -- ${String(number)}`))))
      const [statement] = statements
      if (statement !== undefined) lineage.push(timeOnce(() => trace(statement)))
    }
    const [known] = analyze(sql).statements
    const cached = known === undefined ? Number.NaN : time(20_000, () => trace(known))
    return { analysis: median(analysis.slice(50)), lineage: median(lineage.slice(50)), cached }
  })
  const mean = (figure: 'analysis' | 'lineage' | 'cached') =>
    figures.reduce((sum, each) => sum + each[figure], 0) / figures.length
  return [what, shown(mean('analysis')), shown(mean('lineage')), shown(mean('cached'))]
}

const coldCalls = 150

async function catalogRow(postgres: SandboxPostgres, database: string, what: string): Promise<string[]> {
  const client = await openClient(postgres, database)
  const file = parseClassificationFile(
    JSON.stringify({ ...classifications.elsewhere, columns: { 'public.table_7': { email: 'pii.email' } } }),
    'classification',
  )
  try {
    const figures: Record<'first' | 'firstOwn' | 'again' | 'againOwn' | 'classify', number[]> = {
      first: [],
      firstOwn: [],
      again: [],
      againOwn: [],
      classify: [],
    }
    for (let round = 0; round < 5; round += 1) {
      const cache: SystemCatalogCache = { system: null }
      for (const [clock, own] of [
        ['first', 'firstOwn'],
        // The reading after the first one is of another part of the catalog; the one behind it is what a timer does.
        [null, null],
        ['again', 'againOwn'],
      ] as const) {
        const startUs = ownTimeUs()
        const startMs = performance.now()
        const data = await loadCatalog((sql) => client.query(sql), cache)
        if (clock === null) continue
        figures[clock].push(performance.now() - startMs)
        figures[own].push((ownTimeUs() - startUs) / 1_000)
        if (clock === 'first') {
          const resolveUs = timeOnce(() =>
            resolveClassification({ file, catalog: createCatalog(data, 1), memory: null, version: 1 }),
          )
          figures.classify.push(resolveUs / 1_000)
        }
      }
    }
    const { first, firstOwn, again, againOwn, classify } = figures
    return [what, ...[first, firstOwn, again, againOwn, classify].map((values) => shown(median(values)))]
  } finally {
    client.close()
  }
}
