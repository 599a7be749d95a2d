import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startPostgres } from '../../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../../sandbox/postgres.ts'
import type { BackendConnection } from '../../backend/backend.ts'
import type { CatalogData } from '../../core/catalog.ts'
import { PosternError } from '../../core/errors.ts'
import { backend, decodeDataRow, decodeErrorResponse } from '../../wire/backend.ts'
import { Framer } from '../../wire/framer.ts'
import { encodeQuery } from '../../wire/frontend.ts'
import { createCatalog } from './catalog.ts'
import { catalogRepair, catalogScript, loadCatalog, readCatalog } from './load.ts'
import type { SystemCatalogCache } from './load.ts'
import { unreadableExpression } from './queries.ts'
import type { Rows } from './row-reader.ts'
import { clientOf, connectTo, relationOf } from './testing.ts'

let postgres: SandboxPostgres
before(async () => {
  postgres = await startPostgres()
  await postgres.query(
    'postgres',
    `CREATE TABLE customers (id int PRIMARY KEY, email text DEFAULT 'a@b');
     CREATE VIEW buyers AS SELECT email FROM customers;
     CREATE FUNCTION standard() RETURNS text BEGIN ATOMIC SELECT email FROM customers LIMIT 1; END;`,
  )
})
after(async () => postgres.stop())

/** What a session sees of its connection, which no driver shows. */
class RawSession {
  readonly #connection: BackendConnection
  readonly #framer = new Framer({ messageBytesMax: 1 << 26 })

  constructor(connection: BackendConnection) {
    this.#connection = connection
  }

  async query(sql: string): Promise<{ results: Rows[]; error: string | null; status: string; reported: number }> {
    const { socket } = this.#connection
    const results: (string | null)[][][] = []
    let error: string | null = null
    let reported = 0
    socket.write(encodeQuery(sql))
    for (;;) {
      const frame = this.#framer.next()
      if (frame === null) {
        const chunk = await new Promise<Buffer>((resolve) => {
          socket.once('data', resolve)
          socket.resume()
        })
        socket.pause()
        this.#framer.push(chunk)
      } else if (frame.type === backend.RowDescription) results.push([])
      else if (frame.type === backend.DataRow) {
        results.at(-1)?.push(decodeDataRow(frame.body).map((value) => value?.toString('utf8') ?? null))
      } else if (frame.type === backend.ParameterStatus) reported += 1
      else if (frame.type === backend.ErrorResponse) error = decodeErrorResponse(frame.body).get('C') ?? ''
      else if (frame.type === backend.ReadyForQuery) {
        return { results, error, status: frame.body.toString('latin1'), reported }
      }
    }
  }

  async value(sql: string): Promise<string | null | undefined> {
    return (await this.query(sql)).results.at(-1)?.[0]?.[0]
  }

  close(): void {
    this.#connection.socket.destroy()
  }
}

async function openSession(): Promise<RawSession> {
  return new RawSession(await connectTo(postgres, 'postgres'))
}

async function serverVersion(): Promise<number> {
  const session = await openSession()
  const version = Number(await session.value('SHOW server_version_num'))
  session.close()
  return version
}

/** As text: a difference of two catalogs printed by `assert` takes minutes. */
function isSame(a: CatalogData, b: CatalogData): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

// Everything that a query could take for PostgreSQL's own where the path puts another schema in front of pg_catalog, and
// in the temporary schema, which is in front of any path for relations and types.
const evil = `
  CREATE SCHEMA evil;
  CREATE FUNCTION evil.lie(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
  CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.lie);
  CREATE OPERATOR evil.>= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.lie);
  CREATE FUNCTION evil.lie("char", "char") RETURNS bool LANGUAGE sql AS 'SELECT false';
  CREATE OPERATOR evil.= (LEFTARG = "char", RIGHTARG = "char", FUNCTION = evil.lie);
  CREATE FUNCTION evil.lie(int2, int4) RETURNS bool LANGUAGE sql AS 'SELECT false';
  CREATE OPERATOR evil.> (LEFTARG = int2, RIGHTARG = int4, FUNCTION = evil.lie);
  CREATE FUNCTION evil.pg_get_viewdef(oid) RETURNS text LANGUAGE sql AS 'SELECT ''SELECT 1''';
  CREATE FUNCTION evil.starts_with(name, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
  CREATE TABLE evil.pg_class (oid oid);
  CREATE TABLE evil.customers (harmless int);
  CREATE DOMAIN evil.regclass AS oid;`

const shadows = `
  CREATE TEMP TABLE pg_class AS SELECT * FROM pg_catalog.pg_class LIMIT 0;
  CREATE TEMP TABLE pg_attribute (attrelid oid, attnum int2);
  CREATE TEMP TABLE pg_namespace AS SELECT * FROM pg_catalog.pg_namespace LIMIT 0;
  CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (VALUE <> VALUE);
  CREATE DOMAIN pg_temp.regclass AS pg_catalog.oid CHECK (VALUE <> VALUE);
  CREATE DOMAIN pg_temp.int8 AS pg_catalog.int8 CHECK (VALUE <> VALUE);`

