import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, readFile, stat } from 'node:fs/promises'
import { constants as osConstants } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { Command } from 'commander'
import { PosternError } from '../core/errors.ts'
import { isLoopbackHost, readToken } from '../identity/identity.ts'
import { startLocalListener, type GatewayTarget } from './local-listener.ts'
import { chooseLogin, obtainToken, presetToken, principalNameOf, type LoginOptions, type TokenDeps } from './token.ts'

/** Where the gateway is, as the configuration or the command line says. */
export interface GatewayLocation {
  readonly host: string
  readonly port: number
  /** A PEM file with the authority of the gateway's certificate; the system's authorities where there is none. */
  readonly caFile?: string | undefined
  readonly tlsMode?: GatewayTarget['tlsMode']
}

/** What the command needs from outside, beyond what `postern token` needs. */
export interface ConnectDeps extends TokenDeps {
  /** The gateway of the configuration at `path`, or of the default one; null where there is none. */
  loadGateway(path: string | undefined): Promise<GatewayLocation | null>
  /** Ends when the person wants the listener to stop. */
  untilStopped(): Promise<void>
  setExitCode(code: number): void
}

interface ConnectOptions extends LoginOptions {
  readonly gateway?: string
  readonly ca?: string
  readonly port?: string
  readonly user?: string
  readonly localPassword: boolean
  readonly json?: boolean
}

/** Where distributions keep the authorities that the system trusts; libpq before 16 cannot find them by itself. */
const systemAuthorities = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
]

/** `postern connect DB`: psql through the gateway, or with `--port` a local listener for any other tool. */
export function connectCommand(deps: ConnectDeps): Command {
  return new Command('connect')
    .description('open psql through the gateway, or a local port for tools that cannot present a token')
    .argument('<database>', 'the database, by the name the gateway has for it')
    .argument('[psql-arguments...]', 'after --, handed to psql as they are')
    .option('--gateway <host:port>', 'the gateway, if it is not in the configuration')
    .option('--ca <file>', "the authority of the gateway's certificate, if the system does not trust it")
    .option('--port <number>', 'listen on this local port for other tools; 0 takes a free one')
    .option('--no-local-password', 'let every program on this machine use the local port as you')
    .option('--user <name>', 'your name as the gateway knows it, if the token does not tell')
    .option('--issuer <url>', 'the identity provider to log in at')
    .option('--client-id <id>', 'the client id to log in with')
    .option('--config <file>', 'take gateway, issuer and client id from this postern.yaml')
    .option('--fresh', 'log in anew even if a token is cached')
    .option('--json', 'with --port: print where it listens as an object')
    .action(async (database: string, psqlArguments: string[], options: ConnectOptions) => {
      const gateway = await locateGateway(options, deps)
      if (options.port !== undefined) return listen(database, gateway, { options, deps })
      const { user, token } = await logIn(options, deps)
      deps.setExitCode(await runPsql({ database, user, token, gateway, psqlArguments, env: deps.env }))
    })
}

/** Finds out who this is and with which token; asked again for each connection, since tokens end. */
async function logIn(options: ConnectOptions, deps: ConnectDeps): Promise<{ user: string; token: string }> {
  const preset = presetToken(deps.env)
  if (preset === null) {
    const login = await chooseLogin(options, deps)
    const { token } = await obtainToken(login, deps, options)
    return { user: options.user ?? principalNameOf(token, login), token }
  }
  const { token } = preset
  if (options.user !== undefined) return { user: options.user, token }
  // The configuration, if there is one, says which claim of this issuer is the name.
  const issuerOfToken = readToken(token).claims['iss']
  const login = (await deps.loadLogins(options.config)).find(({ issuer }) => issuer === issuerOfToken)
  return { user: principalNameOf(token, login ?? {}), token }
}

async function listen(
  database: string,
  gateway: GatewayLocation,
  { options, deps }: { options: ConnectOptions; deps: ConnectDeps },
): Promise<void> {
  const port = Number(options.port)
  if (!/^\d{1,5}$/.test(options.port ?? '') || port > 65_535) {
    throw new PosternError('input_invalid', `${options.port} is not a port`, { hint: 'Give 0 to 65535.' })
  }
  // Once before anybody connects: a person is at the terminal now to answer a device log-in.
  const { user } = await logIn(options, deps)
  const again = { ...options, fresh: false }
  let pending: Promise<{ user: string; token: string }> | null = null
  const localPassword = options.localPassword ? randomBytes(18).toString('base64url') : null
  const tlsCa = gateway.caFile === undefined ? undefined : await readAuthority(gateway.caFile)
  const listener = await startLocalListener({
    port,
    gateway: { host: gateway.host, port: gateway.port, tlsMode: gateway.tlsMode, tlsCa },
    database,
    localPassword,
    login() {
      // A tool that opens ten connections when the token has ended asks for one log-in.
      pending ??= logIn(again, deps).finally(() => {
        pending = null
      })
      return pending
    },
    report: (problem) => deps.writeErr(`A connection was refused: ${problem}\n`),
  })
  try {
    const place = { host: '127.0.0.1', port: listener.port, database, user, password: localPassword }
    deps.writeOut(options.json === true ? `${JSON.stringify(place)}\n` : describePlace(place))
    await deps.untilStopped()
  } finally {
    await listener.close()
  }
}

interface ListeningPlace {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | null
}

