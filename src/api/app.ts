import { Hono, type MiddlewareHandler } from 'hono'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type ApiEnv, type Callers, countAddress } from './callers.ts'
import { ConsoleSessions } from './console-sessions.ts'
import { errorBody, notFound, statusOf, toFailure } from './failures.ts'
import { createPages } from './pages.ts'
import { RateLimiter } from './rates.ts'
import { apiPath } from './openapi.ts'
import { createRest } from './rest.ts'
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
  app.use(countAddress(callers), withinDeadline(), boundBody())
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

/** Reads the body once, and no more of it than is taken; what is declared too large is not read at all. */
function boundBody(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      const declared = Number(c.req.header('content-length') ?? 0)
      if (!(declared <= limits.httpBodyBytesMax)) throw tooLarge()
      const read = await readBody(c.req.raw.body)
      // Declared as what it settles to; what reads it calls `then`.
      c.req.bodyCache.arrayBuffer = Promise.resolve(read) as unknown as ArrayBuffer
    }
    await next()
  }
}

async function readBody(body: ReadableStream<Uint8Array> | null): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > limits.httpBodyBytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks)).buffer
}

function tooLarge(): PosternError {
  return new PosternError('message_too_large', 'the body of this request is too large', {
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
