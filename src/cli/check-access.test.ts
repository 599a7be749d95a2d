import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { openControlStore } from '../store/store.ts'
import { checkAll } from './check.ts'

let folder = ''
let postgres: SandboxPostgres
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-check-'))
  mkdirSync(join(folder, 'policies'))
  postgres = await startPostgres()
  await postgres.query('postgres', "CREATE ROLE served LOGIN PASSWORD 'Str0ng'")
  await postgres.query('postgres', "CREATE ROLE keeper LOGIN PASSWORD 'Str0ng'")
  await postgres.query('postgres', 'CREATE DATABASE control')
  writeFileSync(join(folder, 'password'), 'Str0ng', { mode: 0o600 })
})
after(async () => {
  await postgres.stop()
  rmSync(folder, { recursive: true })
})

const policies = `
@id("all") permit (principal in Group::"engineering", action, resource);
@id("leads") permit (principal in AccessRole::"support-lead", action == Action::"SELECT", resource);
@id("whole-tables") @approvers("dba")
forbid (principal, action == Action::"DELETE", resource) when { !context.statement.hasWhere };
`
const api = 'api: { port: 0, login: { client_id: pages } }'
const roles = 'access_roles: { support-lead: { requestable_by: [support], approvers: [dba] } }'

/** What a configuration with these sections is told, by what was checked; port 0 of the API stands for a free one. */
async function told(
  sections: readonly string[],
  options: {
    policies?: string
    database?: string
    prefix?: string
    listen?: string
    reach?: 'online' | 'offline'
  } = {},
): Promise<ReadonlyMap<string, string>> {
  const place = `host: ${postgres.host}, port: ${String(postgres.port)}, database: postgres`
  const text = `
listen: ${options.listen ?? '{ allow_plaintext_on_loopback: true }'}
issuers: [{ url: https://idp.example.com, audience: postern, prefix: '${options.prefix ?? ''}' }]
databases:
  shop: { ${place}, role: served, tls: { mode: disable }, credential: { file: password }, ${options.database ?? ''} }
${sections.join('\n')}
`
  writeFileSync(join(folder, 'policies', 'a.cedar'), options.policies ?? policies)
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, text.replace('port: 0', `port: ${String(await freePort())}`))
  const results = await checkAll(file, options.reach ?? 'offline')
  return new Map(results.map(({ what, status, found }) => [what, `${status}: ${found}`]))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('postern check, of approvals and access roles,', () => {
  test('finds in order what fits together', async () => {
    const found = await told([api, roles])
    assert.equal(found.get('access roles'), 'ok: support-lead')
    assert.equal(found.get('approvals'), 'ok: 1 policies with @approvers, 1 access role(s); who decides: dba')
    assert.match(found.get('API') ?? '', /^ok: can listen on 127\.0\.0\.1, port \d+$/u)
    assert.match(
      found.get('approval pages') ?? '',
      /^ok: links lead to (http:\S+); .* know \1\/callback for client pages$/u,
    )
  })

  test('warns of a role that only policies name, or only the configuration has', async () => {
    const found = await told([api, roles.replace('support-lead', 'support-chief')])
    assert.match(found.get('access roles') ?? '', /^warning: policies name "support-lead".*nobody can ask for it\n/u)
    assert.match(found.get('access roles') ?? '', /no policy names "support-chief"/u)
  })

  test('warns of @approvers while nobody can approve', async () => {
    const found = await told([])
    const words = 'without `api` nobody can approve anything: what needs approval by "whole-tables" is refused'
    assert.equal(found.get('approvals'), `warning: ${words}`)
    assert.equal(found.has('API'), false)
  })

  test('warns of approvers whom no issuer can name', async () => {
    const found = await told([api], { prefix: 'corp:' })
    assert.match(found.get('approvals') ?? '', /^warning: nobody can be in "dba"/u)
    const right = await told([api], { prefix: 'corp:', policies: policies.replace('"dba"', '"corp:dba"') })
    assert.match(right.get('approvals') ?? '', /^ok: .*who decides: corp:dba$/u)
  })

  test('says nothing about them where nothing asks for them', async () => {
    const found = await told([], { policies: 'permit (principal, action, resource);' })
    assert.deepEqual([found.has('approvals'), found.has('access roles')], [false, false])
  })
})

