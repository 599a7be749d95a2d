import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { type SandboxPostgres, startPostgres } from '../../sandbox/postgres.ts'
import { newGatewayId, type GatewayId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import { type EphemeralRoleWish, type Privilege, privilegesFor, createEphemeralRoles } from './ephemeral-roles.ts'
import { quoteIdentifier, quoteLiteral } from './ephemeral-roles-sql.ts'
import { connectAs, relationsOf, startRoles } from './ephemeral-roles-testing.ts'

let postgres: SandboxPostgres
const gateway = newGatewayId()

before(async () => {
  postgres = await startPostgres({ settings: { log_statement: 'all' } })
  await postgres.query('postgres', 'CREATE ROLE service LOGIN CREATEROLE; CREATE ROLE bundle NOLOGIN')
  await postgres.query('postgres', 'GRANT bundle TO service WITH ADMIN OPTION')
  await postgres.query('postgres', 'CREATE DATABASE shop OWNER service')
  await postgres.query(
    'shop',
    `SET ROLE service;
     CREATE SCHEMA sales; CREATE SCHEMA "Odd ""Schema"" 'ß"; CREATE SCHEMA hidden;
     CREATE TABLE sales.orders (id serial PRIMARY KEY, note text); CREATE TABLE sales.lines (id int GENERATED ALWAYS AS IDENTITY, n int);
     CREATE TABLE sales.secrets (t text); CREATE TABLE hidden.things (t text); CREATE SEQUENCE sales.other;
     CREATE VIEW sales.report AS SELECT * FROM sales.orders; CREATE MATERIALIZED VIEW sales.totals AS SELECT 1 AS n;
     CREATE TABLE "Odd ""Schema"" 'ß"."Tab""le; DROP TABLE sales.orders --" (t text);
     CREATE TABLE "Odd ""Schema"" 'ß"."表 U&""\\0041" (t text);
     INSERT INTO sales.orders (note) VALUES ('one');`,
  )
})

after(async () => {
  await postgres.stop()
})

const wish = (facts: Partial<EphemeralRoleWish> = {}): EphemeralRoleWish => ({
  privileges: [],
  validUntilMs: Date.now() + 3_600_000,
  principalName: "alice@example.com'; DROP ROLE service --",
  ...facts,
})

/** What a role may do with every relation and schema that is not PostgreSQL's own, as PostgreSQL sees it. */
async function effective(role: string): Promise<readonly string[]> {
  const rows = await postgres.query(
    'shop',
    `SELECT format('%s.%s %s', n.nspname, c.relname, p) AS line
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       unnest(CASE c.relkind WHEN 'S' THEN ARRAY['SELECT', 'UPDATE', 'USAGE'] ELSE
         ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'] END) p
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
       AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege($1, c.oid, p) ELSE has_table_privilege($1, c.oid, p) END
     UNION ALL
     SELECT format('%s %s', nspname, p) FROM pg_namespace, unnest(ARRAY['USAGE', 'CREATE']) p
     WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public') AND has_schema_privilege($1, nspname, p)
     ORDER BY 1`,
    [role],
  )
  return rows.map(({ line }) => String(line))
}

const isThere = async (role: string): Promise<boolean> =>
  (await postgres.query('shop', 'SELECT 1 FROM pg_roles WHERE rolname = $1', [role])).length > 0

async function allowing(allowed: Readonly<Record<string, readonly string[]>>): Promise<readonly Privilege[]> {
  return privilegesFor({
    relations: await relationsOf(postgres),
    mayRun: (command, { schema, name }) => allowed[`${schema ?? ''}.${name}`]?.includes(command) === true,
  })
}

describe('a role', () => {
  test('can do exactly what its privileges say and no more, and is gone after the drop', async () => {
    const odd = `Odd "Schema" 'ß`
    const privileges = await allowing({
      'sales.orders': ['SELECT', 'INSERT', 'UPDATE'],
      'sales.lines': ['DELETE', 'TRUNCATE TABLE', 'CREATE TRIGGER', 'VACUUM'],
      'sales.report': ['SELECT'],
      [`${odd}.Tab"le; DROP TABLE sales.orders --`]: ['SELECT'],
      [`${odd}.表 U&"\\0041`]: ['INSERT'],
    })
    const roles = startRoles(postgres, { gateway })
    const made = await roles.create(wish({ privileges }))
    assert.deepEqual(await effective(made.role), [
      `${odd} USAGE`,
      `${odd}.Tab"le; DROP TABLE sales.orders -- SELECT`,
      `${odd}.表 U&"\\0041 INSERT`,
      'sales USAGE',
      'sales.lines DELETE',
      'sales.lines MAINTAIN',
      'sales.lines TRIGGER',
      'sales.lines TRUNCATE',
      'sales.orders INSERT',
      'sales.orders SELECT',
      'sales.orders UPDATE',
      'sales.orders_id_seq USAGE',
      'sales.report SELECT',
    ])
    const client = await connectAs(postgres, { ...made, isTcp: true })
    assert.deepEqual(await client.query("INSERT INTO sales.orders (note) VALUES ('two') RETURNING note"), [['two']])
    for (const refused of [
      'DELETE FROM sales.orders',
      'TABLE sales.secrets',
      'TABLE hidden.things',
      "SELECT nextval('sales.other')",
      'CREATE TABLE sales.mine ()',
      'SET ROLE service',
      'CREATE ROLE more',
      'ALTER TABLE sales.orders DISABLE TRIGGER ALL',
    ]) {
      await assert.rejects(client.query(refused), { code: 'backend_unavailable' }, refused)
    }
    await made.drop()
    assert.equal(await isThere(made.role), false)
    await assert.rejects(client.query('SELECT 1'), { code: 'backend_lost' })
    await made.drop()
    client.close()
    assert.equal((await postgres.query('shop', 'SELECT count(*)::int AS n FROM sales.orders'))[0]?.['n'], 2)
  })

  test('logs in with its password once at a time, until its end, and the password is in no log', async () => {
    const roles = startRoles(postgres, { gateway })
    const validUntilMs = Date.now() + 60_000
    const made = await roles.create(wish({ validUntilMs, searchPath: ['sales', `Odd "Schema" 'ß`] }))
    const [row] = await postgres.query(
      'shop',
      `SELECT (extract(epoch FROM rolvaliduntil) * 1000)::float8 AS until, rolconnlimit, rolinherit, rolsuper, rolcreaterole,
         rolcreatedb, rolreplication, rolbypassrls, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1`,
      [made.role],
    )
    const { until, comment, rolconnlimit, ...rest } = row ?? {}
    assert.deepEqual([until, rolconnlimit], [validUntilMs, 1])
    assert.deepEqual([...new Set(Object.values(rest))], [false])
    assert.match(String(comment), new RegExp(`gateway ${gateway}, until .* for alice@example.com'; DROP ROLE`))
    const client = await connectAs(postgres, { ...made, isTcp: true })
    assert.deepEqual(await client.query('SHOW search_path'), [[`sales, "Odd ""Schema"" 'ß"`]])
    await assert.rejects(connectAs(postgres, { ...made, isTcp: true }), /too many connections/)
    await assert.rejects(connectAs(postgres, { ...made, password: 'x', isTcp: true }), { code: 'backend_login_failed' })
    client.close()
    await made.drop()
    const log = await readFile(postgres.logFile, 'utf8')
    assert.ok(log.includes(made.role) && !log.includes(made.password))
    await assert.rejects(roles.create(wish({ validUntilMs: Date.now() - 1 })), { code: 'input_invalid' })
    await assert.rejects(roles.create(wish({ validUntilMs: Number.NaN })), { code: 'input_invalid' })
    await assert.rejects(roles.create(wish({ validUntilMs: Infinity })), { code: 'input_invalid' })
  })

  test('leaves what it made behind, owned by the service role', async () => {
    const privileges = privilegesFor({
      relations: await relationsOf(postgres),
      mayRun: () => false,
      mayCreateIn: (schema) => schema === 'sales',
    })
    const roles = startRoles(postgres, { gateway })
    const made = await roles.create(wish({ privileges }))
    const client = await connectAs(postgres, { ...made, isTcp: true })
    await client.query('CREATE TABLE sales.made AS SELECT 7 AS n')
    await client.query('CREATE FUNCTION sales.seven() RETURNS int RETURN 7')
    await client.query('ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO PUBLIC')
    await client.query('CREATE TEMP TABLE passing (n int); BEGIN; LOCK TABLE sales.made')
    await made.drop()
    const [row] = await postgres.query(
      'shop',
      'SELECT n, sales.seven() AS f, pg_get_userbyid(relowner) AS owner FROM sales.made, pg_class WHERE oid = $1::regclass',
      ['sales.made'],
    )
    assert.deepEqual(row, { n: 7, f: 7, owner: 'service' })
    await postgres.query('shop', 'DROP TABLE sales.made; DROP FUNCTION sales.seven')
  })

  test('has what its database roles have, and cannot become them', async () => {
    await postgres.query('shop', 'GRANT USAGE ON SCHEMA hidden TO bundle; GRANT SELECT ON hidden.things TO bundle')
    const roles = startRoles(postgres, { gateway })
    const made = await roles.create(wish({ memberOf: ['bundle'] }))
    const client = await connectAs(postgres, { ...made, isTcp: true })
    assert.deepEqual(await client.query('TABLE hidden.things'), [])
    await assert.rejects(client.query('SET ROLE bundle'))
    client.close()
    await made.drop()
    assert.equal(await isThere('bundle'), true)
  })
})

describe('many roles', () => {
  test('are made at once, share the role that holds their privileges, and differ where privileges do', async () => {
    const one = startRoles(postgres, { gateway })
    const two = startRoles(postgres, { gateway: newGatewayId() })
    const privileges = await allowing({ 'sales.orders': ['SELECT'], 'sales.secrets': ['SELECT'] })
    const fewer = await allowing({ 'sales.secrets': ['SELECT'] })
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        (index % 2 === 0 ? one : two).create(wish({ privileges: index % 3 === 0 ? fewer : privileges })),
      ),
    )
    assert.equal(new Set(made.map(({ role }) => role)).size, 12)
    for (const [index, { role }] of made.entries()) {
      const lines = ['sales USAGE', 'sales.orders SELECT', 'sales.secrets SELECT']
      assert.deepEqual(
        await effective(role),
        lines.filter((line) => index % 3 !== 0 || !line.includes('orders')),
      )
    }
    const acl = await postgres.query('shop', "SELECT cardinality(relacl) AS n FROM pg_class WHERE relname = 'secrets'")
    assert.ok(Number(acl[0]?.['n']) <= 4, 'one entry for each set of privileges')
    await Promise.all(made.map((each) => each.drop()))
    for (const { role } of made) assert.equal(await isThere(role), false)
  })

  test('a table of the same name made anew is another one, and privileges on the old are not given on it', async () => {
    await postgres.query('shop', 'SET ROLE service; CREATE TABLE sales.moving (n int)')
    const privileges = await allowing({ 'sales.moving': ['SELECT'] })
    const roles = startRoles(postgres, { gateway })
    const before = await roles.create(wish({ privileges }))
    await postgres.query(
      'shop',
      'SET ROLE service; ALTER TABLE sales.moving RENAME TO moved; CREATE TABLE sales.moving (n int)',
    )
    assert.deepEqual(await effective(before.role), ['sales USAGE', 'sales.moved SELECT'])
    const again = await roles.create(wish({ privileges: await allowing({ 'sales.moving': ['SELECT'] }) }))
    assert.deepEqual(await effective(again.role), ['sales USAGE', 'sales.moving SELECT'])
    // Worked out before the renaming, for a set that no role has yet.
    const [schema, relation] = privileges
    assert.ok(schema !== undefined && relation?.kind === 'relation')
    const stale: Privilege = { ...relation, privileges: ['SELECT', 'INSERT'] }
    await assert.rejects(roles.create(wish({ privileges: [schema, stale] })), { code: 'catalog_unavailable' })
    await assert.rejects(roles.create(wish({ privileges: [schema, { ...stale, name: 'gone' }] })), {
      code: 'catalog_unavailable',
    })
    await Promise.all([before.drop(), again.drop()])
  })

  test('what the service role may not grant is refused, and leaves nothing behind', async () => {
    await postgres.query('shop', 'CREATE TABLE sales.foreign_owned (t text); CREATE TABLE sales.lent (t text)')
    await postgres.query('shop', 'GRANT SELECT ON sales.lent TO service')
    const roles = startRoles(postgres, { gateway })
    const count = async (): Promise<unknown> =>
      (await postgres.query('shop', "SELECT count(*)::int AS n FROM pg_roles WHERE rolname LIKE 'postern_e_%'"))[0]?.[
        'n'
      ]
    const before = await count()
    for (const table of ['foreign_owned', 'lent']) {
      const privileges = await allowing({ [`sales.${table}`]: ['SELECT'], 'sales.orders': ['DELETE'] })
      await assert.rejects(roles.create(wish({ privileges })), { code: 'backend_unavailable' })
    }
    assert.equal(await count(), before)
  })
})

