import type { ColumnKey, Oid } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type { OutputLineage, Sources } from '../../core/lineage.ts'
import { isNone, union } from './sources.ts'

/**
 * Columns of range table entries that a value points to, by entry and position; see `range-table.ts`. What is learnt
 * about an entry after its columns were read reaches every value through them.
 */
export type References = ReadonlySet<number>

/** What is known about the value of one expression, or of one column of something that yields rows. */
export interface Value {
  /** Classified columns that it derives from. */
  readonly sources: Sources
  /**
   * Classified columns of which it tells one bit, as EXISTS, a count or a constant behind a condition does. Such a value
   * goes out as it stands; any expression over it could put bits together again and derives from them.
   */
  readonly hints: Sources
  /** As `hints`, but only by whether there is a value at all: that of a subquery that may find no row. */
  readonly presence: Sources
  readonly references: References
  /** What conditions inside of its subqueries point to. */
  readonly innerReferences: References
  /** Set where it is exactly the value of this classified column. */
  readonly direct: ColumnKey | null
  /** 0 where it is not certain. */
  readonly type: Oid
  readonly typeModifier: number
  /** The fields of a whole row in order, if they are known. */
  readonly fields: readonly Field[] | null
  /** Whether it uses no column of any stored relation, so that whoever wrote the statement chose it. */
  readonly isSynthetic: boolean
  /** Whether it only counts rows. */
  readonly isCount: boolean
  /**
   * Whether it may be a classified value in one row and another in the next, as in a UNION of both: comparing rows with
   * each other then compares the two.
   */
  readonly isMixed: boolean
  /** As `isMixed` where it was worked out from both, so that it may say whether the two are the same. */
  readonly isCompared: boolean
  /** Whether an expression put it together, so that one-bit knowledge that is found later is promoted as well. */
  readonly isCombined: boolean
}

/** A column of a row, by name. */
export interface Field {
  readonly name: string
  readonly value: Value
}

/** No references, shared. */
export const noReferences: References = new Set()

/** A constant, a parameter, the time: what uses nothing. */
export const plainValue: Value = {
  sources: noSources,
  hints: noSources,
  presence: noSources,
  references: noReferences,
  innerReferences: noReferences,
  direct: null,
  type: 0,
  typeModifier: -1,
  fields: null,
  isSynthetic: true,
  isCount: false,
  isCombined: false,
  isMixed: false,
  isCompared: false,
}

/** What nothing is known of: it may derive from every classified column. */
export const unknownValue: Value = { ...plainValue, sources: 'unknown', isSynthetic: false }

/** A value that derives from these columns. */
export function derivedFrom(sources: Sources): Value {
  return isNone(sources) ? { ...plainValue, isSynthetic: false } : { ...plainValue, sources, isSynthetic: false }
}

/** An expression over values: one-bit knowledge is promoted, since it could be put together here. */
export function combine(values: readonly Value[]): Value {
  if (values.length === 0) return plainValue
  const merged = merge(values)
  const sources = union(merged.sources, union(merged.hints, merged.presence))
  return {
    ...merged,
    sources,
    hints: noSources,
    presence: noSources,
    isCount: false,
    isCombined: true,
    isMixed: isMixture(values),
    isCompared: merged.isCompared || isMixture(values),
  }
}

/** As `combine` for what only puts values next to each other, or takes one of them. */
export function combineWhole(values: readonly Value[]): Value {
  return { ...combine(values), isCompared: values.some((value) => value.isCompared) }
}

/** As `combineBits` for what holds values against each other. */
export function compareBits(values: readonly Value[]): Value {
  const bits = combineBits(values)
  return bits.isCompared || !isMixture(values) ? bits : { ...bits, isCompared: true }
}

/** As `combine` for what yields no more than one bit again: a comparison, NOT, AND, OR, a count's cast. */
export function combineBits(values: readonly Value[]): Value {
  return { ...merge(values), isCount: false }
}

/** Whether a classified value meets one that another column, or the row, decides about. */
function isMixture(values: readonly Value[]): boolean {
  if (values.some((value) => value.isMixed)) return true
  return (
    values.some((value) => !isNone(value.sources)) &&
    values.some((value) => isNone(value.sources) && value.references.size > 0)
  )
}

