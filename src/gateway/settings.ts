import type { LexingSettings } from './lexing.ts'

/**
 * What PostgreSQL has reported of a session's settings, as far as the path depends on them. `epoch` grows when one of
 * them changes, so that a decision taken under the old ones is taken again.
 */
export class SessionSettings implements LexingSettings {
  #clientEncoding = 'UTF8'
  #areStringsStandard = true
  #searchPath: readonly string[] | null = null
  #application = ''
  #epoch = 0
  #unsettled = 0
  readonly #role: string

  /** `role` is the database role, which `"$user"` in a search path stands for. */
  constructor(role: string) {
    this.#role = role
  }

  get clientEncoding(): string {
    return this.#clientEncoding
  }

  get areStringsStandard(): boolean {
    return this.#areStringsStandard
  }

  /** Reported since PostgreSQL 18; null where it is not known. */
  get searchPath(): readonly string[] | null {
    return this.#searchPath
  }

  get application(): string {
    return this.#application
  }

  get epoch(): number {
    return this.#epoch
  }

  /** False while a statement that may change a setting has run and PostgreSQL has not reported since. */
  get isSettled(): boolean {
    return this.#unsettled === 0
  }

  /** A statement that may change settings is on its way. */
  unsettle(): void {
    this.#unsettled += 1
  }

  /** PostgreSQL is ready again and has reported what `count` such statements changed. */
  settle(count: number): void {
    this.#unsettled -= count
  }

  /** Takes in a ParameterStatus; says whether what the record shows of the session has changed. */
  report(name: string, value: string): boolean {
    switch (name) {
      case 'client_encoding':
        this.#clientEncoding = value
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
    return name === 'application_name'
  }
}

/**
 * Reads a search_path as PostgreSQL reports it: names separated by commas, quoted where they need to be. Returns null
 * for what it cannot read, and then every schema is possible. What PostgreSQL searches unasked (pg_catalog and the
 * temporary schema) is not in it.
 */
export function parseSearchPath(value: string, role: string): readonly string[] | null {
  const schemas: string[] = []
  if (value.trim() === '') return schemas
  const item = /\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(,|$)/gy
  let isLast = false
  while (!isLast) {
    const match = item.exec(value)
    if (match === null) return null
    const name = match[1]?.replaceAll('""', '"') ?? match[2]?.toLowerCase() ?? ''
    schemas.push(name === '$user' ? role : name)
    isLast = match[3] !== ','
  }
  return item.lastIndex === 0 || item.lastIndex === value.length ? schemas : null
}
