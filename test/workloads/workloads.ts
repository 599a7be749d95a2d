import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One statement of a workload. */
export interface WorkloadStatement {
  readonly sql: string
  readonly parameters: readonly (string | null)[]
  /** Outputs, from 1, that carry data to be masked although their values happen not to show it, or there are none. */
  readonly carries: readonly number[]
}

/** What one application or tool sends. */
export interface Workload {
  readonly name: string
  /** Where its session looks names up. */
  readonly searchPath: readonly string[]
  readonly statements: readonly WorkloadStatement[]
}

const here = import.meta.dirname

/** The tables, views and functions that all workloads are over. */
export const schemaSql = readFileSync(join(here, 'schema.sql'), 'utf8')

/** Which of their columns are classified. */
export const classificationText = readFileSync(join(here, 'classification.yaml'), 'utf8')

/** The rows, the same but for classified values, which all differ between the two variants. */
export function seedSql(variant: 'first' | 'second'): string {
  const [mark, birth, zip, address, amount] =
    variant === 'first' ? ['aaa', '1960-03-03', '1', '10.0.0.', '0'] : ['bbb', '1988-03-03', '2', '10.0.1.', '1']
  const values = new Map([
    ['m', mark],
    ['d', birth],
    ['z', zip],
    ['i', address],
    ['n', amount],
  ])
  return readFileSync(join(here, 'seed.sql'), 'utf8').replaceAll(
    /\{([mdzin])\}/g,
    (_, name: string) => values.get(name) ?? '',
  )
}

/** A text that names values of the first variant, naming those of the second. */
export function inSecondVariant(text: string): string {
  return text.replaceAll('aaa', 'bbb').replaceAll(/\b1965-/g, '1993-')
}

const captured = [
  'kysely',
  'drizzle',
  'drizzle-kit',
  'sequelize',
  'typeorm',
  'knex',
  'node-postgres',
  'postgres-js',
  'django',
  'django-inspectdb',
  'sqlalchemy',
  'sqlalchemy-reflection',
  'peewee',
  'psycopg',
  'asyncpg',
  'pgx',
  'lib-pq',
  'pgjdbc',
  'psql',
  'pg-dump',
]
const written = ['tpch', 'shop', 'hr', 'tracker', 'rails', 'hibernate', 'prisma', 'dbeaver', 'npgsql']

const ownSchemas = new Map([
  ['tpch', ['pg_catalog', 'tpch']],
  ['hr', ['pg_catalog', 'hr']],
  ['tracker', ['pg_catalog', 'tracker']],
  // It empties search_path so that every name it prints is qualified.
  ['pg-dump', ['pg_catalog']],
])

/** All of them: what clients really sent, and what is written as applications and tools write it. */
export const workloads: readonly Workload[] = [
  ...captured.map((name) => read('captured', name)),
  ...written.map((name) => read('written', name)),
]

function read(folder: string, name: string): Workload {
  const text = readFileSync(join(here, folder, `${name}.sql`), 'utf8')
  const statements = text
    .split(/^-- ---\n/m)
    .slice(1)
    .map(readStatement)
  return { name, searchPath: ownSchemas.get(name) ?? ['pg_catalog', 'public'], statements }
}

function readStatement(text: string): WorkloadStatement {
  const parameters = /^-- \$ (.*)$/m.exec(text)?.[1]
  const carries = /^-- carries (.*)$/m.exec(text)?.[1]
  return {
    sql: text.replaceAll(/^-- (\$|carries) .*\n/gm, '').trim(),
    parameters: parameters === undefined ? [] : (JSON.parse(parameters) as (string | null)[]),
    carries: carries?.split(',').map(Number) ?? [],
  }
}
