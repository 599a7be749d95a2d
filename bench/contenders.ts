import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sandboxClaims, type SandboxIssuer, startIssuer } from '../sandbox/issuer.ts'
import { prepareBinaries, runAs } from '../sandbox/postgres-template.ts'
import { type SandboxPostgres, startPostgres } from '../sandbox/postgres.ts'

/** One way to the same PostgreSQL. */
export interface Contender {
  readonly name: 'direct' | 'PgBouncer' | 'PgBouncer, fresh' | 'Postern'
  readonly port: number
  readonly user: string
  readonly password: string
  /** The process in between whose processor time counts; null where there is none. */
  readonly processId: number | null
}

/** PostgreSQL with the data of the benchmarks, and the ways to it. */
export interface Contest {
  readonly postgres: SandboxPostgres
  readonly direct: Contender
  /** Null where PgBouncer is not installed. */
  readonly pgbouncer: Contender | null
  /** A PgBouncer that opens a server connection for every session, as Postern does. */
  readonly freshPgbouncer: Contender | null
  readonly postern: Contender
  /** Writes a profile of what Postern does until `load` has settled. */
  profilePostern(file: string, load: () => Promise<unknown>): Promise<void>
  /** Starts another Postern, with options for its Node or from another checkout, and ends it again. */
  startPostern(other: OtherPostern): Promise<StartedPostern>
  stop(): Promise<void>
}

/** How a Postern differs from the one of the contest. */
export interface OtherPostern {
  readonly nodeOptions?: readonly string[]
  /** The folder of a checkout whose code runs; this one unless told. */
  readonly checkout?: string
}

