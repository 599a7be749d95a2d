import { Family } from '../attack.ts'

/** The bits of a name, by a number that anybody may read. */
const bit = (row = 'c', n = 'n'): string => `get_bit(${row}.full_name::bytea, ${n}) = 1`
/** The first letters of a name, each as its code. */
const code = (at: number | string): string =>
  `(SELECT ascii(substr(full_name, ${String(at)}, 1)) FROM customers WHERE id = 1)`
const each = (count: number, of: (at: number) => string, between: string): string =>
  Array.from({ length: count }, (_, at) => of(at)).join(between)

const asBits = (rows: readonly (readonly string[])[]): string => {
  const bits = rows.map((row) => (/^(0?|f|-?0)$/.test(row.at(-1) ?? '') ? '0' : '1')).join('')
  return [bits, bits.replaceAll(/[01]/g, (each_) => (each_ === '0' ? '1' : '0'))]
    .map((text) =>
      [...text.matchAll(/.{8}/g)]
        .map(([byte]) => String.fromCharCode(Number.parseInt(byte.split('').toReversed().join(''), 2)))
        .join(''),
    )
    .join(' ')
}
/** Rows of one customer between those of another, who comes once for each number. */
const asPauses = (rows: readonly (readonly string[])[]): string => {
  const bits = rows
    .map((row) => row.at(-1) ?? '')
    .join(' ')
    .split('2')
    .map((part) => [part.includes('1') ? '1' : '0'])
  return `${asBits(bits)} ${asBits(bits.slice(1))}`
}

const absence = new Family('rows that are absent', { decode: asBits })
absence.each([
  `SELECT c.id FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND ${bit()} ORDER BY n`,
  `SELECT c.email IS NULL FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND ${bit()} ORDER BY n`,
  `SELECT c IS NULL FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND ${bit()} ORDER BY n`,
  `SELECT count(c.id) FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND ${bit()} GROUP BY n ORDER BY n`,
  `SELECT sum(c.id) OVER (PARTITION BY n) FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND ${bit()} ORDER BY n`,
  `SELECT unnest(array_agg(coalesce(c.id, 0) ORDER BY n)) FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND ${bit()}`,
  `SELECT c.tier IS NULL FROM customers c RIGHT JOIN generate_series(0, 127) n ON c.id = 1 AND ${bit()} ORDER BY n`,
  `SELECT c.id FROM customers c FULL JOIN generate_series(0, 127) n ON c.id = n * 0 + 1 AND n - 1 + get_bit(c.full_name::bytea, n) = n ORDER BY n`.replace(
    'FULL',
    'RIGHT',
  ),
  `SELECT c.id FROM generate_series(0, 127) n LEFT JOIN (generate_series(0, 127) m JOIN customers c ON c.id = 1 AND ${bit('c', 'm')}) ON m = n ORDER BY n`,
  `SELECT o.id FROM generate_series(0, 127) n LEFT JOIN (customers c JOIN orders o ON o.id = c.id) ON c.id = 1 AND ${bit()} ORDER BY n`,
  `SELECT x.id FROM generate_series(0, 127) n LEFT JOIN LATERAL (SELECT c.id FROM customers c WHERE c.id = 1 AND ${bit()}) x ON true ORDER BY n`,
  `SELECT x.id FROM generate_series(0, 127) n LEFT JOIN (SELECT c.id, c.full_name FROM customers c WHERE c.id = 1) x ON ${bit('x')} ORDER BY n`,
  `SELECT g.id FROM generate_series(0, 127) n LEFT JOIN (SELECT DISTINCT id, full_name FROM customers WHERE id = 1) g ON ${bit('g')} ORDER BY n`,
  `SELECT (SELECT c.id FROM customers c WHERE c.id = 1 AND ${bit()}) FROM generate_series(0, 127) n ORDER BY n`,
])

const nulls = new Family('values that are absent', {
  decode: (rows) => asBits(rows.map((row) => [row.at(-1) === '' ? '0' : '1'])),
})
nulls.each([
  `SELECT c.city FROM generate_series(0, 127) n LEFT JOIN customers c ON c.id = 1 AND ${bit()} ORDER BY n`,
  'SELECT nullif(get_bit(full_name::bytea, n), 0) FROM generate_series(0, 127) n, customers WHERE id = 1 ORDER BY n',
])

