import { limits } from '../core/limits.ts'
import type { LexingSettings } from './lexing.ts'

/**
 * What PostgreSQL has reported of a session's settings, as far as the path depends on them. `epoch` grows when one of
 * them changes, so that a decision taken under the old ones is taken again.
 */
export class SessionSettings implements LexingSettings {
  #clientEncoding = 'UTF8'
  #serverEncoding = 'UTF8'
  #areStringsStandard = true
  #searchPath: readonly string[] | null = null
  #application = ''
  #epoch = 0
  #unsettled = 0
  #changes = 0
  /** Whether a setting has changed since PostgreSQL was last ready, and in the transaction that is open. */
  #isChanged = false
  #isRevertible = false
  readonly #role: string
  readonly #isBehindSegment: () => boolean

  /**
   * `role` is the database role, which `"$user"` in a search path stands for. `isBehindSegment` says whether what is
   * treated now runs although something that PostgreSQL has not answered yet may fail.
   */
  constructor(role: string, isBehindSegment: () => boolean = () => false) {
    this.#role = role
    this.#isBehindSegment = isBehindSegment
  }

  get clientEncoding(): string {
    return this.#clientEncoding
  }

  /** In which encoding an answer comes that arrives now; empty where that is not certain. */
  get answerEncoding(): string {
    return this.isSettled ? this.#clientEncoding : ''
  }

  get serverEncoding(): string {
    return this.#serverEncoding
  }

  get areStringsStandard(): boolean {
    return this.#areStringsStandard
  }

  /** Reported since PostgreSQL 18; null where it is not known. */
  get searchPath(): readonly string[] | null {
    return this.#searchPath
  }

  /** The search path in words where it is not the one that everybody expects; null where it is, or is not known. */
  get unusualSearchPath(): string | null {
    const path = this.#searchPath
    if (path === null || (path.at(-1) === 'public' && path.every((name) => name === 'public' || name === this.#role)))
      return null
    return path.length === 0 ? 'none' : path.join(', ')
  }

  get application(): string {
    return this.#application
  }

  get epoch(): number {
    return this.#epoch
  }

  /**
   * False while a statement that may change a setting has run and PostgreSQL has not reported since. Where the open
   * transaction has changed one, anything that fails is such a statement: it takes the change back.
   */
  get isSettled(): boolean {
    return this.#unsettled === 0 && !(this.#isRevertible && this.#isBehindSegment())
  }

  /** How many statements were sent that may have changed something that others depend on. */
  get changes(): number {
    return this.#changes
  }

  /** A statement that may change settings is on its way. */
  unsettle(): void {
    this.#unsettled += 1
    this.#changes += 1
  }

  /** PostgreSQL is ready again and has reported what `count` such statements changed. */
  settle(count: number): void {
    this.#unsettled -= count
  }

  /** PostgreSQL is ready: with a transaction open, what was reported since it was last ready can still be taken back. */
  ready(options: { readonly isInTransaction: boolean }): void {
    this.#isRevertible = options.isInTransaction && (this.#isRevertible || this.#isChanged)
    this.#isChanged = false
  }

  /** Takes in a ParameterStatus; says whether what the record shows of the session has changed. */
  report(name: string, value: string): boolean {
    switch (name) {
      case 'client_encoding':
        this.#clientEncoding = value
        break
      case 'server_encoding':
        this.#serverEncoding = value
        break
      case 'standard_conforming_strings':
        this.#areStringsStandard = value === 'on'
        break
      case 'search_path':
        this.#searchPath = parseSearchPath(value, this.#role)
        break
      case 'application_name':
        this.#application = value
        break
      default:
        return false
    }
    this.#epoch += 1
    this.#isChanged = true
    return name === 'application_name'
  }
}

/** PostgreSQL's NAMEDATALEN less the terminator. */
const nameBytesMax = 63

/**
 * Reads a search_path as PostgreSQL reports it: names separated by commas, quoted where they need to be. Returns null
 * for what it cannot read or what is longer than anybody needs, and then every schema is possible. What PostgreSQL
 * searches unasked (pg_catalog and the temporary schema) is not in it. White space and lower case are those of
 * SplitIdentifierString in PostgreSQL's source, ASCII alone; a name that PostgreSQL would cut is not read.
 */
export function parseSearchPath(value: string, role: string): readonly string[] | null {
  const schemas: string[] = []
  if (value.length > limits.searchPathCharsMax) return null
  if (/^[ \t\n\v\f\r]*$/.test(value)) return schemas
  const item = /[ \t\n\v\f\r]*(?:"((?:[^"]|"")*)"|([^ \t\n\v\f\r",]+))[ \t\n\v\f\r]*(,|$)/gy
  let isLast = false
  while (!isLast) {
    const match = item.exec(value)
    if (match === null) return null
    const name = match[1]?.replaceAll('""', '"') ?? match[2]?.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()) ?? ''
    if (Buffer.byteLength(name) > nameBytesMax) return null
    schemas.push(name === '$user' ? role : name)
    isLast = match[3] !== ','
  }
  return item.lastIndex === 0 || item.lastIndex === value.length ? schemas : null
}
