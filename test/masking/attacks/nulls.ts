import { everyWay, Family, someWays } from '../attack.ts'

/*
 * Values spelled by what is NULL and what is not: every output here derives from a classified column and shows nothing
 * of it, but whether it is there. The search reads such patterns as bits, in rows, columns, arrays, records and JSON.
 */

const one = 'get_bit(full_name::bytea, n) = 1'
const from = 'FROM generate_series(0, 127) n, customers WHERE id = 1 ORDER BY n'
const joined = `FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND get_bit(c.full_name::bytea, n) = 1`

const spelled = new Family('NULL in expressions')
spelled.try(`SELECT nullif(get_bit(full_name::bytea, n), 0) ${from}`, {
  on: everyWay.filter((way) => way !== 'sliced'),
})
spelled.each(
  [
    `SELECT CASE WHEN ${one} THEN 1 END ${from}`,
    `SELECT CASE WHEN ${one} THEN full_name END ${from}`,
    `SELECT CASE WHEN ${one} THEN id END ${from}`,
    `SELECT CASE get_bit(full_name::bytea, n) WHEN 1 THEN 'x' END ${from}`,
    `SELECT (SELECT 1 WHERE ${one}) ${from}`,
    `SELECT (SELECT id WHERE ${one}) ${from}`,
    `SELECT (VALUES (1) OFFSET get_bit(full_name::bytea, n)) ${from}`,
    `SELECT (SELECT full_name WHERE ${one}) ${from}`,
    `SELECT (SELECT 1 FROM customers WHERE id = 1 AND ${one}) FROM generate_series(0, 127) n ORDER BY n`,
    `SELECT (SELECT full_name FROM customers WHERE id = 1 AND ${one}) FROM generate_series(0, 127) n ORDER BY n`,
    `SELECT (SELECT c FROM customers c WHERE id = 1 AND ${one}) FROM generate_series(0, 127) n ORDER BY n`,
    `SELECT (SELECT ROW(n, full_name) FROM customers WHERE id = 1 AND ${one}) FROM generate_series(0, 127) n ORDER BY n`,
    `SELECT (ARRAY[1])[get_bit(full_name::bytea, n)] ${from}`,
    `SELECT (ARRAY[full_name])[get_bit(full_name::bytea, n)] ${from}`,
    `SELECT (ARRAY[id])[get_bit(full_name::bytea, n)] ${from}`,
    `SELECT to_jsonb(nullif(get_bit(full_name::bytea, n), 0)) ${from}`,
    `SELECT to_jsonb(ARRAY[1]) -> get_bit(full_name::bytea, n) ${from}`,
    `SELECT json_build_array(1) ->> get_bit(full_name::bytea, n) ${from}`,
    `SELECT jsonb_path_query_first('[1]', '$[$i]', jsonb_build_object('i', get_bit(full_name::bytea, n))) ${from}`,
    `SELECT json_value('[1]', '$[*] ? (@ == $b)' PASSING get_bit(full_name::bytea, n) AS b) ${from}`,
    `SELECT nullif(get_bit(full_name::bytea, n), 0)::numeric ${from}`,
    `SELECT nullif(get_bit(full_name::bytea, n), 0)::text::bytea ${from}`,
    `SELECT nullif(get_bit(full_name::bytea, n), 0)::text::xml ${from}`,
    `SELECT nullif(get_bit(full_name::bytea, n), 0)::boolean ${from}`,
    `SELECT date '2000-01-01' + nullif(get_bit(full_name::bytea, n), 0) ${from}`,
    `SELECT now() + nullif(get_bit(full_name::bytea, n), 0) * interval '1 day' ${from}`,
    `SELECT nullif(get_bit(full_name::bytea, n), 0) * interval '1 day' ${from}`,
    `SELECT nullif(get_bit(full_name::bytea, n), 0)::money ${from}`,
    `SELECT CASE WHEN ${one} THEN 'fine'::mood END ${from}`,
    `SELECT CASE WHEN ${one} THEN ROW(1) END ${from}`,
    `SELECT CASE WHEN ${one} THEN c END FROM generate_series(0, 127) n, customers c WHERE id = 1 ORDER BY n`,
    `SELECT CASE WHEN ${one} THEN home END ${from}`,
    `SELECT CASE WHEN ${one} THEN ROW('a', 'b')::address END ${from}`,
    `SELECT CASE WHEN ${one} THEN '{}'::int[] END ${from}`,
    `SELECT CASE WHEN ${one} THEN tags END ${from}`,
    `SELECT CASE WHEN ${one} THEN '[1,2]'::int4range END ${from}`,
    `SELECT CASE WHEN ${one} THEN '{[1,2]}'::int4multirange END ${from}`,
    `SELECT CASE WHEN ${one} THEN 'x'::contact END ${from}`,
    `SELECT CASE WHEN ${one} THEN 'x'::citext END ${from}`,
    `SELECT CASE WHEN ${one} THEN hstore('a', 'b') END ${from}`,
    `SELECT CASE WHEN ${one} THEN 'x'::char(4) END ${from}`,
    `SELECT CASE WHEN ${one} THEN B'1'::varbit END ${from}`,
    `SELECT CASE WHEN ${one} THEN point(1, 1) END ${from}`,
    `SELECT CASE WHEN ${one} THEN '1.1.1.1'::inet END ${from}`,
    `SELECT CASE WHEN ${one} THEN 'a'::tsvector END ${from}`,
    `SELECT CASE WHEN ${one} THEN '00000000-0000-0000-0000-000000000001'::uuid END ${from}`,
    `SELECT coalesce(nullif(get_bit(full_name::bytea, n), 0), NULL) ${from}`,
    `SELECT lag(nullif(get_bit(full_name::bytea, n), 0)) OVER (ORDER BY n) ${from}`,
    `SELECT lag(1, get_bit(full_name::bytea, n)) OVER (PARTITION BY n ORDER BY n) ${from}`,
    `SELECT max(1) FILTER (WHERE ${one}) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
    `SELECT max(id) FILTER (WHERE ${one}) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
    `SELECT max(full_name) FILTER (WHERE ${one}) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
    `SELECT sum(get_bit(full_name::bytea, n)) FILTER (WHERE ${one}) OVER (PARTITION BY n) ${from}`,
    `SELECT array_agg(id) FILTER (WHERE ${one}) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
    `SELECT greatest(nullif(get_bit(full_name::bytea, n), 0)) ${from}`,
    `SELECT substring(full_name FROM '^' || CASE WHEN ${one} THEN '.' ELSE '#' END) ${from}`,
    `SELECT regexp_match(get_bit(full_name::bytea, n)::text, '1') ${from}`,
    `SELECT (regexp_match(get_bit(full_name::bytea, n)::text, '1'))[1] ${from}`,
    `SELECT array_position(ARRAY[1], get_bit(full_name::bytea, n)) ${from}`,
    `SELECT x.v FROM generate_series(0, 127) n, customers, LATERAL (SELECT nullif(get_bit(full_name::bytea, n), 0) v) x WHERE id = 1 ORDER BY n`,
    `WITH x AS (SELECT n, nullif(get_bit(full_name::bytea, n), 0) v FROM generate_series(0, 127) n, customers WHERE id = 1) SELECT v FROM x ORDER BY n`,
    `SELECT v FROM (SELECT NULL::text v UNION ALL (SELECT CASE WHEN ${one} THEN 'x' END ${from})) x`,
    `SELECT (SELECT max(email) FROM customers WHERE id = 1 AND ${one}) FROM generate_series(0, 127) n ORDER BY n`,
    `SELECT xmlelement(name a, nullif(get_bit(full_name::bytea, n), 0)) IS NULL, nullif(get_bit(full_name::bytea, n), 0)::text::xml ${from}`,
  ],
  { on: ['simple', 'binary', 'copy text', 'copy csv', 'copy binary'] },
)

