import { limits } from '../core/limits.ts'
import { tokenAt } from './lexer.ts'
import type { Backslashes, Span, Token } from './lexer.ts'
import { numberValue, quotedValue } from './literal-value.ts'

/** What becomes of the parts of a statement's text. */
export interface Treatment {
  /** What stands for a literal's value; the same text leaves it as it is written. Null where literals are screened. */
  readonly literal: ((value: string) => string) | null
  /** Whether what stands in double quotes is a name of the database. One that is made up may hold a value. */
  readonly isName: (name: string) => boolean
  /** Comments that are kept are screened. */
  readonly keepsComments: boolean
  /** Takes out of a text what must not be recorded; it may get many texts at once, with a line of NUL between them. */
  readonly screen: (text: string) => string
}

/** A part of the text, in order, and what is known of what it becomes. */
interface Part extends Span {
  readonly as: 'string' | 'name' | 'plain'
  /** What it says, where it is a literal or a name, else its text. */
  readonly value: string
  /** What it will say; null until it was screened. */
  shown: string | null
}

/** Nothing that detectors look for is shorter, and most of what is between two literals is. */
const detectableCharsMin = 6

/** PostgreSQL cuts names to 63 bytes; what is longer in quotes is more likely a value. */
const nameBytesMax = 63

/** A statement's text with its parts treated. At most as long as is recorded; what does not fit is said at the end. */
export function rewrite(whole: string, backslashes: Backslashes, treatment: Treatment): string {
  const isCut = whole.length > limits.recordedSqlCharsMax
  const sql = isCut ? whole.slice(0, limits.recordedSqlCharsMax) : whole
  const { parts, end } = partsOf(sql, { backslashes, treatment, isCut })
  screenAll(parts, treatment.screen)
  const result = parts.map((part) => written(sql, part)).join('')
  if (result.length <= limits.recordedSqlCharsMax && end === whole.length) return result.toWellFormed()
  const mark = `… (${String(whole.length)} characters in all)`
  return result.slice(0, limits.recordedSqlCharsMax - mark.length).toWellFormed() + mark
}

interface Cutting {
  readonly backslashes: Backslashes
  readonly treatment: Treatment
  /** Whether the text went on; its last token is then left out, for it may be a part of something. */
  readonly isCut: boolean
}

function partsOf(sql: string, { backslashes, treatment, isCut }: Cutting): { parts: Part[]; end: number } {
  const { literal, isName: isKnownName, keepsComments } = treatment
  const parts: Part[] = []
  let at = 0
  let kept = 0
  const add = (part: Part) => {
    if (part.start > kept) {
      parts.push({ as: 'plain', start: kept, end: part.start, value: sql.slice(kept, part.start), shown: null })
    }
    parts.push(part)
    kept = part.end
    at = part.end
  }
  while (at < sql.length) {
    const token = tokenAt(sql, at, backslashes)
    if (isCut && token.end === sql.length) break
    at = token.end
    switch (token.kind) {
      case 'string':
      case 'quoted': {
        const escape = token.form === 'unicode' ? uescapeBehind(sql, token.end, backslashes) : null
        const span = { start: token.start, end: escape?.end ?? token.end }
        const value = quotedValue(sql, token, escape?.character)
        const isName = token.kind === 'quoted'
        const isValue = !isName || Buffer.byteLength(value) > nameBytesMax || !(isAlias(value) || isKnownName(value))
        const shown = isValue && literal !== null ? literal(value) : null
        add({ ...span, as: isName ? 'name' : 'string', value, shown })
        break
      }
      case 'number':
      case 'parameter': {
        // PostgreSQL has 65,535 parameters: more digits than that are a value behind a dollar sign.
        if (token.kind === 'parameter' && token.end - token.start <= 6) break
        const start = token.kind === 'parameter' ? token.start + 1 : token.start
        const value = numberValue(sql.slice(start, token.end))
        // Short ones are left to what is around them: a date or a telephone number may be made of them.
        if (!/^\d\d?$/u.test(value)) {
          add({ ...span(token), as: 'string', value, shown: literal === null ? null : literal(value) })
        }
        break
      }
      case 'comment':
        add({
          ...span(token),
          as: 'plain',
          value: sql.slice(token.start, token.end),
          shown: keepsComments ? null : ' ',
        })
        break
      case 'space':
      case 'name':
      case 'symbol':
        break
    }
  }
  add({ start: at, end: at, as: 'plain', value: '', shown: '' })
  return { parts, end: at }
}

/** Short names that programs make up, such as `t0_r12`. */
function isAlias(name: string): boolean {
  return /^_?[a-z]{0,2}\d{0,4}(?:_[a-z]{0,2}\d{0,4})*$/u.test(name) && name.length <= 12
}

function span({ start, end }: Span): Span {
  return { start, end }
}

/** Screens what is not decided yet, all at once: looking at one long text costs a fraction of looking at many short ones. */
function screenAll(parts: readonly Part[], screen: (text: string) => string): void {
  const open: Part[] = []
  for (const part of parts) {
    if (part.shown !== null) continue
    if (part.value.length < detectableCharsMin) part.shown = part.value
    else open.push(part)
  }
  if (open.length === 0) return
  const texts = open.map(({ value }) => (value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value))
  const screened = screen(texts.join(between)).split(between)
  // Where something was found across two of them each is looked at alone.
  const isSplit = screened.length === open.length
  for (const [index, part] of open.entries()) {
    const text = texts[index] ?? ''
    const shown = (isSplit ? screened[index] : undefined) ?? screen(text)
    part.shown = shown === text ? part.value : shown
  }
}

/** No statement has a NUL, and nothing that is detected goes over lines. */
const between = '\n\0\n'

/** The part as it is written, or what it is to say in its quotes. */
function written(sql: string, { as, start, end, value, shown }: Part): string {
  if (shown === null || shown === value) return sql.slice(start, end)
  switch (as) {
    case 'plain':
      return shown
    case 'name':
      return `"${shown.replaceAll('"', '""')}"`
    case 'string': {
      // A name that a number is glued to must not turn into the prefix of a string.
      const isGlued = start > 0 && /[\d.$]/u.test(sql.charAt(start)) && /[\p{L}\d_$&]/u.test(sql.charAt(start - 1))
      return (isGlued ? ' ' : '') + quoteString(shown)
    }
  }
}

/** A string that says the same under either setting of standard_conforming_strings. */
function quoteString(value: string): string {
  const quoted = value.includes("'") ? `'${value.replaceAll("'", "''")}'` : `'${value}'`
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
