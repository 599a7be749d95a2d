import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Sources, StatementLineage } from '../../core/lineage.ts'
import { opaqueStatement } from '../../core/statement.ts'
import type { StatementAnalysis } from '../../core/statement.ts'
import { analyzeOne } from '../golden.ts'
import { createParser } from '../parser.ts'
import type { Parser } from '../parser.ts'
import { createSchema } from './schema.ts'
import type { PendingRelation } from './schema.ts'
import { classificationOf, describeLineage, startShop } from './testing.ts'
import type { Shop } from './testing.ts'
import { createTracer } from './tracer.ts'
import type { Tracer } from './tracer.ts'

let shop: Shop
let parser: Parser
const faults: unknown[] = []
before(async () => {
  shop = await startShop()
  parser = await createParser({ onFault: () => {} })
})
after(() => shop.postgres.stop())

const searchPath = ['public']

test('a lineage is the same object for the same analysis, state and path, and another for others', async () => {
  await withTracer(async (tracer) => {
    const statement = analyzeOne('SELECT email FROM customers')
    const first = await tracer.trace(statement, { schema: shop.tracing.schema, searchPath })
    assert.equal(tracer.trace(statement, { schema: shop.tracing.schema, searchPath }), first)
    assert.notEqual(tracer.trace(statement, { schema: shop.tracing.schema, searchPath: ['other'] }), first)
    const { catalog } = shop.tracing.schema
    const nothing = { ...classificationOf(catalog.data, {}), version: 2 }
    const unclassified = createSchema({ catalog, classification: nothing, pending: [] })
    assert.deepEqual((await tracer.trace(statement, { schema: unclassified, searchPath })).anyOutput, new Set())
    assert.equal(tracer.trace(statement, { schema: shop.tracing.schema, searchPath }), first)
  })
})

test('a schema without a parser gets the tracer’s, and sees through views with it', async () => {
  const { catalog, classification } = shop.tracing.schema
  const name = (sources: Sources): string => shop.tracing.name(sources)
  const schema = createSchema({ catalog, classification, pending: [] })
  await withTracer(async (tracer) => {
    const lineage = await tracer.trace(analyzeOne('SELECT mail, shout FROM buyers'), { schema, searchPath })
    assert.equal(describeLineage(lineage, name), '=email, -')
    const view = catalog.relationsNamed('buyers')[0]
    assert.equal(name(schema.sourcesOf(view?.oid ?? 0, 2).sources), 'email')
    assert.equal(name(schema.touchedOf(view?.oid ?? 0)), 'backup_email+birth+email+phone+profile')
  })
})

test('a large text is traced apart, with the same outcome', async () => {
  await withTracer(async (tracer) => {
    const list = Array.from({ length: 5_000 }, (_unused, index) => index).join(', ')
    const statement = analyzeOne(`SELECT email, id FROM customers WHERE id IN (${list})`)
    const lineage = tracer.trace(statement, { schema: shop.tracing.schema, searchPath })
    assert.ok(lineage instanceof Promise)
    assert.equal(
      describeLineage(await lineage, (sources) => shop.tracing.name(sources)),
      '=email, -',
    )
    assert.equal(tracer.trace(statement, { schema: shop.tracing.schema, searchPath }), await lineage)
  })
})

test('what overflows the stack here is traced where there is more, and what overflows there is unknown', async () => {
  await withTracer(async (tracer) => {
    const sum = (count: number): string => `SELECT email ${'|| 1 '.repeat(count)} FROM customers`
    const deep = await traced(tracer, sum(2_500))
    assert.equal(
      describeLineage(deep, (sources) => shop.tracing.name(sources)),
      'email',
    )
    assertUnknown(await traced(tracer, sum(200_000)))
  })
})

test('what takes too long is unknown, and the next text is traced again', async () => {
  await withTracer(async (tracer) => {
    const list = Array.from({ length: 100_000 }, (_unused, index) => `(SELECT ${index})`).join(', ')
    const slow = traced(tracer, `SELECT * FROM customers WHERE id IN (${list})`)
    assertUnknown(await slow)
  }, 20)
  await withTracer(async (tracer) => {
    const spaces = ' '.repeat(20_000)
    assert.equal(
      describeLineage(await traced(tracer, `SELECT email${spaces} FROM customers`), (sources) =>
        shop.tracing.name(sources),
      ),
      '=email',
    )
  })
})

test('what cannot be read is unknown', async () => {
  await withTracer(async (tracer) => {
    for (const sql of ['SELEC', 'SELECT 1; SELECT 2', 'SELECT 1\0', '\ud800', `SELECT '${'x'.repeat(5_000_000)}'`]) {
      assertUnknown(await tracer.trace(opaqueStatement(sql, 'x'), { schema: shop.tracing.schema, searchPath }))
    }
  })
  assert.deepEqual(faults, [])
})

