import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import * as oidc from 'openid-client'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import { createIssuerFetch } from './issuer-fetch.ts'
import type { ApiLogin, ApiServices } from './services.ts'

/** A log-in on its way: where to send the browser, and what its cookie has to bring back. */
export interface StartedLogIn {
  readonly redirect: string
  /** Sealed; says nothing to whoever has it. */
  readonly ticket: string
}

/** A log-in that came back. */
export interface FinishedLogIn {
  readonly principal: Principal
  readonly token: string
  readonly returnTo: string
}

/** Logs browsers in by the authorization code flow with PKCE, state and nonce (OpenID Connect Core section 3.1). */
export interface LogIn {
  /** Fails with `issuer_unavailable`. */
  start(returnTo: string): Promise<StartedLogIn>
  /**
   * Takes the browser back with what the issuer sent along. Only together with the ticket of the same browser: a link
   * that brings somebody else's code finds none. Fails with a PosternError.
   */
  finish(query: URLSearchParams, ticket: string | undefined): Promise<FinishedLogIn>
}

/** What is remembered between the two, in the browser and sealed. */
interface Ticket {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly returnTo: string
  readonly endsAtMs: number
}

/** How long what the issuer says about itself is believed. */
const discoveryAgeMsMax = 3_600_000

/** Makes the log-in of one issuer; contacts it at the first use. */
export function createLogIn(
  login: ApiLogin,
  { siteUrl, services }: { readonly siteUrl: string; readonly services: Pick<ApiServices, 'identify' | 'now'> },
): LogIn {
  const redirectUri = `${siteUrl}/callback`
  const seal = createSeal()
  let known: { readonly client: Promise<oidc.Configuration>; readonly atMs: number } | null = null

  async function clientOf(): Promise<oidc.Configuration> {
    const nowMs = services.now()
    if (known === null || nowMs - known.atMs > discoveryAgeMsMax) known = { client: discover(login), atMs: nowMs }
    const asked = known
    return asked.client.catch((error: unknown) => {
      // A failure is not remembered; the next one asks again.
      if (known === asked) known = null
      throw error
    })
  }

  return {
    async start(returnTo) {
      const client = await clientOf()
      const ticket: Ticket = {
        state: oidc.randomState(),
        nonce: oidc.randomNonce(),
        verifier: oidc.randomPKCECodeVerifier(),
        returnTo: localPath(returnTo),
        endsAtMs: services.now() + limits.consoleLoginMsMax,
      }
      const redirect = oidc.buildAuthorizationUrl(client, {
        redirect_uri: redirectUri,
        scope: login.scope ?? scopesOf(client.serverMetadata().scopes_supported),
        response_type: 'code',
        state: ticket.state,
        nonce: ticket.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(ticket.verifier),
        code_challenge_method: 'S256',
      })
      return { redirect: redirect.href, ticket: seal.close(JSON.stringify(ticket)) }
    },
    async finish(query, sealed) {
      const text = sealed === undefined ? null : seal.open(sealed)
      const ticket = text === null ? null : (JSON.parse(text) as Ticket)
      if (ticket === null || services.now() >= ticket.endsAtMs) throw notBegunHere()
      const client = await clientOf()
      const url = new URL(redirectUri)
      url.search = query.toString()
      const tokens = await oidc
        .authorizationCodeGrant(client, url, {
          expectedState: ticket.state,
          expectedNonce: ticket.nonce,
          pkceCodeVerifier: ticket.verifier,
          idTokenExpected: true,
        })
        .catch((error: unknown) => {
          throw refused(error)
        })
      return { ...(await identifyOneOf(tokens, services)), returnTo: localPath(ticket.returnTo) }
    },
  }
}

/** Where a browser may be sent after log-in: pages of ours that exist, and else the first one. Never anywhere else. */
export function localPath(text: string | undefined): string {
  return text !== undefined && /^\/(?:r\/r_[0-9a-z]{1,32}|grants)$/.test(text) ? text : '/'
}

/** Without their groups nobody could approve anything; some issuers refuse a scope that they do not know. */
function scopesOf(supported: readonly string[] | undefined): string {
  return ['openid', 'profile', 'email', ...(supported?.includes('groups') === true ? ['groups'] : [])].join(' ')
}

async function discover(login: ApiLogin): Promise<oidc.Configuration> {
  try {
    return await oidc.discovery(new URL(login.issuer), login.clientId, undefined, clientAuthentication(login), {
      timeout: limits.issuerDeadlineMs / 1_000,
      [oidc.customFetch]: createIssuerFetch(login.ca),
      ...(login.allowInsecure ? { execute: [oidc.allowInsecureRequests] } : {}),
    })
  } catch (cause) {
    throw new PosternError('issuer_unavailable', 'the identity provider does not answer, so nobody can log in now', {
      cause,
      hint: 'Try again in a moment.',
    })
  }
}

/** Basic unless the issuer says that it does not take it (OpenID Connect Discovery section 3: the default is Basic). */
function clientAuthentication({ clientSecret }: ApiLogin): oidc.ClientAuth {
  if (clientSecret === undefined) return oidc.None()
  const basic = oidc.ClientSecretBasic(clientSecret)
  const post = oidc.ClientSecretPost(clientSecret)
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    return (methods.includes('client_secret_basic') ? basic : post)(server, client, body, headers)
  }
}

/** The id token where it is meant for the gateway, else the access token, as clients of the gateway do. */
async function identifyOneOf(
  tokens: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers,
  services: Pick<ApiServices, 'identify' | 'now'>,
): Promise<{ readonly principal: Principal; readonly token: string }> {
  const subject = tokens.claims()?.sub
  const idToken = tokens.id_token ?? ''
  try {
    return { principal: await services.identify(idToken, services.now()), token: idToken }
  } catch (error) {
    if (!(error instanceof PosternError) || error.code !== 'token_foreign') throw error
    const principal = await services.identify(tokens.access_token, services.now())
    if (principal.subject !== subject) throw refused(error)
    return { principal, token: tokens.access_token }
  }
}

function notBegunHere(): PosternError {
  return new PosternError('token_absent', 'this log-in was not begun in this browser, or too long ago', {
    hint: 'Begin again at /login, and allow cookies for this page.',
  })
}

/** What went wrong between browser, issuer and us; its texts may hold codes and tokens, and go no further. */
function refused(error: unknown): PosternError {
  if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) {
    const wasDeclined = error.error === 'access_denied'
    return new PosternError(
      'token_absent',
      wasDeclined ? 'the log-in was declined' : 'the identity provider refused the log-in',
      { hint: 'Try again; if it stays so, ask whoever runs this gateway.' },
    )
  }
  const isReply = error instanceof oidc.ClientError || error instanceof TypeError
  return new PosternError(
    isReply ? 'token_untrusted' : 'issuer_unavailable',
    isReply
      ? 'the answer of the identity provider does not fit the log-in that was begun'
      : 'the identity provider does not answer, so nobody can log in now',
    { hint: 'Begin again at /login.' },
  )
}

/** Encrypts and authenticates with a key of this process, so that nothing is kept for log-ins that never come back. */
function createSeal(): { close(text: string): string; open(sealed: string): string | null } {
  const key = randomBytes(32)
  return {
    close(text) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv)
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < 28) return null
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
      decipher.setAuthTag(bytes.subarray(12, 28))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
      } catch {
        return null
      }
    },
  }
}
