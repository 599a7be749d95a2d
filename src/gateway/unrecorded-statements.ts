import type { Portal, PreparedStatement } from './operations.ts'
import { encodedParameters } from './record.ts'
import type { StatementWay } from './statement.ts'

/**
 * Statements that PostgreSQL gets to see in a batch and that no Execute in it has put on record: it analyses at Parse and
 * plans at Bind.
 */
export class UnrecordedStatements {
  readonly #way: StatementWay
  readonly #items = new Set<PreparedStatement | Portal>()

  constructor(way: StatementWay) {
    this.#way = way
  }

  add(item: PreparedStatement | Portal): void {
    this.#items.add(item)
  }

  delete(item: PreparedStatement | Portal): void {
    this.#items.delete(item)
  }

  /** Puts what is left on record. */
  record(): void {
    if (this.#items.size === 0) return
    for (const item of this.#items) {
      if ('prepared' in item) {
        const { statement, name } = item.prepared
        const parameters = encodedParameters(item, this.#way.parameterRedactionOf(statement))
        const bound = `"step":"bind","statement":${JSON.stringify(name)},"parameters":${parameters}`
        this.#way.recordPrepare(statement, bound)
      } else {
        this.#way.recordPrepare(item.statement, `"step":"parse","statement":${JSON.stringify(item.name)}`)
      }
    }
    this.#items.clear()
  }
}
