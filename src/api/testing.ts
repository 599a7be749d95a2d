import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { startIssuer, type SandboxIssuer, sandboxClaims } from '../../sandbox/issuer.ts'
import type { StatementRequestRecord } from '../core/access.ts'
import type { Principal } from '../core/principal.ts'
import { createIdentifier } from '../identity/identity.ts'
import { type Api, type ApiOptions, type ApiServices, defaultRates, startApi } from './api.ts'
import { plainAccess, type PlainAccess } from './testing-access.ts'

/** An API on a free port with a real identity provider behind it. */
export interface TestApi {
  readonly api: Api
  readonly issuer: SandboxIssuer
  readonly access: PlainAccess
  readonly clock: { nowMs: number }
  readonly logged: string[]
  /** Whose eyes see values; nobody's unless told. */
  readonly rawFor: Set<string>
  principal(name: string): Promise<Principal>
  token(name: string): Promise<string>
  /** A request with a bearer token of that identity. */
  call(name: string, path: string, init?: RequestInit): Promise<Response>
  post(name: string, path: string, body: unknown): Promise<Response>
  stop(): Promise<void>
}

export async function startTestApi(
  options: Partial<ApiOptions> & { services?: Partial<ApiServices> } = {},
): Promise<TestApi> {
  const issuer = await startIssuer()
  const identifier = createIdentifier({
    issuers: [{ url: issuer.url, audience: issuer.audience, claims: sandboxClaims, allowInsecure: true }],
  })
  const clock = runningClock()
  const logged: string[] = []
  const say = (fields: object, message: string): void => {
    logged.push(`${message} ${JSON.stringify(fields)}`)
  }
  const rawFor = new Set<string>()
  const access = plainAccess(() => clock.nowMs)
  const api = await startApi(
    {
      address: '127.0.0.1',
      port: 0,
      publicUrl: null,
      tls: () => null,
      login: {
        issuer: issuer.url,
        clientId: issuer.clientId,
        scope: null,
        allowInsecure: true,
      },
      sessionHours: 8,
      rates: defaultRates,
      ...options,
    },
    {
      access,
      identify: (token, nowMs) => identifier.identify(token, nowMs),
      maySeeRaw: (by: Principal, _request: StatementRequestRecord) => rawFor.has(by.name),
      log: { error: say, warn: say, info: say },
      now: () => clock.nowMs,
      ...options.services,
    },
  ).catch(async (error: unknown) => {
    await issuer.stop()
    identifier.close()
    throw error
  })
  const tokens = new Map<string, string>()
  const token = async (name: string): Promise<string> => {
    const known = tokens.get(name) ?? (await issuer.issueToken({ identity: name }))
    tokens.set(name, known)
    return known
  }
  const call = async (name: string, path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${api.url}${path}`, {
      redirect: 'manual',
      ...init,
      headers: { authorization: `Bearer ${await token(name)}`, ...(init.headers as Record<string, string>) },
    })
  return {
    api,
    issuer,
    access,
    clock,
    logged,
    rawFor,
    token,
    call,
    principal: async (name) => identifier.identify(await token(name), clock.nowMs),
    post: (name, path, body) =>
      call(name, path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    stop: async () => {
      await api.stop()
      identifier.close()
      await issuer.stop()
    },
  }
}

/** A clock that runs, since the identity provider's does, and that can be put forward. */
function runningClock(): { nowMs: number } {
  let aheadMs = 0
  return {
    get nowMs() {
      return Date.now() + aheadMs
    },
    set nowMs(atMs) {
      aheadMs = atMs - Date.now()
    },
  }
}

/** A browser without a browser: keeps the cookies of one site, and follows nothing by itself. */
export interface Visitor {
  readonly cookies: Map<string, string>
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** Sends a form as a page of the site does, unless headers say otherwise. */
  submit(path: string, fields: Record<string, string>, headers?: Record<string, string | null>): Promise<Response>
}

export function visitor(url: string): Visitor {
  const cookies = new Map<string, string>()
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(cookie === '' ? {} : { cookie }), ...(init.headers as Record<string, string>) }
    const response = await fetch(new URL(path, url), { redirect: 'manual', ...init, headers })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }
  return {
    cookies,
    get: (path, headers = {}) => send(path, { headers }),
    submit: (path, fields, headers = {}) => {
      const all = { origin: url, 'content-type': 'application/x-www-form-urlencoded', ...headers }
      const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null)
      return send(path, {
        method: 'POST',
        headers: Object.fromEntries(given),
        body: new URLSearchParams(fields).toString(),
      })
    },
  }
}

/** Logs a visitor in through the identity provider's own pages, as that sandbox identity. */
export async function logIn(to: Visitor, subject: string, returnTo = '/'): Promise<Response> {
  const begun = await to.get(`/login?to=${encodeURIComponent(returnTo)}`)
  const back = await passIssuer(begun.headers.get('location') ?? '', subject)
  return to.get(back)
}

/** Goes through the identity provider as a browser would; returns where it sends the browser in the end. */
export async function passIssuer(authorization: string, subject: string): Promise<string> {
  const jar = new Map<string, string>()
  let url = new URL(authorization)
  const home = url.origin
  for (let step = 0; step < 10; step += 1) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      jar.set(name, value)
    }
    const location = response.headers.get('location')
    url = location === null ? new URL(`?as=${subject}`, url) : new URL(location, url)
    if (url.origin !== home) return url.href
  }
  throw new Error(`the issuer did not send the browser back: ${url.href}`)
}

/** The CSRF secret of a page's first form. */
export function csrfOf(page: string): string {
  return /name="csrf" value="([^"]+)"/.exec(page)?.[1] ?? ''
}

/** A request with headers that fetch does not let one set, such as Host. */
export function rawRequest(
  port: number,
  options: { path: string; method?: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
      })
    })
    sent.once('error', reject)
    sent.end(options.body)
  })
}
