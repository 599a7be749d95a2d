import type { CatalogType } from '../core/catalog.ts'
import type { MaskingRule } from '../core/classification.ts'
import { canonicalNumber } from './numbers.ts'
import { integerSpaces, isDayPseudonym, isInstantPseudonym, isNumberPseudonym, isPseudonym } from './pseudonym.ts'
import { numericSpace } from './scalars.ts'
import { parseTemporal } from './temporal.ts'
import type { Temporal } from './temporal.ts'

/** Where a text is written to. */
export interface PlaceholderUse {
  /** The target column's. */
  readonly rule: MaskingRule
  readonly type: CatalogType
  /** Whether a value that is there is replaced. */
  readonly isReplacing: boolean
  /** Whether the text is the whole value; else it is part of an expression. */
  readonly isExact: boolean
}

/**
 * Whether a text that a client writes into a classified column is what masking showed in the place of a value; null is
 * NULL. What only masking makes is always recognised. What may also be meant (0, 1 January 1900, ...) counts only where
 * it would replace a value as it is.
 */
export function isPlaceholder(text: string | null, use: PlaceholderUse): boolean {
  const mayBeOrdinary = use.isReplacing && use.isExact
  if (text === null) return mayBeOrdinary && isMaskedByNull(use)
  if (isDistinctive(text, use)) return true
  return mayBeOrdinary && isOrdinary(text.trim(), use)
}

/**
 * Whether the bytes of a text may be what only masking makes: a quick look before a long one. Such a text has a bracket, a
 * star, an underscore or a backslash in it, or begins a uuid or `[masked]` in hexadecimal digits.
 */
export function mayBeDistinctive(text: Buffer, { type }: Pick<PlaceholderUse, 'type'>): boolean {
  if (textSearchTypes.has(type.oid)) return true
  let digits = 0
  for (let at = 0; at < text.length; at++) {
    const kind = kinds[text[at] ?? 0]
    if (kind === telltale) return true
    digits = kind === hexDigit ? digits + 1 : 0
    if (digits === hexDigitsMin) return true
  }
  return false
}

// Categories of types with a placeholder other than NULL; for the rest masking may give NULL.
const placeholderCategories: ReadonlySet<string> = new Set(['A', 'B', 'D', 'G', 'I', 'N', 'R', 'S', 'T', 'V'])
// Types of category U that have one: bytea, tid, json, xml, uuid, and so on.
const placeholderTypes: ReadonlySet<number> = new Set([
  17, 27, 28, 29, 114, 142, 774, 829, 1790, 2950, 2970, 3220, 3614, 3615, 3802, 4072, 5038, 5069,
])
const containers: ReadonlySet<string> = new Set(['A', 'C'])
const redacted = /\[masked\]|5b6d61736b65645d|<masked\/>/i
// tsvector and tsquery, which keep no brackets.
const textSearchTypes: ReadonlySet<number> = new Set([3614, 3615])
const maskedLexeme = /^\s*'?masked'?(?::\d+[a-d]?)?\s*$|^\\x[0-9a-f]*6d61736b6564[0-9a-f]*$/i
const starredEmail = /\*{3}@\*{3}\./
const zero = /^[-+]?0*(?:\.0*)?(?:e[-+]?\d+)?$/i
const zeroMoney = /^\D{0,4}0+(?:[.,]0+)?\D{0,4}$/
const zeroClock = /^0{1,2}:0{2}(?::0{2}(?:\.0+)?)?(?:Z|[-+]\d\d(?::?\d\d)?)?$/i
const zeroInterval = /^(?:PT0S|@ 0|0|(?:0 \w+ ?)+)$/i
const anonymous = /^(?:0{8}-?(?:0{4}-?){3}0{12}|(?:00[:-]?){5}00|(?:00[:-]?){7}00|0\.0\.0\.0(?:\/32)?|0\/0)$/
const nothing = /^[\s()[\]{}<>0,]*$/
const zeroBits = /^[bB]?'?0*'?$/
const telltale = 1
const hexDigit = 2
// The first group of a uuid.
const hexDigitsMin = 8
const kinds = new Uint8Array(256)
for (const byte of Buffer.from('0123456789abcdefABCDEF')) kinds[byte] = hexDigit
for (const byte of Buffer.from('[<*_\\')) kinds[byte] = telltale
const dayMs = 86_400_000
const epochMs = Date.UTC(2000, 0, 1)

function isMaskedByNull({ rule, type }: PlaceholderUse): boolean {
  if (rule.function === 'null' || type.kind === 'enum' || type.kind === 'composite' || type.kind === 'pseudo')
    return true
  if (type.kind !== 'base' && type.kind !== 'domain') return false
  if (type.kind === 'domain') return type.category === 'E' || type.category === 'C' || type.category === 'U'
  return !placeholderCategories.has(type.category) && !placeholderTypes.has(type.oid)
}

