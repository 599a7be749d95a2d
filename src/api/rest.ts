import { OpenAPIHono } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import type { Approval, ApprovalChannel } from '../core/access.ts'
import { parseDuration } from '../core/duration.ts'
import { PosternError } from '../core/errors.ts'
import { authenticate, type ApiEnv, type Callers, refuseForgery } from './callers.ts'
import { errorBody, notFound, statusOf, toFailure } from './failures.ts'
import { grantIdOf, requestIdOf, tokenIdOf } from './ids.ts'
import { grantJson, meJson, requestJson, sessionJson, type Viewer } from './present.ts'
import { apiPath, openApiDocument } from './openapi.ts'
import * as routes from './routes.ts'

/** The JSON API. The OpenAPI document is for everybody; everything else is for who is known. */
export function createRest(callers: Callers): OpenAPIHono<ApiEnv> {
  const { access } = callers.services
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error.issues)
    },
  })
  app.onError((error, c) => {
    const failure = toFailure(error)
    if (failure.code === 'internal') callers.services.log.error({ err: failure.cause }, failure.message)
    if (statusOf(failure) === 401) c.header('www-authenticate', 'Bearer realm="postern"')
    return c.json(errorBody(failure), statusOf(failure))
  })
  app.notFound((c) => c.json(errorBody(notFound()), 404))
  const document = openApiDocument()
  app.get('/openapi.json', (c) => c.json(document))
  app.use(authenticate(callers), refuseForgedCalls(callers), takeOnlyJson())

  const viewer = (c: { get(key: 'caller'): ApiEnv['Variables']['caller'] }): Viewer =>
    viewerOf(c.get('caller').by, callers)
  app.openapi(routes.meRoute, (c) => c.json(meJson(c.get('caller').by, access.roles), 200))
  app.openapi(routes.requestsRoute, async (c) => {
    const { state, kind, limit } = c.req.valid('query')
    const found = await access.requests(c.get('caller').by, {
      ...(state === undefined ? {} : { states: [state] }),
      ...(kind === undefined ? {} : { kind }),
      ...(limit === undefined ? {} : { limit }),
    })
    return c.json({ requests: found.map((each) => requestJson(each, viewer(c))) }, 200)
  })
  app.openapi(routes.requestRoute, async (c) => {
    const found = await access.request(c.get('caller').by, requestIdOf(c.req.valid('param').id))
    return c.json(requestJson(found, viewer(c)), 200)
  })
  app.openapi(routes.askRoute, async (c) => {
    const { by } = c.get('caller')
    const body = c.req.valid('json')
    const wish = {
      role: body.role,
      durationMs: durationOf(body.for),
      reason: body.reason ?? null,
      ...(body.extends === undefined ? {} : { extends: grantIdOf(body.extends) }),
    }
    if (body.breakGlass === true) return c.json({ grant: grantJson(await access.breakGlass(by, wish)) }, 201)
    return c.json(requestJson(await access.ask(by, wish), viewer(c)), 201)
  })
  const answerWith = async (
    c: { get(key: 'caller'): ApiEnv['Variables']['caller']; req: { header(name: string): string | undefined } },
    id: string,
    answer: { readonly answer: Approval['answer']; readonly comment: string | undefined },
  ) => {
    const given = { answer: answer.answer, comment: answer.comment ?? '', via: channelOf(c) }
    return requestJson(await access.answer(c.get('caller').by, requestIdOf(id), given), viewer(c))
  }
  app.openapi(routes.approveRoute, async (c) => {
    const { comment } = c.req.valid('json')
    return c.json(await answerWith(c, c.req.valid('param').id, { answer: 'approve', comment }), 200)
  })
  app.openapi(routes.denyRoute, async (c) => {
    const { comment } = c.req.valid('json')
    return c.json(await answerWith(c, c.req.valid('param').id, { answer: 'deny', comment }), 200)
  })
  app.openapi(routes.withdrawRoute, async (c) => {
    const withdrawn = await access.withdraw(c.get('caller').by, requestIdOf(c.req.valid('param').id))
    return c.json(requestJson(withdrawn, viewer(c)), 200)
  })
  app.openapi(routes.grantsRoute, async (c) => {
    const { active, principal, role } = c.req.valid('query')
    const found = await access.grants(c.get('caller').by, {
      ...(active === undefined ? {} : { isEnded: active === 'false' }),
      ...(principal === undefined ? {} : { principalName: principal }),
      ...(role === undefined ? {} : { role }),
    })
    // An end by time is recorded some moment after it took effect.
    const nowMs = callers.services.now()
    const wanted = active === 'true' ? found.filter(({ untilMs }) => untilMs > nowMs) : found
    return c.json({ grants: wanted.map(grantJson) }, 200)
  })
  app.openapi(routes.revokeRoute, async (c) => {
    const { grant, principal, role, reason, killSessions } = c.req.valid('json')
    const ended = await access.revoke(c.get('caller').by, {
      reason,
      ...(grant === undefined ? {} : { grant: grantIdOf(grant) }),
      ...(principal === undefined ? {} : { principal }),
      ...(role === undefined ? {} : { role }),
      ...(killSessions === undefined ? {} : { killsSessions: killSessions }),
    })
    return c.json({ grants: ended.map(grantJson) }, 200)
  })
  app.openapi(routes.reviewRoute, async (c) => {
    const grant = grantIdOf(c.req.valid('param').id)
    return c.json(grantJson(await access.review(c.get('caller').by, grant, c.req.valid('json'))), 200)
  })
  app.openapi(routes.tokenRoute, async (c) => {
    const { by } = c.get('caller')
    const body = c.req.valid('json')
    const token = await access.issueToken(by, {
      database: body.database,
      role: body.role ?? null,
      durationMs: durationOf(body.for),
      isSingleSession: body.singleSession ?? false,
    })
    const expiresAt = new Date(token.expiresAtMs).toISOString()
    return c.json({ id: token.id, secret: token.secret, user: by.name, expiresAt }, 201)
  })
  app.openapi(routes.endTokenRoute, async (c) => {
    await access.revokeToken(c.get('caller').by, tokenIdOf(c.req.valid('param').id))
    return c.body(null, 204)
  })
  app.openapi(routes.sessionsRoute, async (c) => {
    const sessions = await access.sessions(c.get('caller').by)
    return c.json({ sessions: sessions.map(sessionJson) }, 200)
  })
  return app
}

