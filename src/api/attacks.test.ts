import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import type { RequestId } from '../core/ids.ts'
import { csrfOf, logIn, passIssuer, rawRequest, startTestApi, type TestApi, type Visitor, visitor } from './testing.ts'

let on: TestApi
let dana: Visitor
let csrf: string
before(async () => {
  on = await startTestApi({
    rates: {
      perAddress: { burst: 9_000, perMinute: 9_000 },
      perPrincipal: { burst: 9_000, perMinute: 9_000 },
      failureCost: 1,
    },
  })
  dana = visitor(on.api.url)
  await logIn(dana, 'u-1002')
  csrf = csrfOf(await (await dana.get('/')).text())
  assert.match(csrf, /^[\w-]{43}$/)
})
after(() => on.stop())

const alice = 'alice@example.com'

async function file(): Promise<RequestId> {
  return on.access.fileStatement(await on.principal(alice)).id
}

function stateOf(id: RequestId): string | undefined {
  return on.access.filed.get(id)?.request.state.state
}

test('a form of another site changes nothing', async () => {
  const id = await file()
  const form = { csrf, answer: 'approve', comment: '' }
  const forged: Record<string, string | null>[] = [
    { origin: 'https://evil.example' },
    { origin: on.api.url.replace('127.0.0.1', 'localhost') },
    { origin: `${on.api.url}.evil.example` },
    { origin: on.api.url.replace('http:', 'https:') },
    { origin: null },
    { origin: 'null' },
    { origin: null, 'sec-fetch-site': 'cross-site' },
    { origin: 'null', 'sec-fetch-site': 'same-site' },
    { origin: null, referer: `${on.api.url}/r/${id}` },
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
  ]
  for (const headers of forged) {
    const response = await dana.submit(`/r/${id}`, form, headers)
    assert.equal(response.status, 403, JSON.stringify(headers))
    assert.match(await response.text(), /Nothing was changed/)
  }
  assert.equal(stateOf(id), 'pending')
  const ours = await dana.submit(`/r/${id}`, form, { origin: 'null', 'sec-fetch-site': 'same-origin' })
  assert.equal(ours.status, 303)
})

test('a form without the secret of its own log-in changes nothing', async () => {
  const id = await file()
  const other = visitor(on.api.url)
  await logIn(other, 'u-1002')
  const foreign = csrfOf(await (await other.get('/')).text())
  assert.notEqual(foreign, csrf)
  for (const secret of [undefined, '', 'x', foreign, `${csrf}x`, csrf.toLowerCase()]) {
    const form = { answer: 'approve', ...(secret === undefined ? {} : { csrf: secret }) }
    assert.equal((await dana.submit(`/r/${id}`, form)).status, 403, String(secret))
    const call = await dana.submit(
      `/api/v1/requests/${id}/approve`,
      {},
      {
        'content-type': 'application/json',
        ...(secret === undefined ? {} : { 'x-postern-csrf': secret }),
      },
    )
    assert.equal(call.status, 403, String(secret))
  }
  assert.equal(stateOf(id), 'pending')
})

test('the API takes a cookie only with the secret in a header and from our own pages', async () => {
  const id = await file()
  const body = (headers: Record<string, string>) =>
    fetch(`${on.api.url}/api/v1/requests/${id}/deny`, {
      method: 'POST',
      headers: {
        cookie: `postern=${dana.cookies.get('postern') ?? ''}`,
        'content-type': 'application/json',
        ...headers,
      },
      body: '{"comment":"no"}',
    })
  assert.equal((await body({ 'x-postern-csrf': csrf })).status, 403)
  assert.equal((await body({ 'x-postern-csrf': csrf, origin: 'https://evil.example' })).status, 403)
  assert.equal((await body({ origin: on.api.url })).status, 403)
  assert.equal(stateOf(id), 'pending')
  assert.equal((await body({ 'x-postern-csrf': csrf, origin: on.api.url })).status, 200)
})

