import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import {
  backend,
  decodeAuthentication,
  decodeBackendKeyData,
  decodeDataRow,
  decodeErrorResponse,
  decodeNegotiateProtocolVersion,
  decodeRowDescription,
} from './backend.ts'
import { Framer } from './framer.ts'
import type { Frame } from './framer.ts'
import {
  encodeBind,
  encodeClose,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  sync,
  terminate,
} from './frontend.ts'
import { decodeParameter } from './parameters.ts'
import { decodeStartupPacket, encodeStartupMessage, negotiateProtocol, protocol30, protocol32 } from './startup.ts'

// A real PostgreSQL is the oracle: it gives every value in text and in binary.

const samples: Readonly<Record<string, readonly string[]>> = {
  bool: ['true', 'false'],
  int2: ['0', '-32768', '32767'],
  int4: ['0', '-2147483648', '2147483647'],
  int8: ['0', '-9223372036854775808', '9223372036854775807'],
  oid: ['0', '4294967295'],
  xid: ['4294967295'],
  xid8: ['18446744073709551615'],
  cid: ['7'],
  tid: ['(4294967295,65535)'],
  pg_lsn: ['0/0', '16/B374D848', 'FFFFFFFF/FFFFFFFF'],
  float4: [
    '0',
    '-0',
    '1',
    '-1.5',
    '0.1',
    '3.4028235e38',
    '1e-45',
    '1.17549435e-38',
    '123456',
    '1234567',
    '999999',
    '1e6',
  ].concat(['0.0001', '0.00001', '0.00012345', '16777216', 'NaN', 'Infinity', '-Infinity', '33554432', '8.5e-10']),
  float8: [
    '0',
    '-0',
    '1',
    '-1.5',
    '0.1',
    '1.7976931348623157e308',
    '5e-324',
    '2.2250738585072014e-308',
    '1e15',
    '1e14',
  ].concat([
    '123456789012345',
    '1234567890123456',
    '0.0001',
    '0.00001',
    '9007199254740993',
    'NaN',
    '-Infinity',
    '1e100',
  ]),
  numeric: [
    '0',
    '0.00',
    '-0.00',
    '1',
    '-1',
    '10000',
    '0.0001',
    '0.00000001',
    '-123456789.987654321',
    '1e50',
    '1e-50',
  ].concat(['9999.9999', '10000.00010', '100000000000000000000', '1.10', 'NaN', 'Infinity', '-Infinity', '12345678.9']),
  money: [],
  text: [
    '',
    'plain',
    'ünïcödé 🦆',
    'a "quote"',
    'back\\slash',
    'null',
    'NULL',
    'a,b',
    '{}',
    ' lead',
    'line\nbreak',
    'tab\t',
  ],
  varchar: ['x'],
  'char(5)': ['ab'],
  name: ['a_name'],
  '"char"': ['', 'a', '\\377'],
  xml: ['<a b="c"/>'],
  json: ['{"a": [1, null]}'],
  jsonb: ['{"a": [1, null], "b": "x"}'],
  jsonpath: ['$.a[*]'],
  bytea: ['', '\\x00ff10'],
  uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  date: ['2000-01-01', '1999-12-31', '2024-02-29', '1900-03-01', '0001-01-01', '0001-12-31 BC', '4714-11-24 BC'].concat(
    ['5874897-12-31', 'infinity', '-infinity', '10000-01-01', '0044-03-15 BC', '0005-02-29 BC'],
  ),
  time: ['00:00', '24:00', '12:34:56.7', '23:59:59.999999', '01:02:03.000001'],
  timetz: ['12:00+00', '12:34:56.789-08', '01:02:03+05:30', '01:02:03-00:30', '01:02:03+15:59:59'],
  timestamp: ['2000-01-01', '1999-12-31 23:59:59.999999', '0044-03-15 12:00 BC', '294276-12-31 23:59:59.999999'].concat(
    ['4714-11-24 BC', 'infinity', '-infinity', '2024-02-29 01:02:03.4'],
  ),
  timestamptz: ['2024-05-06 07:08:09.1+02', '0044-03-15 12:00+00 BC', 'infinity', '-infinity'],
  interval: [
    '0',
    '1 year',
    '-1 year -2 mons',
    '1 year -2 days',
    '-1 day 02:03:04',
    '-1 day -02:03:04',
    '1 mon 1 day',
    '1000:00:00.5',
  ].concat([
    '-00:00:00.000001',
    '13 mons',
    '-13 mons 1 day 00:00:01',
    'infinity',
    '-infinity',
    '1 day -00:00:01',
    '-11 mons 5 days',
  ]),
  inet: [
    '1.2.3.4',
    '10.1.2.3/8',
    '::1',
    '::',
    'fe80::1/64',
    '2001:db8::1:0:0:1',
    '1:0:0:2:0:0:0:3',
    '::ffff:1.2.3.4',
  ].concat([
    '::1.2.3.4',
    '1:0:2:3:4:5:6:7',
    '::2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:0',
    '1:2:3:4:5:6::',
    '0.0.0.0/0',
    '::5:0:0:6',
  ]),
  cidr: ['10.0.0.0/8', '1.2.3.4/32', '2001:db8::/32', '::/0', '::ffff:1.2.3.0/120'],
  macaddr: ['08:00:2b:01:02:03'],
  macaddr8: ['08:00:2b:01:02:03:04:05'],
  bit: ['1', '0'],
  'bit(11)': ['10101010101'],
  varbit: ['', '1', '00000000', '101010101'],
  point: ['(1,-2.5)', '(1e300,0)'],
  int4range: ['[1,5)', '(,)', 'empty', '[,5)', '[1,)'],
  int8range: ['[1,9223372036854775807)'],
  numrange: ['[1.0,2.50]', '(1,2)'],
  tsrange: ['[2020-01-01,2021-01-01 12:00)'],
  tstzrange: ['[2020-01-01 00:00+00,infinity]'],
  daterange: ['[2020-01-01,2020-02-01)'],
  int4multirange: ['{}', '{[1,3),[5,7)}'],
  int8multirange: ['{[1,3)}'],
  nummultirange: ['{[1.5,3),(5,)}'],
  tsmultirange: ['{[2020-01-01,2021-01-01 12:00)}'],
  tstzmultirange: ['{[2020-01-01 00:00+00,infinity]}'],
  datemultirange: ['{[2020-01-01,2020-02-01)}'],
}

