import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { createCertificateAuthority, issueCertificate } from './certificate.ts'
import { startPostgres } from './postgres.ts'

void test('a started server is PostgreSQL 18, takes the superuser password over TCP and is gone after stop', async () => {
  const postgres = await startPostgres({ settings: { work_mem: '5MB' } })
  try {
    const [row] = await postgres.query('postgres', "SELECT 1; SELECT current_setting('work_mem') AS work_mem")
    assert.deepEqual(row, { work_mem: '5MB' })
    const { host, port, superuser: user, password } = postgres
    const client = new Client({ host, port, user, password, database: 'postgres' })
    await client.connect()
    const { rows } = await client.query('SHOW server_version_num')
    assert.match((rows[0] as { server_version_num: string }).server_version_num, /^18/)
    await client.end()
    await assert.rejects(new Client({ host, port, user, password: 'wrong', database: 'postgres' }).connect(), {
      code: '28P01',
    })
  } finally {
    await postgres.stop()
  }
  assert.equal(existsSync(postgres.socketDirectory), false)
  assert.equal(isAlive(postgres.processId), false)
})

void test('several servers start at once, each on its own port', async () => {
  const started = await Promise.all([startPostgres(), startPostgres(), startPostgres()])
  assert.equal(new Set(started.map(({ port }) => port)).size, 3)
  await Promise.all(started.map(async (postgres) => postgres.stop()))
})

void test('a kept directory is found again by the next start, also after a kill', async () => {
  const keepDirectory = await mkdtemp(join(tmpdir(), 'postern-keep-'))
  try {
    const first = await startPostgres({ keepDirectory })
    await first.query('postgres', 'CREATE TABLE kept AS SELECT 42 AS answer')
    first.kill('SIGKILL')
    await first.stop()
    const second = await startPostgres({ keepDirectory, port: first.port })
    assert.deepEqual(await second.query('postgres', 'SELECT answer FROM kept'), [{ answer: 42 }])
    assert.equal(second.port, first.port)
    await second.stop()
    assert.equal(existsSync(join(keepDirectory, 'PG_VERSION')), true)
  } finally {
    await rm(keepDirectory, { recursive: true, force: true })
  }
})

void test('TLS and hba lines are as asked for', async () => {
  const authority = await createCertificateAuthority()
  const tls = await issueCertificate(authority, { hosts: ['127.0.0.1'] })
  const postgres = await startPostgres({ tls, hba: ['hostssl all all all trust'] })
  try {
    const { host, port } = postgres
    const client = new Client({ host, port, user: 'postgres', ssl: { ca: authority.certificate } })
    await client.connect()
    assert.deepEqual((await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows, [
      { ssl: true },
    ])
    await client.end()
    await assert.rejects(new Client({ host, port, user: 'postgres' }).connect(), { code: '28000' })
  } finally {
    await postgres.stop()
  }
})

void test('a server that cannot start says why', async () => {
  await assert.rejects(startPostgres({ settings: { no_such_setting: '1' } }), /no_such_setting/)
})

void test('the server dies with the process that started it, however that ends', async () => {
  const script = `
    import { startPostgres } from ${JSON.stringify(import.meta.resolve('./postgres.ts'))}
    const { processId, directory } = await startPostgres()
    console.log(JSON.stringify({ processId, directory }))
    setInterval(() => {}, 1000)
  `
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = await new Promise<string>((resolve, reject) => {
    parent.once('error', reject)
    parent.once('exit', () => reject(new Error('ended before the server was up')))
    parent.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))
  })
  const { processId, directory } = JSON.parse(line) as { processId: number; directory: string }
  assert.equal(isAlive(processId), true)
  parent.removeAllListeners('exit').kill('SIGKILL')
  for (let attempt = 0; attempt < 200 && (isAlive(processId) || existsSync(directory)); attempt += 1) await sleep(50)
  assert.equal(isAlive(processId), false)
  assert.equal(existsSync(directory), false)
})

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch {
    return false
  }
}