test('beside an Authorization header a cookie counts for nothing', async () => {
  const cookie = `postern=${dana.cookies.get('postern') ?? ''}`
  for (const authorization of ['Bearer nonsense', 'Basic ZGFuYTpkYW5h', 'Bearer', '']) {
    const response = await fetch(`${on.api.url}/api/v1/me`, { headers: { cookie, authorization } })
    assert.equal(response.status, 401, authorization)
  }
})

test('a planted session id is never taken over', async () => {
  const victim = visitor(on.api.url)
  victim.cookies.set('postern', 'known-to-the-attacker')
  await logIn(victim, 'u-1001')
  assert.notEqual(victim.cookies.get('postern'), 'known-to-the-attacker')
  const me = await fetch(`${on.api.url}/api/v1/me`, { headers: { cookie: 'postern=known-to-the-attacker' } })
  assert.equal(me.status, 401)
  const before = victim.cookies.get('postern') ?? ''
  await logIn(victim, 'u-1001')
  const old = await fetch(`${on.api.url}/api/v1/me`, { headers: { cookie: `postern=${before}` } })
  assert.equal(old.status, 401, 'a second log-in ends the first session of the browser')
})

test('a log-in that another browser began, or that was replayed, does not count', async () => {
  const attacker = visitor(on.api.url)
  const begun = await attacker.get('/login')
  const back = await passIssuer(begun.headers.get('location') ?? '', 'u-1001')
  const victim = visitor(on.api.url)
  assert.equal((await victim.get(back)).status, 401)
  const withOwn = visitor(on.api.url)
  await withOwn.get('/login')
  assert.equal((await withOwn.get(back)).status, 401)
  for (const browser of [victim, withOwn]) assert.equal(browser.cookies.has('postern'), false)
  const ticket = attacker.cookies.get('postern-login') ?? ''
  assert.equal((await attacker.get(back)).status, 303)
  const replayed = visitor(on.api.url)
  replayed.cookies.set('postern-login', ticket)
  assert.equal((await replayed.get(back)).status, 401)
  assert.equal(replayed.cookies.has('postern'), false)
})

test('a log-in leads to our own pages and nowhere else', async () => {
  const places = [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/r/r_0/../../../evil',
    '/%2f%2fevil.example',
    '/r/r_0123456789ab?next=//evil.example',
    '/r/r_0123456789ab\r\nset-cookie: a=b',
    'javascript:alert(1)',
    '/logout',
    '/grants/',
  ]
  for (const place of places) {
    const browser = visitor(on.api.url)
    const response = await logIn(browser, 'u-1001', place)
    assert.equal(response.headers.get('location'), '/', place)
  }
})

test('only its own names reach the server', async () => {
  const id = await file()
  const authorization = `Bearer ${await on.token(alice)}`
  for (const host of [
    'evil.example',
    `evil.example:${String(on.api.port)}`,
    '127.0.0.1',
    `127.0.0.1.evil.example:${String(on.api.port)}`,
    `user@127.0.0.1:${String(on.api.port)}`,
  ]) {
    const response = await rawRequest(on.api.port, { path: `/api/v1/requests/${id}`, headers: { host, authorization } })
    assert.ok(response.status === 403 || response.status === 400, `${host} ${String(response.status)}`)
    assert.doesNotMatch(response.body, /DELETE FROM/)
  }
  const port = String(on.api.port)
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
    assert.equal((await rawRequest(on.api.port, { path: '/api/v1/openapi.json', headers: { host } })).status, 200, host)
  }
  const absolute = await rawRequest(on.api.port, { path: 'http://evil.example/api/v1/openapi.json' })
  assert.equal(absolute.status, 400)
})

