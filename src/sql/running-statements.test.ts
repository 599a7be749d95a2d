import assert from 'node:assert/strict'
import { test } from 'node:test'
import { analyzeOne, assertGolden, describeCommands } from './golden.ts'

void test('COPY is told apart by direction and by what is on the other side', () => {
  assertGolden([
    ['COPY s.t TO STDOUT', 'COPY TO s.t; SELECT s.t'],
    ['COPY t (a, b) TO STDOUT WITH (FORMAT csv, HEADER)', 'COPY TO t; SELECT t'],
    ['COPY (SELECT * FROM a JOIN b ON true) TO STDOUT', 'COPY TO a b; SELECT a b'],
    ['COPY (VALUES (1)) TO STDOUT', 'COPY TO; SELECT'],
    ['COPY (DELETE FROM t WHERE i = 1 RETURNING *) TO STDOUT', 'COPY TO t; SELECT t; DELETE t'],
    ['COPY (INSERT INTO t VALUES (1) RETURNING i) TO STDOUT', 'COPY TO t; SELECT t; INSERT t'],
    ["COPY t TO '/tmp/x'", 'COPY TO FILE t; SELECT t'],
    ["COPY (SELECT * FROM a) TO '/tmp/x'", 'COPY TO FILE a; SELECT a'],
    ["COPY t TO PROGRAM 'sh'", 'COPY TO PROGRAM t; SELECT t'],
    ["COPY (SELECT 1) TO PROGRAM 'sh'", 'COPY TO PROGRAM; SELECT'],
    ['COPY t FROM STDIN', 'COPY FROM t; INSERT t'],
    ['COPY t (a) FROM STDIN WHERE a > 1', 'COPY FROM t; INSERT t'],
    ["COPY t FROM '/etc/passwd'", 'COPY FROM FILE t; INSERT t'],
    ["COPY t FROM PROGRAM 'curl x'", 'COPY FROM PROGRAM t; INSERT t'],
    ["copy binary t from 'x' using delimiters '|'", 'COPY FROM FILE t; INSERT t'],
    ["COPY t FROM PROGRAM ''", 'COPY FROM PROGRAM t; INSERT t'],
  ])
  assert.equal(analyzeOne('COPY t FROM STDIN').copy, 'in')
  assert.equal(analyzeOne('COPY t TO STDOUT').copy, 'out')
  assert.equal(analyzeOne('COPY (SELECT 1) TO STDOUT').copy, 'out')
  for (const sql of [
    "COPY t TO 'x'",
    "COPY t FROM 'x'",
    "COPY t FROM PROGRAM 'x'",
    "COPY t TO PROGRAM 'x'",
    'SELECT 1',
  ]) {
    assert.equal(analyzeOne(sql).copy, null, sql)
  }
  assert.match(analyzeOne('COPY t FROM STDIN WHERE purge(a)').opaque ?? '', /purge/)
})

void test('EXPLAIN reads whatever is concerned, and with ANALYZE runs it', () => {
  assertGolden([
    ['EXPLAIN SELECT 1', 'EXPLAIN; SELECT'],
    ['EXPLAIN SELECT * FROM a', 'EXPLAIN; SELECT a'],
    ['EXPLAIN DELETE FROM t', 'EXPLAIN; SELECT t'],
    ['EXPLAIN VERBOSE INSERT INTO t SELECT * FROM a', 'EXPLAIN; SELECT t a'],
    ['EXPLAIN MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE', 'EXPLAIN; SELECT t s'],
    ['EXPLAIN WITH d AS (DELETE FROM t) SELECT * FROM a', 'EXPLAIN; SELECT t a'],
    ['EXPLAIN CREATE TABLE x AS SELECT * FROM a', 'EXPLAIN; SELECT a'],
    ['EXPLAIN SELECT * INTO x FROM a', 'EXPLAIN; SELECT a'],
    ['EXPLAIN DECLARE c CURSOR FOR SELECT * FROM a', 'EXPLAIN; SELECT a'],
    ['EXPLAIN REFRESH MATERIALIZED VIEW m', 'EXPLAIN; SELECT m'],
    ['EXPLAIN (COSTS false, FORMAT json) UPDATE t SET i = 1', 'EXPLAIN; SELECT t'],
    ['EXPLAIN EXECUTE p(1)', 'EXPLAIN; EXECUTE'],
    ['EXPLAIN ANALYZE SELECT * FROM a', 'EXPLAIN; SELECT a'],
    ['EXPLAIN ANALYZE DELETE FROM t', 'EXPLAIN; DELETE! t'],
    ['EXPLAIN ANALYZE VERBOSE UPDATE t SET i = 1 WHERE i = 2', 'EXPLAIN; SELECT t; UPDATE t'],
    ['EXPLAIN ANALYZE CREATE TABLE x AS SELECT * FROM a', 'EXPLAIN; SELECT a; CREATE TABLE AS x'],
    ['EXPLAIN ANALYZE SELECT * INTO x FROM a', 'EXPLAIN; SELECT a; SELECT INTO x'],
    ['EXPLAIN ANALYZE CREATE MATERIALIZED VIEW x AS TABLE a', 'EXPLAIN; SELECT a; CREATE MATERIALIZED VIEW x'],
    ['EXPLAIN ANALYZE DECLARE c CURSOR FOR TABLE a', 'EXPLAIN; SELECT a; DECLARE CURSOR'],
    ['EXPLAIN ANALYZE EXECUTE p', 'EXPLAIN; EXECUTE'],
  ])
})

