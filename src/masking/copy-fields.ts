/** What is looked for in one column of the data. */
export interface InspectedColumn {
  /** Whether a value is what masking put there; of a long one the beginning may be enough. */
  readonly isPlaceholder: (value: Buffer) => boolean
  readonly forcesNull: boolean
  readonly forcesNotNull: boolean
}

/** How fields are written, as bytes. */
export interface FieldPlan {
  readonly delimiter: number
  readonly quote: number
  readonly escape: number
  readonly null: Buffer
  /** What stands for a column's default, if anything does. */
  readonly default: Buffer | null
  /** By position; null for what is not looked at. */
  readonly columns: readonly (InspectedColumn | null)[]
}

/** Where the fields of one line are: up to what ends it. */
interface Extent {
  readonly start: number
  readonly end: number
}

/** Finds the first field of a line that is a placeholder: its position, or -1. Malformed lines are read as far as they go. */
export type FindsInLine = (data: Buffer, line: Extent) => number

/** No placeholder is longer, but for lists of them; what is longer is looked at up to here. */
export const valueBytesMax = 4_096
/** Of text format, where a byte may be written as four. */
const writtenBytesMax = valueBytesMax * 4 + 4
const backslash = 0x5c
const letters: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x76, 0x0b],
])

/** Fields of text format, as CopyReadAttributesText of PostgreSQL's source reads them. */
export function findInText(plan: FieldPlan): FindsInLine {
  const { delimiter, columns } = plan
  const last = columns.findLastIndex((column) => column !== null)
  return (data, { start, end }) => {
    let at = start
    for (let position = 0; position <= last; position++) {
      const from = at
      let isEscaped = false
      while (at < end && data[at] !== delimiter) {
        if (data[at] === backslash) {
          isEscaped = true
          at++
        }
        at++
      }
      const column = columns[position] ?? null
      if (column !== null) {
        // A backslash that nothing follows stands for nothing.
        const raw = data.subarray(from, at > end ? end - 1 : at)
        if (!isNoValue(raw, column, plan) && column.isPlaceholder(isEscaped ? unescaped(raw) : raw)) return position
      }
      if (at >= end) return -1
      at++
    }
    return -1
  }
}

/** Fields of CSV, as CopyReadAttributesCSV of PostgreSQL's source reads them. */
export function findInCsv(plan: FieldPlan): FindsInLine {
  const { delimiter, quote, escape, columns } = plan
  const last = columns.findLastIndex((column) => column !== null)
  return (data, { start, end }) => {
    let at = start
    for (let position = 0; position <= last; position++) {
      const column = columns[position] ?? null
      const from = at
      let isQuoted = false
      let isOpen = false
      for (; at < end; at++) {
        const byte = data[at]
        if (!isOpen) {
          if (byte === delimiter) break
          isOpen = byte === quote
          isQuoted ||= isOpen
        } else if (byte === escape && at + 1 < end && (data[at + 1] === escape || data[at + 1] === quote)) {
          at++
        } else if (byte === quote) {
          isOpen = false
        }
      }
      if (column !== null) {
        const raw = data.subarray(from, at)
        const isNone = !isQuoted && isNoValue(raw, column, plan)
        const value = isNone ? null : isQuoted ? unquoted(raw, plan) : raw
        const isForced = value !== null && isQuoted && column.forcesNull && value.equals(plan.null)
        if (value !== null && !isForced && column.isPlaceholder(value)) return position
      }
      if (at >= end) return -1
      at++
    }
    return -1
  }
}

/** Whether it stands for NULL or for the column's default. */
function isNoValue(raw: Buffer, { forcesNotNull }: InspectedColumn, plan: FieldPlan): boolean {
  const isOf = (text: Buffer | null): boolean => text !== null && raw.length === text.length && raw.equals(text)
  return isOf(plan.null) ? !forcesNotNull : isOf(plan.default)
}

/** The value of a field of text format, of a long one the beginning. */
function unescaped(raw: Buffer): Buffer {
  const { length } = raw
  const value = Buffer.allocUnsafe(Math.min(length, writtenBytesMax))
  let size = 0
  for (let at = 0; at < length && at < writtenBytesMax; at++) {
    let byte = raw[at] ?? 0
    if (byte === backslash) {
      const next = raw[++at]
      if (next === undefined) break
      byte = letters.get(next) ?? next
      const octal = octalOf(next)
      const hex = next === 0x78 ? hexOf(raw[at + 1]) : -1
      if (octal >= 0) {
        byte = octal
        for (let more = 0; more < 2; more++) {
          const digit = octalOf(raw[at + 1])
          if (digit < 0) break
          byte = (byte * 8 + digit) & 0xff
          at++
        }
      } else if (hex >= 0) {
        byte = hex
        at++
        const digit = hexOf(raw[at + 1])
        if (digit >= 0) {
          byte = byte * 16 + digit
          at++
        }
      }
    }
    value[size++] = byte
  }
  return value.subarray(0, size)
}

/** The value of a field with quotes in it, of a long one the beginning. */
function unquoted(raw: Buffer, { quote, escape }: FieldPlan): Buffer {
  const { length } = raw
  const value = Buffer.allocUnsafe(Math.min(length, writtenBytesMax))
  let size = 0
  let isOpen = false
  for (let at = 0; at < length && size < writtenBytesMax; at++) {
    let byte = raw[at] ?? 0
    const next = raw[at + 1]
    if (isOpen && byte === escape && next !== undefined && (next === escape || next === quote)) {
      byte = next
      at++
    } else if (byte === quote) {
      isOpen = !isOpen
      continue
    }
    value[size++] = byte
  }
  return value.subarray(0, size)
}

function octalOf(byte: number | undefined): number {
  return byte !== undefined && byte >= 0x30 && byte <= 0x37 ? byte - 0x30 : -1
}

function hexOf(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
