import { isUtf8 } from 'node:buffer'
import { pseudonymCharsMin, textPseudonym } from './pseudonym.ts'
import type { Pseudonyms } from './pseudonym.ts'
import type { MaskingRule } from '../core/classification.ts'

/** What stands for a text, cut where the type is too short for it. */
export const redactedText = '[masked]'

const stars = '****'
const email = /^[^@\s]+@[^@\s]+\.([A-Za-z]{2,6})$/
const maskedEmailCharsMax = '?***@***.'.length + 6

/** How a text type limits its values: at most so many characters, and whether blanks fill it up to that. */
export interface TextShape {
  readonly charsMax: number
  readonly isPadded: boolean
}

/** The replacement of a text, which is alike in text and in binary. The rule is none of `null` and `year`. */
export function textMask(rule: MaskingRule, shape: TextShape, pseudonyms: Pseudonyms): (value: Buffer) => Buffer {
  const redacted = fit(redactedText, shape)
  switch (rule.function) {
    case 'pseudonym':
      if (shape.charsMax < pseudonymCharsMin) return () => redacted
      return (value) => {
        const bytes = shape.isPadded ? withoutPadding(value) : value
        return fit(textPseudonym(pseudonyms.digest('text', bytes), shape.charsMax), shape)
      }
    case 'partial': {
      // An uncertain `keep` keeps nothing.
      const keep = Number.isSafeInteger(rule.keep) && rule.keep > 0 ? rule.keep : 0
      if (!shape.isPadded && shape.charsMax === Infinity) {
        return (value) => partialAscii(value, keep) ?? fit(partialText(value, keep, Infinity), shape)
      }
      return (value) => fit(partialText(shape.isPadded ? withoutPadding(value) : value, keep, shape.charsMax), shape)
    }
    default:
      return () => redacted
  }
}

/**
 * The last `keep` characters behind stars whose number is the same for every value; only stars where that would be more
 * than half of the value. An e-mail address keeps its first character and its ending.
 */
function partialText(value: Buffer, keep: number, charsMax: number): string {
  // In another encoding it could not be told where a character ends.
  if (!isUtf8(value)) return stars
  const text = value.toString('utf8')
  const ending = email.exec(text)?.[1]
  if (ending !== undefined && charsMax >= maskedEmailCharsMax) {
    const first = text.codePointAt(0)
    const localChars = text.indexOf('@')
    return `${localChars > 2 && first !== undefined ? String.fromCodePoint(first) : ''}***@***.${ending}`
  }
  if (text.includes('@')) return stars
  const characters = Array.from(text.length > keep * 4 + 16 ? text.slice(-(keep * 2 + 2)) : text)
  const isLong = text.length > keep * 4 + 16 || characters.length >= keep * 2
  if (keep === 0 || !isLong || stars.length + keep > charsMax) return stars
  return stars + characters.slice(-keep).join('')
}

const starBytes = Buffer.from(stars)

/** The same for ASCII, byte by byte, which takes a fourth of the time; null where `partialText` has to tell. */
function partialAscii(value: Buffer, keep: number): Buffer | null {
  const { length } = value
  let at = -1
  let dot = -1
  for (let index = 0; index < length; index++) {
    const byte = value[index] ?? 0
    if (byte >= 0x80) return null
    if (byte === 0x40) {
      if (at !== -1) return Buffer.from(starBytes)
      at = index
    } else if (byte === 0x2e) dot = index
  }
  if (at === -1) {
    if (keep === 0 || length < keep * 2) return Buffer.from(starBytes)
    const masked = Buffer.allocUnsafe(4 + keep)
    masked[0] = masked[1] = masked[2] = masked[3] = 0x2a
    for (let index = 0; index < keep; index++) masked[4 + index] = value[length - keep + index] ?? 0
    return masked
  }
  const letters = length - dot - 1
  let isEmail = at > 0 && dot > at + 1 && letters >= 2 && letters <= 6
  for (let index = 0; isEmail && index < length; index++) {
    const byte = value[index] ?? 0
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) isEmail = false
    if (index > dot && !((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a)) isEmail = false
  }
  if (!isEmail) return Buffer.from(starBytes)
  const from = at > 2 ? 1 : 0
  const masked = Buffer.allocUnsafe(from + 8 + letters)
  if (from === 1) masked[0] = value[0] ?? 0
  masked[from] = masked[from + 1] = masked[from + 2] = masked[from + 4] = masked[from + 5] = masked[from + 6] = 0x2a
  masked[from + 3] = 0x40
  masked[from + 7] = 0x2e
  for (let index = 0; index < letters; index++) masked[from + 8 + index] = value[dot + 1 + index] ?? 0
  return masked
}

function fit(text: string, { charsMax, isPadded }: TextShape): Buffer {
  if (!isPadded && text.length <= charsMax) return Buffer.from(text)
  const characters = Array.from(text)
  if (!isPadded) return Buffer.from(characters.slice(0, charsMax).join(''))
  return Buffer.from(characters.slice(0, charsMax).join('') + ' '.repeat(Math.max(0, charsMax - characters.length)))
}

function withoutPadding(value: Buffer): Buffer {
  let end = value.length
  while (end > 0 && value[end - 1] === 0x20) end--
  return value.subarray(0, end)
}
