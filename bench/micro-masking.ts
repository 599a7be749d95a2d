import type { MaskingRule } from '../src/core/classification.ts'
import type { CopyFormat } from '../src/core/lineage.ts'
import { createCopyMasker } from '../src/masking/copy.ts'
import { createMasker, type Mask } from '../src/masking/mask.ts'
import { maskDataRow } from '../src/masking/rows.ts'
import { createRedactor } from '../src/redaction/redact.ts'
import { shown, table } from './figures.ts'
import { ownTimeUs } from './processor-time.ts'
import { analyticalSql, selectSql, updateSql } from './statements.ts'
import { time } from './timing.ts'

const key = Buffer.alloc(32, 7)
const textType = 25
const maskedAt = 3

const rules: readonly MaskingRule[] = [
  { function: 'null' },
  { function: 'redact' },
  { function: 'partial', keep: 4 },
  { function: 'pseudonym' },
]

/** Times the masks of rows and of COPY data, one text of ten, and the redaction of what is recorded. */
export function benchMasking(): string {
  const masker = createMasker({ key, typeOf: () => undefined })
  const rows = rules.map((rule) => {
    const mask = masker.mask({ type: textType, typeModifier: -1, format: 0, rule })
    const masks = valuesOf(0).map((_, at) => (at === maskedAt ? mask : null))
    const row = [rule.function, shown(time(20_000, () => mask(email)) * 1_000), shown(rowNs(masks))]
    return row.concat(formats.map((copy) => shown(copyMbPerS(copy, masks))))
  })
  return [
    table(
      ['one text of ten', 'mask ns', 'maskDataRow ns', ...formats.map(({ format }) => `COPY ${format} MB/s`)],
      rows,
    ),
    table(['redaction, µs', 'screen', 'redact'], redactionRows()),
  ].join('\n\n')
}

const email = Buffer.from('c4ca4238a0b92382@example.com')

function valuesOf(row: number): readonly Buffer[] {
  return Array.from({ length: 10 }, (_, at) =>
    at === maskedAt
      ? Buffer.from(`c4ca4238a${String(row)}@example.com`)
      : Buffer.from(`c4ca4238a0b9${String(row + at)}`),
  )
}

function rowNs(masks: readonly (Mask | null)[]): number {
  const messages = Array.from({ length: 256 }, (_, row) => {
    const fields = valuesOf(row).flatMap((value) => [int32(value.length), value])
    const body = Buffer.concat([Buffer.from([0, 10]), ...fields])
    return Buffer.concat([Buffer.from('D'), int32(body.length + 4), body])
  })
  let at = 0
  return time(50_000, () => maskDataRow(messages[(at = (at + 1) & 255)] ?? email, masks)) * 1_000
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const text: CopyFormat = {
  format: 'text',
  hasHeader: false,
  delimiter: '\t',
  quote: '"',
  escape: '"',
  null: '\\N',
  isUncertain: false,
}
const formats: readonly CopyFormat[] = [
  text,
  { ...text, format: 'csv', delimiter: ',', null: '' },
  { ...text, format: 'binary' },
]

/** One CopyData message for each row, as PostgreSQL sends them. */
function copyMbPerS(copy: CopyFormat, masks: readonly (Mask | null)[]): number {
  const payloads = Array.from({ length: 1_000 }, (_, row) => copyRow(copy, valuesOf(row)))
  const masker = createCopyMasker({ copy, masks, columnCount: masks.length })
  if (copy.format === 'binary')
    masker.take(Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]))
  const bytes = payloads.reduce((sum, { length }) => sum + length, 0)
  const runs = 100
  for (let run = 0; run < 20; run += 1) for (const payload of payloads) masker.take(payload)
  const startUs = ownTimeUs()
  for (let run = 0; run < runs; run += 1) for (const payload of payloads) masker.take(payload)
  return (bytes * runs) / (ownTimeUs() - startUs)
}

function copyRow({ format, delimiter }: CopyFormat, values: readonly Buffer[]): Buffer {
  if (format !== 'binary') return Buffer.from(`${values.map(String).join(delimiter)}\n`)
  return Buffer.concat([Buffer.from([0, 10]), ...values.flatMap((value) => [int32(value.length), value])])
}

function redactionRows(): string[][] {
  const { statement, screen, parameter, screenParameter } = createRedactor({ key })
  const reading = { areStringsStandard: true, isName: () => true }
  const texts = { 'pgbench select': selectSql, 'pgbench update': updateSql, 'TPC-H Q5': analyticalSql }
  const parameters = { 'a number as a parameter': '12345', 'an e-mail address as a parameter': email.toString() }
  return [
    ...Object.entries(texts).map(([what, sql]) => [
      what,
      shown(time(2_000, () => screen(sql, reading))),
      shown(time(2_000, () => statement(sql, reading))),
    ]),
    ...Object.entries(parameters).map(([what, value]) => [
      what,
      shown(time(5_000, () => screenParameter(value))),
      shown(time(5_000, () => parameter(value))),
    ]),
  ]
}
