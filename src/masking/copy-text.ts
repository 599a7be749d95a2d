import { applyEdits, unexpectedCopyData } from './copy-plan.ts'
import type { CopyPlan, CopyRows, Edit } from './copy-plan.ts'

const newline = 0x0a
const carriageReturn = 0x0d
const backslash = 0x5c
// What COPY writes for the characters that would end a field or a row.
const letters: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x76, 0x0b],
])
const letterOf: ReadonlyMap<number, number> = new Map([...letters].map(([letter, byte]) => [byte, letter]))

/** Rows of COPY in text format: fields between delimiters, with backslashes before what is not meant as such. */
export function textRows(plan: CopyPlan): CopyRows {
  const { delimiter, masks } = plan
  const columns = masks.length
  // No value looks like \N. With another null string a value of that text would, and be shown for what it is; so all
  // that look like it count as values. The empty text tells nothing that is worth it.
  const isNullCertain = plan.null.length === 0 || plan.null.equals(Buffer.from('\\N'))
  let isHeader = plan.hasHeader
  // A table instead of four comparisons: most bytes are none of these.
  const isSpecial = new Uint8Array(256)
  for (const byte of [delimiter, newline, carriageReturn, backslash]) isSpecial[byte] = 1
  return (data) => {
    const edits: Edit[] = []
    let rowStart = 0
    let fieldStart = 0
    let column = 0
    const { length } = data
    for (let at = 0; at < length; at++) {
      while (at < length && isSpecial[data[at] ?? 0] === 0) at++
      if (at === length) break
      const byte = data[at]
      if (byte === backslash) {
        at++
        // The row end below would be part of an escape, which COPY TO never writes.
        if (data[at] === newline) throw unexpectedCopyData('a backslash is before the end of a line')
        continue
      }
      if (byte === carriageReturn) throw unexpectedCopyData('a line has a carriage return in it')
      if (byte !== delimiter && byte !== newline) continue
      if (column >= columns && !(columns === 0 && rowStart === at && byte === newline)) {
        throw unexpectedCopyData('a row has too many columns')
      }
      const mask = isHeader || columns === 0 ? null : masks[column]
      if (mask === undefined) throw unexpectedCopyData('a row has too many columns')
      if (mask !== null) {
        const raw = data.subarray(fieldStart, at)
        const isNull = isNullCertain && raw.length === plan.null.length && raw.equals(plan.null)
        const value = mask(isNull ? null : unescaped(raw))
        if (value !== null) edits.push({ start: fieldStart, end: at, value: escaped(value, delimiter) })
        else if (!isNull) edits.push({ start: fieldStart, end: at, value: plan.null })
      }
      column++
      fieldStart = at + 1
      if (byte === newline) {
        if (column !== columns && columns !== 0) throw unexpectedCopyData('a row has too few columns')
        if (columns <= 1 && at - rowStart === 2 && data[rowStart] === backslash && data[rowStart + 1] === 0x2e) {
          throw unexpectedCopyData('it has an end marker')
        }
        isHeader = false
        column = 0
        rowStart = at + 1
      }
    }
    return { masked: applyEdits(data, edits, rowStart), end: rowStart }
  }
}

/** The value that a field stands for. */
function unescaped(field: Buffer): Buffer {
  let first = 0
  while (first < field.length && field[first] !== backslash) first++
  if (first === field.length) return field
  const value: number[] = []
  for (let at = 0; at < field.length; at++) {
    const byte = field[at] ?? 0
    if (byte !== backslash) {
      value.push(byte)
      continue
    }
    const next = field[++at]
    if (next === undefined) throw unexpectedCopyData('a field ends in a backslash')
    const code = numbered(field, at)
    if (code === null) value.push(letters.get(next) ?? next)
    else {
      value.push(code.byte)
      at = code.last
    }
  }
  return Buffer.from(value)
}

/** A byte as one to three octal digits, or as x and one or two hexadecimal ones. */
function numbered(field: Buffer, at: number): { byte: number; last: number } | null {
  const match = /^(?:([0-7]{1,3})|x([0-9a-f]{1,2}))/i.exec(field.toString('latin1', at, at + 3))
  if (match === null) return null
  const [all, octal, hex] = match
  return { byte: Number.parseInt(octal ?? hex ?? '0', octal === undefined ? 16 : 8) & 0xff, last: at + all.length - 1 }
}

function escaped(value: Buffer, delimiter: number): Buffer {
  let plain = 0
  for (; plain < value.length; plain++) {
    const byte = value[plain] ?? 0
    if (byte < 0x20 || byte === backslash || byte === delimiter) break
  }
  if (plain === value.length) return value
  const bytes: number[] = []
  for (const byte of value) {
    const letter = letterOf.get(byte)
    if (letter !== undefined) bytes.push(backslash, letter)
    else if (byte === backslash || byte === delimiter) bytes.push(backslash, byte)
    else bytes.push(byte)
  }
  return Buffer.from(bytes)
}
