import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { limits } from '../core/limits.ts'
import { loginFailed } from './failure.ts'
import { ScramKeyCache } from './scram-keys.ts'

/** Where the password for a database role comes from. */
export type CredentialConfig =
  /** A file that holds the password and nothing else; read at each log-in, so that a rotation needs no restart. */
  | { readonly file: string }
  /** A variable of the gateway's environment. */
  | { readonly environment: string }
  /** A program, without a shell in between, whose standard output is the password. */
  | {
      readonly command: readonly [string, ...string[]]
      /** How long an output is good for; without it until PostgreSQL refuses it. */
      readonly refreshAfterS?: number
      readonly deadlineMs?: number
    }
  /** The password itself, for demos and tests. */
  | { readonly password: string }

/** The password of a database role, and what is derived from it. The only holder of either. */
export interface Credential {
  /** The password as of now. Rejects with `backend_login_failed`, whose cause tells the operator what to check. */
  password(): Promise<string>
  /** PostgreSQL refused `rejected`: looks for a newer one and tells whether there is one worth a second try. */
  renew(rejected: string): Promise<boolean>
  readonly scramKeys: ScramKeyCache
  /** Forgets everything and ends a command that still runs. */
  close(): void
}

type Variables = Readonly<Record<string, string | undefined>>

/**
 * Makes the source of a password; nothing is read before it is asked for. `environment` is the gateway's own: `{}` will
 * do where the password is in a file or inline.
 */
export function createCredentialSource(config: CredentialConfig, environment: Variables): Credential {
  const scramKeys = new ScramKeyCache()
  if ('command' in config) return new CommandCredential(config, environment, scramKeys)
  const read = async (): Promise<string> => {
    if ('file' in config) return readPasswordFile(config.file)
    if ('environment' in config) return readVariable(config.environment, environment)
    return checkedPassword(config.password, 'the configured password')
  }
  return {
    password: read,
    renew: async (rejected) => (await read()) !== rejected,
    scramKeys,
    close: () => scramKeys.clear(),
  }
}

/** What a command printed is kept, for log-ins must not wait for a program each time. */
class CommandCredential implements Credential {
  readonly scramKeys: ScramKeyCache
  readonly #config: Extract<CredentialConfig, { command: readonly string[] }>
  readonly #environment: Variables
  readonly #closed = new AbortController()
  #current: { readonly password: string; readonly atMs: number } | null = null
  #running: Promise<string> | null = null

  constructor(
    config: Extract<CredentialConfig, { command: readonly string[] }>,
    environment: Variables,
    keys: ScramKeyCache,
  ) {
    this.#config = config
    this.#environment = environment
    this.scramKeys = keys
  }

  async password(): Promise<string> {
    const { refreshAfterS } = this.#config
    const current = this.#current
    if (current !== null) {
      if (refreshAfterS === undefined || performance.now() - current.atMs < refreshAfterS * 1_000)
        return current.password
    }
    return this.#load()
  }

