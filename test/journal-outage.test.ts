import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createPublicKey } from 'node:crypto'
import { loadOrCreateSigningKey } from '../src/audit/key.ts'
import { verifyJournal } from '../src/audit/verify.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

const mountPoint = mkdtempSync(join(tmpdir(), 'postern-full-'))
let isMounted = false
let sandbox: Sandbox

before(async () => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mountPoint], { stdio: 'pipe' })
    isMounted = true
  } catch {
    return
  }
  sandbox = await startSandbox({ journalDirectory: join(mountPoint, 'journal'), setUp: 'CREATE TABLE done (id int)' })
})

after(async () => {
  if (isMounted) {
    await sandbox.stop()
    execFileSync('umount', ['-l', mountPoint])
  }
  rmSync(mountPoint, { recursive: true, force: true })
})

test('on a full disk statements are refused, sessions live on, and nothing runs unrecorded', async (context) => {
  if (!isMounted) return context.skip('a small file system cannot be mounted here; root can')
  const client = await sandbox.connect()
  await client.query('INSERT INTO done VALUES (0)')
  const ballast = join(mountPoint, 'ballast')
  fill(ballast)
  let refused = 0
  for (let id = 1; id <= 60; id += 1) {
    // Padded, so that what room is left is used up soon.
    const sql = `INSERT INTO done VALUES (${String(id)}) /* ${'x'.repeat(500)} */`
    await client.query(sql).catch((error: unknown) => {
      assert.equal((error as { code: string }).code, '58030')
      refused += 1
    })
  }
  assert.ok(refused > 10, `${String(refused)} refused`)
  await assert.rejects(client.query('SELECT $1::int', [1]), { code: '58030' })
  await assert.rejects(sandbox.connect(), { code: '58030' })

  rmSync(ballast)
  await untilServed(() => client.query('INSERT INTO done VALUES (1000)'))
  const ran = await sandbox.postgres.query('shop', 'SELECT id FROM done')
  assert.equal(ran.length, 62 - refused)
  const entries = await sandbox.entries()
  const recorded = new Set(
    entries
      .filter((entry) => entry.type === 'intent')
      .map((entry) => /VALUES \((\d+)\)/.exec(String(entry['sql']))?.[1]),
  )
  for (const { id } of ran) assert.ok(recorded.has(String(id)), `INSERT of ${String(id)} is not on record`)
  for (const intent of entries.filter((entry) => entry.type === 'intent')) {
    assert.ok(entries.some((entry) => entry.type === 'outcome' && entry['intent'] === intent.seq))
  }
  assert.ok(entries.some((entry) => entry.type === 'journal_recovered'))
  await client.end()
  await sandbox.postern.stop()
  const publicKey = createPublicKey(loadOrCreateSigningKey(sandbox.config.journal.signingKey))
  assert.deepEqual(verifyJournal(sandbox.config.journal.directory, { publicKeys: [publicKey] }).problem, null)
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

async function untilServed(run: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      await run()
      return
    } catch (error) {
      assert.equal((error as { code: string }).code, '58030')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error('the journal did not recover within ten seconds')
}
