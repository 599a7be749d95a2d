import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Client } from 'pg'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { startIssuer, type SandboxIssuer } from '../../sandbox/issuer.ts'
import { startPostgres, type SandboxPostgres } from '../../sandbox/postgres.ts'
import { PosternError } from '../core/errors.ts'
import { connectCommand, parseAddress, type ConnectDeps, type GatewayLocation } from './connect.ts'

// PostgreSQL over TLS that asks for a cleartext password looks from here exactly as the gateway does.
let base: string
let caFile: string
let gateway: SandboxPostgres
let issuer: SandboxIssuer
let token: string
const user = 'alice@example.com'
const withoutPsql =
  spawnSync('psql', ['--version']).status === 0 || process.env['CI'] !== undefined ? false : 'no psql here'

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'postern-connect-'))
  caFile = join(base, 'ca.pem')
  const authority = await createCertificateAuthority()
  await writeFile(caFile, authority.certificate)
  issuer = await startIssuer()
  token = await issuer.issueToken({ identity: user })
  gateway = await startPostgres({
    tls: await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] }),
    hba: ['hostssl all all 127.0.0.1/32 password'],
  })
  await gateway.query('postgres', `CREATE ROLE "${user}" LOGIN PASSWORD '${token}'`)
  await gateway.query('postgres', 'CREATE DATABASE shop')
})

after(async () => {
  await gateway.stop()
  await issuer.stop()
  await rm(base, { recursive: true })
})

interface World {
  deps: ConnectDeps
  out: string
  err: string
  exitCode: number | null
}

function newWorld(env: Record<string, string> = {}, located: GatewayLocation | null = null): World {
  const world: World = {
    out: '',
    err: '',
    exitCode: null,
    deps: {
      env: { PATH: process.env['PATH'], HOME: base, XDG_CACHE_HOME: join(base, 'cache'), POSTERN_TOKEN: token, ...env },
      loadLogins: () => Promise.resolve([]),
      loadGateway: () => Promise.resolve(located),
      writeOut: (text) => void (world.out += text),
      writeErr: (text) => void (world.err += text),
      nowMs: () => Date.now(),
      untilStopped: () => Promise.resolve(),
      setExitCode(code) {
        world.exitCode = code
      },
    },
  }
  return world
}

function atGateway(): string[] {
  return ['--gateway', `127.0.0.1:${gateway.port}`, '--ca', caFile]
}

async function run(world: World, ...args: string[]): Promise<void> {
  await connectCommand(world.deps).parseAsync(args, { from: 'user' })
}