test('work that grows out of a small text is bounded', async () => {
  await withTracer(async (tracer) => {
    const levels = Array.from(
      { length: 40 },
      (_unused, index) => `w${index + 1} AS (SELECT a.e || b.e AS e FROM w${index} a, w${index} b)`,
    )
    const sql = `WITH w0 AS (SELECT email AS e FROM customers), ${levels.join(', ')} SELECT e FROM w40`
    assert.equal(
      describeLineage(await traced(tracer, sql), (sources) => shop.tracing.name(sources)),
      'email',
    )
    let nested = '(SELECT email FROM customers LIMIT 1)'
    for (let depth = 0; depth < 12; depth += 1) nested = `(SELECT ${nested} AS e ORDER BY e, 1)`
    assert.equal(
      describeLineage(await traced(tracer, `SELECT ${nested}`), (sources) => shop.tracing.name(sources)),
      '=email',
    )
  })
})

test('a name that may mean several relations means all of them', () => {
  const { tracing } = shop
  assert.equal(tracing.describe('SELECT email FROM customers', null), '=email')
  assert.equal(tracing.describe('SELECT remark, email, id FROM customers', null), '-, =email, -')
  assert.equal(tracing.describe('SELECT * FROM customers', null), '... backup_email+birth+email+phone+profile')
  assert.equal(tracing.describe('SELECT * FROM customers', ['other']), '-, -')
  assert.equal(tracing.describe('SELECT * FROM orders', null), '-, -, -, -, -, -, -, -')
  assert.equal(tracing.describe('SELECT c FROM customers c', null), 'backup_email+birth+email+phone+profile')
})

test('a table under way has what was put into it, beside what the snapshot says', () => {
  const { catalog, classification } = shop.tracing.schema
  const customers = catalog.relationsNamed('customers').find(({ schema }) => schema === 'public')
  const key = [...classification.columns.values()].find((each) => each.column === 'email')?.key ?? '0.0'
  const made = (name: string, column: string): PendingRelation => ({
    schema: null,
    name,
    isTemporary: true,
    columns: [{ name: column, sources: new Set([key]), direct: key }],
  })
  assert.ok(customers !== undefined)
  const pending = [made('fresh', 'e'), made('dict', 'word')]
  const schema = createSchema({ catalog, classification, pending, parse: (sql) => parser.parse(sql) })
  assert.notEqual(schema.key, shop.tracing.schema.key)
  const tracer = createTracer({ parse: (sql) => parser.parse(sql), onFault: (fault) => faults.push(fault) })
  const describe = (sql: string): string => {
    const lineage = tracer.trace(analyzeOne(sql), { schema, searchPath })
    assert.ok(!(lineage instanceof Promise))
    return describeLineage(lineage, (sources) => shop.tracing.name(sources))
  }
  assert.equal(describe('SELECT e FROM fresh'), '=email')
  assert.equal(describe('SELECT * FROM fresh'), '=email')
  assert.equal(describe('SELECT word, n FROM dict'), 'email, -')
  assert.equal(describe('SELECT * FROM dict'), '... email')
  assert.equal(describe('INSERT INTO notes (body) SELECT e FROM fresh'), '!email')
})

test('a table made out of a query takes its sources along', () => {
  const { creates } = shop.tracing.trace(
    'CREATE TEMP TABLE x (a, b) AS SELECT id, email, upper(phone) AS c FROM customers',
  )
  const columns = creates?.columns.map(
    ({ name, sources, direct }) => `${name} ${shop.tracing.name(sources)} ${direct !== null}`,
  )
  assert.deepEqual(columns, ['a - false', 'b email true', 'c phone false'])
  assert.equal(creates?.isTemporary, true)
  assert.equal(shop.tracing.trace('SELECT email INTO other.y FROM customers').creates?.schema, 'other')
})

test('values written into classified columns are listed with their constants and parameters', () => {
  const writesOf = (sql: string): readonly unknown[] =>
    shop.tracing.trace(sql).writes.map(({ target, ...rest }) => [shop.tracing.name(new Set([target])), rest])
  assert.deepEqual(writesOf("INSERT INTO customers (id, email, phone) VALUES (1, 'a', $1), (2, NULL, 'x' || $2)"), [
    ['email', { isReplacing: false, isExact: true, constants: ['a'], parameters: [] }],
    ['email', { isReplacing: false, isExact: true, constants: [null], parameters: [] }],
    ['phone', { isReplacing: false, isExact: true, constants: [], parameters: [1] }],
    ['phone', { isReplacing: false, isExact: false, constants: ['x'], parameters: [2] }],
  ])
  assert.deepEqual(writesOf("UPDATE buyers SET mail = 'x'::text"), [
    ['email', { isReplacing: true, isExact: true, constants: ['x'], parameters: [] }],
  ])
  assert.deepEqual(writesOf("UPDATE customers SET (email, name) = ROW('x', 'y'), city = 'z'"), [
    ['email', { isReplacing: true, isExact: true, constants: ['x'], parameters: [] }],
  ])
  assert.deepEqual(writesOf("INSERT INTO customers SELECT 1, 'n', $1 ON CONFLICT (id) DO UPDATE SET phone = 'p'"), [
    ['email', { isReplacing: false, isExact: true, constants: [], parameters: [1] }],
    ['phone', { isReplacing: true, isExact: true, constants: ['p'], parameters: [] }],
  ])
})

