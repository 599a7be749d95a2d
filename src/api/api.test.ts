import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestApi, type TestApi } from './testing.ts'

let on: TestApi
before(async () => {
  on = await startTestApi()
})
after(() => on.stop())

const alice = 'alice@example.com'
const dana = 'dana@example.com'
const sam = 'sam@example.com'

async function json(response: Response, status = 200): Promise<Record<string, unknown>> {
  const body = (await response.json()) as Record<string, unknown>
  assert.equal(response.status, status, JSON.stringify(body))
  return body
}

async function code(response: Response, status: number): Promise<string> {
  const { error } = await json(response, status)
  return (error as { code: string }).code
}

test('the caller learns who they are and which roles concern them', async () => {
  const me = await json(await on.call(alice, '/api/v1/me'))
  assert.deepEqual(me, {
    name: alice,
    kind: 'human',
    groups: ['engineering'],
    accessRoles: [
      {
        name: 'support-lead',
        description: 'Sees the e-mail addresses of customers',
        mayAsk: true,
        mayBreakGlass: true,
        maxDuration: '8h',
        needsReason: true,
        databases: ['shop'],
      },
    ],
  })
  assert.deepEqual((await json(await on.call('ci-deploy', '/api/v1/me')))['accessRoles'], [])
})

test('a statement goes from listed to approved, with the comment and the channel', async () => {
  const { id } = on.access.fileStatement(await on.principal(alice))
  const { requests } = await json(await on.call(dana, '/api/v1/requests?state=pending&kind=statement&limit=10'))
  const listed = (requests as { id: string; mayAnswer: boolean; url: string }[]).find((each) => each.id === id)
  assert.equal(listed?.mayAnswer, true)
  assert.equal(listed.url, `${on.api.url}/r/${id}`)
  const body = await json(
    await on.call(dana, `/api/v1/requests/${id}/approve`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-postern-client': 'cli' },
      body: JSON.stringify({ comment: 'as discussed' }),
    }),
  )
  assert.equal(body['state'], 'approved')
  assert.deepEqual(Object.keys(body['outcome'] as object), ['at', 'goodUntil'])
  const [approval] = body['approvals'] as Record<string, unknown>[]
  assert.deepEqual([approval?.['approver'], approval?.['comment'], approval?.['via']], [dana, 'as discussed', 'cli'])
  assert.equal(
    await code(await on.call(dana, `/api/v1/requests/${id}/deny`, { method: 'POST' }), 409),
    'request_closed',
  )
})

test('values of a statement are only for who may see them', async () => {
  const { id } = on.access.fileStatement(await on.principal(alice))
  const hidden = (await json(await on.call(dana, `/api/v1/requests/${id}`)))['statement'] as Record<string, unknown>
  assert.equal(hidden['isRedacted'], true)
  assert.doesNotMatch(JSON.stringify(hidden), /mia@example/)
  on.rawFor.add(dana)
  const shown = (await json(await on.call(dana, `/api/v1/requests/${id}`)))['statement'] as Record<string, unknown>
  on.rawFor.delete(dana)
  assert.equal(shown['isRedacted'], false)
  assert.match(String(shown['sql']), /mia@example/)
})

test('what a caller may not see is as unknown as what is not there', async () => {
  const { id } = on.access.fileStatement(await on.principal(alice))
  for (const path of [id, 'r_000000000000', 'r_', 'a_000000000000', '%2e%2e%2fme', 'r_..', `${id}%00`]) {
    assert.equal(await code(await on.call(sam, `/api/v1/requests/${path}`), 404), 'request_unknown', path)
  }
  assert.equal(await code(await on.call(sam, '/api/v1/nothing'), 404), 'request_unknown')
})

