import type { Tag } from '../core/classification.ts'
import { detect } from '../detection/detect.ts'
import type { Detection, DetectionKind } from '../detection/detect.ts'
import { hintOfName } from '../detection/names.ts'
import type { NameHint } from '../detection/names.ts'
import { isRandom } from '../detection/secrets.ts'
import { conceptTags } from './concepts.ts'
import type { ProposedConcept } from './concepts.ts'
import { leavesOf } from './leaves.ts'
import type { SampledAs } from './sample.ts'
import { shapeOf } from './shape.ts'

/** A column and a sample of what it holds. */
export interface SampledColumn {
  readonly relation: string
  readonly column: string
  /** How its values were read, or why they were not. */
  readonly as: SampledAs
  /** Values that are not NULL, as text. */
  readonly values: readonly string[]
}

/** What was found in a column, without any value of it. */
export interface Proposal {
  /** Null where nothing was found, and `isUndecided` where that says nothing either. */
  readonly tag: Tag | null
  readonly concept: ProposedConcept | null
  /** Whether there was nothing to look at in a column that could hold anything. */
  readonly isUndecided: boolean
  readonly size: number
  /** How many of the values spoke for it. */
  readonly hits: number
  readonly hint: NameHint | null
  /** A sentence without its full stop. */
  readonly evidence: string
  /** What a few of the values look like. */
  readonly shapes: readonly string[]
}

// Of values that are one thing as a whole, of texts with something in them, and of digits that merely fit.
const wholeShareMin = 0.5
const insideShareMin = 0.01
const possibleShareMin = 0.8
const possibleSizeMin = 5
const weakShareMin = 0.3

/** Judges a column by what its values look like, then by its name. Pure. */
export function propose(column: SampledColumn): Proposal {
  const { as, values } = column
  const hint = hintOfName(column.column, column.relation)
  const tally = tallyOf(column)
  const seen = bySeen(tally, values.length)
  if (seen !== null && seen.concept !== 'text') return proposal({ ...seen, column, hint, tally })
  if (hint !== null && isBelievable(hint, column, tally)) {
    return proposal({
      concept: hint.concept,
      hits: wholeHits(hint.concept, tally),
      shapes: [],
      column,
      hint,
      tally,
    })
  }
  if (seen !== null) return proposal({ ...seen, column, hint, tally })
  const size = values.length
  const { isUndecided, evidence } = nothingFound(as, size)
  return { tag: null, concept: null, isUndecided, size, hits: 0, hint, evidence, shapes: [] }
}

function nothingFound(as: SampledAs, size: number): { readonly isUndecided: boolean; readonly evidence: string } {
  if (as === 'binary' || as === 'unread') {
    return { isUndecided: true, evidence: 'its type is not looked at' }
  }
  if (as === 'harmless' || as === 'date')
    return { isUndecided: false, evidence: 'neither name nor type suggests anything' }
  if (size > 0) return { isUndecided: false, evidence: `nothing found in ${count(size, 'value')}` }
  if (as === 'number') return { isUndecided: false, evidence: 'numbers, and its name suggests nothing' }
  return { isUndecided: true, evidence: 'there were no values to look at' }
}

interface Tally {
  /** Values that are one thing as a whole, by kind. */
  readonly whole: Map<DetectionKind, string[]>
  /** The same where digits merely fit. */
  readonly possible: Map<DetectionKind, string[]>
  /** Rows with something anywhere in them, and which kinds that are. */
  inside: number
  readonly kinds: Set<DetectionKind>
  /** Rows in which the name of a JSON key says something, and what. */
  keyed: number
  readonly keys: Set<string>
}

function tallyOf({ as, values }: SampledColumn): Tally {
  const tally: Tally = { whole: new Map(), possible: new Map(), inside: 0, kinds: new Set(), keyed: 0, keys: new Set() }
  for (const value of values) {
    if (as === 'document') tallyDocument(value, tally)
    else tallyValue(value.trim(), tally)
  }
  return tally
}

function tallyValue(value: string, tally: Tally): void {
  const detections = detect(value)
  const whole = detections.find(({ start, end }) => end - start >= value.length * 0.8)
  if (whole !== undefined) {
    const counts = whole.certainty === 'possible' ? tally.possible : tally.whole
    const values = counts.get(whole.kind) ?? []
    values.push(value)
    counts.set(whole.kind, values)
  }
  note(detections, tally)
}

function note(detections: readonly Detection[], tally: Tally): void {
  const sure = detections.filter(({ certainty }) => certainty !== 'possible')
  if (sure.length > 0) tally.inside += 1
  for (const { kind } of sure) tally.kinds.add(kind)
}

function tallyDocument(value: string, tally: Tally): void {
  const leaves = leavesOf(value)
  note(
    leaves.flatMap(({ text }) => detect(text)),
    tally,
  )
  const hints = leaves.map(({ key }) => hintOfName(key)).filter((hint) => hint?.strength === 'strong')
  if (hints.length > 0) tally.keyed += 1
  for (const hint of hints) if (hint !== null) tally.keys.add(hint.words)
}

