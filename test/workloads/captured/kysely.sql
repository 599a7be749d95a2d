-- ---
-- $ ["aaa7aaa@aaa.example"]
select * from "customers" where "email" = $1
-- ---
-- $ ["DE", "10", "5"]
select "c"."id", "c"."email", "a"."city", "a"."country" from "customers" as "c" left join "addresses" as "a" on "a"."customer_id" = "c"."id" where "a"."country" = $1 order by "c"."created_at" desc limit $2 offset $3
-- ---
-- $ ["1"]
select "orders"."id", sum("order_items"."quantity") as "pieces", count(*) as "lines" from "orders" inner join "order_items" on "order_items"."order_id" = "orders"."id" group by "orders"."id" having count(*) > $1
-- ---
-- $ ["new@x.example", "h", "N", "W", "{\"a\": 1}"]
insert into "customers" ("email", "password_hash", "first_name", "last_name", "preferences") values ($1, $2, $3, $4, $5) returning "id", "created_at"
-- ---
-- $ ["1", "1", "2", "3", "1", "2", "1", "7"]
insert into "order_items" ("order_id", "product_id", "quantity", "unit_price") values ($1, $2, $3, $4), ($5, $6, $7, $8) on conflict ("order_id", "product_id") do update set "quantity" = "excluded"."quantity"
-- ---
-- $ ["paid", "1970-01-01 00:00:00+00", "5"]
update "orders" set "state" = $1, "placed_at" = $2 where "id" = $3 returning *
-- ---
-- $ ["5", "1", "2", "3"]
delete from "order_items" where "order_id" = $1 and "product_id" in ($2, $3, $4)
-- ---
-- $ ["500"]
with "big" as (select "customer_id", "total" from "orders" where "total" > $1) select "customers"."last_name", "big"."total" from "big" inner join "customers" on "customers"."id" = "big"."customer_id"
-- ---
-- $ ["t"]
select "products"."id", "products"."name", (select avg("stars") as "a" from "reviews" where "reviews"."product_id" = "products"."id") as "stars" from "products" where "is_active" = $1
-- ---
select "id", (select coalesce(json_agg(agg), '[]') from (select i.product_id, i.quantity from order_items as i where i.order_id = orders.id) as agg) as "items" from "orders"
-- ---
select "customers"."id", (select to_json(obj) from (select a.street, a.zip from addresses as a where a.customer_id = customers.id limit 1) as obj) as "address" from "customers"
-- ---
-- $ ["aaa%", "de"]
select count(distinct "id") as "n" from "customers" where ("first_name" ilike $1 or "locale" = $2)
-- ---
-- $ ["3"]
select "stock" from "products" where "id" = $1 for update
-- ---
-- $ ["1", "3"]
update "products" set "stock" = "stock" + $1 where "id" = $2
-- ---
-- $ ["r", "v", "p", "^pg_", "information_schema", "crdb_internal", "0", "t", "kysely_migration", "kysely_migration_lock"]
select "a"."attname" as "column", "a"."attnotnull" as "not_null", "a"."atthasdef" as "has_default", "c"."relname" as "table", "c"."relkind" as "table_type", "ns"."nspname" as "schema", "typ"."typname" as "type", "dtns"."nspname" as "type_schema", col_description(a.attrelid, a.attnum) as "column_description", pg_get_serial_sequence(quote_ident(ns.nspname) || '.' || quote_ident(c.relname), a.attname) as "auto_incrementing" from "pg_catalog"."pg_attribute" as "a" inner join "pg_catalog"."pg_class" as "c" on "a"."attrelid" = "c"."oid" inner join "pg_catalog"."pg_namespace" as "ns" on "c"."relnamespace" = "ns"."oid" inner join "pg_catalog"."pg_type" as "typ" on "a"."atttypid" = "typ"."oid" inner join "pg_catalog"."pg_namespace" as "dtns" on "typ"."typnamespace" = "dtns"."oid" where "c"."relkind" in ($1, $2, $3) and "ns"."nspname" !~ $4 and "ns"."nspname" != $5 and "ns"."nspname" != $6 and has_schema_privilege(ns.nspname, 'USAGE') and "a"."attnum" >= $7 and "a"."attisdropped" != $8 and "c"."relname" != $9 and "c"."relname" != $10 order by "ns"."nspname", "c"."relname", "a"."attnum"
-- ---
select "nspname" from "pg_catalog"."pg_namespace"
