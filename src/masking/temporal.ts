import { dateOf, daysOf, type CalendarDate } from '../core/calendar.ts'
/*
 * Dates and timestamps as PostgreSQL writes them, in each DateStyle. The style is told from the value, so that what
 * stands in for it reads in the same style, whatever the client has set.
 */

/** What a value of the type has besides a date. */
export type TemporalKind = 'date' | 'timestamp' | 'timestamptz'

/** `postgres-day` is DateStyle Postgres with the day before the month. */
export type TemporalStyle = 'iso' | 'sql' | 'german' | 'postgres' | 'postgres-day'

/** A value that was read. Where the style does not tell month from day, `date` and `utcMs` are null. */
export interface Temporal {
  readonly style: TemporalStyle
  /** Astronomical; of an ISO timestamptz the year in UTC, otherwise as written. */
  readonly year: number
  readonly date: CalendarDate | null
  /** Microseconds from 2000-01-01, in UTC where a zone is written as a number; null where that cannot be told. */
  readonly instantUs: bigint | null
}

const iso =
  /^(\d{4,7})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:(Z)|([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?)?)?( BC)?$/
// A zone is an abbreviation or an offset. BC at the end is the era.
const clock = String.raw`\d\d:\d\d:\d\d(?:\.\d{1,6})?`
const zone = String.raw`(?: ?(?!BC$)[A-Za-z0-9+:_/-]{1,30})?`
const numeric = new RegExp(String.raw`^(\d\d)([/.-])(\d\d)\2(\d{4,7})( ${clock}${zone})?( BC)?$`)
const worded = new RegExp(
  String.raw`^[A-Z][a-z]{2} ([A-Z][a-z]{2} \d\d|\d\d [A-Z][a-z]{2}) ${clock} (\d{4,7})${zone}( BC)?$`,
)
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const secondsPerDay = 86_400

/** Reads a date or timestamp in any DateStyle; null where it is none, `infinity` included. */
export function parseTemporal(text: string): Temporal | null {
  const isoMatch = iso.exec(text)
  if (isoMatch !== null) return isoTemporal(isoMatch)
  const match = numeric.exec(text)
  if (match !== null) {
    const [, first, separator, second, yearText, , era] = match
    const year = astronomical(yearText, era)
    const style = separator === '/' ? 'sql' : separator === '.' ? 'german' : 'postgres'
    const date = style === 'german' ? { year, month: Number(second), day: Number(first) } : null
    return { style, year, date, instantUs: null }
  }
  const [, dayAndMonth, yearText, era] = worded.exec(text) ?? []
  if (dayAndMonth === undefined) return null
  const style = /^\d/.test(dayAndMonth) ? 'postgres-day' : 'postgres'
  return { style, year: astronomical(yearText, era), date: null, instantUs: null }
}

/** Writes a date, or a timestamp of `ms` milliseconds into its day; the zone is always UTC, which tells no season. */
export function formatTemporal(
  date: CalendarDate,
  as: { readonly kind: TemporalKind; readonly style: TemporalStyle; readonly ms?: number },
): string {
  const { year, month, day } = date
  const isBc = year <= 0
  const yearText = String(isBc ? 1 - year : year).padStart(4, '0')
  const era = isBc ? ' BC' : ''
  const dd = two(day)
  const mm = two(month)
  const time = clockText(as.ms ?? 0)
  const hasTime = as.kind !== 'date'
  const hasZone = as.kind === 'timestamptz'
  switch (as.style) {
    case 'iso':
      return `${yearText}-${mm}-${dd}${hasTime ? ` ${time}` : ''}${hasZone ? '+00' : ''}${era}`
    case 'sql':
      return `${mm}/${dd}/${yearText}${hasTime ? ` ${time}` : ''}${hasZone ? ' UTC' : ''}${era}`
    case 'german':
      return `${dd}.${mm}.${yearText}${hasTime ? ` ${time}` : ''}${hasZone ? ' UTC' : ''}${era}`
    default: {
      if (!hasTime) return `${mm}-${dd}-${yearText}${era}`
      // 2000-01-01 was a Saturday.
      const weekday = weekdays[(((daysOf(date) + 6) % 7) + 7) % 7] ?? ''
      const monthName = months[month - 1] ?? ''
      const words = as.style === 'postgres' ? `${monthName} ${dd}` : `${dd} ${monthName}`
      return `${weekday} ${words} ${time} ${yearText}${hasZone ? ' UTC' : ''}${era}`
    }
  }
}

function isoTemporal(match: RegExpExecArray): Temporal | null {
  const [, yearText, month, day, hour = '0', minute = '0', second = '0', fraction = ''] = match
  const [, , , , , , , , , sign, zoneHour = '0', zoneMinute = '0', zoneSecond = '0', era] = match
  const date = { year: astronomical(yearText, era), month: Number(month), day: Number(day) }
  if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31) return null
  const offset = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60 + Number(zoneSecond)
  const clockSeconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second)
  const seconds = daysOf(date) * secondsPerDay + clockSeconds + (sign === '-' ? offset : -offset)
  const instantUs = BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
  const { year } = dateOf(Math.floor(seconds / secondsPerDay))
  return { style: 'iso', year, date, instantUs }
}

function astronomical(yearText: string | undefined, era: string | undefined): number {
  return era === undefined ? Number(yearText) : 1 - Number(yearText)
}

function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  const fraction = ms % 1000
  return fraction === 0 ? text : `${text}.${String(fraction).padStart(3, '0').replace(/0+$/, '')}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
