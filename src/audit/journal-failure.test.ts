import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PosternError } from '../core/errors.ts'
import { segmentName } from './segments.ts'
import { appendStatement, entriesIn, openForTest, recorded, until, verify, withDirectory } from './testing.ts'

/** Runs `use` in a real file system of 512 KiB; skips where this account may not mount one. */
async function withSmallDisk(skip: (why: string) => void, use: (directory: string) => Promise<void>): Promise<void> {
  const mountPoint = mkdtempSync(join(tmpdir(), 'postern-small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', mountPoint], { stdio: 'pipe' })
  } catch {
    rmSync(mountPoint, { recursive: true })
    skip('a small tmpfs cannot be mounted here; run as root to test a full disk')
    return
  }
  try {
    await use(mountPoint)
  } finally {
    execFileSync('umount', ['-l', mountPoint])
    rmSync(mountPoint, { recursive: true })
  }
}

const segment = (directory: string): string => join(directory, segmentName(1))

for (const durability of ['process', 'disk'] as const) {
  void test(`on a full disk commits fail, the file stays whole, and outcomes are written once there is room (${durability})`, async (t) => {
    await withSmallDisk(
      (why) => t.skip(why),
      async (disk) => {
        const directory = join(disk, 'journal')
        const failures: PosternError[] = []
        let recoveries = 0
        const journal = await openForTest(directory, {
          durability,
          onFailure: (error) => failures.push(error),
          onRecovered: () => (recoveries += 1),
        })
        assert.equal(await recorded(journal), null)
        const running = journal.append('intent', '"sql":"SELECT 1"')
        assert.equal(await recorded(journal), null)

        writeFileSync(join(disk, 'ballast'), Buffer.alloc(470_000))
        let failed: PosternError | null = null
        const intents: number[] = []
        while (failed === null) {
          intents.push(journal.append('intent', `"sql":"${'x'.repeat(5_000)}"`))
          failed = await recorded(journal)
        }
        assert.equal(failed.code, 'journal_unavailable')
        assert.ok(!failed.message.includes(directory), 'a client is not told paths')
        assert.equal(journal.isAvailable, false)
        assert.match(failures[0]?.message ?? '', /ENOSPC/)
        assert.equal(failures.length, 1)
        const whole = verify(directory)
        assert.equal(whole.problem, null)
        assert.equal(whole.unfinishedBytes, 0)

        // The statement that ran before ends now; its outcome must not be lost.
        journal.append('outcome', `"intent":${running},"outcome":"completed"`)
        for (const intent of intents) journal.append('outcome', `"intent":${intent},"outcome":"refused"`)
        assert.equal((await recorded(journal))?.code, 'journal_unavailable')
        unlinkSync(join(disk, 'ballast'))
        await until(() => journal.isAvailable, 'the journal to come back by itself')
        assert.equal(recoveries, 1)
        assert.equal(await recorded(journal), null)

        const entries = entriesIn(directory)
        assert.ok(entries.some((entry) => entry['intent'] === running && entry['outcome'] === 'completed'))
        const back = entries.find((entry) => entry.type === 'journal_recovered')
        assert.partialDeepStrictEqual(back, { reason: 'ENOSPC', dropped: 0 })
        await journal.close()
        const report = verify(directory)
        assert.equal(report.problem, null)
        assert.equal(report.openIntentCount, 0)
        assert.equal(report.entries, entries.length + 1)
      },
    )
  })

  void test(`a segment that cannot be sealed on a full disk is sealed when there is room (${durability})`, async (t) => {
    await withSmallDisk(
      (why) => t.skip(why),
      async (disk) => {
        const directory = join(disk, 'journal')
        const journal = await openForTest(directory, { durability, segmentBytes: 40_000 })
        writeFileSync(join(disk, 'ballast'), Buffer.alloc(440_000))
        const failures: (PosternError | null)[] = []
        for (let index = 0; index < 60; index += 1) {
          appendStatement(journal, 'x'.repeat(2_000))
          failures.push(await recorded(journal))
        }
        assert.equal(failures[0], null)
        assert.notEqual(failures.at(-1), null)
        // Long enough for it to try again with a backlog that would fill and seal the segment.
        await new Promise((resolve) => setTimeout(resolve, 400))
        assert.equal(journal.isAvailable, false)
        unlinkSync(join(disk, 'ballast'))
        await until(() => journal.isAvailable, 'the journal to come back')
        for (let index = 0; index < 20; index += 1) {
          appendStatement(journal, 'x'.repeat(2_000))
          assert.equal(await recorded(journal), null)
        }
        await journal.close()
        const report = verify(directory)
        assert.equal(report.problem, null)
        assert.ok(report.segments > 1)
        assert.equal(entriesIn(directory).filter((entry) => entry.type === 'outcome').length, 80)
      },
    )
  })
}

