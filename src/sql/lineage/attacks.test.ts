import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mismatches, startShop } from './testing.ts'
import type { Shop } from './testing.ts'

let shop: Shop
before(async () => {
  shop = await startShop()
})
after(() => shop.postgres.stop())

const attacks = `
select 'a' from customers where email like 'a%' ==> -
select exists(select from customers where email like 'a%') ==> -
select case when exists(select from customers where email like 'a%') then 'a' end ==> email
select string_agg(x, '') from (select 'a' x from customers where email like 'a%' union all select 'b' from customers where email like 'b%') s ==> email
select a.ch from alphabet a where exists (select from customers where email like a.ch || '%') ==> email
select o.id, o.total from orders o join customers c on c.id = o.customer_id where c.email ilike $1 or o.number ilike $1 ==> -, -
select name from customers where concat(name, ' ', email) ilike $1 ==> -
select name from customers where email like '%' || name || '%' ==> email
with recursive r(p) as (select '' union all select r.p || a.ch from r, alphabet a where exists (select from customers where email like r.p || a.ch || '%')) select * from r ==> email
select d.ch, exists(select from customers where email like d.ch||'%') from alphabet d ==> email, email
select count(*) from customers where email like 'a%' ==> -
select count(*)::int, count(*) > 0, coalesce(count(*),0), count(*) || 'x' from customers where email like 'a%' ==> -, -, -, email
with recursive t(n) as (select 1 union all select n+1 from t where n < (select ascii(email) from customers limit 1)) select n from t ==> email
select array(select email from customers), array(select id from customers where email like 'a%') ==> email, -
select city, count(*) from customers group by city having max(email) like 'a%' ==> -, -
select id from customers except select id from customers where email like 'a%' ==> -
with recursive t(e, n) as (select email, 1 from customers union all select e, n + 1 from t where n < 3) select e, n from t ==> =email, -
with recursive t(e, n) as (select email, id from customers union all select e, n from t) search depth first by e set o cycle n set isc using pth select o, isc, pth, n from t ==> email, -, -, -
select case when email like 'a%' then 1 else 0 end, case id when 1 then email end, greatest(email, 'a'), email collate "C" from customers ==> email, email, email, =email
select email = 'a', email like 'a%', email in ('a'), email between 'a' and 'b', email is distinct from 'x', not (email = 'x') from customers ==> email, email, email, email, email, email
select max(n) from (select count(*) n from customers where email like 'a%' group by city) s ==> email
select 'a' from customers where email like 'a%' union all select 'b' from customers where email like 'b%' ==> email
select chr(s.n::int) from (select count(*) n from generate_series(1,97) where exists (select from customers where email like 'a%')) s ==> email
select string_agg(w, '') from (select word w from dict where word = 'a' and exists (select from customers where email like 'a%') union all select word from dict where word = 'b' and exists (select from customers where email like 'b%')) s ==> email
select string_agg(word, '') from dict where (word = 'a' and exists (select from customers where email like 'a%')) or (word = 'b' and exists (select from customers where email like 'b%')) ==> email
select coalesce((select 'a' from customers where email like 'a%'), '') || coalesce((select 'b' from customers where email like 'b%'), '') ==> email
select chr(97 + (select id from customers where id = 1 and email like 'a%')) ==> email
select coalesce(c.id::text, '') || coalesce(k.id::text, '') from dict d left join customers c on c.email like 'a%' left join customers k on k.email like 'b%' ==> email
select d.word from dict d left join customers c on c.email like d.word || '%' where c.id is not null ==> email
select d.word from dict d where not exists (select from customers c where c.email !~ d.word) ==> email
select d.word from dict d where (select count(*) from customers where email like d.word || '%') > 0 ==> email
select d.word from dict d, lateral (select 1 from customers where email like d.word || '%') s ==> email
select d.word, s.x from dict d left join lateral (select 1 x from customers where email like d.word || '%') s on true ==> email, email
select d.word from dict d where d.word = any (select regexp_split_to_table(email, '') from customers) ==> email
select d.word from dict d where d.word = any (array(select email from customers)) ==> email
select d.word from dict d group by d.word having d.word = (select max(email) from customers) ==> email
select d.word from dict d order by d.word <-> (select email from customers limit 1) ==> email
select d.word from dict d order by (select email from customers where id = 1) = d.word desc limit 1 ==> email
select first_value(d.word) over (order by abs(d.n - ascii(c.email))) from dict d, customers c ==> email
select max(d.word) filter (where c.email like d.word || '%') from dict d, customers c ==> email
select d.word from dict d order by d.word offset (select count(*) from dict o, customers c where o.word < c.email) limit 1 ==> email
select a.ch, (select b.name from customers b order by b.email < a.ch limit 1) from alphabet a ==> email, email
select a.ch, (select s.name from customers b, lateral (select coalesce(b.email, a.ch) x, b.name) s order by s.x limit 1) from alphabet a ==> email, email
select d.word from dict d limit (select ascii(email) from customers where id = 1) ==> email
(select word from dict) union all (select ch from alphabet) offset (select ascii(email) from customers) ==> email
values ('a'), ('b') limit (select ascii(email) from customers) ==> email
select id from customers order by id limit (select count(*) / 2 from customers) ==> -
select a.ch from alphabet a join dict d on a.ch = d.word join customers c on c.email like d.word || '%' ==> email
select a.ch from alphabet a where exists (select from dict d, customers c where c.email like d.word || '%' and d.word = a.ch) ==> email
select n from generate_series(1, 200) n, customers where ascii(email) = n ==> email
select n from generate_series(1, 200) n where n = (select ascii(email) from customers where id = 1) ==> email
select array_agg(n) from generate_series(1, 200) n where n <= (select ascii(email) from customers where id = 1) ==> email
select count(*) from generate_series(1, 200) n where n <= (select ascii(email) from customers where id = 1) ==> email
select count(*) from customers c, lateral generate_series(1, ascii(c.email)) g ==> email
select sum(1) from customers where email like 'a%' ==> email
select case when count(*) > 0 then 'a' else 'b' end from customers where email like 'a%' ==> email
select (array['a','b'])[1 + (exists (select from customers where email like 'a%'))::int] ==> email
select repeat('x', (select ascii(email) from customers where id = 1)) ==> email
select repeat('x', count(*)::int) from customers where email like 'a%' ==> email
select substr('abc', (select length(email) from customers limit 1), 1) ==> email
select ('{"a":1}'::jsonb) -> (select email from customers limit 1) ==> email
select c.email::bytea, c.email::char(3), c.email::varchar, (c.email::name)::text from customers c ==> email, email, email, email
select row_to_json(x) from (select email from customers) x ==> email
select x from (select email from customers) x ==> email
select x::text, (x).email, to_json(x)->>'email' from (select email from customers) x ==> email, =email, email
select j.value from customers c, jsonb_each_text(to_jsonb(c)) j ==> backup_email+birth+email+phone+profile
select j from customers c, jsonb_array_elements(jsonb_build_array(c.email)) j ==> email
select unnest(string_to_array(email, '')) from customers ==> email
select regexp_matches(email, '.', 'g') from customers ==> email
select e.* from customers c, regexp_split_to_table(c.email, '') e ==> email
select (select array_agg(x) from unnest(string_to_array(c.email, '')) x) from customers c ==> email
select a.email from customers a join customers b on a.email = b.email and a.id < b.id ==> =email
select a.id, b.id from customers a join customers b on a.email = b.email ==> -, -
select a.name from customers a join notes n on a.email = n.mail ==> -
select a.name from customers a join secrets s on a.email = s.token ==> secrets.token
select o.total from orders o join customers c on o.customer_email = c.email ==> email
select c.name from orders o join customers c on o.customer_email = c.email ==> -
select id from customers where email = backup_email ==> -
select name from customers where email = name ==> email
select name from customers where lower(name) like lower($1) or lower(email) like lower($1) ==> -
select c.name, o.number from customers c join orders o on o.customer_id = c.id where c.name ilike $1 or c.email ilike $1 or o.number ilike $1 order by c.email limit 20 offset 0 ==> -, -
select name, n from (select name, n from dict, customers where email like word || '%') s ==> email, email
with h as (select word from dict, customers where email like word || '%') select count(*) from h ==> email
with h as materialized (select ch, pos from alphabet where exists (select from customers where substr(email, pos, 1) = ch)) select string_agg(ch, '' order by pos) from h ==> email
with recursive g(s, n) as (select '', 0 union all select s || (select a.ch from alphabet a, customers c where c.id = 1 and substr(c.email, n + 1, 1) = a.ch), n + 1 from g where n < 10) select s, n from g ==> email, email
with recursive g(n) as (select 1 union all select n + 1 from g where exists (select from customers where length(email) > n)) select max(n) from g ==> email
with recursive b(lo, hi) as (select 0, 128 union all select case when (select ascii(email) from customers limit 1) > (lo + hi) / 2 then (lo + hi) / 2 else lo end, hi from b) select lo, hi from b ==> email, -
select mail from buyers where mail like 'a%' ==> =email
`

