import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { isLoopbackHost, resolveIssuers, type IssuerConfig } from './issuer-config.ts'

const good: IssuerConfig = { url: 'https://id.example.com', audience: 'postern' }

function refuses(issuers: readonly IssuerConfig[], reason: RegExp): void {
  assert.throws(
    () => resolveIssuers(issuers),
    (error) => error instanceof PosternError && error.code === 'config_invalid' && reason.test(error.message),
  )
}

describe('issuers in the configuration', () => {
  it('get safe defaults', () => {
    const [issuer] = resolveIssuers([good])
    assert.deepEqual(issuer?.algorithms, ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])
    assert.equal(issuer?.leewayS, 30)
    assert.equal(issuer?.nameClaim, 'email')
    assert.equal(issuer?.requireVerifiedEmail, true)
  })

  it('must be https, or http on loopback when that is switched on by name', () => {
    refuses([{ ...good, url: 'http://id.example.com', allowInsecure: true }], /not https/)
    refuses([{ ...good, url: 'http://127.0.0.1:9' }], /not https/)
    refuses([{ ...good, url: 'http://127.0.0.1.example.com', allowInsecure: true }], /not https/)
    refuses([{ ...good, url: 'https://u:p@id.example.com' }], /not a plain URL/)
    refuses([{ ...good, url: 'id.example.com' }], /not a plain URL/)
    resolveIssuers([{ ...good, url: 'http://127.0.0.1:9', allowInsecure: true }])
  })

  it('never accept unsigned or shared-secret tokens', () => {
    for (const name of ['none', 'HS256', 'HS512', 'dir', 'rs256'])
      refuses([{ ...good, algorithms: [name] }], /algorithms/)
    refuses([{ ...good, algorithms: [] }], /algorithms/)
  })

  it('need an audience and a bounded leeway', () => {
    refuses([{ ...good, audience: [] }], /audience/)
    refuses([{ ...good, audience: '' }], /audience/)
    for (const leewayS of [-1, 121, Number.NaN]) refuses([{ ...good, leewayS }], /leeway/)
    assert.equal(resolveIssuers([{ ...good, leewayS: 0 }])[0]?.leewayS, 0)
  })

  it('must be told apart by distinct prefixes', () => {
    const other = { ...good, url: 'https://id.example.org' }
    refuses([], /no issuer/)
    refuses([good, other], /same `prefix`/)
    refuses([good, good], /twice/)
    refuses([{ ...good, prefix: 'a b' }], /prefix/)
    const [first, second] = resolveIssuers([good, { ...other, prefix: 'org:' }])
    assert.deepEqual(first?.foreignPrefixes, ['org:'])
    assert.deepEqual(second?.foreignPrefixes, [])
  })
})

describe('isLoopbackHost', () => {
  it('knows this machine from the rest of the world', () => {
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]', '::1']) assert.ok(isLoopbackHost(host), host)
    for (const host of ['127.0.0.1.example.com', 'localhost.example.com', '10.0.0.1', '[::2]', '']) {
      assert.ok(!isLoopbackHost(host), host)
    }
  })
})
