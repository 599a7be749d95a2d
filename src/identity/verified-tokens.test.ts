import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Principal } from '../core/principal.ts'
import { VerifiedTokens, type VerifiedToken } from './verified-tokens.ts'

const principal: Principal = {
  issuer: 'https://id.example.com',
  subject: 'u-1',
  name: 'alice@example.com',
  kind: 'human',
  groups: [],
  actors: [],
  authenticationMethods: [],
  tokenId: undefined,
  expiresAtMs: 2_000_000,
}

function verifiedAt(verifiedAtMs: number): VerifiedToken {
  return { principal, usableUntilMs: principal.expiresAtMs, verifiedAtMs }
}

describe('verified tokens', () => {
  it('are found until they are over', () => {
    const tokens = new VerifiedTokens()
    tokens.add('a', verifiedAt(1_900_000))
    assert.equal(tokens.find('a', 1_999_999)?.principal, principal)
    assert.equal(tokens.find('a', 2_000_000), undefined)
    assert.equal(tokens.find('a', 1_999_999), undefined, 'what is over is forgotten')
    assert.equal(tokens.find('b', 0), undefined)
  })

  it('are verified anew after ten minutes, so that a withdrawn key stops them', () => {
    const tokens = new VerifiedTokens()
    tokens.add('a', verifiedAt(1_000_000))
    assert.ok(tokens.find('a', 1_599_999))
    assert.equal(tokens.find('a', 1_600_000), undefined)
  })

  it('are not trusted when the clock went back', () => {
    const tokens = new VerifiedTokens()
    tokens.add('a', verifiedAt(1_000_000))
    assert.equal(tokens.find('a', 999_999), undefined)
  })

  it('are bounded in number, the oldest going first', () => {
    const tokens = new VerifiedTokens(2)
    for (const digest of ['a', 'b', 'c']) tokens.add(digest, verifiedAt(1_000_000))
    assert.equal(tokens.find('a', 1_000_001), undefined)
    assert.ok(tokens.find('b', 1_000_001))
    assert.ok(tokens.find('c', 1_000_001))
  })
})
