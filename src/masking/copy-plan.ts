import { PosternError } from '../core/errors.ts'
import type { Mask } from './mask.ts'

/** The format of one COPY as bytes, and what to do with each column. */
export interface CopyPlan {
  readonly delimiter: number
  readonly quote: number
  readonly escape: number
  readonly null: Buffer
  readonly hasHeader: boolean
  /** One for each column; null leaves it raw. */
  readonly masks: readonly (Mask | null)[]
}

/**
 * Reads as many whole rows as there are from the front of `data`, and gives them masked with the number of bytes read.
 * Made anew for each copy, since it may remember what came before.
 */
export type CopyRows = (data: Buffer) => { readonly masked: Buffer; readonly end: number }

/** What COPY data that the statement does not explain is answered with. */
export function unexpectedCopyData(reason: string): PosternError {
  return new PosternError('protocol_violation', `COPY data cannot be masked: ${reason}`)
}
