/** A point of the proleptic calendar; `year` is astronomical: 0 is 1 BC. */
export interface CalendarDate {
  readonly year: number
  readonly month: number
  readonly day: number
}

/** Days from 2000-01-01 to this date. */
export function daysOf({ year, month, day }: CalendarDate): number {
  // Years begin in March here, so that the leap day is the last of its year.
  const fromMarch = month <= 2 ? year - 1 : year
  const era = Math.floor(fromMarch / 400)
  const yearOfEra = fromMarch - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 730_425
}

/** The date that lies so many days after 2000-01-01. */
export function dateOf(days: number): CalendarDate {
  // Howard Hinnant's civil_from_days: eras of 400 years beginning on 0000-03-01, so that leap days come last.
  const fromMarch = days + 730_425
  const era = Math.floor(fromMarch / 146_097)
  const dayOfEra = fromMarch - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}
