/*
 * The catalog snapshot: what PostgreSQL's system catalogs say of one database, as plain data. `sql/catalog` reads it;
 * lineage, classification and masking read nothing else of the database.
 */

/** A relation's or type's oid. Unique in its own catalog only. */
export type Oid = number

/** One attribute of one relation, by oid and attribute number, so that a renamed column stays the same: `16384.2`. */
export type ColumnKey = `${number}.${number}`

/** The key of an attribute. */
export function columnKey(relation: Oid, column: number): ColumnKey {
  return `${relation}.${column}`
}

/** The parts of a key. */
export function partsOfColumnKey(key: ColumnKey): { readonly relation: Oid; readonly column: number } {
  const dot = key.indexOf('.')
  return { relation: Number(key.slice(0, dot)), column: Number(key.slice(dot + 1)) }
}

/** A column that exists; dropped ones are left out. System columns (`ctid`, ...) are not listed. */
export interface CatalogColumn {
  /** The attribute number, 1 or more; with gaps where columns were dropped. */
  readonly number: number
  readonly name: string
  readonly type: Oid
  /** The type's modifier, such as the length of varchar plus 4; -1 where there is none. */
  readonly typeModifier: number
  readonly isNotNull: boolean
  /** Whether UPDATE and INSERT are refused, because it is computed from `expression`. */
  readonly isGenerated: boolean
  /** The default, or of a generated column the expression, as SQL text; null where there is none. */
  readonly expression: string | null
  readonly comment: string | null
}

/** `table`, `partitioned` and `foreign` hold rows of their own; `index` is not listed. */
export type RelationKind = 'table' | 'partitioned' | 'view' | 'materialized' | 'foreign' | 'sequence' | 'composite'

/** A trigger that somebody defined, and what it is called with. */
export interface CatalogTrigger {
  readonly name: string
  readonly function: Oid
  /** Arguments of CREATE TRIGGER, as the trigger function gets them. */
  readonly arguments: readonly string[]
  /** Whether it fires before the row is stored, so that it can change it (BEFORE ... FOR EACH ROW, INSTEAD OF). */
  readonly isBefore: boolean
  /** What REFERENCING calls the table of the rows as they were and as they will be; null where it names none. */
  readonly oldTable: string | null
  readonly newTable: string | null
}

/** Which columns refer to which columns of another relation. */
export interface CatalogForeignKey {
  readonly columns: readonly number[]
  readonly referenced: Oid
  /** Attribute numbers of `referenced`, in the order of `columns`. */
  readonly referencedColumns: readonly number[]
}

/** A relation with its columns and what decides what is in them. */
export interface CatalogRelation {
  readonly oid: Oid
  readonly schema: string
  readonly name: string
  readonly kind: RelationKind
  /** The composite type of its rows. */
  readonly rowType: Oid
  /** Whether it is in some session's temporary schema; `schema` is then `pg_temp_N`. */
  readonly isTemporary: boolean
  /** In the order of `SELECT *`. */
  readonly columns: readonly CatalogColumn[]
  /** The query of a view or materialised view, as pg_get_viewdef prints it (all names as the catalog sees them); else null. */
  readonly definition: string | null
  /** What it inherits from or is a partition of. */
  readonly parents: readonly Oid[]
  /** User-defined triggers; those of foreign keys are left out. */
  readonly triggers: readonly CatalogTrigger[]
  readonly foreignKeys: readonly CatalogForeignKey[]
  /** Whether it has a rule other than a view's own SELECT rule, so that a write may do something else instead. */
  readonly hasRules: boolean
  /** Those rules, as pg_get_ruledef prints them; one that could not be read is an empty text. */
  readonly rules: readonly string[]
  readonly comment: string | null
}

/** pg_type.typtype in words. */
export type TypeKind = 'base' | 'composite' | 'domain' | 'enum' | 'range' | 'multirange' | 'pseudo'

/** A type and what it is made of. */
export interface CatalogType {
  readonly oid: Oid
  readonly schema: string
  readonly name: string
  readonly kind: TypeKind
  /** pg_type.typcategory, such as `S` for strings and `N` for numbers. */
  readonly category: string
  /** The element type if this is a true array type (category `A`), else 0. */
  readonly element: Oid
  /** The array type whose element this is, or 0. */
  readonly array: Oid
  /** What a domain is over, what a range ranges over, what a multirange holds; else 0. */
  readonly base: Oid
  /** pg_type.typtypmod of a domain: the modifier that it gives its base type; -1 otherwise. */
  readonly typeModifier: number
  /** The relation whose rows a composite type describes, or 0. */
  readonly relation: Oid
  /** Labels of an enum in order. */
  readonly labels: readonly string[]
  /** Whether it is a domain with NOT NULL or CHECK constraints. */
  readonly isConstrained: boolean
}

