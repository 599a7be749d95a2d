import assert from 'node:assert/strict'
import { test } from 'node:test'
import { analyzeOne, assertGolden } from './golden.ts'

void test('a SELECT lists every relation it reads, wherever it stands', () => {
  assertGolden([
    ['SELECT 1', 'SELECT'],
    ['VALUES (1), (2)', 'SELECT'],
    ['TABLE shop.orders', 'SELECT shop.orders'],
    ['SELECT * FROM orders', 'SELECT orders'],
    ['select * from Orders', 'SELECT orders'],
    ['SELECT * FROM "Orders"', 'SELECT Orders'],
    ['SELECT * FROM shop.orders o, ONLY items i', 'SELECT shop.orders items'],
    ['SELECT * FROM db.shop.orders', 'SELECT shop.orders'],
    ['SELECT * FROM a, a x, a.a', 'SELECT a a.a'],
    ['SELECT * FROM a JOIN (b CROSS JOIN c) ON true NATURAL LEFT JOIN s.d', 'SELECT a b c s.d'],
    ['SELECT * FROM (SELECT * FROM (SELECT * FROM deep) x) y', 'SELECT deep'],
    ['SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.i = a.i) x', 'SELECT a b'],
    ['SELECT (SELECT max(i) FROM b) FROM a', 'SELECT b a'],
    ['SELECT ARRAY(SELECT i FROM a), EXISTS (SELECT 1 FROM b), i IN (SELECT 1 FROM c) FROM d', 'SELECT a b c d'],
    ['SELECT 1 WHERE 1 = ANY (SELECT i FROM a) AND 2 > ALL (SELECT i FROM b)', 'SELECT a b'],
    ['SELECT * FROM a WHERE (i, j) = (SELECT 1, 2 FROM b)', 'SELECT a b'],
    ['SELECT CASE WHEN (SELECT true FROM a) THEN 1 ELSE (SELECT 2 FROM b) END', 'SELECT a b'],
    ['SELECT COALESCE((SELECT 1 FROM a), GREATEST((SELECT 2 FROM b), 3))', 'SELECT a b'],
    ['SELECT row((SELECT 1 FROM a)), (ARRAY[(SELECT 1 FROM b)])[(SELECT 1 FROM c)]', 'SELECT a b c'],
    ['SELECT count(*) FILTER (WHERE (SELECT true FROM a)) OVER (ORDER BY (SELECT 1 FROM b)) FROM c', 'SELECT a b c'],
    ['SELECT 1 FROM a GROUP BY (SELECT 1 FROM b) HAVING (SELECT true FROM c)', 'SELECT a b c'],
    ['SELECT 1 FROM a WINDOW w AS (PARTITION BY (SELECT 1 FROM b))', 'SELECT a b'],
    ['SELECT 1 ORDER BY (SELECT 1 FROM a) LIMIT (SELECT 1 FROM b) OFFSET (SELECT 1 FROM c)', 'SELECT a c b'],
    ['SELECT DISTINCT ON ((SELECT 1 FROM a)) 1 FROM b', 'SELECT a b'],
    ['SELECT 1 FROM a UNION SELECT 2 FROM b EXCEPT (SELECT 3 FROM c INTERSECT TABLE d)', 'SELECT a b c d'],
    ['VALUES ((SELECT 1 FROM a)), ((TABLE b))', 'SELECT a b'],
    ['SELECT * FROM generate_series(1, (SELECT max(i) FROM a)) g', 'SELECT a'],
    ['SELECT * FROM ROWS FROM (generate_series(1, (SELECT 1 FROM a)), unnest(ARRAY[1]))', 'SELECT a'],
    ['SELECT * FROM a TABLESAMPLE system ((SELECT 1 FROM b))', 'SELECT a b'],
    ['SELECT x::int, CAST((SELECT 1 FROM b) AS text) COLLATE "C" FROM a', 'SELECT b a'],
    ["SELECT * FROM XMLTABLE('/r' PASSING (SELECT x FROM a) COLUMNS c int DEFAULT (SELECT 1 FROM b))", 'SELECT a b'],
    [
      "SELECT * FROM JSON_TABLE((SELECT j FROM a), '$' PASSING (SELECT 1 FROM b) AS p COLUMNS (c int PATH '$'))",
      'SELECT a b',
    ],
    ['SELECT JSON_ARRAY(SELECT i FROM a), JSON_OBJECT((SELECT k FROM b) : (SELECT v FROM c))', 'SELECT a b c'],
    ["SELECT JSON_VALUE(j, '$' DEFAULT (SELECT 1 FROM a) ON EMPTY) FROM b", 'SELECT a b'],
    ['SELECT xmlelement(name x, xmlattributes((SELECT 1 FROM a) AS y), (SELECT 2 FROM b))', 'SELECT a b'],
    ['SELECT NULLIF((SELECT 1 FROM a), 2) IS DISTINCT FROM (SELECT 1 FROM b)', 'SELECT a b'],
    [
      "SELECT now() AT TIME ZONE (SELECT tz FROM a), 1 BETWEEN (SELECT 1 FROM b) AND 3, 'x' LIKE (SELECT p FROM c)",
      'SELECT a b c',
    ],
    ['SELECT grouping(i) FROM a GROUP BY GROUPING SETS ((i), ROLLUP ((SELECT 1 FROM b)))', 'SELECT a b'],
    ['SELECT /* FROM x */ 1 -- FROM y\n FROM z', 'SELECT z'],
    ["SELECT 'FROM x', $$ FROM y $$, E'\\' FROM z' FROM a", 'SELECT a'],
    ['SELECT * FROM U&"d\\0061ta"', 'SELECT data'],
    ['SELECT * FROM "größe"."naïve"', 'SELECT größe.naïve'],
    ['SELECT * FROM a ORDER BY i FOR UPDATE OF a SKIP LOCKED', 'SELECT a'],
    ['SELECT * FROM a x FOR NO KEY UPDATE OF x FOR SHARE', 'SELECT a'],
  ])
})

