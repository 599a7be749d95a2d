import { applyEdits, unexpectedCopyData } from './copy-plan.ts'
import type { CopyPlan, CopyRows, Edit } from './copy-plan.ts'

const newline = 0x0a
const carriageReturn = 0x0d

interface Field {
  readonly end: number
  readonly isQuoted: boolean
  /** Whether there are escapes in it. */
  readonly isEscaped: boolean
}

/** Rows of COPY in CSV format. A masked value is always quoted, so that it does not tell whether the value was. */
export function csvRows(plan: CopyPlan): CopyRows {
  const { delimiter, masks } = plan
  const columns = masks.length
  let isHeader = plan.hasHeader
  return (data) => {
    const edits: Edit[] = []
    let rowStart = 0
    let column = 0
    let at = 0
    while (at < data.length) {
      const field = readField(data, at, plan)
      if (field === null) break
      if (column >= columns && !(columns === 0 && field.end === at && data[at] === newline)) {
        throw unexpectedCopyData('a row has too many columns')
      }
      const mask = isHeader || columns === 0 ? null : (masks[column] ?? null)
      if (mask !== null) {
        const raw = data.subarray(at, field.end)
        // A value of the text of NULL is quoted, so an unquoted one is NULL.
        const isNull = !field.isQuoted && raw.equals(plan.null)
        const value = mask(isNull ? null : field.isQuoted ? unquoted(raw, field, plan) : raw)
        if (value !== null) edits.push({ start: at, end: field.end, value: quoted(value, plan) })
        else if (!isNull) edits.push({ start: at, end: field.end, value: plan.null })
      }
      column++
      at = field.end + 1
      if (data[field.end] === delimiter) continue
      if (column !== columns && columns !== 0) throw unexpectedCopyData('a row has too few columns')
      isHeader = false
      column = 0
      rowStart = at
    }
    return { masked: applyEdits(data, edits, rowStart), end: rowStart }
  }
}

/** The field that begins at `start`; null where its end has not come yet. */
function readField(data: Buffer, start: number, plan: CopyPlan): Field | null {
  const { delimiter, quote, escape } = plan
  if (data[start] !== quote) {
    for (let at = start; at < data.length; at++) {
      const byte = data[at]
      if (byte === delimiter || byte === newline) return { end: at, isQuoted: false, isEscaped: false }
      if (byte === quote || byte === carriageReturn) throw unexpectedCopyData('a field should be quoted and is not')
    }
    return null
  }
  let isEscaped = false
  for (let at = start + 1; at < data.length; at++) {
    const byte = data[at]
    if (byte !== escape && byte !== quote) continue
    const next = data[at + 1]
    if (next === undefined) return null
    if (byte === escape && (next === quote || next === escape)) {
      isEscaped = true
      at++
    } else if (byte === quote) {
      if (next !== delimiter && next !== newline) throw unexpectedCopyData('something follows a closing quote')
      return { end: at + 1, isQuoted: true, isEscaped }
    }
  }
  return null
}

function unquoted(raw: Buffer, field: Field, { quote, escape }: CopyPlan): Buffer {
  const inner = raw.subarray(1, -1)
  if (!field.isEscaped) return inner
  const value: number[] = []
  for (let at = 0; at < inner.length; at++) {
    const next = inner[at + 1]
    if (inner[at] === escape && next !== undefined && (next === quote || next === escape)) at++
    value.push(inner[at] ?? 0)
  }
  return Buffer.from(value)
}

function quoted(value: Buffer, { quote, escape }: CopyPlan): Buffer {
  const bytes: number[] = [quote]
  for (const byte of value) {
    if (byte === quote || byte === escape) bytes.push(escape)
    bytes.push(byte)
  }
  bytes.push(quote)
  return Buffer.from(bytes)
}