  async renew(rejected: string): Promise<boolean> {
    const current = this.#current
    // Another log-in has been here already.
    if (current !== null && current.password !== rejected) return true
    // A role whose password is simply wrong must not make every client's attempt start a program.
    if (current !== null && performance.now() - current.atMs < renewPauseMs) return false
    return (await this.#load()) !== rejected
  }

  close(): void {
    this.#closed.abort()
    this.#current = null
    this.scramKeys.clear()
  }

  /** Log-ins that come together wait for one run. */
  async #load(): Promise<string> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #run(): Promise<string> {
    const { command, deadlineMs = limits.credentialCommandDeadlineMs } = this.#config
    const output = await runCommand(command, {
      environment: this.#environment,
      deadlineMs,
      signal: this.#closed.signal,
    })
    const password = checkedPassword(
      decode(output, 'the output of the password command'),
      'the output of the password command',
    )
    if (!this.#closed.signal.aborted) this.#current = { password, atMs: performance.now() }
    return password
  }
}

const renewPauseMs = 5_000

async function readPasswordFile(path: string): Promise<string> {
  const name = `the password file ${path}`
  let bytes: Buffer
  try {
    const isLink = (await lstat(path)).isSymbolicLink()
    // Not blocking: opening a FIFO must not wait for somebody to write to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const facts = await file.stat()
      if (!facts.isFile()) throw loginFailed(`${name} is not a regular file`)
      // Secret mounts (Kubernetes: symbolic links; Docker and Podman: below /run/secrets) are open to everybody inside a
      // container and to nobody outside it, and their modes often cannot be changed. Group access is left to the
      // administrator: it is how a root-owned secret is given to a service account.
      const isMount = isLink || path.startsWith('/run/secrets/')
      if (!isMount && process.platform !== 'win32' && (facts.mode & 0o007) !== 0) {
        throw loginFailed(`${name} is open to every account on this machine. Run: chmod 600 ${path}`)
      }
      if (facts.size > limits.credentialBytesMax) throw tooLong(name)
      const buffer = Buffer.alloc(limits.credentialBytesMax + 1)
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
      if (bytesRead > limits.credentialBytesMax) throw tooLong(name)
      bytes = buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!isSystemError(error)) throw error
    const advice =
      error.code === 'ENOENT' ? 'Check the path.' : 'Check that the gateway runs as an account that may read it.'
    throw loginFailed(`${name} cannot be read (${error.code}). ${advice}`, error)
  }
  return checkedPassword(decode(bytes, name), name)
}

function readVariable(name: string, environment: Variables): string {
  const value = environment[name]
  if (value === undefined)
    throw loginFailed(`the environment variable ${name} is not set. Set it where the gateway is started.`)
  return checkedPassword(value, `the environment variable ${name}`)
}

async function runCommand(
  command: readonly [string, ...string[]],
  options: { environment: Variables; deadlineMs: number; signal: AbortSignal },
): Promise<Buffer> {
  const { environment, deadlineMs, signal } = options
  const [program, ...words] = command
  // What it writes to standard error is not kept: such programs print requests and tokens there when they fail.
  const advice = "Run it by hand as the gateway's account to see what it says."
  signal.throwIfAborted()
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...environment } })
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let byteCount = 0
    const giveUp = (reason: string): void => {
      child.kill('SIGKILL')
      // A grandchild may still hold the pipe open.
      child.stdout.destroy()
      settle(() => reject(loginFailed(`the password command ${program} ${reason}`)))
    }
    const timer = setTimeout(() => giveUp(`did not end within ${deadlineMs} ms. ${advice}`), deadlineMs)
    const onClose = (): void => giveUp('was ended because its credential is no longer needed')
    signal.addEventListener('abort', onClose, { once: true })
    const settle = (outcome: () => void): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onClose)
      outcome()
    }
    child.stdout.on('data', (chunk: Buffer) => {
      byteCount += chunk.length
      if (byteCount > limits.credentialBytesMax) giveUp(`prints more than ${limits.credentialBytesMax} bytes`)
      else chunks.push(chunk)
    })
    child.once('error', (error) =>
      settle(() => reject(loginFailed(`the password command ${program} cannot be run: ${error.message}`, error))),
    )
    child.once('close', (code, ended) => {
      if (code === 0) settle(() => resolve(Buffer.concat(chunks)))
      else giveUp(`failed with ${code === null ? `signal ${ended}` : `exit status ${code}`}. ${advice}`)
    })
  })
}

function decode(bytes: Buffer, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw loginFailed(`${source} is not UTF-8 text`, error)
  }
}

/** Editors and `echo` end a file with a newline that is not part of the password; one is taken off, and its return. */
function checkedPassword(text: string, source: string): string {
  const password = text.replace(/\r?\n$/, '')
  if (password === '') throw loginFailed(`${source} is empty`)
  if (/[\0\r\n]/.test(password)) throw loginFailed(`${source} holds more than one line, or a zero byte`)
  if (Buffer.byteLength(password) > limits.credentialBytesMax) throw tooLong(source)
  return password
}

function tooLong(source: string): Error {
  return loginFailed(`${source} is longer than ${limits.credentialBytesMax} bytes`)
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}
