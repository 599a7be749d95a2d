import { lengthOf } from './arrays.ts'
import type { ScalarMask } from './scalars.ts'

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const close = 0x29

/** What replaces a field; null is NULL. */
type FieldMask = (value: Buffer | null) => Buffer | null

/** Masks the fields of a row in text; NULL where it is none with exactly these fields. */
export function textCompositeMask(masks: readonly (FieldMask | null)[]): ScalarMask {
  return (value) => {
    if (value[0] !== 0x28 || value.at(-1) !== close) return null
    const parts: Buffer[] = [Buffer.from('(')]
    const end = value.length - 1
    let at = 1
    for (const [index, mask] of masks.entries()) {
      if (index > 0) {
        if (value[at] !== comma) return null
        parts.push(Buffer.of(comma))
        at++
      }
      const read = readField(value, at, end)
      if (read === null) return null
      if (mask === null) parts.push(value.subarray(at, read.end))
      else {
        const masked = mask(read.raw)
        if (masked !== null) parts.push(quoted(masked))
      }
      at = read.end
    }
    if (at !== end) return null
    parts.push(Buffer.of(close))
    return Buffer.concat(parts)
  }
}

/**
 * Masks the fields of a binary row. `maskOf` is told a field's place and the type that the row says it has; null leaves
 * it raw, undefined means that it should not be there. NULL where the row is malformed, has not `fieldCount` fields
 * (null for any number), or one that should not be there.
 */
export function binaryCompositeMask(
  fieldCount: number | null,
  maskOf: (index: number, type: number) => FieldMask | null | undefined,
): ScalarMask {
  return (value) => {
    if (value.length < 4) return null
    const count = value.readInt32BE(0)
    if (count < 0 || (fieldCount !== null && count !== fieldCount)) return null
    const parts: Buffer[] = [value.subarray(0, 4)]
    let at = 4
    for (let i = 0; i < count; i++) {
      if (value.length - at < 8) return null
      const length = value.readInt32BE(at + 4)
      if (length < -1 || length > value.length - at - 8) return null
      const mask = maskOf(i, value.readUInt32BE(at))
      if (mask === undefined) return null
      parts.push(value.subarray(at, at + 4))
      at += 8
      const raw = length === -1 ? null : value.subarray(at, at + length)
      at += Math.max(length, 0)
      const masked = mask === null ? raw : mask(raw)
      parts.push(lengthOf(masked))
      if (masked !== null) parts.push(masked)
    }
    return at === value.length ? Buffer.concat(parts) : null
  }
}

/** One field without its quotes, from `start` up to a comma or `end`; nothing at all is NULL. */
function readField(value: Buffer, start: number, end: number): { raw: Buffer | null; end: number } | null {
  const raw: number[] = []
  let isQuoted = false
  let at = start
  for (; at < end; at++) {
    const byte = value[at] ?? 0
    if (byte === comma && !isQuoted) break
    if (byte === backslash) {
      if (++at >= end) return null
      raw.push(value[at] ?? 0)
    } else if (byte !== quote) {
      // record_out quotes parentheses; bare ones mean that this is no row as we read it.
      if (!isQuoted && (byte === 0x28 || byte === close)) return null
      raw.push(byte)
    } else if (!isQuoted) {
      // A field is quoted as a whole.
      if (at !== start) return null
      isQuoted = true
    } else if (value[at + 1] === quote && at + 1 < end) {
      raw.push(quote)
      at++
    } else {
      at++
      return at === end || value[at] === comma ? { raw: Buffer.from(raw), end: at } : null
    }
  }
  if (isQuoted) return null
  return { raw: at === start ? null : Buffer.from(raw), end: at }
}

/** Quotes as record_out does: by doubling. */
function quoted(value: Buffer): Buffer {
  const text = value.toString('latin1')
  if (text !== '' && !/[\s"\\(),]/.test(text)) return value
  return Buffer.from(`"${text.replaceAll(/["\\]/g, '$&$&')}"`, 'latin1')
}