const outer = new Family('NULL beside outer joins', { on: ['simple', 'binary', 'copy text'] })
outer.each([
  `SELECT c.id ${joined} ORDER BY n`,
  `SELECT c.city ${joined} ORDER BY n`,
  `SELECT c.full_name ${joined} ORDER BY n`,
  `SELECT c.email ${joined} ORDER BY n`,
  `SELECT c.phone ${joined} ORDER BY n`,
  `SELECT c ${joined} ORDER BY n`,
  `SELECT c.home ${joined} ORDER BY n`,
  `SELECT c.tags ${joined} ORDER BY n`,
  `SELECT c.ctid ${joined} ORDER BY n`,
  `SELECT x.one FROM generate_series(0, 127) n LEFT JOIN (SELECT 1 one, full_name FROM customers WHERE id = 1) x ON get_bit(x.full_name::bytea, n) = 1 ORDER BY n`,
  `SELECT c.full_name FROM customers c RIGHT JOIN generate_series(0, 127) n ON c.id = 1 AND get_bit(c.full_name::bytea, n) = 1 ORDER BY n`,
  `SELECT c.phone FROM customers c FULL JOIN (SELECT n, get_bit(full_name::bytea, n) k FROM generate_series(0, 127) n, customers WHERE id = 1) x ON c.id = x.k ORDER BY n`,
  `SELECT c.phone FROM generate_series(0, 127) n LEFT JOIN LATERAL (SELECT * FROM customers WHERE id = 1 AND ${one}) c ON true ORDER BY n`,
  `SELECT c.id FROM generate_series(0, 127) n LEFT JOIN LATERAL (SELECT * FROM customers WHERE id = 1 AND ${one}) c ON true ORDER BY n`,
  `SELECT x.one FROM generate_series(0, 127) n LEFT JOIN LATERAL (SELECT 1 one FROM customers WHERE id = 1 AND ${one}) x ON true ORDER BY n`,
  `SELECT x.k FROM generate_series(0, 127) n CROSS JOIN customers c LEFT JOIN LATERAL (VALUES (1)) x (k) ON get_bit(c.full_name::bytea, n) = 1 WHERE c.id = 1 ORDER BY n`,
  `SELECT o.item FROM generate_series(0, 127) n CROSS JOIN customers c LEFT JOIN orders o ON o.id = get_bit(c.full_name::bytea, n) WHERE c.id = 1 ORDER BY n`,
  `SELECT o.item FROM (SELECT n, get_bit(full_name::bytea, n) b FROM customers, generate_series(0, 127) n WHERE id = 1) x LEFT JOIN orders o ON o.id = x.b ORDER BY n`,
  `SELECT o.item FROM (SELECT n, get_bit(full_name::bytea, n) id FROM customers, generate_series(0, 127) n WHERE id = 1) x LEFT JOIN orders o USING (id) ORDER BY n`,
  `SELECT c.phone FROM generate_series(0, 127) n LEFT JOIN (SELECT * FROM customers WHERE id = 1) c ON EXISTS (SELECT FROM customers d WHERE d.id = c.id AND get_bit(d.full_name::bytea, n) = 1) ORDER BY n`,
  `WITH x AS (SELECT n, c.phone, c.id ${joined}) SELECT phone FROM x ORDER BY n`,
  `SELECT v FROM (SELECT n, c.phone v ${joined}) x ORDER BY n`,
  `SELECT x.phone FROM (generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND get_bit(c.full_name::bytea, n) = 1) AS x (n, id, city, tier, email, full_name, phone) ORDER BY 1`.replace(
    'ORDER BY 1',
    'ORDER BY x.n',
  ),
  `SELECT max(c.phone) ${joined} GROUP BY n ORDER BY n`,
  `SELECT c.full_name IS NULL, c.full_name ${joined} ORDER BY n`,
])
outer.try(
  `SELECT ${Array.from({ length: 64 }, (_, n) => `c${String(n)}.phone`).join(', ')} FROM (VALUES (1)) v ${Array.from({ length: 64 }, (_, n) => `LEFT JOIN customers c${String(n)} ON c${String(n)}.id = 1 AND get_bit(c${String(n)}.full_name::bytea, ${String(n)}) = 1`).join(' ')}`,
  { name: 'one outer join for each bit', on: ['simple'] },
)
outer.try(
  `SELECT ${Array.from({ length: 128 }, (_, n) => `nullif(get_bit(full_name::bytea, ${String(n)}), 0)`).join(', ')} FROM customers WHERE id = 1`,
  { name: 'one column for each bit', on: someWays },
)
outer.try(
  `SELECT ${Array.from({ length: 128 }, (_, n) => `(SELECT 1 FROM customers WHERE id = 1 AND get_bit(full_name::bytea, ${String(n)}) = 1)`).join(', ')}`,
  { name: 'one subquery for each bit', on: someWays },
)
outer.try(
  `SELECT ROW(${Array.from({ length: 128 }, (_, n) => `(SELECT 1 FROM customers WHERE id = 1 AND get_bit(full_name::bytea, ${String(n)}) = 1)`).join(', ')})`,
  { name: 'one subquery for each bit in a record', on: someWays },
)
outer.try(
  `SELECT v FROM (VALUES ${Array.from({ length: 128 }, (_, n) => `((SELECT 1 FROM customers WHERE id = 1 AND get_bit(full_name::bytea, ${String(n)}) = 1))`).join(', ')}) x (v)`,
  { name: 'one row for each bit', on: someWays },
)

