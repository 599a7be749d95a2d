import { Family } from '../attack.ts'

const made = new Family('definitions of the attacker', { needs: 'ddl' })
for (const [create, read] of [
  ['CREATE VIEW mine AS SELECT email AS x FROM customers', 'SELECT x FROM mine'],
  ['CREATE VIEW mine (id) AS SELECT email FROM customers', 'SELECT * FROM mine'],
  ['CREATE VIEW mine AS TABLE customers', 'SELECT mine FROM mine'],
  ['CREATE TEMP VIEW mine AS SELECT email AS x FROM customers', 'SELECT x FROM mine'],
  ['CREATE TEMP VIEW orders AS SELECT email AS item FROM customers', 'SELECT item FROM orders'],
  ['CREATE VIEW mine WITH (security_barrier) AS SELECT full_name x FROM all_customers()', 'SELECT x FROM mine'],
  ['CREATE RECURSIVE VIEW mine (x) AS SELECT email FROM customers', 'SELECT x FROM mine'],
  [
    'CREATE OR REPLACE VIEW customer_list (key, label, city) AS SELECT id, city, email FROM customers',
    'SELECT city FROM customer_list',
  ],
  ['ALTER VIEW customer_list RENAME label TO other', 'SELECT other FROM customer_list'],
  ['ALTER VIEW customer_list RENAME TO mine', 'SELECT label FROM mine'],
  ['CREATE VIEW mine AS SELECT opaque_email(1) AS x', 'SELECT x FROM mine'],
  ["CREATE VIEW mine AS SELECT run('SELECT email FROM customers') AS x", 'SELECT x FROM mine'],
  ["CREATE FUNCTION mine() RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'", 'SELECT mine()'],
  [
    "CREATE FUNCTION mine() RETURNS SETOF text LANGUAGE sql AS 'SELECT email FROM customers'",
    'SELECT * FROM mine() AS id',
  ],
  ['CREATE FUNCTION mine() RETURNS text LANGUAGE sql RETURN (SELECT max(email) FROM customers)', 'SELECT mine()'],
  [
    'CREATE FUNCTION mine() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT max(email) FROM customers; END',
    'SELECT mine()',
  ],
  [
    "CREATE FUNCTION mine() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(email) FROM customers); END'",
    'SELECT mine()',
  ],
  [
    "CREATE FUNCTION mine(x text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN reverse(x); END'",
    'SELECT mine(email) FROM customers',
  ],
  [
    "CREATE FUNCTION mine(sql text) RETURNS text LANGUAGE plpgsql AS 'DECLARE r text; BEGIN EXECUTE sql INTO r; RETURN r; END'",
    "SELECT mine('SELECT email FROM customers')",
  ],
  [
    "CREATE OR REPLACE FUNCTION same(anyelement) RETURNS anyelement LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', (SELECT email FROM customers LIMIT 1); RETURN $1; END'",
    'SELECT same(1)',
  ],
  [
    "CREATE FUNCTION upper(int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers WHERE id = $1'",
    'SELECT upper(1)',
  ],
  [
    "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'; SET search_path = public, pg_catalog",
    "SELECT lower('x'::text)",
  ],
  [
    "CREATE FUNCTION mine(t text DEFAULT (opaque_email(1))) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT t'",
    'SELECT mine()',
  ],
  [
    "CREATE FUNCTION mine() RETURNS TABLE (a text, b numeric) LANGUAGE sql AS 'SELECT email, salary FROM customers'",
    'SELECT a, b FROM mine()',
  ],
  [
    "CREATE FUNCTION mine() RETURNS refcursor LANGUAGE plpgsql AS 'DECLARE c refcursor := ''cur''; BEGIN OPEN c FOR SELECT email FROM customers; RETURN c; END'; SELECT mine()",
    'FETCH ALL FROM cur',
  ],
  [
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql SET search_path = hr AS 'SELECT public.warn(name) FROM employees'",
    'SELECT mine()',
  ],
  [
    "CREATE FUNCTION mine() RETURNS text LANGUAGE sql SET search_path = hr AS 'SELECT name FROM employees'",
    'SELECT mine()',
  ],
  [
    "CREATE FUNCTION mine(text, text) RETURNS text LANGUAGE sql AS 'SELECT $2'; CREATE AGGREGATE mine_all (text) (SFUNC = mine, STYPE = text)",
    'SELECT mine_all(email) FROM customers',
  ],
  [
    "CREATE FUNCTION mine(int, text) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', $2; RETURN 1; END'; CREATE AGGREGATE mine_all (text) (SFUNC = mine, STYPE = int, INITCOND = 0)",
    'SELECT mine_all(email) FROM customers',
  ],
  [
    "CREATE FUNCTION mine(int, int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'; CREATE OPERATOR <<<< (LEFTARG = int, RIGHTARG = int, FUNCTION = mine)",
    'SELECT 1 <<<< 2',
  ],
  [
    "CREATE FUNCTION mine(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'; CREATE OPERATOR ==== (LEFTARG = text, RIGHTARG = text, FUNCTION = mine)",
    "SELECT id FROM customers WHERE email ==== 'x'",
  ],
  [
    "CREATE FUNCTION mine(text, text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'; CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = mine); SET search_path = public, pg_catalog",
    "SELECT id FROM customers WHERE email = 'x'::text",
  ],
  [
    "CREATE FUNCTION mine(mood) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'; CREATE CAST (mood AS text) WITH FUNCTION mine(mood)",
    "SELECT CAST('fine'::mood AS text)",
  ],
  [
    "CREATE FUNCTION mine(text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'; CREATE DOMAIN mine AS text CHECK (mine(VALUE))",
    'SELECT email::mine FROM customers',
  ],
  ['CREATE DOMAIN mine AS text', 'SELECT email::mine FROM customers'],
  ['CREATE TYPE mine AS (a text, b text)', 'SELECT ROW(email, full_name)::mine FROM customers'],
  ['CREATE TYPE mine AS (a text, b text)', 'SELECT (ROW(email, full_name)::mine).a FROM customers'],
  [
    'CREATE RULE mine AS ON INSERT TO notes DO ALSO SELECT email FROM customers',
    "INSERT INTO notes (body) VALUES ('x')",
  ],
  ['CREATE RULE mine AS ON UPDATE TO notes DO INSTEAD SELECT * FROM customers', "UPDATE notes SET body = 'x'"],
  ['CREATE RULE mine AS ON DELETE TO letters DO INSTEAD SELECT full_name FROM customers', 'DELETE FROM letters'],
  [
    "CREATE RULE mine AS ON INSERT TO notes DO ALSO UPDATE orders SET item = (SELECT email FROM customers LIMIT 1); INSERT INTO notes (body) VALUES ('x')",
    'SELECT item FROM orders',
  ],
  [
    "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', (SELECT email FROM customers LIMIT 1); RETURN NEW; END'; CREATE TRIGGER mine BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION mine()",
    "INSERT INTO notes (body) VALUES ('x')",
  ],
  [
    "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.city := NEW.email; RETURN NEW; END'; CREATE TRIGGER mine BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION mine(); UPDATE customers SET tier = 1",
    'SELECT city FROM customers',
  ],
  [
    "CREATE TRIGGER mine BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.simple', email); UPDATE customers SET tier = 1",
    'SELECT words FROM customers',
  ],
  [
    "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_notify(''mine'', NEW.email); RETURN NEW; END'; CREATE TRIGGER mine AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION mine()",
    'UPDATE customers SET tier = 1 RETURNING warn(email)',
  ],
  ['ALTER TABLE letters ADD x text DEFAULT opaque_email(1)', 'SELECT x FROM letters'],
  [
    'ALTER TABLE notes ALTER body SET DEFAULT customer_email(1); INSERT INTO notes (n) VALUES (1)',
    'SELECT body FROM notes',
  ],
  ['ALTER TABLE customers ADD x text GENERATED ALWAYS AS (upper(email)) STORED', 'SELECT x FROM customers'],
  ['ALTER TABLE customers ADD x text GENERATED ALWAYS AS (reverse(email)) VIRTUAL', 'SELECT x FROM customers'],
  ['ALTER TABLE accounts ALTER id TYPE text USING email', 'SELECT id FROM accounts'],
  ['ALTER TABLE staff ALTER id TYPE numeric USING wage', 'SELECT id FROM staff'],
  ['ALTER TABLE customers RENAME email TO x', 'SELECT x FROM customers'],
  [
    'ALTER TABLE customers RENAME email TO x; ALTER TABLE customers RENAME city TO email; ALTER TABLE customers RENAME x TO city',
    'SELECT city FROM customers',
  ],
  ['ALTER TABLE customers RENAME TO mine', 'SELECT email FROM mine'],
  ['ALTER TABLE customers RENAME TO mine; CREATE TABLE customers (x int)', 'SELECT * FROM mine'],
  ['CREATE SCHEMA mine; ALTER TABLE customers SET SCHEMA mine', 'SELECT email FROM mine.customers'],
  ['ALTER SCHEMA hr RENAME TO mine', 'SELECT iban FROM mine.employees'],
  ['ALTER TABLE staff ALTER name TYPE varchar(100)', 'SELECT name FROM staff'],
  ['ALTER TABLE staff ALTER name TYPE text COLLATE "C"', 'SELECT name FROM staff'],
  ['CREATE TABLE mine (id int, email text); ALTER TABLE customers INHERIT mine', 'SELECT email FROM mine'],
  ['CREATE TABLE mine (id int, full_name text); ALTER TABLE customers INHERIT mine', 'SELECT mine FROM mine'],
  [
    "CREATE TABLE mine (id int, region text, person text) PARTITION BY LIST (region); ALTER TABLE people DETACH PARTITION people_eu; ALTER TABLE mine ATTACH PARTITION people_eu FOR VALUES IN ('eu')",
    'SELECT person FROM mine',
  ],
  ['ALTER TABLE people DETACH PARTITION people_eu', 'SELECT person FROM people_eu'],
  ['ALTER TABLE vip_members NO INHERIT members', 'SELECT code FROM vip_members'],
  [
    'CREATE TABLE mine (code text REFERENCES customers (card) ON UPDATE CASCADE); INSERT INTO mine SELECT card FROM customers',
    'SELECT code FROM mine',
  ],
  [
    "CREATE FUNCTION mine(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN 1; END'; CREATE INDEX mine ON customers (mine(email))",
    'SELECT 1',
  ],
  ['CREATE INDEX mine ON customers ((email::int))', 'SELECT 1'],
  ["CREATE INDEX mine ON customers ((1 / 0)) WHERE email > ''", 'SELECT 1'],
  [
    'CREATE INDEX mine ON customers (upper(email)); CREATE STATISTICS mine_s ON (reverse(email)), city FROM customers; ANALYZE customers',
    "SELECT histogram_bounds FROM pg_stats_ext_exprs WHERE statistics_name = 'mine_s'",
  ],
  ['CREATE UNIQUE INDEX mine ON customers (left(phone, 100))', 'SELECT 1'],
  ['ALTER TABLE customers ADD UNIQUE (phone)', 'SELECT 1'],
  ['ALTER TABLE staff ALTER name TYPE int USING name::int', 'SELECT 1'],
  ['ALTER TABLE hr.employees ALTER iban TYPE date USING iban::date', 'SELECT 1'],
  ['ALTER TABLE customers ADD CONSTRAINT mine EXCLUDE (phone WITH =)', 'SELECT 1'],
  ['ALTER TABLE customers ADD CONSTRAINT mine EXCLUDE ((upper(phone)) WITH =)', 'SELECT 1'],
  [
    "ALTER TABLE notes ADD CONSTRAINT mine CHECK (warn(opaque_email(1)) = 1); INSERT INTO notes (body) VALUES ('x')",
    'SELECT 1',
  ],
  ['ALTER TABLE payments ADD FOREIGN KEY (card) REFERENCES strongroom (label)', 'SELECT 1'],
  ['ALTER TABLE customers ADD FOREIGN KEY (email) REFERENCES payments (card)', 'SELECT 1'],
  [
    'CREATE TABLE parent (x text UNIQUE); ALTER TABLE customers ADD FOREIGN KEY (email) REFERENCES parent (x)',
    'SELECT 1',
  ],
  ['CREATE TABLE parent (x text); ALTER TABLE customers ADD CONSTRAINT f CHECK (fail(email) = 1)', 'SELECT 1'],
  [
    "CREATE TABLE mine PARTITION OF people FOR VALUES IN ('x'); ALTER TABLE people DETACH PARTITION people_eu; ALTER TABLE people ATTACH PARTITION people_eu FOR VALUES IN ('y')",
    'SELECT 1',
  ],
  [
    'CREATE POLICY mine ON notes USING (warn(opaque_email(1)) = 1); ALTER TABLE notes ENABLE ROW LEVEL SECURITY',
    'SELECT 1',
  ],
  ["COMMENT ON COLUMN customers.email IS 'none'", 'SELECT email FROM customers'],
  ['COMMENT ON COLUMN staff.name IS NULL', 'SELECT name FROM staff'],
  ["COMMENT ON COLUMN staff.wage IS 'nothing'", 'SELECT wage FROM staff'],
  [
    "CREATE FUNCTION mine() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', (SELECT email FROM public.customers LIMIT 1); END'; CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION mine()",
    'CREATE TABLE x (y int)',
  ],
  [
    "CREATE SERVER mine FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'shop', port 'PORT', host 'SOCKET'); CREATE USER MAPPING FOR attacker SERVER mine OPTIONS (user 'postgres', password_required 'false'); CREATE USER MAPPING FOR postgres SERVER mine OPTIONS (user 'postgres', password_required 'false'); CREATE FOREIGN TABLE mine (id int, email text) SERVER mine OPTIONS (table_name 'customers')",
    'SELECT email FROM mine',
  ],
] as const) {
  const isHarmless = read === 'SELECT 1' && /FOREIGN KEY|POLICY|\(1 \/ 0\)|INHERIT|DETACH/.test(create)
  const needs = /EVENT TRIGGER|CREATE SERVER/.test(create) ? 'all' : 'ddl'
  // Function bodies hold semicolons too: only one behind which a command begins divides statements.
  const steps = create.split(
    /; (?=(?:ALTER|CREATE|SET|SELECT mine|INSERT INTO notes \(|INSERT INTO mine|UPDATE customers|ANALYZE)\b)/,
  )
  made.inside([...steps, read], {
    needs,
    name: `${create}; ${read}`,
    ...(isHarmless ? { harmless: 'its error names no value' } : {}),
  })
}
made.try(['CREATE VIEW mine AS SELECT email AS x FROM customers', 'SELECT x FROM mine'], {
  undo: ['DROP VIEW IF EXISTS mine'],
  name: 'a view, committed',
})
made.try(
  [
    'CREATE VIEW mine AS SELECT city AS x FROM customers',
    'CREATE OR REPLACE VIEW mine AS SELECT email AS x FROM customers',
    'SELECT x FROM mine',
  ],
  { undo: ['DROP VIEW IF EXISTS mine'], name: 'a view that is replaced, committed' },
)
made.try(
  [
    'CREATE VIEW mine AS SELECT city AS x FROM customers; SELECT x FROM mine; CREATE OR REPLACE VIEW mine AS SELECT email AS x FROM customers; SELECT x FROM mine',
  ],
  { undo: ['DROP VIEW IF EXISTS mine'], name: 'a view that is replaced, in one text' },
)
made.try(
  [
    'PREPARE p AS SELECT x FROM mine',
    'CREATE VIEW mine AS SELECT email AS x FROM customers',
    'PREPARE p AS SELECT x FROM mine',
    'EXECUTE p',
  ],
  { undo: ['DROP VIEW IF EXISTS mine'], name: 'a view made before a statement that is prepared again' },
)
made.try(
  [
    "CREATE FUNCTION mine() RETURNS text LANGUAGE sql AS 'SELECT city FROM customers LIMIT 1'",
    'PREPARE p AS SELECT mine()',
    'EXECUTE p',
    "CREATE OR REPLACE FUNCTION mine() RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'",
    'EXECUTE p',
  ],
  { undo: ['DROP FUNCTION IF EXISTS mine()'], name: 'a function that is replaced under a prepared statement' },
)
made.try(
  [
    'CREATE VIEW mine AS SELECT city AS x FROM customers',
    'PREPARE p AS SELECT x FROM mine',
    'EXECUTE p',
    'CREATE OR REPLACE VIEW mine AS SELECT email AS x FROM customers',
    'EXECUTE p',
  ],
  { undo: ['DROP VIEW IF EXISTS mine'], name: 'a view that is replaced under a prepared statement' },
)
made.try(
  [
    'PREPARE p AS SELECT city FROM customers',
    'EXECUTE p',
    'BEGIN',
    'ALTER TABLE customers RENAME city TO town',
    'ALTER TABLE customers RENAME email TO city',
    'EXECUTE p',
    'ROLLBACK',
  ],
  { name: 'columns that change names under a prepared statement' },
)
made.try(['ALTER TABLE customers RENAME email TO x', 'SELECT x FROM customers'], {
  undo: [
    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attname = 'x') THEN ALTER TABLE customers RENAME x TO email; END IF; END $$",
  ],
  name: 'a renamed column, committed',
})
made.try(
  [
    'CREATE RULE mine AS ON INSERT TO notes DO ALSO SELECT email FROM customers',
    "INSERT INTO notes (body) VALUES ('x')",
  ],
  { undo: ['DROP RULE IF EXISTS mine ON notes', 'DELETE FROM notes'], name: 'a rule, committed' },
)
made.try(
  [
    "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', (SELECT email FROM customers LIMIT 1); RETURN NEW; END'",
    'CREATE TRIGGER mine BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION mine()',
    "INSERT INTO notes (body) VALUES ('x')",
  ],
  {
    undo: ['DROP TRIGGER IF EXISTS mine ON notes', 'DROP FUNCTION IF EXISTS mine()', 'DELETE FROM notes'],
    name: 'a trigger, committed',
  },
)
made.try(
  [
    "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_notify(''mine'', NEW.email); RETURN NEW; END'",
    'CREATE TRIGGER mine AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION mine()',
    'LISTEN mine',
    'ALTER TABLE customers DISABLE TRIGGER note_change',
    'UPDATE customers SET tier = tier',
  ],
  {
    undo: [
      'DROP TRIGGER IF EXISTS mine ON customers',
      'DROP FUNCTION IF EXISTS mine()',
      'ALTER TABLE customers ENABLE TRIGGER note_change',
      'DELETE FROM audit',
    ],
    name: 'a trigger that notifies, committed',
  },
)
made.try(['CREATE TABLE mine (id int, email text)', 'ALTER TABLE customers INHERIT mine', 'SELECT email FROM mine'], {
  undo: ['ALTER TABLE customers NO INHERIT mine', 'DROP TABLE IF EXISTS mine'],
  name: 'a parent, committed',
  harmless: '',
})
made.try(
  [
    'CREATE SCHEMA mine',
    'CREATE VIEW mine.letters AS SELECT full_name AS ch FROM customers',
    'SET search_path = mine, public',
    'SELECT ch FROM letters',
  ],
  { undo: ['DROP SCHEMA IF EXISTS mine CASCADE'], name: 'a schema in front, committed' },
)

