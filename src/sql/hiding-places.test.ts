import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { StatementAnalysis } from '../core/statement.ts'
import { analyzeText, describeCommands } from './golden.ts'

/** All that a text does or prepares, in one line. */
function allOf(sql: string): string {
  const { statements, syntaxError } = analyzeText(sql)
  assert.equal(syntaxError, null, `${sql}: ${syntaxError?.message}`)
  const withPrepared = (each: StatementAnalysis): StatementAnalysis[] =>
    each.names.prepares === null ? [each] : [each, ...withPrepared(each.names.prepares.analysis)]
  return statements
    .flatMap(withPrepared)
    .map((statement) => describeCommands(statement.commands))
    .join(' | ')
}

void test('a dangerous command is found wherever it hides', () => {
  const table: readonly (readonly [command: string, ...hidden: string[]])[] = [
    [
      'DROP DATABASE',
      'DROP DATABASE shop',
      '/**/DROP/**/DATABASE/**/shop',
      '--\nDROP--\nDATABASE--\nshop',
      '/* /* */ */ dRoP\tDaTaBaSe\fIF\vEXISTS\r\n"shop"',
      'DROP DATABASE "shop; SELECT 1"',
      'DROP DATABASE U&"sh\\006fp" WITH (FORCE)',
      ';;;DROP DATABASE shop;;;',
      'SELECT 1; DROP DATABASE shop',
      "SELECT ';'; DROP DATABASE shop; SELECT $$;$$",
      "SELECT 'it''s', E'\\';', $a$ $b$ ; $a$ ; DROP DATABASE shop --';",
      'BEGIN; SELECT "a;b"; DROP DATABASE shop; COMMIT',
      '/* SELECT 1 */ -- ; \n DROP DATABASE shop',
      "SELECT U&'\\0027; --'; DROP DATABASE shop",
      "SELECT 'größe 😀'; DROP DATABASE shop",
    ],
    [
      'DROP TABLE t',
      'DROP TABLE t',
      'drop table "t"',
      'DROP TABLE IF EXISTS t CASCADE',
      'DROP/*x*/TABLE/*y*/t',
      'SELECT 1\n;\n\nDROP TABLE t',
      'PREPARE p AS SELECT 1; DROP TABLE t; EXECUTE p',
    ],
    [
      'SET ROLE',
      'SET ROLE dba',
      'set/**/local/**/role dba',
      'SET "ROLE" = dba',
      'RESET role',
      "SELECT set_config('role', 'dba', false)",
      "SELECT 1 FROM (SELECT set_config('role', 'dba', false)) x",
      "WITH x AS (SELECT set_config('Role', 'dba', false)) SELECT 1",
      "VALUES (pg_catalog.set_config('role', 'dba', false))",
      "PREPARE p AS SELECT set_config('role', 'dba', false)",
      "COPY (SELECT set_config('role', 'dba', false)) TO STDOUT",
      "DECLARE c CURSOR FOR SELECT set_config('role', 'dba', false)",
      "EXPLAIN ANALYZE SELECT set_config('role', 'dba', false)",
      "CREATE TABLE t AS SELECT set_config('role', 'dba', false)",
      "DELETE FROM t WHERE set_config('role', 'dba', false) = 'x'",
      "EXECUTE p(set_config('role', 'dba', false))",
    ],
    [
      'COPY FROM PROGRAM',
      "COPY t FROM PROGRAM 'sh'",
      'copy t from/**/program $$sh$$',
      "COPY t (a) FROM PROGRAM E'\\x73h' WITH (FORMAT csv)",
      "SELECT 1; COPY t FROM PROGRAM 'sh' WHERE a > 1",
    ],
    [
      'COPY TO PROGRAM',
      "COPY t TO PROGRAM 'sh'",
      "COPY (SELECT 1) TO PROGRAM 'sh'",
      "COPY (DELETE FROM t RETURNING *) TO PROGRAM 'sh'",
    ],
    [
      'DELETE! t',
      'DELETE FROM t',
      'WITH d AS (DELETE FROM t RETURNING *) SELECT count(*) FROM d',
      'WITH RECURSIVE a AS (SELECT 1), d AS (DELETE FROM t) TABLE a',
      'WITH t AS (SELECT 1) DELETE FROM t',
      'WITH a AS (WITH d AS (DELETE FROM t) SELECT 1) SELECT 1',
      'EXPLAIN ANALYZE DELETE FROM t',
      'EXPLAIN (VERBOSE, ANALYZE 1) DELETE FROM t',
      'EXPLAIN (ANALYZE) WITH d AS (DELETE FROM t) SELECT 1',
      'PREPARE p AS DELETE FROM t',
      'PREPARE p AS WITH d AS (DELETE FROM t) SELECT 1',
      'COPY (DELETE FROM t RETURNING *) TO STDOUT',
      'COPY (WITH d AS (DELETE FROM t RETURNING *) TABLE d) TO STDOUT',
      'CREATE TABLE x AS WITH d AS (DELETE FROM t RETURNING *) TABLE d',
      'EXPLAIN ANALYZE CREATE TABLE x AS WITH d AS (DELETE FROM t RETURNING *) TABLE d',
      'CREATE MATERIALIZED VIEW x AS WITH d AS (DELETE FROM t RETURNING *) TABLE d',
      'DECLARE c CURSOR FOR WITH d AS (DELETE FROM t RETURNING *) TABLE d',
      'INSERT INTO a WITH d AS (DELETE FROM t RETURNING *) TABLE d',
      'WITH d AS (DELETE FROM t) INSERT INTO a VALUES (1)',
      'WITH d AS (DELETE FROM t) UPDATE a SET i = 1',
      'WITH d AS (DELETE FROM t) DELETE FROM a',
      'WITH d AS (DELETE FROM t) MERGE INTO a USING d ON true WHEN MATCHED THEN DO NOTHING',
      'SELECT 1 INTO x FROM (WITH d AS (DELETE FROM t RETURNING *) TABLE d) y',
      'SELECT 1 UNION (WITH d AS (DELETE FROM t RETURNING 1) SELECT 1 FROM d)',
    ],
    ['OPAQUE', 'SELECT purge()', "SELECT query_to_xml('DELETE FROM t', true, true, '')", 'PREPARE p AS SELECT purge()'],
    ['DO', "DO 'x'", 'do/**/language plpgsql $x$ BEGIN EXECUTE $$DROP TABLE t$$; END $x$', 'SELECT 1; DO $$x$$'],
    ['CALL', 'CALL purge()', 'call shop.purge(1)'],
    ['CREATE RULE t', 'CREATE RULE r AS ON INSERT TO t DO ALSO DELETE FROM x'],
    ['CREATE FUNCTION', 'CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM t; END'],
    ['ALTER ROLE', "ALTER USER x WITH PASSWORD 'y'", 'ALTER ROLE x SUPERUSER', 'ALTER GROUP g ADD USER x'],
    ['GRANT ROLE', 'GRANT dba TO x', 'grant"dba"to"x"'],
    ['ALTER SYSTEM', "ALTER SYSTEM SET archive_command = 'sh'"],
    ['LOAD', "LOAD 'x'"],
  ]
  for (const [command, ...texts] of table) {
    for (const sql of texts) {
      const found = allOf(sql)
        .split(/; | \| /)
        .some((each) => each === command || (command.startsWith('COPY') && each.startsWith(command)))
      assert.ok(found, `${command} is not among ${allOf(sql)} of ${sql}`)
    }
  }
})

