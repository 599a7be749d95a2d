import type { FieldDef } from 'pg'
import type { OutputLineage, Sources, StatementLineage } from '../../src/core/lineage.ts'
import { createMasker } from '../../src/masking/mask.ts'
import { planRows } from '../../src/masking/plan.ts'
import { createSchema } from '../../src/sql/lineage/schema.ts'
import type { RandomDatabase } from './databases.ts'

/** What a statement gave in one copy of the data. */
interface Given {
  readonly fields: readonly FieldDef[]
  readonly rows: readonly (readonly (string | null)[])[]
}

const key = Buffer.alloc(32, 3)

/**
 * Per masked output, what somebody sees of it from whom everything classified is kept, NULLs included; null for outputs
 * that are raw and for columns as they are, of which is seen what is NULL.
 */
export function shownOf(
  { lineage, given }: { readonly lineage: StatementLineage; readonly given: Given },
  { catalog, classification }: RandomDatabase,
): readonly (readonly string[] | null)[] {
  const schema = createSchema({ catalog, classification, pending: [] })
  const columns = new Map(
    [...classification.columns].map(([each, column]) => [
      each,
      { ...column, masking: { function: 'redact' } as const },
    ]),
  )
  const masker = createMasker({
    key,
    typeOf: (oid) => catalog.type(oid),
    fieldsOf: (relation) => catalog.relation(relation)?.columns,
  })
  const fields = given.fields.map((field) => ({
    name: field.name,
    tableOid: field.tableID,
    attributeNumber: field.columnID,
    typeOid: field.dataTypeID,
    typeSize: field.dataTypeSize,
    typeModifier: field.dataTypeModifier,
    format: 0,
  }))
  const isMasked = (sources: Sources): boolean => sources === 'unknown' || sources.size > 0
  const originOf = (relation: number, column: number) => schema.sourcesOf(relation, column)
  const masks = planRows({ lineage, columns, originOf, isMasked, clientEncoding: 'UTF8', fields }, masker)
  return given.fields.map((_field, at) => {
    const mask = masks?.[at] ?? null
    const output = lineage.outputs?.[at]
    if (mask === null || output === undefined || isAsItIs(output)) return null
    return given.rows
      .map((row) => {
        const value = row[at] ?? null
        return mask(value === null ? null : Buffer.from(value))?.toString('latin1') ?? 'NULL'
      })
      .toSorted((left, right) => (left < right ? -1 : Number(left > right)))
  })
}

function isAsItIs({ direct, fields }: OutputLineage): boolean {
  return direct !== null || (fields?.some(isAsItIs) ?? false)
}
