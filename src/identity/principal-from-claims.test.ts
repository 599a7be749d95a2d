import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { resolveIssuers, type ClaimsConfig } from './issuer-config.ts'
import { principalFromClaims, type Claims } from './principal-from-claims.ts'

const good: Claims = { sub: 'u-1', email: 'alice@example.com', email_verified: true, exp: 1_800_000_000 }

function principalOf(claims: Claims, config: ClaimsConfig = {}, prefix = '') {
  const [issuer] = resolveIssuers([{ url: 'https://id.example.com', audience: 'postern', claims: config, prefix }])
  if (issuer === undefined) assert.fail('an issuer was configured')
  return principalFromClaims(claims, issuer)
}

function refuses(claims: Claims, reason: RegExp, config: ClaimsConfig = {}): void {
  assert.throws(
    () => principalOf(claims, config),
    (error) => error instanceof PosternError && error.code === 'token_unusable' && reason.test(error.message),
  )
}

describe('the name', () => {
  it('comes from the configured claim, a path, or a claim with dots in its own name', () => {
    assert.equal(principalOf(good).name, 'alice@example.com')
    assert.equal(principalOf({ ...good, user: { login: 'al' } }, { name: 'user.login' }).name, 'al')
    assert.equal(
      principalOf({ ...good, 'https://x.example/login': 'al' }, { name: 'https://x.example/login' }).name,
      'al',
    )
  })

  it('is refused when it cannot be compared, shown and recorded safely', () => {
    const bad = [
      '',
      ' ',
      'a\u0000b',
      'a\nb',
      ' alice',
      'alice ',
      'a\u202eb',
      'a\u200bb',
      'e\u0301',
      '\ud800',
      7,
      {},
      ['a'],
      true,
    ]
    for (const email of [...bad, 'a'.repeat(256)]) refuses({ ...good, email }, /email/)
    refuses({ ...good, email: undefined }, /has no `email`/)
    assert.equal(principalOf({ ...good, email: '\u00e9va@example.com' }).name, '\u00e9va@example.com')
  })

  it('is not looked for in what every object inherits', () => {
    refuses(good, /has no `constructor\.name`/, { name: 'constructor.name' })
    refuses(good, /has no `__proto__`/, { name: '__proto__' })
  })
})

describe('a prefix', () => {
  it('is put before the name and the groups, and counts for their length', () => {
    const principal = principalOf({ ...good, groups: ['g'] }, {}, 'corp:')
    assert.deepEqual([principal.name, principal.groups], ['corp:alice@example.com', ['corp:g']])
    assert.throws(() => principalOf({ ...good, email: 'a'.repeat(251) }, {}, 'corp:'), /too long/)
    assert.throws(() => principalOf({ ...good, groups: ['g'.repeat(251)] }, {}, 'corp:'), /too long a name/)
    principalOf({ ...good, email: 'a'.repeat(250), groups: ['g'.repeat(250)] }, {}, 'corp:')
  })
})

describe('an unverified e-mail address', () => {
  it('is refused, also where nothing is said about it, unless configured otherwise', () => {
    refuses({ ...good, email_verified: false }, /email_verified/)
    refuses({ ...good, email_verified: undefined }, /email_verified/)
    refuses({ ...good, email_verified: 'false' }, /email_verified/)
    assert.equal(principalOf({ ...good, email_verified: 'true' }).name, 'alice@example.com')
    assert.equal(
      principalOf({ ...good, email_verified: false }, { requireVerifiedEmail: false }).name,
      'alice@example.com',
    )
  })

  it('is no matter where the name comes from another claim', () => {
    assert.equal(principalOf({ ...good, email_verified: false, login: 'al' }, { name: 'login' }).name, 'al')
  })
})

describe('groups', () => {
  it('are read from a list, a single text, or a path, without duplicates', () => {
    assert.deepEqual(principalOf({ ...good, groups: ['a', 'b', 'a'] }).groups, ['a', 'b'])
    assert.deepEqual(principalOf({ ...good, groups: 'a b' }).groups, ['a b'])
    assert.deepEqual(
      principalOf({ ...good, realm_access: { roles: ['x'] } }, { groups: 'realm_access.roles' }).groups,
      ['x'],
    )
    assert.deepEqual(principalOf(good).groups, [])
  })

  it('are refused as a whole when one is malformed, since the one left out may be the one a policy forbids', () => {
    for (const bad of ['', 7, null, 'a\u0000', 'a\u202e', ['a'], 'g'.repeat(256)]) {
      refuses({ ...good, groups: ['ok', bad] }, /group/)
    }
    refuses({ ...good, groups: { a: 1 } }, /group/)
    refuses({ ...good, groups: Array.from({ length: 1_001 }, (_, index) => `g${index}`) }, /too many groups/)
    refuses({ ...good, _claim_names: { groups: 'src1' } }, /too many groups/)
  })
})

describe('the kind', () => {
  const kind = { claim: 'idtyp', values: { app: 'service', bot: 'agent' } } as const

  it('is human unless the configured claim says otherwise', () => {
    assert.equal(principalOf(good).kind, 'human')
    assert.equal(principalOf(good, { kind }).kind, 'human')
    assert.equal(principalOf({ ...good, idtyp: 'app' }, { kind }).kind, 'service')
    assert.equal(
      principalOf({ ...good, bot: true }, { kind: { claim: 'bot', values: { true: 'agent' } } }).kind,
      'agent',
    )
  })

  it('is refused when the claim says something that is not configured', () => {
    for (const idtyp of ['device', '', null, {}, 'toString']) refuses({ ...good, idtyp }, /kind of party/, { kind })
  })
})

describe('actors', () => {
  it('are listed nearest first, with the token issuer where none is stated', () => {
    const act = { sub: 'agent', act: { sub: 'scheduler', iss: 'https://other.example' } }
    assert.deepEqual(principalOf({ ...good, act }).actors, [
      { issuer: 'https://id.example.com', subject: 'agent' },
      { issuer: 'https://other.example', subject: 'scheduler' },
    ])
  })

  it('are refused when malformed or too many', () => {
    for (const act of ['agent', null, [], {}, { sub: 7 }, { sub: 'a', act: 'b' }, { sub: 'a', iss: 1 }]) {
      refuses({ ...good, act }, /act/)
    }
    let chain: unknown
    for (let depth = 0; depth < 9; depth += 1)
      chain = { sub: `a${depth}`, ...(chain === undefined ? {} : { act: chain }) }
    refuses({ ...good, act: chain }, /chain of actors is too long/)
  })
})

describe('other claims', () => {
  it('are refused when malformed', () => {
    refuses({ ...good, sub: undefined }, /sub/)
    refuses({ ...good, sub: 'a\u0007' }, /sub/)
    refuses({ ...good, exp: 1e300 }, /exp/)
    for (const amr of ['pwd', [1], Array.from({ length: 33 }, () => 'x')]) refuses({ ...good, amr }, /amr/)
  })

  it('give the expiry in milliseconds and the token id where there is one', () => {
    assert.equal(principalOf(good).expiresAtMs, 1_800_000_030_000)
    assert.equal(principalOf(good).tokenId, undefined)
    assert.equal(principalOf({ ...good, jti: 'j-1' }).tokenId, 'j-1')
  })
})
