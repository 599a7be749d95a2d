import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { createCertificateAuthority, issueCertificate } from '../sandbox/certificate.ts'
import { loadConfig, loadSections } from './config.ts'
import { PosternError } from './core/errors.ts'

const issuers = `
issuers:
  - url: https://idp.example.com
    audience: postern
`
const databases = `
databases:
  shop:
    host: db.internal
    role: postern_shop
    credential: { environment: SHOP_PASSWORD }
`
const plaintext = 'listen: { allow_plaintext_on_loopback: true }\n'

let folder = ''
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-config-'))
  const authority = await createCertificateAuthority()
  const [server, other] = await Promise.all([
    issueCertificate(authority, { hosts: ['localhost'] }),
    issueCertificate(authority, { hosts: ['localhost'] }),
  ])
  writeFileSync(join(folder, 'server.crt'), server.certificate)
  writeFileSync(join(folder, 'server.key'), server.key, { mode: 0o600 })
  writeFileSync(join(folder, 'other.key'), other.key, { mode: 0o600 })
  writeFileSync(join(folder, 'open.key'), server.key, { mode: 0o604 })
  const sealed = createPrivateKey(server.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  })
  writeFileSync(join(folder, 'encrypted.key'), sealed, { mode: 0o600 })
})

function load(yaml: string, environment: Record<string, string> = {}) {
  const file = join(folder, 'postern.yaml')
  writeFileSync(file, yaml)
  return loadConfig(file, environment)
}

/** What loading says: message, detail and hint in one text. */
function refusal(yaml: string, environment: Record<string, string> = {}): string {
  try {
    load(yaml, environment)
  } catch (error) {
    assert.ok(error instanceof PosternError, String(error))
    assert.equal(error.code, 'config_invalid')
    return [error.message, error.detail, error.hint].filter((text) => text !== undefined).join('\n')
  }
  return assert.fail('this configuration should have been refused')
}

describe('a configuration', () => {
  test('of the least that is needed gets every default', () => {
    const config = load(plaintext + issuers + databases)
    assert.deepEqual(config.listen, {
      address: '127.0.0.1',
      port: 6432,
      tls: null,
      allowPlaintextOnLoopback: true,
      login: 'password',
      oauthScope: 'openid email profile',
    })
    assert.equal(config.issuers[0]?.leewayS, 30)
    assert.equal(config.policies, join(folder, 'policies'))
    assert.equal(config.journal.durability, 'process')
    assert.equal(config.session.expiryGraceS, 30)
    assert.deepEqual(config.masking, { key: join(folder, 'masking-key'), state: join(folder, 'masking-state') })
    const shop = config.databases.get('shop')
    assert.equal(shop?.database, 'shop')
    assert.equal(shop?.classification, null)
    assert.equal(shop?.catalogRefreshMs, 60_000)
    assert.equal(shop?.tls.mode, 'verify-full')
    assert.deepEqual(shop?.credential, { environment: 'SHOP_PASSWORD' })
  })

  test('is frozen', () => {
    const config = load(plaintext + issuers + databases)
    assert.throws(() => Object.assign(config.listen, { port: 1 }), TypeError)
    assert.throws(() => Object.assign(config.databases.get('shop')?.tls ?? {}, { mode: 'disable' }), TypeError)
  })

  test('takes the files it names in as PEM texts, found from its own folder', () => {
    const config = load(
      `listen: { tls: { certificate: server.crt, key: server.key } }\n${issuers}    ca: server.crt${databases}`,
    )
    assert.match(config.listen.tls?.certificate ?? '', /BEGIN CERTIFICATE/u)
    assert.match(config.listen.tls?.key ?? '', /PRIVATE KEY/u)
    assert.equal(config.listen.tls?.keyFile, join(folder, 'server.key'))
    assert.match(config.issuers[0]?.tlsCa ?? '', /BEGIN CERTIFICATE/u)
  })

  test('puts the environment in place of ${NAME}, and only there', () => {
    const yaml = `${plaintext.replace('listen: {', 'listen: { port: "${PORT}",')}${issuers}${databases}    labels: { env: "\${ENV}-1", literal: "$\${ENV}" }\n`
    const config = load(yaml, { PORT: '7000', ENV: 'production' })
    assert.equal(config.listen.port, 7000)
    assert.deepEqual(Object.fromEntries(config.databases.get('shop')?.labels ?? []), {
      env: 'production-1',
      literal: '${ENV}',
    })
  })

  test('uses no TLS on a Unix socket', () => {
    const config = load(plaintext + issuers + databases.replace('db.internal', '/var/run/postgresql'))
    assert.equal(config.databases.get('shop')?.tls.mode, 'disable')
  })
})

