import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { Client, type ClientConfig } from 'pg'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { startPostgres, type SandboxPostgres } from '../../sandbox/postgres.ts'
import { PosternError } from '../core/errors.ts'
import { encodeAuthenticationMD5Password } from '../wire/backend.ts'
import { encodeQuery } from '../wire/frontend.ts'
import { encodeCancelRequest, encodeStartupMessage, gssencRequest, protocol30, sslRequest } from '../wire/startup.ts'
import { startLocalListener, type LocalListener, type LocalListenerOptions } from './local-listener.ts'

// PostgreSQL over TLS that asks for a cleartext password looks from here exactly as the gateway does.
const user = 'alice@example.com'
const token = `header.${'claims'.repeat(500)}.signature`
const localPassword = 'only-for-this-port'
let gateway: SandboxPostgres
let authority: string

before(async () => {
  const made = await createCertificateAuthority()
  authority = made.certificate
  gateway = await startPostgres({
    // Not for localhost, which is what the certificate of an unnamed host would be checked for.
    tls: await issueCertificate(made, { hosts: ['127.0.0.1'] }),
    hba: ['hostssl all all 127.0.0.1/32 password'],
  })
  await gateway.query('postgres', `CREATE ROLE "${user}" LOGIN PASSWORD '${token}'`)
  await gateway.query('postgres', 'CREATE DATABASE shop')
})

after(() => gateway.stop())

/** Runs `use` with a listener, and with what it reported. */
async function withListener(
  more: Partial<LocalListenerOptions>,
  use: (listener: LocalListener, reports: string[]) => Promise<void>,
): Promise<void> {
  const reports: string[] = []
  const listener = await startLocalListener({
    port: 0,
    gateway: { host: '127.0.0.1', port: gateway.port, tlsCa: authority },
    database: 'shop',
    login: () => Promise.resolve({ user, token }),
    localPassword,
    report: (problem) => reports.push(problem),
    ...more,
  })
  try {
    await use(listener, reports)
  } finally {
    await listener.close()
  }
}

async function withClient<Result>(port: number, use: (client: Client) => Promise<Result>): Promise<Result> {
  const client = await openClient(port)
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

async function openClient(port: number, more: ClientConfig = {}): Promise<Client> {
  const client = new Client({ host: '127.0.0.1', port, user: 'x', password: localPassword, database: 'shop', ...more })
  // A connection that breaks is what some of the tests are about.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function logInTo(port: number, more: ClientConfig = {}): Promise<void> {
  await (await openClient(port, more)).end()
}

/** Sends bytes and gives all that comes back until the other side hangs up. */
async function exchange(port: number, bytes: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => socket.destroy())
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(chunks).toString('latin1')
}

/** A server that is not the gateway, and everything it was sent. */
async function withImpostor(
  answer: (socket: Socket, chunk: Buffer) => void,
  use: (port: number, received: () => string) => Promise<void>,
): Promise<void> {
  let received = ''
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      answer(socket, chunk)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  try {
    await use(address.port, () => received)
  } finally {
    server.close()
  }
}

const startup = encodeStartupMessage(protocol30, new Map([['user', 'x']]))

