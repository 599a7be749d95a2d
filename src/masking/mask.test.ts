import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { CatalogType } from '../core/catalog.ts'
import type { MaskingRule } from '../core/classification.ts'
import { PosternError } from '../core/errors.ts'
import { createMasker } from './mask.ts'
import type { MaskedColumn } from './mask.ts'
import { isPseudonym } from './pseudonym.ts'
import { testKey } from './testing.ts'

const plain = {
  schema: 'public',
  category: 'U',
  element: 0,
  array: 0,
  base: 0,
  typeModifier: -1,
  relation: 0,
  labels: [],
  isConstrained: false,
} as const
const catalogTypes: readonly CatalogType[] = [
  { ...plain, oid: 1009, name: '_text', kind: 'base', category: 'A', element: 25 },
  { ...plain, oid: 1007, name: '_int4', kind: 'base', category: 'A', element: 23 },
  { ...plain, oid: 20_001, name: 'loop', kind: 'domain', base: 20_001 },
  { ...plain, oid: 20_002, name: 'code', kind: 'domain', base: 1043, category: 'S', typeModifier: 9 },
  { ...plain, oid: 20_003, name: 'pair', kind: 'composite', category: 'C', relation: 7 },
  { ...plain, oid: 20_004, name: 'vector', kind: 'base' },
  { ...plain, oid: 20_005, name: 'odd', kind: 'base', category: 'S' },
  { ...plain, oid: 20_006, name: 'mood', kind: 'enum', category: 'E', labels: ['canary'] },
  { ...plain, oid: 20_007, name: '_geometry', kind: 'base', category: 'A', element: 20_008 },
  { ...plain, oid: 20_008, name: 'geometry', kind: 'base' },
  { ...plain, oid: 20_010, name: '_pair', kind: 'base', category: 'A', element: 20_003 },
  { ...plain, oid: 20_009, name: 'unknown_row', kind: 'composite', category: 'C', relation: 8 },
]
const masker = createMasker({
  key: testKey,
  typeOf: (oid) => catalogTypes.find((type) => type.oid === oid),
  fieldsOf: (relation) =>
    relation === 7
      ? [
          { type: 25, typeModifier: -1 },
          { type: 23, typeModifier: -1 },
        ]
      : undefined,
})

const redact: MaskingRule = { function: 'redact' }
const pseudonym: MaskingRule = { function: 'pseudonym' }

function show(value: string | Buffer, column: Partial<MaskedColumn>): string | null {
  const mask = masker.mask({ type: 25, typeModifier: -1, format: 0, rule: redact, ...column })
  return mask(Buffer.isBuffer(value) ? value : Buffer.from(value))?.toString() ?? null
}

test('a type that is not known, of an unknown kind or its own base becomes NULL', () => {
  for (const type of [0, 9999, 20_001, 20_004, 20_006, 20_009]) assert.equal(show('canary', { type }), null)
  assert.equal(show('x', { rule: { function: 'reverse' } as unknown as MaskingRule }), null)
})

test('a catalog that knows a type 0, or that breaks, shows nothing either', () => {
  const odd = createMasker({
    key: testKey,
    typeOf: () => ({ ...plain, oid: 25_000, name: 'x', kind: 'base', category: 'S' }),
  })
  assert.equal(odd.mask({ type: 0, typeModifier: -1, format: 0, rule: redact })(Buffer.from('canary')), null)
  const broken = createMasker({
    key: testKey,
    typeOf: () => {
      throw new Error('gone')
    },
  })
  const record = Buffer.from('00000001000075300000000163', 'hex')
  assert.equal(broken.mask({ type: 2249, typeModifier: -1, format: 1, rule: redact })(record), null)
})

