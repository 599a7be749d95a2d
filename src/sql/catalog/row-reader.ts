import { PosternError } from '../../core/errors.ts'

/** Rows of one result as text, NULL as null. */
export type Rows = readonly (readonly (string | null)[])[]

/**
 * Reads the rows of one result column by column. Every step checks what it reads and throws `backend_unavailable` where
 * it is something else, so that a server that answers oddly gives no snapshot rather than a wrong one.
 */
export class RowReader {
  readonly #name: string
  readonly #rows: Rows
  #row = -1
  #column = 0

  /** `name` appears in errors only. */
  constructor(name: string, rows: Rows) {
    this.#name = name
    this.#rows = rows
  }

  /** Goes on to the next row; false where there is none. */
  next(): boolean {
    const row = this.#rows[this.#row]
    if (row !== undefined && this.#column !== row.length) throw this.#odd('a row of another length')
    this.#row += 1
    this.#column = 0
    return this.#row < this.#rows.length
  }

  textOrNull(): string | null {
    const value = this.#rows[this.#row]?.[this.#column]
    if (value === undefined) throw this.#odd('a row that is too short')
    this.#column += 1
    return value
  }

  text(): string {
    const value = this.textOrNull()
    if (value === null) throw this.#odd('a NULL')
    return value
  }

  number(): number {
    return this.#numeric(this.text())
  }

  boolean(): boolean {
    const value = this.text()
    if (value !== 't' && value !== 'f') throw this.#odd('a value that is no boolean')
    return value === 't'
  }

  /** An array of numbers (`{1,2}`) or a vector of them (`1 2`). */
  numbers(): number[] {
    return this.#items(this.text()).map((item) => this.#numeric(item))
  }

  /** An array of single characters that need no quotes, such as `{i,o}`; null for NULL. */
  lettersOrNull(): string[] | null {
    const value = this.textOrNull()
    return value === null ? null : this.#items(value)
  }

  /** An array of texts as JSON; null for NULL. */
  textsOrNull(): string[] | null {
    const value = this.textOrNull()
    if (value === null) return null
    const parsed: unknown = JSON.parse(value)
    if (!Array.isArray(parsed) || !parsed.every((item) => typeof item === 'string')) throw this.#odd('an odd array')
    return parsed
  }

  oneOf<T>(values: ReadonlyMap<string, T>): T {
    const value = values.get(this.text())
    if (value === undefined) throw this.#odd('a kind that is not known')
    return value
  }

  #items(value: string): string[] {
    const list = value.startsWith('{') ? value.slice(1, -1) : value
    return list === '' ? [] : list.split(/[ ,]/)
  }

  #numeric(value: string): number {
    const number = Number(value)
    if (value === '' || !Number.isSafeInteger(number)) throw this.#odd('a value that is no number')
    return number
  }

  #odd(what: string): PosternError {
    return new PosternError('backend_unavailable', `the catalog could not be read: ${this.#name} has ${what}`)
  }
}
