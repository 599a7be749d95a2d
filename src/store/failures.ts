import { DatabaseError } from 'pg'
import { PosternError } from '../core/errors.ts'

/** What SQLite said, brought over from its thread. */
export class SqliteError extends Error {
  /** SQLite's extended result code; 0 where the failure was not SQLite's. */
  readonly resultCode: number

  constructor(message: string, resultCode: number) {
    super(message)
    this.name = 'SqliteError'
    this.resultCode = resultCode
  }
}

const sqliteConstraint = 19

/**
 * What a caller is told of a failure: `internal` where the store refused what was to be written, and
 * `store_unavailable` for all else. Neither holds a value, a path or a host; the cause does, for the log.
 */
export function storeError(error: unknown): PosternError {
  if (error instanceof PosternError) return error
  if (isRefusal(error)) {
    return new PosternError('internal', 'the control store refuses a change that breaks its rules', {
      cause: error,
      hint: 'Nothing of it was kept. The gateway log holds the cause; please tell whoever runs this gateway.',
    })
  }
  return unavailable('the control store cannot be used now', error)
}

/** The error for a store that cannot be reached or used. */
export function unavailable(message: string, cause?: unknown): PosternError {
  return new PosternError('store_unavailable', message, {
    cause,
    hint: 'Nothing was changed unless it shows when you look again. Try again in a moment; if it stays so, tell whoever runs this gateway.',
  })
}

/** What whoever starts the gateway is told when the store cannot be opened. */
export function openingError(where: string, cause: unknown): PosternError {
  if (cause instanceof PosternError && cause.hint !== undefined && cause.code !== 'store_unavailable') return cause
  const reason = cause instanceof PosternError ? rootText(cause) : textOf(cause)
  return new PosternError('store_unavailable', `the control store ${where} cannot be opened: ${reason}`, {
    cause,
    hint:
      (cause instanceof RefusedStore ? cause.hint : undefined) ??
      'Check that it exists, that this process may use it, and that there is room; then start again.',
  })
}

/** A store that can be reached and must not be used: of another version, or changed by hand. */
export class RefusedStore extends PosternError {
  constructor(message: string, hint: string) {
    super('store_unavailable', message, { hint })
  }
}

function rootText(error: PosternError): string {
  return error.cause === undefined ? error.message : textOf(error.cause)
}

function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join('; ')
  if (!(error instanceof Error)) return 'unknown reason'
  return error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message
}

/** Whether the database itself works and says no: constraints (23), unfit data (22), and what our triggers raise. */
function isRefusal(error: unknown): boolean {
  if (error instanceof SqliteError) return error.resultCode % 256 === sqliteConstraint
  return error instanceof DatabaseError && /^(?:22|23|P0001)/u.test(error.code ?? '')
}
