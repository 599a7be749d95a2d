-- ---
SELECT version()
-- ---
SELECT * FROM current_schema()
-- ---
-- $ ["aaa7aaa@aaa.example"]
SELECT "Customer"."id" AS "Customer_id", "Customer"."email" AS "Customer_email", "Customer"."password_hash" AS "Customer_password_hash", "Customer"."first_name" AS "Customer_first_name", "Customer"."last_name" AS "Customer_last_name", "Customer"."locale" AS "Customer_locale" FROM "customers" "Customer" WHERE (("Customer"."email" = $1)) LIMIT 1
-- ---
SELECT DISTINCT "distinctAlias"."Customer_id" AS "ids_Customer_id", "distinctAlias"."Customer_id" FROM (SELECT "Customer"."id" AS "Customer_id", "Customer"."email" AS "Customer_email", "Customer"."password_hash" AS "Customer_password_hash", "Customer"."first_name" AS "Customer_first_name", "Customer"."last_name" AS "Customer_last_name", "Customer"."locale" AS "Customer_locale", "Customer__Customer_orders"."id" AS "Customer__Customer_orders_id", "Customer__Customer_orders"."total" AS "Customer__Customer_orders_total", "Customer__Customer_orders"."state" AS "Customer__Customer_orders_state", "Customer__Customer_orders"."customer_id" AS "Customer__Customer_orders_customer_id" FROM "customers" "Customer" LEFT JOIN "orders" "Customer__Customer_orders" ON "Customer__Customer_orders"."customer_id"="Customer"."id") "distinctAlias" ORDER BY "distinctAlias"."Customer_id" ASC, "Customer_id" ASC LIMIT 3
-- ---
SELECT "Customer"."id" AS "Customer_id", "Customer"."email" AS "Customer_email", "Customer"."password_hash" AS "Customer_password_hash", "Customer"."first_name" AS "Customer_first_name", "Customer"."last_name" AS "Customer_last_name", "Customer"."locale" AS "Customer_locale", "Customer__Customer_orders"."id" AS "Customer__Customer_orders_id", "Customer__Customer_orders"."total" AS "Customer__Customer_orders_total", "Customer__Customer_orders"."state" AS "Customer__Customer_orders_state", "Customer__Customer_orders"."customer_id" AS "Customer__Customer_orders_customer_id" FROM "customers" "Customer" LEFT JOIN "orders" "Customer__Customer_orders" ON "Customer__Customer_orders"."customer_id"="Customer"."id" WHERE "Customer"."id" IN (1, 2, 3) ORDER BY "Customer"."id" ASC
-- ---
-- $ ["paid"]
SELECT DISTINCT "distinctAlias"."Order_id" AS "ids_Order_id" FROM (SELECT "Order"."id" AS "Order_id", "Order"."total" AS "Order_total", "Order"."state" AS "Order_state", "Order"."customer_id" AS "Order_customer_id", "Order__Order_customer"."id" AS "Order__Order_customer_id", "Order__Order_customer"."email" AS "Order__Order_customer_email", "Order__Order_customer"."password_hash" AS "Order__Order_customer_password_hash", "Order__Order_customer"."first_name" AS "Order__Order_customer_first_name", "Order__Order_customer"."last_name" AS "Order__Order_customer_last_name", "Order__Order_customer"."locale" AS "Order__Order_customer_locale" FROM "orders" "Order" LEFT JOIN "customers" "Order__Order_customer" ON "Order__Order_customer"."id"="Order"."customer_id" WHERE (("Order"."state" = $1))) "distinctAlias" ORDER BY "Order_id" ASC LIMIT 4 OFFSET 1
-- ---
-- $ ["paid"]
SELECT "Order"."id" AS "Order_id", "Order"."total" AS "Order_total", "Order"."state" AS "Order_state", "Order"."customer_id" AS "Order_customer_id", "Order__Order_customer"."id" AS "Order__Order_customer_id", "Order__Order_customer"."email" AS "Order__Order_customer_email", "Order__Order_customer"."password_hash" AS "Order__Order_customer_password_hash", "Order__Order_customer"."first_name" AS "Order__Order_customer_first_name", "Order__Order_customer"."last_name" AS "Order__Order_customer_last_name", "Order__Order_customer"."locale" AS "Order__Order_customer_locale" FROM "orders" "Order" LEFT JOIN "customers" "Order__Order_customer" ON "Order__Order_customer"."id"="Order"."customer_id" WHERE ( (("Order"."state" = $1)) ) AND ( "Order"."id" IN (6, 11, 16, 21) )
-- ---
-- $ ["paid"]
SELECT COUNT(DISTINCT("Order"."id")) AS "cnt" FROM "orders" "Order" LEFT JOIN "customers" "Order__Order_customer" ON "Order__Order_customer"."id"="Order"."customer_id" WHERE (("Order"."state" = $1))
-- ---
-- $ ["aaa%", "1", "2", "3"]
SELECT "Customer"."id" AS "Customer_id", "Customer"."last_name" AS "Customer_last_name" FROM "customers" "Customer" WHERE (("Customer"."first_name" LIKE $1) AND ("Customer"."id" IN ($2, $3, $4)))
-- ---
SELECT "c"."locale" AS "locale", SUM("o"."total") AS "sum" FROM "orders" "o" LEFT JOIN "customers" "c" ON "c"."id"="o"."customer_id" GROUP BY "c"."locale"
-- ---
-- $ ["t@x.example", "h", "x", "y", "en"]
INSERT INTO "customers"("email", "password_hash", "first_name", "last_name", "locale") VALUES ($1, $2, $3, $4, $5) RETURNING "id"
-- ---
-- $ ["paid", "3"]
UPDATE "orders" SET "state" = $1 WHERE "id" = $2
-- ---
-- $ ["3"]
SELECT 1 AS "row_exists" FROM (SELECT 1 AS dummy_column) "dummy_table" WHERE EXISTS (SELECT 1 FROM "orders" "Order" WHERE (("Order"."id" = $1))) LIMIT 1
-- ---
-- $ ["-1"]
DELETE FROM "orders" WHERE "id" = $1
-- ---
SELECT * FROM current_database()
-- ---
SELECT "table_schema", "table_name", obj_description((quote_ident("table_schema") || '.' || quote_ident("table_name"))::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'customers') OR ("table_schema" = 'public' AND "table_name" = 'orders')
-- ---
SELECT TRUE FROM information_schema.columns WHERE table_name = 'pg_class' and column_name = 'relispartition'
-- ---
SELECT columns.*, pg_catalog.col_description((quote_ident(table_catalog) || '.' || quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'customers') OR ("table_schema" = 'public' AND "table_name" = 'orders')
-- ---
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'customers') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'orders'))
-- ---
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "i"."relname" AS "constraint_name", "a"."attname" AS "column_name", CASE "ix"."indisunique" WHEN 't' THEN 'TRUE' ELSE'FALSE' END AS "is_unique", pg_get_expr("ix"."indpred", "ix"."indrelid") AS "condition", "types"."typname" AS "type_name", "am"."amname" AS "index_type" FROM "pg_class" "t" INNER JOIN "pg_index" "ix" ON "ix"."indrelid" = "t"."oid" INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid"  AND "a"."attnum" = ANY ("ix"."indkey") INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "t"."relnamespace" INNER JOIN "pg_class" "i" ON "i"."oid" = "ix"."indexrelid" INNER JOIN "pg_type" "types" ON "types"."oid" = "a"."atttypid" INNER JOIN "pg_am" "am" ON "i"."relam" = "am"."oid" LEFT JOIN "pg_constraint" "cnst" ON "cnst"."conname" = "i"."relname" WHERE "t"."relkind" IN ('r', 'p') AND "cnst"."contype" IS NULL AND (("ns"."nspname" = 'public' AND "t"."relname" = 'customers') OR ("ns"."nspname" = 'public' AND "t"."relname" = 'orders'))
-- ---
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name", "att2"."attname" AS "column_name", "ns"."nspname" AS "referenced_table_schema", "cl"."relname" AS "referenced_table_name", "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete", "con"."confupdtype" AS "on_update", "con"."condeferrable" AS "deferrable", "con"."condeferred" AS "deferred" FROM ( SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid", "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname", "con1"."condeferrable", CASE WHEN "con1"."condeferred" THEN 'INITIALLY DEFERRED' ELSE 'INITIALLY IMMEDIATE' END as condeferred, CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confdeltype", CASE "con1"."confupdtype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confupdtype" FROM "pg_class" "cl" INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid" WHERE "con1"."contype" = 'f' AND (("ns"."nspname" = 'public' AND "cl"."relname" = 'customers') OR ("ns"."nspname" = 'public' AND "cl"."relname" = 'orders')) ) "con" INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child" INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"  AND "cl"."relispartition" = 'f'INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent"
-- ---
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'public' AND "table_name" = 'orders' AND "column_name"='state'
-- ---
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'order_state' ORDER BY "e"."enumsortorder"
-- ---
-- $ ["public", "typeorm_metadata"]
SELECT * FROM "information_schema"."tables" WHERE "table_schema" = $1 AND "table_name" = $2
-- ---
SELECT "n"."nspname", "t"."typname" FROM "pg_type" "t" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'order_state'
