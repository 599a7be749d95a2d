import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const violation = { name: 'PosternError', code: 'protocol_violation' }

void test('every step refuses to read past the end and reads nothing when it does', () => {
  const steps: readonly ((reader: Reader) => unknown)[] = [
    (reader) => reader.uint8(),
    (reader) => reader.int8(),
    (reader) => reader.int16(),
    (reader) => reader.uint16(),
    (reader) => reader.int32(),
    (reader) => reader.uint32(),
    (reader) => reader.int64(),
    (reader) => reader.float32(),
    (reader) => reader.float64(),
    (reader) => reader.count16(1),
    (reader) => reader.nullable(),
    (reader) => reader.take(1),
    (reader) => reader.cstring(),
    (reader) => reader.objectName(),
  ]
  // The bytes lie inside a larger buffer: a step without its own check would read its neighbours.
  const neighbours = Buffer.alloc(64)
  for (const step of steps) {
    const reader = new Reader(neighbours.subarray(8, 8), 'Test')
    assert.throws(() => step(reader), violation)
    assert.equal(reader.remaining, 0)
  }
})

void test('a length of -1 is NULL, any other negative length is a violation', () => {
  assert.equal(new Reader(Buffer.from('ffffffff', 'hex'), 'Test').nullable(), null)
  assert.throws(() => new Reader(Buffer.from('fffffffe', 'hex'), 'Test').nullable(), violation)
  assert.throws(() => new Reader(Buffer.from('80000000', 'hex'), 'Test').nullable(), violation)
})

void test('a count that the body cannot hold is refused before the first item', () => {
  assert.equal(new Reader(Buffer.from('000200000000', 'hex'), 'Test').count16(2), 2)
  assert.throws(() => new Reader(Buffer.from('0003000000000', 'hex'), 'Test').count16(2), violation)
  assert.throws(() => new Reader(Buffer.from('ffff', 'hex'), 'Test').count16(1), violation)
})

void test('bytes after the end of a message are a violation', () => {
  const reader = new Reader(Buffer.from([1, 2]), 'Test')
  reader.uint8()
  assert.throws(() => reader.end(), violation)
  reader.uint8()
  reader.end()
})

void test('a string that is compared must be UTF-8, so that two that differ never come out equal', () => {
  assert.throws(() => new Reader(Buffer.from([0xff, 0]), 'Test').cstring(), violation)
  assert.equal(new Reader(Buffer.from([0xff, 0]), 'Test').cstringLossy(), '\ufffd')
  assert.equal(new Reader(Buffer.from('é\0'), 'Test').cstring(), 'é')
})

void test('a name is cut at 63 bytes as PostgreSQL cuts it, and refused where that splits a character', () => {
  const read = (text: string) => new Reader(Buffer.from(`${text}\0`), 'Test').objectName()
  assert.equal(read('n'.repeat(63)), 'n'.repeat(63))
  assert.equal(read(`${'n'.repeat(63)}x`), 'n'.repeat(63))
  assert.equal(read(`${'n'.repeat(61)}éx`), `${'n'.repeat(61)}é`)
  assert.throws(() => read(`${'n'.repeat(62)}éx`), violation)
})

void test('an error text names the message and not what it held', () => {
  assert.throws(() => new Reader(Buffer.from('secret'), 'PasswordMessage').cstring(), {
    message: 'malformed PasswordMessage: a string in it has no end',
  })
})

void test('a writer grows beyond its hint and fills the length in', () => {
  const bytes = new Writer(0x51, 1).cstring('é'.repeat(1000)).int32(-1).int16(65_535).int8(7).finish()
  assert.equal(bytes.readInt32BE(1), bytes.length - 1)
  const reader = new Reader(bytes.subarray(5), 'Test')
  assert.equal(reader.cstring(), 'é'.repeat(1000))
  assert.equal(reader.int32(), -1)
  assert.equal(reader.uint16(), 65_535)
  assert.equal(reader.uint8(), 7)
  reader.end()
})

void test('a text with a zero byte is not written, since its rest would become protocol', () => {
  assert.throws(() => new Writer(0x51).cstring('a\0b'), { code: 'input_invalid' })
  assert.throws(() => new Writer(0x51).cstringBytes(Buffer.from('a\0b')), { code: 'input_invalid' })
})

void test('more items than a count can say are refused', () => {
  assert.throws(() => new Writer(0x51).count16(65_536), { code: 'limit_exceeded' })
})
