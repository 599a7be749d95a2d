import type { Backslashes } from './lexer.ts'
import { numberValue } from './literal-value.ts'
import { anyPseudonym, createPseudonyms, isPseudonym } from './pseudonym.ts'
import { rewrite } from './rewrite.ts'

/** Takes values out of texts before they are recorded. Nothing throws, and every result is bounded. */
export interface Redactor {
  /**
   * For statements that touch classified columns, and texts that could not be parsed: every literal becomes a pseudonym,
   * comments are dropped, and names stay. Values that are empty or one or two digits stay too.
   */
  readonly statement: (sql: string, reading?: StringReading) => string
  /** The same for a parameter, which has the pseudonym that the same value has as a literal. */
  readonly parameter: (text: string) => string
  /** For all other statements: only what a detector finds in literals, comments and names becomes a pseudonym. */
  readonly screen: (sql: string, reading?: StringReading) => string
  readonly screenParameter: (text: string) => string
}

/** How the session reads strings. Without it a text whose readings differ is taken for one value from there on. */
export interface StringReading {
  readonly areStringsStandard?: boolean
  /** Which names exist; what else stands in double quotes is taken for a value. Without it every such name stays. */
  readonly isName?: (name: string) => boolean
}

/** Replaces each value that a detector finds in a text, and leaves the rest as it is. */
export type Detects = (text: string, replace: (value: string) => string) => string

/** Pseudonyms that one text gets; the values beyond have one in common, so that a bulk load costs no second of hashing. */
const pseudonymsPerTextMax = 10_000

/** Makes a redactor; `key` decides the pseudonyms. */
export function createRedactorWith({ key, detect }: { readonly key: Buffer; readonly detect: Detects }): Redactor {
  const pseudonymOf = createPseudonyms(key)
  return {
    statement: (sql, reading) => {
      const pseudonym = counted(pseudonymOf)
      return rewrite(sql, backslashesOf(reading), {
        literal: (value) => hidden(value, pseudonym),
        isName: reading?.isName ?? (() => true),
        keepsComments: false,
        screen: (text) => detect(text, pseudonym),
      })
    },
    parameter: (text) => hidden(text, pseudonymOf).toWellFormed(),
    screen: (sql, reading) => {
      const pseudonym = counted(pseudonymOf)
      return rewrite(sql, backslashesOf(reading), {
        literal: null,
        isName: () => true,
        keepsComments: true,
        screen: (text) => detect(text, pseudonym),
      })
    },
    screenParameter: (text) => detect(text, pseudonymOf).toWellFormed(),
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
  if ((value.length <= 3 && /^-?\d{0,2}$/u.test(value)) || isPseudonym(value)) return value
  // The sign of a literal is an operator before it, that of a parameter a part of it: they have to come out alike.
  if (value.startsWith('-') && /^-[\d.]/u.test(value)) return `-${pseudonym(numberValue(value.slice(1)))}`
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
  if (reading?.areStringsStandard === undefined) return 'uncertain'
  return reading.areStringsStandard ? 'literal' : 'escape'
}
