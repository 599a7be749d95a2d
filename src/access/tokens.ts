import { subjectKey, type Grant, type SessionRecord, type SessionToken } from '../core/access.ts'
import { partyOf } from '../core/access.ts'
import type { IssuedToken, TokenWish } from '../core/access-service.ts'
import type { StoreReads } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import { newTokenId, type TokenId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Principal } from '../core/principal.ts'
import { isForDatabase, isHeldAt, isHolder } from './grants.ts'
import * as inputs from './inputs.ts'
import { isMember, isRevoked } from './rules.ts'
import { refuseBacklog, type Scene } from './scene.ts'
import { isSecretOf, keptOf, newTokenSecret, tokenIdOf } from './token-secret.ts'
import type { Work } from './work.ts'

/** A token as far as it lets somebody in: who that is, and what SCRAM-SHA-256 checks the secret with. */
export interface TokenVerifier {
  readonly principal: Principal
  readonly scram: SessionToken['scram']
}

/** Issues a session token; its secret is shown this once. */
export async function issueToken(scene: Scene, by: Principal, wish: TokenWish): Promise<IssuedToken> {
  if (by.sessionToken !== undefined) throw inputs.refused('issue a token', 'A session token opens sessions only.')
  const durationMs = inputs.checkedDuration(wish.durationMs, limits.sessionTokenMsMax, 'a session token')
  if (wish.database === '' || wish.database.length > limits.principalNameCharsMax) {
    throw inputs.invalid('the database of a session token has no name, or too long a one', 'Name one database.')
  }
  refuseBacklog(scene)
  const id = newTokenId()
  const secret = newTokenSecret(id)
  const kept = await keptOf(secret)
  return scene.commit(async (work) => {
    const { nowMs, reads } = work
    const own = await reads.tokens({ principal: by, isEnded: false })
    if (own.length >= limits.sessionTokensPerPrincipalMax) {
      throw new PosternError('limit_exceeded', 'you have too many session tokens already', {
        hint: 'Revoke those that are not needed any more.',
      })
    }
    const grant = wish.role === null ? null : await heldGrant(scene, work, by, { ...wish, role: wish.role })
    const token: SessionToken = {
      id,
      principal: plainPrincipal(by),
      role: wish.role,
      grant: grant?.id ?? null,
      database: wish.database,
      ...kept,
      issuedAtMs: nowMs,
      expiresAtMs: Math.min(nowMs + durationMs, grant?.untilMs ?? Infinity),
      isSingleSession: wish.isSingleSession,
      session: null,
      ended: null,
    }
    await work.issueToken(token)
    return { id, secret, expiresAtMs: token.expiresAtMs }
  })
}

/** A principal without anything that somebody may have added to it. */
function plainPrincipal(by: Principal): Principal {
  const { name, kind, issuer, subject, groups, actors, authenticationMethods, tokenId, expiresAtMs } = by
  return { name, kind, issuer, subject, groups, actors, authenticationMethods, tokenId, expiresAtMs }
}

/** The grant that gives a role now, in the store and on record; the one that lasts longest. */
async function heldGrant(
  scene: Scene,
  work: Work,
  by: Principal,
  { role, database }: { readonly role: string; readonly database: string },
): Promise<Grant> {
  const { nowMs, reads } = work
  const all = await reads.grants({ principal: by, role, isEnded: false, limit: limits.storeRowsMax })
  const [grant] = all
    .filter((each) => isHolder(by, each.principal) && isForDatabase(each, database) && isHeldAt(each, nowMs))
    .filter(({ id }) => scene.holdings.isInForce(id, nowMs))
    .sort((a, b) => b.untilMs - a.untilMs)
  if (grant === undefined) {
    throw inputs.refused('issue a token for that access role', 'You do not hold it in that database now.')
  }
  return grant
}

/** Ends a token of one's own, or for admins any. */
export async function revokeToken(scene: Scene, by: Principal, id: TokenId): Promise<void> {
  await scene.commit(async (work) => {
    const token = await work.reads.token(id)
    const isMine = token !== null && subjectKey(token.principal) === subjectKey(by)
    const may = by.sessionToken === undefined && (isMine || isMember(by, scene.settings.admins))
    if (token === null || !may) throw inputs.unknownRequest()
    if (token.ended === null) await work.endToken(token, 'revoked')
  })
}

