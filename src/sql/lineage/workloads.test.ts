import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mismatches, startShop } from './testing.ts'
import type { Shop } from './testing.ts'

let shop: Shop
before(async () => {
  shop = await startShop()
})
after(() => shop.postgres.stop())

const statements = `
SELECT "c"."id", "c"."name", "c"."email" FROM "public"."customers" "c" WHERE "c"."email" = $1 LIMIT 1 ==> -, -, =email
SELECT c.id, c.name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) AS order_count FROM customers c WHERE c.email ILIKE '%' || $1 || '%' ORDER BY c.created_at DESC LIMIT 20 ==> -, -, -
SELECT count(*)::int AS total FROM customers WHERE email LIKE $1 ==> -
SELECT count(*) FROM (SELECT DISTINCT customer_id FROM orders) s ==> -
SELECT EXISTS (SELECT 1 FROM customers WHERE email = $1) ==> -
SELECT 1 AS one FROM customers WHERE email = $1 AND id <> $2 LIMIT 1 ==> -
SELECT o.id, o.total, json_build_object('id', c.id, 'name', c.name) AS customer FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE o.status = ANY ($1) ORDER BY o.made_at ==> -, -, -
SELECT c.city, date_trunc('month', o.made_at) AS month, sum(o.total) AS revenue, count(DISTINCT o.customer_id) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY 1, 2 ORDER BY 2, 3 DESC ==> -, -, -, -
SELECT o.*, rank() OVER (PARTITION BY o.customer_id ORDER BY o.total DESC) FROM orders o ==> -, -, -, -, -, -, -, -, -
WITH recent AS (SELECT * FROM orders WHERE made_at > now() - interval '7 days') SELECT c.name, r.total * 1.2 FROM recent r JOIN customers c ON c.id = r.customer_id ==> -, -
UPDATE customers SET name = $1, email = $2, score = score + 1 WHERE id = $3 RETURNING id, name, created_at ==> -, -, -
INSERT INTO customers (id, name, email) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email RETURNING id ==> -
DELETE FROM customers WHERE email = $1 ==>
INSERT INTO orders (id, customer_id, total) SELECT $1, c.id, $2 FROM customers c WHERE c.email = $3 RETURNING id ==> -
UPDATE orders o SET status = 'sent' FROM customers c WHERE c.id = o.customer_id AND c.email = $1 RETURNING o.id ==> -
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 ==> -, -
SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1, 2 ==> -, -, -
SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ==> -, -, -, -
SELECT * FROM information_schema.tables ==> -, -, -, -, -, -, -, -, -, -, -, -
SELECT c.name, coalesce(sum(o.total), 0) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.is_active GROUP BY c.id, c.name HAVING count(o.id) > 2 ==> -, -
SELECT id, name, city FROM customers WHERE (created_at, id) < ($1, $2) AND phone IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 50 ==> -, -, -
SELECT round(avg(total), 2), max(total), percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders ==> -, -, -
SELECT CASE WHEN o.status = 'paid' THEN 1 ELSE 0 END, c.name FROM orders o, customers c WHERE o.customer_id = c.id AND c.phone = $1 ==> -, -
SELECT extract(year FROM o.made_at) y, count(*) FILTER (WHERE o.status = 'x') FROM orders o GROUP BY y ==> -, -
SELECT u.id, u.ord FROM unnest($1::int[]) WITH ORDINALITY AS u (id, ord) JOIN customers c ON c.id = u.id ==> -, -
SELECT datname, usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ==> -, -, -, -
SELECT pg_size_pretty(pg_total_relation_size('customers')) ==> -
SELECT nextval('s'), currval('s'), lastval() ==> -, -, -
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint ==> -, -
SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE prokind = 'f' ==> -, -
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'customers' ==> -, -
SELECT r.rolname, r.rolsuper FROM pg_roles r ==> -, -
SELECT current_database(), current_schema(), version(), current_setting('server_version_num') ==> -, -, -, -
SELECT c.oid, obj_description(c.oid), pg_get_expr(d.adbin, d.adrelid) FROM pg_class c LEFT JOIN pg_attrdef d ON d.adrelid = c.oid ==> -, -, -
`

test('what applications and tools ask for every day is neither masked nor refused without need', () => {
  assert.deepEqual(mismatches(statements, shop.tracing), [])
})
