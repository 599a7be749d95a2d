import { createHash } from 'node:crypto'
import { columnKey } from '../../core/catalog.ts'
import type { Catalog, CatalogCast, CatalogFunction, CatalogType, ColumnKey, Oid } from '../../core/catalog.ts'
import type { Classification } from '../../core/classification.ts'
import { noSources } from '../../core/lineage.ts'
import type { CreatedRelation, Sources } from '../../core/lineage.ts'
import type { RelationName } from '../../core/statement.ts'
import { typeCandidates } from '../catalog/resolve.ts'
import type { Fields, RawStatement } from '../parse-tree.ts'
import { textsOf } from '../parse-tree.ts'
import type { ParseOutcome } from '../parser.ts'
import { Trace, Untraceable } from './context.ts'
import { bodyStatements, traceStoredColumn } from './stored.ts'
import { only, union, unionAll } from './sources.ts'
import { listOf } from './tree.ts'
import { resultOfView } from './views.ts'

/** A table that a CREATE TABLE AS under way will make: its columns are there before a snapshot shows them. */
export type PendingRelation = CreatedRelation

/** What one column of a relation derives from. */
export interface ColumnSources {
  readonly sources: Sources
  readonly direct: ColumnKey | null
}

/** What a schema is made of. */
export interface SchemaParts {
  readonly catalog: Catalog
  readonly classification: Classification
  readonly pending: readonly PendingRelation[]
  /** PostgreSQL's parser, for what is stored as SQL text; a tracer brings its own. Without it views are unknown. */
  readonly parse?: (sql: string) => ParseOutcome
}

/** One catalog snapshot with its classification, and what follows from both, worked out when it is first asked for. */
export interface Schema {
  readonly catalog: Catalog
  readonly classification: Classification
  readonly pending: readonly PendingRelation[]
  /** The same for equal parts. */
  readonly key: string
  /** What a column derives from: of a table what is stored there, of a view what its query says. */
  sourcesOf(relation: Oid, column: number): ColumnSources
  /** All classified columns that its columns derive from. */
  touchedOf(relation: Oid): Sources
  /** Gives it a parser if it has none. */
  useParser(parse: (sql: string) => ParseOutcome): void
  /** The statements of a text, or null where it cannot be parsed. */
  parse(sql: string): readonly RawStatement[] | null
  /** What `make` gives, once; `meanwhile` is the answer to whoever asks while it is being made, and if that fails. */
  remember<T>(key: string, meanwhile: T, make: () => T): T
  /** The column itself if it is classified. */
  ownColumn(relation: Oid, column: number): ColumnSources
  /** What is stored in a column, its expression and inheritance taken into account. */
  storedSources(relation: Oid, column: number): ColumnSources
  /** Tables under way that a name may mean. */
  pendingNamed(name: RelationName): readonly PendingRelation[]
  /** The names of a composite type's fields, null for other types. */
  fieldsOfType(type: Oid): readonly string[] | null
  /** The type that a TypeName certainly means, or null. */
  typeNamed(typeName: Fields, searchPath: readonly string[] | null): CatalogType | null
  /** Casts to a type that run a function. */
  castsTo(type: Oid): readonly CatalogCast[]
  /** The statements of an SQL function, or null where they cannot be read. */
  bodyOf(called: CatalogFunction): readonly unknown[] | null
  /** Whether any function of this name gives rows. */
  returnsSet(name: string): boolean
  /** A column of a system catalog, if it is classified. */
  systemSources(relation: string, column: string): Sources
}

/** Binds a snapshot to its classification. Cheap; what it is asked is worked out once. */
export function createSchema(parts: SchemaParts): Schema {
  return new CatalogSchema(parts)
}

class CatalogSchema implements Schema {
  readonly catalog: Catalog
  readonly classification: Classification
  readonly pending: readonly PendingRelation[]
  readonly key: string
  readonly #memory = new Map<string, unknown>()
  #parse: ((sql: string) => ParseOutcome) | null

  constructor(parts: SchemaParts) {
    this.catalog = parts.catalog
    this.classification = parts.classification
    this.pending = parts.pending
    this.#parse = parts.parse ?? null
    this.key = `${parts.catalog.version}.${parts.classification.version}.${versionOf(parts.pending)}`
  }

