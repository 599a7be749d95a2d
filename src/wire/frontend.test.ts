import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  copyDone,
  decodeBind,
  decodeClose,
  decodeCopyFail,
  decodeDescribe,
  decodeExecute,
  decodeFunctionCall,
  decodeParse,
  decodePasswordMessage,
  decodeQuery,
  decodeSASLInitialResponse,
  decodeSASLResponse,
  encodeBind,
  encodeClose,
  encodeCopyData,
  encodeCopyFail,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodePasswordMessage,
  encodeQuery,
  encodeSASLInitialResponse,
  encodeSASLResponse,
  flush,
  formatAt,
  frontend,
  sync,
  terminate,
} from './frontend.ts'

const violation = { name: 'PosternError', code: 'protocol_violation' }

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true })
const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((value) => !value.includes('\0'))
const objectName = text.filter((value) => Buffer.byteLength(value) <= 63)
const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value))
const value = fc.option(bytes)
const target = fc.constantFrom('S' as const, 'P' as const)
const format = fc.integer({ min: 0, max: 1 })

void test('random client messages come back as they were', () => {
  roundTrip(text, encodeQuery, (body) => decodeQuery(body).sql.toString())
  roundTrip(text, encodeCopyFail, (body) => decodeCopyFail(body).message)
  roundTrip(text, encodePasswordMessage, (body) => decodePasswordMessage(body).password)
  roundTrip(bytes, encodeSASLResponse, (body) => decodeSASLResponse(body).data)
  roundTrip(bytes, encodeCopyData, (body) => body)
  roundTrip(record({ target, name: objectName }), (it) => encodeDescribe(it.target, it.name), decodeDescribe)
  roundTrip(record({ target, name: objectName }), (it) => encodeClose(it.target, it.name), decodeClose)
  roundTrip(
    record({ portal: objectName, rowsMax: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) }),
    (it) => encodeExecute(it.portal, it.rowsMax),
    decodeExecute,
  )
  roundTrip(
    record({ mechanism: text, response: value }),
    (it) => encodeSASLInitialResponse(it.mechanism, it.response),
    decodeSASLInitialResponse,
  )
  roundTrip(
    record({
      name: objectName,
      sql: text.map((sql) => Buffer.from(sql)),
      parameterTypes: fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 })),
    }),
    encodeParse,
    decodeParse,
  )
  roundTrip(
    record({
      portal: objectName,
      statement: objectName,
      parameters: fc.array(value),
      resultFormats: fc.array(format),
    }).chain((bind) =>
      fc.array(format, { maxLength: 1 }).map((parameterFormats) => Object.assign(bind, { parameterFormats })),
    ),
    encodeBind,
    decodeBind,
  )
})

void test('what a Bind or Parse leaves out is unnamed and empty', () => {
  assert.equal(encodeBind({}).toString('hex'), '420000000c0000000000000000')
  assert.equal(encodeParse({ sql: 'x' }).toString('hex'), '50000000090078000000')
})

void test('messages without a body are five bytes', () => {
  const expected = [
    [sync, '5300000004'],
    [flush, '4800000004'],
    [terminate, '5800000004'],
    [copyDone, '6300000004'],
  ] as const
  for (const [message, hex] of expected) assert.equal(message.toString('hex'), hex)
})

void test('a Bind has no, one or as many parameter formats as parameters', () => {
  const parameters = [null, Buffer.from('a'), Buffer.from('b')]
  const decode = (formatCount: number) =>
    decodeBind(encodeBind({ parameters, parameterFormats: Array<number>(formatCount).fill(1) }).subarray(5))
  for (const formatCount of [0, 1, 3]) assert.equal(decode(formatCount).parameterFormats.length, formatCount)
  for (const formatCount of [2, 4]) {
    assert.throws(() => decode(formatCount), {
      code: 'protocol_violation',
      message: `malformed Bind: it has ${formatCount} formats for 3 values`,
    })
  }
})

void test('no format means text, one is for all, several are each for one', () => {
  assert.equal(formatAt([], 3), 0)
  assert.equal(formatAt([1], 3), 1)
  assert.deepEqual([formatAt([0, 1], 0), formatAt([0, 1], 1)], [0, 1])
})

void test('65,535 parameters are legal and counted unsigned', () => {
  const parameters = Array<null>(65_535).fill(null)
  assert.equal(decodeBind(encodeBind({ parameters }).subarray(5)).parameters.length, 65_535)
  assert.equal(
    decodeParse(encodeParse({ sql: '', parameterTypes: Array<number>(65_535).fill(23) }).subarray(5)).parameterTypes
      .length,
    65_535,
  )
})

void test('a zero byte inside a text ends it, and what follows is refused', () => {
  assert.throws(() => decodeQuery(Buffer.from('select 1\0; drop table t\0')), violation)
  assert.throws(() => decodePasswordMessage(Buffer.from('a\0b\0')), violation)
  assert.throws(() => encodeQuery('select 1\0; drop table t'), { code: 'input_invalid' })
})