const inside = new Family('NULL inside of values', { on: ['simple', 'binary', 'copy text', 'copy csv', 'copy binary'] })
const bit = 'nullif(get_bit(full_name::bytea, n), 0)'
const all = 'FROM generate_series(0, 127) n, customers WHERE id = 1'
const listed = Array.from({ length: 128 }, (_, n) => `nullif(get_bit(full_name::bytea, ${String(n)}), 0)`).join(', ')
inside.each([
  `SELECT array_agg(${bit} ORDER BY n) ${all}`,
  `SELECT array_agg(ARRAY[${bit}] ORDER BY n) ${all}`,
  `SELECT ARRAY(SELECT ${bit} ${from})`,
  `SELECT ROW(ARRAY(SELECT ${bit} ${from}))`,
  `SELECT ROW(ROW(ARRAY(SELECT ${bit} ${from})), 1)`,
  `SELECT ROW(id, ARRAY(SELECT ${bit} FROM generate_series(0, 127) n ORDER BY n)) FROM customers WHERE id = 1`,
  `SELECT json_agg(${bit} ORDER BY n) ${all}`,
  `SELECT jsonb_agg(${bit} ORDER BY n) ${all}`,
  `SELECT json_arrayagg(${bit} ORDER BY n NULL ON NULL) ${all}`,
  `SELECT ROW(jsonb_agg(${bit} ORDER BY n)) ${all}`,
  `SELECT string_agg(coalesce(${bit}::text, 'NULL'), ',' ORDER BY n) ${all}`,
  `SELECT array_to_json(array_agg(${bit} ORDER BY n)) ${all}`,
  `SELECT array_agg(x ORDER BY n) FROM (SELECT n, ROW(${bit}) x ${all}) y`,
])
inside.try(`SELECT ROW(${listed}) FROM customers WHERE id = 1`, { name: 'a record of bits' })
inside.try(`SELECT ROW(1, ${listed}) FROM customers WHERE id = 1`, { name: 'a record of bits and a number' })
inside.try(`SELECT ARRAY[${listed}] FROM customers WHERE id = 1`, { name: 'an array of bits' })
inside.try(`SELECT ARRAY[ROW(${listed})] FROM customers WHERE id = 1`, { name: 'an array with a record of bits' })
inside.each([
  `SELECT ROW(${bit}) ${from}`,
  `SELECT ROW(1, ${bit}) ${from}`,
  `SELECT ROW(ROW(1, ${bit})) ${from}`,
  `SELECT ROW(CASE WHEN ${one} THEN home END) ${from}`,
  `SELECT ROW(CASE WHEN ${one} THEN 'fine'::mood END, 1) ${from}`,
  `SELECT ROW(${bit}::text, NULL)::address ${from}`,
  `SELECT CASE WHEN ${one} THEN ROW(1, 2) ELSE ROW(1) END ${from}`,
  `SELECT CASE WHEN ${one} THEN ROW(NULL) ELSE ROW(1) END ${from}`,
  `SELECT ROW(CASE WHEN ${one} THEN ARRAY[1] ELSE '{}' END) ${from}`,
  `SELECT ROW(CASE WHEN ${one} THEN ARRAY[NULL::int] ELSE '{1}' END) ${from}`,
  `SELECT x FROM (SELECT n, ${bit} b ${all}) x ORDER BY n`.replace('SELECT x FROM', 'SELECT ROW(x.b) FROM'),
  `SELECT (SELECT x FROM (SELECT ${bit} b) x) ${from}`,
  `SELECT CASE WHEN ${one} THEN 'empty'::int4range ELSE '[1,2)' END ${from}`,
  `SELECT CASE WHEN ${one} THEN 'infinity'::date ELSE '2000-01-01' END ${from}`,
  `SELECT CASE WHEN ${one} THEN 'NaN'::numeric ELSE 1 END ${from}`,
  `SELECT CASE WHEN ${one} THEN '' ELSE 'x' END ${from}`,
  `SELECT CASE WHEN ${one} THEN -1 ELSE 1 END * interval '1 day' ${from}`,
  `SELECT (CASE WHEN ${one} THEN -1 ELSE 1 END)::money ${from}`,
  `SELECT CASE WHEN ${one} THEN date '0044-03-15 BC' ELSE '2000-01-01' END ${from}`,
  `SELECT CASE WHEN ${one} THEN date '12000-03-15' ELSE '2000-01-01' END ${from}`,
])

