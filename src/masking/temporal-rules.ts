import type { MaskingRule } from '../core/classification.ts'
import { dayPseudonym, instantPseudonym } from './pseudonym.ts'
import type { Pseudonyms } from './pseudonym.ts'
import { dateOf, daysOf, type CalendarDate } from '../core/calendar.ts'
import { formatTemporal, parseTemporal } from './temporal.ts'
import type { TemporalKind, TemporalStyle } from './temporal.ts'

/** 1 January 1900: what stands for every date and timestamp. */
export const redactedDate: CalendarDate = { year: 1900, month: 1, day: 1 }

const usPerDay = 86_400_000_000n
const daysMax = 0x7fff_ffff
const daysMin = -0x8000_0000
const int64Max = 0x7fff_ffff_ffff_ffffn
const int64Min = -0x8000_0000_0000_0000n
// A date's values before the first of January 4713 BC have no first of January that PostgreSQL could read.
const yearMin = -4712

interface TemporalColumn {
  readonly format: 0 | 1
  readonly rule: MaskingRule
  readonly pseudonyms: Pseudonyms
}

/** Masks of dates and timestamps. Text is written in the DateStyle of the value that it replaces. */
export function temporalMask(kind: TemporalKind): (column: TemporalColumn) => (value: Buffer) => Buffer | null {
  return ({ format, rule, pseudonyms }) => {
    if (format === 1) return binaryMask(kind, rule, pseudonyms)
    if (rule.function === 'year') return (value) => yearText(kind, value.toString('latin1'))
    if (rule.function === 'pseudonym') return (value) => pseudonymText(kind, value.toString('latin1'), pseudonyms)
    const iso = Buffer.from(formatTemporal(redactedDate, { kind, style: 'iso' }))
    // The fifth byte tells ISO from the others for every year of four digits; the rest is worth a closer look.
    return (value) => (value[4] === 0x2d ? iso : redactedText(kind, value.toString('latin1')))
  }
}

function binaryMask(kind: TemporalKind, rule: MaskingRule, pseudonyms: Pseudonyms) {
  const redacted = writeBinary(kind, redactedDate, 0)
  if (rule.function === 'year') {
    return (value: Buffer) => {
      const days = readDays(kind, value)
      if (days === null) return null
      if (days === 'infinity' || days === '-infinity') return value
      const year = dateOf(days).year
      return year < yearMin ? null : writeBinary(kind, { year, month: 1, day: 1 }, 0)
    }
  }
  if (rule.function === 'pseudonym') {
    return (value: Buffer) => {
      if (value.length !== (kind === 'date' ? 4 : 8)) return null
      const raw = kind === 'date' ? BigInt(value.readInt32BE(0)) : value.readBigInt64BE(0)
      const days = readDays(kind, value)
      return pseudonymBinary(kind, typeof days === 'string' ? days : String(raw), pseudonyms)
    }
  }
  return () => redacted
}

function readDays(kind: TemporalKind, value: Buffer): number | 'infinity' | '-infinity' | null {
  if (value.length !== (kind === 'date' ? 4 : 8)) return null
  if (kind === 'date') {
    const days = value.readInt32BE(0)
    return days === daysMax ? 'infinity' : days === daysMin ? '-infinity' : days
  }
  const us = value.readBigInt64BE(0)
  if (us === int64Max || us === int64Min) return us > 0n ? 'infinity' : '-infinity'
  return Number(us / usPerDay) - (us % usPerDay < 0n ? 1 : 0)
}

function writeBinary(kind: TemporalKind, date: CalendarDate, ms: number): Buffer {
  if (kind === 'date') {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(daysOf(date))
    return bytes
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(daysOf(date)) * usPerDay + BigInt(ms) * 1000n)
  return bytes
}

function redactedText(kind: TemporalKind, text: string): Buffer {
  const style = parseTemporal(text)?.style ?? 'iso'
  return Buffer.from(formatTemporal(redactedDate, { kind, style }))
}

function yearText(kind: TemporalKind, text: string): Buffer | null {
  if (text === 'infinity' || text === '-infinity') return Buffer.from(text)
  const temporal = parseTemporal(text)
  if (temporal === null || temporal.year < yearMin) return null
  return Buffer.from(formatTemporal({ year: temporal.year, month: 1, day: 1 }, { kind, style: temporal.style }))
}

/** Where the style does not tell the month from the day there is a placeholder instead, which is equal for all. */
function pseudonymText(kind: TemporalKind, text: string, pseudonyms: Pseudonyms): Buffer | null {
  if (text === 'infinity' || text === '-infinity') return written(kind, 'iso', pseudonymParts(kind, text, pseudonyms))
  const temporal = parseTemporal(text)
  if (temporal === null) return null
  if (temporal.style === 'german' && kind === 'date' && temporal.date !== null) {
    return written(kind, 'german', pseudonymParts(kind, String(daysOf(temporal.date)), pseudonyms))
  }
  if (temporal.style !== 'iso' || temporal.date === null || temporal.instantUs === null) return redactedText(kind, text)
  const value = kind === 'date' ? String(daysOf(temporal.date)) : String(temporal.instantUs)
  return written(kind, 'iso', pseudonymParts(kind, value, pseudonyms))
}

interface TemporalParts {
  readonly date: CalendarDate
  readonly ms: number
}

function written(kind: TemporalKind, style: TemporalStyle, { date, ms }: TemporalParts): Buffer {
  return Buffer.from(formatTemporal(date, { kind, style, ms }))
}

function pseudonymBinary(kind: TemporalKind, value: string, pseudonyms: Pseudonyms): Buffer {
  const { date, ms } = pseudonymParts(kind, value, pseudonyms)
  return writeBinary(kind, date, ms)
}

function pseudonymParts(kind: TemporalKind, value: string, pseudonyms: Pseudonyms): TemporalParts {
  if (kind === 'date') return { date: dateOf(dayPseudonym(pseudonyms.digest('date', value))), ms: 0 }
  const instant = instantPseudonym(pseudonyms.digest('timestamp', value))
  const days = Math.floor(instant / 86_400_000)
  return { date: dateOf(days), ms: instant - days * 86_400_000 }
}
