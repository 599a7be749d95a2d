import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeNegotiateProtocolVersion } from './backend.ts'
import type { StartupMessage } from './startup.ts'
import {
  decodeStartupPacket,
  encodeCancelRequest,
  encodeStartupMessage,
  gssencRequest,
  negotiateProtocol,
  protocol30,
  protocol32,
  sslRequest,
} from './startup.ts'

const violation = { name: 'PosternError', code: 'protocol_violation' }

void test('requests without parameters are told apart by their code and may have nothing behind it', () => {
  assert.deepEqual(decodeStartupPacket(sslRequest.subarray(4)), { kind: 'SSLRequest' })
  assert.deepEqual(decodeStartupPacket(gssencRequest.subarray(4)), { kind: 'GSSENCRequest' })
  assert.throws(() => decodeStartupPacket(Buffer.from('04d2162f00', 'hex')), violation)
  assert.throws(() => decodeStartupPacket(Buffer.from('04d2163000', 'hex')), violation)
})

void test('a CancelRequest carries a key of 4 to 256 bytes', () => {
  for (const byteCount of [4, 32, 256]) {
    const secretKey = Buffer.alloc(byteCount, 7)
    const packet = encodeCancelRequest(-5, secretKey)
    assert.equal(packet.readInt32BE(), packet.length)
    assert.deepEqual(decodeStartupPacket(packet.subarray(4)), { kind: 'CancelRequest', processId: -5, secretKey })
  }
  for (const byteCount of [0, 3, 257]) {
    assert.throws(() => decodeStartupPacket(encodeCancelRequest(1, Buffer.alloc(byteCount)).subarray(4)), violation)
  }
})

void test('random start-up parameters come back as they were', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !value.includes('\0'))
  fc.assert(
    fc.property(
      fc.uniqueArray(
        fc.tuple(
          text.filter((name) => name !== ''),
          text,
        ),
        { selector: ([name]) => name },
      ),
      (pairs) => {
        const packet = encodeStartupMessage(protocol32, pairs)
        const decoded = decodeStartupPacket(packet.subarray(4))
        assert.deepEqual(decoded, {
          kind: 'StartupMessage',
          protocolMajor: 3,
          protocolMinor: 2,
          parameters: new Map(pairs),
        })
      },
    ),
  )
})

void test('a parameter given twice has its last value', () => {
  const decoded = decode('user\0first\0user\0last\0\0')
  assert.equal(decoded.kind === 'StartupMessage' && decoded.parameters.get('user'), 'last')
})

void test('a layout that does not end in exactly one terminator is refused', () => {
  for (const parameters of [
    '',
    'user',
    'user\0',
    'user\0x',
    'user\0x\0',
    'user\0x\0\0\0',
    'user\0x\0\0user\0y\0\0',
    '\0\0',
  ]) {
    assert.throws(() => decode(parameters), {
      code: 'protocol_violation',
      message: 'invalid startup packet layout: expected terminator as last byte',
    })
  }
  assert.equal(decode('\0').kind, 'StartupMessage')
})

void test('a name or value that is not UTF-8 is refused', () => {
  assert.throws(() => decodeStartupPacket(Buffer.from('0003000075ff00610000', 'hex')), violation)
  assert.throws(() => decodeStartupPacket(Buffer.from('000300007500ff0000', 'hex')), violation)
})

void test('a start-up parameter without a name, or with a zero byte, is not sent', () => {
  assert.throws(() => encodeStartupMessage(protocol30, [['', 'x']]), { code: 'input_invalid' })
  assert.throws(() => encodeStartupMessage(protocol30, [['a', 'x\0options\0-c role=postgres']]), {
    code: 'input_invalid',
  })
})

void test('another major version is refused before its parameters are read', () => {
  const message = 'unsupported frontend protocol 2.0: server supports 3.0 to 3.2'
  assert.throws(() => decodeStartupPacket(Buffer.from('0002000061', 'hex')), { code: 'feature_refused', message })
  assert.throws(() => decodeStartupPacket(Buffer.from('04d20000', 'hex')), { code: 'feature_refused' })
  assert.throws(() => negotiateProtocol({ ...startup(0), protocolMajor: 2 }), { code: 'feature_refused', message })
})

void test('a reply is sent only to downgrade or to name unknown options', () => {
  assert.deepEqual(negotiateProtocol(startup(0)), { version: protocol30, reply: null })
  assert.deepEqual(negotiateProtocol(startup(1)), { version: protocol30, reply: null })
  assert.deepEqual(negotiateProtocol(startup(2)), { version: protocol32, reply: null })
  assertNegotiated(startup(3), protocol32, { version: protocol32, unknownOptions: [] })
  assertNegotiated(startup(9999, '_pq_.x', '_pq_.y'), protocol32, {
    version: protocol32,
    unknownOptions: ['_pq_.x', '_pq_.y'],
  })
  assertNegotiated(startup(0, '_pq_.x'), protocol30, { version: protocol30, unknownOptions: ['_pq_.x'] })
})

function assertNegotiated(message: StartupMessage, version: number, expected: object): void {
  const negotiated = negotiateProtocol(message)
  assert.equal(negotiated.version, version)
  assert.ok(negotiated.reply)
  assert.deepEqual(decodeNegotiateProtocolVersion(negotiated.reply.subarray(5)), expected)
}

function startup(protocolMinor: number, ...options: readonly string[]): StartupMessage {
  const parameters = new Map([['user', 'x'], ...options.map((name) => [name, ''] as const)])
  return { kind: 'StartupMessage', protocolMajor: 3, protocolMinor, parameters }
}

function decode(parameters: string) {
  return decodeStartupPacket(Buffer.concat([Buffer.from('00030000', 'hex'), Buffer.from(parameters)]))
}