/** A function that is not PostgreSQL's own. */
export interface CatalogFunction {
  readonly oid: Oid
  readonly schema: string
  readonly name: string
  readonly kind: 'function' | 'procedure' | 'aggregate' | 'window'
  /** pg_language.lanname, such as `sql`, `plpgsql`, `c`. */
  readonly language: string
  readonly volatility: 'immutable' | 'stable' | 'volatile'
  readonly returnsSet: boolean
  readonly returnType: Oid
  /** Types, names and modes of all parameters, those of TABLE and OUT included. Names may be empty. */
  readonly parameters: readonly CatalogParameter[]
  /** How many of the input parameters have defaults: the last ones. */
  readonly defaultCount: number
  /** The body: prosrc, or of `BEGIN ATOMIC` and `RETURN` pg_get_function_sqlbody; null for C and internal. */
  readonly body: string | null
  /** Whether `body` is the standard's form, already parsed by PostgreSQL when it was created. */
  readonly isStandardBody: boolean
  /** Whether an extension owns it. */
  readonly isFromExtension: boolean
  /** The search path that it sets for itself, or null where it runs under its caller's. */
  readonly searchPath: readonly string[] | null
}

/** A parameter of a function, or a column that it returns. */
export interface CatalogParameter {
  readonly name: string
  readonly type: Oid
  readonly mode: 'in' | 'out' | 'inout' | 'variadic' | 'table'
}

/** An operator that is not PostgreSQL's own. */
export interface CatalogOperator {
  readonly schema: string
  readonly name: string
  readonly function: Oid
  /** 0 for a prefix operator. */
  readonly leftType: Oid
  readonly rightType: Oid
}

/** A cast that is not PostgreSQL's own; `function` is 0 where it needs none. */
export interface CatalogCast {
  readonly source: Oid
  readonly target: Oid
  readonly function: Oid
}

/** A function of PostgreSQL's own, all of one name taken together: the worst of them counts. */
export interface BuiltinFunction {
  readonly name: string
  readonly volatility: 'immutable' | 'stable' | 'volatile'
  readonly isAggregate: boolean
  readonly isWindow: boolean
  readonly returnsSet: boolean
  /** The result type if all of that name have the same and it is no pseudo-type, else 0. */
  readonly returnType: Oid
  /** Names of OUT and TABLE parameters if all of that name have the same, else empty. */
  readonly outputs: readonly string[]
}

/** All of it, as plain data that can be passed to a worker. */
export interface CatalogData {
  /** server_version_num, such as 180004. */
  readonly serverVersion: number
  readonly schemas: readonly string[]
  /** Names of indexes and constraints, which error texts show. */
  readonly constraintNames: readonly string[]
  /** System catalogs, their views and information_schema included. */
  readonly relations: readonly CatalogRelation[]
  readonly types: readonly CatalogType[]
  readonly functions: readonly CatalogFunction[]
  readonly operators: readonly CatalogOperator[]
  readonly casts: readonly CatalogCast[]
  readonly builtins: readonly BuiltinFunction[]
}

/** A catalog snapshot with its indexes. Immutable; a refresh makes another one. */
export interface Catalog {
  readonly data: CatalogData
  /** Grows with every change that was seen; two snapshots that are equal have the same. */
  readonly version: number
  relation(oid: Oid): CatalogRelation | undefined
  /** Relations of this name in all schemas. */
  relationsNamed(name: string): readonly CatalogRelation[]
  /** Direct children by inheritance or partitioning. */
  childrenOf(oid: Oid): readonly CatalogRelation[]
  type(oid: Oid): CatalogType | undefined
  typesNamed(name: string): readonly CatalogType[]
  function(oid: Oid): CatalogFunction | undefined
  functionsNamed(name: string): readonly CatalogFunction[]
  operatorsNamed(name: string): readonly CatalogOperator[]
  builtin(name: string): BuiltinFunction | undefined
}