test('what an expression made is one placeholder for everything, in all of a row that it made', () => {
  const made = (column: Partial<MaskedColumn>): string | null => {
    const mask = masker.mask({ type: 25, typeModifier: -1, format: 0, rule: redact, isDerived: true, ...column })
    const placeholder = mask(null)
    for (const value of ['', 'canary', '{}', '(a,1)', '(,)', 'infinity', '-1', '$1']) {
      assert.deepEqual(mask(Buffer.from(value)), placeholder)
    }
    return placeholder?.toString('latin1') ?? null
  }
  assert.equal(made({}), '[masked]')
  assert.equal(made({ type: 1082 }), '1900-01-01')
  assert.equal(made({ type: 790 }), '$0.00')
  assert.equal(made({ type: 1007 }), '{}')
  assert.equal(made({ type: 20_002 }), '[mask')
  assert.equal(made({ type: 20_003 }), '([masked],0)')
  assert.equal(made({ type: 20_003, format: 1 }), '\0\0\0\x02\0\0\0\x19\0\0\0\x08[masked]\0\0\0\x17\0\0\0\x04\0\0\0\0')
  const field = { rule: redact, isDerived: true }
  assert.equal(made({ type: 2249, fields: [{ ...field, type: 23 }, field] }), '(0,)')
  assert.equal(
    made({ type: 2249, format: 1, fields: [{ ...field, type: 23 }] }),
    '\0\0\0\x01\0\0\0\x17\0\0\0\x04\0\0\0\0',
  )
  for (const type of [0, 9999, 20_001, 20_006, 20_009, 2249]) assert.equal(made({ type }), null)
  assert.equal(made({ type: 2249, format: 1, fields: [{ ...field, type: 23 }, field] }), null)
  assert.equal(made({ type: 1009, clientEncoding: 'SJIS' }), null)
})

test('a row keeps what is raw in it, and an expression beside that is a placeholder for NULL too', () => {
  const fields = [null, { rule: redact, isDerived: true }]
  const mask = masker.mask({ type: 20_003, typeModifier: -1, format: 0, rule: redact, fields })
  assert.equal(mask(Buffer.from('(a,)'))?.toString(), '(a,0)')
  assert.equal(mask(Buffer.from('(,7)'))?.toString(), '(,0)')
  assert.equal(mask(null), null)
  const arrays = [null, { rule: redact, isDerived: true, type: 1007 }]
  const record = masker.mask({ type: 2249, typeModifier: -1, format: 0, rule: redact, fields: arrays })
  assert.equal(record(Buffer.from('(a,"{1,NULL}")'))?.toString(), '(a,{})')
})

test('in an encoding whose characters hold ASCII bytes, arrays and rows in text become NULL', () => {
  for (const clientEncoding of ['SJIS', 'gbk', 'BIG5', 'gb18030', 'Shift_JIS_2004', 'uhc', 'johab']) {
    assert.equal(show('{a}', { type: 1009, clientEncoding }), null)
    assert.equal(show('(a,1)', { type: 20_003, clientEncoding }), null)
    assert.equal(show('(a,1)', { type: 2249, fields: [null, null], clientEncoding }), null)
    assert.equal(show('canary', { clientEncoding }), '[masked]')
  }
  for (const clientEncoding of ['UTF8', 'LATIN1', 'WIN1252', 'EUC_JP']) {
    assert.equal(show('{a}', { type: 1009, clientEncoding }), '{[masked]}')
  }
})

test('what is raw in a row is not raw in an array of rows', () => {
  assert.equal(show('{"(canary,1)"}', { type: 20_010, fields: [null, null] }), '{"([masked],0)"}')
})