test('a role is asked for, withdrawn, taken at once, reviewed and revoked', async () => {
  const asked = await json(
    await on.post(alice, '/api/v1/requests', { role: 'support-lead', for: '2h', reason: 'INC-1' }),
    201,
  )
  assert.deepEqual(asked['access'], { role: 'support-lead', for: '2h', extends: null })
  assert.match(String(asked['whyNot']), /own request/)
  const withdrawn = await json(await on.post(alice, `/api/v1/requests/${String(asked['id'])}/withdraw`, {}))
  assert.equal((withdrawn['outcome'] as { why: string }).why, 'withdrawn_by_requester')

  const wish = { role: 'support-lead', for: '1h30m', reason: 'pager', breakGlass: true }
  const { grant } = (await json(await on.post(alice, '/api/v1/requests', wish), 201)) as {
    grant: { id: string; needsReview: boolean }
  }
  assert.equal(grant.needsReview, true)
  const review = { outcome: 'justified', comment: 'it burned' }
  const reviewed = await json(await on.post(dana, `/api/v1/grants/${grant.id}/review`, review))
  assert.equal((reviewed['review'] as { by: string }).by, dana)
  const active = `/api/v1/grants?active=true&principal=${encodeURIComponent(alice)}&role=support-lead`
  assert.equal(((await json(await on.call(dana, active)))['grants'] as unknown[]).length, 1)
  const ended = await json(await on.post(dana, '/api/v1/grants/revoke', { principal: alice, reason: 'over' }))
  assert.equal((ended['grants'] as { ended: { by: string } }[])[0]?.ended.by, dana)
  assert.deepEqual((await json(await on.call(dana, active)))['grants'], [])
})

test('a session token is shown once, and ended by its owner', async () => {
  const token = await json(await on.post(alice, '/api/v1/tokens', { database: 'shop', for: '15m' }), 201)
  assert.deepEqual(Object.keys(token), ['id', 'secret', 'user', 'expiresAt'])
  assert.equal(token['user'], alice)
  const path = `/api/v1/tokens/${String(token['id'])}`
  assert.equal(await code(await on.call(sam, path, { method: 'DELETE' }), 404), 'request_unknown')
  assert.equal((await on.call(alice, path, { method: 'DELETE' })).status, 204)
  const { sessions } = await json(await on.call(alice, '/api/v1/sessions'))
  assert.equal((sessions as { principal: string }[])[0]?.principal, alice)
})

test('input that is not as described is refused, and says where', async () => {
  const bad: [string, unknown][] = [
    ['/api/v1/requests', { role: 'support-lead' }],
    ['/api/v1/requests', { role: 'support-lead', for: 'soon' }],
    ['/api/v1/requests', { role: 'support-lead', for: '2h', reasn: 'x' }],
    ['/api/v1/requests', { role: 'support-lead', for: '2h', breakGlass: false }],
    ['/api/v1/requests', { role: 'support-lead', for: '2h', reason: 'x'.repeat(2_001) }],
    ['/api/v1/requests', ['support-lead']],
    ['/api/v1/requests', { role: { $ne: '' }, for: '2h' }],
    ['/api/v1/grants/revoke', { role: 'support-lead' }],
    ['/api/v1/tokens', { database: '', for: '2h' }],
  ]
  for (const [path, body] of bad) {
    assert.equal(await code(await on.post(alice, path, body), 400), 'input_invalid', JSON.stringify(body).slice(0, 80))
  }
  for (const query of ['state=open', 'limit=0', 'limit=1e9', 'kind=x']) {
    assert.equal(await code(await on.call(alice, `/api/v1/requests?${query}`), 400), 'input_invalid', query)
  }
})

test('every endpoint wants to know who asks, and the OpenAPI document does not', async () => {
  const document = (await (await fetch(`${on.api.url}/api/v1/openapi.json`)).json()) as {
    openapi: string
    paths: Record<string, Record<string, unknown>>
  }
  assert.equal(document.openapi, '3.1.0')
  const endpoints = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), path] as const),
  )
  assert.equal(endpoints.length, 13)
  for (const [method, path] of endpoints) {
    const response = await fetch(`${on.api.url}/api/v1${path.replace('{id}', 'r_000000000000')}`, { method })
    assert.equal(await code(response, 401), 'token_absent', path)
    assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer/)
  }
})

test('a bug leaves as `internal`, its text only in the log', async () => {
  const broken = await startTestApi({
    services: {
      maySeeRaw: () => {
        throw new Error('the secret inside')
      },
    },
  })
  try {
    const { id } = broken.access.fileStatement(await broken.principal(alice))
    const response = await broken.call(dana, `/api/v1/requests/${id}`)
    const text = await response.text()
    assert.equal(response.status, 500)
    assert.match(text, /"internal"/)
    assert.doesNotMatch(text, /secret inside/)
    assert.equal(broken.logged.length, 1)
  } finally {
    await broken.stop()
  }
})
