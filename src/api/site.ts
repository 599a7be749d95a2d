import { PosternError } from '../core/errors.ts'

/** Under which names this server is reached, and which of them are its own. */
export interface Site {
  /** Scheme, host and port without a slash at the end: what links begin with. */
  readonly url: string
  /** Whether browsers reach it by https. */
  readonly isSecure: boolean
  /** Whether a Host header names this server. Anything else may be a name that was pointed here to get round the same-origin policy. */
  isOwnHost(host: string | undefined): boolean
  /** Whether an Origin header is that of a page of this server, which was reached under that host. */
  isOwnOrigin(origin: string, host: string): boolean
}

/** Where the server listens. */
export interface Listening {
  readonly address: string
  readonly port: number
  readonly isTls: boolean
  readonly publicUrl: string | null
}

/** Works out the names of the server. Fails with `config_invalid` for a public URL that is more than an origin. */
export function createSite({ address, port, isTls, publicUrl }: Listening): Site {
  const scheme = isTls ? 'https' : 'http'
  const named = publicUrl === null ? null : parsePublicUrl(publicUrl)
  const isEverywhere = address === '0.0.0.0' || address === '::'
  const own = isEverywhere ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address
  const url = named?.origin ?? new URL(`${scheme}://${own}:${String(port)}`).origin
  const hosts = new Set(
    [own, 'localhost', '127.0.0.1', '[::1]'].map((name) => new URL(`${scheme}://${name}:${String(port)}`).host),
  )
  if (named !== null) hosts.add(named.host)
  return {
    url,
    isSecure: url.startsWith('https:'),
    isOwnHost: (host) => host !== undefined && hosts.has(withoutDefaultPort(host.toLowerCase(), scheme)),
    isOwnOrigin: (origin, host) =>
      origin === named?.origin || origin === `${scheme}://${withoutDefaultPort(host.toLowerCase(), scheme)}`,
  }
}

function parsePublicUrl(text: string): URL {
  const url = URL.parse(text)
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
  if (isOrigin) return url
  throw new PosternError('config_invalid', 'the public URL of the HTTP API is not a scheme, a host and a port', {
    hint: 'Write it like https://postern.example.com, without a path: pages and cookies are for a host of its own.',
  })
}

function withoutDefaultPort(host: string, scheme: 'http' | 'https'): string {
  return host.replace(scheme === 'https' ? /:443$/ : /:80$/, '')
}
