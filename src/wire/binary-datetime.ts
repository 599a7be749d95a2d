import { dateOf } from '../core/calendar.ts'
import type { Reader } from './reader.ts'

const usPerDay = 86_400_000_000n
const usPerSecond = 1_000_000n
const int32Max = 0x7fff_ffff
const int64Max = 0x7fff_ffff_ffff_ffffn
// PostgreSQL counts days and microseconds from 2000-01-01; its calendar begins at Julian day 0, 4714-11-24 BC.
const epochJulianDay = 2_451_545
const julianDayEnd = 2_147_483_494
const timestampMin = -211_813_488_000_000_000n
const timestampEnd = 9_223_371_331_200_000_000n
const zoneSecondsEnd = 16 * 3600

/** A binary date as ISO 8601 text, with ` BC` where it is. */
export function readDate(reader: Reader): string {
  const days = reader.int32()
  if (days === int32Max) return 'infinity'
  if (days === -int32Max - 1) return '-infinity'
  if (days < -epochJulianDay || days >= julianDayEnd - epochJulianDay) throw reader.violation('a date is out of range')
  const { text, isBc } = calendarDate(days)
  return isBc ? `${text} BC` : text
}

/** A binary time. */
export function readTime(reader: Reader): string {
  return clockTime(timeOfDay(reader))
}

/** A binary timetz; its zone is stored in seconds west of Greenwich. */
export function readTimetz(reader: Reader): string {
  const time = clockTime(timeOfDay(reader))
  const zone = reader.int32()
  if (Math.abs(zone) >= zoneSecondsEnd) throw reader.violation('a time zone is out of range')
  const seconds = Math.abs(zone)
  let text = `${time}${zone <= 0 ? '+' : '-'}${two(Math.floor(seconds / 3600))}`
  if (seconds % 3600 !== 0) text += `:${two(Math.floor(seconds / 60) % 60)}`
  if (seconds % 60 !== 0) text += `:${two(seconds % 60)}`
  return text
}

/** A binary timestamp. */
export function readTimestamp(reader: Reader): string {
  return timestampText(reader, '')
}

/** A binary timestamptz, shown in UTC: the session's time zone is not known here. */
export function readTimestamptz(reader: Reader): string {
  return timestampText(reader, '+00')
}

/** A binary interval in PostgreSQL's default style, as in `1 year 2 mons -3 days +04:05:06`. */
export function readInterval(reader: Reader): string {
  const us = reader.int64()
  const days = reader.int32()
  const months = reader.int32()
  if (us === int64Max && days === int32Max && months === int32Max) return 'infinity'
  if (us === -int64Max - 1n && days === -int32Max - 1 && months === -int32Max - 1) return '-infinity'
  const parts: string[] = []
  let isAfterNegative = false
  const units: readonly (readonly [number, string])[] = [
    [Math.trunc(months / 12), 'year'],
    [months % 12, 'mon'],
    [days, 'day'],
  ]
  for (const [value, unit] of units) {
    if (value === 0) continue
    parts.push(`${isAfterNegative && value > 0 ? '+' : ''}${value} ${unit}${value === 1 ? '' : 's'}`)
    isAfterNegative = value < 0
  }
  if (us !== 0n || parts.length === 0) {
    const sign = us < 0n ? '-' : isAfterNegative ? '+' : ''
    parts.push(sign + clockTime(us < 0n ? -us : us))
  }
  return parts.join(' ')
}

function timestampText(reader: Reader, zone: string): string {
  const us = reader.int64()
  if (us === int64Max) return 'infinity'
  if (us === -int64Max - 1n) return '-infinity'
  if (us < timestampMin || us >= timestampEnd) throw reader.violation('a timestamp is out of range')
  const usOfDay = ((us % usPerDay) + usPerDay) % usPerDay
  const { text, isBc } = calendarDate(Number((us - usOfDay) / usPerDay))
  return `${text} ${clockTime(usOfDay)}${zone}${isBc ? ' BC' : ''}`
}

function timeOfDay(reader: Reader): bigint {
  const us = reader.int64()
  if (us < 0n || us > usPerDay) throw reader.violation('a time is out of range')
  return us
}

/** Hours (as many as there are), minutes, seconds and the fraction without trailing zeros. */
function clockTime(us: bigint): string {
  const seconds = us / usPerSecond
  const text = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`
  const fraction = us % usPerSecond
  return fraction === 0n ? text : `${text}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`
}

/** The proleptic Gregorian date that lies `days` after 2000-01-01; years are counted without a year 0. */
function calendarDate(days: number): { text: string; isBc: boolean } {
  const { year, month, day } = dateOf(days)
  const isBc = year <= 0
  return { text: `${String(isBc ? 1 - year : year).padStart(4, '0')}-${two(month)}-${two(day)}`, isBc }
}

function two(value: number | bigint): string {
  return String(value).padStart(2, '0')
}
