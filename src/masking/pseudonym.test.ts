import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createPseudonyms } from './pseudonym.ts'

test('a digest is the HMAC-SHA-256 of the kind and the value', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((raw) => Buffer.from(raw))
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((raw) => Buffer.from(raw))
  fc.assert(
    fc.property(key, fc.constantFrom('text', 'number'), bytes, (key, kind, value) => {
      const expected = createHmac('sha256', key).update(`${kind}\0`).update(value).digest()
      assert.deepEqual(createPseudonyms(key).digest(kind, value), expected)
    }),
  )
})
