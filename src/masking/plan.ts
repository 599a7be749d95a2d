import type { ColumnKey, Oid } from '../core/catalog.ts'
import type { ClassifiedColumn, MaskingRule } from '../core/classification.ts'
import type { OutputLineage, Sources, StatementLineage } from '../core/lineage.ts'
import type { FieldDescription } from '../wire/backend.ts'
import type { FieldMask, Mask, Masker } from './mask.ts'

/** What a masking plan rests on. */
export interface PlanBasis {
  readonly lineage: Pick<StatementLineage, 'outputs' | 'anyOutput'>
  readonly columns: ReadonlyMap<ColumnKey, ClassifiedColumn>
  /** What the rows of a relation's column hold, for the origins that PostgreSQL tells. */
  originOf(relation: Oid, column: number): { readonly sources: Sources; readonly direct: ColumnKey | null }
  /** Whether any of these columns is one that the principal may not see. */
  readonly isMasked: (sources: Sources) => boolean
  readonly clientEncoding: string
}

const unknownOutput: OutputLineage = {
  sources: 'unknown',
  direct: null,
  type: 0,
  typeModifier: -1,
  fields: null,
}

const redact: MaskingRule = { function: 'redact' }

/**
 * The masks of a result, column by column, or null where nothing of it is masked. There are two witnesses: the lineage
 * of the text, and the origins in PostgreSQL's own description of the result. Either is enough to mask. Where they
 * disagree about how many columns there are, the lineage has understood nothing, and every column may hold anything.
 */
export function planRows(
  basis: PlanBasis & { readonly fields: readonly FieldDescription[] },
  masker: Masker,
): readonly (Mask | null)[] | null {
  const { fields } = basis
  const masks = outputsOf(basis, fields.length).map((output, index) => {
    const field = fields[index]
    if (field === undefined) return null
    const origin = field.tableOid === 0 ? null : basis.originOf(field.tableOid, field.attributeNumber)
    const isOutputMasked = basis.isMasked(output.sources)
    const isOriginMasked = origin !== null && basis.isMasked(origin.sources)
    if (!isOutputMasked && !isOriginMasked) return null
    const rule = isOutputMasked
      ? ruleOf(output, basis, isOriginMasked ? origin.direct : output.direct)
      : ruleOf(origin ?? output, basis, origin?.direct ?? null)
    return masker.mask({
      type: field.typeOid,
      typeModifier: field.typeModifier,
      format: field.format === 1 ? 1 : 0,
      rule,
      // What the lineage calls clean although it is not was not understood.
      isDerived: !isOutputMasked || isMade(output, basis),
      fields: isOutputMasked ? fieldMasks(output, basis) : null,
      clientEncoding: basis.clientEncoding,
    })
  })
  return masks.some((mask) => mask !== null) ? masks : null
}

/** The masks of COPY TO, for which PostgreSQL describes no types: a column whose type is not certain becomes NULL. */
export function planCopy(
  basis: PlanBasis & { readonly columnCount: number; readonly format: 0 | 1 },
  masker: Masker,
): readonly (Mask | null)[] | null {
  const masks = outputsOf(basis, basis.columnCount).map((output) => {
    if (!basis.isMasked(output.sources)) return null
    const { type, typeModifier } = output
    const rule = ruleOf(output, basis, output.direct)
    const { format, clientEncoding } = basis
    const isDerived = isMade(output, basis)
    const inner = fieldMasks(output, basis)
    return masker.mask({ type, typeModifier, format, rule, isDerived, fields: inner, clientEncoding })
  })
  return masks.some((mask) => mask !== null) ? masks : null
}

function outputsOf({ lineage }: PlanBasis, count: number): readonly OutputLineage[] {
  const { outputs, anyOutput } = lineage
  if (outputs?.length === count) return outputs
  const output = outputs === null ? { ...unknownOutput, sources: anyOutput } : unknownOutput
  return Array.from({ length: count }, () => output)
}

/** The rule of the column whose values these are; a placeholder for what is only derived from it. */
function ruleOf(
  value: { readonly sources: Sources; readonly direct: ColumnKey | null },
  { columns }: PlanBasis,
  witness: ColumnKey | null,
): MaskingRule {
  const { sources, direct } = value
  if (direct === null || direct !== witness) return redact
  // A value that may also be another's must not be shown in part.
  if (sources === 'unknown' || sources.size !== 1 || !sources.has(direct)) return redact
  return columns.get(direct)?.masking ?? redact
}

/** Whether an expression made all of it: a row has fields that did not if one of them is raw or a column as it is. */
function isMade({ direct, fields }: OutputLineage, basis: PlanBasis): boolean {
  if (direct !== null) return false
  return fields === null || fields.every((field) => basis.isMasked(field.sources) && isMade(field, basis))
}

/** A whole row is masked field by field where its fields are known. */
function fieldMasks({ fields, direct }: OutputLineage, basis: PlanBasis): readonly (FieldMask | null)[] | null {
  if (fields === null) return null
  return fields.map((field) =>
    basis.isMasked(field.sources)
      ? {
          rule: ruleOf(field, basis, field.direct),
          isDerived: direct === null && isMade(field, basis),
          fields: fieldMasks(field, basis),
          type: field.type,
          typeModifier: field.typeModifier,
        }
      : null,
  )
}