void test('the backlog is bounded: what passes it is dropped, counted and never said to be recorded', async (t) => {
  await withSmallDisk(
    (why) => t.skip(why),
    async (disk) => {
      const directory = join(disk, 'journal')
      const journal = await openForTest(directory, { backlogBytesMax: 20_000 })
      journal.append('gateway_started', '"n":1')
      assert.equal(await recorded(journal), null)
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(460_000))
      while (journal.isAvailable) {
        journal.append('prepare', `"sql":"${'x'.repeat(5_000)}"`)
        await recorded(journal)
      }
      let dropped = 0
      for (let index = 0; index < 20; index += 1)
        if (journal.append('prepare', `"sql":"${'x'.repeat(2_000)}"`) === 0) dropped += 1
      assert.ok(dropped >= 10)
      // Between two retries: this commit is the next to try, and it succeeds in writing what was kept.
      await new Promise((resolve) => setTimeout(resolve, 450))
      const answer = recorded(journal)
      unlinkSync(join(disk, 'ballast'))
      assert.equal((await answer)?.code, 'journal_unavailable')
      await until(() => journal.isAvailable, 'the journal to come back')
      assert.equal(await recorded(journal), null)
      const back = entriesIn(directory).find((entry) => entry.type === 'journal_recovered')
      assert.equal(back?.['dropped'], dropped)
      await journal.close()
      assert.equal(verify(directory).problem, null)
    },
  )
})

void test('a removed segment is noticed without a write, and restored while the process still has it open', async () => {
  await withDirectory(async (directory) => {
    const failures: PosternError[] = []
    const journal = await openForTest(directory, { onFailure: (error) => failures.push(error) })
    appendStatement(journal, 'SELECT 1')
    assert.equal(await recorded(journal), null)
    unlinkSync(segment(directory))
    await until(() => entriesIn(directory).length === 2, 'the segment to be restored')
    appendStatement(journal, 'SELECT 2')
    assert.equal(await recorded(journal), null)
    await journal.close()
    assert.equal(verify(directory).problem, null)
    assert.equal(verify(directory).entries, 5)
  })
})

void test('with the directory removed nothing is accepted until it is there again, and nothing is lost', async () => {
  await withDirectory(async (directory) => {
    const failures: PosternError[] = []
    const journal = await openForTest(directory, { onFailure: (error) => failures.push(error) })
    appendStatement(journal, 'SELECT 1')
    assert.equal(await recorded(journal), null)
    rmSync(directory, { recursive: true })
    await until(() => !journal.isAvailable, 'the removal to be noticed')
    assert.match(failures[0]?.message ?? '', /was removed; create it again/)
    appendStatement(journal, 'SELECT 2')
    assert.equal((await recorded(journal))?.code, 'journal_unavailable')
    mkdirSync(directory)
    await until(() => journal.isAvailable, 'the journal to come back')
    await assert.rejects(openForTest(directory), { code: 'journal_unavailable' }, 'the lock is back too')
    await journal.close()
    assert.equal(verify(directory).problem, null)
    assert.equal(entriesIn(directory).filter((entry) => entry.type === 'intent').length, 2)
  })
})

void test('another file under the name of the segment is never written to', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    appendStatement(journal, 'SELECT 1')
    await recorded(journal)
    unlinkSync(segment(directory))
    writeFileSync(segment(directory), 'mine\n')
    await until(() => !journal.isAvailable, 'the replacement to be noticed')
    renameSync(segment(directory), join(directory, 'theirs'))
    await until(() => journal.isAvailable, 'the journal to come back')
    await journal.close()
    assert.equal(verify(directory).problem, null)
  })
})

