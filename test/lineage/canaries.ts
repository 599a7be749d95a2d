import type { ValueType } from './model.ts'

/** A value that is planted, as SQL, and the texts by which it would be recognised. */
export interface Canary {
  readonly sql: string
  readonly tokens: readonly string[]
}

// No letter is a hex digit and no vowel makes a word, so that neither encoded nor ordinary text looks like one.
const letters = 'ghjkmnpqrstvwxz'

/** Random numbers that make canaries, apart from those that make statements. */
export type Random = () => number

/** A value of a type that occurs nowhere else. */
export function canary(random: Random, type: ValueType, row: number): Canary {
  const text = word(random)
  const number = String(100_000_000 + Math.floor(random() * 99_999_999))
  switch (type) {
    case 'text':
      return { sql: `'${text}'`, tokens: [text] }
    case 'int':
      return { sql: number, tokens: [number] }
    case 'numeric': {
      const long = `${number}${String(1000 + Math.floor(random() * 8999))}`
      return { sql: long, tokens: [long] }
    }
    case 'bool':
      return { sql: random() < 0.5 ? 'true' : 'false', tokens: [] }
    case 'date': {
      const pad = (below: number): string => String(1 + Math.floor(random() * below)).padStart(2, '0')
      const date = `${String(1000 + Math.floor(random() * 899))}-${pad(12)}-${pad(28)}`
      return { sql: `'${date}'`, tokens: [date] }
    }
    case 'jsonb':
      return { sql: `'${JSON.stringify({ k: text, n: Number(number), l: [word(random)] })}'`, tokens: [text, number] }
    case 'text[]': {
      const other = word(random)
      return { sql: `ARRAY['${text}', '${other}']`, tokens: [text, other] }
    }
    case 'int[]':
      return { sql: `ARRAY[${number}, ${String(row)}]`, tokens: [number] }
    case 'mood':
      return { sql: `'${['sad', 'ok', 'happy', 'great'][Math.floor(random() * 4)] ?? 'ok'}'`, tokens: [] }
    case 'addr': {
      const city = word(random)
      return { sql: `ROW('${text}', '${city}', ${number})`, tokens: [text, city, number] }
    }
    case 'bytea':
      return { sql: `'\\x${Buffer.from(text).toString('hex')}'`, tokens: [text] }
  }
}

/** A value of a type that says nothing; joins and groups find equal ones. */
export function plainValue(random: Random, type: ValueType): string {
  const of = (...values: readonly string[]): string => values[Math.floor(random() * values.length)] ?? 'NULL'
  return {
    text: () => of("'a'", "'b1'", "'b2'", "'alpha'", "''"),
    int: () => of('1', '2', '3', '5', '7'),
    numeric: () => of('1', '2.5', '10', '30'),
    bool: () => of('true', 'false'),
    date: () => of("'2020-01-01'", "'2021-06-30'", "'2022-12-31'"),
    jsonb: () => of(`'{"k": "a", "n": 3, "l": [1]}'`, `'{"k": "b"}'`, `'[1, "x"]'`),
    'text[]': () => of("'{a,b}'", "'{}'", "'{alpha}'"),
    'int[]': () => of("'{1,2}'", "'{}'", "'{5}'"),
    mood: () => of("'sad'", "'ok'"),
    addr: () => of("ROW('s', 'c', 1)", "ROW('a', 'b1', 2)"),
    bytea: () => of("'\\x00'", "'\\x6162'"),
  }[type]()
}

function word(random: Random): string {
  const length = 11 + Math.floor(random() * 4)
  return Array.from({ length }, () => letters[Math.floor(random() * letters.length)] ?? 'x').join('')
}

/** Finds canaries in texts by any piece of them that is long enough, also reversed, folded or in hex. */
export class CanaryIndex {
  readonly #owners = new Map<string, Set<string>>()

  /** `owner` says whose value the token is. */
  plant(token: string, owner: string): void {
    const size = /^[a-z]+$/.test(token) ? 6 : /^[0-9]+$/.test(token) ? 8 : token.length
    const reversed = token.split('').toReversed().join('')
    for (const form of [token, reversed]) this.#addPieces(form, size, owner)
    this.#addPieces(Buffer.from(token).toString('hex'), 2 * size, owner)
  }

  #addPieces(form: string, size: number, owner: string): void {
    for (let at = 0; at + size <= form.length; at += 1) this.#add(form.slice(at, at + size), owner)
  }

  #add(piece: string, owner: string): void {
    const owners = this.#owners.get(piece) ?? new Set<string>()
    owners.add(owner)
    this.#owners.set(piece, owners)
  }

  /** Whose values can be recognised in this text, and by what. */
  find(text: string): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    const folded = text.toLowerCase()
    for (const size of [6, 8, 10, 12, 16, 20]) {
      for (let at = 0; at + size <= folded.length; at += 1) {
        const piece = folded.slice(at, at + size)
        // What two canaries have in common by chance is nobody's.
        const [owner, ...others] = this.#owners.get(piece) ?? []
        if (owner !== undefined && others.length === 0) found.set(owner, piece)
      }
    }
    return found
  }
}
