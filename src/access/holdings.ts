import type { Grant, Holding, Party, Revocation, SessionToken } from '../core/access.ts'
import { noHolding, subjectKey } from '../core/access.ts'
import type { GrantId, TokenId } from '../core/ids.ts'
import type { Principal, Subject } from '../core/principal.ts'
import { holdingAt, isForDatabase, isHeldAt, partyKey, startsAtMs } from './grants.ts'

interface Cached {
  readonly holding: Holding
  /** Before this the clock has gone back, and it has to be found anew. */
  readonly fromMs: number
}

interface Holder {
  readonly party: Party
  readonly grants: Map<GrantId, Grant>
  readonly cached: Map<string, Cached>
}

/**
 * Who holds what, in memory: what is in force and on record, and nothing else. What has ended here stays ended, whatever
 * the clock or a late reading of the store says.
 */
export class Holdings {
  readonly #holders = new Map<string, Holder>()
  readonly #holderOf = new Map<GrantId, Holder>()
  readonly #tokens = new Map<TokenId, SessionToken>()
  /** Grants that were seen ended, and with which end: one that was moved further off since is another end. */
  readonly #over = new Map<GrantId, number>()
  /** Tokens that were ended here before the store was read to have them so. */
  readonly #deadTokens = new Set<TokenId>()
  readonly #revokedBeforeMs = new Map<string, number>()
  /** Ends that others were told of. */
  readonly #told = new Map<string, number>()
  readonly #keys = new WeakMap<Principal, string>()

  /** The roles held at a moment; the same object for as long as nothing changes. */
  holdingOf(principal: Principal, database: string, nowMs: number): Holding {
    const holder = this.#holders.get(this.#keyOf(principal))
    if (holder === undefined) return noHolding
    const token = principal.sessionToken
    const name = token === undefined ? database : JSON.stringify([token.id, token.role, token.database, database])
    const cached = holder.cached.get(name)
    if (cached !== undefined && nowMs < cached.holding.untilMs && nowMs >= cached.fromMs) return cached.holding
    for (const grant of holder.grants.values()) if (nowMs >= grant.untilMs) this.#markOver(grant)
    const grants = this.#effective(holder)
    const holding =
      token === undefined ? holdingAt(grants, database, nowMs) : this.#holdingOfToken(token, grants, database, nowMs)
    if (cached !== undefined && isSameHolding(cached.holding, holding)) return cached.holding
    const fromMs = grants.reduce(
      (latest, grant) => (isHeldAt(grant, nowMs) ? Math.max(latest, startsAtMs(grant)) : latest),
      0,
    )
    if (holder.grants.size > 0) holder.cached.set(name, { holding, fromMs })
    return holding
  }

  /** Whether a grant is in force at a moment, and on record. */
  isInForce(id: GrantId, nowMs: number): boolean {
    const holder = this.#holderOf.get(id)
    return holder !== undefined && this.#effective(holder).some((grant) => grant.id === id && isHeldAt(grant, nowMs))
  }