for (const [what, change, kind] of [
  ['cut', (path: string) => truncateSync(path, 10), 'truncated'],
  ['added to', (path: string) => appendFileSync(path, 'x'), 'truncated'],
] as const) {
  void test(`a live segment that was ${what} stays as evidence, and the record goes on in a new one`, async () => {
    await withDirectory(async (directory) => {
      const failures: PosternError[] = []
      const journal = await openForTest(directory, { onFailure: (error) => failures.push(error) })
      appendStatement(journal, 'SELECT 1')
      await recorded(journal)
      change(segment(directory))
      await until(() => failures.length === 1, 'the change to be noticed')
      appendStatement(journal, 'SELECT 2')
      await until(() => journal.isAvailable, 'the journal to go on')
      await journal.close()
      assert.ok(readdirSync(directory).includes(segmentName(3)))
      assert.equal(verify(directory).problem?.kind, kind)
    })
  })
}

void test('a directory that another journal writes to is not opened, and a second one after close is', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    await assert.rejects(openForTest(directory), (error: PosternError) => {
      assert.equal(error.code, 'journal_unavailable')
      assert.match(error.message, new RegExp(`process ${process.pid} `))
      return true
    })
    await journal.close()
    const again = await openForTest(directory)
    await again.close()
    assert.deepEqual(readdirSync(directory), [])
  })
})

void test('a gateway whose lock was taken stops writing', async () => {
  await withDirectory(async (directory) => {
    const journal = await openForTest(directory)
    appendStatement(journal, 'SELECT 1')
    await recorded(journal)
    unlinkSync(join(directory, 'journal.lock'))
    const other = await openForTest(directory)
    await until(() => !journal.isAvailable, 'the loss of the lock to be noticed')
    assert.equal((await recorded(journal))?.code, 'journal_unavailable')
    await assert.rejects(journal.close(), { code: 'journal_unavailable' })
    await other.close()
  })
})

/** Runs `use` in a file system whose device runs out of room behind its back, so that writes work and only a sync fails. */
async function withFailingDevice(
  skip: (why: string) => void,
  use: (paths: { directory: string; ballast: string }) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'postern-failing-device-'))
  const [store, mountPoint] = [join(root, 'store'), join(root, 'mounted')]
  const mounted: string[] = []
  try {
    mkdirSync(store)
    mkdirSync(mountPoint)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', store], { stdio: 'pipe' })
      mounted.push(store)
      writeFileSync(join(store, 'image'), '')
      truncateSync(join(store, 'image'), 32 * 1024 * 1024)
      execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', join(store, 'image')], { stdio: 'pipe' })
      execFileSync('mount', ['-o', 'loop', join(store, 'image'), mountPoint], { stdio: 'pipe' })
      mounted.push(mountPoint)
    } catch {
      skip('a loop device cannot be mounted here; run as root to test a failing sync')
      return
    }
    await use({ directory: join(mountPoint, 'journal'), ballast: join(store, 'ballast') })
  } finally {
    for (const path of mounted.toReversed()) execFileSync('umount', ['-l', path])
    rmSync(root, { recursive: true })
  }
}

void test('lines whose sync failed are written again, in order, and their commits hear that they were not recorded', async (t) => {
  await withFailingDevice(
    (why) => t.skip(why),
    async ({ directory, ballast }) => {
      const failures: PosternError[] = []
      const journal = await openForTest(directory, { durability: 'disk', onFailure: (error) => failures.push(error) })
      appendStatement(journal, 'SELECT 0')
      assert.equal(await recorded(journal), null)
      assert.throws(() => writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024)), { code: 'ENOSPC' })
      let failed: PosternError | null = null
      let intent = 0
      for (let index = 0; failed === null && index < 200; index += 1) {
        intent = appendStatement(journal, 'x'.repeat(50_000))
        const answer = recorded(journal)
        // These arrive while the group is on its way, so they stand behind it in the chain.
        setImmediate(() => appendStatement(journal, 'meanwhile'))
        failed = await answer
      }
      assert.equal(failed?.code, 'journal_unavailable')
      assert.match(failures[0]?.message ?? '', /fdatasync/, 'it is the sync that fails')
      assert.ok(!entriesIn(directory).some((entry) => entry.seq === intent), 'what was not synced is cut off again')
      unlinkSync(ballast)
      await until(() => journal.isAvailable, 'the journal to come back')
      assert.equal(await recorded(journal), null)
      await journal.close()
      assert.equal(verify(directory).problem, null)
      assert.equal(entriesIn(directory).find((entry) => entry.type === 'journal_recovered')?.['dropped'], 0)
      assert.ok(entriesIn(directory).some((entry) => entry['sql'] === 'meanwhile'))
    },
  )
})
