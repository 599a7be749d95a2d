import { seeded } from '../support/transcript.ts'
import type { Canary } from './canaries.ts'

/** One column of the table under attack: what it is, which tag it carries, and a value with its canaries. */
interface PlantedColumn {
  readonly name: string
  readonly type: string
  readonly tag: string | null
  plant(row: number): { readonly literal: string; readonly canary: Omit<Canary, 'column'> }
}

const random = seeded(20_261)
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789'
const rowCount = 5

/** Letters and digits that nothing else in the world holds. */
export function newWord(length = 16): string {
  // A letter comes first, so that a word is an identifier where one is asked for.
  return Array.from(
    { length },
    (_, at) => alphabet[Math.floor(random() * (at === 0 ? 24 : alphabet.length))] ?? 'x',
  ).join('')
}

/** Digits that nothing else holds; the first is no zero. */
export function newDigits(length: number): string {
  return Array.from({ length }, (_, at) =>
    String(at === 0 ? 1 + Math.floor(random() * 8) : Math.floor(random() * 10)),
  ).join('')
}

function text(name: string, type: string, tag: string): PlantedColumn {
  return {
    name,
    type,
    tag,
    plant() {
      const word = newWord()
      return { literal: `'${word}'`, canary: { word } }
    },
  }
}

/** A value whose literal holds words. */
function worded(
  name: string,
  type: string,
  of: { tag: string; literal: (word: () => string) => string },
): PlantedColumn {
  return {
    name,
    type,
    tag: of.tag,
    plant() {
      const words: string[] = []
      const literal = of.literal(() => {
        const word = newWord()
        words.push(word)
        return word
      })
      return { literal, canary: { word: words.join('|') } }
    },
  }
}

function digits(
  name: string,
  type: string,
  of: { length: number; tag: string; literal?: (text: string) => string },
): PlantedColumn {
  return {
    name,
    type,
    tag: of.tag,
    plant() {
      const value = newDigits(of.length)
      return { literal: of.literal?.(value) ?? value, canary: { digits: value, bytes: numberBytes(type, value) } }
    },
  }
}

function numberBytes(type: string, value: string): Buffer[] {
  if (type === 'bigint' || type === 'money') {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(value))
    return [bytes]
  }
  if (type === 'double precision') {
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(Number(value))
    return [bytes]
  }
  // A numeric with four decimals: groups of four digits, each in two bytes.
  const groups = value.match(/\d{4}/g)?.map(Number) ?? []
  const bytes = Buffer.alloc(groups.length * 2)
  for (const [at, group] of groups.entries()) bytes.writeInt16BE(group, at * 2)
  return bytes.length >= 6 ? [bytes] : []
}

const phones = Array.from({ length: 5 }, () => newWord())
const dayMs = 86_400_000

/** A date, in the forms in which people and PostgreSQL write it. */
function date(row: number): { iso: string; canary: { texts: string[]; bytes: Buffer[] } } {
  const ms = Date.UTC(1951 + row * 3, 1 + Math.floor(random() * 10), 2 + Math.floor(random() * 26))
  const iso = new Date(ms).toISOString().slice(0, 10)
  const [year = '', month = '', day = ''] = iso.split('-')
  const days = Buffer.alloc(4)
  days.writeInt32BE(Math.round((ms - Date.UTC(2000, 0, 1)) / dayMs))
  const julian = String(Math.round(ms / dayMs) + 2_440_588)
  const forms = [
    iso,
    `${day}.${month}.${year}`,
    `${month}/${day}/${year}`,
    `${day}/${month}/${year}`,
    `${month}-${day}-${year}`,
  ]
  return {
    iso,
    canary: {
      texts: [...forms, `${year}${month}${day}`, julian, String(ms / 1000)],
      bytes: [Buffer.concat([Buffer.from([0, 0, 0, 4]), days])],
    },
  }
}

