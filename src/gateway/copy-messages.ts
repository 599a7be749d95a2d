import { PosternError } from '../core/errors.ts'
import { encodeCopyFail, frontend } from '../wire/frontend.ts'
import type { Exchange } from './exchange.ts'
import type { OutgoingBatch } from './outgoing-batch.ts'
import { refusalOf } from './refusal.ts'
import type { CopyInspector } from './services.ts'

const headerBytes = 5

/** What the client sends where a COPY FROM STDIN is expected or under way, and what becomes of it. */
export class CopyInMessages {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** What becomes of a message other than CopyData. */
  treat(type: number, batch: OutgoingBatch): 'forward' | 'drop' | 'hold' {
    const exchange = this.#exchange
    if (exchange.copy !== 'receiving') return 'hold'
    switch (type) {
      case frontend.CopyDone:
        if (!this.#pass((inspector) => inspector.end(), batch)) return 'drop'
        return this.#end()
      case frontend.CopyFail:
        return this.#end()
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

  /** What becomes of all of one CopyData message, which comes in pieces; those that are looked into go to `inspect`. */
  treatData(): 'forward' | 'drop' | 'hold' | 'inspect' {
    const { copy, inspector } = this.#exchange
    if (copy === 'receiving') return inspector === null ? 'forward' : 'inspect'
    return copy === 'none' ? 'drop' : 'hold'
  }

  /** Looks into a piece of the data: what may go on goes on, in messages of our own. */
  inspect(data: Buffer, batch: OutgoingBatch): void {
    this.#pass((inspector) => inspector.take(data), batch)
  }

  /** Says whether more may follow. Once something was refused, what is left of its message is dropped here. */
  #pass(look: (inspector: CopyInspector) => ReturnType<CopyInspector['end']>, batch: OutgoingBatch): boolean {
    const exchange = this.#exchange
    const { inspector } = exchange
    if (inspector === null) return exchange.copy === 'receiving'
    const { passes, refused } = look(inspector)
    for (const data of passes) {
      batch.insert(copyDataHeader(data.length))
      batch.insert(data)
    }
    if (refused === null) return true
    const operation = exchange.pending.oldest
    if (operation?.kind !== 'query' && operation?.kind !== 'execute') throw new Error('nothing copies the data')
    operation.refusal = refusalOf(refused)
    // PostgreSQL repeats it in its error, and is out of COPY mode then: until that comes, nothing more is sent.
    batch.insert(encodeCopyFail(operation.refusal.token))
    exchange.inspector = null
    exchange.copy = 'ended'
    return false
  }

  #end(): 'forward' {
    const exchange = this.#exchange
    // A Query may ask for data again. An Execute does not, and answers no sooner than it is sent Sync or Flush.
    exchange.copy = exchange.pending.newest?.kind === 'query' ? 'ended' : 'none'
    return 'forward'
  }
}

function copyDataHeader(dataBytes: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes)
  header[0] = frontend.CopyData
  header.writeUInt32BE(dataBytes + 4, 1)
  return header
}
