import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client } from 'pg'
import {
  freePort,
  type PreparedGateway,
  prepareGateway,
  startGatewayProcess,
  stopGatewayProcess,
} from '../sandbox/gateway-process.ts'
import { startIssuer, type SandboxIssuer } from '../sandbox/issuer.ts'
import { startPostgres, type SandboxPostgres } from '../sandbox/postgres.ts'
import { backend } from '../src/wire/backend.ts'
import { encodeQuery } from '../src/wire/frontend.ts'
import { encodeStartupMessage, protocol30, sslRequest } from '../src/wire/startup.ts'
import { RawClient } from './support/raw-client.ts'
import { entriesOfApplication, type Entry, readEntries } from './support/sandbox.ts'

const top = join(import.meta.dirname, '..')
const alice = 'alice@example.com'

let directory: string
let postgres: SandboxPostgres
let issuer: SandboxIssuer
let gateway: ChildProcess
let prepared: PreparedGateway
let port: number
let token: string

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-faults-'))
  ;[postgres, issuer] = await Promise.all([startPostgres(), startIssuer()])
  await postgres.query('postgres', 'CREATE DATABASE shop')
  await postgres.query('shop', 'CREATE TABLE done (id int PRIMARY KEY)')
  port = await freePort()
  prepared = await prepareGateway({
    directory,
    issuer,
    postgres,
    role: postgres.superuser,
    password: postgres.password,
    port,
    allowPlaintextOnLoopback: true,
  })
  gateway = await startGatewayProcess(prepared.configFile, port)
  token = await issuer.issueToken({ identity: alice })
})

after(async () => {
  await stopGatewayProcess(gateway)
  await Promise.all([issuer.stop(), postgres.stop()])
  await rm(directory, { recursive: true, force: true })
})

describe('while one client misbehaves, another', () => {
  let bystander: Client

  before(async () => {
    bystander = await connectClient()
  })

  after(async () => {
    await bystander.end()
  })

  const isServed = async (): Promise<void> => {
    assert.deepEqual((await bystander.query('SELECT 1 AS one')).rows, [{ one: 1 }])
  }

  const serveFor = async (durationMs: number, each?: () => void): Promise<void> => {
    for (let spentMs = 0; spentMs < durationMs; spentMs += 100) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      await isServed()
      each?.()
    }
  }

  test('is served after a client was killed in the middle of a result, whose end is on record', async () => {
    const client = await logIn('killed client')
    const heldBefore = heldBytes()
    client.send(encodeQuery("SELECT repeat('x', 100000) FROM generate_series(1, 100000)"))
    await client.next()
    client.socket.destroy()
    await isServed()
    const entries = await entriesUntil((all) =>
      entriesOfApplication(all, 'killed client').some((entry) => entry.type === 'session_ended'),
    )
    const types = entriesOfApplication(entries, 'killed client').map((entry) => entry.type)
    assert.deepEqual(types, ['session_started', 'intent', 'outcome', 'session_ended'])
    const outcome = entriesOfApplication(entries, 'killed client')[2]
    assert.ok(['abandoned', 'failed'].includes(String(outcome?.['outcome'])))
    await serveFor(500)
    const discardedMiB = (heldBytes() - heldBefore) / 1024 / 1024
    assert.ok(discardedMiB < 16, `${String(discardedMiB)} MiB of a result that nobody reads were fetched`)
  })

  test('is served after a backend was ended in the middle of a result, which its client is told', async () => {
    const client = await connectClient()
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const failing = assert.rejects(client.query('SELECT pg_sleep(30)'), { code: '57P01' })
    client.on('error', () => undefined)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await postgres.query('shop', 'SELECT pg_terminate_backend($1)', [rows[0]?.pid])
    await failing
    await isServed()
  })

  test('is served among five hundred who do not log in', async () => {
    const halfOpen = await Promise.all(Array.from({ length: 500 }, () => openSocket()))
    for (const [index, socket] of halfOpen.entries()) {
      if (index % 3 === 1) socket.write(sslRequest)
      if (index % 3 === 2) socket.write(encodeStartupMessage(protocol30, [['user', alice]]).subarray(0, 9))
    }
    await isServed()
    const another = await connectClient()
    await another.end()
    for (const socket of halfOpen) socket.destroy()
  })

  test('is served beside one who sends a byte at a time', async () => {
    const slow = await openSocket()
    const packet = encodeStartupMessage(protocol30, [['user', alice]])
    for (const byte of packet.subarray(0, 20)) {
      slow.write(Buffer.from([byte]))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await isServed()
    slow.destroy()
  })

  test('is served after garbage before and behind a log-in, and the sender is told or cut', async () => {
    for (let round = 0; round < 50; round += 1) {
      const socket = await openSocket()
      socket.on('data', () => undefined)
      socket.end(randomBytes(1 + round * 40))
      await once(socket, 'close')
    }
    for (let round = 0; round < 20; round += 1) {
      const client = await logIn('garbage')
      client.send(Buffer.concat([Buffer.from([0x01, 0, 0, 0, 20]), randomBytes(200)]))
      const answers = await client.until(backend.ReadyForQuery)
      assert.equal(answers[0]?.type, backend.ErrorResponse)
      client.close()
    }
    await isServed()
  })

  test('is served after lengths of two gigabytes were announced, for which nothing was allocated', async () => {
    const before = residentBytes()
    for (const type of ['Q', 'P', 'B', 'F', 'p']) {
      const client = await logIn('two gigabytes')
      client.send(Buffer.concat([Buffer.from(type), Buffer.from([0x7f, 0xff, 0xff, 0xff]), randomBytes(64)]))
      const [answer] = await client.until(backend.ReadyForQuery)
      assert.equal(answer?.type, backend.ErrorResponse)
      client.close()
    }
    await isServed()
    assert.ok(residentBytes() - before < 64 * 1024 * 1024)
  })

  test('is served while eight readers stall in a gigabyte each, which costs under 16 MiB for each of them', async () => {
    const stall = async (): Promise<RawClient> => {
      const client = await logIn('stalled')
      client.socket.pause()
      client.send(encodeQuery("SELECT repeat('x', 1000000) FROM generate_series(1, 1000)"))
      return client
    }
    // The first such statement has the gateway compile what it runs for it, which is not the price of a reader.
    const first = await stall()
    await serveFor(1_000)
    first.close()
    await serveFor(500)
    const residentBefore = residentBytes()
    const heldBefore = heldBytes()
    const stalled = await Promise.all(Array.from({ length: 8 }, stall))
    await serveFor(1_000)
    const samples: number[] = []
    await serveFor(2_000, () => samples.push(residentBytes()))
    const heldKiB = (heldBytes() - heldBefore) / 1024
    const grownMiB = (Math.min(...samples) - residentBefore) / 1024 / 1024
    for (const client of stalled) client.close()
    assert.ok(heldKiB < 8 * 1024, `${String(heldKiB)} KiB were read and not written`)
    assert.ok(grownMiB < 8 * 16, `${String(grownMiB)} MiB`)
  })
})

