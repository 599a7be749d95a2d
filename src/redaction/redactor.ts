import { limits } from '../core/limits.ts'
import { tokenAt } from './lexer.ts'
import type { Backslashes, Token } from './lexer.ts'
import { numberValue, quotedValue } from './literal-value.ts'
import { anyPseudonym, createPseudonyms, isPseudonym } from './pseudonym.ts'

/** Takes values out of texts before they are recorded. Nothing throws, and every result is bounded. */
export interface Redactor {
  /**
   * For statements that touch classified columns, and texts that could not be parsed: every literal becomes a pseudonym,
   * comments are dropped, and names stay. Values that are empty or one or two digits stay too.
   */
  statement(sql: string, reading?: StringReading): string
  /** The same for a parameter, which has the pseudonym that the same value has as a literal. */
  parameter(text: string): string
  /** For all other statements: only what a detector finds in literals, comments and names becomes a pseudonym. */
  screen(sql: string, reading?: StringReading): string
  screenParameter(text: string): string
}

/** How the session reads strings. Without it a text whose readings differ is taken for one value from there on. */
export interface StringReading {
  readonly areStringsStandard: boolean
}

/** Replaces each value that a detector finds in a text, and leaves the rest as it is. */
export type Detects = (text: string, replace: (kind: string, value: string) => string) => string

/** Pseudonyms that one text gets; the values beyond have one in common, so that a bulk load costs no second of hashing. */
const pseudonymsPerTextMax = 10_000

/** PostgreSQL cuts names to 63 bytes; what is longer in quotes is more likely a value. */
const nameBytesMax = 63

/** Makes a redactor; `key` decides the pseudonyms. Where there are no detectors, screening redacts. */
export function createRedactorWith({
  key,
  detect,
}: {
  readonly key: Buffer
  readonly detect: Detects | null
}): Redactor {
  const pseudonymOf = createPseudonyms(key)
  const screenWith = (text: string, pseudonym: (value: string) => string) =>
    detect === null ? text : detect(text, (_kind, value) => pseudonym(value))
  const statement: Redactor['statement'] = (sql, reading) => {
    const pseudonym = counted(pseudonymOf)
    return rewrite(sql, backslashesOf(reading), {
      value: (value) => hidden(value, pseudonym),
      other: (text) => screenWith(text, pseudonym),
      comment: () => ' ',
    })
  }
  const parameter = (text: string) => hidden(text, pseudonymOf).toWellFormed()
  if (detect === null) return { statement, parameter, screen: statement, screenParameter: parameter }
  return {
    statement,
    parameter,
    screen: (sql, reading) => {
      const pseudonym = counted(pseudonymOf)
      const screened = (text: string) => screenWith(text, pseudonym)
      return rewrite(sql, backslashesOf(reading), { value: screened, other: screened, comment: screened })
    },
    screenParameter: (text) => screenWith(text, pseudonymOf).toWellFormed(),
  }
}

/** Redacts each of a statement's parameters; NULL stays. */
export function redactParameters(
  texts: readonly (string | null)[],
  redact: (text: string) => string,
): readonly (string | null)[] {
  return texts.map((text) => (text === null ? null : redact(text)))
}

/** What stands in the record for a value. */
function hidden(value: string, pseudonym: (value: string) => string): string {
  if (/^-?\d{0,2}$/u.test(value) || isPseudonym(value)) return value
  // The sign of a literal is an operator before it, that of a parameter a part of it: they have to come out alike.
  if (/^-[\d.]/u.test(value)) return `-${pseudonym(numberValue(value.slice(1)))}`
  return pseudonym(value)
}

function counted(pseudonymOf: (value: string) => string): (value: string) => string {
  const known = new Map<string, string>()
  return (value) => {
    const found = known.get(value)
    if (found !== undefined) return found
    if (known.size >= pseudonymsPerTextMax) return anyPseudonym
    const made = pseudonymOf(value)
    known.set(value, made)
    return made
  }
}

function backslashesOf(reading: StringReading | undefined): Backslashes {
  if (reading === undefined) return 'uncertain'
  return reading.areStringsStandard ? 'literal' : 'escape'
}

/** What becomes of the parts of a text. */
interface Treatment {
  /** Of a literal's value; the same text leaves the literal as it is written. */
  value(value: string): string
  /** Of a stretch of names, operators and short numbers. */
  other(text: string): string
  comment(text: string): string
}

