import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { backend, decodeErrorResponse } from '../src/wire/backend.ts'
import { encodeQuery } from '../src/wire/frontend.ts'
import { protocol30, protocol32 } from '../src/wire/startup.ts'
import { RawClient, sendCancel } from './support/raw-client.ts'
import { entriesOfApplication, type Entry, type Sandbox, startSandbox } from './support/sandbox.ts'

let sandbox: Sandbox

before(async () => {
  sandbox = await startSandbox({
    setUp: `
      CREATE TABLE orders (id int PRIMARY KEY, total numeric NOT NULL);
      INSERT INTO orders SELECT n, n * 1.5 FROM generate_series(1, 100) n;
      CREATE SCHEMA payroll;
      CREATE TABLE payroll.salaries (name text, salary int);
      CREATE FUNCTION purge() RETURNS int LANGUAGE sql AS 'DELETE FROM orders WHERE id > 1000; SELECT 1';
    `,
  })
})

after(async () => {
  await sandbox.stop()
})

describe('a session', () => {
  test('begins with a token as the password and knows PostgreSQL by its own process id', async () => {
    const client = await sandbox.connect()
    const { rows } = await client.query('SELECT pg_backend_pid() AS pid, current_database() AS database')
    assert.deepEqual(rows, [{ pid: (client as unknown as { processID: number }).processID, database: 'shop' }])
    await client.end()
  })

  test('has the reason that the client gives in all its entries', async () => {
    const options = '-c postern.reason=INC-1234'
    const client = await sandbox.connect('alice@example.com', { application_name: 'reason test', options })
    await client.query('SELECT 1')
    await client.end()
    const entries = entriesOfApplication(await sandbox.entries(), 'reason test')
    const given = entries.filter(({ type }) => type !== 'outcome').map((entry) => entry['reason'])
    assert.deepEqual(given, ['INC-1234', 'INC-1234', 'INC-1234'])
  })

  test('is on record from start to end, with every statement, its parameters and its outcome', async () => {
    const client = await sandbox.connect('alice@example.com', { application_name: 'record test' })
    await client.query('SELECT total FROM orders WHERE id = $1', [7])
    await client.query('SELECT 1; SELECT 2')
    await assert.rejects(client.query('SELECT nothing FROM orders'), { code: '42703' })
    await client.end()
    const entries = entriesOfApplication(await sandbox.entries(), 'record test')
    const types = entries.map((entry) => entry.type)
    assert.deepEqual(types, [
      'session_started',
      'intent',
      'outcome',
      'intent',
      'intent',
      'outcome',
      'outcome',
      'intent',
      'outcome',
      'session_ended',
    ])
    const [, first, firstOutcome] = entries
    assert.equal(first?.['sql'], 'SELECT total FROM orders WHERE id = $1')
    assert.deepEqual(first?.['parameters'], ['7'])
    assert.deepEqual(first?.['relations'], ['orders'])
    assert.deepEqual(principalOf(first)?.groups, ['engineering'])
    assert.equal(firstOutcome?.['intent'], first?.seq)
    assert.equal(firstOutcome?.['rows'], 1)
    assert.equal(firstOutcome?.['tag'], 'SELECT 1')
    assert.equal(entries.at(-2)?.['sqlstate'], '42703')
    assert.equal(entries.at(-1)?.['end'], 'client_terminated')
  })

  test('lives on after a refusal, which names the policy and gives its advice', async () => {
    const client = await sandbox.connect()
    await assert.rejects(client.query('/* x */ Drop  DATABASE "shop"'), {
      code: '42501',
      severity: 'ERROR',
      message: 'DROP DATABASE on shop is refused by policy',
      detail: 'Forbidden by "no-drop-database".',
      hint: 'Databases are dropped by the platform team, with a ticket.',
    })
    assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.['one'], 1)
    await client.end()
    const refusal = (await sandbox.entries()).findLast((entry) => entry.type === 'refusal')
    assert.equal(refusal?.['kind'], 'DROP DATABASE')
    assert.equal(principalOf(refusal)?.name, 'alice@example.com')
  })

  test('refuses a prepared statement at Parse, in a pipeline too, and keeps the order of answers', async () => {
    const client = await sandbox.connect()
    await assert.rejects(client.query('DELETE FROM orders', []), { code: '42501', hint: /approve/ })
    await assert.rejects(client.query({ name: 'wipe', text: 'DELETE FROM orders WHERE true', values: [] }), {
      code: '42501',
    })
    const { rows } = await client.query({ name: 'fine', text: 'SELECT count(*)::int AS n FROM orders', values: [] })
    assert.equal(rows[0]?.['n'], 100)
    await client.end()
  })

  test('treats a refusal inside a transaction as any other error', async () => {
    const client = await sandbox.connect()
    await client.query('BEGIN')
    await client.query('UPDATE orders SET total = 0 WHERE id = 1')
    await assert.rejects(client.query('DELETE FROM orders'), { code: '42501' })
    await assert.rejects(client.query('SELECT 1'), { code: '25P02' })
    await client.query('ROLLBACK')
    const { rows } = await client.query('SELECT total::text FROM orders WHERE id = 1')
    assert.equal(rows[0]?.['total'], '1.5')
    await client.end()
  })

  test('refuses all of a text when one statement of it may not run', async () => {
    const client = await sandbox.connect()
    await assert.rejects(client.query('UPDATE orders SET total = 1 WHERE id = 2; DROP DATABASE shop'), {
      code: '42501',
    })
    assert.equal((await client.query('SELECT total::text FROM orders WHERE id = 2')).rows[0]?.['total'], '3.0')
    await client.end()
  })

  test('follows PREPARE and EXECUTE, also across the protocol border', async () => {
    const client = await sandbox.connect()
    await client.query('PREPARE fine AS SELECT 1 AS one')
    assert.equal((await client.query('EXECUTE fine')).rows[0]?.['one'], 1)
    await client.query('PREPARE wipe AS DELETE FROM orders')
    await assert.rejects(client.query('EXECUTE wipe'), { code: '42501' })
    await assert.rejects(client.query('EXPLAIN ANALYZE EXECUTE wipe'), { code: '42501' })
    await client.end()
  })
})

