import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import type { MaskingRule } from '../core/classification.ts'
import type { CopyFormat } from '../core/lineage.ts'
import { createCopyMasker } from './copy.ts'
import type { Mask } from './mask.ts'
import { createMasker } from './mask.ts'
import { readTypes, RawSession, testKey } from './testing.ts'

const text: CopyFormat = {
  format: 'text',
  hasHeader: false,
  delimiter: '\t',
  quote: '"',
  escape: '"',
  null: '\\N',
  isUncertain: false,
}
const csv: CopyFormat = { ...text, format: 'csv', delimiter: ',', null: '' }

const formats: readonly (readonly [options: string, copy: CopyFormat])[] = [
  ['format text', text],
  ['format text, header', { ...text, hasHeader: true }],
  [`format text, delimiter '|', null ''`, { ...text, delimiter: '|', null: '' }],
  [`format text, delimiter E'\\x0b', null 'none'`, { ...text, delimiter: '\v', null: 'none' }],
  ['format csv', csv],
  ['format csv, header', { ...csv, hasHeader: true }],
  [
    `format csv, delimiter ';', quote '''', escape '\\', null 'NULL'`,
    { ...csv, delimiter: ';', quote: "'", escape: '\\', null: 'NULL' },
  ],
  ['format csv, force_quote *', csv],
  [`format csv, quote '"', escape '!', null '\\N'`, { ...csv, escape: '!', null: '\\N' }],
  ['format binary', { ...text, format: 'binary' }],
]

const nasty = [
  'canary',
  '',
  'canary\tcanary',
  'canary\ncanary',
  'a\rcanary',
  'canary\\',
  '\\',
  '\\N',
  '\\.',
  'NULL',
  'none',
  '"canary"',
  "can'ary",
  'canary,;|!',
  '\v\f\b',
  'x\\tcanary',
  '"',
  '""',
  ' ',
  'ö😀canary\\ncanary',
  '!"',
  '\\x41',
  '\\101',
]

let server: SandboxPostgres
let session: RawSession
let masks: (format: 0 | 1, rule: MaskingRule) => (Mask | null)[]

before(async () => {
  server = await startPostgres()
  session = await RawSession.open(server)
  await session.run(`
    create table t (id int, open text, secret text, "odd,""name
x" varchar(30), n numeric(12,2), born date, tags text[], doc jsonb, last text)`)
  for (const [index, value] of nasty.entries()) {
    const next = nasty[(index + 5) % nasty.length] ?? ''
    const quote = (raw: string) => `'${raw.replaceAll("'", "''")}'`
    await session.run(
      `insert into t values (${index}, ${quote(next)}, ${quote(value)}, ${quote(value.slice(0, 30))}, 4711.5, '1987-06-05',
       array[${quote(value)}, null], to_jsonb(${quote(value)}::text), ${quote(next)})`,
    )
  }
  await session.run(`insert into t (id) values (1000)`)
  const masker = createMasker({ key: testKey, ...(await readTypes(server, 'postgres')) })
  masks = (format, rule) => {
    const at = (type: number, typeModifier = -1) => masker.mask({ type, typeModifier, format, rule })
    return [null, null, at(25), at(1043, 34), at(1700, 4 + 12 * 65_536 + 2), at(1082), at(1009), at(3802), null]
  }
})

after(async () => {
  await session.end()
  await server.stop()
})

function maskAll(parts: readonly Buffer[], copy: CopyFormat, columnMasks: readonly (Mask | null)[]): Buffer {
  const masker = createCopyMasker({ copy, masks: columnMasks, columnCount: columnMasks.length })
  const masked = Buffer.concat(parts.map((part) => masker.take(part)))
  masker.end()
  return masked
}

for (const [options, copy] of formats) {
  test(`a masked COPY loads again, and what is not masked is as it was: ${options}`, async () => {
    const format = copy.format === 'binary' ? 1 : 0
    const from = options.replace(', force_quote *', '')
    const parts = await session.copyOut(`copy (select * from t order by id) to stdout (${options})`)
    assert.deepEqual(
      maskAll(
        parts,
        copy,
        masks(format, { function: 'redact' }).map(() => null),
      ),
      Buffer.concat(parts),
    )
    for (const rule of [{ function: 'redact' }, { function: 'pseudonym' }, { function: 'null' }] as const) {
      const masked = maskAll(parts, copy, masks(format, rule))
      await session.run('drop table if exists u; create table u (like t)')
      await session.copyIn(`copy u from stdin (${from})`, masked)
      const secret = await server.query(
        'postgres',
        `select u.id from u left join t on t.id = u.id and t.open is not distinct from u.open and t.last is not distinct from u.last
         where (t.id is null and u.id < 1000 and t.open not in ('', 'none', 'NULL')) or u::text ~ '4711|1987'
           or u.secret like '%canary%' or u.tags::text like '%canary%' or u.doc::text like '%canary%'
           or (u.id < 1000 and (u.secret is null) <> ${rule.function === 'null'} and u.id <> 1)`,
      )
      assert.deepEqual(secret, [], rule.function)
      const count = await server.query('postgres', 'select count(*)::int as n from u')
      assert.equal(count[0]?.['n'], nasty.length + 1)
    }
  })

  test(`how COPY data is spread over messages makes no difference: ${options}`, async () => {
    const format = copy.format === 'binary' ? 1 : 0
    const whole = Buffer.concat(await session.copyOut(`copy (select * from t order by id) to stdout (${options})`))
    const columnMasks = masks(format, { function: 'pseudonym' })
    const expected = maskAll([whole], copy, columnMasks)
    fc.assert(
      fc.property(fc.array(fc.nat({ max: whole.length }), { maxLength: 30 }), (cuts) => {
        const ends = [...cuts, whole.length].sort((a, b) => a - b)
        const pieces = ends.map((end, i) => whole.subarray(i === 0 ? 0 : ends[i - 1], end))
        assert.deepEqual(maskAll(pieces, copy, columnMasks), expected)
      }),
      { numRuns: 100 },
    )
  })
}

test('of one column, and of none, COPY is masked too', async () => {
  for (const [options, copy] of formats) {
    const format = copy.format === 'binary' ? 1 : 0
    const mask = masks(format, { function: 'redact' })[2] ?? null
    const parts = await session.copyOut(`copy (select secret from t order by id) to stdout (${options})`)
    assert.ok(!maskAll(parts, copy, [mask]).includes('canary'), options)
    await session.run('drop table if exists z; create table z (); insert into z default values')
    const none = await session.copyOut(`copy z to stdout (${options.replace(', force_quote *', '')})`)
    assert.deepEqual(maskAll(none, copy, []), Buffer.concat(none), options)
  }
})
