import { encodeBind, encodeExecute, encodeParse, frontend, sync } from '../../../src/wire/frontend.ts'
import { Family } from '../attack.ts'
import { largeObject } from '../world.ts'

const explain = new Family('explain')
explain.each(
  [
    'EXPLAIN (ANALYZE, VERBOSE) SELECT warn(email) FROM customers',
    'EXPLAIN ANALYZE SELECT fail(email) FROM customers',
    'EXPLAIN (ANALYZE, FORMAT JSON) SELECT email::int FROM customers',
  ],
  { on: ['simple', 'text'] },
)
explain.try(
  "EXPLAIN (VERBOSE) SELECT * FROM orders WHERE item = pg_catalog.concat('a', (SELECT email FROM customers LIMIT 1))",
  { harmless: 'a subquery is not run for a plan' },
)
explain.try(
  [
    'BEGIN',
    "CREATE FUNCTION constant() RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT email FROM customers LIMIT 1); END'",
    'EXPLAIN (VERBOSE) SELECT constant()',
  ],
  { needs: 'ddl' },
)
explain.try(
  [
    'BEGIN',
    "CREATE FUNCTION constant() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT email FROM customers LIMIT 1'",
    'EXPLAIN SELECT * FROM orders WHERE item = constant()',
  ],
  { needs: 'ddl' },
)
explain.try(
  [
    'BEGIN',
    "CREATE FUNCTION constant(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT email FROM customers LIMIT 1); END'",
    "EXPLAIN (FORMAT XML, VERBOSE) SELECT * FROM orders WHERE item = constant('x')",
  ],
  { needs: 'ddl' },
)
explain.try('EXPLAIN (VERBOSE) SELECT opaque_email(1) FROM orders WHERE note = secured(1)', {
  harmless: 'a stable function is not run for a plan',
})
explain.try(['PREPARE p AS SELECT warn(email) FROM customers', 'EXPLAIN ANALYZE EXECUTE p'])
explain.try(['PREPARE p AS SELECT fail(email) FROM customers', 'EXPLAIN (ANALYZE, FORMAT YAML) EXECUTE p'])
explain.try('EXPLAIN (ANALYZE) UPDATE customers SET card = repeat(card, 9)')
explain.inside(['EXPLAIN ANALYZE CREATE TABLE mine AS SELECT email FROM customers', 'SELECT * FROM mine'], {
  needs: 'ddl',
})
explain.inside(['EXPLAIN ANALYZE INSERT INTO notes (body) SELECT email FROM customers', 'SELECT body FROM notes'])
explain.inside(['EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT warn(email) FROM customers'])

const statistics = new Family('statistics')
statistics.each(
  [
    "SELECT most_common_vals FROM pg_stats WHERE tablename = 'customers' AND attname = 'phone'",
    "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'customers'",
    "SELECT * FROM pg_stats WHERE tablename = 'customers' AND attname = 'full_name'",
    "SELECT s FROM pg_stats s WHERE tablename = 'customers'",
    "SELECT row_to_json(s) FROM pg_stats s WHERE tablename = 'customers'",
    "SELECT most_common_elems FROM pg_stats WHERE tablename = 'customers' AND attname = 'tags'",
    "SELECT range_bounds_histogram FROM pg_stats WHERE tablename = 'customers' AND attname = 'period'",
    "SELECT * FROM pg_statistic WHERE starelid = 'customers'::regclass",
    "SELECT stavalues1 FROM pg_statistic WHERE starelid = 'public.customers'::regclass",
    'SELECT stavalues1::text, stavalues2::text FROM pg_catalog.pg_statistic',
    "SELECT unnest(most_common_vals::text::text[]) FROM pg_stats WHERE attname = 'phone'",
    "SELECT histogram_bounds FROM pg_stats WHERE schemaname = 'public' AND attname = 'quiet'",
    "SELECT most_common_vals FROM pg_stats WHERE attname = 'name' AND tablename = 'staff'",
    "SELECT histogram_bounds, most_common_vals FROM pg_stats WHERE tablename LIKE 'customers%idx'",
    "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'customer_mat'",
    "SELECT * FROM pg_stats_ext WHERE statistics_name = 'customer_stats'",
    'SELECT most_common_vals FROM pg_stats_ext',
    'SELECT * FROM pg_stats_ext_exprs',
    'SELECT stxdmcv FROM pg_statistic_ext_data',
    'SELECT stxdexpr FROM pg_statistic_ext_data',
    'SELECT m.* FROM pg_statistic_ext_data d, pg_mcv_list_items(d.stxdmcv) m',
    'SELECT pg_mcv_list_items(stxdmcv) FROM pg_statistic_ext_data',
    "SELECT pg_get_expr(conbin, conrelid), (SELECT histogram_bounds FROM pg_stats WHERE attname = 'full_name' AND tablename = 'customers') FROM pg_constraint LIMIT 1",
  ],
  { on: ['simple', 'binary', 'copy text'] },
)
statistics.try([
  'SET search_path = public, pg_catalog',
  "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'customers'",
])
statistics.inside(['ANALYZE customers', "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'customers'"], {
  needs: 'ddl',
})
statistics.inside(
  [
    'CREATE TABLE mine AS SELECT attname FROM pg_stats WHERE false',
    "INSERT INTO mine (attname) SELECT left(histogram_bounds::text, 60)::name FROM pg_stats WHERE tablename = 'customers'",
    'SELECT attname FROM mine',
  ],
  { needs: 'ddl' },
)
statistics.inside(
  [
    "CREATE VIEW mine AS SELECT histogram_bounds::text b FROM pg_stats WHERE tablename = 'customers'",
    'SELECT b FROM mine',
  ],
  { needs: 'ddl' },
)
statistics.try('ANALYZE VERBOSE customers', { needs: 'ddl', harmless: 'it counts rows' })
statistics.try('VACUUM (VERBOSE) customers', { needs: 'ddl', harmless: 'it counts pages' })

