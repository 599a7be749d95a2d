/*
 * PostgreSQL's lexical syntax (src/backend/parser/scan.l), as far as it has to be known to tell values from names. The
 * parser's own scanner is not used for it: that one gives up at the first error, and a text with an error in it is
 * recorded like any other. Every character belongs to exactly one token, nothing is ever refused, and the time is linear.
 */

/** What a stretch of a statement's text is. */
export type TokenKind =
  | 'space'
  | 'comment'
  /** A key word or a name without quotes. */
  | 'name'
  /** A name in double quotes. */
  | 'quoted'
  | 'string'
  /** What begins like a number, with whatever is glued to it. */
  | 'number'
  /** `$1` */
  | 'parameter'
  /** Operators, brackets, and characters that mean nothing to PostgreSQL. */
  | 'symbol'

/** How a string or quoted name is written. */
export type QuotedForm = 'plain' | 'escape' | 'unicode' | 'bits' | 'hexadecimal' | 'dollar'

/** A place in a text: from `start` to before `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** One token. A quoted one that does not end runs to the end of the text. */
export interface Token extends Span {
  readonly kind: TokenKind
  /** Of strings and quoted names; `plain` for all else. */
  readonly form: QuotedForm
  /** Of strings and quoted names what is between the quotes, several where a string goes on in another line. */
  readonly parts: readonly Span[]
}

/**
 * How a backslash in '...' is read: as itself (standard_conforming_strings is on), as an escape, or nobody knows. Then
 * the client's encoding may be unknown too, and a backslash may be the second byte of a character. Where the readings
 * part, the rest of the text counts as one string.
 */
export type Backslashes = 'literal' | 'escape' | 'uncertain'

/** The token that begins at `start`, which must be within the text. */
export function tokenAt(sql: string, start: number, backslashes: Backslashes): Token {
  const code = sql.charCodeAt(start)
  const kind = code < 128 ? classes[code] : classOf.name
  switch (kind) {
    case classOf.space:
      return token('space', start, endOfClass(sql, start + 1, classOf.space))
    case classOf.name:
      return nameOrPrefixed(sql, start, backslashes)
    case classOf.digit:
      return token('number', start, endOfNumber(sql, start))
    case classOf.operator:
      return operatorOrComment(sql, start)
    case classOf.quote: {
      const form = backslashes === 'escape' ? 'escape' : 'plain'
      return stringAt(sql, { start, open: start, form, backslashes })
    }
    case classOf.doubleQuote:
      return quotedName(sql, { start, open: start, form: 'plain' })
    case classOf.dollar:
      return parameterOrDollarQuote(sql, start)
    case classOf.dot: {
      // Two dots are an operator of PL/pgSQL, and the number begins behind them.
      if (sql[start + 1] === '.') return token('symbol', start, start + 2)
      const isNumber = isDigit(sql.charCodeAt(start + 1))
      return isNumber ? token('number', start, endOfNumber(sql, start)) : token('symbol', start, start + 1)
    }
    default:
      return token('symbol', start, start + 1)
  }
}

const classOf = {
  other: 0,
  space: 1,
  name: 2,
  digit: 3,
  operator: 4,
  quote: 5,
  doubleQuote: 6,
  dollar: 7,
  dot: 8,
} as const

const classes = new Uint8Array(128)
for (const [characters, kind] of [
  [' \t\n\r\f\v', classOf.space],
  ['abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', classOf.name],
  ['0123456789', classOf.digit],
  ['~!@#^&|`?+-*/%<>=', classOf.operator],
  ["'", classOf.quote],
  ['"', classOf.doubleQuote],
  ['$', classOf.dollar],
  ['.', classOf.dot],
] as const) {
  for (const character of characters) classes[character.charCodeAt(0)] = kind
}

const quote = 0x27
const backslash = 0x5c
const newline = 0x0a
const carriageReturn = 0x0d
const ampersand = 0x26
const underscore = 0x5f
const star = 0x2a
const slash = 0x2f

const noParts: readonly Span[] = []

function token(kind: TokenKind, start: number, end: number): Token {
  return { kind, start, end, form: 'plain', parts: noParts }
}

