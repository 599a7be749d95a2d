import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mismatches, startShop } from './testing.ts'
import type { Shop } from './testing.ts'

let shop: Shop
before(async () => {
  shop = await startShop()
})
after(() => shop.postgres.stop())

const writes = `
insert into notes (body) select email from customers ==> !email
insert into notes (mail) select email from customers ==> !email~
insert into notes (mail) select phone from customers ==> !phone
insert into notes values (1, 'x', 'y') ==>
insert into notes (body, mail) values ('x', $1), (upper('q'), 'r' || $2) ==>
insert into customers (id, email) values (1, 'a') on conflict (id) do update set email = excluded.email, name = excluded.phone returning email, id, old.phone, new.* ==> =email, -, =phone, -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
insert into customers (id, name, email) select 1, 'x', token from secrets on conflict (id) do update set name = excluded.email ==> !secrets.token
update customers set name = email ==> !email
update customers set name = 'x' where email = $1 returning id, email ==> -, =email
update customers set (name, city) = (select email, 'x' from customers where id = 1) ==> !email
update customers set (name, email) = (select city, email from customers where id = 1) ==>
update alphabet set pos = 1 where exists (select from customers where email like ch || '%') ==> !email
update orders set status = 'x' where customer_id in (select id from customers where email = $1) ==>
update orders o set status = c.email from customers c where c.id = o.customer_id ==> !email
delete from alphabet where exists (select from customers where email like ch || '%') ==> !email
delete from orders using customers c where c.id = orders.customer_id and c.email = $1 returning orders.id ==> -
merge into notes n using customers c on n.about = c.id when matched then update set body = c.name when not matched then insert (id, body) values (c.id, c.email) returning * ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -, -, -, =notes.mail, - !email
merge into notes n using customers c on n.about = c.id when matched and c.email like 'a%' then update set body = c.name when not matched then do nothing returning merge_action(), n.id, c.email ==> -, -, =email
insert into ruled values (1, 'x') ==> !?
insert into buyers (mail) values ('x') ==>
insert into mails select 'x' ==>
with w as (insert into notes (body) select email from customers returning body) select * from w ==> - !email
with w as (update customers set score = 1 returning email, id) select * from w ==> =email, -
insert into dict (n) select n from generate_series(1, 200) n, customers where ascii(email) = n ==> !email
insert into dict (n) select count(*) from customers where email like 'a%' ==>
insert into dict (word) select case when email like 'a%' then 'a' end from customers ==> !email
insert into dict values ((select email from customers limit 1), 1) ==> !email
insert into dict (word) values ('x') returning (select email from customers limit 1) ==> =email
insert into customers (id, email) values (2, 'x') on conflict (id) do update set city = customers.email ==> !email
insert into notes (mail) select token from secrets ==> !secrets.token
update dict set word = (select email from customers limit 1) ==> !email
update dict set n = 1 from customers where email = word ==> !email
update dict set n = n + 1 where word in (select email from customers) ==> !email
update customers set email = phone ==> !phone
update customers set backup_email = email ==> !email~
update customers set profile = jsonb_build_object('e', email) ==> !email
update books set entry.address = (select email from customers limit 1) ==> !email
update books set entries[1] = row('a', (select email from customers limit 1))::contact ==> !email
delete from dict where word in (select email from customers) ==> !email
delete from dict where word = 'a' and exists (select from customers where email like 'a%') ==>
with d as (delete from customers returning email) insert into dict (word) select email from d ==> !email
with d as (delete from customers returning *) select d.email, d.id from d ==> =email, -
merge into dict d using customers c on c.email = d.word when matched then delete ==> !email
merge into customers c using notes n on n.about = c.id when matched then update set city = n.mail ==> !notes.mail
merge into customers c using notes n on n.about = c.id when matched then update set email = n.mail returning old.email, new.email ==> =email, =email !notes.mail~
update customers c set name = 'x' from notes n where n.mail = c.email returning n.id, c.id ==> -, -
update customers set name = 'x' returning with (old as before, new as after) before.email, after.name, before.* ==> =email, -, -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
`

test('what is written carries its tags or is a hazard', () => {
  assert.deepEqual(mismatches(writes, shop.tracing), [])
})

const copies = `
copy customers to stdout ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
copy customers (id, email) to stdout csv header ==> -, =email
copy (select email from customers) to stdout with (format csv, delimiter ';') ==> =email
copy files to stdout ==> -, =files.data, files.data
copy customers (id, email) from stdin ==>
copy customers to '/tmp/x' ==> !backup_email+birth+email+phone+profile
copy customers from program 'x' ==> !?
copy notes to program 'x' ==> !notes.mail
explain select email from customers ==> -
explain analyze insert into notes (body) select email from customers ==> - !email
declare c cursor for select email from customers ==> =email
execute p(mail_of(1)) ==> !email
execute p(1) ==>
prepare p as select 1 ==>
fetch all from c ==>
set search_path = x ==>
show all ==> -, -, -
listen x ==>
copy (select upper(email) from customers) to stdout ==> email
copy (delete from customers returning email) to stdout ==> =email
copy (select * from customers) to program 'cat' ==> !backup_email+birth+email+phone+profile
copy dict from stdin where word in (select email from customers) ==> !email
explain (analyze, verbose) select email from customers where email like 'a%' ==> -
lock table customers ==>
`

test('COPY and statements that run others give what the inner statement does', () => {
  assert.deepEqual(mismatches(copies, shop.tracing), [])
})
