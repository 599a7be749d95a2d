import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { PosternError } from '../core/errors.ts'

/** One journal file. */
export interface SegmentName {
  readonly path: string
  readonly name: string
  /** The sequence number of its first entry. */
  readonly firstSeq: number
}

const pattern = /^journal-(\d{16})\.jsonl$/

/** The file name of the segment that starts with entry `firstSeq`. */
export function segmentName(firstSeq: number): string {
  return `journal-${String(firstSeq).padStart(16, '0')}.jsonl`
}

/** The segments of `directory`, oldest first; other files are ignored. Fails with `input_invalid` where it cannot be read. */
export function listSegments(directory: string): SegmentName[] {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch (error) {
    throw new PosternError('input_invalid', `the journal directory ${directory} cannot be read`, {
      cause: error,
      hint: 'Check the path and that this account may read it.',
    })
  }
  const segments: SegmentName[] = []
  for (const name of names) {
    const digits = pattern.exec(name)?.[1]
    if (digits !== undefined) segments.push({ path: join(directory, name), name, firstSeq: Number(digits) })
  }
  // Fixed-width numbers: the order of names is the order of entries.
  return segments.sort((a, b) => (a.name < b.name ? -1 : 1))
}
