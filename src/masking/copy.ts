import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { CopyFormat } from '../core/lineage.ts'
import { embedsAscii } from './encodings.ts'
import { binaryRows } from './copy-binary.ts'
import { csvRows } from './copy-csv.ts'
import { unexpectedCopyData } from './copy-plan.ts'
import type { CopyPlan, CopyRows } from './copy-plan.ts'
import { textRows } from './copy-text.ts'
import type { Mask } from './mask.ts'

/** Masks the data of one COPY TO STDOUT. */
export interface CopyMasker {
  /**
   * The payload of one CopyData message, masked. What does not end a row is kept back for the next one, so the answer
   * may be empty. Throws where the data is not what the statement says; nothing after that may be passed on.
   */
  take(data: Buffer): Buffer
  /** To be called when the copy is done: throws where it ended within a row. */
  end(): void
}

/**
 * A masker for one COPY. `masks` beyond `columnCount` are of no use and refused; columns without one become NULL. A
 * format that is uncertain, and an encoding in which it cannot be read, are refused with `feature_refused`.
 */
export function createCopyMasker(options: {
  readonly copy: CopyFormat
  readonly masks: readonly (Mask | null)[]
  readonly columnCount: number
  /** The client_encoding in force, UTF8 where it is left out. */
  readonly clientEncoding?: string
}): CopyMasker {
  const read = rowsOf(options)
  let kept: Buffer = Buffer.alloc(0)
  let isBroken = false
  return {
    take(data) {
      if (isBroken) throw unexpectedCopyData('an earlier part of it was malformed')
      // Set while the work goes on, so that an exception leaves it set.
      isBroken = true
      const input = kept.length === 0 ? data : Buffer.concat([kept, data])
      const { masked, end } = read(input)
      if (input.length - end > limits.copyRowBytesMax) {
        throw new PosternError(
          'limit_exceeded',
          `a row of a masked COPY is longer than ${limits.copyRowBytesMax} bytes`,
        )
      }
      // A copy: the input may be a view of a buffer that is used again.
      kept = end === input.length ? Buffer.alloc(0) : Buffer.from(input.subarray(end))
      isBroken = false
      return masked
    },
    end() {
      if (isBroken || kept.length > 0) throw unexpectedCopyData('it ended within a row')
    },
  }
}

function rowsOf({
  copy,
  masks,
  columnCount,
  clientEncoding = 'UTF8',
}: Parameters<typeof createCopyMasker>[0]): CopyRows {
  const toNull: Mask = () => null
  const plan: CopyPlan = {
    delimiter: oneByte(copy.delimiter, 'delimiter'),
    quote: copy.format === 'csv' ? oneByte(copy.quote, 'quote') : 0,
    escape: copy.format === 'csv' ? oneByte(copy.escape, 'escape') : 0,
    null: Buffer.from(copy.null),
    hasHeader: copy.hasHeader,
    masks: Array.from({ length: columnCount }, (_, index) => (index < masks.length ? (masks[index] ?? null) : toNull)),
  }
  if (copy.isUncertain || masks.length > columnCount) {
    throw new PosternError('feature_refused', 'the format of this COPY is not certain, so that it cannot be masked')
  }
  if (copy.format !== 'binary' && embedsAscii(clientEncoding)) {
    throw new PosternError('feature_refused', `COPY data cannot be masked while client_encoding is ${clientEncoding}`, {
      hint: "SET client_encoding = 'UTF8', or use COPY in binary format.",
    })
  }
  switch (copy.format) {
    case 'text':
      return textRows(plan)
    case 'csv':
      return csvRows(plan)
    case 'binary':
      return binaryRows(plan)
    default:
      throw new PosternError('feature_refused', 'the format of this COPY is not known, so that it cannot be masked')
  }
}

/** PostgreSQL takes single bytes only. */
function oneByte(text: string, what: string): number {
  const code = text.charCodeAt(0)
  if (text.length !== 1 || code >= 0x80)
    throw new PosternError('feature_refused', `the ${what} of this COPY is no single byte`)
  return code
}
