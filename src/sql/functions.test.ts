import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtinFunctions } from './builtin-functions.ts'
import { dangerousFunctions, largeObjectFunctions } from './dangerous-functions.ts'
import { analyzeOne, assertGolden, describeCommands } from './golden.ts'

void test('functions are listed as named in the text, in order and once', () => {
  assert.deepEqual(analyzeOne('SELECT NOW(), pg_catalog.lower(upper($1)), Now(), "Purge"()').functions, [
    'now',
    'pg_catalog.lower',
    'upper',
    '"Purge"',
  ])
  // What the grammar turns into calls is among them.
  assert.deepEqual(
    analyzeOne("SELECT extract(year FROM d), overlay('a' PLACING 'b' FROM 1), d AT TIME ZONE 'x'").functions,
    ['pg_catalog.extract', 'pg_catalog.overlay', 'pg_catalog.timezone'],
  )
  assert.deepEqual(analyzeOne('SELECT * FROM a TABLESAMPLE bernoulli (5)').functions, ['bernoulli'])
})

void test('a function that is not known makes the statement opaque, wherever it is called', () => {
  for (const sql of [
    'SELECT purge()',
    'SELECT * FROM purge()',
    'SELECT * FROM ROWS FROM (now(), purge()) r',
    'SELECT 1 FROM a, LATERAL purge(a.i) p',
    'SELECT 1 WHERE purge()',
    'SELECT 1 ORDER BY purge()',
    'SELECT 1 LIMIT purge()',
    'SELECT 1 GROUP BY purge()',
    'SELECT sum(i) FILTER (WHERE purge()) FROM a',
    'SELECT sum(i) OVER (PARTITION BY purge()) FROM a',
    'SELECT rank(1) WITHIN GROUP (ORDER BY purge(i)) FROM a',
    'SELECT lower(p => purge())',
    'VALUES (purge())',
    'SELECT (purge()).*',
    'SELECT ARRAY[purge()]',
    'SELECT a[purge()]',
    'SELECT * FROM a TABLESAMPLE purge (1)',
    'SELECT * FROM a TABLESAMPLE system (purge())',
    'INSERT INTO t VALUES (purge())',
    'INSERT INTO t VALUES (1) ON CONFLICT (purge(i)) DO NOTHING',
    'INSERT INTO t VALUES (1) ON CONFLICT (i) WHERE purge() DO UPDATE SET i = purge()',
    'INSERT INTO t VALUES (1) RETURNING purge()',
    'UPDATE t SET i = purge()',
    'UPDATE t SET i[purge()] = 1',
    'DELETE FROM t WHERE purge()',
    'MERGE INTO t USING s ON purge() WHEN MATCHED THEN DELETE',
    'MERGE INTO t USING s ON true WHEN NOT MATCHED THEN INSERT VALUES (purge())',
    'MERGE INTO t USING s ON true WHEN MATCHED AND purge() THEN DO NOTHING',
    'WITH x AS (SELECT purge()) SELECT 1',
    'EXPLAIN SELECT purge()',
    'COPY (SELECT purge()) TO STDOUT',
    'DECLARE c CURSOR FOR SELECT purge()',
    'EXECUTE p(purge())',
    'CREATE TABLE t AS SELECT purge()',
    'SELECT XMLELEMENT(NAME x, purge())',
    'SELECT JSON_OBJECT(purge() : 1)',
    "SELECT * FROM JSON_TABLE(purge(), '$' COLUMNS (c int PATH '$'))",
    'SELECT CASE purge() WHEN 1 THEN 2 END',
    'SELECT COALESCE(purge(), 1)',
    'SELECT purge()::text',
    'SELECT row(purge())',
    'SELECT EXISTS (SELECT purge())',
  ]) {
    assert.equal(analyzeOne(sql).opaque, 'calls purge(), which Postern does not know', sql)
  }
})