const copied = new Family('NULL in COPY')
copied.each([
  `COPY (SELECT ${bit} ${from}) TO STDOUT (NULL 'x')`,
  `COPY (SELECT ${bit} ${from}) TO STDOUT (NULL '')`,
  `COPY (SELECT ${bit} ${from}) TO STDOUT (NULL '0')`,
  `COPY (SELECT ${bit} ${from}) TO STDOUT (FORMAT csv, NULL 'x')`,
  `COPY (SELECT ${bit} ${from}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)`,
  `COPY (SELECT ${bit} ${from}) TO STDOUT (FORMAT csv, NULL '[masked]')`,
  `COPY (SELECT ${bit}::text ${from}) TO STDOUT (FORMAT csv, NULL '[masked]')`,
  `COPY (SELECT ${bit}::text ${from}) TO STDOUT (NULL '[masked]')`,
  `COPY (SELECT CASE WHEN ${one} THEN '' ELSE 'x' END ${from}) TO STDOUT (NULL '')`,
  `COPY (SELECT CASE WHEN ${one} THEN '' END ${from}) TO STDOUT (FORMAT csv)`,
  `COPY (SELECT CASE WHEN ${one} THEN 'fine'::mood END ${from}) TO STDOUT (FORMAT csv, FORCE_QUOTE *)`,
  `COPY (SELECT c.phone ${joined} ORDER BY n) TO STDOUT (FORMAT csv, FORCE_QUOTE *)`,
])

