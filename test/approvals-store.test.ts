import assert from 'node:assert/strict'
import { once } from 'node:events'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { Client } from 'pg'
import { pino } from 'pino'
import { freePort, prepareGateway, startGatewayProcess, stopGatewayProcess } from '../sandbox/gateway-process.ts'
import { type SandboxPostgres, startPostgres } from '../sandbox/postgres.ts'
import type { Config } from '../src/config.ts'
import { limits } from '../src/core/limits.ts'
import { type Postern, serve } from '../src/main.ts'
import { as, errorOf, eventually, people, stateOf, type Told, waiting } from './support/approvals.ts'
import { type Sandbox, startSandbox, testPolicies } from './support/sandbox.ts'

const alice = 'alice@example.com'
const dangerous = 'DELETE FROM orders'
const setUp = 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (1), (2), (3)'

// A gateway counts as lost after a minute; here somewhat more than the interval of the signs of life of one that lives.
Object.assign(limits, { gatewayLostMs: 12_000, accessSweepMs: 300 })

const left = async (postgres: SandboxPostgres): Promise<number> =>
  Number((await postgres.query('shop', 'SELECT count(*) AS n FROM orders'))[0]?.['n'])

/** Sends a statement until it is refused, as it is while the store is out of reach, and gives the SQLSTATE. */
const refusalOf = async (client: Client): Promise<{ code: string; hint?: string; message: string }> =>
  errorOf(client.query(dangerous))

describe('with the embedded store', () => {
  let sandbox: Sandbox

  before(async () => {
    sandbox = await startSandbox({ access: {}, setUp })
  })

  after(async () => {
    await sandbox.stop()
  })

  const begins = (database: DatabaseSync): boolean => {
    try {
      database.exec('BEGIN IMMEDIATE')
      return true
    } catch (error) {
      assert.match((error as Error).message, /locked/)
      return false
    }
  }

  const locked = async <T>(work: () => Promise<T>): Promise<T> => {
    assert.ok(sandbox.config.controlStore.kind === 'sqlite')
    const other = new DatabaseSync(sandbox.config.controlStore.file, { timeout: 0 })
    // It is this thread that the gateway needs to end a transaction of its own: it must not be blocked.
    await eventually(() => Promise.resolve(begins(other)))
    try {
      return await work()
    } finally {
      other.exec('ROLLBACK')
      other.close()
    }
  }

  test('that cannot be written nothing can be asked for, and the session lives on', async () => {
    const client = await sandbox.connect()
    const error = await locked(() => refusalOf(client))
    assert.equal(error.code, '57P03')
    assert.ok((error.hint ?? '') !== '')
    assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.['one'], 1)
    const { id, result } = await waiting(client, () => client.query(dangerous))
    await as(people.dana, sandbox).deny(id)
    await errorOf(result)
    assert.equal(await left(sandbox.postgres), 3)
    await client.end()
  })

  test('that cannot be written while it waits nobody can approve it, until it can be', async () => {
    const client = await sandbox.connect()
    const { id, result } = await waiting(client, () => client.query(dangerous))
    const { status, body } = await locked(() => as(people.dana, sandbox).post(`/requests/${id}/approve`))
    assert.equal(status, 503, JSON.stringify(body))
    assert.equal(await left(sandbox.postgres), 3)
    await as(people.dana, sandbox).approve(id)
    await result
    assert.equal(await left(sandbox.postgres), 0)
    await client.end()
  })

  test('that cannot be written a cancel ends the wait all the same, and the request is withdrawn later', async () => {
    const client = await sandbox.connect()
    const { id, result } = await waiting(client, () => client.query(dangerous))
    await locked(async () => {
      client.connection.stream.destroy()
      await errorOf(result)
    })
    await stateOf(as(people.dana, sandbox), id, 'withdrawn')
  })
})

