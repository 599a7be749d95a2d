import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { CopyFormat } from '../core/lineage.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { createCopyMasker } from './copy.ts'
import type { Mask } from './mask.ts'

const text: CopyFormat = {
  format: 'text',
  hasHeader: false,
  delimiter: '\t',
  quote: '"',
  escape: '"',
  null: '\\N',
  isUncertain: false,
}
const csv: CopyFormat = { ...text, format: 'csv', delimiter: ',', null: '' }
const binary: CopyFormat = { ...text, format: 'binary' }
const hide: Mask = (value) => (value === null ? null : Buffer.from('[masked]'))
const always: Mask = () => Buffer.from('[masked]')
const never: Mask = () => null
const header = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')

function run(copy: CopyFormat, data: string | Buffer, masks: readonly (Mask | null)[] = [null, hide]): string {
  const masker = createCopyMasker({ copy, masks, columnCount: 2 })
  const masked = masker.take(Buffer.isBuffer(data) ? data : Buffer.from(data))
  masker.end()
  return masked.toString('latin1')
}

test('a mask is given the value and not its escapes', () => {
  const seen: string[] = []
  const look: Mask = (value) => {
    if (value !== null) seen.push(value.toString('latin1'))
    return Buffer.from('a\tb\\c\nd|"')
  }
  assert.equal(run(text, 'x\ta\\tb\\\\c\\n\\101\\x42\\q\n', [null, look]), 'x\ta\\tb\\\\c\\nd|"\n')
  assert.equal(run({ ...text, delimiter: '|' }, 'x|a\\|b\n', [null, look]), 'x|a\\tb\\\\c\\nd\\|"\n')
  assert.equal(run(csv, 'x,"a""b,\n"\n', [null, look]), 'x,"a\tb\\c\nd|"""\n')
  assert.equal(run({ ...csv, escape: '\\' }, 'x,"a\\"b\\\\"\n', [null, look]), 'x,"a\tb\\\\c\nd|\\""\n')
  assert.deepEqual(seen, ['a\tb\\c\nABq', 'a|b', 'a"b,\n', 'a"b\\'])
})

test('NULL stays NULL, and what only looks like it is masked', () => {
  assert.equal(run(text, 'x\t\\N\ny\t\\\\N\n'), 'x\t\\N\ny\t[masked]\n')
  assert.equal(run(csv, 'x,\ny,""\n'), 'x,\ny,"[masked]"\n')
  assert.equal(run({ ...csv, null: 'none' }, 'x,none\ny,"none"\n'), 'x,none\ny,"[masked]"\n')
})

test('what an expression made is the same for NULL', () => {
  const rows = { text: 'x\t\\N\nx\ta\nx\t\n', csv: 'x,\nx,a\nx,""\n' }
  assert.equal(run(text, rows.text, [null, always]), 'x\t[masked]\n'.repeat(3))
  assert.equal(run(text, rows.text, [null, never]), 'x\t\\N\n'.repeat(3))
  assert.equal(run(csv, rows.csv, [null, always]), 'x,"[masked]"\n'.repeat(3))
  assert.equal(run(csv, rows.csv, [null, never]), 'x,\n'.repeat(3))
  const tuple = (value: string | null): Buffer =>
    Buffer.concat([
      Buffer.from('\0\x02\0\0\0\x01x', 'latin1'),
      value === null
        ? Buffer.alloc(4, 0xff)
        : Buffer.from(`\0\0\0${String.fromCharCode(value.length)}${value}`, 'latin1'),
    ])
  const copied = (...values: readonly (string | null)[]): Buffer =>
    Buffer.concat([header, ...values.map(tuple), Buffer.from([0xff, 0xff])])
  const data = copied(null, 'a', '')
  assert.equal(run(binary, data, [null, always]), copied('[masked]', '[masked]', '[masked]').toString('latin1'))
  assert.equal(run(binary, data, [null, never]), copied(null, null, null).toString('latin1'))
})

test('a null string chosen to be a value does not show who has that value', () => {
  assert.equal(run({ ...text, null: 'canary' }, 'x\tcanary\n'), 'x\t[masked]\n')
  // The text of a value with a line feed in it.
  assert.equal(run({ ...text, null: 'can\\nary' }, 'x\tcan\\nary\n'), 'x\t[masked]\n')
})

test('the header passes as it is, where there is one', () => {
  assert.equal(run({ ...text, hasHeader: true }, 'id\tname\n1\tcanary\n'), 'id\tname\n1\t[masked]\n')
  assert.equal(run({ ...csv, hasHeader: true }, 'id,"na\nme"\n1,canary\n'), 'id,"na\nme"\n1,"[masked]"\n')
  assert.equal(run(csv, 'id,name\n1,canary\n'), 'id,"[masked]"\n1,"[masked]"\n')
})

test('columns without a mask of their own become NULL', () => {
  assert.equal(run(text, 'x\tcanary\n', [null]), 'x\t\\N\n')
})

