import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { RawClient } from '../support/raw-client.ts'
import { type Attack, everyWay, Family } from './attack.ts'
import { CanarySearch } from './canaries.ts'
import { plantedColumns } from './customers.ts'
import { type Answer, runAttack } from './drive.ts'
import { startStand, type Stand } from './stand.ts'

/*
 * The other side of masking: who may unmask, and what is not classified, notices nothing of it; who may unmask one tag
 * sees that one; and what was masked is not written back over what it stood for.
 */

let stand: Stand

before(async () => {
  stand = await startStand()
})

after(async () => {
  await stand.stop()
})

async function answerOf(client: RawClient, attack: Attack): Promise<Answer> {
  client.greeting = []
  try {
    return await runAttack(client, attack, { port: stand.postern.port, query: (sql) => stand.query(sql) })
  } finally {
    client.close()
  }
}

async function through(identity: string, attack: Attack): Promise<Answer> {
  return answerOf(await stand.logIn(identity), attack)
}

const classified = new Family('classified')
  .try('SELECT * FROM customers ORDER BY id', { on: everyWay })
  .try('SELECT c, to_jsonb(c) FROM customers c ORDER BY id', { on: ['simple', 'text', 'copy csv'] })
  .each([
    'COPY customers TO STDOUT',
    'COPY customers (email, photo, vec) TO STDOUT (FORMAT csv, HEADER)',
    'COPY customers TO STDOUT (FORMAT binary)',
    'SELECT label, shown FROM customer_list JOIN customer_labels ON true',
    "SELECT customer_email(1), opaque_email(2), two(3), run('SELECT email FROM customers')",
    "SELECT warn(email), string_agg(full_name, ',') FROM customers GROUP BY email ORDER BY 1",
    'SELECT email::int FROM customers',
    'SELECT word FROM dictionary WHERE word IN (SELECT email FROM customers) ORDER BY 1',
    "SELECT histogram_bounds FROM pg_stats WHERE tablename = 'customers' AND attname = 'email'",
    'SELECT 1; SELECT email FROM customers ORDER BY id; SELECT nothing',
    "EXPLAIN (VERBOSE, COSTS off) SELECT email FROM customers WHERE full_name = 'x'",
  ])
  .inside(['UPDATE customers SET city = email RETURNING old.*, new.city'])
  .inside([
    'INSERT INTO customers (id, email, full_name, card) SELECT 7, email, full_name, card FROM customers LIMIT 1',
  ])
  .inside(['INSERT INTO notes (id, body) SELECT id, email FROM customers', 'SELECT * FROM notes ORDER BY id'])
  .inside(['CREATE TABLE mine AS SELECT email, salary FROM customers', 'COPY mine TO STDOUT'])
  .inside(['CREATE VIEW mine AS SELECT email FROM customers', 'COPY (SELECT * FROM mine) TO STDOUT'])
  .inside(["DO $$ BEGIN RAISE NOTICE '%', (SELECT email FROM customers WHERE id = 1); END $$"])
  .inside(['DECLARE c SCROLL CURSOR FOR SELECT email FROM customers', 'FETCH LAST FROM c', 'FETCH PRIOR FROM c'])
  .inside(['ALTER TABLE customers RENAME email TO mail', 'SELECT mail FROM customers ORDER BY id']).attacks

for (const attack of classified) {
  test(`who may unmask gets the bytes of PostgreSQL itself (${attack.protocol}): ${attack.name}`, async () => {
    const direct = await answerOf(await stand.logInDirectly(), attack)
    const seen = await through('dana@example.com', attack)
    assert.equal(seen.bytes.toString('latin1'), direct.bytes.toString('latin1'))
    assert.equal(seen.broken, null)
  })
}

const unclassified = new Family('unclassified')
  .try('SELECT id, customer_id, item, total FROM orders ORDER BY id', { on: everyWay })
  .try('SELECT id, city, tier FROM customers ORDER BY id', { on: everyWay })
  .each([
    'SELECT * FROM letters',
    'COPY letters TO STDOUT',
    "COPY (SELECT item, total FROM orders ORDER BY id) TO STDOUT (FORMAT csv, HEADER, DELIMITER ';')",
    'SELECT count(*) FROM customers',
    'SELECT tier, count(*) FROM customers GROUP BY tier ORDER BY tier',
    'SELECT o.item, c.city FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id',
    'SELECT id FROM hr.employees',
    'SELECT ch::int FROM letters',
    'SELECT nothing FROM customers',
    'SELECT 1/0',
    'SELECT word FROM dictionary ORDER BY word LIMIT 3',
    "SELECT attname FROM pg_attribute WHERE attrelid = 'customers'::regclass ORDER BY attnum",
    "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_name = 'customers' ORDER BY ordinal_position",
    "SELECT relname, reltuples FROM pg_class WHERE relname LIKE 'cust%' ORDER BY 1",
    'EXPLAIN (COSTS off) SELECT id FROM customers WHERE id = 1',
  ])
  .inside([
    'INSERT INTO limits_of_notes (id, n) VALUES (1, 1) RETURNING *',
    'INSERT INTO limits_of_notes (id, n) VALUES (1, 1)',
  ])
  .inside(["UPDATE letters SET ch = ch || '!' RETURNING ch"]).attacks