test('a binary array that is malformed or of other elements becomes NULL', () => {
  const array = (head: readonly number[], ...elements: readonly Buffer[]) => {
    const bytes = Buffer.alloc(head.length * 4)
    for (const [i, field] of head.entries()) bytes.writeInt32BE(field, i * 4)
    return Buffer.concat([bytes, ...elements])
  }
  const canary = Buffer.concat([Buffer.of(0, 0, 0, 6), Buffer.from('canary')])
  const good = array([1, 0, 25, 1, 1], canary)
  const mask = masker.mask({ type: 1009, typeModifier: -1, format: 1, rule: redact })
  assert.ok(mask(good)?.includes('[masked]'))
  const two = array([1, 0, 25, 2, 1], canary, Buffer.of(255, 255, 255, 255))
  assert.equal(mask(two)?.readInt32BE(4), 1)
  const faulty = [
    array([1, 0, 17, 1, 1], canary),
    array([7, 0, 25, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], canary),
    array([-1, 0, 25], canary),
    array([2, 0, 25, -1, 1, -1, 1], canary),
    array([1, 0, 25, 0x7fff_ffff, 1], canary),
    array([1, 0, 25, 2, 1], canary),
    array([1, 0, 25, 1, 1], canary, Buffer.of(0)),
    array([1, 0, 25, 1, 1], canary.subarray(0, 8)),
    array([1, 0, 25, 1, 1], Buffer.of(255, 255, 255, 254)),
    good.subarray(0, 8),
  ]
  for (const bytes of faulty) assert.equal(mask(bytes), null, bytes.toString('hex'))
})

test('a char(n) counts without the blanks that fill it up', () => {
  const column = { type: 1042, typeModifier: 4 + 20 }
  const keep: MaskingRule = { function: 'partial', keep: 4 }
  assert.equal(show('canary99            ', { ...column, rule: keep }), '****ry99            ')
  assert.equal(show('canary              ', { ...column, rule: keep }), '****                ')
  const padded = show('canary              ', { ...column, rule: pseudonym })
  assert.equal(padded, show('canary', { type: 1043, typeModifier: 24, rule: pseudonym }))
})

test('a year that is none, or before what PostgreSQL can read, becomes NULL', () => {
  const rule: MaskingRule = { function: 'year' }
  for (const text of [
    '',
    'canary',
    '1987',
    '1987-13-05',
    '1987-00-05',
    '1987-06-32',
    '4714-11-24 BC',
    '1987-06-05 canary',
  ]) {
    assert.equal(show(text, { type: 1082, rule }), null, text)
  }
  const day = Buffer.alloc(4)
  day.writeInt32BE(-2_451_545)
  assert.equal(masker.mask({ type: 1082, typeModifier: -1, format: 1, rule })(day), null)
  assert.equal(masker.mask({ type: 1082, typeModifier: -1, format: 1, rule })(Buffer.alloc(8)), null)
})

test('an extension type of strings is masked as text, but not in binary, of which nothing is known', () => {
  assert.equal(show('canary', { type: 20_005 }), '[masked]')
  assert.equal(show('canary', { type: 20_005, format: 1 }), null)
})

test('a placeholder is cut to what the type holds, and filled up where the type fills up', () => {
  assert.equal(show('canary', { type: 1043, typeModifier: 7 }), '[ma')
  assert.equal(show('canary    ', { type: 1042, typeModifier: 14 }), '[masked]  ')
  assert.equal(show('canary', { type: 20_002 }), '[mask')
})

test('partial keeps the end of a long text, and of a short one nothing; the stars do not tell the length', () => {
  const partial = (text: string | Buffer, keep = 4, column: Partial<MaskedColumn> = {}) =>
    show(text, { rule: { function: 'partial', keep }, ...column })
  assert.equal(partial('4111111111111234'), '****1234')
  assert.equal(partial('12345678'), '****5678')
  assert.equal(partial('1234567'), '****')
  assert.equal(partial('x'.repeat(5000) + 'äöüß'), '****äöüß')
  assert.equal(partial('😀😁😂😃😄'), '****')
  assert.equal(partial('😀😁😂😃😄😅', 3), '****😃😄😅')
  assert.equal(partial(Buffer.from('Jos\xe9 Garc\xeda Lorca', 'latin1')), '****')
  assert.equal(partial('canary', 0), '****')
  assert.equal(partial('canary-canary', Number.NaN), '****')
  assert.equal(partial('canary-canary', -3), '****')
  assert.equal(partial('secret99', 4, { type: 1043, typeModifier: 12 }), '****et99')
  assert.equal(partial('secret9', 3, { type: 1043, typeModifier: 10 }), '****')
  assert.equal(partial('ann.lee@example.com'), 'a***@***.com')
  assert.equal(partial('al@example.com'), '***@***.com')
  assert.equal(partial('ann.lee@intranet'), '****')
  assert.equal(partial('ann.lee@example.secretvalue'), '****')
  assert.equal(partial('7654321', 4, { type: 23 }), '0')
})