describe('a refused configuration', () => {
  test('says that the file is not there and how to get one', () => {
    assert.throws(() => loadConfig(join(folder, 'absent.yaml')), /absent\.yaml cannot be read: it does not exist/u)
  })

  test('names the line of a YAML error', () => {
    assert.match(refusal('listen:\n  port: 1\n bad'), /postern\.yaml cannot be used: line 3: is not valid YAML/u)
    assert.match(refusal('listen: {}\nlisten: {}\n'), /line 2: is not valid YAML: Map keys must be unique/u)
  })

  test('names line and path of an unknown key and what may have been meant', () => {
    const said = refusal(`${plaintext}${issuers}${databases}    crendential: x\n`)
    assert.match(said, /line 12: `databases\.shop\.crendential` is not a key that Postern knows/u)
    assert.match(said, /Did you mean `credential`\?/u)
  })

  test('names a key that is missing, by the line of what it is missing from', () => {
    const said = refusal(`${plaintext}${issuers}databases:\n  shop:\n    host: x\n`)
    assert.match(said, /line 7: `databases\.shop\.role` is missing\nThe database role to log in as/u)
  })

  test('tells all faults at once', () => {
    const said = refusal(`${plaintext}${issuers.replace('audience: postern', 'audience: []')}${databases}    port: 0\n`)
    assert.match(said, /line 5: `issuers\[0\]\.audience`/u)
    assert.match(said, /Also:\nline 12: `databases\.shop\.port` must be at least 1/u)
  })

  test('names an environment variable that is not set', () => {
    assert.match(
      refusal(`${plaintext}${issuers}${databases}    database: \${NOPE}\n`),
      /line 12: refers to the environment variable NOPE, which is not set/u,
    )
  })

  test('lists the values that a key may have', () => {
    assert.match(
      refusal(`${plaintext}${issuers}${databases}log: { level: loud }\n`),
      /`log\.level` must be one of debug, info, warn, error/u,
    )
  })

  const cases: readonly (readonly [what: string, yaml: () => string, expected: RegExp])[] = [
    [
      'no TLS without saying so',
      () => issuers + databases,
      /`listen\.tls` is missing, so that no client could log in/u,
    ],
    [
      'no TLS on an address that others reach',
      () => plaintext.replace('{', '{ address: 0.0.0.0,') + issuers + databases,
      /`listen\.address` is open to other machines/u,
    ],
    ['no issuer', () => `${plaintext}issuers: []${databases}`, /`issuers` must hold at least 1/u],
    ['no database', () => `${plaintext}${issuers}databases: {}`, /`databases` holds no database/u],
    [
      'an issuer without TLS',
      () => plaintext + issuers.replace('https', 'http') + databases,
      /`issuers\[0\]\.url` is not https/u,
    ],
    [
      'an insecure issuer elsewhere',
      () => `${plaintext}${issuers.replace('https', 'http')}    allow_insecure: true${databases}`,
      /`issuers\[0\]\.url` is not https/u,
    ],
    [
      'two issuers that share names',
      () => `${plaintext}${issuers}  - { url: 'https://other.example.com', audience: x }${databases}`,
      /`issuers\[1\]\.prefix` is the same/u,
    ],
    [
      'one issuer twice',
      () => `${plaintext}${issuers}  - { url: 'https://idp.example.com', audience: x, prefix: 'x:' }${databases}`,
      /`issuers\[1\]\.url` is configured twice/u,
    ],
    [
      'two sources of one password',
      () => plaintext + issuers + databases.replace('{ env', '{ password: x, env'),
      /credential` has environment and password/u,
    ],
    [
      'no source of a password',
      () => plaintext + issuers + databases.replace('environment: SHOP_PASSWORD', ''),
      /credential` says nothing/u,
    ],
    [
      'refreshing a password that no command gives',
      () => plaintext + issuers + databases.replace('{ env', '{ refresh_after_s: 3, env'),
      /refresh_after_s` is for `command` only/u,
    ],
    [
      'a password file that is not there',
      () => plaintext + issuers + databases.replace('environment: SHOP_PASSWORD', 'file: nope'),
      /credential\.file` names .*nope, which does not exist/u,
    ],
    [
      'a certificate that is none',
      () => `listen: { tls: { certificate: postern.yaml, key: server.key } }${issuers}${databases}`,
      /`listen\.tls\.certificate` names .*postern\.yaml, which holds no certificate/u,
    ],
    [
      'a key of another certificate',
      () => `listen: { tls: { certificate: server.crt, key: other.key } }${issuers}${databases}`,
      /`listen\.tls\.key` names .*other\.key, whose key does not belong to `certificate`/u,
    ],
    [
      'a key with a passphrase',
      () => `listen: { tls: { certificate: server.crt, key: encrypted.key } }${issuers}${databases}`,
      /`listen\.tls\.key` names .*encrypted\.key, whose key has a passphrase/u,
    ],
    ['a list where keys belong', () => '- a\n- b\n', /must be a group of keys/u],
    ['nothing at all', () => '', /`issuers` is missing/u],
  ]
  for (const [what, yaml, expected] of cases) {
    test(`is one with ${what}`, () => {
      assert.match(refusal(yaml()), expected)
    })
  }

  test('is one whose private key others may read', () => {
    const yaml = `listen: { tls: { certificate: server.crt, key: open.key } }${issuers}${databases}`
    assert.match(refusal(yaml), /open\.key, which every account of this machine may read or change\nRun `chmod 600 /u)
    chmodSync(join(folder, 'open.key'), 0o600)
    assert.notEqual(load(yaml).listen.tls, null)
  })

  test('never shows the values it refuses', () => {
    const said = refusal(
      `${plaintext}${issuers}${databases.replace('environment: SHOP_PASSWORD', 'password: [s3cret]')}`,
    )
    assert.doesNotMatch(said, /s3cret/u)
  })
})

describe('some sections of a configuration', () => {
  test('can be read where the rest cannot', () => {
    const file = join(folder, 'partial.yaml')
    writeFileSync(file, `listen: { tls: { certificate: absent, key: absent } }\ndatabases: \${NOPE}\n${issuers}`)
    const { issuers: read, listen } = loadSections(file, ['issuers', 'listen'], {})
    assert.equal(read[0]?.url, 'https://idp.example.com')
    assert.equal(listen.tls?.certificate, 'absent')
  })

  test('are checked like the whole', () => {
    const file = join(folder, 'partial.yaml')
    writeFileSync(file, 'issuers:\n  - { url: x, audience: y }\n')
    assert.throws(() => loadSections(file, ['issuers'], {}), /line 2: `issuers\[0\]\.url` must be a URL/u)
    assert.throws(() => loadSections(file, ['journal', 'issuers'], {}), PosternError)
    assert.equal(loadSections(file, ['journal'], {}).journal.directory, 'journal')
  })
})
