import { createInterface } from 'node:readline/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { terminalSafeJson } from '../audit/record-text.ts'
import { loadSections } from '../config.ts'
import { PosternError } from '../core/errors.ts'
import type { TextStyle } from './access-text.ts'
import { ApiClient, type ApiLocation } from './api-client.ts'
import { anyAddress, clientDeps, selfSigned } from './client-deps.ts'
import { configFileIfAny } from './config-file.ts'
import { isColouredFor } from './failure.ts'
import { presentedToken, type LoginOptions, type TokenDeps } from './token.ts'

/** What the commands about access need from outside. */
export interface AccessDeps extends TokenDeps {
  /** The API of the configuration at `path`, or of the default one; null where there is none. */
  loadApi(path: string | undefined): Promise<ApiLocation | null>
  /** Asks whoever sits at the terminal; null where nobody does. */
  confirm(question: string): Promise<boolean | null>
  pause(ms: number): Promise<void>
  style(): TextStyle
}

/** What every command about access can be told. */
export interface AccessOptions extends LoginOptions {
  readonly api?: string
  readonly ca?: string
  readonly json?: true
}

const plainWidth = 80
const widthMin = 40

/** What the commands about access take from this process and from the configuration, if there is one. */
export function accessDeps(): AccessDeps {
  return {
    ...clientDeps(),
    loadApi: (path) => Promise.resolve(apiOf(path)),
    confirm,
    pause: (ms) => new Promise((settle) => void setTimeout(settle, ms)),
    style: () => ({
      isColoured: isColouredFor(process.stdout),
      width: process.stdout.isTTY ? Math.max(widthMin, process.stdout.columns) : plainWidth,
      nowMs: Date.now(),
    }),
  }
}

/** Adds the options that every command about access has. */
export function withApi(command: Command): Command {
  return command
    .option('--api <url>', "the gateway's API, if it is not in the configuration")
    .option('--ca <file>', "the authority of the API's certificate, if the system does not trust it")
    .option('--issuer <url>', 'the identity provider to log in at')
    .option('--client-id <id>', 'the client id to log in with')
    .option('--config <file>', 'take API, issuer and client id from this postern.yaml')
    .option('--fresh', 'log in anew even if a token is cached')
    .option('--json', 'print what the API answers, as JSON')
}

/** Finds the API and logs in there. */
export async function openApi(options: AccessOptions, deps: AccessDeps): Promise<ApiClient> {
  const named = options.api ?? deps.env['POSTERN_API']
  const configured = named === undefined || options.ca === undefined ? await deps.loadApi(options.config) : null
  const url = named ?? configured?.url
  if (url === undefined) {
    throw new PosternError('input_invalid', "it is not known where the gateway's API is", {
      hint: 'Name it with --api https://postern.example.com, or set POSTERN_API.',
    })
  }
  const { token } = await presentedToken(options, deps)
  return new ApiClient({ url, caFile: options.ca ?? configured?.caFile }, token)
}

/** Prints what the API answered: as it is for a program, or as text for a person. */
export function show(answer: unknown, how: { isJson: boolean; text(): string; deps: AccessDeps }): void {
  how.deps.writeOut(how.isJson ? `${terminalSafeJson(answer)}\n` : how.text())
}

/** Goes on only with a yes: of the person at the terminal, or said on the command line. */
export async function makeSure(question: string, isSaid: boolean, deps: AccessDeps): Promise<void> {
  if (isSaid) return
  const answer = await deps.confirm(question)
  if (answer === true) return
  const why = answer === null ? 'nobody is at a terminal to confirm it' : 'it was not confirmed'
  throw new PosternError('input_invalid', `nothing was done: ${why}`, {
    hint: answer === null ? 'Say it on the command line with --yes.' : undefined,
  })
}

/** An id as it stands in a path. */
export function idInPath(id: string): string {
  if (/^[a-z]_[\w-]{1,60}$/u.test(id)) return id
  throw new PosternError('input_invalid', `${JSON.stringify(id.slice(0, 80))} is not an id`, {
    hint: 'Ids look like r_0123456789ab; `postern requests` and `postern grants` show them.',
  })
}

async function confirm(question: string): Promise<boolean | null> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return null
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  const interrupted = new Promise<string>((settle) => reader.once('close', () => settle('')))
  try {
    // Ctrl-C and Ctrl-D close the reader, and mean no.
    return /^y(es)?$/iu.test((await Promise.race([reader.question(`${question} [y/N] `), interrupted])).trim())
  } finally {
    reader.close()
  }
}

function apiOf(path: string | undefined): ApiLocation | null {
  const file = configFileIfAny(path)
  const api = file === null ? undefined : loadSections(file, ['api']).api
  if (file === null || api === undefined) return null
  const caFile = api.tls === undefined ? undefined : selfSigned(resolve(dirname(resolve(file)), api.tls.certificate))
  if (api.public_url !== undefined) return { url: api.public_url, caFile }
  const address = anyAddress.get(api.address) ?? api.address
  const host = address.includes(':') ? `[${address}]` : address
  return { url: `${api.tls === undefined ? 'http' : 'https'}://${host}:${String(api.port)}`, caFile }
}
