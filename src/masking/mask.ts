import type { CatalogType, Oid } from '../core/catalog.ts'
import type { MaskingRule } from '../core/classification.ts'
import { PosternError } from '../core/errors.ts'
import { binaryArrayMask, commaDelimiter, textArrayMask } from './arrays.ts'
import { binaryCompositeMask, textCompositeMask } from './composites.ts'
import { embedsAscii } from './encodings.ts'
import { createPseudonyms } from './pseudonym.ts'
import type { Pseudonyms } from './pseudonym.ts'
import { scalarMask, scalarPlaceholder, stringMask } from './scalars.ts'
import type { ScalarMask } from './scalars.ts'

/**
 * Replaces one value, given as the raw bytes of a DataRow's field; null is NULL. Of a column as it is NULL stays NULL;
 * what an expression made is the same for every value, NULL included. Never throws and never gives back the value or a
 * part of it, unless its rule is `partial` or `year` or a field of a row is to stay raw.
 */
export type Mask = (value: Buffer | null) => Buffer | null

/** What to do with a field of a row. */
export interface FieldMask {
  readonly rule: MaskingRule
  /**
   * Whether an expression made it. Such a value is one placeholder whatever it was, since an expression can put another
   * value into the length of an array, the bounds of a range, or into what is NULL and what is not.
   */
  readonly isDerived?: boolean
  /** Of a field that is a row itself, what to do with each field of it; null leaves one raw. */
  readonly fields?: readonly (FieldMask | null)[] | null
  /** Where it is left out, what the composite type says, or the row itself where it is binary. */
  readonly type?: Oid
  readonly typeModifier?: number
}

/** A column of rows or of COPY. */
export interface MaskedColumn extends FieldMask {
  /** 0 where it is not known: such values become NULL. */
  readonly type: Oid
  readonly typeModifier: number
  /** 0 text, 1 binary. */
  readonly format: 0 | 1
  /** The client_encoding in force, UTF8 where it is left out. In some of them arrays and rows in text become NULL. */
  readonly clientEncoding?: string
}

/** Makes masks under one key and one catalog snapshot. */
export interface Masker {
  mask(column: MaskedColumn): Mask
}

/** What masks need to know. */
export interface MaskerOptions {
  /** 32 bytes; the same key gives the same pseudonyms. */
  readonly key: Buffer
  readonly typeOf: (oid: Oid) => CatalogType | undefined
  /** The columns of a composite type's relation in order. Where it is not known, rows become NULL. */
  readonly fieldsOf?: (relation: Oid) => readonly { readonly type: Oid; readonly typeModifier: number }[] | undefined
}

const keyBytes = 32
const nestingMax = 16
const recordMasksMax = 1000
const recordType = 2249
const boxType = 603
const firstUserOid = 16_384
const redactedField: FieldMask = { rule: { function: 'redact' } }
const functions: ReadonlySet<string> = new Set(['redact', 'pseudonym', 'partial', 'year'])
// What CREATE TYPE of these says of their arrays; the catalog snapshot does not have it.
const delimiters: ReadonlyMap<string, number> = new Map([
  ['geometry', 0x3a],
  ['geography', 0x3a],
])

const toNull: Mask = () => null

/** A masker; throws `config_invalid` where the key has another length. */
export function createMasker(options: MaskerOptions): Masker {
  if (options.key.length !== keyBytes) {
    throw new PosternError('config_invalid', `the key for pseudonyms has ${options.key.length} bytes instead of 32`)
  }
  const pseudonyms = createPseudonyms(Buffer.from(options.key))
  return {
    mask(column) {
      const context: Context = {
        ...options,
        pseudonyms,
        format: column.format,
        isQuotable: column.format === 1 || !embedsAscii(column.clientEncoding ?? 'UTF8'),
        depth: 0,
      }
      if (column.isDerived === true) return constant(placeholderOrNull(column, context))
      const mask = build(column, context)
      // Masks answer malformed values with null; this holds whatever a mask has overlooked.
      return (value) => {
        try {
          return mask(value)
        } catch {
          return null
        }
      }
    },
  }
}

function placeholderOrNull(column: MaskedColumn, context: Context): Buffer | null {
  try {
    return build(column, context)(null)
  } catch {
    return null
  }
}

