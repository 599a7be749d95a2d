import assert from 'node:assert/strict'
import { createHmac, pbkdf2Sync } from 'node:crypto'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import {
  authenticationCleartextPassword,
  authenticationOk,
  backend,
  encodeAuthenticationMD5Password,
  encodeAuthenticationSASL,
  encodeAuthenticationSASLContinue,
  encodeAuthenticationSASLFinal,
  encodeBackendKeyData,
  encodeErrorResponse,
  encodeNegotiateProtocolVersion,
  encodeNoticeResponse,
  encodeParameterStatus,
  encodeReadyForQuery,
} from '../wire/backend.ts'
import { Framer } from '../wire/framer.ts'
import { decodeSASLInitialResponse } from '../wire/frontend.ts'
import { protocol30, protocol32 } from '../wire/startup.ts'
import { Writer } from '../wire/writer.ts'
import { BackendFault, BackendRefusal, connectBackend, createCredentialSource } from './backend.ts'
import type { BackendConnection, BackendTarget, Credential } from './backend.ts'

/*
 * Servers that PostgreSQL would never be: each one is a script that says something once the gateway has spoken.
 */

type Script = (socket: Socket, heard: Buffer) => void | Promise<void>

interface AgainstOptions {
  readonly tls?: BackendTarget['tls']
  readonly deadlineMs?: number
  readonly credential?: Credential
}

/** Runs a log-in against a server that calls the scripts in turn, one for each time something arrives. */
async function against<T>(
  scripts: readonly Script[],
  use: (opening: Promise<BackendConnection>, heard: Buffer[]) => Promise<T>,
  options: AgainstOptions = {},
): Promise<T> {
  const heard: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const left = [...scripts]
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      heard.push(chunk)
      void left.shift()?.(socket, chunk)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { tls = { mode: 'disable' }, deadlineMs = 10_000 } = options
  const credential = options.credential ?? createCredentialSource({ password: 'pencil' }, {})
  const opening = connectBackend({ host: '127.0.0.1', port, database: 'shop', role: 'app', tls }, new Map(), {
    signal: AbortSignal.timeout(deadlineMs),
    credential,
  })
  try {
    return await use(opening, heard)
  } finally {
    await opening.then(
      (connection) => connection.socket.destroy(),
      () => undefined,
    )
    // The gateway must have hung up by itself where it failed: nothing here closes a connection first.
    while ([...sockets].some((socket) => !socket.destroyed)) await setImmediate()
    await new Promise((resolve) => server.close(resolve))
  }
}

const say =
  (...messages: readonly Buffer[]): Script =>
  (socket) => {
    socket.write(Buffer.concat(messages))
  }

async function refused(scripts: readonly Script[], reason: RegExp, options?: AgainstOptions): Promise<void> {
  await against(
    scripts,
    async (opening, heard) => {
      await assert.rejects(opening, (error) => {
        assert.ok(error instanceof PosternError, inspect(error))
        assert.match(error.code, /^backend_(unavailable|login_failed)$/)
        assert.ok(error.cause instanceof BackendFault, inspect(error))
        assert.match(error.cause.message, reason)
        assert.doesNotMatch(`${error.message} ${error.hint}`, /127\.0|app|pencil/)
        return true
      })
      for (const chunk of heard) assert.equal(chunk.includes('pencil'), false)
    },
    options,
  )
}

const ready = encodeReadyForQuery('I')
const key = encodeBackendKeyData(4711, Buffer.alloc(32, 1))
const prefer = { tls: { mode: 'prefer' } } as const

void test('a server that says nothing is given up at the deadline, at whatever point it falls silent', async () => {
  const deadlineMs = 100
  await refused([], /did not finish the log-in in time/, { deadlineMs })
  await refused([say(authenticationOk)], /did not finish the log-in in time/, { deadlineMs })
  await refused([say(ready.subarray(0, 3))], /did not finish the log-in in time/, { deadlineMs })
  await refused([], /did not answer in time when asked for TLS/, { ...prefer, deadlineMs })
  await refused([say(Buffer.from('S'))], /set up TLS with.*did not answer in time/, { ...prefer, deadlineMs })
})

