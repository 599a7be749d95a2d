import { limits } from '../core/limits.ts'
import { Reader } from './reader.ts'

/** Turns the binary form of one value into PostgreSQL's text; throws `protocol_violation` where it is malformed. */
export type BinaryReader = (reader: Reader) => string

/** Looks up how the values of an element type are read; throws for a type that is not known. */
export type ElementReaders = (typeOid: number) => BinaryReader

const dimensionsMax = 6
const rangeFlags = { empty: 0x01, lowerInclusive: 0x02, upperInclusive: 0x04, lowerInfinite: 0x08, upperInfinite: 0x10 }

/**
 * A binary array in PostgreSQL's text form. It ends early, anywhere beyond `limits.recordedParameterCharsMax`: the
 * record shows no more, and a crafted array of huge numerics would otherwise cost megabytes of text.
 */
export function readArray(reader: Reader, elementReaders: ElementReaders): string {
  const dimensionCount = reader.int32()
  reader.int32() // Whether there are NULLs; the elements say so themselves.
  const readElement = elementReaders(reader.uint32())
  if (dimensionCount < 0 || dimensionCount > dimensionsMax) throw reader.violation('an array has too many dimensions')
  if (dimensionCount === 0) return '{}'
  const sizes: number[] = []
  let bounds = ''
  let hasOtherBounds = false
  let elementCount = 1
  for (let i = 0; i < dimensionCount; i++) {
    const size = reader.int32()
    const lower = reader.int32()
    if (size < 0) throw reader.violation('an array has a negative size')
    sizes.push(size)
    elementCount *= size
    bounds += `[${lower}:${lower + size - 1}]`
    hasOtherBounds ||= lower !== 1
  }
  if (elementCount === 0) return '{}'
  if (elementCount * 4 > reader.remaining) throw reader.violation('it announces more items than it holds')
  return (hasOtherBounds ? `${bounds}=` : '') + elementsText(reader, sizes, elementCount, readElement)
}

/** A binary range in PostgreSQL's text form. */
export function readRange(readBound: BinaryReader): BinaryReader {
  return (reader) => {
    const flags = reader.uint8()
    if ((flags & rangeFlags.empty) !== 0) return 'empty'
    const lower = (flags & rangeFlags.lowerInfinite) === 0 ? rangeBound(readPart(reader, readBound)) : ''
    const upper = (flags & rangeFlags.upperInfinite) === 0 ? rangeBound(readPart(reader, readBound)) : ''
    const open = (flags & rangeFlags.lowerInclusive) === 0 ? '(' : '['
    const close = (flags & rangeFlags.upperInclusive) === 0 ? ')' : ']'
    return `${open}${lower},${upper}${close}`
  }
}

/** A binary multirange in PostgreSQL's text form; it may end early as an array may. */
export function readMultirange(readBound: BinaryReader): BinaryReader {
  const readOne = readRange(readBound)
  return (reader) => {
    const count = reader.uint32()
    if (count * 5 > reader.remaining) throw reader.violation('it announces more items than it holds')
    let text = '{'
    for (let i = 0; i < count; i++) {
      text += (i === 0 ? '' : ',') + readPart(reader, readOne)
      if (text.length > limits.recordedParameterCharsMax) return endEarly(reader, text)
    }
    return `${text}}`
  }
}

function elementsText(reader: Reader, sizes: readonly number[], elementCount: number, readElement: BinaryReader) {
  // Braces open and close where the index is a multiple of the number of elements below a dimension.
  const spans = sizes.map((_, depth) => sizes.slice(depth).reduce((product, size) => product * size, 1))
  let text = ''
  for (let index = 0; index < elementCount; index++) {
    if (index > 0) text += ','
    for (const span of spans) if (index % span === 0) text += '{'
    const bytes = reader.nullable()
    text += bytes === null ? 'NULL' : arrayElement(readWhole(bytes, readElement))
    for (const span of spans) if ((index + 1) % span === 0) text += '}'
    if (text.length > limits.recordedParameterCharsMax) return endEarly(reader, text)
  }
  return text
}

function endEarly(reader: Reader, text: string): string {
  reader.rest()
  return text
}

function readPart(reader: Reader, readValue: BinaryReader): string {
  const bytes = reader.nullable()
  if (bytes === null) throw reader.violation('a range has a NULL in it')
  return readWhole(bytes, readValue)
}

function readWhole(bytes: Buffer, readValue: BinaryReader): string {
  const reader = new Reader(bytes, 'element')
  const text = readValue(reader)
  reader.end()
  return text
}

/** Quotes as array_out does. */
function arrayElement(text: string): string {
  const needsQuotes = text === '' || /[ \t\n\r\v\f"\\{},]/.test(text) || text.toLowerCase() === 'null'
  return needsQuotes ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : text
}

/** Quotes as range_out does: by doubling, unlike arrays. */
function rangeBound(text: string): string {
  const needsQuotes = text === '' || /[ \t\n\r\v\f"\\()[\],]/.test(text)
  return needsQuotes ? `"${text.replaceAll(/["\\]/g, '$&$&')}"` : text
}
