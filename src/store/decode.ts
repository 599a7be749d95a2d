import { PosternError } from '../core/errors.ts'

/**
 * Makes a value of known shape from one of unknown shape, without anything that the shape does not name. Throws a
 * PosternError `internal` that names the place and never the value.
 */
export type Decoder<T> = (value: unknown, path: string) => T

/** The error for what does not have its shape. */
export function misshapen(path: string, expected: string): PosternError {
  return new PosternError('internal', 'a record of the control store does not have the shape that it should have', {
    detail: `${path} is not ${expected}.`,
    hint: 'Nothing is done on its strength. Tell whoever runs this gateway that its control store was damaged or changed.',
  })
}

/** Any text. */
export const text: Decoder<string> = (value, path) => {
  if (typeof value !== 'string') throw misshapen(path, 'a text')
  return value
}

/** Text that a column can keep and compare in both engines: PostgreSQL has no NUL, and neither has lone surrogates. */
export const plainText: Decoder<string> = (value, path) => {
  const known = text(value, path)
  if (known.includes('\0') || !known.isWellFormed()) throw misshapen(path, 'a text without NUL and lone surrogates')
  return known
}

/** A text of a kind of its own, such as an id; not empty. */
export function named<T extends string>(): Decoder<T> {
  return (value, path) => {
    const known = plainText(value, path)
    if (known === '' || known.length > 255) throw misshapen(path, 'a name of 1 to 255 characters')
    return known as T
  }
}

/** A whole number that is exact in JavaScript. PostgreSQL's driver gives a bigint as text, SQLite's any integer as bigint. */
export const whole: Decoder<number> = (value, path) => {
  const isExact = typeof value === 'bigint' || (typeof value === 'string' && /^-?\d{1,16}$/u.test(value))
  const number = isExact ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw misshapen(path, 'a whole number')
  return number
}

/** Any number that is one. */
export const finite: Decoder<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw misshapen(path, 'a number')
  return value
}

/** Yes or no, which a column keeps as 1 or 0. */
export const truth: Decoder<boolean> = (value, path) => {
  if (value === true || value === 1 || value === 1n) return true
  if (value === false || value === 0 || value === 0n) return false
  throw misshapen(path, 'yes or no')
}

/** One of a few texts. */
export function oneOf<T extends string>(...values: readonly T[]): Decoder<T> {
  return (value, path) => {
    const known = values.find((candidate) => candidate === value)
    if (known === undefined) throw misshapen(path, `one of ${values.join(', ')}`)
    return known
  }
}

/** What may be null. */
export function nullable<T>(decoder: Decoder<T>): Decoder<T | null> {
  return (value, path) => (value === null ? null : decoder(value, path))
}

/** What JSON leaves out where it is undefined. */
export function absentable<T>(decoder: Decoder<T>): Decoder<T | undefined> {
  return (value, path) => (value === undefined ? undefined : decoder(value, path))
}

/** A list of such things. */
export function listOf<T>(decoder: Decoder<T>): Decoder<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw misshapen(path, 'a list')
    return value.map((item: unknown, index) => decoder(item, `${path}[${String(index)}]`))
  }
}

/** How a member is read: one that the type lets be absent is left out where it is. */
type Member<T, K extends keyof T> =
  Partial<Pick<T, K>> extends Pick<T, K> ? { readonly ifPresent: Decoder<Exclude<T[K], undefined>> } : Decoder<T[K]>

/** An object with these members; members that the shape does not name are left out. */
export function object<T extends object>(shape: { readonly [K in keyof T]-?: Member<T, K> }): Decoder<T> {
  const members = Object.entries<Decoder<unknown> | { readonly ifPresent: Decoder<unknown> }>(shape)
  return (value, path) => {
    const known = record(value, path)
    const read: Record<string, unknown> = {}
    for (const [name, member] of members) {
      const given = Object.hasOwn(known, name) ? known[name] : undefined
      if (typeof member === 'function') read[name] = member(given, `${path}.${name}`)
      else if (given !== undefined) read[name] = member.ifPresent(given, `${path}.${name}`)
    }
    return read as T
  }
}

/** An object whose members are read one by one. */
export const record: Decoder<Readonly<Record<string, unknown>>> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw misshapen(path, 'an object')
  return value as Readonly<Record<string, unknown>>
}

/** One of several objects, told apart by a member. */
export function variant<T extends object>(tag: string, variants: Readonly<Record<string, Decoder<T>>>): Decoder<T> {
  return (value, path) => {
    const name = text(record(value, path)[tag], `${path}.${tag}`)
    const decoder = Object.hasOwn(variants, name) ? variants[name] : undefined
    if (decoder === undefined) throw misshapen(`${path}.${tag}`, `one of ${Object.keys(variants).join(', ')}`)
    return decoder(value, path)
  }
}

/** Reads JSON text, which is what it must be. */
export function parseJson(value: unknown, path: string): unknown {
  const json = text(value, path)
  try {
    return JSON.parse(json)
  } catch {
    throw misshapen(path, 'JSON')
  }
}
