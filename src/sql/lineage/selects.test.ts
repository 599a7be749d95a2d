import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mismatches, startShop } from './testing.ts'
import type { Shop } from './testing.ts'

let shop: Shop
before(async () => {
  shop = await startShop()
})
after(() => shop.postgres.stop())

const queries = `
select (select s.e from dict d(email, n), (select email as e) s limit 1) from customers ==> =email
with recursive t(a, b, c) as (select 'x', 'y', email from customers union all select b, c, c from t) select a from t ==> email
select email from customers ==> =email
select * from customers ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select c from customers c ==> backup_email+birth+email+phone+profile
select c.* from customers c ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select (c).email from customers c ==> =email
select (c).* from customers c ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select c::text, row_to_json(c), to_jsonb(c) from customers c ==> backup_email+birth+email+phone+profile, backup_email+birth+email+phone+profile, backup_email+birth+email+phone+profile
select count(*), count(email), count(distinct email), max(email), sum(score) from customers ==> -, -, -, email, -
select email is null, upper(email) is null, email || 'x', coalesce(email,'x'), nullif(email,'') from customers ==> -, email, email, email, email
select id, name from customers where email = $1 ==> -, -
select a.ch from customers c, alphabet a where substr(c.email, 1, 1) = a.ch ==> email
select a.ch from alphabet a where ch in (select substr(email,1,1) from customers) ==> email
select d.word from dict d join customers c on d.word = c.email ==> email
select d.word, d.n, c.id from dict d join customers c on d.word = c.email ==> email, email, -
select o.id, o.total from orders o join customers c on c.id = o.customer_id where c.email = $1 order by o.made_at limit 10 ==> -, -
select o.id from orders o where o.customer_id in (select id from customers where email = $1) ==> -
select o.id from orders o where o.customer_id = (select id from customers where email = $1) ==> -
select o.id from orders o where exists (select 1 from customers c where c.id = o.customer_id and c.email = $1) ==> -
select count(*) from customers, generate_series(1, ascii(email)) ==> email
select g from customers, generate_series(1, ascii(email)) g ==> email
select count(*) from customers c, generate_series(1,200) g where c.id=1 and g <= ascii(email) ==> email
with x as (select email e from customers), customers as (select 1 as email) select e, email from x, customers ==> =email, -
select d.word from dict d, customers c order by similarity(d.word, c.email) limit 1 ==> - !?
select nick from people ==> staff.nick
select * from people ==> -, staff.nick
select ip from events ==> =events.ip+events_1.ip
select upper_data, size, search from files ==> files.data, -, files.data
select (entry).address, entry, (entries[1]).kind from books ==> books.entry, =books.entry, books.entries
select * from other.customers ==> -, -
select x.email from (select email, id from customers) x ==> =email
select x.a from (select email, id from customers) as x(a, b) ==> =email
select a from customers as c(i, n, a) ==> =email
select j.a from (customers c join orders o on o.customer_id = c.id) as j(a,b,c) ==> -
select email from customers natural join (select 1 as id) s ==> =email
select id, u.id from customers join orders using (id) as u ==> -, -
select customer_email, mail from orders join notes on true ==> -, =notes.mail
select l.e from customers c, lateral (select c.email as e) l ==> =email
select (select email from customers where id = o.customer_id) from orders o ==> =email
select (select email from customers where id = 1) || 'x' ==> email
select array_agg(email), json_agg(c), json_object_agg(id, email), string_agg(email, ',' order by id) from customers c ==> email, backup_email+birth+email+phone+profile, email, email
select percentile_disc(0.5) within group (order by email), mode() within group (order by phone), rank('a') within group (order by email) from customers ==> email, phone, email
select row_number() over (order by email), rank() over (partition by email), lag(email) over (order by id), first_value(name) over (order by email), count(*) over () from customers ==> -, -, email, -, -
select sum(row_number) from (select row_number() over (order by email) from customers) s ==> email
select id, name from customers order by email ==> -, -
select id from customers order by email limit 1 ==> -
select id from customers limit (select length(email) from customers where id = 1) ==> email
select 1 from customers limit (select length(email) from customers where id = 1) ==> email
select email, count(*) from customers group by email ==> =email, -
select city, count(*), grouping(city) from customers group by rollup(city, email) ==> -, -, -
select distinct email from customers ==> =email
select distinct on (email) id, email from customers order by email ==> -, =email
select email from customers union select 'x' ==> email
select email from customers union all select phone from customers ==> email+phone
select email from customers union all select null ==> =email
select null::text union all select email from customers ==> email
select word, n from dict intersect select email, id from customers ==> email, email
values ((select email from customers where id = 1)), ('x') ==> email
select v.a from (values ((select email from customers where id = 1), 2), ('x', 3)) v(a, b) ==> email
select v.b from (values ((select email from customers where id = 1), 2), ('x', 3)) v(a, b) ==> -
with c as (select * from customers) select email from c ==> =email
with c(i, n, e) as (select id, name, email from customers) select e from c ==> =email
with a as (select email e from customers), b as (select e || 'x' f from a) select f from b ==> email
with a as (select 1 e) select * from a, (with a as (select email e from customers) select e from a) s ==> -, =email
select g, ordinality from customers c, unnest(array[c.email]) with ordinality as u(g) ==> email, email
select k, v from customers, jsonb_each(profile) as j(k, v) ==> profile, profile
select key, value from customers, jsonb_each_text(profile) ==> profile, profile
select (jsonb_each(profile)).key, (jsonb_each(profile)).* from customers ==> profile, profile, profile
select * from customers, jsonb_to_record(profile) as r(a int, b text) ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -, profile, profile
select * from rows from (generate_series(1, 3), unnest(array['a'])) as q(a, b) ==> ... -
select xmlelement(name x, email), xmlforest(email as y), xmlserialize(content xmlelement(name x, email) as text) from customers ==> email, email, email
select json_object('a': email), json_array(email, id), json_arrayagg(email), json_objectagg(id: email), json_value(profile, '$.a'), json_exists(profile, '$.a'), json_scalar(email) from customers ==> email, email, email, email, profile, profile, email
select json_array(select email from customers) ==> email
select email is null, email is not null, (email is null)::int, case when email is null then 'x' end from customers ==> -, -, -, email
select ctid, xmin, tableoid::regclass, c.ctid from customers c ==> -, -, -, -
select oid from customers ==> ?
select substring(email from 1 for 2), overlay(email placing 'x' from 1), trim(email), extract(year from birth), position('a' in email) from customers ==> email, email, email, birth, email
select email[1:2] from (select array[email] as email from customers) s ==> email
select (array_agg(email))[1] from customers ==> email
select row(email, id), (row(email, id)).f1, (row(email, id)).f2 from customers ==> email, =email, -
select ((c)).id, (c.*).email from customers c ==> -, =email
select count(c), count(c.*), count(email || 'x') from customers c ==> backup_email+birth+email+phone+profile, backup_email+birth+email+phone+profile, email
select encode(email::bytea, 'hex'), md5(email), length(email), reverse(email) from customers ==> email, email, email, email
select * from missing_table ==> ... ?
select missing_column from customers ==> ?
select nothing(1) ==> ? !?
select email from other.customers ==> ?
select email from public.customers ==> =email
select public.customers.email from public.customers ==> =email
select s.email from (select * from customers) s join (select * from customers) t on s.id = t.id where t.email = $1 ==> =email
select exists (select 1 from customers where email = $1) as found ==> -
select case when exists (select 1 from customers where email = $1) then 1 else 0 end ==> email
select (exists (select 1 from customers where email = $1))::int ==> -
select exists (select 1 from customers where email = $1) and exists (select 1 from customers where phone = $2) ==> -
select bool_or(x) from (select exists (select 1 from customers where email = $1) x) s ==> -
select city, n from (select city, count(*) n from customers where email is not null group by city) s where n > 5 ==> -, -
select upper(s.city) from (select city from customers where email = $1) s ==> -
select o.total * 2 from orders o join customers c on c.id = o.customer_id where c.email = $1 ==> -
select 'with' as label, count(*) from customers where email is not null union all select 'without', count(*) from customers where email is null ==> -, -
select random() from customers order by random() ==> -
select format('%s', email), concat('a', email), coalesce(name, email) from customers ==> email, email, email
select t.x from (select email as x from customers for update) t ==> =email
select email from customers tablesample bernoulli (10) ==> =email
select * from only customers ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select customers from customers ==> backup_email+birth+email+phone+profile
select customers.* from customers, orders ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select tableoid, c.tableoid::regclass::text from customers c ==> -, -
table customers ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select e.ip from events_1 e ==> =events_1.ip
`

test('every output of a query is traced to the columns it derives from', () => {
  assert.deepEqual(mismatches(queries, shop.tracing), [])
})
