import { Family } from '../attack.ts'

const returning = new Family('returning')
for (const sql of [
  'UPDATE customers SET city = city RETURNING email',
  'UPDATE customers SET city = city RETURNING *',
  'UPDATE customers SET city = city RETURNING customers',
  'UPDATE customers SET city = city RETURNING old.email',
  'UPDATE customers SET city = city RETURNING new.full_name, old.*',
  'UPDATE customers SET city = city RETURNING WITH (OLD AS o, NEW AS n) o.email, n.*',
  'UPDATE customers SET city = city RETURNING WITH (OLD AS o) o',
  'UPDATE customers c SET city = city RETURNING upper(c.email)',
  'UPDATE customers SET city = city RETURNING (SELECT max(email) FROM customers)',
  'UPDATE customers SET city = city RETURNING to_jsonb(new)',
  "UPDATE orders SET item = 'x' FROM customers c WHERE c.id = customer_id RETURNING c.email",
  'UPDATE orders SET item = c.email FROM customers c WHERE c.id = customer_id RETURNING orders.item',
  'UPDATE orders SET item = (SELECT email FROM customers c WHERE c.id = customer_id) RETURNING item',
  'UPDATE orders SET (item, note) = (SELECT email, full_name FROM customers c WHERE c.id = customer_id) RETURNING item',
  'UPDATE orders SET item = item RETURNING note',
  'UPDATE accounts SET id = id RETURNING email_copy',
  'UPDATE young SET id = id RETURNING full_name',
  'DELETE FROM payments RETURNING card',
  'DELETE FROM accounts RETURNING *',
  'DELETE FROM orders USING customers c WHERE c.id = customer_id RETURNING c.full_name',
  'DELETE FROM staff RETURNING old.name, old.wage',
  'DELETE FROM members RETURNING code',
  'INSERT INTO notes (body) SELECT email FROM customers RETURNING body',
  'INSERT INTO notes (body) VALUES ((SELECT email FROM customers LIMIT 1)) RETURNING *',
  'INSERT INTO orders (id, customer_id) VALUES (99, 1) RETURNING note',
  'INSERT INTO orders (id, customer_id) VALUES (99, 1) RETURNING orders',
  'INSERT INTO accounts (id, email) SELECT 9, email FROM customers LIMIT 1 RETURNING email_copy',
  "INSERT INTO customers (id, email, full_name, card) VALUES (1, 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET city = 'x' RETURNING email, old.full_name",
  "INSERT INTO customers (id, email, full_name, card) VALUES (1, 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET city = customers.email RETURNING city",
  'INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET item = (SELECT email FROM customers LIMIT 1) RETURNING item',
  'MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN UPDATE SET item = c.email RETURNING o.item',
  'MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING c.email',
  'MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN UPDATE SET total = 1 RETURNING merge_action(), c.*',
  "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET city = 'x' RETURNING old.email, c.full_name",
  'MERGE INTO notes n USING customers c ON false WHEN NOT MATCHED THEN INSERT (body) VALUES (c.email) RETURNING body',
])
  returning.inside([sql], { on: ['simple', 'binary'] })
returning.inside(['COPY (UPDATE customers SET city = city RETURNING email) TO STDOUT'])
returning.inside(['COPY (DELETE FROM payments RETURNING *) TO STDOUT (FORMAT csv)'])

