import type { Token } from './lexer.ts'

/** What a string or quoted name says, however it is written; as it stands where an escape in it says nothing. */
export function quotedValue(sql: string, token: Token, escapeCharacter = '\\'): string {
  const text = token.parts.map(({ start, end }) => sql.slice(start, end)).join('')
  switch (token.form) {
    case 'dollar':
    case 'bits':
      return text
    case 'hexadecimal':
      return `x${text}`
    case 'escape':
      return unescaped(text)
    case 'plain':
      return token.kind === 'quoted' ? text.replaceAll('""', '"') : text.replaceAll("''", "'")
    case 'unicode': {
      const undoubled = token.kind === 'quoted' ? text.replaceAll('""', '"') : text.replaceAll("''", "'")
      return ununicoded(undoubled, escapeCharacter)
    }
  }
}

/**
 * A number as its shortest decimal text, so that `1_000`, `0x3e8` and the text `1000` are one value. What PostgreSQL
 * would not take for a number is as it stands.
 */
export function numberValue(text: string): string {
  if (/^[1-9]\d*$/u.test(text)) return text
  const plain = text.replaceAll('_', '')
  if (/^\d+$/u.test(plain)) return plain.replace(/^0+(?=\d)/u, '')
  if (/^0(?:x[\da-f]+|o[0-7]+|b[01]+)$/iu.test(plain)) {
    // Conversion to decimal takes quadratic time; a value that long is of no type.
    return plain.length > 100 ? plain.toLowerCase() : BigInt(plain.toLowerCase()).toString()
  }
  const [, whole = '', rest = ''] = /^(\d*)(\..*)$/su.exec(plain) ?? []
  return rest === '' ? plain : (whole.replace(/^0+(?=\d)/u, '') || '0') + rest
}

const oneLetterEscapes = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
])

function unescaped(text: string): string {
  if (!text.includes('\\') && !text.includes("'")) return text
  const pattern = /''|\\(?:x([\da-f]{1,2})|([0-7]{1,3})|u([\da-f]{4})|U([\da-f]{8})|(.))/gisu
  const bytes: number[] = []
  const flushed = () => (bytes.length === 0 ? '' : Buffer.from(bytes.splice(0)).toString('utf8'))
  let result = ''
  let end = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) result += flushed() + text.slice(end, match.index)
    end = match.index + match[0].length
    const [all, hexadecimal, octal, short, long, other] = match
    // Bytes that follow each other may be one character.
    if (hexadecimal !== undefined) bytes.push(Number.parseInt(hexadecimal, 16))
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff)
    else if (all === "''") result += `${flushed()}'`
    else if (other === undefined) result += flushed() + character(short ?? long ?? '', all)
    else result += flushed() + (oneLetterEscapes.get(other) ?? other)
  }
  return result + flushed() + text.slice(end)
}

function ununicoded(text: string, escape: string): string {
  if (!text.includes(escape)) return text
  let result = ''
  let at = 0
  for (;;) {
    const found = text.indexOf(escape, at)
    if (found === -1) return result + text.slice(at)
    result += text.slice(at, found)
    const [all = escape, doubled, short, long] =
      /^(?:(.)(?=\1)|.([\da-f]{4})|.\+([\da-f]{6}))/isu.exec(text.slice(found, found + 8)) ?? []
    if (doubled !== undefined) {
      result += escape
      at = found + 2
    } else {
      result += short === undefined && long === undefined ? escape : character(short ?? long ?? '', all)
      at = found + all.length
    }
  }
}

function character(hexadecimal: string, asWritten: string): string {
  const code = Number.parseInt(hexadecimal, 16)
  return code > 0x10ffff ? asWritten : String.fromCodePoint(code)
}
