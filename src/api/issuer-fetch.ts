import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { CustomFetch, CustomFetchOptions } from 'openid-client'
import { limits } from '../core/limits.ts'

/**
 * How the log-in's library reaches the issuer: with certificates of our choice, bounded in time and size, and following
 * no redirects.
 */
export function createIssuerFetch(ca: string | undefined): CustomFetch {
  return async (url, options) => {
    const deadline = AbortSignal.timeout(limits.issuerDeadlineMs)
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline])
    const response = await send(new URL(url), { options, ca, signal })
    try {
      const body = await readBounded(response)
      const status = response.statusCode ?? 502
      const isBodyless = status === 204 || status === 304 || body.length === 0
      return new Response(isBodyless ? null : body, { status, headers: headersOf(response) })
    } finally {
      response.destroy()
    }
  }
}

interface Sending {
  readonly options: CustomFetchOptions
  readonly ca: string | undefined
  readonly signal: AbortSignal
}

async function send(url: URL, { options, ca, signal }: Sending): Promise<IncomingMessage> {
  // A Response takes any body that fetch takes and turns it into bytes.
  const body = options.body === null || options.body === undefined ? null : await new Response(options.body).bytes()
  const given = {
    method: options.method,
    headers: {
      ...options.headers,
      connection: 'close',
      ...(body === null ? {} : { 'content-length': String(body.length) }),
    },
    signal,
    ...(ca === undefined ? {} : { ca }),
  }
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps(url, given, resolve) : requestHttp(url, given, resolve)
    request.once('error', reject)
    request.end(body ?? undefined)
  })
}

async function readBounded(response: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > limits.issuerResponseBytesMax) throw new Error('the answer of the issuer is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function headersOf(response: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  return headers
}