/** A whole value that was truncated to fit is the beginning of the placeholder. */
function isDistinctive(text: string, { rule, isExact, type }: PlaceholderUse): boolean {
  if (redacted.test(text) || starredEmail.test(text)) return true
  if (isExact && textSearchTypes.has(type.oid) && maskedLexeme.test(text)) return true
  const trimmed = text.trim()
  if (isExact && trimmed.length > 1 && '[masked]'.startsWith(trimmed.toLowerCase())) return true
  if (rule.function === 'partial') {
    // Fewer stars where the type is short; what follows them is at most what the rule keeps.
    const [stars = ''] = /^\*+/.exec(trimmed) ?? []
    // An array or row is written as one value, and holds several.
    const isWhole = isExact && !containers.has(type.category)
    if (isWhole && stars === trimmed && stars.length > 0) return true
    if (isWhole ? stars.length === 4 && Array.from(trimmed).length <= 4 + rule.keep : text.includes('****')) return true
  }
  if (isPseudonym(text, { isInside: true })) return true
  // Hexadecimal digits of bytea hide a pseudonym's text.
  const hex = /^\\x((?:[0-9a-f]{2})+)$/i.exec(trimmed)?.[1]
  return hex !== undefined && isPseudonym(Buffer.from(hex, 'hex').toString('latin1'), { isInside: true })
}

interface Expected {
  readonly rule: MaskingRule
  readonly type: Pick<CatalogType, 'oid' | 'category'>
}

function isOrdinary(text: string, { rule, type }: Expected): boolean {
  switch (type.category) {
    case 'N':
      return (
        zero.test(text) ||
        zeroMoney.test(text) ||
        text === '-' ||
        (rule.function === 'pseudonym' && isNumber(text, type))
      )
    case 'B':
      return /^(?:f|fa|fal|fals|false|n|no|of|off|0)$/i.test(text)
    case 'D':
      return zeroClock.test(text) || isDate(text, rule)
    case 'T':
      return zeroClock.test(text) || zeroInterval.test(text)
    case 'G':
      return nothing.test(text) || text === '{0,1,0}'
    case 'V':
      return zeroBits.test(text)
    case 'R':
      return text === 'empty' || text === '{}'
    case 'I':
      return anonymous.test(text)
    case 'S':
      return text === '['
    case 'Z':
      return text === '*'
    case 'A':
      return isArrayOf(text, rule)
    default:
      return anonymous.test(text) || zero.test(text) || text === '' || text === '(0,0)' || text === '1:1:'
  }
}

function isNumber(text: string, type: Expected['type']): boolean {
  const number = canonicalNumber(text)
  if (number === null || !/^\d{1,16}$/.test(number)) return false
  const value = Number(number)
  const spaces = [...Object.values(integerSpaces), ...[4, 9, 13].map((digits) => numericSpace(4 + digits * 65_536))]
  const size = integerSizes.get(type.oid)
  if (size !== undefined) return isNumberPseudonym(value, integerSpaces[size])
  return spaces.some((space) => space !== null && isNumberPseudonym(value, { ...space, max: Number.MAX_SAFE_INTEGER }))
}

const integerSizes: ReadonlyMap<number, 2 | 4 | 8> = new Map([
  [20, 8],
  [21, 2],
  [23, 4],
  [26, 4],
])

function isDate(text: string, rule: MaskingRule): boolean {
  const temporal = parseTemporal(text)
  if (temporal === null) return false
  if (rule.function === 'year') return isFirstOfJanuary(temporal, text, null)
  if (isFirstOfJanuary(temporal, text, 1900)) return true
  if (rule.function !== 'pseudonym' || temporal.instantUs === null) return false
  const ms = Number(temporal.instantUs / 1000n)
  return text.length <= 13 ? isDayPseudonym(Math.floor(ms / dayMs)) : isInstantPseudonym(ms)
}

/** Drivers read a date as midnight of their own zone and write it back in another: a day's difference counts as none. */
function isFirstOfJanuary({ year, date, instantUs }: Temporal, text: string, wanted: number | null): boolean {
  if (instantUs === null || date === null) {
    const isFirst = /^01[./-]01[./-]/.test(text) || /\b(?:Jan 01|01 Jan)\b/.test(text)
    return isFirst && (wanted === null || year === wanted)
  }
  const first = (of: number) => (Date.UTC(of < 100 ? of + 400_000 : of, 0, 1) - epochMs) * 1000
  const hasZone = /[Z]$|\d[-+]\d\d(?::?\d\d){0,2}(?: BC)?$/i.test(text) && text.includes(':')
  if (!hasZone)
    return date.month === 1 && date.day === 1 && (wanted === null || date.year === wanted) && isMidnight(text)
  const us = Number(instantUs)
  const years = wanted === null ? [date.year, date.year + 1] : [wanted]
  return years.some((of) => of >= 100 && Math.abs(us - first(of)) <= 16 * 3_600_000_000)
}

function isMidnight(text: string): boolean {
  const clock = /(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?/.exec(text)
  return clock === null || Number(clock[1]) + Number(clock[2]) + Number(clock[3] ?? 0) === 0
}

/** An array in which every element is a placeholder; what an element's own type is makes no odds. */
function isArrayOf(text: string, rule: MaskingRule): boolean {
  const elements = text
    .replace(/^(?:\[-?\d+:-?\d+\])+=/, '')
    .split(/[{},;"]+/)
    .map((element) => element.trim())
    .filter((element) => element !== '' && !/^null$/i.test(element))
  if (elements.length === 0) return false
  return elements.every((element) =>
    ['N', 'B', 'D', 'T', 'I'].some((category) => isOrdinary(element, { rule, type: { category, oid: 0 } })),
  )
}
