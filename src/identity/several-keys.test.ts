import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import { PosternError } from '../core/errors.ts'
import { createIdentifier, type Identifier } from './identity.ts'

// An issuer that the sandbox's is not: several keys of one type, without key ids, and at an address that changes.
let server: Server
let url: string
let keysPath = '/keys'
const keyPairs: { jwk: JWK; sign: CryptoKey }[] = []
let identifier: Identifier

before(async () => {
  for (let count = 0; count < 3; count += 1) {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    keyPairs.push({ jwk: await exportJWK(publicKey), sign: privateKey })
  }
  server = createServer((request, response) => {
    if (request.url === keysPath) {
      // The last key is the issuer's no more.
      response.end(JSON.stringify({ keys: keyPairs.slice(0, 2).map(({ jwk }) => jwk) }))
    } else if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: url, jwks_uri: url + keysPath }))
    } else {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  url = `http://127.0.0.1:${address.port}`
  identifier = createIdentifier({ issuers: [{ url, audience: 'postern', allowInsecure: true }], unknownKeyPauseMs: 0 })
})

after(() => {
  identifier.close()
  server.closeAllConnections()
  server.close()
})

async function tokenSignedBy(index: number, header: { kid?: string } = {}): Promise<string> {
  const pair = keyPairs[index]
  assert.ok(pair !== undefined)
  const claims = { iss: url, aud: 'postern', sub: 'u-1', email: `k${index}@example.com`, email_verified: true }
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', ...header })
    .setExpirationTime('1h')
    .sign(pair.sign)
}

async function outcomeOf(token: string): Promise<string> {
  try {
    return (await identifier.identify(token, Date.now())).name
  } catch (error) {
    return error instanceof PosternError ? error.code : String(error)
  }
}

describe('an issuer with several keys of one type', () => {
  it('may sign a token without a key id by any of them, and by no other', async () => {
    assert.equal(await outcomeOf(await tokenSignedBy(0)), 'k0@example.com')
    assert.equal(await outcomeOf(await tokenSignedBy(1)), 'k1@example.com')
    assert.equal(await outcomeOf(await tokenSignedBy(2)), 'token_untrusted')
  })
})

describe('an issuer whose keys move to another address', () => {
  it('is asked for the new address after a fetch from the old one failed', async () => {
    keysPath = '/moved'
    // An unknown key id makes the keys be fetched, which fails at the old address.
    assert.equal(await outcomeOf(await tokenSignedBy(0, { kid: 'new' })), 'issuer_unavailable')
    identifier.forget()
    let outcome = ''
    for (let attempt = 0; attempt < 40 && outcome !== 'token_untrusted'; attempt += 1) {
      await sleep(50)
      outcome = await outcomeOf(await tokenSignedBy(0, { kid: 'new' }))
    }
    assert.equal(outcome, 'token_untrusted', 'the keys were fetched again, and that one is not among them')
  })
})
