import assert from 'node:assert/strict'
import { get, type RequestOptions } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { test } from 'node:test'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import type { ApiCertificate } from './services.ts'
import { startTestApi } from './testing.ts'

function ask(options: RequestOptions): Promise<{ status: number; hsts: string; serial: string }> {
  return new Promise((resolve, reject) => {
    const sent = get({ agent: false, ...options }, (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate()
      const hsts = response.headers['strict-transport-security'] ?? ''
      response.resume().once('end', () => resolve({ status: response.statusCode ?? 0, hsts, serial: serialNumber }))
    })
    sent.once('error', reject)
  })
}

test('a renewed certificate is taken up by the next connection', async () => {
  const authority = await createCertificateAuthority()
  const issue = async (): Promise<ApiCertificate> => {
    const { certificate, key } = await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] })
    return { cert: certificate, key }
  }
  let current = await issue()
  const on = await startTestApi({ tls: () => current })
  try {
    assert.match(on.api.url, /^https:/)
    const options = { port: on.api.port, host: 'localhost', path: '/api/v1/openapi.json', ca: authority.certificate }
    const first = await ask(options)
    assert.equal(first.status, 200)
    assert.match(first.hsts, /max-age=/)
    assert.equal((await ask(options)).serial, first.serial)
    current = await issue()
    assert.notEqual((await ask(options)).serial, first.serial)
  } finally {
    await on.stop()
  }
})

test('what Slack sends is passed on as it came, and answered as its handler says', async () => {
  const seen: string[] = []
  const on = await startTestApi({
    services: {
      slack: {
        handle: async (rawBody, headers) => {
          seen.push(`${rawBody.toString('utf8')} ${headers.get('x-slack-signature') ?? ''}`)
          return Promise.resolve({ status: 401, body: '{}' })
        },
      },
    },
  })
  try {
    const response = await fetch(`${on.api.url}/slack/interactions`, {
      method: 'POST',
      headers: { 'x-slack-signature': 'v0=ab', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'payload=%7B%22a%22%3A+1%7D&b',
    })
    assert.equal(response.status, 401)
    assert.deepEqual(seen, ['payload=%7B%22a%22%3A+1%7D&b v0=ab'])
  } finally {
    await on.stop()
  }
})

test('an address that is taken is said at the start', async () => {
  const on = await startTestApi()
  try {
    await assert.rejects(startTestApi({ port: on.api.port }), { code: 'config_invalid' })
  } finally {
    await on.stop()
  }
})
