import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../core/limits.ts'
import { decodeParameter } from './parameters.ts'

// Encodings as the manual and PostgreSQL's send functions give them; a real server is asked in the other test file.

void test('well-known binary encodings read as PostgreSQL writes them', () => {
  const cases: readonly (readonly [number, string, string])[] = [
    [16, '01', 't'],
    [16, '00', 'f'],
    [17, '00ff', '\\x00ff'],
    [18, '61', 'a'],
    [20, '8000000000000000', '-9223372036854775808'],
    [21, 'ffff', '-1'],
    [23, '0000002a', '42'],
    [25, 'c3a9', 'é'],
    [26, 'ffffffff', '4294967295'],
    [700, '3dcccccd', '0.1'],
    [701, '3fb999999999999a', '0.1'],
    [701, '7ff8000000000000', 'NaN'],
    [701, '8000000000000000', '-0'],
    [790, '00000000000004d2', '1234'],
    [869, '02200004c0a80101', '192.168.1.1'],
    [869, '02180004c0a80100', '192.168.1.0/24'],
    [650, '02180104c0a80100', '192.168.1.0/24'],
    [829, '08002b010203', '08:00:2b:01:02:03'],
    [1082, '00000000', '2000-01-01'],
    [1082, '7fffffff', 'infinity'],
    [1082, 'ffffffff', '1999-12-31'],
    [1083, '0000000000000001', '00:00:00.000001'],
    [1114, '00000000000f4240', '2000-01-01 00:00:01'],
    [1184, '8000000000000000', '-infinity'],
    [1186, '00000000000f42400000000200000003', '3 mons 2 days 00:00:01'],
    [1266, '0000000000000000ffffe3e0', '00:00:00+02'],
    [1560, '00000003a0', '101'],
    [1700, '0002000000000002000c0fa0', '12.40'],
    [1700, '00000000c0000000', 'NaN'],
    [1700, '00000000d0000000', 'Infinity'],
    [1700, '0001ffff0000000403e8', '0.1000'],
    [2950, 'a0eebc999c0b4ef8bb6d6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    [3802, '017b7d', '{}'],
    [1007, '00000001000000010000001700000002000000010000000400000001ffffffff', '{1,NULL}'],
    [3904, '0200000004000000010000000400000005', '[1,5)'],
  ]
  for (const [oid, hex, expected] of cases) {
    assert.equal(decodeParameter(Buffer.from(hex, 'hex'), 1, oid), expected, `${oid} ${hex}`)
  }
})

void test('NULL is null whatever its format', () => {
  assert.equal(decodeParameter(null, 0, 23), null)
  assert.equal(decodeParameter(null, 1, 23), null)
})

void test('text is shown as it is, and as hexadecimal digits where it is not UTF-8', () => {
  assert.equal(decodeParameter(Buffer.from('é 🦆'), 0, 0), 'é 🦆')
  assert.equal(decodeParameter(Buffer.from([0x61, 0xe9, 0x62]), 0, 25), '\\x61e962')
  assert.equal(decodeParameter(Buffer.from([0xe9, 0x62]), 1, 25), '\\xe962')
})

void test('a text that was cut inside its last character is still shown', () => {
  for (const character of ['é', '€', '🦆']) {
    const bytes = Buffer.from(`ab${character}`)
    for (let lost = 1; lost < Buffer.byteLength(character); lost++) {
      assert.equal(decodeParameter(bytes.subarray(0, -lost), 0, 25), 'ab\ufffd')
    }
  }
  assert.equal(decodeParameter(Buffer.from([0x61, 0x80]), 0, 25), '\\x6180')
  assert.equal(decodeParameter(Buffer.from([0xff, 0xc3]), 0, 25), '\\xffc3')
})

void test('what is unknown or malformed is shown as hexadecimal digits', () => {
  const cases: readonly (readonly [number, string, string])[] = [
    [0, '01', 'no type'],
    [16_384, '01', 'a type of an extension'],
    [23, '000001', 'too short'],
    [23, '0000000100', 'too long'],
    [1082, '7ffffffe', 'a day after the end of the calendar'],
    [1082, '80000001', 'a day before its beginning'],
    [1083, '000000141dd76001', 'a time after 24:00'],
    [1083, 'ffffffffffffffff', 'a negative time'],
    [1266, '00000000000000000000e100', 'a zone of 16 hours'],
    [1114, '7ffffffffffffffe', 'a timestamp after the end of the calendar'],
    [1114, '8000000000000001', 'a timestamp before its beginning'],
    [1560, 'ffffffff', 'a negative bit count'],
    [1560, '00000009ff', 'fewer bits than announced'],
    [1700, '0001000000000000', 'fewer digits than announced'],
    [1700, '00010000000000002710', 'a digit of 10000'],
    [1700, '0000000000010000', 'an unknown sign'],
    [1700, '0000000000004000', 'a scale that is too large'],
    [869, '04200004c0a80101', 'an unknown family'],
    [869, '02210004c0a80101', 'a prefix that is too long'],
    [869, '02200003c0a801', 'an address that is too short'],
    [3802, '027b7d', 'an unknown version'],
    [1007, '000000070000000000000017' + '0000000100000001'.repeat(7) + '0000000400000001', 'seven dimensions'],
    [1007, 'ffffffff00000000000000170000000400000001', 'a negative number of dimensions'],
    [1007, '0000000100000000000000177fffffff00000001' + '0000000400000001'.repeat(1000), 'two billion elements'],
    [1007, '000000020000000000000017ffffffff00000001ffffffff000000010000000400000001', 'negative sizes'],
    [1007, '000000000000000000000019', 'elements of another type'],
    [1007, '0000000100000000000000170000000100000001000000020001', 'an element that is too short'],
    [3904, '02ffffffff0000000400000005', 'a bound that is NULL'],
    [4451, 'ffffffff' + '0000000101'.repeat(1000), 'four billion ranges'],
  ]
  for (const [oid, hex, what] of cases) {
    assert.equal(decodeParameter(Buffer.from(hex, 'hex'), 1, oid), `\\x${hex}`, what)
  }
})

void test('a format that does not exist is shown as hexadecimal digits', () => {
  assert.equal(decodeParameter(Buffer.from('00000001', 'hex'), 2, 23), '\\x00000001')
})

void test('a small message cannot become a huge text', () => {
  // 340 numerics of 10^131068 in 4 KB, and 64 MiB of bits, which as text would be longer than a string may be.
  const numeric = Buffer.from('0000000a00017fff000000000001', 'hex')
  const head = Buffer.from('0000000100000000000006a40000015400000001', 'hex')
  const array = Buffer.concat([head, ...Array.from({ length: 340 }, () => numeric)])
  const text = decodeParameter(array, 1, 1231) ?? ''
  assert.ok(text.startsWith('{1000'), text.slice(0, 20))
  assert.ok(text.length > limits.recordedParameterCharsMax && text.length < 200_000)
  const bits = Buffer.alloc(4 + 64 * 1024 * 1024 - 1, 0xff)
  bits.writeInt32BE((bits.length - 4) * 8)
  const shown = decodeParameter(bits, 1, 1562) ?? ''
  assert.ok(shown.length > limits.recordedParameterCharsMax && shown.length < 2 * limits.recordedParameterCharsMax)
})
