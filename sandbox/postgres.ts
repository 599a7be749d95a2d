import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { copyTemplate, prepareBinaries, runAs } from './postgres-template.ts'
import type { ServerAccount } from './postgres-template.ts'

/** What a sandbox PostgreSQL can be started with; everything has a default. */
export interface PostgresOptions {
  /** Lines of pg_hba.conf; by default `trust` on the unix socket and `scram-sha-256` on TCP. */
  readonly hba?: readonly string[]
  /** Server settings, over the sandbox's own. */
  readonly settings?: Readonly<Record<string, string>>
  /** Switches TLS on. All PEM; `clientAuthority` is what client certificates must be issued by. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string }
  /** Keeps the data here after stop(); a later start with the same directory finds it again. */
  readonly keepDirectory?: string
  /** A port of the caller's choice, such as the one of an instance that was stopped before. */
  readonly port?: number
  /** The password of `postgres`; random by default. */
  readonly password?: string
}

/** A running throw-away PostgreSQL. */
export interface SandboxPostgres {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly socketDirectory: string
  /** The data directory. */
  readonly directory: string
  /** Where the server writes its log. */
  readonly logFile: string
  readonly superuser: 'postgres'
  readonly password: string
  /** The postmaster's process id. */
  readonly processId: number
  /** Runs SQL as superuser over the unix socket, whatever the hba lines say, and gives the last statement's rows. */
  query(database: string, sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  /** Ends the server and removes its directory, unless it is to be kept. May be called twice. */
  stop(): Promise<void>
  /** Sends a signal to the postmaster. */
  kill(signal: NodeJS.Signals): void
}

const startAttemptsMax = 8
const startDeadlineMs = 30_000
const stopDeadlineMs = 10_000

const defaultHba = ['local all all trust', 'host all all all scram-sha-256']

// Nothing waits for the disk: a sandbox need not survive a power cut, and fsync is most of the cost of a start. It does
// survive a kill: what was committed is in the operating system's hands, so synchronous_commit stays on.
const defaultSettings = {
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '32MB',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/**
 * Starts a PostgreSQL 18 of its own on a free loopback port and waits until it takes connections. It dies with this
 * process, however that ends. Fails with the server's log when the server does not come up.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<SandboxPostgres> {
  const account = await prepareBinaries()
  const base = await mkdtemp(join(tmpdir(), 'postern-pg-'))
  const directory = options.keepDirectory ?? join(base, 'data')
  const password = options.password ?? randomBytes(12).toString('base64url')
  try {
    await ownedDirectory(base, account)
    await ownedDirectory(directory, account)
    await copyTemplate(account, directory)
    for (let attempt = 1; ; attempt += 1) {
      const port = options.port ?? (await freePort())
      await configure({ account, base, directory, port, options })
      const server = await launch({ account, base, directory })
      if (server.state === 'ready') {
        return await sandbox({ server: server.process, base, directory, port, password, options })
      }
      // Between our look and the server's bind somebody else may have taken the port.
      const mayRetry = options.port === undefined && /could not bind|lock file/.test(server.log)
      if (!mayRetry || attempt === startAttemptsMax) throw new Error(`PostgreSQL did not start:\n${server.log}`)
    }
  } catch (error) {
    await rm(base, { recursive: true, force: true })
    throw error
  }
}

async function sandbox(started: {
  server: RunningServer
  base: string
  directory: string
  port: number
  password: string
  options: PostgresOptions
}): Promise<SandboxPostgres> {
  const { server, base, directory, port, password, options } = started
  let stopping: Promise<void> | undefined
  const self: SandboxPostgres = {
    host: '127.0.0.1',
    port,
    socketDirectory: base,
    directory,
    logFile: join(base, 'log'),
    superuser: 'postgres',
    password,
    processId: server.processId,
    async query(database, sql, values) {
      const client = new Client({ host: base, port, user: 'postgres', database })
      await client.connect()
      try {
        const result = await client.query(sql, values === undefined ? undefined : [...values])
        const last: unknown = Array.isArray(result) ? result.at(-1) : result
        return (last as { rows?: Record<string, unknown>[] } | undefined)?.rows ?? []
      } finally {
        await client.end()
      }
    },
    stop() {
      stopping ??= stopServer(server, { base, isKept: options.keepDirectory !== undefined })
      return stopping
    },
    kill(signal) {
      process.kill(server.processId, signal)
    },
  }
  try {
    await self.query('postgres', `ALTER ROLE postgres PASSWORD '${password.replaceAll("'", "''")}'`)
  } catch (error) {
    await self.stop()
    throw error
  }
  return self
}

interface RunningServer {
  readonly processId: number
  readonly exited: Promise<void>
  readonly watchdog: ChildProcess
}

type Launch = { state: 'ready'; process: RunningServer } | { state: 'failed'; log: string }

async function launch(where: { account: ServerAccount; base: string; directory: string }): Promise<Launch> {
  const { account, base, directory } = where
  const logPath = join(base, 'log')
  const log = await open(logPath, 'w')
  // Detached: an interrupt typed at the terminal must reach this process first, which may still have queries to run.
  const child = spawn(join(account.binaries, 'postgres'), ['-D', directory], {
    ...runAs(account),
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  await log.close()
  if (child.pid === undefined) return { state: 'failed', log: 'the server binary could not be run' }
  const watchdog = watch({ base, directory })
  const state = { isOver: false }
  void exited.then(() => (state.isOver = true))

  const deadline = performance.now() + startDeadlineMs
  while (!state.isOver && performance.now() < deadline) {
    if (await isReady(directory, child.pid)) {
      child.unref()
      return { state: 'ready', process: { processId: child.pid, exited, watchdog } }
    }
    await sleep(5)
  }
  child.kill('SIGQUIT')
  await exited
  watchdog.kill('SIGKILL')
  return { state: 'failed', log: await readFile(logPath, 'utf8') }
}

/** The eighth line of postmaster.pid is the server's own word on its state; pg_ctl waits for the same. */
async function isReady(directory: string, processId: number): Promise<boolean> {
  try {
    const lines = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n')
    return lines[0] === String(processId) && lines[7]?.trim() === 'ready'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

// Our end of its stdin closes when this process ends in whatever way, kill -9 included. It trusts postmaster.pid and not
// a number it was once given, so that it can never hit a process that got the number later.
const watchdogScript = `
read -r _
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" && {
  n=0
  while kill -0 "$pid" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
  kill -KILL "$pid" 2>/dev/null
}
rm -rf "$2"
`

function watch(where: { base: string; directory: string }): ChildProcess {
  const watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'sandbox-watchdog', where.directory, where.base], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref()
  const { stdin } = watchdog
  if (stdin !== null && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  return watchdog
}

async function stopServer(server: RunningServer, after: { base: string; isKept: boolean }): Promise<void> {
  try {
    // SIGQUIT skips the closing checkpoint, which only data that is kept has a use for.
    signalIfAlive(server.processId, after.isKept ? 'SIGINT' : 'SIGQUIT')
    const deadline = setTimeout(() => signalIfAlive(server.processId, 'SIGKILL'), stopDeadlineMs)
    await server.exited
    clearTimeout(deadline)
  } finally {
    server.watchdog.kill('SIGKILL')
    await rm(after.base, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }
}

function signalIfAlive(processId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(processId, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function configure(target: {
  account: ServerAccount
  base: string
  directory: string
  port: number
  options: PostgresOptions
}): Promise<void> {
  const { account, base, directory, port, options } = target
  const files = new Map<string, string>()
  const settings: Record<string, string> = {
    ...defaultSettings,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: base,
    port: String(port),
  }
  if (options.tls !== undefined) {
    files.set(join(base, 'server.crt'), options.tls.certificate).set(join(base, 'server.key'), options.tls.key)
    settings['ssl'] = 'on'
    settings['ssl_cert_file'] = join(base, 'server.crt')
    settings['ssl_key_file'] = join(base, 'server.key')
    if (options.tls.clientAuthority !== undefined) {
      files.set(join(base, 'clients.crt'), options.tls.clientAuthority)
      settings['ssl_ca_file'] = join(base, 'clients.crt')
    }
  }
  const lines = Object.entries({ ...settings, ...options.settings }).map(
    ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
  )
  // postgresql.conf is replaced whole: what is not said here is PostgreSQL's own default.
  files.set(join(directory, 'postgresql.conf'), `${lines.join('\n')}\n`)
  // The first line lets query() in; only this account and root can enter the directory the socket is in.
  const hba = ['local all postgres trust', ...(options.hba ?? defaultHba)]
  files.set(join(directory, 'pg_hba.conf'), `${hba.join('\n')}\n`)
  for (const [path, text] of files) {
    await writeFile(path, text, { mode: 0o600 })
    if (account.uid !== undefined) await chown(path, account.uid, account.gid ?? account.uid)
  }
}

async function ownedDirectory(path: string, account: ServerAccount): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
  if (account.uid !== undefined) await chown(path, account.uid, account.gid ?? account.uid)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no TCP address was assigned')
  return address.port
}