void test('a name in another schema, another case or with a dot in it is not a builtin function', () => {
  const reason = (sql: string): string | null => analyzeOne(sql).opaque
  assert.equal(reason('SELECT shop.lower(x)'), 'calls shop.lower(), which Postern does not know')
  assert.equal(reason('SELECT db.shop.lower(x)'), 'calls shop.lower(), which Postern does not know')
  assert.equal(reason('SELECT "LOWER"(x)'), 'calls "LOWER"(), which Postern does not know')
  assert.equal(reason('SELECT "pg_catalog.lower"(x)'), 'calls "pg_catalog.lower"(), which Postern does not know')
  assert.equal(reason('SELECT "PG_CATALOG".lower(x)'), 'calls "PG_CATALOG".lower(), which Postern does not know')
  assert.equal(reason('SELECT LOWER(x), Pg_Catalog.Lower(x), db.pg_catalog.lower(x)'), null)
  assert.equal(
    reason('SELECT constructor(), __proto__(), "toString"()'),
    'calls constructor(), which Postern does not know',
  )
  assert.equal(reason('SELECT information_schema._pg_expandarray(i) FROM a'), null)
})

void test('an operator of the gateway can classify functions and operators safe, by exactly their name', () => {
  const safe = ['shop.total', 'purge', 'operator <=>', 'operator shop.+', 'pg_reload_conf']
  const reason = (sql: string): string | null => analyzeOne(sql, safe).opaque
  assert.equal(reason('SELECT shop.total(1), purge(), SHOP.Total(2), a <=> b, a OPERATOR(shop.+) b'), null)
  assert.equal(reason('SELECT pg_reload_conf()'), null)
  assert.notEqual(reason('SELECT total(1)'), null)
  assert.notEqual(reason('SELECT shop.purge()'), null)
  assert.notEqual(reason('SELECT "shop.total"(1)'), null)
  assert.notEqual(reason('SELECT "Shop".total(1)'), null)
  assert.notEqual(reason('SELECT pg_catalog.pg_reload_conf()'), null)
  assert.notEqual(reason('SELECT a OPERATOR(other.<=>) b'), null)
  assert.notEqual(analyzeOne("SELECT set_config('ro' || 'le', 'x', false)", ['set_config']).opaque, null)
})

void test('an operator that is not known makes the statement opaque', () => {
  const reason = (sql: string): string | null => analyzeOne(sql).opaque
  assert.equal(reason('SELECT a @#@ b'), 'uses the operator @#@, which Postern does not know')
  assert.equal(reason('SELECT a OPERATOR(shop.=) b'), 'uses the operator shop.=, which Postern does not know')
  assert.equal(
    reason('SELECT 1 WHERE a OPERATOR(shop.=) ANY (b)'),
    'uses the operator shop.=, which Postern does not know',
  )
  assert.equal(
    reason('SELECT 1 WHERE a OPERATOR(shop.=) ALL (b)'),
    'uses the operator shop.=, which Postern does not know',
  )
  assert.equal(
    reason('SELECT 1 WHERE a OPERATOR(shop.=) ALL (SELECT 1)'),
    'uses the operator shop.=, which Postern does not know',
  )
  assert.equal(
    reason('SELECT 1 ORDER BY a USING OPERATOR(shop.<)'),
    'uses the operator shop.<, which Postern does not know',
  )
  assert.equal(reason('SELECT OPERATOR(shop.-) a'), 'uses the operator shop.-, which Postern does not know')
  assert.equal(
    reason(
      `SELECT a + b, -a, a != b, a <> b, a OPERATOR(pg_catalog.+) b, a || b, a ->> 'x', a @> b, a ?| b, a ~* 'x', a <-> b,
        a LIKE 'x', a NOT ILIKE 'x' ESCAPE '!', a SIMILAR TO 'x', a BETWEEN SYMMETRIC 1 AND 2, a IN (1), a NOT IN (1),
        a IS NOT DISTINCT FROM b, NULLIF(a, b), a = ANY (b), a >= ALL (SELECT 1), (a, b) < (1, 2), a IN (SELECT 1)
        FROM t ORDER BY a USING <, b DESC`,
    ),
    null,
  )
})

