import { conditionOf } from './conditions.ts'
import { adviceTemplates, messageTemplates, reportingFiles } from './message-templates.ts'
import { provesSlot } from './slots.ts'
import type { SlotEvidence, SlotKind } from './slots.ts'

/** What is no secret: the client's own text, and the names of the catalog. */
export interface KnownTexts {
  /** The text as it was sent, since positions in reports count from its beginning; from elsewhere proves nothing. */
  readonly sql: string
  readonly isName: (name: string) => boolean
}

interface Template {
  readonly pattern: RegExp
  readonly slots: readonly SlotKind[]
}

const slotKinds: readonly SlotKind[] = ['name', 'types', 'call', 'operation', 'text', 'number', 'words']
const messages = messageTemplates.map(compile)
const advice = adviceTemplates.map(compile)
const verbatim: ReadonlySet<string> = new Set(['V', 'P', 'F', 'L', 'R'])
const namedObjects: ReadonlySet<string> = new Set(['s', 't', 'c', 'd', 'n'])
const harmless = /^[\w.+/-]{1,100}$/
const severity = /^[\p{L} ]{1,30}$/u
const raised = 'P0001'
const hiddenHint =
  'Postern hides texts that may hold values you may not see. The SQLSTATE and what remains of the report are unchanged.'

/**
 * The fields of an ErrorResponse or NoticeResponse of a statement that touches masked data, without what may hold some
 * of it. A text stays only where it is one of PostgreSQL's own, from PostgreSQL's own code, and each name in it is known
 * or stands in the statement where the report points to: whoever can run a function can raise any text with any SQLSTATE.
 */
export function scrubReport(fields: ReadonlyMap<string, string>, known: KnownTexts): Map<string, string> {
  const isOwn = reportingFiles.has(fields.get('F') ?? '')
  // Within a function the position is another text's, and a name may be made of values.
  const isInside = fields.has('W') || fields.has('q') || fields.has('p')
  const evidence: SlotEvidence = {
    isName: known.isName,
    atPosition: isInside ? null : textAt(known.sql, fields.get('P')),
  }
  const scrubbed = new Map<string, string>()
  let isHidden = false
  for (const [letter, text] of fields) {
    if (letter === 'C') {
      scrubbed.set(letter, conditionOf(text) === undefined ? raised : text)
    } else if (letter === 'M') {
      const isProven = isOwn && matchesAny(text, messages, evidence)
      isHidden ||= !isProven
      scrubbed.set(letter, isProven ? text : hiddenMessage(fields))
    } else if (letter === 'D' || letter === 'H') {
      const kept = isOwn ? provenAdvice(text, evidence) : null
      isHidden ||= kept === null
      if (kept !== null) scrubbed.set(letter, kept)
    } else if (namedObjects.has(letter)) {
      if (isOwn && known.isName(text)) scrubbed.set(letter, text)
    } else if (letter === 'S') {
      // Translated; clients count on having one.
      const plain = fields.get('V') ?? ''
      scrubbed.set(letter, severity.test(text) ? text : /^[A-Z]{3,7}$/.test(plain) ? plain : 'ERROR')
    } else if (verbatim.has(letter) && harmless.test(text)) {
      scrubbed.set(letter, text)
    }
  }
  if (isHidden) {
    const hint = scrubbed.get('H')
    scrubbed.set('H', hint === undefined ? hiddenHint : `${hint} ${hiddenHint}`)
  }
  return scrubbed
}

/** The payload of a notification on a channel that may carry masked data. */
export function scrubNotification(_payload: string): string {
  return ''
}

function hiddenMessage(fields: ReadonlyMap<string, string>): string {
  const severity = fields.get('V') ?? fields.get('S') ?? ''
  if (!['ERROR', 'FATAL', 'PANIC'].includes(severity)) {
    return 'the text of this notice is hidden because it may hold masked data'
  }
  const condition = conditionOf(fields.get('C') ?? '') ?? 'an error that PostgreSQL does not define'
  return `the statement failed: ${condition}; the text of the error is hidden because it may hold masked data`
}

function provenAdvice(text: string, evidence: SlotEvidence): string | null {
  const key =
    /^Key \(([^]*?)\)=\([^]*\) (already exists|is not present in table "[^]*"|is still referenced from table "[^]*"|is duplicated|is referenced from table "[^]*")\.$/.exec(
      text,
    )
  if (key !== null) {
    const [, columns = '', outcome = ''] = key
    const table = /"([^]*)"$/.exec(outcome)?.[1]
    const areKnown = columns.split(', ').every((column) => evidence.isName(column.replace(/^"(.*)"$/, '$1')))
    return areKnown && (table === undefined || evidence.isName(table)) ? `Key (${columns}) ${outcome}.` : null
  }
  return matchesAny(text, advice, evidence) ? text : null
}

function matchesAny(text: string, templates: readonly Template[], evidence: SlotEvidence): boolean {
  return templates.some(({ pattern, slots }) => {
    const match = pattern.exec(text)
    return match !== null && slots.every((kind, index) => provesSlot(kind, match[index + 1] ?? '', evidence))
  })
}

/** The statement from the report's position on, which counts characters from 1; null where it has none. */
function textAt(sql: string, position: string | undefined): string | null {
  if (position === undefined || !/^[1-9]\d{0,8}$/.test(position)) return null
  const index = Number(position) - 1
  // Characters beyond the basic plane take two places in a string of JavaScript.
  const isPlain = !/[\ud800-\udfff]/.test(sql)
  const rest = isPlain ? sql.slice(index) : Array.from(sql).slice(index).join('')
  return rest === '' ? null : rest
}

function compile(template: string): Template {
  const slots: SlotKind[] = []
  const source = template
    .replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\{(\w+)\}/g, (_, kind: string) => {
      const slot = slotKinds.find((each) => each === kind)
      if (slot === undefined) throw new Error(`a template has an unknown slot: ${kind}`)
      slots.push(slot)
      return '([^]*?)'
    })
  return { pattern: new RegExp(`^${source}$`), slots }
}
