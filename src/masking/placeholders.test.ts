import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { CatalogType } from '../core/catalog.ts'
import type { MaskingRule } from '../core/classification.ts'
import { createMasker } from './mask.ts'
import { isPlaceholder, mayBeDistinctive } from './placeholders.ts'
import type { PlaceholderUse } from './placeholders.ts'
import { testKey } from './testing.ts'

const redact: MaskingRule = { function: 'redact' }
const pseudonym: MaskingRule = { function: 'pseudonym' }
const partial: MaskingRule = { function: 'partial', keep: 4 }
const year: MaskingRule = { function: 'year' }

function typeOf(oid: number, category: string, kind: CatalogType['kind'] = 'base'): CatalogType {
  const none = { schema: 'pg_catalog', name: 'x', element: 0, array: 0, base: 0, typeModifier: -1, relation: 0 }
  return { ...none, oid, kind, category, labels: [], isConstrained: false }
}

const text = typeOf(25, 'S')

function is(value: string | null, use: Partial<PlaceholderUse> = {}): boolean {
  return isPlaceholder(value, { rule: redact, type: text, isReplacing: true, isExact: true, ...use })
}

test('what only masking makes is recognised wherever it is written', () => {
  for (const isReplacing of [true, false]) {
    for (const isExact of [true, false]) {
      const use = { isReplacing, isExact }
      assert.ok(is('[masked]', use))
      assert.ok(is('Dear [masked], hello', use))
      assert.ok(is('"[masked]"', { ...use, type: typeOf(3802, 'U') }))
      assert.ok(is('<masked/>', { ...use, type: typeOf(142, 'U') }))
      assert.ok(is('\\x5b6d61736b65645d', { ...use, type: typeOf(17, 'U') }))
      assert.ok(is('{[masked],NULL}', { ...use, type: typeOf(1009, 'A') }))
      assert.ok(is('a***@***.com', { ...use, rule: partial }))
      assert.ok(is('****1234', { ...use, rule: partial }))
    }
  }
  assert.ok(is('[mask', {}))
  assert.ok(is('[masked]  ', {}))
  assert.ok(is('***', { rule: partial }))
  assert.ok(is('call ****1234 now', { rule: partial, isExact: false }))
  assert.ok(is('{****1234,****5678}', { rule: partial, type: typeOf(1009, 'A') }))
  assert.ok(is('(****1234,Leeds)', { rule: partial, type: typeOf(20_003, 'C', 'composite') }))
})

test('a value of its own is not taken for a placeholder', () => {
  for (const value of [
    '',
    'masked',
    'Ann',
    'pn_short',
    'pn_aaaaaaaaaaaaaaaaaaaaaaaa',
    '**bold**',
    '[m',
    '[',
    'x****1234',
  ]) {
    assert.equal(
      is(value, { rule: value.startsWith('[') ? redact : partial, isExact: true }),
      value.startsWith('['),
      value,
    )
  }
  assert.equal(is('****1234'), false)
  assert.equal(is('****12345', { rule: partial }), false)
  assert.equal(is('a ****1234', { rule: redact, isExact: false }), false)
})

test('pseudonyms are recognised, whole, in other letters, within a text and in bytes', () => {
  const masker = createMasker({ key: testKey, typeOf: () => undefined })
  const make = (type: number, value: string, typeModifier = -1) =>
    masker.mask({ type, typeModifier, format: 0, rule: pseudonym })(Buffer.from(value))?.toString() ?? ''
  for (let i = 0; i < 200; i++) {
    const name = make(25, `person ${i}`)
    const use = { rule: pseudonym, isReplacing: false }
    assert.ok(is(name, use) && is(name.toUpperCase(), use) && is(`x${name}y z`, { ...use, isExact: false }))
    assert.ok(is(make(1043, `person ${i}`, 18), use))
    const uuid = make(2950, `6ba7b810-9dad-11d1-80b4-00c04fd4${String(i).padStart(4, '0')}`)
    assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.ok(is(uuid, use) && is(`{${uuid.replaceAll('-', '')}}`, use))
    assert.ok(is(make(17, `\\x${Buffer.from(String(i)).toString('hex')}`), use))
    assert.ok(is(make(114, `{"a": ${i}}`), use))
    for (const [type, category] of [
      [20, 'N'],
      [21, 'N'],
      [23, 'N'],
      [26, 'N'],
      [1700, 'N'],
      [1082, 'D'],
      [1114, 'D'],
      [1184, 'D'],
    ] as const) {
      const raw = category === 'N' ? String(i) : type === 1082 ? '1987-06-05' : `1987-06-05 10:11:12.${100 + i}`
      const made = make(type, raw)
      const exact: Partial<PlaceholderUse> = { rule: pseudonym, type: typeOf(type, category) }
      assert.ok(is(made, exact), `${type} ${made}`)
      assert.equal(is(made, { ...exact, isReplacing: false }), false)
      assert.equal(is(made, { ...exact, isExact: false }), false)
      if (category === 'N') assert.ok(is(made, { rule: pseudonym, type: typeOf(20_000, 'N', 'domain') }))
    }
  }
  assert.equal(is('6ba7b810-9dad-81d1-80b4-00c04fd430c8', { rule: pseudonym }), false)
})

test('few values that nobody masked are taken for numeric pseudonyms', () => {
  let mistaken = 0
  for (let i = 1; i <= 10_000; i++) {
    if (is(String(i * 7_919), { rule: pseudonym, type: typeOf(20, 'N') })) mistaken++
  }
  assert.ok(mistaken < 10, String(mistaken))
})

