import { createHash, createHmac } from 'node:crypto'
import type { AccessEvent, EventGrant, EventRequest } from '../core/access-events.ts'
import { PosternError } from '../core/errors.ts'
import { formatDuration } from '../core/duration.ts'
import type { Delivery } from './outbox-files.ts'
import type { Attempt } from './outbox.ts'

/** One receiver of webhooks, as configured. */
export interface WebhookTarget {
  readonly url: string
  /** What the bodies are signed with; asked for at each attempt, so that it can be changed without a restart. */
  secret(): string | Promise<string>
  /** Which events are told; null for all. */
  readonly events: readonly AccessEvent['type'][] | null
  /** Permits http, to this machine only. */
  readonly allowInsecure: boolean
}

/** A receiver that was checked. */
export interface CheckedTarget extends WebhookTarget {
  readonly address: URL
  /** Tells receivers apart on disk without showing their URLs, which may hold a secret in their path. */
  readonly key: string
  /** What it is called in faults: its origin, and the folder in which its deliveries are. */
  readonly label: string
}

const retryAfterMsMax = 3_600_000

/** Checks a receiver's address. Fails with `config_invalid` where what is sent there could be read or go astray. */
export function checkTarget(target: WebhookTarget): CheckedTarget {
  const address = URL.parse(target.url)
  const refuse = (why: string, hint: string): PosternError =>
    new PosternError('config_invalid', `a webhook cannot be used: ${why}`, { hint })
  if (address === null) throw refuse('its URL cannot be read', 'Write it as https://hooks.example.com/postern.')
  if (address.username !== '' || address.password !== '') {
    throw refuse(
      `the URL of ${address.host} holds a name or password`,
      'Take them out: the receiver knows Postern by the signature of each message.',
    )
  }
  const isLocal = address.protocol === 'http:' && target.allowInsecure && isLoopback(address.hostname)
  if (address.protocol !== 'https:' && !isLocal) {
    throw refuse(
      `${address.origin === 'null' ? address.protocol : address.origin} is not https`,
      'Use https. A receiver on this machine may use http with `allow_insecure: true`.',
    )
  }
  const key = `webhook-${createHash('sha256').update(address.href).digest('base64url').slice(0, 16)}`
  return { ...target, address, key, label: `${address.origin} (${key})` }
}

/** Signs a body as receivers check it: HMAC-SHA-256 over the time, a dot and the body. */
export function signatureOf(body: string, { secret, atS }: { secret: string; atS: number }): string {
  const hmac = createHmac('sha256', secret)
    .update(`${String(atS)}.${body}`)
    .digest('hex')
  return `t=${String(atS)},v1=${hmac}`
}

/** What is posted of an event: times as RFC 3339 text, and no text of a statement, redacted or not. */
export function webhookBodyOf(event: AccessEvent): string {
  const { id, type, atMs } = event
  return JSON.stringify({ id, type, at: timeOf(atMs), ...detailsOf(event) })
}

/** Makes one attempt. Never follows a redirect, and reads no more of an answer than shows that there is one. */
export async function postWebhook(
  target: CheckedTarget,
  delivery: Delivery,
  options: { readonly signal: AbortSignal; readonly deadlineMs: number; readonly now: () => number },
): Promise<Attempt> {
  const deadline = AbortSignal.timeout(options.deadlineMs)
  try {
    const secret = await target.secret()
    if (secret === '') return { outcome: 'failed', why: 'its secret is empty' }
    const response = await fetch(target.address, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([options.signal, deadline]),
      headers: {
        'content-type': 'application/json',
        'user-agent': 'Postern',
        'x-postern-event': delivery.eventType,
        'x-postern-delivery': delivery.id,
        'x-postern-signature': signatureOf(delivery.body, { secret, atS: Math.floor(options.now() / 1_000) }),
      },
      body: delivery.body,
    })
    // What it says beside its status is of no use, and may never end.
    await response.body?.cancel()
    if (response.ok) return { outcome: 'delivered' }
    const why = `it answered with status ${String(response.status)}`
    const forMs = response.status === 429 ? retryAfterMs(response) : null
    return forMs === null ? { outcome: 'failed', why } : { outcome: 'postponed', why, forMs }
  } catch (error) {
    if (deadline.aborted)
      return { outcome: 'failed', why: `it did not answer within ${formatDuration(options.deadlineMs)}` }
    return { outcome: 'failed', why: `it cannot be reached: ${networkCodeOf(error)}` }
  }
}

/** How long a receiver asks to be left alone (RFC 9110 section 10.2.3), in seconds only; null where it does not say. */
export function retryAfterMs(response: Response): number | null {
  const seconds = response.headers.get('retry-after') ?? ''
  return /^\d{1,9}$/u.test(seconds) ? Math.min(Math.max(1, Number(seconds)) * 1_000, retryAfterMsMax) : null
}

/** The stable code of a failed connection, such as ECONNREFUSED: messages could hold addresses. */
export function networkCodeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.cause === undefined ? error.name : networkCodeOf(error.cause)
}

/** Whether a host is this machine, whatever a name server says. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/u.test(hostname)
}

function detailsOf(event: AccessEvent): Record<string, unknown> {
  switch (event.type) {
    case 'request_opened':
      return { request: requestOf(event.request) }
    case 'request_answered':
      return {
        request: requestOf(event.request, event.given),
        answer: event.answer,
        isApproved: event.isApproved,
      }
    case 'request_closed':
      return { request: requestOf(event.request), outcome: event.outcome }
    case 'grant_started':
    case 'break_glass_taken':
      return { grant: grantOf(event.grant) }
    case 'grant_ended':
      return { grant: grantOf(event.grant), why: event.why, by: event.by }
    case 'grant_reviewed':
      return { grant: grantOf(event.grant), review: event.review }
  }
}

function requestOf(request: EventRequest, given?: readonly number[]): Record<string, unknown> {
  const { id, requester, reason, requirements, createdAtMs, expiresAtMs, about, url } = request
  return {
    id,
    kind: about.kind,
    requester,
    reason,
    requirements: requirements.map(({ by, approvers, count }, index) => ({
      by,
      approvers,
      count,
      given: given?.[index],
    })),
    createdAt: timeOf(createdAtMs),
    expiresAt: timeOf(expiresAtMs),
    ...aboutOf(about),
    url,
  }
}

/** Member by member: a member that is added to the event is not told to strangers by that alone. */
function aboutOf(about: EventRequest['about']): Record<string, unknown> {
  if (about.kind === 'access') {
    const { role, durationMs, extends: extended } = about
    return { access: { role, for: formatDuration(durationMs), extends: extended } }
  }
  const { database, command, relations, tags, policies, estimatedRows, isTransactionOpen } = about
  return { statement: { database, command, relations, tags, policies, estimatedRows, isTransactionOpen } }
}

function grantOf(grant: EventGrant): Record<string, unknown> {
  const { id, principal, role, databases, kind, reason, request, fromMs, untilMs, url } = grant
  return {
    id,
    principal,
    role,
    databases,
    kind,
    reason,
    request,
    from: timeOf(fromMs),
    until: timeOf(untilMs),
    url,
  }
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString()
}
