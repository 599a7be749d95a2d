import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { limits } from '../core/limits.ts'

/** Bounds and trust of one request. */
export interface FetchOptions {
  /** PEM certificates to trust instead of the system's. */
  readonly tlsCa: string | undefined
  /** Ends the request early. */
  readonly signal: AbortSignal
  /** From connect to the last byte; `limits.issuerDeadlineMs` unless told. */
  readonly deadlineMs?: number
}

/**
 * Fetches one JSON document: status 200 only, redirects not followed, bounded in time and size. Fails with an Error
 * whose text names the URL and is meant for the operator.
 */
export async function fetchJson(url: URL, options: FetchOptions): Promise<unknown> {
  const { tlsCa, signal, deadlineMs = limits.issuerDeadlineMs } = options
  const deadline = AbortSignal.timeout(deadlineMs)
  try {
    const text = await fetchText(url, tlsCa, AbortSignal.any([signal, deadline]))
    return JSON.parse(text) as unknown
  } catch (cause) {
    const why = deadline.aborted
      ? `no full answer within ${deadlineMs} ms`
      : cause instanceof Error
        ? cause.message
        : 'unknown failure'
    throw new Error(`${url.href}: ${why}`, { cause })
  }
}

function fetchText(url: URL, tlsCa: string | undefined, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      signal,
      headers: { accept: 'application/json, application/jwk-set+json', connection: 'close' },
      ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    }
    const receive = (response: IncomingMessage): void => {
      readBounded(response).then(resolve, (error: unknown) => {
        response.destroy()
        reject(error instanceof Error ? error : new Error('the answer broke off', { cause: error }))
      })
    }
    const request = url.protocol === 'https:' ? getHttps(url, options, receive) : getHttp(url, options, receive)
    request.once('error', reject)
  })
}

async function readBounded(response: IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode ?? 'missing'} instead of 200`)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > limits.issuerResponseBytesMax) {
      throw new Error(`the answer is larger than ${limits.issuerResponseBytesMax} bytes`)
    }
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
}
