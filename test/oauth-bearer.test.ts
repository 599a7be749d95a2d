import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Authentication,
  backend,
  decodeAuthentication,
  decodeErrorResponse,
  encodeCommandComplete,
} from '../src/wire/backend.ts'
import { encodeQuery, encodeSASLInitialResponse, encodeSASLResponse } from '../src/wire/frontend.ts'
import { encodeStartupMessage, protocol32 } from '../src/wire/startup.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'

const alice = 'alice@example.com'
const oauth = '-c postern.login=oauth'
let sandbox: Sandbox

before(async () => {
  sandbox = await startSandbox()
})

after(async () => {
  await sandbox.stop()
})

/** As far as the offer of a mechanism. */
async function begin(options = oauth): Promise<{ client: RawClient; offer: Authentication }> {
  const client = await RawClient.open({ port: sandbox.postern.port, ca: sandbox.authority.certificate })
  const parameters = Object.entries({ user: alice, database: 'shop', options })
  client.send(encodeStartupMessage(protocol32, parameters))
  return { client, offer: await authentication(client) }
}

async function authentication(client: RawClient): Promise<Authentication> {
  const message = await client.next()
  assert.equal(message?.type, backend.Authentication)
  return decodeAuthentication(message.body)
}

async function fatal(client: RawClient): Promise<ReadonlyMap<string, string>> {
  const message = await client.next()
  assert.equal(message?.type, backend.ErrorResponse)
  const fields = decodeErrorResponse(message.body)
  assert.equal(fields.get('S'), 'FATAL')
  return fields
}

const bearer = (token: string): Buffer => Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`)
const acknowledgement = encodeSASLResponse(Buffer.from('\x01'))

test('a client of OAUTHBEARER logs in with a token and hears AuthenticationOk at once', async () => {
  const { client, offer } = await begin()
  assert.deepEqual(offer, { kind: 'SASL', mechanisms: ['OAUTHBEARER'] })
  client.send(encodeSASLInitialResponse('OAUTHBEARER', bearer(await sandbox.issuer.issueToken({ identity: alice }))))
  assert.deepEqual(await authentication(client), { kind: 'Ok' })
  await client.until(backend.ReadyForQuery)
  client.send(encodeQuery('SELECT 1'))
  const answers = await client.until(backend.ReadyForQuery)
  assert.ok(answers.some(({ bytes }) => bytes.equals(encodeCommandComplete('SELECT 1'))))
  client.close()
})

test('a client without an initial response is asked for one', async () => {
  const { client } = await begin()
  client.send(encodeSASLInitialResponse('OAUTHBEARER', null))
  assert.deepEqual(await authentication(client), { kind: 'SASLContinue', data: Buffer.alloc(0) })
  client.send(encodeSASLResponse(bearer(await sandbox.issuer.issueToken({ identity: alice }))))
  assert.deepEqual(await authentication(client), { kind: 'Ok' })
  client.close()
})

test('a client that asks where to get a token is told, and that is no failed log-in', async () => {
  const failedBefore = (await sandbox.entries()).filter(({ type }) => type === 'login_failed').length
  const { client } = await begin()
  client.send(encodeSASLInitialResponse('OAUTHBEARER', Buffer.from('n,,\x01auth=\x01\x01')))
  const challenge = await authentication(client)
  assert.ok(challenge.kind === 'SASLContinue')
  assert.deepEqual(JSON.parse(challenge.data.toString()), {
    status: 'invalid_token',
    'openid-configuration': `${sandbox.issuer.url}/.well-known/openid-configuration`,
    scope: 'openid',
  })
  client.send(acknowledgement)
  assert.equal((await fatal(client)).get('C'), '28P01')
  assert.equal((await sandbox.entries()).filter(({ type }) => type === 'login_failed').length, failedBefore)
})

test('a client with a token that is not good is told where to get a better one, and is on record', async () => {
  const { client } = await begin()
  const expired = await sandbox.issuer.issueToken({ identity: alice, expiresInS: -60 })
  client.send(encodeSASLInitialResponse('OAUTHBEARER', bearer(expired)))
  assert.equal((await authentication(client)).kind, 'SASLContinue')
  client.send(acknowledgement)
  assert.match((await fatal(client)).get('M') ?? '', /expired/)
  const failed = (await sandbox.entries()).findLast(({ type }) => type === 'login_failed')
  assert.equal(failed?.['code'], 'token_expired')
})

test("somebody else's token, another mechanism and a broken message end the log-in", async () => {
  const dana = await begin()
  const token = await sandbox.issuer.issueToken({ identity: 'dana@example.com' })
  dana.client.send(encodeSASLInitialResponse('OAUTHBEARER', bearer(token)))
  assert.equal((await fatal(dana.client)).get('C'), '28000')
  const scram = await begin()
  scram.client.send(encodeSASLInitialResponse('SCRAM-SHA-256', Buffer.from('n,,n=,r=abc')))
  assert.equal((await fatal(scram.client)).get('C'), '08P01')
  const broken = await begin()
  broken.client.send(
    encodeSASLInitialResponse('OAUTHBEARER', Buffer.from(`p=tls-unique,,\x01auth=Bearer ${token}\x01\x01`)),
  )
  assert.equal((await fatal(broken.client)).get('C'), '08P01')
})

test('a token is never asked for without TLS, and the method has to be one of two', async () => {
  const client = await RawClient.open({ port: sandbox.postern.port })
  client.send(encodeStartupMessage(protocol32, Object.entries({ user: alice, database: 'shop', options: oauth })))
  assert.equal((await fatal(client)).get('C'), '28000')
  const odd = await RawClient.open({ port: sandbox.postern.port, ca: sandbox.authority.certificate })
  const options = '-c postern.login=kerberos'
  odd.send(encodeStartupMessage(protocol32, Object.entries({ user: alice, database: 'shop', options })))
  assert.match((await fatal(odd)).get('M') ?? '', /neither/)
})

test('a client that asks for the password is asked for it', async () => {
  const { client, offer } = await begin('-c postern.login=password')
  assert.deepEqual(offer, { kind: 'CleartextPassword' })
  client.close()
})
