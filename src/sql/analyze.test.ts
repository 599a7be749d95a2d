import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { limits } from '../core/limits.ts'
import type { TextAnalysis } from '../core/statement.ts'
import { createAnalyzer } from './analyze.ts'
import type { Analyzer } from './analyze.ts'
import { analyzeOne, describeCommands } from './golden.ts'

const faults: unknown[] = []
let analyzer: Analyzer
before(async () => {
  analyzer = await createAnalyzer({
    safeFunctions: new Set(['shop.total']),
    onFault: (fault) => {
      faults.push(fault)
    },
    // Far off, so that a busy machine does not reach it.
    parseDeadlineMs: 60_000,
  })
})
after(() => analyzer.close())

function atOnce(sql: string): TextAnalysis {
  const analysis = analyzer.analyze(sql)
  assert.ok(!(analysis instanceof Promise), `${sql.slice(0, 60)} went to a worker`)
  return analysis
}

async function inWorker(sql: string): Promise<TextAnalysis> {
  const analysis = analyzer.analyze(sql)
  assert.ok(analysis instanceof Promise, `${sql.slice(0, 60)} did not go to a worker`)
  return await analysis
}

function assertOpaque(analysis: TextAnalysis, reason: RegExp): void {
  assert.equal(analysis.statements.length, 1)
  const [statement] = analysis.statements
  assert.match(statement?.opaque ?? 'not opaque', reason)
  assert.equal(describeCommands(statement?.commands ?? []), 'OPAQUE')
  assert.equal(statement?.kind, 'OPAQUE')
  assert.equal(statement?.copy, 'in')
  assert.equal(statement?.mayChangeSettings, true)
}

void test('the same text has the same analysis object as long as it is cached', () => {
  const first = atOnce('SELECT * FROM cached')
  assert.equal(atOnce(['SELECT * ', 'FROM cached'].join('')), first)
  assert.notEqual(atOnce('SELECT * FROM  cached'), first)
})

void test('a text that is no SQL is one opaque statement and carries the message and position of PostgreSQL', () => {
  const analysis = atOnce("SELECT 'é', 1 FORM t; DROP TABLE x")
  assert.deepEqual(analysis.syntaxError, { message: 'syntax error at or near "t"', position: 20 })
  assertOpaque(analysis, /^the text is not valid SQL$/)
  assert.deepEqual(atOnce('SELECT').syntaxError, null)
  assert.deepEqual(atOnce('SELEC').syntaxError, { message: 'syntax error at or near "SELEC"', position: 1 })
  assert.deepEqual(atOnce("SELECT 'x").syntaxError?.message, 'unterminated quoted string at or near "\'x"')
})

void test('a comment between words that the grammar looks at together changes nothing', () => {
  for (const gap of ['/* x */', '-- x\n', ' /* /* ö */ */ -- 😀\n']) {
    for (const sql of [
      `SELECT 1 FROM t WHERE i NOT${gap}IN (1) ORDER BY i NULLS${gap}LAST`,
      `SELECT * FROM t, generate_series(1, 2) WITH${gap}ORDINALITY`,
      `SELECT i::timestamp WITH${gap}TIME ZONE, i::time WITHOUT${gap}TIME ZONE FROM t`,
      `SELECT * FROM U&"!0074"${gap}UESCAPE${gap}'!'`,
      `SELECT JSON(i FORMAT${gap}JSON) FROM t`,
    ]) {
      const { statements, syntaxError } = atOnce(sql)
      assert.equal(syntaxError, null, sql)
      assert.equal(describeCommands(statements[0]?.commands ?? []), 'SELECT t', sql)
      assert.equal(statements[0]?.sql, sql)
    }
  }
  const continued = atOnce("SELECT set_config('ro' -- x\n'le', 'dba', false)").statements[0]
  assert.equal(describeCommands(continued?.commands ?? []), 'SELECT; SET ROLE')
  // Two statements keep their places, and an error keeps its own.
  assert.deepEqual(
    atOnce("SELECT '/* ö */' /* ö */; SELECT 1 NOT/* ö */IN (2)").statements.map((statement) => statement.sql),
    ["SELECT '/* ö */' /* ö */", 'SELECT 1 NOT/* ö */IN (2)'],
  )
  assert.deepEqual(atOnce("SELECT /* ö😀 */ 'ö' NOT/* ö */IN (2) FORM t, x").syntaxError, {
    message: 'syntax error at or near "t"',
    position: 43,
  })
})

void test('a text with a NUL or half a surrogate pair is opaque and is not parsed up to there', () => {
  assertOpaque(atOnce('SELECT 1\0; DROP DATABASE shop'), /NUL/)
  assertOpaque(atOnce('SELECT 1\0'), /NUL/)
  assertOpaque(atOnce("SELECT '\ud800'"), /Unicode/)
})

