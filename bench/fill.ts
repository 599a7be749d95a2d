import { spawnSync } from 'node:child_process'
import type { SandboxPostgres } from '../sandbox/postgres.ts'

export const databaseName = 'bench'
const pgbenchScale = 10

/**
 * Fills a new database: pgbench's own tables, 10 MB each of rows of about 100 B, 200 B and 2 KB for the bulk results, and
 * two small tables that hold what a classification is about.
 */
export async function fill(postgres: SandboxPostgres): Promise<void> {
  await postgres.query('postgres', `CREATE DATABASE ${databaseName}`)
  const { host, port, superuser, password } = postgres
  const flags = `-q -i -I dtGvp -s ${String(pgbenchScale)} -h ${host} -p ${String(port)} -U ${superuser} ${databaseName}`
  const init = spawnSync('pgbench', flags.split(' '), {
    env: { ...process.env, PGPASSWORD: password },
    encoding: 'utf8',
  })
  if (init.error !== undefined) throw new Error('pgbench is not installed: on Debian it is in `postgresql-contrib`')
  if (init.status !== 0) throw new Error(`pgbench could not fill the database: ${init.stderr}`)
  await postgres.query(
    databaseName,
    `CREATE TABLE bulk_narrow AS SELECT i AS id, md5(i::text) AS a, md5((i + 1)::text) AS b FROM generate_series(1, 100000) i;
     CREATE TABLE bulk_texts AS SELECT ${tenColumns('left(md5((i + #)::text), 18)')} FROM generate_series(1, 45000) i;
     CREATE TABLE bulk_wide AS SELECT i AS id, ${tenColumns('repeat(md5((i + #)::text), 6)')} FROM generate_series(1, 5000) i;
     UPDATE bulk_texts SET c3 = c3 || '@example.com';
     CREATE TABLE customers (id int PRIMARY KEY, email text, full_name text, phone text, birth_date date, city text);
     CREATE TABLE employees (id int PRIMARY KEY, name text, salary numeric, iban text);
     INSERT INTO customers SELECT i, 'c' || i || '@example.com', md5(i::text), '+44 20 7946 0' || i, '1970-01-01', 'Rome'
       FROM generate_series(100, 999) i`,
  )
  await postgres.query(databaseName, 'VACUUM FULL bulk_texts')
  await postgres.query(databaseName, 'VACUUM ANALYZE')
}

function tenColumns(expression: string): string {
  return Array.from({ length: 10 }, (_, at) => `${expression.replace('#', String(at))} AS c${String(at)}`).join(', ')
}

const tags = {
  'pii.email': 'partial',
  'pii.name': 'redact',
  'pii.phone': { masking: 'partial', keep: 2 },
  'pii.birth_date': 'year',
  pay: 'null',
}

const elsewhere = {
  'public.customers': { email: 'pii.email', full_name: 'pii.name', phone: 'pii.phone', birth_date: 'pii.birth_date' },
  'public.employees': { name: 'pii.name', salary: 'pay', iban: 'pay' },
}

/** What is classified in the database: columns that no load touches, or one text of ten in two of the bulk tables as well. */
export const classifications = {
  elsewhere: { tags, columns: elsewhere },
  'one text of ten': {
    tags,
    columns: { ...elsewhere, 'public.bulk_texts': { c3: 'pii.email' }, 'public.bulk_wide': { c3: 'pii.email' } },
  },
} as const
