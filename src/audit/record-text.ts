import { memberOf, outcomeName, type Shown } from './statement-record.ts'
import type { Entry } from './entry.ts'

const columns = [
  { title: 'time', width: 24 },
  { title: 'principal', width: 18 },
  { title: 'address', width: 21 },
  { title: 'kind', width: 16 },
  { title: 'outcome', width: 20 },
  { title: 'rows', width: 7, isRight: true },
  { title: 'duration', width: 9, isRight: true },
] as const

/** The heading over the lines of `formatShown`. */
export function formatHeading(): string {
  return layOut([...columns.map((column) => column.title), 'statement'], Number.POSITIVE_INFINITY)
}

/** One record as one aligned line of at most `widthMax` characters, safe to print to a terminal. */
export function formatShown(shown: Shown, widthMax: number): string {
  const { entry, outcome } = shown
  const cells = [
    entry.at,
    text(memberOf(entry['principal'], 'name') ?? entry['claimed']),
    addressOf(entry['client']),
    entry.type === 'intent' || entry.type === 'refusal' ? text(entry['kind']) : entry.type,
    outcomeCell(shown),
    text((outcome ?? entry)['rows']),
    durationOf((outcome ?? entry)['durationUs']),
    detailOf(entry),
  ]
  return layOut(cells, widthMax)
}

/**
 * Makes a text of strangers safe for a terminal: control characters, which could move the cursor or rewrite what is
 * shown, and the marks that turn the direction of text become visible escapes; line breaks and tabs become spaces.
 */
export function terminalSafe(value: string): string {
  return value.replace(/[\r\n\t]+/g, ' ').replace(unsafe, escapeOf)
}

/** JSON on one line; what JSON itself would leave as it is but a terminal obeys is escaped, which no reader notices. */
export function terminalSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(unsafe, escapeOf)
}

// Every control (Cc), format (Cf) and separator (Zl, Zp) character: C0, DEL, C1, direction marks, zero-width characters.
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

function escapeOf(character: string): string {
  let escaped = ''
  for (let index = 0; index < character.length; index += 1) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`
  }
  return escaped
}

function layOut(cells: readonly string[], widthMax: number): string {
  let line = ''
  for (const [index, cell] of cells.entries()) {
    const safe = terminalSafe(cell)
    const column = columns[index]
    if (column === undefined) line += safe
    else {
      const cut = shorten(safe, column.width)
      line += `${'isRight' in column ? cut.padStart(column.width) : cut.padEnd(column.width)}  `
    }
  }
  return shorten(line.trimEnd(), widthMax)
}

function shorten(value: string, lengthMax: number): string {
  return value.length <= lengthMax ? value : `${value.slice(0, lengthMax - 1)}…`
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function addressOf(client: unknown): string {
  const address = text(memberOf(client, 'address'))
  const port = text(memberOf(client, 'port'))
  if (port === '') return address
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function outcomeCell(shown: Shown): string {
  const { entry, outcome } = shown
  const name = outcomeName(shown)
  const sqlstate = text((outcome ?? entry)['sqlstate'])
  if (name === null) return entry.type === 'intent' ? 'running' : text(entry['code'])
  return sqlstate === '' ? name : `${name} ${sqlstate}`
}

function durationOf(value: unknown): string {
  if (typeof value !== 'number') return ''
  if (value < 1_000) return `${value} µs`
  if (value < 1_000_000) return `${(value / 1_000).toFixed(1)} ms`
  return `${(value / 1_000_000).toFixed(1)} s`
}

function detailOf(entry: Entry): string {
  if (entry.type === 'refusal') return `${whyRefused(entry['refused'])}: ${text(entry['sql'])}`
  const sql = text(entry['sql'])
  if (sql !== '') return sql
  // Everything that has no column of its own, as it stands.
  const rest = Object.entries(entry).filter(([name]) => !shownElsewhere.has(name))
  return rest.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ')
}

const shownElsewhere: ReadonlySet<string> = new Set(
  // The second line: of use to programs only.
  'seq prev at type principal client claimed code rows durationUs outcome sqlstate '
    .concat('signature head key open')
    .split(' '),
)

function whyRefused(refused: unknown): string {
  const policies = memberOf(refused, 'policies')
  const names = Array.isArray(policies) ? policies.map(text).filter((name) => name !== '') : []
  if (names.length > 0) return `by ${names.join(', ')}`
  const said = [memberOf(refused, 'message'), memberOf(refused, 'detail')].map(text).filter((part) => part !== '')
  return said.join('; ').replace(/\.$/, '') || text(memberOf(refused, 'reason')) || 'refused'
}
