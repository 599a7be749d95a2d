import { PosternError } from '../core/errors.ts'
import type { Mask } from './mask.ts'

const dataRow = 0x44
const headerBytes = 7

/**
 * The DataRow message (type byte and length included) with the values of masked columns replaced. A null in `masks`
 * leaves a column raw; columns beyond `masks` become NULL. Throws `protocol_violation` where the message is malformed.
 */
export function maskDataRow(message: Buffer, masks: readonly (Mask | null)[]): Buffer {
  const end = message.length
  if (end < headerBytes || message[0] !== dataRow || message.readUInt32BE(1) !== end - 1) throw malformed()
  const count = message.readUInt16BE(5)
  // First pass: check every length and ask the masks; `edits` has start, end and replacement of each value to change.
  const edits: { readonly start: number; readonly end: number; readonly value: Buffer | null }[] = []
  let size = end
  let at = headerBytes
  for (let i = 0; i < count; i++) {
    if (end - at < 4) throw malformed()
    const length = message.readInt32BE(at)
    const start = at
    at += 4
    if (length < -1 || length > end - at) throw malformed()
    if (length > 0) at += length
    const mask = i < masks.length ? masks[i] : undefined
    if (mask === null) continue
    const value = mask === undefined ? null : mask(length === -1 ? null : message.subarray(at - length, at))
    if (value === null && length === -1) continue
    edits.push({ start, end: at, value })
    size += (value === null ? 0 : value.length) - (at - start - 4)
  }
  if (at !== end) throw malformed()
  if (edits.length === 0) return message
  // Second pass: one allocation, and what lies between two edits is copied in one go.
  const masked = Buffer.allocUnsafe(size)
  let from = 0
  let to = 0
  for (const edit of edits) {
    to += message.copy(masked, to, from, edit.start)
    from = edit.end
    masked.writeInt32BE(edit.value === null ? -1 : edit.value.length, to)
    to += 4
    if (edit.value !== null) to += edit.value.copy(masked, to)
  }
  message.copy(masked, to, from)
  masked.writeUInt32BE(size - 1, 1)
  return masked
}

function malformed(): PosternError {
  return new PosternError('protocol_violation', 'malformed DataRow: its lengths do not add up')
}
