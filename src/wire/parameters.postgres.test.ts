import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { encodeQuery } from './frontend.ts'
import { decodeParameter } from './parameters.ts'
import { encodeStartupMessage, protocol32 } from './startup.ts'
import { CodecClient, plainSettings } from './testing.ts'

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
let client: CodecClient

before(async () => {
  server = await startPostgres()
  const socketFile = join(server.socketDirectory, `.s.PGSQL.${server.port}`)
  client = await CodecClient.open(socketFile, encodeStartupMessage(protocol32, plainSettings))
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
