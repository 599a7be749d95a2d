/** A token of a PL/pgSQL text; `start` and `end` are where it stands. */
export interface Token {
  /** `word` is a bare identifier or keyword, folded to lower case; `name` a quoted one; `sign` is all the rest. */
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'sign'
  /** The name itself of words and names, the value of plain string constants, else as it stands. */
  readonly text: string
  readonly start: number
  readonly end: number
}

/** A PL/pgSQL text that could not be read. */
export class Unreadable extends Error {}

/** Takes a text apart as PostgreSQL's scanner does (src/backend/parser/scan.l). Throws `Unreadable`. */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const blank = skipBlank(text, at)
    if (blank !== at) {
      at = blank
      continue
    }
    const token = tokenAt(text, at)
    tokens.push(token)
    at = token.end
  }
  return tokens
}

const space = /[ \t\n\r\f\v]+/y
const word = /[a-z_\u0080-\uffff][\w$\u0080-\uffff]*/iy
const number = /(?:0[xob][\da-f_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:e[-+]?\d+)?)/iy
const dollarQuote = /\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/iy
const parameter = /\$\d+/y
const operator = /[-+*/<>=~!@#%^&|`?]+/y

function match(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? null
}

function skipBlank(text: string, at: number): number {
  const blank = match(space, text, at)
  if (blank !== null) return at + blank.length
  if (text.startsWith('--', at)) {
    const end = text.slice(at).search(/[\n\r]/)
    return end < 0 ? text.length : at + end
  }
  return text.startsWith('/*', at) ? endOfComment(text, at) : at
}

/** Comments nest. */
function endOfComment(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at += 1) {
    if (text.startsWith('/*', at)) {
      depth += 1
      at += 1
    } else if (text.startsWith('*/', at)) {
      depth -= 1
      at += 1
      if (depth === 0) return at + 1
    }
  }
  throw new Unreadable('a comment does not end')
}

function tokenAt(text: string, start: number): Token {
  const char = text[start] ?? ''
  if (char === "'") return quoted(text, start, start, 'plain')
  if (char === '"') return quoted(text, start, start, 'name')
  const prefix = /^(?:[ebxn]|u&)(?=')/i.exec(text.slice(start, start + 3))?.[0] ?? null
  if (prefix !== null) {
    return quoted(
      text,
      start,
      start + prefix.length,
      /e/i.test(prefix) ? 'escaped' : /n/i.test(prefix) ? 'plain' : 'raw',
    )
  }
  if (/^u&"/i.test(text.slice(start, start + 3))) return quoted(text, start, start + 2, 'name')
  const dollar = match(dollarQuote, text, start)
  if (dollar !== null) {
    const end = text.indexOf(dollar, start + dollar.length)
    if (end < 0) throw new Unreadable('a text does not end')
    return { kind: 'string', text: text.slice(start + dollar.length, end), start, end: end + dollar.length }
  }
  const bare = match(word, text, start)
  if (bare !== null) return { kind: 'word', text: fold(bare), start, end: start + bare.length }
  const digits = match(number, text, start)
  if (digits !== null) return { kind: 'number', text: digits, start, end: start + digits.length }
  const sign = match(parameter, text, start) ?? signAt(text, start)
  return { kind: 'sign', text: sign, start, end: start + sign.length }
}

function signAt(text: string, start: number): string {
  for (const sign of [':=', '::', '..']) if (text.startsWith(sign, start)) return sign
  const found = match(operator, text, start)
  if (found === null) return text[start] ?? ''
  const comment = found.slice(1).search(/--|\/\*/)
  let run = comment < 0 ? found : found.slice(0, comment + 1)
  // Only operators that hold one of these may end in a sign, so that `a=-1` is a comparison.
  while (run.length > 1 && /[-+]$/.test(run) && !/[~!@#%^&|`?]/.test(run)) run = run.slice(0, -1)
  return run
}

function quoted(text: string, start: number, open: number, form: 'plain' | 'escaped' | 'raw' | 'name'): Token {
  const quote = text[open] ?? ''
  let value = ''
  for (let at = open + 1; at < text.length; at += 1) {
    if (text[at] === '\\' && form === 'escaped') {
      value += text.slice(at, at + 2)
      at += 1
    } else if (text[at] !== quote) {
      value += text[at] ?? ''
    } else if (text[at + 1] === quote) {
      value += quote
      at += 1
    } else {
      return { kind: form === 'name' ? 'name' : 'string', text: value, start, end: at + 1 }
    }
  }
  throw new Unreadable('a text does not end')
}

/** Only ASCII is folded: what becomes of other letters is up to the server's locale, and UTF-8 servers leave them. */
function fold(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}