const repetition = new Family('rows that are repeated', { decode: asPauses })
repetition.each([
  `SELECT c.id FROM customers c, generate_series(0, 127) n WHERE c.id IN (1, 2) AND (c.id = 2 OR ${bit()}) ORDER BY n, c.id DESC`,
  `SELECT c.id FROM generate_series(0, 127) n, customers c WHERE c.id < 3 AND CASE c.id WHEN 2 THEN true ELSE ${bit()} END ORDER BY n, c.id DESC`,
  `SELECT c.id FROM generate_series(0, 127) n, customers c, LATERAL generate_series(1, CASE c.id WHEN 2 THEN 1 ELSE get_bit(c.full_name::bytea, n) END) g WHERE c.id < 3 ORDER BY n, c.id DESC`,
  `SELECT c.id FROM generate_series(0, 127) n JOIN customers c ON c.id = 2 OR c.id = 1 AND ${bit()} ORDER BY n, c.id DESC`,
  `SELECT o.id FROM generate_series(0, 127) n, orders o JOIN customers c ON c.id = o.id WHERE o.id < 3 AND (o.id = 2 OR ${bit()}) ORDER BY n, o.id DESC`,
])
repetition.each(
  [
    `SELECT ch FROM generate_series(1, 16) n, letters l, customers c, LATERAL generate_series(1, (l.ch = substr(c.full_name, n, 1))::int) g WHERE c.id = 1 ORDER BY n`,
    `SELECT ch FROM generate_series(1, 16) n, letters l, customers c, LATERAL unnest(CASE WHEN l.ch = substr(c.full_name, n, 1) THEN '{1}'::int[] END) g WHERE c.id = 1 ORDER BY n`,
    `SELECT ch FROM generate_series(1, 16) n, letters l, customers c, LATERAL regexp_matches(substr(c.full_name, n, 1), '[' || l.ch || ']') g WHERE c.id = 1 AND l.ch ~ '[a-z0-9]' ORDER BY n`,
    `SELECT ch FROM generate_series(1, 16) n, customers c, letters l TABLESAMPLE BERNOULLI (100), LATERAL jsonb_path_query(to_jsonb(l.ch), '$ ? (@ == $v)', jsonb_build_object('v', substr(c.full_name, n, 1))) g WHERE c.id = 1 ORDER BY n`,
    `SELECT ch, generate_series(1, (l.ch = substr(c.full_name, n, 1))::int) FROM generate_series(1, 16) n, letters l, customers c WHERE c.id = 1 ORDER BY n`,
    `SELECT ch FROM (SELECT ch, n, generate_series(1, (l.ch = substr(c.full_name, n, 1))::int) FROM generate_series(1, 16) n, letters l, customers c WHERE c.id = 1) s ORDER BY n`,
  ],
  { decode: (rows) => rows.map((row) => row[0]).join('') },
)

const distinct = new Family('rows that are the same', { decode: asBits })
distinct.each([
  `SELECT count(*) - 1 FROM (SELECT DISTINCT n, CASE WHEN ${bit()} THEN x ELSE 1 END FROM generate_series(0, 127) n, customers c, (VALUES (1), (2)) v (x) WHERE c.id = 1) s GROUP BY n ORDER BY n`,
  `SELECT count(*) - 1 FROM (SELECT n, CASE WHEN ${bit()} THEN x ELSE 1 END FROM generate_series(0, 127) n, customers c, (VALUES (1), (2)) v (x) WHERE c.id = 1 UNION SELECT 0, 1) s GROUP BY n ORDER BY n`,
  'SELECT count(*) - 1 FROM (SELECT n, 1 AS b FROM generate_series(0, 127) n UNION SELECT n, 1 - get_bit(full_name::bytea, n) FROM customers, generate_series(0, 127) n WHERE id = 1) s GROUP BY n ORDER BY n',
  'SELECT count(*) - 1 FROM (SELECT n, 1 AS b FROM generate_series(0, 127) n EXCEPT SELECT n, get_bit(full_name::bytea, n) FROM customers, generate_series(0, 127) n WHERE id = 1 UNION ALL SELECT n, 0 FROM generate_series(0, 127) n) s GROUP BY n ORDER BY n',
  'SELECT count(*) - 1 FROM (SELECT n, b FROM generate_series(0, 127) n, (VALUES (0), (1)) b (b) INTERSECT SELECT n, b * get_bit(full_name::bytea, n) FROM customers, generate_series(0, 127) n, (VALUES (0), (1)) b (b) WHERE id = 1) s GROUP BY n ORDER BY n',
  `SELECT count(*) - 1 FROM (SELECT n FROM generate_series(0, 127) n, customers c, (VALUES (1), (2)) v (x) WHERE c.id = 1 GROUP BY n, CASE WHEN ${bit()} THEN x ELSE 1 END) s GROUP BY n ORDER BY n`,
  `SELECT count(DISTINCT CASE WHEN ${bit()} THEN x ELSE 1 END) - 1 FROM generate_series(0, 127) n, customers c, (VALUES (1), (2)) v (x) WHERE c.id = 1 GROUP BY n ORDER BY n`,
])
distinct.try(
  `SELECT DISTINCT n, CASE WHEN ${bit()} THEN x ELSE 1 END FROM generate_series(0, 127) n, customers c, (VALUES (1), (2)) v (x) WHERE c.id = 1 ORDER BY n`,
  {
    decode: (rows) => {
      const seen = new Map<string, number>()
      for (const [n = ''] of rows) seen.set(n, (seen.get(n) ?? 0) + 1)
      return asBits([...seen.values()].map((count) => [String(count - 1)]))
    },
  },
)

