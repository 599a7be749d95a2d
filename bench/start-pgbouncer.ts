import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareBinaries, runAs } from '../sandbox/postgres-template.ts'
import type { SandboxPostgres } from '../sandbox/postgres.ts'
import { databaseName } from './fill.ts'
import { freePort, processIdOf, untilListening } from './processes.ts'

/** Whether it is installed. */
export function findPgbouncer(): boolean {
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
export async function startPgbouncer(options: {
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
