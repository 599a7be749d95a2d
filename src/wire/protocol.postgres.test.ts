import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import {
  backend,
  decodeBackendKeyData,
  decodeDataRow,
  decodeErrorResponse,
  decodeNegotiateProtocolVersion,
} from './backend.ts'
import { encodeBind, encodeClose, encodeExecute, encodeParse, sync } from './frontend.ts'
import { decodeStartupPacket, encodeStartupMessage, negotiateProtocol, protocol30, protocol32 } from './startup.ts'
import { CodecClient, plainSettings } from './testing.ts'

// A real PostgreSQL is the oracle for what the codec decides in its place.

let server: SandboxPostgres
let socketFile: string
let client: CodecClient

before(async () => {
  server = await startPostgres()
  socketFile = join(server.socketDirectory, `.s.PGSQL.${server.port}`)
  client = await CodecClient.open(socketFile, encodeStartupMessage(protocol32, plainSettings))
})

after(async () => {
  await client.end()
  await server.stop()
})

void test('PostgreSQL tells prepared statements apart by 63 bytes, and so does the decoded name', async () => {
  const stem = 'n'.repeat(63)
  const replies = await client.ask([
    encodeParse({ name: `${stem}_one`, sql: `select 'first'` }),
    encodeClose('S', `${stem}_two`),
    encodeParse({ name: `${stem}_three`, sql: `select 'second'` }),
    encodeBind({ statement: `${stem}_one` }),
    encodeExecute('', 0),
    sync,
  ])
  const row = replies.find((frame) => frame.type === backend.DataRow)
  assert.equal(row && decodeDataRow(row.body)[0]?.toString(), 'second')
})

void test('the answer to an unknown version or option is what PostgreSQL answers', async () => {
  const cases: readonly (readonly [number, readonly (readonly [string, string])[]])[] = [
    [protocol30, []],
    [protocol30 + 1, []],
    [protocol32, []],
    [protocol30 + 3, []],
    [protocol30 + 9999, [['_pq_.test_protocol_negotiation', '']]],
    [
      protocol30,
      [
        ['_pq_.one', '1'],
        ['_pq_.two', '2'],
      ],
    ],
    [protocol30 + 1, [['_pq_.one', '1']]],
  ]
  for (const [version, options] of cases) {
    const packet = encodeStartupMessage(version, [['user', 'nobody'], ...plainSettings, ...options])
    const other = await CodecClient.open(socketFile, packet)
    const message = decodeStartupPacket(packet.subarray(4))
    assert.equal(message.kind, 'StartupMessage')
    if (message.kind !== 'StartupMessage') return
    const ours = negotiateProtocol(message)
    const theirs = other.greeting.find((frame) => frame.type === backend.NegotiateProtocolVersion)
    assert.deepEqual(ours.reply, theirs?.bytes ?? null)
    if (theirs !== undefined) {
      assert.deepEqual(
        decodeNegotiateProtocolVersion(theirs.body).unknownOptions,
        options.map(([name]) => name),
      )
    }
    const key = other.greeting.find((frame) => frame.type === backend.BackendKeyData)
    assert.equal(key && decodeBackendKeyData(key.body).secretKey.length, ours.version === protocol32 ? 32 : 4)
    await other.end()
  }
})

void test('a start-up packet that PostgreSQL refuses is refused with its words', async () => {
  const layout = 'invalid startup packet layout: expected terminator as last byte'
  const packets: readonly (readonly [Buffer, string])[] = [
    [Buffer.from('000000090004000700', 'hex'), 'unsupported frontend protocol 4.7: server supports 3.0 to 3.2'],
    [startupPacket('user\0postgres\0'), layout],
    [startupPacket('user\0postgres\0\0\0'), layout],
    [startupPacket('user\0'), layout],
    [startupPacket('user'), layout],
  ]
  for (const [packet, message] of packets) {
    assert.throws(() => decodeStartupPacket(packet.subarray(4)), { message })
    const other = await CodecClient.open(socketFile, packet)
    const refusal = other.greeting.find((frame) => frame.type === backend.ErrorResponse)
    assert.equal(refusal && decodeErrorResponse(refusal.body).get('M'), message)
    await other.end()
  }
})

function startupPacket(parameters: string): Buffer {
  const packet = Buffer.concat([Buffer.from('0000000000030000', 'hex'), Buffer.from(parameters)])
  packet.writeInt32BE(packet.length)
  return packet
}
