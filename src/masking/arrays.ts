import type { ScalarMask } from './scalars.ts'

const dimensionsMax = 6
const headerBytes = 12
const comma = 0x2c
const quote = 0x22
const backslash = 0x5c
const open = 0x7b
const close = 0x7d
const nullElement = Buffer.from('NULL')

/**
 * Masks each element of an array in text: bounds, shape and NULLs stay. `delimiter` is the element type's. NULL where
 * the text is no array as array_out writes it.
 */
export function textArrayMask(element: ScalarMask, delimiter: number): ScalarMask {
  return (value) => {
    const bounds = /^(?:(?:\[-?\d{1,10}:-?\d{1,10}\]){1,6}=)?/.exec(value.toString('latin1', 0, 256))?.[0] ?? ''
    const parts: Buffer[] = [Buffer.from(bounds)]
    let at = bounds.length
    let depth = 0
    // What may come next: an element or an opening brace, or a delimiter or a closing brace.
    let expects: 'item' | 'more' = 'item'
    let isEmptyAllowed = false
    while (at < value.length) {
      const byte = value[at]
      if (expects === 'item' && byte === open) {
        if (++depth > dimensionsMax) return null
        parts.push(Buffer.of(open))
        isEmptyAllowed = true
        at++
      } else if (byte === close && (expects === 'more' || isEmptyAllowed)) {
        depth--
        parts.push(Buffer.of(close))
        expects = 'more'
        isEmptyAllowed = false
        at++
        if (depth === 0) return at === value.length ? Buffer.concat(parts) : null
      } else if (expects === 'more' && byte === delimiter) {
        parts.push(Buffer.of(delimiter))
        expects = 'item'
        isEmptyAllowed = false
        at++
      } else if (expects === 'item' && depth > 0) {
        const read = readElement(value, at, delimiter)
        if (read === null) return null
        const masked = read.raw === null ? null : element(read.raw)
        parts.push(masked === null ? nullElement : quoted(masked, delimiter))
        expects = 'more'
        isEmptyAllowed = false
        at = read.end
      } else {
        return null
      }
    }
    return null
  }
}

/** Masks each element of a binary array, whose elements must be of type `elementType`; NULL where it is malformed. */
export function binaryArrayMask(element: ScalarMask, elementType: number): ScalarMask {
  return (value) => {
    if (value.length < headerBytes) return null
    const dimensions = value.readInt32BE(0)
    if (dimensions < 0 || dimensions > dimensionsMax || value.readUInt32BE(8) !== elementType) return null
    let at = headerBytes + dimensions * 8
    if (value.length < at) return null
    let count = dimensions === 0 ? 0 : 1
    for (let i = 0; i < dimensions; i++) {
      const size = value.readInt32BE(headerBytes + i * 8)
      if (size < 0) return null
      count *= size
    }
    const header = Buffer.from(value.subarray(0, at))
    const parts: Buffer[] = [header]
    let hasNull = false
    for (let i = 0; i < count; i++) {
      if (value.length - at < 4) return null
      const length = value.readInt32BE(at)
      at += 4
      if (length < -1 || length > value.length - at) return null
      const masked = length === -1 ? null : element(value.subarray(at, at + length))
      at += Math.max(length, 0)
      hasNull ||= masked === null
      parts.push(lengthOf(masked))
      if (masked !== null) parts.push(masked)
    }
    if (at !== value.length) return null
    header.writeInt32BE(hasNull ? 1 : 0, 4)
    return Buffer.concat(parts)
  }
}

/** The Int32 in front of a value; NULL is -1. */
export function lengthOf(value: Buffer | null): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(value === null ? -1 : value.length)
  return length
}

function readElement(value: Buffer, start: number, delimiter: number): { raw: Buffer | null; end: number } | null {
  const raw: number[] = []
  const isQuoted = value[start] === quote
  let at = isQuoted ? start + 1 : start
  for (; at < value.length; at++) {
    const byte = value[at] ?? 0
    if (isQuoted ? byte === quote : byte === delimiter || byte === close) break
    if (!isQuoted && (byte === quote || byte === open)) return null
    if (byte === backslash && ++at === value.length) return null
    raw.push(value[at] ?? 0)
  }
  if (at >= value.length || (!isQuoted && at === start)) return null
  const bytes = Buffer.from(raw)
  const isNull = !isQuoted && bytes.length === 4 && bytes.toString('latin1').toUpperCase() === 'NULL'
  return { raw: isNull ? null : bytes, end: isQuoted ? at + 1 : at }
}

/** Quotes as array_out does. */
function quoted(value: Buffer, delimiter: number): Buffer {
  const text = value.toString('latin1')
  const isPlain =
    text !== '' && !/[\s"\\{}]/.test(text) && !text.includes(String.fromCharCode(delimiter)) && !/^null$/i.test(text)
  return isPlain ? value : Buffer.from(`"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`, 'latin1')
}

/** The delimiter of PostgreSQL's own types but box. */
export const commaDelimiter: number = comma