void test('functions that run SQL, touch files or act on the server are opaque although they are builtin', () => {
  for (const sql of [
    "SELECT query_to_xml('DELETE FROM t', true, true, '')",
    "SELECT pg_catalog.query_to_xml('DELETE FROM t', true, true, '')",
    "SELECT table_to_xml('hr.employees', true, true, '')",
    "SELECT database_to_xml(true, true, '')",
    "SELECT * FROM ts_stat('SELECT v FROM hr.employees')",
    "SELECT ts_rewrite(q, 'SELECT a, b FROM hr.employees') FROM s",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(5, '/tmp/x')",
    'SELECT pg_terminate_backend(5)',
    'SELECT pg_reload_conf()',
    "SELECT pg_create_physical_replication_slot('x')",
    "SELECT * FROM pg_logical_slot_get_changes('x', NULL, NULL)",
    'SELECT pg_stat_reset()',
    "SELECT pg_catalog.pg_file_write('x', 'y', true)",
    "SELECT pg_start_backup('x')",
  ]) {
    assert.match(analyzeOne(sql).opaque ?? 'not opaque', /^calls .*\(\), which (?!Postern)/, sql)
  }
  assert.equal(analyzeOne('SELECT ts_rewrite(a, b, c)').opaque, null)
  assert.equal(analyzeOne("SELECT nextval('s'), setval('s', 1), pg_advisory_lock(1), pg_sleep(1)").opaque, null)
})

void test('the lists name functions that exist, but for those of older versions and of adminpack', () => {
  const older = new Set(
    `pg_start_backup pg_stop_backup pg_rotate_logfile_old pg_read_file_old be_lo_import be_lo_export pg_file_read
     pg_file_write pg_file_sync pg_file_rename pg_file_unlink pg_file_length pg_logdir_ls`.split(/\s+/),
  )
  for (const name of dangerousFunctions.keys()) assert.ok(builtinFunctions.has(name) || older.has(name), name)
  for (const name of largeObjectFunctions.keys()) assert.ok(builtinFunctions.has(name), name)
})

void test('set_config is the command that sets what it sets', () => {
  assertGolden([
    ["SELECT set_config('work_mem', '1GB', false)", 'SELECT; SET'],
    ["SELECT pg_catalog.set_config('role', 'dba', true)", 'SELECT; SET ROLE'],
    ["SELECT set_config('ROLE', 'dba', false)", 'SELECT; SET ROLE'],
    ["SELECT set_config(E'\\x72ole', 'dba', false)", 'SELECT; SET ROLE'],
    ["SELECT set_config(U&'\\0072ole', 'dba', false)", 'SELECT; SET ROLE'],
    ["SELECT set_config($$role$$, 'dba', false)", 'SELECT; SET ROLE'],
    ["SELECT set_config('ro'\n'le', 'dba', false)", 'SELECT; SET ROLE'],
    ["SELECT set_config('role'::text, 'dba', false)", 'SELECT; SET ROLE'],
    ["SELECT set_config(CAST('role' AS pg_catalog.text), 'dba', false)", 'SELECT; SET ROLE'],
    ["SELECT set_config(text 'Session_Authorization', 'dba', false)", 'SELECT; SET SESSION AUTHORIZATION'],
    ["INSERT INTO t SELECT set_config('role', 'dba', false)", 'INSERT t; SET ROLE'],
    ["WITH x AS (SELECT set_config('role', 'dba', false)) SELECT 1", 'SELECT; SET ROLE'],
  ])
  for (const name of [
    "'ro' || 'le'",
    '$1',
    "lower('ROLE')",
    "'role '::char(4)",
    "(SELECT 'role')",
    "setting_name => 'role'",
    "(ARRAY['role'])[1]",
    "CASE WHEN true THEN 'role' END",
  ]) {
    const statement = analyzeOne(`SELECT set_config(${name}, 'x', false)`)
    assert.match(statement.opaque ?? 'not opaque', /only known when it runs/, name)
    assert.equal(statement.mayChangeSettings, true)
  }
})

