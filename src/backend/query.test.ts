import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { PosternError } from '../core/errors.ts'
import { encodeCommandComplete, encodeDataRow, encodeErrorResponse, encodeReadyForQuery } from '../wire/backend.ts'
import { BackendFault, connectBackend, createCredentialSource } from './backend.ts'
import { createQueryClient } from './query.ts'
import type { QueryClient, QueryClientOptions } from './query.ts'

let postgres: SandboxPostgres
before(async () => {
  postgres = await startPostgres()
})
after(async () => postgres.stop())

async function open(options: QueryClientOptions = {}): Promise<QueryClient> {
  const { socketDirectory, port, password } = postgres
  const target = { host: socketDirectory, port, database: 'postgres', role: 'postgres' }
  const connection = await connectBackend({ ...target, tls: { mode: 'disable' } }, new Map(), {
    signal: AbortSignal.timeout(20_000),
    credential: createCredentialSource({ password }, {}),
  })
  return createQueryClient(connection, options)
}

void test('rows come as text, with null for NULL', async () => {
  const client = await open()
  assert.deepEqual(await client.query(`SELECT 1, NULL, '', 'ü' UNION ALL SELECT 2, 'x', ' ', E'a\\nb'`), [
    ['1', null, '', 'ü'],
    ['2', 'x', ' ', 'a\nb'],
  ])
  assert.deepEqual(await client.query('SELECT 1 WHERE false'), [])
  assert.deepEqual(await client.query('SET jit = off'), [])
  assert.deepEqual(await client.query(''), [])
  client.close()
})

void test('a text of several statements gives the rows of each that has some', async () => {
  const client = await open()
  assert.deepEqual(await client.queryAll(`SELECT 1; SET jit = off; SELECT 2 WHERE false; DO 'BEGIN END'; SELECT 3`), [
    [['1']],
    [],
    [['3']],
  ])
  client.close()
})

void test('notices and reported settings are passed over', async () => {
  const client = await open()
  await client.query(`SET application_name = 'x'; DO $$ BEGIN RAISE NOTICE 'n'; END $$`)
  assert.deepEqual(await client.query('SELECT 1'), [['1']])
  client.close()
})

void test('a refusal tells the code alone, keeps its words for the operator, and leaves the client usable', async () => {
  const client = await open()
  await assert.rejects(client.query(`SELECT 'secret value'::int`), (error) => {
    assert.ok(error instanceof PosternError)
    assert.equal(error.code, 'backend_unavailable')
    assert.match(error.message, /22P02/)
    assert.doesNotMatch(error.message, /secret/)
    assert.ok(error.cause instanceof BackendFault)
    assert.match(error.cause.message, /secret value/)
    return true
  })
  await assert.rejects(client.query('SELECT 1; SELECT 1/0; SELECT 2'), /22012/)
  assert.deepEqual(await client.query('SELECT 1'), [['1']])
  client.close()
})

void test('one query at a time', async () => {
  const client = await open()
  const first = client.query('SELECT 1')
  await assert.rejects(client.query('SELECT 2'), /under way/)
  assert.deepEqual(await first, [['1']])
  client.close()
})

void test('more rows than allowed end the connection', async () => {
  const client = await open({ rowsBytesMax: 10_000 })
  assert.equal((await client.query('SELECT generate_series(1, 100)')).length, 100)
  await assert.rejects(client.query('SELECT generate_series(1, 100000)'), { code: 'limit_exceeded' })
  await assert.rejects(client.query('SELECT 1'), { code: 'limit_exceeded' })
})

void test('the bound is on all results of one text, and on each row before it is there', async () => {
  const several = await open({ rowsBytesMax: 1_000 })
  const half = `SELECT repeat('x', 700)`
  await assert.rejects(several.queryAll(`${half}; ${half}`), { code: 'limit_exceeded' })
  const one = await open({ rowsBytesMax: 1_000 })
  await assert.rejects(one.query(`SELECT repeat('x', 1000000)`), { code: 'message_too_large' })
})

void test('COPY, which would wait for data, ends the connection', async () => {
  const client = await open()
  await client.query('CREATE TABLE copied (i int)')
  await assert.rejects(client.query('COPY copied FROM STDIN'), { code: 'backend_lost' })
  await assert.rejects(client.query('SELECT 1'), { code: 'backend_lost' })
})

void test('an aborted signal ends the query that is under way', async () => {
  const abort = new AbortController()
  const client = await open({ signal: abort.signal })
  const running = client.query('SELECT pg_sleep(60)')
  abort.abort(new Error('too long'))
  await assert.rejects(running, { code: 'backend_lost' })
  await assert.rejects(client.query('SELECT 1'), { code: 'backend_lost' })
  const late = await open({ signal: AbortSignal.abort() })
  await assert.rejects(late.query('SELECT 1'), { code: 'backend_lost' })
})

void test('a closed client says goodbye, and a query that was under way rejects', async () => {
  const client = await open()
  const [[id] = []] = await client.query('SELECT pg_backend_pid()')
  client.close()
  client.close()
  const other = await open()
  const isThere = `SELECT count(*) FROM pg_stat_activity WHERE pid = ${id ?? '0'}`
  while ((await other.query(isThere))[0]?.[0] !== '0');
  const running = other.query('SELECT pg_sleep(60)')
  other.close()
  await assert.rejects(running, { code: 'backend_lost' })
})

void test('a server that ends the connection ends the query', async () => {
  const [client, other] = [await open(), await open()]
  const [[id] = []] = await client.query('SELECT pg_backend_pid()')
  const running = assert.rejects(client.query('SELECT pg_sleep(60)'), { code: 'backend_lost' })
  await other.query(`SELECT pg_terminate_backend(${id ?? '0'})`)
  await running
  await assert.rejects(client.query('SELECT 1'), { code: 'backend_lost' })
  other.close()
})

/** A client of a server that answers every query with these bytes. */
async function against(answer: Buffer, use: (client: QueryClient) => Promise<void>): Promise<void> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('data', () => socket.write(answer)).on('error', () => undefined))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  try {
    await use(createQueryClient({ socket, rest: Buffer.alloc(0) }))
  } finally {
    for (const each of [socket, ...sockets]) each.destroy()
    server.close()
  }
}

void test('a server that answers out of turn is not believed', async () => {
  const ready = encodeReadyForQuery('I')
  const row = encodeDataRow([Buffer.from('x')])
  const lost = { code: 'backend_lost' }
  await against(Buffer.concat([row, ready]), async (client) => assert.rejects(client.query('SELECT 1'), lost))
  await against(Buffer.from('D\0\0\0\x06\0\x09', 'latin1'), async (client) => {
    await assert.rejects(client.query('SELECT 1'), PosternError)
  })
  await against(Buffer.concat([encodeCommandComplete('SELECT 0'), ready, ready]), async (client) => {
    await client.query('SELECT 1')
    await assert.rejects(client.query('SELECT 1'), lost)
  })
  const fatal = encodeErrorResponse({ severity: 'FATAL', code: '57P01', message: 'going' })
  await against(Buffer.concat([encodeCommandComplete('SELECT 0'), ready, fatal]), async (client) => {
    await client.query('SELECT 1')
    await assert.rejects(client.query('SELECT 1'), lost)
  })
})