void test('an empty text is one EMPTY statement', () => {
  for (const sql of ['', ' \n', ';', ' ; ;; ', '-- nothing', '/* nothing */;']) {
    const { statements, syntaxError } = atOnce(sql)
    assert.deepEqual(
      statements.map(({ kind, commands }) => [kind, describeCommands(commands)]),
      [['EMPTY', 'EMPTY']],
      sql,
    )
    assert.equal(syntaxError, null)
    assert.equal(statements[0]?.mayChangeSettings, false)
  }
})

void test('statements carry their own slice of the text, cut at characters though the parser counts bytes', () => {
  const sliced = (sql: string): string[] => atOnce(sql).statements.map((statement) => statement.sql)
  assert.deepEqual(sliced('  SELECT 1 ; SELECT 2;\n'), ['SELECT 1', 'SELECT 2'])
  assert.deepEqual(sliced("SELECT 'größe', '😀';;\tDELETE FROM \"é\" -- tail\n; SELECT 'ß'"), [
    "SELECT 'größe', '😀'",
    'DELETE FROM "é" -- tail',
    "SELECT 'ß'",
  ])
  assert.deepEqual(sliced('SELECT 1'), ['SELECT 1'])
  // A no-break space is no white space to PostgreSQL but part of a name.
  assert.deepEqual(sliced('SELECT 1 AS x\u00a0;SELECT 2'), ['SELECT 1 AS x\u00a0', 'SELECT 2'])
})

void test('a large text is analysed by a worker, once for all who send it meanwhile, and cached', async () => {
  const sql = `INSERT INTO t VALUES ${'(1, shop.total(2)), '.repeat(2_000)}(1, 2); DELETE FROM "größe"`
  const first = analyzer.analyze(sql)
  assert.ok(first instanceof Promise)
  assert.equal(analyzer.analyze(sql), first)
  const analysis = await first
  assert.deepEqual(
    analysis.statements.map((statement) => [describeCommands(statement.commands), statement.opaque]),
    [
      ['INSERT t', null],
      ['DELETE! größe', null],
    ],
  )
  assert.equal(atOnce(sql), analysis)
})

void test('a text over the size limit is opaque without being parsed', () => {
  const sql = `SELECT '${'x'.repeat(limits.parseBytesMax)}'`
  assertOpaque(atOnce(sql), /larger than/)
  // The limit is in bytes.
  assertOpaque(atOnce(`SELECT '${'é'.repeat(limits.parseBytesMax / 2)}'`), /larger than/)
})

void test('a text of too many statements is opaque', async () => {
  assertOpaque(await inWorker('END;'.repeat(limits.statementsPerTextMax + 1)), /more than 20000 statements/)
  assert.equal((await inWorker('END;'.repeat(limits.statementsPerTextMax))).statements.length, 20_000)
})

void test('a worker that takes too long is ended and the next text gets a new one', async () => {
  const hasty = await createAnalyzer({ parseDeadlineMs: 500 })
  // This takes minutes.
  assertOpaque(await hasty.analyze('/*'.repeat(400_000)), /took too long/)
  await hasty.close()

  const patient = await createAnalyzer({ parseDeadlineMs: 4_000 })
  const [slow, quick] = await Promise.all([
    patient.analyze('/*'.repeat(400_000)),
    patient.analyze(`SELECT * FROM t WHERE i IN (${'1, '.repeat(10_000)}1)`),
  ])
  assertOpaque(slow, /took too long/)
  assert.equal(describeCommands(quick.statements[0]?.commands ?? []), 'SELECT t')
  const next = await patient.analyze(`SELECT * FROM t WHERE i IN (${'1, '.repeat(10_000)}2)`)
  assert.equal(describeCommands(next.statements[0]?.commands ?? []), 'SELECT t')
  await patient.close()
})

