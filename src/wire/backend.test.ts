import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PosternError } from '../core/errors.ts'
import {
  authenticationCleartextPassword,
  authenticationOk,
  backend,
  bindComplete,
  closeComplete,
  decodeAuthentication,
  decodeBackendKeyData,
  decodeCommandComplete,
  decodeCopyResponse,
  decodeDataRow,
  decodeErrorResponse,
  decodeNegotiateProtocolVersion,
  decodeNoticeResponse,
  decodeNotificationResponse,
  decodeParameterDescription,
  decodeParameterStatus,
  decodeReadyForQuery,
  decodeRowDescription,
  emptyQueryResponse,
  encodeAuthenticationMD5Password,
  encodeAuthenticationSASL,
  encodeAuthenticationSASLContinue,
  encodeAuthenticationSASLFinal,
  encodeBackendKeyData,
  encodeCommandComplete,
  encodeCopyResponse,
  encodeDataRow,
  encodeErrorResponse,
  encodeNegotiateProtocolVersion,
  encodeNoticeResponse,
  encodeNotificationResponse,
  encodeParameterDescription,
  encodeParameterStatus,
  encodeReadyForQuery,
  encodeReportFields,
  encodeRowDescription,
  noData,
  parseComplete,
  portalSuspended,
  reportOf,
  rowsOfTag,
} from './backend.ts'

const violation = { name: 'PosternError', code: 'protocol_violation' }

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true })
const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((value) => !value.includes('\0'))
const label = text.filter((value) => value !== '')
const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value))
const secretKey = fc.uint8Array({ minLength: 4, maxLength: 256 }).map((value) => Buffer.from(value))
const int16 = fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const oid = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const format = fc.integer({ min: 0, max: 1 })

void test('random server messages come back as they were', () => {
  roundTrip(
    fc.constantFrom('I' as const, 'T' as const, 'E' as const),
    encodeReadyForQuery,
    (body) => decodeReadyForQuery(body).status,
  )
  roundTrip(
    record({ name: text, value: text }),
    (it) => encodeParameterStatus(it.name, it.value),
    decodeParameterStatus,
  )
  roundTrip(
    record({ processId: int32, secretKey }),
    (it) => encodeBackendKeyData(it.processId, it.secretKey),
    decodeBackendKeyData,
  )
  roundTrip(
    record({ version: int32, unknownOptions: fc.array(text) }),
    (it) => encodeNegotiateProtocolVersion(it.version, it.unknownOptions),
    decodeNegotiateProtocolVersion,
  )
  roundTrip(text, encodeCommandComplete, (body) => decodeCommandComplete(body).tag)
  const field = {
    name: text,
    tableOid: oid,
    attributeNumber: int16,
    typeOid: oid,
    typeSize: int16,
    typeModifier: int32,
    format,
  }
  roundTrip(fc.array(record(field)), encodeRowDescription, decodeRowDescription)
  roundTrip(fc.array(oid), encodeParameterDescription, decodeParameterDescription)
  roundTrip(fc.array(fc.option(bytes)), encodeDataRow, decodeDataRow)
  roundTrip(
    record({ format, columnFormats: fc.array(format) }),
    (it) => encodeCopyResponse('CopyOutResponse', it),
    decodeCopyResponse,
  )
  roundTrip(
    record({ processId: int32, channel: text, payload: text }),
    (it) => encodeNotificationResponse(it.processId, it.channel, it.payload),
    decodeNotificationResponse,
  )
  const fields = fc
    .array(fc.tuple(fc.constantFrom(...Array.from('SVCMDHPpqWstcdnFLR')), text))
    .map((pairs) => new Map(pairs))
  roundTrip(fields, (it) => encodeReportFields(backend.ErrorResponse, it), decodeErrorResponse)
  roundTrip(fields, (it) => encodeReportFields(backend.NoticeResponse, it), decodeNoticeResponse)
})

