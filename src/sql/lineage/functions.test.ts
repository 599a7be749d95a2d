import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mismatches, startShop } from './testing.ts'
import type { Shop } from './testing.ts'

let shop: Shop
before(async () => {
  shop = await startShop()
})
after(() => shop.postgres.stop())

const calls = `
select greeted('hello', 'you'), greeted('hello') ==> -, ?
select email(c), c.row_mail, row_mail(c), row_city(c), name(c) from customers c ==> =email, =email, =email, -, backup_email+birth+email+phone+profile
select * from buyers ==> -, =email, -, -
select * from whole ==> backup_email+birth+email+phone+profile
select (c).email, (c).id from whole ==> =email, -
select * from nested ==> email, -
select * from counted ==> -, -, email
select * from mails ==> =email
select * from gmail ==> -, -
select mail_of(1), mail_at(1), standard_mail(1), shout(email), shout('a') from customers ==> =email, =email, =email, email, -
select * from atomic_mails(), all_customers(), pairs(), outs() ==> =email, -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -, -, =email, -, =email
select loops(1), priced(score), priced(ascii(email)) from customers ==> ?, -, email !?
select forever(1) ==> ? !?
select email === 'a', email |+| 'x', name |+| 'x' from customers ==> ?, email, - !?
select gathered(email) from customers ==> ? !?
select pg_notify('x', email) from customers ==> email !email
select guesses('a'), guesses(ch), ch from alphabet ==> email, email, email
select ch from alphabet where guesses(ch) ==> email
select query, pid from pg_stat_activity ==> =pg_stat_activity.query, -
select lo_get(1) ==> pg_largeobject.data
select row_mail(c), c.row_mail, row_city(c) from customers c ==> =email, =email, -
select copying(1) ==> - !email
select jt.* from customers, json_table(profile, '$[*]' columns (id for ordinality, z int path '$.a', nested path '$.c' columns (w text path '$'))) jt ==> profile, profile, profile
select query_to_xml('select email from customers', true, true, '') ==> ? !?
select pg_read_file('/etc/passwd') ==> ? !?
select current_user, now(), $1, version(), current_setting('x'), pg_typeof(email) from customers ==> -, -, -, -, -, email
select set_config('x', email, false) from customers ==> email !email
select pg_sleep(ascii(email)) from customers ==> email !email
select setval('s', ascii(email)) from customers ==> email !email
select lo_from_bytea(0, email::bytea) from customers ==> email !email
select pg_advisory_lock(ascii(email)) from customers ==> email !email
select * from pg_stat_get_activity(null) ==> -, -, -, -, -, pg_stat_activity.query, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -
select pg_stat_get_backend_activity(1) ==> pg_stat_activity.query
select (pg_stat_get_activity(null)).query ==> pg_stat_activity.query
select loread(1, 100), lo_get(5) ==> pg_largeobject.data, pg_largeobject.data
select * from pg_stats where tablename = 'customers' ==> -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -, -
select relname, attname from pg_class join pg_attribute on attrelid = pg_class.oid ==> -, -
select pg_get_viewdef('buyers'::regclass) ==> -
select has_table_privilege('customers', 'select') ==> -
select shout(x.email) from customers x where guesses('a') ==> email
select mail_of(id), id from customers ==> =email, -
select * from customers where mail_of(id) = 'x' ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select d.word from dict d where d.word = mail_of(1) ==> email
select d.word from dict d join pairs() p on p.b = d.word ==> email
select p.a, p.b from pairs() p ==> -, =email
select pairs(), (pairs()).b, (pairs()).* ==> email, =email, -, =email
select outs(), (outs()).a ==> email, -
select all_customers(), (all_customers()).email, (all_customers()).* ==> backup_email+birth+email+phone+profile, =email, -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select c.email, c.* from all_customers() c ==> =email, -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -
select * from all_customers() with ordinality ==> -, -, =email, =phone, -, =backup_email, =profile, =birth, -, -, -, -
select buyers from buyers ==> email
select count(*) from pg_largeobject ==> -
select oid, lowner from pg_largeobject_metadata ==> -, ?
`

test('views and functions are seen through, or what they give is unknown', () => {
  assert.deepEqual(mismatches(calls, shop.tracing), [])
})
