import assert from 'node:assert/strict'
import { test } from 'node:test'
import { analyzeOne, assertGolden } from './golden.ts'

void test('transaction statements have their PostgreSQL names in every spelling', () => {
  assertGolden([
    ['BEGIN', 'BEGIN'],
    ['begin work isolation level serializable, read only', 'BEGIN'],
    ['START TRANSACTION READ WRITE', 'START TRANSACTION'],
    ['COMMIT', 'COMMIT'],
    ['END', 'COMMIT'],
    ['COMMIT AND CHAIN', 'COMMIT'],
    ['ROLLBACK', 'ROLLBACK'],
    ['ABORT', 'ROLLBACK'],
    ['SAVEPOINT a', 'SAVEPOINT'],
    ['RELEASE a', 'RELEASE'],
    ['ROLLBACK TO a', 'ROLLBACK TO SAVEPOINT'],
    ['ROLLBACK WORK TO SAVEPOINT a', 'ROLLBACK TO SAVEPOINT'],
    ["PREPARE TRANSACTION 'x'", 'PREPARE TRANSACTION'],
    ["COMMIT PREPARED 'x'", 'COMMIT PREPARED'],
    ["ROLLBACK PREPARED 'x'", 'ROLLBACK PREPARED'],
  ])
})

void test('a change of role is its own command, however it is spelt', () => {
  assertGolden([
    ['SET ROLE dba', 'SET ROLE'],
    ["set local role 'dba'", 'SET ROLE'],
    ['SET SESSION ROLE NONE', 'SET ROLE'],
    ['SET role = dba', 'SET ROLE'],
    ['SET role TO DEFAULT', 'SET ROLE'],
    ['SET "role" TO dba', 'SET ROLE'],
    ['SET "ROLE" TO dba', 'SET ROLE'],
    ['SET U&"\\0072ole" TO dba', 'SET ROLE'],
    ['SET/**/ROLE/**/dba', 'SET ROLE'],
    ['RESET ROLE', 'SET ROLE'],
    ['RESET "Role"', 'SET ROLE'],
    ['SET SESSION AUTHORIZATION dba', 'SET SESSION AUTHORIZATION'],
    ['SET LOCAL SESSION AUTHORIZATION DEFAULT', 'SET SESSION AUTHORIZATION'],
    ['SET session_authorization = dba', 'SET SESSION AUTHORIZATION'],
    ['SET "Session_Authorization" TO dba', 'SET SESSION AUTHORIZATION'],
    ['RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION'],
    ['RESET session_authorization', 'SET SESSION AUTHORIZATION'],
  ])
})

void test('other settings and session commands have their PostgreSQL names', () => {
  assertGolden([
    ['SET search_path = shop, public', 'SET'],
    ["SET LOCAL work_mem TO '1GB'", 'SET'],
    ['SET TIME ZONE LOCAL', 'SET'],
    ["SET NAMES 'SJIS'", 'SET'],
    ["SET SCHEMA 'x'", 'SET'],
    ['SET XML OPTION DOCUMENT', 'SET'],
    ['SET my.role = dba', 'SET'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'SET TRANSACTION'],
    ['SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'SET TRANSACTION'],
    ["SET TRANSACTION SNAPSHOT 'x'", 'SET TRANSACTION'],
    ['SET CONSTRAINTS ALL DEFERRED', 'SET CONSTRAINTS'],
    ['SET CONSTRAINTS shop.fk IMMEDIATE', 'SET CONSTRAINTS'],
    ['RESET search_path', 'RESET'],
    ['RESET TIME ZONE', 'RESET'],
    ['RESET ALL', 'RESET'],
    ['SHOW ALL', 'SHOW'],
    ['SHOW role', 'SHOW'],
    ['DISCARD ALL', 'DISCARD'],
    ['DISCARD TEMP', 'DISCARD'],
    ['DEALLOCATE PREPARE p', 'DEALLOCATE'],
    ['DEALLOCATE ALL', 'DEALLOCATE'],
    ['CLOSE c', 'CLOSE CURSOR'],
    ['CLOSE ALL', 'CLOSE CURSOR'],
    ['LISTEN ch', 'LISTEN'],
    ['UNLISTEN *', 'UNLISTEN'],
    ["NOTIFY ch, 'x'", 'NOTIFY'],
    ['LOCK TABLE t IN ACCESS SHARE MODE', 'LOCK TABLE t'],
    // What keeps others from their work asks for more than reading does.
    ['LOCK t', 'LOCK TABLE t; UPDATE t'],
    ['LOCK TABLE t IN ROW SHARE MODE', 'LOCK TABLE t; UPDATE t'],
    ['LOCK TABLE ONLY s.a, b IN SHARE MODE NOWAIT', 'LOCK TABLE s.a b; UPDATE s.a b'],
  ])
})

void test('FETCH and MOVE name their cursor', () => {
  assertGolden([
    ['FETCH ALL FROM c', 'FETCH'],
    ['MOVE FORWARD 3 IN c', 'MOVE'],
  ])
  assert.equal(analyzeOne('FETCH 1 "C d"').names.fetches, 'C d')
  assert.equal(analyzeOne('MOVE NEXT FROM c').names.fetches, 'c')
})

void test('what may change a setting says so, and nothing else does', () => {
  const quiet = [
    'BEGIN',
    'SAVEPOINT a',
    'RELEASE a',
    'SHOW ALL',
    'SELECT * FROM t',
    'EXPLAIN DELETE FROM t',
    'COPY t TO STDOUT',
    'DECLARE c CURSOR FOR SELECT 1',
    'CLOSE c',
    'PREPARE p AS DELETE FROM t',
    'DEALLOCATE p',
    'LISTEN a',
    'LOCK TABLE t',
    'VACUUM t',
    "ALTER ROLE x SET search_path = 'y'",
    'ALTER DATABASE x SET role = y',
    'ALTER SYSTEM SET work_mem = 1',
    'INSERT INTO t VALUES (1)',
    'UPDATE t SET i = 1 WHERE i = 2',
    'DELETE FROM t WHERE i = 2',
    'MERGE INTO t USING s ON true WHEN MATCHED THEN DO NOTHING',
    'TRUNCATE t',
    'COPY t FROM STDIN',
    'COPY (DELETE FROM t RETURNING *) TO STDOUT',
    'WITH d AS (DELETE FROM t) SELECT 1',
    'EXPLAIN ANALYZE DELETE FROM t',
  ]
  const noisy = [
    'SET a.b = 1',
    'SET LOCAL standard_conforming_strings = off',
    'RESET a.b',
    'RESET ALL',
    'DISCARD ALL',
    'COMMIT',
    'ROLLBACK',
    'ROLLBACK TO a',
    "PREPARE TRANSACTION 'x'",
    'SET CONSTRAINTS ALL IMMEDIATE',
    'EXECUTE p',
    'EXPLAIN ANALYZE EXECUTE p',
    'FETCH c',
    'MOVE c',
    'DO $$ BEGIN END $$',
    'CALL p()',
    "LOAD 'x'",
    'CREATE TABLE t (i int)',
    'CREATE TABLE t AS SELECT 1',
    'SELECT 1 INTO t',
    'SELECT unknown()',
    "SELECT set_config('a.b', 'c', false)",
    "DECLARE c CURSOR FOR SELECT set_config('a.b', 'c', false)",
  ]
  for (const sql of quiet) assert.equal(analyzeOne(sql).mayChangeSettings, false, sql)
  for (const sql of noisy) assert.equal(analyzeOne(sql).mayChangeSettings, true, sql)
})