const otherExpressions = [
  `'{}'::int[]`,
  `'{{1,2,3},{4,NULL,6}}'::int[]`,
  `'[2:3]={a,NULL}'::text[]`,
  `'[-1:0][5:6]={{1,2},{3,4}}'::int8[]`,
  `'{{{1},{2}},{{3},{4}}}'::float8[]`,
  `array['', 'null', 'a b', 'a"b', E'a\\\\b', '{', 'x,y', NULL, E'\\v', E'\\u00a0']`,
]

let server: SandboxPostgres
let client: Client

before(async () => {
  server = await startPostgres()
  client = await Client.open(server, encodeStartupMessage(protocol32, [...settings('postgres')]))
  await client.ask([encodeQuery('set xmloption = content')])
})

after(async () => {
  await client.end()
  await server.stop()
})

void test('every binary value reads as PostgreSQL writes it, alone and in an array', async () => {
  const expressions = [...otherExpressions]
  for (const [type, literals] of Object.entries(samples)) {
    for (const literal of literals) {
      const value = `'${literal.replaceAll("'", "''")}'::${type}`
      expressions.push(value, `array[${value}, null]`, `array[array[${value}], array[${value}]]`)
    }
  }
  for (const expression of expressions) await compare(expression)
  assert.equal(decodeParameter(await binaryOf(`'12.34'::money`), 1, 790), '1234')
})

void test('a random float reads as a text that PostgreSQL takes for the same value, with at most a digit more', async () => {
  const seed = Date.now() % 1_000_000
  let state = seed
  const random = () => (state = (state * 48_271 + 1) % 2_147_483_647) / 2_147_483_647
  for (const [type, exponents] of [
    ['float4', 37],
    ['float8', 300],
  ] as const) {
    const literals = Array.from({ length: 1000 }, (_, i) =>
      i % 2 === 0
        ? (random() - 0.5) * 10 ** Math.round((random() - 0.5) * 2 * exponents)
        : 2 ** Math.round(random() * 127),
    )
    const values = literals.map((literal) => `('${literal}'::${type})`).join(', ')
    const binary = await client.rows(`select v from (values ${values}) x (v)`, 1)
    const texts = binary.map(([bytes]) => decodeParameter(bytes ?? null, 1, client.typeOid))
    const pairs = texts.map((text, i) => `('${text}', '${literals[i]}'::${type})`).join(', ')
    const wrong = await client.rows(
      `select a, b from (values ${pairs}) x (a, b) where a::${type} <> b or length(a) > length(b::text) + 1`,
      0,
    )
    assert.deepEqual(wrong.map(String), [], `seed ${seed}`)
  }
})