test('a body that is too large is refused, declared or not', async () => {
  const large = JSON.stringify({ comment: 'x'.repeat(70_000) })
  const id = await file()
  const declared = await on.post('dana@example.com', `/api/v1/requests/${id}/deny`, { comment: 'x'.repeat(70_000) })
  assert.equal(declared.status, 413)
  const unsent = connect(on.api.port, '127.0.0.1')
  const promise = `POST /r/${id} HTTP/1.1\r\nHost: 127.0.0.1:${String(on.api.port)}\r\nContent-Length: 99999999\r\n\r\n`
  unsent.write(promise)
  const [answer] = (await once(unsent, 'data')) as [Buffer]
  unsent.destroy()
  assert.match(answer.toString('utf8'), /^HTTP\/1\.1 413/, 'nobody waits for what is too large anyway')
  const chunked = await rawRequest(on.api.port, {
    path: `/api/v1/requests/${id}/deny`,
    method: 'POST',
    headers: {
      host: `127.0.0.1:${String(on.api.port)}`,
      authorization: `Bearer ${await on.token('dana@example.com')}`,
      'content-type': 'application/json',
      'transfer-encoding': 'chunked',
    },
    body: large,
  })
  assert.equal(chunked.status, 413)
  const url = await on.call(alice, `/api/v1/requests?x=${'y'.repeat(3_000)}`)
  assert.equal(url.status, 413)
  assert.equal(stateOf(id), 'pending')
})

test('a body of another type than JSON is refused, whatever it holds', async () => {
  const id = await file()
  const token = await on.token('dana@example.com')
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json; charset=utf-16',
    'application/vnd.x+json',
    '',
  ]) {
    const response = await fetch(`${on.api.url}/api/v1/requests/${id}/approve`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      body: Buffer.from('{"comment":"x"}'),
    })
    assert.equal(response.status, 400, type)
  }
  for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/json']) {
    const response = await dana.submit(`/r/${id}`, { csrf, answer: 'approve' }, { 'content-type': type })
    assert.equal(response.status, 400, type)
  }
  assert.equal((await on.post('dana@example.com', `/api/v1/requests/${id}/approve`, 'x')).status, 400)
  const broken = await on.call('dana@example.com', `/api/v1/requests/${id}/approve`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"comment":',
  })
  assert.equal(broken.status, 400)
  assert.equal(stateOf(id), 'pending')
})

test('nothing turns one method into another', async () => {
  const id = await file()
  const headers = { 'x-http-method-override': 'POST', 'x-method-override': 'POST', 'x-http-method': 'POST' }
  await dana.get(`/r/${id}?_method=POST&answer=approve&csrf=${csrf}`, headers)
  await dana.get(`/api/v1/requests/${id}/approve?_method=POST`, { ...headers, 'x-postern-csrf': csrf })
  await dana.get(`/r/${id}/withdraw?_method=POST`, headers)
  assert.equal(stateOf(id), 'pending')
  for (const method of ['PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    const { status } = await rawRequest(on.api.port, {
      path: `/api/v1/requests/${id}/approve`,
      method,
      headers: {
        host: `127.0.0.1:${String(on.api.port)}`,
        authorization: `Bearer ${await on.token('dana@example.com')}`,
      },
    })
    assert.ok(status >= 400, `${method} ${String(status)}`)
  }
  assert.equal(stateOf(id), 'pending')
})

test('a token in the address counts for nothing', async () => {
  const token = await on.token(alice)
  for (const query of [
    `access_token=${token.slice(0, 1_800)}`,
    `token=${token.slice(0, 1_800)}`,
    `authorization=Bearer%20x`,
  ]) {
    assert.equal((await fetch(`${on.api.url}/api/v1/me?${query}`)).status, 401)
  }
})

