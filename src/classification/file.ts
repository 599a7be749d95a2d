import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Node } from 'yaml'
import type { MaskingRule, Tag } from '../core/classification.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { nearestName } from '../core/nearest.ts'
import { formatQualifiedName, isNameFault, parseQualifiedName } from './identifiers.ts'
import type { QualifiedName } from './identifiers.ts'
import { readMaskingRule } from './masking-rule.ts'
import { isTagName } from './tags.ts'

/** What classification.yaml says. Relations are keyed by their name as `formatQualifiedName` writes it. */
export interface ClassificationFile {
  readonly tags: ReadonlyMap<Tag, MaskingRule>
  /** Tags by column by relation; none for a column that was reviewed and carries nothing. */
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, readonly Tag[]>>
  /** Defaults for columns of a relation that are not in `columns`. */
  readonly tables: ReadonlyMap<string, readonly Tag[]>
  /** Defaults for relations of a schema that are not in `tables`. */
  readonly schemas: ReadonlyMap<string, readonly Tag[]>
  /** `schema.name`, without quotes. */
  readonly functions: ReadonlySet<string>
  readonly channels: ReadonlySet<string>
}

/** A file that says nothing. */
export const emptyClassificationFile: ClassificationFile = {
  tags: new Map(),
  columns: new Map(),
  tables: new Map(),
  schemas: new Map(),
  functions: new Set(),
  channels: new Set(),
}

/** Reads and checks classification.yaml. Throws `classification_invalid` with file, line, what is wrong and what to do. */
export function readClassificationFile(path: string): ClassificationFile {
  return parseClassificationFile(readClassificationText(path), basename(path))
}

/** The text of a classification file, within its bound. Throws `classification_invalid`. */
export function readClassificationText(path: string): string {
  try {
    if (statSync(path).size > limits.classificationFileBytesMax) {
      throw new Error(`it is larger than ${String(limits.classificationFileBytesMax)} bytes`)
    }
    return readFileSync(path, 'utf8')
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const why = isAbsent ? 'it does not exist' : error instanceof Error ? error.message : String(error)
    throw new PosternError('classification_invalid', `${path} cannot be read: ${why}`, {
      cause: error,
      hint: isAbsent
        ? '`postern classify DATABASE --write` writes one, for you to review.'
        : 'Check the file and who may read it.',
    })
  }
}

/** The same for a text; `shown` names it in errors. */
export function parseClassificationFile(text: string, shown: string): ClassificationFile {
  const counter = new LineCounter()
  // Keys are compared below, since the library compares each with each.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false })
  const reading = new Reading((offset) => counter.linePos(offset).line)
  for (const { message, pos } of [...document.errors, ...document.warnings]) {
    const remedy = 'Keys are followed by a colon and a space, and what belongs to a key is indented by spaces.'
    reading.fail(pos[0], `it is not valid YAML: ${message}`, remedy)
  }
  const file = reading.faults.length > 0 ? emptyClassificationFile : readSections(document.contents, reading)
  const [first, ...rest] = reading.faults
  if (first === undefined) return file
  throw new PosternError(
    'classification_invalid',
    `${shown} cannot be used: line ${String(first.line)}: ${first.what}`,
    {
      detail:
        rest.length === 0
          ? undefined
          : ['Also:', ...rest.slice(0, 20).map(({ line, what }) => `line ${String(line)}: ${what}`)].join('\n'),
      hint: first.remedy,
    },
  )
}

interface Fault {
  readonly line: number
  readonly what: string
  readonly remedy: string
}

interface Entry {
  readonly key: string
  readonly keyNode: unknown
  readonly value: unknown
}

/** Collects faults while nodes are taken apart. */
class Reading {
  readonly faults: Fault[] = []
  readonly #lineAt: (offset: number) => number

  constructor(lineAt: (offset: number) => number) {
    this.#lineAt = lineAt
  }