const stored = new Family('NULL that is written')
stored.inside([
  `CREATE TEMP TABLE bits AS SELECT n, nullif(get_bit(full_name::bytea, n), 0) b ${all}`,
  'SELECT b FROM bits ORDER BY n',
])
stored.inside([
  `CREATE TEMP TABLE bits AS SELECT n, nullif(get_bit(full_name::bytea, n), 0) b ${all}`,
  'COPY (SELECT b FROM bits ORDER BY n) TO STDOUT',
])
stored.inside([
  `CREATE TEMP TABLE bits AS SELECT n, CASE WHEN ${one} THEN phone END b ${all}`,
  'SELECT b FROM bits ORDER BY n',
])
stored.inside([
  `CREATE TEMP TABLE bits AS SELECT n, get_bit(full_name::bytea, n) b ${all}`,
  'SELECT y.n FROM generate_series(0, 127) g LEFT JOIN bits y ON y.n = g AND y.b = 1 ORDER BY g',
])
stored.inside([
  `CREATE TEMP TABLE bits AS SELECT n, get_bit(full_name::bytea, n) b ${all}`,
  'SELECT nullif(b, 0) FROM bits ORDER BY n',
])
stored.inside([
  `CREATE TABLE bits AS SELECT n, nullif(get_bit(full_name::bytea, n), 0) b ${all}`,
  'CREATE TABLE again AS SELECT * FROM bits',
  'SELECT b FROM again ORDER BY n',
])
stored.inside([`INSERT INTO staff (id, name) SELECT 100 + n, CASE WHEN ${one} THEN 'x' END ${from} RETURNING name`])
stored.inside([
  `INSERT INTO staff (id, name) SELECT 100 + n, CASE WHEN ${one} THEN 'x' END ${all}`,
  'SELECT name FROM staff WHERE id >= 100 ORDER BY id',
])
stored.inside([
  `INSERT INTO staff (id, name) SELECT 100 + n, get_bit(full_name::bytea, n)::text ${all}`,
  `SELECT y.id FROM generate_series(100, 227) g LEFT JOIN staff y ON y.id = g AND y.name = '1' ORDER BY g`,
])
stored.inside([
  `INSERT INTO staff (id) SELECT n FROM generate_series(100, 227) n`,
  `UPDATE staff SET name = CASE WHEN get_bit(c.full_name::bytea, staff.id - 100) = 1 THEN 'x' END FROM customers c WHERE c.id = 1 AND staff.id >= 100 RETURNING name`,
])
stored.inside([
  `INSERT INTO staff (id, name) SELECT n, c.full_name FROM generate_series(100, 227) n, customers c WHERE c.id = 1`,
  `SELECT CASE WHEN get_bit(name::bytea, id - 100) = 1 THEN 1 END FROM staff WHERE id >= 100 ORDER BY id`,
])
stored.inside([
  `INSERT INTO staff (id, name) SELECT n, c.full_name FROM generate_series(100, 227) n, customers c WHERE c.id = 1`,
  `SELECT y.id FROM generate_series(100, 227) g LEFT JOIN staff y ON y.id = g AND get_bit(y.name::bytea, g - 100) = 1 ORDER BY g`,
])

// A whole value in each of many rows is no piece of it, and a condition is one answer for each row: here somebody makes
// the rows.
const copies = `INSERT INTO staff (id, name) SELECT n, c.full_name FROM generate_series(100, 227) n, customers c WHERE c.id = 1`
for (const question of [
  `UPDATE staff SET name = CASE WHEN get_bit(name::bytea, id - 100) = 1 THEN name END WHERE id >= 100`,
  `UPDATE staff SET name = NULL WHERE id >= 100 AND get_bit(name::bytea, id - 100) = 1`,
]) {
  stored.inside([copies, question, 'SELECT name FROM staff WHERE id >= 100 ORDER BY id'], {
    expectation: { stated: 'what somebody makes NULL by a condition on rows that somebody made' },
    name: question,
  })
}