function classAt(sql: string, at: number): number {
  const code = sql.charCodeAt(at)
  return code < 128 ? (classes[code] ?? 0) : code >= 128 ? classOf.name : classOf.other
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function endOfClass(sql: string, from: number, kind: number): number {
  let at = from
  while (at < sql.length && classAt(sql, at) === kind) at += 1
  return at
}

function endOfName(sql: string, from: number): number {
  let at = from
  for (;;) {
    const kind = classAt(sql, at)
    if (kind !== classOf.name && kind !== classOf.digit && kind !== classOf.dollar) return at
    at += 1
  }
}

/** A name, unless its first letters and the quote behind them make it a string or a quoted name. */
function nameOrPrefixed(sql: string, start: number, backslashes: Backslashes): Token {
  const next = sql.charCodeAt(start + 1)
  const string = (form: QuotedForm, open: number) => stringAt(sql, { start, open, form, backslashes })
  if (next === quote) {
    switch (sql[start]) {
      case 'e':
      case 'E':
        return string('escape', start + 1)
      case 'b':
      case 'B':
        return string('bits', start + 1)
      case 'x':
      case 'X':
        return string('hexadecimal', start + 1)
      default:
    }
  }
  if (next === ampersand && (sql[start] === 'u' || sql[start] === 'U')) {
    const open = sql[start + 2]
    if (open === "'") return string('unicode', start + 2)
    if (open === '"') return quotedName(sql, { start, open: start + 2, form: 'unicode' })
  }
  return token('name', start, endOfName(sql, start + 1))
}

interface Opened {
  readonly start: number
  /** Where the first quote is, behind the prefix. */
  readonly open: number
  readonly form: QuotedForm
}

function quotedName(sql: string, { start, open, form }: Opened): Token {
  const close = closingQuote(sql, open + 1, { mark: '"', isUncertain: false })
  return {
    kind: 'quoted',
    start,
    end: close === null ? sql.length : close + 1,
    form,
    parts: [{ start: open + 1, end: close ?? sql.length }],
  }
}

/** A string, what continues it in later lines included. */
function stringAt(sql: string, opened: Opened & { readonly backslashes: Backslashes }): Token {
  const { start, open, form, backslashes } = opened
  const parts: Span[] = []
  let from: number | null = open + 1
  let end = sql.length
  while (from !== null) {
    const close = closeOf(sql, from, { form, backslashes })
    parts.push({ start: from, end: close ?? sql.length })
    end = close === null ? sql.length : close + 1
    from = close === null ? null : continuation(sql, end)
  }
  return { kind: 'string', start, end, form, parts }
}

/** The quote that ends the part which begins at `from`, or null where none does. */
function closeOf(sql: string, from: number, as: { form: QuotedForm; backslashes: Backslashes }): number | null {
  const { form, backslashes } = as
  if (form === 'escape') return closingQuoteOfEscaped(sql, from, backslashes)
  if (form === 'bits' || form === 'hexadecimal') return found(sql.indexOf("'", from))
  return closingQuote(sql, from, { mark: "'", isUncertain: backslashes === 'uncertain' && form === 'plain' })
}

function found(index: number): number | null {
  return index === -1 ? null : index
}

/** The next quote that is not doubled. */
function closingQuote(sql: string, from: number, as: { mark: '"' | "'"; isUncertain: boolean }): number | null {
  const { mark, isUncertain } = as
  let at = from
  for (;;) {
    const close = sql.indexOf(mark, at)
    if (close === -1) return null
    // A backslash before a quote, the closing one or one of a pair, hides it in one of the readings.
    if (isUncertain && close > from && sql.charCodeAt(close - 1) === backslash) return null
    if (sql[close + 1] !== mark) return close
    at = close + 2
  }
}

function closingQuoteOfEscaped(sql: string, from: number, backslashes: Backslashes): number | null {
  let at = from
  while (at < sql.length) {
    const code = sql.charCodeAt(at)
    if (code === backslash) {
      // In SJIS, BIG5 or GBK it may be the second byte of the character before it.
      if (backslashes === 'uncertain' && sql.charCodeAt(at - 1) >= 128) return null
      at += 2
    } else if (code !== quote) at += 1
    else if (sql.charCodeAt(at + 1) === quote) at += 2
    else return at
  }
  return null
}

/**
 * Where a string goes on that was closed before `from`: behind the quote that follows white space with a line's end in
 * it, line comments included; null where none does.
 */
function continuation(sql: string, from: number): number | null {
  let hasNewline = false
  let at = from
  for (;;) {
    const code = sql.charCodeAt(at)
    if (code === newline || code === carriageReturn) {
      hasNewline = true
      at += 1
    } else if (classAt(sql, at) === classOf.space) at += 1
    else if (sql.startsWith('--', at)) {
      at = endOfLine(sql, at)
      if (at === sql.length) return null
    } else return hasNewline && code === quote ? at + 1 : null
  }
}

function endOfLine(sql: string, from: number): number {
  let at = from
  while (at < sql.length) {
    const code = sql.charCodeAt(at)
    if (code === newline || code === carriageReturn) return at
    at += 1
  }
  return at
}

/** A comment, or operator characters up to where one begins. */
function operatorOrComment(sql: string, start: number): Token {
  if (sql.startsWith('--', start)) return token('comment', start, endOfLine(sql, start))
  if (sql.startsWith('/*', start)) return token('comment', start, endOfComment(sql, start + 2))
  let at = start + 1
  while (classAt(sql, at) === classOf.operator && !sql.startsWith('--', at) && !sql.startsWith('/*', at)) at += 1
  return token('symbol', start, at)
}

/** Comments nest. */
function endOfComment(sql: string, start: number): number {
  let depth = 1
  let at = start
  while (at < sql.length) {
    const code = sql.charCodeAt(at)
    const next = sql.charCodeAt(at + 1)
    if (code === star && next === slash) {
      at += 2
      depth -= 1
      if (depth === 0) return at
    } else if (code === slash && next === star) {
      at += 2
      depth += 1
    } else at += 1
  }
  return sql.length
}

function parameterOrDollarQuote(sql: string, start: number): Token {
  if (isDigit(sql.charCodeAt(start + 1))) {
    return token('parameter', start, endOfClass(sql, start + 1, classOf.digit))
  }
  const delimiter = dollarDelimiter(sql, start)
  if (delimiter === null) return token('symbol', start, start + 1)
  const from = start + delimiter.length
  const close = found(sql.indexOf(delimiter, from))
  const end = close === null ? sql.length : close + delimiter.length
  return { kind: 'string', start, end, form: 'dollar', parts: [{ start: from, end: close ?? sql.length }] }
}

/** `$tag$` at `start`, where the tag may be empty; null where there is none. */
function dollarDelimiter(sql: string, start: number): string | null {
  let at = start + 1
  if (classAt(sql, at) === classOf.digit) return null
  for (;;) {
    const kind = classAt(sql, at)
    if (kind === classOf.dollar) return sql.slice(start, at + 1)
    if (kind !== classOf.name && kind !== classOf.digit) return null
    at += 1
  }
}

/** A number in any form. What is glued to it makes it an error for PostgreSQL, and counts as a part of it. */
function endOfNumber(sql: string, start: number): number {
  const prefix = sql.charCodeAt(start) === 0x30 ? sql[start + 1] : undefined
  if (prefix !== undefined && 'xXoObB'.includes(prefix)) return endOfName(sql, start + 2)
  let at = endOfDigits(sql, start)
  if (sql[at] === '.' && sql[at + 1] !== '.') at = endOfDigits(sql, at + 1)
  const exponent = sql[at]
  if (exponent === 'e' || exponent === 'E') {
    const sign = sql[at + 1]
    const digits = sign === '+' || sign === '-' ? at + 2 : at + 1
    if (isDigit(sql.charCodeAt(digits))) at = endOfDigits(sql, digits)
  }
  return withJunk(sql, at)
}

function withJunk(sql: string, end: number): number {
  return classAt(sql, end) === classOf.name ? endOfName(sql, end) : end
}

/** Digits with single underscores between them. */
function endOfDigits(sql: string, start: number): number {
  let at = start
  for (;;) {
    const code = sql.charCodeAt(at)
    if (isDigit(code)) at += 1
    else if (code === underscore && at > start && isDigit(sql.charCodeAt(at + 1))) at += 2
    else return at
  }
}