void test('texts that break the parser or exhaust it never throw, and the analyzer is right afterwards', async () => {
  const hostile = [
    `SELECT ${'case when true then '.repeat(1_000)}1${' end'.repeat(1_000)}`,
    `SELECT ${'('.repeat(3_000)}1${')'.repeat(3_000)}`,
    `SELECT ${'('.repeat(200_000)}1${')'.repeat(200_000)}`,
    `SELECT 1${' + 1'.repeat(4_000)}`,
    `SELECT 1${' + 1'.repeat(30_000)}`,
    `SELECT ${'- a '.repeat(4_000)}`,
    `SELECT ${'not '.repeat(100_000)}true`,
    `SELECT a${'::text'.repeat(60_000)}`,
    `SELECT 1${' UNION SELECT 1'.repeat(30_000)}`,
    `SELECT * FROM a${' JOIN a ON true'.repeat(30_000)}`,
    `SELECT ${'(SELECT '.repeat(3_000)}1${')'.repeat(3_000)}`,
    `SELECT ${'ARRAY['.repeat(9_000)}1${']'.repeat(9_000)}`,
    `SELECT ${'f('.repeat(9_000)}1${')'.repeat(9_000)}`,
    `SELECT a${'.b'.repeat(100_000)}`,
    `SELECT a${'[1]'.repeat(50_000)}`,
    `${'WITH a AS ('.repeat(2_000)}SELECT 1${') SELECT 1'.repeat(2_000)}`,
    `${'EXPLAIN '.repeat(1_000)}SELECT 1`,
    '/*'.repeat(8_000),
    '+'.repeat(16_000),
    `SELECT 1${'+'.repeat(16_000)}1`,
    '$a'.repeat(8_000),
    "'".repeat(100_001),
    ';'.repeat(100_000),
    '\u{1F600}'.repeat(4_000),
  ]
  const overflowing = Array.from({ length: 20 }, (_, i) => `SELECT ${'- '.repeat(8_000)}a${i}`)
  for (const sql of [...hostile, ...overflowing]) {
    const { statements } = await analyzer.analyze(sql)
    assert.equal(statements.length, 1, sql.slice(0, 40))
    const after = atOnce(`SELECT * FROM t -- ${sql.slice(0, 20)}`.replaceAll('*/', ' '))
    assert.equal(describeCommands(after.statements[0]?.commands ?? []), 'SELECT t')
  }
})

void test('a write behind deep nesting is found or the text is opaque', async () => {
  for (const depth of [100, 1_000, 3_000, 20_000]) {
    const sql = `WITH d AS (DELETE FROM t) SELECT ${'not '.repeat(depth)}true`
    const [statement] = (await analyzer.analyze(sql)).statements
    const commands = describeCommands(statement?.commands ?? [])
    assert.ok(commands === 'SELECT; DELETE! t' || commands === 'OPAQUE', commands)
  }
})

void test('runs of operators that would hold up the event loop go to a worker', async () => {
  await inWorker('/*'.repeat(128))
  await inWorker(`SELECT 1 ${'-'.repeat(300)}\n`)
  atOnce(`SELECT 1 ${'-'.repeat(200)}\n`)
})

void test('after a text has overflowed the stack, all but small ones go to a worker', async () => {
  const other = await createAnalyzer({ onFault: () => {} })
  const medium = (i: number): string => `SELECT ${i}, '${'x'.repeat(3_000)}'`
  assert.ok(!(other.analyze(medium(1)) instanceof Promise))
  // Eight thousand levels are more than the walk, if not the parser, has stack for.
  const overflowed = other.analyze(`SELECT 1${'+1'.repeat(8_000)}`)
  assert.ok(overflowed instanceof Promise)
  assert.equal((await overflowed).statements[0]?.kind, 'SELECT')
  assert.ok(other.analyze(medium(2)) instanceof Promise)
  assert.ok(!(other.analyze('SELECT 2') instanceof Promise))
  await other.close()
})

void test('a statement that names more than can be listed is opaque', () => {
  const names = (count: number): string => Array.from({ length: count }, (_, i) => `t${i}`).join(', ')
  const { opaque, commands } = analyzeOne(`SELECT 1 FROM ${names(limits.statementsPerTextMax + 1)}`)
  assert.equal(opaque, 'does more than can be listed')
  assert.equal(commands.at(-1)?.name, 'OPAQUE')
  assert.equal(analyzeOne(`SELECT 1 FROM ${names(limits.statementsPerTextMax)}`).opaque, null)
})

void test('after close, texts for workers are opaque', async () => {
  const other = await createAnalyzer()
  const waiting = other.analyze(`SELECT ${'1, '.repeat(10_000)}1`)
  await other.close()
  assertOpaque(await waiting, /stopping/)
  assertOpaque(await other.analyze(`SELECT ${'1, '.repeat(10_000)}2`), /stopping/)
})

test('other rules about functions apply to texts that were analysed before, large ones too', async () => {
  const analyzer = await createAnalyzer()
  const small = 'SELECT shop.price(1)'
  const large = `SELECT shop.price(1) -- ${'x'.repeat(20_000)}`
  try {
    for (const sql of [small, large]) assert.notEqual((await analyzer.analyze(sql)).statements[0]?.opaque, null)
    analyzer.replaceRules({ safeFunctions: new Set(['shop.price']), safeFields: new Set(['street']) })
    for (const sql of [small, large, 'SELECT (c.home).street FROM c']) {
      assert.equal((await analyzer.analyze(sql)).statements[0]?.opaque, null, sql)
    }
    analyzer.replaceRules({ safeFunctions: new Set() })
    for (const sql of [small, large]) assert.notEqual((await analyzer.analyze(sql)).statements[0]?.opaque, null)
  } finally {
    await analyzer.close()
  }
})
