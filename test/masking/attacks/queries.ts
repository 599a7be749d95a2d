import { Family } from '../attack.ts'

const sets = new Family('set operations', { on: ['simple', 'binary'] })
sets.each([
  'SELECT item FROM orders UNION SELECT email FROM customers',
  'SELECT email FROM customers UNION ALL SELECT item FROM orders',
  'SELECT NULL UNION ALL SELECT email FROM customers',
  '(SELECT 1, item FROM orders LIMIT 1) UNION ALL (SELECT 2, email FROM customers LIMIT 1) UNION ALL SELECT 3, full_name FROM customers',
  'SELECT email FROM customers EXCEPT SELECT item FROM orders',
  'SELECT email FROM customers INTERSECT ALL SELECT email FROM customers',
  'SELECT word FROM dictionary INTERSECT SELECT email FROM customers',
  'SELECT id, city, email FROM customers UNION TABLE customer_mat'.replace('id, city, email', 'id, full_name, email'),
  'SELECT x FROM (SELECT item FROM orders UNION SELECT email FROM customers) s (x)',
  "VALUES ('a') UNION ALL SELECT email FROM customers",
  'SELECT item FROM orders UNION (SELECT item FROM orders UNION (SELECT item FROM orders UNION SELECT full_name FROM customers))',
  'SELECT id::text FROM customers UNION SELECT salary::text FROM customers ORDER BY 1',
])

const ctes = new Family('common table expressions', { on: ['simple', 'copy text'] })
ctes.each([
  'WITH x AS (SELECT email FROM customers) SELECT * FROM x',
  'WITH x (id) AS (SELECT email FROM customers) SELECT id FROM x',
  'WITH orders AS (SELECT email AS item FROM customers) SELECT item FROM orders',
  'WITH customers AS (SELECT id, email AS city FROM customers) SELECT city FROM customers',
  'WITH customers AS (SELECT item AS email FROM orders) SELECT full_name FROM public.customers',
  'WITH x AS MATERIALIZED (SELECT * FROM customers), y AS NOT MATERIALIZED (SELECT * FROM x) SELECT full_name FROM y',
  'WITH x AS (WITH customers AS (SELECT item AS email FROM orders) SELECT 1) SELECT email FROM customers',
  'WITH a AS (SELECT email e FROM customers), b AS (SELECT e f FROM a), c AS (SELECT f g FROM b) SELECT g FROM c',
  'WITH x AS (SELECT 1 AS email) SELECT (SELECT max(c.email) FROM customers c) FROM x',
  'SELECT (WITH x AS (SELECT email FROM customers) SELECT max(email) FROM x)',
  'WITH RECURSIVE r AS (SELECT id, email FROM customers WHERE id = 1 UNION ALL SELECT id + 1, r.email FROM r WHERE id < 3) SELECT email FROM r',
  "WITH RECURSIVE r (n, v) AS (SELECT 1, ''::text UNION ALL SELECT n + 1, (SELECT email FROM customers WHERE id = n) FROM r WHERE n < 5) SELECT v FROM r",
  'WITH RECURSIVE a AS (SELECT 1 n, NULL::text v UNION ALL SELECT n + 1, b.v FROM a, LATERAL (SELECT email v FROM customers LIMIT 1) b WHERE n < 3) SELECT v FROM a',
  'WITH RECURSIVE r (x) AS (SELECT item FROM orders WHERE id = 1 UNION SELECT email FROM customers, r) SELECT x FROM r',
  'WITH RECURSIVE r (id, x) AS (SELECT id, email FROM customers UNION ALL SELECT id + 10, x FROM r WHERE id < 5) SEARCH DEPTH FIRST BY x SET o SELECT o FROM r',
  'WITH RECURSIVE r (id, x) AS (SELECT id, email FROM customers UNION ALL SELECT id, x FROM r) CYCLE x SET is_cycle USING path SELECT path FROM r',
  "WITH RECURSIVE r (id, x) AS (SELECT id, 1 FROM customers UNION ALL SELECT r.id, r.x FROM r) CYCLE id SET mark TO 'a' DEFAULT 'b' USING path SELECT max(c.email), path FROM r, customers c GROUP BY path",
  'WITH x AS (SELECT c FROM customers c) SELECT (c).email FROM x',
  'WITH x AS (SELECT c FROM customers c) SELECT (x.c).* FROM x',
  'WITH x AS (TABLE customers) TABLE x',
])
ctes.inside(['WITH x AS (UPDATE customers SET city = city RETURNING *) SELECT email FROM x'])
ctes.inside([
  'WITH x AS (DELETE FROM orders RETURNING customer_id) SELECT (SELECT email FROM customers c WHERE c.id = customer_id) FROM x',
])
ctes.inside(['WITH x AS (INSERT INTO notes (body) SELECT email FROM customers RETURNING body) SELECT body FROM x'])

