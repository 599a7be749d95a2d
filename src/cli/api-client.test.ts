import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { PosternError } from '../core/errors.ts'
import { postern } from './access-testing.ts'
import { readIssued, readMe, readRequest } from './api-answers.ts'
import { ApiClient } from './api-client.ts'

let folder = ''
const servers: Server[] = []
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-api-'))
})
after(() => rmSync(folder, { recursive: true }))
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function client(listener: RequestListener): Promise<ApiClient> {
  return new ApiClient({ url: `http://127.0.0.1:${String(await listen(createServer(listener)))}` }, 't0ken')
}

async function refuses(attempt: () => unknown, reason: RegExp): Promise<void> {
  await assert.rejects(
    async () => attempt(),
    (error) => {
      assert.ok(error instanceof PosternError, String(error))
      const text = [error.code, error.message, error.detail, error.hint].join('\n')
      assert.match(text, reason)
      assert.doesNotMatch(text, /t0ken|[^\P{Cc}\n]|\p{Cf}/u)
      return true
    },
  )
}

describe('the client of the API', { timeout: 60_000 }, () => {
  test('sends the token only where nobody can read it on the way', async () => {
    for (const url of [
      'http://postern.example.com',
      'http://127.0.0.1.example.com',
      'ftp://127.0.0.1',
      'https://a:b@postern.example.com',
      'postern.example.com',
      '\u001B[2J',
    ]) {
      await refuses(
        () => new ApiClient({ url }, 't0ken'),
        /input_invalid\nthe API cannot be called at .*: it is not an https/u,
      )
    }
  })

  test('does not follow a redirect with it', async () => {
    let seen = ''
    const elsewhere = await listen(
      createServer((request, response) => {
        seen += String(request.headers.authorization)
        response.end('{}')
      }),
    )
    const api = await client((_, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${String(elsewhere)}/` }).end()
    })
    await refuses(() => api.get('me'), /answered with status 307, without saying why/u)
    assert.equal(seen, '')
  })

  test('tells what the API says of a failure, such that it cannot steer the terminal', async () => {
    const error = { code: 'request_closed', message: 'no\u001B[2J', detail: 'a\nb\u202Ec', hint: 'd\u0007' }
    const api = await client((_, response) => response.writeHead(409).end(JSON.stringify({ error })))
    await refuses(() => api.get('me'), /^request_closed\nno\\u001b\[2J\na\nb\\u202ec\nd\\u0007$/u)
  })

  test('makes sense of a failure that it does not know', async () => {
    const api = await client((_, response) => response.writeHead(403).end('{"error":{"code":"new","message":"no"}}'))
    await refuses(() => api.get('me'), /^access_refused\nno/u)
    const page = await client((_, response) => response.writeHead(502).end('<html>'))
    await refuses(() => page.get('me'), /answered with status 502/u)
  })

  test('reads no answer without end', async () => {
    const api = await client((_, response) => {
      const chunk = 'x'.repeat(1024 * 1024)
      const send = (): void => void (response.destroyed || response.write(chunk, () => void setImmediate(send)))
      response.on('error', () => undefined)
      send()
    })
    await refuses(() => api.get('me'), /what answers there is not Postern's API/u)
  })

  test('says so where nobody listens', async () => {
    const port = await listen(createServer())
    servers.splice(0).forEach((server) => server.close())
    const api = new ApiClient({ url: `http://127.0.0.1:${String(port)}` }, 't0ken')
    await refuses(() => api.get('me'), /backend_unavailable\nthe API at .* cannot be reached: connect ECONNREFUSED/u)
  })

  test('trusts a private authority only where it is named', async () => {
    const authority = await createCertificateAuthority()
    const { certificate, key } = await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] })
    const port = await listen(createTlsServer({ cert: certificate, key }, (_, response) => response.end('{"ok":1}')))
    const url = `https://127.0.0.1:${String(port)}`
    const caFile = join(folder, 'ca.pem')
    writeFileSync(caFile, authority.certificate)
    await refuses(() => new ApiClient({ url }, 't0ken').get('me'), /cannot be reached: unable to/u)
    assert.deepEqual(await new ApiClient({ url, caFile }, 't0ken').get('me'), { ok: 1 })
    await refuses(() => new ApiClient({ url, caFile: join(folder, 'none.pem') }, 't0ken'), /none\.pem cannot be read/u)
  })

  test('takes nothing for an answer of Postern that is none', () => {
    for (const value of [
      null,
      1,
      'x',
      [],
      {},
      { name: 1 },
      { name: 'x', accessRoles: {} },
      { name: 'x', accessRoles: [1] },
    ]) {
      assert.throws(() => readMe(value), /is not Postern's API/u)
      assert.throws(() => readRequest(value), /is not Postern's API/u)
    }
    const issued = { id: 't_1', user: 'x', expiresAt: '2026-01-01T00:00:00Z' }
    assert.throws(() => readIssued({ ...issued, secret: `pst_${'x'.repeat(30)}\nrm -rf` }), /is not Postern's API/u)
    assert.throws(() => readIssued({ ...issued, secret: '' }), /is not Postern's API/u)
  })
})

describe('the command line', { timeout: 60_000 }, () => {
  test('finds the API by --api, then POSTERN_API, then the configuration', async () => {
    const seen: string[] = []
    const port = async (name: string): Promise<string> => {
      const at = await listen(
        createServer((request, response) => {
          seen.push(`${name} ${String(request.headers['x-postern-client'])} ${String(request.headers.authorization)}`)
          response.end('{"sessions":[]}')
        }),
      )
      return `http://127.0.0.1:${String(at)}`
    }
    const [option, variable, configured] = [await port('option'), await port('variable'), await port('configured')]
    const file = join(folder, 'postern.yaml')
    writeFileSync(file, `api: { public_url: "${configured}" }\n`)
    const token = { POSTERN_TOKEN: 't0ken' }
    const runs = [
      await postern(['sessions', '--config', file, '--api', option], { ...token, POSTERN_API: variable }),
      await postern(['sessions', '--config', file], { ...token, POSTERN_API: variable }),
      await postern(['sessions', '--config', file], token),
      await postern(['sessions'], token),
    ]
    assert.deepEqual(
      runs.map(({ code }) => code),
      [0, 0, 0, 1],
    )
    assert.deepEqual(
      seen,
      ['option', 'variable', 'configured'].map((name) => `${name} cli Bearer t0ken`),
    )
    assert.match(runs[3]?.err ?? '', /it is not known where the gateway's API is\n {2}hint: Name it with --api/u)
  })
})
