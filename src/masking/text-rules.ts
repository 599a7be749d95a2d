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
