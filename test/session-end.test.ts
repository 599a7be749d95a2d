import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Client } from 'pg'
import { type Sandbox, startSandbox, testPolicies } from './support/sandbox.ts'

const alice = 'alice@example.com'

describe('a session whose token expires', () => {
  let sandbox: Sandbox

  before(async () => {
    sandbox = await startSandbox({ expiryGraceS: 1 })
  })

  after(async () => {
    await sandbox.stop()
  })

  const connectFor = async (expiresInS: number): Promise<Client> =>
    sandbox.connect(alice, { password: await sandbox.issuer.issueToken({ identity: alice, expiresInS }) })

  test('ends while it is idle, with a message that says why', async () => {
    const client = await connectFor(2)
    await client.query('SELECT 1')
    const [error] = (await once(client, 'error')) as [Error & { code: string }]
    assert.equal(error.code, '57P01')
    assert.match(error.message, /token has expired/)
  })

  test('lets a running statement end within the grace, and ends behind it', async () => {
    const client = await connectFor(2)
    const ended = once(client, 'error')
    const { rows } = await client.query('SELECT pg_sleep(2.3), 1 AS one')
    assert.equal(rows[0]?.['one'], 1)
    const [error] = (await ended) as [Error & { code: string }]
    assert.equal(error.code, '57P01')
  })

  test('cancels what runs on past the grace', async () => {
    const client = await connectFor(2)
    client.on('error', () => undefined)
    const startedMs = Date.now()
    await assert.rejects(client.query('SELECT pg_sleep(60)'), { code: '57014' })
    assert.ok(Date.now() - startedMs < 20_000)
    const { rows } = await (
      await sandbox.connectDirect()
    ).query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
    )
    assert.equal(rows[0]?.['n'], 0)
  })

  test('is on record as expired', async () => {
    const ends = (await sandbox.entries())
      .filter((entry) => entry.type === 'session_ended')
      .map((entry) => entry['end'])
    assert.equal(ends.filter((end) => end === 'expired').length, 3)
  })
})

describe('a changed policy set', () => {
  let sandbox: Sandbox

  before(async () => {
    sandbox = await startSandbox({ setUp: 'CREATE TABLE t (a int)' })
  })

  after(async () => {
    await sandbox.stop()
  })

  test('is in force for sessions and prepared statements that were there before', async () => {
    const client = await sandbox.connect()
    const read = { name: 'read', text: 'SELECT * FROM t' }
    await client.query(read)
    await writeFile(
      join(sandbox.config.policies, 'more.cedar'),
      '@id("no-t") forbid (principal, action, resource == Relation::"shop.public.t");',
    )
    await until(async () => (await codeOf(client.query(read))) === '42501')
    assert.equal((await client.query('SELECT 1 AS one')).rows[0]?.['one'], 1)
    const loaded = (await sandbox.entries()).filter((entry) => entry.type === 'policy_loaded')
    assert.equal(loaded.length, 1)
  })

  test('that is broken leaves the one before in force', async () => {
    const client = await sandbox.connect()
    await writeFile(join(sandbox.config.policies, 'more.cedar'), 'permit (principal, action, resource')
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.equal(await codeOf(client.query('SELECT * FROM t')), '42501')
    await writeFile(join(sandbox.config.policies, 'test.cedar'), testPolicies)
    await writeFile(join(sandbox.config.policies, 'more.cedar'), '')
    await until(async () => (await codeOf(client.query('SELECT * FROM t'))) === null)
  })
})

describe('a stopping gateway', () => {
  test('lets a statement end and tells every session', async () => {
    const sandbox = await startSandbox()
    const idle = await sandbox.connect()
    const busy = await sandbox.connect()
    const idleEnded = once(idle, 'error')
    const busyEnded = once(busy, 'error')
    const answer = busy.query('SELECT pg_sleep(0.5), 1 AS one')
    await new Promise((resolve) => setTimeout(resolve, 100))
    const stopped = sandbox.postern.stop({ deadlineMs: 10_000 })
    assert.equal((await answer).rows[0]?.['one'], 1)
    for (const ended of [idleEnded, busyEnded]) {
      const [error] = (await ended) as [Error & { code: string }]
      assert.equal(error.code, '57P01')
    }
    await stopped
    const entries = await sandbox.entries()
    assert.equal(entries.findLast((entry) => entry.type !== 'checkpoint')?.type, 'gateway_stopped')
    await sandbox.stop()
  })
})

async function codeOf(running: Promise<unknown>): Promise<string | null> {
  try {
    await running
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('it did not come about within five seconds')
}