void test('EXPLAIN takes every spelling of ANALYZE, the last one wins and doubt means yes', () => {
  const isRun = (options: string): boolean =>
    describeCommands(analyzeOne(`EXPLAIN ${options} DELETE FROM t`).commands).includes('DELETE')
  for (const options of [
    'ANALYZE',
    'analyse',
    'ANALYZE VERBOSE',
    '(ANALYZE)',
    '(ANALYSE)',
    '("analyze")',
    '("ANALYZE" x)',
    '(ANALYZE true)',
    "(ANALYZE 'true')",
    '(ANALYZE on)',
    '(ANALYZE 1)',
    '(ANALYZE 2)',
    '(ANALYZE -1)',
    '(ANALYZE 0.0)',
    "(ANALYZE '')",
    '(ANALYZE yes)',
    '(ANALYZE no)',
    '(ANALYZE f)',
    '(VERBOSE, COSTS off, ANALYZE)',
    '(ANALYZE false, ANALYZE true)',
    '(ANALYZE off, BUFFERS, ANALYZE)',
  ]) {
    assert.equal(isRun(options), true, options)
  }
  for (const options of [
    '',
    'VERBOSE',
    '(VERBOSE)',
    '(ANALYZE false)',
    '(ANALYZE FALSE)',
    '(ANALYZE off)',
    "(ANALYZE 'Off')",
    '(ANALYZE 0)',
    '(ANALYZE true, ANALYZE false)',
  ]) {
    assert.equal(isRun(options), false, options)
  }
})

void test('EXPLAIN names the prepared statement that it executes', () => {
  assert.equal(analyzeOne('EXPLAIN EXECUTE p').names.executes, 'p')
  assert.equal(analyzeOne('EXPLAIN ANALYZE EXECUTE p').names.executes, 'p')
  assert.equal(analyzeOne('EXPLAIN ANALYZE CREATE TABLE t AS EXECUTE p').names.executes, 'p')
})

void test('CREATE TABLE AS runs its query', () => {
  assertGolden([
    ['CREATE TABLE t AS SELECT * FROM a', 'CREATE TABLE AS t; SELECT a'],
    ['CREATE TEMP TABLE t (x) AS VALUES (1) WITH NO DATA', 'CREATE TABLE AS t; SELECT'],
    ['CREATE TABLE IF NOT EXISTS s.t AS TABLE a', 'CREATE TABLE AS s.t; SELECT a'],
    ['CREATE TABLE t AS EXECUTE p(1)', 'CREATE TABLE AS t; EXECUTE'],
    ['CREATE TABLE t AS WITH d AS (DELETE FROM x RETURNING *) TABLE d', 'CREATE TABLE AS t; SELECT x; DELETE! x'],
    ['CREATE MATERIALIZED VIEW s.m AS SELECT * FROM a', 'CREATE MATERIALIZED VIEW s.m; SELECT a'],
    ['REFRESH MATERIALIZED VIEW CONCURRENTLY s.m', 'REFRESH MATERIALIZED VIEW s.m'],
  ])
  assert.equal(analyzeOne('CREATE TABLE t AS EXECUTE p').names.executes, 'p')
})

void test('PREPARE does nothing yet and carries what EXECUTE will do', () => {
  const prepared = analyzeOne('PREPARE "P 1" (int) AS WITH d AS (DELETE FROM t WHERE i = $1) SELECT purge()')
  assert.equal(describeCommands(prepared.commands), 'PREPARE')
  assert.equal(prepared.opaque, null)
  assert.equal(prepared.mayChangeSettings, false)
  assert.equal(prepared.names.prepares?.name, 'P 1')
  const inner = prepared.names.prepares.analysis
  assert.equal(describeCommands(inner.commands), 'SELECT t; DELETE t; OPAQUE')
  assert.equal(inner.kind, 'SELECT')
  assert.deepEqual(inner.functions, ['purge'])
  assert.equal(inner.mayChangeSettings, true)

  const executed = analyzeOne('EXECUTE "P 1"(lower(\'x\'))')
  assert.equal(describeCommands(executed.commands), 'EXECUTE')
  assert.deepEqual(executed.names, { prepares: null, executes: 'P 1', declares: null, fetches: null })
  assert.match(analyzeOne('EXECUTE p(purge())').opaque ?? '', /purge/)
})

void test('DECLARE opens its query at once', () => {
  assertGolden([
    ['DECLARE c CURSOR FOR SELECT * FROM a', 'DECLARE CURSOR; SELECT a'],
    ['DECLARE c BINARY SCROLL CURSOR WITH HOLD FOR VALUES (1)', 'DECLARE CURSOR; SELECT'],
    ['DECLARE c CURSOR FOR WITH d AS (DELETE FROM t RETURNING *) TABLE d', 'DECLARE CURSOR; SELECT t; DELETE! t'],
  ])
  assert.equal(analyzeOne('DECLARE "C" CURSOR FOR SELECT 1').names.declares, 'C')
})

void test('DO and CALL are opaque by themselves', () => {
  for (const [sql, kind] of [
    ["DO 'x'", 'DO'],
    ['DO LANGUAGE plpython3u $x$ y $x$', 'DO'],
    ['CALL purge()', 'CALL'],
    ["CALL shop.purge(now(), VARIADIC ARRAY['x'])", 'CALL'],
  ] as const) {
    const statement = analyzeOne(sql)
    assert.equal(statement.kind, kind)
    assert.equal(describeCommands(statement.commands), kind)
    assert.match(statement.opaque ?? '', new RegExp(`^${kind} runs`))
    assert.equal(statement.mayChangeSettings, true)
  }
  assert.deepEqual(analyzeOne('CALL shop.purge(now())').functions, ['shop.purge', 'now'])
})