const joins = new Family('laterals and joins')
joins.each([
  'SELECT x.e FROM orders o, LATERAL (SELECT email e FROM customers c WHERE c.id = o.customer_id) x',
  'SELECT x.e FROM orders o CROSS JOIN LATERAL (VALUES ((SELECT email FROM customers c WHERE c.id = o.customer_id))) x (e)',
  'SELECT v FROM customers c, LATERAL (VALUES (c.email), (c.full_name)) x (v)',
  "SELECT s FROM customers c, LATERAL regexp_split_to_table(c.email, '@') s",
  'SELECT u FROM customers c LEFT JOIN LATERAL upper(c.email) u ON true',
  'SELECT * FROM orders JOIN customers ON customers.id = customer_id',
  'SELECT c.* FROM orders o RIGHT JOIN customers c ON c.id = o.customer_id',
  'SELECT o, c FROM orders o, customers c WHERE o.customer_id = c.id',
  'SELECT x FROM orders o JOIN (SELECT id customer_id, phone x FROM customers) s USING (customer_id)',
  'SELECT a.email FROM customers a JOIN customers b ON a.id = b.id',
  'SELECT * FROM (customers c CROSS JOIN letters l) LIMIT 3',
  'SELECT y FROM orders, LATERAL (SELECT y FROM (SELECT (SELECT max(full_name) FROM customers) y) z) w',
  'VALUES (1, (SELECT email FROM customers LIMIT 1))',
  'VALUES ((SELECT c FROM customers c LIMIT 1))',
  'SELECT column1 FROM (VALUES ((SELECT min(email) FROM customers))) v',
])

const subqueries = new Family('subqueries')
subqueries.each([
  'SELECT (SELECT email FROM customers WHERE id = 1)',
  'SELECT (SELECT email FROM customers c WHERE c.id = o.customer_id) FROM orders o',
  'SELECT id, (SELECT max(email) FROM customers) IS NULL, (SELECT max(email) FROM customers) FROM orders',
  'SELECT coalesce((SELECT email FROM customers LIMIT 1), item) FROM orders',
  'SELECT CASE WHEN id = 1 THEN email ELSE city END FROM customers',
  "SELECT CASE email WHEN 'x' THEN 'a' ELSE full_name END FROM customers",
  'SELECT CASE WHEN true THEN (SELECT email FROM customers LIMIT 1) END',
  'SELECT item FROM orders UNION SELECT (SELECT email FROM customers LIMIT 1)',
  'SELECT ARRAY[(SELECT email FROM customers LIMIT 1)]',
  'SELECT ROW((SELECT email FROM customers LIMIT 1))',
  "SELECT concat('a', (SELECT email FROM customers LIMIT 1))",
  'SELECT x FROM (SELECT (SELECT email FROM customers LIMIT 1) x OFFSET 0) y',
  'SELECT (SELECT (SELECT (SELECT (SELECT email FROM customers LIMIT 1))))',
  'SELECT x.* FROM (SELECT * FROM (SELECT * FROM (SELECT * FROM customers) a) b) x',
  "SELECT repeat(' ', (SELECT 1)::int) || (SELECT full_name FROM customers LIMIT 1)",
  'SELECT * FROM generate_series(1, 3) n, (SELECT email FROM customers) c',
  "SELECT * FROM regexp_split_to_table((SELECT string_agg(email, ' ') FROM customers), ' ')",
  'SELECT * FROM upper((SELECT email FROM customers LIMIT 1))',
  'SELECT * FROM upper((SELECT email FROM customers LIMIT 1)) AS city (city)',
  'SELECT id FROM orders ORDER BY warn((SELECT email FROM customers LIMIT 1)) LIMIT 1',
  'SELECT id FROM orders LIMIT fail((SELECT email FROM customers LIMIT 1))',
  'SELECT id FROM orders OFFSET warn((SELECT email FROM customers LIMIT 1))',
  'SELECT id FROM orders TABLESAMPLE BERNOULLI ((SELECT warn(email) FROM customers LIMIT 1) * 100)',
  'SELECT id FROM orders WHERE warn((SELECT email FROM customers LIMIT 1)) = 1',
  'SELECT id FROM orders o JOIN letters l ON warn((SELECT email FROM customers LIMIT 1)) = o.id',
  'SELECT sum(id) OVER (PARTITION BY warn((SELECT email FROM customers LIMIT 1))) FROM orders',
  'SELECT sum(id) OVER (ROWS warn((SELECT email FROM customers LIMIT 1)) PRECEDING) FROM orders',
  'SELECT count(*) FROM orders HAVING fail((SELECT email FROM customers LIMIT 1)) = 1',
  'SELECT 1 WHERE EXISTS (SELECT warn(email) FROM customers OFFSET 0 LIMIT 1)',
  'SELECT 1 FROM orders WHERE customer_id IN (SELECT warn(email) FROM customers)',
])

