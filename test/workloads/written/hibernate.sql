-- ---
-- $ ["3"]
select c1_0.id, c1_0.birth_date, c1_0.created_at, c1_0.email, c1_0.first_name, c1_0.is_admin, c1_0.last_name, c1_0.locale from customers c1_0 where c1_0.id = $1
-- ---
-- $ ["paid", "2", "5"]
select o1_0.id, o1_0.customer_id, c1_0.id, c1_0.email, c1_0.locale, o1_0.placed_at, o1_0.state, o1_0.total from orders o1_0 left join customers c1_0 on c1_0.id = o1_0.customer_id where o1_0.state = $1::order_state order by o1_0.id offset $2 rows fetch first $3 rows only
-- ---
-- $ ["7"]
select o1_0.customer_id, o1_0.id, o1_0.state, o1_0.total from orders o1_0 where o1_0.customer_id = $1
-- ---
select count(c1_0.id) from customers c1_0
-- ---
-- $ ["aaa%"]
select c1_0.id from customers c1_0 where lower(c1_0.last_name) like lower($1) escape ''
-- ---
select nextval('orders_id_seq')
-- ---
-- $ ["2001", "7", "cart", "1"]
insert into orders (id, customer_id, state, total) values ($1, $2, $3::order_state, $4)
-- ---
-- $ ["9.5", "3"]
update orders set total = $1 where id = $2
-- ---
select new_.locale, max(new_.created_at), count(*) from customers new_ group by new_.locale having count(*) > 1 order by 3 desc
-- ---
-- $ ["3"]
select p1_0.id, p1_0.name, p1_0.stock from products p1_0 where p1_0.id = $1 for no key update
-- ---
select c1_0.id, case when exists (select 1 from orders o1_0 where c1_0.id = o1_0.customer_id) then true else false end from customers c1_0 fetch first 10 rows only
-- ---
select cast(o1_0.placed_at as date), sum(o1_0.total) from orders o1_0 group by cast(o1_0.placed_at as date) order by 1
-- ---
select * from information_schema.sequences
