import type { AccessEvent, EventParty, EventRequest, EventStatement } from '../core/access-events.ts'
import { assertNever } from '../core/errors.ts'
import { formatDuration } from '../core/duration.ts'
import { slackLine, slackStatement } from './slack-text.ts'

/** A message of Block Kit, with the text that notifications show. */
export interface SlackMessage {
  readonly text: string
  readonly blocks: readonly unknown[]
}

/** What the buttons and the form of a message are called in interactions. */
export const slackActions = { approve: 'postern_approve', deny: 'postern_deny', open: 'postern_open' } as const
/** The form that asks why. */
export const denialForm = { callback: 'postern_denial', block: 'comment', input: 'comment', charsMax: 1_000 } as const

/** What Slack takes, with some to spare: of a notification, a section, a field and a question. */
const lineCharsMax = 600
const sectionCharsMax = 2_900
const fieldCharsMax = 1_900
const confirmCharsMax = 280
const urlCharsMax = 3_000

type RequestEvent = Extract<AccessEvent, { readonly request: EventRequest }>

/** The message about a request as it stands after `event`; it has buttons for an answer while one counts. */
export function requestMessage(
  event: RequestEvent,
  options: { readonly canAnswer: boolean; readonly nowMs: number },
): SlackMessage {
  const { request } = event
  const { about } = request
  const who = partyText(request.requester)
  const statement = about.kind === 'statement' ? slackStatement(statementText(about)) : null
  const title =
    about.kind === 'statement'
      ? `${who} waits to run ${about.command} in ${about.database}`
      : `${who} asks for the access role ${about.role} for ${formatDuration(about.durationMs)}`
  const isOpen =
    (event.type === 'request_opened' || (event.type === 'request_answered' && isUndecided(event))) &&
    request.expiresAtMs > options.nowMs
  const isShownWhole = about.kind === 'access' || statement !== null
  const blocks: unknown[] = [section(title), fields(fieldsOf(request))]
  if (statement !== null) blocks.push(fenced(statement))
  else if (about.kind === 'statement') {
    blocks.push(section('The statement cannot be shown here in full, so it cannot be approved here. Open its page.'))
  }
  blocks.push(context(standingOf(event)))
  const buttons = [
    ...(isOpen && options.canAnswer && isShownWhole ? [approveButton(request), denyButton(request)] : []),
    ...openButton(request.url),
  ]
  if (buttons.length > 0) blocks.push({ type: 'actions', block_id: 'postern_answer', elements: buttons })
  return { text: slackLine(`${title}: ${standingOf(event)}`, lineCharsMax), blocks }
}

/** The message about access that was taken without asking, or about what was said of it afterwards. */
export function grantMessage(
  event: Extract<AccessEvent, { readonly type: 'break_glass_taken' | 'grant_reviewed' }>,
): SlackMessage {
  const { grant } = event
  const whose = partyText(grant.principal)
  const title =
    event.type === 'break_glass_taken'
      ? `Break-glass: ${whose} took the access role ${grant.role} without asking`
      : `${partyText(event.review.by)} reviewed break-glass of ${whose}: ${event.review.outcome}`
  const blocks: unknown[] = [
    section(title),
    fields([
      ['Grant', grant.id],
      ['Access role', grant.role],
      ['Databases', grant.databases?.join(', ') ?? 'all'],
      ['Reason', grant.reason ?? 'none given'],
      ['Until', timeText(grant.untilMs)],
      ...(event.type === 'grant_reviewed' ? [['Comment', event.review.comment] as const] : []),
    ]),
  ]
  const buttons = openButton(grant.url)
  if (buttons.length > 0) blocks.push({ type: 'actions', block_id: 'postern_open', elements: buttons })
  return { text: slackLine(title, lineCharsMax), blocks }
}

/** The form that asks an approver why they say no. */
export function denialView(request: string, metadata: string): unknown {
  return {
    type: 'modal',
    callback_id: denialForm.callback,
    private_metadata: metadata,
    title: { type: 'plain_text', text: 'Deny' },
    submit: { type: 'plain_text', text: 'Deny' },
    close: { type: 'plain_text', text: 'Cancel' },
    blocks: [
      section(`Request ${request} is refused for good. The requester sees what you write.`),
      {
        type: 'input',
        block_id: denialForm.block,
        optional: true,
        label: { type: 'plain_text', text: 'Why' },
        element: {
          type: 'plain_text_input',
          action_id: denialForm.input,
          multiline: true,
          max_length: denialForm.charsMax,
        },
      },
    ],
  }
}

/** The text with the values for its placeholders: without them it says little. */
function statementText({ redacted, redactedParameters }: EventStatement): string {
  const values = redactedParameters.map((value, index) => `\n-- $${String(index + 1)} = ${JSON.stringify(value)}`)
  // What the record cuts is not there in full.
  const isCut = redactedParameters.some((value) => value !== null && cutValue.test(value))
  return isCut ? '' : redacted + values.join('')
}

const cutValue = /(?:… \(\d+ bytes in all\)|^\(\d+ more not recorded\))$/u