  useParser(parse: (sql: string) => ParseOutcome): void {
    if (this.#parse !== null) return
    this.#parse = parse
    this.#memory.clear()
  }

  sourcesOf(relation: Oid, column: number): ColumnSources {
    const found = this.catalog.relation(relation)
    if (found === undefined) return unknownColumn
    if (found.definition === null) return this.storedSources(relation, column)
    const position = found.columns.findIndex((each) => each.number === column)
    const own = this.ownColumn(relation, column)
    const { result } = resultOfView(found, new Trace(this))
    const value = result.columns?.length === found.columns.length ? result.columns[position]?.value : undefined
    if (value === undefined) return { sources: 'unknown', direct: own.direct }
    return { sources: union(value.sources, own.sources), direct: own.direct ?? value.direct }
  }

  touchedOf(relation: Oid): Sources {
    return this.remember<Sources>(`touched ${relation}`, 'unknown', () => {
      const found = this.catalog.relation(relation)
      if (found === undefined) return 'unknown'
      const columns = unionAll(found.columns.map(({ number }) => this.sourcesOf(relation, number).sources))
      if (found.definition === null) return columns
      return union(columns, resultOfView(found, new Trace(this)).lineage.touched)
    })
  }

  parse(sql: string): readonly RawStatement[] | null {
    if (this.#parse === null || sql.includes('\0') || !sql.isWellFormed()) return null
    const outcome = this.#parse(sql)
    return outcome.state === 'parsed' ? outcome.statements : null
  }

  remember<T>(key: string, meanwhile: T, make: () => T): T {
    if (this.#memory.has(key)) return this.#memory.get(key) as T
    this.#memory.set(key, meanwhile)
    try {
      const made = make()
      this.#memory.set(key, made)
      return made
    } catch (fault) {
      // Another thread's stack may be deep enough for what overflowed here.
      if (!(fault instanceof Untraceable)) this.#memory.delete(key)
      else return meanwhile
      throw fault
    }
  }

  ownColumn(relation: Oid, column: number): ColumnSources {
    const key = columnKey(relation, column)
    return this.classification.columns.has(key) ? { sources: only(key), direct: key } : noColumn
  }

  storedSources(relation: Oid, column: number): ColumnSources {
    return this.remember<ColumnSources>(`stored ${relation}.${column}`, unknownColumn, () =>
      traceStoredColumn(relation, column, this),
    )
  }

  pendingNamed(name: RelationName): readonly PendingRelation[] {
    return this.pending.filter(
      (each) =>
        each.name === name.name && (each.schema === null || name.schema === null || each.schema === name.schema),
    )
  }

  fieldsOfType(type: Oid): readonly string[] | null {
    const found = this.catalog.type(type)
    if (found === undefined) return null
    if (found.kind === 'domain') return this.fieldsOfType(found.base)
    if (found.kind !== 'composite') return null
    return this.catalog.relation(found.relation)?.columns.map((column) => column.name) ?? null
  }

  typeNamed(typeName: Fields, searchPath: readonly string[] | null): CatalogType | null {
    const names = textsOf(typeName['names'])
    const name = names.at(-1)
    if (name === undefined) return null
    const found = typeCandidates(this.catalog, { schema: names.at(-2) ?? null, name }, searchPath)
    const builtin = names.length === 1 ? found.filter((each) => each.schema === 'pg_catalog') : []
    const [type, ...others] = builtin.length > 0 ? builtin : found
    if (type === undefined || others.length > 0) return null
    if (listOf(typeName['arrayBounds']).length === 0) return type
    return this.catalog.type(type.array) ?? null
  }

  castsTo(type: Oid): readonly CatalogCast[] {
    const all = this.remember('casts', new Map<Oid, CatalogCast[]>(), () => {
      const byTarget = new Map<Oid, CatalogCast[]>()
      for (const cast of this.catalog.data.casts) {
        if (cast.function !== 0) byTarget.set(cast.target, [...(byTarget.get(cast.target) ?? []), cast])
      }
      return byTarget
    })
    return all.get(type) ?? []
  }

  bodyOf(called: CatalogFunction): readonly unknown[] | null {
    return this.remember<readonly unknown[] | null>(`body ${called.oid}`, null, () => bodyStatements(called, this))
  }

  returnsSet(name: string): boolean {
    if (this.catalog.builtin(name)?.returnsSet === true) return true
    return this.catalog.functionsNamed(name).some((each) => each.returnsSet)
  }

  systemSources(relation: string, column: string): Sources {
    const found = this.catalog.relationsNamed(relation).find((each) => each.schema === 'pg_catalog')
    const number = found?.columns.find((each) => each.name === column)?.number
    return found === undefined || number === undefined ? noSources : this.ownColumn(found.oid, number).sources
  }
}

const noColumn: ColumnSources = { sources: noSources, direct: null }
const unknownColumn: ColumnSources = { sources: 'unknown', direct: null }

function versionOf(pending: readonly PendingRelation[]): string {
  if (pending.length === 0) return '0'
  const plain = JSON.stringify(pending, (_name, value: unknown) =>
    value instanceof Set
      ? [...(value as ReadonlySet<string>)].toSorted((left, right) => (left < right ? -1 : 1))
      : value,
  )
  return createHash('sha256').update(plain).digest('base64url').slice(0, 22)
}
