import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { encodeBind, encodeExecute, encodeParse, encodeQuery, sync } from '../src/wire/frontend.ts'
import { alice, dana, exchange, rawAs, sam, told } from './support/access.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

/*
 * PostgreSQL itself is told who asks, by settings that its policies of rows and its views can rest on: everything that a
 * client could think of is tried to have it believe something else.
 */

const setUp = `
CREATE TABLE letters (owner text, line text);
INSERT INTO letters VALUES ('${alice}', 'for alice'), ('${sam}', 'for sam'), ('${dana}', 'for dana');
ALTER TABLE letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON letters USING (owner = current_setting('postern.principal', true));
CREATE FUNCTION setter() RETURNS text LANGUAGE plpgsql SET postern.principal = '${dana}'
  AS $$ BEGIN RETURN (SELECT string_agg(line, ',') FROM letters); END $$;
CREATE ROLE service LOGIN;
GRANT SELECT ON letters TO service;
GRANT CREATE ON SCHEMA public TO service;
REVOKE EXECUTE ON FUNCTION setter() FROM public;
`

// Whoever may run what cannot be read can forge, which the guide says; all else is permitted.
const policies = `
permit (principal, action, resource);
@id("nothing-unread") forbid (principal, action in Action::"opaque", resource);
`
const who = "SELECT current_setting('postern.principal')"
const letters = 'SELECT line FROM letters'

let sandbox: Sandbox

before(async () => {
  sandbox = await startSandbox({ policies, setUp, role: 'service', showsIdentity: true })
})

after(() => sandbox.stop())

/** What is sent, one text after another, to be taken for dana; each may fail. */
const forgeries: readonly (readonly [string, readonly string[]])[] = [
  ['SET', [`SET postern.principal = '${dana}'`]],
  ['SET LOCAL', ['BEGIN', `SET LOCAL postern.principal = '${dana}'`]],
  ['SET SESSION', [`SET SESSION postern.principal TO '${dana}'`]],
  ['another spelling', [`SET "POSTERN"."Principal" = '${dana}'`]],
  ['an escaped name', [`SET U&"postern".U&"\\0070rincipal" = '${dana}'`]],
  ['set_config', [`SELECT set_config('postern.principal', '${dana}', false)`]],
  ['set_config in capitals', [`SELECT pg_catalog.set_config('POSTERN.PRINCIPAL', '${dana}', false)`]],
  ['set_config of a computed name', [`SELECT set_config('postern.' || 'principal', '${dana}', false)`]],
  ['set_config of a column', [`SELECT set_config(n, '${dana}', false) FROM (VALUES ('postern.principal')) v(n)`]],
  ['set_config behind a name', [`SELECT "set_config"('postern.principal', '${dana}', true)`]],
  ['set_config in a condition', [`SELECT 1 WHERE set_config('postern.principal', '${dana}', false) <> ''`]],
  ['RESET', ['RESET postern.principal']],
  ['RESET ALL', ['RESET ALL']],
  ['DISCARD ALL', ['DISCARD ALL']],
  ['SET TO DEFAULT', ['SET postern.principal TO DEFAULT']],
  ['a rollback', ['BEGIN', 'SAVEPOINT s', `SET postern.principal = '${dana}'`, 'ROLLBACK TO s', 'ROLLBACK']],
  ['a prepared statement', [`PREPARE p AS SELECT set_config('postern.principal', $1, false)`, `EXECUTE p('${dana}')`]],
  [
    'a prepared name',
    ['PREPARE p(text) AS SELECT set_config($1, $2, false)', `EXECUTE p('postern.principal', '${dana}')`],
  ],
  ['DO', [`DO $$ BEGIN PERFORM set_config('postern.principal', '${dana}', false); END $$`]],
  ['DO with EXECUTE', [`DO $$ BEGIN EXECUTE 'SET postern.' || 'principal = ''${dana}'''; END $$`]],
  [
    'a function with a SET clause',
    [`CREATE FUNCTION f() RETURNS text LANGUAGE sql SET postern.principal = '${dana}' AS '${letters}'`, 'SELECT f()'],
  ],
  ['a function that is there', ['SELECT setter()']],
  [
    'a function that sets',
    [
      `CREATE FUNCTION g() RETURNS text LANGUAGE sql AS $$ SELECT set_config('postern.principal', '${dana}', false) $$`,
      'SELECT g()',
    ],
  ],
  [
    'a function that builds',
    [
      `CREATE FUNCTION h() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('SET %s = %L', 'postern' || '.principal', '${dana}'); END $$`,
      'SELECT h()',
    ],
  ],
  ['ALTER ROLE', [`ALTER ROLE service SET postern.principal = '${dana}'`]],
  ['ALTER DATABASE', [`ALTER DATABASE shop SET postern.principal = '${dana}'`]],
  ['ALTER FUNCTION', [`ALTER FUNCTION setter() SET postern.principal = '${dana}'`]],
  ['pg_settings', [`UPDATE pg_settings SET setting = '${dana}' WHERE name = 'postern.principal'`]],
  ['SET of two', [`SET application_name = 'x'; SET postern.principal = '${dana}'`]],
  [
    'query_to_xml',
    [`SELECT query_to_xml('SELECT set_config(''postern.principal'', ''${dana}'', false)', true, true, '')`],
  ],
]

