import { createHmac } from 'node:crypto'
import { startReceiver, type Received, type Receiver } from './notify-testing.ts'

/** One call that the stand-in for Slack took. */
export interface SlackCall {
  readonly method: string
  readonly values: Readonly<Record<string, unknown>>
}

/** A stand-in for Slack's Web API that checks what Slack documents of the calls it takes. */
export interface StandIn extends Receiver {
  readonly calls: SlackCall[]
  /** What `users.info` says, by the user's id. */
  readonly users: Map<string, Readonly<Record<string, unknown>>>
  /** What the next calls are answered with instead, in their order. */
  readonly next: ({ status: number; retryAfterS: number } | { error: string })[]
  /** Settles with the first call of that method that fits. */
  called(method: string, fits?: (values: Readonly<Record<string, unknown>>) => boolean): Promise<SlackCall>
}

/** What the stand-in takes. */
export const slackSecrets = { token: 'xoxb-stand-in', signing: '8f742231b10e8888abcd99yyyzzz85a5' } as const

const forms: ReadonlySet<string> = new Set(['/auth.test', '/users.info'])

/** A full member of the stand-in's own workspace. */
export function member(id: string, email: string, changes: Readonly<Record<string, unknown>> = {}) {
  const flags = { deleted: false, is_bot: false, is_restricted: false, is_ultra_restricted: false }
  return { id, team_id: 'T0001', is_email_confirmed: true, ...flags, profile: { email }, ...changes }
}

/** Starts the stand-in. */
export async function startSlack(): Promise<StandIn> {
  const calls: SlackCall[] = []
  const users: StandIn['users'] = new Map()
  const next: StandIn['next'] = []
  const waiting = new Set<() => void>()
  let ts = 0
  const answerTo = (received: Received): unknown => {
    const { path, headers, body } = received
    if (headers.authorization !== `Bearer ${slackSecrets.token}`) return { ok: false, error: 'invalid_auth' }
    const type = forms.has(path) ? 'application/x-www-form-urlencoded' : 'application/json; charset=utf-8'
    if (headers['content-type'] !== type) return { ok: false, error: 'invalid_arguments' }
    const values: Record<string, unknown> = forms.has(path)
      ? Object.fromEntries(new URLSearchParams(body))
      : (JSON.parse(body) as Record<string, unknown>)
    const method = path.slice(1)
    calls.push({ method, values })
    if (blockFault(values['blocks']) !== null) return { ok: false, error: 'invalid_blocks' }
    if (method === 'auth.test') return { ok: true, team_id: 'T0001', user_id: 'U0BOT' }
    if (method === 'users.info') {
      const user = users.get(String(values['user']))
      return user === undefined ? { ok: false, error: 'user_not_found' } : { ok: true, user }
    }
    if (method === 'chat.postMessage') {
      ts += 1
      return { ok: true, channel: values['channel'], ts: `1503435956.00024${String(ts)}` }
    }
    if (method === 'chat.update' && typeof values['ts'] !== 'string') return { ok: false, error: 'message_not_found' }
    return { ok: true }
  }
  const receiver = await startReceiver((received, response) => {
    const planned = next.shift()
    if (planned !== undefined && 'status' in planned) {
      response.writeHead(planned.status, { 'retry-after': String(planned.retryAfterS) }).end()
    } else {
      response.setHeader('content-type', 'application/json')
      const answer = answerTo(received)
      response.end(JSON.stringify(planned === undefined ? answer : { ok: false, error: planned.error }))
    }
    for (const look of waiting) look()
  })
  return {
    ...receiver,
    calls,
    users,
    next,
    called: (method, fits = () => true) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = calls.find((call) => call.method === method && fits(call.values))
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** Signs an interaction as Slack documents it: HMAC-SHA-256 over version, time and body. */
export function signed(
  payload: unknown,
  { atMs = Date.now(), secret = slackSecrets.signing }: { atMs?: number; secret?: string } = {},
): { body: Buffer; headers: Map<string, string> } {
  const body = Buffer.from(new URLSearchParams({ payload: JSON.stringify(payload) }).toString())
  const time = String(Math.floor(atMs / 1_000))
  const hmac = createHmac('sha256', secret)
    .update(`v0:${time}:${body.toString('utf8')}`)
    .digest('hex')
  return {
    body,
    headers: new Map([
      ['x-slack-request-timestamp', time],
      ['x-slack-signature', `v0=${hmac}`],
    ]),
  }
}

let clicks = 0

/** What Slack sends when somebody clicks a button. Each click has a trigger of its own. */
export function click(action: string, { user = 'U0ALICE', value = 'r_0123456789ab' } = {}): unknown {
  clicks += 1
  return {
    type: 'block_actions',
    user: { id: user, username: 'x', team_id: 'T0001' },
    api_app_id: 'A02',
    trigger_id: `12321423423.333649436676.${String(clicks)}`,
    channel: { id: 'C0OPS', name: 'ops' },
    container: { type: 'message', message_ts: '1503435956.000241', channel_id: 'C0OPS' },
    actions: [{ type: 'button', action_id: action, block_id: 'postern_answer', value }],
  }
}

/** What Slack sends when somebody sends the form off that `views.open` opened. */
export function submission(metadata: unknown, comment: string, user = 'U0ALICE'): unknown {
  const values = { comment: { comment: { type: 'plain_text_input', value: comment } } }
  clicks += 1
  return {
    type: 'view_submission',
    user: { id: user, team_id: 'T0001' },
    view: { id: `V${String(clicks)}`, callback_id: 'postern_denial', private_metadata: metadata, state: { values } },
  }
}

/** What Slack would refuse of blocks, of what it documents; null where nothing. */
function blockFault(blocks: unknown): string | null {
  if (blocks === undefined) return null
  if (!Array.isArray(blocks) || blocks.length > 50) return 'blocks'
  const text = JSON.stringify(blocks)
  for (const [, found = ''] of text.matchAll(/"text":"((?:[^"\\]|\\.)*)"/gu)) {
    const { length } = JSON.parse(`"${found}"`) as string
    if (length === 0 || length > 3_000) return 'text'
  }
  for (const block of blocks as { fields?: { text: string }[] }[]) {
    if ((block.fields ?? []).some((field) => field.text.length > 2_000) || (block.fields ?? []).length > 10)
      return 'fields'
  }
  return null
}
