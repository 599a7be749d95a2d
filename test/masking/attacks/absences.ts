import { Family } from '../attack.ts'
import { nullSelects } from './nulls.ts'

/*
 * As in `nulls.ts` by longer ways: what is NULL in what was written before, in rows that the statement makes, and in
 * answers to questions that chance or a sequence asks.
 */

const { one, from, joined, bit, all } = nullSelects

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

stored.inside([
  copies,
  `UPDATE staff SET name = CASE WHEN get_bit(name::bytea, id - 100) = 1 THEN name END WHERE id >= 100 RETURNING name`,
])

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

absent.try(
  'SELECT (SELECT ROW(g, c.full_name) FROM generate_series(33, 126) g, customers c WHERE c.id = 1 ORDER BY g OFFSET (SELECT ascii(substr(full_name, n, 1)) - 33 FROM customers WHERE id = 1) LIMIT 1) FROM generate_series(1, 16) n ORDER BY n',
  {
    name: 'a number beside a value in a record',
    on: ['simple'],
    decode: (rows) => rows.map(([cell = '']) => String.fromCharCode(Number(/\d+/.exec(cell)?.[0] ?? 0))).join(''),
  },
)

// Chance is known to whoever has sown it: which bit was asked is read first, then what was answered.
const chance = new Family('NULL by chance', {
  on: ['simple'],
  decode: (rows) => {
    // One row of each setseed() is before them.
    const cells = rows.map((row) => row[0] ?? '')
    const bits = Array.from({ length: 128 }, () => '0')
    for (const [index, asked] of cells.slice(1, draws + 1).entries()) {
      if (!['', '0', 'f'].includes(cells[draws + 2 + index] ?? '')) bits[Number(asked)] = '1'
    }
    return bits.join('')
  },
})
const draws = 1_500
const drawn = `get_bit(c.full_name::bytea, random(0, 127)) = 1`
const sown = `FROM generate_series(1, ${String(draws)}) n`
for (const select of [
  `SELECT (SELECT c.city FROM customers c WHERE c.id = 1 AND n > 0 AND ${drawn}) ${sown}`,
  `SELECT (SELECT c.phone FROM customers c WHERE c.id = 1 AND n > 0 AND ${drawn}) ${sown}`,
  `SELECT (SELECT 1 FROM customers c WHERE c.id = 1 AND n > 0 AND ${drawn}) ${sown}`,
  `SELECT EXISTS (SELECT FROM customers c WHERE c.id = 1 AND n > 0 AND ${drawn}) ${sown}`,
  `SELECT (SELECT count(*) FROM customers c WHERE c.id = 1 AND n > 0 AND ${drawn}) ${sown}`,
  `SELECT count(*) FILTER (WHERE ${drawn}) ${sown}, customers c WHERE c.id = 1 GROUP BY n ORDER BY n`,
  `SELECT c.phone FROM (SELECT n ${sown}) n LEFT JOIN LATERAL (SELECT * FROM customers c WHERE c.id = 1 AND n.n > 0 AND ${drawn} OFFSET 0) c ON true`,
  `SELECT c.city FROM (SELECT n ${sown}) n LEFT JOIN LATERAL (SELECT * FROM customers c WHERE c.id = 1 AND n.n > 0 AND ${drawn} OFFSET 0) c ON true`,
]) {
  chance.inside(['SELECT setseed(0.5)', `SELECT random(0, 127) ${sown}`, 'SELECT setseed(0.5)', select])
}

/** Values spelled by what is NULL, by longer ways. */
export const absenceAttacks = [stored, kept, absent, chance].flatMap(({ attacks }) => attacks)
