import type { CatalogRelation, ColumnKey, Oid } from '../../core/catalog.ts'
import { noSources } from '../../core/lineage.ts'
import type {
  ClassifiedWrite,
  CopyFormat,
  CreatedRelation,
  Hazard,
  Sources,
  StatementLineage,
} from '../../core/lineage.ts'
import { RangeTable } from './range-table.ts'
import type { Entry, EntryColumn, Level, Unit } from './range-table.ts'
import type { Schema } from './schema.ts'
import { isNone, union } from './sources.ts'
import { noReferences, unknownValue } from './value.ts'
import type { Field, References, Value } from './value.ts'

/** What a name can mean at a point of a query: its own FROM, its WITH, and all around it. */
export interface Scope {
  readonly outer: Scope | null
  /** Null where the scope only brings common table expressions or parameters. */
  readonly level: Level | null
  readonly items: Item[]
  readonly queries: ReadonlyMap<string, CommonTable>
  readonly searchPath: readonly string[] | null
  /** The arguments of the SQL function whose body this is, by number from 0. */
  readonly parameters: readonly Value[] | null
  /** Named windows. */
  readonly windows: ReadonlyMap<string, unknown>
}

/** One item of FROM: what can be named by qualifier, and its columns in the order of `*`. */
export interface Item {
  readonly entries: readonly Entry[]
  readonly columns: readonly EntryColumn[]
  /** Set where the columns are not all of it, or their number is not certain. */
  readonly rest: Value | null
  /** Whether every name that a column may have is listed all the same. */
  readonly areNamesKnown?: boolean
}

/** What a query gives. */
export interface QueryResult {
  /** Null where not even their number could be told. */
  readonly columns: readonly Field[] | null
  /** What any column may derive from where `columns` is null. */
  readonly any: Value
  readonly rowHints: Sources
  readonly rowSources: Sources
  /** What comparisons inside of it gave away to rows around it. */
  readonly outerTaint: Sources
  /** What its conditions point to around it. */
  readonly references: References
}

/** A query of a WITH. */
export interface CommonTable {
  readonly result: QueryResult
}

/** A query that could not be made out. */
export const unknownResult: QueryResult = {
  columns: null,
  any: unknownValue,
  rowHints: 'unknown',
  rowSources: 'unknown',
  outerTaint: noSources,
  references: noReferences,
}

/** Nodes of one statement, those of views and functions that it sees through included. Past this it is unknown. */
const nodesMax = 400_000

/** Answers of one bit each that one statement may give; more of them spell a value. */
const questionsMax = 32

/** The statement cannot be traced, for a reason that completes "refused, because it ...". */
export class Untraceable extends Error {}

/** Is told of every value that is written; `relation` is null where the snapshot does not have it. */
export interface WriteObserver {
  assigned(relation: CatalogRelation | null, column: string, value: Value): void
}

/** Collects what one statement does while its tree is traced. */
export class Trace {
  readonly schema: Schema
  readonly table = new RangeTable()
  readonly hazards = new Map<string, Hazard>()
  readonly writes: ClassifiedWrite[] = []
  readonly missing = new Set<string>()
  predicates: Sources = noSources
  touched: Sources = noSources
  creates: CreatedRelation | null = null
  changesCatalog = false
  /** Set where what is written counts, and not who may write it. */
  observer: WriteObserver | null = null
  copyIn: StatementLineage['copyIn'] = null
  copyOut: CopyFormat | null = null
  /** What calls give that the planner may work out, so that a plan shows it. */
  folded: Sources = noSources
  /** SQL functions and views that are being seen through, so that one that reaches itself is noticed. */
  readonly under = new Set<string>()
  /** Conditions that are one bit about an entry's rows, and the only one of theirs; see `transfer.ts`. */
  readonly oneBitUnits = new Map<Entry, Unit>()
  /** Conditions on a column on which there are others of the kind. */
  readonly repeatedUnits = new Set<Unit>()
  /** Subqueries in place of a value that give something else than classified columns as they are. */
  readonly partialSubqueries = new WeakSet<object>()
  /** Conditions on what is classified, each of which is answered once for every row. */
  readonly questions = new Set<unknown>()
  /** Functions that it calls and that keep something where another statement finds it. */
  readonly keepers = new Set<string>()
  /** What is worked out anywhere in it from more than given values, be it shown or not. */
  derived: Sources = noSources
  /** Classified columns that decide how many rows parts of it have. */
  counted: Sources = noSources
  /** How often something was called that gives another value each time. */
  volatileCalls = 0
  /** Of subqueries in place of a value, the name of their first column. */
  readonly subqueryNames = new WeakMap<object, string>()
  #nodes = 0

  constructor(schema: Schema) {
    this.schema = schema
  }

  /** Counts work; throws where there is too much of it. */
  visit(nodes = 1): void {
    this.#nodes += nodes
    if (this.#nodes > nodesMax) throw new Untraceable('is too large to be traced')
  }

  /** Whether its answers of one bit each are more than that together. */
  get asksTooMuch(): boolean {
    return this.questions.size > questionsMax
  }

  /** Notes why only those may run it who may unmask these columns. */
  hazard(reason: string, columns: Sources, unlessMasked?: ColumnKey): void {
    if (isNone(columns)) return
    const known = this.hazards.get(reason)
    const all = known === undefined ? columns : union(known.columns, columns)
    this.hazards.set(reason, { reason, columns: all, ...(unlessMasked === undefined ? {} : { unlessMasked }) })
  }

  /** Notes a condition's columns. */
  addPredicates(sources: Sources): void {
    this.predicates = union(this.predicates, sources)
  }

  /** Notes a relation that is named. */
  touch(relation: CatalogRelation): void {
    this.touched = union(this.touched, this.schema.touchedOf(relation.oid))
  }

  /** How a relation is called in messages. */
  nameOf(oid: Oid): string {
    const relation = this.schema.catalog.relation(oid)
    return relation === undefined ? 'a relation' : `${relation.schema}.${relation.name}`
  }
}

/** The scope of a statement, a view or a function's body, with nothing in it. */
export function rootScope(
  searchPath: readonly string[] | null,
  parameters: { readonly values: readonly Value[]; readonly items: readonly Item[] } | null = null,
): Scope {
  return {
    outer: null,
    level: null,
    items: [...(parameters?.items ?? [])],
    queries: new Map(),
    searchPath,
    parameters: parameters?.values ?? null,
    windows: new Map(),
  }
}

/** A scope inside of another; unless told otherwise it has nothing of its own. */
export function innerScope(outer: Scope, own: Partial<Scope>): Scope {
  return {
    outer,
    level: null,
    items: [],
    queries: new Map(),
    searchPath: outer.searchPath,
    parameters: outer.parameters,
    windows: new Map(),
    ...own,
  }
}

/** The query of this name in the nearest WITH around. */
export function findQuery(name: string, scope: Scope): CommonTable | null {
  for (let each: Scope | null = scope; each !== null; each = each.outer) {
    const found = each.queries.get(name)
    if (found !== undefined) return found
  }
  return null
}

/** The nearest query level around. */
export function levelOf(scope: Scope): Level | null {
  for (let each: Scope | null = scope; each !== null; each = each.outer) if (each.level !== null) return each.level
  return null
}

/** The definition of the nearest window of this name. */
export function findWindow(name: string, scope: Scope): unknown {
  for (let each: Scope | null = scope; each !== null; each = each.outer) {
    if (each.windows.has(name)) return each.windows.get(name)
  }
  return undefined
}
