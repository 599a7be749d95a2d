import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CatalogData } from '../../core/catalog.ts'
import { PosternError } from '../../core/errors.ts'
import { createCatalogKeeper } from './keeper.ts'
import type { CatalogFailure, CatalogKeeper, CatalogKeeperOptions } from './keeper.ts'

const hour = 3_600_000

function dataWith(...schemas: string[]): CatalogData {
  return {
    serverVersion: 180_004,
    schemas,
    relations: [],
    types: [],
    functions: [],
    operators: [],
    casts: [],
    builtins: [],
    constraintNames: [],
  }
}

/** Readings that the test ends, in the order in which they began. */
class Readings {
  readonly begun: { resolve(data: CatalogData): void; reject(error: Error): void; signal: AbortSignal }[] = []

  readonly load = async (signal: AbortSignal): Promise<CatalogData> =>
    new Promise((resolve, reject) => this.begun.push({ resolve, reject, signal }))

  at(i: number): { resolve(data: CatalogData): void; reject(error: Error): void; signal: AbortSignal } {
    const reading = this.begun[i]
    if (reading === undefined) throw new Error('no such reading')
    return reading
  }
}

function keeperOf(options: Partial<CatalogKeeperOptions>): CatalogKeeper & { readonly failures: CatalogFailure[] } {
  const failures: CatalogFailure[] = []
  const keeper = createCatalogKeeper({
    load: async () => dataWith(),
    refreshMs: hour,
    onFailed: (failure) => failures.push(failure),
    ...options,
  })
  return Object.assign(Object.create(keeper) as CatalogKeeper, { failures })
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

void test('there is no snapshot before the first was read', async () => {
  const keeper = keeperOf({})
  assert.equal(keeper.current, null)
  const catalog = await keeper.refresh()
  assert.equal(keeper.current, catalog)
  assert.equal(catalog.version, 1)
  keeper.close()
})

void test('snapshots that are equal are one, and others have a version that grows', async () => {
  const results = [dataWith('a'), dataWith('a'), dataWith('b'), dataWith('a')]
  const seen: number[] = []
  const keeper = keeperOf({
    load: async () => results.shift() ?? dataWith(),
    onChanged: ({ version }) => seen.push(version),
  })
  const first = await keeper.refresh()
  assert.equal(await keeper.refresh(), first)
  assert.deepEqual([(await keeper.refresh()).version, (await keeper.refresh()).version], [2, 3])
  assert.deepEqual(seen, [1, 2, 3])
  keeper.close()
})

void test('whoever asks during a reading gets one that began afterwards, shared with all who asked meanwhile', async () => {
  const readings = new Readings()
  const keeper = keeperOf({ load: readings.load })
  const first = keeper.refresh()
  const [second, third] = [keeper.refresh(), keeper.refresh()]
  await settle()
  assert.equal(readings.begun.length, 1)
  readings.at(0).resolve(dataWith('before'))
  assert.deepEqual((await first).data.schemas, ['before'])
  await settle()
  assert.equal(readings.begun.length, 2)
  const fourth = keeper.refresh()
  readings.at(1).resolve(dataWith('after'))
  assert.deepEqual((await second).data.schemas, ['after'])
  assert.equal(await third, await second)
  await settle()
  readings.at(2).resolve(dataWith('last'))
  assert.deepEqual((await fourth).data.schemas, ['last'])
  assert.equal(readings.begun.length, 3)
  keeper.close()
})

void test('a reading that fails is told, and the one that waits behind it is done all the same', async () => {
  const readings = new Readings()
  const keeper = keeperOf({ load: readings.load })
  const first = keeper.refresh()
  const second = keeper.refresh()
  readings.at(0).reject(new Error('lost'))
  await assert.rejects(first, PosternError)
  await settle()
  readings.at(1).resolve(dataWith('a'))
  assert.deepEqual((await second).data.schemas, ['a'])
  assert.equal(keeper.failures.length, 1)
  keeper.close()
})

void test('a failed refresh keeps the old snapshot, and says when it has gone on for too long', async () => {
  let nowMs = 1_000
  let isUp = true
  const keeper = keeperOf({
    load: async () => {
      if (!isUp) throw new PosternError('backend_unavailable', 'down')
      return dataWith('a')
    },
    staleAfterMs: 100,
    now: () => nowMs,
  })
  const catalog = await keeper.refresh()
  isUp = false
  for (nowMs of [2_000, 2_100, 2_101]) await assert.rejects(keeper.refresh(), /down/)
  assert.equal(keeper.current, catalog)
  assert.equal(keeper.failingSinceMs, 2_000)
  assert.deepEqual(
    keeper.failures.map(({ forMs, isStale, error }) => [forMs, isStale, error.code]),
    [
      [0, false, 'backend_unavailable'],
      [100, false, 'backend_unavailable'],
      [101, true, 'backend_unavailable'],
    ],
  )
  isUp = true
  assert.equal(await keeper.refresh(), catalog)
  assert.equal(keeper.failingSinceMs, null)
  keeper.close()
})

void test('a snapshot that its user cannot take is tried again', async () => {
  let isTaken = false
  const keeper = keeperOf({
    onChanged: () => {
      if (!isTaken) throw new Error('cannot')
    },
  })
  await assert.rejects(keeper.refresh(), PosternError)
  assert.equal(keeper.current, null)
  assert.equal(keeper.failures.length, 1)
  isTaken = true
  assert.equal((await keeper.refresh()).version, 2)
  keeper.close()
})

void test('the timer refreshes, and skips its turn while a reading is under way', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const readings = new Readings()
  const keeper = keeperOf({ load: readings.load, refreshMs: 1_000 })
  context.mock.timers.tick(1_000)
  context.mock.timers.tick(1_000)
  assert.equal(readings.begun.length, 1)
  readings.at(0).reject(new Error('lost'))
  await settle()
  assert.equal(keeper.failures.length, 1)
  context.mock.timers.tick(1_000)
  readings.at(1).resolve(dataWith('a'))
  await settle()
  assert.deepEqual(keeper.current?.data.schemas, ['a'])
  keeper.close()
  context.mock.timers.tick(5_000)
  assert.equal(readings.begun.length, 2)
})

void test('closing gives up on a reading, tells nobody that it failed, and refuses the next', async () => {
  const readings = new Readings()
  const keeper = keeperOf({ load: readings.load })
  const first = keeper.refresh()
  keeper.close()
  assert.equal(readings.at(0).signal.aborted, true)
  await assert.rejects(first, { code: 'gateway_stopping' })
  await assert.rejects(keeper.refresh(), { code: 'gateway_stopping' })
  assert.deepEqual(keeper.failures, [])
  assert.equal(readings.begun.length, 1)
})