void test('what only looks like a dangerous command is none', () => {
  for (const [sql, commands] of [
    ["SELECT 'DROP DATABASE shop'", 'SELECT'],
    ['SELECT $$; DROP DATABASE shop; $$', 'SELECT'],
    ['SELECT 1 -- ; DROP DATABASE shop', 'SELECT'],
    ['SELECT 1 /* ; DROP DATABASE shop; /* nested */ ; */', 'SELECT'],
    ['SELECT 1 AS "x; DROP DATABASE shop"', 'SELECT'],
    ["SELECT E'\\'; DROP DATABASE shop; --'", 'SELECT'],
    // Standard strings: the backslash does not hide the quote.
    ["SELECT '\\'; DROP DATABASE shop; --'", 'SELECT | DROP DATABASE'],
    ['SELECT drop, database FROM delete', 'SELECT delete'],
    ['SELECT t.delete, "do" FROM update t', 'SELECT update'],
  ] as const) {
    assert.equal(allOf(sql), commands, sql)
  }
})

/** Queries around a query. A writing query cannot stand in brackets; `asSelect` puts it into a WITH. */
const aroundQuery: readonly ((query: string) => string)[] = [
  (q) => `SELECT * FROM ( ${q} ) s`,
  (q) => `SELECT ( ${q} ) , 1`,
  (q) => `SELECT EXISTS ( ${q} ) , ARRAY ( ${q} )`,
  (q) => `WITH x AS ( ${q} ) SELECT 1`,
  (q) => `WITH RECURSIVE x AS NOT MATERIALIZED ( ${q} ) , y AS ( SELECT 1 ) TABLE x`,
  (q) => `SELECT 1 WHERE 1 IN ( ${q} ) AND NOT 2 = ANY ( ${q} )`,
  (q) => `VALUES ( 1 , ( ${q} ) )`,
  (q) => `SELECT 1 UNION ALL ( ${q} )`,
  (q) => `( ${q} ) EXCEPT SELECT 1`,
  (q) => `SELECT 1 FROM a , LATERAL ( ${q} ) l ( m )`,
  (q) => `SELECT 1 FROM a LEFT JOIN ( b CROSS JOIN ( ${q} ) c ) ON true`,
  (q) => `SELECT CASE WHEN EXISTS ( ${q} ) THEN 1 ELSE ( ${q} ) END`,
  (q) => `SELECT COALESCE ( 1 , ( ${q} ) ) :: text COLLATE "C"`,
  (q) => `SELECT count ( * ) FILTER ( WHERE EXISTS ( ${q} ) ) OVER ( ORDER BY ( ${q} ) )`,
  (q) => `SELECT 1 GROUP BY CUBE ( i , ( ${q} ) ) HAVING EXISTS ( ${q} )`,
  (q) => `SELECT 1 ORDER BY ( ${q} ) LIMIT ( ${q} ) OFFSET 1`,
  (q) => `SELECT a [ ( ${q} ) : 2 ] , ROW ( ( ${q} ) ) , ARRAY [ ( ${q} ) ]`,
  (q) => `SELECT lower ( ( ${q} ) ) , JSON_ARRAY ( ${q} ) , XMLELEMENT ( NAME x , ( ${q} ) )`,
  (q) => `SELECT * FROM generate_series ( 1 , ( ${q} ) ) WITH ORDINALITY`,
  (q) => `SELECT * FROM a TABLESAMPLE system ( ( ${q} ) ) REPEATABLE ( 1 )`,
  (q) => `SELECT JSON_OBJECT ( 'k' : ( ${q} ) ) , i BETWEEN ( ${q} ) AND 2 , i IS DISTINCT FROM ( ${q} )`,
  (q) => `SELECT extract ( year FROM ( ${q} ) ) , trim ( ( ${q} ) ) , ( ${q} ) AT TIME ZONE 'UTC'`,
  (q) => `WITH x AS ( INSERT INTO a ${q} RETURNING * ) TABLE x`,
  (q) => `WITH x AS ( INSERT INTO a VALUES ( 1 ) ON CONFLICT ( i ) DO UPDATE SET i = ( ${q} ) ) SELECT 1`,
  (q) => `WITH x AS ( UPDATE a SET ( i , j ) = ( ${q} ) WHERE i = 1 RETURNING ( ${q} ) ) SELECT 1`,
  (q) => `WITH x AS ( DELETE FROM a USING ( ${q} ) u WHERE a.i IN ( ${q} ) ) SELECT 1`,
  (q) => `WITH x AS ( MERGE INTO a USING ( ${q} ) u ON true WHEN MATCHED AND EXISTS ( ${q} ) THEN DELETE ) SELECT 1`,
  (q) => `WITH x AS ( MERGE INTO a USING b ON true WHEN NOT MATCHED THEN INSERT VALUES ( ( ${q} ) ) ) SELECT 1`,
]

