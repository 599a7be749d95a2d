import { createHash } from 'node:crypto'

/** A value that must not be seen, in the forms in which it would be known again. */
export interface Canary {
  /** The column it is of, such as `customers.email`. */
  readonly column: string
  /** Letters and digits that are searched for in pieces of eight, whatever stands between them. */
  readonly word?: string
  /** Digits, searched for in pieces of ten. */
  readonly digits?: string
  /** Texts that count only as a whole and as they are; upper and lower case are the same. */
  readonly texts?: readonly string[]
  /** Bytes that count only as a whole. */
  readonly bytes?: readonly Buffer[]
  /** Set where it is searched for only by attacks that name it. */
  readonly isWeak?: boolean
}

/** One canary that was found, and in which disguise. */
export interface Finding {
  readonly column: string
  readonly how: string
  readonly evidence: string
}

/** What came back, taken apart as far as the search needs. */
export interface Haystack {
  /** The bodies of all messages, one after the other. */
  readonly bytes: Buffer
  /** Per result, its rows of values; COPY lines are split at tabs and commas. */
  readonly results: readonly (readonly (readonly Buffer[])[])[]
  /** Texts of errors and notices. */
  readonly reports: readonly string[]
  /** What the attack's own decoder made of the results. */
  readonly decoded: string
}

/** Stands for NULL in a row, so that it is told from a text without characters. */
export const nullCell: Buffer = Buffer.alloc(0)

const wordPiece = 8
const digitsPiece = 10
const searchedCharsMax = 256 * 1024
const patternRowsMax = 4
// NULL in binary, or four bytes behind their length.
const lengthsOfFour = new RegExp(`${'\xff'.repeat(4)}|${'\0'.repeat(3)}\x04[^]{4}`, 'g')
const patternBitsMax = 2_048

/** Searches for canaries in every disguise that it knows. */
export class CanarySearch {
  readonly #words = new Map<string, string>()
  readonly #digits = new Map<string, string>()
  readonly #texts: (readonly [text: string, column: string, isWeak: boolean])[] = []
  readonly #bytes: (readonly [bytes: string, column: string])[] = []
  readonly #digests: (readonly [text: string, column: string])[] = []

  constructor(canaries: readonly Canary[]) {
    for (const { column, word, digits, texts = [], bytes = [], isWeak = false } of canaries) {
      for (const text of word === undefined ? [] : digestsOf(word)) this.#digests.push([text, column])
      for (const text of texts) this.#texts.push([text.toLowerCase(), column, isWeak])
      for (const each of bytes) this.#bytes.push([each.toString('latin1'), column])
      if (word !== undefined) addPieces(this.#words, plain(word), { length: wordPiece, column })
      if (digits !== undefined) addPieces(this.#digits, plain(digits), { length: digitsPiece, column })
    }
  }

  /** All columns of which something was found, once each. */
  find(haystack: Haystack, weak?: string): readonly Finding[] {
    const found = new Map<string, Finding>()
    const note = (column: string, how: string, evidence: string): void => {
      if (!found.has(column)) found.set(column, { column, how, evidence: evidence.slice(0, 40) })
    }
    const raw = haystack.bytes.toString('latin1').slice(0, searchedCharsMax * 4)
    const joined = raw.toLowerCase().replaceAll(/\\n|\s+/g, '')
    for (const [needle, column] of this.#digests) if (joined.includes(needle)) note(column, 'as a digest', needle)
    for (const [name, text] of basesOf(haystack, raw)) {
      for (const [disguise, shown] of disguisesOf(text)) this.#look(shown, `${name}${disguise}`, { note, weak })
    }
    return [...found.values()]
  }

  #look(text: string, how: string, { note, weak }: { note: Note; weak: string | undefined }): void {
    for (const [needle, column] of this.#bytes) if (text.includes(needle)) note(column, `${how} bytes`, '')
    const lower = text.toLowerCase()
    for (const [needle, column, isWeak] of this.#texts) {
      if ((!isWeak || column === weak) && lower.includes(needle)) note(column, how, needle)
    }
    const stripped = plain(lower)
    for (let at = 0; at + wordPiece <= stripped.length; at += 1) {
      const column = this.#words.get(stripped.slice(at, at + wordPiece))
      if (column !== undefined) note(column, how, stripped.slice(at, at + 24))
      const other = this.#digits.get(stripped.slice(at, at + digitsPiece))
      if (other !== undefined) note(other, how, stripped.slice(at, at + 24))
    }
  }
}

type Note = (column: string, how: string, evidence: string) => void

/** Letters and digits alone: whatever splits a value over rows, lines or columns is gone. */
function plain(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '')
}

function addPieces(pieces: Map<string, string>, text: string, of: { length: number; column: string }): void {
  for (const each of [text, text.split('').toReversed().join('')]) {
    for (let at = 0; at + of.length <= each.length; at += 1) pieces.set(each.slice(at, at + of.length), of.column)
  }
}

function digestsOf(word: string): string[] {
  return ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'].flatMap((name) => {
    const digest = createHash(name).update(word).digest()
    return [digest.toString('hex'), digest.toString('base64').replace(/=+$/, '').toLowerCase()]
  })
}

