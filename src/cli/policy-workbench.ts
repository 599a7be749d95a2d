import { existsSync, readdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { decisionOf } from '../classification/decisions.ts'
import { emptyClassificationFile, readClassificationFile } from '../classification/file.ts'
import type { ClassificationFile } from '../classification/file.ts'
import { isNameFault, parseQualifiedName } from '../classification/identifiers.ts'
import type { QualifiedName } from '../classification/identifiers.ts'
import { resolveClassification } from '../classification/classify.ts'
import { loadSections } from '../config.ts'
import { columnKey } from '../core/catalog.ts'
import type { CatalogData, CatalogRelation } from '../core/catalog.ts'
import type { ClassifiedColumn, Tag } from '../core/classification.ts'
import type { DatabaseResource } from '../core/decision.ts'
import { PosternError } from '../core/errors.ts'
import type { Sources } from '../core/lineage.ts'
import { nearestName } from '../core/nearest.ts'
import type { RelationName, StatementAnalysis } from '../core/statement.ts'
import { isIndirect, tagsOf } from '../policy/policy.ts'
import type { AnalysedStatement } from '../policy/policy.ts'
import { createAnalyzer } from '../sql/analyze.ts'
import { builtinFunctions } from '../sql/builtin-functions.ts'
import { createCatalog } from '../sql/catalog/catalog.ts'
import { createSchema } from '../sql/lineage/schema.ts'
import { createTracer } from '../sql/lineage/tracer.ts'
import { createParser } from '../sql/parser.ts'
import { configFileIfAny } from './config-file.ts'

/** What the policy commands need of a configuration; no secret and no certificate is read for it. */
export interface PolicyPlace {
  /** The postern.yaml it comes from; null where there is none. */
  readonly config: string | null
  readonly policies: string | null
  readonly journal: string | null
  /** Null where no configuration says. */
  readonly accessRoles: readonly string[] | null
  readonly databases: ReadonlyMap<string, PolicyDatabase>
}

/** A database as policy and analysis see it. */
export interface PolicyDatabase {
  readonly resource: DatabaseResource
  readonly safeFunctions: readonly string[]
  /** The file, absolute; null where nothing is classified. */
  readonly classification: string | null
}

/** Reads what the policy commands need of the configuration that is named, or is there. */
export function policyPlace(named: string | undefined): PolicyPlace {
  const file = configFileIfAny(named)
  if (file === null) return { config: null, policies: null, journal: null, accessRoles: null, databases: new Map() }
  const sections = loadSections(file, ['policies', 'databases', 'access_roles', 'journal'])
  const at = (path: string) => resolve(dirname(resolve(file)), path)
  const databases = Object.entries(sections.databases).map(([name, database]) => {
    const { labels, classification, safe_functions: safeFunctions } = database
    const resource = { name, labels: new Map(Object.entries(labels)) }
    const path = classification === undefined ? null : at(classification)
    return [name, { resource, safeFunctions, classification: path }] as const
  })
  return {
    config: file,
    policies: at(sections.policies),
    journal: at(sections.journal.directory),
    accessRoles: Object.keys(sections.access_roles),
    databases: new Map(databases),
  }
}

/** The folder of the policies: the one named, that of the configuration, or `beside` if it holds policies. */
export function policyFolder(place: PolicyPlace, named: string | undefined, beside?: string): string {
  if (named !== undefined) return named
  const isFolder =
    beside !== undefined && existsSync(beside) && readdirSync(beside).some((name) => name.endsWith('.cedar'))
  const folder = place.policies ?? (isFolder ? beside : null)
  if (folder !== null) return folder
  throw new PosternError('input_invalid', 'it is not known which policies are meant: there is no postern.yaml here', {
    hint: 'Name the folder with --policies DIR, or the configuration with --config FILE.',
  })
}

/** The database of that name; without a configuration whatever is named, with neither labels nor classification. */
export function databaseOf(place: PolicyPlace, name: string): PolicyDatabase {
  const found = place.databases.get(name)
  if (found !== undefined) return found
  if (place.config === null) return { resource: { name, labels: new Map() }, safeFunctions: [], classification: null }
  const meant = nearestName(name, place.databases.keys())
  throw new PosternError('database_unknown', `${place.config} has no database "${name}"`, {
    hint: meant === null ? `Its databases: ${[...place.databases.keys()].join(', ')}.` : `Did you mean ${meant}?`,
  })
}

/** A statement as analysed, and names of relations of which it was not known what they hold. */
export interface BenchStatement extends AnalysedStatement {
  /** Where these are not empty, all tags that may be concerned are taken to be. */
  readonly unknownRelations: readonly string[]
}

/** Analyses SQL for one database by the gateway's own means, without the database. */
export interface Workbench {
  readonly database: PolicyDatabase
  /** Throws `input_invalid` with PostgreSQL's own message where the text is no SQL. */
  statements(sql: string, searchPath: readonly string[] | null): Promise<readonly BenchStatement[]>
  /** The analysis alone; a text that is no SQL is one opaque statement. */
  analyses(sql: string): Promise<readonly StatementAnalysis[]>
  /** A statement that is analysed already, with what it does with classified columns. */
  concerning(statement: StatementAnalysis, searchPath: readonly string[] | null): Promise<BenchStatement>
  /** The classified columns of the relations that are named. */
  columnsOf(relations: readonly RelationName[], searchPath: readonly string[] | null): readonly ClassifiedColumn[]
  /** The tags that the classification file defines. */
  readonly tags: ReadonlySet<Tag>
  close(): Promise<void>
}

/** Opens a workbench for a database. Throws `classification_invalid` where its classification cannot be read. */
export async function openWorkbench(database: PolicyDatabase): Promise<Workbench> {
  const file =
    database.classification === null ? emptyClassificationFile : readClassificationFile(database.classification)
  const catalog = createCatalog(catalogOf(file), 1)
  const { classification } = resolveClassification({ file, catalog, memory: null, version: 1 })
  const parser = await createParser({ onFault: () => {} })
  const parse: typeof parser.parse = (sql) => parser.parse(sql)
  const schema = createSchema({ catalog, classification, pending: [], parse })
  const tracer = createTracer({ parse, onFault: () => {} })
  const safeFunctions = new Set([...database.safeFunctions, ...file.functions])
  const analyzer = await createAnalyzer({ safeFunctions })
  const known = [...classification.columns.values()].filter(({ origin }) => origin !== 'builtin')

  const numbers = new Map<string, number>()
  /** One key for each relation that is known by its schema alone. */
  const numberOf = (relation: string) => {
    const number = numbers.get(relation) ?? numbers.size + 1
    numbers.set(relation, number)
    return number
  }

  const columnsOf: Workbench['columnsOf'] = (relations, searchPath) => {
    const isNamed = ({ schema, relation }: ClassifiedColumn) =>
      relations.some((each) => each.name === relation && mayBeIn(each, schema, searchPath))
    const isListed = (schema: string, name: string) =>
      catalog.relationsNamed(name).some((relation) => relation.schema === schema)
    const others = relations.flatMap(({ schema: named, name }) =>
      [...file.schemas].flatMap(([schema, tags]): readonly ClassifiedColumn[] => {
        if (tags.length === 0 || !mayBeIn({ schema: named, name }, schema, searchPath) || isListed(schema, name))
          return []
        const key = columnKey(0, numberOf(JSON.stringify([schema, name])))
        return [
          {
            key,
            schema,
            relation: name,
            column: otherColumns,
            tags,
            masking: { function: 'redact' },
            origin: 'schema',
          },
        ]
      }),
    )
    return [...known.filter(isNamed), ...others]
  }

  const analysed = async (
    statement: StatementAnalysis,
    searchPath: readonly string[] | null,
  ): Promise<BenchStatement> => {
    const relations = statement.commands.flatMap((command) => command.relations)
    const columns = columnsOf(relations, searchPath)
    const tags = tagsOf(columns)
    if (statement.opaque !== null && database.classification !== null) {
      const all = tagsOf(known)
      return { statement, columns, tags: all, predicateTags: all, unknownRelations: ['what it cannot be seen to use'] }
    }
    if (tags.length === 0 || isIndirect(statement)) {
      return { statement, columns, tags, predicateTags: [], unknownRelations: [] }
    }
    const lineage = await tracer.trace(statement, { schema, searchPath })
    const predicateTags = lineage.predicates === 'unknown' ? tags : tagsOf(columnsAt(lineage.predicates, known))
    const unknownRelations = lineage.predicates === 'unknown' ? lineage.missing : []
    return { statement, columns, tags, predicateTags, unknownRelations }
  }

  return {
    database,
    columnsOf,
    tags: new Set(file.tags.keys()),
    concerning: analysed,
    analyses: async (sql) => (await analyzer.analyze(sql)).statements,
    statements: async (sql, searchPath) => {
      const { statements, syntaxError } = await analyzer.analyze(sql)
      if (syntaxError !== null) {
        const at = `at character ${String(syntaxError.position)}`
        throw new PosternError('input_invalid', `the statement is no SQL: ${syntaxError.message} ${at}`, {
          hint: 'Correct it: PostgreSQL would refuse it before any policy is asked.',
        })
      }
      return Promise.all(statements.map((statement) => analysed(statement, searchPath)))
    },
    close: async () => {
      await tracer.close()
      await analyzer.close()
    },
  }
}

function columnsAt(sources: Exclude<Sources, 'unknown'>, known: readonly ClassifiedColumn[]): ClassifiedColumn[] {
  return known.filter(({ key }) => sources.has(key))
}

function mayBeIn(named: RelationName, schema: string, searchPath: readonly string[] | null): boolean {
  return named.schema === null ? searchPath === null || searchPath.includes(schema) : named.schema === schema
}

/** A catalog of what a classification file names and nothing else. */
function catalogOf(file: ClassificationFile): CatalogData {
  const named = [...new Set([...file.columns.keys(), ...file.tables.keys()])].flatMap((text) => {
    const name = parseQualifiedName(text)
    return isNameFault(name) ? [] : [{ text, name }]
  })
  const relations = named.map(({ text, name }, index) =>
    relationOf(name, { oid: firstOid + index * 4, columns: columnNames(file, text, name) }),
  )
  return {
    serverVersion: 180_000,
    schemas: [...new Set(relations.map(({ schema }) => schema))],
    relations,
    builtins: [...builtinFunctions].map((name) => {
      const isAggregate = aggregates.has(name)
      return { name, volatility: 'stable', isAggregate, isWindow: false, returnsSet: false, returnType: 0, outputs: [] }
    }),
    types: [],
    functions: [],
    operators: [],
    casts: [],
    constraintNames: [],
  }
}

const firstOid = 100_000
const textOid = 25
const aggregates: ReadonlySet<string> = new Set(['count', 'min', 'max', 'sum', 'avg', 'array_agg', 'string_agg'])

/** The columns that the file lists; with tags for those it does not, one more that stands for them all. */
function columnNames(file: ClassificationFile, text: string, name: QualifiedName): readonly string[] {
  const listed = [...(file.columns.get(text)?.keys() ?? [])]
  const others = decisionOf(file, { schema: name.schema, relation: name.name, column: otherColumns })
  return (others?.tags.length ?? 0) > 0 ? [...listed, otherColumns] : listed
}

/** Stands for the columns of a relation that its classification does not list. */
export const otherColumns = '*'

function relationOf(
  { schema, name }: QualifiedName,
  { oid, columns }: { oid: number; columns: readonly string[] },
): CatalogRelation {
  return {
    oid,
    schema,
    name,
    kind: 'table',
    rowType: oid + 1,
    isTemporary: false,
    columns: columns.map((column, index) => ({
      number: index + 1,
      name: column,
      type: textOid,
      typeModifier: -1,
      isNotNull: false,
      isGenerated: false,
      expression: null,
      comment: null,
    })),
    definition: null,
    parents: [],
    triggers: [],
    foreignKeys: [],
    hasRules: false,
    rules: [],
    comment: null,
  }
}