interface Seen {
  readonly concept: ProposedConcept
  readonly hits: number
  readonly shapes: readonly string[]
}

function bySeen(tally: Tally, size: number): Seen | null {
  if (size === 0) return null
  const most = largest(tally.whole)
  if (most !== null && most.values.length >= size * wholeShareMin) return seenOf(most)
  const fitting = largest(tally.possible)
  if (fitting !== null && size >= possibleSizeMin && fitting.values.length >= size * possibleShareMin)
    return seenOf(fitting)
  const rows = Math.max(tally.inside, tally.keyed)
  return rows > 0 && rows >= size * insideShareMin ? { concept: 'text', hits: rows, shapes: [] } : null
}

function largest(
  counts: ReadonlyMap<DetectionKind, readonly string[]>,
): { kind: DetectionKind; values: readonly string[] } | null {
  const [first] = [...counts].toSorted((left, right) => right[1].length - left[1].length)
  return first === undefined ? null : { kind: first[0], values: first[1] }
}

function seenOf({ kind, values }: { kind: DetectionKind; values: readonly string[] }): Seen {
  return { concept: kind, hits: values.length, shapes: shapesOf(values) }
}

function shapesOf(values: readonly string[]): readonly string[] {
  return [...new Set(values.slice(0, 50).map(shapeOf))].slice(0, 3)
}

/** Whether what a name says fits the type, and, where it says only a little, the values. */
function isBelievable(hint: NameHint, { as, values }: SampledColumn, tally: Tally): boolean {
  const { concept, strength } = hint
  if (!fittingTypes(concept).includes(as)) return false
  if (strength === 'strong' || values.length === 0) return true
  const share = (isOne: (value: string) => boolean): number => values.filter(isOne).length / values.length
  switch (concept) {
    case 'name':
      return share((value) => /^\p{Lu}[\p{L}.'’-]*(?: [\p{L}.'’-]+){0,4}$/u.test(value.trim())) >= wholeShareMin
    case 'address':
      return share((value) => /\p{L}{2}/u.test(value) || /^-?\d+\.\d+$/u.test(value)) >= wholeShareMin
    case 'secret':
      return share((value) => isRandom(value, 12) || /^\d{4,6}$/u.test(value)) >= weakShareMin
    case 'iban':
      return share((value) => /^[A-Za-z0-9 -]{6,40}$/u.test(value) && /\d{4}/u.test(value)) >= wholeShareMin
    case 'birth_date':
      return share((value) => /^(?:\d{1,2}|1[0-1]\d|(?:19|20)\d\d)$/u.test(value)) >= wholeShareMin
    default:
      return wholeHits(concept, tally) + (tally.possible.get(concept)?.length ?? 0) >= values.length * weakShareMin
  }
}

function fittingTypes(concept: ProposedConcept): readonly SampledAs[] {
  if (concept === 'birth_date') return ['date', 'text', 'number', 'unread']
  if (concept === 'secret') return ['text', 'document', 'binary', 'unread']
  if (concept === 'ip' || concept === 'mac') return ['text', 'document', 'unread']
  return ['text', 'document', 'number', 'unread']
}

function wholeHits(concept: ProposedConcept, tally: Tally): number {
  return [...tally.whole].find(([kind]) => kind === concept)?.[1].length ?? 0
}

interface Found extends Seen {
  readonly column: SampledColumn
  readonly hint: NameHint | null
  readonly tally: Tally
}

function proposal(found: Found): Proposal {
  const { concept, hits, shapes, column, hint } = found
  const { tag } = conceptTags[concept]
  const size = column.values.length
  return { tag, concept, isUndecided: false, size, hits, hint, evidence: evidenceOf(found), shapes }
}

function evidenceOf({ concept, hits, column, hint, tally }: Found): string {
  const size = column.values.length
  const parts: string[] = []
  if (concept === 'text') {
    const kinds = [...tally.kinds].map((kind) => conceptTags[kind].plural).toSorted()
    if (kinds.length > 0) {
      parts.push(`${percent(tally.inside, size)} of ${count(size, 'value')} hold ${kinds.join(', ')}`)
    }
    const keys = [...tally.keys].toSorted().slice(0, 5)
    if (keys.length > 0) parts.push(`${percent(tally.keyed, size)} have keys that say ${keys.join(', ')}`)
  } else if (hits > 0) {
    parts.push(`${percent(hits, size)} of ${count(size, 'value')} look like ${conceptTags[concept].plural}`)
  }
  if (hint?.concept === concept) parts.push(`its name says "${hint.words}"`)
  if (size === 0 && column.as !== 'date') parts.push('no values were looked at')
  return parts.join('; ')
}

function percent(part: number, of: number): string {
  const share = (part / of) * 100
  return share > 0 && share < 1 ? 'less than 1 %' : `${String(Math.round(share))} %`
}

function count(size: number, noun: string): string {
  return `${String(size)} ${noun}${size === 1 ? '' : 's'}`
}
