import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ColumnKey, Oid } from '../core/catalog.ts'
import type { Tag } from '../core/classification.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { formatMemory, parseMemory } from './memory-text.ts'

/** A column by its names, at some time. */
export interface ColumnName {
  readonly schema: string
  readonly relation: string
  readonly column: string
}

/** A relation by its names, at some time. */
export interface RelationNames {
  readonly schema: string
  readonly relation: string
}

/** Tags that a column has because its values came from elsewhere. */
export interface DerivedTags {
  readonly tags: readonly Tag[]
  /** Whose tags it takes over as long as all of them exist; empty where `tags` hold for good. */
  readonly from: readonly ColumnKey[]
  /** Whether the values were worked out of those there: a masking function that shows a part would show any part. */
  readonly isExpression?: boolean
}

/** What is known of an attribute that carries tags, whatever it is called now. */
export interface RememberedColumn {
  /** The row type of its relation, since an oid alone may come back; 0 until the catalog showed it. */
  readonly rowType: Oid
  /** What it was called when the catalog was last read; null until the catalog showed it. */
  readonly seenAs: ColumnName | null
  /** The names under which the file gave it tags. */
  readonly names: readonly ColumnName[]
  /** What its comment said, and what it was called then. */
  readonly commented: { readonly tags: readonly Tag[]; readonly as: ColumnName } | null
  readonly derived: readonly DerivedTags[]
  /** In how many snapshots in a row it was missing. */
  readonly absences: number
}

/** What is known of a relation that the file names, whatever it is called now. */
export interface RememberedRelation {
  readonly rowType: Oid
  readonly seenAs: RelationNames
  /** The names under which the file speaks of it. */
  readonly names: readonly RelationNames[]
  readonly absences: number
}

/** What was resolved before in one database: tags follow the attribute, not the name. Plain data, never changed. */
export interface ClassificationMemory {
  /** Tells the database from another that has its place, with other oids; null until somebody says. */
  readonly identity: string | null
  readonly columns: ReadonlyMap<ColumnKey, RememberedColumn>
  readonly relations: ReadonlyMap<Oid, RememberedRelation>
}

/** Nothing was resolved before. */
export const emptyMemory: ClassificationMemory = { identity: null, columns: new Map(), relations: new Map() }

/**
 * The query for a database's identity, one text: the cluster and the database in it. Every role may run it. A restored
 * dump has another one, and its oids mean nothing there.
 */
export const identityQuery =
  "SELECT c.system_identifier::text || '/' || d.oid::text FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()"

/**
 * Adds tags to a column because of where its values came from, as CREATE TABLE AS makes one. They stay until the
 * attribute is gone, or until all of `from` exist and carry no tags any more.
 */
export function addDerived(memory: ClassificationMemory, key: ColumnKey, derived: DerivedTags): ClassificationMemory {
  const before = memory.columns.get(key)
  const column: RememberedColumn = before ?? {
    rowType: 0,
    seenAs: null,
    names: [],
    commented: null,
    derived: [],
    absences: 0,
  }
  const columns = new Map(memory.columns)
  columns.set(key, { ...column, derived: mergeDerived([...column.derived, derived]) })
  return { ...memory, columns }
}

/** Joins entries that have the same origin. */
export function mergeDerived(all: readonly DerivedTags[]): readonly DerivedTags[] {
  const merged = new Map<string, DerivedTags>()
  for (const { tags, from, isExpression } of all) {
    const sorted = [...new Set(from)].toSorted()
    const key = sorted.join(' ')
    const known = merged.get(key)
    merged.set(key, {
      tags: [...new Set([...(known?.tags ?? []), ...tags])].toSorted(),
      from: sorted,
      ...(isExpression === true || known?.isExpression === true ? { isExpression: true } : {}),
    })
  }
  return [...merged.values()]
}

/**
 * Reads what is remembered of `database` in `folder`; empty where nothing was saved yet. Throws `classification_invalid`
 * where the file is there and cannot be used: to go on without it could show what a renamed column held.
 */
export function loadMemory(folder: string, database: string): ClassificationMemory {
  const file = memoryFileOf(folder, database)
  let text: string
  try {
    const { size } = statSync(file)
    if (size > limits.classificationMemoryBytesMax) throw new Error(`it is larger than any that Postern writes`)
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return emptyMemory
    throw unusable(file, error)
  }
  try {
    return parseMemory(text)
  } catch (error) {
    throw unusable(file, error)
  }
}

/**
 * Writes what is to be remembered, all or nothing, and waits for the disk. Leaves the file alone where it says the same
 * already. Throws `classification_invalid`.
 */
export function saveMemory(folder: string, database: string, memory: ClassificationMemory): void {
  const file = memoryFileOf(folder, database)
  const text = formatMemory(memory)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (statSync(file, { throwIfNoEntry: false }) !== undefined && readFileSync(file, 'utf8') === text) return
    if (Buffer.byteLength(text) > limits.classificationMemoryBytesMax) throw new Error('there is too much to remember')
    const temporary = `${file}.${String(process.pid)}.tmp`
    writeDurably(temporary, text)
    renameSync(temporary, file)
    const directory = openSync(folder, 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PosternError('classification_invalid', `what is classified cannot be remembered in ${file}: ${why}`, {
      cause: error,
      hint: 'Give the folder `masking.state` to the account that runs the gateway, and make room on its disk.',
    })
  }
}

/** The file of one database. Names that are no plain file names get a digest, so that two never share a file. */
export function memoryFileOf(folder: string, database: string): string {
  const isPlain = /^[a-z0-9_-]{1,63}$/u.test(database)
  const digest = createHash('sha256').update(database).digest('hex').slice(0, 32)
  return join(folder, isPlain ? `${database}.json` : `.${digest}.json`)
}

function writeDurably(file: string, text: string): void {
  const descriptor = openSync(file, 'w', 0o600)
  try {
    writeFileSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function unusable(file: string, error: unknown): PosternError {
  const why = error instanceof Error ? error.message : String(error)
  return new PosternError('classification_invalid', `what was classified before cannot be read from ${file}: ${why}`, {
    cause: error,
    hint: 'Restore the file from a backup. Without it renamed columns and copied tables would lose their tags; if there are none, move it away.',
  })
}