void test('a server that hangs up is said to have done so', async () => {
  const hangUp: Script = (socket) => void socket.end()
  await refused([hangUp], /closed the connection/)
  await refused([(socket) => void socket.destroy()], /closed the connection/)
  await refused([hangUp], /closed the connection when asked for TLS/, prefer)
  await refused([(socket) => void socket.end('S')], /set up TLS with/, prefer)
})

void test('the answer to SSLRequest is one byte, S or N', async () => {
  const smuggled = Buffer.concat([Buffer.from('S'), authenticationOk, key, ready])
  await refused([say(smuggled)], /unencrypted data where TLS should begin/, prefer)
  const later: Script = async (socket) => {
    socket.write('S')
    await setImmediate()
    socket.write(Buffer.concat([authenticationOk, key, ready]))
  }
  await refused([later], /set up TLS with|unencrypted data/, prefer)
  await refused([say(Buffer.from('NN'))], /unencrypted data where TLS should begin/, prefer)
  await refused([say(Buffer.from('E'))], /does not answer a request for TLS/, prefer)
  await refused([say(Buffer.from('S')), say(authenticationOk)], /set up TLS with/, prefer)
})

void test('the handshake asks for the protocol by ALPN, and for a name where there is one', async () => {
  const authority = await createCertificateAuthority()
  const { certificate: cert, key: privateKey } = await issueCertificate(authority, { hosts: ['db.test', '127.0.0.1'] })
  for (const [serverName, asked] of [
    ['db.test', 'db.test'],
    [undefined, null],
  ] as const) {
    const names: (string | null)[] = []
    const accept: Script = (socket) => {
      socket.removeAllListeners('data').write('S')
      const secure = new TLSSocket(socket, { isServer: true, cert, key: privateKey, ALPNProtocols: ['postgresql'] })
      secure.on('error', () => undefined)
      secure.once('secure', () => {
        names.push(secure.alpnProtocol || null, secure.servername || null)
        secure.once('data', () => secure.write(Buffer.concat([authenticationOk, key, ready])))
      })
    }
    const tls = { mode: 'verify-full', ca: authority.certificate, serverName } as const
    await against([accept], async (opening) => void (await opening).socket.destroy(), { tls })
    assert.deepEqual(names, ['postgresql', asked])
  }
})

void test('a password that is refused by any code of class 28 is looked for anew', async () => {
  const expired = encodeErrorResponse({ severity: 'FATAL', code: '28000', message: 'PAM authentication failed' })
  const renewed: string[] = []
  const credential: Credential = {
    ...createCredentialSource({ password: 'pencil' }, {}),
    async renew(rejected) {
      renewed.push(rejected)
      return false
    },
  }
  const scripts = [say(encodeAuthenticationMD5Password(Buffer.alloc(4))), say(expired)]
  await against(
    scripts,
    async (opening) => {
      await assert.rejects(opening, { code: 'backend_login_failed' })
      assert.deepEqual(renewed, ['pencil'])
    },
    { credential },
  )
})

void test('a credential that is too slow is named as the one that is', async () => {
  const credential: Credential = {
    ...createCredentialSource({ password: 'pencil' }, {}),
    password: async () => new Promise(() => undefined),
  }
  const demand = say(encodeAuthenticationMD5Password(Buffer.alloc(4)))
  await refused([demand], /credential did not give the password in time/, { credential, deadlineMs: 100 })
})

void test('a server that does not prove that it knows the password is refused', async () => {
  const offer = say(encodeAuthenticationSASL(['SCRAM-SHA-256']))
  await refused([offer, say(authenticationOk, key, ready)], /Authentication Ok out of turn/)
  await refused(
    [offer, fakeScram('pencil').challenge, say(authenticationOk, key, ready)],
    /Authentication Ok out of turn/,
  )
  const wrong = fakeScram('another')
  await refused([offer, wrong.challenge, wrong.final], /does not know the password/)
  const right = fakeScram('pencil')
  await against([offer, right.challenge, right.final], async (opening) => {
    assert.equal((await opening).authentication, 'scram-sha-256')
  })
})