const frames = new Family('frames and bounds')
frames.each(
  [
    `SELECT k FROM generate_series(1, 16) n, LATERAL (SELECT count(*) OVER (ORDER BY g ROWS BETWEEN 1 FOLLOWING AND ${code('n')} FOLLOWING) k FROM generate_series(1, 300) g ORDER BY g LIMIT 1) x ORDER BY n`,
    `SELECT k FROM generate_series(1, 16) n, LATERAL (SELECT count(*) OVER w k FROM generate_series(1, 300) g WINDOW w AS (ORDER BY g RANGE BETWEEN 1 FOLLOWING AND ${code('n')} FOLLOWING) ORDER BY g LIMIT 1) x ORDER BY n`,
    `SELECT ${each(8, (at) => `(SELECT count(*) OVER (ORDER BY g ROWS BETWEEN 1 FOLLOWING AND ${code(at + 1)} FOLLOWING) FROM generate_series(1, 300) g ORDER BY g LIMIT 1)`, ', ')}`,
    each(
      8,
      (at) =>
        `(SELECT count(*) OVER (ORDER BY g ROWS BETWEEN 1 FOLLOWING AND ${code(at + 1)} FOLLOWING) FROM generate_series(1, 300) g ORDER BY g LIMIT 1)`,
      ' UNION ALL ',
    ),
    each(
      8,
      (at) =>
        `(SELECT sum(1) OVER (ORDER BY g GROUPS BETWEEN 1 FOLLOWING AND ${code(at + 1)} FOLLOWING) FROM generate_series(1, 300) g ORDER BY g LIMIT 1)`,
      ' UNION ALL ',
    ),
    each(
      8,
      (at) =>
        `(SELECT last_value(g) OVER (ORDER BY g ROWS BETWEEN CURRENT ROW AND ${code(at + 1)} FOLLOWING) - 1 FROM generate_series(1, 300) g ORDER BY g LIMIT 1)`,
      ' UNION ALL ',
    ),
    each(
      8,
      (at) =>
        `(SELECT nth_value(g, ${code(at + 1)}) OVER (ORDER BY g ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM generate_series(1, 300) g LIMIT 1)`,
      ' UNION ALL ',
    ),
    each(
      8,
      (at) =>
        `(SELECT ntile(${code(at + 1)}) OVER (ORDER BY g) FROM generate_series(1, 300) g ORDER BY g DESC LIMIT 1)`,
      ' UNION ALL ',
    ),
    each(
      8,
      (at) =>
        `(SELECT lag(g, ${code(at + 1)}) OVER (ORDER BY g DESC) FROM generate_series(0, 300) g ORDER BY g LIMIT 1)`,
      ' UNION ALL ',
    )
      .replaceAll('DESC) FROM', ') FROM')
      .replaceAll('ORDER BY g LIMIT', 'ORDER BY g DESC LIMIT')
      .replaceAll('SELECT lag(', 'SELECT 300 - lag('),
    each(
      8,
      (at) => `(SELECT rank(${code(at + 1)}) WITHIN GROUP (ORDER BY g) FROM generate_series(1, 300) g)`,
      ' UNION ALL ',
    ),
    each(
      8,
      (at) =>
        `(SELECT percentile_disc(${code(at + 1)} / 300.0) WITHIN GROUP (ORDER BY g) FROM generate_series(1, 300) g)`,
      ' UNION ALL ',
    ),
    each(8, (at) => `(SELECT count(*) FROM generate_series(1, 300) g WHERE g <= ${code(at + 1)})`, ' UNION ALL '),
    each(8, (at) => `(SELECT width_bucket(${code(at + 1)}, 0, 300, 300) - 1)`, ' UNION ALL '),
    each(
      8,
      (at) =>
        `(SELECT count(*) FROM customers c, orders o, letters WHERE (SELECT count(*) FROM letters l2 WHERE l2.ch <= letters.ch) + 32 <= ascii(substr(c.full_name, ${String(at + 1)}, 1)) AND c.id = 1 AND o.id = 1) + 32`,
      ' UNION ALL ',
    )
      .replaceAll('(SELECT count(*) FROM customers', '(SELECT 0 + count(*) FROM customers')
      .replaceAll(') + 32 UNION', ') UNION'),
  ].map((sql) =>
    sql.startsWith('(SELECT 0')
      ? `SELECT * FROM (VALUES ${each(8, (at) => `((SELECT count(*) FROM generate_series(33, 126) g WHERE g <= ascii(substr((SELECT full_name FROM customers WHERE id = 1), ${String(at + 1)}, 1))) + 32)`, ', ')}) v`
      : sql,
  ),
  {
    decode: (rows) =>
      rows
        .flat()
        .map((cell) => String.fromCharCode(Math.round(Number(cell))))
        .join(' ') +
      rows
        .flat()
        .map((cell) => String.fromCharCode(Math.round(Number(cell)) - 1))
        .join(''),
  },
)