/** The principal whose token that secret is. Rejects with a `token_*` code, or `store_unavailable`. */
export async function verifyToken(scene: Scene, secret: string, nowMs: number): Promise<Principal> {
  const id = secret.length > limits.tokenCharsMax ? null : tokenIdOf(secret)
  if (id === null) {
    throw new PosternError('token_malformed', 'this is not a session token of Postern', {
      hint: 'Give it as it was printed, from pst_ to its last character.',
    })
  }
  return scene.options.store.read(async (reads) => {
    const token = await reads.token(id)
    // Which of the two is wrong is nobody's business who does not have the secret.
    if (!isSecretOf(token ?? nobodys, secret) || token === null) throw untrusted()
    return usablePrincipal(scene, reads, token, nowMs)
  })
}

/** What a SCRAM exchange for that token needs; rejects as `verifyToken` does. */
export async function scramVerifierOf(scene: Scene, id: TokenId, nowMs: number): Promise<TokenVerifier> {
  return scene.options.store.read(async (reads) => {
    const token = await reads.token(id)
    if (token === null) throw untrusted()
    return { principal: await usablePrincipal(scene, reads, token, nowMs), scram: token.scram }
  })
}

/** A token that nothing is the secret of, so that looking for one that is not there takes as long. */
const nobodys = { secretHash: 'A'.repeat(43) }

async function usablePrincipal(
  scene: Scene,
  reads: StoreReads,
  token: SessionToken,
  nowMs: number,
): Promise<Principal> {
  const { id, role, database, expiresAtMs, issuedAtMs } = token
  if (token.ended !== null && token.ended.why !== 'expired') throw unusable(token.ended.why)
  if (token.ended !== null || nowMs >= expiresAtMs) {
    throw new PosternError('token_expired', 'this session token has expired', { hint: hintOfNew })
  }
  if (scene.holdings.isTokenDead(id)) throw unusable('revoked')
  if (token.isSingleSession && token.session !== null) throw unusable('session_ended')
  if (isRevoked(token.principal, token.issuedAtMs, await reads.revocations())) throw unusable('revoked')
  if (token.grant !== null) {
    const grant = await reads.grant(token.grant)
    const stands = grant !== null && isHeldAt(grant, nowMs) && !scene.holdings.isOver(grant)
    if (!stands || !isForDatabase(grant, database)) throw unusable('revoked')
  }
  return { ...token.principal, tokenId: id, issuedAtMs, expiresAtMs, sessionToken: { id, role, database } }
}

/** Starts a session; with a single-session token only the first one that comes. */
export async function startSession(scene: Scene, session: SessionRecord): Promise<void> {
  await scene.commit(async (work) => {
    if (session.token !== null) {
      const token = await work.reads.token(session.token)
      if (token === null) throw untrusted()
      const principal = await usablePrincipal(scene, work.reads, token, work.nowMs)
      if (!isHolder(session.principal, partyOf(principal)) || session.database !== token.database) throw untrusted()
      if (token.isSingleSession) await work.claimToken(token, session.id)
    }
    await work.startSession(session)
  })
}

/** Ends a session, and the token that was for it alone. */
export async function endSession(work: Work, session: SessionRecord, atMs: number): Promise<void> {
  if (session.endedAtMs === null) await work.endSession(session.id, atMs)
  if (session.token === null) return
  const token = await work.reads.token(session.token)
  if (token !== null && token.ended === null && token.session === session.id)
    await work.endToken(token, 'session_ended')
}

const hintOfNew = 'Ask for a new one with `postern token`.'

function untrusted(): PosternError {
  return new PosternError('token_untrusted', 'this session token is not known here', { hint: hintOfNew })
}

function unusable(why: 'revoked' | 'session_ended' | 'expired'): PosternError {
  return new PosternError('token_unusable', 'this session token can no longer be used', {
    detail:
      why === 'session_ended'
        ? 'It was for one session, which has begun or ended.'
        : 'It was revoked, or its grant has ended.',
    hint: hintOfNew,
  })
}
