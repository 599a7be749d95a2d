import type { Canary } from './canaries.ts'

/*
 * Numbers and times have more forms than can be written down here: PostgreSQL itself says how they look as bytes and as
 * numbers of other types.
 */

const numbers: readonly (readonly [column: string, expression: string])[] = [
  ['salary', 'salary'],
  ['balance', 'balance'],
  ['score', 'score'],
  ['code', 'code'],
  ['fee', 'fee::numeric'],
  ['spot', 'spot[0]'],
  ['birth_date', 'extract(epoch FROM birth_date)'],
]

const times: readonly (readonly [column: string, expression: string])[] = [
  ['birth_date', 'timestamp_send(birth_date::timestamp)'],
  ['seen', 'timestamptz_send(seen)'],
  ['seen', "time_send((seen AT TIME ZONE 'UTC')::time)"],
  ['worked', 'substr(interval_send(worked), 1, 8)'],
]

/** What to ask PostgreSQL: rows of a column's name and one more form of one of its values. */
export const formsQuery = [
  numbers.flatMap(([column, value]) => formsOfNumber(column, value)),
  times.map(([column, value]) => bytes(column, value)),
  bytes('flags', 'int8send(flags::bit(64)::bigint)'),
  text('flags', 'flags::bit(64)::bigint::text'),
]
  .flat()
  .join(' UNION ALL ')

function formsOfNumber(column: string, value: string): string[] {
  const whole = `round((${value})::numeric)`
  return [
    bytes(column, `float8send((${value})::float8)`),
    bytes(column, `int8send(${whole}::bigint)`),
    bytes(column, `int8send(round((${value})::numeric * 100, 0)::bigint)`),
    bytes(column, `substr(numeric_send((${value})::numeric), 9)`),
    text(column, `(${value})::float8::text`),
    text(column, `${whole}::text`),
    ...['to_hex', 'to_oct', 'to_bin'].map((name) => text(column, `${name}(${whole}::bigint)`)),
  ]
}

function bytes(column: string, expression: string): string {
  return `SELECT 'customers.${column}' AS column, ${expression} AS bytes, NULL AS text FROM customers`
}

function text(column: string, expression: string): string {
  return `SELECT 'customers.${column}', NULL, ${expression} FROM customers`
}

/** The rows as canaries; a form of a few bytes would be found by chance. */
export function formsOf(rows: readonly Record<string, unknown>[]): Canary[] {
  return rows.flatMap((row): Canary[] => {
    const column = String(row['column'])
    const { bytes: found, text: shown } = row
    if (Buffer.isBuffer(found)) return found.length < 6 ? [] : [{ column, bytes: [found] }]
    return String(shown).length < 9 ? [] : [{ column, texts: [String(shown)] }]
  })
}
