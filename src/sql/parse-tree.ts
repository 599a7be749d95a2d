import type { Node, RawStmt } from '@pgsql/types'

/** One statement of a text as PostgreSQL's grammar sees it; locations are byte offsets into the UTF-8 text. */
export type RawStatement = RawStmt

/** Every tag that a node of the parse tree can have. */
type NodeTag = Node extends infer Each ? (Each extends Each ? keyof Each : never) : never

/** The fields of the node that has this tag. */
export type NodeOf<Tag extends NodeTag> = Node extends infer Each
  ? Each extends { [key in Tag]: infer Fields }
    ? Fields
    : never
  : never

/** The tags of all nodes that PostgreSQL calls a statement. */
export type StatementTag = Extract<NodeTag, `${string}Stmt`>

/** A node or a group of fields whose shape is not known; the generic walk sees the whole tree like this. */
export type Fields = Readonly<Record<string, unknown>>

/** Whether this is an object of the tree rather than a list or a scalar. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Node tags begin with a capital, field names never do: that is how the JSON form tells them apart. */
export function isTag(key: string): boolean {
  const code = key.charCodeAt(0)
  return code >= 65 && code <= 90
}

/** The tag and fields of a tagged node, or null where it is none. */
export function tagged(node: unknown): { readonly tag: string; readonly fields: unknown } | null {
  if (!isFields(node)) return null
  for (const key in node) return isTag(key) ? { tag: key, fields: node[key] } : null
  return null
}

/** The text of a `String` node, or null. */
function textOf(node: unknown): string | null {
  const found = tagged(node)
  if (found?.tag !== 'String' || !isFields(found.fields)) return null
  // The parser leaves out what is empty.
  const text = found.fields['sval'] ?? ''
  return typeof text === 'string' ? text : null
}

/** The texts of a list of `String` nodes (a qualified name); other nodes in it are left out. */
export function textsOf(list: unknown): string[] {
  if (!Array.isArray(list)) return []
  return list.map((node: unknown) => textOf(node)).filter((text) => text !== null)
}

/** The names of an object as DROP and COMMENT hold them: a `List` of `String`s or a single `String`. */
export function namesOf(object: unknown): string[] {
  const found = tagged(object)
  if (found?.tag === 'List' && isFields(found.fields)) return textsOf(found.fields['items'])
  const text = textOf(object)
  return text === null ? [] : [text]
}
