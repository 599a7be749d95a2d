import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { after, before, describe, test } from 'node:test'
import { compareWithJournal, type JournalledChange } from '../src/access/compare.ts'
import { loadOrCreateSigningKey } from '../src/audit/key.ts'
import { verifyJournal } from '../src/audit/verify.ts'
import { limits } from '../src/core/limits.ts'
import { openControlStore } from '../src/store/store.ts'
import { as, asked, askedRaw, people } from './support/approvals.ts'
import { RawClient, sendCancel } from './support/raw-client.ts'
import { backend, decodeErrorResponse } from '../src/wire/backend.ts'
import { encodeQuery } from '../src/wire/frontend.ts'
import { type Entry, readEntries, type Sandbox, startSandbox } from './support/sandbox.ts'

const seed = Number(process.env['POSTERN_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const waitMs = 400
const alice = 'alice@example.com'
let sandbox: Sandbox
let isStopped = false

before(async () => {
  sandbox = await startSandbox({
    access: { approvals: { statementWaitMs: waitMs, accessWaitMs: 60_000, auditors: ['auditors'], admins: [] } },
    setUp: "CREATE TABLE ran (rounds text[]); INSERT INTO ran VALUES ('{}'); CREATE TABLE orders (id int)",
  })
})

after(async () => {
  if (!isStopped) await sandbox.stop()
})

/** Small numbers that are the same for the same seed. */
function randomOf(from: number): () => number {
  let state = from
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return (state >>> 0) / 2 ** 32
  }
}

describe(`at the same moment (POSTERN_TEST_SEED=${String(seed)})`, () => {
  test('an approval and the end of the wait: it ran or it expired, and never both', async (context) => {
    const outcomes = new Map<string, number>()
    await Promise.all(
      [1, 2, 3, 4].map(async (lane) => {
        const random = randomOf(seed + lane)
        const client = await sandbox.connect()
        for (let round = 0; round < 8; round += 1) {
          const told = asked(client)
          const startedMs = Date.now()
          const mark = `expiry-${String(lane)}-${String(round)}`
          const result = client.query(markedBy(mark)).then(
            () => 'ran',
            (error: unknown) => (error as { code: string }).code,
          )
          const id = await told
          await sleep(Math.max(0, startedMs + waitMs - 40 + random() * 60 - Date.now()))
          const { status } = await as(people.dana, sandbox).post(`/requests/${id}/approve`)
          const outcome = `${String(status)} ${await result}`
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        }
        await client.end()
      }),
    )
    context.diagnostic(JSON.stringify([...outcomes]))
    for (const outcome of outcomes.keys()) assert.match(outcome, /^(200 ran|200 42501|409 42501)$/)
  })

  test('an approval and a cancel: it ran or it was cancelled, and never both', async () => {
    await Promise.all(
      [1, 2, 3, 4].map(async (lane) => {
        const random = randomOf(seed + 100 + lane)
        const client = await RawClient.logIn({
          port: sandbox.postern.port,
          ca: sandbox.authority.certificate,
          parameters: { user: alice, database: 'shop' },
          password: await sandbox.issuer.issueToken({ identity: alice }),
        })
        for (let round = 0; round < 8; round += 1) {
          client.send(encodeQuery(markedBy(`cancel-${String(lane)}-${String(round)}`)))
          const { id } = await askedRaw(client)
          const cancelled = sleep(random() * 12).then(() => sendCancel(sandbox.postern.port, client.cancelKey))
          const { status } = await as(people.dana, sandbox).post(`/requests/${id}/approve`)
          const frames = await client.until(backend.ReadyForQuery)
          const error = frames.find(({ type }) => type === backend.ErrorResponse)
          if (error !== undefined) assert.equal(decodeErrorResponse(error.body).get('C'), '57014')
          else assert.equal(status, 200)
          await cancelled
        }
        client.close()
      }),
    )
  })

  test('a cancel after the approval, and an approval after the cancel, are told that they are late', async () => {
    const client = await RawClient.logIn({
      port: sandbox.postern.port,
      ca: sandbox.authority.certificate,
      parameters: { user: alice, database: 'shop' },
      password: await sandbox.issuer.issueToken({ identity: alice }),
    })
    client.send(encodeQuery('DELETE FROM orders'))
    const { id } = await askedRaw(client)
    await sendCancel(sandbox.postern.port, client.cancelKey)
    await client.until(backend.ReadyForQuery)
    const late = await as(people.dana, sandbox).post(`/requests/${id}/approve`)
    assert.equal(late.status, 409)
    assert.match(JSON.stringify(late.body), /request_closed/)
    client.close()
  })

  test('a denial and an approval of two people: one of them stands', async () => {
    const client = await sandbox.connect()
    for (let round = 0; round < 6; round += 1) {
      const told = asked(client)
      const result = client.query(markedBy(`denial-${String(round)}`)).then(
        () => 'ran',
        () => 'failed',
      )
      const id = await told
      const [yes, no] = await Promise.all([
        as(people.dana, sandbox).post(`/requests/${id}/approve`),
        as(people.dora, sandbox).post(`/requests/${id}/deny`),
      ])
      assert.deepEqual(
        [yes.status, no.status].toSorted((a, b) => a - b),
        [200, 409],
      )
      assert.equal(await result, yes.status === 200 ? 'ran' : 'failed')
    }
    await client.end()
  })
})

describe('a crowd', () => {
  const crowd = 300
  const bytesEachMax = 40_000

  test('of waiting statements takes memory only, and others are served meanwhile', async (context) => {
    const own = await startSandbox({
      access: {},
      postgres: { settings: { max_connections: String(crowd + 50) } },
      setUp: 'CREATE TABLE orders (id int)',
    })
    const dana = as(people.dana, own)
    const clients: RawClient[] = []
    for (let number = 0; number < crowd; number += 1) {
      const name = `engineer-${String(number % 5)}@example.com`
      const overrides = { sub: name, preferred_username: name, email: name }
      const password = await own.issuer.issueToken({ identity: alice, overrides })
      const { port } = own.postern
      const ca = own.authority.certificate
      clients.push(await RawClient.logIn({ port, ca, parameters: { user: name, database: 'shop' }, password }))
    }
    assert.ok(crowd / 5 <= limits.requestsPerPrincipalMax)
    const beforeBytes = usedBytes()
    for (const client of clients) client.send(encodeQuery('DELETE FROM orders'))
    const ids: string[] = []
    for (const client of clients) ids.push((await askedRaw(client)).id)
    const eachBytes = Math.round((usedBytes() - beforeBytes) / crowd)
    context.diagnostic(`${String(eachBytes)} bytes of heap for each of ${String(crowd)} waiting statements`)
    assert.ok(eachBytes < bytesEachMax, `${String(eachBytes)} bytes each`)
    assert.equal(new Set(ids).size, crowd)
    const other = await own.connect()
    assert.equal((await other.query('SELECT 1 AS one')).rows[0]?.['one'], 1)
    const told = asked(other)
    const result = other.query('DELETE FROM orders')
    await dana.approve(await told)
    await result
    for (const client of clients) client.close()
    await own.stop()
  })

  function usedBytes(): number {
    collectGarbage()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
})

test('at the end the record and the store say the same, and nothing ran without its one approval', async () => {
  await sandbox.postern.stop({ deadlineMs: 500 })
  isStopped = true
  const { journal, controlStore } = sandbox.config
  const publicKeys = [createPublicKey(loadOrCreateSigningKey(journal.signingKey))]
  assert.equal(verifyJournal(journal.directory, { publicKeys }).problem, null)
  const entries = await readEntries(journal.directory)
  assert.ok(controlStore.kind === 'sqlite')
  const store = await openControlStore({ kind: 'sqlite', file: controlStore.file }, { onFault: () => undefined })
  assert.deepEqual(
    await compareWithJournal(store, entries.filter(({ change }) => typeof change === 'number').map(asChange)),
    [],
  )
  await store.close()

  const closed = new Map<string, string>()
  for (const entry of entries.filter(({ type }) => type === 'request_closed')) {
    const id = String(entry['request'])
    assert.ok(!closed.has(id), `${id} was closed twice`)
    closed.set(id, String(entry['state']))
  }
  for (const { request } of entries.filter(({ type }) => type === 'request_opened')) {
    assert.ok(closed.has(String(request)), `${String(request)} was never closed`)
  }
  const runs = entries.filter((entry) => entry.type === 'intent' && entry['approval'] !== undefined)
  const used = runs.map((entry) => (entry['approval'] as { request: string }).request)
  assert.equal(new Set(used).size, used.length, 'an approval is used for one run')
  for (const id of used) assert.equal(closed.get(id), 'used')
  const marks = new Set(runs.map((entry) => /'([\w-]+)'/.exec(String(entry['sql']))?.[1]))
  const [row] = await sandbox.postgres.query('shop', 'SELECT rounds FROM ran')
  const ran = row?.['rounds'] as string[]
  assert.ok(ran.length > 0)
  assert.equal(new Set(ran).size, ran.length, 'no round ran twice')
  for (const round of ran) assert.ok(marks.has(round), `${round} ran without an approval`)
  await sandbox.stop()
})

/** Notes which round it was, where it runs. */
function markedBy(round: string): string {
  return `UPDATE ran SET rounds = rounds || '${round}'::text`
}

function asChange({ seq: _seq, prev: _prev, at: _at, type, change, ...facts }: Entry): JournalledChange {
  return { type, change: Number(change), facts }
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
