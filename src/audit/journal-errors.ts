import { PosternError } from '../core/errors.ts'
import { lineBytesMax } from './entry.ts'

/** What the record says as the reason: the system's code where there is one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return (error as NodeJS.ErrnoException).code ?? error.message
}

/** What a client is told while nothing can be written: it holds no path. */
export function unavailableError(cause: unknown): PosternError {
  return new PosternError('journal_unavailable', 'this cannot be recorded now, and nothing runs unrecorded', {
    cause,
    hint: 'Tell whoever runs this gateway that its journal cannot be written; it goes on by itself once that is mended.',
  })
}

/** What the gateway's log is told when writing begins to fail. */
export function operatorError(directory: string, cause: unknown): PosternError {
  const text = cause instanceof Error ? cause.message : reasonOf(cause)
  return new PosternError('journal_unavailable', `the journal in ${directory} cannot be written: ${text}`, {
    cause,
    hint: 'Every statement is refused until it can: make room, or put the directory back. It is tried again by itself.',
  })
}

/** What a client is told whose statement comes after the journal was closed. */
export function closedError(): PosternError {
  return new PosternError('journal_unavailable', 'this cannot be recorded: the gateway is stopping', {
    hint: 'Connect again in a moment.',
  })
}

/** What a client is told whose statement makes a line that no reader would accept. */
export function tooLong(): PosternError {
  return new PosternError('limit_exceeded', 'this statement is too large to be recorded', {
    hint: `An entry of the journal holds at most ${lineBytesMax} bytes.`,
  })
}