/** The texts to look at: all there is, and what a patient reader puts together from rows, columns and errors. */
function* basesOf({ results, reports, decoded }: Haystack, raw: string): Iterable<readonly [string, string]> {
  yield ['', raw.slice(0, searchedCharsMax)]
  if (decoded !== '') yield ['decoded ', decoded]
  yield* joined(
    'errors ',
    reports.map((text) => [...text.matchAll(/"([^"]{1,4})"/g)].at(-1)?.[1] ?? ''),
  )
  yield* joined(
    'all results ',
    results.flatMap((rows) => rows.flatMap((row) => row.map(textOf))),
  )
  for (const rows of results) {
    yield* patternsOf(rows)
    const width = Math.min(64, Math.max(0, ...rows.map(({ length }) => length)))
    const cells = rows.map((row) => row.map(textOf))
    if (width > 1) yield* joined('by rows ', cells.flat())
    for (let column = 0; column < width; column += 1) {
      yield* joined(
        'by column ',
        cells.map((row) => row[column] ?? ''),
      )
    }
  }
}

/**
 * What it spells in bits that something is there or not, or is one of two things: whatever the values themselves show,
 * NULL and not NULL are told apart, in rows, in columns, in arrays and in records.
 */
function* patternsOf(rows: readonly (readonly Buffer[])[]): Iterable<readonly [string, string]> {
  const cells = rows.map((row) => row.map((cell) => (cell === nullCell ? 'NULL' : `=${textOf(cell)}`)))
  const width = Math.min(64, Math.max(0, ...rows.map(({ length }) => length)))
  yield* pattern(
    'whole rows ',
    cells.map((row) => row.join()),
  )
  for (let column = 0; column < width; column += 1) {
    const values = cells.map((row) => row[column] ?? '')
    yield* pattern('column ', values)
    yield* pattern('NULLs of column ', values.map(presenceOf))
  }
  yield* pattern('all values ', cells.flat())
  yield* pattern('NULLs of all values ', cells.flat().map(presenceOf))
  for (const row of rows.slice(0, patternRowsMax)) {
    const text = row.map((cell) => (cell === nullCell ? 'NULL' : textOf(cell))).join('\t')
    yield* pattern('elements ', text.slice(0, searchedCharsMax).split(/[,;()[\]{}\s"]/))
    yield* pattern('items ', text.slice(0, searchedCharsMax).split(','))
    const lengths = text.slice(0, searchedCharsMax).match(lengthsOfFour) ?? []
    yield* pattern(
      'lengths ',
      lengths.map((each) => each.slice(0, 4)),
    )
  }
}

function presenceOf(value: string): string {
  return ['NULL', '=\\N', '='].includes(value) ? 'NULL' : 'value'
}

/** The two that occur most as bits, either way round. */
function* pattern(name: string, values: readonly string[]): Iterable<readonly [string, string]> {
  if (values.length < wordPiece * 7) return
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  const [[one] = [], [other] = []] = [...counts].toSorted((left, right) => right[1] - left[1])
  if (one === undefined || other === undefined) return
  const bits = values.filter((value) => value === one || value === other).map((value) => (value === one ? '1' : '0'))
  const text = bits.join('').slice(0, patternBitsMax)
  const inverse = text.replaceAll(/[01]/g, (bit) => (bit === '1' ? '0' : '1'))
  for (const each of [text, inverse]) yield [`pattern of ${name}`, bytesOfBits(each).join(' ')]
}

/** Values that were cut up: a longer one stands as it is among all the bytes. */
function* joined(name: string, values: readonly string[]): Iterable<readonly [string, string]> {
  const parts = values.filter(({ length }) => length <= wordPiece)
  const text = parts.join('')
  if (text.length < wordPiece) return
  yield [name, text.slice(0, searchedCharsMax)]
  const codes = parts.map(codeOf).join('')
  if (codes.length >= wordPiece) yield [`${name}of codes `, codes]
  const bits = parts.map(bitOf).join('')
  if (bits.length >= wordPiece * 7) yield [`${name}of bits `, bytesOfBits(bits).join(' ')]
}

function codeOf(part: string): string {
  const code = /^-?\d{1,3}$/.test(part) ? Math.abs(Number(part)) : part.length > 1 ? integerOf(part) : 0
  return code >= 33 && code <= 126 ? String.fromCharCode(code) : ''
}

function bitOf(part: string): string {
  const value = part.replaceAll('\0', '')
  if (value === '\x01' || value === '1' || value === 't') return '1'
  return (value === '' && part !== '') || value === '0' || value === 'f' ? '0' : ''
}

/** A number in binary, where its upper bytes are zero. */
function integerOf(part: string): number {
  if (![2, 4, 8].includes(part.length)) return 0
  return /^\0+[^\0]$/.test(part) ? part.charCodeAt(part.length - 1) : 0
}

function textOf(value: Buffer): string {
  return value.toString('latin1')
}

/** The text itself and what it would be if it were encoded. */
function* disguisesOf(text: string): Iterable<readonly [string, string]> {
  yield ['', text]
  const hex = text
    .replaceAll(/(?<=\b[0-9a-f]{2}) (?=[0-9a-f]{2}\b)/gi, '')
    .match(/[0-9a-f]{8,}/gi)
    ?.flatMap((run) => [run, run.slice(1)])
  if (hex !== undefined) yield ['hex', hex.map((run) => Buffer.from(run, 'hex').toString('latin1')).join(' ')]
  const base64 = text.match(/[A-Za-z0-9+/\n]{12,}/g)?.flatMap((run) => [0, 1, 2, 3].map((at) => run.slice(at)))
  if (base64 !== undefined)
    yield ['base64', base64.map((run) => Buffer.from(run, 'base64').toString('latin1')).join(' ')]
  if (/%[0-9a-f]{2}/i.test(text))
    yield ['url', text.replaceAll(/%([0-9a-f]{2})/gi, (_, code: string) => char(code, 16))]
  if (/\\u|\\\+0|&#|\\x|\\\d{3}/i.test(text)) {
    yield [
      'escapes',
      text.replaceAll(/(?:\\+u|\\\+|&#x|\\+x)\{?0*([0-9a-f]{2})\b;?\}?/gi, (_, code: string) => char(code, 16)),
    ]
    yield ['wide escapes', text.replaceAll(/(?:\\+u|\\\+)0+([0-9a-f]{2})/gi, (_, code: string) => char(code, 16))]
    yield ['entities', text.replaceAll(/&#(\d{2,3});/g, (_, code: string) => char(code, 10))]
    yield ['octal', text.replaceAll(/\\+([0-3][0-7]{2})/g, (_, code: string) => char(code, 8))]
  }
  const numbers = text.match(/\d+/g)
  if (numbers !== null && numbers.length >= wordPiece) yield ['codes', numbers.map(codeOf).join('')]
  const bits = text.match(/[01tf]{64,}/g)
  if (bits !== null) yield ['bits', bits.flatMap(bytesOfBits).join(' ')]
}

function char(code: string, base: number): string {
  return String.fromCharCode(Number.parseInt(code, base))
}

function bytesOfBits(run: string): string[] {
  const bits = run.replaceAll('t', '1').replaceAll('f', '0').slice(0, 8_192)
  return [0, 1, 2, 3, 4, 5, 6, 7].flatMap((offset) => {
    const groups = bits.slice(offset).match(/.{8}/g) ?? []
    const short = bits.slice(offset).match(/.{7}/g) ?? []
    const reversed = groups.map((group) => group.split('').toReversed().join(''))
    return [groups, reversed, short].map((each) => each.map((group) => char(group, 2)).join(''))
  })
}
