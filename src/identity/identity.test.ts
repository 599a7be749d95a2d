import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { sandboxClaims, startIssuer, type SandboxIssuer } from '../../sandbox/issuer.ts'
import { PosternError, sqlstateOf, type ErrorCode } from '../core/errors.ts'
import { createIdentifier, type Identifier, type IssuerConfig } from './identity.ts'

let issuer: SandboxIssuer
let identifier: Identifier

function configOf(from: SandboxIssuer, more: Partial<IssuerConfig> = {}): IssuerConfig {
  return { url: from.url, audience: from.audience, allowInsecure: true, claims: sandboxClaims, ...more }
}

async function refusalOf(attempt: Promise<unknown>): Promise<PosternError> {
  try {
    await attempt
  } catch (error) {
    assert.ok(error instanceof PosternError, String(error))
    return error
  }
  return assert.fail('it was accepted')
}

async function refuses(token: string, code: ErrorCode, nowMs = Date.now()): Promise<PosternError> {
  const refusal = await refusalOf(identifier.identify(token, nowMs))
  assert.equal(refusal.code, code, refusal.message)
  assert.ok(token === '' || !JSON.stringify([refusal.message, refusal.hint, refusal.cause]).includes(token))
  return refusal
}

before(async () => {
  issuer = await startIssuer()
  identifier = createIdentifier({ issuers: [configOf(issuer)], unknownKeyPauseMs: 0 })
})

after(async () => {
  identifier.close()
  await issuer.stop()
})