test('data that the statement does not explain ends the copy, and stays ended', () => {
  const faulty: readonly (readonly [CopyFormat, string | Buffer])[] = [
    [text, 'x\n'],
    [text, 'x\ty\tcanary\n'],
    [text, 'x\\\tcanary\n'],
    [text, 'x\ty\\\nz\n'],
    [text, 'x\ty\r\n'],
    [text, '\\.\n'],
    [{ ...text, hasHeader: true }, 'id\nx\ty\n'],
    [{ ...text, hasHeader: true }, 'id\ta\tb\nx\ty\n'],
    [text, 'x\ty'],
    [csv, 'x\n'],
    [csv, 'x,y,canary\n'],
    [csv, 'x,"y"canary\n'],
    [csv, 'x,"y"zx,y\n'],
    [csv, 'x,y"canary"\n'],
    [csv, 'x,y\r\n'],
    [csv, 'x,"y\n'],
    [binary, 'PGCOPX'],
    [binary, Buffer.concat([Buffer.from('pg'), header.subarray(2), Buffer.of(255, 255)])],
    [binary, Buffer.concat([header.subarray(0, 15), Buffer.of(0, 0, 8, 0), Buffer.alloc(2048), Buffer.of(255, 255)])],
    [binary, Buffer.concat([header.subarray(0, 11), Buffer.of(0, 1, 0, 0, 0, 0, 0, 0), Buffer.of(255, 255)])],
    [binary, Buffer.concat([header.subarray(0, 15), Buffer.of(127, 0, 0, 0)])],
    [binary, Buffer.concat([header, Buffer.of(0, 1, 255, 255, 255, 255)])],
    [binary, Buffer.concat([header, Buffer.of(0, 2, 255, 255, 255, 254, 255, 255, 255, 255)])],
    [binary, Buffer.concat([header, Buffer.of(255, 255, 0)])],
    [binary, Buffer.concat([header, Buffer.of(0, 2, 0, 0, 0, 9, 1)])],
  ]
  for (const [copy, data] of faulty) assert.throws(() => run(copy, data), { code: 'protocol_violation' }, String(data))
  const masker = createCopyMasker({ copy: text, masks: [null, hide], columnCount: 2 })
  assert.throws(() => masker.take(Buffer.from('x\n')))
  assert.throws(() => masker.take(Buffer.from('x\tcanary\n')))
  assert.throws(() => masker.end())
})

test('nothing follows the end of a binary copy, in one message or the next', () => {
  const end = Buffer.concat([header, Buffer.of(255, 255)])
  const make = () => createCopyMasker({ copy: binary, masks: [null, hide], columnCount: 2 })
  assert.throws(() => make().take(Buffer.concat([end, Buffer.of(0)])), { code: 'protocol_violation' })
  const masker = make()
  masker.take(end)
  assert.throws(() => masker.take(Buffer.of(0)), { code: 'protocol_violation' })
})

test('what is kept of a row that has not ended is not touched by who owns the buffer', () => {
  const masker = createCopyMasker({ copy: text, masks: [null, hide], columnCount: 2 })
  const buffer = Buffer.from('one\tcan')
  assert.equal(masker.take(buffer).length, 0)
  buffer.fill(0x7a)
  assert.equal(masker.take(Buffer.from('ary\n')).toString(), 'one\t[masked]\n')
})

test('a row that goes on without end is refused', () => {
  const masker = createCopyMasker({ copy: text, masks: [null, hide], columnCount: 2 })
  assert.throws(() => masker.take(Buffer.alloc(limits.copyRowBytesMax + 1, 0x61)), { code: 'limit_exceeded' })
})

test('a quoted text of the null string is a value', () => {
  assert.equal(run({ ...csv, null: '"canary"' }, 'x,"canary"\n'), 'x,"[masked]"\n')
})

test('text whose characters may hold delimiters is refused', () => {
  const make = (copy: CopyFormat, clientEncoding: string) => () =>
    createCopyMasker({ copy, masks: [hide], columnCount: 1, clientEncoding })
  assert.throws(make(text, 'SJIS'), { code: 'feature_refused' })
  assert.throws(make(csv, 'GBK'), { code: 'feature_refused' })
  make(binary, 'SJIS')()
  make(text, 'LATIN1')()
})

test('an uncertain format is refused before any data', () => {
  const make =
    (copy: Partial<CopyFormat>, columnCount = 1) =>
    () =>
      createCopyMasker({ copy: { ...text, ...copy }, masks: [hide], columnCount })
  assert.throws(make({ isUncertain: true }), { code: 'feature_refused' })
  assert.throws(make({ format: 'json' as 'csv' }), { code: 'feature_refused' })
  assert.throws(make({ delimiter: '' }), { code: 'feature_refused' })
  assert.throws(make({ delimiter: 'ä' }), { code: 'feature_refused' })
  assert.throws(make({ format: 'csv', quote: 'ab' }), { code: 'feature_refused' })
  assert.throws(make({}, 0), { code: 'feature_refused' })
})

test('whatever comes, a masked column is not shown', () => {
  const piece = fc.constantFrom('x', '\t', ',', '\n', '\\', '"', '\\N', '\\.', '\r', 'SECRET')
  fc.assert(
    fc.property(fc.constantFrom(text, csv), fc.array(piece, { maxLength: 25 }), (copy, pieces) => {
      const masker = createCopyMasker({ copy, masks: [hide, hide], columnCount: 2 })
      try {
        const masked = masker.take(Buffer.from(pieces.join(''))).toString()
        assert.ok(!masked.includes('SECRET'), masked)
      } catch (error) {
        assert.ok(error instanceof PosternError, String(error))
      }
    }),
    { numRuns: 20_000 },
  )
})