/** The columns that are classified, and a few that are not. */
export const plantedColumns: readonly PlantedColumn[] = [
  {
    name: 'email',
    type: 'text NOT NULL UNIQUE',
    tag: 'pii.email',
    plant() {
      const [local, host] = [newWord(), newWord(12)]
      return { literal: `'${local}@${host}.example'`, canary: { word: local + host } }
    },
  },
  text('full_name', 'text NOT NULL', 'pii.name'),
  {
    name: 'phone',
    type: 'varchar(40)',
    tag: 'pii.phone',
    // Two rows have the same, for what shows only values that are there twice.
    plant: (row) => ({
      literal: `'${phones[Math.min(row, 4)] ?? ''}'`,
      canary: { word: phones[Math.min(row, 4)] ?? '' },
    }),
  },
  {
    name: 'birth_date',
    type: 'date',
    tag: 'pii.birth_date',
    plant(row) {
      const { iso, canary } = date(row)
      return { literal: `'${iso}'`, canary }
    },
  },
  text('card', 'text NOT NULL UNIQUE CONSTRAINT card_is_short CHECK (length(card) < 60)', 'pii.card'),
  text('ssn', 'char(20)', 'pii.ssn'),
  digits('salary', 'numeric(20,4)', {
    length: 16,
    tag: 'pii.salary',
    literal: (value) => `${value.slice(0, 12)}.${value.slice(12)}`,
  }),
  digits('balance', 'bigint', { length: 17, tag: 'pii.salary' }),
  digits('score', 'double precision', { length: 15, tag: 'pii.salary' }),
  worded('tags', 'text[]', { tag: 'pii.name', literal: (word) => `ARRAY['${word()}', '${word()}']` }),
  worded('profile', 'jsonb', { tag: 'pii.name', literal: (word) => `'{"a": "${word()}", "b": {"c": ["${word()}"]}}'` }),
  worded('doc', 'json', { tag: 'pii.name', literal: (word) => `'{"${word()}": "${word()}"}'` }),
  worded('bio', 'xml', { tag: 'pii.name', literal: (word) => `'<p><q>${word()}</q></p>'` }),
  worded('photo', 'bytea', { tag: 'pii.photo', literal: (word) => `'${word()}'` }),
  {
    name: 'vec',
    type: 'int[]',
    tag: 'pii.salary',
    plant() {
      const numbers = [1_200_000_000, 1_700_000_000].map((base) => base + Math.floor(random() * 99_999_999))
      const bytes = numbers.map((number) => {
        const four = Buffer.alloc(4)
        four.writeInt32BE(number)
        return four
      })
      return {
        literal: `ARRAY[${numbers.join(',')}]`,
        canary: { digits: numbers.join(''), texts: numbers.map(String), bytes },
      }
    },
  },
  worded('home', 'address', { tag: 'pii.name', literal: (word) => `ROW('${word()}', '${word()}')::address` }),
  worded('homes', 'address[]', { tag: 'pii.name', literal: (word) => `ARRAY[ROW('${word()}', '${word()}')::address]` }),
  {
    name: 'period',
    type: 'daterange',
    tag: 'pii.birth_date',
    plant(row) {
      const [from, to] = [date(row), date(row + 9)]
      return {
        literal: `'[${from.iso},${to.iso})'`,
        canary: {
          texts: [...from.canary.texts, ...to.canary.texts],
          bytes: [...from.canary.bytes, ...to.canary.bytes],
        },
      }
    },
  },
  {
    name: 'uid',
    type: 'uuid',
    tag: 'pii.ssn',
    plant() {
      const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
      return { literal: `'${hex}'`, canary: { word: hex, bytes: [Buffer.from(hex, 'hex')] } }
    },
  },
  {
    name: 'ip',
    type: 'inet',
    tag: 'pii.ssn',
    plant() {
      const parts = Array.from({ length: 4 }, () => (4_096 + Math.floor(random() * 60_000)).toString(16))
      return {
        literal: `'2001:db8::${parts.join(':')}'`,
        canary: { word: parts.join(''), bytes: [Buffer.from(parts.join(''), 'hex')] },
      }
    },
  },
  {
    name: 'flags',
    type: 'varbit',
    tag: 'pii.ssn',
    plant() {
      const bits = Array.from({ length: 64 }, () => (random() < 0.5 ? '0' : '1')).join('')
      const bytes = Buffer.from(BigInt(`0b${bits}`).toString(16).padStart(16, '0'), 'hex')
      return { literal: `B'${bits}'`, canary: { texts: [bits], bytes: [bytes] } }
    },
  },
  {
    name: 'seen',
    type: 'timestamptz',
    tag: 'pii.birth_date',
    plant(row) {
      const time = `${String(10 + Math.floor(random() * 49))}:${String(10 + Math.floor(random() * 49))}.${newDigits(5)}7`
      const micros = BigInt(Date.UTC(1970 + row, 5, 9, 11) - Date.UTC(2000, 0, 1)) * 1000n
      const [minutes = '', seconds = ''] = time.split(':')
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64BE(micros + BigInt(minutes) * 60_000_000n + BigInt(Math.round(Number(seconds) * 1e6)))
      return { literal: `'${String(1970 + row)}-06-09 11:${time}Z'`, canary: { texts: [`:${time}`], bytes: [bytes] } }
    },
  },
  {
    name: 'worked',
    type: 'interval',
    tag: 'pii.salary',
    plant() {
      const time = `${String(10 + Math.floor(random() * 13))}:${String(10 + Math.floor(random() * 49))}:33.${newDigits(5)}9`
      return { literal: `'37 days ${time}'`, canary: { texts: [time] } }
    },
  },
  text('contact', 'contact', 'pii.email'),
  digits('code', 'code_number', { length: 16, tag: 'pii.ssn' }),
  text('handle', 'name', 'pii.name'),
  text('nick', 'citext', 'pii.name'),
  worded('attrs', 'hstore', { tag: 'pii.name', literal: (word) => `hstore('${word()}', '${word()}')` }),
  worded('search', 'tsvector', { tag: 'pii.name', literal: (word) => `'${word()}:1 ${word()}:2'` }),
  digits('fee', 'money', {
    length: 15,
    tag: 'pii.salary',
    literal: (value) => `'${value.slice(0, 13)}.${value.slice(13)}'`,
  }),
  digits('spot', 'point', { length: 14, tag: 'pii.ssn', literal: (value) => `point(${value}, 1)` }),
  {
    name: 'mood',
    type: 'mood',
    tag: 'pii.mood',
    plant: (row) => ({ literal: row === 3 ? "'zqgloomy'" : "'fine'", canary: { texts: ['zqgloomy'], isWeak: true } }),
  },
  // Classified as `secret`; renamed once the gateway runs.
  text('secret', 'text', 'secret'),
]

