/*
 * Whole numbers and numerics: reading a value into one canonical text whatever its type and format, so that equal
 * numbers get equal pseudonyms, and writing one.
 */

const numericNegative = 0x4000
const numericSpecial: ReadonlyMap<number, string> = new Map([
  [0xc000, 'NaN'],
  [0xd000, 'Infinity'],
  [0xf000, '-Infinity'],
])

/** A number's text without what does not count: `007.50` is `7.5`, `-0` is `0`. Null where it is no number. */
export function canonicalNumber(text: string): string | null {
  if (/^(?:NaN|-?Infinity)$/.test(text)) return text
  const match = /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text)
  if (match === null || !/\d/.test(text)) return null
  const [, sign = '', integer = '', fraction = ''] = match
  const digits = `${integer === '' ? '0' : integer}${fraction === '' ? '' : `.${fraction}`}`
  return digits === '0' ? '0' : sign + digits
}

/** A binary numeric as canonical text; null where it is malformed. */
export function readNumeric(value: Buffer): string | null {
  if (value.length < 8) return null
  const digitCount = value.readUInt16BE(0)
  const weight = value.readInt16BE(2)
  const sign = value.readUInt16BE(4)
  if (value.length !== 8 + digitCount * 2) return null
  const special = numericSpecial.get(sign)
  if (special !== undefined) return special
  if (sign !== 0 && sign !== numericNegative) return null
  let digits = ''
  for (let i = 0; i < digitCount; i++) {
    const digit = value.readUInt16BE(8 + i * 2)
    if (digit > 9999) return null
    digits += String(digit).padStart(4, '0')
  }
  // The first group of four decimals stands for 10000^weight.
  const pointAt = (weight + 1) * 4
  const integer = pointAt <= 0 ? '0' : digits.slice(0, pointAt).padEnd(pointAt, '0')
  const fraction = pointAt <= 0 ? '0'.repeat(-pointAt) + digits : digits.slice(pointAt)
  return canonicalNumber(`${sign === 0 ? '' : '-'}${integer}.${fraction}`)
}

/** A whole number from 0 to 2^53 - 1 as a binary numeric of this scale. */
export function writeNumeric(value: number, scale: number): Buffer {
  const groups: number[] = []
  for (let rest = value; rest > 0; rest = Math.floor(rest / 10_000)) groups.unshift(rest % 10_000)
  const weight = Math.max(groups.length - 1, 0)
  while (groups.at(-1) === 0) groups.pop()
  const bytes = Buffer.alloc(8 + groups.length * 2)
  bytes.writeUInt16BE(groups.length, 0)
  bytes.writeInt16BE(weight, 2)
  bytes.writeUInt16BE(Math.max(scale, 0), 6)
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(group, 8 + index * 2)
  return bytes
}

/** Precision and scale of a numeric's modifier, or null where it has none. */
export function numericShape(typeModifier: number): { readonly precision: number; readonly scale: number } | null {
  if (typeModifier < 4) return null
  const bits = typeModifier - 4
  return { precision: (bits >>> 16) & 0xffff, scale: ((bits & 0x7ff) ^ 1024) - 1024 }
}