void test('names come out as they went in, whatever they are made of', () => {
  const plain = Array.from({ length: 0x17f }, (_, i) => String.fromCharCode(i + 1)).filter((each) => each !== '"')
  for (const name of [...plain, '""', '\\u0041', '"",""schemaname"":""x', '😀', '\u2028', 'a\u0301', 'x'.repeat(63)]) {
    const [command] = analyzeOne(`SELECT * FROM "s${name}"."n${name.slice(0, 62)}"`).commands
    const expected = name.replaceAll('""', '"')
    assert.deepEqual(command?.relations, [{ schema: `s${expected}`.slice(0, 63), name: `n${expected.slice(0, 62)}` }])
  }
})

void test('the name of a common table expression hides a relation exactly where PostgreSQL says so', () => {
  assertGolden([
    ['WITH x AS (SELECT * FROM a) SELECT * FROM x', 'SELECT a'],
    // A name with a schema is never one of a WITH.
    ['WITH x AS (SELECT 1) SELECT * FROM public.x', 'SELECT public.x'],
    // Without RECURSIVE a query sees those before it only.
    ['WITH x AS (SELECT * FROM x) SELECT * FROM x', 'SELECT x'],
    ['WITH x AS (SELECT * FROM y), y AS (SELECT * FROM x) SELECT * FROM y', 'SELECT y'],
    ['WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT * FROM x) SELECT * FROM x', 'SELECT'],
    ['WITH RECURSIVE x AS (SELECT * FROM y), y AS (SELECT * FROM a) SELECT * FROM x', 'SELECT a'],
    // It ends with the query it belongs to.
    ['SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) s, x', 'SELECT x'],
    ['(WITH x AS (SELECT 1) SELECT * FROM x) UNION SELECT * FROM x', 'SELECT x'],
    ['WITH x AS (SELECT 1) SELECT * FROM x UNION SELECT * FROM x', 'SELECT'],
    ['WITH o AS (WITH i AS (SELECT 1) SELECT * FROM i) SELECT * FROM o, i', 'SELECT i'],
    // Inner queries see the outer ones' names.
    ['WITH x AS (SELECT 1) SELECT (SELECT count(*) FROM x WHERE EXISTS (SELECT 1 FROM x, b))', 'SELECT b'],
    ['WITH x AS (SELECT 1) SELECT * FROM (WITH y AS (SELECT * FROM x) SELECT * FROM y) s', 'SELECT'],
    ['WITH x AS (SELECT 1) SELECT * FROM (WITH x AS (SELECT * FROM x, a) SELECT * FROM x) s', 'SELECT a'],
    ['WITH "X" AS (SELECT 1) SELECT * FROM x', 'SELECT x'],
    ['WITH x AS MATERIALIZED (TABLE a) SELECT * FROM x AS y, y', 'SELECT a y'],
    // What is written to is always a relation.
    ['WITH x AS (SELECT 1 AS i) INSERT INTO x SELECT * FROM x', 'INSERT x'],
    ['WITH x AS (SELECT 1 AS i) UPDATE x SET i = 2', 'UPDATE! x'],
    ['WITH x AS (SELECT 1 AS i) DELETE FROM x', 'DELETE! x'],
    ['WITH x AS (SELECT 1) UPDATE t SET i = x.i FROM x WHERE t.i = x.i', 'UPDATE t; SELECT t'],
    ['WITH x AS (SELECT 1) DELETE FROM t USING x WHERE t.i = x.i', 'DELETE t; SELECT t'],
    ['WITH x AS (SELECT 1) MERGE INTO t USING x ON t.i = x.i WHEN MATCHED THEN DO NOTHING', 'MERGE t; SELECT t'],
    ['WITH x AS (SELECT 1) INSERT INTO t VALUES ((SELECT * FROM x)) RETURNING (SELECT * FROM x)', 'INSERT t; SELECT t'],
    [
      'WITH RECURSIVE x AS (SELECT 1 AS i UNION SELECT i + 1 FROM x) SEARCH BREADTH FIRST BY i SET o CYCLE i SET c USING p SELECT * FROM x',
      'SELECT',
    ],
  ])
})

