import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import type { MaskingRule } from '../core/classification.ts'
import { createMasker } from './mask.ts'
import type { Masker } from './mask.ts'
import { readTypes, RawSession, testKey } from './testing.ts'

// A real PostgreSQL gives every value, and judges what is put in its place.

const rules: readonly MaskingRule[] = [
  { function: 'redact' },
  { function: 'null' },
  { function: 'pseudonym' },
  { function: 'partial', keep: 4 },
  { function: 'year' },
]

// The second is what must not be found in what is shown.
const samples: readonly (readonly [expression: string, canary: string])[] = [
  [`'canary-value-4711'::text`, 'canary'],
  [`'canary'::varchar(6)`, 'canary'],
  [`'canary-value-4711'::varchar(20)`, 'canary'],
  [`'canary'::char(10)`, 'canary'],
  [`'canary-value-4711'::char(30)`, 'canary'],
  [`'canary'::char(3)`, 'can'],
  [`'canary'::name`, 'canary'],
  [`'Z'::"char"`, 'Z'],
  [`31337::int2`, '31337'],
  [`-1234567890::int4`, '1234567890'],
  [`1234567890123456789::int8`, '1234567890123456789'],
  [`1234567.891::numeric`, '1234567'],
  [`1234567.89::numeric(9,2)`, '1234567'],
  [`12345678901234567890.5::numeric(30,4)`, '12345678901234567890'],
  [`1.5::numeric(2,1)`, '1.5'],
  [`'NaN'::numeric`, 'NaN'],
  [`1234.5::float4`, '1234.5'],
  [`1234.5678::float8`, '1234.5678'],
  [`1234.56::text::money`, '1,234'],
  [`true`, 't'],
  [`'canary'::bytea`, 'canary'],
  [`date '1987-06-05'`, '06'],
  [`date '0044-03-15 BC'`, '15'],
  [`date '12345-06-07'`, '07'],
  [`date 'infinity'`, '(nothing to find)'],
  [`time '13:14:15.161718'`, '13:14'],
  [`timetz '13:14:15.161718+05:45'`, '13:14'],
  [`timestamp '1987-06-05 13:14:15.161718'`, '13:14'],
  [`timestamp '0044-03-15 13:14:15 BC'`, '13:14'],
  [`timestamptz '1987-06-05 13:14:15.161718+02'`, '14:15'],
  [`timestamptz '-infinity'`, '(nothing to find)'],
  [`interval '3 years 4 mons -5 days 06:07:08'`, '06:07'],
  [`'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid`, '6ba7'],
  [`'192.168.77.88/24'::inet`, '77'],
  [`'2001:db8::1'::inet`, 'db8'],
  [`'192.168.77.0/24'::cidr`, '77'],
  [`'08:00:2b:01:02:03'::macaddr`, '2b'],
  [`'08:00:2b:01:02:03:04:05'::macaddr8`, '2b'],
  [`B'1011'::bit(4)`, '1011'],
  [`B'1011'::varbit(9)`, '1011'],
  [`'{"canary": [1, "x"]}'::json`, 'canary'],
  [`'{"canary": [1, "x"]}'::jsonb`, 'canary'],
  [`'$.canary[*]'::jsonpath`, 'canary'],
  [`'<canary/>'::xml`, 'canary'],
  [`to_tsvector('simple', 'canary bird')`, 'canary'],
  [`'canary & bird'::tsquery`, 'canary'],
  [`point(77, 88)`, '77'],
  [`'[(77,88),(1,2)]'::lseg`, '77'],
  [`'[(77,88),(1,2)]'::path`, '77'],
  [`'((77,88),(1,2))'::polygon`, '77'],
  [`'(77,88),(1,2)'::box`, '77'],
  [`'{77,88,1}'::line`, '77'],
  [`'<(77,88),5>'::circle`, '77'],
  [`12345::oid`, '12345'],
  [`'pg_class'::regclass`, 'pg_class'],
  [`'int4pl'::regproc`, 'int4pl'],
  [`'int4'::regtype`, 'integer'],
  [`'postgres'::regrole`, 'postgres'],
  [`'+(int4,int4)'::regoperator`, '+'],
  [`12345::text::xid`, '12345'],
  [`12345::text::xid8`, '12345'],
  [`'(77,88)'::tid`, '77'],
  [`'16/B374D848'::pg_lsn`, 'B374'],
  [`'77 88'::int2vector`, '77'],
  [`'77 88'::oidvector`, '77'],
  [`'77:99:80'::pg_snapshot`, '77'],
  [`'77:99:80'::txid_snapshot`, '77'],
  [`'postgres=r/postgres'::aclitem`, 'postgres'],
  [`'canary'::refcursor`, 'canary'],
  [`'canary'::mood`, 'canary'],
  [`'canary-value-4711'::citext`, 'canary'],
  [`'canary=>bird'::hstore`, 'canary'],
  [`'canary.bird'::ltree`, 'canary'],
  [`'canary-value-4711'::email`, 'canary'],
  [`'canary-value-4711'::short_email`, 'canary'],
  [`int4range(77, 88)`, '77'],
  [`tstzrange('1987-06-05', '1988-06-05')`, '06'],
  [`'{[77,88),[99,111)}'::int8multirange`, '77'],
  [`'{}'::text[]`, '(nothing to find)'],
  [`'{canary,NULL,"a \\"canary\\" \\\\","","null"}'::text[]`, 'canary'],
  [`'[2:3][-1:0]={{canary,b},{NULL,d}}'::varchar(8)[]`, 'canary'],
  [`array[point(77,88), null]`, '77'],
  [`array['(77,88),(1,2)'::box, '(77,88),(1,3)'::box]`, '77'],
  [`array[interval '77 days', null]`, '77'],
  [`array['canary'::mood, null]`, 'canary'],
  [`array['canary-value-4711'::email]`, 'canary'],
  [`array[1234567890, null]`, '1234567890'],
  [`array[timestamptz '1987-06-05 13:14:15+02']`, '13:14'],
  [`array[int4range(77, 88)]`, '77'],
  [`array['canary=>bird'::hstore]`, 'canary'],
  [`'77 88'::int2vector::int2[]`, '77'],
  [`row(7777, 'canary "x", (y)', null, '{canary}', '1987-06-05')::person`, 'canary'],
  [`row(row(7777, 'canary\\', null, null, null)::person, 'canary')::pair`, 'canary'],
  [`array[row(7777, '', null, null, null)::person]`, '7777'],
  [`row(7777, 'canary'::text, null::int4, array['canary'])`, 'canary'],
]

