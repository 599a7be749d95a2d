import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mismatches, startShop } from './testing.ts'
import type { Shop } from './testing.ts'

let shop: Shop
before(async () => {
  shop = await startShop()
})
after(() => shop.postgres.stop())

const definitions = `
select email into t2 from customers ==>
create table t3 as select id, email, phone || 'x' as p from customers ==>
create temp table t4 (a, b) as select id, email from customers ==>
create materialized view m2 as select email from customers ==>
create view v2 as select email from customers ==> !email
create view v3 as select id, name from customers ==>
create view v4 as select id, name from customers where email like 'a%' ==>
alter table customers add column x int ==> !backup_email+birth+email+phone+profile
alter table notes add column x int ==> !notes.mail
alter table dict add column x int ==>
alter table customers rename email to nothing ==> !backup_email+birth+email+phone+profile
create index on customers (email) ==> !backup_email+birth+email+phone+profile
create index on dict (loops(n)) ==> !?
create index on dict (lower(word)) ==>
create table t5 (a int, b text default 'x', check (a > 0)) ==>
create table t6 (like customers including all) ==>
create table t7 partition of events for values from ('2027-01-01') to ('2028-01-01') ==> !events.ip+events_1.ip
create table t8 (a int check (loops(a) > 1)) ==> !?
create function f9() returns text language sql as 'select email from customers' ==> !email
create function f10() returns text language sql as 'select name from customers' ==>
create function f11() returns text language plpgsql as 'begin end' ==> !?
create trigger tr before insert on dict for each row execute function f() ==> !?
do $$ begin end $$ ==> !?
call x() ==> ... ? !?
drop table customers ==>
drop trigger fill on files ==> !files.data
comment on column customers.email is 'x' ==> !backup_email+birth+email+phone+profile
comment on column dict.word is 'x' ==>
vacuum customers ==>
grant select on customers to x ==>
create policy p on dict using (true) ==> !?
truncate customers ==>
alter schema public rename to q ==> !backup_email+birth+books.entries+books.entry+email+events.ip+events_1.ip+files.data+notes.mail+phone+profile+secrets.token+staff.nick
create table x as select n from generate_series(1, 200) n, customers where ascii(email) = n ==>
create table x as select 'a' as b from customers where email like 'a%' ==>
create table x as select * from missing_thing ==> !?
create view v as select n from generate_series(1, 200) n, customers where ascii(email) = n ==> !email
create or replace view buyers as select 1 as id ==> !backup_email+birth+email+phone+profile
create function f(a text default mail_of(1)) returns text language sql as 'select a' ==> !email
create function f() returns text language sql begin atomic select email from customers; end ==> !email
create function f(text) returns bool language sql as 'select exists (select from customers where email like $1)' ==> !email
create index i on dict ((mail_of(n))) ==> !email
alter table dict alter word set default mail_of(1) ==> !email
alter table dict add column c text generated always as (shout(word)) stored ==>
alter table dict attach partition events_1 for values from (1) to (2) ==> !events_1.ip
alter table dict inherit customers ==> !backup_email+birth+email+phone+profile
alter table customers inherit dict ==> !backup_email+birth+email+phone+profile
alter table customers disable trigger all ==> !backup_email+birth+email+phone+profile
create rule r as on select to dict do instead select email from customers ==> !?
create aggregate agg (text) (sfunc = textcat, stype = text) ==> !?
create operator ~~~ (leftarg = text, rightarg = text, function = texteq) ==> !?
create cast (contact as text) with function shout(text) ==> !?
create extension dblink ==> !?
create server s foreign data wrapper postgres_fdw ==> !?
import foreign schema x from server s into public ==> !?
create subscription s connection '' publication p ==> !?
create publication p for table customers ==> !?
load 'x' ==> !?
alter system set x = 'y' ==> !?
security label on table customers is 'x' ==> !backup_email+birth+email+phone+profile
create event trigger e on ddl_command_end execute function f() ==> !?
create database d template shop ==> !?
create domain dd as text check (loops(length(value)) > 1) ==> !?
create type tt as enum ('a') ==>
create statistics s on email, id from customers ==> !backup_email+birth+email+phone+profile
comment on table customers is 'x' ==> !backup_email+birth+email+phone+profile
comment on view buyers is 'x' ==> !backup_email+birth+email+phone+profile
alter view buyers rename to b ==> !backup_email+birth+email+phone+profile
alter table customers owner to x ==> !backup_email+birth+email+phone+profile
reindex table customers ==>
analyze customers ==>
refresh materialized view mails ==>
alter type contact add attribute x int ==>
`

test('definitions that could free a value are hazards and others are not', () => {
  assert.deepEqual(mismatches(definitions, shop.tracing), [])
})