void test('a query that writes lists what it writes, and what it reads as PostgreSQL privileges would have it', () => {
  assertGolden([
    ['INSERT INTO t VALUES (1)', 'INSERT t'],
    ['INSERT INTO s.t AS x DEFAULT VALUES', 'INSERT s.t'],
    ['INSERT INTO t SELECT * FROM a', 'INSERT t; SELECT a'],
    ['INSERT INTO t SELECT 1', 'INSERT t'],
    ['INSERT INTO t VALUES ((SELECT 1 FROM a))', 'INSERT t; SELECT a'],
    ['INSERT INTO t (i, a[(SELECT 1 FROM b)]) VALUES (1, 2)', 'INSERT t; SELECT b'],
    ['INSERT INTO t VALUES (1) RETURNING i', 'INSERT t; SELECT t'],
    ['INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING', 'INSERT t'],
    ['INSERT INTO t VALUES (1) ON CONFLICT (i) DO UPDATE SET i = excluded.i', 'INSERT t; UPDATE t'],
    ['INSERT INTO t VALUES (1) ON CONFLICT (i) DO UPDATE SET n = t.n + 1', 'INSERT t; SELECT t; UPDATE t'],
    [
      'INSERT INTO t VALUES (1) ON CONFLICT (i) DO UPDATE SET n = 1 WHERE n = (SELECT 2 FROM a)',
      'INSERT t; SELECT t a; UPDATE t',
    ],
    ['UPDATE t SET i = 1', 'UPDATE! t'],
    ['UPDATE t SET i = i + 1', 'UPDATE! t; SELECT t'],
    ['UPDATE t SET i = 1 WHERE true', 'UPDATE! t; SELECT t'],
    ['UPDATE t SET i = 1 WHERE 1 = 1 AND now() > now()', 'UPDATE! t; SELECT t'],
    ['UPDATE t SET i = 1 WHERE i = 2', 'UPDATE t; SELECT t'],
    ['UPDATE ONLY s.t AS x SET i = 1 WHERE x.i = $1', 'UPDATE s.t; SELECT s.t'],
    ['UPDATE t SET (i, j) = (SELECT 1, 2 FROM a)', 'UPDATE! t; SELECT a'],
    ['UPDATE t SET i = 1 FROM a WHERE a.i = 1', 'UPDATE! t; SELECT t a'],
    ['UPDATE t SET i = 1 FROM a WHERE a.i = t.i', 'UPDATE t; SELECT t a'],
    ['UPDATE t SET i = 1 WHERE CURRENT OF c', 'UPDATE t; SELECT t'],
    ['UPDATE t SET i = 1 RETURNING (SELECT 1 FROM a)', 'UPDATE! t; SELECT t a'],
    ['DELETE FROM t', 'DELETE! t'],
    ['DELETE FROM t WHERE i = 1', 'DELETE t; SELECT t'],
    ['DELETE FROM t WHERE NOT false', 'DELETE! t; SELECT t'],
    ['DELETE FROM t WHERE EXISTS (SELECT 1 FROM a)', 'DELETE! t; SELECT t a'],
    ['DELETE FROM t WHERE EXISTS (SELECT 1 FROM a WHERE a.i = 1)', 'DELETE! t; SELECT t a'],
    ['DELETE FROM t WHERE EXISTS (SELECT 1 FROM a WHERE a.i = t.i)', 'DELETE t; SELECT t a'],
    ['DELETE FROM s.t WHERE s.t.i = 1', 'DELETE s.t; SELECT s.t'],
    ['DELETE FROM t USING a, b WHERE t.i = a.i', 'DELETE t; SELECT t a b'],
    ['DELETE FROM t WHERE CURRENT OF c', 'DELETE t; SELECT t'],
    ['DELETE FROM t RETURNING *', 'DELETE! t; SELECT t'],
    [
      'MERGE INTO t USING s ON t.i = s.i WHEN MATCHED AND s.x THEN DELETE WHEN MATCHED THEN UPDATE SET i = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)',
      'MERGE t; SELECT t s; DELETE t; UPDATE t; INSERT t',
    ],
    [
      'MERGE INTO t USING (SELECT * FROM a) x ON t.i = x.i WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), (SELECT 1 FROM b)',
      'MERGE t; SELECT t a b; DELETE t',
    ],
    [
      'MERGE INTO t USING s ON (SELECT true FROM a) WHEN MATCHED AND (SELECT true FROM b) THEN DO NOTHING',
      'MERGE t; SELECT t s a b',
    ],
  ])
})