void test('every day of two calendar cycles around each end of the calendar reads as PostgreSQL writes it', async () => {
  for (const first of [-2_451_545, -730_500, 0, 2_145_005_000]) {
    const rows = await client.rows(
      `select d::text from (select date '2000-01-01' + (${first} + i * 29) as d from generate_series(0, 900) i) x`,
      0,
    )
    for (const [i, row] of rows.entries()) {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32BE(first + i * 29)
      assert.equal(decodeParameter(bytes, 1, 1082), row[0]?.toString())
    }
  }
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
    const packet = encodeStartupMessage(version, [...settings('nobody'), ['user', 'postgres'], ...options])
    const other = await Client.open(server, packet)
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
    const other = await Client.open(server, packet)
    const refusal = other.greeting.find((frame) => frame.type === backend.ErrorResponse)
    assert.equal(refusal && decodeErrorResponse(refusal.body).get('M'), message)
    await other.end()
  }
})

function settings(user: string): [string, string][] {
  return [
    ['user', user],
    ['database', 'postgres'],
    ['client_encoding', 'UTF8'],
    ['TimeZone', 'UTC'],
  ]
}

function startupPacket(parameters: string): Buffer {
  const packet = Buffer.concat([Buffer.from('0000000000030000', 'hex'), Buffer.from(parameters)])
  packet.writeInt32BE(packet.length)
  return packet
}

async function compare(expression: string): Promise<void> {
  const [text] = await client.rows(`select ${expression}`, 0)
  const [binary] = await client.rows(`select ${expression}`, 1)
  const actual = decodeParameter(binary?.[0] ?? null, 1, client.typeOid)
  assert.equal(actual, text?.[0]?.toString(), `${expression} as ${client.typeOid}`)
}

async function binaryOf(expression: string): Promise<Buffer | null> {
  const [row] = await client.rows(`select ${expression}`, 1)
  return row?.[0] ?? null
}

/** A client made of the codec and a socket, and nothing else. */
class Client {
  readonly greeting: Frame[] = []
  typeOid = 0
  readonly #socket: Socket
  readonly #framer = new Framer({ messageBytesMax: 16 * 1024 * 1024 })

  constructor(socket: Socket) {
    this.#socket = socket
  }

  static async open(server: SandboxPostgres, startup: Buffer): Promise<Client> {
    const socket = connect(join(server.socketDirectory, `.s.PGSQL.${server.port}`))
    await once(socket, 'connect')
    const client = new Client(socket)
    client.greeting.push(...(await client.ask([startup])))
    const authentication = client.greeting.find((frame) => frame.type === backend.Authentication)
    if (authentication) assert.deepEqual(decodeAuthentication(authentication.body), { kind: 'Ok' })
    return client
  }

  /** Sends, and gives all frames until ReadyForQuery or the end of the connection. */
  ask(messages: readonly Buffer[]): Promise<Frame[]> {
    return new Promise((resolve, reject) => {
      const frames: Frame[] = []
      const onEnd = () => resolve(frames)
      const onData = (chunk: Buffer) => {
        this.#framer.push(chunk)
        for (let frame = this.#framer.next(); frame !== null; frame = this.#framer.next()) {
          frames.push(frame)
          if (frame.type !== backend.ReadyForQuery) continue
          this.#socket.off('data', onData).off('end', onEnd).off('error', reject)
          resolve(frames)
        }
      }
      this.#socket.on('data', onData).on('end', onEnd).on('error', reject)
      this.#socket.write(Buffer.concat(messages))
    })
  }

  async rows(sql: string, format: 0 | 1): Promise<(Buffer | null)[][]> {
    const frames = await this.ask([
      encodeParse({ sql }),
      encodeBind({ resultFormats: [format] }),
      encodeDescribe('P', ''),
      encodeExecute('', 0),
      sync,
    ])
    for (const frame of frames) {
      if (frame.type === backend.ErrorResponse) assert.fail(`${sql}: ${decodeErrorResponse(frame.body).get('M')}`)
      if (frame.type === backend.RowDescription) this.typeOid = decodeRowDescription(frame.body)[0]?.typeOid ?? 0
    }
    return frames.filter((frame) => frame.type === backend.DataRow).map((frame) => decodeDataRow(frame.body))
  }

  async end(): Promise<void> {
    // After a refusal PostgreSQL has closed its side already.
    if (this.#socket.readableEnded) this.#socket.destroy()
    else await once(this.#socket.end(terminate), 'close')
  }
}
