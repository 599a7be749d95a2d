import { once } from 'node:events'
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttps, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { errorBody, statusOf } from './failures.ts'
import { addressKey } from './rates.ts'
import type { ApiCertificate } from './services.ts'
import type { Site } from './site.ts'

/** What answers a request that came through the door. */
export type Handles = (request: IncomingMessage, response: ServerResponse) => void

const bounds = {
  maxHeaderSize: limits.httpHeaderBytesMax,
  headersTimeout: limits.httpHeadersDeadlineMs,
  requestTimeout: limits.httpReceiveDeadlineMs,
  keepAliveTimeout: 5_000,
  // Node looks for slow senders only this often.
  connectionsCheckingInterval: 1_000,
  requireHostHeader: true,
  insecureHTTPParser: false,
}

/** Makes the server with every bound of node's set; it answers nothing until it is given what handles requests. */
export function createServer(tls: () => ApiCertificate | null): Server | TlsServer {
  const certificate = tls()
  const server = certificate === null ? createHttp(bounds) : createHttps({ ...bounds, ...certificate })
  server.timeout = limits.httpIdleMsMax
  server.maxConnections = limits.httpConnectionsMax
  server.maxRequestsPerSocket = 1_000
  server.maxHeadersCount = 100
  boundPerAddress(server)
  if ('setSecureContext' in server && certificate !== null) renewCertificate(server, certificate, tls)
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    else socket.destroy()
  })
  return server
}

/** Listens; rejects where it cannot. */
export async function listen(server: Server, { address, port }: { address: string; port: number }): Promise<number> {
  server.listen(port, address)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Lets answers under way end, for a while, and then cuts what is left. */
export async function close(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), limits.httpDrainDeadlineMs)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
  clearTimeout(cut)
}

/** What is checked of every request before anything looks at it, and what every answer says to browsers. */
export function door(site: Site, handle: Handles): Handles {
  return (request, response) => {
    for (const [name, value] of headersOf(site)) response.setHeader(name, value)
    const refusal = refusalOf(request, site)
    if (refusal === null) {
      handle(request, response)
      return
    }
    response.writeHead(statusOf(refusal), { 'content-type': 'application/json', connection: 'close' })
    response.end(JSON.stringify(errorBody(refusal)))
  }
}

function refusalOf(request: IncomingMessage, site: Site): PosternError | null {
  const url = request.url ?? ''
  if (url.length > limits.httpUrlCharsMax) {
    return new PosternError('message_too_large', 'the address of this request is too long')
  }
  if (!site.isOwnHost(request.headers.host)) {
    return new PosternError('origin_refused', 'this server does not go by the name that was asked for', {
      hint: `It is reached at ${site.url}; another name has to be set as the public URL in its configuration.`,
    })
  }
  // An absolute target (RFC 9112 section 3.2.2) is for proxies, and would be a second place that names a host.
  if (!url.startsWith('/')) return new PosternError('input_invalid', 'the request names no path of this server')
  return null
}

const contentSecurityPolicy = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

function headersOf(site: Site): readonly (readonly [string, string])[] {
  return [
    ['content-security-policy', contentSecurityPolicy],
    ['x-content-type-options', 'nosniff'],
    ['x-frame-options', 'DENY'],
    ['referrer-policy', 'no-referrer'],
    ['cache-control', 'no-store'],
    ['cross-origin-opener-policy', 'same-origin'],
    ['cross-origin-resource-policy', 'same-origin'],
    ['permissions-policy', 'camera=(), microphone=(), geolocation=(), payment=()'],
    ...(site.isSecure ? [['strict-transport-security', 'max-age=31536000'] as const] : []),
  ]
}

/** One address cannot take all connections. */
function boundPerAddress(server: Server): void {
  const counts = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const key = addressKey(socket.remoteAddress)
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    socket.once('close', () => {
      const left = (counts.get(key) ?? 1) - 1
      if (left === 0) counts.delete(key)
      else counts.set(key, left)
    })
    if (count > limits.httpConnectionsPerAddressMax) socket.destroy()
  })
}

function renewCertificate(server: TlsServer, first: ApiCertificate, tls: () => ApiCertificate | null): void {
  let current = first
  // Before node's own listener, which begins the handshake.
  server.prependListener('connection', () => {
    const next = tls()
    if (next === null || (next.cert === current.cert && next.key === current.key)) return
    server.setSecureContext({ cert: next.cert, key: next.key })
    current = next
  })
}
