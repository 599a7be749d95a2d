import type {
  CatalogCast,
  CatalogColumn,
  CatalogData,
  CatalogForeignKey,
  CatalogOperator,
  CatalogRelation,
  CatalogTrigger,
  CatalogType,
  Oid,
  RelationKind,
  TypeKind,
} from '../../core/catalog.ts'
import { PosternError } from '../../core/errors.ts'
import { firstUserOid, resultNames } from './queries.ts'
import type { DefinitionKind, ResultName } from './queries.ts'
import { readBuiltins, readFunctions } from './read-functions.ts'
import { RowReader } from './row-reader.ts'
import type { Rows } from './row-reader.ts'

/** What initdb made, which is the same in every snapshot of one server until its fingerprint changes. */
export interface SystemCatalog {
  readonly serverVersion: number
  readonly fingerprint: string
  readonly data: Pick<CatalogData, 'relations' | 'types' | 'functions' | 'builtins'>
}

/** A snapshot as read, and its system part for the next time. */
export interface CatalogReading {
  readonly data: CatalogData
  readonly system: SystemCatalog
  /**
   * Whether the transaction looks at an older state than PostgreSQL's parser does (REPEATABLE READ and above), so that
   * changes which others have committed since are missing in part.
   */
  readonly isPinned: boolean
}

/**
 * Puts the results of the catalog queries together; `known` is the system part that the queries left out, or null. What
 * refers to objects that are not there (queries of one transaction may see different states) is left out. Throws
 * `backend_unavailable` where the results are not those of the queries, or the known system part is out of date.
 */
export function readResults(results: readonly Rows[], known: SystemCatalog | null): CatalogReading {
  const names = resultNames.filter((name) => known === null || name !== 'builtins')
  if (results.length !== names.length) throw unusable(`${results.length} results came where ${names.length} belong`)
  const rowsOf = new Map<ResultName, Rows>(names.map((name, i) => [name, results[i] ?? []]))
  const rows = (name: ResultName): RowReader => new RowReader(name, rowsOf.get(name) ?? [])

  const facts = rows('facts')
  if (!facts.next()) throw unusable('the facts are not there')
  const serverVersion = facts.number()
  const isPinned = facts.boolean()
  const fingerprint = facts.text()
  if (facts.next()) throw unusable('the facts are there twice')
  if (known !== null && (known.serverVersion !== serverVersion || known.fingerprint !== fingerprint)) {
    throw new SystemCatalogChanged()
  }

  const definitions = readDefinitions(rows('definitions'))
  const data: CatalogData = {
    serverVersion,
    schemas: readNames(rows('schemas')),
    constraintNames: readNames(rows('constraintNames')),
    relations: [...(known?.data.relations ?? []), ...readRelations(rows, definitions)],
    types: withInheritedConstraints([...(known?.data.types ?? []), ...readTypes(rows('types'), rows('labels'))]),
    functions: [...(known?.data.functions ?? []), ...readFunctions(rows('functions'), definitions.function)],
    operators: readOperators(rows('operators')),
    casts: readCasts(rows('casts')),
    builtins: known?.data.builtins ?? readBuiltins(rows('builtins')),
  }
  return { data, isPinned, system: known ?? { serverVersion, fingerprint, data: systemPart(data) } }
}

/** The known system part is not that of the server any more: read again without it. */
export class SystemCatalogChanged extends PosternError {
  constructor() {
    super('backend_unavailable', 'the system catalog has changed since it was read')
  }
}

function unusable(reason: string): PosternError {
  return new PosternError('backend_unavailable', `the catalog could not be read: ${reason}`)
}

function systemPart(data: CatalogData): SystemCatalog['data'] {
  const isSystem = ({ oid }: { readonly oid: Oid }): boolean => oid < firstUserOid
  return {
    relations: data.relations.filter(isSystem),
    types: data.types.filter(isSystem),
    functions: data.functions.filter(isSystem),
    builtins: data.builtins,
  }
}

function readNames(rows: RowReader): string[] {
  const names: string[] = []
  while (rows.next()) names.push(rows.text())
  return names
}

const relationKinds: ReadonlyMap<string, RelationKind> = new Map([
  ['r', 'table'],
  ['p', 'partitioned'],
  ['v', 'view'],
  ['m', 'materialized'],
  ['f', 'foreign'],
  ['S', 'sequence'],
  ['c', 'composite'],
])

function readDefinitions(row: RowReader): Record<DefinitionKind, Map<Oid, string | null>> {
  const texts = (): Map<Oid, string | null> => new Map()
  const definitions = { view: texts(), rule: texts(), function: texts() }
  while (row.next()) definitions[row.oneOf(definitionKinds)].set(row.number(), row.textOrNull())
  return definitions
}

const definitionKinds: ReadonlyMap<string, DefinitionKind> = new Map([
  ['view', 'view'],
  ['rule', 'rule'],
  ['function', 'function'],
])