/** A value whose type is certain; 0 stands for one that is not. */
interface TypedMask {
  readonly type: Oid
  readonly typeModifier: number
  readonly rule: MaskingRule
  readonly isDerived?: boolean
  readonly fields?: FieldMask['fields']
}

interface Context {
  readonly typeOf: MaskerOptions['typeOf']
  readonly fieldsOf?: MaskerOptions['fieldsOf']
  readonly pseudonyms: Pseudonyms
  readonly format: 0 | 1
  /** Whether the text of arrays and rows can be taken apart. */
  readonly isQuotable: boolean
  readonly depth: number
}

/** The mask of a value; of one that an expression made a constant. */
function build(field: TypedMask, context: Context): Mask {
  // A rule that is not known masks most.
  if (field.type === 0 || context.depth > nestingMax || !functions.has(field.rule.function)) return toNull
  if (field.isDerived === true) return constant(placeholderOf(field, context))
  const mask = valueMask(field, context)
  return (value) => (value === null ? null : mask(value))
}

/** What stands for every value that an expression made; null where the type has nothing but NULL. */
function placeholderOf(field: TypedMask, context: Context): Buffer | null {
  const { type } = field
  const redacted: TypedMask = { ...field, rule: redactedField.rule }
  if (type === recordType) return recordPlaceholder(field.fields ?? null, context)
  const scalar = scalarPlaceholder(type, { ...redacted, format: context.format, pseudonyms: context.pseudonyms })
  if (scalar !== undefined) return scalar
  const catalogType = context.typeOf(type)
  if (catalogType === undefined) return null
  const inner = { ...context, depth: context.depth + 1 }
  switch (catalogType.kind) {
    case 'domain':
      return build(
        { ...redacted, type: catalogType.base, typeModifier: domainModifier(catalogType, field) },
        inner,
      )(null)
    case 'composite':
      return compositePlaceholder(catalogType, field, inner)
    case 'base':
      if (catalogType.category === 'A' && catalogType.element !== 0) {
        if (!context.isQuotable) return null
        return context.format === 0 ? Buffer.from('{}') : emptyArray(catalogType.element)
      }
      return baseMask(catalogType, redacted, inner)(Buffer.alloc(0))
    default:
      return catalogMask(catalogType, redacted, inner)(Buffer.alloc(0))
  }
}

/** A row of placeholders. */
function compositePlaceholder(type: CatalogType, field: TypedMask, context: Context): Buffer | null {
  const columns = context.fieldsOf?.(type.relation)
  if (columns === undefined || !context.isQuotable) return null
  const fields = field.fields ?? columns.map(() => redactedField)
  if (fields.length !== columns.length) return null
  return rowPlaceholder(
    columns.map(({ type: own, typeModifier }, index) => ({
      type: own,
      typeModifier,
      fields: fields[index]?.fields ?? null,
    })),
    context,
  )
}

/** A row of no named type, as far as the types of its fields are known. */
function recordPlaceholder(fields: FieldMask['fields'], context: Context): Buffer | null {
  if (fields === null || fields === undefined || !context.isQuotable) return null
  const known = fields.map((each) => ({
    type: each?.type ?? 0,
    typeModifier: each?.typeModifier ?? -1,
    fields: each?.fields ?? null,
  }))
  // In binary each field says its type.
  if (context.format === 1 && known.some(({ type }) => type === 0)) return null
  return rowPlaceholder(known, { ...context, depth: context.depth + 1 })
}

function rowPlaceholder(fields: readonly Omit<TypedMask, 'rule'>[], context: Context): Buffer | null {
  const masks = fields.map((field) => build({ ...field, rule: redactedField.rule, isDerived: true }, context))
  if (context.format === 0)
    return textCompositeMask(masks)(Buffer.from(`(${','.repeat(Math.max(0, masks.length - 1))})`))
  const empty = Buffer.alloc(4 + fields.length * 8, 0xff)
  empty.writeInt32BE(fields.length)
  for (const [index, { type }] of fields.entries()) empty.writeUInt32BE(type, 4 + index * 8)
  return binaryCompositeMask(masks.length, (index) => masks[index])(empty)
}

/** The mask of a value that is not NULL. */
function valueMask(field: TypedMask, context: Context): ScalarMask {
  const { type } = field
  if (type === recordType) return recordMask(field, context)
  const scalar = scalarMask(type, { ...field, format: context.format, pseudonyms: context.pseudonyms })
  if (scalar !== undefined) return scalar
  const catalogType = context.typeOf(type)
  return catalogType === undefined ? toNull : catalogMask(catalogType, field, { ...context, depth: context.depth + 1 })
}