describe('the local listener', () => {
  it('logs a tool in as the principal, over TLS, whatever user it names', async () => {
    await withListener({}, async ({ port }) => {
      const { rows } = await withClient(port, (client) =>
        client.query('SELECT current_user, current_database(), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'),
      )
      assert.deepEqual(rows, [{ current_user: user, current_database: 'shop', ssl: true }])
    })
  })

  it('keeps the database and the other parameters of the tool', async () => {
    await withListener({}, async ({ port }) => {
      const client = await openClient(port, { database: 'postgres', application_name: 'my tool' })
      const { rows } = await client.query("SELECT current_database(), current_setting('application_name') AS app")
      await client.end()
      assert.deepEqual(rows, [{ current_database: 'postgres', app: 'my tool' }])
    })
  })

  it('passes large results and large statements whole', async () => {
    await withListener({}, async ({ port }) => {
      await withClient(port, async (client) => {
        const text = 'x'.repeat(5_000_000)
        const { rows } = await client.query<{ t: string }>('SELECT $1::text || repeat($2, 5000000) AS t', [text, 'y'])
        assert.equal(rows[0]?.t.length, 10_000_000)
        assert.ok(rows[0]?.t.startsWith(text))
      })
    })
  })

  it('forwards a cancel request', async () => {
    await withListener({}, async ({ port }) => {
      await withClient(port, async (client) => {
        const sleeping = client.query('SELECT pg_sleep(30)')
        const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
        const key = Buffer.alloc(4)
        key.writeInt32BE(secretKey)
        // The statement may not have begun yet, and a cancel that comes too early is lost.
        const cancel = setInterval(() => void exchange(port, encodeCancelRequest(processID, key)), 50)
        await assert.rejects(sleeping, /canceling statement/)
        clearInterval(cancel)
      })
    })
  })

  it('refuses a tool without the local password, before it contacts the gateway', async () => {
    let logIns = 0
    const login = () => {
      logIns += 1
      return Promise.resolve({ user, token })
    }
    await withListener({ login }, async ({ port }, reports) => {
      for (const password of ['wrong', '', `${localPassword}x`, token]) {
        await assert.rejects(logInTo(port, { password }), /local password is wrong|password must be a string/)
      }
      assert.equal(logIns, 0)
      assert.ok(reports.every((report) => !report.includes(localPassword)))
    })
  })

  it('takes the local password in a password message only', async () => {
    await withListener({}, async ({ port }) => {
      const answer = await exchange(port, Buffer.concat([startup, encodeQuery(localPassword)]))
      assert.match(answer, /08P01.*a password was expected/s)
    })
  })

  it('asks for no password where that was switched off', async () => {
    await withListener({ localPassword: null }, async ({ port }) => {
      await logInTo(port, { password: () => assert.fail('it was asked') })
    })
  })

  it('hands the refusal of the gateway on to the tool', async () => {
    await withListener({ login: () => Promise.resolve({ user, token: 'other' }) }, async ({ port }) => {
      await assert.rejects(logInTo(port), { code: '28P01' })
    })
    await withListener({}, async ({ port }) => {
      await assert.rejects(logInTo(port, { database: 'nowhere' }), { code: '3D000' })
    })
  })

  it('tells the tool when no token can be had', async () => {
    const login = () => Promise.reject(new PosternError('token_absent', 'The log-in was declined'))
    await withListener({ login }, async ({ port }, reports) => {
      await assert.rejects(logInTo(port), /The log-in was declined/)
      assert.deepEqual(reports, ['The log-in was declined'])
    })
  })

  it('sends no token to a gateway whose certificate it does not trust', async () => {
    const stranger = (await createCertificateAuthority('Someone else')).certificate
    for (const tlsCa of [stranger, undefined]) {
      await withListener({ gateway: { host: '127.0.0.1', port: gateway.port, tlsCa } }, async ({ port }) => {
        await assert.rejects(logInTo(port), /cannot be reached: .*certificate/)
      })
    }
  })

  it('sends no token to a gateway whose certificate is for another host', async () => {
    const made = await createCertificateAuthority()
    const other = await startPostgres({
      tls: await issueCertificate(made, { hosts: ['db.example.com'] }),
      hba: ['hostssl all all 127.0.0.1/32 password'],
    })
    try {
      const target = { host: '127.0.0.1', port: other.port, tlsCa: made.certificate }
      await withListener({ gateway: target }, async ({ port }) => {
        await assert.rejects(logInTo(port), /does not match certificate/)
      })
    } finally {
      await other.stop()
    }
  })

  it('sends no token to a server without TLS, or that slips bytes in before TLS', async () => {
    for (const answer of ['N', 'S+', 'E', '']) {
      await withImpostor(
        (socket) => void (answer === '' ? socket.end() : socket.write(answer)),
        async (port, received) => {
          await withListener({ gateway: { host: '127.0.0.1', port, tlsCa: authority } }, async (listener) => {
            await assert.rejects(logInTo(listener.port))
            assert.ok(!received().includes('signature') && !received().includes(user), received())
          })
        },
      )
    }
  })

  it('sends no token in answer to anything but a request for a cleartext password', async () => {
    await withImpostor(
      (socket) => void socket.write(encodeAuthenticationMD5Password(Buffer.alloc(4))),
      async (port, received) => {
        const target = { host: '127.0.0.1', port, tlsMode: 'disable' } as const
        await withListener({ gateway: target }, async (listener) => {
          await assert.rejects(logInTo(listener.port), /does not ask for a token/)
          assert.ok(!received().includes('signature'))
        })
      },
    )
  })

  it('does without TLS only on this machine', async () => {
    await assert.rejects(
      withListener({ gateway: { host: 'db.example.com', port: 5_432, tlsMode: 'disable' } }, () => Promise.resolve()),
      /is not sent to db\.example\.com without TLS/,
    )
  })

  it('declines encryption of its own port and refuses to be asked for ever', async () => {
    await withListener({}, async ({ port }) => {
      const answer = await exchange(port, Buffer.concat([gssencRequest, sslRequest, sslRequest, sslRequest]))
      assert.match(answer, /^NNN?E.*08P01/s)
    })
  })

  it('refuses garbage, oversized packets and connections that say nothing', async () => {
    await withListener({ startupDeadlineMs: 100 }, async ({ port }) => {
      assert.match(await exchange(port, Buffer.from('GET / HTTP/1.1\r\n\r\n')), /08P01/)
      assert.match(await exchange(port, Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0])), /08P01/)
      assert.match(await exchange(port, startup.subarray(0, 6)), /took too long/)
      assert.match(await exchange(port, startup), /took too long/)
      await withListener({ login: () => new Promise(() => undefined), startupDeadlineMs: 100 }, async (slow) => {
        await assert.rejects(logInTo(slow.port), /took too long/)
      })
    })
  })

  it('holds no more connections than its bound, and takes new ones when some have ended', async () => {
    await withListener({ connectionsMax: 2 }, async ({ port }) => {
      await withClient(port, async () => {
        await withClient(port, async () => {
          await assert.rejects(logInTo(port), { code: '53300' })
        })
        let isIn = false
        for (let attempt = 0; attempt < 100 && !isIn; attempt += 1) {
          isIn = await withClient(port, () => Promise.resolve(true)).catch(() => false)
        }
        assert.ok(isIn)
      })
    })
  })

  it('ends the tool when the gateway ends, and the connection to the gateway when the tool is gone', async () => {
    await withListener({}, async ({ port }) => {
      const first = await openClient(port)
      const ended = new Promise((resolve) => first.once('end', resolve))
      await gateway.query('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'")
      await ended
      const second = await openClient(port)
      ;(second as unknown as { connection: { stream: Socket } }).connection.stream.resetAndDestroy()
      let left: unknown = 1
      for (let attempt = 0; attempt < 200 && left !== 0; attempt += 1) {
        const sql = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = 'shop'"
        left = (await gateway.query('postgres', sql))[0]?.['n']
      }
      assert.equal(left, 0)
    })
  })

  it('frees the place of a tool that does not hang up when the gateway has', async () => {
    await withListener({ localPassword: null, connectionsMax: 1 }, async ({ port }) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      socket.on('error', () => undefined)
      socket.write(startup)
      await new Promise<void>((resolve) => {
        socket.on('data', (chunk) => {
          if (chunk.includes('Z\0\0\0\x05I')) resolve()
        })
      })
      await gateway.query('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'")
      let isFree = false
      for (let attempt = 0; attempt < 200 && !isFree; attempt += 1) {
        isFree = await logInTo(port).then(
          () => true,
          () => false,
        )
      }
      socket.destroy()
      assert.ok(isFree)
    })
  })

  it('answers a client that has closed its sending side', async () => {
    await withListener({ localPassword: null }, async ({ port }) => {
      const query = Buffer.from('Q\0\0\0\x16SELECT 42 AS the;\0', 'latin1')
      query.writeInt32BE(query.length - 1, 1)
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.end(Buffer.concat([startup, query]))
      await new Promise((resolve) => socket.once('end', resolve))
      socket.destroy()
      assert.match(Buffer.concat(chunks).toString('latin1'), /SELECT 1/)
    })
  })

  it('says so when its port is taken', async () => {
    await withListener({}, async ({ port }) => {
      await assert.rejects(
        withListener({ port }, () => Promise.resolve()),
        /cannot be listened on/,
      )
    })
  })
})
