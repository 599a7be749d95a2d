/*
 * Check digits. Each function takes digits (and letters, where an id has them) without separators, of the right length,
 * and says whether they fit.
 */

/** ISO/IEC 7812-1 annex B: payment cards, and Swedish ids. */
export function isLuhn(digits: string): boolean {
  let sum = 0
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index])
    const doubled = index % 2 === 0 ? digit : digit * 2
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** ISO 13616: an IBAN without blanks, in capitals. */
export function isIbanChecked(iban: string): boolean {
  let remainder = 0
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(character, 36)
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
  }
  return remainder === 1
}

const verhoeffProducts = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
]
const verhoeffPermutations = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
]

/** Verhoeff's dihedral check: Aadhaar. */
export function isVerhoeff(digits: string): boolean {
  let check = 0
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index])
    const permuted = Number(verhoeffPermutations[index % 8]?.[digit])
    check = Number(verhoeffProducts[check]?.[permuted])
  }
  return check === 0
}

/** The sum of digits times weights. */
export function weighted(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, index) => sum + weight * Number(digits[index]), 0)
}

/** ISO 7064 MOD 11,10: the German tax id, whose first ten digits also repeat one digit twice or thrice and no other. */
export function isGermanTaxId(digits: string): boolean {
  if (digits.startsWith('0')) return false
  const counts = new Map<string, number>()
  for (const digit of digits.slice(0, 10)) counts.set(digit, (counts.get(digit) ?? 0) + 1)
  const repeated = [...counts.values()].filter((count) => count > 1)
  if (repeated.length !== 1 || (repeated[0] ?? 0) > 3) return false
  let product = 10
  for (const digit of digits.slice(0, 10)) {
    const sum = (Number(digit) + product) % 10
    product = ((sum === 0 ? 10 : sum) * 2) % 11
  }
  return (11 - product) % 10 === Number(digits[10])
}

/** The key of a French NIR: 97 less the rest of the number, in which Corsica's 2A and 2B count as 19 and 18. */
export function isFrenchNir(nir: string): boolean {
  const number = nir.slice(0, 13).replace('2A', '19').replace('2B', '18')
  return 97 - Number(BigInt(number) % 97n) === Number(nir.slice(13))
}

/** The letter of a Spanish DNI, or of a NIE whose first letter stands for 0, 1 or 2. */
export function isSpanishId(id: string): boolean {
  const digits = id.slice(0, -1).replace('X', '0').replace('Y', '1').replace('Z', '2')
  return 'TRWAGMYFPDXBNJZSQVHLCKE'[Number(digits) % 23] === id.at(-1)
}

const oddValues = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]

/** The last letter of an Italian codice fiscale, in capitals. */
export function isCodiceFiscale(code: string): boolean {
  let sum = 0
  for (let index = 0; index < 15; index += 1) {
    const character = code[index] ?? ''
    const value = /\d/u.test(character) ? Number(character) : character.charCodeAt(0) - 65
    sum += index % 2 === 0 ? (oddValues[value] ?? 0) : value
  }
  return String.fromCharCode(65 + (sum % 26)) === code[15]
}

/** The Dutch elfproef of a BSN. */
export function isBsn(digits: string): boolean {
  return Number(digits) > 9_999_999 && weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0
}

/** A Polish PESEL, whose first digits are a date with the century in its month. */
export function isPesel(digits: string): boolean {
  const month = Number(digits.slice(2, 4)) % 20
  if (!isDayOfMonth(month, Number(digits.slice(4, 6)))) return false
  return weighted(digits, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0
}

/** Both check digits of a Brazilian CPF. */
export function isCpf(digits: string): boolean {
  if (/^(\d)\1*$/u.test(digits)) return false
  const check = (length: number): number => {
    const weights = Array.from({ length }, (_, index) => length + 1 - index)
    const rest = (weighted(digits, weights) * 10) % 11
    return rest === 10 ? 0 : rest
  }
  return check(9) === Number(digits[9]) && check(10) === Number(digits[10])
}

/** A Swedish personnummer of ten digits, or of a coordination number with 60 added to the day. */
export function isPersonnummer(digits: string): boolean {
  const day = Number(digits.slice(4, 6))
  return isDayOfMonth(Number(digits.slice(2, 4)), day > 60 ? day - 60 : day) && isLuhn(digits)
}

function isDayOfMonth(month: number, day: number): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31
}
