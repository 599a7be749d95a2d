-- ---
-- $ ["aaa7aaa@aaa.example"]
select "id", "email", "password_hash", "first_name", "last_name", "locale", "created_at" from "customers" where "customers"."email" = $1
-- ---
-- $ ["5"]
select "orders"."id", count("order_items"."product_id"), sum("order_items"."quantity" * "order_items"."unit_price") from "orders" left join "order_items" on "order_items"."order_id" = "orders"."id" group by "orders"."id" order by "orders"."id" desc limit $1
-- ---
-- $ ["100", "paid", "done"]
select "orders"."id", "orders"."customer_id", "orders"."state", "orders"."total", "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."created_at" from "orders" inner join "customers" on "orders"."customer_id" = "customers"."id" where ("orders"."total" > $1 and "orders"."state" in ($2, $3))
-- ---
-- $ ["1", "1", "3"]
select "orders"."id", "orders"."customer_id", "orders"."state", "orders"."total", "orders_customer"."data" as "customer", "orders_items"."data" as "items" from "orders" "orders" left join lateral (select json_build_array("orders_customer"."id", "orders_customer"."email", "orders_customer"."password_hash", "orders_customer"."first_name", "orders_customer"."last_name", "orders_customer"."locale", "orders_customer"."created_at") as "data" from (select * from "customers" "orders_customer" where "orders_customer"."id" = "orders"."customer_id" limit $1) "orders_customer") "orders_customer" on true left join lateral (select coalesce(json_agg(json_build_array("orders_items"."order_id", "orders_items"."product_id", "orders_items"."quantity", "orders_items"."unit_price", "orders_items_product"."data")), '[]'::json) as "data" from "order_items" "orders_items" left join lateral (select json_build_array("orders_items_product"."id", "orders_items_product"."name", "orders_items_product"."price", "orders_items_product"."stock") as "data" from (select * from "products" "orders_items_product" where "orders_items_product"."id" = "orders_items"."product_id" limit $2) "orders_items_product") "orders_items_product" on true where "orders_items"."order_id" = "orders"."id") "orders_items" on true limit $3
-- ---
-- $ ["2", "1"]
select "customers"."id", "customers"."locale", "customers_orders"."data" as "orders" from "customers" "customers" left join lateral (select coalesce(json_agg(json_build_array("customers_orders"."id", "customers_orders"."customer_id", "customers_orders"."state", "customers_orders"."total") order by "customers_orders"."id" desc), '[]'::json) as "data" from (select * from "orders" "customers_orders" where "customers_orders"."customer_id" = "customers"."id" order by "customers_orders"."id" desc limit $1) "customers_orders") "customers_orders" on true limit $2
-- ---
-- $ ["2"]
select "customers"."id", "customers"."email", "customers"."password_hash", "customers"."first_name", "customers"."last_name", "customers"."locale", "customers"."created_at", "customers_orders"."data" as "orders" from "customers" "customers" left join lateral (select coalesce(json_agg(json_build_array("customers_orders"."id", "customers_orders"."customer_id", "customers_orders"."state", "customers_orders"."total", "customers_orders_items"."data")), '[]'::json) as "data" from "orders" "customers_orders" left join lateral (select coalesce(json_agg(json_build_array("customers_orders_items"."order_id", "customers_orders_items"."product_id", "customers_orders_items"."quantity", "customers_orders_items"."unit_price")), '[]'::json) as "data" from "order_items" "customers_orders_items" where "customers_orders_items"."order_id" = "customers_orders"."id") "customers_orders_items" on true where "customers_orders"."customer_id" = "customers"."id") "customers_orders" on true limit $1
-- ---
-- $ ["3", "cart", "0"]
insert into "orders" ("id", "customer_id", "state", "total") values (default, $1, $2, $3) returning "id", "customer_id", "state", "total"
-- ---
-- $ ["q@x.example", "h", "a", "b", "en"]
insert into "customers" ("id", "email", "password_hash", "first_name", "last_name", "locale", "created_at") values (default, $1, $2, $3, $4, $5, default) on conflict do nothing returning "id"
-- ---
-- $ ["2", "2", "1", "1"]
insert into "order_items" ("order_id", "product_id", "quantity", "unit_price") values ($1, $2, $3, $4) on conflict ("order_id","product_id") do update set "quantity" = "order_items"."quantity" + excluded.quantity
-- ---
-- $ ["3"]
update "products" set "stock" = "products"."stock" - 1 where "products"."id" = $1 returning "stock"
-- ---
-- $ ["cancelled", "0"]
delete from "orders" where ("orders"."state" = $1 and "orders"."id" < $2) returning "id"
-- ---
-- $ ["3"]
with "sq" as (select "id", "first_name" || ' ' || "last_name" as "name" from "customers") select "id", "name" from "sq" limit $1
-- ---
-- $ ["paid"]
select count(*) as count from "orders" where "orders"."state" = $1