test('a pseudonym that has no room to tell values apart is a placeholder instead', () => {
  const short = (n: number) => show('canary', { type: 1043, typeModifier: n + 4, rule: pseudonym })
  assert.equal(short(13), '[masked]')
  for (const n of [14, 20, 27, 40]) {
    const text = short(n) ?? ''
    assert.equal(text.length, Math.min(n, 27))
    assert.ok(isPseudonym(text), text)
  }
})

test('pseudonyms depend on the key, and a key of another length is refused', () => {
  const other = createMasker({ key: Buffer.alloc(32, 8), typeOf: () => undefined })
  const masked = other.mask({ type: 25, typeModifier: -1, format: 0, rule: pseudonym })(Buffer.from('canary'))
  assert.notEqual(masked?.toString(), show('canary', { rule: pseudonym }))
  assert.throws(() => createMasker({ key: Buffer.alloc(31), typeOf: () => undefined }), PosternError)
})

test('an array that is none as PostgreSQL writes it becomes NULL', () => {
  const faulty = [
    '',
    '{',
    '}',
    '{a',
    '{a}b',
    'a',
    '{a}{b}',
    '{a,}',
    '{,a}',
    '{"a}',
    '{"a"b}',
    '{a"b"}',
    '{{a}',
    '{a\\',
    '{{{{{{{a}}}}}}}',
    'a,{b}',
    '}a',
  ]
  for (const text of [...faulty, '[1:2]', '[1:2=]{a}', '{a{b}}', '{{a}b}'])
    assert.equal(show(text, { type: 1009 }), null, text)
  assert.equal(show('[0:1]={a,"NULL"}', { type: 1009 }), '[0:1]={[masked],[masked]}')
  assert.equal(show('{{},{}}', { type: 1009 }), '{{},{}}')
  assert.equal(show('{0102:0304:NULL}', { type: 20_007 }), '{NULL:NULL:NULL}')
})

test('a row that has not the fields it should have becomes NULL', () => {
  for (const text of [
    '',
    '(',
    'canary',
    '(canary)',
    '(canary,1,2)',
    '(canary,1',
    '("canary,1)',
    '("canary"x,1)',
    '(x"canary",1)',
    '((canary),1)',
    '(canary\\,1)',
  ])
    assert.equal(show(text, { type: 20_003 }), null, text)
  assert.equal(show('(canary,1)', { type: 20_003 }), '([masked],0)')
  assert.equal(show('(,)', { type: 20_003 }), '(,)')
  assert.equal(show('("",)', { type: 20_003 }), '([masked],)')
  assert.equal(show('(canary,1)', { type: 20_003, fields: [null] }), null)
  assert.equal(show('(1,2,canary)', { type: 20_003, fields: [null, null, null] }), null)
  for (const text of [
    '(canary',
    'canary)',
    '(canary,',
    '(canary,"1)',
    ')',
    '(canary,1)x',
    'x(canary,1)',
    'xcanary,1)',
  ]) {
    assert.equal(show(text, { type: 20_003, fields: [null, null] }), null, text)
  }
})