const paths = new Family('search paths and names', { needs: 'ddl' })
for (const steps of [
  ['SET search_path = hr', 'SELECT name FROM employees'],
  ['SET search_path = hr, public', 'SELECT iban FROM employees, customers'],
  ["SELECT set_config('search_path', 'hr', false)", 'SELECT name FROM employees'],
  ['SET LOCAL search_path = hr', 'SELECT name FROM employees'],
  [
    'CREATE SCHEMA mine',
    'CREATE TABLE mine.customers (id int, email text)',
    'SET search_path = mine, public',
    'PREPARE p AS SELECT email FROM customers',
    'SET search_path = public',
    'EXECUTE p',
  ],
  [
    'CREATE SCHEMA mine',
    'CREATE TABLE mine.customers (id int, email text)',
    'SET search_path = mine',
    'DROP TABLE mine.customers',
    'SET search_path = public',
    'SELECT email FROM customers',
  ],
  [
    'CREATE TEMP TABLE customers (id int, email text)',
    'PREPARE p AS SELECT email FROM customers',
    'DROP TABLE pg_temp.customers',
    'EXECUTE p',
  ],
  [
    'CREATE TEMP TABLE customers (id int, email text)',
    'SAVEPOINT s',
    'ROLLBACK TO s',
    'DROP TABLE customers',
    'SELECT email FROM customers',
  ],
  ['CREATE TEMP TABLE letters (ch text)', 'INSERT INTO letters SELECT email FROM customers', 'SELECT ch FROM letters'],
  ['CREATE TEMP VIEW letters AS SELECT email ch FROM customers', 'SELECT ch FROM letters'],
  ['CREATE TEMP VIEW letters AS SELECT email ch FROM customers', 'SELECT ch FROM pg_temp.letters'],
  [
    'CREATE SCHEMA mine',
    'CREATE VIEW mine.letters AS SELECT email ch FROM customers',
    'SET search_path = mine, public',
    'SELECT ch FROM letters',
  ],
  [
    'CREATE SCHEMA mine',
    'CREATE VIEW mine.letters AS SELECT email ch FROM customers',
    'PREPARE p AS SELECT ch FROM letters',
    'SET search_path = mine, public',
    'EXECUTE p',
  ],
  [
    'CREATE SCHEMA mine',
    'CREATE VIEW mine.letters AS SELECT email ch FROM customers',
    'SAVEPOINT s',
    'SET search_path = mine',
    'SELECT ch FROM letters',
  ],
  [
    'CREATE SCHEMA mine',
    'CREATE VIEW mine.letters AS SELECT email ch FROM customers',
    'ALTER SCHEMA public RENAME TO old',
    'ALTER SCHEMA mine RENAME TO public',
    'SELECT ch FROM letters',
  ],
  [
    'ALTER TABLE letters RENAME TO old',
    'CREATE VIEW letters AS SELECT email AS ch FROM customers',
    'SELECT ch FROM letters',
  ],
  [
    'ALTER TABLE letters RENAME TO old',
    'ALTER TABLE customers RENAME TO letters',
    'SELECT email FROM letters',
    'SELECT * FROM letters',
  ],
  [
    'DROP TABLE letters',
    'CREATE TABLE letters (ch text)',
    'ALTER TABLE customers RENAME TO c',
    'INSERT INTO letters SELECT email FROM c',
    'SELECT ch FROM letters',
  ],
  ['SET search_path = "$user", public', 'SELECT email FROM customers'],
  ["SET search_path = ''", 'SELECT email FROM public.customers'],
  [
    'CREATE VIEW public.pg_class AS SELECT email AS relname FROM customers',
    'SET search_path = public, pg_catalog',
    'SELECT relname FROM pg_class',
  ],
  ['CREATE VIEW "Customers" AS SELECT email AS "Email" FROM customers', 'SELECT "Email" FROM "Customers"'],
  ['CREATE VIEW "ソ表" AS SELECT email AS "名前" FROM customers', 'SELECT "名前" FROM "ソ表"'],
  [`CREATE VIEW "${'v'.repeat(63)}" AS SELECT email AS x FROM customers`, `SELECT x FROM ${'v'.repeat(80)}`],
  [
    'CREATE SCHEMA mine AUTHORIZATION postgres CREATE VIEW v AS SELECT email AS x FROM public.customers',
    'SELECT x FROM mine.v',
  ],
])
  paths.inside(steps, { name: steps.join('; ').slice(0, 150) })