describe('two gateways on one PostgreSQL store', () => {
  const storePassword = 'of the store'
  let store: SandboxPostgres
  let first: Sandbox
  let second: Postern
  const storeDirectory = mkdtempSync(join(tmpdir(), 'postern-store-data-'))

  before(async () => {
    rmSync(storeDirectory, { recursive: true })
    mkdirSync(storeDirectory)
    store = await startPostgres({ keepDirectory: join(storeDirectory, 'data'), password: storePassword })
    first = await startSandbox({ access: { controlStore: storeSettings() }, setUp })
    const { config } = first
    second = await serve(
      {
        ...config,
        journal: { ...config.journal, directory: join(first.directory, 'journal-2') },
        notifications: { ...config.notifications, directory: join(first.directory, 'notifications-2') },
      },
      { log: pino({ level: 'silent' }) },
    )
  })

  after(async () => {
    await second.stop({ deadlineMs: 500 })
    await first.stop()
    await store.stop()
    rmSync(storeDirectory, { recursive: true, force: true })
  })

  const storeSettings = (): Config['controlStore'] => ({
    kind: 'postgres',
    host: store.host,
    port: store.port,
    database: 'postgres',
    schema: 'postern',
    role: 'postgres',
    tls: { mode: 'disable', ca: undefined, serverName: undefined },
    credential: { password: storePassword },
    stalenessMs: 30_000,
  })

  const atSecond = (): { issuer: Sandbox['issuer']; postern: Postern } => ({ issuer: first.issuer, postern: second })
  const refill = (): Promise<unknown> =>
    first.postgres.query('shop', 'TRUNCATE orders; INSERT INTO orders VALUES (1), (2), (3)')

  test('approve what waits at the other, in both directions', async () => {
    const atOne = await first.connect()
    const atTwo = await first.connect(alice, { port: second.port })
    for (const [client, other] of [
      [atOne, atSecond()],
      [atTwo, first],
    ] as const) {
      await refill()
      const { id, result } = await waiting(client, () => client.query(dangerous))
      await as(people.dana, other).approve(id)
      assert.equal((await result).rowCount, 3)
      await stateOf(as(people.dana, first), id, 'used')
      const denied = await waiting(client, () => client.query(dangerous))
      await as(people.dana, other).deny(denied.id, 'from elsewhere')
      assert.match((await errorOf(denied.result)).detail ?? '', /from elsewhere/)
    }
    await atOne.end()
    await atTwo.end()
  })

  test('withdraw what waited at one that was killed, and nothing runs', async () => {
    await refill()
    const directory = join(first.directory, 'killed')
    const port = await freePort()
    const apiPort = await freePort()
    const policies = join(first.directory, 'policies')
    const prepared = await prepareGateway({
      directory,
      issuer: first.issuer,
      postgres: first.postgres,
      role: 'postgres',
      password: first.postgres.password,
      port,
      apiPort,
      policies,
      more: `control_store:
  postgres: { host: ${store.host}, port: ${String(store.port)}, database: postgres, role: postgres, tls: { mode: disable }, credential: { file: store-password } }
`,
    })
    writeFileSync(join(directory, 'store-password'), storePassword, { mode: 0o600 })
    const gateway = await startGatewayProcess(prepared.configFile, port)
    const client = new Client({
      host: '127.0.0.1',
      port,
      user: alice,
      database: 'shop',
      password: await first.issuer.issueToken({ identity: alice }),
      ssl: { ca: prepared.authority },
    })
    client.on('error', () => undefined)
    await client.connect()
    const { id, result } = await waiting(client, () => client.query(dangerous))
    gateway.kill('SIGKILL')
    await errorOf(result)
    const withdrawn = await stateOf(as(people.dana, first), id, 'withdrawn')
    assert.equal(withdrawn.outcome?.why, 'gateway_lost')
    assert.equal((await as(people.dana, atSecond()).post(`/requests/${id}/approve`)).status, 409)
    assert.equal(await left(first.postgres), 3)
  })

  test('refuse what needs approval while the store is stopped, let what waits go on waiting, and come back', async () => {
    await refill()
    const [client, waits] = await Promise.all([first.connect(), first.connect()])
    const { id, result } = await waiting(waits, () => waits.query(dangerous))
    const { port } = store
    await store.stop()
    const error = await refusalOf(client)
    assert.equal(error.code, '57P03')
    assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.['one'], 1)
    assert.equal((await as(people.dana, first).post(`/requests/${id}/approve`)).status, 503)
    assert.equal(await left(first.postgres), 3)
    store = await startPostgres({ keepDirectory: join(storeDirectory, 'data'), password: storePassword, port })
    await eventually(async () => (await as(people.dana, atSecond()).post(`/requests/${id}/approve`)).status === 200)
    assert.equal((await result).rowCount, 3)
    await client.end()
    await waits.end()
  })
})

