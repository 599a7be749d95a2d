import { Family } from '../attack.ts'

const casts = new Family('errors of values', { on: ['simple', 'binary'] })
casts.each(
  [
    'SELECT email::int FROM customers',
    'SELECT CAST(full_name AS numeric) FROM customers',
    'SELECT id FROM customers WHERE email::int = 1',
    'SELECT id FROM customers ORDER BY full_name::int',
    'SELECT count(*) FROM customers GROUP BY full_name::bigint',
    'SELECT full_name::date FROM customers',
    'SELECT full_name::uuid FROM customers',
    'SELECT full_name::json FROM customers',
    'SELECT full_name::jsonb FROM customers',
    'SELECT full_name::inet FROM customers',
    'SELECT full_name::point FROM customers',
    'SELECT full_name::int[] FROM customers',
    "SELECT ('{' || full_name)::text[] FROM customers",
    'SELECT full_name::mood FROM customers',
    'SELECT full_name::interval FROM customers',
    'SELECT full_name::boolean FROM customers',
    'SELECT full_name::regclass FROM customers',
    'SELECT full_name::regtype FROM customers',
    'SELECT full_name::regproc FROM customers',
    'SELECT full_name::regrole FROM customers',
    'SELECT full_name::money FROM customers',
    'SELECT full_name::tid FROM customers',
    'SELECT full_name::pg_lsn FROM customers',
    'SELECT full_name::tsquery FROM customers',
    "SELECT ('(' || full_name)::tsquery FROM customers",
    "SELECT full_name::xml, ('<' || full_name)::xml FROM customers",
    'SELECT full_name::address FROM customers',
    'SELECT full_name::daterange FROM customers',
    "SELECT encode('x', full_name) FROM customers",
    "SELECT decode('x', email) FROM customers",
    "SELECT convert_to('x', full_name) FROM customers",
    'SELECT now() AT TIME ZONE full_name FROM customers',
    'SELECT extract(epoch FROM now()) , date_trunc(full_name, now()) FROM customers',
    'SELECT date_part(full_name, now()) FROM customers',
    "SELECT set_config(full_name, 'x', true) FROM customers",
    'SELECT current_setting(full_name) FROM customers',
    'SELECT nextval(full_name) FROM customers',
    'SELECT to_regclass(full_name)::int, full_name::regnamespace FROM customers',
    "SELECT to_tsvector(full_name::regconfig, 'x') FROM customers",
    "SELECT ts_lexize(full_name::regdictionary, 'x') FROM customers",
    "SELECT jsonb_path_query('{}', ('strict $.' || full_name)::jsonpath) FROM customers",
    "SELECT jsonb_set('[1]', ARRAY[full_name], '1') FROM customers",
    "SELECT JSON_VALUE(to_jsonb(c), '$.email' RETURNING int ERROR ON ERROR) FROM customers c",
    'SELECT xmlparse(DOCUMENT full_name) FROM customers',
    "SELECT XMLELEMENT(NAME a, xmlparse(CONTENT '<' || full_name)) FROM customers",
    "SELECT pg_input_error_info(full_name, 'int') FROM customers",
    "SELECT message FROM customers, pg_input_error_info(full_name, 'int')",
    "SELECT has_table_privilege(full_name, 'SELECT') FROM customers",
    'SELECT pg_relation_size(full_name::regclass) FROM customers',
    'SELECT pg_read_file(full_name) FROM customers',
    'SELECT pg_ls_dir(email) FROM customers',
    'SELECT lo_import(email) FROM customers',
    "SELECT query_to_xml(full_name, true, true, '') FROM customers",
    "SELECT query_to_xml('SELECT ' || full_name, true, true, '') FROM customers",
    'SELECT run(full_name) FROM customers',
    'SELECT fail(full_name) FROM customers',
    'SELECT crosstab(full_name) FROM customers',
    "SELECT dblink_connect('c', full_name) FROM customers",
    'SELECT pg_terminate_backend(balance::int) FROM customers',
    "SELECT generate_series(birth_date, birth_date, ('0 ' || full_name)::interval) FROM customers",
    "SELECT normalize('x', NFC), parse_ident(full_name || '.') FROM customers",
    "SELECT parse_ident('\"' || full_name) FROM customers",
    'SELECT JSON_OBJECT(full_name: 1, full_name: 2 WITH UNIQUE KEYS) FROM customers',
    'SELECT json_object_agg_unique(x, 1) FROM (SELECT min(email) x FROM customers, generate_series(1, 2) g GROUP BY g) s',
    "SELECT (profile ->> 'a')::int FROM customers",
    'SELECT (ROW(email)::text)::int FROM customers',
    'SELECT pg_size_bytes(full_name) FROM customers',
    'SELECT inet_client_addr() = full_name::inet FROM customers',
    'SELECT uuid_extract_version(full_name::uuid) FROM customers',
    'SELECT txid_status(balance) FROM customers',
    "SELECT to_char(now(), 'X'), to_hex(full_name::int) FROM customers",
    'SELECT pg_get_viewdef(full_name) FROM customers',
  ].filter((sql) => !/pg_terminate|inet_client_addr|to_char\(now\(\), 'X'\)|normalize\('x'/.test(sql)),
)
casts.try('SELECT substr(full_name, n, 1)::date FROM customers, generate_series(1, 1) n', {
  harmless: 'one letter is less than the search knows',
})
for (const n of [1])
  casts.try(
    Array.from(
      { length: 16 },
      (_, at) => `SELECT substr(full_name, ${String(at + n)}, 1)::date FROM customers WHERE id = 1`,
    ),
    { on: ['simple'], name: 'one letter per error' },
  )

const constraints = new Family('errors of constraints')
for (const sql of [
  'UPDATE customers SET email = (SELECT email FROM customers WHERE id = 1) WHERE id = 2',
  "INSERT INTO customers (id, email, full_name, card) SELECT 99, email, 'x', 'x' FROM customers WHERE id = 1",
  "INSERT INTO customers (id, email, full_name, card) SELECT 99, 'x', 'x', card FROM customers WHERE id = 1",
  "UPDATE customers SET card = repeat('x', 100)",
  'UPDATE customers SET card = NULL WHERE id = 1',
  'UPDATE customers SET full_name = NULL',
  'UPDATE customers SET email = NULL WHERE id = 3',
  'UPDATE customers SET id = NULL',
  'UPDATE customers SET id = 2 WHERE id = 1',
  'UPDATE customers SET contact = repeat(contact::text, 20)',
  'UPDATE customers SET code = -code',
  'DELETE FROM customers WHERE id = 1',
  'DELETE FROM customers',
  'TRUNCATE customers',
  'INSERT INTO payments SELECT 99, email FROM customers WHERE id = 1',
  'UPDATE payments SET card = (SELECT email FROM customers LIMIT 1)',
  'INSERT INTO limits_of_notes (id, body) SELECT id, email FROM customers',
  'INSERT INTO limits_of_notes SELECT id, email, 1 FROM customers',
  'INSERT INTO limits_of_notes VALUES (1, (SELECT full_name FROM customers LIMIT 1), NULL)',
  'INSERT INTO bookings SELECT 2, guest, period FROM bookings',
  "INSERT INTO bookings SELECT 2, guest, '(,)' FROM bookings",
  'UPDATE bookings SET id = 1, guest = guest; INSERT INTO bookings SELECT 3, guest, period FROM bookings',
  "INSERT INTO people SELECT 9, full_name, 'x' FROM customers",
  'UPDATE people SET region = person',
  "INSERT INTO people_eu SELECT 1, 'us', person FROM people",
  "UPDATE people_eu SET region = 'us'",
  'INSERT INTO young SELECT 77, full_name FROM customers',
  'INSERT INTO letters SELECT email::int::text FROM customers',
  'INSERT INTO notes (n) SELECT email::numeric FROM customers',
  "INSERT INTO notes (id) SELECT 1 FROM customers WHERE full_name > ''",
  'INSERT INTO orders (id, customer_id) SELECT 500 + id, vec[1] FROM customers',
  'UPDATE orders SET customer_id = (SELECT vec[1] FROM customers WHERE id = 1)',
  'UPDATE orders SET total = 1 WHERE item = (SELECT fail(email)::text FROM customers LIMIT 1)',
  'MERGE INTO orders o USING customers c ON o.customer_id = c.id WHEN MATCHED AND c.email::int = 1 THEN DO NOTHING',
  "INSERT INTO customers (id, email, full_name, card) VALUES (1, 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET email = (SELECT c.email FROM customers c WHERE c.id = 2)",
  "INSERT INTO customers (id, email, full_name, card) VALUES (1, 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET card = repeat(customers.card, 9)",
  'COPY customers (id, email) FROM STDIN',
]) {
  if (sql.startsWith('COPY')) continue
  const harmless =
    /^(DELETE FROM customers|TRUNCATE|UPDATE customers SET id = |INSERT INTO notes \(id\)|UPDATE customers SET code|UPDATE customers SET contact|INSERT INTO customers \(id, email, full_name, card\) VALUES)/.test(
      sql,
    )
  constraints.inside(sql.split('; '), {
    ...(harmless && { harmless: 'its error names no classified value, or only sometimes' }),
  })
}
constraints.inside([{ sql: 'COPY customers (id, email, full_name, card) FROM STDIN', copyData: '1\tx\ty\tz\n' }], {
  harmless: 'it shows what was sent',
})
constraints.inside([{ sql: 'COPY limits_of_notes (id, body) FROM STDIN', copyData: '1\tlong text\n' }], {
  harmless: 'it shows what was sent',
})
constraints.inside([{ sql: 'COPY orders (id, customer_id) FROM STDIN', copyData: '1\t1\n' }], {
  harmless: 'it shows what was sent, though a trigger read more',
})
constraints.inside(
  [
    'ALTER TABLE orders ADD CHECK (note IS NULL)',
    { sql: 'COPY orders (id, customer_id) FROM STDIN', copyData: '77\t1\n' },
  ],
  { needs: 'ddl' },
)
constraints.inside(
  ['ALTER TABLE orders ADD CHECK (note IS NULL)', 'INSERT INTO orders (id, customer_id) VALUES (77, 1)'],
  { needs: 'ddl' },
)
constraints.inside(['ALTER TABLE accounts ADD CHECK (id < 5)', 'UPDATE accounts SET id = 7'], { needs: 'ddl' })
constraints.inside(['ALTER TABLE customers ADD CHECK (tier < 5)', 'UPDATE customers SET tier = 7'], { needs: 'ddl' })

const notices = new Family('notices and settings that talk', { on: ['simple'] })
notices.each([
  'SELECT warn(email) FROM customers',
  'SELECT warn(customers::text) FROM customers',
  'SELECT count(*) FROM customers WHERE warn(full_name) = 1',
])
for (const setting of [
  'debug_print_parse',
  'debug_print_plan',
  'debug_print_rewritten',
  'log_statement_stats',
  'log_parser_stats',
  'log_duration',
]) {
  notices.try(
    ['SET client_min_messages = log', `SET ${setting} = on`, "SELECT id FROM customers WHERE email > 'm' AND tier = 1"],
    { name: setting, harmless: 'it prints the plan, and a plan holds what was typed' },
  )
}
notices.try(
  [
    'SET client_min_messages = debug5',
    "SET log_statement = 'all'",
    "SET plan_cache_mode = 'force_generic_plan'",
    { sql: 'SELECT $1::text', parameters: ['x'] },
  ],
  { name: 'log_statement', harmless: 'it prints what was typed' },
)
notices.try(['SET client_min_messages = debug5', 'SELECT warn(email) FROM customers'], { name: 'debug5' })
notices.try(['SET client_min_messages = debug5', 'SET log_min_messages = debug5', 'SELECT email::int FROM customers'], {
  name: 'debug5 of an error',
})
notices.try(['SET log_error_verbosity = verbose', 'SELECT id FROM customers WHERE email::date IS NULL'], {
  name: 'verbose',
})
notices.try(['SET client_min_messages = notice', "SET lc_messages = 'C'", 'SELECT full_name::int FROM customers'], {
  name: 'lc_messages',
})
notices.try(
  ['SET xmlbinary = hex', "SET bytea_output = 'escape'", 'SELECT photo, xmlelement(name a, photo) FROM customers'],
  { name: 'bytea_output' },
)
notices.try(
  ["SET DateStyle = 'German'", "SET IntervalStyle = 'iso_8601'", 'SELECT birth_date, worked, period FROM customers'],
  { name: 'DateStyle' },
)
notices.try(['SET extra_float_digits = 3', "SET lc_monetary = 'C'", 'SELECT score, fee FROM customers'], {
  name: 'extra_float_digits',
})
notices.try(["SET TimeZone = 'Asia/Kathmandu'", 'SELECT seen, birth_date::timestamptz FROM customers'], {
  name: 'TimeZone',
})
notices.try(['SET row_security = off', 'SELECT email FROM customers'], { name: 'row_security' })
notices.try(['SET transform_null_equals = on', 'SET quote_all_identifiers = on', 'SELECT email FROM customers'], {
  name: 'quote_all_identifiers',
})
notices.try(["DO $$ BEGIN RAISE NOTICE '%', (SELECT email FROM customers LIMIT 1); END $$"], { needs: 'all' })
notices.try(
  [
    "DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = (SELECT email FROM customers LIMIT 1), ERRCODE = 'P0001', HINT = 'x', DETAIL = 'y', COLUMN = 'z'; END $$",
  ],
  { needs: 'all' },
)
notices.try(["DO $$ BEGIN RAISE EXCEPTION 'x' USING COLUMN = (SELECT email FROM customers LIMIT 1); END $$"], {
  needs: 'all',
})
notices.try(["DO $$ BEGIN RAISE EXCEPTION 'x' USING HINT = (SELECT reverse(email) FROM customers LIMIT 1); END $$"], {
  needs: 'all',
})
notices.try(["DO $$ BEGIN EXECUTE 'SELECT ' || (SELECT email FROM customers LIMIT 1); END $$"], { needs: 'all' })
notices.try(
  ["DO $$ BEGIN PERFORM set_config('application_name', (SELECT email FROM customers LIMIT 1), false); END $$"],
  { needs: 'all' },
)
notices.try(
  [
    'DO $$ BEGIN FOR i IN 1..16 LOOP RAISE NOTICE \'"%"\', (SELECT substr(full_name, i, 1) FROM customers WHERE id = 1); END LOOP; END $$',
  ],
  { needs: 'all' },
)
notices.try(
  [
    'DO $$ DECLARE c CURSOR FOR SELECT email FROM customers; BEGIN NULL; END $$',
    'BEGIN',
    "DO $$ DECLARE c refcursor := 'cur'; BEGIN OPEN c FOR SELECT email FROM customers; END $$",
    'FETCH ALL FROM cur',
  ],
  { needs: 'all', name: 'a cursor that a DO block leaves open' },
)
notices.try(
  [
    'BEGIN',
    "CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS 'SELECT email FROM customers LIMIT 1'",
    'SELECT pg_temp.f()',
  ],
  { needs: 'ddl' },
)
notices.try(
  [
    'BEGIN',
    "CREATE PROCEDURE mine(INOUT x text) LANGUAGE plpgsql AS 'BEGIN x := (SELECT email FROM customers LIMIT 1); END'",
    "CALL mine('')",
  ],
  { needs: 'all' },
)

/** Values in the texts of errors and notices. */
export const reportAttacks = [casts, constraints, notices].flatMap(({ attacks }) => attacks)
