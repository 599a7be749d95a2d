import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { loadConfig } from '../config.ts'
import { checkAll } from './check.ts'
import { describeFailure, isColouredFor } from './failure.ts'
import { PosternError } from '../core/errors.ts'

const entry = fileURLToPath(new URL('main.ts', import.meta.url))
const bin = fileURLToPath(new URL('../../bin/postern.js', import.meta.url))

interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-cli-'))
})
after(() => {
  rmSync(folder, { recursive: true })
})

function postern(
  args: readonly string[],
  options: { program?: string; env?: Record<string, string> } = {},
): Promise<Run> {
  const { program = entry, env = {} } = options
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { cwd: folder, env: { PATH: process.env['PATH'] ?? '', ...env } },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, err })
      },
    )
    child.stdin?.end()
  })
}

const issuer = ['--issuer', 'https://idp.example.com']

describe('postern', () => {
  test('says what there is, and which exit codes', async () => {
    const { code, out } = await postern(['--help'])
    assert.equal(code, 0)
    for (const name of ['init', 'check', 'serve', 'token', 'connect', 'audit'])
      assert.match(out, new RegExp(`^  ${name}\\b`, 'mu'))
    assert.match(out, /Exit codes: 0 done/u)
  })

  test('knows its version, also through the program that npm installs', async () => {
    const { out } = await postern(['--version'], { program: bin })
    assert.match(out, /^\d+\.\d+\.\d+\n$/u)
  })

  test('ends quietly when its reader has seen enough', async () => {
    const child = spawn(process.execPath, [entry, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')))
    await once(child, 'close')
    assert.equal(err, '')
  })

  test('tells a wrong command line from a failure', async () => {
    assert.equal((await postern(['nonsense'])).code, 2)
    assert.equal((await postern(['check', '--nonsense'])).code, 2)
    const failed = await postern(['serve', '--config', 'absent.yaml'])
    assert.equal(failed.code, 1)
    assert.match(
      failed.err,
      /^postern: absent\.yaml cannot be read: it does not exist\n {2}hint: `postern init` writes one/u,
    )
  })

  test('tells a program about a failure in JSON', async () => {
    const { code, out, err } = await postern(['init', '--json'])
    assert.equal(code, 1)
    assert.equal(err, '')
    const { error } = JSON.parse(out) as { error: Record<string, string> }
    assert.equal(error['code'], 'input_invalid')
    assert.match(error['hint'] ?? '', /Name your identity provider/u)
  })
})

describe('a failure', () => {
  test('cannot steer the terminal', () => {
    const error = new PosternError('input_invalid', 'no \u001B[2J file', { detail: 'a\nb\u0007', hint: 'c\u009B1m' })
    const { err } = describeFailure(error, { isJson: false, isColoured: false })
    assert.equal(err, 'postern: no \uFFFD[2J file\n  a\n  b\uFFFD\n  hint: c\uFFFD1m\n')
  })

  test('that is a bug shows its stack and asks to be reported', () => {
    const { err } = describeFailure(new TypeError('oops'), { isJson: false, isColoured: false })
    assert.match(err, /Please report it[^]*TypeError: oops/u)
  })
})

describe('postern init', () => {
  test('writes what loads and checks, asking nothing where nobody can answer', async () => {
    const dir = join(folder, 'plain')
    const { code, out } = await postern([
      'init',
      '--dir',
      dir,
      ...issuer,
      '--plaintext-on-loopback',
      '--database',
      'shop',
    ])
    assert.equal(code, 0, out)
    assert.match(out, /SHOP_PASSWORD/u)
    const config = loadConfig(join(dir, 'postern.yaml'), {})
    assert.deepEqual([...config.databases.keys()], ['shop'])
    assert.equal(config.issuers[0]?.audience, 'postern')
    assert.deepEqual(config.databases.get('shop')?.credential, { environment: 'SHOP_PASSWORD' })
    const results = await checkAll(join(dir, 'postern.yaml'), 'offline')
    assert.deepEqual(
      results.filter(({ what }) => what !== 'API').map(({ what, status }) => `${what} ${status}`),
      [
        'configuration ok',
        'certificate warning',
        'policies ok',
        'access roles ok',
        'approvals ok',
        'journal ok',
        'signing key ok',
        'control store ok',
        'approval pages ok',
      ],
    )
    const unit = readFileSync(join(dir, 'postern.service'), 'utf8')
    assert.match(unit, new RegExp(`^WorkingDirectory=${dir}$`, 'mu'))
    assert.match(unit, /^KillMode=mixed$/mu, 'a second SIGTERM ends the gateway at once')
    for (const name of ['journal', 'control.db', 'notifications']) {
      assert.equal(existsSync(join(dir, name)), false, 'checking creates nothing')
    }
  })

  test('writes an access role that a starter policy names, and lines that hold once their mark is taken away', async () => {
    const dir = join(folder, 'approving')
    await postern(['init', '--dir', dir, ...issuer, '--plaintext-on-loopback', '--database', 'shop'])
    const file = join(dir, 'postern.yaml')
    const before = loadConfig(file, {})
    assert.deepEqual(before.accessRoles.get('support-lead')?.requestableBy, ['support'])
    assert.deepEqual([before.api?.port, before.api?.login?.clientId], [8432, 'postern-cli'])
    writeFileSync(join(dir, 'webhook-secret'), 'very secret', { mode: 0o600 })
    writeFileSync(join(dir, 'control-password'), 'secret', { mode: 0o600 })
    const text = readFileSync(file, 'utf8')
    const lines =
      /^( *)# ?(public_url:|auditors:|admins:|break_glass:|postgres:|notifications:| {2}webhooks:| {4}- \{ url:)/gmu
    assert.equal(text.match(lines)?.length, 8)
    writeFileSync(file, text.replaceAll(lines, '$1$2'))
    const config = loadConfig(file, {})
    assert.equal(config.api?.publicUrl, 'https://postern.example.com')
    assert.equal(config.controlStore.kind, 'postgres')
    assert.deepEqual(config.approvals.admins, ['platform'])
    assert.equal(config.notifications.webhooks.length, 1)
  })

  test('writes lines for masking that hold once their mark is taken away', async () => {
    const dir = join(folder, 'masking')
    await postern(['init', '--dir', dir, ...issuer, '--plaintext-on-loopback', '--database', 'shop'])
    const file = join(dir, 'postern.yaml')
    const text = readFileSync(file, 'utf8')
    const lines = /^( *)# ?(classification:|masking:| {2}key:| {2}state:)/gmu
    assert.equal(text.match(lines)?.length, 4)
    writeFileSync(file, text.replaceAll(lines, '$1$2'))
    const config = loadConfig(file, {})
    assert.equal(config.databases.get('shop')?.classification, join(dir, 'shop.classification.yaml'))
    assert.deepEqual(config.masking, { key: join(dir, 'masking-key'), state: join(dir, 'masking-state') })
    const result = async () =>
      (await checkAll(file, 'offline')).find(({ what }) => what === 'classification of shop') ?? null
    assert.match((await result())?.found ?? '', /shop\.classification\.yaml cannot be read: it does not exist/u)
    const classification =
      'tags: { pii.email: partial }\ncolumns: { public.customers: { email: pii.email, city: none } }'
    writeFileSync(join(dir, 'shop.classification.yaml'), classification)
    assert.match((await result())?.found ?? '', /: 1 tags; it lists 1 columns with tags, 1 with none$/u)
    mkdirSync(join(dir, 'masking-state'))
    writeFileSync(join(dir, 'masking-state', 'shop.json'), 'broken')
    const { status, found } = (await result()) ?? {}
    assert.equal(status, 'failed')
    assert.match(found ?? '', /^what was classified before cannot be read from /u)
    assert.equal(existsSync(join(dir, 'masking-key')), false, 'checking creates nothing')
  })

  test('passes every value through, whatever it holds', async () => {
    const dir = join(folder, 'odd')
    const odd = ['--audience', 'a: b # ${NOPE}', '--client-id', 'true', '--database', '1', '--database-role', 'o\'r"x']
    const rest = ['--database-host', '::1', '--database-port', '7', '--port', '8', '--address', '::1']
    const { code, err } = await postern([
      'init',
      '--dir',
      dir,
      ...issuer,
      ...odd,
      ...rest,
      '--plaintext-on-loopback',
      '--yes',
    ])
    assert.equal(code, 0, err)
    const config = loadConfig(join(dir, 'postern.yaml'), {})
    assert.equal(config.issuers[0]?.audience, 'a: b # ${NOPE}')
    assert.equal(config.issuers[0]?.clientId, 'true')
    assert.equal(config.databases.get('1')?.role, 'o\'r"x')
    assert.deepEqual(config.databases.get('1')?.credential, { environment: '_1_PASSWORD' })
    assert.deepEqual([config.listen.address, config.listen.port], ['::1', 8])
  })

  test('replaces nothing unless told, and writes all or nothing', async () => {
    const dir = join(folder, 'twice')
    const args = ['init', '--dir', dir, ...issuer, '--plaintext-on-loopback', '--json']
    const { written } = JSON.parse((await postern(args)).out) as { written: string[] }
    assert.ok(written.includes(join(dir, 'policies/00-guard-rails.cedar')), written.join())
    writeFileSync(join(dir, 'postern.yaml'), 'mine')
    rmSync(join(dir, 'postern.service'))
    const again = await postern(args.slice(0, -1))
    assert.equal(again.code, 1)
    assert.match(again.err, /would be replaced, so nothing was written\n {2}postern\.yaml\n {2}policies/u)
    assert.equal(readFileSync(join(dir, 'postern.yaml'), 'utf8'), 'mine')
    assert.equal(existsSync(join(dir, 'postern.service')), false)
    assert.equal((await postern([...args, '--force'])).code, 0)
    assert.notEqual(readFileSync(join(dir, 'postern.yaml'), 'utf8'), 'mine')
  })

  test('refuses what would not load', async () => {
    for (const [flag, value] of [
      ['--issuer', 'http://idp.example.com'],
      ['--port', '70000'],
      ['--database-tls', 'sometimes'],
    ] as const) {
      const { code, err } = await postern(['init', '--dir', join(folder, 'no'), ...issuer, flag, value])
      assert.equal(code, 1)
      assert.match(err, new RegExp(`cannot be written: ${flag} `, 'u'))
    }
    assert.equal(existsSync(join(folder, 'no')), false)
  })
})

describe('postern check', () => {
  let dir = ''
  before(async () => {
    dir = join(folder, 'check')
    await postern(['init', '--dir', dir, ...issuer, '--database', 'shop'])
    const authority = await createCertificateAuthority()
    const { certificate, key } = await issueCertificate(authority, { hosts: ['db.example.com'] })
    writeFileSync(join(dir, 'server.crt'), certificate)
    writeFileSync(join(dir, 'server.key'), key, { mode: 0o600 })
  })

  test('tells the names and the end of the certificate', async () => {
    const { code, out } = await postern(['check', '--offline', '--config', join(dir, 'postern.yaml')])
    assert.equal(code, 0, out)
    assert.match(out, /^ok {2}certificate: .*server\.crt is for db\.example\.com, until \d{4}-\d\d-\d\d$/mu)
    assert.match(out, /Everything that was checked is in order\.\n$/u)
  })

  test('tells what is wrong, with the remedy, and exits with 1', async () => {
    const policy = join(dir, 'policies', '99-mine.cedar')
    writeFileSync(policy, 'permit (principal, action, resource) oops;')
    const { code, out } = await postern(['check', '--offline', '--config', join(dir, 'postern.yaml'), '--json'])
    assert.equal(code, 1)
    const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: { what: string; status: string; found: string }[] }
    assert.equal(ok, false)
    const found = checks.find(({ what }) => what === 'policies')
    assert.equal(found?.status, 'failed')
    assert.match(found?.found ?? '', /99-mine\.cedar line 1 column 42/u)
    rmSync(policy)
  })

  test('warns of a policy about a database that there is not', async () => {
    const policy = join(dir, 'policies', '99-mine.cedar')
    writeFileSync(policy, '@id("x") forbid (principal, action, resource in Schema::"ship.public");')
    const { code, out } = await postern(['check', '--offline', '--config', join(dir, 'postern.yaml')])
    assert.equal(code, 0)
    assert.match(out, /^warning {2}policies: [^]*they name the database "ship"/mu)
    rmSync(policy)
  })

  test('tells of a configuration that cannot be used, and stops there', async () => {
    chmodSync(join(dir, 'server.key'), 0o644)
    const { code, out } = await postern(['check', '--config', join(dir, 'postern.yaml')])
    chmodSync(join(dir, 'server.key'), 0o600)
    assert.equal(code, 1)
    assert.match(out, /^FAILED {2}configuration: postern\.yaml cannot be used: line 10: `listen\.tls\.key`/u)
    assert.match(out, /→ Run `chmod 600 /u)
    assert.match(out, /1 of 1 checks failed\./u)
  })

  test('reaches issuers and databases, and says which it cannot', async () => {
    const file = join(dir, 'unreachable.yaml')
    const text = readFileSync(join(dir, 'postern.yaml'), 'utf8')
    // Port 9 of this machine: nothing listens there.
    const unreachable = text
      .replace('url: https://idp.example.com', 'url: https://127.0.0.1:9')
      .replace('port: 5432', 'port: 9')
    writeFileSync(file, unreachable)
    const results = await checkAll(file, 'online')
    const failed = results.filter(({ status }) => status === 'failed')
    assert.deepEqual(
      failed.map(({ what }) => what),
      ['issuer https://127.0.0.1:9', 'database shop'],
    )
    for (const { remedy, found } of failed) assert.ok(remedy !== null && found !== '')
  })
})

test('only a terminal that did not ask for plain text is coloured, continuous integration included', (context) => {
  const before = { ...process.env }
  context.after(() => {
    process.env = before
  })
  process.env['CI'] = 'true'
  delete process.env['NO_COLOR']
  assert.equal(isColouredFor({}), false)
  assert.equal(isColouredFor({ isTTY: true }), true)
  process.env['NO_COLOR'] = '1'
  assert.equal(isColouredFor({ isTTY: true }), false)
})
