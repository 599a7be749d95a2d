import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { AccessEvent, EventRequest } from '../core/access-events.ts'
import { PosternError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import { createNotifier, type NotifierOptions, type Notifier, type NotifyFault, type SlackOptions } from './notify.ts'
import { breakGlass, opened, statementRequest } from './notify-testing.ts'
import { click, member, signed, slackSecrets, startSlack, submission, type StandIn } from './slack-testing.ts'

let directory = ''
let slack: StandIn
let telling: Notifier[] = []
let faults: NotifyFault[] = []
let answers: { by: string; id: string; answer: string; comment: string; via: string }[] = []
let answering: (() => Promise<void>) | null = null

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'postern-slack-'))
  slack = await startSlack()
  slack.users.set('U0ALICE', member('U0ALICE', 'dba@example.com'))
  telling = []
  faults = []
  answers = []
  answering = null
})
afterEach(async () => {
  for (const each of telling) await each.close()
  await slack.stop()
  rmSync(directory, { recursive: true })
})

const dba: Principal = {
  name: 'dba@example.com',
  kind: 'human',
  issuer: 'https://idp.example.com',
  subject: 'dba',
  groups: ['dba'],
  actors: [],
  authenticationMethods: [],
  tokenId: undefined,
  expiresAtMs: Infinity,
}

function start(changes: Partial<SlackOptions> = {}, others: Partial<NotifierOptions> = {}): Notifier {
  const made = createNotifier({
    directory,
    webhooks: [],
    schedule: { pausesMs: [1, 1], jitter: 0 },
    onFault: (fault) => void faults.push(fault),
    slack: {
      token: () => slackSecrets.token,
      signingSecret: () => slackSecrets.signing,
      channel: 'C0OPS',
      baseUrl: slack.url,
      trustEmail: true,
      users: new Map(),
      resolvePrincipal: (email) => Promise.resolve(email === 'dba@example.com' ? dba : null),
      async answer(by, id, given) {
        await answering?.()
        answers.push({ by: by.name, id, ...given })
      },
      ...changes,
    },
    ...others,
  })
  telling.push(made)
  return made
}

function answered(changes: object = {}, request: EventRequest = statementRequest()): AccessEvent {
  const by = { name: 'dba@example.com', kind: 'human', actors: [] } as const
  const answer = { by, answer: 'approve', comment: 'fine', via: 'slack' } as const
  const atMs = request.createdAtMs + 1_000
  return { id: 'e2', type: 'request_answered', atMs, request, answer, given: [1], isApproved: true, ...changes }
}

function closed(changes: object = {}): AccessEvent {
  const request = statementRequest()
  const atMs = request.createdAtMs + 2_000
  return { id: 'e3', type: 'request_closed', atMs, request, outcome: { state: 'used' }, ...changes }
}

function buttonsOf(values: Readonly<Record<string, unknown>>): string[] {
  return [...JSON.stringify(values['blocks']).matchAll(/"action_id":"(\w+)"/gu)].map(([, id = '']) => id)
}

/** Waits for a call, then for all that was told to have been taken. */
async function posted(method = 'chat.postMessage'): Promise<Readonly<Record<string, unknown>>> {
  return (await slack.called(method)).values
}

function ephemeral(part: string): Promise<unknown> {
  return slack.called('chat.postEphemeral', (values) => String(values['text']).includes(part))
}