describe('postern check, of the API,', () => {
  test('tells of a port that somebody else has', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const found = await told([`api: { port: ${String(port)} }`])
    server.close()
    assert.equal(found.get('API'), `failed: cannot listen on 127.0.0.1, port ${String(port)}: another process does`)
  })

  test('tells whom its links do not reach, and where nobody can log in', async () => {
    const pages = async (section: string, listen?: string) =>
      (await told([section], listen === undefined ? {} : { listen })).get('approval pages') ?? ''
    const { certificate, key } = await certificateFiles()
    const open = `{ address: 0.0.0.0, tls: { certificate: ${certificate}, key: ${key} } }`
    assert.match(await pages(api, open), /^warning: links lead to http:\S+, which only this machine can open$/u)
    const plain = api.replace('}', "}, public_url: 'http://postern.example.com'")
    assert.match(await pages(plain), /^warning: http:\S+ is not https: /u)
    assert.match(await pages('api: { port: 0 }'), /^warning: nobody can log in at http:/u)
    const right = api.replace('}', "}, public_url: 'https://postern.example.com'")
    assert.match(await pages(right, open), /^ok: links lead to https:/u)
  })

  test('tells of a secret that cannot be read, and not what is in one that can', async () => {
    writeFileSync(join(folder, 'hook'), 's3cret-value\n', { mode: 0o600 })
    const found = await told([
      'notifications:',
      '  webhooks:',
      '    - { url: https://one.example.com/x, secret: { environment: POSTERN_TEST_ABSENT } }',
      '    - { url: https://two.example.com/x, secret: { file: hook } }',
      '  slack: { channel: C1, token: { file: hook }, signing_secret: { environment: POSTERN_TEST_ABSENT } }',
    ])
    assert.match(
      found.get('secret of the webhook at one.example.com') ?? '',
      /^failed: .*POSTERN_TEST_ABSENT is not set/u,
    )
    assert.match(found.get('secret of the webhook at two.example.com') ?? '', /^ok: /u)
    assert.match(found.get('token of Slack') ?? '', /^ok: /u)
    assert.match(found.get('signing secret of Slack') ?? '', /^failed: /u)
    assert.doesNotMatch([...found.values()].join('\n'), /s3cret/u)
  })
})

describe('postern check, of the control store,', () => {
  test('makes nothing, takes what the gateway has made, and nothing else', async () => {
    const file = join(folder, 'control.db')
    assert.equal((await told([])).get('control store'), `ok: ${file}, made at the first start`)
    assert.equal(existsSync(file), false)
    await (await openControlStore({ kind: 'sqlite', file })).close()
    assert.equal((await told([])).get('control store'), `ok: ${file}`)
    chmodSync(file, 0o644)
    assert.match((await told([])).get('control store') ?? '', /^warning: .* is open to other accounts/u)
    writeFileSync(file, 'no database at all, but some text')
    assert.match((await told([])).get('control store') ?? '', /^failed: .* is no SQLite database$/u)
    rmSync(file)
  })

  const shared = (role: string, database = 'control', schema = 'postern') => {
    const place = `host: ${postgres.host}, port: ${String(postgres.port)}, database: ${database}, schema: ${schema}`
    return `control_store: { postgres: { ${place}, role: ${role}, tls: { mode: disable }, credential: { file: password } } }`
  }
  const online = async (section: string) => (await told([section], { reach: 'online' })).get('control store') ?? ''

  test('tells what the role lacks in PostgreSQL, and is content with its own schema', async () => {
    const schema = `it's`
    const section = shared('keeper').replace('schema: postern', `schema: "${schema}"`)
    assert.match(await online(section), /^failed: keeper may not make schema it's of control /u)
    await postgres.query('control', `CREATE SCHEMA "${schema}"`)
    assert.match(await online(section), /^failed: keeper may not use schema it's of control /u)
    await postgres.query('control', `ALTER SCHEMA "${schema}" OWNER TO keeper`)
    assert.match(await online(section), /^ok: schema it's of control .*, as keeper$/u)
    await postgres.query('postgres', 'GRANT CREATE ON DATABASE control TO keeper')
    assert.match(
      await online(shared('keeper')),
      /^ok: schema postern of control .*, made at the first start by keeper$/u,
    )
    const withoutTls = shared('keeper').replace('mode: disable', 'mode: prefer')
    assert.match(await online(withoutTls), /^failed: .*has no TLS/u)
  })

  test('warns where a database is served as the owner of the store in it', async () => {
    const found = await told([shared('served', 'postgres')])
    assert.match(found.get('control store') ?? '', /^warning: database "shop" is served as served, the owner of/u)
    assert.equal((await told([shared('keeper', 'postgres')])).has('control store'), false)
  })
})

describe('postern check, of a database,', () => {
  const online = async (database: string) => (await told([], { database, reach: 'online' })).get('database shop') ?? ''

  test('fails where sessions need roles that the role may not make', async () => {
    assert.match(await online('ephemeral_roles: true'), /^failed: .*The role may make no others \(CREATEROLE\)/u)
    await postgres.query('postgres', 'ALTER ROLE served CREATEROLE')
    assert.match(await online('ephemeral_roles: true'), /^(?:ok|warning): logged in/u)
    assert.doesNotMatch(await online('ephemeral_roles: true'), /CREATEROLE/u)
  })

  test("warns where the identity that is shown does not reach PostgreSQL's log", async () => {
    assert.match(await online('show_identity: true'), /^warning: .*log shows no application_name$/u)
    await postgres.query('postgres', "ALTER SYSTEM SET log_line_prefix = '%m %a '")
    await postgres.query('postgres', 'SELECT pg_reload_conf()')
    // The server takes the change up when it comes to it.
    let found = await online('show_identity: true')
    for (let tries = 0; tries < 50 && found.includes('application_name'); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      found = await online('show_identity: true')
    }
    assert.doesNotMatch(found, /application_name/u)
  })
})

async function certificateFiles(): Promise<{ certificate: string; key: string }> {
  const { createCertificateAuthority, issueCertificate } = await import('../../sandbox/certificate.ts')
  const { certificate, key } = await issueCertificate(await createCertificateAuthority(), { hosts: ['localhost'] })
  writeFileSync(join(folder, 'a.crt'), certificate)
  writeFileSync(join(folder, 'a.key'), key, { mode: 0o600 })
  return { certificate: 'a.crt', key: 'a.key' }
}