test('COPY says how it writes and into which columns it reads', () => {
  const copyOut = (sql: string): unknown => shop.tracing.trace(sql).copyOut
  const csv = { format: 'csv', hasHeader: false, delimiter: ',', quote: '"', escape: '"', null: '', isUncertain: false }
  assert.deepEqual(copyOut('COPY customers TO STDOUT CSV'), csv)
  assert.deepEqual(copyOut("COPY customers TO STDOUT (FORMAT csv, HEADER, DELIMITER ';', QUOTE '''', NULL 'n')"), {
    ...csv,
    hasHeader: true,
    delimiter: ';',
    quote: "'",
    escape: "'",
    null: 'n',
  })
  assert.deepEqual(copyOut('COPY customers TO STDOUT'), { ...csv, format: 'text', delimiter: '\t', null: '\\N' })
  assert.deepEqual(copyOut('COPY customers TO STDOUT (FORMAT binary)'), {
    ...csv,
    format: 'binary',
    delimiter: '\t',
    null: '\\N',
  })
  for (const options of ["(ENCODING 'latin1')", '(FORMAT parquet)', '(NOVEL 1)', '(FORMAT csv, FORMAT text)']) {
    const lineage = shop.tracing.trace(`COPY customers TO STDOUT ${options}`)
    assert.equal(lineage.copyOut?.isUncertain, true, options)
    assert.equal(lineage.hazards[0]?.columns, 'unknown', options)
  }
  const { copyIn } = shop.tracing.trace('COPY customers (name, email) FROM STDIN')
  assert.deepEqual(
    copyIn?.columns.map((column) => (column === null ? null : shop.tracing.name(new Set([column.key])))),
    [null, 'email'],
  )
})

test('how COPY FROM reads its data is told, and what it cannot be told of is not understood', () => {
  const copyIn = (sql: string) => shop.tracing.trace(sql).copyIn
  const all = copyIn(
    "COPY customers (email, name) FROM STDIN (FORMAT csv, NULL 'n', DEFAULT 'd', ENCODING 'latin1', FORCE_NULL (email))",
  )
  assert.equal(all?.format.null, 'n')
  assert.equal(all.default, 'd')
  assert.equal(all.encoding, 'latin1')
  assert.equal(all.columns[0]?.forcesNull, true)
  assert.equal(all.columns[0].forcesNotNull, false)
  assert.equal(
    copyIn('COPY customers (email) FROM STDIN (FORMAT csv, FORCE_NOT_NULL *)')?.columns[0]?.forcesNotNull,
    true,
  )
  assert.equal(copyIn('COPY customers (email) FROM STDIN CSV FORCE NOT NULL email')?.columns[0]?.forcesNotNull, true)
  for (const options of [
    '(FORMAT parquet)',
    '(NOVEL 1)',
    '(FORMAT csv, FORMAT text)',
    '(FORMAT csv, DELIMITER 1)',
    '(NULL 0)',
    '(ENCODING)',
    "(DELIMITER 'é')",
    "(FORMAT csv, QUOTE E'\\n')",
  ]) {
    const lineage = shop.tracing.trace(`COPY customers FROM STDIN ${options}`)
    assert.equal(lineage.copyIn?.format.isUncertain, true, options)
    assert.deepEqual(lineage.hazards, [], options)
  }
})

async function withTracer(run: (tracer: Tracer) => Promise<void>, deadlineMs = 30_000): Promise<void> {
  const tracer = createTracer({ parse: (sql) => parser.parse(sql), onFault: (fault) => faults.push(fault), deadlineMs })
  try {
    await run(tracer)
  } finally {
    await tracer.close()
  }
}

async function traced(tracer: Tracer, sql: string): Promise<StatementLineage> {
  const statement: StatementAnalysis = { ...opaqueStatement(sql, ''), kind: 'SELECT' }
  return tracer.trace(statement, { schema: shop.tracing.schema, searchPath })
}

function assertUnknown(lineage: StatementLineage): void {
  const { outputs, anyOutput, predicates, touched, hazards } = lineage
  assert.deepEqual([outputs, anyOutput, predicates, touched], [null, 'unknown', 'unknown', 'unknown'])
  assert.equal(hazards[0]?.columns, 'unknown')
}
