import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import { ConsoleSessions, isSameSecret } from './console-sessions.ts'
import { requestIdOf } from './ids.ts'
import { localPath } from './log-in.ts'
import { span, visible } from './page-text.ts'
import { addressKey, RateLimiter } from './rates.ts'
import { createSite } from './site.ts'

function principal(subject: string, expiresAtMs = 10_000): Principal {
  return {
    issuer: 'https://id.example',
    subject,
    name: subject,
    kind: 'human',
    groups: [],
    actors: [],
    authenticationMethods: [],
    tokenId: undefined,
    expiresAtMs,
  }
}

test('a bucket gives its burst, then its rate, and says how long to wait', () => {
  const limiter = new RateLimiter({ burst: 2, perMinute: 60 }, 10)
  assert.deepEqual(
    [0, 0, 0, 500, 1_000, 1_000].map((atMs) => limiter.take('a', atMs)),
    [null, null, 1, 1, null, 1],
  )
  limiter.charge('a', 100, 1_000)
  assert.equal(limiter.take('a', 1_000), 3, 'debt is at most a burst')
  assert.equal(limiter.take('a', -9e9), 3, 'a clock that goes back gives nothing')
})

test('made-up keys share what is left once there are too many', () => {
  const limiter = new RateLimiter({ burst: 2, perMinute: 1 }, 3)
  for (const key of ['a', 'b', 'c']) for (let each = 0; each < 2; each += 1) limiter.take(key, 0)
  const others = ['d', 'e', 'f', 'g'].map((key) => limiter.take(key, 1))
  assert.deepEqual(
    others.map((wait) => wait === null),
    [true, true, false, false],
  )
  assert.equal(limiter.take('h', 600_000), null, 'full ones are forgotten')
})

test('addresses of one IPv6 network are one caller, and mapped ones are IPv4', () => {
  assert.equal(addressKey('2001:db8:1:2:3:4:5:6'), addressKey('2001:DB8:1:2::1'))
  assert.notEqual(addressKey('2001:db8:1:2::1'), addressKey('2001:db8:1:3::1'))
  assert.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0')
  assert.equal(addressKey('::ffff:10.0.0.1'), '10.0.0.1')
  assert.equal(addressKey('::1'), '0:0:0:0')
})

test('a console session ends with its token or at its age, whichever is first', () => {
  const sessions = new ConsoleSessions(5_000)
  const short = sessions.open({ principal: principal('a', 1_000), token: 't' }, 0)
  const long = sessions.open({ principal: principal('a'), token: 't' }, 0)
  assert.notEqual(sessions.find(short, 999), null)
  assert.equal(sessions.find(short, 1_000), null)
  assert.equal(sessions.find(long, 4_999)?.token, 't')
  assert.equal(sessions.find(long, 5_000), null)
  assert.equal(sessions.find('', 0), null)
})

test('a principal has so many sessions and no more, and nobody else loses one by it', () => {
  const sessions = new ConsoleSessions(5_000)
  const other = sessions.open({ principal: principal('b'), token: 't' }, 0)
  const ids = Array.from({ length: limits.consoleSessionsPerPrincipalMax + 1 }, () =>
    sessions.open({ principal: principal('a'), token: 't' }, 0),
  )
  assert.equal(sessions.find(ids[0] ?? '', 1), null)
  assert.notEqual(sessions.find(ids[1] ?? '', 1), null)
  assert.notEqual(sessions.find(other, 1), null)
})

test('secrets are the same only where all of them is', () => {
  assert.equal(isSameSecret('abc', 'abc'), true)
  for (const other of ['', 'ab', 'abcd', 'abd']) assert.equal(isSameSecret(other, 'abc'), false)
})

test('only paths of pages are led back to', () => {
  for (const path of ['/', '/grants', '/r/r_0123456789ab']) assert.equal(localPath(path), path)
  for (const path of [undefined, '', '//x', '/r/', '/r/r_A', '/grants?x', '/login', 'r/r_0'])
    assert.equal(localPath(path), '/')
})

test('what would not be seen is named, and gaps are counted', async () => {
  const shown = String(await visible('a\u202eb\u00adc\u200bd\u00a0e\r\nf\tg'))
  assert.equal(
    shown.replaceAll(/<span class="mark">(.*?)<\/span>/g, '[$1]'),
    'a[U+202E]b[U+00AD]c[U+200B]d[U+00A0]e\r\nf\tg',
  )
  assert.match(String(await visible(`x${'\n'.repeat(500)}y`)), /499 empty lines left out here/)
  assert.match(String(await visible(`x${' '.repeat(500)}y`)), /500 spaces/)
  assert.match(String(await visible(`x${'\n  \t '.repeat(500)}\ny`)), /500 empty lines left out here/)
  assert.equal(String(await visible(`<b>&'"`)), '&lt;b&gt;&amp;&#39;&quot;')
  assert.match(String(await visible('\ud800')), /U\+D800/)
  assert.equal(String(await visible('SELECT 1\n\nFROM größe -- 名前 😀')), 'SELECT 1\n\nFROM größe -- 名前 😀')
})

test('lengths of time are said in the unit that one thinks in', () => {
  assert.deepEqual([999, 1_000, 59_000, 60_000, 5_400_000, 86_400_000, 172_800_000].map(span), [
    null,
    '1 second',
    '59 seconds',
    '1 minute',
    '1 hour',
    '24 hours',
    '2 days',
  ])
})

test('what cannot be an id is unknown before anybody is asked', () => {
  assert.equal(requestIdOf('r_0123456789ab'), 'r_0123456789ab')
  for (const text of ['', 'r_', 'a_0123456789ab', 'r_A', 'r_..', 'r_0\n', `r_${'0'.repeat(33)}`, '__proto__']) {
    assert.throws(() => requestIdOf(text), { code: 'request_unknown' }, text)
  }
})

test('a public URL is an origin and nothing more', () => {
  const at = { address: '127.0.0.1', port: 80, isTls: false }
  assert.equal(createSite({ ...at, publicUrl: 'https://p.example/' }).url, 'https://p.example')
  for (const publicUrl of [
    'p.example',
    'https://p.example/x',
    'https://u:p@p.example',
    'ftp://p.example',
    'https://p.example?x',
  ]) {
    assert.throws(() => createSite({ ...at, publicUrl }), PosternError, publicUrl)
  }
  const site = createSite({ ...at, publicUrl: 'https://p.example' })
  assert.deepEqual(
    ['p.example', 'P.EXAMPLE', '127.0.0.1', 'localhost:80', 'q.example', undefined].map((host) => site.isOwnHost(host)),
    [true, true, true, true, false, false],
  )
  assert.equal(
    createSite({ address: '0.0.0.0', port: 8_432, isTls: false, publicUrl: null }).isOwnHost('10.0.0.1:8432'),
    false,
  )
})
