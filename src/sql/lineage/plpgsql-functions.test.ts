import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { startPostgres } from '../../../sandbox/postgres.ts'
import { loadCatalog } from '../catalog/load.ts'
import { clientOf } from '../catalog/testing.ts'
import { tracingOf } from './testing.ts'
import type { Tracing } from './testing.ts'

let tracing: Tracing

before(async () => {
  const postgres = await startPostgres()
  try {
    await postgres.query('postgres', tables)
    for (const [name, signature, body] of functions) {
      await postgres.query('postgres', `CREATE FUNCTION ${name}${signature} LANGUAGE plpgsql AS $body$ ${body} $body$`)
    }
    const client = await clientOf(postgres, 'postgres')
    tracing = await tracingOf(await loadCatalog(client.query), { 'public.customers.email': ['pii.email'] })
    client.close()
  } finally {
    await postgres.stop()
  }
})

const tables = `
  SET check_function_bodies = off;
  CREATE TABLE customers (id int, email text, city text);
  CREATE TABLE notes (id int, body text);
  CREATE TABLE alphabet (ch text, pos int);
  CREATE TYPE contact AS (id int, mail text, town text);
`

/** Name, signature, body, a call of it and what that gives: `-` nothing classified, `email`, behind `!` what is refused. */
const functions: readonly (readonly [string, string, string, string, string])[] = [
  [
    'shout',
    '(t text) RETURNS text',
    'BEGIN RETURN upper(t); END',
    'SELECT shout(city), shout(email) FROM customers',
    '-, email',
  ],
  [
    'plus',
    '(i int, j int DEFAULT 1) RETURNS int',
    'BEGIN RETURN i + j; END',
    'SELECT plus(1), plus(j => 2, i => 1)',
    '-, -',
  ],
  [
    'lookup',
    '(k int) RETURNS text',
    'BEGIN RETURN (SELECT email FROM customers WHERE id = k); END',
    'SELECT lookup(1)',
    'email',
  ],
  [
    'town',
    '(k int) RETURNS text',
    'DECLARE r customers; BEGIN SELECT * INTO r FROM customers WHERE id = k; RETURN r.city; END',
    'SELECT town(1)',
    '-',
  ],
  [
    'outs',
    '(k int, OUT a text, OUT b text)',
    'BEGIN SELECT city, email INTO a, b FROM customers WHERE id = k; END',
    'SELECT a, b FROM outs(1)',
    '-, email',
  ],
  [
    'tab',
    '() RETURNS TABLE (x text, y int)',
    'BEGIN RETURN QUERY SELECT c.email, c.id FROM customers c; END',
    'SELECT y, x FROM tab()',
    '-, email',
  ],
  [
    'nexts',
    '() RETURNS SETOF contact',
    'DECLARE c contact; BEGIN FOR c IN SELECT id, email, city FROM customers LOOP RETURN NEXT c; END LOOP; END',
    'SELECT id, mail, town FROM nexts()',
    '-, email, -',
  ],
  [
    'rowed',
    '(k int) RETURNS contact',
    'BEGIN RETURN (k, (SELECT max(email) FROM customers), NULL)::contact; END',
    'SELECT (rowed(1)).mail',
    'email',
  ],
  [
    'whole',
    '(c customers) RETURNS text',
    'BEGIN RETURN c.city; END',
    'SELECT whole(c), c.whole FROM customers c',
    '-, -',
  ],
  [
    'aliased',
    '(text) RETURNS text',
    'DECLARE a ALIAS FOR $1; BEGIN RETURN a; END',
    'SELECT aliased(email), aliased(city) FROM customers',
    'email, -',
  ],
  [
    'constant_sql',
    '() RETURNS text',
    "DECLARE r text; BEGIN EXECUTE 'SELECT max(email) FROM customers' INTO r; RETURN r; END",
    'SELECT constant_sql()',
    'email',
  ],
  // What conditions tell, with and without a loop.
  [
    'bits',
    '(t text) RETURNS text',
    "DECLARE r text := ''; BEGIN IF t LIKE 'a%' THEN r := r || 'a'; END IF; IF t LIKE 'b%' THEN r := r || 'b'; END IF; RETURN r; END",
    'SELECT bits(email) FROM customers',
    'email',
  ],
  [
    'caught',
    '(t text) RETURNS int',
    "BEGIN PERFORM 1 / (CASE WHEN t LIKE 'a%' THEN 0 ELSE 1 END); RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 2; END",
    'SELECT caught(email) FROM customers',
    'email',
  ],
  [
    'found_it',
    '(l text) RETURNS int',
    'DECLARE n int := 0; BEGIN PERFORM 1 FROM customers WHERE email LIKE l; IF FOUND THEN n := n + 1; END IF; RETURN n; END',
    "SELECT found_it('a%')",
    'email',
  ],
  [
    'counted',
    '(l text) RETURNS int',
    'DECLARE n int; BEGIN PERFORM 1 FROM customers WHERE email LIKE l; GET DIAGNOSTICS n = ROW_COUNT; RETURN n + 1; END',
    "SELECT counted('a%')",
    'email',
  ],
  [
    'spelled',
    '(t text) RETURNS text',
    "DECLARE r text := ''; BEGIN FOR i IN 1..length(t) LOOP FOR c IN 32..126 LOOP IF substr(t, i, 1) = chr(c) THEN r := r || chr(c); END IF; END LOOP; END LOOP; RETURN r; END",
    'SELECT spelled(email) FROM customers',
    'email',
  ],
  [
    'failing',
    '(t text) RETURNS text',
    'BEGIN RETURN t::int; EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END',
    'SELECT failing(email) FROM customers',
    'email',
  ],
  // What is hidden in names.
  [
    'odd_into',
    '() RETURNS text',
    'DECLARE v text; BEGIN SELECT 1 AS "insert" INTO v; SELECT email AS "insert" INTO v FROM customers; RETURN v; END',
    'SELECT odd_into()',
    'email',
  ],
  [
    'shadowed',
    '(q text) RETURNS text',
    "DECLARE r text; BEGIN EXECUTE q INTO r; DECLARE q text := 'SELECT 1'; BEGIN EXECUTE q INTO r; END; RETURN r; END",
    "SELECT shadowed('SELECT 1')",
    '? !?',
  ],
  [
    'cursors',
    '() RETURNS text',
    'DECLARE c CURSOR FOR SELECT email FROM customers; r text; BEGIN DECLARE c CURSOR FOR SELECT city FROM customers; BEGIN NULL; END; FOR x IN c LOOP r := x; END LOOP; RETURN r; END',
    'SELECT cursors()',
    'email',
  ],
  [
    'paths',
    '() RETURNS text',
    'BEGIN SET LOCAL search_path = other; RETURN (SELECT body FROM notes LIMIT 1); END',
    'SELECT paths()',
    '? !?',
  ],
  ['escapes', '() RETURNS text', "BEGIN RETURN 'a\\'; END", 'SELECT escapes()', '? !?'],
  [
    'shadowing',
    '() RETURNS text',
    'BEGIN CREATE TEMP TABLE notes AS SELECT 1 AS id, email AS body FROM customers; RETURN (SELECT max(body) FROM notes); END',
    'SELECT shadowing()',
    '- !?',
  ],
  // What outlasts a call.
  [
    'noting',
    '(t text) RETURNS void',
    'BEGIN INSERT INTO notes (body) VALUES (t); END',
    'SELECT noting(city), noting(email) FROM customers',
    '-, - !email',
  ],
  [
    'telling',
    '(t text) RETURNS int',
    "BEGIN RAISE NOTICE '%', t; RETURN 1; END",
    'SELECT telling(city), telling(email) FROM customers',
    '-, - !email',
  ],
  [
    'deciding',
    '(t text) RETURNS int',
    "BEGIN IF t LIKE 'a%' THEN INSERT INTO notes (body) VALUES ('a'); END IF; RETURN 1; END",
    'SELECT deciding(city), deciding(email) FROM customers',
    '-, email !email',
  ],
  [
    'opening',
    '() RETURNS refcursor',
    "DECLARE c refcursor := 'cur'; BEGIN OPEN c FOR SELECT email FROM customers; RETURN c; END",
    'SELECT opening()',
    '- !email',
  ],
  // What cannot be seen through.
  [
    'runs',
    '(q text) RETURNS text',
    'DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; END',
    "SELECT runs('SELECT 1')",
    '? !?',
  ],
  [
    'columned',
    '(c text) RETURNS text',
    "DECLARE r text; BEGIN EXECUTE format('SELECT %I FROM customers', c) INTO r; RETURN r; END",
    "SELECT columned('city')",
    '? !?',
  ],
  [
    'recursive',
    '(n int) RETURNS int',
    'BEGIN IF n = 0 THEN RETURN 0; END IF; RETURN recursive(n - 1); END',
    'SELECT recursive(1)',
    '? !?',
  ],
]

void test('functions in PL/pgSQL are seen through, or what they give is unknown', () => {
  const wrong = functions.flatMap(([name, , , call, expected]) => {
    const found = tracing.describe(call)
    return found === expected ? [] : [`${name}: ${found}, but ${expected} was expected`]
  })
  assert.deepEqual(wrong, [])
})
