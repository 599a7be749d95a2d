import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseId, relationId } from './names.ts'

test('ids of relations can be read back, whatever the names hold', () => {
  const name = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.string({ minLength: 1, unit: fc.constantFrom('"', '.', 'a', '?') }),
  )
  fc.assert(
    fc.property(name, name, name, (database, schema, relation) => {
      assert.deepEqual(parseId(relationId(database, schema, relation)), [database, schema, relation])
    }),
  )
})

test('an id that no names make is told from one that some do', () => {
  assert.deepEqual(parseId('shop.public.orders'), ['shop', 'public', 'orders'])
  assert.deepEqual(parseId('shop."a.b"'), ['shop', 'a.b'])
  for (const id of ['', '.', 'shop.', '.shop', 'shop..x', 'shop."x', 'shop."x"', 'shop.a b', 'shop.?', '"a""']) {
    assert.equal(parseId(id), null, id)
  }
})
