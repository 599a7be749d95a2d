import { existsSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { userColumns } from '../classification/coverage.ts'
import type { UserColumn } from '../classification/coverage.ts'
import { resolveClassification } from '../classification/classify.ts'
import { conceptTags } from '../classification/concepts.ts'
import { emptyClassificationFile, parseClassificationFile, readClassificationText } from '../classification/file.ts'
import type { ClassificationFile } from '../classification/file.ts'
import { identityQuery, loadMemory } from '../classification/memory.ts'
import { mergeDecisions } from '../classification/merge.ts'
import type { Proposal } from '../classification/propose.ts'
import { loadConfig } from '../config.ts'
import type { Config, DatabaseConfig } from '../config.ts'
import type { Catalog } from '../core/catalog.ts'
import { PosternError } from '../core/errors.ts'
import { nearestName } from '../core/nearest.ts'
import { createCatalog } from '../sql/catalog/catalog.ts'
import { loadCatalog } from '../sql/catalog/load.ts'
import { createSchema } from '../sql/lineage/schema.ts'
import { triggerFaults } from '../sql/lineage/triggers.ts'
import { createParser } from '../sql/parser.ts'
import { sampleAll, withDatabase } from './classify-sample.ts'
import type { RunsQuery } from './classify-sample.ts'
import { checkText, proposalsText } from './classify-text.ts'
import { configFile } from './config-file.ts'
import { isColouredFor } from './failure.ts'

/** A column of a user's table, and what was found in it; null where the file gives it tags already. */
export interface JudgedColumn extends UserColumn {
  readonly proposal: Proposal | null
}

interface ClassifyOptions {
  readonly config?: string
  readonly write?: true
  readonly check?: true
  readonly sample: string
  readonly json?: true
}

/** `postern classify`: samples a database and proposes tags, or with `--check` says what nobody classified. */
export function classifyCommand(): Command {
  return new Command('classify')
    .description(
      'look at names and samples of values and propose which columns to mask, or check that all are classified',
    )
    .argument('<database>', 'the database, by its name in postern.yaml')
    .option('--config <file>', 'the postern.yaml that names it')
    .option('--sample <rows>', 'how many rows of each table to look at', '500')
    .option('--write', 'add what is proposed to the classification file; what it says already stays')
    .option(
      '--check',
      'look at no values; exit with 1 where a column is not classified, or a classified one is gone or renamed',
    )
    .option('--json', 'print an object with all columns')
    .action(async (name: string, options: ClassifyOptions) => {
      const config = loadConfig(configFile(options.config))
      const place = placeOf(config, name, options)
      await withDatabase(place.database, async (query) => {
        await (options.check === true ? check(place, { query, options }) : proposeTags(place, { query, options }))
      })
    })
}

interface Place {
  readonly config: Config
  readonly database: DatabaseConfig
  /** The classification file as the configuration names it, its text, and what it says. */
  readonly path: string | null
  readonly text: string | null
  readonly file: ClassificationFile
}

interface Run {
  readonly query: RunsQuery
  readonly options: ClassifyOptions
}

function placeOf(config: Config, name: string, options: ClassifyOptions): Place {
  const database = config.databases.get(name)
  if (database === undefined) {
    const meant = nearestName(name, config.databases.keys())
    throw new PosternError('database_unknown', `${config.file} has no database "${name}"`, {
      hint: meant === null ? `Its databases: ${[...config.databases.keys()].join(', ')}.` : `Did you mean ${meant}?`,
    })
  }
  if (options.write === true && options.check === true) {
    throw new PosternError('input_invalid', '--write and --check cannot be given together', {
      hint: 'Write first, review the file, then check.',
    })
  }
  const path = database.classification
  if (path === null && (options.write === true || options.check === true)) {
    throw new PosternError('config_invalid', `${config.file} names no classification file for the database ${name}`, {
      hint: `Add \`classification: ${name}.classification.yaml\` to \`databases.${name}\`.`,
    })
  }
  const isNew = path === null || (!existsSync(path) && options.check !== true)
  const text = isNew ? null : readClassificationText(path)
  const file = text === null ? emptyClassificationFile : parseClassificationFile(text, path ?? '')
  return { config, database, path, text, file }
}

async function check({ config, database, path, file }: Place, { query, options }: Run): Promise<void> {
  const catalog = await readCatalog(query)
  const identity = (await query(identityQuery))[0]?.[0] ?? undefined
  const memory = loadMemory(config.masking.state, database.name)
  const { classification, faults } = resolveClassification({
    file,
    catalog,
    memory,
    version: 1,
    ...(identity === undefined ? {} : { identity }),
  })
  const columns = userColumns(file, catalog)
  const missing = columns.filter(({ isDecided }) => !isDecided).map(nameOf)
  const isOk = missing.length === 0 && faults.length === 0
  const parser = await createParser({ onFault: () => undefined })
  const parse: typeof parser.parse = (sql) => parser.parse(sql)
  const warnings = triggerFaults(createSchema({ catalog, classification, pending: [], parse }))
  const result = { database: database.name, file: path ?? '', count: columns.length, missing, faults, warnings }
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ ok: isOk, unclassified: missing, faults, warnings })}\n`
      : checkText(result, isColouredFor(process.stdout)),
  )
  if (!isOk) process.exitCode = 1
}

async function proposeTags(place: Place, { query, options }: Run): Promise<void> {
  const { database, file, path } = place
  const rows = rowsOf(options.sample)
  const catalog = await readCatalog(query)
  const { columns, unread } = await sampleAll(query, { columns: userColumns(file, catalog), catalog, file, rows })
  const written = options.write === true && path !== null ? write(place, path, columns) : null
  const result = { database: database.name, file: path, columns, unread, written }
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify(asJson(result))}\n`
      : proposalsText(result, isColouredFor(process.stdout)),
  )
}