const like = (at: number, letter: string): string =>
  `EXISTS (SELECT FROM customers WHERE id = 1 AND substr(full_name, ${String(at)}, 1) = '${letter}')`
const letters = 'abcdefghijkmnpqrstuvwxyz23456789'.split('')
const asked = (at: number): string =>
  `(SELECT count(*) FROM customers WHERE id = 1 AND get_bit(full_name::bytea, ${String(at)}) = 1)`
const many = new Family('many questions at once', {
  decode: (rows) => `${asBits(rows.flat().map((cell) => [cell]))} ${rows.flat().join('')}`,
})
many.each([
  `SELECT ${each(128, asked, ', ')}`,
  `SELECT ${each(128, (at) => `count(*) FILTER (WHERE get_bit(full_name::bytea, ${String(at)}) = 1)`, ', ')} FROM customers WHERE id = 1`,
  each(
    128,
    (at) => `SELECT count(*) FROM customers WHERE id = 1 AND get_bit(full_name::bytea, ${String(at)}) = 1`,
    ' UNION ALL ',
  ),
  `VALUES ${each(128, (at) => `(${asked(at)})`, ', ')}`,
  `VALUES ${letters
    .flatMap((letter) =>
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((at) => [at, `((SELECT '${letter}' WHERE ${like(at, letter)}))`] as const),
    )
    .sort(([a], [b]) => a - b)
    .map(([, text]) => text)
    .join(', ')}`,
  `SELECT ${each(128, (at) => `(SELECT 1 FROM customers WHERE id = 1 AND get_bit(full_name::bytea, ${String(at)}) = 1)`, ', ')}`,
  `SELECT * FROM (VALUES ${each(128, (at) => `(${asked(at)})`, ', ')}) v`,
  `SELECT DISTINCT ON (n) x FROM (VALUES ${each(128, (at) => `(${String(at)}, ${asked(at)})`, ', ')}) v (n, x) ORDER BY n`,
  `SELECT ${each(128, (at) => `EXISTS (SELECT FROM customers WHERE id = 1 AND get_bit(full_name::bytea, ${String(at)}) = 1)`, ', ')}`,
])
many.each(
  [
    `SELECT ROW(${each(128, asked, ', ')})::text`,
    `SELECT ${each(128, (at) => `${asked(at)}::text`, ' || ')}`,
    `SELECT concat(${each(90, asked, ', ')})`,
    `SELECT ARRAY[${each(128, asked, ', ')}]`,
    `SELECT v::text FROM (VALUES (${each(128, asked, ', ')})) v`,
    `SELECT to_jsonb(v) FROM (VALUES (${each(128, asked, ', ')})) v`,
  ],
  {
    decode: (rows) =>
      asBits(
        [
          ...(rows
            .flat()
            .join('')
            .replaceAll(/"column\d+"/g, '')
            .match(/[01]/g) ?? []),
        ].map((cell) => [cell]),
      ),
  },
)
const tables = each(24, (at) => `m${String(at)}`, ',').split(',')
many.try(
  `SELECT m0.n FROM ${tables.map((name, at) => (at === 0 ? `generate_series(0, 127) m0 (n)` : `JOIN generate_series(0, 127) ${name} (n) ON ${name}.n = m0.n`)).join(' ')}, customers c WHERE c.id = 1 AND ${tables.map((name, at) => `(${name}.n <> ${String(at)} OR ${bit('c', String(at))})`).join(' AND ')} ORDER BY 1`,
  { name: 'one OR for each of many tables', harmless: 'it shows three letters' },
)

