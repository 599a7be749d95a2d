import assert from 'node:assert/strict'
import { createHmac, createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import * as fc from 'fast-check'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { sandboxClaims, startIssuer, type SandboxIssuer } from '../../sandbox/issuer.ts'
import { PosternError } from '../core/errors.ts'
import { createIdentifier, type Identifier } from './identity.ts'

let issuer: SandboxIssuer
let identifier: Identifier
let genuine: string

before(async () => {
  issuer = await startIssuer()
  identifier = createIdentifier({
    issuers: [{ url: issuer.url, audience: issuer.audience, allowInsecure: true, claims: sandboxClaims }],
  })
  genuine = await issuer.issueToken({ identity: 'alice@example.com' })
  await identifier.identify(genuine, Date.now())
})

after(async () => {
  identifier.close()
  await issuer.stop()
})

async function codeFor(token: string): Promise<string> {
  try {
    return `accepted as ${(await identifier.identify(token, Date.now())).name}`
  } catch (error) {
    return error instanceof PosternError ? error.code : String(error)
  }
}

function partsOf(token: string): [string, string, string] {
  const [header = '', claims = '', signature = ''] = token.split('.')
  return [header, claims, signature]
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
}

describe('forged tokens', () => {
  it('are refused when unsigned, in any spelling of none', async () => {
    const [, claims, signature] = partsOf(genuine)
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      assert.equal(await codeFor(`${encode({ alg })}.${claims}.`), 'token_untrusted')
      assert.equal(await codeFor(`${encode({ alg })}.${claims}.${signature}`), 'token_untrusted')
    }
    assert.equal(await codeFor(`${encode({})}.${claims}.`), 'token_untrusted')
  })

  it('are refused when the public key serves as a shared secret', async () => {
    const [, claims] = partsOf(genuine)
    for (const jwk of issuer.publicKeys()) {
      const pem = createPublicKey({ key: { ...jwk }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      for (const secret of [pem, JSON.stringify(jwk)]) {
        const header = encode({ alg: 'HS256', typ: 'JWT', kid: jwk.kid })
        const signature = createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url')
        assert.equal(await codeFor(`${header}.${claims}.${signature}`), 'token_untrusted')
      }
    }
  })

  it('are refused when an accepted algorithm does not fit the key it names', async () => {
    const [header, claims, signature] = partsOf(genuine)
    for (const alg of ['RS256', 'PS256', 'ES384', 'EdDSA']) {
      assert.equal(await codeFor(`${encode({ ...decode(header), alg })}.${claims}.${signature}`), 'token_untrusted')
    }
  })

  it('are refused when the claims were changed', async () => {
    const [header, claims, signature] = partsOf(genuine)
    const changed = encode({ ...decode(claims), preferred_username: 'dana@example.com' })
    assert.equal(await codeFor(`${header}.${changed}.${signature}`), 'token_untrusted')
  })

  it('are refused when they bring or point to their own key, which is never fetched', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'own', alg: 'ES256' }
    let requests = 0
    const server = createServer((_request, response) => {
      requests += 1
      response.end(JSON.stringify({ keys: [jwk] }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const url = typeof address === 'object' ? `http://127.0.0.1:${address?.port}/keys` : ''
    for (const more of [{ jku: url }, { x5u: url }, { jwk }, { kid: url }, { kid: '../../keys' }]) {
      const token = await new SignJWT(decode(partsOf(genuine)[1]))
        .setProtectedHeader({ alg: 'ES256', kid: 'own', ...more })
        .sign(privateKey)
      assert.equal(await codeFor(token), 'token_untrusted')
    }
    assert.equal(requests, 0)
    server.close()
  })

  it('are refused when signed by another key without a key id', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    const token = await new SignJWT(decode(partsOf(genuine)[1])).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
    assert.equal(await codeFor(token), 'token_untrusted')
  })

  it('are refused when genuine but of another sort', async () => {
    const identity = 'alice@example.com'
    for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'application/logout+jwt', '', 7]) {
      assert.equal(await codeFor(await issuer.issueToken({ identity, header: { typ } })), 'token_untrusted')
    }
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt']) {
      assert.match(await codeFor(await issuer.issueToken({ identity, header: { typ } })), /^accepted/)
    }
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
    assert.equal(await codeFor(await issuer.issueToken({ identity, overrides: { events } })), 'token_unusable')
    const cnf = { jkt: 'some-thumbprint' }
    assert.equal(await codeFor(await issuer.issueToken({ identity, overrides: { cnf } })), 'token_unusable')
  })

  it('are refused when they demand an unknown extension', async () => {
    const [header, claims, signature] = partsOf(genuine)
    const demanding = encode({ ...decode(header), crit: ['exp2'], exp2: 1 })
    assert.match(await codeFor(`${demanding}.${claims}.${signature}`), /^token_(untrusted|malformed)$/)
  })

  it('never pass for any change of a genuine one', async () => {
    const seed = Date.now() % 2_147_483_647
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n'
    const edit = fc.record({
      at: fc.nat(genuine.length - 1),
      kind: fc.constantFrom('replace', 'insert', 'remove', 'cut', 'swap'),
      character: fc.constantFrom(...alphabet.split('')),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const changed = edits.reduce(applyEdit, genuine)
        fc.pre(changed !== genuine)
        const code = await codeFor(changed)
        assert.ok(!code.startsWith('accepted'), `${code}, seed ${seed}`)
      }),
      { seed, numRuns: 1_500 },
    )
  })

  it('never pass for another spelling of the same signature', async () => {
    const [header, claims, signature] = partsOf(genuine)
    // 64 bytes leave four bits of the last character unused: sixteen spellings, one of them canonical.
    const same = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      .split('')
      .map((last) => signature.slice(0, -1) + last)
      .filter((other) => other !== signature)
      .filter((other) => Buffer.from(other, 'base64url').equals(Buffer.from(signature, 'base64url')))
    assert.equal(same.length, 15)
    for (const spelling of [...same, `${signature}==`, `${signature}\n`]) {
      assert.equal(await codeFor(`${header}.${claims}.${spelling}`), 'token_malformed')
    }
  })
})

interface Edit {
  readonly at: number
  readonly kind: string
  readonly character: string
}

function applyEdit(token: string, { at, kind, character }: Edit): string {
  const head = token.slice(0, at)
  const tail = token.slice(at)
  switch (kind) {
    case 'replace':
      return head + character + tail.slice(1)
    case 'insert':
      return head + character + tail
    case 'remove':
      return head + tail.slice(1)
    case 'cut':
      return head
    default:
      return head + tail.slice(1, 2) + tail.slice(0, 1) + tail.slice(2)
  }
}