function readRelations(
  rows: (name: ResultName) => RowReader,
  definitions: Readonly<Record<DefinitionKind, ReadonlyMap<Oid, string | null>>>,
): CatalogRelation[] {
  const columns = readColumns(rows('columns'))
  const parents = groups<Oid>(rows('parents'), (row) => row.number())
  const triggers = groups(rows('triggers'), readTrigger)
  const rules = groups<Oid>(rows('rules'), (row) => row.number())
  const foreignKeys = groups(rows('foreignKeys'), readForeignKey)
  const relations: CatalogRelation[] = []
  const row = rows('relations')
  while (row.next()) {
    const oid = row.number()
    const schema = row.text()
    relations.push({
      oid,
      schema,
      name: row.text(),
      kind: row.oneOf(relationKinds),
      rowType: row.number(),
      isTemporary: isTemporarySchema(schema),
      columns: columns.get(oid) ?? [],
      definition: definitions.view.get(oid) ?? null,
      parents: parents.get(oid) ?? [],
      triggers: triggers.get(oid) ?? [],
      foreignKeys: foreignKeys.get(oid) ?? [],
      hasRules: row.boolean(),
      rules: rules.get(oid)?.map((rule) => definitions.rule.get(rule) ?? '') ?? [],
      comment: row.textOrNull(),
    })
  }
  return relations
}

/** Whether a schema is some session's temporary one; nobody can make others whose names begin with `pg_`. */
export function isTemporarySchema(schema: string): boolean {
  return schema.startsWith('pg_temp_')
}

function readColumns(rows: RowReader): Map<Oid, CatalogColumn[]> {
  return groups(rows, (row) => ({
    number: row.number(),
    name: row.text(),
    type: row.number(),
    typeModifier: row.number(),
    isNotNull: row.boolean(),
    isGenerated: row.boolean(),
    expression: row.textOrNull(),
    comment: row.textOrNull(),
  }))
}

function readTrigger(row: RowReader): CatalogTrigger {
  return {
    name: row.text(),
    function: row.number(),
    arguments: triggerArguments(row.text()),
    isBefore: row.boolean(),
    oldTable: row.textOrNull(),
    newTable: row.textOrNull(),
  }
}

/** pg_trigger.tgargs: each argument with a NUL behind it. */
function triggerArguments(hex: string): string[] {
  return Buffer.from(hex, 'hex').toString('utf8').split('\0').slice(0, -1)
}

function readForeignKey(row: RowReader): CatalogForeignKey {
  return { referenced: row.number(), columns: row.numbers(), referencedColumns: row.numbers() }
}

const typeKinds: ReadonlyMap<string, TypeKind> = new Map([
  ['b', 'base'],
  ['c', 'composite'],
  ['d', 'domain'],
  ['e', 'enum'],
  ['r', 'range'],
  ['m', 'multirange'],
  ['p', 'pseudo'],
])

function readTypes(row: RowReader, labelRows: RowReader): CatalogType[] {
  const labels = groups(labelRows, (label) => label.text())
  const types: CatalogType[] = []
  while (row.next()) {
    const oid = row.number()
    types.push({
      oid,
      schema: row.text(),
      name: row.text(),
      kind: row.oneOf(typeKinds),
      category: row.text(),
      element: row.number(),
      array: row.number(),
      base: row.number(),
      typeModifier: row.number(),
      relation: row.number(),
      labels: labels.get(oid) ?? [],
      isConstrained: row.boolean(),
    })
  }
  return types
}

/** A domain over a domain has that one's constraints too. */
function withInheritedConstraints(types: CatalogType[]): CatalogType[] {
  const byOid = new Map(types.map((type) => [type.oid, type]))
  const isConstrained = ({ isConstrained: isSo, kind, base }: CatalogType): boolean => {
    const below = kind === 'domain' ? byOid.get(base) : undefined
    return isSo || (below !== undefined && isConstrained(below))
  }
  return types.map((type) => (type.isConstrained === isConstrained(type) ? type : { ...type, isConstrained: true }))
}

function readOperators(row: RowReader): CatalogOperator[] {
  const operators: CatalogOperator[] = []
  while (row.next()) {
    operators.push({
      schema: row.text(),
      name: row.text(),
      function: row.number(),
      leftType: row.number(),
      rightType: row.number(),
    })
  }
  return operators
}

function readCasts(row: RowReader): CatalogCast[] {
  const casts: CatalogCast[] = []
  while (row.next()) casts.push({ source: row.number(), target: row.number(), function: row.number() })
  return casts
}

/** The rows by their first column, an oid. */
function groups<T>(row: RowReader, read: (row: RowReader) => T): Map<Oid, T[]> {
  const found = new Map<Oid, T[]>()
  while (row.next()) {
    const oid = row.number()
    const group = found.get(oid)
    if (group === undefined) found.set(oid, [read(row)])
    else group.push(read(row))
  }
  return found
}