const copies = new Family('copies into other tables')
const readBack = () => 'SELECT * FROM notes ORDER BY id'
for (const sql of [
  'INSERT INTO notes (body) SELECT email FROM customers',
  'INSERT INTO notes (body) SELECT md5(full_name) FROM customers',
  'INSERT INTO notes (body) SELECT c::text FROM customers c',
  "INSERT INTO notes (body) VALUES ((SELECT string_agg(email, ',') FROM customers))",
  'INSERT INTO notes (n) SELECT salary FROM customers',
  'INSERT INTO notes (d) SELECT birth_date FROM customers',
  'INSERT INTO notes (blob) SELECT photo FROM customers',
  'INSERT INTO notes (list) SELECT tags FROM customers',
  'INSERT INTO notes (list[1]) SELECT email FROM customers',
  'INSERT INTO notes (j) SELECT profile FROM customers',
  'INSERT INTO notes (j) SELECT to_jsonb(c) FROM customers c',
  'INSERT INTO notes (body) SELECT label FROM customer_list',
  'INSERT INTO notes (body) SELECT customer_email(1)',
  'INSERT INTO notes (body) SELECT opaque_email(1)',
  "INSERT INTO notes (body) SELECT run('SELECT email FROM customers')",
  'INSERT INTO notes (body) WITH x AS (SELECT email FROM customers) TABLE x',
  'INSERT INTO notes (body) SELECT item FROM orders UNION ALL SELECT email FROM customers',
  'WITH x AS (INSERT INTO notes (body) SELECT email FROM customers RETURNING 1) SELECT count(*) FROM x',
  'INSERT INTO inbox VALUES (1)',
  'UPDATE notes SET body = c.email FROM customers c WHERE c.id = notes.id',
  'MERGE INTO notes n USING customers c ON n.id = -c.id WHEN NOT MATCHED THEN INSERT (body) VALUES (c.full_name)',
  'CALL store_email()',
  'DO $$ BEGIN INSERT INTO notes (body) SELECT email FROM customers; END $$',
  'INSERT INTO notes (id, body) SELECT l.n + 10, ch FROM customers c, generate_series(1, 16) l (n), letters WHERE c.id = 1 AND ch = substr(c.full_name, l.n, 1)',
])
  copies.inside(["INSERT INTO notes (id, body) VALUES (1, 'x'), (2, 'y')", sql, readBack()], {
    needs: /^(CALL|DO)/.test(sql) ? 'all' : 'write',
    name: sql,
  })
copies.inside(['UPDATE customers SET city = email', 'SELECT city FROM customers'])
copies.inside([
  "UPDATE customers SET city = 'x', phone = full_name",
  'SELECT city FROM customers',
  'SELECT phone FROM customers',
])
copies.inside(['UPDATE customers SET contact = full_name', 'SELECT contact FROM customers'], {
  name: 'from one classified column into another of another tag',
})
copies.inside(["UPDATE customers SET email = full_name || '@x'", 'SELECT email FROM customers'], {
  name: 'from a redacted column into a partial one',
})
copies.inside(
  [
    "UPDATE customers SET email = substr(full_name, id, 1) || '@a.b' || substr(full_name, id + 1, 1)",
    'SELECT email FROM customers',
  ],
  { name: 'into what partial masking shows', harmless: 'masking by shape is what shows it' },
)
copies.inside(['UPDATE customers SET tier = ascii(full_name)', 'SELECT tier FROM customers'], {
  harmless: 'one letter is less than the search knows',
})
copies.inside(['UPDATE customers SET city = city', 'SELECT what FROM audit'], {
  name: 'an audit trigger that is there',
})
copies.inside(["UPDATE customers SET city = 'x' WHERE id = 1", 'SELECT * FROM audit'], {
  name: 'an audit trigger that is there, one row',
})
copies.inside(['INSERT INTO orders (id, customer_id) VALUES (98, 2)', 'SELECT note FROM orders'], {
  name: 'a BEFORE trigger that is there',
})
copies.inside([
  "UPDATE accounts SET email = 'zz' || (SELECT email FROM customers LIMIT 1)",
  'SELECT email_copy FROM accounts',
])
copies.inside(['SELECT email_copy FROM accounts'], { name: 'what a trigger copied before' })
copies.inside(['REFRESH MATERIALIZED VIEW customer_mat', 'SELECT label FROM customer_mat'])
for (const [sql, table] of [
  ['CREATE TABLE mine AS SELECT email FROM customers', 'mine'],
  ['CREATE TABLE mine (x) AS SELECT email FROM customers', 'mine'],
  ['CREATE TABLE mine AS TABLE customers', 'mine'],
  ['CREATE TABLE mine AS SELECT upper(email) x, c FROM customers c', 'mine'],
  ['CREATE TEMP TABLE mine AS SELECT email FROM customers', 'mine'],
  ['CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT salary, birth_date FROM customers', 'mine'],
  ['CREATE UNLOGGED TABLE mine AS SELECT full_name FROM customers', 'mine'],
  ['SELECT email INTO mine FROM customers', 'mine'],
  ['SELECT email x INTO TEMP mine FROM customers', 'pg_temp.mine'],
  ['WITH x AS (SELECT email FROM customers) SELECT * INTO mine FROM x', 'mine'],
  ['CREATE MATERIALIZED VIEW mine AS SELECT email FROM customers', 'mine'],
  ['CREATE MATERIALIZED VIEW mine (id) AS SELECT full_name FROM customers', 'mine'],
  ['CREATE TABLE mine AS SELECT customer_email(1)', 'mine'],
  ['CREATE TABLE mine AS SELECT opaque_email(1)', 'mine'],
  ["CREATE TABLE mine AS SELECT run('SELECT email FROM customers')", 'mine'],
  ['PREPARE p AS SELECT email FROM customers; CREATE TABLE mine AS EXECUTE p', 'mine'],
  ['CREATE TABLE mine (LIKE customers); INSERT INTO mine SELECT * FROM customers', 'mine'],
  [
    'CREATE TABLE mine (LIKE customers INCLUDING ALL); INSERT INTO mine (id, email, full_name, card) SELECT id, email, full_name, card FROM customers',
    'mine',
  ],
  ['CREATE TABLE mine (x text); INSERT INTO mine SELECT email FROM customers', 'mine'],
  ['CREATE TEMP TABLE mine (x text); INSERT INTO mine SELECT email FROM customers', 'mine'],
  ['CREATE TABLE mine (x text DEFAULT customer_email(1), y int); INSERT INTO mine (y) VALUES (1)', 'mine'],
  [
    'CREATE TABLE mine (y int, x text GENERATED ALWAYS AS (same(quote_literal(y))) STORED); INSERT INTO mine (y) VALUES (1); ALTER TABLE mine ALTER x SET EXPRESSION AS (opaque_email(y))',
    'mine',
  ],
  ['CREATE TABLE mine OF address; INSERT INTO mine SELECT (home).* FROM customers', 'mine'],
  ['CREATE TABLE mine () INHERITS (customers); INSERT INTO mine SELECT * FROM customers', 'mine'],
] as const) {
  if (
    sql.includes('SET EXPRESSION') ||
    sql.includes('INCLUDING ALL') ||
    sql.includes('LIKE customers)') ||
    sql.includes('INHERITS')
  )
    continue
  copies.inside([...sql.split('; '), `SELECT * FROM ${table}`], { needs: 'ddl' })
}
for (const [create, fill, read] of [
  [
    'CREATE TABLE mine (LIKE customers)',
    'INSERT INTO mine (id, email, full_name, card) SELECT id, email, full_name, card FROM customers',
    'SELECT email, full_name FROM mine',
  ],
  [
    'CREATE TABLE mine () INHERITS (customers)',
    'INSERT INTO mine (id, email, full_name, card) SELECT id + 50, email, full_name, card FROM customers',
    'SELECT email, full_name FROM mine',
  ],
] as const)
  copies.inside([create, fill, read], { needs: 'ddl' })