describe('a message in Slack', { timeout: 20_000 }, () => {
  test('shows what waits, with buttons, and is brought up to date when it was answered and when it ended', async () => {
    const notifier = start()
    notifier.notify(opened())
    const first = await posted()
    assert.equal(first['channel'], 'C0OPS')
    assert.deepEqual(buttonsOf(first), ['postern_approve', 'postern_deny', 'postern_open'])
    const text = JSON.stringify(first['blocks'])
    for (const part of ['alice@example.com waits to run DELETE in shop', 'DELETE FROM refunds', 'INC-1234', '1 of dba'])
      assert.ok(text.includes(part), part)
    notifier.notify(answered({ given: [0], isApproved: false }))
    const second = await slack.called('chat.update')
    assert.equal(second.values['ts'], '1503435956.000241')
    assert.deepEqual(buttonsOf(second.values), ['postern_approve', 'postern_deny', 'postern_open'])
    assert.match(JSON.stringify(second.values['blocks']), /Approved by dba@example\.com: fine\. Still needed: dba\./u)
    notifier.notify(closed())
    const third = await slack.called('chat.update', (values) => /let through/u.test(JSON.stringify(values)))
    assert.deepEqual(buttonsOf(third.values), ['postern_open'])
    assert.deepEqual(faults, [])
  })

  test('is found again after a restart', async () => {
    const before = start()
    before.notify(opened())
    await posted()
    await before.close()
    start().notify(closed({ outcome: { state: 'expired' } }))
    const { values } = await slack.called('chat.update')
    assert.equal(values['ts'], '1503435956.000241')
    assert.match(JSON.stringify(values), /Expired at/u)
  })

  test('is never taken back to an older state', async () => {
    const notifier = start()
    notifier.notify(opened())
    await posted()
    notifier.notify(answered({ id: 'late', atMs: statementRequest().createdAtMs + 9_000 }))
    await slack.called('chat.update')
    notifier.notify(answered({ id: 'early', isApproved: false, given: [0] }))
    notifier.notify(closed({ atMs: statementRequest().createdAtMs + 10_000 }))
    await slack.called('chat.update', (values) => /let through/u.test(JSON.stringify(values)))
    assert.equal(slack.calls.filter(({ method }) => method === 'chat.update').length, 2)
  })

  test('has no buttons that cannot count', async () => {
    start({ trustEmail: false }).notify(opened())
    assert.deepEqual(buttonsOf(await posted()), ['postern_open'])
  })

  test('has no buttons where the statement cannot be shown whole', async () => {
    const notifier = start()
    const texts = ['SELECT 1;\n'.repeat(400), '<'.repeat(1_000), "SELECT '```' \n*Approved*", 'SELECT `', '']
    for (const [index, redacted] of texts.entries()) {
      const request = statementRequest()
      if (request.about.kind !== 'statement') assert.fail()
      const id = `r_${String(index).padStart(12, '0')}` as EventRequest['id']
      notifier.notify(opened(`e${String(index)}`, { ...request, id, about: { ...request.about, redacted } }))
      const call = await slack.called('chat.postMessage', (values) => JSON.stringify(values).includes(id))
      assert.deepEqual(buttonsOf(call.values), ['postern_open'])
    }
    assert.deepEqual(faults, [])
  })

  test('has no buttons where it comes too late', async () => {
    start().notify(opened('e1', statementRequest({ expiresAtMs: 1_795_000_000_001 })))
    assert.deepEqual(buttonsOf(await posted()), ['postern_open'])
  })

  test('is inert whatever strangers write', async () => {
    const hostile = '<!channel> <https://evil.example|click> & *bold* \u202E\u0007@here\n\n*Policy:* none'
    const request = statementRequest({
      reason: hostile,
      requester: { name: hostile, kind: 'agent', actors: [hostile] },
    })
    if (request.about.kind !== 'statement') assert.fail()
    const about = { ...request.about, redacted: `SELECT 1 ${hostile}`, relations: [hostile], command: hostile }
    const notifier = start()
    notifier.notify(opened('e1', { ...request, about }))
    const values = await posted()
    assert.doesNotMatch(JSON.stringify(values), /<!|<http|\u202E|[^&]>/u)
    assert.match(JSON.stringify(values), /&lt;!channel&gt;/u)
    assert.equal(values['parse'], 'none')
    assert.equal(values['link_names'], false)
    assert.equal(values['unfurl_links'], false)
    // What Slack gives a meaning is in one place only, between fences, and there it finds no links by itself.
    const blocks = values['blocks'] as { text?: { type: string; verbatim?: boolean; text: string } }[]
    const marked = blocks.filter(({ text }) => text?.type === 'mrkdwn')
    assert.equal(marked.length, 1)
    assert.equal(marked[0]?.text?.verbatim, true)
    assert.match(marked[0]?.text?.text ?? '', /^```\n[^`]+\n```$/u)
    assert.equal(JSON.stringify(blocks).match(/"type":"mrkdwn"/gu)?.length, 1)
  })

  test('stays within what Slack takes', async () => {
    const long = 'é<&'.repeat(5_000)
    const requirements = Array.from({ length: 50 }, () => ({ by: long, approvers: [long], count: 9 }))
    const request = statementRequest({
      reason: long,
      requester: { name: long, kind: 'human', actors: [] },
      requirements,
    })
    const notifier = start()
    notifier.notify(opened('e1', request))
    await posted()
    const by = { name: long, kind: 'human', actors: [] } as const
    notifier.notify(closed({ outcome: { state: 'denied', by, comment: long } }))
    await posted('chat.update')
    await notifier.flushed()
    assert.deepEqual(faults, [])
  })

  test('tells of break-glass at once', async () => {
    start().notify(breakGlass())
    assert.match(String((await posted())['text']), /^Break-glass: alice@example\.com took/u)
  })

  test('waits as long as Slack asks for', async () => {
    slack.next.push({ status: 429, retryAfterS: 1 })
    start({}, { schedule: { pausesMs: [], jitter: 0 } }).notify(opened())
    await posted()
    assert.equal(slack.received.length, 2)
    assert.deepEqual(faults, [])
  })

  test('that Slack does not take is tried again, then given up loudly, without the token', async () => {
    slack.next.push({ error: 'channel_not_found' }, { error: 'channel_not_found' }, { error: 'channel_not_found' })
    start().notify(opened())
    while (!faults.some(({ kind }) => kind === 'given_up')) await new Promise((resolve) => void setTimeout(resolve, 5))
    assert.match(faults.at(-1)?.why ?? '', /chat\.postMessage with channel_not_found/u)
    assert.doesNotMatch(JSON.stringify(faults), /xoxb/u)
  })

  test('is not sent where the token could be read on the way', () => {
    assert.throws(() => start({ baseUrl: 'http://slack.example.com/api' }), /not an https URL/u)
    assert.throws(() => start({ baseUrl: 'https://a:b@slack.example.com/api' }), /not an https URL/u)
  })
})

describe('a message that another gateway posted', { timeout: 20_000 }, () => {
  test('is brought up to date here once somebody clicked on it', async () => {
    const notifier = start()
    const { body, headers } = signed(click('postern_approve'))
    await notifier.handleSlack(body, headers)
    await ephemeral('on record')
    notifier.notify(closed())
    const { values } = await slack.called('chat.update')
    assert.deepEqual([values['channel'], values['ts']], ['C0OPS', '1503435956.000241'])
  })
})

describe('an answer given in Slack', { timeout: 20_000 }, () => {
  const deliver = async (notifier: Notifier, payload: unknown): Promise<number> => {
    const { body, headers } = signed(payload)
    return (await notifier.handleSlack(body, headers)).status
  }

  test('counts as that of the principal with the confirmed e-mail', async () => {
    const notifier = start()
    assert.equal(await deliver(notifier, click('postern_approve')), 200)
    await ephemeral('on record: approve')
    assert.deepEqual(answers, [
      { by: 'dba@example.com', id: 'r_0123456789ab', answer: 'approve', comment: '', via: 'slack' },
    ])
  })

  test('may be no, with what was written in the form', async () => {
    const notifier = start()
    await deliver(notifier, click('postern_deny'))
    const { values } = await slack.called('views.open')
    assert.match(String(values['trigger_id']), /^12321423423\./u)
    const metadata = (values['view'] as Record<string, unknown>)['private_metadata']
    assert.equal(answers.length, 0)
    await deliver(notifier, submission(metadata, `no ${'x'.repeat(5_000)}`))
    await ephemeral('on record: deny')
    assert.deepEqual(
      answers.map(({ answer, comment }) => [answer, comment.length]),
      [['deny', 1_000]],
    )
  })

  test('counts for whom the configuration names, without asking for e-mails', async () => {
    const notifier = start({ trustEmail: false, users: new Map([['U0BOB', 'dba@example.com']]) })
    await deliver(notifier, click('postern_approve', { user: 'U0BOB' }))
    await ephemeral('on record: approve')
    assert.equal(
      slack.calls.some(({ method }) => method === 'users.info'),
      false,
    )
    await deliver(notifier, click('postern_approve', { user: 'U0ALICE' }))
    await ephemeral('does not count')
    assert.equal(answers.length, 1)
  })

  test('does not count where the e-mail proves nothing', async () => {
    const strangers = [
      { team_id: 'T0EVIL' },
      { is_stranger: true },
      { is_email_confirmed: false },
      { is_email_confirmed: undefined },
      { is_restricted: true },
      { is_ultra_restricted: true },
      { is_bot: true },
      { deleted: true },
      { id: 'U0OTHER' },
      { profile: {} },
      { profile: { email: 'nobody@example.com' } },
    ]
    const notifier = start()
    for (const [index, changes] of strangers.entries()) {
      const user = `U0EVIL${String(index)}`
      slack.users.set(user, member(user, 'dba@example.com', changes))
      await deliver(notifier, click('postern_approve', { user }))
      await slack.called('chat.postEphemeral', (values) => values['user'] === user)
      assert.deepEqual(answers, [], JSON.stringify(changes))
    }
    await deliver(notifier, click('postern_approve', { user: 'U0UNKNOWN' }))
    await slack.called('chat.postEphemeral', (values) => values['user'] === 'U0UNKNOWN')
    assert.deepEqual(answers, [])
  })

  test('that is refused says why, to the one who gave it alone', async () => {
    const notifier = start()
    answering = () => Promise.reject(new PosternError('access_refused', 'it is your own <!channel> request'))
    await deliver(notifier, click('postern_approve'))
    const { values } = await slack.called('chat.postEphemeral')
    assert.equal(values['user'], 'U0ALICE')
    assert.match(String(values['text']), /does not count: it is your own &lt;!channel&gt; request\./u)
  })

  test('that meets a bug says nothing of it in Slack', async () => {
    const notifier = start()
    answering = () => Promise.reject(new TypeError('inner workings'))
    await deliver(notifier, click('postern_approve'))
    const { values } = await slack.called('chat.postEphemeral')
    assert.doesNotMatch(String(values['text']), /inner/u)
    await notifier.close()
    assert.equal(faults[0]?.cause instanceof TypeError, true)
  })

  test('is refused unless Slack signed it, lately, and once', async () => {
    const notifier = start()
    const genuine = signed(click('postern_approve'))
    const time = genuine.headers.get('x-slack-request-timestamp') ?? ''
    const signature = genuine.headers.get('x-slack-signature') ?? ''
    const sent = (body: Buffer, headers: Record<string, string>) =>
      notifier.handleSlack(body, new Map(Object.entries(headers)))
    const names = { time: 'x-slack-request-timestamp', signature: 'x-slack-signature' }
    const forgeries: [Buffer, Record<string, string>][] = [
      [genuine.body, {}],
      [genuine.body, { [names.time]: time }],
      [genuine.body, { [names.time]: time, [names.signature]: 'v0=' }],
      [genuine.body, { [names.time]: time, [names.signature]: signature.slice(0, -1) }],
      [genuine.body, { [names.time]: time, [names.signature]: `v1=${signature.slice(3)}` }],
      [genuine.body, { [names.time]: time, [names.signature]: `v0=${'0'.repeat(64)}` }],
      [genuine.body, { [names.time]: String(Number(time) + 1), [names.signature]: signature }],
      [Buffer.concat([genuine.body, Buffer.from(' ')]), { [names.time]: time, [names.signature]: signature }],
      [
        Buffer.from(genuine.body.toString().replace('0123456789ab', 'zzzzzzzzzzzz')),
        { [names.time]: time, [names.signature]: signature },
      ],
    ]
    for (const [body, headers] of forgeries) assert.equal((await sent(body, headers)).status, 401)
    const others = [
      signed(click('postern_approve'), { secret: 'guessed' }),
      signed(click('postern_approve'), { atMs: Date.now() - 301_000 }),
      signed(click('postern_approve'), { atMs: Date.now() + 302_000 }),
    ]
    for (const { body, headers } of others) assert.equal((await notifier.handleSlack(body, headers)).status, 401)
    assert.equal((await notifier.handleSlack(genuine.body, genuine.headers)).status, 200)
    await ephemeral('on record')
    const again = await notifier.handleSlack(genuine.body, genuine.headers)
    assert.deepEqual([again.status, again.body], [401, 'The interaction is refused: it was seen before.'])
    await notifier.close()
    assert.equal(answers.length, 1)
  })

  test('is refused without a signing secret, and where Slack is not configured', async () => {
    const { body, headers } = signed(click('postern_approve'), { secret: 'x' })
    assert.equal((await start({ signingSecret: () => '' }).handleSlack(body, headers)).status, 401)
    const without = createNotifier({ directory, webhooks: [], slack: null, onFault: () => undefined })
    telling.push(without)
    assert.equal((await without.handleSlack(body, headers)).status, 404)
  })

  test('is nothing where it is not one', async () => {
    const notifier = start()
    for (const [payload, status] of [
      [null, 400],
      ['text', 400],
      [{ type: 'block_actions' }, 400],
      [click('postern_approve', { value: '../../etc/passwd' }), 400],
      [click('postern_approve', { user: 'not an id' }), 400],
      [submission('{"request":"x"}', ''), 400],
      [submission('{', ''), 400],
      [click('postern_open'), 200],
      [click('__proto__'), 200],
      [{ type: 'shortcut', user: { id: 'U0ALICE' } }, 200],
    ] as const) {
      assert.equal(await deliver(notifier, payload), status, JSON.stringify(payload))
    }
    const { headers } = signed({})
    assert.equal((await notifier.handleSlack(Buffer.alloc(300_000), headers)).status, 413)
    await notifier.close()
    assert.deepEqual(answers, [])
  })
})
