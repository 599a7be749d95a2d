import type { Reader } from './reader.ts'

const numericNegative = 0x4000
const numericSpecial: ReadonlyMap<number, string> = new Map([
  [0xc000, 'NaN'],
  [0xd000, 'Infinity'],
  [0xf000, '-Infinity'],
])
const numericScaleMax = 0x3fff

/**
 * A binary float4 in the fewest digits that read back as the same value, give or take one: half-way between two floats
 * and at powers of two PostgreSQL may choose another last digit.
 */
export function readFloat4(reader: Reader): string {
  const value = reader.float32()
  if (!Number.isFinite(value) || value === 0) return specialFloat(value)
  let decimals = 0
  while (decimals < 8 && Math.fround(Number(value.toExponential(decimals))) !== value) decimals++
  return floatText(value.toExponential(decimals), 6)
}

/** A binary float8 in the fewest digits that read back as the same value; `readFloat4` says where that may differ. */
export function readFloat8(reader: Reader): string {
  const value = reader.float64()
  return !Number.isFinite(value) || value === 0 ? specialFloat(value) : floatText(value.toExponential(), 15)
}

/** A binary numeric, exactly, with as many decimals as its scale says. */
export function readNumeric(reader: Reader): string {
  const digitCount = reader.uint16()
  const weight = reader.int16()
  const sign = reader.uint16()
  const scale = reader.uint16()
  const special = numericSpecial.get(sign)
  if (special !== undefined) {
    reader.take(digitCount * 2)
    return special
  }
  if ((sign !== 0 && sign !== numericNegative) || scale > numericScaleMax) {
    throw reader.violation('a numeric has an invalid sign or scale')
  }
  let significand = ''
  for (let i = 0; i < digitCount; i++) {
    const digit = reader.int16()
    if (digit < 0 || digit > 9999) throw reader.violation('a numeric has an invalid digit')
    significand += String(digit).padStart(4, '0')
  }
  // Digits are groups of four decimals; the first group stands for 10000^weight.
  const pointAt = (weight + 1) * 4
  const integer = pointAt <= 0 ? '' : significand.slice(0, pointAt).padEnd(pointAt, '0').replace(/^0+/, '')
  const decimals = pointAt <= 0 ? '0'.repeat(-pointAt) + significand : significand.slice(pointAt)
  const fraction = decimals.slice(0, scale).padEnd(scale, '0')
  const isNegative = sign === numericNegative && /[1-9]/.test(integer + fraction)
  return `${isNegative ? '-' : ''}${integer === '' ? '0' : integer}${scale > 0 ? `.${fraction}` : ''}`
}

function specialFloat(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

/** PostgreSQL writes an exponent below 10^-4 and from 10^fixedDigits on, and gives it a sign and two digits. */
function floatText(exponential: string, fixedDigits: number): string {
  const isNegative = exponential.startsWith('-')
  const [mantissa = '', exponentText = '0'] = exponential.slice(isNegative ? 1 : 0).split('e')
  const exponent = Number(exponentText)
  const sign = isNegative ? '-' : ''
  if (exponent < -4 || exponent >= fixedDigits) {
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  const digits = mantissa.replace('.', '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, '0')
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
}
