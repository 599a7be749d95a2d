-- ---
-- $ ["aaa7aaa@aaa.example", "1"]
SELECT "customers".* FROM "customers" WHERE "customers"."email" = $1 LIMIT $2
-- ---
-- $ ["3", "1"]
SELECT 1 AS one FROM "customers" WHERE "customers"."id" != $1 LIMIT $2
-- ---
SELECT COUNT(*) FROM "orders" WHERE "orders"."state" IN ('paid', 'done')
-- ---
SELECT "orders"."id" AS t0_r0, "orders"."customer_id" AS t0_r1, "orders"."state" AS t0_r2, "orders"."total" AS t0_r3, "customers"."id" AS t1_r0, "customers"."email" AS t1_r1, "customers"."locale" AS t1_r2 FROM "orders" LEFT OUTER JOIN "customers" ON "customers"."id" = "orders"."customer_id" WHERE "orders"."state" = 'paid' ORDER BY "orders"."id" ASC LIMIT 5
-- ---
SELECT COUNT(DISTINCT "orders"."id") AS count_all, "customers"."locale" AS customers_locale FROM "orders" INNER JOIN "customers" ON "customers"."id" = "orders"."customer_id" GROUP BY "customers"."locale"
-- ---
-- $ ["rails@x.example", "h", "A", "B", "en"]
INSERT INTO "customers" ("email", "password_hash", "first_name", "last_name", "locale") VALUES ($1, $2, $3, $4, $5) RETURNING "id"
-- ---
-- $ ["paid", "3"]
UPDATE "orders" SET "state" = $1 WHERE "orders"."id" = $2
-- ---
DELETE FROM "order_items" WHERE "order_items"."order_id" = 5
-- ---
SELECT "customers"."id", "customers"."first_name" FROM "customers" WHERE "customers"."is_admin" = FALSE ORDER BY "customers"."id" ASC LIMIT 1000
-- ---
SELECT SUM("orders"."total") FROM "orders" WHERE "orders"."customer_id" = 7
-- ---
SELECT c.relname FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
-- ---
SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, a.attidentity AS identity, a.attgenerated AS generated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '"customers"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
-- ---
SELECT DISTINCT i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid), t.oid, obj_description(i.oid, 'pg_class') AS comment, d.indisvalid, ARRAY(SELECT pg_get_indexdef(d.indexrelid, k + 1, true) FROM generate_subscripts(d.indkey, 1) AS k ORDER BY k) AS columns FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'orders' AND n.nspname = ANY (current_schemas(false)) ORDER BY i.relname
-- ---
SELECT t2.oid::regclass::text AS to_table, a1.attname AS column, a2.attname AS primary_key, c.conname AS name, c.confupdtype AS on_update, c.confdeltype AS on_delete, c.convalidated AS valid, c.condeferrable AS deferrable, c.conkey, c.confkey FROM pg_constraint c JOIN pg_class t1 ON c.conrelid = t1.oid JOIN pg_class t2 ON c.confrelid = t2.oid JOIN pg_attribute a1 ON a1.attnum = c.conkey[1] AND a1.attrelid = t1.oid JOIN pg_attribute a2 ON a2.attnum = c.confkey[1] AND a2.attrelid = t2.oid JOIN pg_namespace t3 ON c.connamespace = t3.oid WHERE c.contype = 'f' AND t1.relname = 'orders' AND t3.nspname = ANY (current_schemas(false)) ORDER BY c.conname
-- ---
SELECT type.typname AS name, type.oid AS oid, n.nspname AS schema, array_agg(enum.enumlabel ORDER BY enum.enumsortorder) AS value FROM pg_enum AS enum JOIN pg_type AS type ON type.oid = enum.enumtypid JOIN pg_namespace n ON type.typnamespace = n.oid WHERE n.nspname = ANY (current_schemas(false)) GROUP BY type.oid, n.nspname, type.typname
-- ---
SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type AS t LEFT JOIN pg_range AS r ON t.oid = r.rngtypid WHERE t.typname IN ('int2', 'text', 'jsonb', 'order_state') OR t.typtype IN ('r', 'e', 'd') OR t.typinput = 'array_in(cstring,oid,integer)'::regprocedure OR t.typelem != 0
-- ---
SELECT pg_try_advisory_lock(4321)
-- ---
SELECT pg_advisory_unlock(4321)
-- ---
SELECT extname FROM pg_extension
-- ---
SELECT pg_get_constraintdef(c.oid, true) AS definition, c.conname FROM pg_constraint c JOIN pg_class t ON c.conrelid = t.oid WHERE c.contype = 'c' AND t.relname = 'products'
-- ---
SELECT pg_client_encoding(), current_schema, current_setting('server_version_num')
