import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { analyzeText } from './golden.ts'
import { openSession } from './testing-session.ts'
import type { Session } from './testing-session.ts'

let postgres: SandboxPostgres
let session: Session
before(async () => {
  postgres = await startPostgres()
  session = await openSession(postgres)
})
after(async () => {
  session.socket.destroy()
  await postgres.stop()
})

void test('the kind of a statement is the command tag that PostgreSQL gives it', async () => {
  // In this order, each runs on what those before it have left.
  const texts = `
    CREATE TABLE t (i int PRIMARY KEY, n text)
    CREATE TABLE p (i int) PARTITION BY LIST (i)
    CREATE TABLE p1 (i int)
    ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)
    ALTER TABLE p DETACH PARTITION p1
    ALTER TABLE t RENAME COLUMN n TO m
    ALTER TABLE t RENAME CONSTRAINT t_pkey TO t_key
    ALTER TABLE t OWNER TO postgres
    CREATE VIEW v AS SELECT * FROM t
    ALTER VIEW v RENAME COLUMN m TO o
    ALTER VIEW v SET SCHEMA public
    CREATE MATERIALIZED VIEW mv AS SELECT 1 AS i WITH NO DATA
    REFRESH MATERIALIZED VIEW mv
    ALTER MATERIALIZED VIEW mv RENAME TO mw
    CREATE RULE r AS ON DELETE TO v DO INSTEAD NOTHING
    ALTER RULE r ON v RENAME TO q
    CREATE SEQUENCE s
    ALTER SEQUENCE s RESTART
    ALTER SEQUENCE s RENAME TO s2
    CREATE INDEX x ON t (m)
    ALTER INDEX x RENAME TO y
    REINDEX TABLE t
    CLUSTER t USING y
    CREATE STATISTICS st ON i, m FROM t
    ALTER STATISTICS st SET STATISTICS 5
    CREATE TYPE ct AS (a int)
    ALTER TYPE ct RENAME ATTRIBUTE a TO b
    ALTER TYPE ct ADD ATTRIBUTE c int
    CREATE TYPE en AS ENUM ('a')
    ALTER TYPE en ADD VALUE 'b'
    ALTER TYPE en RENAME VALUE 'a' TO 'c'
    CREATE DOMAIN d AS int CONSTRAINT c CHECK (VALUE > 0)
    ALTER DOMAIN d RENAME CONSTRAINT c TO e
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'
    ALTER FUNCTION f() STABLE
    ALTER FUNCTION f() OWNER TO postgres
    CREATE PROCEDURE pr() LANGUAGE sql AS ''
    ALTER PROCEDURE pr() SECURITY DEFINER
    ALTER ROUTINE pr() SECURITY INVOKER
    CREATE AGGREGATE ag (int) (SFUNC = int4pl, STYPE = int)
    CREATE OPERATOR @+@ (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int)
    ALTER OPERATOR @+@ (int, int) OWNER TO postgres
    CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()
    ALTER TRIGGER tr ON t RENAME TO ts
    CREATE POLICY po ON t
    ALTER POLICY po ON t RENAME TO pp
    CREATE SCHEMA sc CREATE TABLE u (i int)
    ALTER SCHEMA sc RENAME TO sd
    CREATE COLLATION co FROM "C"
    ALTER COLLATION co RENAME TO cp
    CREATE TEXT SEARCH CONFIGURATION tsc (COPY = english)
    ALTER TEXT SEARCH CONFIGURATION tsc DROP MAPPING FOR word
    CREATE TEXT SEARCH DICTIONARY tsd (TEMPLATE = simple)
    CREATE CAST (ct AS text) WITH INOUT
    CREATE OPERATOR FAMILY ofa USING btree
    CREATE FOREIGN DATA WRAPPER w
    CREATE SERVER se FOREIGN DATA WRAPPER w
    CREATE USER MAPPING FOR postgres SERVER se
    CREATE FOREIGN TABLE ft (i int) SERVER se
    ALTER FOREIGN TABLE ft RENAME COLUMN i TO j
    CREATE PUBLICATION pu FOR TABLE t
    ALTER PUBLICATION pu DROP TABLE t
    CREATE USER us
    ALTER USER us CREATEDB
    ALTER ROLE us SET work_mem = '1MB'
    CREATE GROUP gr
    ALTER GROUP gr ADD USER us
    GRANT gr TO us
    REVOKE gr FROM us
    GRANT SELECT ON t TO us
    REVOKE SELECT ON t FROM us
    GRANT SET ON PARAMETER work_mem TO us
    ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO us
    COMMENT ON TABLE t IS 'x'
    CREATE DATABASE db
    ALTER DATABASE db CONNECTION LIMIT 3
    ALTER DATABASE db SET work_mem = '1MB'
    ALTER DATABASE db RENAME TO dc
    ALTER SYSTEM SET work_mem = '4MB'
    INSERT INTO t VALUES (1, 'x')
    UPDATE t SET m = 'y' WHERE i = 1
    DELETE FROM t WHERE i = 2
    MERGE INTO t USING p1 ON t.i = p1.i WHEN MATCHED THEN DO NOTHING
    WITH a AS (SELECT 1) INSERT INTO t SELECT 3, 'z'
    SELECT * FROM t
    VALUES (1)
    TABLE t
    BEGIN
    SET CONSTRAINTS ALL DEFERRED
    LOCK TABLE t
    SAVEPOINT sp
    RELEASE sp
    DECLARE cu CURSOR FOR SELECT * FROM t
    FETCH 1 FROM cu
    MOVE 1 FROM cu
    CLOSE cu
    END
    START TRANSACTION
    ABORT
    PREPARE pq AS SELECT 1
    DEALLOCATE pq
    LISTEN ch
    NOTIFY ch
    UNLISTEN ch
    SET work_mem = '1MB'
    RESET work_mem
    SHOW work_mem
    DO 'BEGIN END'
    CALL pr()
    EXPLAIN SELECT 1
    TRUNCATE t
    ANALYZE t
    VACUUM t
    CHECKPOINT
    LOAD 'plpgsql'
    DROP POLICY pp ON t
    DROP TRIGGER ts ON t
    DROP RULE q ON v
    DROP VIEW v
    DROP MATERIALIZED VIEW mw
    DROP TABLE t, p
    DROP SEQUENCE s2
    DROP TYPE en
    DROP DOMAIN d
    DROP FUNCTION f
    DROP ROUTINE pr
    DROP AGGREGATE ag (int)
    DROP OPERATOR @+@ (int, int)
    DROP CAST (ct AS text)
    DROP SCHEMA sd CASCADE
    DROP FOREIGN TABLE ft
    DROP USER MAPPING FOR postgres SERVER se
    DROP SERVER se
    DROP FOREIGN DATA WRAPPER w
    DROP PUBLICATION pu
    DROP DATABASE dc
    REASSIGN OWNED BY us TO postgres
    DROP OWNED BY us
    DROP USER us
    DROP GROUP gr`
    .trim()
    .split(/\s*\n\s*/)
  for (const sql of texts) {
    const { tags, error } = await session.query(sql)
    assert.equal(error, null, `${sql}: ${error?.message}`)
    assert.equal(analyzeText(sql).statements[0]?.kind, tags[0]?.replace(/( \d+)+$/, ''), sql)
  }
})