test('answers may not be kept, framed, sniffed or scripted', async () => {
  const { url } = on.api
  const id = await file()
  for (const path of [
    '/',
    `/r/${id}`,
    '/login',
    '/nothing',
    '/api/v1/me',
    '/api/v1/nothing',
    `/r/${id}/statement.txt`,
  ]) {
    const { headers } = await dana.get(path)
    assert.match(
      headers.get('content-security-policy') ?? '',
      /^default-src 'none'; style-src 'self';.*frame-ancestors 'none'$/,
      path,
    )
    assert.equal(headers.get('cache-control'), 'no-store', path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
    assert.equal(headers.get('strict-transport-security'), null, 'only by https')
    assert.equal(headers.get('access-control-allow-origin'), null)
  }
  const cookie = (await fetch(`${url}/login`, { redirect: 'manual' })).headers.get('set-cookie') ?? ''
  assert.match(cookie, /HttpOnly; SameSite=Lax/)
})

test('behind https, cookies are for this host and https only', async () => {
  const secure = await startTestApi({ publicUrl: 'https://postern.example.com' })
  try {
    const headers = { host: 'postern.example.com' }
    const login = await rawRequest(secure.api.port, { path: '/login', headers })
    assert.equal(login.status, 303)
    assert.match(
      String(login.headers['set-cookie']),
      /^__Host-postern-login=[^;]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    )
    assert.match(login.headers.location ?? '', /redirect_uri=https%3A%2F%2Fpostern\.example\.com%2Fcallback/)
    assert.match(login.headers['strict-transport-security'] ?? '', /max-age=/)
    const elsewhere = await rawRequest(secure.api.port, {
      path: '/login?to=/grants',
      headers: { host: `localhost:${String(secure.api.port)}` },
    })
    assert.equal(elsewhere.headers.location, 'https://postern.example.com/login?to=%2Fgrants')
  } finally {
    await secure.stop()
  }
})

test('a log-in ends with its token, with a revocation, and when it is logged out', async () => {
  let revokedMs = 0
  const there = await startTestApi({ services: { revokedBeforeMs: () => revokedMs } })
  try {
    const browser = visitor(there.api.url)
    await logIn(browser, 'u-1002')
    const page = await (await browser.get('/')).text()
    assert.equal((await browser.submit('/logout', { csrf: 'wrong' })).status, 403)
    assert.equal(
      (await browser.submit('/logout', { csrf: csrfOf(page) }, { origin: 'https://evil.example' })).status,
      403,
    )
    assert.equal((await browser.get('/')).status, 200)
    const stolen = browser.cookies.get('postern') ?? ''
    assert.equal((await browser.submit('/logout', { csrf: csrfOf(page) })).status, 303)
    browser.cookies.set('postern', stolen)
    assert.equal((await browser.get('/api/v1/me')).status, 401)

    await logIn(browser, 'u-1002')
    revokedMs = there.clock.nowMs + 1
    assert.equal((await browser.get('/api/v1/me')).status, 401)
    revokedMs = 0
    assert.equal((await browser.get('/api/v1/me')).status, 401, 'it does not come back')

    await logIn(browser, 'u-1002')
    assert.equal((await browser.get('/api/v1/me')).status, 200)
    there.clock.nowMs += 2 * 3_600_000
    assert.equal((await browser.get('/api/v1/me')).status, 401)
  } finally {
    await there.stop()
  }
})

test('guessing slows its address down, and a header of a proxy does not make it another one', async () => {
  const there = await startTestApi({
    rates: { perAddress: { burst: 50, perMinute: 60 }, perPrincipal: { burst: 5, perMinute: 1 }, failureCost: 20 },
  })
  try {
    const statuses: number[] = []
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const response = await fetch(`${there.api.url}/api/v1/me`, {
        headers: {
          authorization: `Bearer guess${String(attempt)}`,
          'x-forwarded-for': `10.0.0.${String(attempt)}`,
          'x-real-ip': `10.0.0.${String(attempt)}`,
          forwarded: `for=10.0.0.${String(attempt)}`,
        },
      })
      statuses.push(response.status)
      if (response.status === 429) {
        assert.match(response.headers.get('retry-after') ?? '', /^\d+$/)
        assert.match(await response.text(), /"rate_limited"/)
      }
    }
    assert.deepEqual(statuses, [401, 401, 401, 429, 429, 429])
    there.clock.nowMs += 120_000
    const own: number[] = []
    for (let attempt = 0; attempt < 7; attempt += 1) own.push((await there.call(alice, '/api/v1/me')).status)
    assert.deepEqual(own, [200, 200, 200, 200, 200, 429, 429])
    assert.equal((await there.call('sam@example.com', '/api/v1/me')).status, 200, 'others are not held up by it')
  } finally {
    await there.stop()
  }
})

test('a caller whose request is not HTTP is cut off', async () => {
  const socket = connect(on.api.port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nHost : y\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc')
  await new Promise((resolve) => socket.once('close', resolve))
  assert.match(Buffer.concat(chunks).toString('utf8'), /^HTTP\/1\.1 400/)
})
