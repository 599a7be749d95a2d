import {
  backend,
  decodeCopyResponse,
  decodeErrorResponse,
  decodeNotificationResponse,
  decodeRowDescription,
  encodeNotificationResponse,
  encodeReportFields,
  type FieldDescription,
} from '../wire/backend.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { encodeCopyData, formatAt } from '../wire/frontend.ts'
import { inspectorOf } from './copy-in.ts'
import type { Description, Execution, Operation } from './operations.ts'
import type { Protected } from './protection.ts'
import type { ColumnMask, CopyInspector, Protects } from './services.ts'
import type { SessionSettings } from './settings.ts'

/** Which masks a result was given while it had no description: every value of it is NULL. */
const everythingIsNull: readonly ColumnMask[] = []

/**
 * What leaves of a result: rows and COPY data with what the principal may not see replaced, and errors, notices and
 * notifications without the values that they might quote. Masks rest on the lineage and on the origins that
 * PostgreSQL's RowDescription tells; either is enough.
 */
export class ResultGuard {
  readonly #protects: Protects
  readonly #descriptions = new WeakMap<StatementAnalysis, Description>()
  readonly #seesAll: () => boolean
  readonly #settings: Pick<SessionSettings, 'clientEncoding' | 'answerEncoding'>
  /** Whether the open transaction has touched what the principal may not see: a deferred constraint fails at its end. */
  #isTransactionScrubbed = false

  constructor(
    protects: Protects,
    session: {
      readonly seesAll: () => boolean
      readonly settings: Pick<SessionSettings, 'clientEncoding' | 'answerEncoding'>
    },
  ) {
    this.#protects = protects
    this.#seesAll = session.seesAll
    this.#settings = session.settings
  }

  /** Takes in what PostgreSQL says of a result in the simple protocol, right before its rows. */
  describe(execution: Execution, body: Buffer): void {
    execution.masks = this.#planRows(execution, decodeRowDescription(body))
  }

  /** Takes in the answer to a Describe. */
  described(statement: StatementAnalysis, body: Buffer): Description {
    const known = this.#descriptions.get(statement)
    // With the same description the masks that were planned stay good, each for the lineage it was planned by.
    if (known?.body.equals(body) === true) return known
    const description = { body: Buffer.from(body), fields: decodeRowDescription(body), masks: new Map() }
    this.#descriptions.set(statement, description)
    return description
  }

  /** Takes in how COPY TO is about to send. */
  describeCopy(execution: Execution, body: Buffer): void {
    const { protection } = execution
    if (protection === null) return
    const { format, columnFormats } = decodeCopyResponse(body)
    const shape = { columnCount: columnFormats.length, format: format === 1 ? 1 : 0 } as const
    // It was certain when the statement was let through, and what may change it since comes behind this answer.
    const { clientEncoding } = this.#settings
    const masks = this.#protects.planCopy({ ...protection, ...shape, clientEncoding })
    execution.masks = masks
    const { copyOut } = protection.lineage
    if (masks === null) return
    if (copyOut === null) throw new Error('COPY data that has to be masked comes from a statement that is no COPY')
    execution.copyMasker = this.#protects.copyMasker(copyOut, masks, clientEncoding)
  }