void test('malformed client messages are refused', () => {
  const cases: readonly (readonly [(body: Buffer) => unknown, string])[] = [
    [decodeQuery, ''],
    [decodeQuery, '61'],
    [decodeParse, '0078'],
    [decodeParse, '007800'],
    [decodeParse, '0078000001'], // one type announced, none there
    [decodeParse, '007800ffff00000017'],
    [decodeParse, '007800000000'], // trailing byte
    [decodeBind, '0000'],
    [decodeBind, '00000001'], // one format announced, none there
    [decodeBind, '00000000ffff'], // 65,535 parameters announced
    [decodeBind, '000000000001fffffffe0000'], // length -2
    [decodeBind, '0000000000017fffffff0000'], // length 2 GB
    [decodeBind, '00000000000100000005610000'], // length beyond the end
    [decodeBind, '000000000000'], // no result formats
    [decodeBind, '000000000000000000'], // trailing byte
    [decodeBind, '000000000000ffff'],
    [decodeDescribe, '5861'],
    [decodeDescribe, '5800'], // target X
    [decodeDescribe, '53'],
    [decodeDescribe, '530000'],
    [decodeClose, '0000'],
    [decodeExecute, '00000000'],
    [decodeExecute, '000000000000'],
    [decodeFunctionCall, '00000001'],
    [decodeFunctionCall, '0000000100000000'],
    [decodeFunctionCall, '000000010002000100010001000000000000'],
    [decodePasswordMessage, ''],
    [decodeSASLInitialResponse, '6100'],
    [decodeSASLInitialResponse, '610000000002aa'],
    [decodeSASLInitialResponse, '6100fffffffe'],
    [decodeSASLInitialResponse, '6100ffffffffaa'],
    [decodeCopyFail, '61'],
  ]
  for (const [decode, hex] of cases)
    assert.throws(() => decode(Buffer.from(hex, 'hex')), violation, `${decode.name} ${hex}`)
})

void test('a byte after the end of a client message is refused', () => {
  const cases: readonly (readonly [(body: Buffer) => unknown, Buffer])[] = [
    [decodeQuery, encodeQuery('x')],
    [decodeParse, encodeParse({ sql: 'x', parameterTypes: [23] })],
    [decodeBind, encodeBind({ parameters: [null], resultFormats: [1] })],
    [decodeDescribe, encodeDescribe('S', 'x')],
    [decodeClose, encodeClose('P', 'x')],
    [decodeExecute, encodeExecute('x', 1)],
    [decodeFunctionCall, Buffer.from('460000000e00000001000000000000', 'hex')],
    [decodePasswordMessage, encodePasswordMessage('x')],
    [decodeSASLInitialResponse, encodeSASLInitialResponse('x', null)],
    [decodeCopyFail, encodeCopyFail('x')],
  ]
  for (const [decode, message] of cases) {
    decode(message.subarray(5))
    assert.throws(() => decode(Buffer.concat([message.subarray(5), Buffer.alloc(1)])), violation, decode.name)
  }
})

void test('an absent SASL response differs from an empty one', () => {
  assert.equal(decodeSASLInitialResponse(Buffer.from('6100ffffffff', 'hex')).response, null)
  assert.equal(decodeSASLInitialResponse(Buffer.from('610000000000', 'hex')).response?.length, 0)
})

void test('a FunctionCall gives the function and its arguments', () => {
  const body = Buffer.from('000003bc000100010002ffffffff00000001610001', 'hex')
  assert.deepEqual(decodeFunctionCall(body), {
    functionOid: 956,
    argumentFormats: [1],
    arguments: [null, Buffer.from('a')],
    resultFormat: 1,
  })
})

void test('names that PostgreSQL takes for one come out as one in every message that has a name', () => {
  const stem = 'n'.repeat(63)
  const names = [`${stem}a`, `${stem}b`].flatMap((name) => [
    decodeParse(encodeParse({ name, sql: '' }).subarray(5)).name,
    decodeBind(encodeBind({ portal: name }).subarray(5)).portal,
    decodeBind(encodeBind({ statement: name }).subarray(5)).statement,
    decodeDescribe(encodeDescribe('S', name).subarray(5)).name,
    decodeClose(encodeClose('P', name).subarray(5)).name,
    decodeExecute(encodeExecute(name, 0).subarray(5)).portal,
  ])
  assert.deepEqual([...new Set(names)], [stem])
})

void test('type bytes are the letters of the manual', () => {
  const letters = Object.entries(frontend).map(([name, type]) => `${name} ${String.fromCharCode(type)}`)
  assert.deepEqual(letters, [
    'Bind B',
    'Close C',
    'CopyData d',
    'CopyDone c',
    'CopyFail f',
    'Describe D',
    'Execute E',
    'Flush H',
    'FunctionCall F',
    'Parse P',
    'PasswordMessage p',
    'Query Q',
    'SASLInitialResponse p',
    'SASLResponse p',
    'Sync S',
    'Terminate X',
  ])
})

function roundTrip<T>(arbitrary: fc.Arbitrary<T>, encode: (it: T) => Buffer, decode: (body: Buffer) => unknown): void {
  fc.assert(
    fc.property(arbitrary, (it) => {
      const message = encode(it)
      assert.equal(message.readInt32BE(1), message.length - 1)
      assert.deepEqual(decode(message.subarray(5)), it)
    }),
  )
}