/** Everything of all values, each kind of knowledge kept apart. */
function merge(values: readonly Value[]): Value {
  let { sources, hints, presence, references, innerReferences, isSynthetic, isCount, isCombined, isMixed, isCompared } =
    plainValue
  for (const value of values) {
    sources = union(sources, value.sources)
    hints = union(hints, value.hints)
    presence = union(presence, value.presence)
    references = unionReferences(references, value.references)
    innerReferences = unionReferences(innerReferences, value.innerReferences)
    isSynthetic &&= value.isSynthetic
    isCount ||= value.isCount
    isCombined ||= value.isCombined
    isMixed ||= value.isMixed
    isCompared ||= value.isCompared
  }
  return {
    ...plainValue,
    sources,
    hints,
    presence,
    references,
    innerReferences,
    isSynthetic,
    isCount,
    isCombined,
    isMixed,
    isCompared,
  }
}

/**
 * A value that is one of several, such as a column of a UNION. What they agree on stays: the column it is exactly, its
 * type, its fields.
 */
export function either(values: readonly Value[]): Value {
  const [first] = values
  if (first === undefined) return plainValue
  if (values.length === 1) return first
  const merged = merge(values)
  const informative = values.filter((value) => !isNullConstant(value))
  const [model = first] = informative
  const isSame = (read: (value: Value) => unknown): boolean => informative.every((value) => read(value) === read(model))
  return {
    ...merged,
    isSynthetic: values.some((value) => value.isSynthetic),
    isMixed: merged.isMixed || new Set(informative.map((value) => isNone(value.sources))).size > 1,
    direct: isSame((value) => value.direct) ? model.direct : null,
    type: isSame((value) => value.type) ? model.type : 0,
    typeModifier: isSame((value) => value.typeModifier) ? model.typeModifier : -1,
    fields: eitherFields(informative),
  }
}

/** The constant NULL, which can be in place of any value. */
export const nullValue: Value = { ...plainValue }

function isNullConstant(value: Value): boolean {
  return value === nullValue
}

function eitherFields(values: readonly Value[]): readonly Field[] | null {
  const [first] = values
  const model = first?.fields
  if (model === null || model === undefined) return null
  const rows: (readonly Field[])[] = []
  for (const { fields } of values) {
    if (fields === null || fields.length !== model.length) return null
    rows.push(fields)
  }
  return model.map((field, index) => ({
    name: field.name,
    value: either(rows.map((row) => row[index]?.value ?? unknownValue)),
  }))
}

/** A whole row of these fields. */
export function rowOf(fields: readonly Field[], type: Oid): Value {
  const merged = merge(fields.map((field) => field.value))
  return { ...merged, type, fields, isCount: false, isMixed: false }
}

/** The value with more that it derives from; it is then nothing exactly any more. */
export function addSources(value: Value, sources: Sources): Value {
  if (isNone(sources)) return value
  const all = union(value.sources, sources)
  const fields = value.fields?.map((field) => ({ ...field, value: addSources(field.value, sources) })) ?? null
  if (all !== value.sources) return { ...value, sources: all, direct: null, fields }
  // Of a row one field may have them and another not.
  const isSame = fields?.every((field, index) => field.value === value.fields?.[index]?.value) ?? true
  return isSame ? value : { ...value, fields }
}

/** As `addSources` for a value that is no column as it is any more, even where it derives from nothing else. */
export function withdraw(value: Value, sources: Sources): Value {
  if (isNone(sources)) return value
  const fields = value.fields?.map((field) => ({ ...field, value: withdraw(field.value, sources) })) ?? null
  return { ...addSources(value, sources), direct: null, fields }
}

/** The value with more that it tells one bit of. */
export function addHints(value: Value, hints: Sources): Value {
  const all = union(value.hints, hints)
  return all === value.hints ? value : { ...value, hints: all }
}

/** The value with more that decides whether there is one. */
export function addPresence(value: Value, presence: Sources): Value {
  const all = union(value.presence, presence)
  return all === value.presence ? value : { ...value, presence: all }
}

/** All that a value tells of, be it one bit. */
export function tellsOf(value: Value): Sources {
  return union(value.sources, union(value.hints, value.presence))
}

/** What leaves as one column of a result: one-bit knowledge is documented inference and leaves as it stands. */
export function outputOf(value: Value): OutputLineage {
  return {
    sources: value.sources,
    direct: value.direct,
    type: value.type,
    typeModifier: value.typeModifier,
    fields: value.fields?.map((field) => outputOf(field.value)) ?? null,
  }
}

/** Both as one; references are shared like sources. */
export function unionReferences(left: References, right: References): References {
  if (left === right || right.size === 0) return left
  if (left.size === 0) return right
  const [large, small] = left.size >= right.size ? [left, right] : [right, left]
  for (const each of small) if (!large.has(each)) return new Set([...large, ...small])
  return large
}
