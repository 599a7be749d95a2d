-- ---
select b.oid, b.typarray
      from pg_catalog.pg_type a
      left join pg_catalog.pg_type b on b.oid = a.typelem
      where a.typcategory = 'A'
      group by b.oid, b.typarray
      order by b.oid
-- ---
-- $ ["aaa7aaa@aaa.example"]
select * from customers where email = $1
-- ---
-- $ ["{new}"]
select id, labels from products where labels @> $1 limit 3
-- ---
-- $ ["p@x.example", "h", "a", "b"]
insert into customers ("email","password_hash","first_name","last_name")values($1,$2,$3,$4) returning id, email
-- ---
-- $ ["1", "2", "3", "x", "2", "2", "4", "y"]
insert into reviews ("product_id","customer_id","stars","body")values($1,$2,$3,$4),($5,$6,$7,$8)
-- ---
-- $ ["fr", "123", "7"]
update customers set "locale"=$1,"phone"=$2 where id = $3
-- ---
-- $ ["1", "2", "3"]
select "id","state","total" from orders where customer_id in ($1,$2,$3) order by id desc
-- ---
-- $ ["3"]
select * from orders where id = $1 for update
-- ---
-- $ ["paid", "3"]
update orders set state = $1 where id = $2
-- ---
select * from products where id = 4