  /** Takes in that COPY FROM STDIN may begin; gives what looks into its data, or null where nothing has to. */
  receiveCopy(execution: Execution, body: Buffer): CopyInspector | null {
    const { clientEncoding } = this.#settings
    return inspectorOf(execution, body, { protects: this.#protects, clientEncoding })
  }

  /** What the client gets in the place of a row or of COPY data; null for the message as it is. */
  maskerOf(execution: Execution, type: number): ((message: Buffer) => Buffer) | null {
    if (execution.protection === null) return null
    if (type === backend.CopyData) {
      const { copyMasker } = execution
      return copyMasker === null ? null : (message) => encodeCopyData(copyMasker.take(message.subarray(5)))
    }
    execution.masks ??= execution.masks === undefined ? this.#planPortal(execution) : null
    const { masks } = execution
    return masks === null ? null : (message) => this.#protects.maskRow(message, masks)
  }

  /** Takes in the end of an execution. */
  finished({ protection, fixed }: Execution): void {
    if (protection?.isScrubbing === true || fixed?.isScrubbing === true) this.#isTransactionScrubbed = true
  }

  /** PostgreSQL is ready again. */
  ready(options: { readonly isInTransaction: boolean }): void {
    if (!options.isInTransaction) this.#isTransactionScrubbed = false
  }

  /** An error or notice as the client may see it while `operation` is being answered; null for the message as it is. */
  scrub(type: number, body: Buffer, operation: Operation | undefined): Buffer | null {
    const about = aboutOf(operation)
    if (!this.#isTransactionScrubbed && about?.isScrubbing !== true) return null
    return encodeReportFields(type, this.#protects.scrubReport(decodeErrorResponse(body), about?.sql ?? ''))
  }

  /** A notification as the client may see it: its payload comes from elsewhere, and nobody knows what is in it. */
  scrubNotification(body: Buffer): Buffer | null {
    const { processId, channel, payload } = decodeNotificationResponse(body)
    if (payload === '' || this.#protects.safeChannels.has(channel) || this.#seesAll()) return null
    return encodeNotificationResponse(processId, channel, '')
  }

  #planPortal(execution: Execution): readonly ColumnMask[] | null {
    const { protection, fixed, portal } = execution
    if (protection === null) return null
    const description = portal?.prepared.description ?? null
    if (portal === null || description === null) {
      return protection.isMasking || fixed?.isMasking === true ? everythingIsNull : null
    }
    const formats = `${portal.resultFormats.join()} ${this.#settings.answerEncoding}`
    const known = fixed === null ? description.masks.get(protection) : undefined
    if (known?.formats === formats) return known.masks
    const fields = description.fields.map((field, index) => ({
      ...field,
      format: formatAt(portal.resultFormats, index),
    }))
    const masks = this.#planRows(execution, fields)
    if (fixed === null) {
      if (description.masks.size >= 8) description.masks.clear()
      description.masks.set(protection, { formats, masks })
    }
    return masks
  }

  #planRows({ protection, fixed }: Execution, fields: readonly FieldDescription[]): readonly ColumnMask[] | null {
    if (protection === null || this.#seesAll()) return null
    const now = this.#plan(protection, fields)
    if (fixed === null) return now
    const then = this.#plan(fixed, fields)
    if (now === null || then === null) return now ?? then
    return fields.map((_, index) => now[index] ?? then[index] ?? null)
  }

  #plan(protection: Protected, fields: readonly FieldDescription[]): readonly ColumnMask[] | null {
    return this.#protects.planRows({ ...protection, fields, clientEncoding: this.#settings.answerEncoding })
  }
}

/** Whose text an error that answers `operation` would be about. PostgreSQL reads no data at Parse. */
function aboutOf(operation: Operation | undefined): { readonly sql: string; readonly isScrubbing: boolean } | null {
  switch (operation?.kind) {
    case 'query':
      return aboutExecution(operation.executions[operation.finished], operation.text)
    case 'execute':
      return aboutExecution(operation.execution ?? undefined, null)
    case 'bind': {
      const { prepared, protection } = operation.portal
      return { sql: prepared.statement.sql, isScrubbing: protection?.isScrubbing === true }
    }
    case 'parse':
      return { sql: operation.prepared.statement.sql, isScrubbing: false }
    default:
      return null
  }
}

function aboutExecution(
  execution: Execution | undefined,
  text: string | null,
): { readonly sql: string; readonly isScrubbing: boolean } | null {
  if (execution === undefined) return null
  const { statement, protection, fixed } = execution
  return { sql: text ?? statement.sql, isScrubbing: protection?.isScrubbing === true || fixed?.isScrubbing === true }
}
