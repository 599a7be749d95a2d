/**
 * A real OIDC provider in this process, for the demo and the tests: discovery, JWKS, device flow, client credentials,
 * authorization code, pages for the browser. Five identities, own keys, 127.0.0.1 only. Never for production: its
 * log-in page lets everybody be whoever they choose.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose'
import { Provider, type ClientMetadata, type Configuration } from 'oidc-provider'
import { choosePage, choosePath, devicePages } from './issuer-pages.ts'

export type SandboxAlgorithm = 'ES256' | 'RS256'

/** One party the sandbox issuer knows. */
export interface SandboxIdentity {
  /** What the `preferred_username` claim says, and `email` for people. */
  readonly name: string
  readonly sub: string
  readonly kind: 'human' | 'service' | 'agent'
  readonly groups: readonly string[]
  /** The name of the identity that this one acts for: its token then has that `sub` and an `act` claim (RFC 8693). */
  readonly actsFor?: string
}

/** The identities: an engineer, a DBA, a support lead, a CI job, and an AI agent that acts for the engineer. */
export const sandboxIdentities: readonly SandboxIdentity[] = [
  { name: 'alice@example.com', sub: 'u-1001', kind: 'human', groups: ['engineering'] },
  { name: 'dana@example.com', sub: 'u-1002', kind: 'human', groups: ['dba', 'engineering'] },
  { name: 'sam@example.com', sub: 'u-1003', kind: 'human', groups: ['support'] },
  { name: 'ci-deploy', sub: 'ci-deploy', kind: 'service', groups: ['ci'] },
  { name: 'report-agent', sub: 'report-agent', kind: 'agent', groups: ['agents'], actsFor: 'alice@example.com' },
]

/** Where the sandbox puts what Postern asks for: the `claims` of an issuer in the configuration. */
export const sandboxClaims = {
  name: 'preferred_username',
  groups: 'groups',
  kind: { claim: 'kind', values: { human: 'human', service: 'service', agent: 'agent' } },
} as const

export interface IssuerOptions {
  /** 0 (the default) takes a free port; a number lets an issuer come back where it was. */
  readonly port?: number
  /** Lifetime of tokens from the real flows, in seconds; 3,600 unless told. */
  readonly tokenLifetimeS?: number
}

export interface TokenRequest {
  /** The name of a sandbox identity. */
  readonly identity: string
  /** Seconds from now; negative for a token that is already over. 3,600 unless told. */
  readonly expiresInS?: number
  readonly audience?: string | readonly string[]
  readonly algorithm?: SandboxAlgorithm
  /** Seconds from now. */
  readonly notBeforeS?: number
  /** Claims to replace; `undefined` removes one. */
  readonly overrides?: Readonly<Record<string, unknown>>
  /** Header fields to replace. */
  readonly header?: Readonly<Record<string, unknown>>
}

export interface SandboxIssuer {
  readonly url: string
  readonly port: number
  readonly audience: string
  /** The public client for the device flow; the audience of its id tokens, and equal to `audience`. */
  readonly clientId: string
  /** Signs a token with the provider's current key, with the claims that its own flows give. */
  issueToken(request: TokenRequest): Promise<string>
  /** Completes a device log-in as a person would in the browser. Fails for an unknown or used code. */
  approveDevice(userCode: string, identity: string): Promise<void>
  /** Withdraws the refresh tokens of every device log-in so far. */
  withdrawRefreshTokens(): Promise<void>
  /** The secret of a service's or agent's own client (its client id is the identity's name). */
  clientSecretOf(identity: string): string
  /** New signing keys at once; the old ones leave the JWKS. */
  rotateKeys(): Promise<void>
  /** The public keys as served. */
  publicKeys(): readonly JWK[]
  /** How many requests each path got, for tests of caching. */
  readonly requestCounts: ReadonlyMap<string, number>
  stop(): Promise<void>
}

