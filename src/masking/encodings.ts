const embedding: ReadonlySet<string> = new Set(['BIG5', 'GB18030', 'GBK', 'JOHAB', 'SHIFT_JIS_2004', 'SJIS', 'UHC'])

/**
 * Whether characters of this client_encoding may have bytes in them that are ASCII by themselves: a backslash, a brace or
 * a delimiter that is none. What is quoted in such an encoding cannot be taken apart byte by byte. An empty name is an
 * encoding that nobody is certain of.
 */
export function embedsAscii(encoding: string): boolean {
  return encoding === '' || embedding.has(encoding.toUpperCase().replaceAll(/[^A-Z0-9_]/g, ''))
}

const unicode: ReadonlySet<string> = new Set(['utf8', 'unicode', 'sqlascii'])
// A character of a byte each, by PostgreSQL's names and what it takes for them.
const singleByte = /^(?:latin\d+|iso8859\d+|win\d{3,4}|windows\d{3,4}|koi8|koi8r|koi8u|abc|alt|tcvn|tcvn5712|vscii)$/
const wideWindows: ReadonlySet<string> = new Set(['932', '936', '949', '950'])
const multiByte: ReadonlySet<string> = new Set(['eucjp', 'eucjis2004', 'euccn', 'euckr', 'euctw', 'muleinternal'])

/** Reads bytes as text. */
export type DecodesText = (bytes: Buffer) => string

/**
 * How text in an encoding is read so that ASCII is certain in it, and of other characters never more than there are; null
 * for an encoding that is not known, or has bytes of ASCII within other characters. The name is any that PostgreSQL takes.
 */
export function decoderOf(encoding: string): DecodesText | null {
  const name = encoding.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  if (unicode.has(name)) return (bytes) => bytes.toString('utf8')
  if (singleByte.test(name) && !wideWindows.has(/\d+$/.exec(name)?.[0] ?? ''))
    return (bytes) => bytes.toString('latin1')
  return multiByte.has(name) ? readsAscii : null
}

/** Reads what is ASCII; of the rest no more characters than there are, since none takes more than four bytes. */
export const readsAscii: DecodesText = (bytes) =>
  bytes.toString('latin1').replaceAll(/[\u0080-\u00ff]+/g, (run) => '\ufffd'.repeat(Math.ceil(run.length / 4)))
