import { limits } from '../core/limits.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { opaqueStatement } from './statement.ts'
import type { Operation, PendingOperations, Portal, PreparedStatement } from './operations.ts'

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
  readonly #prepared = new Map<string, PreparedStatement>()
  readonly #portals = new Map<string, Portal>()
  readonly #pending: PendingOperations

  constructor(pending: PendingOperations) {
    this.#pending = pending
  }

  prepared(name: string): Lookup<PreparedStatement> {
    return this.#lookup(this.#prepared.get(name), (operation) => preparedBy(operation, name))
  }

  portal(name: string): Lookup<Portal> {
    return this.#lookup(this.#portals.get(name), (operation) => portalBy(operation, name))
  }

  /** Takes in what a successful operation defined. */
  define(definition: { readonly prepared: PreparedStatement } | { readonly portal: Portal }): void {
    if ('prepared' in definition) {
      remember(this.#prepared, definition.prepared, limits.preparedStatementsMax)
    } else {
      remember(this.#portals, definition.portal, limits.portalsMax)
    }
  }

  /** Takes in a statement that completed: it may have defined or dropped names. */
  complete(statement: StatementAnalysis, tag: string): void {
    for (const definition of definedBySql(statement)) this.define(definition)
    if (tag === 'DEALLOCATE ALL' || tag === 'DISCARD ALL') this.#prepared.clear()
  }

  close(target: 'S' | 'P', name: string): void {
    if (target === 'S') this.#prepared.delete(name)
    else this.#portals.delete(name)
  }

  /** Outside a transaction only cursors WITH HOLD are left, which SQL declared; Bind's portals are gone. */
  endTransaction(): void {
    if (this.#portals.size === 0) return
    for (const [name, portal] of this.#portals) {
      if (portal.prepared.statement.names.declares !== name) this.#portals.delete(name)
    }
  }

  #lookup<T>(defined: T | undefined, definedBy: (operation: Operation) => T | undefined): Lookup<T> {
    let isSameSegment = true
    let answer: Lookup<T> | null = null
    this.#pending.someFromNewest((operation) => {
      if (operation.kind === 'sync' || operation.kind === 'query') isSameSegment = false
      const found = definedBy(operation)
      if (found === undefined) return false
      answer = isSameSegment ? { found } : 'undecided'
      return true
    })
    if (answer !== null) return answer
    return defined === undefined ? 'unknown' : { found: defined }
  }
}

function preparedBy(operation: Operation, name: string): PreparedStatement | undefined {
  if (operation.kind === 'parse') return operation.prepared.name === name ? operation.prepared : undefined
  return definitionsOf(operation)
    .map((definition) => ('prepared' in definition ? definition.prepared : undefined))
    .find((prepared) => prepared?.name === name)
}

function portalBy(operation: Operation, name: string): Portal | undefined {
  if (operation.kind === 'bind') return operation.portal.name === name ? operation.portal : undefined
  return definitionsOf(operation)
    .map((definition) => ('portal' in definition ? definition.portal : undefined))
    .find((portal) => portal?.name === name)
}

type Definition = { readonly prepared: PreparedStatement } | { readonly portal: Portal }
const none: readonly Definition[] = []

function definitionsOf(operation: Operation): readonly Definition[] {
  if (operation.kind === 'query') {
    return operation.executions.flatMap((execution) => definedBySql(execution.statement)).toReversed()
  }
  if (operation.kind === 'execute' && operation.execution !== null) return definedBySql(operation.execution.statement)
  return none
}

function definedBySql(statement: StatementAnalysis): readonly Definition[] {
  const { prepares, declares } = statement.names
  if (prepares !== null) {
    return [{ prepared: newPrepared(prepares.name, prepares.analysis) }]
  }
  if (declares !== null) {
    return [{ portal: { name: declares, prepared: newPrepared('', statement), bind: null, parameters: '[]' } }]
  }
  return none
}

/** A prepared statement that was not executed yet. */
export function newPrepared(
  name: string,
  statement: StatementAnalysis,
  parameterTypes: readonly number[] = [],
): PreparedStatement {
  return { name, statement, parameterTypes, executions: 0 }
}

function remember<T extends { readonly name: string }>(names: Map<string, T>, item: T, countMax: number): void {
  names.delete(item.name)
  if (names.size >= countMax) {
    const oldest = names.keys().next()
    if (oldest.done !== true) names.delete(oldest.value)
  }
  names.set(item.name, item)
}

/** A name that PostgreSQL may know (a function can run PREPARE) and Postern does not. */
export function unknownPrepared(name: string): PreparedStatement {
  return newPrepared(name, opaqueStatement('', 'the prepared statement was not defined in view of Postern'))
}

/** A portal that PostgreSQL may know and Postern does not. */
export function unknownPortal(name: string): Portal {
  const statement = opaqueStatement('', 'the portal was not opened in view of Postern')
  return { name, prepared: newPrepared('', statement), bind: null, parameters: '[]' }
}
