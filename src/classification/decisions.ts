import type { Tag } from '../core/classification.ts'
import type { ClassificationFile } from './file.ts'
import { formatQualifiedName } from './identifiers.ts'
import type { ColumnName, RelationNames } from './memory.ts'

/** What the file says of a column by one of its names, and where. No tags: it was reviewed and carries nothing. */
export interface FileDecision {
  readonly tags: readonly Tag[]
  readonly origin: 'file' | 'table' | 'schema'
}

/** The column's own entry, else the default of its table, else that of its schema; null where there is none of them. */
export function decisionOf(file: ClassificationFile, name: ColumnName): FileDecision | null {
  const relation = fileKeyOf(name)
  const own = file.columns.get(relation)?.get(name.column)
  if (own !== undefined) return { tags: own, origin: 'file' }
  const table = file.tables.get(relation)
  if (table !== undefined) return { tags: table, origin: 'table' }
  const schema = file.schemas.get(name.schema)
  return schema === undefined ? null : { tags: schema, origin: 'schema' }
}

/** Whether the file says anything of columns of a relation of this name. */
export function isSpokenOf(file: ClassificationFile, name: RelationNames): boolean {
  const relation = fileKeyOf(name)
  return file.columns.has(relation) || file.tables.has(relation) || file.schemas.has(name.schema)
}

/** A relation's name as the file's maps have it. */
export function fileKeyOf({ schema, relation }: RelationNames): string {
  return formatQualifiedName({ schema, name: relation })
}
