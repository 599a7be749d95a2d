import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Client, DatabaseError } from 'pg'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

/*
 * How masking goes along with what sessions do: tables that are made, changed and dropped, in transactions and not, by
 * this session, by another and past the gateway; statements that were prepared before; files that change.
 */

const policies = `
@id("masked-may-everything-else")
permit (principal in Group::"engineering", action in [Action::"connect", Action::"statement"], resource);

@id("dba-sees")
permit (principal in Group::"dba", action, resource);
`

const classification = `
tags:
  pii.email: redact
  pii.name: pseudonym
  pii.phone: { masking: partial, keep: 4 }
columns:
  public.people:
    email: pii.email
    name: pii.name
    phone: pii.phone
channels: [announcements]
`

let sandbox: Sandbox
before(async () => {
  sandbox = await startSandbox({
    policies,
    classification,
    setUp: `
      CREATE TABLE people (id int PRIMARY KEY, name text, email text UNIQUE, city text, phone text);
      INSERT INTO people SELECT n, 'Name' || n, 'secret' || n || '@example.com', 'Graz', '+43 664 123456' || n FROM generate_series(1, 5) n;
      CREATE TABLE notes (id int PRIMARY KEY, note text);`,
  })
})
after(() => sandbox.stop())

async function masked<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const client = await sandbox.connect('alice@example.com')
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** What came of a statement: its rows as text, or the SQLSTATE of its error. */
async function told(client: Client, text: string, values: unknown[] = []): Promise<string> {
  try {
    const { rows } = await client.query({ text, values, rowMode: 'array' })
    return JSON.stringify(rows)
  } catch (error) {
    if (error instanceof DatabaseError) return error.code ?? 'error'
    throw error
  }
}

test('who may unmask sees values and who may not sees placeholders, in both protocols', async () => {
  const dana = await sandbox.connect('dana@example.com')
  assert.equal(await told(dana, 'SELECT email FROM people WHERE id = 1'), '[["secret1@example.com"]]')
  await dana.end()
  await masked(async (client) => {
    assert.equal(await told(client, 'SELECT id, email, city FROM people WHERE id = 1'), '[[1,"[masked]","Graz"]]')
    assert.equal(await told(client, 'SELECT email FROM people WHERE id = $1', [1]), '[["[masked]"]]')
    assert.match(await told(client, 'SELECT name FROM people WHERE id = 1'), /^\[\["pn_[a-z2-7]+"\]\]$/u)
  })
})

test('a table made of masked columns is masked at once, within the transaction that makes it and for others after it', async () => {
  await masked(async (client) => {
    await client.query('BEGIN')
    await client.query('CREATE TABLE made AS SELECT id, email AS address FROM people')
    assert.equal(await told(client, 'SELECT address FROM made WHERE id = 1'), '[["[masked]"]]')
    assert.equal(await told(client, 'SELECT upper(address), id FROM made WHERE id = 2'), '[["[masked]",2]]')
    await client.query('COMMIT')
    assert.equal(await told(client, 'SELECT address FROM made WHERE id = 1'), '[["[masked]"]]')
  })
  await masked(async (client) => {
    assert.equal(await told(client, 'SELECT lower(address) FROM made WHERE id = 1'), '[["[masked]"]]')
    assert.equal(await told(client, 'INSERT INTO notes SELECT id, address FROM made'), '42501')
  })
  const entries = await sandbox.entries()
  const derived = entries.filter(({ type }) => type === 'classification_derived')
  assert.deepEqual(
    derived.map(({ relation, columns }) => [relation, columns]),
    [['public.made', { address: ['pii.email'] }]],
  )
  await sandbox.postgres.query('shop', 'DROP TABLE made')
})

test('a table of the same name that is made without masked columns, after one with them, is not masked', async () => {
  await masked(async (client) => {
    await client.query('CREATE TEMP TABLE again AS SELECT email FROM people')
    assert.equal(await told(client, 'SELECT email FROM again LIMIT 1'), '[["[masked]"]]')
    await client.query('DROP TABLE again')
    await client.query("CREATE TEMP TABLE again AS SELECT 'plain' AS email")
    assert.equal(await told(client, 'SELECT email FROM again'), '[["plain"]]')
  })
})

