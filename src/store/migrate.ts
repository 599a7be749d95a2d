import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CompiledQuery } from 'kysely'
import type { Kysely } from 'kysely'
import { text, whole } from './decode.ts'
import type { Engine } from './engine.ts'
import { RefusedStore } from './failures.ts'
import type { Tables } from './tables.ts'
import type { Transactions } from './transactions.ts'

/** One numbered step of the schema. */
export interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
  /** SHA-256 of the text, in hex: what was applied is never edited afterwards. */
  readonly hash: string
}

const table = `create table migrations (
  number integer not null primary key,
  name text not null,
  hash text not null,
  applied_at_ms bigint not null
)`

/**
 * The migrations for an engine, in order: `0001-name.sql` is for both, and where the two differ there are
 * `0002-name.sqlite.sql` and `0002-name.postgres.sql`.
 */
export function readMigrations(
  kind: Engine['kind'],
  directory: string = join(import.meta.dirname, 'migrations'),
): readonly Migration[] {
  const migrations = readdirSync(directory)
    .sort()
    .flatMap((file) => {
      const [, number, name, only = kind] = /^(\d{4})-([a-z0-9-]+)(?:\.(sqlite|postgres))?\.sql$/u.exec(file) ?? []
      if (number === undefined || name === undefined) throw new Error(`${file} is not a migration's name`)
      if (only !== kind) return []
      const sql = readFileSync(join(directory, file), 'utf8')
      return [{ number: Number(number), name, sql, hash: createHash('sha256').update(sql).digest('hex') }]
    })
  if (migrations.some(({ number }, index) => number !== index + 1))
    throw new Error('migrations are numbered without gaps')
  return migrations
}

/**
 * Brings the schema up to date. Each migration is a change of the store like others: many processes may do this at the
 * same time, and each step is done by one of them. Refuses a store that is newer than this program, or of which an
 * applied migration reads differently here.
 */
export async function migrate(
  engine: Engine,
  transactions: Transactions,
  migrations: readonly Migration[],
): Promise<void> {
  for (let steps = 0; steps <= migrations.length; steps += 1) {
    const isDone = await transactions.change((scope) => scope.step((db) => applyNext(engine, db, migrations)), {
      isQuiet: true,
    })
    if (isDone) return
  }
  throw new Error('there are more steps than migrations')
}

async function applyNext(engine: Engine, db: Kysely<Tables>, migrations: readonly Migration[]): Promise<boolean> {
  await engine.prepare?.(db)
  const { rows: found } = await db.executeQuery(CompiledQuery.raw(engine.tableExists, ['migrations']))
  const applied = found.length === 0 ? [] : await readApplied(db)
  refuseOthers(applied, migrations)
  const next = migrations[applied.length]
  if (next === undefined) return true
  if (found.length === 0) await db.executeQuery(CompiledQuery.raw(table))
  await db.executeQuery(CompiledQuery.raw(next.sql))
  const values = [next.number, next.name, next.hash, Date.now()]
  const places = engine.kind === 'postgres' ? '$1, $2, $3, $4' : '?, ?, ?, ?'
  await db.executeQuery(
    CompiledQuery.raw(`insert into migrations (number, name, hash, applied_at_ms) values (${places})`, values),
  )
  return false
}

/** Refuses a store that is not at this program's own schema, without changing anything. */
export async function checkMigrations(
  engine: Engine,
  transactions: Transactions,
  migrations: readonly Migration[],
): Promise<void> {
  const applied = await transactions.read((scope) =>
    scope.step(async (db) => {
      const { rows } = await db.executeQuery(CompiledQuery.raw(engine.tableExists, ['migrations']))
      return rows.length === 0 ? [] : readApplied(db)
    }),
  )
  refuseOthers(applied, migrations)
  if (applied.length === migrations.length) return
  throw new RefusedStore(
    `its schema is at ${String(applied.length)}, and this program needs ${String(migrations.length)}`,
    'Start a gateway of this version on it first, or use the Postern that the gateways run.',
  )
}

interface Applied {
  readonly number: number
  readonly hash: string
}

function refuseOthers(applied: readonly Applied[], migrations: readonly Migration[]): void {
  for (const { number, hash } of applied) {
    const known = migrations[number - 1]
    if (known === undefined) {
      throw new RefusedStore(
        `it was made by a newer Postern: its schema is at ${String(applied.length)}, this program knows ${String(migrations.length)}`,
        'Run a Postern at least as new as the one that used this store last.',
      )
    }
    if (known.hash !== hash) {
      throw new RefusedStore(
        `migration ${String(number)} was applied to it with another text than this program has`,
        'Run the Postern that made this store, or an unchanged release that is newer.',
      )
    }
  }
}

async function readApplied(db: Kysely<Tables>): Promise<readonly Applied[]> {
  const { rows } = await db.executeQuery<{ readonly number: unknown; readonly hash: unknown }>(
    CompiledQuery.raw('select number, hash from migrations order by number'),
  )
  return rows.map((row, index) => {
    const number = whole(row.number, 'migrations.number')
    if (number !== index + 1) {
      throw new RefusedStore(
        'its list of applied migrations has gaps',
        'Restore the store from a backup: its list of migrations was changed.',
      )
    }
    return { number, hash: text(row.hash, 'migrations.hash') }
  })
}
