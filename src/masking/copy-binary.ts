import { lengthOf } from './arrays.ts'
import { applyEdits, unexpectedCopyData } from './copy-plan.ts'
import type { CopyPlan, CopyRows, Edit } from './copy-plan.ts'

const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
// Signature, flags and the length of the header's extension.
const fixedHeaderBytes = signature.length + 8
const headerExtensionBytesMax = 1024

/** Rows of COPY in binary format: a header, tuples, a trailer. */
export function binaryRows({ masks }: CopyPlan): CopyRows {
  let state: 'header' | 'tuples' | 'done' = 'header'
  return (data) => {
    const edits: Edit[] = []
    let at = 0
    if (state === 'header') {
      const end = headerEnd(data)
      if (end === null) return { masked: Buffer.alloc(0), end: 0 }
      at = end
      state = 'tuples'
    }
    while (at < data.length && state === 'tuples') {
      const tuple = readTuple(data, at, masks.length)
      if (tuple === null) break
      if (tuple === 'trailer') {
        at += 2
        state = 'done'
        break
      }
      for (const [index, { start, end }] of tuple.values.entries()) {
        const mask = masks[index]
        if (mask === null) continue
        const isNull = end < start
        const value = mask === undefined ? null : mask(isNull ? null : data.subarray(start, end))
        if (value === null && isNull) continue
        const bytes = value === null ? lengthOf(null) : Buffer.concat([lengthOf(value), value])
        edits.push({ start: start - 4, end: isNull ? start : end, value: bytes })
      }
      at = tuple.end
    }
    if (state === 'done' && at < data.length) throw unexpectedCopyData('something follows its end')
    return { masked: applyEdits(data, edits, at), end: at }
  }
}

function headerEnd(data: Buffer): number | null {
  const known = Math.min(data.length, signature.length)
  if (!data.subarray(0, known).equals(signature.subarray(0, known))) throw unexpectedCopyData('its header is wrong')
  if (data.length < fixedHeaderBytes) return null
  // Bits from 16 on change how tuples are read; none is in use since object ids went.
  const flags = data.readUInt32BE(signature.length)
  const extension = data.readUInt32BE(signature.length + 4)
  if (flags >= 0x1_0000 || extension > headerExtensionBytesMax) throw unexpectedCopyData('its header is not understood')
  const end = fixedHeaderBytes + extension
  return data.length < end ? null : end
}

/** Where the values of the tuple are; a NULL ends before it starts. Null where it has not come whole. */
function readTuple(
  data: Buffer,
  start: number,
  columns: number,
): { values: { start: number; end: number }[]; end: number } | 'trailer' | null {
  if (data.length - start < 2) return null
  const count = data.readInt16BE(start)
  if (count === -1) return 'trailer'
  if (count !== columns) throw unexpectedCopyData('a row has another number of columns')
  const values: { start: number; end: number }[] = []
  let at = start + 2
  for (let i = 0; i < count; i++) {
    if (data.length - at < 4) return null
    const length = data.readInt32BE(at)
    if (length < -1) throw unexpectedCopyData('a length in it is negative')
    at += 4
    if (length > data.length - at) return null
    values.push({ start: at, end: at + length })
    at += Math.max(length, 0)
  }
  return { values, end: at }
}
