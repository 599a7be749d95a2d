import { createRoute, z } from '@hono/zod-openapi'
import {
  answerBody,
  askBody,
  errorSchema,
  grantSchema,
  grantsQuery,
  grantsSchema,
  idParameter,
  meSchema,
  nothingBody,
  requestSchema,
  requestsQuery,
  requestsSchema,
  reviewBody,
  revokeBody,
  sessionsSchema,
  takenSchema,
  tokenBody,
  tokenSchema,
} from './schemas.ts'

/*
 * The endpoints of the API, as the OpenAPI document lists them. Paths are relative to /api/v1.
 */

/** Who am I, and what may I ask for? */
export const meRoute = createRoute({
  method: 'get',
  path: '/me',
  summary: 'Who the caller is, and which access roles concern them',
  responses: answers(meSchema),
})

/** What waits, or waited. */
export const requestsRoute = createRoute({
  method: 'get',
  path: '/requests',
  summary: 'Requests that the caller may see: own ones, those they may answer, and all for auditors and admins',
  request: { query: requestsQuery },
  responses: answers(requestsSchema),
})

/** One request. */
export const requestRoute = createRoute({
  method: 'get',
  path: '/requests/{id}',
  summary: 'One request',
  request: { params: idParameter },
  responses: answers(requestSchema),
})

/** Asking for an access role, or taking it at once. */
export const askRoute = createRoute({
  method: 'post',
  path: '/requests',
  summary: 'Ask for an access role, for more time with one, or take one at once (break-glass)',
  request: { body: json(askBody) },
  responses: {
    201: {
      description: 'The request, or the grant where it was taken at once',
      content: { 'application/json': { schema: z.union([requestSchema, takenSchema]) } },
    },
    default: failure(),
  },
})

/** Saying yes. */
export const approveRoute = createRoute({
  method: 'post',
  path: '/requests/{id}/approve',
  summary: 'Approve a request',
  request: { params: idParameter, body: optionalJson(answerBody) },
  responses: answers(requestSchema),
})

/** Saying no, which closes it. */
export const denyRoute = createRoute({
  method: 'post',
  path: '/requests/{id}/deny',
  summary: 'Deny a request, which closes it',
  request: { params: idParameter, body: optionalJson(answerBody) },
  responses: answers(requestSchema),
})

/** Taking an own request back. */
export const withdrawRoute = createRoute({
  method: 'post',
  path: '/requests/{id}/withdraw',
  summary: 'Withdraw an own request',
  request: { params: idParameter, body: optionalJson(nothingBody) },
  responses: answers(requestSchema),
})

/** Who holds what. */
export const grantsRoute = createRoute({
  method: 'get',
  path: '/grants',
  summary: 'Grants that the caller may see',
  request: { query: grantsQuery },
  responses: answers(grantsSchema),
})

/** Ending grants. */
export const revokeRoute = createRoute({
  method: 'post',
  path: '/grants/revoke',
  summary: 'End grants now: by id, principal or role; returns those that it ended',
  request: { body: json(revokeBody) },
  responses: answers(grantsSchema),
})

/** Judging a grant that was taken first. */
export const reviewRoute = createRoute({
  method: 'post',
  path: '/grants/{id}/review',
  summary: 'Review a grant that was taken at once',
  request: { params: idParameter, body: json(reviewBody) },
  responses: answers(grantSchema),
})

/** Asking for a session token. */
export const tokenRoute = createRoute({
  method: 'post',
  path: '/tokens',
  summary: 'Issue a session token: the password for one database, for a while; shown once',
  request: { body: json(tokenBody) },
  responses: {
    201: { description: 'The token', content: { 'application/json': { schema: tokenSchema } } },
    default: failure(),
  },
})

/** Ending a session token. */
export const endTokenRoute = createRoute({
  method: 'delete',
  path: '/tokens/{id}',
  summary: 'End an own session token',
  request: { params: idParameter },
  responses: { 204: { description: 'It is dead' }, default: failure() },
})

/** Who is connected. */
export const sessionsRoute = createRoute({
  method: 'get',
  path: '/sessions',
  summary: 'Live sessions that the caller may see',
  responses: answers(sessionsSchema),
})

/** All of them, in the order of the reference page. */
export const allRoutes = [
  meRoute,
  requestsRoute,
  requestRoute,
  askRoute,
  approveRoute,
  denyRoute,
  withdrawRoute,
  grantsRoute,
  revokeRoute,
  reviewRoute,
  tokenRoute,
  endTokenRoute,
  sessionsRoute,
] as const

function answers<Schema extends z.ZodType>(schema: Schema) {
  return {
    200: { description: 'As asked', content: { 'application/json': { schema } } },
    default: failure(),
  }
}

function failure() {
  return {
    description: 'Refused or failed; the status fits the code',
    content: { 'application/json': { schema: errorSchema } },
  }
}

function json<Schema extends z.ZodType>(schema: Schema) {
  return { required: true as const, content: { 'application/json': { schema } } }
}

function optionalJson<Schema extends z.ZodType>(schema: Schema) {
  return { required: false as const, content: { 'application/json': { schema } } }
}
