import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { sandboxClaims, startIssuer, type SandboxIssuer } from '../../sandbox/issuer.ts'
import { PosternError } from '../core/errors.ts'
import { createIdentifier } from '../identity/identity.ts'
import { principalNameOf, tokenCommand, type LoginConfig, type TokenDeps } from './token.ts'

let base: string
let issuer: SandboxIssuer
let world: World

/** What a run of the command saw and said; a person stands by who approves each log-in, or does not. */
interface World {
  deps: TokenDeps
  out: string
  err: string
  logIns: number
  person: string | null
  nowMs: number
}

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'postern-token-'))
})

beforeEach(async () => {
  issuer = await startIssuer()
  world = await newWorld()
})

afterEach(() => issuer.stop())

after(() => rm(base, { recursive: true }))

async function newWorld(logins: readonly LoginConfig[] = []): Promise<World> {
  const home = await mkdtemp(join(base, 'home-'))
  const made: World = {
    out: '',
    err: '',
    logIns: 0,
    person: 'alice@example.com',
    nowMs: Date.now(),
    deps: {
      env: { XDG_CACHE_HOME: home },
      loadLogins: () => Promise.resolve(logins),
      writeOut: (text) => void (made.out += text),
      writeErr(text) {
        made.err += text
        const code = /confirm the code (\S+)/.exec(text)?.[1]
        if (code === undefined) return
        made.logIns += 1
        if (made.person !== null) void issuer.approveDevice(code, made.person)
      },
      nowMs: () => made.nowMs,
      pollIntervalS: 0.05,
    },
  }
  return made
}

async function run(in_: World, ...args: string[]): Promise<string> {
  in_.out = ''
  await tokenCommand(in_.deps).parseAsync(args, { from: 'user' })
  return in_.out.trim()
}

function byIssuer(): string[] {
  return ['--issuer', issuer.url, '--client-id', issuer.clientId]
}

async function refuses(attempt: Promise<unknown>, reason: RegExp): Promise<void> {
  await assert.rejects(
    attempt,
    (error) => error instanceof PosternError && reason.test(`${error.code} ${error.message}`),
  )
}

