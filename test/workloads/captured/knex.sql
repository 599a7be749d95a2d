-- ---
select version()
-- ---
-- $ ["aaa7aaa@aaa.example", "1"]
select * from "customers" where "email" = $1 limit $2
-- ---
-- $ ["paid", "done", "7"]
select "orders".*, "customers"."first_name" from "orders" inner join "customers" on "customers"."id" = "orders"."customer_id" where "orders"."state" in ($1, $2) order by "orders"."id" asc limit $3
-- ---
-- $ ["k@x.example", "x", "y", "h"]
insert into "customers" ("email", "first_name", "last_name", "password_hash") values ($1, $2, $3, $4) returning "id"
-- ---
-- $ ["1", "3"]
update "products" set "stock" = "stock" - $1 where "id" = $2 returning "stock"
-- ---
-- $ ["paid"]
select count(*) as "n" from "orders" where "state" = $1
-- ---
-- $ ["-1"]
delete from "orders" where "id" = $1
-- ---
select "id" from "customers" where exists (select * from "orders" where orders.customer_id = customers.id)
-- ---
-- $ ["customers"]
select * from information_schema.tables where table_name = $1 and table_schema = current_schema()
-- ---
-- $ ["customers"]
select * from information_schema.columns where table_name = $1 and table_catalog = current_database() and table_schema = current_schema()
-- ---
-- $ ["customers", "email"]
select * from information_schema.columns where table_name = $1 and column_name = $2 and table_schema = current_schema()