const made = { needs: 'ddl', undo: ['DROP TABLE IF EXISTS bits, again'] } as const
const kept = new Family('NULL in tables that were made', made)
for (const [name, select] of [
  ['NULL', `n, nullif(get_bit(full_name::bytea, n), 0) b ${all}`],
  ['a bit', `n, get_bit(full_name::bytea, n) b ${all}`],
  ['a value or NULL', `n, CASE WHEN ${one} THEN phone END b ${all}`],
  ['a joined value', `n, c.phone b ${joined}`],
]) {
  for (const read of [
    'SELECT b FROM bits ORDER BY n',
    'SELECT b FROM again ORDER BY n',
    'SELECT nullif(b, b) IS NULL, CASE WHEN length(b::text) > 1 OR b::text = $$1$$ THEN 1 END FROM bits ORDER BY n',
    'SELECT y.n FROM generate_series(0, 127) g LEFT JOIN bits y ON y.n = g AND (length(y.b::text) > 1 OR y.b::text = $$1$$) ORDER BY g',
    'SELECT y.n FROM generate_series(0, 127) g LEFT JOIN (SELECT * FROM bits WHERE length(b::text) > 1 OR b::text = $$1$$) y ON y.n = g ORDER BY g',
    'COPY (SELECT b FROM bits ORDER BY n) TO STDOUT (FORMAT csv, FORCE_QUOTE *)',
  ]) {
    kept.try([`CREATE TABLE bits AS SELECT ${select ?? ''}`, 'CREATE TABLE again AS TABLE bits', read], {
      name: `${name ?? ''}: ${read}`,
    })
  }
}