describe('who PostgreSQL takes a session for', () => {
  test('decides which rows there are', async () => {
    for (const [person, line] of [
      [alice, 'for alice'],
      [sam, 'for sam'],
    ] as const) {
      const client = await sandbox.connect(person)
      assert.equal(await told(client, letters), JSON.stringify([[line]]))
      assert.equal(await told(client, who), JSON.stringify([[person]]))
      await client.end()
    }
  })

  for (const [name, texts] of forgeries) {
    test(`is not forged by ${name}`, async () => {
      for (const protocol of ['simple', 'extended']) {
        const client = await rawAs(sandbox, sam)
        let received = ''
        for (const sql of [...texts, letters, 'COMMIT', 'ROLLBACK', letters, who]) {
          const messages =
            protocol === 'simple'
              ? [encodeQuery(sql)]
              : [encodeParse({ sql }), encodeBind({}), encodeExecute('', 0), sync]
          const { text } = await exchange(client, messages)
          if (sql === letters) received += text
          assert.doesNotMatch(text, /for (dana|alice)/, `${protocol}: ${sql}`)
          if (sql === who) assert.match(text, /sam@example\.com/, protocol)
        }
        assert.match(received, /for sam/, protocol)
        client.close()
      }
    })
  }

  test('is not forged when connecting', async () => {
    const password = await sandbox.issuer.issueToken({ identity: sam })
    const given: readonly Readonly<Record<string, string>>[] = [
      { 'postern.principal': dana },
      { 'POSTERN.PRINCIPAL': dana },
      { options: `-c postern.principal=${dana}` },
      { options: `--postern.principal=${dana}` },
      { options: `-c POSTERN.principal=${dana}` },
      { options: `-cpostern.principal=${dana}` },
      { options: `-c application_name=x -c postern.\\principal=${dana}` },
      { options: `-c postern.session=s` },
    ]
    for (const parameters of given) {
      const outcome = await RawClient.logIn({
        port: sandbox.postern.port,
        ca: sandbox.authority.certificate,
        parameters: { user: sam, database: 'shop', ...parameters },
        password,
      }).catch((error: unknown) => String(error))
      if (typeof outcome === 'string') continue
      const { text } = await exchange(outcome, [encodeQuery(`${who}; ${letters}`)])
      assert.match(text, /for sam/, JSON.stringify(parameters))
      assert.doesNotMatch(text, /dana/, JSON.stringify(parameters))
      outcome.close()
    }
  })
})

describe('application_name', () => {
  const changes: readonly (readonly string[])[] = [
    [],
    ["SET application_name = 'DBeaver 24 - Main'"],
    ['SET application_name TO tool'],
    ["SET SESSION application_name = 'tool'"],
    ['BEGIN', "SET LOCAL application_name = 'tool'"],
    ['RESET application_name'],
    ['RESET ALL'],
    ['DISCARD ALL'],
    ['SET application_name TO DEFAULT'],
    ["SELECT set_config('application_name', 'forged', false)"],
    ["SELECT set_config('application_' || 'name', 'forged', false)"],
    ["SET application_name = E'forged\\x41'"],
    ["SET application_name = 'a'; SET application_name = 'forged'"],
    ["SET application_name = ''"],
    ["PREPARE n AS SELECT set_config('application_name', 'forged', false)", 'EXECUTE n'],
    ["SET APPLICATION_NAME = 'tool'"],
    [`SET "application_name" = 'forged'`],
    ["SET application_name = 'it''s'"],
    ['BEGIN', "SET application_name = 'tool'", 'ROLLBACK'],
  ]
  test('begins with the principal, whatever the client calls itself', async () => {
    const direct = await sandbox.connectDirect()
    for (const protocol of ['simple', 'extended']) {
      for (const texts of changes) {
        const client = await rawAs(sandbox, sam)
        const pid = client.cancelKey.processId
        for (const sql of texts) {
          await exchange(
            client,
            protocol === 'simple'
              ? [encodeQuery(sql)]
              : [encodeParse({ sql }), encodeBind({}), encodeExecute('', 0), sync],
          )
          const { rows } = await direct.query<{ name: string }>(
            'SELECT application_name AS name FROM pg_stat_activity WHERE pid = $1',
            [pid],
          )
          assert.match(rows[0]?.name ?? '', /^sam@example\.com/, `${protocol}: ${sql}`)
        }
        const { text } = await exchange(client, [encodeQuery('ROLLBACK; SHOW application_name')])
        assert.match(text, /sam@example\.com/)
        client.close()
      }
    }
    await direct.end()
  })

  test('keeps what the client calls itself behind it', async () => {
    const client = await sandbox.connect(sam, { application_name: 'report' })
    assert.equal(await told(client, 'SHOW application_name'), `[["${sam} report"]]`)
    await client.query("SET application_name = 'DBeaver 24 - Main'")
    assert.equal(await told(client, 'SHOW application_name'), `[["${sam} DBeaver 24 - Main"]]`)
    await client.end()
  })
})