void test('functions that stand for a command are that command', () => {
  assertGolden([
    ["SELECT pg_notify('ch', 'x')", 'SELECT; NOTIFY'],
    ['SELECT lo_get(5), loread(1, 2)', 'SELECT pg_catalog.pg_largeobject'],
    ["SELECT lo_put(5, 0, 'x')", 'SELECT; UPDATE pg_catalog.pg_largeobject'],
    ["SELECT lo_from_bytea(0, 'x')", 'SELECT; INSERT pg_catalog.pg_largeobject'],
    ['SELECT lo_unlink(loid) FROM pg_largeobject', 'SELECT pg_largeobject; DELETE pg_catalog.pg_largeobject'],
  ])
  assert.equal(describeCommands(analyzeOne('SELECT lo_close(1), lo_tell(1)').commands), 'SELECT')
})

void test('setval changes a sequence, which is an UPDATE', () => {
  assertGolden([["SELECT setval('s', 1)", 'SELECT; UPDATE']])
})

void test('a function called like a column of its argument is a call, wherever that is not certainly a row', () => {
  for (const sql of [
    "SELECT ('/etc/hostname'::text).pg_read_file",
    "SELECT x.pg_read_file FROM unnest(ARRAY['/etc/hostname']) x",
    "SELECT ('x'::text).purge",
    "SELECT (ARRAY['x'])[1].purge",
    'SELECT (i).purge FROM a',
    'SELECT 1 FROM a ORDER BY (i).purge',
    "SELECT x.purge FROM CAST('x' AS text) x",
    "SELECT text.purge FROM CAST('x' AS text)",
    "SELECT unnest.purge FROM unnest(ARRAY['x'])",
    "SELECT purge.purge FROM unnest(ARRAY['x']) purge(y)",
    "SELECT x.purge FROM a, ROWS FROM (unnest(ARRAY['x'])) x",
    "SELECT x.purge FROM unnest(ARRAY['x']) x, LATERAL (SELECT 1 FROM unnest(ARRAY['x']) x(purge)) z",
    "WITH w AS (SELECT x.purge FROM unnest(ARRAY['x']) x) SELECT 1",
    "EXPLAIN ANALYZE SELECT ('x'::text).purge",
    "COPY (SELECT ('x'::text).purge) TO STDOUT",
    "SELECT ('role').set_config",
  ]) {
    assert.notEqual(analyzeOne(sql).opaque, null, sql)
  }
  assertGolden([['SELECT (16400).lo_unlink', 'SELECT; DELETE pg_catalog.pg_largeobject']])
})

void test('columns of functions and rows are columns where that is certain', () => {
  for (const sql of [
    'SELECT g.i FROM generate_series(1, 2) g(i)',
    'SELECT g.g FROM generate_series(1, 2) g',
    'SELECT unnest.unnest FROM unnest($1::int[])',
    'SELECT u.v, u.o FROM unnest($1::text[]) WITH ORDINALITY u(v, o)',
    'SELECT u.ordinality FROM unnest($1::text[]) WITH ORDINALITY u',
    "SELECT j.key, j.value FROM jsonb_each('{}') j",
    "SELECT (jsonb_each('{}')).key",
    "SELECT r.x FROM json_to_record('{}') r(x int)",
    "SELECT r.x FROM ROWS FROM (json_to_record('{}') AS (x int)) r",
    'SELECT (i.keys).n FROM (SELECT information_schema._pg_expandarray(indkey) AS keys FROM pg_index) i',
    'SELECT (ROW(1, 2)).f1, (a.i).*, (a.i)[1], a.purge FROM a',
  ]) {
    assert.equal(analyzeOne(sql).opaque, null, sql)
  }
  assert.equal(analyzeOne('SELECT (address).city FROM a', ['city']).opaque, null)
})
