import type { Context, Hono } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { html } from 'hono/html'
import { httpStatusOf, PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type ApiEnv, type Callers, callerOf, chargeFailure, isFromOwnPage, sessionCookie } from './callers.ts'
import { isSameSecret } from './console-sessions.ts'
import { createLogIn, localPath } from './log-in.ts'
import { csrfField, layout } from './page-layout.ts'
import type { ApiLogin } from './services.ts'
import type { Site } from './site.ts'

/** Adds the ways in and out of a console session. */
export function addLogIn(app: Hono<ApiEnv>, callers: Callers, login: ApiLogin | null): void {
  const { site, services, sessions } = callers
  const logIn = login === null ? null : createLogIn(login, { siteUrl: site.url, services })
  const cookie = { path: '/', httpOnly: true, secure: site.isSecure, sameSite: 'Lax' } as const

  app.get('/login', async (c) => {
    const to = localPath(c.req.query('to'))
    if (logIn === null) return c.html(noLogIn(), 404)
    // The issuer sends browsers back to the one address that it knows, where the cookie has to be.
    const isElsewhere = c.req.header('host')?.toLowerCase() !== new URL(site.url).host
    if (isElsewhere) return c.redirect(`${site.url}/login?to=${encodeURIComponent(to)}`, 303)
    const { redirect, ticket } = await logIn.start(to)
    setCookie(c, ticketCookie(site), ticket, { ...cookie, maxAge: limits.consoleLoginMsMax / 1_000 })
    return c.redirect(redirect, 303)
  })

  app.get('/callback', async (c) => {
    if (logIn === null) return c.html(noLogIn(), 404)
    const ticket = getCookie(c, ticketCookie(site))
    // Used once, whatever comes of it.
    deleteCookie(c, ticketCookie(site), cookie)
    const query = new URL(c.req.url).searchParams
    const { principal, token, returnTo } = await logIn.finish(query, ticket).catch((error: unknown) => {
      if (error instanceof PosternError) {
        services.log.warn({ code: error.code }, `a log-in to the pages failed: ${error.message}`)
        if (httpStatusOf(error.code) === 401) chargeFailure(c, callers)
      }
      throw error
    })
    forgetSession(c, callers)
    setCookie(c, sessionCookie(site), sessions.open({ principal, token }, services.now()), cookie)
    return c.redirect(returnTo, 303)
  })

  app.get('/logout', async (c) => {
    const session = sessions.find(getCookie(c, sessionCookie(site)) ?? '', services.now())
    if (session === null) return c.html(loggedOut())
    const { by } = await callerOf(c, callers)
    const reader = { name: by.name, csrf: session.csrf }
    return c.html(
      layout(
        { title: 'Log out', reader },
        html`<div class="narrow">
          <h1>Log out?</h1>
          <form method="post" action="/logout">${csrfField(reader)}<button class="main">Log out</button></form>
        </div>`,
      ),
    )
  })

  app.post('/logout', async (c) => {
    const session = sessions.find(getCookie(c, sessionCookie(site)) ?? '', services.now())
    if (session !== null) {
      const csrf = new URLSearchParams(await c.req.text()).get('csrf') ?? ''
      if (!isFromOwnPage(c, site) || !isSameSecret(csrf, session.csrf)) {
        throw new PosternError('origin_refused', 'you are still logged in: another site asked for you to be logged out')
      }
    }
    forgetSession(c, callers)
    return c.redirect('/logout', 303)
  })
}

/** Ends the console session of the request, if it has one, and takes the cookie away. */
export function forgetSession(c: Context<ApiEnv>, { site, sessions }: Pick<Callers, 'site' | 'sessions'>): void {
  const id = getCookie(c, sessionCookie(site))
  if (id === undefined) return
  sessions.end(id)
  deleteCookie(c, sessionCookie(site), { path: '/', secure: site.isSecure })
}

function ticketCookie(site: Site): string {
  return site.isSecure ? '__Host-postern-login' : 'postern-login'
}

function noLogIn() {
  return layout(
    { title: 'No log-in here', reader: null },
    html`<div class="narrow">
      <h1>There is no log-in on this page</h1>
      <p>This gateway is not set up for browsers. Use the command line instead: <code>postern requests</code></p>
    </div>`,
  )
}

function loggedOut() {
  return layout(
    { title: 'Logged out', reader: null },
    html`<div class="narrow">
      <h1>You are logged out</h1>
      <p><a class="button" href="/login">Log in again</a></p>
    </div>`,
  )
}