void test('a query that writes inside of another one is listed on its own', () => {
  assertGolden([
    ['WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d', 'SELECT t; DELETE! t'],
    ['WITH d AS (DELETE FROM t) SELECT 1', 'SELECT; DELETE! t'],
    ['WITH u AS (UPDATE t SET i = 1 WHERE i = 2) INSERT INTO a VALUES (1)', 'INSERT a; SELECT t; UPDATE t'],
    ['WITH i AS (INSERT INTO t VALUES (1) RETURNING i) DELETE FROM a USING i', 'DELETE! a; SELECT a t; INSERT t'],
    ['WITH m AS (MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE) SELECT 1', 'SELECT t s; MERGE t; DELETE t'],
    ['WITH a AS (DELETE FROM t), b AS (DELETE FROM t WHERE i = 1) SELECT 1', 'SELECT t; DELETE! t; DELETE t'],
    // PostgreSQL refuses a writing query this deep, but listing it costs nothing.
    ['SELECT (WITH d AS (DELETE FROM t RETURNING i) SELECT i FROM d)', 'SELECT t; DELETE! t'],
    ['SELECT 1 UNION (WITH d AS (TABLE a), e AS (DELETE FROM t) TABLE d)', 'SELECT a; DELETE! t'],
  ])
})

void test('SELECT INTO makes a table, also in a UNION and behind a WITH', () => {
  assertGolden([
    ['SELECT * INTO t FROM a', 'SELECT INTO t; SELECT a'],
    ['SELECT 1 INTO TEMP s.t', 'SELECT INTO s.t; SELECT'],
    ['SELECT 1 INTO t UNION SELECT 2 FROM a', 'SELECT INTO t; SELECT a'],
    ['WITH d AS (DELETE FROM x RETURNING *) SELECT * INTO t FROM d', 'SELECT INTO t; SELECT x; DELETE! x'],
  ])
})

void test('writing to pg_settings is opaque, since its rules set what is written', () => {
  for (const sql of [
    "UPDATE pg_settings SET setting = 'x' WHERE name = 'role'",
    "UPDATE pg_catalog.pg_settings p SET setting = 'x'",
    "WITH u AS (UPDATE pg_settings SET setting = 'x') SELECT 1",
    'MERGE INTO pg_settings USING a ON true WHEN MATCHED THEN UPDATE SET setting = 1',
  ]) {
    assert.equal(analyzeOne(sql).opaque, 'changes settings through pg_settings', sql)
  }
  assert.equal(analyzeOne('SELECT * FROM pg_settings').opaque, null)
  assert.equal(analyzeOne('UPDATE shop.pg_settings SET setting = 1').opaque, null)
})
