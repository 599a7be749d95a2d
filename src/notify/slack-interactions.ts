import type { Approval } from '../core/access.ts'
import { PosternError } from '../core/errors.ts'
import type { RequestId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { asObject, asText, objectOf, type SlackApi } from './slack-api.ts'
import { denialForm, denialView, slackActions } from './slack-message.ts'
import { slackLine } from './slack-text.ts'

/** How Slack users become principals, and where their answers go. */
export interface SlackPeople {
  /** Whether the confirmed e-mail of a member of our own workspace says who it is. */
  readonly trustEmail: boolean
  /** Slack user ids by the e-mail of who it is: what an operator wrote down counts without `trustEmail`. */
  readonly users?: ReadonlyMap<string, string>
  /** The principal of an e-mail, with groups from the configuration; null where nobody is known by it. */
  resolvePrincipal(email: string): Promise<Principal | null>
  /** Gives an answer. Rejects with a PosternError where it does not count. */
  answer(
    principal: Principal,
    id: RequestId,
    answer: { readonly answer: Approval['answer']; readonly comment: string; readonly via: 'slack' },
  ): Promise<unknown>
}

/** Something a person did in Slack that Postern acts on. */
export type Interaction =
  | {
      readonly kind: 'approve' | 'ask_why'
      readonly by: Clicker
      readonly request: RequestId
      readonly trigger: string
      /** The message that was clicked on. */
      readonly message: string
    }
  | { readonly kind: 'deny'; readonly by: Clicker; readonly request: RequestId; readonly comment: string }
  | { readonly kind: 'nothing' }

/** Who did it, as Slack says, and in which channel they are told how it went. */
export interface Clicker {
  readonly user: string
  readonly channel: string
}

const requestId = /^r_[0-9a-z]{12}$/u
const slackId = /^[A-Z][A-Z0-9]{2,30}$/u
const toldCharsMax = 1_000

/** Reads the body of an interaction, whose signature was checked; null where it cannot be read. */
export function parseInteraction(body: Buffer): Interaction | null {
  const payload = objectOf(new URLSearchParams(body.toString('utf8')).get('payload'))
  if (payload === null) return null
  const user = asText(asObject(payload['user'])?.['id'])
  if (!slackId.test(user)) return null
  if (payload['type'] === 'block_actions') return parseClick(payload, user)
  if (payload['type'] === 'view_submission') return parseForm(payload, user)
  return { kind: 'nothing' }
}

function parseClick(payload: Readonly<Record<string, unknown>>, user: string): Interaction | null {
  const action = asObject(Array.isArray(payload['actions']) ? payload['actions'][0] : null)
  const name = action?.['action_id']
  if (name !== slackActions.approve && name !== slackActions.deny) return { kind: 'nothing' }
  const request = asText(action?.['value'])
  const channel = asText(asObject(payload['channel'])?.['id'])
  if (!requestId.test(request) || !slackId.test(channel)) return null
  const kind = name === slackActions.approve ? 'approve' : 'ask_why'
  return {
    kind,
    by: { user, channel },
    request: request as RequestId,
    trigger: asText(payload['trigger_id']),
    message: asText(asObject(payload['container'])?.['message_ts']),
  }
}

function parseForm(payload: Readonly<Record<string, unknown>>, user: string): Interaction | null {
  const view = asObject(payload['view'])
  if (view?.['callback_id'] !== denialForm.callback) return { kind: 'nothing' }
  const { request, channel } = objectOf(asText(view['private_metadata'])) ?? {}
  if (!requestId.test(asText(request)) || !slackId.test(asText(channel))) return null
  const block = asObject(asObject(asObject(view['state'])?.['values'])?.[denialForm.block])
  const comment = asText(asObject(block?.[denialForm.input])?.['value']).slice(0, denialForm.charsMax)
  return { kind: 'deny', by: { user, channel: asText(channel) }, request: asText(request) as RequestId, comment }
}

/** Does what a person asked for, and tells that person alone how it went. Rejects for nothing but a bug. */
export async function carryOut(
  interaction: Exclude<Interaction, { kind: 'nothing' }>,
  { api, people, signal }: { api: SlackApi; people: SlackPeople; signal: AbortSignal },
): Promise<void> {
  const { by, request } = interaction
  if (interaction.kind === 'ask_why') {
    const metadata = JSON.stringify({ request, channel: by.channel })
    const view = denialView(request, metadata)
    const opened = await api.call('views.open', { trigger_id: interaction.trigger, view }, signal)
    if (opened.outcome !== 'ok')
      await tell(by, 'The form cannot be opened. Click again, or open the page.', api, signal)
    return
  }
  const answer = interaction.kind === 'approve' ? 'approve' : 'deny'
  const comment = interaction.kind === 'deny' ? interaction.comment : ''
  try {
    const principal = await principalOf(by.user, { api, people, signal })
    await people.answer(principal, request, { answer, comment, via: 'slack' })
    await tell(by, `Your answer to ${request} is on record: ${answer}.`, api, signal)
  } catch (error) {
    if (!(error instanceof PosternError)) {
      await tell(by, `Your answer to ${request} does not count: Postern failed. Open the page instead.`, api, signal)
      throw error
    }
    const hint = error.hint === undefined ? '' : ` ${error.hint}`
    await tell(by, `Your answer to ${request} does not count: ${error.message}.${hint}`, api, signal)
  }
}

async function principalOf(
  user: string,
  { api, people, signal }: { api: SlackApi; people: SlackPeople; signal: AbortSignal },
): Promise<Principal> {
  const email = people.users?.get(user) ?? (people.trustEmail ? await emailOf(user, api, signal) : null)
  const principal = email === null ? null : await people.resolvePrincipal(email)
  if (principal !== null) return principal
  throw new PosternError('access_refused', 'Slack does not tell Postern who you are', {
    hint: 'Open the page of the request and answer there.',
  })
}

/**
 * The confirmed e-mail of a full member of our own workspace; null of anybody else. Channels may be shared with other
 * workspaces, whose administrators choose what their members' profiles say.
 */
async function emailOf(user: string, api: SlackApi, signal: AbortSignal): Promise<string | null> {
  const own = await api.call('auth.test', {}, signal)
  const found = await api.call('users.info', { user }, signal)
  if (own.outcome !== 'ok' || found.outcome !== 'ok') {
    throw new PosternError('access_refused', 'Slack did not tell Postern who you are', {
      hint: 'Try again in a minute, or open the page of the request.',
    })
  }
  const member = asObject(found.value['user'])
  const email = asText(asObject(member?.['profile'])?.['email'])
  const team = asText(own.value['team_id'])
  const isOurs =
    team !== '' &&
    member?.['team_id'] === team &&
    member['id'] === user &&
    member['is_email_confirmed'] === true &&
    ['deleted', 'is_bot', 'is_restricted', 'is_ultra_restricted', 'is_stranger'].every((flag) => !member[flag])
  return isOurs && email !== '' ? email : null
}

async function tell({ user, channel }: Clicker, text: string, api: SlackApi, signal: AbortSignal): Promise<void> {
  // That it was not told changes nothing: the message in the channel shows how things stand.
  await api.call(
    'chat.postEphemeral',
    { user, channel, text: slackLine(text, toldCharsMax), parse: 'none', link_names: false },
    signal,
  )
}