describe('identify', () => {
  it('makes a principal of a genuine token', async () => {
    const nowMs = Date.now()
    const principal = await identifier.identify(await issuer.issueToken({ identity: 'dana@example.com' }), nowMs)
    assert.equal(principal.name, 'dana@example.com')
    assert.equal(principal.kind, 'human')
    assert.equal(principal.issuer, issuer.url)
    assert.equal(principal.subject, 'u-1002')
    assert.deepEqual(principal.groups, ['dba', 'engineering'])
    assert.deepEqual(principal.actors, [])
    assert.deepEqual(principal.authenticationMethods, ['pwd', 'otp'])
    assert.equal(typeof principal.tokenId, 'string')
    assert.ok(Math.abs(principal.expiresAtMs - nowMs - 3_630_000) < 5_000, 'an hour and the leeway')
  })

  it('accepts RS256 as well as ES256', async () => {
    const token = await issuer.issueToken({ identity: 'alice@example.com', algorithm: 'RS256' })
    assert.equal((await identifier.identify(token, Date.now())).name, 'alice@example.com')
  })

  it('knows services and agents by the configured claim, and the actor of an agent', async () => {
    const service = await identifier.identify(await issuer.issueToken({ identity: 'ci-deploy' }), Date.now())
    assert.deepEqual([service.name, service.kind], ['ci-deploy', 'service'])
    const agent = await identifier.identify(await issuer.issueToken({ identity: 'report-agent' }), Date.now())
    assert.deepEqual([agent.name, agent.kind, agent.subject], ['report-agent', 'agent', 'u-1001'])
    assert.deepEqual(agent.actors, [{ issuer: issuer.url, subject: 'report-agent' }])
  })

  it('refuses an empty password as an absent token', async () => {
    await refuses('', 'token_absent')
  })

  it('refuses a shared password with what to do instead', async () => {
    for (const password of ['hunter2', 'a.b', '....', 'a.b.c', 'e30.W10.e30', 'a.b.c.d.e', 'x y.z.z']) {
      const refusal = await refuses(password, 'token_malformed')
      assert.match(refusal.message, /shared passwords are not accepted/)
      assert.match(refusal.hint ?? '', /postern token/)
    }
  })

  it('refuses an oversized token before it reads any of it', async () => {
    const refusal = await refuses(`e30.e30.${'A'.repeat(40_000)}`, 'token_malformed')
    assert.match(refusal.message, /too long/)
  })

  it('refuses a token past its expiry and leeway, and accepts one within the leeway', async () => {
    await refuses(await issuer.issueToken({ identity: 'alice@example.com', expiresInS: -31 }), 'token_expired')
    const late = await issuer.issueToken({ identity: 'alice@example.com', expiresInS: -20 })
    const principal = await identifier.identify(late, Date.now())
    const leftMs = principal.expiresAtMs - Date.now()
    assert.ok(leftMs > 0 && leftMs <= 10_000, 'a session that begins within the leeway ends with it')
  })

  it('refuses a token without an expiry', async () => {
    const token = await issuer.issueToken({ identity: 'alice@example.com', overrides: { exp: undefined } })
    assert.match((await refuses(token, 'token_unusable')).message, /`exp` claim is missing/)
  })

  it('refuses a token that is not valid yet or was issued in the future, beyond the leeway', async () => {
    const nowS = Math.floor(Date.now() / 1_000)
    const identity = 'alice@example.com'
    const early = await refuses(await issuer.issueToken({ identity, notBeforeS: 90 }), 'token_unusable')
    assert.match(early.message, /not valid yet/)
    await refuses(await issuer.issueToken({ identity, overrides: { iat: nowS + 90 } }), 'token_unusable')
    await identifier.identify(await issuer.issueToken({ identity, notBeforeS: 20 }), Date.now())
    await identifier.identify(await issuer.issueToken({ identity, overrides: { iat: nowS + 20 } }), Date.now())
  })

  it('refuses another audience and another issuer in the same words', async () => {
    const identity = 'alice@example.com'
    const wrongAudience = await refuses(await issuer.issueToken({ identity, audience: 'payroll' }), 'token_foreign')
    await refuses(await issuer.issueToken({ identity, overrides: { aud: undefined } }), 'token_foreign')
    const other = await startIssuer()
    const wrongIssuer = await refuses(await other.issueToken({ identity }), 'token_foreign')
    await other.stop()
    assert.equal(wrongIssuer.message, wrongAudience.message)
    assert.equal(sqlstateOf(wrongIssuer.code), '28000')
    assert.ok(![wrongIssuer.message, wrongIssuer.hint].join(' ').includes(issuer.url))
  })

  it('accepts one audience of several', async () => {
    const token = await issuer.issueToken({ identity: 'alice@example.com', audience: ['payroll', 'postern'] })
    await identifier.identify(token, Date.now())
  })

  it('refuses a token without the name claim and says which claim it is', async () => {
    const token = await issuer.issueToken({
      identity: 'alice@example.com',
      overrides: { preferred_username: undefined },
    })
    const refusal = await refuses(token, 'token_unusable')
    assert.match(refusal.message, /preferred_username/)
    assert.match(refusal.hint ?? '', /claims\.name/)
  })
})

describe('verified tokens', () => {
  it('are verified once however often they are presented, also at the same moment', async () => {
    const own = await startIssuer()
    const counted = createIdentifier({ issuers: [configOf(own)] })
    const token = await own.issueToken({ identity: 'alice@example.com' })
    const nowMs = Date.now()
    const principals = await Promise.all(Array.from({ length: 50 }, () => counted.identify(token, nowMs)))
    assert.equal(new Set(principals).size, 1)
    assert.equal(await counted.identify(token, nowMs + 1), principals[0], 'the same object, so nothing was verified')
    assert.equal(own.requestCounts.get('/.well-known/openid-configuration'), 1)
    assert.equal(own.requestCounts.get('/jwks'), 1)
    counted.forget()
    assert.notEqual(await counted.identify(token, nowMs + 1), principals[0])
    counted.close()
    await own.stop()
  })

  it('end with the token, not with the memory of it', async () => {
    const token = await issuer.issueToken({ identity: 'alice@example.com', expiresInS: 60 })
    const nowMs = Date.now()
    await identifier.identify(token, nowMs)
    await identifier.identify(token, nowMs + 88_000)
    await refuses(token, 'token_expired', nowMs + 91_000)
  })
})

