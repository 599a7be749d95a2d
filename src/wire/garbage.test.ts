import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PosternError } from '../core/errors.ts'
import * as fromServer from './backend.ts'
import { Framer } from './framer.ts'
import * as fromClient from './frontend.ts'
import { decodeParameter } from './parameters.ts'
import { decodeStartupPacket, negotiateProtocol } from './startup.ts'

// Whatever a stranger sends, a decoder gives a message or a PosternError: nothing else, and nothing from outside the
// body. fast-check prints the seed of a failure.

const decoders: readonly (readonly [string, (body: Buffer) => unknown])[] = [
  ...Object.entries(fromClient),
  ...Object.entries(fromServer),
].flatMap(([name, decode]) =>
  name.startsWith('decode') && typeof decode === 'function'
    ? [[name, decode as (body: Buffer) => unknown] as const]
    : [],
)

// Small numbers, ends of ranges, letters and NULs: what looks like counts, lengths and strings more often than noise does.
const piece = fc.oneof(
  fc.uint8Array({ maxLength: 8 }),
  fc
    .constantFrom(
      '00',
      '0000',
      '0001',
      '0002',
      'ffff',
      '00000000',
      '00000001',
      '00000004',
      'ffffffff',
      '7fffffff',
      '80000000',
    )
    .map((hex) => Buffer.from(hex, 'hex')),
  fc.constantFrom('a\0', 'S', 'P', 'user\0', '\0\0', 'é\0').map((text) => Buffer.from(text)),
)
const body = fc.array(piece, { maxLength: 20 }).map((pieces) => Buffer.concat(pieces))

void test('every decoder of both sides is tried', () => {
  assert.equal(decoders.length, 11 + 13)
})

void test('garbage becomes a message or a PosternError, and every byte of it lies inside the body', () => {
  fc.assert(
    fc.property(body, (garbage) => {
      // Surrounded by a marker that no view handed out may contain.
      const surrounded = Buffer.concat([marker, garbage, marker])
      const view = surrounded.subarray(marker.length, marker.length + garbage.length)
      for (const [name, decode] of decoders) {
        const decoded = attempt(() => decode(view))
        for (const bytes of buffersIn(decoded)) {
          const at = bytes.byteOffset - view.byteOffset
          assert.ok(
            bytes.length === 0 || (at >= 0 && at + bytes.length <= view.length),
            `${name} reads outside the body`,
          )
        }
      }
    }),
    { numRuns: 3000 },
  )
})

void test('garbage as a start-up packet becomes a packet or a PosternError', () => {
  const code = fc.constantFrom('00030000', '00030002', '0003ffff', '00020000', '04d2162e', '04d2162f', '04d21630', '')
  fc.assert(
    fc.property(code, body, (hex, garbage) => {
      attempt(() => {
        const packet = decodeStartupPacket(Buffer.concat([Buffer.from(hex, 'hex'), garbage]))
        if (packet.kind === 'StartupMessage') negotiateProtocol(packet)
      })
    }),
    { numRuns: 3000 },
  )
})

void test('garbage in the stream becomes messages or a PosternError', () => {
  fc.assert(
    fc.property(fc.array(body, { maxLength: 10 }), (chunks) => {
      const framer = new Framer({ messageBytesMax: 1000 })
      attempt(() => {
        for (const chunk of chunks) {
          framer.push(chunk)
          for (let frame = framer.next(); frame !== null; frame = framer.next()) {
            assert.equal(frame.bytes.length, 1 + frame.bytes.readInt32BE(1))
            assert.ok(frame.bytes.length <= 1001)
          }
        }
      })
    }),
    { numRuns: 3000 },
  )
})

void test('garbage as a parameter of any type becomes a text', () => {
  const oid = fc.oneof(fc.constantFrom(...knownOids), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
  const arrayHead = fc
    .tuple(fc.constantFrom(1007, 1009, 1231, 1115, 3905), fc.integer({ min: -1, max: 7 }), body)
    .map(([arrayOid, dimensionCount, rest]) => {
      const head = Buffer.alloc(12)
      head.writeInt32BE(dimensionCount)
      head.writeInt32BE(elementOids.get(arrayOid) ?? 0, 8)
      return [arrayOid, Buffer.concat([head, rest])] as const
    })
  fc.assert(
    fc.property(fc.oneof(fc.tuple(oid, body), arrayHead), ([typeOid, garbage]) => {
      assert.equal(typeof decodeParameter(garbage, 1, typeOid), 'string')
    }),
    { numRuns: 10_000 },
  )
})

const knownOids = [
  16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 114, 142, 600, 650, 700, 701, 705, 774, 790, 829, 869, 1042, 1043,
  1082, 1083, 1114, 1184, 1186, 1266, 1560, 1562, 1700, 2205, 2950, 3220, 3802, 4072, 5069, 3904, 3906, 3908, 3910,
  3912, 3926, 4451, 4532, 4533, 4534, 4535, 4536, 1000, 1561, 2951, 6150, 6157,
]

const marker = Buffer.alloc(16, 0xa5)

const elementOids: ReadonlyMap<number, number> = new Map([
  [1007, 23],
  [1009, 25],
  [1231, 1700],
  [1115, 1114],
  [3905, 3904],
])

function attempt(decode: () => unknown): unknown {
  try {
    return decode()
  } catch (error) {
    if (error instanceof PosternError) return null
    throw error
  }
}

function buffersIn(value: unknown): Buffer[] {
  if (Buffer.isBuffer(value)) return [value]
  if (Array.isArray(value)) return value.flatMap(buffersIn)
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(buffersIn) : []
}