const explained = new Family('plans that tell')
const asRows = (rows: readonly (readonly string[])[]): string =>
  [
    ...rows
      .flat()
      .join('\n')
      .matchAll(/rows=(\d+)/g),
  ]
    .map(([, count]) => String.fromCharCode(Number(count)))
    .join('')
    .replaceAll(/[^a-z0-9]/g, '')
explained.each(
  [
    `EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ${each(8, (at) => `SELECT FROM generate_series(1, ${code(at + 1)})`, ' UNION ALL ')}`,
    `EXPLAIN ${each(8, (at) => `SELECT FROM generate_series(1, ascii(substr(customer_email(1), ${String(at + 1)}, 1)))`, ' UNION ALL ')}`,
    `EXPLAIN ${each(8, (at) => `(SELECT FROM generate_series(1, 1000) LIMIT ascii(substr(customer_email(1), ${String(at + 1)}, 1)))`, ' UNION ALL ')}`,
    `EXPLAIN ${each(8, (at) => `SELECT FROM generate_series(1, ascii(substr(returned_email(1), ${String(at + 1)}, 1)))`, ' UNION ALL ')}`,
  ],
  { decode: asRows },
)

const kept = new Family('what is kept by functions', {
  decode: (rows) =>
    `${rows.map((row) => row.at(-1)).join('')} ${asBits(Array.from({ length: 128 }, (_, at) => [rows.some((row) => row.at(-1) === String(at)) ? '1' : '0']))}`,
})
const locks = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' ORDER BY objid"
for (const sql of [
  `SELECT pg_advisory_xact_lock(n) FROM generate_series(0, 127) n, customers c WHERE c.id = 1 AND ${bit()}`,
  `SELECT CASE WHEN ${bit()} THEN pg_advisory_xact_lock(n) END FROM generate_series(0, 127) n, customers c WHERE c.id = 1`,
  `SELECT ${bit()} AND pg_try_advisory_xact_lock(n) FROM generate_series(0, 127) n, customers c WHERE c.id = 1`,
  `SELECT CASE WHEN ${bit()} THEN (SELECT pg_try_advisory_xact_lock(n)) END FROM generate_series(0, 127) n, customers c WHERE c.id = 1`,
  `SELECT (SELECT pg_try_advisory_xact_lock(n) FROM customers c WHERE c.id = 1 AND ${bit()}) FROM generate_series(0, 127) n`,
  `SELECT coalesce(nullif(get_bit(c.full_name::bytea, n), 1), length(pg_advisory_xact_lock(n)::text)) FROM generate_series(0, 127) n, customers c WHERE c.id = 1`,
])
  kept.inside([sql, locks])
