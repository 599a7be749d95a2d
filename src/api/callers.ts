import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import { getCookie } from 'hono/cookie'
import { subjectKey } from '../core/access.ts'
import { httpStatusOf, PosternError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { type ConsoleSessions, type ConsoleSession, isSameSecret } from './console-sessions.ts'
import { addressKey, type RateLimiter } from './rates.ts'
import type { ApiServices, Rates } from './services.ts'
import type { Site } from './site.ts'

/** Who asks, and by which browser log-in if it was one. */
export interface Caller {
  readonly by: Principal
  readonly session: ConsoleSession | null
}

/** What handlers find on the context. */
export interface ApiEnv {
  Bindings: HttpBindings
  Variables: { caller: Caller }
}

/** What telling callers apart needs. */
export interface Callers {
  readonly site: Site
  readonly services: ApiServices
  readonly sessions: ConsoleSessions
  readonly addresses: RateLimiter
  readonly principals: RateLimiter
  readonly rates: Rates
}

/** The cookie of a console session; `__Host-` binds it to this host and to https (RFC 6265bis section 4.1.3.2). */
export function sessionCookie(site: Pick<Site, 'isSecure'>): string {
  return site.isSecure ? '__Host-postern' : 'postern'
}

/** Counts a request for the address that it came from, whoever it says it is; headers of proxies are not believed. */
export function countAddress({ addresses, services }: Callers): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    refuseIfFull(c, addresses.take(addressOf(c), services.now()))
    await next()
  }
}

/** Says who asks, or refuses; then counts the request for them. */
export function authenticate(callers: Callers): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const nowMs = callers.services.now()
    const caller = await callerOf(c, callers)
    refuseIfFull(c, callers.principals.take(subjectKey(caller.by), nowMs))
    c.set('caller', caller)
    await next()
  }
}

/**
 * Says who asks: by the Authorization header, and only where there is none by the cookie, so that a program's request
 * never carries more than it says. Rejects with a PosternError; what was tried and failed counts against the address.
 */
export async function callerOf(c: Context<ApiEnv>, callers: Callers): Promise<Caller> {
  const header = c.req.header('authorization')
  const cookie = getCookie(c, sessionCookie(callers.site))
  if (header === undefined && cookie === undefined) throw loginNeeded()
  try {
    if (header !== undefined) return await byHeader(header, callers.services)
    return await byCookie(cookie ?? '', callers)
  } catch (error) {
    const isFailure = error instanceof PosternError && httpStatusOf(error.code) === 401
    if (isFailure) chargeFailure(c, callers)
    throw error
  }
}

/** Counts a failed authentication for the address that it came from. */
export function chargeFailure(c: Context<ApiEnv>, { addresses, rates, services }: Callers): void {
  addresses.charge(addressOf(c), rates.failureCost, services.now())
}

/** Refuses an unsafe request of a browser that a page of another site may have made (RFC 6265bis section 8.8.2). */
export function refuseForgery(
  c: Context<ApiEnv>,
  { site, csrf }: { readonly site: Site; readonly csrf: string | undefined },
): void {
  const { session } = c.get('caller')
  if (session === null) return
  if (!isFromOwnPage(c, site)) throw forged('the request does not come from a page of this server')
  if (csrf === undefined || !isSameSecret(csrf, session.csrf)) {
    throw forged('the request lacks the secret of the log-in that it is made with')
  }
}

/** Whether a request is from a page of this server. With `no-referrer`, browsers send forms with the Origin `null`. */
export function isFromOwnPage(c: Context<ApiEnv>, site: Site): boolean {
  const origin = c.req.header('origin')
  if (origin !== undefined && origin !== 'null') return site.isOwnOrigin(origin, c.req.header('host') ?? '')
  return c.req.header('sec-fetch-site') === 'same-origin'
}

function addressOf(c: Context<ApiEnv>): string {
  return addressKey(c.env.incoming.socket.remoteAddress)
}

async function byHeader(header: string, services: ApiServices): Promise<Caller> {
  const token = /^Bearer +([^\s,]+)$/i.exec(header)?.[1]
  if (token === undefined) {
    throw new PosternError('token_malformed', 'the Authorization header is not of the form: Bearer TOKEN', {
      hint: 'Get a token with: postern token',
    })
  }
  const by = await services.identify(token, services.now())
  if (by.sessionToken === undefined) return { by, session: null }
  throw new PosternError('access_refused', 'a session token opens database sessions, and nothing else', {
    hint: 'Use a token of your identity provider here: postern token',
  })
}

async function byCookie(id: string, { services, sessions }: Callers): Promise<Caller> {
  const nowMs = services.now()
  const session = sessions.find(id, nowMs)
  if (session === null) throw loginEnded()
  try {
    const by = await services.identify(session.token, nowMs)
    if ((services.revokedBeforeMs?.(by) ?? 0) > session.startedAtMs) throw loginEnded()
    return { by, session }
  } catch (error) {
    // Where the issuer cannot be asked the session may be as good as before, and is kept for then.
    if (error instanceof PosternError && httpStatusOf(error.code) === 401) sessions.end(id)
    throw error
  }
}

function refuseIfFull(c: Context<ApiEnv>, waitS: number | null): void {
  if (waitS === null) return
  c.header('retry-after', String(waitS))
  throw new PosternError('rate_limited', 'there were too many requests in a short time', {
    hint: `Try again in ${String(waitS)} seconds.`,
  })
}

function loginNeeded(): PosternError {
  return new PosternError('token_absent', 'nobody is logged in', {
    hint: 'Give a token of your identity provider as a bearer token (postern token prints one), or log in at /login.',
  })
}

function loginEnded(): PosternError {
  return new PosternError('session_expired', 'this log-in is over', { hint: 'Log in again.' })
}

function forged(why: string): PosternError {
  return new PosternError('origin_refused', `nothing was changed: ${why}`, {
    hint: 'Open the page again from its own address, and try once more.',
  })
}