test('values do not come out by comparing, counting, gating and putting bits together again', () => {
  assert.deepEqual(mismatches(attacks, shop.tracing), [])
})

const comparisons = `
select d.word from dict d where d.word is distinct from (select c.name from customers c where c.id = 1 and c.email like 'a%') and d.word is distinct from (select c.name from customers c where c.id = 2 and c.email like 'b%') ==> email
select coalesce(max(name) filter (where email like 'a%'), '') || 'x' from customers ==> email
select d.word in (select count(*)::text from customers where email like 'a%') from dict d ==> email
select s.x || 'y' from (select 'a' x from customers where email like 'a%') s ==> email
select d.word from dict d, lateral regexp_matches((select email from customers limit 1), '^' || d.word) m ==> email
select d.word, regexp_matches((select email from customers limit 1), '^' || d.word) from dict d ==> email, email
select d.word from dict d, customers c, json_table(c.profile, '$' passing d.word as w columns (a int path '$')) jt ==> profile
select k, n from (select word w, n, null k from dict union all select email, 0, 1 from customers) s order by w ==> email, email
with s as (select word w, n from dict union all select email, 0 from customers) select a.n from s a join s b on a.w = b.w where a.n > 0 and b.n = 0 ==> email
select w, count(*), sum(n) from (select word w, n from dict union all select email, 0 from customers) s group by w having count(*) > 1 ==> email, email, email
select n from (select d.n, case when d.n = 0 then c.email else d.word end w from dict d, customers c) s order by w ==> email
select n, rank() over (order by w) from (select word w, n from dict union all select email, 0 from customers) s ==> email, email
select array_agg(n order by w) from (select word w, n from dict union all select email, 0 from customers) s ==> email
select id, city from customers order by case when id = 1 then email else name end ==> email, email
select id from customers order by lower(email) ==> -
select id from (select id, lower(email) e from customers) s order by e ==> -
select c.id, e.value from customers c, jsonb_array_elements(c.profile) e ==> -, profile
select id from (select email as contact, id from customers union all select number, id from orders) s where contact ilike $1 ==> -
select n from (values (1, 'a'), (2, (select email from customers limit 1))) v(n, w) order by w ==> email
select distinct on (w) n from (select word w, n from dict union all select email, 0 from customers) s order by w, n ==> email
select city, count(*) from customers where email is not null group by city order by count(*) desc ==> -, -
select c.city, sum(o.total) from customers c join orders o on o.customer_id = c.id where c.email like $1 group by c.city order by 2 desc ==> -, -
select a.n from dict a, dict b, customers c where b.word = c.email and a.n = b.n ==> email
`