/** A Postern in a process of its own. */
export interface StartedPostern {
  readonly contender: Contender
  /** Writes a profile of what it does until `load` has settled. */
  profile(file: string, load: () => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}

export const databaseName = 'bench'
const principal = 'alice@example.com'
const pgbenchScale = 10

/** Starts everything on loopback, TCP and SCRAM towards PostgreSQL for all alike; some ten seconds. */
export async function startContest(): Promise<Contest> {
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-'))
  const [postgres, issuer] = await Promise.all([
    startPostgres({ settings: { shared_buffers: '256MB', max_connections: '400', jit: 'off', max_wal_size: '4GB' } }),
    startIssuer(),
  ])
  await fill(postgres)
  const stops: (() => Promise<unknown>)[] = [
    () => rm(directory, { recursive: true, force: true }),
    () => postgres.stop(),
    () => issuer.stop(),
  ]
  const bouncers = findPgbouncer() ? { pooled: 3_600, fresh: 0 } : null
  const startBouncer = async (serverLifetimeS: number) => {
    const bouncer = await startPgbouncer({ directory, postgres, serverLifetimeS })
    stops.push(() => end(bouncer.child))
    return bouncer
  }
  const user = postgres.superuser
  const { password } = postgres
  const postern = await startPostern({ directory, postgres, issuer, other: {}, name: 'postern' })
  stops.push(() => postern.stop())
  const pooled = bouncers === null ? null : await startBouncer(bouncers.pooled)
  const fresh = bouncers === null ? null : await startBouncer(bouncers.fresh)
  let started = 0
  return {
    postgres,
    direct: { name: 'direct', port: postgres.port, user, password, processId: null },
    pgbouncer: pooled && { name: 'PgBouncer', port: pooled.port, user, password, processId: pooled.processId },
    freshPgbouncer: fresh && { name: 'PgBouncer, fresh', port: fresh.port, user, password, processId: fresh.processId },
    postern: postern.contender,
    profilePostern: (file, load) => postern.profile(file, load),
    startPostern(other) {
      started += 1
      return startPostern({ directory, postgres, issuer, other, name: `postern-${String(started)}` })
    },
    async stop() {
      for (const stop of stops.toReversed()) await stop()
    },
  }
}

/** pgbench's own tables, and 10 MB each of rows of about 100 B and 2 KB for the bulk results. */
async function fill(postgres: SandboxPostgres): Promise<void> {
  await postgres.query('postgres', `CREATE DATABASE ${databaseName}`)
  const { host, port, superuser, password } = postgres
  const init = spawnSync(
    'pgbench',
    [
      '-q',
      '-i',
      '-I',
      'dtGvp',
      '-s',
      String(pgbenchScale),
      '-h',
      host,
      '-p',
      String(port),
      '-U',
      superuser,
      databaseName,
    ],
    { env: { ...process.env, PGPASSWORD: password }, encoding: 'utf8' },
  )
  if (init.error !== undefined) throw new Error('pgbench is not installed: on Debian it is in `postgresql-contrib`')
  if (init.status !== 0) throw new Error(`pgbench could not fill the database: ${init.stderr}`)
  const wideColumns = Array.from(
    { length: 10 },
    (_, at) => `repeat(md5((i + ${String(at)})::text), 6) AS c${String(at)}`,
  )
  await postgres.query(
    databaseName,
    `CREATE TABLE bulk_narrow AS SELECT i AS id, md5(i::text) AS a, md5((i + 1)::text) AS b FROM generate_series(1, 100000) i;
     CREATE TABLE bulk_wide AS SELECT i AS id, ${wideColumns.join(', ')} FROM generate_series(1, 5000) i`,
  )
  await postgres.query(databaseName, 'VACUUM ANALYZE')
}

function findPgbouncer(): boolean {
  return spawnSync(pgbouncerCommand(), ['--version']).error === undefined
}

/** Debian puts it where root alone has its PATH. */
function pgbouncerCommand(): string {
  return spawnSync('pgbouncer', ['--version']).error === undefined ? 'pgbouncer' : '/usr/sbin/pgbouncer'
}

/** The first line of `pgbouncer --version`, or why there is none. */
export function pgbouncerVersion(): string {
  const { stdout, error } = spawnSync(pgbouncerCommand(), ['--version'], { encoding: 'utf8' })
  return error === undefined
    ? (stdout.split('\n')[0] ?? '')
    : 'PgBouncer is not installed (on Debian: apt-get install pgbouncer)'
}

/**
 * SCRAM on both sides with the secret that PostgreSQL itself keeps: PgBouncer then passes the client's key on and never
 * derives one from a password, which is the fastest way it has to log in without trusting everybody.
 */
async function startPgbouncer(options: {
  readonly directory: string
  readonly postgres: SandboxPostgres
  readonly serverLifetimeS: number
}): Promise<{ child: ChildProcess; port: number; processId: number }> {
  const { postgres, serverLifetimeS } = options
  const account = await prepareBinaries()
  const port = await freePort()
  const [row] = await postgres.query('postgres', `SELECT rolpassword FROM pg_authid WHERE rolname = $1`, [
    postgres.superuser,
  ])
  // A folder of its own, since the account it runs as may not enter the one the others use.
  const directory = await mkdtemp(join(tmpdir(), 'postern-bench-bouncer-'))
  const files = {
    'users.txt': `"${postgres.superuser}" "${String(row?.['rolpassword'])}"\n`,
    'pgbouncer.ini': `[databases]
${databaseName} = host=${postgres.host} port=${String(postgres.port)} dbname=${databaseName}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${String(port)}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(directory, 'users.txt')}
pool_mode = session
default_pool_size = 150
max_client_conn = 300
server_lifetime = ${String(serverLifetimeS)}
server_tls_sslmode = disable
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
`,
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, name), text, { mode: 0o600 })
    if (account.uid !== undefined) await chown(join(directory, name), account.uid, account.gid ?? account.uid)
  }
  if (account.uid !== undefined) await chown(directory, account.uid, account.gid ?? account.uid)
  const child = spawn(pgbouncerCommand(), ['-q', join(directory, 'pgbouncer.ini')], {
    ...runAs(account),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  child.once('exit', () => void rm(directory, { recursive: true, force: true }))
  await untilListening(port, child)
  return { child, port, processId: processIdOf(child) }
}

async function startPostern(options: {
  readonly directory: string
  readonly postgres: SandboxPostgres
  readonly issuer: SandboxIssuer
  readonly other: OtherPostern
  readonly name: string
}): Promise<StartedPostern> {
  const { directory, postgres, issuer, other, name } = options
  const port = await freePort()
  const file = join(directory, `${name}.yaml`)
  // JSON is YAML.
  const config = {
    listen: { address: '127.0.0.1', port, allow_plaintext_on_loopback: true },
    issuers: [{ url: issuer.url, audience: issuer.audience, allow_insecure: true, claims: sandboxClaims }],
    databases: {
      [databaseName]: {
        host: postgres.host,
        port: postgres.port,
        role: postgres.superuser,
        credential: { password: postgres.password },
        tls: { mode: 'disable' },
        labels: { env: 'bench' },
      },
    },
    policies: new URL('../deploy/starter/policies', import.meta.url).pathname,
    journal: { directory: join(directory, `${name}-journal`), signing_key: join(directory, `${name}-key.pem`) },
    log: { level: 'error' },
  }
  await writeFile(file, JSON.stringify(config), { mode: 0o600 })
  const checkout = other.checkout ?? join(import.meta.dirname, '..')
  const child = fork(join(checkout, 'bench', 'gateway-process.ts'), [file], {
    execArgv: [...(other.nodeOptions ?? [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown]
  if (message !== 'ready') throw new Error('Postern did not start; its log above says why')
  const password = await issuer.issueToken({ identity: principal, expiresInS: 7_200 })
  return {
    contender: { name: 'Postern', port, user: principal, password, processId: processIdOf(child) },
    async profile(path, load) {
      const ask = async (question: object) => {
        const answered = Promise.race([once(child, 'message'), once(child, 'exit')])
        child.send(question)
        await answered
        if (child.exitCode !== null) throw new Error('Postern ended while it was profiled')
      }
      await ask({ profile: 'start' })
      await load()
      await ask({ profile: 'stop', file: path })
    },
    stop: () => end(child),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const deadline = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await exited
  clearTimeout(deadline)
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (child.exitCode !== null) break
    const isListening = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isListening) return
    await sleep(50)
  }
  throw new Error(`nothing listens on the port that ${child.spawnfile} was given`)
}

function processIdOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error(`${child.spawnfile} could not be run`)
  return child.pid
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no TCP address was assigned')
  return address.port
}