const aroundStatement: readonly ((query: string) => string)[] = [
  (q) => q,
  (q) => `SELECT 1 ; ${q} ; SELECT 2`,
  (q) => `EXPLAIN ANALYZE ${q}`,
  (q) => `EXPLAIN ( VERBOSE , ANALYZE on ) CREATE TABLE x AS ${q}`,
  (q) => `COPY ( ${q} ) TO STDOUT`,
  (q) => `COPY ( ${q} ) TO PROGRAM 'x'`,
  (q) => `CREATE TABLE x AS ${q}`,
  (q) => `CREATE MATERIALIZED VIEW x AS ${q} WITH NO DATA`,
  (q) => `CREATE VIEW x AS ${q}`,
  (q) => `CREATE SCHEMA x CREATE VIEW y AS ${q}`,
  (q) => `CREATE TABLE x ( i int CHECK ( EXISTS ( ${q} ) ) )`,
  (q) => `ALTER TABLE x ALTER i TYPE int USING ( ${q} )`,
  (q) => `CREATE INDEX ON x ( ( ( ${q} ) ) ) WHERE EXISTS ( ${q} )`,
  (q) => `CREATE POLICY p ON x USING ( EXISTS ( ${q} ) )`,
  (q) => `DECLARE c CURSOR FOR ${q}`,
  (q) => `PREPARE p AS ${q}`,
  (q) => `EXECUTE p ( ( ${q} ) )`,
  (q) => `CALL p ( ( ${q} ) )`,
  (q) => `INSERT INTO a ${q}`,
  (q) => `UPDATE a SET i = ( ${q} )`,
  (q) => `DELETE FROM a WHERE i = ( ${q} )`,
]

