import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { startIssuer } from './issuer.ts'

const scope = 'openid profile email groups offline_access'

async function clientOf(url: string, id: string, secret?: string): Promise<oidc.Configuration> {
  return oidc.discovery(new URL(url), id, secret, undefined, { execute: [oidc.allowInsecureRequests] })
}

test('a person logs in by device code through the pages, and the provider prints nothing', async (t) => {
  const printed = [t.mock.method(console, 'warn'), t.mock.method(console, 'info')]
  const issuer = await startIssuer()
  try {
    const client = await clientOf(issuer.url, issuer.clientId)
    const device = await oidc.initiateDeviceAuthorization(client, { scope })
    const browser = newBrowser()
    await browser.open(device.verification_uri_complete ?? '')
    await browser.submit({})
    assert.match(browser.html(), new RegExp(device.user_code))
    await browser.submit({})
    assert.match(browser.html(), /Who would you like to be/)
    await browser.open('?as=u-1003')
    assert.match(browser.html(), /You are logged in/)
    const tokens = await oidc.pollDeviceAuthorizationGrant(client, { ...device, interval: 0.05 })
    assert.deepEqual(tokens.claims()?.['groups'], ['support'])
    assert.deepEqual(
      printed.map((each) => each.mock.callCount()),
      [0, 0],
    )
  } finally {
    await issuer.stop()
  }
})

test('a service gets a JWT by client credentials, with the claims that issueToken gives', async () => {
  const issuer = await startIssuer({ tokenLifetimeS: 120 })
  try {
    for (const identity of ['ci-deploy', 'report-agent']) {
      const client = await clientOf(issuer.url, identity, issuer.clientSecretOf(identity))
      const { access_token } = await oidc.clientCredentialsGrant(client, {})
      const { payload } = await jwtVerify(access_token, createRemoteJWKSet(new URL(`${issuer.url}/jwks`)), {
        issuer: issuer.url,
        audience: issuer.audience,
      })
      const signed = decodeJwt(await issuer.issueToken({ identity }))
      for (const claim of ['sub', 'preferred_username', 'kind', 'groups', 'act', 'aud']) {
        assert.deepEqual(payload[claim], signed[claim], `${identity} ${claim}`)
      }
      assert.equal(Number(payload.exp) - Number(payload.iat), 120)
    }
  } finally {
    await issuer.stop()
  }
})

test('rotated keys leave the published set', async () => {
  const issuer = await startIssuer()
  try {
    const before = new Set(issuer.publicKeys().map(({ kid }) => kid))
    await issuer.rotateKeys()
    const published = (await (await fetch(`${issuer.url}/jwks`)).json()) as { keys: { kid: string }[] }
    assert.equal(published.keys.length, 2)
    assert.ok(published.keys.every(({ kid }) => !before.has(kid)))
  } finally {
    await issuer.stop()
  }
})

/** As much of a browser as the pages need: cookies, redirects, and the one form of a page. */
function newBrowser() {
  const cookies = new Map<string, string>()
  let current = ''
  let html = ''
  async function open(target: string, body?: URLSearchParams): Promise<void> {
    let url = current === '' ? target : new URL(target, current).href
    let form = body
    for (let hops = 0; hops < 10; hops += 1) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const method = form === undefined ? 'GET' : 'POST'
      const response = await fetch(url, { method, body: form ?? null, redirect: 'manual', headers: { cookie } })
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        cookies.set(name, value)
      }
      current = url
      html = await response.text()
      const location = response.headers.get('location')
      if (location === null) return
      url = new URL(location, url).href
      form = undefined
    }
    assert.fail('too many redirects')
  }
  return {
    html: () => html,
    open: (target: string) => open(target),
    async submit(values: Readonly<Record<string, string>>): Promise<void> {
      const fields = new URLSearchParams(values)
      for (const [input] of html.matchAll(/<input[^>]*>/g)) {
        const name = /name="([^"]*)"/.exec(input)?.[1]
        if (name !== undefined && !fields.has(name)) fields.set(name, /value="([^"]*)"/.exec(input)?.[1] ?? '')
      }
      await open(/<form[^>]*action="([^"]*)"/.exec(html)?.[1] ?? current, fields)
    },
  }
}
