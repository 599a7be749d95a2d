-- ---
WITH ranges AS (  SELECT pg_range.rngtypid, pg_type.typname AS rngtypname,         pg_type.typarray AS rngtyparray, pg_range.rngsubtype    FROM pg_range LEFT OUTER JOIN pg_type ON pg_type.oid = pg_range.rngtypid)SELECT pg_type.typname, pg_type.typtype, pg_type.oid, pg_type.typarray,       ranges.rngtypname, ranges.rngtypid, ranges.rngtyparray  FROM pg_type LEFT OUTER JOIN ranges ON pg_type.oid = ranges.rngsubtype WHERE (pg_type.typtype IN('b', 'e'))
-- ---
SELECT 1+1 AS result
-- ---
SELECT "id", "email", "password_hash" AS "passwordHash", "first_name" AS "firstName", "last_name" AS "lastName", "locale", "preferences" FROM "customers" AS "Customer" WHERE "Customer"."email" = 'aaa7aaa@aaa.example' LIMIT 1
-- ---
SELECT "id", "email", "password_hash" AS "passwordHash", "first_name" AS "firstName", "last_name" AS "lastName", "locale", "preferences" FROM "customers" AS "Customer" WHERE "Customer"."id" = 3
-- ---
SELECT count(*) AS "count" FROM "customers" AS "Customer" WHERE "Customer"."locale" = 'de'
-- ---
SELECT count("Order"."id") AS "count" FROM "orders" AS "Order" LEFT OUTER JOIN "customers" AS "Customer" ON "Order"."customer_id" = "Customer"."id" WHERE "Order"."state" = 'paid'
-- ---
SELECT "Order"."id", "Order"."state", "Order"."total", "Order"."placed_at" AS "placedAt", "Order"."customer_id", "Customer"."id" AS "Customer.id", "Customer"."email" AS "Customer.email", "Customer"."password_hash" AS "Customer.passwordHash", "Customer"."first_name" AS "Customer.firstName", "Customer"."last_name" AS "Customer.lastName", "Customer"."locale" AS "Customer.locale", "Customer"."preferences" AS "Customer.preferences" FROM "orders" AS "Order" LEFT OUTER JOIN "customers" AS "Customer" ON "Order"."customer_id" = "Customer"."id" WHERE "Order"."state" = 'paid' ORDER BY "Order"."id" DESC LIMIT 5 OFFSET 2
-- ---
SELECT "Customer".*, "Addresses"."id" AS "Addresses.id", "Addresses"."label" AS "Addresses.label", "Addresses"."street" AS "Addresses.street", "Addresses"."city" AS "Addresses.city", "Addresses"."zip" AS "Addresses.zip", "Addresses"."country" AS "Addresses.country", "Addresses"."customer_id" AS "Addresses.customer_id", "Orders"."id" AS "Orders.id", "Orders"."state" AS "Orders.state", "Orders"."total" AS "Orders.total", "Orders"."placed_at" AS "Orders.placedAt", "Orders"."customer_id" AS "Orders.customer_id" FROM (SELECT "Customer"."id", "Customer"."email", "Customer"."password_hash" AS "passwordHash", "Customer"."first_name" AS "firstName", "Customer"."last_name" AS "lastName", "Customer"."locale", "Customer"."preferences" FROM "customers" AS "Customer" LIMIT 3) AS "Customer" LEFT OUTER JOIN "addresses" AS "Addresses" ON "Customer"."id" = "Addresses"."customer_id" AND "Addresses"."country" = 'DE' LEFT OUTER JOIN "orders" AS "Orders" ON "Customer"."id" = "Orders"."customer_id"
-- ---
SELECT "Customer"."id", "Customer"."email", "Customer"."password_hash" AS "passwordHash", "Customer"."first_name" AS "firstName", "Customer"."last_name" AS "lastName", "Customer"."locale", "Customer"."preferences" FROM "customers" AS "Customer" LIMIT 2
-- ---
SELECT "id", "label", "street", "city", "zip", "country", "customer_id" FROM "addresses" AS "Address" WHERE "Address"."customer_id" IN (1, 2)
-- ---
SELECT "locale", COUNT("id") AS "n" FROM "customers" AS "Customer" GROUP BY "locale"
-- ---
SELECT "id", "email", "password_hash" AS "passwordHash", "first_name" AS "firstName", "last_name" AS "lastName", "locale", "preferences" FROM "customers" AS "Customer" WHERE ("Customer"."first_name" ILIKE 'aaa%' OR "Customer"."last_name" LIKE 'aaa%') AND ("Customer"."preferences"#>>'{theme}') = 'dark' LIMIT 5
-- ---
-- $ ["s@x.example", "h", "x", "y", "en", "{}"]
INSERT INTO "customers" ("id","email","password_hash","first_name","last_name","locale","preferences") VALUES (DEFAULT,$1,$2,$3,$4,$5,$6) RETURNING "id","email","password_hash","first_name","last_name","locale","preferences"
-- ---
INSERT INTO "orders" ("id","state","total","customer_id") VALUES (DEFAULT,'cart',1,1),(DEFAULT,'cart',2,2) RETURNING "id","state","total","placed_at","customer_id"
-- ---
-- $ ["paid", "3"]
UPDATE "orders" SET "state"=$1 WHERE "id" = $2 RETURNING "id","state","total","placed_at","customer_id"
-- ---
UPDATE "orders" SET "total"="total"+ 2 WHERE "id" = 3 RETURNING *
-- ---
-- $ ["1", "home", "x", "y", "z", "DE", "1"]
INSERT INTO "addresses" ("id","label","street","city","zip","country","customer_id") VALUES ($1,$2,$3,$4,$5,$6,$7) ON CONFLICT ("id") DO UPDATE SET "id"=EXCLUDED."id","label"=EXCLUDED."label","street"=EXCLUDED."street","city"=EXCLUDED."city","zip"=EXCLUDED."zip","country"=EXCLUDED."country","customer_id"=EXCLUDED."customer_id" RETURNING "id","label","street","city","zip","country","customer_id"
-- ---
DELETE FROM "addresses" WHERE "id" = -1
-- ---
SELECT sum("total") AS "sum" FROM "orders" AS "Order" WHERE "Order"."state" = 'done'
-- ---
SELECT "id", "state", "total", "placed_at" AS "placedAt", "customer_id" FROM "orders" AS "Order" WHERE "Order"."id" = 4
-- ---
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type LIKE '%TABLE' AND table_name != 'spatial_ref_sys'
-- ---
SELECT pk.constraint_type as "Constraint",c.column_name as "Field", c.column_default as "Default",c.is_nullable as "Null", (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) as "Type", (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid=e.enumtypid WHERE t.typname=c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN pg_catalog.pg_description pgd on (pgd.objoid=st.relid) WHERE c.ordinal_position=pgd.objsubid AND c.table_name=st.relname) AS "Comment" FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, cu.column_name, tc.constraint_type FROM information_schema.TABLE_CONSTRAINTS tc JOIN information_schema.KEY_COLUMN_USAGE  cu ON tc.table_schema=cu.table_schema and tc.table_name=cu.table_name and tc.constraint_name=cu.constraint_name and tc.constraint_type='PRIMARY KEY') pk ON pk.table_schema=c.table_schema AND pk.table_name=c.table_name AND pk.column_name=c.column_name WHERE c.table_name = 'customers' AND c.table_schema = 'public'
-- ---
SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) as column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' and t.relname = 'customers' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname
-- ---
SELECT DISTINCT tc.constraint_name as constraint_name, tc.constraint_schema as constraint_schema, tc.constraint_catalog as constraint_catalog, tc.table_name as table_name,tc.table_schema as table_schema,tc.table_catalog as table_catalog,tc.initially_deferred as initially_deferred,tc.is_deferrable as is_deferrable,kcu.column_name as column_name,ccu.table_schema  AS referenced_table_schema,ccu.table_catalog  AS referenced_table_catalog,ccu.table_name  AS referenced_table_name,ccu.column_name AS referenced_column_name FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name WHERE constraint_type = 'FOREIGN KEY' AND tc.table_name = 'orders' AND tc.table_catalog = 'sequelize'
-- ---
SELECT constraint_catalog AS "constraintCatalog", constraint_schema AS "constraintSchema", constraint_name AS "constraintName", table_catalog AS "tableCatalog", table_schema AS "tableSchema", table_name AS "tableName", constraint_type AS "constraintType", is_deferrable AS "isDeferrable", initially_deferred AS "initiallyDeferred" from INFORMATION_SCHEMA.table_constraints WHERE table_name='orders'