let server: SandboxPostgres
let session: RawSession
let masker: Masker

before(async () => {
  server = await startPostgres()
  await server.query(
    'postgres',
    `create extension citext; create extension hstore; create extension ltree;
     create type mood as enum ('canary', 'sad');
     create domain email as text check (value <> ''); create domain short_email as varchar(30);
     create table person (id int4, dropped int4, name varchar(40), age numeric(5,1), tags text[], born date);
     alter table person drop column dropped;
     create type pair as (one person, two email)`,
  )
  session = await RawSession.open(server)
  masker = createMasker({ key: testKey, ...(await readTypes(server, 'postgres')) })
})

after(async () => {
  await session.end()
  await server.stop()
})

const styles: readonly (readonly string[])[] = [
  ['set datestyle = iso'],
  ['set datestyle = sql, dmy', 'set intervalstyle = sql_standard', 'set extra_float_digits = 0'],
  ['set datestyle = postgres, mdy', 'set intervalstyle = postgres_verbose', `set timezone = 'America/St_Johns'`],
  ['set datestyle = postgres, dmy', 'set bytea_output = escape', `set timezone = 'Asia/Kathmandu'`],
  ['set datestyle = german', 'set intervalstyle = iso_8601', `set timezone = 'Europe/Berlin'`],
]

