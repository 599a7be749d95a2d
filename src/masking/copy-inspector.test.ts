import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { CopyIn } from '../core/lineage.ts'
import { valueBytesMax } from './copy-fields.ts'
import { createCopyInspector, inspectionFault } from './copy-inspector.ts'
import { decoderOf } from './encodings.ts'

const text: CopyIn = {
  relation: 1,
  columns: [null, { key: '1.2', forcesNull: false, forcesNotNull: false }],
  format: {
    format: 'text',
    hasHeader: false,
    delimiter: '\t',
    quote: '"',
    escape: '"',
    null: '\\N',
    isUncertain: false,
  },
  default: null,
  encoding: null,
}
const csv: CopyIn = { ...text, format: { ...text.format, format: 'csv', delimiter: ',', null: '' } }
const binary: CopyIn = { ...text, format: { ...text.format, format: 'binary' } }
const header = Buffer.from('PGCOPY\n\u00ff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')

function inspector(copyIn: CopyIn, isPlaceholder = (value: Buffer): boolean => value.toString() === 'BAD') {
  return createCopyInspector({
    copyIn,
    columns: copyIn.columns.map((column) => (column === null ? null : { ...column, isPlaceholder })),
    refuse: (position, where) => new PosternError('placeholder_written', `column ${String(position)} in ${where}`),
  })
}

function tuple(...values: readonly string[]): Buffer {
  const fields = values.flatMap((value) => [Buffer.of(0, 0, 0, value.length), Buffer.from(value)])
  return Buffer.concat([Buffer.of(0, values.length), ...fields])
}

test('what comes before a placeholder goes on, and nothing of its row or behind it', () => {
  const cases: readonly (readonly [CopyIn, Buffer, Buffer, string])[] = [
    [text, Buffer.from('1\ta\n'), Buffer.from('BAD\tBAD\n3\tc\n'), 'column 1 in line 2'],
    [csv, Buffer.from('1,"a\nb"\n'), Buffer.from('2,"BAD"\n3,c\n'), 'column 1 in line 3'],
    [
      binary,
      Buffer.concat([header, tuple('1', 'a')]),
      Buffer.concat([tuple('2', 'BAD'), tuple('3', 'c')]),
      'column 1 in row 2',
    ],
  ]
  for (const [copyIn, good, bad, message] of cases) {
    const data = Buffer.concat([good, bad])
    for (const size of [1, 2, 7, data.length]) {
      const inspects = inspector(copyIn)
      const passed: Buffer[] = []
      let refused: PosternError | null = null
      for (let at = 0; at < data.length && refused === null; at += size) {
        const passage = inspects.take(data.subarray(at, at + size))
        passed.push(...passage.passes)
        refused = passage.refused
      }
      assert.equal(refused?.message, message)
      assert.deepEqual(Buffer.concat(passed), good)
    }
  }
})

test('what goes on does not change any more, whatever comes', () => {
  const inspects = inspector(text)
  const passed: Buffer[] = []
  let expected = ''
  for (let row = 0; row < 200; row++) {
    const piece = `${'x'.repeat(row % 17)}\t${String(row)}\n${'y'.repeat(row % 5)}`
    expected += piece
    passed.push(...inspects.take(Buffer.from(piece)).passes)
  }
  passed.push(...inspects.end().passes)
  assert.equal(Buffer.concat(passed).toString(), expected)
})

test('a row is kept up to a bound, in as many pieces as it comes', () => {
  const piece = Buffer.alloc(16 * 1024, 'x')
  const inspects = inspector(text)
  let taken = 0
  for (;;) {
    const { passes, refused } = inspects.take(piece)
    taken += piece.length
    assert.deepEqual(passes, [])
    if (refused !== null) {
      assert.equal(refused.code, 'limit_exceeded')
      break
    }
    assert.ok(taken <= limits.copyRowBytesMax)
  }
  const long = inspector(binary)
  const length = Buffer.alloc(4)
  length.writeInt32BE(limits.copyRowBytesMax)
  assert.equal(long.take(Buffer.concat([header, Buffer.of(0, 2), length])).refused?.code, 'limit_exceeded')
})

test('a value is handed on whole up to the bound of placeholders, however it is written', () => {
  const lengths: number[] = []
  const inspects = inspector(text, (value) => {
    lengths.push(value.length)
    return false
  })
  inspects.take(Buffer.from(`1\t${'\\x41'.repeat(valueBytesMax)}\n`))
  inspects.take(Buffer.from(`1\t${'\\x41'.repeat(valueBytesMax * 3)}\n`))
  assert.equal(lengths[0], valueBytesMax)
  assert.ok((lengths[1] ?? 0) > valueBytesMax)
})

test('nothing follows what ends the data', () => {
  const ended = inspector(text)
  assert.equal(Buffer.concat(ended.take(Buffer.from('1\ta\n\\.\n2\tb\n')).passes).toString(), '1\ta\n\\.\n')
  assert.deepEqual(ended.take(Buffer.from('3\tBAD\n')), { passes: [], refused: null })
  const over = inspector(binary)
  assert.equal(over.take(Buffer.concat([header, Buffer.of(0xff, 0xff)])).refused, null)
  assert.equal(over.take(tuple('2', 'b')).refused?.code, 'protocol_violation')
})

test('an encoding that cannot be taken apart, and options that are not understood, are faults', () => {
  for (const encoding of [
    'UTF8',
    'utf-8',
    'LATIN1',
    'ISO_8859_5',
    'windows-1252',
    'WIN1251',
    'KOI8-R',
    'EUC_JP',
    'SQL_ASCII',
    'Unicode',
  ]) {
    assert.equal(inspectionFault(text, encoding), null, encoding)
  }
  for (const encoding of [
    '',
    'SJIS',
    'mskanji',
    'BIG5',
    'WIN950',
    'windows-932',
    'GBK',
    'WIN936',
    'UHC',
    'WIN949',
    'GB18030',
    'JOHAB',
    'x',
  ]) {
    assert.equal(inspectionFault(text, encoding)?.code, 'feature_refused', encoding)
    assert.equal(inspectionFault({ ...text, encoding }, 'UTF8')?.code, 'feature_refused', encoding)
    assert.equal(inspectionFault(binary, encoding), null)
  }
  assert.equal(
    inspectionFault({ ...binary, format: { ...binary.format, isUncertain: true } }, 'UTF8')?.code,
    'feature_refused',
  )
})

test('of characters outside of ASCII never more are read than there are', () => {
  const bytes = Buffer.from('****\u00a5\u00a5\u00a5\u00a5\u00a5\u00a5x', 'latin1')
  assert.equal(decoderOf('LATIN1')?.(bytes).length, 11)
  assert.ok((decoderOf('EUC_JP')?.(bytes).length ?? 0) <= 8)
})