void test('a session that shadows pg_catalog in every way sees the same catalog', async () => {
  const session = await openSession()
  const [version, honest] = [await serverVersion(), await clientOf(postgres, 'postgres')]
  try {
    assert.equal((await session.query(evil)).error, null)
    assert.equal((await session.query(shadows)).error, null)
    const expected = await loadCatalog(honest.query)
    assert.equal((await session.query('SET search_path = evil, pg_catalog, public')).error, null)
    assert.equal(await session.value(`SELECT 1::oid = 1::oid`), 'f')
    for (const isInTransaction of [false, true]) {
      if (isInTransaction) await session.query('BEGIN')
      const { results, error } = await session.query(
        catalogScript({ serverVersion: version, system: null, isInTransaction }),
      )
      assert.equal(error, null)
      const reading = readCatalog(results, null)
      assert.ok(isSame(reading.data, expected))
      assert.equal(reading.isPinned, false)
    }
    await session.query('ROLLBACK')
    const own = await loadCatalog(async (sql) => (await session.query(sql)).results.at(-1) ?? [])
    assert.ok(isSame(own, expected))
  } finally {
    session.close()
    honest.close()
    await postgres.query('postgres', 'DROP SCHEMA evil CASCADE')
  }
})

void test('settings of a session do not change what is read', async () => {
  const session = await openSession()
  const [version, honest] = [await serverVersion(), await clientOf(postgres, 'postgres')]
  try {
    await session.query(`CREATE TABLE "é\\" (a text DEFAULT 'x\\y'); CREATE VIEW "vé" AS SELECT '\\' AS a FROM "é\\"`)
    const expected = await loadCatalog(honest.query)
    await session.query(`SET standard_conforming_strings = off; SET escape_string_warning = off;
      SET quote_all_identifiers = on; SET client_encoding = 'LATIN1'; SET DateStyle = 'SQL, DMY';
      SET bytea_output = 'escape'; SET extra_float_digits = -3; SET default_transaction_read_only = on`)
    const { results, error, reported } = await session.query(
      catalogScript({ serverVersion: version, system: null, isInTransaction: false }),
    )
    assert.equal(error, null)
    assert.equal(reported, 0)
    assert.ok(isSame(readCatalog(results, null).data, expected))
    assert.equal(await session.value('SHOW client_encoding'), 'LATIN1')
  } finally {
    session.close()
    honest.close()
    await postgres.query('postgres', 'DROP TABLE "é\\" CASCADE')
  }
})

void test('within a transaction its own changes are seen, and it goes on as if nothing had been', async () => {
  const session = await openSession()
  const [version, other] = [await serverVersion(), await clientOf(postgres, 'postgres')]
  const cache: SystemCatalogCache = { system: null }
  try {
    await loadCatalog(other.query, cache)
    await session.query('BEGIN; SET LOCAL search_path = public, pg_catalog; SAVEPOINT postern_catalog')
    await session.query('CREATE VIEW own AS SELECT email FROM customers; CREATE TABLE added (i int)')
    const locks = `SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'`
    await session.query(locks)
    const locksBefore = await session.value(locks)
    const { system } = cache
    const answer = await session.query(catalogScript({ serverVersion: version, system, isInTransaction: true }))
    assert.equal(answer.error, null)
    assert.equal(answer.status, 'T')
    assert.equal(answer.reported, 0)
    assert.equal(await session.value('SHOW search_path'), 'public, pg_catalog')
    assert.equal(await session.value(locks), locksBefore)
    const reading = readCatalog(answer.results, system)
    assert.equal(reading.isPinned, false)
    const catalog = createCatalog(reading.data, 1)
    assert.match(relationOf(catalog, 'public', 'own').definition ?? '', /FROM public\.customers/)
    assert.equal(createCatalog(await loadCatalog(other.query, cache), 1).relationsNamed('own').length, 0)
    // The client's savepoint of the same name is still the one that it set.
    assert.equal((await session.query('ROLLBACK TO postern_catalog')).error, null)
    assert.equal(await session.value(`SELECT to_regclass('added')`), null)
    assert.equal((await session.query('COMMIT')).status, 'I')
  } finally {
    session.close()
    other.close()
  }
})

void test('a transaction that looks at an older state says so', async () => {
  const session = await openSession()
  try {
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const { results } = await session.query(
      catalogScript({ serverVersion: await serverVersion(), system: null, isInTransaction: true }),
    )
    assert.equal(readCatalog(results, null).isPinned, true)
  } finally {
    session.close()
  }
})

void test('a transaction in which the script failed can be brought back', async () => {
  const session = await openSession()
  try {
    await session.query('BEGIN; CREATE TABLE kept (i int)')
    const script = catalogScript({ serverVersion: await serverVersion(), system: null, isInTransaction: true })
    const failed = await session.query(script.replace('pg_catalog.pg_inherits', 'pg_catalog.pg_absent'))
    assert.equal(failed.error, '42P01')
    assert.equal(failed.status, 'E')
    assert.throws(() => readCatalog(failed.results, null), PosternError)
    assert.equal((await session.query(catalogRepair)).status, 'T')
    assert.equal(await session.value(`SELECT to_regclass('kept')`), 'kept')
    await session.query('ROLLBACK')

    const outside = catalogScript({ serverVersion: await serverVersion(), system: null, isInTransaction: false })
    assert.equal((await session.query(outside.replace('pg_catalog.pg_inherits', 'pg_absent'))).status, 'I')
  } finally {
    session.close()
  }
})