describe('postern token', () => {
  it('logs in by device code and prints a token that the gateway accepts, and nothing else, on standard output', async () => {
    const token = await run(world, ...byIssuer())
    assert.match(world.out, /^\S+\n$/)
    assert.match(world.err, new RegExp(`To log in, open ${issuer.url}/device\\?user_code=`))
    assert.ok(!world.err.includes(token))
    const identifier = createIdentifier({
      issuers: [{ url: issuer.url, audience: issuer.audience, allowInsecure: true, claims: sandboxClaims }],
    })
    const principal = await identifier.identify(token, Date.now())
    assert.deepEqual([principal.name, principal.groups], ['alice@example.com', ['engineering']])
    assert.deepEqual(principal.authenticationMethods, ['pwd', 'otp'])
    identifier.close()
  })

  it('prints the cached token while it is good, and a new one when asked', async () => {
    const first = await run(world, ...byIssuer())
    assert.equal(await run(world, ...byIssuer()), first)
    assert.equal(world.logIns, 1)
    await run(world, ...byIssuer(), '--fresh')
    assert.equal(world.logIns, 2)
  })

  it('uses the refresh token when less than a minute is left, without asking the person', async () => {
    const first = await run(world, ...byIssuer())
    world.nowMs += 3_545_000
    const second = await run(world, ...byIssuer())
    assert.notEqual(second, first)
    assert.equal(world.logIns, 1)
  })

  it('asks the person again where the refresh token is not good any more', async () => {
    await run(world, ...byIssuer())
    await issuer.withdrawRefreshTokens()
    world.nowMs += 3_545_000
    await run(world, ...byIssuer())
    assert.equal(world.logIns, 2)
  })

  it('presents the access token where that is configured or the only one for the gateway', async () => {
    const login: LoginConfig = { issuer: issuer.url, clientId: issuer.clientId, present: 'access_token' }
    const token = await run(await newWorld([login]))
    assert.equal(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).typ, 'at+jwt')
  })

  it('refuses to present a token that is for someone else', async () => {
    const login: LoginConfig = { issuer: issuer.url, clientId: issuer.clientId, audiences: ['payroll'] }
    await refuses(run(await newWorld([login])), /token_foreign .*no token that is meant for the gateway/)
  })

  it('prints JSON with the name to connect as and the expiry when asked', async () => {
    const { token, name, expiresAt } = JSON.parse(await run(world, ...byIssuer(), '--json')) as Record<string, string>
    assert.match(token ?? '', /^\S+\.\S+\.\S+$/)
    assert.equal(name, 'alice@example.com')
    assert.ok(Math.abs(Date.parse(expiresAt ?? '') - Date.now() - 3_600_000) < 10_000)
  })

  it('lets POSTERN_TOKEN win without contacting anybody', async () => {
    world.deps = { ...world.deps, env: { ...world.deps.env, POSTERN_TOKEN: 'from-ci' } }
    assert.equal(await run(world), 'from-ci')
    assert.equal(await run(world, '--json'), '{"token":"from-ci","name":null,"expiresAt":null}')
    assert.equal(issuer.requestCounts.size, 0)
  })

  it('takes the name from the claim that the configuration names for the issuer of the token', async () => {
    const login = { issuer: issuer.url, clientId: issuer.clientId, nameClaim: 'preferred_username', prefix: 'p:' }
    const configured = await newWorld([{ ...login, issuer: 'https://id.example.com', prefix: 'q:' }, login])
    const token = await issuer.issueToken({ identity: 'ci-deploy' })
    configured.deps = { ...configured.deps, env: { ...configured.deps.env, POSTERN_TOKEN: token } }
    assert.equal((JSON.parse(await run(configured, '--json')) as Record<string, string>)['name'], 'p:ci-deploy')
  })

  it('takes the one issuer of the configuration, or the one named, and asks which when there are several', async () => {
    const login = { issuer: issuer.url, clientId: issuer.clientId }
    const other = { issuer: 'https://id.example.com', clientId: 'x' }
    assert.match(await run(await newWorld([login])), /\./)
    const both = await newWorld([other, login])
    assert.match(await run(both, '--issuer', issuer.url), /\./)
    await refuses(run(both), /several issuers/)
    await refuses(run(world), /not known where to log in/)
    await refuses(run(world, '--issuer', issuer.url), /no client id/)
  })

  it('refuses an issuer without TLS that is not on this machine', async () => {
    await refuses(run(world, '--issuer', 'http://id.example.com', '--client-id', 'x'), /not an https URL/)
    await refuses(run(world, '--issuer', 'nonsense', '--client-id', 'x'), /not an https URL/)
  })

  it('lets nothing from outside steer the terminal', async () => {
    const attempt = run(world, '--issuer', 'http://id.example.com/\u001b[2J\u202e', '--client-id', 'x')
    await assert.rejects(
      attempt,
      (error) => error instanceof Error && !error.message.includes('\u001b') && !error.message.includes('\u202e'),
    )
  })

  it('says so when the issuer cannot be reached or does not know the client', async () => {
    await refuses(run(world, '--issuer', issuer.url, '--client-id', 'nobody'), /token_absent .*did not succeed/)
    await issuer.stop()
    await refuses(run(world, ...byIssuer()), /issuer_unavailable/)
  })
})

describe('principalNameOf', () => {
  const tokenOf = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`

  it('reads the configured claim and puts the prefix before it', () => {
    const token = tokenOf({ email: 'a@x', preferred_username: 'a', deep: { er: 'b' } })
    assert.equal(principalNameOf(token, {}), 'a@x')
    assert.equal(principalNameOf(token, { nameClaim: 'deep.er', prefix: 'p:' }), 'p:b')
    assert.equal(principalNameOf(tokenOf({ preferred_username: 'a' }), {}), 'a')
    assert.throws(() => principalNameOf(tokenOf({}), {}), /no name/)
  })
})
