import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Pool } from 'pg'
import postgres from 'postgres'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

let sandbox: Sandbox

before(async () => {
  sandbox = await startSandbox({
    policies: 'permit (principal, action, resource);',
    setUp: 'CREATE TABLE notes (id int PRIMARY KEY, body text, made timestamptz, extra jsonb, tags text[])',
  })
})

after(async () => {
  await sandbox.stop()
})

describe('pg', () => {
  test('takes parameters and gives values of many types', async () => {
    const client = await sandbox.connect()
    const { rows } = await client.query(
      'SELECT $1::int AS n, $2::text AS t, $3::bool AS b, $4::jsonb AS j, $5::bytea AS y, $6::int[] AS a, $7::text AS none',
      [42, 'ünï', true, { deep: [1] }, Buffer.from([0, 255]), [1, 2], null],
    )
    assert.deepEqual(rows, [
      { n: 42, t: 'ünï', b: true, j: { deep: [1] }, y: Buffer.from([0, 255]), a: [1, 2], none: null },
    ])
    await client.end()
  })

  test('prepares a statement once and runs it often, also without waiting', async () => {
    const client = await sandbox.connect()
    const query = (n: number): Promise<{ rows: { n: number }[] }> =>
      client.query({ name: 'twice', text: 'SELECT $1::int * 2 AS n', values: [n] })
    assert.equal((await query(1)).rows[0]?.n, 2)
    assert.equal((await query(2)).rows[0]?.n, 4)
    await client.end()
  })

  test('rolls a transaction back behind an error, and tells the error in full', async () => {
    const client = await sandbox.connect()
    await client.query('BEGIN')
    await client.query("INSERT INTO notes VALUES (1, 'one')")
    await assert.rejects(client.query('INSERT INTO notes VALUES ($1, $2)', [1, 'again']), {
      code: '23505',
      severity: 'ERROR',
      table: 'notes',
      constraint: 'notes_pkey',
      detail: 'Key (id)=(1) already exists.',
      file: 'nbtinsert.c',
    })
    await client.query('ROLLBACK')
    assert.equal((await client.query('SELECT count(*)::int AS n FROM notes')).rows[0]?.['n'], 0)
    await client.end()
  })

  test('listens, hears and gets notices', async () => {
    const client = await sandbox.connect()
    const other = await sandbox.connect()
    const heard = new Promise((resolve) => client.once('notification', resolve))
    const noticed = new Promise((resolve) => client.once('notice', resolve))
    await client.query('LISTEN news')
    await other.query('SELECT pg_notify($1, $2)', ['news', 'hello'])
    await client.query("DO $$ BEGIN RAISE NOTICE 'careful'; END $$")
    const { channel, payload } = (await heard) as { channel: string; payload: string }
    assert.deepEqual({ channel, payload }, { channel: 'news', payload: 'hello' })
    assert.equal(((await noticed) as Error).message, 'careful')
    await Promise.all([client.end(), other.end()])
  })

  test('serves a pool', async () => {
    const pool = new Pool({ ...(await sandbox.clientConfig('alice@example.com')), max: 4 })
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, n) => pool.query<{ n: number }>('SELECT $1::int AS n', [n])),
    )
    assert.deepEqual(
      results.map(({ rows }) => rows[0]?.n),
      Array.from({ length: 40 }, (_, n) => n),
    )
    await pool.end()
  })
})

describe('postgres.js', () => {
  /** A driver that pipelines, prepares by itself and asks for types over a connection of its own. */
  async function open(options: postgres.Options<Record<string, never>> = {}): Promise<postgres.Sql> {
    return postgres({
      host: '127.0.0.1',
      port: sandbox.postern.port,
      user: 'alice@example.com',
      database: 'shop',
      password: await sandbox.issuer.issueToken({ identity: 'alice@example.com' }),
      ssl: { ca: sandbox.authority.certificate },
      max: 1,
      onnotice() {},
      ...options,
    })
  }

  test('takes parameters, prepared and pipelined', async () => {
    const sql = await open()
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, n) => sql<{ n: number; t: string }[]>`SELECT ${n}::int AS n, ${'é'} AS t`),
    )
    assert.deepEqual(
      results.map(([row]) => row),
      Array.from({ length: 50 }, (_, n) => ({ n, t: 'é' })),
    )
    await sql.end()
  })

  test('runs transactions and savepoints, and tells errors', async () => {
    const sql = await open()
    await sql.begin(async (transaction) => {
      await transaction`INSERT INTO notes ${transaction({ id: 7, body: 'seven', tags: ['a', 'b'] })}`
      await assert.rejects(
        transaction.savepoint((inner) => inner`INSERT INTO notes (id) VALUES (7)`),
        { code: '23505' },
      )
      assert.deepEqual([...(await transaction`SELECT body, tags FROM notes`)], [{ body: 'seven', tags: ['a', 'b'] }])
    })
    await assert.rejects(
      sql.begin(async (transaction) => {
        await transaction`DELETE FROM notes WHERE id = 7`
        throw new Error('changed my mind')
      }),
      /changed my mind/,
    )
    assert.equal((await sql`DELETE FROM notes WHERE id = 7`).count, 1)
    await sql.end()
  })

  test('reads by a cursor, and leaves it early', async () => {
    const sql = await open()
    const seen: number[] = []
    await sql<{ n: number }[]>`SELECT n FROM generate_series(1, 25) n`.cursor(10, (rows) => {
      seen.push(...rows.map((row) => row.n))
    })
    assert.equal(seen.length, 25)
    for await (const rows of sql`SELECT n FROM generate_series(1, 1000) n`.cursor(10)) {
      assert.equal(rows.length, 10)
      break
    }
    assert.equal((await sql`SELECT 1 AS one`)[0]?.['one'], 1)
    await sql.end()
  })

  test('copies in and out', async () => {
    const sql = await open()
    const lines = Array.from({ length: 5_000 }, (_, n) => `${String(n + 100)}\tnote\n`)
    await pipeline(Readable.from(lines), await sql`COPY notes (id, body) FROM STDIN`.writable())
    const chunks: Buffer[] = []
    for await (const chunk of await sql`COPY (SELECT id, body FROM notes ORDER BY id) TO STDOUT`.readable()) {
      chunks.push(chunk as Buffer)
    }
    assert.equal(Buffer.concat(chunks).toString(), lines.join(''))
    await sql`TRUNCATE notes`
    await sql.end()
  })

  test('listens on a connection of its own', async () => {
    const sql = await open()
    const heard = new Promise<string>((resolve, reject) => {
      sql.listen('news', resolve).then(() => sql.notify('news', 'hello'), reject)
    })
    assert.equal(await heard, 'hello')
    await sql.end()
  })

  test('runs several statements and describes one', async () => {
    const sql = await open()
    const several = await sql`SELECT 1 AS one; SELECT 2 AS two`.simple()
    assert.deepEqual(JSON.parse(JSON.stringify(several)), [[{ one: 1 }], [{ two: 2 }]])
    const { columns } = await sql`SELECT id, body FROM notes`.describe()
    assert.deepEqual(
      columns.map((column) => column.name),
      ['id', 'body'],
    )
    await sql.end()
  })

  test('cancels what it no longer wants', async () => {
    const sql = await open()
    await sql`SELECT 1`
    const sleeping = sql`SELECT pg_sleep(30)`.execute()
    setTimeout(() => sleeping.cancel(), 100)
    await assert.rejects(sleeping, { code: '57014' })
    await sql.end()
  })
})
