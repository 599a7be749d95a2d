import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DirectoryLock, isLocked, lockName } from './lock.ts'
import { withDirectory } from './testing.ts'

interface Written {
  pid: number
  startTicks: string | null
  host: string
  boot: string | null
  token: string
}

/** A lock as another holder would have left it. */
async function withLockOf(
  change: (written: Written) => Partial<Written>,
  use: (directory: string) => void,
): Promise<void> {
  await withDirectory(async (directory) => {
    mkdirSync(directory)
    const lock = new DirectoryLock(directory)
    const path = join(directory, lockName)
    const written = JSON.parse(readFileSync(path, 'utf8')) as Written
    lock.release()
    writeFileSync(path, JSON.stringify({ ...written, token: 'another', ...change(written) }))
    use(directory)
  })
}

const takes = (directory: string): void => {
  assert.equal(isLocked(directory), false)
  const lock = new DirectoryLock(directory)
  assert.equal(isLocked(directory), true)
  lock.release()
  assert.deepEqual(readdirSync(directory), [], 'nothing is left behind')
}
const isRefused = (directory: string): void => {
  assert.equal(isLocked(directory), true)
  assert.throws(() => new DirectoryLock(directory), { code: 'journal_unavailable' })
  assert.deepEqual(readdirSync(directory), [lockName])
}

void test('a lock of a process that lives is respected', async () => {
  await withLockOf(() => ({}), isRefused)
})

void test('a lock of a process that is gone is taken over', async () => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  await withLockOf(() => ({ pid }), takes)
})

void test('a lock of an earlier process with the same number is taken over', async (t) => {
  if (process.platform !== 'linux') return t.skip('process start times are read from /proc')
  await withLockOf(() => ({ startTicks: '1' }), takes)
})

void test('a lock from before the machine was started again is taken over', async () => {
  await withLockOf(() => ({ boot: 'another-boot' }), takes)
})

void test('a lock of another host is respected while it is refreshed, and taken over after', async () => {
  await withLockOf(() => ({ host: 'elsewhere', pid: 999_999_999 }), isRefused)
  await withLockOf(
    () => ({ host: 'elsewhere' }),
    (directory) => {
      const longAgo = Date.now() / 1000 - 60
      utimesSync(join(directory, lockName), longAgo, longAgo)
      takes(directory)
    },
  )
})

void test('a lock file that a power cut left empty is taken over', async () => {
  await withLockOf(
    () => ({}),
    (directory) => {
      writeFileSync(join(directory, lockName), '')
      takes(directory)
    },
  )
})

void test('a holder notices that its lock was taken, and makes a removed one again', async () => {
  await withDirectory(async (directory) => {
    mkdirSync(directory)
    const lock = new DirectoryLock(directory)
    const path = join(directory, lockName)
    const text = readFileSync(path, 'utf8')
    lock.check(Date.now())
    writeFileSync(path, text.replace('"token":"', '"token":"x'))
    assert.throws(() => lock.check(Date.now()), { code: 'journal_unavailable' })
    lock.release()
    assert.deepEqual(readdirSync(directory), [lockName], "another's lock is not removed")
  })
})
