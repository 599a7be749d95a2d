import { isIbanChecked, isLuhn } from './checksums.ts'
import { matches } from './detection.ts'
import type { Certainty, Detection } from './detection.ts'

/** Payment cards: 13 to 19 digits with a known prefix and a check digit, together or grouped as they are embossed. */
export function* findCards(text: string): Generator<Detection> {
  yield* matches(text, /(?<![A-Za-z0-9]|\d[.,-])\d(?:[ -]?\d){11,18}/gu, (match, start) => {
    const first = /^\d+/u.exec(match)?.[0].length ?? 0
    if (first !== 4 && first < 12) return null
    // A card that is followed by another number, such as its expiry, is shorter than the match.
    for (let length = match.length; length >= 12; length -= 1) {
      const after = text[start + length] ?? ''
      const part = match.slice(0, length)
      if (
        /[A-Za-z0-9]/u.test(after) ||
        /[ -]$/u.test(part) ||
        /^[.,]\d/u.test(text.slice(start + length, start + length + 2))
      )
        continue
      const certainty = cardCertainty(part)
      if (certainty !== null) return { kind: 'card', end: start + length, certainty, what: 'payment card number' }
    }
    return null
  })
}

function cardCertainty(text: string): Certainty | null {
  const digits = text.replaceAll(/[ -]/gu, '')
  if (!cardPrefixes.some(({ prefix, lengths }) => prefix.test(digits) && lengths.has(digits.length))) return null
  if (!isLuhn(digits) || /^(\d)\1*$/u.test(digits)) return null
  if (digits !== text) return groupings.test(text) ? 'certain' : null
  // Thirteen digits are also an article number (EAN), one in ten of which pass.
  return digits.length <= 13 ? 'possible' : 'likely'
}

const groupings = /^(?:\d{4}([ -])(?:\d{4}\1){2}\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})$/u

const cardPrefixes: readonly { readonly prefix: RegExp; readonly lengths: ReadonlySet<number> }[] = [
  { prefix: /^4/u, lengths: new Set([13, 16, 19]) },
  { prefix: /^5[1-5]/u, lengths: new Set([16]) },
  { prefix: /^2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)/u, lengths: new Set([16]) },
  { prefix: /^3[47]/u, lengths: new Set([15]) },
  { prefix: /^(?:6011|64[4-9]|65)/u, lengths: new Set([16, 17, 18, 19]) },
  { prefix: /^35(?:2[89]|[3-8]\d)/u, lengths: new Set([16, 17, 18, 19]) },
  { prefix: /^3(?:0[0-5]|095|[689])/u, lengths: new Set([14, 16, 19]) },
  { prefix: /^62/u, lengths: new Set([16, 17, 18, 19]) },
  { prefix: /^(?:5018|5020|5038|5893|6304|6759|676[1-3])/u, lengths: new Set([12, 13, 14, 15, 16, 17, 18, 19]) },
]

/** Bank accounts with a country's length and the check digits of ISO 13616, together or in groups of four. */
export function* findIbans(text: string): Generator<Detection> {
  yield* matches(text, /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?=[ A-Za-z0-9])/gu, (match, start) => {
    const length = ibanLengths.get(match.slice(0, 2).toUpperCase())
    if (length === undefined) return null
    let [iban, end] = [match, start + 4]
    while (iban.length < length) {
      const character = text[end] === ' ' ? text[end + 1] : text[end]
      if (character === undefined || !/[A-Za-z0-9]/u.test(character)) return null
      iban += character
      end += text[end] === ' ' ? 2 : 1
    }
    if (/[A-Za-z0-9]/u.test(text[end] ?? '')) return null
    return isIbanChecked(iban.toUpperCase()) ? { kind: 'iban', end, certainty: 'certain', what: 'IBAN' } : null
  })
}

// From the SWIFT registry: country, then length.
const ibanLengths: ReadonlyMap<string, number> = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ' +
    'ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 ' +
    'LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 ' +
    'PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)

/** Telephone numbers: international ones, and national ones in the forms that people write them in. */
export function* findPhones(text: string): Generator<Detection> {
  for (const { pattern, isPhone, certainty } of phoneForms) {
    yield* matches(text, pattern, (match, start) => {
      if (!isPhone(match, match.replaceAll(/\D/gu, ''))) return null
      return { kind: 'phone', end: start + match.length, certainty, what: 'telephone number' }
    })
  }
}

interface PhoneForm {
  readonly pattern: RegExp
  readonly certainty: Certainty
  readonly isPhone: (match: string, digits: string) => boolean
}

const phoneForms: readonly PhoneForm[] = [
  {
    // E.164: up to fifteen digits, of which the first is not 0. A signed decimal has one point and nothing else.
    pattern: /(?<![\w+.-])\+[1-9](?:[ .()/-]{0,2}\d){6,14}(?!\d)/gu,
    certainty: 'likely',
    isPhone: (match, digits) =>
      !/^\+\d*\.\d+$/u.test(match) &&
      !/^\+\d{4}-\d\d-\d\d/u.test(match) &&
      (!/^[17]/u.test(digits) || digits.length === 11),
  },
  {
    // North America: neither area code nor exchange begins with 0 or 1.
    pattern: /(?<![\w.+-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d([ .-]))[2-9]\d\d[ .-]\d{4}(?![\w]|[.-]\d)/gu,
    certainty: 'likely',
    isPhone: () => true,
  },
  {
    // With 00 for the plus sign, and blanks or such.
    pattern: /(?<![\w.+-])00[1-9](?:[ .()/-]{0,2}\d){8,14}(?![\d])/gu,
    certainty: 'likely',
    isPhone: (match) => /[ ()/-]/u.test(match),
  },
  {
    // A trunk 0 and groups of two, as in France, or a British or German number in its usual groups.
    pattern:
      /(?<![\w.+-])(?:0[1-9](?:([ .])\d\d)(?:\1\d\d){3}|\(?0(?:1\d{3}|20|7\d{3})\)? \d{3,4} ?\d{3,4}|\(?0[1-9]\d{1,4}\)?[ /-]{1,3}\d{3,5}(?:[ -]?\d{1,5})?)(?![\w]|[.-]\d)/gu,
    certainty: 'likely',
    isPhone: (_, digits) => digits.length >= 9 && digits.length <= 12,
  },
  {
    // Ten or eleven digits with a trunk 0 and nothing between.
    pattern: /(?<![\w.+-])0[1-9]\d{8,9}(?![\w]|[.-]\d)/gu,
    certainty: 'possible',
    isPhone: () => true,
  },
]
