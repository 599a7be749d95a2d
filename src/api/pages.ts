import { Hono, type Context, type MiddlewareHandler } from 'hono'
import { httpStatusOf, PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { authenticate, type ApiEnv, type Callers, refuseForgery } from './callers.ts'
import { addLogIn, forgetSession } from './console.ts'
import { notFound, statusOf, toFailure } from './failures.ts'
import { grantIdOf, requestIdOf } from './ids.ts'
import { failurePage, type Reader } from './page-layout.ts'
import { grantsPage, homePage } from './page-lists.ts'
import { answeredPage, requestPage, type RequestView } from './page-request.ts'
import { statementText } from './page-statement.ts'
import type { Html } from './page-text.ts'
import { shownStatement } from './present.ts'
import { viewerOf } from './rest.ts'
import type { ApiLogin } from './services.ts'
import { icon, iconPath, style, stylePath } from './style.ts'

/** The pages for people: complete without a script, and every change of anything is a form. */
export function createPages(callers: Callers, login: ApiLogin | null): Hono<ApiEnv> {
  const { services } = callers
  const { access } = services
  const app = new Hono<ApiEnv>()
  app.onError((error, c) => fail(c, error, callers))
  app.get(stylePath, (c) => c.body(style, 200, { 'content-type': 'text/css; charset=utf-8', ...keep }))
  app.get(iconPath, (c) => c.body(icon, 200, { 'content-type': 'image/svg+xml', ...keep }))
  addLogIn(app, callers, login)

  const pages = new Hono<ApiEnv>()
  pages.onError((error, c) => fail(c, error, callers))
  pages.use(authenticate(callers), refuseForgedForms(callers))

  pages.get('/', async (c) => {
    const { by } = c.get('caller')
    const nowMs = services.now()
    const [pending, own, grants] = await Promise.all([
      access.requests(by, { states: ['pending'], limit: 200 }),
      access.requests(by, { requester: { issuer: by.issuer, subject: by.subject }, limit: 20 }),
      access.grants(by, { principal: { issuer: by.issuer, subject: by.subject }, isEnded: false, limit: 50 }),
    ])
    const waiting = pending.filter((each) => access.mayAnswer(by, each).may)
    const active = grants.filter(({ untilMs }) => untilMs > nowMs)
    const viewer = viewerOf(by, callers)
    return show(c, homePage({ waiting, own, grants: active, viewer, reader: readerOf(c), nowMs }))
  })

  const viewOf = async (c: PageContext, text: string): Promise<RequestView> => {
    const { by } = c.get('caller')
    const answered = await access.request(by, requestIdOf(text))
    const { request } = answered
    return {
      answered,
      shown: request.kind === 'statement' ? shownStatement(request, viewerOf(by, callers)) : null,
      may: access.mayAnswer(by, answered),
      isOwn: request.requester.issuer === by.issuer && request.requester.subject === by.subject,
      role: request.kind === 'access' ? (access.roles.get(request.role) ?? null) : null,
      reader: readerOf(c),
      nowMs: services.now(),
    }
  }
  pages.get('/r/:id', async (c) => show(c, requestPage(await viewOf(c, c.req.param('id')))))
  pages.get('/r/:id/statement.txt', async (c) => {
    const { answered, shown } = await viewOf(c, c.req.param('id'))
    if (shown === null) throw notFound()
    return c.body(statementText(shown), 200, {
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': `attachment; filename="${answered.request.id}.sql.txt"`,
    })
  })
  pages.post('/r/:id', async (c) => {
    const id = requestIdOf(c.req.param('id'))
    const form = await formOf(c)
    const answer = form.get('answer')
    if (answer !== 'approve' && answer !== 'deny') throw incomplete('It has to say approve or deny.')
    await access.answer(c.get('caller').by, id, { answer, comment: textOf(form, 'comment'), via: 'page' })
    return c.redirect(`/r/${id}/answered`, 303)
  })
  pages.get('/r/:id/answered', async (c) => {
    const view = await viewOf(c, c.req.param('id'))
    const { by } = c.get('caller')
    const own = view.answered.approvals.findLast(
      ({ approver }) => approver.issuer === by.issuer && approver.subject === by.subject,
    )
    return own === undefined
      ? c.redirect(`/r/${view.answered.request.id}`, 303)
      : show(c, answeredPage({ ...view, own }))
  })
  pages.post('/r/:id/withdraw', async (c) => {
    const id = requestIdOf(c.req.param('id'))
    await access.withdraw(c.get('caller').by, id)
    return c.redirect(`/r/${id}`, 303)
  })

  pages.get('/grants', async (c) => {
    const { by } = c.get('caller')
    const nowMs = services.now()
    const [held, toReview] = await Promise.all([
      access.grants(by, { isEnded: false, limit: 200 }),
      access.grants(by, { needsReview: true, limit: 100 }),
    ])
    const active = held.filter(({ untilMs }) => untilMs > nowMs)
    const done = doneWords.get(c.req.query('done') ?? '') ?? null
    return show(c, grantsPage({ active, toReview, done, reader: readerOf(c), nowMs }))
  })
  pages.post('/grants/:id/revoke', async (c) => {
    const grant = grantIdOf(c.req.param('id'))
    const reason = textOf(await formOf(c), 'reason')
    if (reason === '') throw incomplete('A reason is needed.')
    const ended = await access.revoke(c.get('caller').by, { grant, reason })
    if (ended.length === 0) throw notFound()
    return c.redirect('/grants?done=revoked', 303)
  })
  pages.post('/grants/:id/review', async (c) => {
    const grant = grantIdOf(c.req.param('id'))
    const form = await formOf(c)
    const outcome = form.get('outcome')
    const comment = textOf(form, 'comment')
    if (outcome !== 'justified' && outcome !== 'unjustified')
      throw incomplete('It has to say whether it was justified.')
    if (comment === '') throw incomplete('It has to say what you found.')
    await access.review(c.get('caller').by, grant, { outcome, comment })
    return c.redirect('/grants?done=reviewed', 303)
  })

  app.route('/', pages)
  app.notFound((c) => fail(c, notFound(), callers))
  return app
}

type PageContext = Context<ApiEnv>

const keep = { 'cache-control': 'public, max-age=86400' }

const doneWords: ReadonlyMap<string, string> = new Map([
  ['revoked', 'That access is ended.'],
  ['reviewed', 'Your review is on record.'],
])

function show(c: PageContext, page: Html, status: 200 | 401 = 200): Response | Promise<Response> {
  return c.html(page, status)
}

function readerOf(c: PageContext): Reader {
  const { by, session } = c.get('caller')
  return { name: by.name, csrf: session?.csrf ?? '' }
}

/** The fields of a form; a body of another type is refused, since other types can be sent across sites without asking. */
async function formOf(c: PageContext): Promise<URLSearchParams> {
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(;\s*charset=utf-8\s*)?$/i.test(type)) {
    throw new PosternError('input_invalid', 'this is not a form of one of the pages')
  }
  return new URLSearchParams(await c.req.text())
}

