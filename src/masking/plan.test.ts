import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnKey } from '../core/catalog.ts'
import type { ClassifiedColumn, MaskingRule } from '../core/classification.ts'
import type { OutputLineage, Sources } from '../core/lineage.ts'
import type { FieldDescription } from '../wire/backend.ts'
import type { MaskedColumn, Masker } from './mask.ts'
import { type PlanBasis, planCopy, planRows } from './plan.ts'

const email: ColumnKey = '1.2'
const phone: ColumnKey = '1.3'
const text = 25

function column(key: ColumnKey, masking: MaskingRule): readonly [ColumnKey, ClassifiedColumn] {
  return [key, { key, schema: 'public', relation: 'customers', column: key, tags: ['pii'], masking, origin: 'file' }]
}

const columns = new Map([column(email, { function: 'partial', keep: 4 }), column(phone, { function: 'null' })])

function output(sources: Sources | readonly ColumnKey[], direct: ColumnKey | null = null): OutputLineage {
  const all = sources === 'unknown' ? sources : new Set(sources)
  return { sources: all, direct, type: text, typeModifier: -1, fields: null }
}

function field(tableOid = 0, attributeNumber = 0): FieldDescription {
  return { name: 'x', tableOid, attributeNumber, typeOid: text, typeSize: -1, typeModifier: -1, format: 0 }
}

/** A basis for somebody who may not see e-mail addresses. */
function basis(outputs: readonly OutputLineage[] | null, anyOutput: Sources = new Set()): PlanBasis {
  return {
    lineage: { outputs, anyOutput },
    columns,
    originOf: (relation, number) => {
      if (relation !== 1) return { sources: 'unknown', direct: null }
      const key: ColumnKey = `${relation}.${number}`
      return columns.has(key)
        ? { sources: new Set([key]), direct: key }
        : { sources: new Set<ColumnKey>(), direct: null }
    },
    isMasked: (sources) => sources === 'unknown' || sources.has(email),
    clientEncoding: 'UTF8',
  }
}

/** What each column is masked with; null where it is sent as it is. */
function rules(plan: (masker: Masker) => readonly unknown[] | null): readonly (string | null)[] | null {
  const asked: MaskedColumn[] = []
  const masks = plan({
    mask(masked) {
      asked.push(masked)
      return () => null
    },
  })
  return masks?.map((mask) => (mask === null ? null : (asked.shift()?.rule.function ?? null))) ?? null
}

const planned = (outputs: readonly OutputLineage[] | null, fields: readonly FieldDescription[], any?: Sources) =>
  rules((masker) => planRows({ ...basis(outputs, any), fields }, masker))

test('nothing is planned where neither witness tells of a masked column', () => {
  assert.equal(planned([output([]), output([phone], phone)], [field(), field(1, 3)]), null)
})

test('either witness is enough to mask', () => {
  assert.deepEqual(planned([output([email]), output([])], [field(), field()]), ['redact', null])
  assert.deepEqual(planned([output([]), output([])], [field(1, 2), field(1, 1)]), ['partial', null])
})

test('a column keeps its masking function only where both witnesses name it and nothing else', () => {
  assert.deepEqual(planned([output([email], email)], [field(1, 2)]), ['partial'])
  assert.deepEqual(planned([output([email], email)], [field()]), ['partial'])
  assert.deepEqual(planned([output([email, phone], email)], [field(1, 2)]), ['redact'])
  assert.deepEqual(planned([output([email])], [field(1, 2)]), ['redact'])
  assert.deepEqual(planned([output([email], email)], [field(7, 1)]), ['redact'])
})

test('an origin that the snapshot does not know is masked, whatever the lineage says', () => {
  assert.deepEqual(planned([output([])], [field(7, 1)]), ['redact'])
})

test('a lineage with another number of columns has understood nothing, and every column is masked', () => {
  assert.deepEqual(planned([output([])], [field(), field()]), ['redact', 'redact'])
})

test('where the lineage cannot tell columns apart each of them may hold what any of them does', () => {
  assert.deepEqual(planned(null, [field(), field()], new Set([email])), ['redact', 'redact'])
  assert.equal(planned(null, [field()], new Set([phone])), null)
})

test('COPY is planned by the lineage alone', () => {
  const plan = (outputs: readonly OutputLineage[], columnCount: number) =>
    rules((masker) => planCopy({ ...basis(outputs), columnCount, format: 0 }, masker))
  assert.deepEqual(plan([output([]), output([email], email)], 2), [null, 'partial'])
  assert.deepEqual(plan([output([])], 3), ['redact', 'redact', 'redact'])
})