const people = sandboxIdentities.filter(({ kind }) => kind === 'human')
const audience = 'postern'
const clientId = 'postern'
/** RFC 8707 wants a URI where a token's audience may be any string. */
const resource = 'urn:postern:gateway'
const scope = 'openid profile email groups offline_access'

/** Starts the issuer on 127.0.0.1; fails where the port is taken. */
export async function startIssuer(options: IssuerOptions = {}): Promise<SandboxIssuer> {
  const requestCounts = new Map<string, number>()
  const secrets = new Map(
    sandboxIdentities.filter(({ kind }) => kind !== 'human').map(({ name }) => [name, randomBytes(24).toString('hex')]),
  )
  let handler: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) => {
    response.writeHead(503).end()
  }
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    requestCounts.set(path, (requestCounts.get(path) ?? 0) + 1)
    handler(request, response)
  })
  const port = await listen(server, options.port ?? 0)
  const url = `http://127.0.0.1:${port}`

  let keys: readonly JWK[] = []
  let provider: Provider
  async function rotateKeys(): Promise<void> {
    keys = await Promise.all([generateKey('ES256'), generateKey('RS256')])
    provider = createProvider(url, { keys, secrets, lifetimeS: options.tokenLifetimeS ?? 3_600 })
    const callback = provider.callback()
    handler = (request, response) => {
      if (!request.url?.startsWith(`${choosePath}/`)) return void callback(request, response)
      choosePage(provider, { request, response }, people).catch(() => response.writeHead(400).end())
    }
  }
  await rotateKeys()
  const grantIds: string[] = []

  return {
    url,
    port,
    audience,
    clientId,
    requestCounts,
    rotateKeys,
    publicKeys: () => keys.map(publicPart),
    async issueToken(request) {
      const algorithm = request.algorithm ?? 'ES256'
      const key = keys.find(({ alg }) => alg === algorithm)
      if (key === undefined) throw new Error(`the sandbox issuer has no ${algorithm} key`)
      const nowS = Math.floor(Date.now() / 1_000)
      const claims = {
        ...claimsOf(identityNamed(request.identity), url),
        iss: url,
        aud: request.audience ?? audience,
        iat: nowS,
        exp: nowS + (request.expiresInS ?? 3_600),
        jti: randomUUID(),
        ...(request.notBeforeS === undefined ? {} : { nbf: nowS + request.notBeforeS }),
        ...request.overrides,
      }
      return new SignJWT(claims as Record<string, unknown>)
        .setProtectedHeader({ alg: algorithm, typ: 'JWT', kid: String(key.kid), ...request.header })
        .sign(await importJWK(key, algorithm))
    },
    async approveDevice(userCode, identity) {
      const grantId = await approve(provider, userCode.toUpperCase().replaceAll(/[^A-Z]/g, ''), identityNamed(identity))
      grantIds.push(grantId)
    },
    async withdrawRefreshTokens() {
      for (const grantId of grantIds) await provider.RefreshToken.revokeByGrantId(grantId)
    },
    clientSecretOf(identity) {
      const secret = secrets.get(identity)
      if (secret === undefined) throw new Error(`the sandbox identity ${identity} has no client of its own`)
      return secret
    },
    async stop() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

interface ProviderParts {
  readonly keys: readonly JWK[]
  readonly secrets: ReadonlyMap<string, string>
  readonly lifetimeS: number
}

function createProvider(url: string, { keys, secrets, lifetimeS }: ProviderParts): Provider {
  const device: ClientMetadata = {
    client_id: clientId,
    client_name: 'Postern',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token', 'authorization_code'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback'],
    id_token_signed_response_alg: 'ES256',
    scope,
  }
  const services = [...secrets].map(([id, secret]): ClientMetadata => ({
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  }))
  const configuration: Configuration = {
    clients: [device, ...services],
    jwks: { keys: keys.map((key) => ({ ...key })) },
    scopes: scope.split(' '),
    claims: {
      openid: ['sub', 'kind', 'amr'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    // Without this the groups are only at the userinfo endpoint, which a gateway never asks.
    conformIdTokenClaims: false,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    findAccount: (_context, id) => {
      const identity = people.find(({ sub }) => sub === id)
      if (identity === undefined) return undefined
      return { accountId: identity.sub, claims: () => claimsOf(identity, url) }
    },
    interactions: { url: (_context, interaction) => `${choosePath}/${interaction.uid}` },
    // Nobody is asked for consent: the one client is the gateway's own.
    async loadExistingGrant({ oidc }) {
      const accountId = oidc.session?.accountId
      return accountId === undefined ? undefined : grantFor(oidc.provider, accountId, scope)
    },
    features: {
      deviceFlow: { enabled: true, ...devicePages },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          audience,
          scope,
          accessTokenFormat: 'jwt',
          accessTokenTTL: lifetimeS,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt: (_context, token, parts) => {
          const id = 'accountId' in token ? token.accountId : token.clientId
          const identity = sandboxIdentities.find(({ name, sub }) => name === id || sub === id)
          if (identity !== undefined) Object.assign(parts.payload, claimsOf(identity, url))
        },
      },
    },
    ttl: {
      AccessToken: lifetimeS,
      ClientCredentials: lifetimeS,
      IdToken: lifetimeS,
      DeviceCode: 600,
      Grant: 86_400,
      Interaction: 3_600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  }
  return quietly(() => new Provider(url, configuration))
}

/** The provider warns on the console that its in-memory store is for development; here that is the point. */
function quietly<Result>(make: () => Result): Result {
  const { warn, info } = console
  console.warn = () => undefined
  console.info = () => undefined
  try {
    return make()
  } finally {
    console.warn = warn
    console.info = info
  }
}

/** What the provider's own pages do at the end of a device log-in, without the pages. */
async function approve(provider: Provider, userCode: string, identity: SandboxIdentity): Promise<string> {
  if (identity.kind !== 'human') throw new Error(`${identity.name} is no person: only people log in by device code`)
  const code = await provider.DeviceCode.findByUserCode(userCode)
  if (code === undefined || code.accountId !== undefined) throw new Error('that device code is unknown or already used')
  const asked = code.params?.['scope']
  const wanted = typeof asked === 'string' ? asked : 'openid'
  const grant = await grantFor(provider, identity.sub, wanted)
  code.accountId = identity.sub
  code.amr = ['pwd', 'otp']
  code.authTime = Math.floor(Date.now() / 1_000)
  code.scope = wanted
  code.resource = resource
  code.grantId = grant.jti
  await code.save()
  return code.grantId
}

async function grantFor(provider: Provider, accountId: string, wanted: string) {
  const grant = new provider.Grant({ accountId, clientId })
  grant.addOIDCScope(wanted)
  grant.addResourceScope(resource, wanted)
  await grant.save()
  return grant
}

function identityNamed(name: string): SandboxIdentity {
  const identity = sandboxIdentities.find((each) => each.name === name)
  if (identity === undefined) throw new Error(`the sandbox issuer has no identity ${name}`)
  return identity
}

function claimsOf(identity: SandboxIdentity, issuer: string): { sub: string; [claim: string]: unknown } {
  const common = {
    preferred_username: identity.name,
    name: identity.name,
    kind: identity.kind,
    groups: identity.groups,
  }
  if (identity.actsFor !== undefined) {
    return { ...common, sub: identityNamed(identity.actsFor).sub, act: { iss: issuer, sub: identity.sub } }
  }
  if (identity.kind !== 'human') return { ...common, sub: identity.sub }
  return { ...common, sub: identity.sub, email: identity.name, email_verified: true, amr: ['pwd', 'otp'] }
}

async function generateKey(algorithm: SandboxAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: randomBytes(8).toString('hex'), alg: algorithm, use: 'sig' }
}

function publicPart(key: JWK): JWK {
  const { kty, kid, alg, use, crv, x, y, n, e } = key
  return JSON.parse(JSON.stringify({ kty, kid, alg, use, crv, x, y, n, e })) as JWK
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the sandbox issuer has no address')
  return address.port
}