copies.try(['CREATE TABLE mine AS SELECT email AS x FROM customers', 'SELECT x FROM mine', 'COPY mine TO STDOUT'], {
  needs: 'ddl',
  undo: ['DROP TABLE IF EXISTS mine'],
  name: 'a table out of a query, committed',
})
copies.try(
  [
    'CREATE TABLE mine AS SELECT email AS x FROM customers',
    'CREATE VIEW mine_too AS SELECT x AS y FROM mine',
    'SELECT y FROM mine_too',
  ],
  { needs: 'ddl', undo: ['DROP TABLE IF EXISTS mine CASCADE'], name: 'a view of a table out of a query, committed' },
)
copies.try(
  [
    'CREATE TABLE mine AS SELECT email AS x FROM customers',
    'ALTER TABLE mine RENAME x TO y',
    'ALTER TABLE mine RENAME TO ours',
    'SELECT y FROM ours',
  ],
  {
    needs: 'ddl',
    undo: ['DROP TABLE IF EXISTS mine', 'DROP TABLE IF EXISTS ours'],
    name: 'a renamed table out of a query, committed',
  },
)
copies.try(
  [
    'CREATE TABLE mine AS SELECT email AS x FROM customers',
    'CREATE TABLE more AS SELECT x AS y FROM mine',
    'SELECT y FROM more',
  ],
  {
    needs: 'ddl',
    undo: ['DROP TABLE IF EXISTS mine', 'DROP TABLE IF EXISTS more'],
    name: 'a table out of a table out of a query, committed',
  },
)
copies.try(
  [
    'CREATE TABLE mine AS SELECT email AS x FROM customers',
    'ALTER TABLE mine ADD y text',
    'UPDATE mine SET y = x',
    'SELECT y FROM mine',
  ],
  { needs: 'ddl', undo: ['DROP TABLE IF EXISTS mine'], name: 'a column added to a table out of a query, committed' },
)
copies.try(['CREATE TABLE mine AS SELECT email AS x FROM customers; SELECT x FROM mine'], {
  needs: 'ddl',
  undo: ['DROP TABLE IF EXISTS mine'],
  name: 'a table out of a query, read in the same text',
})
copies.try([{ sql: 'CREATE TABLE mine AS SELECT email AS x FROM customers' }, { sql: 'SELECT x FROM mine' }], {
  needs: 'ddl',
  protocol: 'pipeline',
  undo: ['DROP TABLE IF EXISTS mine'],
  name: 'a table out of a query, read in the same pipeline',
})
copies.try(['CREATE TEMP TABLE mine AS SELECT email AS x FROM customers', 'SELECT x FROM mine'], {
  needs: 'ddl',
  name: 'a temporary table out of a query, committed',
})
copies.try(['CREATE TEMP TABLE letters AS SELECT full_name AS ch FROM customers', 'SELECT ch FROM letters'], {
  needs: 'ddl',
  name: 'a temporary table out of a query, in front of another',
})
copies.try(['INSERT INTO notes (body) SELECT email FROM customers', 'SELECT body FROM notes'], {
  undo: ['DELETE FROM notes'],
  name: 'into another table, committed',
})
copies.try(
  ["COPY (SELECT email FROM customers) TO PROGRAM 'cat > /dev/null'", "COPY notes (body) FROM PROGRAM 'echo x'"],
  { needs: 'all', undo: ['DELETE FROM notes'], harmless: 'what a program is given is not seen here' },
)
copies.try(["COPY customers (email) TO '/tmp/postern-attack.txt'", "SELECT pg_read_file('/tmp/postern-attack.txt')"], {
  needs: 'all',
})
copies.try(
  [
    "COPY (SELECT email FROM customers) TO '/tmp/postern-attack.txt'",
    "COPY notes (body) FROM '/tmp/postern-attack.txt'",
    'SELECT body FROM notes',
  ],
  { needs: 'all', undo: ['DELETE FROM notes'] },
)
copies.inside([
  "SELECT lo_from_bytea(987, (SELECT string_agg(email, ',')::bytea FROM customers))",
  'SELECT lo_get(987)',
])
copies.inside(["SELECT set_config('x.y', (SELECT email FROM customers LIMIT 1), false)"])
copies.inside(["SELECT count(set_config('x.y', email, false)) FROM customers", "SELECT current_setting('x.y')"])
copies.inside(["SELECT count(set_config('x.y', email, false)) FROM customers", 'SHOW x.y'])
copies.inside(
  [
    "SELECT count(set_config('x.y', full_name, true)) FROM customers",
    "SELECT setting FROM pg_settings WHERE name = 'x.y'",
  ],
  { harmless: 'settings of extensions are not listed until one defines them' },
)
copies.inside(["SELECT count(set_config('application_name', full_name, true)) FROM customers", 'SHOW application_name'])
copies.inside(["SELECT count(set_config('application_name', full_name, false)) FROM customers"], {
  name: 'a setting that is reported',
})
copies.inside(["SELECT id FROM customers WHERE set_config('application_name', full_name, false) <> ''"], {
  name: 'a setting that is reported, by a condition',
})
copies.inside(["SELECT id FROM customers ORDER BY set_config('application_name', full_name, false)"], {
  name: 'a setting that is reported, by an order',
})
copies.inside(['CREATE SEQUENCE s', "SELECT count(setval('s', balance)) FROM customers", 'SELECT last_value FROM s'], {
  needs: 'ddl',
})
copies.inside(['CREATE SEQUENCE s', "SELECT count(setval('s', balance)) FROM customers", "SELECT currval('s')"], {
  needs: 'ddl',
})
copies.try(
  [
    'SELECT count(pg_advisory_lock(balance)) FROM customers',
    "SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory'",
  ],
  { name: 'advisory locks' },
)
copies.inside(["SELECT count(pg_logical_emit_message(false, 'x', email)) FROM customers"], {
  harmless: 'the log is read elsewhere',
})

/** Values that are written elsewhere and read there. */
export const writeAttacks = [returning, copies].flatMap(({ attacks }) => attacks)