function catalogMask(type: CatalogType, field: TypedMask, context: Context): ScalarMask {
  switch (type.kind) {
    case 'domain':
      return build({ ...field, type: type.base, typeModifier: domainModifier(type, field) }, context)
    case 'composite':
      return compositeMask(type, field, context)
    case 'range':
      return constant(context.format === 0 ? Buffer.from('empty') : Buffer.of(1))
    case 'multirange':
      return constant(context.format === 0 ? Buffer.from('{}') : Buffer.alloc(4))
    // One of an enum's labels would be taken for a value that somebody chose.
    case 'enum':
    case 'pseudo':
      return toNull
    case 'base':
      return baseMask(type, field, context)
    default:
      return toNull
  }
}

function baseMask(type: CatalogType, field: TypedMask, context: Context): ScalarMask {
  if (type.category === 'A' && type.element !== 0) {
    if (!context.isQuotable) return toNull
    // What is said of fields is said of a row; in an array there may be others.
    const element = build({ ...field, fields: null, type: type.element }, context)
    if (context.format === 1) return binaryArrayMask(element, type.element)
    const delimiter = type.element === boxType ? 0x3b : delimiters.get(context.typeOf(type.element)?.name ?? '')
    return textArrayMask(element, delimiter ?? commaDelimiter)
  }
  if (type.category !== 'S' || type.oid < firstUserOid) return toNull
  // How an extension's type looks in binary is its own affair; citext's is that of text.
  if (context.format === 1 && type.name !== 'citext') return toNull
  return stringMask({ ...field, format: context.format, pseudonyms: context.pseudonyms })
}

/** A binary array without dimensions. */
function emptyArray(element: Oid): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt32BE(element, 8)
  return header
}

function compositeMask(type: CatalogType, field: TypedMask, context: Context): ScalarMask {
  if (!context.isQuotable) return toNull
  const columns = context.fieldsOf?.(type.relation)
  const fields = field.fields ?? columns?.map(() => redactedField)
  if (columns === undefined || fields === undefined || columns.length !== fields.length) return toNull
  const masks = fields.map((each, index) => (each === null ? null : fieldMask(each, columns[index], context)))
  if (context.format === 0) return textCompositeMask(masks)
  // The row says its types too: where it disagrees with the catalog, nothing of it is certain.
  return binaryCompositeMask(masks.length, (index, oid) =>
    columns[index]?.type === oid ? (masks[index] ?? null) : undefined,
  )
}

/** A row of no named type. In binary it says the types of its fields; in text only `fields` can. */
function recordMask(field: TypedMask, context: Context): ScalarMask {
  const inner = { ...context, depth: context.depth + 1 }
  const fields = field.fields ?? null
  if (context.format === 0) {
    if (fields === null || !context.isQuotable) return toNull
    return textCompositeMask(fields.map((each) => (each === null ? null : fieldMask(each, undefined, inner))))
  }
  const masks = new Map<string, Mask>()
  return binaryCompositeMask(fields?.length ?? null, (index, oid) => {
    const each = fields === null ? redactedField : fields[index]
    if (each === null || each === undefined) return each
    const key = fields === null ? String(oid) : `${index}.${oid}`
    let mask = masks.get(key)
    if (mask === undefined) {
      mask = fieldMask(each, { type: oid, typeModifier: -1 }, inner)
      // Rows of one column have few types; crafted ones must not fill the memory.
      if (masks.size < recordMasksMax) masks.set(key, mask)
    }
    return mask
  })
}

function fieldMask(
  field: FieldMask,
  known: { readonly type: Oid; readonly typeModifier: number } | undefined,
  context: Context,
): Mask {
  const type = known?.type ?? field.type ?? 0
  const typeModifier = known?.typeModifier ?? field.typeModifier ?? -1
  const { rule, fields = null, isDerived = false } = field
  return build({ rule, fields, isDerived, type, typeModifier }, context)
}

function domainModifier(type: CatalogType, field: TypedMask): number {
  return type.typeModifier === -1 ? field.typeModifier : type.typeModifier
}

function constant(value: Buffer | null): Mask {
  return () => value
}