void test('a mechanism that binds to TLS is not chosen without TLS, nor one that is unknown', async () => {
  await refused([say(encodeAuthenticationSASL(['SCRAM-SHA-256-PLUS']))], /offers none.*SCRAM-SHA-256-PLUS/)
  await refused([say(encodeAuthenticationSASL(['OAUTHBEARER']))], /offers none.*OAUTHBEARER/)
  await refused([say(encodeAuthenticationSASL([]))], /offers none/)
})

void test('demands that cannot be met or come out of turn are refused', async () => {
  await refused([say(authenticationCleartextPassword)], /in the clear/)
  await refused([say(new Writer(backend.Authentication).int32(7).finish())], /method 7/)
  await refused([say(encodeAuthenticationSASLContinue(Buffer.from('r=x')))], /SASLContinue out of turn/)
  await refused([say(encodeAuthenticationSASLFinal(Buffer.from('v=x')))], /SASLFinal out of turn/)
  const twice = say(encodeAuthenticationMD5Password(Buffer.alloc(4)))
  await refused([twice, twice], /MD5Password out of turn/)
})

void test('messages out of turn, too large, too many or malformed are refused', async () => {
  await refused([say(ready)], /out of turn/)
  await refused([say(authenticationOk, authenticationOk)], /0x52 out of turn/)
  await refused([say(authenticationOk, Buffer.from('D\0\0\0\x06\0\0', 'latin1'))], /0x44 out of turn/)
  await refused([say(Buffer.from('R\x7f\xff\xff\xff', 'latin1'))], /does not speak the protocol/)
  await refused([say(Buffer.from('R\0\0\0\x03', 'latin1'))], /does not speak the protocol/)
  await refused([say(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))], /does not speak the protocol/)
  await refused([say(authenticationOk, Buffer.from('Z\0\0\0\x05X', 'latin1'))], /does not speak the protocol/)
  const notice = encodeNoticeResponse({ severity: 'NOTICE', code: '00000', message: 'again' })
  const flood = Array.from({ length: limits.backendLoginMessagesMax + 1 }, () => notice)
  await refused([say(...flood)], /too many messages/)
})

void test('protocol 3.0 is accepted where the server settles for it, with a key of four bytes', async () => {
  const short = encodeBackendKeyData(4711, Buffer.alloc(4, 1))
  const downgrade = encodeNegotiateProtocolVersion(protocol30, [])
  await against([say(downgrade, authenticationOk, short, ready)], async (opening) => {
    const connection = await opening
    assert.equal(connection.protocolVersion, protocol30)
    assert.equal(connection.cancelKeyBytes, 4)
  })
  await refused([say(downgrade, authenticationOk, key, ready)], /out of turn/)
  await refused([say(downgrade, downgrade)], /0x76 out of turn/)
  await refused([say(authenticationOk, downgrade)], /0x76 out of turn/)
  await refused([say(encodeNegotiateProtocolVersion(protocol30, ['_pq_.x']))], /not asked for/)
  await refused([say(encodeNegotiateProtocolVersion(protocol32 + 1, []))], /speaks protocol 3\.3/)
  await refused([say(encodeNegotiateProtocolVersion(131_072, []))], /speaks protocol 2\.0/)
})

void test('cancel keys of 4 to 256 bytes are accepted', async () => {
  for (const byteCount of [4, 256]) {
    await against(
      [say(authenticationOk, encodeBackendKeyData(4711, Buffer.alloc(byteCount)), ready)],
      async (opening) => {
        assert.equal((await opening).cancelKeyBytes, byteCount)
      },
    )
  }
  for (const byteCount of [0, 3, 257]) {
    await refused([say(authenticationOk, encodeBackendKeyData(4711, Buffer.alloc(byteCount)))], /cancel key/)
  }
})

void test('a server without a cancel key gives a session that cannot be cancelled, and says so', async () => {
  await against([say(authenticationOk, ready)], async (opening) => {
    const connection = await opening
    assert.equal(connection.processId, 0)
    await assert.rejects(connection.cancel(), { code: 'backend_unavailable' })
  })
})