/** Browsers send line ends as CR LF, whatever was typed. */
function textOf(form: URLSearchParams, field: string): string {
  const text = (form.get(field) ?? '').replaceAll('\r\n', '\n').trim()
  if (text.length <= limits.commentCharsMax) return text
  throw incomplete(`The text is longer than ${String(limits.commentCharsMax)} characters.`)
}

function incomplete(detail: string): PosternError {
  return new PosternError('input_invalid', 'the form is not complete', {
    detail,
    hint: 'Go back and fill it in again.',
  })
}

function refuseForgedForms({ site }: Callers): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const isSafe = c.req.method === 'GET' || c.req.method === 'HEAD'
    if (!isSafe) refuseForgery(c, { site, csrf: (await formOf(c)).get('csrf') ?? undefined })
    await next()
  }
}

/** The page of an error. Who is not logged in and only looks is taken to the log-in, and back afterwards. */
function fail(c: PageContext, error: unknown, callers: Callers): Response | Promise<Response> {
  const failure = toFailure(error)
  if (failure.code === 'internal') callers.services.log.error({ err: failure.cause }, failure.message)
  const caller = c.get('caller') as ApiEnv['Variables']['caller'] | undefined
  if (httpStatusOf(failure.code) === 401 && caller === undefined) {
    forgetSession(c, callers)
    if (c.req.method === 'GET' && !c.req.path.startsWith('/callback')) {
      return c.redirect(`/login?to=${encodeURIComponent(c.req.path)}`, 303)
    }
  }
  const id = /^\/r\/(r_[0-9a-z]{1,32})(?:\/|$)/.exec(c.req.path)?.[1]
  const back = id === undefined || failure.code === 'request_unknown' || c.req.method === 'GET' ? undefined : `/r/${id}`
  const reader = caller === undefined ? null : readerOf(c)
  return c.html(failurePage(failure, { reader, ...(back === undefined ? {} : { back }) }), statusOf(failure))
}
