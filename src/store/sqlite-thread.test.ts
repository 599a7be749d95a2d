import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SqliteThread } from './sqlite-thread.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-thread-'))
const open = async (file: string, mayCreate = true) => {
  const thread = new SqliteThread({ file: join(directory, file), mayCreate, lockWaitMsMax: 2_000 }, (fault) => {
    throw fault
  })
  await thread.opened
  return thread
}

after(() => rmSync(directory, { recursive: true, force: true }))

test('a connection waits for the disk at each commit, and checks what refers to what', async () => {
  const thread = await open('settings.db')
  assert.deepEqual({ ...(await thread.run('PRAGMA synchronous'))[0] }, { synchronous: 2n })
  assert.deepEqual({ ...(await thread.run('PRAGMA foreign_keys'))[0] }, { foreign_keys: 1n })
  await thread.close()
})

test('what was begun on a connection that is lost is undone, and never goes on', async () => {
  const lost = await open('lost.db')
  await lost.run('create table t (x text)')
  await lost.run('begin immediate')
  await lost.run('insert into t (x) values (?)', ['half'])
  lost.discard()
  assert.equal(lost.isLost, true)
  await assert.rejects(lost.run('insert into t (x) values (?)', ['other half']))
  await assert.rejects(lost.run('commit'))
  const next = await open('lost.db')
  await next.run('begin immediate')
  assert.deepEqual(await next.run('select x from t'), [])
  await next.run('rollback')
  await next.close()
})

test('calls that wait when a connection is lost reject', async () => {
  const thread = await open('waiting.db')
  const waiting = thread.run('select 1')
  thread.discard()
  await assert.rejects(waiting)
})

test('a file that went away is not made anew', async () => {
  await assert.rejects(open('gone.db', false), /ENOENT|no such file/u)
  assert.equal(existsSync(join(directory, 'gone.db')), false)
})
