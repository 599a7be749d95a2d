import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../../sandbox/postgres.ts'
import type { CatalogData } from '../../core/catalog.ts'
import { loadCatalog } from '../catalog/load.ts'
import { clientOf } from '../catalog/testing.ts'
import { tracingOf } from './testing.ts'

let postgres: SandboxPostgres
let data: CatalogData

before(async () => {
  postgres = await startPostgres()
  await postgres.query('postgres', 'CREATE TABLE customers (id int, email text, city text)')
  const client = await clientOf(postgres, 'postgres')
  data = await loadCatalog(client.query)
  client.close()
})
after(() => postgres.stop())

const tags = { 'public.customers.email': ['pii.email'] }
const clean = { sources: new Set<never>(), direct: null }
const fresh = {
  schema: null,
  name: 'fresh',
  isTemporary: false,
  columns: [
    { name: 'a', ...clean },
    { name: 'b', ...clean },
  ],
}

void test('a table under way, or an unknown one, takes no classified value whose column is not named', async () => {
  const tracing = await tracingOf(data, tags, [fresh])
  assert.equal(tracing.describe("INSERT INTO fresh VALUES ('x', (SELECT max(email) FROM customers))"), '!email')
  assert.equal(tracing.describe('INSERT INTO fresh SELECT city, email FROM customers'), '!email')
  assert.equal(tracing.describe('INSERT INTO fresh (b) SELECT email FROM customers'), '!email')
  assert.equal(
    tracing.describe(
      'MERGE INTO fresh USING customers c ON true WHEN NOT MATCHED THEN INSERT VALUES (c.city, c.email)',
    ),
    '!email',
  )
  assert.equal(tracing.describe('INSERT INTO nowhere SELECT email FROM customers'), '!email')
  assert.equal(tracing.describe('INSERT INTO fresh SELECT city, city FROM customers'), '')
})

void test('a row among the values of a list is all of its columns', async () => {
  const tracing = await tracingOf(data, tags)
  assert.equal(tracing.describe('SELECT v.* FROM customers c, LATERAL (VALUES (c.*)) v'), '-, =email, -')
  assert.equal(
    tracing.describe('SELECT v.* FROM customers c, LATERAL (VALUES (c.city, c.*), (1, 2, c.email, 3)) v'),
    '-, -, =email, -',
  )
})
