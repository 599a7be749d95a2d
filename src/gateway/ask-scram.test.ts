import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createSecureContext } from 'node:tls'
import { Client } from 'pg'
import postgres from 'postgres'
import { createCertificateAuthority, issueCertificate } from '../../sandbox/certificate.ts'
import { type SandboxPostgres, startPostgres } from '../../sandbox/postgres.ts'
import { RawClient } from '../../test/support/raw-client.ts'
import { connectBackend, createCredentialSource } from '../backend/backend.ts'
import { type ChannelBinding, clientFinal, clientFirst, readServerFirst, verifyServerFinal } from '../backend/scram.ts'
import { deriveScramKeys } from '../backend/scram-keys.ts'
import { PosternError } from '../core/errors.ts'
import { newTokenId, type TokenId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import {
  authenticationOk,
  backend,
  decodeAuthentication,
  decodeErrorResponse,
  encodeBackendKeyData,
  encodeErrorResponse,
  encodeParameterStatus,
  encodeReadyForQuery,
  reportOf,
} from '../wire/backend.ts'
import { encodeSASLInitialResponse, encodeSASLResponse } from '../wire/frontend.ts'
import { encodeStartupMessage, protocol30 } from '../wire/startup.ts'
import { databaseMeant, identifyClient } from './identify-client.ts'
import type { TokenLogIn } from './services.ts'
import { startUp } from './start-up.ts'

const salt = randomBytes(16)
const tokens = new Map<TokenId, { secret: string; principal: Principal }>()
const tokenLogIn: TokenLogIn = {
  async scramVerifierOf(id) {
    const token = tokens.get(id)
    if (token === undefined) return null
    const keys = await deriveScramKeys(token.secret, { salt, iterations: 4_096 })
    return {
      salt: salt.toString('base64'),
      iterations: 4_096,
      storedKey: keys.storedKey.toString('base64'),
      serverKey: keys.serverKey.toString('base64'),
    }
  },
  principalOf: async (id) => found(tokens.get(id)),
  verifyToken: async (secret) => found([...tokens.values()].find((token) => token.secret === secret)),
}

function found(token: { principal: Principal } | undefined): Principal {
  if (token === undefined) throw new PosternError('token_untrusted', 'there is no such session token')
  return token.principal
}

function newToken(database = 'shop'): { id: TokenId; secret: string } {
  const id = newTokenId()
  const secret = `pst_${id}_${randomBytes(24).toString('base64url')}`
  const principal: Principal = {
    issuer: 'https://issuer.test',
    subject: 'a',
    name: 'alice@example.com',
    kind: 'human',
    groups: [],
    actors: [],
    authenticationMethods: [],
    tokenId: undefined,
    expiresAtMs: Number.MAX_SAFE_INTEGER,
    sessionToken: { id, role: null, database },
  }
  tokens.set(id, { secret, principal })
  return { id, secret }
}

let server: SandboxPostgres
let door: Server
let port = 0
let ca = ''
let directory = ''
const identified: string[] = []

before(async () => {
  server = await startPostgres()
  await server.query('postgres', 'CREATE DATABASE shop')
  const authority = await createCertificateAuthority()
  const { certificate, key } = await issueCertificate(authority, { hosts: ['localhost', '127.0.0.1'] })
  ca = authority.certificate
  directory = await mkdtemp(join(tmpdir(), 'postern-scram-'))
  await writeFile(join(directory, 'ca.pem'), ca)
  const secureContext = createSecureContext({ cert: certificate, key })
  door = createServer({ allowHalfOpen: true }, (socket) => void admit(socket, secureContext))
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  const address = door.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
})

after(async () => {
  door.close()
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

/** What the gateway does up to the log-in, and then a plain connection through. */
async function admit(plain: Socket, secureContext: ReturnType<typeof createSecureContext>): Promise<void> {
  plain.on('error', () => plain.destroy())
  const signal = AbortSignal.timeout(20_000)
  const start = await startUp(plain, { secureContext, signal })
  if (start.kind !== 'session') return void plain.end()
  const { socket, handshake } = start
  const identity = { identify: () => Promise.reject(new PosternError('token_malformed', 'no token of the issuer')) }
  const asking = { login: 'password', discovery: { issuer: '', scope: '' } } as const
  try {
    const principal = await identifyClient(start, { identity, tokens: tokenLogIn }, asking)
    const database = databaseMeant(start, principal)
    identified.push(`${principal.name} ${database}`)
    const target = {
      host: server.socketDirectory,
      port: server.port,
      database,
      role: 'postgres',
      tls: { mode: 'disable', ca: undefined, serverName: undefined },
    } as const
    const credential = createCredentialSource({ password: server.password }, {})
    const connection = await connectBackend(target, new Map(), { signal, credential })
    socket.write(
      Buffer.concat([
        authenticationOk,
        ...connection.parameterStatuses.map(([name, value]) => encodeParameterStatus(name, value)),
        encodeBackendKeyData(1, Buffer.alloc(4)),
        encodeReadyForQuery('I'),
      ]),
    )
    connection.socket.write(handshake.takeRest())
    socket.pipe(connection.socket).on('error', () => socket.destroy())
    connection.socket.pipe(socket)
    socket.on('close', () => connection.socket.destroy())
  } catch (error) {
    if (!(error instanceof PosternError)) return void socket.destroy()
    socket.end(encodeErrorResponse(reportOf(error, 'FATAL')))
    socket.resume()
  }
}

async function psql(
  facts: { user: string; password: string; database?: string },
  settings = '',
): Promise<{ code: number; out: string; err: string }> {
  const place = `host=127.0.0.1 port=${String(port)} user=${facts.user} dbname=${facts.database ?? 'shop'}`
  const tls = `sslmode=verify-ca sslrootcert=${join(directory, 'ca.pem')} gssencmode=disable`
  const child = spawn(
    'psql',
    ['-X', '-w', '-A', '-t', '-c', 'SELECT current_database()', `${place} ${tls} ${settings}`],
    {
      env: { ...process.env, PGPASSWORD: facts.password },
    },
  )
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  return { code, out: out.trim(), err }
}

describe('drivers', () => {
  test('psql logs in by SCRAM with a token id as user, bound to the channel also where it insists', async () => {
    const { id, secret } = newToken()
    assert.deepEqual(await psql({ user: id, password: secret }), { code: 0, out: 'shop', err: '' })
    const required = await psql({ user: id, password: secret }, 'channel_binding=require')
    assert.deepEqual(required, { code: 0, out: 'shop', err: '' })
    const without = await psql({ user: id, password: secret }, 'channel_binding=disable')
    assert.deepEqual(without, { code: 0, out: 'shop', err: '' })
    assert.equal(identified.at(-1), 'alice@example.com shop')
  })

  test('psql is refused with a wrong secret, an unknown id and another database', async () => {
    const { id, secret } = newToken()
    const wrong = await psql({ user: id, password: `${secret}x` })
    const unknown = await psql({ user: newTokenId(), password: secret })
    assert.equal(wrong.code, 2)
    assert.match(wrong.err, /no such session token, or its secret is another one/)
    assert.equal(unknown.err, wrong.err)
    const elsewhere = await psql({ user: id, password: secret, database: 'postgres' })
    assert.match(elsewhere.err, /for another database/)
    assert.equal((await psql({ user: id, password: secret, database: id })).out, 'shop')
  })

  test('node-postgres and postgres.js log in by SCRAM', async () => {
    const { id, secret } = newToken()
    const client = new Client({ host: '127.0.0.1', port, user: id, password: secret, database: 'shop', ssl: { ca } })
    await client.connect()
    assert.equal((await client.query<{ n: number }>('SELECT 1 AS n')).rows[0]?.n, 1)
    await client.end()
    const sql = postgres({ host: '127.0.0.1', port, user: id, password: secret, database: 'shop', ssl: { ca } })
    assert.equal((await sql<{ n: number }[]>`SELECT 1 AS n`)[0]?.n, 1)
    await sql.end()
  })

  test("a secret is taken as cleartext password from who asks for that, under the token's id or the principal's name", async () => {
    const { id, secret } = newToken()
    const options = '-c postern.login=password'
    for (const [user, settings] of [
      [id, options],
      ['alice@example.com', ''],
    ] as const) {
      const client = new Client({
        host: '127.0.0.1',
        port,
        user,
        password: secret,
        database: 'shop',
        ssl: { ca },
        options: settings,
      })
      await client.connect()
      await client.end()
    }
    const other = new Client({
      host: '127.0.0.1',
      port,
      user: 'bob@example.com',
      password: secret,
      database: 'shop',
      ssl: { ca },
    })
    await assert.rejects(other.connect(), { code: '28000' })
  })
})

/** What one exchange by hand brought: the messages of the server by kind, and the error that ended it. */
interface Told {
  readonly steps: readonly string[]
  readonly error: string | null
}

interface Tampering {
  readonly user?: string
  readonly mechanism?: string
  readonly binding?: ChannelBinding
  readonly isPlain?: boolean
  readonly first?: (message: string) => Buffer
  readonly final?: (message: string, nonce: string) => Buffer
  readonly password?: string
}

/** Logs in by hand, tampering with what is sent. */
async function exchange(tampering: Tampering = {}): Promise<Told> {
  const token = newToken()
  const client = await RawClient.open(tampering.isPlain === true ? { port } : { port, ca })
  const steps: string[] = []
  const next = async (): Promise<Buffer | null> => {
    const message = await client.next()
    if (message === null) throw new Error('closed')
    if (message.type === backend.ErrorResponse) {
      const fields = decodeErrorResponse(message.body)
      throw new Error(`${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`)
    }
    const told = decodeAuthentication(message.body)
    steps.push(told.kind === 'SASL' ? told.mechanisms.join('+') : told.kind)
    return 'data' in told ? told.data : null
  }
  try {
    const parameters = { user: tampering.user ?? token.id, database: 'shop' }
    client.send(encodeStartupMessage(protocol30, Object.entries(parameters)))
    await next()
    const first = clientFirst(tampering.binding ?? { kind: 'unsupported' }, {
      nonce: randomBytes(18).toString('base64'),
    })
    const firstMessage = tampering.first?.(first.message.toString()) ?? first.message
    client.send(encodeSASLInitialResponse(tampering.mechanism ?? 'SCRAM-SHA-256', firstMessage))
    const challenge = readServerFirst((await next()) ?? Buffer.alloc(0), first)
    const keys = await deriveScramKeys(tampering.password ?? token.secret, challenge)
    const final = clientFinal(first, challenge, keys)
    client.send(encodeSASLResponse(tampering.final?.(final.message.toString(), challenge.nonce) ?? final.message))
    verifyServerFinal((await next()) ?? Buffer.alloc(0), final.serverSignature)
    await next()
    return { steps, error: null }
  } catch (error) {
    return { steps, error: error instanceof Error ? error.message : 'thrown' }
  } finally {
    client.close()
  }
}

const text = (message: string): Buffer => Buffer.from(message, 'latin1')

describe('on the wire', () => {
  test('an honest exchange proves both sides to each other', async () => {
    const steps = ['SCRAM-SHA-256-PLUS+SCRAM-SHA-256', 'SASLContinue', 'SASLFinal', 'Ok']
    assert.deepEqual(await exchange(), { steps, error: null })
  })

  test('without TLS no channel binding is offered, and a client that could bind goes on', async () => {
    const plain = await exchange({ isPlain: true, binding: { kind: 'not-offered' } })
    assert.deepEqual(plain, { steps: ['SCRAM-SHA-256', 'SASLContinue', 'SASLFinal', 'Ok'], error: null })
  })

  test('a client that could bind and was not offered to is not let in where it was', async () => {
    const { error } = await exchange({ binding: { kind: 'not-offered' } })
    assert.match(error ?? '', /^28P01 the client was not offered channel binding/)
  })

  test('a binding to another certificate, or of another sort, is not taken', async () => {
    const binding = { kind: 'tls-server-end-point', certificateHash: randomBytes(32) } as const
    const other = await exchange({ binding, mechanism: 'SCRAM-SHA-256-PLUS' })
    assert.match(other.error ?? '', /^28P01 the log-in is bound to another connection/)
    const unlike = await exchange({ binding })
    assert.match(unlike.error ?? '', /^08P01 .*do not go together/)
    const none = await exchange({ mechanism: 'SCRAM-SHA-256-PLUS' })
    assert.match(none.error ?? '', /^08P01 .*do not go together/)
    const unique = await exchange({
      mechanism: 'SCRAM-SHA-256-PLUS',
      first: (message) => text(message.replace('n,,', 'p=tls-unique,,')),
    })
    assert.match(unique.error ?? '', /^0A000 /)
  })

  test('the binding of the last message has to be that of the first', async () => {
    const { error } = await exchange({
      final: (message) => text(message.replace(/^c=[^,]+/, `c=${Buffer.from('y,,').toString('base64')}`)),
    })
    assert.match(error ?? '', /^28P01 the log-in is bound/)
  })

  test('a wrong nonce, a replayed one and one that is not continued are refused', async () => {
    for (const change of [
      (message: string) => message.replace(/r=[^,]+/, 'r=abc'),
      (message: string, nonce: string) => message.replace(nonce, nonce.slice(0, -1)),
      (message: string, nonce: string) => message.replace(nonce, `${nonce}x`),
    ]) {
      const { error } = await exchange({ final: (message, nonce) => text(change(message, nonce)) })
      assert.match(error ?? '', /^08P01 the nonce of the SCRAM exchange/)
    }
    let recorded = ''
    const nonce = 'always the same'.replaceAll(' ', '-')
    const first = (): Buffer => text(`n,,n=,r=${nonce}`)
    await exchange({ first, final: (message) => text((recorded = message)) })
    const again = await exchange({ first, final: () => text(recorded) })
    assert.notEqual(again.error, null)
    assert.deepEqual(again.steps.includes('Ok'), false)
  })

  test('a wrong proof is refused, and a second attempt is not taken', async () => {
    const { error, steps } = await exchange({ password: 'pst_something else' })
    assert.match(error ?? '', /^28P01 there is no such session token, or its secret is another one$/)
    assert.deepEqual(steps, ['SCRAM-SHA-256-PLUS+SCRAM-SHA-256', 'SASLContinue'])
  })

  test('a server signature without the right proof cannot be had by a verifier made up', async () => {
    const { error } = await exchange({ user: newTokenId(), password: '' })
    assert.match(error ?? '', /^28P01 there is no such session token/)
  })

  test('an id that is not known looks like one that is: same steps, same salt each time, same end', async () => {
    const challengeOf = async (user: string): Promise<string> => {
      const client = await RawClient.open({ port, ca })
      client.send(encodeStartupMessage(protocol30, Object.entries({ user, database: 'shop' })))
      await client.next()
      client.send(encodeSASLInitialResponse('SCRAM-SHA-256', text('n,,n=,r=abc')))
      const message = await client.next()
      const told = decodeAuthentication(message?.body ?? Buffer.alloc(0))
      client.close()
      return 'data' in told ? told.data.toString() : ''
    }
    const unknown = newTokenId()
    const known = newToken().id
    const [first, second, real] = [await challengeOf(unknown), await challengeOf(unknown), await challengeOf(known)]
    assert.equal(/s=([^,]+)/.exec(first)?.[1], /s=([^,]+)/.exec(second)?.[1])
    assert.notEqual(/s=([^,]+)/.exec(first)?.[1], /s=([^,]+)/.exec(await challengeOf(newTokenId()))?.[1])
    assert.equal(first.length, real.length)
    assert.equal(/,i=.*/.exec(first)?.[0], /,i=.*/.exec(real)?.[0])
    const wrong = await exchange({ password: 'wrong' })
    assert.deepEqual(await exchange({ user: unknown, password: 'wrong' }), wrong)
  })

  test('messages that are malformed end the log-in, wherever they are cut', async () => {
    const firsts = [
      '',
      'n',
      'n,,',
      'n,,n=',
      'n,,n=,r=',
      'n,,n=,r=with a blank',
      'x,,n=,r=abc',
      'p=,,n=,r=abc',
      'n,a=admin,n=,r=abc',
      'n,,m=ext,n=,r=abc',
      'n,,n=,r=abc,m=ext',
      'n,,n==zz,r=abc',
      'n,,r=abc,n=',
      'n,,n=,r=abc,',
      'n,,n=,r=abc,p=proof',
      'n,,n=,r=abc\0',
      `n,,n=,r=${'a'.repeat(2_000)}`,
      `n,,n=${'a'.repeat(5_000)},r=abc`,
    ]
    for (const first of firsts) {
      const { error } = await exchange({ first: () => text(first) })
      const code = /m=|a=/.test(first) ? /^0A000 / : /^08P01 /
      assert.match(error ?? '', code, first.slice(0, 60))
    }
    const finals: readonly ((message: string) => string)[] = [
      () => '',
      (message) => message.slice(0, -1),
      (message) => message.replace(/,p=.*/, ''),
      (message) => message.replace(/p=.*/, 'p='),
      (message) => message.replace(/p=.*/, `p=${randomBytes(31).toString('base64')}`),
      (message) => message.replace(/p=.*/, `p=${randomBytes(33).toString('base64')}`),
      (message) => message.replace('c=', 'c=%'),
      (message) => message.replace(/^c=[^,]+,/, ''),
      (message) => message.replace(',p=', ',m=x,p='),
      (message) => message.replace(',p=', ',p=x,p='),
      (message) => message.replace(',p=', ',,p='),
      (message) => `${message},x=1`,
      (message) => `${message}\n`,
      (message) => `${message}${'='.repeat(5_000)}`,
    ]
    for (const change of finals) {
      const { error } = await exchange({ final: (message) => text(change(message)) })
      assert.match(error ?? '', /^(08P01|0A000) /, change.toString())
    }
  })

  test('another mechanism is refused, and channel binding without TLS too', async () => {
    assert.match((await exchange({ mechanism: 'SCRAM-SHA-1' })).error ?? '', /^08P01 /)
    const binding = { kind: 'tls-server-end-point', certificateHash: randomBytes(32) } as const
    const plain = await exchange({ isPlain: true, binding, mechanism: 'SCRAM-SHA-256-PLUS' })
    assert.match(plain.error ?? '', /^08P01 /)
  })

  test('what the proof is over includes every extension', async () => {
    const { error } = await exchange({ final: (message) => text(message.replace(',p=', ',x=more,p=')) })
    assert.match(error ?? '', /^28P01 there is no such session token/)
  })
})