function isUndecided(event: Extract<AccessEvent, { readonly type: 'request_answered' }>): boolean {
  return !event.isApproved && event.answer.answer === 'approve'
}

function standingOf(event: RequestEvent): string {
  switch (event.type) {
    case 'request_opened':
      return `Waits for an answer until ${timeText(event.request.expiresAtMs)}.`
    case 'request_answered': {
      const { by, answer, comment } = event.answer
      const said = comment === '' ? '' : `: ${comment}`
      if (answer === 'deny') return `Denied by ${partyText(by)}${said}`
      const missing = event.request.requirements.filter(({ count }, index) => (event.given[index] ?? 0) < count)
      const next = event.isApproved
        ? ' Nobody else needs to answer.'
        : ` Still needed: ${missing.map(({ approvers }) => approvers.join(' or ')).join('; ')}.`
      return `Approved by ${partyText(by)}${said}.${next}`
    }
    case 'request_closed':
      return closingOf(event)
    default:
      return assertNever(event)
  }
}

function closingOf({ outcome, request }: Extract<AccessEvent, { readonly type: 'request_closed' }>): string {
  switch (outcome.state) {
    case 'used':
      return 'Approved, and let through.'
    case 'granted':
      return `Approved: grant ${outcome.grant}.`
    case 'denied':
      return `Denied by ${partyText(outcome.by)}${outcome.comment === '' ? '.' : `: ${outcome.comment}`}`
    case 'expired':
      return `Expired at ${timeText(request.expiresAtMs)}: it was not decided in time.`
    case 'withdrawn':
      return `Withdrawn: ${outcome.why.replaceAll('_', ' ')}.`
    default:
      return assertNever(outcome)
  }
}

function fieldsOf({ id, reason, about, requirements }: EventRequest): readonly (readonly [string, string])[] {
  const approvers = requirements.map(({ approvers: groups, count }) => `${String(count)} of ${groups.join(' or ')}`)
  const common = [
    ['Request', id],
    ['Reason', reason ?? 'none given'],
    ['Approvers', approvers.join('; ')],
  ] as const
  if (about.kind === 'access') return common
  return [
    ...common,
    ['Policy', about.policies.join(', ')],
    ['Relations', about.relations.join(', ') || 'none'],
    ['Classified data', about.tags.join(', ') || 'none'],
    ['Rows, estimated', about.estimatedRows === null ? 'not known' : String(Math.round(about.estimatedRows))],
    ['Transaction', about.isTransactionOpen ? 'open: locks are held while it waits' : 'none open'],
  ]
}

function partyText({ name, kind, actors }: EventParty): string {
  const what = kind === 'human' ? '' : ` (${kind})`
  return `${name}${what}${actors.length === 0 ? '' : ', for whom somebody else acts'}`
}

function approveButton(request: EventRequest): unknown {
  return {
    type: 'button',
    style: 'primary',
    action_id: slackActions.approve,
    value: request.id,
    text: { type: 'plain_text', text: 'Approve' },
    confirm: {
      title: { type: 'plain_text', text: 'Approve this?' },
      text: plain(summaryOf(request), confirmCharsMax),
      confirm: { type: 'plain_text', text: 'Approve' },
      deny: { type: 'plain_text', text: 'Cancel' },
    },
  }
}

function summaryOf({ requester, about }: EventRequest): string {
  return about.kind === 'access'
    ? `${requester.name} gets the access role ${about.role} for ${formatDuration(about.durationMs)}.`
    : `${requester.name} runs ${about.command} in ${about.database}, once.`
}

function denyButton(request: EventRequest): unknown {
  return {
    type: 'button',
    style: 'danger',
    action_id: slackActions.deny,
    value: request.id,
    text: { type: 'plain_text', text: 'Deny …' },
  }
}

function openButton(url: string | null): readonly unknown[] {
  if (url === null || url.length > urlCharsMax) return []
  return [{ type: 'button', action_id: slackActions.open, url, text: { type: 'plain_text', text: 'Open' } }]
}

/** Plain text, in which Slack gives no character a meaning; it is escaped nevertheless, here and nowhere before. */
function plain(text: string, charsMax: number): unknown {
  return { type: 'plain_text', text: slackLine(text, charsMax), emoji: false }
}

function section(text: string): unknown {
  return { type: 'section', text: plain(text, sectionCharsMax) }
}

function fields(pairs: readonly (readonly [string, string])[]): unknown {
  // At most ten fields of 2,000 characters each.
  const shown = pairs.slice(0, 10).map(([name, value]) => plain(`${name}: ${value}`, fieldCharsMax))
  return { type: 'section', fields: shown }
}

/** `verbatim` keeps Slack from finding links and names in it by itself. */
function fenced(statement: string): unknown {
  return { type: 'section', text: { type: 'mrkdwn', text: `\`\`\`\n${statement}\n\`\`\``, verbatim: true } }
}

function context(text: string): unknown {
  return { type: 'context', elements: [plain(text, fieldCharsMax)] }
}

function timeText(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
