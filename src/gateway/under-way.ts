import type { StatementAnalysis } from '../core/statement.ts'
import type { Exchange } from './exchange.ts'
import type { Execution, Operation } from './operations.ts'
import type { Protects } from './services.ts'

/** A session whose statements may be under way. */
interface Member {
  readonly statements: () => readonly StatementAnalysis[]
}

/**
 * What is under way in the sessions of each database. PostgreSQL reads a statement's names when it comes to it, which
 * may be long after it was decided: behind another statement, or behind a lock.
 */
const membersOf = new WeakMap<Protects, Set<Member>>()

/** What one session has under way, as the others of its database have to mind it. */
export class UnderWay {
  readonly #protects: Protects
  readonly #exchange: Exchange
  readonly #others: Set<Member>
  #member: Member

  constructor(protects: Protects, exchange: Exchange) {
    this.#protects = protects
    this.#exchange = exchange
    this.#others = membersOf.get(protects) ?? new Set()
    membersOf.set(protects, this.#others)
    this.#member = { statements: () => statementsOf(exchange) }
    this.#others.add(this.#member)
  }

  /** Whether a statement of another session, decided before now, may come to mean a relation of that name. */
  isMeantElsewhere(name: string): boolean {
    for (const member of this.#others) {
      if (member === this.#member) continue
      if (member.statements().some((statement) => mayMean(statement, name, this.#protects))) return true
    }
    return false
  }

  /** The client is gone: what it has sent still runs until `gone`. */
  close(gone: Promise<unknown>): void {
    const statements = statementsOf(this.#exchange)
    this.#others.delete(this.#member)
    if (statements.length === 0) return
    this.#member = { statements: () => statements }
    this.#others.add(this.#member)
    void gone.then(() => this.#others.delete(this.#member))
  }
}

function statementsOf({ pending, names }: Exchange): readonly StatementAnalysis[] {
  const statements: StatementAnalysis[] = []
  for (const operation of pending) {
    for (const statement of ofOperation(operation)) {
      statements.push(statement)
      const { executes, fetches } = statement.names
      if (executes !== null) {
        const lookup = names.prepared(executes)
        if (typeof lookup === 'object') statements.push(lookup.found.statement)
      }
      if (fetches !== null) {
        const lookup = names.portal(fetches)
        if (typeof lookup === 'object') statements.push(lookup.found.prepared.statement)
      }
    }
  }
  return statements
}

function ofOperation(operation: Operation): readonly StatementAnalysis[] {
  if (operation.kind === 'bind') return [operation.portal.prepared.statement]
  if (operation.kind === 'query') return operation.executions.slice(operation.finished).map(statementOf)
  return operation.kind === 'execute' && operation.execution !== null ? [operation.execution.statement] : []
}

function statementOf({ statement }: Execution): StatementAnalysis {
  return statement
}

/** The body of a function is read when it is called, so that it may mean anything. */
function mayMean({ commands, functions }: StatementAnalysis, name: string, protects: Protects): boolean {
  return (
    commands.some(({ relations }) => relations.some((relation) => relation.name === name)) ||
    functions.some((called) => !protects.isBuiltin(called.slice(called.lastIndexOf('.') + 1)))
  )
}