/** How much of a request somebody is shown. */
export function viewerOf(by: Viewer['by'], { services, site }: Callers): Viewer {
  return { by, access: services.access, maySeeRaw: services.maySeeRaw.bind(services), siteUrl: site.url }
}

function refuseForgedCalls({ site }: Callers): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const isSafe = c.req.method === 'GET' || c.req.method === 'HEAD'
    if (!isSafe) refuseForgery(c, { site, csrf: c.req.header('x-postern-csrf') })
    await next()
  }
}

/** A body of another type is refused, not passed over: its sender thinks that it says something. */
function takeOnlyJson(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const type = c.req.header('content-type')
    const hasBody = c.req.method !== 'GET' && c.req.method !== 'HEAD' && (await c.req.text()) !== ''
    if (hasBody && !/^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(type ?? '')) {
      throw new PosternError('input_invalid', 'the body of this request is not declared as JSON', {
        hint: 'Send it with the header Content-Type: application/json',
      })
    }
    await next()
  }
}

/** Our command line says that it is one; this is for the record alone and decides nothing. */
function channelOf(c: { req: { header(name: string): string | undefined } }): ApprovalChannel {
  return c.req.header('x-postern-client') === 'cli' ? 'cli' : 'api'
}

function durationOf(text: string): number {
  const durationMs = parseDuration(text)
  if (durationMs !== null) return durationMs
  throw new PosternError('input_invalid', '`for` is not a duration', { hint: 'Write it like 30m, 2h or 1h30m.' })
}

function invalid(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): PosternError {
  const lines = issues.slice(0, 10).map(({ path, message }) => `${path.map(String).join('.') || 'body'}: ${message}`)
  return new PosternError('input_invalid', 'the request does not say what this endpoint needs', {
    detail: lines.join('\n').slice(0, 2_000),
    hint: `${apiPath}/openapi.json describes what each endpoint takes.`,
  })
}
