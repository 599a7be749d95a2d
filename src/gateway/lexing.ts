import { isAscii, isUtf8 } from 'node:buffer'

/** The settings of a session that decide how PostgreSQL reads the bytes of a statement. */
export interface LexingSettings {
  /** `client_encoding` as last reported. */
  readonly clientEncoding: string
  /** `server_encoding`, the database's own, as reported at the start. */
  readonly serverEncoding: string
  /** `standard_conforming_strings` as last reported. */
  readonly areStringsStandard: boolean
  /** False while something is under way that may have changed either. */
  readonly isSettled: boolean
}

/** The text of a statement, or why its bytes cannot be read with certainty; `sql` is then a faithful rendering. */
export type StatementText =
  | { readonly sql: string; readonly uncertain: null }
  | { readonly sql: string; readonly uncertain: string }

/** Why a text is opaque that could be read once PostgreSQL has reported its settings. */
export const unsettledReason = 'an unfinished statement may change how this text is read'

const backslash = 0x5c

/**
 * Reads a statement's bytes as PostgreSQL will, or says why that is not certain. Pure ASCII without a backslash means
 * the same under every client encoding and string syntax, so nearly all texts pass at once. The rest is certain only
 * while client_encoding is UTF8 and standard_conforming_strings is on: in SJIS or GBK the second byte of a character
 * may be a backslash, and with the old string syntax a backslash hides a quote, so that another statement would run
 * than the one that was analysed. And only while the database is UTF8 too: in another encoding a name has another length
 * in bytes, is cut elsewhere, and may be folded to lower case beyond ASCII, so that two names here could be one there.
 */
export function readStatementText(bytes: Buffer, settings: LexingSettings): StatementText {
  const ascii = isAscii(bytes)
  if (!isUnicode(settings.serverEncoding) && (!ascii || /u&["']/i.test(bytes.toString('latin1')))) {
    const sql = isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1')
    return { sql, uncertain: `the database's encoding is ${settings.serverEncoding} and the text is not plain ASCII` }
  }
  if (ascii && (bytes.indexOf(backslash) === -1 || (settings.areStringsStandard && settings.isSettled))) {
    return { sql: bytes.toString('latin1'), uncertain: null }
  }
  const sql = isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('latin1')
  if (!settings.isSettled) {
    return { sql, uncertain: unsettledReason }
  }
  if (!settings.areStringsStandard && bytes.indexOf(backslash) !== -1) {
    return { sql, uncertain: 'standard_conforming_strings is off and the text holds a backslash' }
  }
  if (ascii) return { sql, uncertain: null }
  if (!isUnicode(settings.clientEncoding)) {
    return { sql, uncertain: `client_encoding is ${settings.clientEncoding} and the text is not plain ASCII` }
  }
  if (!isUtf8(bytes)) return { sql, uncertain: 'the text is not valid UTF-8 (shown as Latin-1)' }
  return { sql, uncertain: null }
}

/** Whether PostgreSQL takes bytes outside of ASCII for UTF-8 now, as everything in Postern does. */
export function isReadAsUtf8(settings: LexingSettings): boolean {
  return settings.isSettled && isUnicode(settings.clientEncoding) && isUnicode(settings.serverEncoding)
}

function isUnicode(encoding: string): boolean {
  const name = encoding.toUpperCase()
  return name === 'UTF8' || name === 'UTF-8' || name === 'UNICODE'
}
