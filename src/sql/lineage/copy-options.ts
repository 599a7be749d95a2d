import type { CopyFormat } from '../../core/lineage.ts'
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

/** How COPY writes and reads lines, from its options in either syntax. */
export function formatOf(options: unknown): CopyFormat {
  const found = new Map<string, unknown>()
  let isUncertain = false
  for (const each of listOf(options)) {
    const option = toFields(fieldsOf(each, 'DefElem'))
    const name = String(option['defname'])
    isUncertain ||= found.has(name)
    found.set(name, option['arg'])
  }
  const format = textOf(found.get('format')) ?? 'text'
  const isCsv = format === 'csv'
  const quote = textOf(found.get('quote')) ?? '"'
  for (const [name, value] of found) {
    if (name === 'encoding') isUncertain ||= !isUtf8(textOf(value))
    else isUncertain ||= !understood.has(name) && !otherOptions.has(name)
  }
  const delimiter = textOf(found.get('delimiter')) ?? (isCsv ? ',' : '\t')
  const escape = textOf(found.get('escape')) ?? quote
  const isKnown = format === 'text' || isCsv || format === 'binary'
  const areSingle = [delimiter, quote, escape].every((each) => each.length === 1)
  const header = found.has('header') ? headerOf(found.get('header')) : false
  return {
    format: format === 'csv' || format === 'binary' ? format : 'text',
    hasHeader: header ?? true,
    delimiter,
    quote,
    escape,
    null: textOf(found.get('null')) ?? (isCsv ? '' : '\\N'),
    isUncertain: isUncertain || !isKnown || !areSingle || header === null,
  }
}

const understood: ReadonlySet<string> = new Set(['format', 'header', 'delimiter', 'quote', 'escape', 'null'])

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

function isUtf8(name: string | null): boolean {
  return name !== null && ['utf8', 'utf-8', 'unicode'].includes(name.toLowerCase())
}

function textOf(value: unknown): string | null {
  const found = tagged(value)
  if (found?.tag !== 'String') return null
  return stringOf(toFields(found.fields)['sval']) ?? ''
}
