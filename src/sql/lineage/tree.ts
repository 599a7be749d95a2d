import { isFields, tagged } from '../parse-tree.ts'
import type { Fields } from '../parse-tree.ts'

/** A list of the tree, or none. */
export function listOf(node: unknown): readonly unknown[] {
  return Array.isArray(node) ? (node as readonly unknown[]) : []
}

/** The fields of a node of this tag, or null where it is another. */
export function fieldsOf(node: unknown, tag: string): Fields | null {
  const found = tagged(node)
  return found?.tag === tag && isFields(found.fields) ? found.fields : null
}

/** A text field, or null. */
export function stringOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** The name of an alias, or null. */
export function aliasOf(alias: unknown): string | null {
  return isFields(alias) ? stringOf(alias['aliasname']) : null
}

/** What `isFields` makes of anything. */
export function toFields(value: unknown): Fields {
  return isFields(value) ? value : {}
}
