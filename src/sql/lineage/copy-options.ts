import type { CopyFormat, CopyIn } from '../../core/lineage.ts'
import { tagged } from '../parse-tree.ts'
import { fieldsOf, listOf, stringOf, toFields } from './tree.ts'

/** Options that change nothing about how values are written. */
const otherOptions: ReadonlySet<string> = new Set([
  'force_quote',
  'force_not_null',
  'force_null',
  'freeze',
  'default',
  'on_error',
  'log_verbosity',
  'reject_limit',
])

/** How COPY TO writes lines, from its options in either syntax. */
export function formatOf(options: unknown): CopyFormat {
  const found = optionsOf(options)
  const isOther = found.byName.has('encoding') && !isUtf8(textOf(found.byName.get('encoding')))
  return formatFrom(found, isOther)
}

/** How COPY FROM reads lines, and which columns' NULLs it reads otherwise. */
export function readingOf(options: unknown): Pick<CopyIn, 'format' | 'default' | 'encoding'> & {
  readonly forcesNull: (column: string) => boolean
  readonly forcesNotNull: (column: string) => boolean
} {
  const found = optionsOf(options)
  const { byName } = found
  const [forceNull, forceNotNull] = [columnsOf(byName.get('force_null')), columnsOf(byName.get('force_not_null'))]
  const format = formatFrom(found, (byName.has('encoding') && textOf(byName.get('encoding')) === null) || false)
  const { delimiter, quote, escape } = format
  // A quote that ends a line as well is allowed, and nobody means it.
  const arePlain = [delimiter, quote, escape].every(
    (each) => each >= '\u0001' && each < '\u0080' && !/[\r\n]/.test(each),
  )
  return {
    format: { ...format, isUncertain: format.isUncertain || !arePlain || forceNull === null || forceNotNull === null },
    default: textOf(byName.get('default')),
    encoding: textOf(byName.get('encoding')),
    forcesNull: (column) => isIn(column, forceNull),
    forcesNotNull: (column) => isIn(column, forceNotNull),
  }
}

interface Options {
  readonly byName: ReadonlyMap<string, unknown>
  /** Whether there is one that is not known, that comes twice, or that is no text where one is asked for. */
  readonly areUncertain: boolean
}

function optionsOf(options: unknown): Options {
  const byName = new Map<string, unknown>()
  let areUncertain = false
  for (const each of listOf(options)) {
    const option = toFields(fieldsOf(each, 'DefElem'))
    const name = String(option['defname'])
    const isKnown = name === 'encoding' || understood.has(name) || otherOptions.has(name)
    areUncertain ||= byName.has(name) || !isKnown || (texts.has(name) && textOf(option['arg']) === null)
    byName.set(name, option['arg'])
  }
  return { byName, areUncertain }
}

function formatFrom({ byName, areUncertain }: Options, isOtherEncoding: boolean): CopyFormat {
  const format = textOf(byName.get('format')) ?? 'text'
  const isCsv = format === 'csv'
  const quote = textOf(byName.get('quote')) ?? '"'
  const delimiter = textOf(byName.get('delimiter')) ?? (isCsv ? ',' : '\t')
  const escape = textOf(byName.get('escape')) ?? quote
  const isKnown = format === 'text' || isCsv || format === 'binary'
  const areSingle = [delimiter, quote, escape].every((each) => each.length === 1)
  const header = byName.has('header') ? headerOf(byName.get('header')) : false
  return {
    format: format === 'csv' || format === 'binary' ? format : 'text',
    hasHeader: header ?? true,
    delimiter,
    quote,
    escape,
    null: textOf(byName.get('null')) ?? (isCsv ? '' : '\\N'),
    isUncertain: areUncertain || isOtherEncoding || !isKnown || !areSingle || header === null,
  }
}

const understood: ReadonlySet<string> = new Set(['format', 'header', 'delimiter', 'quote', 'escape', 'null'])
/** PostgreSQL takes a number for its digits here. */
const texts: ReadonlySet<string> = new Set(['format', 'delimiter', 'quote', 'escape', 'null', 'default'])

/** Whether there is a line of names; null where that is not understood. MATCH is for reading only, and writes one too. */
function headerOf(value: unknown): boolean | null {
  if (value === undefined) return true
  const found = tagged(value)
  const fields = toFields(found?.fields)
  if (found?.tag === 'Boolean') return fields['boolval'] === true
  if (found?.tag === 'Integer') return (fields['ival'] ?? 0) !== 0
  const text = textOf(value)?.toLowerCase()
  if (text === undefined) return null
  if (['true', 'on', '1', 'match'].includes(text)) return true
  return ['false', 'off', '0'].includes(text) ? false : null
}

/** The columns of FORCE_NULL and its like; null where they are not understood. */
function columnsOf(value: unknown): readonly string[] | 'all' | null {
  if (value === undefined) return []
  const found = tagged(value)
  if (found?.tag === 'A_Star') return 'all'
  const names = listOf(fieldsOf(value, 'List')?.['items'] ?? value).map(textOf)
  return names.length === 0 || names.includes(null) ? null : names.filter((name) => name !== null)
}

function isIn(column: string, columns: readonly string[] | 'all' | null): boolean {
  return columns === 'all' || columns?.includes(column) === true
}

function isUtf8(name: string | null): boolean {
  return name !== null && ['utf8', 'utf-8', 'unicode'].includes(name.toLowerCase())
}

function textOf(value: unknown): string | null {
  const found = tagged(value)
  if (found?.tag !== 'String') return null
  return stringOf(toFields(found.fields)['sval']) ?? ''
}