function rewrite(whole: string, backslashes: Backslashes, treatment: Treatment): string {
  const isCut = whole.length > limits.recordedSqlCharsMax
  const sql = isCut ? whole.slice(0, limits.recordedSqlCharsMax) : whole
  const written = new Writer(sql, treatment)
  let at = 0
  while (at < sql.length && !written.isFull) {
    const token = tokenAt(sql, at, backslashes)
    // What is cut in two is not told from what it was a part of.
    if (isCut && token.end === sql.length) return written.finish({ end: token.start, of: whole.length })
    at = token.end
    switch (token.kind) {
      case 'string':
      case 'quoted': {
        const escape = token.form === 'unicode' ? uescapeBehind(sql, token.end, backslashes) : null
        at = escape?.end ?? at
        const span = { start: token.start, end: at }
        const value = quotedValue(sql, token, escape?.character)
        if (token.kind === 'string') written.string(span, value)
        else written.name(span, value)
        break
      }
      case 'number':
        written.number(token, numberValue(sql.slice(token.start, token.end)))
        break
      case 'parameter':
        // PostgreSQL has 65,535 of them: more digits than that are a value behind a dollar sign.
        if (token.end - token.start > 6) written.number(token, numberValue(sql.slice(token.start + 1, token.end)))
        break
      case 'comment':
        written.comment(token)
        break
      case 'space':
      case 'name':
      case 'symbol':
        break
    }
  }
  return written.finish({ end: sql.length, of: whole.length })
}

type Place = Pick<Token, 'start' | 'end'>

/** Collects the result: what is not told to it is kept, and looked at in stretches as long as possible. */
class Writer {
  readonly #sql: string
  readonly #treatment: Treatment
  #result = ''
  /** Up to where the text has been treated. */
  #at = 0

  constructor(sql: string, treatment: Treatment) {
    this.#sql = sql
    this.#treatment = treatment
  }

  get isFull(): boolean {
    return this.#result.length > limits.recordedSqlCharsMax
  }

  string(place: Place, value: string): void {
    const shown = this.#treatment.value(value)
    if (shown !== value) this.#replace(place, quoteString(shown))
    else this.#keep(place)
  }

  number(place: Place, value: string): void {
    // Short ones are left to the stretch around them: a date or a telephone number may be made of them.
    const shown = /^\d{0,2}$/u.test(value) ? value : this.#treatment.value(value)
    if (shown === value) return
    this.#flush(place.start)
    // A name that the number is glued to must not turn into the prefix of a string.
    if (/[\p{L}\d_$&]$/u.test(this.#result.slice(-2))) this.#result += ' '
    this.#replace(place, quoteString(shown))
  }

  name(place: Place, value: string): void {
    const isLong = Buffer.byteLength(value) > nameBytesMax
    const shown = isLong ? this.#treatment.value(value) : this.#treatment.other(value)
    if (shown !== value) this.#replace(place, `"${shown.replaceAll('"', '""')}"`)
    else this.#keep(place)
  }

  comment(place: Place): void {
    this.#replace(place, this.#treatment.comment(this.#sql.slice(place.start, place.end)))
  }

  /** The result, where the text ends at `end` and was longer; what is not in it is counted. */
  finish({ end, of }: { readonly end: number; readonly of: number }): string {
    if (!this.isFull) this.#flush(end)
    if (!this.isFull && end === of) return this.#result.toWellFormed()
    const left = `… (${String(of)} characters in all)`
    return this.#result.slice(0, limits.recordedSqlCharsMax - left.length).toWellFormed() + left
  }

  /** A literal or quoted name as it is written. */
  #keep({ start, end }: Place): void {
    this.#flush(start)
    this.#result += this.#sql.slice(start, end)
    this.#at = end
  }

  #replace({ start, end }: Place, text: string): void {
    this.#flush(start)
    this.#result += text
    this.#at = end
  }

  #flush(end: number): void {
    if (end > this.#at) this.#result += this.#treatment.other(this.#sql.slice(this.#at, end))
    this.#at = end
  }
}

/** A string that says the same under either setting of standard_conforming_strings. */
function quoteString(value: string): string {
  const quoted = `'${value.replaceAll("'", "''")}'`
  return value.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** The escape character that is named behind a string or name in U& form. */
function uescapeBehind(sql: string, from: number, backslashes: Backslashes): { character: string; end: number } | null {
  const word = nextToken(sql, from, backslashes)
  if (word?.kind !== 'name' || sql.slice(word.start, word.end).toLowerCase() !== 'uescape') return null
  const string = nextToken(sql, word.end, backslashes)
  if (string?.kind !== 'string' || string.end - string.start > 16) return null
  const character = quotedValue(sql, string)
  return Array.from(character).length === 1 ? { character, end: string.end } : null
}

function nextToken(sql: string, from: number, backslashes: Backslashes): Token | null {
  for (let at = from; at < sql.length;) {
    const token = tokenAt(sql, at, backslashes)
    if (token.kind !== 'space' && token.kind !== 'comment') return token
    at = token.end
  }
  return null
}