/** Columns that nobody classified and that hold nothing by themselves. */
export const plainColumns = ['id', 'city', 'tier'] as const

/** The rows as SQL, and every canary in them. */
export function plantCustomers(): { readonly sql: string; readonly canaries: readonly Canary[] } {
  const canaries: Canary[] = []
  const rows = Array.from({ length: rowCount }, (_, index) => {
    const values = plantedColumns.map((column) => {
      const { literal, canary } = column.plant(index + 1)
      canaries.push({ column: `customers.${column.name}`, ...canary })
      return literal
    })
    return `(${[String(index + 1), `'Town ${String(index + 1)}'`, String(index % 3), ...values].join(', ')})`
  })
  const definitions = plantedColumns.map(({ name, type }) => `${name} ${type}`)
  const names = [...plainColumns, ...plantedColumns.map(({ name }) => name)]
  return {
    canaries,
    sql: `
      CREATE TABLE customers (
        id int PRIMARY KEY, city text, tier int, ${definitions.join(', ')},
        loud text GENERATED ALWAYS AS (upper(full_name)) VIRTUAL,
        quiet text GENERATED ALWAYS AS (lower(email)) STORED,
        words tsvector
      );
      CREATE TRIGGER words BEFORE INSERT OR UPDATE ON customers FOR EACH ROW
        EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.simple', full_name);
      INSERT INTO customers (${names.join(', ')}) VALUES ${rows.join(', ')};
    `,
  }
}