  /** Whether this process has seen a grant end. */
  isOver(grant: Grant): boolean {
    return grant.untilMs <= (this.#over.get(grant.id) ?? -Infinity)
  }

  /** Whether a token is good at a moment, its grant included. */
  isTokenGood(id: TokenId, nowMs: number): boolean {
    const token = this.#tokens.get(id)
    if (token === undefined || this.#isTokenOver(token, nowMs) || this.#isTokenRevoked(token)) return false
    return token.grant === null || this.isInForce(token.grant, nowMs)
  }

  token(id: TokenId): SessionToken | undefined {
    return this.#tokens.get(id)
  }

  isTokenDead(id: TokenId): boolean {
    return this.#deadTokens.has(id)
  }

  /** What is issued to a subject before this is dead. */
  revokedBeforeMs(subject: Subject): number {
    return this.#revokedBeforeMs.size === 0 ? 0 : (this.#revokedBeforeMs.get(subjectKey(subject)) ?? 0)
  }

  /** Takes a grant as the store has it; `untilMs` where its extension is not on record yet. Returns whom it changed. */
  put(grant: Grant): Subject | null {
    const before = this.#holderOf.get(grant.id)?.grants.get(grant.id)
    if (grant.ended !== null || this.isOver(grant)) return this.remove(grant.id, grant.untilMs)
    if (before?.untilMs === grant.untilMs) return null
    const key = partyKey(grant.principal)
    const holder = this.#holders.get(key) ?? { party: grant.principal, grants: new Map(), cached: new Map() }
    this.#holders.set(key, holder)
    holder.grants.set(grant.id, grant)
    holder.cached.clear()
    this.#holderOf.set(grant.id, holder)
    return holder.party
  }

  /** A grant is over, at `untilMs` or before; it does not come back. */
  end(grant: Grant): Subject | null {
    // Nothing moves the end of a grant that was ended, so whatever end is read of it later is one that does not count.
    this.#over.set(grant.id, Infinity)
    return this.remove(grant.id, grant.untilMs)
  }

  remove(id: GrantId, untilMs: number): Subject | null {
    const holder = this.#holderOf.get(id)
    if (holder === undefined) return null
    this.#over.set(id, Math.max(untilMs, this.#over.get(id) ?? 0))
    holder.grants.delete(id)
    holder.cached.clear()
    this.#holderOf.delete(id)
    this.#told.delete(id)
    if (holder.grants.size === 0) this.#holders.delete(partyKey(holder.party))
    return holder.party
  }

  putToken(token: SessionToken): Subject | null {
    if (token.ended !== null) {
      // Whoever reads the store from here on is told so by it.
      this.#deadTokens.delete(token.id)
      return this.#removeToken(token.id)
    }
    const isNew = !this.#tokens.has(token.id)
    this.#tokens.set(token.id, token)
    this.#forgetHoldings(token.principal)
    return isNew ? token.principal : null
  }

  endToken(id: TokenId): Subject | null {
    this.#deadTokens.add(id)
    return this.#removeToken(id)
  }

  /** Takes revocations; they only ever grow. Returns whom they changed. */
  revoke(revocations: readonly Revocation[]): readonly Subject[] {
    const changed: Subject[] = []
    for (const { issuer, subject, notBeforeMs } of revocations) {
      const key = subjectKey({ issuer, subject })
      if (notBeforeMs <= (this.#revokedBeforeMs.get(key) ?? 0)) continue
      this.#revokedBeforeMs.set(key, notBeforeMs)
      changed.push({ issuer, subject })
    }
    if (changed.length > 0) for (const holder of this.#holders.values()) holder.cached.clear()
    return changed
  }

  /** Marks what has reached its end. Returns whom that changed, once for each end. */
  endDue(nowMs: number): readonly Subject[] {
    const changed: Subject[] = []
    for (const holder of this.#holders.values()) {
      for (const grant of holder.grants.values()) {
        if (nowMs < grant.untilMs) continue
        this.#markOver(grant)
        holder.cached.clear()
        if (this.#tellOnce(grant.id, grant.untilMs)) changed.push(holder.party)
      }
    }
    for (const { id, expiresAtMs, principal } of this.#tokens.values()) {
      if (nowMs < expiresAtMs) continue
      this.#deadTokens.add(id)
      this.#forgetHoldings(principal)
      if (this.#tellOnce(id, expiresAtMs)) changed.push(principal)
    }
    return changed
  }

  /** When the next grant or token reaches an end that nobody was told of; Infinity where none does. */
  nextEndMs(): number {
    let nextMs = Infinity
    for (const { id, untilMs } of this.#allGrants()) {
      if (untilMs < nextMs && this.#told.get(id) !== untilMs) nextMs = untilMs
    }
    for (const { id, expiresAtMs } of this.#tokens.values()) {
      if (expiresAtMs < nextMs && this.#told.get(id) !== expiresAtMs) nextMs = expiresAtMs
    }
    return nextMs
  }

  /** Grants that are over by time and not written down as such. */
  grantsToEnd(nowMs: number): readonly GrantId[] {
    return [...this.#allGrants()].filter((grant) => nowMs >= grant.untilMs || this.isOver(grant)).map(({ id }) => id)
  }

  tokensToEnd(nowMs: number): readonly TokenId[] {
    return [...this.#tokens.values()]
      .filter(({ id, expiresAtMs }) => nowMs >= expiresAtMs || this.#deadTokens.has(id))
      .map(({ id }) => id)
  }

  *#allGrants(): Generator<Grant> {
    for (const { grants } of this.#holders.values()) yield* grants.values()
  }

  #tellOnce(id: string, endMs: number): boolean {
    if (this.#told.get(id) === endMs) return false
    this.#told.set(id, endMs)
    return true
  }

  #isTokenOver({ id, expiresAtMs }: SessionToken, nowMs: number): boolean {
    if (nowMs >= expiresAtMs) this.#deadTokens.add(id)
    return this.#deadTokens.has(id)
  }

  #holdingOfToken(
    { id, role, database: only }: NonNullable<Principal['sessionToken']>,
    grants: readonly Grant[],
    database: string,
    nowMs: number,
  ): Holding {
    const token = this.#tokens.get(id)
    if (token === undefined || role === null || token.role !== role || this.#isTokenRevoked(token)) return noHolding
    if (database !== only || token.database !== only || this.#isTokenOver(token, nowMs)) return noHolding
    const grant = grants.find((each) => each.id === token.grant)
    if (grant?.role !== role || !isForDatabase(grant, database) || !isHeldAt(grant, nowMs)) return noHolding
    return Object.freeze({ roles: Object.freeze([role]), untilMs: Math.min(grant.untilMs, token.expiresAtMs) })
  }

  #effective({ party, grants }: Holder): Grant[] {
    const revokedMs = Math.max(...[party, ...party.actors].map((subject) => this.revokedBeforeMs(subject)))
    return [...grants.values()].filter((grant) => grant.fromMs >= revokedMs && !this.isOver(grant))
  }

  #isTokenRevoked({ principal, issuedAtMs }: SessionToken): boolean {
    return [principal, ...principal.actors].some((subject) => issuedAtMs < this.revokedBeforeMs(subject))
  }

  #markOver({ id, untilMs }: Grant): void {
    this.#over.set(id, Math.max(untilMs, this.#over.get(id) ?? 0))
  }

  #removeToken(id: TokenId): Subject | null {
    const token = this.#tokens.get(id)
    if (token === undefined) return null
    this.#tokens.delete(id)
    this.#told.delete(id)
    this.#forgetHoldings(token.principal)
    return token.principal
  }

  #forgetHoldings(principal: Principal): void {
    this.#holders.get(partyKey(principal))?.cached.clear()
  }

  #keyOf(principal: Principal): string {
    const known = this.#keys.get(principal)
    if (known !== undefined) return known
    const key = partyKey(principal)
    this.#keys.set(principal, key)
    return key
  }
}

function isSameHolding(one: Holding, other: Holding): boolean {
  return one.untilMs === other.untilMs && one.roles.join('\n') === other.roles.join('\n')
}
