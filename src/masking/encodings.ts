const embedding: ReadonlySet<string> = new Set(['BIG5', 'GB18030', 'GBK', 'JOHAB', 'SHIFT_JIS_2004', 'SJIS', 'UHC'])

/**
 * Whether characters of this client_encoding may have bytes in them that are ASCII by themselves: a backslash, a brace or
 * a delimiter that is none. What is quoted in such an encoding cannot be taken apart byte by byte. An empty name is an
 * encoding that nobody is certain of.
 */
export function embedsAscii(encoding: string): boolean {
  return encoding === '' || embedding.has(encoding.toUpperCase().replaceAll(/[^A-Z0-9_]/g, ''))
}