test('few days and instants that nobody masked are taken for pseudonyms', () => {
  let days = 0
  let instants = 0
  for (let i = 0; i < 7000; i++) {
    const iso = new Date(Date.UTC(1950, 5, 2) + i * 86_399_123).toISOString()
    if (is(iso.slice(0, 10), { rule: pseudonym, type: typeOf(1082, 'D') })) days++
    if (is(iso, { rule: pseudonym, type: typeOf(1184, 'D') })) instants++
  }
  assert.ok(days < 1300, String(days))
  assert.ok(instants < 30, String(instants))
})

test('what may also be meant counts only where it replaces a value as it is', () => {
  const ordinary: readonly (readonly [string | null, CatalogType, MaskingRule?])[] = [
    ['0', typeOf(23, 'N')],
    ['0.00', typeOf(1700, 'N')],
    ['$0.00', typeOf(790, 'N')],
    ['-', typeOf(2205, 'N')],
    ['f', typeOf(16, 'B')],
    ['FALSE', typeOf(16, 'B')],
    ['1900-01-01', typeOf(1082, 'D')],
    ['1900-01-01 00:00:00+00', typeOf(1184, 'D')],
    ['1899-12-31T23:00:00.000Z', typeOf(1184, 'D')],
    ['1900-01-01T05:00:00.000+00:00', typeOf(1184, 'D')],
    ['01.01.1900', typeOf(1082, 'D')],
    ['Mon Jan 01 00:00:00 1900', typeOf(1114, 'D')],
    ['00:00:00', typeOf(1083, 'D')],
    ['00:00:00', typeOf(1186, 'T')],
    ['PT0S', typeOf(1186, 'T')],
    ['00000000-0000-0000-0000-000000000000', typeOf(2950, 'U')],
    ['0.0.0.0', typeOf(869, 'I')],
    ['00:00:00:00:00:00', typeOf(829, 'U')],
    ['(0,0)', typeOf(600, 'G')],
    ['empty', typeOf(3904, 'R', 'range')],
    ['0000', typeOf(1560, 'V')],
    ['{0,NULL,0}', typeOf(1007, 'A')],
    ['{1900-01-01}', typeOf(1182, 'A')],
    ['1987-01-01', typeOf(1082, 'D'), year],
    ['1986-12-31T23:00:00.000Z', typeOf(1114, 'D'), year],
    [null, text, { function: 'null' }],
    [null, typeOf(20_001, 'E', 'enum')],
    [null, typeOf(20_002, 'U')],
  ]
  for (const [value, type, ownRule] of ordinary) {
    const rule: MaskingRule = ownRule ?? redact
    assert.ok(is(value, { type, rule }), `${value} ${type.oid}`)
    assert.equal(is(value, { type, rule, isReplacing: false }), false)
    assert.equal(is(value, { type, rule, isExact: false }), false)
  }
})

test('another value of the same type is written', () => {
  const own: readonly (readonly [string | null, CatalogType, MaskingRule?])[] = [
    ['1', typeOf(23, 'N')],
    ['10', typeOf(23, 'N')],
    ['true', typeOf(16, 'B')],
    ['1901-01-01', typeOf(1082, 'D')],
    ['1900-01-02', typeOf(1082, 'D')],
    ['1900-01-01 10:00:00', typeOf(1114, 'D')],
    ['1987-06-05', typeOf(1082, 'D'), year],
    ['0', text],
    ['{1,0}', typeOf(1007, 'A')],
    ['{}', typeOf(1007, 'A')],
    [null, text],
    [null, typeOf(23, 'N')],
    [null, typeOf(3802, 'U')],
  ]
  for (const [value, type, rule] of own) {
    assert.equal(is(value, { type, rule: rule ?? redact }), false, `${value} ${type.oid}`)
  }
})

test('the lexeme that stands in for a text search vector is recognised, and another is not', () => {
  const type = typeOf(3614, 'U')
  const use = { rule: { function: 'redact' }, type, isReplacing: false, isExact: true } as const
  for (const text of ["'masked'", 'masked', "'masked':1"]) assert.equal(isPlaceholder(text, use), true, text)
  assert.equal(isPlaceholder("'masked' 'ball'", use), false)
})

test('the quick look lets nothing through that the long one finds', () => {
  const masker = createMasker({ key: testKey, typeOf: () => undefined })
  const made = [25, 17, 2950].map((type) => {
    const mask = masker.mask({ type, typeModifier: -1, format: 0, rule: pseudonym })
    return (
      mask(
        Buffer.from(type === 25 ? 'x' : type === 17 ? '\\x41' : '6ba7b810-9dad-11d1-80b4-00c04fd40001'),
      )?.toString() ?? ''
    )
  })
  const parts = [
    ...made,
    '[masked]',
    '<masked/>',
    '5B6d61736b65645d',
    '\\x5b',
    '***@***.',
    '****',
    '*',
    'masked',
    'a',
    '1',
    ' ',
    '"',
    '[',
  ]
  const upper = parts.map((part) => part.toUpperCase())
  let found = 0
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...parts, ...upper), { maxLength: 3 }),
      fc.constantFrom(redact, pseudonym, partial),
      (given, rule) => {
        const value = given.join('')
        for (const type of [text, typeOf(17, 'U'), typeOf(2950, 'U'), typeOf(1009, 'A'), typeOf(3614, 'U')]) {
          for (const isExact of [true, false]) {
            if (!isPlaceholder(value, { rule, type, isReplacing: false, isExact })) continue
            found += 1
            assert.ok(mayBeDistinctive(Buffer.from(value), { type }), value)
          }
        }
      },
    ),
    { numRuns: 2_000 },
  )
  assert.ok(found > 1_000)
  for (const value of ['Ben Okafor', 'ben.okafor1@example.net', '+44 1234 567890', '']) {
    assert.equal(mayBeDistinctive(Buffer.from(value), { type: text }), false, value)
  }
})
