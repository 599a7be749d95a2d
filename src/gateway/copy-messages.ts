import { PosternError } from '../core/errors.ts'
import { frontend } from '../wire/frontend.ts'
import type { Exchange } from './exchange.ts'

/** What becomes of a message, other than CopyData, where a COPY FROM STDIN is expected or under way. */
export function treatInCopy(exchange: Exchange, type: number): 'forward' | 'drop' | 'hold' {
  if (exchange.copy !== 'receiving') return 'hold'
  switch (type) {
    case frontend.CopyDone:
    case frontend.CopyFail:
      // A Query may ask for data again. An Execute does not, and answers no sooner than it is sent Sync or Flush.
      exchange.copy = exchange.pending.newest?.kind === 'query' ? 'ended' : 'none'
      return 'forward'
    case frontend.Flush:
    case frontend.Sync:
      // PostgreSQL ignores both in COPY mode, for clients that send them without having noticed.
      return 'drop'
    default:
      throw new PosternError(
        'protocol_violation',
        `unexpected message type 0x${type.toString(16).toUpperCase().padStart(2, '0')} during COPY from stdin`,
      )
  }
}