describe('a sweep', () => {
  const crash = new URL('ephemeral-roles-testing-gateway.ts', import.meta.url).pathname

  test('drops what a killed gateway left once that is known to be dead, and nothing of others', async () => {
    const dead = newGatewayId()
    const args = [crash, postgres.socketDirectory, String(postgres.port), dead]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const orphan = line.toString().trim()
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(await isThere(orphan), true)
    const roles = startRoles(postgres, { gateway })
    const living = await roles.create(wish())
    const elsewhere = await startRoles(postgres, { gateway: newGatewayId() }).create(wish())
    assert.deepEqual(await roles.sweep(new Set()), { dropped: [], failed: [] })
    const deadGateways: ReadonlySet<GatewayId> = new Set([dead])
    const sweepers = [
      roles,
      startRoles(postgres, { gateway: newGatewayId() }),
      startRoles(postgres, { gateway: newGatewayId() }),
    ]
    const swept = await Promise.all(sweepers.map((each) => each.sweep(new Set(), { deadGateways })))
    assert.ok(swept.some(({ dropped }) => dropped.includes(orphan)))
    assert.deepEqual(
      swept.flatMap(({ failed }) => failed),
      [],
    )
    assert.equal(await isThere(orphan), false)
    assert.deepEqual([await isThere(living.role), await isThere(elsewhere.role)], [true, true])
    await Promise.all([living.drop(), elsewhere.drop()])
  })

  test('drops what is behind its end, its session with it, unless it is said to be alive', async () => {
    const others = startRoles(postgres, { gateway: newGatewayId() })
    const made = await others.create(wish({ validUntilMs: Date.now() + 60_000 }))
    const client = await connectAs(postgres, { ...made, isTcp: true })
    const late =
      (ms: number): (() => number) =>
      () =>
        Date.now() + 60_000 + ms
    const early = startRoles(postgres, { gateway, now: late(limits.roleGraceMs - 10_000) })
    assert.deepEqual((await early.sweep(new Set())).dropped, [])
    const roles = startRoles(postgres, { gateway, now: late(limits.roleGraceMs + 10_000) })
    assert.deepEqual((await roles.sweep(new Set([made.role]))).dropped, [])
    assert.deepEqual((await roles.sweep(new Set())).dropped, [made.role])
    await assert.rejects(client.query('SELECT 1'), { code: 'backend_lost' })
    client.close()
  })

  test('takes up own roles that could not be dropped, and goes on behind one that cannot be', async () => {
    const warnings: string[] = []
    const roles = startRoles(postgres, { gateway, warnings })
    const stuck = await roles.create(wish())
    await postgres.query('postgres', `CREATE TABLE elsewhere (n int); ALTER TABLE elsewhere OWNER TO "${stuck.role}"`)
    await assert.rejects(stuck.drop(), { code: 'backend_unavailable' })
    await assert.rejects(connectAs(postgres, { ...stuck, isTcp: true }), { code: 'backend_login_failed' })
    const second = await roles.create(wish())
    assert.deepEqual(await roles.sweep(new Set()), { dropped: [], failed: [stuck.role] })
    assert.equal(warnings.length, 1)
    await postgres.query('postgres', 'DROP TABLE elsewhere')
    assert.deepEqual(await roles.sweep(new Set()), { dropped: [stuck.role], failed: [] })
    await second.drop()
  })

  test('drops sets of privileges that nobody has had for a while, and no others', async () => {
    const privileges = await allowing({ 'sales.orders': ['SELECT', 'DELETE'] })
    const later = (): number => Date.now() + limits.rolePrivilegesKeptMs + 10_000
    const roles = startRoles(postgres, { gateway })
    const made = await roles.create(wish({ privileges, validUntilMs: later() + 3_600_000 }))
    const sets = async (): Promise<number> =>
      (await postgres.query('shop', "SELECT 1 FROM pg_roles WHERE rolname LIKE 'postern_e_p_%'")).length
    await startRoles(postgres, { gateway: newGatewayId(), now: later }).sweep(new Set())
    assert.equal(await sets(), 1)
    assert.ok((await effective(made.role)).includes('sales.orders DELETE'))
    await made.drop()
    await roles.sweep(new Set())
    assert.equal(await sets(), 1)
    await startRoles(postgres, { gateway, now: later }).sweep(new Set())
    assert.equal(await sets(), 0)
    const acl = await postgres.query('shop', "SELECT relacl::text AS acl FROM pg_class WHERE relname = 'orders'")
    assert.ok(!String(acl[0]?.['acl']).includes('postern_e_'))
  })
})