for (const attack of unclassified) {
  test(`what is not classified comes as PostgreSQL sends it (${attack.protocol}): ${attack.name}`, async () => {
    const direct = await answerOf(await stand.logInDirectly(), attack)
    const seen = await through('sam@example.com', attack)
    assert.equal(seen.bytes.toString('latin1'), direct.bytes.toString('latin1'))
  })
}

test('who may unmask one tag sees its columns and no other', async () => {
  const search = new CanarySearch(stand.world.canaries)
  const [attack] = new Family('x').try('SELECT * FROM customers', { protocol: 'text' }).attacks
  assert.ok(attack !== undefined)
  const found = search.find(await through('alice@example.com', attack)).map(({ column }) => column)
  // The domain of an address is all that the generated column repeats; it derives from the same column.
  assert.deepEqual(found.toSorted(), ['customers.contact', 'customers.email'])
})

test('an expression of a column that may be unmasked and one that may not is masked', async () => {
  const search = new CanarySearch(stand.world.canaries)
  const [attack] = new Family('x').try('SELECT email || full_name, coalesce(NULL, email) FROM customers').attacks
  assert.ok(attack !== undefined)
  const found = search.find(await through('alice@example.com', attack)).map(({ column }) => column)
  assert.deepEqual(found, ['customers.email'])
})

test('an ordinary value is written into a classified column', async () => {
  for (const sql of [
    "UPDATE customers SET full_name = 'Ada' WHERE id = 1",
    "UPDATE customers SET birth_date = '1970-03-04', email = 'ada@example.com' WHERE id = 1",
    "INSERT INTO accounts (id, email) VALUES (5, 'ada@example.com')",
  ]) {
    const [attack] = new Family('x').inside([sql]).attacks
    assert.ok(attack !== undefined)
    assert.deepEqual((await through('sam@example.com', attack)).errors, [], sql)
  }
})

interface Masked {
  readonly text: string | null
  readonly bytes: Buffer | null
}

async function maskedValueOf(column: string): Promise<Masked> {
  const read = async (protocol: 'text' | 'binary'): Promise<Buffer> => {
    const [attack] = new Family('x').try(`SELECT ${column}, ${column} IS NULL FROM customers WHERE id = 1`, {
      protocol,
    }).attacks
    assert.ok(attack !== undefined)
    const value = (await through('sam@example.com', attack)).results[0]?.[0]?.[0]
    assert.ok(value !== undefined)
    return value
  }
  const [text, bytes] = [await read('text'), await read('binary')]
  // No masked value of these columns is an empty text, so that an empty one is NULL.
  return { text: text.length === 0 ? null : text.toString(), bytes: bytes.length === 0 ? null : bytes }
}

for (const { name, type } of plantedColumns) {
  const column = name === 'secret' ? 'memo' : name
  test(`what ${column} is masked by is not written back over it`, async () => {
    const { text, bytes } = await maskedValueOf(column)
    const literal = text === null ? 'NULL' : `'${text.replaceAll("'", "''")}'`
    const bare = type.split(' ')[0] ?? type
    const cast = bare === 'double' ? 'double precision' : bare
    const update = `UPDATE customers SET ${column} = $1 WHERE id = 1`
    const writes = new Family('write back')
      .inside([`UPDATE customers SET ${column} = ${literal} WHERE id = 1`])
      .inside([`UPDATE customers SET ${column} = ${literal}::${cast} WHERE id = 1`])
      .inside([`UPDATE customers SET (city, ${column}) = ('x', ${literal}) WHERE id = 1`])
      .inside([{ sql: update, parameters: [text] }], { protocol: 'text' })
      .inside([{ sql: update, parameters: [bytes], parameterFormats: [1] }], { protocol: 'text' })
      .inside([`PREPARE w AS ${update}`, `EXECUTE w (${literal})`])
      .inside([
        `INSERT INTO customers (id, email, full_name, card) VALUES (1, 'x', 'x', 'x') ON CONFLICT (id) DO UPDATE SET ${column} = ${literal}`,
      ])
      .inside([
        `MERGE INTO customers c USING (VALUES (1)) v (id) ON c.id = v.id WHEN MATCHED THEN UPDATE SET ${column} = ${literal}`,
      ]).attacks
    const written: string[] = []
    for (const attack of writes) {
      const { errors } = await through('sam@example.com', attack)
      if (errors.length === 0) written.push(`${attack.protocol}: ${attack.name}`)
    }
    assert.deepEqual(written, [])
  })
}

test('a masked row is not sent back by COPY', async () => {
  const [attack] = new Family('x').try('COPY (SELECT 90 + id, email, full_name, card FROM customers) TO STDOUT').attacks
  assert.ok(attack !== undefined)
  const { results } = await through('sam@example.com', attack)
  const copyData = results
    .flat()
    .map((row) => `${row.map((cell) => cell.toString()).join('\t')}\n`)
    .join('')
  assert.notEqual(copyData, '')
  const [back] = new Family('x').inside([
    { sql: 'COPY customers (id, email, full_name, card) FROM STDIN', copyData },
  ]).attacks
  assert.ok(back !== undefined)
  assert.notDeepEqual((await through('sam@example.com', back)).errors, [])
})
