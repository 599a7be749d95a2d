import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Framer } from './framer.ts'
import { encodeQuery, sync } from './frontend.ts'
import { sslRequest } from './startup.ts'

void test('random messages cut at random places come out the same', () => {
  const message = fc.record({ type: fc.integer({ min: 1, max: 255 }), body: fc.uint8Array({ maxLength: 600 }) })
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 300 })),
      (sent, cuts) => {
        const stream = Buffer.concat(sent.map(({ type, body }) => framed(type, body)))
        const framer = new Framer({ messageBytesMax: 1000 })
        const received: { type: number; body: Buffer; bytes: Buffer }[] = []
        for (let at = 0; at < stream.length;) {
          const size = cuts.next().value ?? 1
          // A copy, as from a socket: nothing may lean on chunks being neighbours in memory.
          framer.push(Buffer.from(stream.subarray(at, at + size)))
          at += size
          for (let frame = framer.next(); frame !== null; frame = framer.next()) received.push(frame)
        }
        // Looked at only now: later pushes must not have touched what was handed out.
        assert.deepEqual(
          received.map((frame) => ({
            type: frame.type,
            body: Buffer.from(frame.body),
            bytes: Buffer.from(frame.bytes),
          })),
          sent.map(({ type, body }) => ({ type, body: Buffer.from(body), bytes: framed(type, body) })),
        )
        assert.equal(framer.bufferedBytes, 0)
      },
    ),
  )
})

void test('a length below 4 or above the bound is refused as soon as the header is there', () => {
  const refused = (header: string) => () => {
    const framer = new Framer({ messageBytesMax: 100 })
    framer.push(Buffer.from(header, 'hex'))
    framer.next()
  }
  assert.throws(refused('5100000003'), { code: 'protocol_violation' })
  assert.throws(refused('51ffffffff'), { code: 'protocol_violation' })
  assert.throws(refused('5180000000'), { code: 'protocol_violation' })
  assert.throws(refused('5100000065'), {
    code: 'message_too_large',
    message: "a message of type 'Q' has 101 bytes where 100 are allowed",
  })
  assert.throws(refused('517fffffff'), { code: 'message_too_large' })
  refused('5100000064')()
  refused('517fffff')()
})

void test('a refused length stays refused', () => {
  const framer = new Framer({ messageBytesMax: 100 })
  framer.push(Buffer.from('517fffffff', 'hex'))
  assert.throws(() => framer.next(), { code: 'message_too_large' })
  framer.push(Buffer.from(sync))
  assert.throws(() => framer.next(), { code: 'message_too_large' })
})

void test('the bound may depend on the type', () => {
  const framer = new Framer({ messageBytesMax: (type) => (type === 0x51 ? 100 : 4) })
  framer.push(Buffer.concat([encodeQuery('select 1'), Buffer.from('5000000005', 'hex')]))
  assert.equal(framer.next()?.type, 0x51)
  assert.throws(() => framer.next(), { code: 'message_too_large' })
})

void test('an announced length allocates nothing: memory follows the bytes that arrived', (t) => {
  const allocate = t.mock.method(Buffer, 'allocUnsafeSlow')
  const framer = new Framer({ messageBytesMax: 0x7fff_ffff })
  framer.push(Buffer.from('517ffffff0', 'hex'))
  assert.equal(framer.next(), null)
  framer.push(Buffer.alloc(100_000))
  assert.equal(framer.next(), null)
  assert.deepEqual(
    allocate.mock.calls.map((call) => call.arguments[0]),
    [200_010],
  )
})

void test('a large message that arrives byte by byte is copied a logarithmic number of times', (t) => {
  const allocate = t.mock.method(Buffer, 'allocUnsafeSlow')
  const size = 20_000
  const framer = new Framer({ messageBytesMax: size + 4 })
  const header = Buffer.alloc(5, 0x51)
  header.writeInt32BE(size + 4, 1)
  framer.push(header)
  const byte = Buffer.from([0x41])
  for (let i = 0; i < size; i++) {
    assert.equal(framer.next(), null)
    framer.push(byte)
  }
  assert.equal(framer.next()?.body.length, size)
  assert.ok(allocate.mock.callCount() < 12, `${allocate.mock.callCount()} allocations`)
})

void test('the start-up packet is framed without a type, and what follows is handed over', () => {
  const framer = new Framer({ messageBytesMax: 100 })
  const stream = Buffer.concat([sslRequest, Buffer.from('rest')])
  for (const byte of stream.subarray(0, 7)) {
    framer.push(Buffer.from([byte]))
    assert.equal(framer.nextStartupPacket(), null)
  }
  framer.push(Buffer.from(stream.subarray(7)))
  assert.deepEqual(framer.nextStartupPacket(), Buffer.from('04d2162f', 'hex'))
  assert.equal(framer.bufferedBytes, 4)
  assert.equal(framer.takeRest().toString(), 'rest')
  assert.equal(framer.bufferedBytes, 0)
  assert.equal(framer.takeRest().length, 0)
})

void test('a start-up packet of an impossible length is refused in the words of PostgreSQL', () => {
  for (const length of [0, 4, 7, 10_001, 0x7fff_ffff, 0xffff_ffff, Buffer.from('GET ').readUInt32BE()]) {
    const framer = new Framer({ messageBytesMax: 100 })
    const packet = Buffer.alloc(4)
    packet.writeUInt32BE(length)
    framer.push(packet)
    assert.throws(() => framer.nextStartupPacket(), {
      code: 'protocol_violation',
      message: 'invalid length of startup packet',
    })
  }
})

function framed(type: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + body.length, type)
  bytes.writeInt32BE(4 + body.length, 1)
  bytes.set(body, 5)
  return bytes
}
