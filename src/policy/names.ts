/**
 * The ids of entities in policies. A relation is `database.schema.relation` with the names as PostgreSQL stores them; a
 * name that holds anything but letters, digits, `_`, `$` and `-` is written in double quotes, as in `shop."a.b".orders`.
 * The quotes keep the ids apart: without them `shop."a.b".c` and `shop.a."b.c"` would be one.
 */

/** Stands for a name that no policy mentions; it cannot be written as a name without quotes, so nothing collides with it. */
export const unmentioned = '?'

const plainName = /^[\p{L}\p{N}_$-]+$/u

/** The id of the Schema entity. */
export function schemaId(database: string, schema: string): string {
  return `${quoteName(database)}.${quoteName(schema)}`
}

/** The id of the Relation entity. */
export function relationId(database: string, schema: string, relation: string): string {
  return `${schemaId(database, schema)}.${quoteName(relation)}`
}

/** The id of the Column entity. */
export function columnId(database: string, schema: string, relation: string, column: string): string {
  return `${relationId(database, schema, relation)}.${quoteName(column)}`
}

/** One name as it stands in an id: bare where that is unambiguous, quoted as in SQL otherwise. */
export function quoteName(name: string): string {
  return plainName.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

/** The names in an id, or null where it is not written in the one way that matches (see the top of this file). */
export function parseId(id: string): readonly string[] | null {
  const names: string[] = []
  const part = /(?:"((?:[^"]|"")+)"|([^."]+))(?:\.|$)/uy
  while (part.lastIndex < id.length) {
    const match = part.exec(id)
    if (match === null) return null
    names.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
    if (part.lastIndex === id.length && id.endsWith('.') && !match[0].endsWith('"')) return null
  }
  return names.length > 0 && names.map(quoteName).join('.') === id ? names : null
}
