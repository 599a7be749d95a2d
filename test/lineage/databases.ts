import { Client } from 'pg'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { parseClassificationFile } from '../../src/classification/file.ts'
import { resolveClassification } from '../../src/classification/classify.ts'
import { columnKey } from '../../src/core/catalog.ts'
import type { Catalog, ColumnKey } from '../../src/core/catalog.ts'
import type { Classification } from '../../src/core/classification.ts'
import { createCatalog } from '../../src/sql/catalog/catalog.ts'
import { loadCatalog } from '../../src/sql/catalog/load.ts'
import type { SystemCatalogCache } from '../../src/sql/catalog/load.ts'
import type { Choices } from './choices.ts'
import { canary, CanaryIndex, plainValue } from './canaries.ts'
import type { Random } from './canaries.ts'
import type { Table, TableColumn, World } from './model.ts'
import { randomAdditions, randomTables, worldOf } from './random-schema.ts'

/** One copy of a random database: other copies have the same oids and other classified values. */
export interface Copy {
  readonly client: Client
  /** Columns whose values differ from those of the first copy. */
  readonly changed: ReadonlySet<ColumnKey>
}

/** A random database, what is known of it, and its copies. */
export interface RandomDatabase {
  readonly world: World
  /** All that made it, to be printed with a failure. */
  readonly script: readonly string[]
  readonly catalog: Catalog
  readonly classification: Classification
  readonly canaries: CanaryIndex
  /** The first has the canaries. */
  readonly copies: readonly [Copy, ...Copy[]]
  drop(): Promise<void>
}

/** Connects to one database of a sandbox and gets every value as text. */
export async function connect(postgres: SandboxPostgres, database: string): Promise<Client> {
  const client = new Client({
    host: postgres.socketDirectory,
    port: postgres.port,
    user: 'postgres',
    database,
    types: { getTypeParser: () => (value: unknown) => value },
  })
  await client.connect()
  return client
}

/** Reads a snapshot of the database that a client is connected to. */
export async function readCatalog(client: Client, cache: SystemCatalogCache): Promise<Catalog> {
  const data = await loadCatalog(async (text) => {
    const { rows } = await client.query<(string | null)[]>({ text, rowMode: 'array' })
    return rows
  }, cache)
  return createCatalog(data, 1)
}

/** Makes a random database and two copies: in one all classified values differ, in the other those of some columns. */
export async function makeDatabase(
  postgres: SandboxPostgres,
  options: {
    readonly name: string
    readonly choices: Choices
    readonly random: Random
    readonly cache: SystemCatalogCache
  },
): Promise<RandomDatabase> {
  const { name, choices, random, cache } = options
  const { tables, ddl } = randomTables(choices)
  await postgres.query('postgres', `CREATE DATABASE ${name}`)
  const maker = await connect(postgres, name)
  const script = [...ddl]
  for (const statement of ddl) await maker.query(statement)
  let world = worldOf(tables)
  for (const addition of randomAdditions(choices, 12)) {
    const { sql, world: next } = addition(world)
    try {
      await maker.query(sql)
      world = next
      script.push(sql)
    } catch {
      // A view that PostgreSQL does not take is left out: the generator need not know all of its rules.
    }
  }
  const catalog = await readCatalog(maker, cache)
  await maker.end()
  const keys = keysOf(catalog, tables)
  const file = parseClassificationFile(classificationText(tables), 'classification')
  const { classification } = resolveClassification({ file, catalog, memory: null, version: 1 })
  for (const suffix of ['b', 'c']) await postgres.query('postgres', `CREATE DATABASE ${name}${suffix} TEMPLATE ${name}`)

  const canaries = new CanaryIndex()
  const classified = tables.flatMap((table) =>
    table.columns
      .filter(({ tags }) => tags.length > 0)
      .map((column) => keys.get(`${table.name}.${column.name}`) ?? '0.0'),
  )
  const some = new Set(classified.filter(() => random() < 0.4).concat(classified.slice(0, 1)))
  const rows = tables.map((table) => rowsOf(table, { random, keys, canaries, some }))
  const open = async (database: string, variant: 'first' | 'all' | 'some'): Promise<Client> => {
    const client = await connect(postgres, database)
    for (const table of rows) if (table !== null) await client.query(table[variant])
    for (const { name, kind } of catalog.data.relations)
      if (kind === 'materialized') await client.query(`REFRESH MATERIALIZED VIEW ${name}`)
    // A join of views over joins may have millions of rows.
    await client.query('SET statement_timeout = 200')
    return client
  }
  const copies: [Copy, ...Copy[]] = [
    { client: await open(name, 'first'), changed: new Set() },
    { client: await open(`${name}b`, 'all'), changed: new Set(classified) },
    { client: await open(`${name}c`, 'some'), changed: some },
  ]
  return {
    world,
    script,
    catalog,
    classification,
    canaries,
    copies,
    async drop() {
      for (const { client } of copies) await client.end()
      for (const suffix of ['', 'b', 'c'])
        await postgres.query('postgres', `DROP DATABASE ${name}${suffix} WITH (FORCE)`)
    },
  }
}