test('what a transaction defines is known within it, and forgotten when it is taken back', async () => {
  await masked(async (client) => {
    await client.query('BEGIN')
    await client.query('CREATE TABLE scratch (id int, words text)')
    await client.query("INSERT INTO scratch VALUES (1, 'free')")
    assert.equal(await told(client, 'SELECT words FROM scratch'), '[["free"]]')
    await client.query('SAVEPOINT s')
    await client.query('ALTER TABLE scratch RENAME words TO texts')
    assert.equal(await told(client, 'SELECT upper(texts) FROM scratch'), '[["FREE"]]')
    await client.query('ROLLBACK TO s')
    assert.equal(await told(client, 'SELECT upper(words) FROM scratch'), '[["FREE"]]')
    await client.query('ROLLBACK')
    assert.equal(await told(client, 'SELECT words FROM scratch'), '42P01')
    assert.equal(await told(client, 'SELECT city FROM people WHERE id = 1'), '[["Graz"]]')
  })
})

test('an error within the transaction that defines something leaves the connection usable', async () => {
  await masked(async (client) => {
    await client.query('BEGIN')
    await client.query('CREATE TABLE scratch (id int)')
    assert.equal(await told(client, 'SELECT 1 / 0'), '22012')
    assert.equal(await told(client, 'SELECT city FROM people'), '25P02')
    await client.query('ROLLBACK')
    assert.equal(await told(client, 'SELECT city FROM people WHERE id = 1'), '[["Graz"]]')
  })
})

test('a table that appears past the gateway is known at its first use', async () => {
  await sandbox.postgres.query('shop', "CREATE TABLE elsewhere AS SELECT 1 AS one, 'text' AS words")
  await masked(async (client) => {
    assert.equal(await told(client, 'SELECT one, upper(words) FROM elsewhere'), '[[1,"TEXT"]]')
  })
  await sandbox.postgres.query('shop', 'DROP TABLE elsewhere')
})

