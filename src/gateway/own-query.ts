import { backend, decodeDataRow } from '../wire/backend.ts'
import type { OwnResult } from './services.ts'

/**
 * A query of the gateway's own on a session's connection, sent while nothing of the client is under way. All of its
 * answer belongs to it: the client sees none of it, and a setting that it changes and takes back is not reported.
 */
export class OwnQuery {
  readonly #results: (readonly (string | null)[])[][] = []
  readonly #onEnd: (results: readonly OwnResult[] | null) => void
  #hasFailed = false

  /** `onEnd` is told the results of its statements that return rows, in order, or null where one of them failed. */
  constructor(onEnd: (results: readonly OwnResult[] | null) => void) {
    this.#onEnd = onEnd
  }

  /** Takes in one whole message; says whether it was the last one. */
  take(type: number, body: Buffer): boolean {
    switch (type) {
      case backend.RowDescription:
        this.#results.push([])
        return false
      case backend.DataRow:
        this.#results.at(-1)?.push(decodeDataRow(body).map((value) => value?.toString('utf8') ?? null))
        return false
      case backend.ErrorResponse:
        this.#hasFailed = true
        return false
      case backend.ReadyForQuery:
        this.#onEnd(this.#hasFailed ? null : this.#results)
        return true
      default:
        return false
    }
  }

  /** The connection is gone. */
  abandon(): void {
    this.#onEnd(null)
  }
}