void test('what comes after ReadyForQuery is handed over, however it was cut into pieces', async () => {
  const status = encodeParameterStatus('a', 'b')
  await against([say(authenticationOk, key, ready, status, status.subarray(0, 3))], async (opening) => {
    const { rest, socket } = await opening
    const later: Buffer[] = [rest]
    socket.on('data', (chunk: Buffer) => later.push(chunk))
    socket.resume()
    const wanted = status.length + 3
    while (later.reduce((sum, { length }) => sum + length, 0) < wanted) await setImmediate()
    assert.deepEqual(Buffer.concat(later), Buffer.concat([status, status.subarray(0, 3)]))
  })
  const byteByByte: Script = async (socket) => {
    for (const byte of Buffer.concat([authenticationOk, status, key, ready])) {
      socket.write(Buffer.from([byte]))
      await setImmediate()
    }
  }
  await against([byteByByte], async (opening) => {
    assert.deepEqual((await opening).parameterStatuses, [['a', 'b']])
  })
})

void test('an error at any point of the log-in that is not about our credential is relayed', async () => {
  const error = encodeErrorResponse({ severity: 'FATAL', code: '57P03', message: 'the database system is starting up' })
  for (const scripts of [[say(error)], [say(authenticationOk, key, error)]]) {
    await against(scripts, async (opening) => {
      await assert.rejects(opening, (thrown) => {
        assert.ok(thrown instanceof BackendRefusal)
        assert.deepEqual(thrown.raw, error)
        assert.equal(thrown.code, '57P03')
        return true
      })
    })
  }
})

void test('whatever bytes a server sends, the log-in ends in a failure of ours, a refusal of its own, or a session', async () => {
  const pieces = [
    authenticationOk,
    key,
    ready,
    encodeParameterStatus('a', 'b'),
    encodeAuthenticationSASL(['SCRAM-SHA-256']),
  ]
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array)),
    // Valid messages in any order, with one byte changed.
    fc
      .tuple(fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 5 }), fc.nat(), fc.nat(255))
      .map(([messages, at, value]) => {
        const all = Buffer.concat(messages)
        all[at % all.length] = value
        return all
      }),
  )
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), async (said, isTls) => {
      const script: Script = (socket) => void socket.end(said)
      await against(
        [script],
        async (opening) => {
          try {
            await opening
          } catch (error) {
            const isOurs = error instanceof PosternError && error.code.startsWith('backend_')
            assert.ok(isOurs || error instanceof BackendRefusal, inspect(error))
          }
        },
        isTls ? prefer : {},
      )
    }),
    { numRuns: 200 },
  )
})

/** The server's side of SCRAM, by a server that believes the password to be `password`. */
function fakeScram(password: string): { challenge: Script; final: Script } {
  const salt = Buffer.from('salt of a fake server')
  const exchange = { bare: '', challenge: '' }
  return {
    challenge(socket, heard) {
      const body = readOne(heard)
      const { response } = decodeSASLInitialResponse(body)
      exchange.bare = String(response).replace(/^[ny],,/, '')
      exchange.challenge = `${exchange.bare.replace(/^n=,/, '')}server,s=${salt.toString('base64')},i=16`
      socket.write(encodeAuthenticationSASLContinue(Buffer.from(exchange.challenge)))
    },
    final(socket, heard) {
      const withoutProof = readOne(heard)
        .toString()
        .replace(/,p=.*$/, '')
      const salted = pbkdf2Sync(password, salt, 16, 32, 'sha256')
      const serverKey = createHmac('sha256', salted).update('Server Key').digest()
      const signed = `${exchange.bare},${exchange.challenge},${withoutProof}`
      const signature = createHmac('sha256', serverKey).update(signed).digest('base64')
      socket.write(
        Buffer.concat([encodeAuthenticationSASLFinal(Buffer.from(`v=${signature}`)), authenticationOk, key, ready]),
      )
    },
  }
}

function readOne(heard: Buffer): Buffer {
  const framer = new Framer({ messageBytesMax: 65_536 })
  framer.push(heard)
  return framer.next()?.body ?? Buffer.alloc(0)
}