test('a statement that was prepared before follows a change of policy-relevant facts: the classification file', async () => {
  await masked(async (client) => {
    const query = {
      name: 'cities',
      text: 'SELECT city FROM people WHERE id = $1',
      values: [1],
      rowMode: 'array' as const,
    }
    assert.deepEqual((await client.query(query)).rows, [['Graz']])
    const file = join(sandbox.directory, 'classification.yaml')
    await writeFile(file, classification.replace('name: pii.name', 'name: pii.name\n    city: pii.name'))
    for (let attempt = 0; attempt < 60; attempt += 1) {
      const [row] = (await client.query(query)).rows as string[][]
      if (row?.[0] !== 'Graz') break
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.match(JSON.stringify((await client.query(query)).rows), /^\[\["pn_[a-z2-7]+"\]\]$/u)
    await writeFile(file, classification)
    for (let attempt = 0; attempt < 60; attempt += 1) {
      const [row] = (await client.query(query)).rows as string[][]
      if (row?.[0] === 'Graz') return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    assert.fail('the classification was not put back')
  })
})

test('PREPARE and EXECUTE mask what they return and nothing else', async () => {
  await masked(async (client) => {
    await client.query('PREPARE one AS SELECT id, city, email FROM people WHERE id = $1')
    assert.equal(await told(client, 'EXECUTE one(2)'), '[[2,"Graz","[masked]"]]')
    assert.equal(await told(client, 'CREATE TABLE kept AS EXECUTE one(2)'), '42501')
    await client.query('PREPARE change AS UPDATE people SET email = $1 WHERE id = 1')
    assert.equal(await told(client, "EXECUTE change('[masked]')"), '22000')
  })
})

test('cursors mask what they fetch, also where what they read is gone meanwhile', async () => {
  await masked(async (client) => {
    await client.query('CREATE TEMP TABLE source AS SELECT email AS words FROM people')
    await client.query('BEGIN')
    await client.query('DECLARE held CURSOR WITH HOLD FOR SELECT words FROM source')
    await client.query('COMMIT')
    await client.query('DROP TABLE source')
    await client.query("CREATE TEMP TABLE source AS SELECT 'harmless' AS words")
    assert.equal(await told(client, 'FETCH 1 FROM held'), '[["[masked]"]]')
  })
})

test('a placeholder that comes back is refused, and another value is written', async () => {
  await masked(async (client) => {
    assert.equal(await told(client, "UPDATE people SET email = '[masked]' WHERE id = 3"), '22000')
    assert.equal(await told(client, 'UPDATE people SET email = $1 WHERE id = 3', ['[masked]']), '22000')
    const [row] = (await client.query<{ name: string }>('SELECT name FROM people WHERE id = 3')).rows
    assert.equal(await told(client, 'UPDATE people SET name = $1 WHERE id = 3', [row?.name]), '22000')
    assert.equal(await told(client, 'UPDATE people SET email = $1 WHERE id = 3', ['new@example.com']), '[]')
  })
  const direct = await sandbox.connectDirect()
  assert.equal(await told(direct, 'SELECT name, email FROM people WHERE id = 3'), '[["Name3","new@example.com"]]')
  await direct.end()
})

test('a masking function that shows a part is no way to read one part after the other', async () => {
  await masked(async (client) => {
    assert.equal(await told(client, 'SELECT phone FROM people WHERE id = 1'), '[["****4561"]]')
    const slice = "'00' || substr(phone, 1, 2)"
    assert.equal(await told(client, `UPDATE people SET phone = ${slice} WHERE id = 1 RETURNING phone`), '42501')
    assert.equal(
      await told(client, `INSERT INTO people (id, phone) SELECT 20, ${slice} FROM people WHERE id = 1`),
      '42501',
    )
    assert.equal(await told(client, `UPDATE people SET name = substr(name, 1, 1) WHERE id = 1 RETURNING name`), '42501')
    assert.equal(await told(client, 'UPDATE people SET phone = phone WHERE id = 1 RETURNING phone'), '[["****4561"]]')
    await client.query(`CREATE TEMP TABLE slices AS SELECT id, ${slice} AS slice, phone AS whole FROM people`)
    assert.equal(await told(client, 'SELECT slice, whole FROM slices WHERE id = 1'), '[["[masked]","****4561"]]')
    await client.query('CREATE TEMP TABLE more AS SELECT * FROM slices')
    assert.equal(await told(client, 'SELECT slice, whole FROM more WHERE id = 1'), '[["[masked]","****4561"]]')
    assert.equal(await told(client, 'INSERT INTO people (id, phone) SELECT 21, slice FROM more WHERE id = 1'), '42501')
  })
})

test('errors name what they are about and show no value', async () => {
  await masked(async (client) => {
    try {
      await client.query("INSERT INTO people VALUES (9, 'x', 'secret1@example.com', 'y')")
      assert.fail('the duplicate was taken')
    } catch (error) {
      assert.ok(error instanceof DatabaseError)
      assert.equal(error.code, '23505')
      assert.match(error.message, /people_email_key/u)
      assert.doesNotMatch(JSON.stringify(error), /secret1/u)
    }
    assert.equal(await told(client, 'SELECT email::int FROM people'), '22P02')
    const error = await client.query('SELECT nowhere FROM people').catch((caught: unknown) => caught)
    assert.ok(error instanceof DatabaseError)
    assert.equal(error.message, 'column "nowhere" does not exist')
  })
})

test('notifications of channels that carry nothing classified keep their payload, others lose it', async () => {
  await masked(async (client) => {
    const heard: string[] = []
    client.on('notification', ({ channel, payload }) => heard.push(`${channel}=${String(payload)}`))
    await client.query('LISTEN announcements; LISTEN changes')
    await sandbox.postgres.query(
      'shop',
      "SELECT pg_notify('announcements', 'soon'), pg_notify('changes', 'secret1@example.com')",
    )
    for (let attempt = 0; attempt < 50 && heard.length < 2; attempt += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.deepEqual(heard.sort(), ['announcements=soon', 'changes='])
  })
})

test('the record names tags and shows pseudonyms in the place of values', async () => {
  await masked(async (client) => {
    await client.query("SELECT city FROM people WHERE email = 'secret4@example.com' /* about secret4 */")
    await client.query('SELECT city FROM people WHERE email = $1', ['secret4@example.com'])
  })
  const entries = await sandbox.entries()
  const intents = entries.filter(
    ({ type, sql }) => type === 'intent' && String(sql).startsWith('SELECT city FROM people WHERE email'),
  )
  const [literal, parameter] = intents
  assert.deepEqual(literal?.['predicateTags'], ['pii.email'])
  const pseudonym = /‹[0-9a-f]+›/u.exec(String(literal?.['sql']))?.[0]
  assert.equal(literal?.['sql'], `SELECT city FROM people WHERE email = '${String(pseudonym)}'  `)
  assert.deepEqual(parameter?.['parameters'], [pseudonym])
  assert.doesNotMatch(JSON.stringify(entries), /secret4/u)
})