void test('Authentication messages come back as they were', () => {
  const data = Buffer.from('{"status":"invalid_token"}')
  const cases = [
    [authenticationOk, { kind: 'Ok' }],
    [authenticationCleartextPassword, { kind: 'CleartextPassword' }],
    [encodeAuthenticationMD5Password(Buffer.from('salt')), { kind: 'MD5Password', salt: Buffer.from('salt') }],
    [
      encodeAuthenticationSASL(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']),
      { kind: 'SASL', mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] },
    ],
    [encodeAuthenticationSASL([]), { kind: 'SASL', mechanisms: [] }],
    [encodeAuthenticationSASLContinue(data), { kind: 'SASLContinue', data }],
    [encodeAuthenticationSASLFinal(data), { kind: 'SASLFinal', data }],
    [Buffer.from('520000000b00000008aabbcc', 'hex'), { kind: 'other', method: 8 }],
  ] as const
  for (const [message, expected] of cases) {
    assert.equal(message[0], backend.Authentication)
    assert.deepEqual(decodeAuthentication(message.subarray(5)), expected)
  }
  assert.equal(encodeAuthenticationSASL(['OAUTHBEARER']).toString('latin1'), 'R\0\0\0\x15\0\0\0\x0aOAUTHBEARER\0\0')
  fc.assert(
    fc.property(fc.array(label), (mechanisms) => {
      assert.deepEqual(decodeAuthentication(encodeAuthenticationSASL(mechanisms).subarray(5)), {
        kind: 'SASL',
        mechanisms,
      })
    }),
  )
})

void test('malformed server messages are refused', () => {
  const cases: readonly (readonly [(body: Buffer) => unknown, string])[] = [
    [decodeAuthentication, '000000'],
    [decodeAuthentication, '0000000000'], // trailing byte
    [decodeAuthentication, '00000005aabbcc'], // short salt
    [decodeAuthentication, '0000000a6100'], // no final terminator
    [decodeAuthentication, '0000000a61000061'],
    [decodeReadyForQuery, ''],
    [decodeReadyForQuery, '58'],
    [decodeReadyForQuery, '4949'],
    [decodeParameterStatus, '6100'],
    [decodeBackendKeyData, '00000001aabbcc'],
    [decodeBackendKeyData, `00000001${'00'.repeat(257)}`],
    [decodeNegotiateProtocolVersion, '0003000200000001'],
    [decodeNegotiateProtocolVersion, '0003000200000001610000'],
    [decodeNegotiateProtocolVersion, '00030002ffffffff6100'],
    [decodeErrorResponse, '4d6100'], // no terminator
    [decodeErrorResponse, '4d61'],
    [decodeErrorResponse, '0000'],
    [decodeNoticeResponse, ''],
    [decodeCommandComplete, '61'],
    [decodeRowDescription, '0001'],
    [decodeRowDescription, '7fff00'],
    [decodeParameterDescription, '000100000017aa'],
    [decodeParameterDescription, '000200000017'],
    [decodeDataRow, '0001fffffffe'],
    [decodeDataRow, '00017fffffff'],
    [decodeDataRow, '0002ffffffff'],
    [decodeCopyResponse, '000001'],
    [decodeNotificationResponse, '000000016100'],
  ]
  for (const [decode, hex] of cases)
    assert.throws(() => decode(Buffer.from(hex, 'hex')), violation, `${decode.name} ${hex}`)
})

void test('a byte after the end of a server message is refused', () => {
  const field = { name: 'x', tableOid: 1, attributeNumber: 1, typeOid: 23, typeSize: 4, typeModifier: -1, format: 0 }
  const cases: readonly (readonly [(body: Buffer) => unknown, Buffer])[] = [
    [decodeAuthentication, authenticationOk],
    [decodeAuthentication, encodeAuthenticationSASL(['x'])],
    [decodeReadyForQuery, encodeReadyForQuery('I')],
    [decodeParameterStatus, encodeParameterStatus('x', 'y')],
    [decodeNegotiateProtocolVersion, encodeNegotiateProtocolVersion(196_608, ['x'])],
    [decodeCommandComplete, encodeCommandComplete('x')],
    [decodeRowDescription, encodeRowDescription([field])],
    [decodeParameterDescription, encodeParameterDescription([23])],
    [decodeDataRow, encodeDataRow([null])],
    [decodeCopyResponse, encodeCopyResponse('CopyInResponse', { format: 0, columnFormats: [0] })],
    [decodeNotificationResponse, encodeNotificationResponse(1, 'x', 'y')],
    [decodeErrorResponse, encodeErrorResponse({ severity: 'ERROR', code: 'x', message: 'y' })],
    [decodeNoticeResponse, encodeNoticeResponse({ severity: 'NOTICE', code: 'x', message: 'y' })],
  ]
  for (const [decode, message] of cases) {
    decode(message.subarray(5))
    assert.throws(() => decode(Buffer.concat([message.subarray(5), Buffer.alloc(1)])), violation, decode.name)
  }
})

