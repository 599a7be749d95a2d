import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Remembered } from './remembered.ts'

interface Thing {
  readonly name: string
  readonly bytes: number
}

const remembering = (countMax: number, bytesMax: number): Remembered<Thing> =>
  new Remembered<Thing>({ countMax, bytesMax }, ({ bytes }) => bytes)

test('beyond the count the one remembered longest is forgotten', () => {
  const things = remembering(2, 100)
  for (const name of ['a', 'b', 'c']) things.set({ name, bytes: 1 })
  assert.equal(things.get('a'), undefined)
  assert.equal(things.get('b')?.name, 'b')
  assert.equal(things.get('c')?.name, 'c')
})

test('beyond the bytes as many are forgotten as it takes, and one that is too large alone is not remembered', () => {
  const things = remembering(10, 10)
  for (const name of ['a', 'b', 'c']) things.set({ name, bytes: 3 })
  things.set({ name: 'd', bytes: 6 })
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].filter((name) => things.get(name) !== undefined),
    ['c', 'd'],
  )
  things.set({ name: 'e', bytes: 11 })
  assert.equal(things.get('e'), undefined)
})

test('what is replaced, deleted or not kept makes room', () => {
  const things = remembering(10, 10)
  things.set({ name: 'a', bytes: 6 })
  things.set({ name: 'a', bytes: 6 })
  assert.equal(things.get('a')?.bytes, 6)
  things.delete('a')
  things.set({ name: 'b', bytes: 6 })
  things.keep(({ name }) => name !== 'b')
  things.set({ name: 'c', bytes: 10 })
  assert.equal(things.get('c')?.name, 'c')
  things.clear()
  things.set({ name: 'd', bytes: 10 })
  assert.equal(things.get('d')?.name, 'd')
})