const markers = [
  ['WITH m AS ( DELETE FROM s.victim ) SELECT 1', 'DELETE! s.victim'],
  ['WITH m AS ( DELETE FROM s.victim v WHERE v.i = 1 RETURNING 1 ) TABLE m', 'DELETE s.victim'],
  ['WITH m AS ( UPDATE s.victim SET i = 1 ) SELECT 1', 'UPDATE! s.victim'],
  ['WITH m AS ( INSERT INTO s.victim VALUES ( 1 ) ) SELECT 1', 'INSERT s.victim'],
  ['WITH m AS ( MERGE INTO s.victim USING a ON true WHEN MATCHED THEN DELETE ) SELECT 1', 'DELETE s.victim'],
  ['SELECT * FROM s.victim', 'SELECT s.victim'],
  ["SELECT set_config ( 'role' , 'x' , true )", 'SET ROLE'],
  ['SELECT purge ( )', 'OPAQUE'],
] as const

const spaces = [' ', '\n', '\t', '/**/', ' /* DROP /* x */ TABLE */ ', ' -- x\n', '\r\n', '\f'] as const

void test('whatever is written, read or called is listed or opaque, whatever it is nested in', () => {
  const seed = Number(process.hrtime.bigint() % 2_147_483_647n)
  fc.assert(
    fc.property(
      fc.constantFrom(...markers),
      fc.array(fc.constantFrom(...aroundQuery), { maxLength: 4 }),
      fc.constantFrom(...aroundStatement),
      fc.array(fc.constantFrom(...spaces), { minLength: 1, maxLength: 30 }),
      fc.boolean(),
      ([query, command], wrappers, statement, gaps, isLower) => {
        const nested = statement(wrappers.reduce<string>((inner, wrap) => wrap(inner), query))
        let gap = 0
        const spaced = nested.replaceAll(' ', () => gaps[gap++ % gaps.length] ?? ' ')
        const sql = isLower ? spaced.toLowerCase() : spaced
        const found = analyzeText(sql)
        assert.equal(found.syntaxError, null, `${sql}: ${found.syntaxError?.message}`)
        const [name = '', relation] = command.split(/ (?=s\.)/)
        const isListed = allOf(sql)
          .split(/; | \| /)
          .some((each) => each === command || (each.startsWith(name) && each.split(' ').includes(relation ?? name)))
        const isOpaque = found.statements.some((each) => each.opaque !== null)
        assert.ok(isListed || isOpaque, `${command} is not among ${allOf(sql)} of ${sql}`)
      },
    ),
    { numRuns: 1_000, seed },
  )
})