test('a gateway killed under load has every statement that PostgreSQL ran on record, and starts again', async () => {
  const workers = await Promise.all(
    Array.from({ length: 4 }, async (_, worker) => {
      const client = await connectClient()
      client.on('error', () => undefined)
      return { client, worker }
    }),
  )
  const load = workers.map(async ({ client, worker }) => {
    for (let n = 0; ; n += 1) {
      try {
        await client.query(`INSERT INTO done VALUES (${String(worker * 1_000_000 + n)})`)
      } catch {
        return
      }
    }
  })
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  gateway.kill('SIGKILL')
  await once(gateway, 'exit')
  await Promise.all(load)
  // PostgreSQL may still be running what it had received.
  await new Promise((resolve) => setTimeout(resolve, 300))
  const ran = await postgres.query('shop', 'SELECT id FROM done')
  assert.ok(ran.length > 100)
  const recorded = new Set(
    (await readEntriesOfLines()).filter((line) => line.includes('"intent"')).flatMap(insertedIds),
  )
  for (const { id } of ran) assert.ok(recorded.has(Number(id)), `INSERT of ${String(id)} is not on record`)

  gateway = await startGatewayProcess(prepared.configFile, port)
  const client = await connectClient()
  await client.query('SELECT 1')
  await client.end()
  const unknown = (await readEntries(prepared.journalDirectory)).filter((entry) => entry['outcome'] === 'unknown')
  assert.ok(unknown.length > 0 && unknown.length <= 5, 'what was under way is reported as unknown')
  execFileSync(process.execPath, [join(top, 'src/cli/main.ts'), 'audit', 'verify', '--config', prepared.configFile])
})

async function openSocket(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

function logIn(application: string): Promise<RawClient> {
  const parameters = { user: alice, database: 'shop', application_name: application }
  return RawClient.logIn({ port, parameters, password: token })
}

async function connectClient(): Promise<Client> {
  const client = new Client({ host: '127.0.0.1', port, user: alice, password: token, database: 'shop' })
  await client.connect()
  return client
}

function residentBytes(): number {
  const status = readFileSync(`/proc/${String(gateway.pid)}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

/** What the gateway has read and not written yet, by the operating system's count of its reads and writes. */
function heldBytes(): number {
  const io = readFileSync(`/proc/${String(gateway.pid)}/io`, 'utf8')
  return Number(/rchar: (\d+)/.exec(io)?.[1]) - Number(/wchar: (\d+)/.exec(io)?.[1])
}

async function entriesUntil(isThere: (entries: readonly Entry[]) => boolean): Promise<Entry[]> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const entries = await readEntries(prepared.journalDirectory)
    if (isThere(entries)) return entries
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('it did not get on record within five seconds')
}

/** Lines as they are: the last one may be torn. */
async function readEntriesOfLines(): Promise<string[]> {
  const { readdirSync } = await import('node:fs')
  return readdirSync(prepared.journalDirectory)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(prepared.journalDirectory, name), 'utf8').split('\n'))
}

function insertedIds(line: string): number[] {
  const match = /INSERT INTO done VALUES \((\d+)\)/.exec(line)
  return match === null ? [] : [Number(match[1])]
}