test('a gateway that was killed withdraws after its restart what had waited, and nothing runs later', async () => {
  const sandbox = await startSandbox({ setUp })
  const directory = join(sandbox.directory, 'process')
  const port = await freePort()
  const apiPort = await freePort()
  mkdirSync(join(sandbox.directory, 'own-policies'))
  writeFileSync(join(sandbox.directory, 'own-policies', 'all.cedar'), testPolicies)
  const prepared = await prepareGateway({
    directory,
    issuer: sandbox.issuer,
    postgres: sandbox.postgres,
    role: 'postgres',
    password: sandbox.postgres.password,
    port,
    apiPort,
    policies: join(sandbox.directory, 'own-policies'),
  })
  const where = { issuer: sandbox.issuer, postern: { apiUrl: `http://127.0.0.1:${String(apiPort)}` } }
  const connect = async (): Promise<Client> => {
    const client = new Client({
      host: '127.0.0.1',
      port,
      user: alice,
      database: 'shop',
      password: await sandbox.issuer.issueToken({ identity: alice }),
      ssl: { ca: prepared.authority },
    })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  let gateway = await startGatewayProcess(prepared.configFile, port)
  try {
    const [one, two] = [await connect(), await connect()]
    const asked = [
      await waiting(one, () => one.query(dangerous)),
      await waiting(two, () => two.query('UPDATE orders SET id = $1', [0])),
    ]
    gateway.kill('SIGKILL')
    // Until it is gone its port may still answer, and be taken for that of the next one.
    await once(gateway, 'exit')
    for (const { result } of asked) await errorOf(result)
    gateway = await startGatewayProcess(prepared.configFile, port)
    for (const { id } of asked) {
      const withdrawn = await stateOf(as(people.dana, where), id, 'withdrawn')
      assert.equal(withdrawn.outcome?.why, 'gateway_lost')
      const { status, body } = await as(people.dana, where).post(`/requests/${id}/approve`)
      assert.equal(status, 409)
      assert.match(JSON.stringify(body), /withdrawn/)
    }
    assert.deepEqual(await sandbox.postgres.query('shop', 'SELECT id FROM orders ORDER BY 1'), [
      { id: 1 },
      { id: 2 },
      { id: 3 },
    ])
    const again = await connect()
    const { id, result } = await waiting(again, () => again.query(dangerous))
    await as(people.dana, where).approve(id)
    await result
    await again.end()
  } finally {
    await stopGatewayProcess(gateway)
    await sandbox.stop()
  }
})

test('while the journal cannot be written an approval has no effect; it has once it can be', async (context) => {
  const mountPoint = mkdtempSync(join(tmpdir(), 'postern-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mountPoint], { stdio: 'pipe' })
  } catch {
    rmSync(mountPoint, { recursive: true })
    return context.skip('a small file system cannot be mounted here; root can')
  }
  const sandbox = await startSandbox({ access: {}, journalDirectory: join(mountPoint, 'journal'), setUp })
  try {
    const client = await sandbox.connect()
    const { id, result } = await waiting(client, () => client.query(dangerous))
    const ballast = join(mountPoint, 'ballast')
    fill(ballast)
    const other = await sandbox.connect().catch(() => null)
    // What is left of the last page takes some entries yet.
    await eventually(async () => {
      const padded = `SELECT 1 /* ${'x'.repeat(900)} */`
      return other === null || (await other.query(padded).catch((error: unknown) => (error as Told).code)) === '58030'
    })
    const { status } = await as(people.dana, sandbox).post(`/requests/${id}/approve`)
    assert.equal(status, 503)
    const outcome = await Promise.race([
      result.then(
        () => 'ran',
        (error: unknown) => (error as { code: string }).code,
      ),
      new Promise((resolve) => setTimeout(() => resolve('waits'), 500)),
    ])
    // It has no effect yet, or was refused since it cannot be recorded that it runs.
    assert.ok(outcome === 'waits' || outcome === '58030', String(outcome))
    assert.equal(await left(sandbox.postgres), 3)
    rmSync(ballast)
    const last = await result.then(
      () => 'ran',
      (error: unknown) => (error as { code: string }).code,
    )
    assert.ok(last === 'ran' || last === '58030', last)
    assert.equal(await left(sandbox.postgres), last === 'ran' ? 0 : 3)
    await client.end()
    await other?.end()
  } finally {
    rmSync(join(mountPoint, 'ballast'), { force: true })
    await sandbox.stop()
    execFileSync('umount', ['-l', mountPoint])
    rmSync(mountPoint, { recursive: true, force: true })
  }
})

function fill(file: string): void {
  for (let kilobytes = 2_048; kilobytes > 0; kilobytes -= 4) {
    try {
      writeFileSync(file, Buffer.alloc(kilobytes * 1_024))
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
}
