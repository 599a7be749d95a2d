import type { TransactionStatus } from '../wire/backend.ts'
import { type Execution, type Operation, PendingOperations } from './operations.ts'
import type { OwnQuery } from './own-query.ts'
import { SessionNames } from './names.ts'
import type { CopyInspector } from './services.ts'
import { SessionSettings } from './settings.ts'

/**
 * Where a COPY FROM STDIN stands. `expected`: a statement that may ask for data was sent; nothing more is sent until
 * PostgreSQL has asked or answered, so that no Sync is ever lost in COPY mode. `receiving`: it has asked.
 * `ended`: the client has finished or failed the data, and the answer is outstanding.
 */
export type CopyState = 'none' | 'expected' | 'receiving' | 'ended'

/** What the two directions of one session know together: what was sent, and what PostgreSQL has made of it. */
export class Exchange {
  readonly pending = new PendingOperations()
  readonly names = new SessionNames()
  readonly settings: SessionSettings
  copy: CopyState = 'none'
  /** What looks into the data of a COPY that is `receiving`; null where it goes on as it is. */
  inspector: CopyInspector | null = null
  /** After an error in the extended protocol PostgreSQL skips everything up to Sync, and so do we. */
  isDiscarding = false
  /** As PostgreSQL told when it was last ready. */
  transactionStatus: TransactionStatus = 'I'
  /** What the gateway itself asks on this connection now; nothing of the client is under way then. */
  own: OwnQuery | null = null
  /** Whether the gateway is going to ask more of its own: nothing of the client may come in between. */
  isReserved = false
  /** How many Queries and Syncs are pending: what is sent behind one of them runs even if what is before it fails. */
  #boundaries = 0

  constructor(role: string) {
    this.settings = new SessionSettings(role, () => this.#boundaries > 0)
  }

  /** Whether PostgreSQL will answer all that is pending without being sent anything more. */
  get willBeAnswered(): boolean {
    const { newest } = this.pending
    return newest !== undefined && isBoundary(newest)
  }

  /** Whether nothing is under way: the moment at which a session can end without cutting anything off. */
  get isIdle(): boolean {
    return this.pending.length === 0 && this.copy === 'none' && this.own === null
  }

  /** Whether PostgreSQL finishes nothing of what is under way unless it is sent more. */
  get isStalled(): boolean {
    return this.#boundaries === 0 && this.copy === 'none' && this.own === null
  }

  /** Under which schema and settings a Describe that is sent now is read. */
  describingAs(schema: string): string {
    return `${schema} ${String(this.settings.epoch)}`
  }

  /** What PostgreSQL has been given to run and has not finished. */
  get running(): readonly Execution[] {
    return [...this.pending].flatMap((operation) => {
      if (operation.kind === 'query') return operation.executions.slice(operation.finished)
      return operation.kind === 'execute' && operation.execution !== null ? [operation.execution] : []
    })
  }

  /** Notes an operation that goes to PostgreSQL. */
  send(operation: Operation): void {
    this.pending.push(operation)
    if (isBoundary(operation)) this.#boundaries += 1
    this.names.sent(operation)
  }

  /** Takes the oldest operation: PostgreSQL has answered or skipped it. */
  answer(): Operation | undefined {
    const operation = this.pending.shift()
    if (operation === undefined) return undefined
    this.names.settled(operation)
    if (isBoundary(operation)) this.#boundaries -= 1
    return operation
  }
}

function isBoundary({ kind }: Operation): boolean {
  return kind === 'sync' || kind === 'query'
}