function describePlace({ host, port, database, user, password }: ListeningPlace): string {
  const secret =
    password === null
      ? '  password  none: every program on this machine can connect as you'
      : `  password  ${password}  (this port only, until it is closed)`
  return [
    `Connected as ${user}. Point your tool here, without SSL:`,
    `  host      ${host}`,
    `  port      ${port}`,
    `  database  ${database}`,
    '  user      any',
    secret,
    'Stop with Ctrl-C.\n',
  ].join('\n')
}

/** What one run of psql needs. */
export interface PsqlRun {
  readonly database: string
  readonly user: string
  readonly token: string
  readonly gateway: GatewayLocation
  readonly psqlArguments: readonly string[]
  readonly env: TokenDeps['env']
}

/** Runs psql on this terminal and returns its exit code. The token is in psql's environment only: arguments are public. */
export async function runPsql(run: PsqlRun): Promise<number> {
  const psql = await findOnPath('psql', run.env)
  if (psql === null) {
    throw new PosternError('input_invalid', 'psql was not found, so it cannot be opened', {
      hint: 'Install it (Debian: apt install postgresql-client; macOS: brew install libpq), or use --port with another tool.',
    })
  }
  const child = spawn(psql, run.psqlArguments, { stdio: 'inherit', env: await psqlEnvironment(run) })
  // Ctrl-C is psql's: it cancels the statement, and leaves psql running.
  const ignore = (): void => undefined
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', ignore).on('SIGTERM', pass).on('SIGHUP', pass)
  try {
    return await new Promise<number>((settle, reject) => {
      child.once('error', (cause) =>
        reject(new PosternError('input_invalid', `${psql} could not be started: ${cause.message}`, { cause })),
      )
      child.once('exit', (code, signal) => settle(code ?? 128 + osConstants.signals[signal ?? 'SIGTERM']))
    })
  } finally {
    process.off('SIGINT', ignore).off('SIGTERM', pass).off('SIGHUP', pass)
  }
}

async function psqlEnvironment(run: PsqlRun): Promise<NodeJS.ProcessEnv> {
  const { gateway } = run
  const { tlsMode = 'verify-full' } = gateway
  if (tlsMode === 'disable' && !isLoopbackHost(gateway.host)) {
    throw new PosternError('input_invalid', `a token is not sent to ${gateway.host} without TLS`, {
      hint: 'Only a gateway on this machine can be reached without TLS.',
    })
  }
  const env: NodeJS.ProcessEnv = { ...run.env }
  // A service file wins over the variables below, and an address over the host: either would take the token elsewhere.
  for (const name of [
    'PGSERVICE',
    'PGSERVICEFILE',
    'PGHOSTADDR',
    'PGCHANNELBINDING',
    'PGREQUIREAUTH',
    'POSTERN_TOKEN',
  ]) {
    delete env[name]
  }
  return {
    ...env,
    PGHOST: gateway.host,
    PGPORT: String(gateway.port),
    PGDATABASE: run.database,
    PGUSER: run.user,
    PGPASSWORD: run.token,
    PGGSSENCMODE: 'disable',
    PGSSLMODE: tlsMode,
    PGSSLROOTCERT: gateway.caFile ?? (await firstReadable(systemAuthorities)) ?? 'system',
  }
}

async function locateGateway(options: ConnectOptions, deps: ConnectDeps): Promise<GatewayLocation> {
  const configured = await deps.loadGateway(options.config)
  const named = options.gateway ?? deps.env['POSTERN_GATEWAY']
  const gateway = named === undefined ? configured : { ...parseAddress(named), caFile: configured?.caFile }
  if (gateway === null) {
    throw new PosternError('input_invalid', 'it is not known where the gateway is', {
      hint: 'Name it: postern connect DB --gateway db.example.com:5432',
    })
  }
  const caFile = options.ca ?? gateway.caFile ?? deps.env['PGSSLROOTCERT']
  return { ...gateway, caFile: caFile === undefined || caFile === 'system' ? undefined : resolve(caFile) }
}

/** Reads `host`, `host:port` or `[address]:port`; the port is PostgreSQL's own unless given. */
export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[(?<address>[0-9a-fA-F:.]+)\]|(?<name>[^:/\s[\]]+))(?::(?<port>\d{1,5}))?$/.exec(text)
  const host = match?.groups?.['address'] ?? match?.groups?.['name']
  const port = Number(match?.groups?.['port'] ?? 5_432)
  if (host === undefined || port === 0 || port > 65_535) {
    throw new PosternError('input_invalid', `${JSON.stringify(text)} is not the address of a gateway`, {
      hint: 'Write it as db.example.com:5432 or [::1]:5432.',
    })
  }
  return { host, port }
}

async function readAuthority(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const hint = "Give the PEM file of the authority of the gateway's certificate with --ca."
    throw new PosternError('input_invalid', `the certificate file ${path} cannot be read`, { cause, hint })
  }
}

async function findOnPath(name: string, env: TokenDeps['env']): Promise<string | null> {
  const names = process.platform === 'win32' ? [`${name}.exe`] : [name]
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return firstReadable(
    folders.flatMap((folder) => names.map((each) => join(folder, each))),
    constants.X_OK,
  )
}

async function firstReadable(paths: readonly string[], mode: number = constants.R_OK): Promise<string | null> {
  for (const path of paths) {
    const isUsable = await access(path, mode).then(
      async () => (await stat(path)).isFile(),
      () => false,
    )
    if (isUsable) return path
  }
  return null
}
