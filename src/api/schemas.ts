import { z } from '@hono/zod-openapi'
import { limits } from '../core/limits.ts'

/*
 * What goes over the wire, and the only place where it is described: the types, the checks and the OpenAPI document
 * all come from here. Input is strict: a key that is not known is an error, so that a misspelled one is noticed.
 */

const time = z.string().openapi({ format: 'date-time', example: '2030-01-31T12:00:00.000Z' })
const duration = z.string().min(2).max(32).openapi({ description: 'Such as 90s, 15m, 2h or 1h30m.', example: '2h' })
const comment = z.string().max(limits.commentCharsMax)
const name = z.string().min(1).max(limits.principalNameCharsMax)
const kind = z.enum(['human', 'service', 'agent'])

/** An error of any status. */
export const errorSchema = z
  .object({
    error: z.object({
      code: z.string().openapi({ description: 'Stable; docs/reference/errors.md lists them.' }),
      message: z.string(),
      detail: z.string().optional(),
      hint: z.string().optional().openapi({ description: 'What to do next.' }),
    }),
  })
  .openapi('Error')

/** Who the caller is, and which access roles concern them. */
export const meSchema = z
  .object({
    name: z.string(),
    kind,
    groups: z.array(z.string()),
    accessRoles: z
      .array(
        z.object({
          name: z.string(),
          description: z.string(),
          mayAsk: z.boolean(),
          mayBreakGlass: z.boolean(),
          maxDuration: z.string(),
          needsReason: z.boolean(),
          databases: z.array(z.string()).nullable().openapi({ description: 'null: all of them.' }),
        }),
      )
      .openapi({ description: 'Those that the caller may ask for, take or approve.' }),
  })
  .openapi('Me')

/** States of a request; all but `pending` and `approved` are final. */
export const requestStates = ['pending', 'approved', 'used', 'granted', 'denied', 'expired', 'withdrawn'] as const

const statementSchema = z.object({
  database: z.string(),
  command: z.string().openapi({ example: 'DELETE' }),
  sql: z.string(),
  parameters: z.array(z.string().nullable()),
  isRedacted: z
    .boolean()
    .openapi({ description: 'Whether values in the statement or its parameters are withheld from the caller.' }),
  relations: z.array(z.string()),
  tags: z.array(z.string()),
  estimate: z
    .object({ rows: z.number(), cost: z.number() })
    .nullable()
    .openapi({ description: "What PostgreSQL's planner estimates, which may be far off." }),
  transaction: z.object({ isOpen: z.boolean(), locks: z.array(z.string()) }),
  policies: z.array(z.object({ id: z.string(), advice: z.string().nullable() })),
  clientAddress: z.string(),
  application: z.string(),
})

/** A request with what was answered to it, as the caller may see it. */
export const requestSchema = z
  .object({
    id: z.string().openapi({ example: 'r_0123456789ab' }),
    kind: z.enum(['statement', 'access']),
    requester: z.object({
      name: z.string(),
      kind,
      actors: z
        .array(z.object({ issuer: z.string(), subject: z.string() }))
        .openapi({ description: 'Who acts on behalf of the requester, nearest first.' }),
    }),
    reason: z.string().nullable(),
    state: z.enum(requestStates),
    createdAt: time,
    expiresAt: time,
    requirements: z.array(
      z.object({
        by: z.string().openapi({ description: 'The policy or access role that asks.' }),
        approvers: z.array(z.string()).openapi({ description: 'Groups whose members may answer.' }),
        count: z.int(),
        given: z.int().openapi({ description: 'How many yeses count now.' }),
      }),
    ),
    approvals: z.array(
      z.object({
        approver: z.string(),
        answer: z.enum(['approve', 'deny']),
        comment: z.string(),
        at: time,
        via: z.enum(['api', 'page', 'cli', 'slack']),
      }),
    ),
    mayAnswer: z.boolean().openapi({ description: "Whether the caller's answer would count now." }),
    whyNot: z.string().optional(),
    statement: statementSchema.optional(),
    access: z.object({ role: z.string(), for: duration, extends: z.string().nullable() }).optional(),
    outcome: z
      .object({
        at: time,
        by: z.string().optional(),
        comment: z.string().optional(),
        why: z.string().optional(),
        grant: z.string().optional(),
        goodUntil: time.optional().openapi({ description: 'Until when an approved statement has to run.' }),
      })
      .optional(),
    url: z.string().openapi({ description: 'The page for people.' }),
  })
  .openapi('Request')