const spelled = `FROM (SELECT n, l.ch FROM generate_series(1, 16) n, letters l, customers c WHERE c.id = 1 AND l.ch = substr(c.full_name, n, 1) ORDER BY n) s`
kept.inside([
  "SELECT set_config('my.x', '', true)",
  `SELECT set_config('my.x', current_setting('my.x') || ch, true) ${spelled}`,
  "SELECT current_setting('my.x')",
])
kept.inside([
  "SELECT set_config('my.x', '', true)",
  `SELECT CASE WHEN ch = substr(full_name, n, 1) THEN set_config('my.x', current_setting('my.x') || ch, true) END FROM (SELECT * FROM customers, generate_series(1, 16) n, letters WHERE id = 1 ORDER BY n) s`,
  'SHOW my.x',
])
kept.try(
  [
    'LISTEN x',
    `SELECT pg_notify('x', ch) FROM generate_series(1, 16) n, letters l, customers c WHERE c.id = 1 AND l.ch = substr(c.full_name, n, 1)`,
  ],
  { undo: ['SELECT 1'], harmless: 'letters that come one by one are not put together' },
)
kept.inside(
  [
    `SELECT lo_from_bytea(0, ch::bytea) FROM generate_series(1, 16) n, letters l, customers c WHERE c.id = 1 AND l.ch = substr(c.full_name, n, 1)`,
    'SELECT 1',
  ],
  { harmless: 'reading them is another attack' },
)
kept.inside(
  [
    `SELECT setval('notes_id_seq', 100000 + sum(x)::int) FROM (SELECT (1 << (n % 16)) x FROM generate_series(0, 15) n, customers c WHERE c.id = 1 AND ${bit()}) s`,
    'SELECT last_value FROM notes_id_seq',
  ],
  { harmless: 'two letters only', undo: ["SELECT setval('notes_id_seq', 1, false)"] },
)
kept.inside(
  Array.from({ length: 10 }, (_, at) => [
    `SELECT nextval('audit_id_seq') FROM generate_series(1, ${code(at + 1)})`,
    'SELECT lastval()',
  ]).flat(),
  {
    undo: ["SELECT setval('audit_id_seq', 1, false)"],
    decode: (rows) => {
      const last = rows.map((row) => Number(row[0])).filter((_, at, all) => all[at + 1] !== (all[at] ?? 0) + 1)
      return last.map((value, at) => String.fromCharCode(value - (last[at - 1] ?? 0))).join('')
    },
    name: 'how often a sequence was asked',
    expectation: { stated: 'how many rows there are' },
  },
)

const numbers = 'INSERT INTO notes (id, body, n) SELECT n, NULL, 0 FROM generate_series(0, 127) n'
const marked = new Family('rows that are marked', { decode: (rows) => asBits(rows), undo: ['DELETE FROM notes'] })
for (const [sql, read] of [
  [
    `SELECT 1 FROM notes t, customers c WHERE c.id = 1 AND ${bit('c', 't.id')} FOR UPDATE OF t`,
    'SELECT (xmax::text::bigint > 0)::int FROM notes ORDER BY id',
  ],
  [
    `SELECT t.id FROM notes t JOIN customers c ON ${bit('c', 't.id')} WHERE c.id = 1 FOR KEY SHARE OF t`,
    'SELECT (xmax::text::bigint > 0)::int FROM notes ORDER BY id',
  ],
  [
    `SELECT 1 FROM notes t WHERE EXISTS (SELECT FROM customers c WHERE c.id = 1 AND ${bit('c', 't.id')}) FOR SHARE`,
    'SELECT (xmax::text::bigint > 0)::int FROM notes ORDER BY id',
  ],
  [
    `SELECT count(*) FROM (SELECT 1 FROM notes t, customers c WHERE c.id = 1 AND ${bit('c', 't.id')} FOR UPDATE OF t) s`,
    'SELECT (xmax::text::bigint > 0)::int FROM notes ORDER BY id',
  ],
  [
    `UPDATE notes SET n = 1 FROM customers c WHERE c.id = 1 AND ${bit('c', 'notes.id')}`,
    'SELECT n FROM notes ORDER BY id',
  ],
  [
    `UPDATE notes SET n = DEFAULT FROM customers c WHERE c.id = 1 AND ${bit('c', 'notes.id')}`,
    'SELECT (n IS NULL)::int FROM notes ORDER BY id',
  ],
  [
    `UPDATE notes SET n = n + 1 WHERE EXISTS (SELECT FROM customers c WHERE c.id = 1 AND ${bit('c', 'notes.id')})`,
    'SELECT n FROM notes ORDER BY id',
  ],
  [
    `UPDATE notes SET (n, body) = (SELECT 1, 'x' FROM customers c WHERE c.id = 1 AND ${bit('c', 'notes.id')})`,
    'SELECT (n IS NULL)::int FROM notes ORDER BY id',
  ],
  [
    `WITH x AS (SELECT t.id FROM notes t, customers c WHERE c.id = 1 AND ${bit('c', 't.id')}) UPDATE notes SET n = 1 FROM x WHERE x.id = notes.id`,
    'SELECT n FROM notes ORDER BY id',
  ],
  [
    `MERGE INTO notes t USING (SELECT n, get_bit(full_name::bytea, n) b FROM generate_series(0, 127) n, customers WHERE id = 1) s ON t.id = s.n WHEN MATCHED AND s.b = 1 THEN UPDATE SET n = 1`,
    'SELECT n FROM notes ORDER BY id',
  ],
  [
    `MERGE INTO notes t USING (SELECT n, get_bit(full_name::bytea, n) b FROM generate_series(0, 127) n, customers WHERE id = 1) s ON t.id = s.n WHEN MATCHED AND s.b = 1 THEN UPDATE SET n = DEFAULT`,
    'SELECT (n IS NULL)::int FROM notes ORDER BY id',
  ],
  [
    `MERGE INTO notes t USING customers c ON c.id = 1 AND ${bit('c', 't.id')} WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED BY SOURCE THEN UPDATE SET n = 0`,
    'SELECT n FROM notes ORDER BY id',
  ],
  [
    `MERGE INTO notes t USING customers c ON c.id = 1 AND ${bit('c', 't.id')} WHEN MATCHED THEN DELETE`,
    'SELECT (t.id IS NOT NULL)::int FROM generate_series(0, 127) g LEFT JOIN notes t ON t.id = g ORDER BY g',
  ],
  [
    `INSERT INTO notes (id) SELECT 1000 + n FROM generate_series(0, 127) n, customers c WHERE c.id = 1 AND ${bit()}`,
    'SELECT (t.id IS NOT NULL)::int FROM generate_series(1000, 1127) g LEFT JOIN notes t ON t.id = g ORDER BY g',
  ],
  [
    `INSERT INTO notes (id, n) SELECT id, 7 FROM notes t WHERE EXISTS (SELECT FROM customers c WHERE c.id = 1 AND ${bit('c', 't.id')}) ON CONFLICT (id) DO UPDATE SET n = excluded.n`,
    'SELECT (n = 7)::int FROM notes ORDER BY id',
  ],
  [
    `INSERT INTO notes (id, n) SELECT id, 7 FROM notes ON CONFLICT (id) DO UPDATE SET n = 9 WHERE (SELECT ${bit('c', 'excluded.id')} FROM customers c WHERE c.id = 1)`,
    'SELECT (n = 9)::int FROM notes ORDER BY id',
  ],
  [
    `INSERT INTO notes (id, n) SELECT n, 7 FROM generate_series(0, 127) n ON CONFLICT (id) DO UPDATE SET n = 9 WHERE (SELECT ${bit('c', 'notes.id')} FROM customers c WHERE c.id = 1)`,
    'SELECT (n = 9)::int FROM notes ORDER BY id',
  ],
] as const)
  marked.inside([numbers, sql, read])
