import { leftToRight, mappedToNothing, prohibited, rightToLeft, spaces, unassigned } from './saslprep-tables.ts'

/**
 * Prepares a password for SCRAM as PostgreSQL does when it stores one: SASLprep (RFC 4013), but a password of ASCII
 * only, and one that SASLprep refuses, is taken as it is (RFC 5802 would refuse the latter).
 */
export function preparePassword(password: string): string {
  // oxlint-disable-next-line no-control-regex -- every ASCII character, controls too, as PostgreSQL's own check.
  if (/^[\0-\x7f]*$/.test(password)) return password
  return saslprep(password) ?? password
}

/** SASLprep (RFC 4013 section 2) of a text to be stored; null where it refuses the text or leaves nothing of it. */
function saslprep(text: string): string | null {
  let mapped = ''
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0
    // U+200B is in both tables; PostgreSQL looks at the spaces first.
    if (spaces(codePoint)) mapped += ' '
    else if (!mappedToNothing(codePoint)) mapped += character
  }
  const normalized = mapped.normalize('NFKC')
  const codePoints = Array.from(normalized, (character) => character.codePointAt(0) ?? 0)
  const [first] = codePoints
  const last = codePoints.at(-1)
  if (first === undefined || last === undefined) return null
  if (codePoints.some((codePoint) => prohibited(codePoint) || unassigned(codePoint))) return null
  // RFC 3454 section 6: right-to-left text has no left-to-right character, and begins and ends right-to-left.
  if (codePoints.some(rightToLeft)) {
    if (codePoints.some(leftToRight) || !rightToLeft(first) || !rightToLeft(last)) return null
  }
  return normalized
}