test('a binary row whose fields are of other types than the catalog says becomes NULL', () => {
  const row = (first: number) => {
    const bytes = Buffer.alloc(4 + 8 + 6 + 8)
    for (const [at, field] of [
      [0, 2],
      [4, first],
      [8, 6],
      [18, 23],
      [22, -1],
    ] as const)
      bytes.writeInt32BE(field, at)
    bytes.write('canary', 12)
    return bytes
  }
  const mask = (fields: MaskedColumn['fields']) =>
    masker.mask({ type: 20_003, typeModifier: -1, format: 1, rule: redact, fields: fields ?? null })
  assert.ok(mask(null)(row(25))?.includes('[masked]'))
  assert.equal(mask(null)(row(17)), null)
  assert.equal(mask([null, { rule: redact }])(row(17)), null)
  assert.ok(mask([null, { rule: redact }])(row(25))?.includes('canary'))
  assert.equal(mask([null, null])(row(17)), null)
  const good = row(25)
  const single = Buffer.concat([Buffer.of(0, 0, 0, 1), good.subarray(4, 18)])
  assert.equal(mask([null, null])(single), null)
  const otherNull = Buffer.from(good)
  otherNull.writeInt32BE(17, 18)
  assert.equal(mask([null, { rule: redact }])(otherNull), null)
  const more = Buffer.from(good)
  more.writeInt32BE(3)
  const fewer = Buffer.from(good)
  fewer.writeInt32BE(1)
  const many = Buffer.from(good)
  many.writeInt32BE(0x7fff_ffff)
  const negative = Buffer.from(good)
  negative.writeInt32BE(-2, 22)
  for (const bytes of [
    more,
    fewer,
    many,
    negative,
    good.subarray(0, -1),
    Buffer.concat([good, Buffer.of(0)]),
    good.subarray(0, 3),
  ]) {
    assert.equal(mask([null, null])(bytes), null, bytes.toString('hex'))
    assert.equal(
      masker.mask({ type: 2249, typeModifier: -1, format: 1, rule: redact })(bytes)?.includes('canary') ?? false,
      false,
    )
  }
})

test('an anonymous row in text shows only the fields that are said to be raw', () => {
  const fields = [null, { rule: redact, type: 25 }, { rule: redact }]
  assert.equal(show('(7,canary,canary)', { type: 2249, fields }), '(7,[masked],)')
  assert.equal(show('(7,canary)', { type: 2249, fields }), null)
  assert.equal(show('(7,canary)', { type: 2249 }), null)
})

test('no mask throws, and none gives back what it was given, whatever the bytes are', () => {
  const types = [16, 17, 19, 20, 21, 23, 25, 114, 700, 869, 1007, 1009, 1042, 1043, 1082, 1114, 1184, 1186, 1700]
  const byType = fc.constantFrom(...types, 2249, 2950, 3802, 3904, ...catalogTypes.map(({ oid }) => oid))
  const byRule = fc.constantFrom<MaskingRule>(redact, pseudonym, { function: 'partial', keep: 4 }, { function: 'year' })
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 0, maxLength: 60 }),
    fc.string().map((text) => Buffer.from(text)),
    fc.stringMatching(/^[{}(),"\\[\]:=0-9aN]{0,30}$/).map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(
      byType,
      byRule,
      fc.constantFrom<0 | 1>(0, 1),
      fc.integer({ min: -2, max: 700_000 }),
      bytes,
      (type, rule, format, typeModifier, raw) => {
        const value = Buffer.concat([Buffer.from(raw), Buffer.from('canary!')])
        const before = Buffer.from(value)
        const masked = masker.mask({ type, typeModifier, format, rule })(value)
        assert.deepEqual(value, before)
        if (masked === null) return
        const isFine = !masked.includes(rule.function === 'partial' ? 'canary!' : 'ary!')
        assert.ok(isFine, masked.toString('latin1'))
      },
    ),
    { numRuns: 20_000 },
  )
})