void test('a session that holds a table locked hides what cannot be printed without it, and holds nobody up', async () => {
  const [altering, waiting, reader] = [await openSession(), await openSession(), await clientOf(postgres, 'postgres')]
  try {
    await altering.query('BEGIN; ALTER TABLE customers ADD COLUMN extra text')
    const catalog = createCatalog(await loadCatalog(reader.query), 1)
    assert.equal(relationOf(catalog, 'public', 'buyers').definition, null)
    assert.deepEqual(
      relationOf(catalog, 'public', 'customers').columns.map(({ name, expression }) => [name, expression]),
      [
        ['id', null],
        ['email', unreadableExpression],
      ],
    )
    const standard = catalog.functionsNamed('standard')[0]
    assert.deepEqual([standard?.body, standard?.isStandardBody], [null, true])
    // Whoever changes it sees it.
    const own = await altering.query(
      catalogScript({ serverVersion: await serverVersion(), system: null, isInTransaction: true }),
    )
    const ownCatalog = createCatalog(readCatalog(own.results, null).data, 1)
    assert.notEqual(relationOf(ownCatalog, 'public', 'buyers').definition, null)
    assert.equal(relationOf(ownCatalog, 'public', 'customers').columns.length, 3)
    await altering.query('ROLLBACK')

    // One that only waits for the lock is in front of us as well.
    await altering.query('BEGIN; LOCK TABLE customers IN ACCESS SHARE MODE')
    const locking = waiting.query('BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE')
    while ((await altering.value('SELECT count(*) FROM pg_locks WHERE NOT granted')) === '0');
    assert.equal(relationOf(createCatalog(await loadCatalog(reader.query), 1), 'public', 'buyers').definition, null)
    await altering.query('ROLLBACK')
    await locking
    await waiting.query('ROLLBACK')
    const after = createCatalog(await loadCatalog(reader.query), 1)
    assert.notEqual(relationOf(after, 'public', 'buyers').definition, null)
  } finally {
    altering.close()
    waiting.close()
    reader.close()
  }
})

void test('a view that cannot be printed has no definition, and the others have theirs', async () => {
  const client = await clientOf(postgres, 'postgres')
  try {
    await client.query('CREATE VIEW emails AS SELECT email FROM customers')
    const honest = createCatalog(await loadCatalog(client.query), 1)
    const { oid } = relationOf(honest, 'public', 'buyers')
    // As where it is dropped while the query runs.
    const isDoomed = (sql: string): boolean =>
      sql.includes('pg_get_viewdef(c.oid)') || sql.includes(`pg_get_viewdef(${oid})`)
    const data = await loadCatalog(async (sql) => client.query(isDoomed(sql) ? 'SELECT 1/0' : sql))
    const isOther = (relation: { readonly oid: number }): boolean => relation.oid !== oid
    assert.deepEqual(data.relations.filter(isOther), honest.data.relations.filter(isOther))
    assert.deepEqual(data.functions, honest.data.functions)
    const catalog = createCatalog(data, 1)
    assert.deepEqual({ ...catalog.relation(oid), definition: '' }, { ...honest.relation(oid), definition: '' })
    assert.equal(catalog.relation(oid)?.definition, null)
  } finally {
    client.close()
    await postgres.query('postgres', 'DROP VIEW emails')
  }
})

void test('a lost connection gives no catalog', async () => {
  const client = await clientOf(postgres, 'postgres')
  client.close()
  await assert.rejects(loadCatalog(client.query), PosternError)
  const other = await clientOf(postgres, 'postgres')
  let asked = 0
  const query = async (sql: string): Promise<Rows> => {
    asked += 1
    if (asked === 12) other.close()
    return other.query(sql)
  }
  await assert.rejects(loadCatalog(query), PosternError)
})

void test('results that are not those of the script give no catalog', async () => {
  const client = await clientOf(postgres, 'postgres')
  try {
    const script = catalogScript({ serverVersion: await serverVersion(), system: null, isInTransaction: false })
    const results = await client.queryAll(script)
    const { system } = readCatalog(results, null)
    const refused = (odd: readonly Rows[], known: typeof system | null = null): void => {
      assert.throws(() => readCatalog(odd, known), PosternError)
    }
    refused([])
    refused(results.slice(1))
    refused([...results, []])
    refused(results.with(1, []))
    refused(results.slice(0, -1), { ...system, fingerprint: 'other' })
    refused(results.slice(0, -1), { ...system, serverVersion: 1 })
    for (const [i, rows] of results.entries()) {
      const [first] = rows
      if (first === undefined) continue
      refused(results.with(i, [first.slice(1)]))
      refused(results.with(i, [[...first, 'more']]))
      refused(results.with(i, [first.map(() => null)]))
    }
  } finally {
    client.close()
  }
})
