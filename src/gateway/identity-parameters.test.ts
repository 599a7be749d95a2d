import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type SandboxPostgres, startPostgres } from '../../sandbox/postgres.ts'
import { connectBackend, createCredentialSource } from '../backend/backend.ts'
import { createQueryClient, type QueryClient } from '../backend/query.ts'
import { newSessionId } from '../core/ids.ts'
import { identityParameters, withIdentity } from './identity-parameters.ts'
import { forgedSettings, forwardedParameters } from './start-up-parameters.ts'

let postgres: SandboxPostgres
const sessionId = newSessionId()

before(async () => {
  postgres = await startPostgres({ settings: { log_line_prefix: '%a|%u|' } })
})

after(async () => {
  await postgres.stop()
})

async function open(startup: ReadonlyMap<string, string>): Promise<QueryClient> {
  const tls = { mode: 'disable', ca: undefined, serverName: undefined } as const
  const { socketDirectory: host, port } = postgres
  const connection = await connectBackend(
    { host, port, database: 'postgres', role: 'postgres', tls },
    forwardedParameters(startup),
    { signal: AbortSignal.timeout(10_000), credential: createCredentialSource({ password: postgres.password }, {}) },
  )
  return createQueryClient(connection)
}

async function settingOf(client: QueryClient, name: string): Promise<string | null> {
  const [row] = await client.query(`SELECT current_setting('${name}', true)`)
  return row?.[0] ?? null
}

const shown = (name: string, application = 'psql') => ({
  principal: { name },
  sessionId,
  application,
  showsIdentity: true,
})

test('PostgreSQL knows principal and session of a connection, whatever the name is made of', async () => {
  for (const name of [
    'alice@example.com',
    "o'neil -c postern.principal=mallory",
    String.raw`back\slash \ and "quotes"`,
    '--postern.principal=mallory',
    'a=b, c;d $$ {e}',
    'Zoë Ångström 東京 🚪',
    ' blanks ',
    '\ttab and\nline',
    'x'.repeat(255),
  ]) {
    const client = await open(withIdentity(new Map([['options', '-c geqo=off']]), shown(name)))
    assert.equal(await settingOf(client, 'postern.principal'), name)
    assert.equal(await settingOf(client, 'postern.session'), sessionId)
    assert.equal(await settingOf(client, 'geqo'), 'off')
    client.close()
  }
})

test('it stays so after what returns to the start', async () => {
  const client = await open(withIdentity(new Map([['application_name', 'psql']]), shown('alice')))
  for (const text of ['RESET ALL', 'DISCARD ALL', 'SET SESSION AUTHORIZATION DEFAULT', 'BEGIN; ROLLBACK']) {
    await client.query(text)
    assert.equal(await settingOf(client, 'postern.principal'), 'alice')
    assert.equal(await settingOf(client, 'application_name'), 'alice psql')
  }
  client.close()
})

test('policies of rows, pg_stat_activity and the log show who it is', async () => {
  await postgres.query(
    'postgres',
    `CREATE TABLE own (who text); INSERT INTO own VALUES ('alice'), ('bob'); ALTER TABLE own ENABLE ROW LEVEL SECURITY;
     CREATE POLICY own ON own USING (who = current_setting('postern.principal')); CREATE ROLE app; GRANT SELECT ON own TO app`,
  )
  const client = await open(withIdentity(new Map(), shown('bob', '')))
  assert.deepEqual(await client.queryAll('SET ROLE app; TABLE own'), [[['bob']]])
  const [activity] = await client.query('SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()')
  assert.deepEqual(activity, ['bob'])
  await assert.rejects(client.query('SELECT 1/0'))
  client.close()
  const { readFile } = await import('node:fs/promises')
  assert.match(await readFile(postgres.logFile, 'utf8'), /^bob\|postgres\|ERROR: {2}division by zero$/m)
})

test('the name of the application is cut where PostgreSQL would, between characters', async () => {
  assert.equal(identityParameters(shown('alice', '')).get('application_name'), 'alice')
  assert.equal(identityParameters({ ...shown('alice'), showsIdentity: false }).get('application_name'), undefined)
  const long = identityParameters(shown('alice', 'ä'.repeat(60))).get('application_name') ?? ''
  assert.equal(long, `alice ${'ä'.repeat(28)}`)
  const exact = identityParameters(shown('a'.repeat(59), '🚪')).get('application_name')
  assert.equal(exact, `${'a'.repeat(59)} `)
  const client = await open(withIdentity(new Map(), shown('a'.repeat(80))))
  assert.equal(await settingOf(client, 'application_name'), 'a'.repeat(63))
  client.close()
})

/** Start-up parameters by which a client would be somebody else, if they went through. */
const forgeries: readonly Readonly<Record<string, string>>[] = [
  { 'postern.principal': 'mallory' },
  { 'Postern.PRINCIPAL': 'mallory' },
  ...[
    '-c postern.principal=mallory',
    '-cpostern.principal=mallory',
    '--postern.principal=mallory',
    '--POSTERN.principal=mallory',
    '-c geqo=off  -c postern.principal=mallory -c jit=off',
    String.raw`-c\ postern.principal=mallory`,
    String.raw`-c postern.princi\pal=mallory`,
    String.raw`\-\c \postern.principal=mal\ lory`,
    '-ecpostern.principal=mallory',
    '-e -Ecpostern.principal=mallory',
    '-e-postern.principal=mallory',
    '-S 64 -c\tpostern.principal=mallory',
    'stray -c postern.principal=mallory',
  ].map((options) => ({ options })),
]

test('a client that says at the start who it is, is refused, and would not be believed either', async () => {
  let real = 0
  for (const forgery of forgeries) {
    const parameters = new Map(Object.entries(forgery))
    const said = JSON.stringify(forgery)
    // That it is an attack at all shows where nobody stands in its way; a form that PostgreSQL does not take is none.
    const unguarded = await open(parameters).catch(() => null)
    if (unguarded !== null && /^mal ?lory$/.test((await settingOf(unguarded, 'postern.principal')) ?? '')) real += 1
    unguarded?.close()
    assert.throws(() => withIdentity(parameters, shown('alice')), { code: 'input_invalid' }, said)
    const merged = new Map([...parameters, ...identityParameters(shown('alice'))])
    const client = await open(merged).catch(() => null)
    const believed = client === null ? 'alice' : await settingOf(client, 'postern.principal')
    client?.close()
    if (!('Postern.PRINCIPAL' in forgery)) assert.equal(believed, 'alice', said)
  }
  assert.ok(real >= 10, `only ${String(real)} of them work where nobody guards`)
})

test('what clients may say at the start goes on', async () => {
  const parameters = new Map([
    ['options', String.raw`-c postern.login=password -c app.postern=1 -c app.note=postern.principal=x`],
    ['Application_Name', 'mallory'],
    ['TimeZone', 'UTC'],
  ])
  assert.deepEqual(forgedSettings(parameters), [])
  const client = await open(withIdentity(parameters, shown('alice', 'psql')))
  assert.equal(await settingOf(client, 'application_name'), 'alice psql')
  assert.equal(await settingOf(client, 'app.postern'), '1')
  client.close()
  const unshown = await open(
    withIdentity(new Map([['application_name', 'mine']]), { ...shown('alice'), showsIdentity: false }),
  )
  assert.equal(await settingOf(unshown, 'application_name'), 'mine')
  unshown.close()
})