void test('an error goes out with its severity twice and every field it has', () => {
  const message = encodeErrorResponse({
    severity: 'ERROR',
    code: '42501',
    message: 'DROP DATABASE is not allowed',
    detail: 'policy no-drop-database',
    hint: 'ask',
    position: 7,
    where: 'w',
    schema: 's',
    table: 't',
    column: 'c',
    dataType: 'd',
    constraint: 'n',
    file: 'f',
    line: '1',
    routine: 'r',
  })
  assert.equal(message[0], backend.ErrorResponse)
  assert.deepEqual(
    [...decodeErrorResponse(message.subarray(5))].map(([letter, value]) => `${letter}=${value}`).join(' '),
    'S=ERROR V=ERROR C=42501 M=DROP DATABASE is not allowed D=policy no-drop-database H=ask P=7 W=w s=s t=t c=c d=d n=n F=f L=1 R=r',
  )
  const notice = encodeNoticeResponse({ severity: 'NOTICE', code: '00000', message: 'm' })
  assert.equal(notice[0], backend.NoticeResponse)
  assert.equal(decodeNoticeResponse(notice.subarray(5)).size, 4)
})

void test('a report goes out even when a text in it has a zero byte', () => {
  const message = encodeErrorResponse({ severity: 'ERROR', code: '22023', message: 'a\0Cb' })
  assert.equal(decodeErrorResponse(message.subarray(5)).get('M'), 'a Cb')
  assert.equal(decodeErrorResponse(message.subarray(5)).get('C'), '22023')
})

void test('a PosternError is reported with the SQLSTATE of its code', () => {
  const error = new PosternError('statement_refused', 'm', { detail: 'd' })
  assert.deepEqual(reportOf(error, 'FATAL'), {
    severity: 'FATAL',
    code: '42501',
    message: 'm',
    detail: 'd',
    hint: undefined,
  })
  assert.equal(decodeErrorResponse(encodeErrorResponse(reportOf(error, 'FATAL')).subarray(5)).has('H'), false)
})

void test('a command tag gives its rows, or null where the command counts none', () => {
  const expected: readonly (readonly [string, number | null])[] = [
    ['SELECT 5', 5],
    ['INSERT 0 12', 12],
    ['UPDATE 0', 0],
    ['DELETE 1', 1],
    ['MERGE 3', 3],
    ['FETCH 4', 4],
    ['MOVE 2', 2],
    ['COPY 1000000', 1_000_000],
    ['BEGIN', null],
    ['CREATE TABLE', null],
    ['COPY', null],
    ['SELECT 5 ', null],
    ['', null],
  ]
  for (const [tag, rows] of expected) assert.equal(rowsOfTag(tag), rows, tag)
})

void test('messages without a body are five bytes of the type of the manual', () => {
  const messages = [parseComplete, bindComplete, closeComplete, noData, portalSuspended, emptyQueryResponse]
  assert.equal(messages.map((message) => message.toString('latin1')[0]).join(''), '123nsI')
  for (const message of messages) assert.equal(message.toString('hex').slice(2), '00000004')
})

void test('type bytes are the letters of the manual', () => {
  const letters = Object.entries(backend).map(([name, type]) => `${name} ${String.fromCharCode(type)}`)
  assert.deepEqual(letters.sort(), [
    'Authentication R',
    'BackendKeyData K',
    'BindComplete 2',
    'CloseComplete 3',
    'CommandComplete C',
    'CopyBothResponse W',
    'CopyData d',
    'CopyDone c',
    'CopyInResponse G',
    'CopyOutResponse H',
    'DataRow D',
    'EmptyQueryResponse I',
    'ErrorResponse E',
    'FunctionCallResponse V',
    'NegotiateProtocolVersion v',
    'NoData n',
    'NoticeResponse N',
    'NotificationResponse A',
    'ParameterDescription t',
    'ParameterStatus S',
    'ParseComplete 1',
    'PortalSuspended s',
    'ReadyForQuery Z',
    'RowDescription T',
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