describe('a principal who may only read', () => {
  test('is refused writes, functions nobody vouches for, and schemas that are closed to them', async () => {
    const client = await sandbox.connect('sam@example.com')
    assert.equal((await client.query('SELECT count(*)::int AS n FROM orders')).rows[0]?.['n'], 100)
    for (const sql of [
      'INSERT INTO orders VALUES (1000, 1)',
      'WITH gone AS (DELETE FROM orders WHERE id = 1 RETURNING *) SELECT * FROM gone',
      'EXPLAIN ANALYZE DELETE FROM orders WHERE id = 1',
      'SELECT purge()',
      'DO $$ BEGIN DELETE FROM orders; END $$',
      "COPY orders TO PROGRAM 'cat'",
      'SELECT * FROM payroll.salaries',
      'SET search_path = payroll; SELECT * FROM salaries',
    ]) {
      await assert.rejects(client.query(sql), { code: '42501' }, sql)
      await assert.rejects(client.query(sql, []), /./, sql)
    }
    await client.query('SET search_path = payroll')
    await assert.rejects(client.query('SELECT * FROM salaries'), { code: '42501' })
    await client.end()
  })

  test('is told which schema to name where the search path leaves it open', async () => {
    const client = await sandbox.connect('report-agent')
    assert.equal((await client.query('SELECT count(*)::int AS n FROM public.orders')).rows[0]?.['n'], 100)
    await assert.rejects(client.query('SELECT count(*) FROM orders'), {
      code: '42501',
      message: 'SELECT on orders is refused by policy',
      hint: /Write "public\." before/,
    })
    await assert.rejects(client.query('DELETE FROM orders WHERE id = 1'), { code: '42501', hint: /^Ask/ })
    await client.end()
  })

  test("hears PostgreSQL's own words about a typing error, with its position", async () => {
    const client = await sandbox.connect('sam@example.com')
    const direct = await sandbox.connectDirect()
    const told = await errorOf(() => client.query('SELEC 1'))
    const original = await errorOf(() => direct.query('SELEC 1'))
    for (const field of ['severity', 'code', 'message', 'position']) assert.equal(told[field], original[field])
    await client.end()
  })
})

describe('a log-in', () => {
  test('without TLS is refused before a password is asked', async () => {
    const config = await sandbox.clientConfig('alice@example.com', { ssl: false })
    await assert.rejects(sandbox.connect('alice@example.com', { ...config, ssl: false }), {
      code: '28000',
      hint: /sslmode/,
    })
  })

  test('with the shared password is refused and on record', async () => {
    await assert.rejects(sandbox.connect('alice@example.com', { password: 'hunter2' }), { code: '28P01' })
    const failed = (await sandbox.entries()).findLast((entry) => entry.type === 'login_failed')
    assert.equal(failed?.['code'], 'token_malformed')
    assert.equal(failed?.['claimed'], 'alice@example.com')
    assert.ok(!JSON.stringify(failed).includes('hunter2'))
  })

  test("with somebody else's name is refused", async () => {
    await assert.rejects(sandbox.connect('alice@example.com', { user: 'dana@example.com' }), { code: '28000' })
  })

  test('to a database that the gateway does not have is refused', async () => {
    await assert.rejects(sandbox.connect('alice@example.com', { database: 'nope' }), { code: '3D000' })
  })

  test('by somebody whom no policy lets connect is refused', async () => {
    await assert.rejects(sandbox.connect('ci-deploy'), { code: '42501' })
  })

  test('may not ask for replication', async () => {
    await assert.rejects(sandbox.connect('alice@example.com', { replication: 'database' } as object), /./)
  })
})

describe('a cancel', () => {
  test('with the right key reaches the statement, with a wrong one nobody, and both are on record', async () => {
    const password = await sandbox.issuer.issueToken({ identity: 'alice@example.com' })
    for (const version of [protocol30, protocol32]) {
      const client = await RawClient.logIn({
        port: sandbox.postern.port,
        ca: sandbox.authority.certificate,
        parameters: { user: 'alice@example.com', database: 'shop' },
        password,
        version,
      })
      const { processId, secretKey } = client.cancelKey
      assert.equal(secretKey.length, version === protocol32 ? 32 : 4)
      client.send(encodeQuery('SELECT pg_sleep(30)'))
      await new Promise((resolve) => setTimeout(resolve, 200))
      await sendCancel(sandbox.postern.port, { processId, secretKey: Buffer.alloc(secretKey.length) })
      await sendCancel(sandbox.postern.port, { processId, secretKey })
      const [rowDescription, error] = await client.until(backend.ReadyForQuery)
      const told = rowDescription?.type === backend.ErrorResponse ? rowDescription : error
      assert.equal(decodeErrorResponse(told?.body ?? Buffer.alloc(0)).get('C'), '57014')
      client.close()
    }
    const cancels = (await sandbox.entries()).filter((entry) => entry.type === 'cancel')
    assert.deepEqual(
      cancels.map((entry) => entry['matched']),
      [false, true, false, true],
    )
  })
})

function principalOf(entry: Entry | undefined): { name: string; groups: string[] } | undefined {
  return entry?.['principal'] as { name: string; groups: string[] } | undefined
}

async function errorOf(run: () => Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await run()
  } catch (error) {
    return error as Record<string, unknown>
  }
  throw new Error('it did not fail')
}