const secretQuery = (column: string): string => `DO $$ BEGIN PERFORM 1; END $$; SELECT '${column}'`
const others = new Family('what others do')
const typed = 'SELECT count(*) FROM customers WHERE full_name = '
// The literal is put together where the attack begins: it is what another session has just typed.
const besideTyping = [
  `DO $do$ BEGIN EXECUTE (SELECT '${typed}' || quote_literal(full_name) FROM customers WHERE id = 1); END $do$`,
  secretQuery('x'),
]
others.each(
  [
    'SELECT query FROM pg_stat_activity',
    'SELECT * FROM pg_stat_activity',
    'SELECT a FROM pg_stat_activity a',
    'SELECT pg_stat_get_activity(NULL)',
    'SELECT query FROM pg_stat_get_activity(NULL)',
    'SELECT pg_stat_get_backend_activity(b) FROM pg_stat_get_backend_idset() b',
    "SELECT encode(query::bytea, 'base64') FROM pg_stat_activity",
    'SELECT q FROM (SELECT query q FROM pg_stat_activity) x',
    'SELECT to_json(pg_stat_activity) FROM pg_stat_activity',
  ],
  { on: ['simple', 'binary', 'copy text'], beside: ['LITERAL'] },
)
others.try('SELECT query FROM pg_stat_statements', {
  beside: besideTyping,
  harmless: 'literals of queries are normalised there',
})
others.try('SELECT query FROM pg_stat_statements', { beside: ['UTILITY'], name: 'literals of utility statements' })
others.try('SELECT * FROM pg_stat_statements(true)', { beside: ['UTILITY'] })
others.try('SELECT statement FROM pg_prepared_statements', {
  beside: ['LITERAL'],
  harmless: 'only those of the own session are there',
})
others.try(
  [
    'LISTEN news',
    { meanwhile: "DO $$ BEGIN PERFORM pg_notify('news', (SELECT email FROM customers WHERE id = 1)); END $$" },
    'SELECT 1',
    'SELECT 1',
  ],
  { name: 'a notification' },
)
others.try(
  [
    'LISTEN news',
    { meanwhile: "DO $$ BEGIN PERFORM pg_notify('news', upper(c.full_name)) FROM customers c; END $$" },
    { sql: 'SELECT 1' },
  ],
  { protocol: 'text', name: 'a notification between messages' },
)
others.try(
  [
    'LISTEN "odd news"',
    {
      meanwhile:
        "DO $$ BEGIN PERFORM pg_notify('odd news', (SELECT profile::text FROM customers WHERE id = 1)); END $$",
    },
    'BEGIN',
    'SELECT 1',
    'COMMIT',
  ],
  { name: 'a notification behind a transaction' },
)
others.try(['LISTEN news', "SELECT pg_notify('news', email) FROM customers"], { name: 'a notification to oneself' })
others.try(['LISTEN news', "SELECT count(pg_notify('news', c::text)) FROM customers c"], {
  name: 'a notification to oneself, counted',
})
others.try(['LISTEN news', "SELECT id FROM orders WHERE pg_notify('news', customer_email(id)) IS NULL"], {
  name: 'a notification to oneself in a condition',
})
others.try(
  [
    'BEGIN',
    'LISTEN news',
    "INSERT INTO notes (body) SELECT pg_notify('news', email)::text FROM customers",
    'DELETE FROM notes',
    'COMMIT',
  ],
  { name: 'a notification to oneself by a write', undo: ['DELETE FROM notes'] },
)
others.try(['SELECT gid FROM pg_prepared_xacts'], {
  beside: ['XACT'],
  name: 'names of prepared transactions',
  undo: ['DO $$ BEGIN NULL; END $$'],
  harmless: 'a name that another session gave is no value of a column',
})
others.try('SELECT application_name FROM pg_stat_activity', {
  beside: ['NAMED'],
  harmless: 'a name that another session gave is no value of a column',
  expectation: { stated: 'a name that another session gave itself is shown' },
})
others.try('SELECT pg_terminate_backend(0), pg_get_backend_memory_contexts()', {
  harmless: 'memory contexts have names only',
})