function keysOf(catalog: Catalog, tables: readonly Table[]): ReadonlyMap<string, ColumnKey> {
  const keys = new Map<string, ColumnKey>()
  for (const { name } of tables) {
    const relation = catalog.relationsNamed(name).find(({ schema }) => schema === 'public')
    if (relation === undefined) throw new Error(`the snapshot lacks ${name}`)
    for (const column of relation.columns) keys.set(`${name}.${column.name}`, columnKey(relation.oid, column.number))
  }
  return keys
}

function classificationText(tables: readonly Table[]): string {
  const lines = ['tags:', '  pii: redact', '  card: { masking: partial, keep: 4 }', '  secret: "null"', 'columns:']
  for (const { name, columns } of tables) {
    const own = columns.filter(({ tags }) => tags.length > 0)
    if (own.length > 0)
      lines.push(`  public.${name}:`, ...own.map((column) => `    ${column.name}: [${column.tags.join(', ')}]`))
  }
  return lines.length === 5 ? `${lines.slice(0, 4).join('\n')}\n` : `${lines.join('\n')}\n`
}

/** The INSERT of a table's rows in each copy, or null for a table that gets its rows elsewhere. */
function rowsOf(
  table: Table,
  how: { random: Random; keys: ReadonlyMap<string, ColumnKey>; canaries: CanaryIndex; some: ReadonlySet<string> },
): Record<'first' | 'all' | 'some', string> | null {
  // The same columns of a partition get their values through it, so that there are rows whose canaries are its own.
  if (table.kind === 'partitioned') return null
  const columns = table.columns.filter(({ isGenerated }) => !isGenerated)
  const texts = { first: [] as string[], all: [] as string[], some: [] as string[] }
  for (let row = 0; row < 7; row += 1) {
    const values = columns.map((column) => cell(table, column, row, how))
    for (const variant of ['first', 'all', 'some'] as const)
      texts[variant].push(`(${values.map((value) => value[variant]).join(', ')})`)
  }
  const head = `INSERT INTO ${table.name} (${columns.map(({ name }) => name).join(', ')}) VALUES `
  return { first: head + texts.first.join(', '), all: head + texts.all.join(', '), some: head + texts.some.join(', ') }
}

function cell(
  table: Table,
  column: TableColumn,
  row: number,
  how: { random: Random; keys: ReadonlyMap<string, ColumnKey>; canaries: CanaryIndex; some: ReadonlySet<string> },
): Record<'first' | 'all' | 'some', string> {
  const { random, keys, canaries, some } = how
  const same = (sql: string): Record<'first' | 'all' | 'some', string> => ({ first: sql, all: sql, some: sql })
  if (column.name === 'id') return same(String(row + 1))
  if (column.name === 'ref')
    return same(
      table.name === 'events_low'
        ? String(1 + (row % 2))
        : String(table.name === 'events_rest' ? 3 + (row % 3) : 1 + (row % 4)),
    )
  if (random() < 0.08) return same('NULL')
  if (column.tags.length === 0) return same(plainValue(random, column.type))
  const key = keys.get(`${table.name}.${column.name}`) ?? '0.0'
  const planted = canary(random, column.type, row)
  for (const token of planted.tokens) canaries.plant(token, key)
  const other = canary(random, column.type, row).sql
  return { first: planted.sql, all: other, some: some.has(key) ? other : planted.sql }
}
