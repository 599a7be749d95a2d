import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createPseudonyms } from './pseudonym.ts'
import { textMask } from './text-rules.ts'

const pseudonyms = createPseudonyms(Buffer.alloc(32, 3))

/** A text with much of what the rules look at. */
const texts = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ maxLength: 40, unit: 'grapheme' }),
  fc
    .array(fc.constantFrom('a', 'Z', '0', '.', '@', ' ', '\t', '*', '-', 'com', 'example', 'é', '@@', '..'), {
      maxLength: 12,
    })
    .map((parts) => parts.join('')),
)

test('the part of a text that is shown is the same by bytes as by characters', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 0, max: 12 }), (text, keep) => {
      const rule = { function: 'partial', keep } as const
      // A length that no text here reaches takes the plain way.
      const fast = textMask(rule, { charsMax: Infinity, isPadded: false }, pseudonyms)(Buffer.from(text))
      const plain = textMask(rule, { charsMax: 10_000, isPadded: false }, pseudonyms)(Buffer.from(text))
      assert.equal(fast.toString(), plain.toString())
    }),
    { numRuns: 20_000 },
  )
})
