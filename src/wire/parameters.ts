import { isUtf8 } from 'node:buffer'

/**
 * The text that the record shows of one Bind parameter, or null for NULL. Text format is the text itself; what cannot be
 * read is `\x` and hexadecimal digits. Never throws.
 */
export function decodeParameter(bytes: Buffer | null, format: number, _typeOid: number): string | null {
  if (bytes === null) return null
  return format === 0 && isUtf8(bytes) ? bytes.toString('utf8') : `\\x${bytes.toString('hex')}`
}