const files = new Family('files and large objects', { needs: 'write' })
files.each(
  [
    `SELECT lo_get(${String(largeObject)})`,
    `SELECT lo_get(${String(largeObject)}, 0, 16)`,
    `SELECT convert_from(lo_get(${String(largeObject)}), 'UTF8')`,
    `SELECT loread(lo_open(${String(largeObject)}, 262144), 100)`,
    `SELECT encode(data, 'base64') FROM pg_largeobject WHERE loid = ${String(largeObject)}`,
    'SELECT data FROM pg_largeobject',
    'SELECT * FROM pg_catalog.pg_largeobject',
    'TABLE pg_largeobject',
    `SELECT l FROM pg_largeobject l`,
  ],
  { on: ['simple', 'copy text'] },
)
files.inside(
  [
    `SELECT lo_export(${String(largeObject)}, '/tmp/postern-attack.lo')`,
    "SELECT pg_read_file('/tmp/postern-attack.lo')",
  ],
  { needs: 'all' },
)
files.inside([`UPDATE pg_largeobject SET pageno = pageno RETURNING data`])
files.try(
  ["SELECT pg_relation_filepath('customers')", "SELECT pg_read_binary_file(pg_relation_filepath('customers'))"],
  { needs: 'all', name: "the table's own file", harmless: 'unless a checkpoint wrote it' },
)
files.try(['CHECKPOINT', "SELECT pg_read_binary_file(pg_relation_filepath('customers'))"], {
  needs: 'all',
  name: "the table's own file after a checkpoint",
})
files.try(['CHECKPOINT', "COPY notes (blob) FROM PROGRAM 'cat base/*/* | strings | head -c 1000'"], {
  needs: 'all',
  undo: ['DELETE FROM notes'],
  harmless: 'it is told without being seen',
})
files.try(["SELECT pg_read_file('postgresql.conf')"], { needs: 'all', harmless: 'no value is there' })
files.try('SELECT * FROM pg_ls_logdir()', { harmless: 'no value is there' })
files.try("SELECT * FROM pgrowlocks('customers')", { harmless: 'it counts locks' })
files.try(
  "SELECT tuple_data_split('customers'::regclass, t_data, t_infomask, t_infomask2, t_bits) FROM heap_page_items(get_raw_page('customers', 0))",
)
files.try("SELECT t_data FROM heap_page_items(get_raw_page('customers', 0))")
files.try("SELECT page_header(get_raw_page('customers', 0)), get_raw_page('customers', 'main', 0)")
files.try("SELECT data FROM bt_page_items(get_raw_page('customers_card_key', 1))")

const fastpath = new Family('function call messages')
const call = (oid: number, argument: string): Buffer => {
  const value = Buffer.from(argument)
  const body = Buffer.alloc(4 + 2 + 2 + 2 + 4 + value.length + 2)
  let at = body.writeUInt32BE(oid, 0)
  at = body.writeUInt16BE(1, at)
  at = body.writeUInt16BE(0, at)
  at = body.writeUInt16BE(1, at)
  at = body.writeUInt32BE(value.length, at)
  at += value.copy(body, at)
  body.writeUInt16BE(0, at)
  const head = Buffer.alloc(5)
  head[0] = frontend.FunctionCall
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
// lo_get(oid) is 3458 in every PostgreSQL since 9.4.
for (const needs of ['write', 'all'] as const)
  fastpath.try({ messages: [call(3458, String(largeObject))] }, { name: 'lo_get', needs })
fastpath.try(
  {
    messages: [
      encodeParse({ sql: 'SELECT lo_get($1)' }),
      encodeBind({ parameters: [Buffer.from(String(largeObject))] }),
      encodeExecute('', 0),
      sync,
    ],
  },
  { name: 'lo_get by a parameter' },
)

/** What catalogs, statistics, other sessions and files show. */
export const catalogAttacks = [explain, statistics, others, files, fastpath].flatMap(({ attacks }) => attacks)