async function readCatalog(query: RunsQuery): Promise<Catalog> {
  return createCatalog(await loadCatalog(query), 1)
}

/** Adds proposals to the file, all or nothing, and says how many columns they were. */
function write({ text, file }: Place, path: string, columns: readonly JudgedColumn[]): number {
  const decisions = columns.flatMap(({ relation, column, isDecided, proposal }) => {
    if (isDecided || proposal === null || proposal.isUndecided) return []
    const { tag, concept, evidence } = proposal
    const masking = concept === null ? null : conceptTags[concept].masking
    return [{ schema: relation.schema, relation: relation.name, column: column.name, tag, masking, evidence }]
  })
  if (decisions.length === 0) return 0
  const merged = mergeDecisions(text, decisions)
  // What could not be read again would stop the gateway.
  const after = parseClassificationFile(merged, path)
  for (const tag of file.tags.keys()) if (!after.tags.has(tag)) throw new Error(`merging lost the tag ${tag}`)
  try {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0o644
    writeFileSync(`${path}.tmp`, merged, { mode: mode & 0o777 })
    renameSync(`${path}.tmp`, path)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PosternError('input_invalid', `${path} cannot be written: ${why}`, {
      cause: error,
      hint: 'Run it as an account that may write there, or add the columns by hand.',
    })
  }
  return decisions.length
}

function rowsOf(text: string): number {
  const rows = Number(text)
  if (/^\d+$/u.test(text) && rows >= 1 && rows <= 5_000) return rows
  throw new PosternError('input_invalid', `--sample cannot be "${text}"`, {
    hint: 'Give a whole number from 1 to 5000.',
  })
}

function nameOf({ relation, column }: UserColumn): string {
  return `${relation.schema}.${relation.name}.${column.name}`
}

function asJson(result: {
  readonly database: string
  readonly file: string | null
  readonly columns: readonly JudgedColumn[]
  readonly unread: readonly string[]
  readonly written: number | null
}): unknown {
  const columns = result.columns.map(({ relation, column, isDecided, proposal }) => ({
    schema: relation.schema,
    relation: relation.name,
    column: column.name,
    classified: isDecided,
    tag: proposal?.tag ?? null,
    undecided: proposal?.isUndecided ?? false,
    sampled: proposal?.size ?? 0,
    hits: proposal?.hits ?? 0,
    evidence: proposal?.evidence ?? null,
    shapes: proposal?.shapes ?? [],
  }))
  return { database: result.database, file: result.file, columns, unread: result.unread, written: result.written }
}