/** A grant of an access role. */
export const grantSchema = z
  .object({
    id: z.string().openapi({ example: 'a_0123456789ab' }),
    principal: z.string(),
    role: z.string(),
    databases: z.array(z.string()).nullable(),
    kind: z.enum(['approved', 'break_glass']),
    reason: z.string().nullable(),
    from: time,
    until: time,
    request: z.string().optional(),
    ended: z.object({ at: time, why: z.enum(['expired', 'revoked']), by: z.string().optional() }).optional(),
    review: z
      .object({ by: z.string(), at: time, outcome: z.enum(['justified', 'unjustified']), comment: z.string() })
      .optional(),
    needsReview: z.boolean(),
  })
  .openapi('Grant')

/** A live session. */
export const sessionSchema = z
  .object({
    id: z.string(),
    gateway: z.string(),
    principal: z.string(),
    database: z.string(),
    token: z.string().optional().openapi({ description: 'The session token it was opened with.' }),
    startedAt: time,
  })
  .openapi('Session')

/** Several of them. */
export const requestsSchema = z.object({ requests: z.array(requestSchema) })
/** Several of them. */
export const grantsSchema = z.object({ grants: z.array(grantSchema) })
/** Several of them. */
export const sessionsSchema = z.object({ sessions: z.array(sessionSchema) })

/** What a break-glass request gives at once. */
export const takenSchema = z.object({ grant: grantSchema })

/** A session token: the one time that its secret is shown. */
export const tokenSchema = z
  .object({ id: z.string(), secret: z.string(), user: z.string(), expiresAt: time })
  .openapi('Token')

/** Which requests to list. */
export const requestsQuery = z.object({
  state: z.enum(requestStates).optional(),
  kind: z.enum(['statement', 'access']).optional(),
  limit: z.coerce.number().int().min(1).max(500).optional().openapi({ description: 'Newest first; 100 unless told.' }),
})

/** Which grants to list. */
export const grantsQuery = z.object({
  active: z.enum(['true', 'false']).optional(),
  principal: name.optional(),
  role: name.optional(),
})

/** The id in a path; its form is not checked here, since one that cannot exist is as unknown as any other. */
export const idParameter = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) })

/** Asking for an access role. */
export const askBody = z
  .strictObject({
    role: name,
    for: duration,
    reason: comment.optional(),
    extends: z.string().max(64).optional().openapi({ description: 'The own grant that is to last longer.' }),
    breakGlass: z.literal(true).optional().openapi({ description: 'Take it at once, to be reviewed afterwards.' }),
  })
  .openapi('Ask')

/** Answering a request. */
export const answerBody = z.strictObject({ comment: comment.optional() }).openapi('Answer')

/** Withdrawing a request takes nothing. */
export const nothingBody = z.strictObject({})

/** Ending grants. */
export const revokeBody = z
  .strictObject({
    grant: z.string().max(64).optional(),
    principal: name.optional(),
    role: name.optional(),
    reason: comment.min(1),
    killSessions: z
      .boolean()
      .optional()
      .openapi({ description: 'With `principal` alone: end sessions and tokens too.' }),
  })
  .openapi('Revoke')

/** Reviewing a grant that was taken first. */
export const reviewBody = z
  .strictObject({ outcome: z.enum(['justified', 'unjustified']), comment: comment.min(1) })
  .openapi('Review')

/** Asking for a session token. */
export const tokenBody = z
  .strictObject({
    database: name,
    role: name.optional(),
    for: duration,
    singleSession: z.boolean().optional(),
  })
  .openapi('AskToken')