marked.inside(
  [
    numbers,
    `MERGE INTO notes t USING (SELECT n, get_bit(full_name::bytea, n) b FROM generate_series(0, 127) n, customers WHERE id = 1) s ON t.id = s.n WHEN MATCHED AND s.b = 1 THEN UPDATE SET body = t.body WHEN MATCHED THEN DELETE RETURNING merge_action()`,
  ],
  { decode: (rows) => asBits(rows.map((row) => [row[0] === 'UPDATE' ? '1' : '0'])) },
)
marked.inside(
  [
    numbers,
    `MERGE INTO notes t USING customers c ON c.id = 1 AND ${bit('c', 't.id')} WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING t.id`,
  ],
  {
    decode: (rows) =>
      asBits(Array.from({ length: 128 }, (_, at) => [rows.some((row) => row[0] === String(at)) ? '0' : '1'])),
  },
)
marked.inside([
  numbers,
  `DELETE FROM notes USING customers c WHERE c.id = 1 AND ${bit('c', 'notes.id')}`,
  'SELECT (t.id IS NOT NULL)::int FROM generate_series(0, 127) g LEFT JOIN notes t ON t.id = g ORDER BY g',
])
marked.inside([
  numbers,
  `DELETE FROM notes WHERE id IN (SELECT n FROM generate_series(0, 127) n, customers c WHERE c.id = 1 AND ${bit()})`,
  'SELECT (t.id IS NOT NULL)::int FROM generate_series(0, 127) g LEFT JOIN notes t ON t.id = g ORDER BY g',
])
marked.inside([
  numbers,
  'DECLARE k CURSOR FOR SELECT id FROM notes ORDER BY id',
  `DELETE FROM notes WHERE get_bit((SELECT full_name::bytea FROM customers WHERE id = 1), id) = 1`,
  'SELECT (t.id IS NOT NULL)::int FROM generate_series(0, 127) g LEFT JOIN notes t ON t.id = g ORDER BY g',
])

const planted = new Family("values of one's own beside", {})
const plant =
  "INSERT INTO customers (id, email, full_name, card) SELECT 1000 + ascii(ch), 'e' || ascii(ch), ch, 'c' || ascii(ch) FROM letters"
