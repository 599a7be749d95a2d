/** The bytes that decide where a line of COPY ends. */
export interface LineBytes {
  /** Of CSV; null in text format, where backslashes take line ends with them. */
  readonly csv: { readonly quote: number; readonly escape: number } | null
}

/** A line that has come whole. Its content ends before what ends the line. */
export interface Line {
  readonly contentEnd: number
  readonly end: number
  /** `last` behind the end marker of text format, which is not part of its content: nothing counts from there on. */
  readonly kind: 'line' | 'last' | 'broken'
}

const newline = 0x0a
const carriageReturn = 0x0d
const backslash = 0x5c
const dot = 0x2e
const markerBytes = 2

/**
 * Finds the ends of lines in what COPY FROM is given, as PostgreSQL does (CopyReadLineText in its source): the first line
 * decides whether they end in LF, CR or both, and then another end of a line is an error, as is anything on the line of an
 * end marker. Each byte is looked at once, in whatever pieces the data comes.
 */
export class LineFinder {
  readonly #csv: LineBytes['csv']
  readonly #isSpecial = new Uint8Array(256)
  #ending: 'unknown' | 'lf' | 'cr' | 'crlf' = 'unknown'
  /** How many lines have begun, those within quotes too. */
  lineNumber = 0
  #isInQuotes = false
  #isEscaped = false
  /** The byte before was a backslash of text format. */
  #isTaken = false
  /** A CR has come, and what follows it decides. */
  #hasReturn = false
  /** The two bytes before were an end marker. */
  #hasMarker = false

  constructor({ csv }: LineBytes) {
    this.#csv = csv
    const special = csv === null ? [backslash] : [csv.quote, csv.escape]
    for (const byte of [newline, carriageReturn, ...special]) this.#isSpecial[byte] = 1
  }

  /** The line that begins at `start`, looked at up to `from` before; null where its end has not come. */
  next(data: Buffer, { start, from }: { readonly start: number; readonly from: number }): Line | null {
    if (from === start) this.lineNumber += 1
    const { length } = data
    for (let at = from; at < length; at++) {
      const isOpen = this.#isTaken || this.#isEscaped || this.#hasReturn || this.#hasMarker
      if (!isOpen) while (at < length && this.#isSpecial[data[at] ?? 0] === 0) at++
      if (at === length) break
      const byte = data[at] ?? 0
      const line = this.#csv === null ? this.#takeText(byte, at) : this.#takeCsv(byte, at, this.#csv)
      if (line !== null) return this.#reset(line)
    }
    return null
  }

  /** The line that the end of the data ends. */
  finish(data: Buffer): Line {
    const { length } = data
    // A CR that nothing follows is the end of the line, unless others ended in CR and LF.
    if (!this.#hasReturn) return { contentEnd: length, end: length, kind: 'line' }
    return this.#ending === 'unknown' ? this.#ended(length - 1, length, 'cr') : broken(length - 1)
  }

  #takeText(byte: number, at: number): Line | null {
    if (this.#hasReturn) return this.#afterReturn(byte, at)
    if (this.#isTaken) {
      this.#isTaken = false
      this.#hasMarker = byte === dot
      return null
    }
    if (byte === newline || byte === carriageReturn) return this.#takeEnd(byte, at)
    if (this.#hasMarker) return broken(at)
    if (byte === backslash) this.#isTaken = true
    return null
  }

  #takeCsv(byte: number, at: number, { quote, escape }: { quote: number; escape: number }): Line | null {
    if (this.#hasReturn) return this.#afterReturn(byte, at)
    // Where both are the same byte, it is enough to know whether there were an even number of them.
    const isEscape = escape !== quote && byte === escape
    if (this.#isInQuotes && isEscape) this.#isEscaped = !this.#isEscaped
    if (byte === quote && !this.#isEscaped) this.#isInQuotes = !this.#isInQuotes
    if (!isEscape) this.#isEscaped = false
    if (byte !== newline && byte !== carriageReturn) return null
    if (!this.#isInQuotes) return this.#takeEnd(byte, at)
    if (byte === (this.#ending === 'cr' ? carriageReturn : newline)) this.lineNumber += 1
    return null
  }

  #takeEnd(byte: number, at: number): Line | null {
    const isFirst = this.#ending === 'unknown'
    if (byte === newline) return isFirst || this.#ending === 'lf' ? this.#ended(at, at + 1, 'lf') : broken(at)
    if (this.#ending === 'cr') return this.#ended(at, at + 1, 'cr')
    if (this.#ending === 'lf') return broken(at)
    this.#hasReturn = true
    return null
  }

  #afterReturn(byte: number, at: number): Line {
    if (byte === newline) return this.#ended(at - 1, at + 1, 'crlf')
    return this.#ending === 'unknown' ? this.#ended(at - 1, at, 'cr') : broken(at)
  }

  #ended(contentEnd: number, end: number, ending: 'lf' | 'cr' | 'crlf'): Line {
    this.#ending = ending
    return this.#hasMarker
      ? { contentEnd: contentEnd - markerBytes, end, kind: 'last' }
      : { contentEnd, end, kind: 'line' }
  }

  #reset(line: Line): Line {
    this.#isInQuotes = false
    this.#isEscaped = false
    this.#isTaken = false
    this.#hasReturn = false
    this.#hasMarker = false
    return line
  }
}

/** PostgreSQL refuses the data here: the byte at this place is the last one that it looks at. */
function broken(at: number): Line {
  return { contentEnd: at + 1, end: at + 1, kind: 'broken' }
}