void test('where a kind says more than the command tag, it is on purpose', async () => {
  for (const [sql, tag, kind] of [
    ['CREATE TABLE ctas AS SELECT 1 AS i', 'SELECT 1', 'CREATE TABLE AS'],
    ['SELECT 1 AS i INTO si', 'SELECT 1', 'SELECT INTO'],
    ['SET ROLE postgres', 'SET', 'SET ROLE'],
    ['RESET ROLE', 'RESET', 'SET ROLE'],
    ['DISCARD ALL', 'DISCARD ALL', 'DISCARD'],
    ['SET SESSION AUTHORIZATION postgres', 'SET', 'SET SESSION AUTHORIZATION'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE', 'SET', 'SET TRANSACTION'],
    ["COPY ctas TO PROGRAM 'cat > /dev/null'", 'COPY 1', 'COPY TO PROGRAM'],
  ] as const) {
    const { tags, error } = await session.query(sql)
    assert.equal(error, null, `${sql}: ${error?.message}`)
    assert.equal(tags[0], tag, sql)
    assert.equal(analyzeText(sql).statements[0]?.kind, kind, sql)
  }
})

void test('the parts of a text are the statements that PostgreSQL runs', async () => {
  for (const sql of [
    'SELECT 1; SELECT 2',
    ";; SELECT ';', $$;$$; /* ; */ SHOW work_mem -- ;\n; BEGIN; END;",
    "SELECT U&'\\0027;'; SELECT E'\\';'; SELECT 'a' -- ;\n';'; SELECT \";\" FROM (SELECT 1 AS \";\") x",
    "SELECT 'größe;', '😀;'; SELECT 1",
    ';',
    '',
  ]) {
    const { tags, error } = await session.query(sql)
    assert.equal(error, null, sql)
    const kinds = analyzeText(sql).statements.map((statement) => statement.kind)
    assert.deepEqual(
      tags.map((tag) => tag.replace(/ \d+$/, '')),
      kinds[0] === 'EMPTY' ? [] : kinds,
      sql,
    )
  }
})

void test('a syntax error has the message and position of PostgreSQL', async () => {
  for (const sql of [
    'SELEC 1',
    'SELECT 1 FORM t x y',
    "SELECT 'ö', 😀 (",
    "SELECT 'x",
    'SELECT "x',
    'SELECT /* x',
    'SELECT $a$ x',
    'SELECT 1; SELECT 2; DROP TABEL x',
    'CREATE TABLE t (i int',
    "SELECT /* ö */ 'ö' NOT /* ö */ IN (2) FORM t, x",
    'SELECT ""',
    "SELECT U&'\\00zz'",
    "SELECT E'\\u00zz'",
    'SELECT 1 LIMIT 1 LIMIT 2',
    'EXPLAIN EXPLAIN SELECT 1',
    'SELECT * FROM a JOIN b',
    'INSERT INTO t DEFAULT',
    `SELECT ${'f('.repeat(6_000)}1${')'.repeat(6_000)}`,
  ]) {
    const { error } = await session.query(sql)
    const { syntaxError } = analyzeText(sql)
    assert.deepEqual(syntaxError, error === null ? null : { message: error.message, position: error.position }, sql)
  }
})
