import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deriveScramKeys, ScramKeyCache } from './scram-keys.ts'

const salt = { salt: Buffer.from('salt'), iterations: 10 }

void test('keys are derived once for the same password, salt and count, also when asked for together', async () => {
  const cache = new ScramKeyCache()
  const [first, second] = await Promise.all([cache.keys('secret', salt), cache.keys('secret', salt)])
  assert.equal(first, second)
  assert.equal(await cache.keys('secret', salt), first)
  assert.deepEqual(first, await deriveScramKeys('secret', salt))
})

void test('another password, salt or count never gets the keys of the first', async () => {
  const cache = new ScramKeyCache()
  const first = await cache.keys('secret', salt)
  for (const other of [
    await cache.keys('secret2', salt),
    await cache.keys('secret', { ...salt, iterations: 11 }),
    await cache.keys('secret', { ...salt, salt: Buffer.from('tlas') }),
  ]) {
    assert.notDeepEqual(other.clientKey, first.clientKey)
  }
})

void test('the cache is bounded and lets the least recently used go', async () => {
  const cache = new ScramKeyCache(2)
  const kept = await cache.keys('kept', salt)
  const dropped = await cache.keys('dropped', salt)
  await cache.keys('kept', salt)
  await cache.keys('new', salt)
  assert.equal(cache.size, 2)
  assert.equal(await cache.keys('kept', salt), kept)
  assert.notEqual(await cache.keys('dropped', salt), dropped)
  cache.clear()
  assert.equal(cache.size, 0)
})

void test('a derivation that failed is not kept', async () => {
  const cache = new ScramKeyCache()
  await assert.rejects(cache.keys('secret', { ...salt, iterations: -1 }))
  assert.equal(cache.size, 0)
})
