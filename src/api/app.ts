import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type ApiEnv, type Callers, countAddress } from './callers.ts'
import { ConsoleSessions } from './console-sessions.ts'
import { errorBody, notFound, statusOf, toFailure } from './failures.ts'
import { createPages } from './pages.ts'
import { RateLimiter } from './rates.ts'
import { apiPath, createRest } from './rest.ts'
import type { ApiOptions, ApiServices, HandlesSlack } from './services.ts'
import type { Site } from './site.ts'

/** What the application is made from. */
export interface AppParts {
  readonly options: ApiOptions
  readonly services: ApiServices
  readonly site: Site
}

/** Everything that is answered over HTTP: the API, the pages, and what Slack sends. */
export function createApp({ options, services, site }: AppParts): Hono<ApiEnv> {
  const callers: Callers = {
    site,
    services,
    sessions: new ConsoleSessions(options.sessionHours * 3_600_000),
    addresses: new RateLimiter(options.rates.perAddress, limits.rateBucketsMax),
    principals: new RateLimiter(options.rates.perPrincipal, limits.rateBucketsMax),
    rates: options.rates,
  }
  const app = new Hono<ApiEnv>()
  app.onError((error, c) => {
    const failure = toFailure(error)
    if (failure.code === 'internal') services.log.error({ err: failure.cause }, failure.message)
    return c.json(errorBody(failure), statusOf(failure))
  })
  app.notFound((c) => c.json(errorBody(notFound()), 404))
  app.use(countAddress(callers), withinDeadline(), bodyLimit({ maxSize: limits.httpBodyBytesMax, onError: tooLarge }))
  app.route(apiPath, createRest(callers))
  if (services.slack !== undefined && services.slack !== null) app.route('/slack', createSlack(services.slack))
  app.route('/', createPages(callers, options.login))
  return app
}

/** Nobody waits for ever; what was begun may still happen, and the answer says so. */
function withinDeadline(): MiddlewareHandler<ApiEnv> {
  return async (_c, next) => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(
          new PosternError('store_unavailable', 'this took too long, and whether it was done is not known', {
            hint: 'Look at the current state before you try again.',
          }),
        )
      }, limits.httpHandleDeadlineMs)
    })
    try {
      await Promise.race([next(), late])
    } finally {
      clearTimeout(timer)
    }
  }
}

function tooLarge(): never {
  throw new PosternError('message_too_large', 'the body of this request is too large', {
    hint: `At most ${String(limits.httpBodyBytesMax)} bytes are taken.`,
  })
}

/** Slack signs the bytes that it sends, so they are passed on as they came. */
function createSlack(slack: HandlesSlack): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>()
  app.post('/interactions', async (c) => {
    const answer = await slack.handle(Buffer.from(await c.req.arrayBuffer()), c.req.raw.headers)
    return new Response(answer.body, { status: answer.status, headers: { 'content-type': 'application/json' } })
  })
  return app
}