describe('postern connect', () => {
  it('opens psql as the principal, over TLS that is verified', { skip: withoutPsql }, async () => {
    const file = join(base, 'psql-output')
    const sql = 'SELECT current_user, current_database(), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
    const world = newWorld()
    await run(world, 'shop', ...atGateway(), '--', '-XAtq', '-o', file, '-c', sql)
    assert.equal(world.exitCode, 0)
    assert.equal((await readFile(file, 'utf8')).trim(), `${user}|shop|t`)
  })

  it('hands the token to psql in its environment only, lets nothing there redirect it, and gives back its exit code', async () => {
    const folder = await mkdtemp(join(base, 'path-'))
    const seen = join(folder, 'seen')
    await writeFile(join(folder, 'psql'), `#!/bin/sh\n/usr/bin/env > ${seen}\necho "ARGS $*" >> ${seen}\nexit 3\n`)
    await chmod(join(folder, 'psql'), 0o755)
    const hostile = { PGSERVICE: 'evil', PGSERVICEFILE: '/evil', PGHOSTADDR: '203.0.113.1', PGSSLMODE: 'disable' }
    const world = newWorld({ PATH: folder, ...hostile })
    await run(world, 'shop', ...atGateway(), '--', '-c', 'SELECT 1')
    assert.equal(world.exitCode, 3)
    const lines = (await readFile(seen, 'utf8')).split('\n')
    const value = (name: string) => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
    assert.ok(lines.includes('ARGS -c SELECT 1'))
    assert.equal(value('PGPASSWORD'), token)
    assert.equal(value('PGSSLMODE'), 'verify-full')
    assert.equal(value('PGSSLROOTCERT'), caFile)
    assert.deepEqual([value('PGHOST'), value('PGUSER'), value('PGDATABASE')], ['127.0.0.1', user, 'shop'])
    for (const name of ['PGSERVICE', 'PGSERVICEFILE', 'PGHOSTADDR', 'POSTERN_TOKEN']) {
      assert.equal(value(name), undefined, name)
    }
    assert.ok(!world.out.includes(token) && !world.err.includes(token))
  })

  it('says what to install where there is no psql', async () => {
    const world = newWorld({ PATH: join(base, 'nowhere') })
    await assert.rejects(
      run(world, 'shop', ...atGateway()),
      (error) => error instanceof PosternError && /apt install postgresql-client/.test(error.hint ?? ''),
    )
  })

  it('listens for other tools with a password of its own', async () => {
    const world = newWorld()
    let rows: unknown[] = []
    world.deps.untilStopped = async () => {
      const place = JSON.parse(world.out) as { host: string; port: number; database: string; password: string }
      const client = new Client({ ...place, user: 'whoever' })
      await client.connect()
      rows = (await client.query('SELECT current_user')).rows
      await client.end()
    }
    await run(world, 'shop', ...atGateway(), '--port', '0', '--json')
    assert.deepEqual(rows, [{ current_user: user }])
    assert.ok(!world.out.includes(token))
  })

  it('logs in once at the terminal, and once more when the token has ended, however many connections ask', async () => {
    let logIns = 0
    let nowMs = Date.now()
    const login = { issuer: issuer.url, clientId: issuer.clientId }
    const world = newWorld({ POSTERN_TOKEN: '' }, { host: '127.0.0.1', port: gateway.port, caFile })
    world.deps.loadLogins = () => Promise.resolve([login])
    Object.assign(world.deps, { pollIntervalS: 0.05, nowMs: () => nowMs })
    world.deps.writeErr = (text) => {
      const code = /confirm the code (\S+)/.exec(text)?.[1]
      if (code === undefined) return
      logIns += 1
      void issuer.approveDevice(code, user)
    }
    world.deps.untilStopped = async () => {
      const password = /password {2}(\S+)/.exec(world.out)?.[1]
      const port = Number(/port {6}(\d+)/.exec(world.out)?.[1])
      // The gateway of this test knows another token of hers, so it refuses; that it was reached is what counts.
      const tries = async (): Promise<void> => {
        const client = new Client({ host: '127.0.0.1', port, user: 'x', database: 'shop', password })
        await assert.rejects(client.connect(), { code: '28P01' })
      }
      await tries()
      await tries()
      assert.equal(logIns, 1)
      await issuer.withdrawRefreshTokens()
      nowMs += 3_545_000
      await Promise.all([tries(), tries(), tries()])
    }
    await run(world, 'shop', '--port', '0')
    assert.equal(logIns, 2)
    assert.match(world.out, /Connected as alice@example\.com/)
  })

  it('says plainly what it means to switch the local password off', async () => {
    const world = newWorld()
    await run(world, 'shop', ...atGateway(), '--port', '0', '--no-local-password')
    assert.match(world.out, /every program on this machine can connect as you/)
  })

  it('says what is missing or wrong', async () => {
    await assert.rejects(run(newWorld(), 'shop'), /not known where the gateway is/)
    await assert.rejects(run(newWorld(), 'shop', ...atGateway(), '--port', 'x'), /x is not a port/)
    await assert.rejects(run(newWorld(), 'shop', ...atGateway(), '--port', '70000'), /70000 is not a port/)
    const noCa = ['--gateway', '127.0.0.1:1', '--ca', join(base, 'none.pem'), '--port', '0']
    await assert.rejects(run(newWorld(), 'shop', ...noCa), /none\.pem cannot be read/)
    const plain = newWorld({}, { host: 'db.example.com', port: 5_432, tlsMode: 'disable' })
    await assert.rejects(run(plain, 'shop'), /not sent to db\.example\.com without TLS|psql was not found/)
  })
})

describe('parseAddress', () => {
  it('reads names and addresses with or without a port', () => {
    assert.deepEqual(parseAddress('db.example.com:6432'), { host: 'db.example.com', port: 6_432 })
    assert.deepEqual(parseAddress('db.example.com'), { host: 'db.example.com', port: 5_432 })
    assert.deepEqual(parseAddress('[::1]:7'), { host: '::1', port: 7 })
    for (const bad of ['', ':5', 'a:b', 'a:0', 'a:65536', '::1', 'a b', 'postgresql://a', '[::1']) {
      assert.throws(() => parseAddress(bad), PosternError, bad)
    }
  })
})