test('rows are compared with each other in no way that tells', () => {
  assert.deepEqual(mismatches(comparisons, shop.tracing), [])
})

const surroundings = `
select c.id from dict d left join customers c on c.email = d.word ==> email
select c.id is null from dict d left join customers c on left(c.email, 1) = d.word ==> email
select c.id from dict d join customers c on c.id = 2 or left(c.email, 1) = d.word ==> email
select c.id from dict d left join (dict e join customers c on left(c.email, 1) = e.word) on e.n = d.n ==> email
select array_agg(c.id order by d.n) from dict d left join customers c on left(c.email, 1) = d.word ==> email
select c.id, o.total from orders o left join customers c on c.id = o.customer_id where c.email = $1 ==> -, -
select c.id, c.email, o.total from orders o join customers c on o.customer_email = c.email ==> -, =email, email
select d.word from dict d, customers c, generate_series(1, (d.word = left(c.email, 1))::int) g ==> email
select n from (select distinct n, case when left(email, 1) = word then 1 else x end from customers, dict, (values (1), (2)) v(x)) s ==> email
select count(*) from (select distinct n, case when left(email, 1) = word then 1 else x end from customers, dict, (values (1), (2)) v(x)) s group by n ==> email
select distinct city, email from customers ==> -, =email
select count(*) over (order by n rows between current row and (select length(email) from customers limit 1) following) from dict ==> email
select sum(1) over w from dict window w as (order by n groups (select length(email) from customers limit 1) preceding) ==> email
select word from (select word, left(email, n) as b from dict, customers) s where b = 'a' ==> email
select word from (select word, word = left(email, 1) as b from dict, customers) s where b ==> email
select id from (select id, coalesce(name, email) as b from customers) s where b ilike 'a%' ==> -
select id from (select id, is_active and email = $1 as b from customers) s where b ==> -
select row((select count(*) from customers where email like 'a%'), (select count(*) from customers where email like 'b%'))::text ==> email
select b.id from customers a join customers b on b.email = left(a.email, 1) ==> email
select b.id from customers a join customers b on lower(b.email) = lower(a.email) and a.id < b.id ==> -
select b.id from customers a join customers b on a.email = b.email ==> -
select id from customers where email = (select left(email, 1) from customers where id = 1) ==> email
select id from customers where email in (select left(email, 1) from customers) ==> email
select id from customers where email in (select email from customers where city = 'York') ==> -
select id from customers where birth > (select avg(birth) from customers) ==> -
select 1 from notes n, customers c where left(c.email, 1) = n.body for update of n ==> email !email
select id from customers where email = $1 for update ==> -
select case when left(c.email, 1) = d.word then pg_try_advisory_lock(d.n) end from dict d, customers c ==> email !email
select pg_try_advisory_lock(d.n) from dict d, customers c where left(c.email, 1) = d.word ==> email !email
select pg_try_advisory_xact_lock(id) from customers where email = $1 ==> -
select email, pg_try_advisory_xact_lock(id) from customers where email = $1 ==> =email, -
explain analyze select from generate_series(1, (select length(email) from customers limit 1)) ==> email
explain select from generate_series(1, length(mail_of(1))) ==> email
explain analyze select * from customers where email = $1 ==> -
explain select id, mail_of(id) from customers ==> -
`

test('values do not come out by what surrounds them: rows that are absent, repeated, the same, locked or planned', () => {
  assert.deepEqual(mismatches(surroundings, shop.tracing), [])
})

test('so many answers of one bit that they spell a value are withheld', () => {
  const asking = (count: number): string =>
    Array.from(
      { length: count },
      (_, at) => `(select count(*) from customers where get_bit(email::bytea, ${at}) = 1)`,
    ).join(', ')
  assert.equal(shop.tracing.describe(`select ${asking(32)}`), Array.from({ length: 32 }, () => '-').join(', '))
  assert.equal(shop.tracing.describe(`select ${asking(33)}`), Array.from({ length: 33 }, () => 'email').join(', '))
})