paths.try(['SET search_path = hr', 'SELECT name FROM employees'], { needs: 'write' })
paths.try('SELECT name FROM employees', { needs: 'write', startUp: { options: '-c search_path=hr' } })
paths.try('SELECT name FROM employees', { needs: 'write', startUp: { search_path: 'hr, public' } })
paths.try(['SET search_path = hr; SELECT name FROM employees'], { needs: 'write' })
paths.try([{ sql: 'SET search_path = hr' }, { sql: 'SELECT name FROM employees' }], {
  needs: 'write',
  protocol: 'pipeline',
})
paths.try([{ sql: "SELECT set_config('search_path', 'hr', false)" }, { sql: 'SELECT name FROM employees' }], {
  needs: 'write',
  protocol: 'pipeline',
})
paths.try([{ sql: 'BEGIN' }, { sql: 'SET LOCAL search_path = hr' }, { sql: 'SELECT * FROM employees' }], {
  needs: 'write',
  protocol: 'pipeline',
})

const meanwhile = new Family('changes past the gateway', { needs: 'write' })
meanwhile.try(
  [
    'SELECT city FROM customers',
    { meanwhile: 'CREATE VIEW newly AS SELECT email AS x FROM customers' },
    'SELECT x FROM newly',
  ],
  { undo: ['DROP VIEW IF EXISTS newly'] },
)
meanwhile.try(
  [
    { meanwhile: "CREATE FUNCTION newly() RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'" },
    'SELECT newly()',
  ],
  { undo: ['DROP FUNCTION IF EXISTS newly()'] },
)
meanwhile.try(
  [
    {
      meanwhile:
        'CREATE TABLE newly AS SELECT 1 AS id; ALTER TABLE newly ADD x text; UPDATE newly SET x = (SELECT email FROM customers LIMIT 1)',
    },
    'SELECT x FROM newly',
  ],
  {
    undo: ['DROP TABLE IF EXISTS newly'],
    expectation: { stated: 'a table that somebody else filled and nobody classified is not classified' },
  },
)
meanwhile.try([{ meanwhile: 'ALTER TABLE customers RENAME phone TO phone2' }, 'SELECT phone2 FROM customers'], {
  undo: ['ALTER TABLE customers RENAME phone2 TO phone'],
})
meanwhile.try(
  [
    { meanwhile: 'ALTER TABLE customers RENAME city TO town; ALTER TABLE customers RENAME email TO city' },
    'SELECT city FROM customers',
  ],
  { undo: ['ALTER TABLE customers RENAME city TO email', 'ALTER TABLE customers RENAME town TO city'] },
)
meanwhile.try(
  [
    {
      meanwhile:
        'ALTER TABLE customers RENAME TO clients; CREATE VIEW customers AS SELECT id, email AS city FROM clients',
    },
    'SELECT city FROM customers',
  ],
  {
    undo: ['DROP VIEW customers', 'ALTER TABLE clients RENAME TO customers'],
    expectation: {
      stated:
        'a relation of a known name is another until the catalog is read again; its own columns are seen by their origin',
    },
  },
)
meanwhile.try(
  [
    'SELECT label FROM customer_list WHERE false',
    { meanwhile: 'CREATE OR REPLACE VIEW customer_list (key, label, city) AS SELECT id, city, email FROM customers' },
    'SELECT city FROM customer_list',
  ],
  {
    undo: ['CREATE OR REPLACE VIEW customer_list (key, label, city) AS SELECT id, email, city FROM customers'],
    expectation: { stated: 'a view that is replaced past the gateway counts once the catalog is read again' },
  },
)

/** What the attacker defines, redefines and renames. */
export const definitionAttacks = [made, paths, meanwhile].flatMap(({ attacks }) => attacks)
