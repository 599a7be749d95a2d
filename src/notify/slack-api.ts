import { PosternError } from '../core/errors.ts'
import { isLoopback, networkCodeOf, retryAfterMs } from './webhook.ts'

/** What Slack answered. */
export type SlackAnswer =
  | { readonly outcome: 'ok'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly outcome: 'rate_limited'; readonly forMs: number }
  | { readonly outcome: 'failed'; readonly why: string }

/** The methods of Slack's Web API that Postern calls, and how each takes its arguments. */
const methods = {
  'auth.test': 'form',
  'users.info': 'form',
  'chat.postMessage': 'json',
  'chat.postEphemeral': 'json',
  'chat.update': 'json',
  'views.open': 'json',
} as const

const responseBytesMax = 1024 * 1024

/** Checks where Slack is. Fails with `config_invalid` where the token could be read on the way. */
export function checkSlackUrl(baseUrl: string): URL {
  const url = URL.parse(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`)
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (url !== null && isSafe && url.username === '' && url.password === '') return url
  throw new PosternError('config_invalid', "Slack's address cannot be used: it is not an https URL", {
    hint: 'Leave it out; unless told it is https://slack.com/api.',
  })
}

/** Calls methods of Slack's Web API. Never rejects; what it says of failures holds no token and no text. */
export class SlackApi {
  readonly #baseUrl: URL
  readonly #token: () => string | Promise<string>
  readonly #deadlineMs: number

  constructor(options: { baseUrl: URL; token: () => string | Promise<string>; deadlineMs: number }) {
    this.#baseUrl = options.baseUrl
    this.#token = options.token
    this.#deadlineMs = options.deadlineMs
  }

  async call(
    method: keyof typeof methods,
    values: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<SlackAnswer> {
    const isForm = methods[method] === 'form'
    const form = new URLSearchParams(
      Object.entries(values).map(([name, value]): [string, string] => [name, String(value)]),
    )
    try {
      const response = await fetch(new URL(method, this.#baseUrl), {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(this.#deadlineMs)]),
        headers: {
          authorization: `Bearer ${await this.#token()}`,
          'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json; charset=utf-8',
        },
        body: isForm ? form.toString() : JSON.stringify(values),
      })
      if (response.status === 429) {
        await response.body?.cancel()
        return { outcome: 'rate_limited', forMs: retryAfterMs(response) ?? 30_000 }
      }
      return await readAnswer(method, response)
    } catch (error) {
      return { outcome: 'failed', why: `Slack cannot be reached: ${networkCodeOf(error)}` }
    }
  }
}

async function readAnswer(method: string, response: Response): Promise<SlackAnswer> {
  if (!response.ok) {
    await response.body?.cancel()
    return { outcome: 'failed', why: `Slack answered ${method} with status ${String(response.status)}` }
  }
  const value = objectOf(await readBounded(response))
  if (value === null) return { outcome: 'failed', why: `Slack's answer to ${method} cannot be read` }
  if (value['ok'] === true) return { outcome: 'ok', value }
  // Slack's error codes are words such as channel_not_found.
  const code = typeof value['error'] === 'string' && /^\w{1,60}$/u.test(value['error']) ? value['error'] : 'an error'
  return { outcome: 'failed', why: `Slack answered ${method} with ${code}` }
}

async function readBounded(response: Response): Promise<string | null> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  if (response.body === null) return null
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > responseBytesMax) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Reads a JSON object; null where the text is none. */
export function objectOf(text: string | null): Readonly<Record<string, unknown>> | null {
  if (text === null) return null
  try {
    return asObject(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** A value as an object; null where it is none. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null
}

/** A value as text; empty where it is none. */
export function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
