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

/** Values spelled by the pattern of NULLs. */
export const nullAttacks = [spelled, outer, inside, copied].flatMap(({ attacks }) => attacks)

/** What these are made of: 128 rows, each with one bit of a name. */
export const nullSelects = { one, from, joined, bit, all } as const
