import { Document, isMap, isPair, isScalar, Pair, parseDocument, Scalar, YAMLMap } from 'yaml'
import type { MaskingRule, Tag } from '../core/classification.ts'
import { formatQualifiedName, isNameFault, parseQualifiedName } from './identifiers.ts'

/** What to write of one column. */
export interface ColumnDecision {
  readonly schema: string
  readonly relation: string
  readonly column: string
  /** Null for `none`. */
  readonly tag: Tag | null
  readonly masking: MaskingRule | null
  /** One line, written behind it as a comment. */
  readonly evidence: string
}

/**
 * The text of a classification file with decisions added. What it says already stays as it is, comments included: a
 * column that is listed keeps its tags, and a tag its masking. `text` has to be valid, or null where there is no file.
 */
export function mergeDecisions(text: string | null, decisions: readonly ColumnDecision[]): string {
  const document: Document = text === null ? new Document() : parseDocument(text, { uniqueKeys: false })
  const root = isMap(document.contents) ? document.contents : new YAMLMap()
  document.contents = root
  if (text === null) document.commentBefore = preamble
  const tags = mapAt(root, 'tags')
  const columns = mapAt(root, 'columns')
  const relations = new Relations(columns)
  for (const decision of decisions) {
    if (decision.tag !== null && decision.masking !== null && !tags.has(decision.tag)) {
      tags.add(document.createPair(decision.tag, maskingValue(decision.masking)))
    }
    addColumn(relations, decision)
  }
  return document.toString({ lineWidth: 0 })
}

const preamble = ` Which columns carry which tags. \`postern classify\` proposes, you decide: review every line.
 A tag says what is shown instead of a value: redact, "null" (in quotes), pseudonym, partial or year.
 \`none\` is for a column that was reviewed and carries nothing.`

function addColumn(relations: Relations, { schema, relation, column, tag, evidence }: ColumnDecision): void {
  const inner = relations.at(formatQualifiedName({ schema, name: relation }))
  if (inner.items.some((item) => keyOf(item) === column)) return
  const value = new Scalar(tag ?? 'none')
  // A comment ends with its line, whatever a name in it holds.
  value.comment = ` ${evidence.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')}`
  inner.add(new Pair(new Scalar(column), value))
}

/** The entries of relations, however their names are quoted. */
class Relations {
  readonly #columns: YAMLMap
  readonly #known = new Map<string, YAMLMap>()

  constructor(columns: YAMLMap) {
    this.#columns = columns
    for (const item of columns.items) {
      const name = parseQualifiedName(keyOf(item))
      if (isNameFault(name)) continue
      const inner = isMap(item.value) ? expanded(item.value) : new YAMLMap()
      item.value = inner
      this.#known.set(formatQualifiedName(name), inner)
    }
  }

  /** An entry; a new one goes before the first that sorts behind it. */
  at(relation: string): YAMLMap {
    const known = this.#known.get(relation)
    if (known !== undefined) return known
    const inner = new YAMLMap()
    this.#known.set(relation, inner)
    const columns = this.#columns
    const behind = columns.items.findIndex((item) => keyOf(item) > relation)
    if (behind === 0 && columns.commentBefore !== undefined) {
      // What stands above the first entry is about that entry.
      const first = columns.items[0]?.key
      if (isScalar(first)) [first.commentBefore, columns.commentBefore] = [columns.commentBefore, null]
    }
    columns.items.splice(behind === -1 ? columns.items.length : behind, 0, new Pair(new Scalar(relation), inner))
    return inner
  }
}

function mapAt(root: YAMLMap, key: string): YAMLMap {
  const pair = root.items.find((item) => keyOf(item) === key)
  if (pair !== undefined && isMap(pair.value)) return expanded(pair.value)
  const map = new YAMLMap()
  if (pair === undefined) root.add(new Pair(new Scalar(key), map))
  else pair.value = map
  return map
}

/** `{ a: b }` becomes one line each, since comments have no place in it. */
function expanded(map: YAMLMap): YAMLMap {
  map.flow = false
  return map
}

function keyOf(item: unknown): string {
  if (!isPair(item)) return ''
  const { key } = item
  if (!isScalar(key)) return String(key)
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}

function maskingValue(rule: MaskingRule): unknown {
  if (rule.function !== 'partial') return rule.function
  return rule.keep === 4 ? 'partial' : { masking: 'partial', keep: rule.keep }
}
