import { hash } from 'node:crypto'

/*
 * Pseudonyms: keyed, equal for equal values, and with a check code that needs no key, so that one that an application
 * writes back is known for what it is. The check code is no secret: whoever forges one has his own write refused.
 */

/** The shape of numeric pseudonyms: from `check` to `max`, where the remainder by `check` is a code of the quotient. */
export interface NumberSpace {
  readonly max: number
  readonly check: number
}

/** The spaces of the integer types, by bytes: what a larger check saves of false alarms it costs in distinct values. */
export const integerSpaces = {
  2: { max: 32_767, check: 7 },
  4: { max: 2_147_483_647, check: 61 },
  8: { max: Number.MAX_SAFE_INTEGER, check: 10_007 },
} as const

/** The longest text pseudonym: `pn_`, 100 bits of the digest and 20 bits of check code. */
export const pseudonymCharsMax = 27
/** Below this there is no room for enough of the digest to keep values apart. */
export const pseudonymCharsMin = 14

const sha256BlockBytes = 64
const prefix = 'pn_'
const checkChars = 4
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
// 1900-01-01 and the number of days up to 2099-12-31, counted from 2000-01-01 as PostgreSQL does.
const firstDay = -36_524
const dayCount = 73_049
const dayCheck = 7
const secondsPerDay = 86_400

/** Makes pseudonyms under one key. `kind` keeps values of different types apart that have the same bytes. */
export interface Pseudonyms {
  digest(kind: string, value: Buffer | string): Buffer
}

/** Pseudonyms under this key of 32 bytes: HMAC-SHA-256 (RFC 2104) over the kind, a zero byte and the value. */
export function createPseudonyms(key: Buffer): Pseudonyms {
  // Written out because it is on the path of rows: two one-shot hashes take a sixth of the time of an Hmac object.
  const inner = Buffer.alloc(sha256BlockBytes, 0x36)
  const outer = Buffer.alloc(sha256BlockBytes, 0x5c)
  for (const [index, byte] of key.entries()) {
    inner[index] = byte ^ 0x36
    outer[index] = byte ^ 0x5c
  }
  return {
    digest(kind, value) {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value
      const message = Buffer.concat([inner, Buffer.from(`${kind}\0`), bytes])
      return hash('sha256', Buffer.concat([outer, hash('sha256', message, 'buffer')]), 'buffer')
    },
  }
}

/** A text pseudonym of at most `charsMax` characters (at least `pseudonymCharsMin`). */
export function textPseudonym(digest: Buffer, charsMax: number = pseudonymCharsMax): string {
  const bodyChars = Math.min(charsMax, pseudonymCharsMax) - prefix.length - checkChars
  const body = base32(digest, bodyChars)
  return prefix + body + checkCode(body)
}

/** A version 8 uuid whose last four bytes are a check code of the others. */
export function uuidPseudonym(digest: Buffer): Buffer {
  const uuid = Buffer.from(digest.subarray(0, 16))
  uuid[6] = 0x80 | ((uuid[6] ?? 0) & 0x0f)
  uuid[8] = 0x80 | ((uuid[8] ?? 0) & 0x3f)
  uuid.writeUInt32BE(checksum(uuid.subarray(0, 12).toString('latin1')), 12)
  return uuid
}

/** A positive whole number of this space. */
export function numberPseudonym(digest: Buffer, space: NumberSpace): number {
  const quotients = Math.floor(space.max / space.check) - 1
  const quotient = 1 + (digest.readUIntBE(0, 6) % quotients)
  return quotient * space.check + (checksum(String(quotient)) % space.check)
}

/** Days from 2000-01-01, within the years 1900 to 2099. */
export function dayPseudonym(digest: Buffer): number {
  const quotient = digest.readUIntBE(0, 6) % Math.floor(dayCount / dayCheck)
  return firstDay + quotient * dayCheck + (checksum(String(quotient)) % dayCheck)
}

/** Milliseconds from 2000-01-01, within the years 1900 to 2099; those beyond the second are the check code. */
export function instantPseudonym(digest: Buffer): number {
  const second = digest.readUIntBE(0, 6) % (dayCount * secondsPerDay)
  return (firstDay * secondsPerDay + second) * 1000 + (checksum(String(second)) % 1000)
}

/** Whether a text is, or with `isInside` holds, a pseudonym of a text or uuid. */
export function isPseudonym(text: string, options: { readonly isInside?: boolean } = {}): boolean {
  if (options.isInside !== true) return isTextPseudonym(text.toLowerCase()) || isUuidPseudonym(text)
  for (const match of text.matchAll(/(?=(pn_[a-z2-7]{11,24}))/gi)) {
    const longest = (match[1] ?? '').toLowerCase()
    for (let length = pseudonymCharsMin; length <= longest.length; length++) {
      if (isTextPseudonym(longest.slice(0, length))) return true
    }
  }
  for (const match of text.matchAll(
    /(?=([0-9a-f]{8}-?[0-9a-f]{4}-?8[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}))/gi,
  )) {
    if (isUuidPseudonym(match[1] ?? '')) return true
  }
  return false
}

/** Whether a whole number could be a pseudonym of this space. */
export function isNumberPseudonym(value: number, space: NumberSpace): boolean {
  if (!Number.isSafeInteger(value) || value < space.check || value > space.max) return false
  return value % space.check === checksum(String(Math.floor(value / space.check))) % space.check
}

/** Whether a day, counted from 2000-01-01, could be a pseudonym. */
export function isDayPseudonym(day: number): boolean {
  const offset = day - firstDay
  if (offset < 0 || offset >= dayCount) return false
  return offset % dayCheck === checksum(String(Math.floor(offset / dayCheck))) % dayCheck
}

/** Whether an instant in milliseconds from 2000-01-01 could be a pseudonym. */
export function isInstantPseudonym(ms: number): boolean {
  const offset = ms - firstDay * secondsPerDay * 1000
  if (!Number.isSafeInteger(offset) || offset < 0) return false
  return offset % 1000 === checksum(String(Math.floor(offset / 1000))) % 1000
}

function isTextPseudonym(text: string): boolean {
  if (text.length < pseudonymCharsMin || text.length > pseudonymCharsMax) return false
  if (!/^pn_[a-z2-7]+$/.test(text)) return false
  const body = text.slice(prefix.length, -checkChars)
  return text.endsWith(checkCode(body))
}

function isUuidPseudonym(text: string): boolean {
  const hex = text.replaceAll(/[-{}]/g, '')
  if (!/^[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}$/i.test(hex)) return false
  const bytes = Buffer.from(hex, 'hex')
  return bytes.readUInt32BE(12) === checksum(bytes.subarray(0, 12).toString('latin1'))
}

function checkCode(body: string): string {
  const code = checksum(body)
  let text = ''
  for (let i = 0; i < checkChars; i++) text += alphabet.charAt((code >>> (i * 5)) & 31)
  return text
}

function base32(bytes: Buffer, charCount: number): string {
  let text = ''
  let bits = 0
  let bitCount = 0
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xffff
    bitCount += 8
    while (bitCount >= 5) {
      bitCount -= 5
      text += alphabet.charAt((bits >>> bitCount) & 31)
      if (text.length === charCount) return text
    }
  }
  return text
}

/** FNV-1a with a finaliser: 32 bits that depend on every character; a check code, no protection. */
function checksum(text: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}
