import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { describe, it } from 'node:test'
import { createIssuerKeys, discoveryUrl } from './issuer-keys.ts'
import { resolveIssuers } from './issuer-config.ts'

/** Runs `use` with an issuer whose answers the test decides. */
async function withIssuer(
  answer: (url: string) => RequestListener,
  use: (lookup: () => Promise<unknown>, requests: () => number) => Promise<void>,
): Promise<void> {
  let requests = 0
  let listener: RequestListener = () => undefined
  const server = createServer((request, response) => {
    requests += 1
    listener(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const url = `http://127.0.0.1:${address.port}`
  listener = answer(url)
  const [issuer] = resolveIssuers([{ url, audience: 'postern', allowInsecure: true }])
  assert.ok(issuer !== undefined)
  const keys = createIssuerKeys(issuer)
  try {
    await use(
      async () => {
        const lookup = await keys.lookup()
        return lookup({ alg: 'ES256', kid: 'x' }, { payload: '', signature: '' })
      },
      () => requests,
    )
  } finally {
    keys.close()
    server.closeAllConnections()
    server.close()
  }
}

function json(value: unknown): RequestListener {
  return (_request, response) => response.end(JSON.stringify(value))
}

describe('an issuer', () => {
  it('that lies about its name is refused', async () => {
    for (const issuer of ['https://id.example.com', undefined, 7]) {
      await withIssuer(
        (url) => json({ issuer, jwks_uri: `${url}/keys` }),
        (lookup) => assert.rejects(lookup, /names another issuer/),
      )
    }
    await withIssuer(
      (url) => json({ issuer: `${url}/`, jwks_uri: `${url}/keys` }),
      (lookup) => assert.rejects(lookup, /names another issuer/),
    )
  })

  it('that points to keys without TLS elsewhere is refused', async () => {
    for (const jwks_uri of ['http://id.example.com/keys', 'file:///etc/passwd', 'nonsense', undefined]) {
      await withIssuer(
        (url) => json({ issuer: url, jwks_uri }),
        (lookup) => assert.rejects(lookup, /jwks_uri/),
      )
    }
  })

  it('that redirects, fails, answers no JSON or too much is refused', async () => {
    const redirect: RequestListener = (_request, response) => response.writeHead(302, { location: '/other' }).end()
    const fail: RequestListener = (_request, response) => response.writeHead(500).end()
    const text: RequestListener = (_request, response) => response.end('<html>')
    const flood: RequestListener = (_request, response) => response.end(Buffer.alloc(2 * 1024 * 1024, ' '))
    await withIssuer(
      () => redirect,
      (lookup) => assert.rejects(lookup, /status 302/),
    )
    await withIssuer(
      () => fail,
      (lookup) => assert.rejects(lookup, /status 500/),
    )
    await withIssuer(
      () => text,
      (lookup) => assert.rejects(lookup, /JSON/),
    )
    await withIssuer(
      () => flood,
      (lookup) => assert.rejects(lookup, /larger than/),
    )
    await withIssuer(
      () => json(null),
      (lookup) => assert.rejects(lookup, /not a JSON object/),
    )
  })

  it('that failed a moment ago is not asked at every log-in', async () => {
    const fail: RequestListener = (_request, response) => response.writeHead(500).end()
    await withIssuer(
      () => fail,
      async (lookup, requests) => {
        await assert.rejects(lookup, /status 500/)
        for (let attempt = 0; attempt < 20; attempt += 1) await assert.rejects(lookup, /failed a moment ago|status 500/)
        assert.ok(requests() <= 3, `${requests()} requests`)
      },
    )
  })

  it('that has no keys at all is refused', async () => {
    await withIssuer(
      (url) => (request, response) =>
        json(request.url === '/keys' ? { keys: 'none' } : { issuer: url, jwks_uri: `${url}/keys` })(request, response),
      (lookup) => assert.rejects(lookup, /malformed/),
    )
  })
})

describe('discoveryUrl', () => {
  it('keeps the path of the issuer and one slash', () => {
    assert.equal(discoveryUrl('https://a.example/t/1').href, 'https://a.example/t/1/.well-known/openid-configuration')
    assert.equal(discoveryUrl('https://a.example/').href, 'https://a.example/.well-known/openid-configuration')
  })
})