for (const style of styles) {
  test(`what stands in for a value is a valid one and does not show it, under ${style.join(', ')}`, async () => {
    await session.run(`reset all; ${style.join('; ')}`)
    for (const [expression, canary] of samples) {
      for (const format of [0, 1] as const) {
        if (format === 1 && /aclitem|gtsvector/.test(expression)) continue
        const { fields, values } = await session.row(`select ${expression}`, format)
        const [field, value] = [fields[0], values[0]]
        assert.ok(field !== undefined && value !== null && value !== undefined)
        for (const rule of rules) {
          const about = `${expression} in ${format} by ${rule.function}`
          const masked = masker.mask({ type: field.typeOid, typeModifier: field.typeModifier, format, rule })(value)
          if (rule.function === 'null') assert.equal(masked, null, about)
          if (masked === null) {
            const isValueless = /aclitem|^'canary'::mood|hstore|ltree|^row\(7777, 'canary'::text/.test(expression)
            assert.ok(rule.function === 'null' || isValueless, about)
            continue
          }
          assert.ok(!masked.toString('latin1').includes(canary), `${about}: ${masked.toString('latin1')}`)
          const isEmpty = expression === `'{}'::text[]`
          const isInfinite = rule.function === 'year' && expression.includes('infinity')
          if (!isEmpty && !isInfinite) assert.notDeepEqual(masked, value, about)
          // Input of an anonymous row is not implemented in PostgreSQL.
          if (field.typeOid !== 2249) await session.accept(field.typeOid, format, masked)
        }
      }
    }
  })
}

test('what an expression made is one valid placeholder, whatever the value, the style and NULL', async () => {
  for (const style of styles) {
    await session.run(`reset all; ${style.join('; ')}`)
    for (const [expression] of samples) {
      for (const format of [0, 1] as const) {
        if (format === 1 && /aclitem|gtsvector/.test(expression)) continue
        const { fields, values } = await session.row(`select ${expression}`, format)
        const [field, value] = [fields[0], values[0]]
        assert.ok(field !== undefined && value !== null && value !== undefined)
        const { typeOid: type, typeModifier } = field
        const about = `${expression} in ${String(format)}`
        const expected = masker.mask({
          type,
          typeModifier,
          format,
          rule: rules[0] ?? { function: 'redact' },
          isDerived: true,
        })
        const placeholder = expected(null)
        assert.deepEqual(expected(value), placeholder, about)
        assert.deepEqual(expected(Buffer.from('infinity')), placeholder, about)
        if (placeholder === null) assert.match(expression, /aclitem|canary'::mood$|hstore|ltree|^row\(/, about)
        else if (type !== 2249) await session.accept(type, format, placeholder)
      }
    }
  }
})

test('every scalar type of PostgreSQL has a placeholder that it takes itself, in text and in binary, or NULL', async () => {
  await session.run('reset all')
  const { types } = await readTypes(server, 'postgres')
  const without: string[] = []
  for (const type of types.values()) {
    if (type.schema !== 'pg_catalog' || type.kind !== 'base' || type.category === 'A') continue
    for (const format of [0, 1] as const) {
      const masked = masker.mask({ type: type.oid, typeModifier: -1, format, rule: { function: 'redact' } })(
        Buffer.from('x'),
      )
      if (masked === null) {
        if (format === 0) without.push(type.name)
        continue
      }
      const text = await session.accept(type.oid, format, masked)
      if (format === 0 && !/money|xml|unknown/.test(type.name))
        assert.equal(text.trim(), masked.toString().trim(), type.name)
    }
  }
  assert.deepEqual(
    without.sort(),
    'aclitem gtsvector pg_brin_bloom_summary pg_brin_minmax_multi_summary pg_dependencies pg_mcv_list pg_ndistinct pg_node_tree'.split(
      ' ',
    ),
  )
})

test('equal values have equal pseudonyms in text and in binary, whatever the type', async () => {
  await session.run('reset all')
  const groups: readonly (readonly string[])[] = [
    [`'Ann Lee'::text`, `'Ann Lee'::varchar(40)`, `'Ann Lee'::citext`, `'Ann Lee'::email`, `'Ann Lee'::name`],
    [`42::int4`, `42::oid`],
    [`42::int8`, `42::numeric`, `42.000::numeric`],
    [`'6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid`],
    [`'\\x00ff27'::bytea`],
    [`date '1987-06-05'`],
    [`date '0044-03-15 BC'`],
    [`date 'infinity'`],
    [`timestamptz '1987-06-05 13:14:15.161718+02'`, `timestamptz '1987-06-05 11:14:15.161718+00'`],
    [`timestamp '1987-06-05 13:14:15'`],
    [`-12.50::numeric`],
    [`0.00001234::numeric`],
    [`1e30::numeric`],
  ]
  const seen = new Set<string>()
  for (const group of groups) {
    const texts = new Set<string>()
    for (const expression of group) {
      for (const format of [0, 1] as const) {
        const { fields, values } = await session.row(`select ${expression}`, format)
        const field = fields[0]
        assert.ok(field !== undefined && values[0] !== null && values[0] !== undefined)
        const mask = masker.mask({
          type: field.typeOid,
          typeModifier: field.typeModifier,
          format,
          rule: { function: 'pseudonym' },
        })
        const masked = mask(values[0])
        assert.ok(masked !== null, expression)
        texts.add(await session.accept(field.typeOid, format, masked))
      }
    }
    assert.equal(texts.size, 1, `${group.join()}: ${[...texts].join()}`)
    for (const text of texts) {
      assert.ok(!seen.has(text), text)
      seen.add(text)
    }
  }
})

test('a date keeps its year in the style in which it came, and a timestamp tells neither season nor zone', async () => {
  const year = async (expression: string, format: 0 | 1 = 0) => {
    const { fields, values } = await session.row(`select ${expression}`, format)
    const mask = masker.mask({ type: fields[0]?.typeOid ?? 0, typeModifier: -1, format, rule: { function: 'year' } })
    return mask(values[0] ?? Buffer.alloc(0))
  }
  const expected: readonly (readonly [string, string, string, string])[] = [
    ['iso', '1987-01-01', '1987-01-01 00:00:00', '1987-01-01 00:00:00+00'],
    ['sql, dmy', '01/01/1987', '01/01/1987 00:00:00', '01/01/1987 00:00:00 UTC'],
    ['postgres, mdy', '01-01-1987', 'Thu Jan 01 00:00:00 1987', 'Thu Jan 01 00:00:00 1987 UTC'],
    ['postgres, dmy', '01-01-1987', 'Thu 01 Jan 00:00:00 1987', 'Thu 01 Jan 00:00:00 1987 UTC'],
    ['german', '01.01.1987', '01.01.1987 00:00:00', '01.01.1987 00:00:00 UTC'],
  ]
  for (const [style, date, timestamp, timestamptz] of expected) {
    await session.run(`reset all; set timezone = 'Europe/Berlin'; set datestyle = ${style}`)
    assert.equal(String(await year(`date '1987-06-23'`)), date)
    assert.equal(String(await year(`timestamp '1987-06-23 10:11:12.13'`)), timestamp)
    assert.equal(String(await year(`timestamptz '1987-06-23 10:11:12.13+02'`)), timestamptz)
    assert.match(String(await year(`date '0044-03-15 BC'`)), /0044.* BC$|0044 BC$/)
    assert.match(String(await year(`timestamp '0044-03-15 10:11:12 BC'`)), /0044.* BC$/)
    assert.match(String(await year(`timestamptz '0044-03-15 10:11:12 BC'`)), /0044.* BC$/)
    assert.equal(String(await year(`date '-infinity'`)), '-infinity')
  }
  await session.run(`reset all; set timezone = 'Europe/Berlin'`)
  assert.equal(String(await year(`timestamptz '1986-12-31 23:30+00'`)), '1986-01-01 00:00:00+00')
  for (const expression of [`date '0044-03-15 BC'`, `timestamptz '1986-12-31 23:30+00'`, `date '5874897-12-31'`]) {
    const binary = await year(expression, 1)
    const { fields } = await session.row(`select ${expression}`, 0)
    await session.run(`set timezone = 'UTC'`)
    assert.equal(
      await session.accept(fields[0]?.typeOid ?? 0, 1, binary ?? Buffer.alloc(0)),
      String(await year(expression)),
    )
    await session.run(`set timezone = 'Europe/Berlin'`)
  }
})

test('a row shows the fields that it may and no others, in text and in binary', async () => {
  await session.run('reset all')
  const redact = { rule: { function: 'redact' } } as const
  const expression = `row(7777, 'canary "x", (y\\)', 12.5, '{canary}', '1987-06-05')::person`
  for (const format of [0, 1] as const) {
    const { fields, values } = await session.row(`select ${expression}`, format)
    const type = fields[0]?.typeOid ?? 0
    const value = values[0] ?? Buffer.alloc(0)
    const show = async (fieldMasks: readonly (typeof redact | null)[]) => {
      const masked = masker.mask({ type, typeModifier: -1, format, rule: redact.rule, fields: fieldMasks })(value)
      return masked === null ? null : session.accept(type, format, masked)
    }
    assert.equal(await show([null, redact, null, redact, null]), '(7777,[masked],12.5,{[masked]},1987-06-05)')
    assert.equal(
      await show([redact, null, redact, null, redact]),
      String.raw`(0,"canary ""x"", (y\\)",0.0,{canary},1900-01-01)`,
    )
    assert.equal(await show([null, null, null, null]), null)
  }
})
