import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { columnKey } from '../../core/catalog.ts'
import { startShop } from './testing.ts'
import type { Shop } from './testing.ts'

let shop: Shop
let client: Client
before(async () => {
  shop = await startShop()
  const { socketDirectory, port, superuser, password } = shop.postgres
  client = new Client({ host: socketDirectory, port, user: superuser, password, database: 'shop' })
  await client.connect()
})
after(async () => {
  await client.end()
  await shop.postgres.stop()
})

/** The pieces that FROM can be made of; all have a column `id`. */
const sources = [
  'customers',
  'customers c',
  'orders o',
  'notes AS n (id, b, m)',
  'other.customers x',
  '(SELECT id, email, phone AS id2 FROM customers) s',
  '(SELECT c FROM customers c) w (id)',
  'buyers',
  'all_customers() f',
  'generate_series(1, 2) AS g (id)',
  'pairs() AS p (id, e)',
  '(VALUES (1, 2)) AS v (id, z)',
  'LATERAL (SELECT 1 AS id, 2 AS k) l',
  'unnest(ARRAY[1], ARRAY[2]) WITH ORDINALITY AS u (id, y, w)',
  '(customers a JOIN orders b ON a.id = b.id) AS j (id)',
  "json_table('[1]', '$[*]' COLUMNS (id int PATH '$', q FOR ORDINALITY)) jt",
  'ROWS FROM (generate_series(1, 2), generate_series(1, 3)) AS r (id, t)',
  'outs() AS oo (id, other)',
  'mails AS m2 (id)',
  "jsonb_to_record('{}') AS rec (id int, t text)",
]

const joins = [
  'CROSS JOIN @',
  'JOIN @ USING (id)',
  'NATURAL JOIN @',
  'LEFT JOIN @ ON true',
  'RIGHT JOIN @ USING (id)',
  'FULL JOIN @ USING (id)',
  'JOIN @ USING (id) AS ju',
]

/** Random but the same on every run. */
function randomly(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}

test('the outputs of stars and joins are as many and in the order that PostgreSQL has them', async () => {
  const pick = randomly(7)
  const statements: string[] = []
  for (let index = 0; index < 600; index += 1) {
    let from = sources[pick(sources.length)] ?? ''
    for (let more = pick(4); more > 0; more -= 1) {
      const join = joins[pick(joins.length)] ?? ''
      const other = sources[pick(sources.length)] ?? ''
      from = pick(5) === 0 ? `${from}, ${other}` : `${from} ${join.replace('@', other)}`
    }
    const wrap = pick(4)
    if (wrap === 0) statements.push(`SELECT q.* FROM (SELECT * FROM ${from}) q`)
    else if (wrap === 1) statements.push(`WITH q AS (SELECT * FROM ${from}) SELECT 1 AS one, * FROM q`)
    else statements.push(`SELECT * FROM ${from}`)
  }
  const compared = await compare(statements)
  assert.ok(compared > 150, `${compared} of them were valid`)
})

test('what PostgreSQL says of origins is among the sources in statements that write too', async () => {
  const compared = await compare([
    "MERGE INTO notes n USING customers c ON n.about = c.id WHEN MATCHED THEN UPDATE SET body = 'x' RETURNING *",
    'MERGE INTO notes n USING customers c ON n.about = c.id WHEN MATCHED THEN DELETE RETURNING merge_action(), c.*, n.*',
    "UPDATE customers c SET name = 'x' FROM notes n JOIN orders o ON n.id = o.id WHERE n.about = c.id RETURNING *",
    'DELETE FROM customers c USING notes n, orders o WHERE n.about = c.id RETURNING *, old.*, new.email',
    "INSERT INTO customers AS c (id, email) VALUES (1, 'x') RETURNING *, c.*, new.*",
    "WITH w AS (UPDATE customers SET name = 'x' RETURNING *) SELECT *, w.email FROM w, orders",
    'SELECT (c).*, c.email FROM customers c',
    'SELECT (b).*, b.* FROM buyers b',
    'SELECT * FROM customers UNION ALL SELECT * FROM customers',
    'SELECT c.* FROM customers c GROUP BY c.id',
    'TABLE buyers',
    'SELECT email, "?column?", max, case_, jj FROM (SELECT email, 1, max(id), 1 AS case_, row_to_json(c) jj FROM customers c GROUP BY c.id) s',
  ])
  assert.equal(compared, 12)
})

test('a column that has no name is named as PostgreSQL names it', async () => {
  const expressions = [
    'email',
    'upper(email)',
    'email::text',
    '1::int',
    "'a'::varchar(3)",
    '(c).email',
    'c',
    'id + 1',
    'NULLIF(id, 1)',
    'COALESCE(id, 1)',
    'GREATEST(1, 2)',
    'LEAST(1, 2)',
    'CASE WHEN true THEN id END',
    'CASE WHEN true THEN 1 ELSE id END',
    'ARRAY[1]',
    'ARRAY(SELECT 1)',
    'EXISTS (SELECT 1)',
    '(SELECT id FROM orders LIMIT 1)',
    '(SELECT 1)',
    '(SELECT max(id) FROM orders)',
    '(VALUES (1))',
    'ROW(1, 2)',
    'CURRENT_DATE',
    'CURRENT_TIMESTAMP(2)',
    'CURRENT_USER',
    'LOCALTIME',
    'id IN (1)',
    'id IS NULL',
    'NOT is_active',
    'email COLLATE "C"',
    'extract(year FROM birth)',
    'substring(email FROM 1 FOR 2)',
    'xmlelement(name x)',
    "json_object('a': 1)",
    'json_array(1)',
    'json_scalar(1)',
    "json_value('1', '$')",
    "json_query('1', '$')",
    "json_exists('1', '$')",
    "profile->'a'",
    '(ARRAY[id])[1]',
    '(ARRAY[email])[1]::text',
    '(SELECT 1)::text',
    'CASE WHEN true THEN 1 END::text',
    'xmlforest(1 AS a)',
    'trim(email)',
    "position('a' in email)",
    "overlay(email placing 'x' from 1)",
    "birth AT TIME ZONE 'UTC'",
    'is_active IS TRUE',
    "JSON('1')",
    "json_serialize('1')",
    'json_array(SELECT 1)',
    'row_city(c)',
    'c.row_city',
    '(all_customers()).email',
    '-id',
    "b'1'",
    "interval '1 day'",
  ]
  for (const expression of expressions) {
    const inner = `SELECT ${expression} FROM customers c`
    const [name] = (await client.query(`${inner} LIMIT 0`)).fields.map((field) => field.name)
    const { missing } = shop.tracing.trace(`SELECT "${name}" FROM (${inner}) s`)
    assert.deepEqual(missing, [], `${expression} is ${name}`)
  }
})

/** Asserts for each statement that is valid that the lineage fits what PostgreSQL says; gives how many are. */
async function compare(statements: readonly string[]): Promise<number> {
  const { tracing } = shop
  let valid = 0
  for (const sql of statements) {
    await client.query('BEGIN')
    const result = await client.query(sql).catch(() => null)
    await client.query('ROLLBACK')
    if (result === null) continue
    valid += 1
    const { outputs } = tracing.trace(sql)
    if (outputs === null) continue
    assert.equal(outputs.length, result.fields.length, sql)
    result.fields.forEach(({ tableID, columnID, name }, index) => {
      const origin = columnKey(tableID, columnID)
      if (!tracing.schema.classification.columns.has(origin)) return
      const found = outputs[index]?.sources
      assert.ok(found === 'unknown' || found?.has(origin), `${name} of ${sql}`)
    })
  }
  return valid
}