test('a service role that is a superuser makes them as well', async () => {
  const roles = startRoles(postgres, { gateway, service: 'postgres' })
  const made = await roles.create(wish({ privileges: await allowing({ 'sales.foreign_owned': ['SELECT'] }) }))
  assert.deepEqual(await effective(made.role), ['sales USAGE', 'sales.foreign_owned SELECT'])
  await made.drop()
  assert.equal(await isThere(made.role), false)
})

test('names and texts are written so that PostgreSQL reads them as they are, and what it cannot have is refused', async () => {
  const texts = [
    'a',
    'A b',
    `"`,
    `'`,
    '\\',
    "\\'; DROP TABLE x --",
    '""',
    `E'x'`,
    '$1',
    'ß東🚪',
    'a\nb',
    '--',
    'U&"x"',
    '%I',
  ]
  for (const mode of ['on', 'off']) {
    const client = await connectAs(postgres, { role: 'postgres' })
    await client.query(`SET standard_conforming_strings = ${mode}; SET escape_string_warning = off`)
    for (const text of texts) {
      assert.deepEqual(await client.query(`SELECT ${quoteLiteral(text)}`), [[text]], text)
      const named = `SELECT jsonb_object_keys(to_jsonb(t)) FROM (SELECT 1 AS ${quoteIdentifier(text)}) t`
      assert.deepEqual(await client.query(named), [[text]], text)
    }
    client.close()
  }
  for (const name of ['', 'a\0b', 'x'.repeat(64), 'ß'.repeat(32), '\ud800']) {
    assert.throws(() => quoteIdentifier(name), { code: 'input_invalid' })
  }
  for (const text of ['a\0b', '\udfff']) assert.throws(() => quoteLiteral(text), { code: 'input_invalid' })
})

test('a prefix that is no plain name is refused', () => {
  const options = { admin: () => Promise.reject(new Error('not asked')), gateway, log: console, now: Date.now }
  for (const prefix of ['', 'pg_e_', 'Postern_', 'a"b_', 'x'.repeat(17)]) {
    assert.throws(() => createEphemeralRoles({ ...options, prefix }), { code: 'input_invalid' })
  }
})
