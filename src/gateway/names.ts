import { limits } from '../core/limits.ts'
import { opaqueStatement, type StatementAnalysis } from '../core/statement.ts'
import type { Bind } from '../wire/frontend.ts'
import { Remembered } from './remembered.ts'
import type { Execution, Operation, Portal, PreparedStatement } from './operations.ts'
import type { Protected } from './protection.ts'

/** `found`, or nothing of that name is known, or an earlier answer has to arrive before it can be said. */
export type Lookup<T> = { readonly found: T } | 'unknown' | 'undecided'

/**
 * The prepared statements and portals of one session. SQL's PREPARE and DECLARE share their name spaces with Parse and
 * Bind, so both are kept here. A name counts as defined only when PostgreSQL has said so; a definition that is still
 * on its way is used by the messages behind it in the same pipeline segment, since these are skipped if it fails.
 * Entries may outlive what they describe (DEALLOCATE, the end of a transaction): that is harmless, as PostgreSQL
 * refuses the use. Beyond the bound the oldest are forgotten, and a forgotten name is opaque.
 */
export class SessionNames {
  readonly #prepared = new Remembered<PreparedStatement>(
    { countMax: limits.preparedStatementsMax, bytesMax: limits.sessionNamesBytesMax },
    (prepared) => weigh(prepared.statement),
  )
  readonly #portals = new Remembered<Portal>(
    { countMax: limits.portalsMax, bytesMax: limits.sessionNamesBytesMax },
    (portal) => weigh(portal.prepared.statement) + portal.parameters.length * 2,
  )
  /** The newest definition of each name that is on its way. */
  readonly #preparedOnTheWay = new Map<string, OnTheWay<PreparedStatement>>()
  readonly #portalsOnTheWay = new Map<string, OnTheWay<Portal>>()
  /** Counts the segments that were sent. */
  #segment = 0

  prepared(name: string): Lookup<PreparedStatement> {
    return this.#lookup(this.#preparedOnTheWay.get(name), this.#prepared.get(name))
  }

  portal(name: string): Lookup<Portal> {
    return this.#lookup(this.#portalsOnTheWay.get(name), this.#portals.get(name))
  }

  /** An operation goes to PostgreSQL: what it defines is on its way, and Sync or Query end the segment. */
  sent(operation: Operation): void {
    const segment = this.#segment
    if (operation.kind === 'parse') {
      const { prepared } = operation
      this.#preparedOnTheWay.set(prepared.name, { found: prepared, operation, segment })
    } else if (operation.kind === 'bind') {
      const { portal } = operation
      this.#portalsOnTheWay.set(portal.name, { found: portal, operation, segment })
    } else {
      for (const execution of executionsOf(operation)) {
        const { prepares, declares } = definedBy(execution)
        if (prepares !== null) {
          const found = newPrepared(prepares.name, prepares.analysis)
          this.#preparedOnTheWay.set(prepares.name, { found, operation, segment })
        }
        if (declares !== null) {
          const found = newCursor(declares, execution)
          this.#portalsOnTheWay.set(declares, { found, operation, segment })
        }
      }
    }
    if (operation.kind === 'sync' || operation.kind === 'query') this.#segment += 1
  }

  /** PostgreSQL has answered an operation or skipped it: nothing of it is on its way any more. */
  settled(operation: Operation): void {
    if (operation.kind === 'parse') arrived(this.#preparedOnTheWay, operation.prepared.name, operation)
    else if (operation.kind === 'bind') arrived(this.#portalsOnTheWay, operation.portal.name, operation)
    for (const execution of executionsOf(operation)) {
      const { prepares, declares } = definedBy(execution)
      if (prepares !== null) arrived(this.#preparedOnTheWay, prepares.name, operation)
      if (declares !== null) arrived(this.#portalsOnTheWay, declares, operation)
    }
  }

  /** Takes in what a successful operation defined. */
  define(definition: { readonly prepared: PreparedStatement } | { readonly portal: Portal }): void {
    if ('prepared' in definition) this.#prepared.set(definition.prepared)
    else this.#portals.set(definition.portal)
  }

  /** Takes in a statement that completed: it may have defined or dropped names. */
  complete(execution: Pick<Execution, 'statement' | 'protection' | 'portal' | 'isApproved'>, tag: string): void {
    const { prepares, declares } = definedBy(execution)
    if (prepares !== null) this.define({ prepared: newPrepared(prepares.name, prepares.analysis) })
    if (declares !== null) this.define({ portal: newCursor(declares, execution) })
    if (tag === 'DEALLOCATE ALL' || tag === 'DISCARD ALL') this.#prepared.clear()
  }

  close(target: 'S' | 'P', name: string): void {
    if (target === 'S') this.#prepared.delete(name)
    else this.#portals.delete(name)
  }

  /** Outside a transaction only cursors WITH HOLD are left, which SQL declared; Bind's portals are gone. */
  endTransaction(): void {
    this.#portals.keep(({ name, prepared }) => prepared.statement.names.declares === name)
  }

  #lookup<T>(onTheWay: OnTheWay<T> | undefined, defined: T | undefined): Lookup<T> {
    if (onTheWay !== undefined) return onTheWay.segment === this.#segment ? onTheWay : 'undecided'
    return defined === undefined ? 'unknown' : { found: defined }
  }
}

/** A definition that PostgreSQL has not confirmed, by which operation, in which segment. */
interface OnTheWay<T> {
  readonly found: T
  readonly operation: Operation
  readonly segment: number
}

/** Answers come in order, so that a newer definition of the same name stays on its way. */
function arrived<T>(onTheWay: Map<string, OnTheWay<T>>, name: string, operation: Operation): void {
  if (onTheWay.get(name)?.operation === operation) onTheWay.delete(name)
}

const none: readonly Execution[] = []

function executionsOf(operation: Operation): readonly Execution[] {
  if (operation.kind === 'query') return operation.executions
  if (operation.kind === 'execute' && operation.execution !== null) return [operation.execution]
  return none
}

const definesNothing = { prepares: null, declares: null } as const

/** An Execute of a declared cursor carries the DECLARE, and what it returns was fixed when that ran. */
function definedBy({
  statement,
  portal,
}: Pick<Execution, 'statement' | 'portal'>): Pick<StatementAnalysis['names'], 'prepares' | 'declares'> {
  return portal?.isCursor === true ? definesNothing : statement.names
}

function newCursor(
  name: string,
  { statement, protection, isApproved }: Pick<Execution, 'statement' | 'protection' | 'isApproved'>,
): Portal {
  const prepared = newPrepared('', statement)
  return {
    name,
    prepared,
    bind: null,
    resultFormats: [],
    parameters: '[]',
    protection,
    ticket: null,
    refused: null,
    isApproved,
    isCursor: true,
  }
}

/** What a Bind opens. */
export function newPortal(bind: Bind, prepared: PreparedStatement, protection: Protected | null): Portal {
  const { portal: name, resultFormats } = bind
  return {
    name,
    prepared,
    bind,
    resultFormats,
    parameters: '[]',
    protection,
    ticket: null,
    refused: null,
    isApproved: false,
    isCursor: false,
  }
}

/** A prepared statement that was not executed yet. */
export function newPrepared(
  name: string,
  statement: StatementAnalysis,
  parameterTypes: readonly number[] = [],
): PreparedStatement {
  return { name, statement, parameterTypes, executions: 0, description: null, describedAs: '' }
}

/** Roughly what a statement takes, its members for the record included; most texts are shared, and some are not. */
function weigh({ sql, commands }: StatementAnalysis): number {
  return 500 + sql.length * 3 + commands.length * 100
}

/** A name that PostgreSQL may know (a function can run PREPARE) and Postern does not. */
export function unknownPrepared(name: string): PreparedStatement {
  return newPrepared(name, opaqueStatement('', 'the prepared statement was not defined in view of Postern'))
}

/** A portal that PostgreSQL may know and Postern does not. */
export function unknownPortal(name: string): Portal {
  const statement = opaqueStatement('', 'the portal was not opened in view of Postern')
  return newCursor(name, { statement, protection: null, isApproved: false })
}