// The same without a condition that names what it is compared with, or by other ways to be absent.
const numbers = Array.from({ length: 128 }, (_, at) => String(at))
const absent = new Family('NULL by other ways', { on: ['simple', 'binary'] })
const counted = `(nextval('notes_id_seq') % 128)::int`
const wide = `(SELECT m, m AS k, c.* FROM generate_series(0, 127) m, customers c WHERE c.id = 1)`
absent.each([
  `SELECT (SELECT phone FROM customers x WHERE x.id = nullif(get_bit(c.full_name::bytea, n), 0)) FROM generate_series(0, 127) n, customers c WHERE c.id = 1 ORDER BY n`,
  `SELECT (SELECT city FROM customers x WHERE x.id = nullif(get_bit(c.full_name::bytea, n), 0)) FROM generate_series(0, 127) n, customers c WHERE c.id = 1 ORDER BY n`,
  `SELECT customer_email(nullif(get_bit(full_name::bytea, n), 0)) ${from}`,
  `SELECT returned_email(nullif(get_bit(full_name::bytea, n), 0)) ${from}`,
  `SELECT (two(nullif(get_bit(full_name::bytea, n), 0))).b ${from}`,
  `SELECT same(nullif(get_bit(full_name::bytea, n), 0)) ${from}`,
  `SELECT same(CASE WHEN ${one} THEN c END) FROM generate_series(0, 127) n, customers c WHERE id = 1 ORDER BY n`,
  `SELECT t.email FROM generate_series(0, 127) n CROSS JOIN customers c LEFT JOIN LATERAL customer_email(nullif(get_bit(c.full_name::bytea, n), 0)) t (email) ON true WHERE c.id = 1 ORDER BY n`,
  `SELECT t.label FROM generate_series(0, 127) n CROSS JOIN customers c LEFT JOIN LATERAL find_names(5 + 5 * get_bit(c.full_name::bytea, n)) t ON true WHERE c.id = 1 ORDER BY n`,
  `SELECT t.phone FROM generate_series(0, 127) n CROSS JOIN customers c LEFT JOIN all_customers() t ON t.id = get_bit(c.full_name::bytea, n) WHERE c.id = 1 ORDER BY n`,
  `SELECT x.phone FROM generate_series(0, 127) g LEFT JOIN ${wide} x ON x.m = g AND get_bit(x.full_name::bytea, x.m) = 1 ORDER BY g`,
  `SELECT x.phone FROM generate_series(0, 127) g LEFT JOIN ${wide} x ON x.k = g AND get_bit(x.full_name::bytea, x.m) = 1 ORDER BY g`,
  `SELECT x.city FROM generate_series(0, 127) g LEFT JOIN ${wide} x ON x.k = g AND get_bit(x.full_name::bytea, x.m) = 1 ORDER BY g`,
  `SELECT x.k FROM generate_series(0, 127) g LEFT JOIN ${wide} x ON x.k = g AND get_bit(x.full_name::bytea, x.m) = 1 ORDER BY g`,
  `SELECT x.phone FROM ${wide} g LEFT JOIN (SELECT phone FROM customers WHERE id = 1) x ON get_bit(g.full_name::bytea, g.m) = 1 ORDER BY g.k`,
  `SELECT x.phone FROM ${wide} g LEFT JOIN LATERAL (SELECT g.phone WHERE get_bit(g.full_name::bytea, g.m) = 1) x ON true ORDER BY g.k`,
  `SELECT x.k FROM ${wide} g LEFT JOIN LATERAL (SELECT g.k WHERE get_bit(g.full_name::bytea, g.m) = 1) x ON true ORDER BY g.k`,
  `SELECT phone FROM (SELECT n, phone FROM generate_series(0, 127) n, customers WHERE id = 1 AND ${one} UNION ALL SELECT n, NULL FROM generate_series(0, 127) n, customers WHERE id = 1 AND NOT ${one}) x ORDER BY n`,
  `SELECT n, phone FROM generate_series(0, 127) n, customers WHERE id = 1 AND ${one} UNION ALL SELECT n, NULL FROM generate_series(0, 127) n, customers WHERE id = 1 AND NOT ${one} ORDER BY 1`,
  `SELECT n, city FROM generate_series(0, 127) n, customers WHERE id = 1 AND ${one} UNION ALL SELECT n, NULL FROM generate_series(0, 127) n, customers WHERE id = 1 AND NOT ${one} ORDER BY 1`,
  `SELECT x.a FROM customers, generate_series(0, 127) n, json_to_record(json_build_object('a', ${bit})) AS x (a int) WHERE id = 1 ORDER BY n`,
  `SELECT x.a FROM customers, generate_series(0, 127) n, json_to_record(json_build_object(get_bit(full_name::bytea, n)::text, 7)) AS x (a int, "1" int) WHERE id = 1 ORDER BY n`.replace(
    'x.a FROM',
    'x."1" FROM',
  ),
  `SELECT x.a FROM customers, generate_series(0, 127) n, json_table('[1]', '$[*]' COLUMNS (a int PATH '$ ? (@ == 1)', b int PATH '$')) x WHERE id = 1 AND n >= 0 ORDER BY n`.replace(
    "'[1]', '$[*]'",
    "jsonb_build_array(get_bit(full_name::bytea, n)), '$[*]'",
  ),
  `SELECT x.a FROM customers, generate_series(0, 127) n, xmltable('/r' PASSING xmlelement(name r, CASE WHEN ${one} THEN xmlelement(name a, 1) END) COLUMNS a int PATH 'a') x WHERE id = 1 ORDER BY n`,
  `SELECT (jsonb_populate_record(NULL::address, jsonb_build_object('zip', ${bit}))).zip ${from}`,
  `SELECT jsonb_populate_record(NULL::address, jsonb_build_object('zip', ${bit})) ${from}`,
  `SELECT u.a FROM customers, generate_series(0, 127) n, unnest(array_fill(1, ARRAY[get_bit(full_name::bytea, n)]), ARRAY[1]) u (a, b) WHERE id = 1 ORDER BY n`,
  `SELECT u.a FROM customers, generate_series(0, 127) n, ROWS FROM (generate_series(1, get_bit(full_name::bytea, n)), generate_series(1, 1)) u (a, b) WHERE id = 1 ORDER BY n`,
  `SELECT first_value(phone) OVER (PARTITION BY n ORDER BY n ROWS BETWEEN get_bit((SELECT full_name FROM customers WHERE id = 1)::bytea, 0) FOLLOWING AND UNBOUNDED FOLLOWING) ${from}`.replace(
    /first_value.*?\) FROM/,
    `nth_value(phone, 1 + get_bit(full_name::bytea, n)) OVER (PARTITION BY n) FROM`,
  ),
  `SELECT nth_value(id, 1 + get_bit(full_name::bytea, n)) OVER (PARTITION BY n) ${from}`,
  `SELECT (SELECT id FROM customers x WHERE x.id = c.id AND x.full_name > chr(n)) FROM customers c, generate_series(33, 126) n WHERE c.id = 0 UNION ALL SELECT nullif(get_bit(full_name::bytea, n), 0) FROM (SELECT * FROM customers, generate_series(0, 127) n WHERE id = 1 ORDER BY n) z`,
  `SELECT lower(int4range(0, get_bit(full_name::bytea, n))) ${from}`,
  `SELECT (hstore(get_bit(full_name::bytea, n)::text, 'x')) -> '1' ${from}`,
  `SELECT pg_catalog.obj_description(get_bit(full_name::bytea, n)::oid), to_regclass(CASE WHEN ${one} THEN 'orders' ELSE 'nothing' END) ${from}`,
  `SELECT width_bucket(1, 0, 2, nullif(get_bit(full_name::bytea, n), 0)) ${from}`,
  `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY nullif(get_bit(full_name::bytea, n), 0)) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
  `SELECT mode() WITHIN GROUP (ORDER BY nullif(get_bit(full_name::bytea, n), 0)) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
  `SELECT any_value(phone) FILTER (WHERE ${one}) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
  `SELECT min(phone) FILTER (WHERE ${one}) FROM generate_series(0, 127) n, customers WHERE id = 1 GROUP BY n ORDER BY n`,
])
absent.each(
  [
    `SELECT x.k FROM ${wide} x WHERE get_bit(x.full_name::bytea, x.m) = 1`,
    `SELECT x.k FROM (SELECT m, m + 0 AS k, full_name FROM generate_series(0, 127) m, customers WHERE id = 1) x WHERE get_bit(x.full_name::bytea, x.m) = 1`,
    `SELECT x.k FROM (SELECT row_number() OVER () - 1 AS m, row_number() OVER () - 1 AS k, full_name FROM generate_series(0, 127), customers WHERE id = 1) x WHERE get_bit(x.full_name::bytea, x.m::int) = 1`,
    `WITH x AS MATERIALIZED (SELECT m, m AS k, full_name FROM generate_series(0, 127) m, customers WHERE id = 1) SELECT k FROM x WHERE get_bit(full_name::bytea, m) = 1`,
    `SELECT u.k FROM customers c, unnest(ARRAY[${numbers.join()}], ARRAY[${numbers.join()}]) u (m, k) WHERE c.id = 1 AND get_bit(c.full_name::bytea, u.m) = 1`,
  ],
  {
    on: ['simple'],
    decode: (rows) => {
      const seen = new Set(rows.map((row) => row[0]))
      return numbers.map((each) => (seen.has(each) ? '1' : '0')).join('')
    },
  },
)
for (const [index, select] of [
  `SELECT (SELECT c.phone FROM customers c WHERE c.id = 1 AND n >= 0 AND get_bit(c.full_name::bytea, ${counted}) = 1) FROM generate_series(0, 127) n`,
  `SELECT (SELECT c.city FROM customers c WHERE c.id = 1 AND n >= 0 AND get_bit(c.full_name::bytea, ${counted}) = 1) FROM generate_series(0, 127) n`,
  `SELECT (SELECT n FROM customers c WHERE c.id = 1 AND n >= 0 AND get_bit(c.full_name::bytea, ${counted}) = 1) FROM generate_series(0, 127) n`,
  `SELECT (SELECT 1 FROM customers c WHERE c.id = 1 AND n >= 0 AND get_bit(c.full_name::bytea, ${counted}) = 1) FROM generate_series(0, 127) n`,
  `SELECT EXISTS (SELECT FROM customers c WHERE c.id = 1 AND n >= 0 AND get_bit(c.full_name::bytea, ${counted}) = 1) FROM generate_series(0, 127) n`,
].entries()) {
  absent.inside(["SELECT setval('notes_id_seq', 127)", select], {
    on: ['simple'],
    name: `counted ${String(index)}: ${select}`,
  })
}
absent.inside([
  'INSERT INTO notes (id) SELECT n FROM generate_series(1000, 1127) n',
  `MERGE INTO notes t USING (SELECT n, full_name FROM generate_series(0, 127) n, customers WHERE id = 1 ORDER BY n) s ON t.id = s.n + 1000 AND get_bit(s.full_name::bytea, s.n) = 1 WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED THEN INSERT (id) VALUES (2000 + s.n) RETURNING old.id, s.n`,
])
absent.inside([
  'INSERT INTO notes (id) SELECT n FROM generate_series(1000, 1127) n',
  `UPDATE notes t SET n = 1 FROM (SELECT n, full_name FROM generate_series(0, 127) n, customers WHERE id = 1) s LEFT JOIN customers c ON get_bit(s.full_name::bytea, s.n) = 1 AND c.id = 1 WHERE t.id = s.n + 1000 RETURNING c.phone`,
])

/** Values spelled by the pattern of NULLs. */
export const nullAttacks = [spelled, outer, inside, copied, stored, kept, absent].flatMap(({ attacks }) => attacks)