/*
 * Rows of a table that anybody may read, chosen so that they spell out a value that nobody may: no column of the result
 * is derived from a classified one, but which rows there are, and in which order.
 */
const transfer = new Family('predicates that transfer')
transfer.each(
  [
    'SELECT ch FROM generate_series(1, 16) n, LATERAL (SELECT chr(g) AS ch FROM generate_series(33, 126) g ORDER BY g OFFSET (SELECT ascii(substr(full_name, n, 1)) - 33 FROM customers WHERE id = 1) LIMIT 1) x ORDER BY n',
    'SELECT k FROM generate_series(1, 16) n, LATERAL (SELECT count(*) AS k FROM (SELECT FROM generate_series(1, 200) LIMIT (SELECT ascii(substr(full_name, n, 1)) FROM customers WHERE id = 1)) a) x ORDER BY n',
    'SELECT k FROM generate_series(1, 16) n, LATERAL (SELECT count(*) AS k FROM generate_series(1, (SELECT ascii(substr(full_name, n, 1)) FROM customers WHERE id = 1))) x ORDER BY n',
    'SELECT max(g) FROM generate_series(1, 16) n, LATERAL (SELECT g FROM generate_series(1, 200) g FETCH FIRST (SELECT ascii(substr(full_name, n, 1)) FROM customers WHERE id = 1) ROWS ONLY) x GROUP BY n ORDER BY n',
    'SELECT max(k) FROM generate_series(1, 16) n, LATERAL unnest(array_fill(1, ARRAY[(SELECT ascii(substr(full_name, n, 1)) FROM customers WHERE id = 1)])) WITH ORDINALITY x (one, k) GROUP BY n ORDER BY n',
    'SELECT word FROM (SELECT word FROM dictionary ORDER BY word) s LIMIT (SELECT 1 + count(*) FROM dictionary d2, customers c WHERE d2.word < c.email AND c.id = 1)',

    'SELECT l.ch FROM customers c, generate_series(1, 16) n, letters l WHERE c.id = 1 AND substr(c.full_name, n, 1) = l.ch ORDER BY n',
    'SELECT l.ch FROM customers c CROSS JOIN generate_series(1, 16) n JOIN letters l ON l.ch = substr(c.full_name, n, 1) WHERE c.id = 1 ORDER BY n',
    'SELECT ascii(l.ch) FROM customers c, generate_series(1, 16) n, letters l WHERE c.id = 1 AND substr(c.full_name, n, 1) = l.ch ORDER BY n',
    'SELECT (SELECT ch FROM letters WHERE ch = substr((SELECT full_name FROM customers WHERE id = 1), n, 1)) FROM generate_series(1, 16) n',
    "SELECT string_agg(ch, '' ORDER BY n) FROM generate_series(1, 16) n, letters WHERE ch = (SELECT substr(full_name, n, 1) FROM customers WHERE id = 1)",
    'SELECT g FROM generate_series(33, 126) g, generate_series(1, 16) n, customers c WHERE c.id = 1 AND g = ascii(substr(c.full_name, n, 1)) ORDER BY n',
    'SELECT chr(g) FROM generate_series(33, 126) g, generate_series(1, 16) n, customers c WHERE c.id = 1 AND g = ascii(substr(c.full_name, n, 1)) ORDER BY n',
    'SELECT n, chr(g) FROM generate_series(1, 16) n, generate_series(33, 126) g WHERE EXISTS (SELECT FROM customers WHERE id = 1 AND ascii(substr(full_name, n, 1)) = g) ORDER BY n',
    'SELECT word FROM dictionary WHERE word IN (SELECT email FROM customers)',
    'SELECT word FROM dictionary d JOIN customers c ON c.email = d.word',
    'SELECT word FROM dictionary d WHERE EXISTS (SELECT FROM customers c WHERE c.email = d.word)',
    'SELECT word FROM dictionary d WHERE d.word = ANY (ARRAY(SELECT email FROM customers))',
    'SELECT word FROM dictionary d, customers c WHERE c.email = d.word AND c.id = 1',
    'SELECT word FROM dictionary WHERE (SELECT count(*) FROM customers WHERE email = word) > 0',
    'SELECT max(word) FILTER (WHERE EXISTS (SELECT FROM customers WHERE email = word)) FROM dictionary',
    'SELECT word FROM dictionary WHERE md5(word) IN (SELECT md5(email) FROM customers)',
    'SELECT word FROM dictionary GROUP BY word HAVING word = (SELECT min(email) FROM customers)',
    'SELECT word FROM dictionary ORDER BY word = (SELECT min(email) FROM customers) DESC LIMIT 1',
    'SELECT DISTINCT ON (x) word FROM dictionary, (VALUES (1)) v (x) ORDER BY x, word = (SELECT min(email) FROM customers) DESC',
    'SELECT first_value(word) OVER (ORDER BY (word = (SELECT min(email) FROM customers)) DESC) FROM dictionary LIMIT 1',
    'SELECT word FROM (SELECT word FROM dictionary ORDER BY word) s OFFSET (SELECT count(*) FROM dictionary d2, customers c WHERE d2.word < c.email AND c.id = 1) LIMIT 1',
    "WITH RECURSIVE r (s) AS (SELECT '' UNION ALL SELECT s || ch FROM r, letters WHERE EXISTS (SELECT FROM customers WHERE id = 1 AND starts_with(full_name, s || ch))) SELECT s FROM r ORDER BY length(s) DESC LIMIT 1",
    "WITH RECURSIVE r (s) AS (SELECT '' UNION ALL SELECT s || ch FROM r, letters, customers c WHERE c.id = 1 AND c.full_name LIKE s || replace(replace(ch, '%', '\\%'), '_', '\\_') || '%' AND length(s) < 16) SELECT max(s) FROM r",
    'SELECT CASE WHEN EXISTS (SELECT FROM customers WHERE id = 1 AND substr(full_name, n, 1) = ch) THEN ch END FROM generate_series(1, 16) n, letters ORDER BY n',
    'SELECT n, (SELECT count(*) FROM letters, customers c WHERE c.id = 1 AND ascii(ch) < ascii(substr(c.full_name, n, 1))) + 33 FROM generate_series(1, 16) n',
    'SELECT count(*) FROM customers c, generate_series(1, 16) n, generate_series(1, 126) g WHERE c.id = 1 AND g <= ascii(substr(c.full_name, n, 1)) GROUP BY n ORDER BY n',
    'SELECT generate_series(1, ascii(substr(full_name, n, 1))) FROM customers, generate_series(1, 2) n WHERE id = 1',
    'SELECT word FROM dictionary FULL JOIN customers ON word = email WHERE id = 1',
    'SELECT coalesce(word) FROM customers LEFT JOIN dictionary ON word = email WHERE id = 1',
    'SELECT d.word FROM dictionary d NATURAL JOIN (SELECT email AS word FROM customers) c',
    'SELECT word FROM dictionary JOIN (SELECT email AS word FROM customers) c USING (word)',
    'SELECT word FROM dictionary WHERE word LIKE ANY (SELECT email FROM customers)',
    'SELECT n, b FROM generate_series(0, 127) n, LATERAL (SELECT count(*) b FROM customers WHERE id = 1 AND get_bit(full_name::bytea, n) = 1) x ORDER BY n',
    'SELECT o.customer_id, l.ch FROM orders o JOIN customers c ON c.id = o.customer_id JOIN letters l ON l.ch = left(c.full_name, 1), generate_series(1, 1) n',
    'SELECT ch FROM letters l JOIN LATERAL (SELECT n FROM generate_series(1, 16) n, customers c WHERE c.id = 1 AND substr(c.full_name, n, 1) = l.ch) x ON true ORDER BY x.n',
  ].filter((sql) => !/generate_series\(1, 1\) n|generate_series\(1, ascii/.test(sql)),
  {
    decode: (rows) =>
      rows
        .map((row) =>
          row
            .map((cell) => (/^\d+$/.test(cell) && Number(cell) < 127 ? String.fromCharCode(Number(cell)) : cell))
            .at(-1),
        )
        .join('') + rows.map((row) => row.at(-1)).join(''),
  },
)

/** Classified values behind every form of query. */
export const queryAttacks = [sets, ctes, joins, subqueries, transfer].flatMap(({ attacks }) => attacks)
