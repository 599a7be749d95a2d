import assert from 'node:assert/strict'
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { cacheDirectory, TokenCache } from './token-cache.ts'

const entry = { token: 'a.b.c', expiresAtMs: 2_000_000, refreshToken: 'r' }

let base: string
let directory: string
let cache: TokenCache

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'postern-cache-'))
})

beforeEach(async () => {
  directory = await mkdtemp(join(base, 'case-'))
  await rm(directory, { recursive: true })
  cache = new TokenCache(directory)
})

after(() => rm(base, { recursive: true }))

async function theFile(): Promise<string> {
  const names = await readdir(directory)
  assert.equal(names.length, 1, 'one file and no draft left behind')
  return join(directory, names[0] ?? '')
}

async function refuses(reason: RegExp): Promise<void> {
  await assert.rejects(
    () => cache.read('key'),
    (error) => error instanceof PosternError && reason.test(error.message) && !error.message.includes('a.b.c'),
  )
}

describe('the token cache', () => {
  it('gives back what was kept, by key', async () => {
    assert.equal(await cache.read('key'), null)
    await cache.write('key', entry)
    await cache.write('key', { ...entry, refreshToken: null })
    assert.deepEqual(await cache.read('key'), { ...entry, refreshToken: null })
    assert.equal(await cache.read('other'), null)
  })

  it('is private whatever the umask: folder 0700, file 0600', async () => {
    const before = process.umask(0)
    try {
      await cache.write('key', entry)
    } finally {
      process.umask(before)
    }
    assert.equal((await lstat(directory)).mode & 0o777, 0o700)
    assert.equal((await lstat(await theFile())).mode & 0o777, 0o600)
  })

  it('is refused when others could read it', async () => {
    await cache.write('key', entry)
    await chmod(await theFile(), 0o640)
    await refuses(/others may read or change it/)
  })

  it('is refused, also for writing, when others could enter the folder', async () => {
    await cache.write('key', entry)
    await chmod(directory, 0o750)
    await refuses(/others may read or change it/)
    await assert.rejects(() => cache.write('key', entry), /others may read or change it/)
  })

  it('is refused when it is a link', async () => {
    await cache.write('key', entry)
    const path = await theFile()
    await rename(path, join(base, 'elsewhere.json'))
    await symlink(join(base, 'elsewhere.json'), path)
    await refuses(/cannot be opened as a plain file/)
    await rm(directory, { recursive: true })
    await mkdir(join(base, 'real'), { mode: 0o700 })
    await symlink(join(base, 'real'), directory)
    await refuses(/not a plain folder/)
  })

  it('is refused when it belongs to someone else', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('only root can give a file away')
    await cache.write('key', entry)
    await chown(await theFile(), 65_534, 65_534)
    await refuses(/belongs to someone else/)
  })

  it('counts as empty when it does not hold what was kept', async () => {
    await cache.write('key', entry)
    for (const text of ['', '{', 'null', '[]', '{"token":1}', '{"token":"a.b.c"}']) {
      await writeFile(await theFile(), text)
      assert.equal(await cache.read('key'), null)
    }
    await writeFile(await theFile(), 'x'.repeat(300_000))
    await refuses(/too large/)
  })
})

describe('cacheDirectory', () => {
  it('follows XDG_CACHE_HOME where it is absolute', () => {
    assert.equal(cacheDirectory({ XDG_CACHE_HOME: '/c', HOME: '/h' }), '/c/postern')
    assert.equal(cacheDirectory({ XDG_CACHE_HOME: 'c', HOME: '/h' }), '/h/.cache/postern')
    assert.equal(cacheDirectory({ HOME: '/h' }), '/h/.cache/postern')
  })
})
