-- ---
SELECT "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at" FROM "customers" WHERE UPPER("customers"."email"::text) = UPPER('aaa7aaa@aaa.example') LIMIT 21
-- ---
SELECT "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at" FROM "customers" WHERE "customers"."id" = 3 ORDER BY "customers"."id" ASC LIMIT 1
-- ---
SELECT "orders"."id", "orders"."customer_id", "orders"."state", "orders"."total", "orders"."placed_at", "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at" FROM "orders" INNER JOIN "customers" ON ("orders"."customer_id" = "customers"."id") WHERE "orders"."state" = 'paid' LIMIT 5
-- ---
SELECT "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at" FROM "customers" LIMIT 3
-- ---
SELECT "orders"."id", "orders"."customer_id", "orders"."state", "orders"."total", "orders"."placed_at" FROM "orders" WHERE "orders"."customer_id" IN (1, 2, 3)
-- ---
SELECT "customers"."locale" AS "locale", COUNT(*) AS "n" FROM "customers" GROUP BY 1
-- ---
SELECT COUNT(*) AS "__count" FROM "customers" WHERE UPPER("customers"."last_name"::text) LIKE UPPER('%aaa%')
-- ---
SELECT 1 AS "a" FROM "customers" WHERE "customers"."email" = 'aaa7aaa@aaa.example' LIMIT 1
-- ---
SELECT "customers"."id", "customers"."locale" FROM "customers" LIMIT 4
-- ---
SELECT DATE_TRUNC('month', "orders"."placed_at" AT TIME ZONE 'America/Chicago') AS "m", COUNT("orders"."id") AS "c", SUM("orders"."total") AS "s" FROM "orders" GROUP BY 1 ORDER BY 1 ASC
-- ---
SELECT "customers"."id" AS "id", (COALESCE("customers"."first_name", '') || COALESCE((COALESCE(' ', '') || COALESCE("customers"."last_name", '')), '')) AS "full" FROM "customers" LIMIT 3
-- ---
SELECT "customers"."id" AS "id", (SELECT U0."state" AS "state" FROM "orders" U0 WHERE U0."customer_id" = ("customers"."id") ORDER BY U0."id" DESC LIMIT 1) AS "last" FROM "customers" LIMIT 3
-- ---
SELECT "orders"."id" AS "id", RANK() OVER (PARTITION BY "orders"."customer_id" ORDER BY "orders"."total" DESC) AS "r" FROM "orders"
-- ---
SELECT AVG("orders"."total") AS "total__avg", MAX("orders"."placed_at") AS "placed_at__max" FROM "orders"
-- ---
SELECT "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at" FROM "customers" WHERE ("customers"."preferences" -> 'theme') = '"dark"'::jsonb LIMIT 2
-- ---
SELECT "customers"."id" AS "id" FROM "customers" WHERE EXISTS(SELECT 1 AS "a" FROM "orders" U0 WHERE (U0."customer_id" = ("customers"."id") AND U0."state" = 'paid') LIMIT 1)
-- ---
SELECT CASE WHEN "customers"."is_admin" THEN 'a' ELSE 'u' END AS "kind" FROM "customers" LIMIT 2
-- ---
SELECT "customers"."id" AS "id" FROM "customers" WHERE "customers"."birth_date" BETWEEN '1965-01-01'::date AND '1965-12-31'::date
-- ---
SELECT "customers"."locale" AS "customer__locale", SUM("orders"."total") AS "t" FROM "orders" INNER JOIN "customers" ON ("orders"."customer_id" = "customers"."id") GROUP BY 1
-- ---
SELECT DISTINCT DATE_TRUNC('month', "customers"."created_at" AT TIME ZONE 'America/Chicago') AS "datefield" FROM "customers" WHERE "customers"."created_at" IS NOT NULL ORDER BY 1 ASC
-- ---
(SELECT "orders"."id" AS "col1", "orders"."customer_id" AS "col2", "orders"."state" AS "col3", "orders"."total" AS "col4", "orders"."placed_at" AS "col5" FROM "orders" WHERE "orders"."total" > 1) UNION (SELECT "orders"."id" AS "col1", "orders"."customer_id" AS "col2", "orders"."state" AS "col3", "orders"."total" AS "col4", "orders"."placed_at" AS "col5" FROM "orders" WHERE "orders"."state" = 'paid') LIMIT 3
-- ---
INSERT INTO "customers" ("email", "password_hash", "first_name", "last_name", "locale", "birth_date", "preferences", "is_admin", "created_at", "updated_at") VALUES ('d@x.example', 'h', 'a', 'b', 'en', NULL, '{}'::jsonb, false, '2026-11-23 20:12:05.803211+00:00'::timestamptz, '2026-11-23 20:12:05.803237+00:00'::timestamptz) RETURNING "customers"."id"
-- ---
UPDATE "products" SET "stock" = ("products"."stock" - 1) WHERE "products"."id" = 3
-- ---
SELECT "products"."id", "products"."name", "products"."price", "products"."stock" FROM "products" WHERE "products"."id" = 3 LIMIT 21 FOR UPDATE
-- ---
SELECT "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at", COUNT("orders"."id") AS "n", SUM("orders"."total") AS "spent" FROM "customers" LEFT OUTER JOIN "orders" ON ("customers"."id" = "orders"."customer_id") GROUP BY "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at" ORDER BY 13 DESC LIMIT 5
-- ---
SELECT DISTINCT "orders"."id", "orders"."customer_id", "orders"."state", "orders"."total", "orders"."placed_at" FROM "orders" INNER JOIN "customers" ON ("orders"."customer_id" = "customers"."id") INNER JOIN "addresses" ON ("customers"."id" = "addresses"."customer_id") WHERE "addresses"."country" = 'DE' LIMIT 4
-- ---
INSERT INTO "customers" ("email", "password_hash", "first_name", "last_name", "locale", "birth_date", "preferences", "is_admin", "created_at", "updated_at") VALUES ('d@x.example', 'h', 'a', 'b', 'en', NULL, '{}'::jsonb, false, '2026-11-23 20:13:18.944777+00:00'::timestamptz, '2026-11-23 20:13:18.944801+00:00'::timestamptz) RETURNING "customers"."id"
-- ---
DELETE FROM "addresses" WHERE "addresses"."id" =  -1
-- ---
SELECT "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."birth_date", "customers"."preferences", "customers"."is_admin", "customers"."created_at", "customers"."updated_at" FROM "customers" WHERE "customers"."email" = 'aaa7aaa@aaa.example' LIMIT 21 FOR UPDATE
-- ---
UPDATE "customers" SET "locale" = 'fr', "birth_date" = '1962-02-01'::date, "created_at" = '2023-06-09 18:00:00+00:00'::timestamptz, "updated_at" = '2026-11-23 20:13:18.974661+00:00'::timestamptz WHERE "customers"."id" = 7
-- ---
UPDATE "orders" SET "total" = (CASE WHEN ("orders"."id" = 1) THEN 4 WHEN ("orders"."id" = 2) THEN 5 ELSE NULL END)::numeric(12, 2) WHERE "orders"."id" IN (1, 2)
-- ---
EXPLAIN SELECT "orders"."id", "orders"."customer_id", "orders"."state", "orders"."total", "orders"."placed_at" FROM "orders" WHERE "orders"."state" = 'done'
