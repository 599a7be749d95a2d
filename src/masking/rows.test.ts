import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PosternError } from '../core/errors.ts'
import { decodeDataRow, encodeDataRow } from '../wire/backend.ts'
import type { Mask } from './mask.ts'
import { maskDataRow } from './rows.ts'

const shout: Mask = (value) => (value === null ? null : Buffer.from(`<${value.length}>`))
const always: Mask = () => Buffer.from('always')
const hide: Mask = () => null

/** Slow and plain: decode, replace, encode. */
function oracle(message: Buffer, masks: readonly (Mask | null)[]): Buffer {
  const values = decodeDataRow(message.subarray(5))
  return encodeDataRow(
    values.map((value, i) => {
      const mask = i < masks.length ? masks[i] : hide
      return mask === null || mask === undefined ? value : mask(value)
    }),
  )
}

const value = fc.option(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  { nil: null },
)
const masksOf = fc.array(fc.constantFrom<Mask | null>(null, shout, hide, always), { maxLength: 12 })

test('a masked row is what decoding, replacing and encoding makes of it', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 12 }), masksOf, (values, masks) => {
      const message = encodeDataRow(values)
      const before = Buffer.from(message)
      assert.deepEqual(maskDataRow(message, masks), oracle(message, masks))
      assert.deepEqual(message, before)
    }),
    { numRuns: 5000 },
  )
})

test('columns beyond the masks become NULL', () => {
  const row = maskDataRow(encodeDataRow([Buffer.from('a'), Buffer.from('canary')]), [null])
  assert.deepEqual(decodeDataRow(row.subarray(5)), [Buffer.from('a'), null])
})

test('a row with a byte changed is refused, or what is shown of it was masked', () => {
  const message = encodeDataRow([Buffer.from('open'), Buffer.from('canary'), Buffer.from('open')])
  fc.assert(
    fc.property(fc.nat({ max: message.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
      const broken = Buffer.from(message)
      broken[at] = byte
      try {
        const masked = maskDataRow(broken, [null, shout, null])
        assert.deepEqual(masked, oracle(broken, [null, shout, null]))
      } catch (error) {
        assert.ok(error instanceof PosternError && error.code === 'protocol_violation')
      }
    }),
    { numRuns: 5000 },
  )
})

test('a row that is cut, too long or no row is refused', () => {
  const message = encodeDataRow([Buffer.from('canary')])
  const withLength = (bytes: Buffer) => {
    bytes.writeUInt32BE(bytes.length - 1, 1)
    return bytes
  }
  const other = Buffer.from(message)
  other[0] = 0x64
  const negative = Buffer.from(message)
  negative.writeInt32BE(-2, 7)
  const mislabelled = Buffer.from(message)
  mislabelled.writeUInt32BE(message.length, 1)
  assert.throws(() => maskDataRow(mislabelled, [null]), { code: 'protocol_violation' })
  assert.throws(() => maskDataRow(withLength(Buffer.from(message.subarray(0, 6))), []), { code: 'protocol_violation' })
  const cuts = [message.subarray(0, 6), message.subarray(0, -1), Buffer.alloc(0), other, negative]
  const lengths = [withLength(Buffer.from(message.subarray(0, -1))), withLength(Buffer.concat([message, Buffer.of(0)]))]
  for (const faulty of [...cuts, ...lengths, withLength(Buffer.from(message.subarray(0, 9)))]) {
    assert.throws(() => maskDataRow(faulty, [null]), { code: 'protocol_violation' })
  }
})
