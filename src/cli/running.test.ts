import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { startIssuer } from '../../sandbox/issuer.ts'
import type { SandboxIssuer } from '../../sandbox/issuer.ts'
import { startPostgres } from '../../sandbox/postgres.ts'
import type { SandboxPostgres } from '../../sandbox/postgres.ts'
import { checkAll } from './check.ts'
import { answersOf } from './init-answers.ts'
import { configText } from './init-files.ts'

const bin = fileURLToPath(new URL('../../bin/postern.js', import.meta.url))
const policies = fileURLToPath(new URL('../../deploy/starter/policies', import.meta.url))

let folder = ''
let postgres: SandboxPostgres
let issuer: SandboxIssuer
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-running-'))
  const authority = await createCertificateAuthority()
  const { certificate, key } = await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] })
  ;[postgres, issuer] = await Promise.all([startPostgres({ tls: { certificate, key } }), startIssuer()])
  writeFileSync(join(folder, 'ca.crt'), authority.certificate)
  writeFileSync(join(folder, 'server.crt'), certificate)
  writeFileSync(join(folder, 'server.key'), key, { mode: 0o600 })
  writeFileSync(join(folder, 'password'), 'Str0ng', { mode: 0o600 })
  await postgres.query('postgres', "CREATE ROLE postern LOGIN PASSWORD 'Str0ng'")
  writeFileSync(join(folder, 'postern.yaml'), config())
})
after(async () => {
  await Promise.all([postgres.stop(), issuer.stop()])
  rmSync(folder, { recursive: true })
})

function config(): string {
  const answers = answersOf({ issuer: issuer.url, databaseHost: postgres.host, databasePort: String(postgres.port) })
  return configText(answers)
    .replace('port: 6432', `port: ${String(postgres.port + 1)}`)
    .replace('port: 8432', `port: ${String(postgres.port + 2)}`)
    .replace('tls: { mode: prefer }', 'tls: { mode: verify-full, ca: ca.crt }')
    .replace(/credential: \{.*\}/u, 'credential: { file: password }')
    .replace('policies: policies', `policies: ${policies}`)
}

async function status(text: string): Promise<readonly string[]> {
  const file = join(folder, 'other.yaml')
  writeFileSync(file, text)
  const results = await checkAll(file, 'online')
  return results.filter(({ status }) => status !== 'ok').map(({ what, status, found }) => `${status} ${what}: ${found}`)
}

describe('postern check', () => {
  test('finds everything in order, down to the log-in at PostgreSQL', async () => {
    const results = await checkAll(join(folder, 'postern.yaml'), 'online')
    assert.deepEqual(
      results.filter(({ status }) => status !== 'ok'),
      [],
    )
    const found = results.find(({ what }) => what === 'database postgres')?.found ?? ''
    assert.match(found, /^logged in to PostgreSQL 18\.\d+ at 127\.0\.0\.1:\d+ as postern, over TLSv1\.3$/u)
  })

  test('tells why a log-in fails, without the password', async () => {
    writeFileSync(join(folder, 'wrong'), 'n0tit', { mode: 0o600 })
    const found = await status(config().replace('file: password', 'file: wrong'))
    assert.equal(found.length, 1)
    assert.match(found[0] ?? '', /^failed database postgres: .*password/iu)
    assert.doesNotMatch(found[0] ?? '', /n0tit/u)
  })

  test('warns of a superuser', async () => {
    const text = config()
      .replace('role: postern', 'role: postgres')
      .replace('{ file: password }', `{ password: ${JSON.stringify(postgres.password)} }`)
    assert.match((await status(text)).join('\n'), /^warning database postgres: .*The role is a superuser$/u)
  })
})

describe('postern serve', () => {
  test('says what to do about a port that is taken', { timeout: 60_000 }, async () => {
    const file = join(folder, 'taken.yaml')
    const taken = `port: ${String(postgres.port)} # of PostgreSQL\n`
    writeFileSync(
      file,
      config()
        .replace(/port: \d+\n/u, taken)
        .replace('directory: journal', 'directory: other'),
    )
    const child = spawn(process.execPath, [bin, 'serve', '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')))
    const [code] = (await once(child, 'close')) as [number | null]
    assert.equal(code, 1)
    assert.match(err, /cannot listen on 127\.0\.0\.1, port \d+: another process does\n {2}hint: .*`listen\.port`/u)
  })

  test('runs until SIGTERM and seals its journal', { timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, [bin, 'serve', '--config', join(folder, 'postern.yaml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    const ended = once(child, 'exit')
    const listening = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          out += chunk.toString('utf8')
          if (out.includes('listening')) resolve()
        })
      }
    })
    await Promise.race([listening, ended])
    assert.match(out, /listening/u)
    child.kill('SIGTERM')
    const [code] = (await ended) as [number | null]
    assert.equal(code, 0, out)
    assert.match(out, /Postern has stopped/u)
    const directory = join(folder, 'journal')
    const segments = readdirSync(directory).filter((name) => !name.endsWith('.lock'))
    const journal = segments.map((name) => readFileSync(join(directory, name), 'utf8')).join('')
    assert.match(journal, /gateway_started[^]*gateway_stopped/u)
  })
})