describe('a verification that two log-ins share', () => {
  it('does not let the later one in after the token has ended', async () => {
    const token = await issuer.issueToken({ identity: 'alice@example.com', expiresInS: 60 })
    const nowMs = Date.now()
    const early = identifier.identify(token, nowMs)
    const late = refuses(token, 'token_expired', nowMs + 91_000)
    assert.equal((await early).name, 'alice@example.com')
    await late
  })
})

describe('issuer keys', () => {
  it('follow a rotation: new keys are accepted, old ones refused once forgotten', async () => {
    const own = await startIssuer()
    const following = createIdentifier({ issuers: [configOf(own)], unknownKeyPauseMs: 0 })
    const old = await own.issueToken({ identity: 'alice@example.com' })
    await following.identify(old, Date.now())
    await own.rotateKeys()
    const fresh = await own.issueToken({ identity: 'alice@example.com' })
    await following.identify(fresh, Date.now())
    following.forget()
    const refusal = await refusalOf(following.identify(old, Date.now()))
    assert.equal(refusal.code, 'token_untrusted')
    following.close()
    await own.stop()
  })

  it('are not fetched again and again for forged key ids', async () => {
    const own = await startIssuer()
    const guarded = createIdentifier({ issuers: [configOf(own)] })
    for (let index = 0; index < 50; index += 1) {
      const token = await own.issueToken({ identity: 'alice@example.com', header: { kid: `forged-${index}` } })
      const refusal = await refusalOf(guarded.identify(token, Date.now()))
      assert.equal(refusal.code, 'token_untrusted')
    }
    assert.equal(own.requestCounts.get('/jwks'), 1)
    guarded.close()
    await own.stop()
  })

  it('make nobody pass while the issuer is down, and everybody once it is up', async () => {
    const first = await startIssuer()
    const { port } = first
    await first.stop()
    const waiting = createIdentifier({ issuers: [configOf(first)] })
    const token = await first.issueToken({ identity: 'alice@example.com' })
    const refusal = await refusalOf(waiting.identify(token, Date.now()))
    assert.equal(refusal.code, 'issuer_unavailable')
    assert.equal(sqlstateOf(refusal.code), '57P03')
    assert.ok(![refusal.message, refusal.hint].join(' ').includes(first.url))
    const [probe] = await waiting.probe()
    assert.match(probe?.error ?? '', /openid-configuration/)

    const second = await startIssuer({ port })
    const fresh = await second.issueToken({ identity: 'alice@example.com' })
    let name = ''
    for (let attempt = 0; attempt < 40 && name === ''; attempt += 1) {
      await sleep(100)
      name = await waiting.identify(fresh, Date.now()).then(
        (principal) => principal.name,
        () => '',
      )
    }
    assert.equal(name, 'alice@example.com')
    assert.deepEqual(await waiting.probe(), [{ url: second.url, error: null }])
    waiting.close()
    await second.stop()
  })
})

describe('several issuers', () => {
  it('cannot mint principals of each other', async () => {
    const other = await startIssuer()
    const both = createIdentifier({
      issuers: [configOf(issuer), configOf(other, { prefix: 'partner:' })],
    })
    const partner = await both.identify(await other.issueToken({ identity: 'alice@example.com' }), Date.now())
    assert.equal(partner.name, 'partner:alice@example.com')
    assert.deepEqual(partner.groups, ['partner:engineering'])
    for (const overrides of [
      { preferred_username: 'partner:alice@example.com' },
      { groups: ['partner:engineering'] },
    ]) {
      const token = await issuer.issueToken({ identity: 'alice@example.com', overrides })
      assert.equal((await refusalOf(both.identify(token, Date.now()))).code, 'token_unusable')
    }
    both.close()
    await other.stop()
  })

  it('cannot sign for each other', async () => {
    const other = await startIssuer()
    const both = createIdentifier({ issuers: [configOf(issuer), configOf(other, { prefix: 'partner:' })] })
    const token = await other.issueToken({ identity: 'alice@example.com', overrides: { iss: issuer.url } })
    assert.equal((await refusalOf(both.identify(token, Date.now()))).code, 'token_untrusted')
    both.close()
    await other.stop()
  })
})
