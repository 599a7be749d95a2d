import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { startPostgres } from '../../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../../sandbox/postgres.ts'
import { columnKey } from '../../core/catalog.ts'
import { loadCatalog } from '../catalog/load.ts'
import type { SystemCatalogCache } from '../catalog/load.ts'
import { clientOf } from '../catalog/testing.ts'
import type { QueryClient } from '../../backend/query.ts'
import { isNone } from './sources.ts'
import { tracingOf } from './testing.ts'
import { copying } from './trigger-corpus-copying.ts'
import { copyingElsewhere } from './trigger-corpus-elsewhere.ts'
import { corpusSql, corpusWrites, harmless } from './trigger-corpus.ts'
import type { CorpusCase } from './trigger-corpus.ts'
import { triggerFaults } from './triggers.ts'

let postgres: SandboxPostgres
let session: Client
let reader: QueryClient
const cache: SystemCatalogCache = { system: null }

before(async () => {
  postgres = await startPostgres()
  const { socketDirectory, port, superuser } = postgres
  session = new Client({ host: socketDirectory, port, user: superuser, database: 'postgres' })
  await session.connect()
  reader = await clientOf(postgres, 'postgres')
})
after(async () => {
  await session.end()
  reader.close()
  await postgres.stop()
})

const tags = { 'public.customers.email': ['pii.email'], 'public.customers.phone': ['pii.phone'] }

interface Outcome {
  readonly derived: readonly string[]
  readonly faults: readonly string[]
  /** Columns that really hold what was written to classified ones. */
  readonly holding: readonly string[]
}

async function run(each: CorpusCase): Promise<Outcome> {
  await session.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; DISCARD TEMP')
  await session.query(corpusSql)
  await session.query(each.sql)
  const data = await loadCatalog(reader.query, cache)
  const { schema } = await tracingOf(data, tags)
  const derived: string[] = []
  for (const relation of data.relations.filter(({ schema: name, kind }) => name === 'public' && kind !== 'view')) {
    for (const { name, number } of relation.columns) {
      const { sources } = schema.sourcesOf(relation.oid, number)
      const own = schema.classification.columns.has(columnKey(relation.oid, number))
      const isMore = sources === 'unknown' || sources.size > (own ? 1 : 0)
      if (isMore && !isNone(sources)) derived.push(`${relation.name}.${name}`)
    }
  }
  await session.query(corpusWrites)
  const holding = new Set<string>()
  for (const { name } of data.relations.filter(({ schema: s, kind }) => s === 'public' && /table|part/.test(kind))) {
    const { rows } = await session.query(`SELECT to_jsonb(t) AS row FROM "${name}" t`)
    for (const { row } of rows as { row: Record<string, unknown> }[]) {
      for (const [column, value] of Object.entries(row)) {
        if (/canary/i.test(JSON.stringify(value))) holding.add(`${name}.${column}`)
      }
    }
  }
  holding.delete('customers.email')
  holding.delete('customers.phone')
  holding.delete('categories.category')
  return { derived: derived.sort(), faults: triggerFaults(schema), holding: [...holding].sort() }
}

void test('a column that a trigger or rule copies a classified value into derives from it', async (t) => {
  for (const each of [...copying, ...copyingElsewhere]) {
    await t.test(each.title, async () => {
      const { derived, faults, holding } = await run(each)
      assert.deepEqual(
        holding.filter((name) => !derived.includes(name)),
        [],
        'what holds a value is derived',
      )
      assert.deepEqual([derived, faults.length], [[...each.derived].sort(), each.faults ?? 0], faults.join())
    })
  }
})

void test('triggers and rules that carry no classified value make no column derived', async (t) => {
  for (const each of harmless) {
    await t.test(each.title, async () => {
      const { derived, faults, holding } = await run(each)
      assert.deepEqual([derived, faults, holding], [[], [], []])
    })
  }
})
