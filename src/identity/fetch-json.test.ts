import assert from 'node:assert/strict'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { describe, it } from 'node:test'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { fetchJson } from './fetch-json.ts'

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

const never = new AbortController().signal

describe('fetchJson', () => {
  it('trusts a private authority where it is given, and no other', async () => {
    const authority = await createCertificateAuthority()
    const { certificate, key } = await issueCertificate(authority, { hosts: ['127.0.0.1'] })
    const server = createHttpsServer({ cert: certificate, key }, (_request, response) => response.end('{"a":1}'))
    const url = new URL(`https://127.0.0.1:${await portOf(server)}/`)
    const stranger = (await createCertificateAuthority('Someone else')).certificate
    try {
      assert.deepEqual(await fetchJson(url, { tlsCa: authority.certificate, signal: never }), { a: 1 })
      await assert.rejects(fetchJson(url, { tlsCa: stranger, signal: never }), /certificate/)
      await assert.rejects(fetchJson(url, { tlsCa: undefined, signal: never }), /certificate/)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('ends on time, whether nothing comes or a little at a time, and when told to', async () => {
    const silent: RequestListener = () => undefined
    const dribbling: RequestListener = (_request, response) => {
      const timer = setInterval(() => response.write(' '), 10)
      response.once('close', () => clearInterval(timer))
    }
    for (const listener of [silent, dribbling]) {
      const server = createHttpServer(listener)
      const url = new URL(`http://127.0.0.1:${await portOf(server)}/`)
      try {
        await assert.rejects(fetchJson(url, { tlsCa: undefined, signal: never, deadlineMs: 100 }), /within 100 ms/)
        const told = new AbortController()
        const fetching = fetchJson(url, { tlsCa: undefined, signal: told.signal })
        told.abort(new Error('closing'))
        await assert.rejects(fetching, /abort/i)
      } finally {
        server.closeAllConnections()
        server.close()
      }
    }
  })
})