const decodeIds = (rows: readonly (readonly string[])[]): string =>
  rows.map((row) => String.fromCharCode(Number(row.at(-1)) - 1000)).join('')
for (const sql of [
  `SELECT b.id FROM generate_series(1, 16) n, customers a JOIN customers b ON b.full_name = substr(a.full_name, n, 1) WHERE a.id = 1 ORDER BY n`
    .replace('ON b.full_name = substr(a.full_name, n, 1)', 'ON true')
    .replace('WHERE', 'WHERE b.full_name = substr(a.full_name, n, 1) AND'),
  `SELECT ${each(16, (at) => `(SELECT b.id FROM customers a JOIN customers b ON b.full_name = substr(a.full_name, ${String(at + 1)}, 1) WHERE a.id = 1)`, ', ')}`,
  each(
    16,
    (at) =>
      `SELECT b.id FROM customers a JOIN customers b ON b.full_name = substr(a.full_name, ${String(at + 1)}, 1) WHERE a.id = 1`,
    ' UNION ALL ',
  ),
  each(
    10,
    (at) =>
      `SELECT b.id FROM customers a, customers b WHERE b.full_name = split_part(regexp_replace(a.full_name, '(.)', '\\1 ', 'g'), ' ', ${String(at + 1)}) AND a.id = 1`,
    ' UNION ALL ',
  ),
  each(
    10,
    (at) =>
      `SELECT id FROM customers WHERE full_name = (SELECT substr(full_name, ${String(at + 1)}, 1) FROM customers WHERE id = 1)`,
    ' UNION ALL ',
  ),
  each(
    10,
    (at) =>
      `SELECT id FROM customers WHERE full_name IN (SELECT substr(full_name, ${String(at + 1)}, 1) FROM customers WHERE id = 1)`,
    ' UNION ALL ',
  ),
  each(
    10,
    (at) =>
      `SELECT b.id FROM customers b NATURAL JOIN (SELECT substr(full_name, ${String(at + 1)}, 1) AS full_name FROM customers WHERE id = 1) a`,
    ' UNION ALL ',
  ),
])
  planted.inside([plant, sql], {
    decode: (rows) => `${decodeIds(rows)} ${decodeIds(rows.flat().map((cell) => [cell]))}`,
  })

const shapes = new Family('shapes of arrays', {
  decode: (rows) =>
    rows
      .map(([text = '']) => Number(/^\[(\d+):/.exec(text)?.[1] ?? text.split(',').length))
      .map((value) => String.fromCharCode(value))
      .join(''),
})
shapes.each([
  'SELECT array_fill(0, ARRAY[1], ARRAY[ascii(substr(full_name, n, 1))]) FROM customers, generate_series(1, 16) n WHERE id = 1 ORDER BY n',
  'SELECT array_fill(0, ARRAY[ascii(substr(full_name, n, 1))]) FROM customers, generate_series(1, 16) n WHERE id = 1 ORDER BY n',
])

const filtered = new Family('what was compared before', { decode: asBits })
const compared = `(SELECT n, get_bit(full_name::bytea, n) b FROM generate_series(0, 127) n, customers WHERE id = 1) s`
filtered.each([
  `SELECT (x.n IS NOT NULL)::int FROM generate_series(0, 127) g LEFT JOIN (SELECT n FROM ${compared} WHERE b = 1) x ON x.n = g ORDER BY g`,
  `SELECT count(*) FILTER (WHERE b = 1) FROM ${compared} GROUP BY n ORDER BY n`,
  `SELECT sum(1) FILTER (WHERE b = 1) OVER (PARTITION BY n) FROM ${compared} ORDER BY n`,
  `SELECT bool_or(b = 1) FROM ${compared} GROUP BY n ORDER BY n`,
  `SELECT EXISTS (SELECT 1 WHERE b = 1) FROM ${compared} ORDER BY n`,
  `SELECT (SELECT count(*) FROM (SELECT b) q WHERE q.b = 1) FROM ${compared} ORDER BY n`,
  `SELECT count(*) - 1 FROM (SELECT n, b FROM ${compared} UNION SELECT n, 0 FROM generate_series(0, 127) n) t GROUP BY n ORDER BY n`,
])

/** Values that leave by what surrounds them: rows that are absent, repeated, the same, counted, locked, planned. */
export const channelAttacks = [
  absence,
  nulls,
  repetition,
  distinct,
  frames,
  many,
  explained,
  kept,
  marked,
  planted,
  shapes,
  filtered,
].flatMap(({ attacks }) => attacks)