  fail(at: unknown, what: string, remedy: string): void {
    const offset = typeof at === 'number' ? at : isNode(at) ? (at.range?.[0] ?? 0) : 0
    this.faults.push({ line: this.#lineAt(offset), what, remedy })
  }

  /** The keys of a map with their values; a fault where `node` is something else. */
  entries(node: unknown, what: string): readonly Entry[] {
    if (isNothing(node)) return []
    if (!isMap(node)) {
      this.fail(node, `\`${what}\` must be a group of keys`, 'Write one `name: value` a line, indented below it.')
      return []
    }
    const known = new Set<string>()
    return node.items.flatMap(({ key: keyNode, value }) => {
      if (isScalar(keyNode) && keyNode.value !== null) {
        // As it is written: 007 is a name here, and so is true.
        const key = typeof keyNode.value === 'string' ? keyNode.value : (keyNode.source ?? '')
        if (known.has(key)) {
          const remedy = 'Each name may stand once; put everything that belongs to it below the one.'
          this.fail(keyNode, `\`${what}\` has the key \`${key}\` twice`, remedy)
          return []
        }
        known.add(key)
        if (key.length > 0 && key.length <= nameCharsMax) return [{ key, keyNode, value }]
      }
      this.fail(keyNode, `\`${what}\` has a key that is no name`, 'A name is a text of 1 to 200 characters.')
      return []
    })
  }

  /** The texts of a list, or of one text standing for a list. */
  texts(node: unknown, what: string): readonly { text: string; node: unknown }[] {
    if (isSeq(node)) return node.items.flatMap((item) => this.#text(item, what))
    return this.#text(node, what)
  }

  #text(node: unknown, what: string): readonly { text: string; node: unknown }[] {
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '') return [{ text: node.value, node }]
    const remedy = isAlias(node)
      ? 'Write it out instead of repeating it by an alias.'
      : 'Write a name, or a list of names in brackets.'
    this.fail(node, `${what} must be a name or a list of names`, remedy)
    return []
  }
}

const nameCharsMax = 200
const sections = ['tags', 'columns', 'tables', 'schemas', 'functions', 'channels'] as const
type Section = (typeof sections)[number]

function readSections(contents: Node | null, reading: Reading): ClassificationFile {
  const found = new Map<Section, unknown>()
  for (const { key, keyNode, value } of reading.entries(contents, 'the file')) {
    const section = sections.find((known) => known === key)
    if (section !== undefined) found.set(section, value)
    else {
      const meant = nearestName(key, sections)
      const remedy = meant === null ? `Known keys: ${sections.join(', ')}.` : `Did you mean \`${meant}\`?`
      reading.fail(keyNode, `\`${key}\` is not a key that Postern knows`, remedy)
    }
  }
  const tags = readTags(found.get('tags'), reading)
  const tagsAt = (entry: Entry, what: string) => readTagList(entry, { what, tags, reading })
  return {
    tags,
    columns: readColumns(found.get('columns'), { reading, tagsAt }),
    tables: new Map(
      reading.entries(found.get('tables'), 'tables').flatMap((entry) => {
        const { key, keyNode } = entry
        const name = nameAt(key, keyNode, reading)
        return name === null ? [] : [[formatQualifiedName(name), tagsAt(entry, `\`tables.${key}\``)] as const]
      }),
    ),
    schemas: new Map(
      reading.entries(found.get('schemas'), 'schemas').flatMap((entry) => {
        const { key, keyNode } = entry
        if (isSingleName(key, keyNode, reading)) return [[key, tagsAt(entry, `\`schemas.${key}\``)] as const]
        return []
      }),
    ),
    functions: new Set(
      listAt(found.get('functions'), '`functions`', reading).flatMap(({ text, node }) => {
        const name = nameAt(text, node, reading)
        return name === null ? [] : [`${name.schema}.${name.name}`]
      }),
    ),
    channels: new Set(listAt(found.get('channels'), '`channels`', reading).map(({ text }) => text)),
  }
}

function readTags(node: unknown, reading: Reading): ReadonlyMap<Tag, MaskingRule> {
  const tags = new Map<Tag, MaskingRule>()
  for (const { key, keyNode, value } of reading.entries(node, 'tags')) {
    if (!isTagName(key)) {
      const remedy =
        'A tag is letters, digits, `.`, `_` and `-`, begins with a letter, and is not `none` or `postern.…`.'
      reading.fail(keyNode, `\`tags.${key}\` cannot be the name of a tag`, remedy)
      continue
    }
    const { rule, fault } = readMaskingRule(value)
    if (fault === null) tags.set(key, rule)
    else reading.fail(isNode(value) ? value : keyNode, `\`tags.${key}\` ${fault.what}`, fault.remedy)
  }
  return tags
}

function readColumns(
  node: unknown,
  { reading, tagsAt }: { reading: Reading; tagsAt: (entry: Entry, what: string) => readonly Tag[] },
): ClassificationFile['columns'] {
  const columns = new Map<string, ReadonlyMap<string, readonly Tag[]>>()
  for (const { key, keyNode, value } of reading.entries(node, 'columns')) {
    const name = nameAt(key, keyNode, reading)
    if (name === null) continue
    const relation = formatQualifiedName(name)
    // `a.b` and `"a"."b"` are two keys to YAML and one relation to PostgreSQL.
    if (columns.has(relation)) {
      reading.fail(keyNode, `\`columns.${key}\` names a relation a second time`, 'Put all its columns below one key.')
    }
    const inner = new Map<string, readonly Tag[]>()
    for (const column of reading.entries(value, `columns.${key}`)) {
      if (!isSingleName(column.key, column.keyNode, reading)) continue
      inner.set(column.key, tagsAt(column, `\`columns.${key}.${column.key}\``))
    }
    columns.set(relation, inner)
  }
  return columns
}

function readTagList(
  { keyNode, value: node }: Entry,
  { what, tags, reading }: { what: string; tags: ReadonlyMap<Tag, MaskingRule>; reading: Reading },
): readonly Tag[] {
  if (isNothing(node)) {
    reading.fail(keyNode, `${what} says nothing`, 'Give it a tag, or `none` where it was reviewed and carries nothing.')
    return []
  }
  const names = reading.texts(node, what)
  if (names.length === 0 && isSeq(node) && node.items.length === 0) {
    reading.fail(node, `${what} is an empty list`, 'Write `none` where it was reviewed and carries nothing.')
  }
  if (names.some(({ text }) => text === 'none')) {
    if (names.length > 1) reading.fail(node, `${what} has \`none\` beside tags`, 'Give it either tags or `none`.')
    return []
  }
  for (const { text, node: at } of names) {
    if (tags.has(text)) continue
    const meant = nearestName(text, tags.keys())
    const remedy =
      meant === null
        ? `Add it there with what is shown instead of a value: \`${text}: redact\`.`
        : `Did you mean \`${meant}\`? Otherwise add it there: \`${text}: redact\`.`
    reading.fail(at, `${what} names the tag \`${text}\`, which is not under \`tags\``, remedy)
  }
  return [...new Set(names.map(({ text }) => text))].toSorted()
}

function listAt(node: unknown, what: string, reading: Reading): readonly { text: string; node: unknown }[] {
  return isNothing(node) ? [] : reading.texts(node, what)
}

function nameAt(text: string, node: unknown, reading: Reading): QualifiedName | null {
  const name = parseQualifiedName(text)
  if (!isNameFault(name)) return name
  reading.fail(node, `\`${text}\` ${name.what}`, name.remedy)
  return null
}

/** Names of one part are taken as they are, so quotes of SQL around them would be part of the name. */
function isSingleName(text: string, node: unknown, reading: Reading): boolean {
  if (!/^".*"$/su.test(text)) return true
  reading.fail(node, `\`${text}\` is in quotes of SQL`, `Write it as it is, without them: ${text.slice(1, -1)}`)
  return false
}

function isNothing(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null)
}
