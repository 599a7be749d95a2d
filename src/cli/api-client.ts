import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { getCACertificates } from 'node:tls'
import { terminalSafe } from '../audit/record-text.ts'
import { errorCodes, PosternError, type ErrorCode } from '../core/errors.ts'
import { isLoopbackHost } from '../identity/identity.ts'

/** Where the HTTP API is. */
export interface ApiLocation {
  readonly url: string
  /** A PEM file with the authority of its certificate, which is trusted beside the usual ones. */
  readonly caFile?: string | undefined
}

const path = 'api/v1/'
const deadlineMs = 30_000
const answerBytesMax = 16 * 1024 * 1024

/** Calls the HTTP API of a gateway. Every call fails with a PosternError, whose texts cannot steer a terminal. */
export class ApiClient {
  readonly #base: URL
  readonly #ca: readonly string[] | undefined
  readonly #token: string

  /** Fails with `input_invalid` where the token could be read on its way there. */
  constructor({ url, caFile }: ApiLocation, token: string) {
    this.#base = baseOf(url)
    this.#ca = caFile === undefined ? undefined : [...getCACertificates('default'), readAuthority(caFile)]
    this.#token = token
  }

  get(what: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<unknown> {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, value)
    return this.#call('GET', search.size === 0 ? what : `${what}?${search.toString()}`)
  }

  post(what: string, body: object): Promise<unknown> {
    return this.#call('POST', what, JSON.stringify(body))
  }

  delete(what: string): Promise<unknown> {
    return this.#call('DELETE', what)
  }

  async #call(method: string, what: string, body?: string): Promise<unknown> {
    const { status, text } = await this.#exchange(method, what, body)
    const value = text === '' ? null : parse(text)
    if (status >= 200 && status < 300) return value
    throw failureOf(status, value, this.#base.origin)
  }

  #exchange(method: string, what: string, body?: string): Promise<{ status: number; text: string }> {
    const url = new URL(`${path}${what}`, this.#base)
    const options = {
      method,
      signal: AbortSignal.timeout(deadlineMs),
      headers: {
        authorization: `Bearer ${this.#token}`,
        accept: 'application/json',
        // For the record, which tells answers from here from others.
        'x-postern-client': 'cli',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        // Also where there is no body: what has no length has to be counted at the other end.
        ...(method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body ?? '')) }),
      },
      ...(this.#ca === undefined ? {} : { ca: [...this.#ca] }),
    }
    return new Promise((resolve, reject) => {
      const fail = (cause: Error): void => reject(unreachable(url, cause))
      const call = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options)
      call.on('error', fail)
      call.on('response', (response) => {
        readBounded(response).then(
          (text) => resolve({ status: response.statusCode ?? 0, text }),
          (cause: unknown) => {
            call.destroy()
            reject(cause instanceof PosternError ? cause : unreachable(url, cause))
          },
        )
      })
      call.end(body)
    })
  }
}

function baseOf(text: string): URL {
  const url = URL.parse(text.endsWith('/') ? text : `${text}/`)
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  if (url !== null && isSafe && url.username === '' && url.password === '') return url
  throw new PosternError('input_invalid', `the API cannot be called at ${terminalSafe(text)}: it is not an https URL`, {
    hint: 'Write it as https://postern.example.com. Only an API on this machine may use http.',
  })
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const hint = "Give the PEM file of the authority of the API's certificate with --ca."
    throw new PosternError('input_invalid', `the certificate file ${file} cannot be read`, { cause, hint })
  }
}

async function readBounded(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw notOurs()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // A gateway in between answers with a page; the status says enough.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** What an answer is called that is none of Postern's. */
export function notOurs(): PosternError {
  return new PosternError('input_invalid', "what answers there is not Postern's API", {
    hint: 'Check the address: --api, POSTERN_API, or `api.public_url` of postern.yaml.',
  })
}

function failureOf(status: number, value: unknown, origin: string): PosternError {
  const error = member(value, 'error')
  const message = member(error, 'message')
  if (typeof message !== 'string') {
    return new PosternError('input_invalid', `${origin} answered with status ${String(status)}, without saying why`, {
      hint: 'Check the address: --api, POSTERN_API, or `api.public_url` of postern.yaml.',
    })
  }
  const code = errorCodes.find((each) => each === member(error, 'code')) ?? codeOfStatus(status)
  const lines = (text: unknown): string | undefined =>
    typeof text === 'string' ? text.split('\n').map(terminalSafe).join('\n') : undefined
  return new PosternError(code, terminalSafe(message), {
    detail: lines(member(error, 'detail')),
    hint: lines(member(error, 'hint')),
  })
}

/** A gateway that is newer may have codes that this command line does not know. */
function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return 'token_untrusted'
  if (status === 403) return 'access_refused'
  if (status === 404) return 'request_unknown'
  return status >= 500 ? 'store_unavailable' : 'input_invalid'
}

function unreachable(url: URL, cause: unknown): PosternError {
  const isLate = cause instanceof Error && cause.name === 'AbortError'
  const why = isLate ? `it did not answer within ${String(deadlineMs / 1_000)} s` : messageOf(cause)
  return new PosternError('backend_unavailable', `the API at ${url.origin} cannot be reached: ${terminalSafe(why)}`, {
    hint: 'Check the address and the network. For a private certificate authority give its file with --ca.',
    cause,
  })
}

/** Trying several addresses fails with several errors and no text of its own. */
function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError) return messageOf(cause.errors[0])
  return cause instanceof Error ? cause.message : 'it failed'
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
