import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { csrfOf, logIn, startTestApi, visitor, type TestApi } from './testing.ts'

let on: TestApi
before(async () => {
  on = await startTestApi()
})
after(() => on.stop())

const alice = 'alice@example.com'

test('a log-in takes the visitor back to the request they came for', async () => {
  const { id } = on.access.fileStatement(await on.principal(alice))
  const dana = visitor(on.api.url)
  const turnedAway = await dana.get(`/r/${id}`)
  assert.equal(turnedAway.status, 303)
  assert.equal(turnedAway.headers.get('location'), `/login?to=${encodeURIComponent(`/r/${id}`)}`)
  const back = await logIn(dana, 'u-1002', `/r/${id}`)
  assert.equal(back.status, 303)
  assert.equal(back.headers.get('location'), `/r/${id}`)
  const page = await (await dana.get(`/r/${id}`)).text()
  assert.match(page, /alice@example\.com/)
  assert.match(page, /pseudonym-1/)
  assert.doesNotMatch(page, /mia@example/)
  const answered = await dana.submit(`/r/${id}`, { csrf: csrfOf(page), answer: 'approve', comment: 'ok' })
  assert.equal(answered.status, 303, await answered.text())
  assert.match(await (await dana.get(answered.headers.get('location') ?? '')).text(), /You said yes/)
  assert.equal(on.access.filed.get(id)?.request.state.state, 'approved')
})

test('whoever is asked for an access role is told what it is for and where it holds', async () => {
  const wish = { role: 'support-lead', durationMs: 3_600_000, reason: 'INC-1' }
  const { request } = await on.access.ask(await on.principal(alice), wish)
  const dana = visitor(on.api.url)
  await logIn(dana, 'u-1002', `/r/${request.id}`)
  const page = await (await dana.get(`/r/${request.id}`)).text()
  assert.match(page, /Sees the e-mail addresses of customers/)
  assert.match(page, /<dt>Where<\/dt>\s*<dd>(?:<[^>]+>)*(?:shop|all databases)/)
})
