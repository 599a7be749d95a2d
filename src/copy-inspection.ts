import { partsOfColumnKey, type Catalog, type CatalogType, type ColumnKey } from './core/catalog.ts'
import type { ClassifiedColumn, MaskingRule } from './core/classification.ts'
import type { PosternError } from './core/errors.ts'
import type { CopyIn } from './core/lineage.ts'
import { type InspectedColumn, valueBytesMax } from './masking/copy-fields.ts'
import { type CopyInspector, createCopyInspector } from './masking/copy-inspector.ts'
import { type DecodesText, decoderOf, readsAscii } from './masking/encodings.ts'
import { isPlaceholder, mayBeDistinctive, type PlaceholderUse } from './masking/placeholders.ts'
import { decodeParameter } from './wire/parameters.ts'

/** A classified column that placeholders are looked for in. */
interface Target {
  readonly rule: MaskingRule
  readonly type: CatalogType
  /** The type itself, or of a domain the one that it is over. */
  readonly baseType: CatalogType
}

/** Of a column that the catalog does not have, values are looked at as they are written. */
const unknownType: CatalogType = {
  oid: 0,
  schema: '',
  name: '',
  kind: 'base',
  category: 'X',
  element: 0,
  array: 0,
  base: 0,
  typeModifier: -1,
  relation: 0,
  labels: [],
  isConstrained: false,
}

/**
 * Looks into the data of one COPY FROM STDIN. What it adds replaces nothing, so what may be an ordinary value as well is
 * none, as for INSERT.
 */
export function inspectCopy(options: {
  readonly catalog: Catalog
  readonly schema: { readonly columns: ReadonlyMap<ColumnKey, ClassifiedColumn> }
  readonly copyIn: CopyIn
  readonly clientEncoding: string
  /** Whether it has to be looked at. */
  readonly isMasked: (column: ColumnKey) => boolean
  /** `where` is such as `line 3`. */
  readonly refuse: (column: ColumnKey, where: string) => PosternError
}): CopyInspector {
  const { copyIn, clientEncoding, isMasked, refuse } = options
  const isBinary = copyIn.format.format === 'binary'
  // Binary values are in client_encoding whatever the statement says.
  const decode = decoderOf((isBinary ? null : copyIn.encoding) ?? clientEncoding) ?? readsAscii
  const columns = copyIn.columns.map((column): InspectedColumn | null => {
    if (column === null || !isMasked(column.key)) return null
    const target = targetOf(column.key, options)
    return { ...column, isPlaceholder: isBinary ? inBinary(target, decode) : inText(target, decode) }
  })
  return createCopyInspector({
    copyIn,
    columns,
    refuse: (position, where) => {
      const key = copyIn.columns[position]?.key
      if (key === undefined) throw new Error('a placeholder was found in a column that is not looked at')
      return refuse(key, where)
    },
  })
}

function targetOf(
  key: ColumnKey,
  { catalog, schema }: Pick<Parameters<typeof inspectCopy>[0], 'catalog' | 'schema'>,
): Target {
  const { relation, column } = partsOfColumnKey(key)
  const stored = catalog.relation(relation)?.columns.find(({ number }) => number === column)
  const type = catalog.type(stored?.type ?? 0) ?? unknownType
  let baseType = type
  while (baseType.kind === 'domain') baseType = catalog.type(baseType.base) ?? unknownType
  return { rule: schema.columns.get(key)?.masking ?? { function: 'redact' }, type, baseType }
}

function inText({ rule, type }: Target, decode: DecodesText): InspectedColumn['isPlaceholder'] {
  const use: PlaceholderUse = { rule, type, isReplacing: false, isExact: true }
  return (value) => {
    if (value.length <= valueBytesMax) return mayBeDistinctive(value, use) && isPlaceholder(decode(value), use)
    // Of an array each element is masked, so that what stands for it may be as long as it was.
    return type.category === 'A' && isPlaceholder(decode(value.subarray(0, valueBytesMax)), use)
  }
}

function inBinary(target: Target, decode: DecodesText): InspectedColumn['isPlaceholder'] {
  const { type, baseType, rule } = target
  if (baseType.category === 'S' || baseType.kind === 'enum') return inText(target, decode)
  const use: PlaceholderUse = { rule, type, isReplacing: false, isExact: true }
  return (value) => {
    const isLong = value.length > valueBytesMax
    if (isLong && type.category !== 'A') return false
    const bytes = isLong ? value.subarray(0, valueBytesMax) : value
    const text = isLong ? null : decodeParameter(bytes, 1, baseType.oid)
    // Of a row, or of what is not known, texts stand within the bytes as they are.
    return (text !== null && isPlaceholder(text, use)) || isPlaceholder(decode(bytes), { ...use, isExact: false })
  }
}
