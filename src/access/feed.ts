import type { Approval, Grant, RequestRecord, Revocation, SessionToken } from '../core/access.ts'
import type { ControlStore, StoreChange, StoreReads } from '../core/control-store.ts'
import type { GatewayId, GrantId, RequestId, TokenId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'

/** A request as it was read, and whether what it became is on record. */
export interface ReadRequest {
  readonly request: RequestRecord
  readonly approvals: readonly Approval[]
  readonly isOnRecord: boolean
}

/** What was read of the store, to be taken over into memory. */
export interface FeedNews {
  /** Grants as far as they are on record. */
  readonly grants: readonly Grant[]
  readonly tokens: readonly SessionToken[]
  readonly requests: readonly ReadRequest[]
  /** Null where nothing changed about them. */
  readonly revocations: readonly Revocation[] | null
}

interface Touched {
  readonly grants: Set<GrantId>
  readonly tokens: Set<TokenId>
  readonly requests: Set<RequestId>
  revocations: boolean
}

const pageRows = 500

/**
 * Follows the store, whoever changes it. What adds access counts only once its change is on record, wherever it was made:
 * records are read first, and what is not on record yet second, so that nothing read can be newer than that list. What
 * takes access away counts at once.
 */
export class Feed {
  readonly #store: ControlStore
  readonly #gateway: GatewayId
  readonly #take: (news: FeedNews) => void
  /** Changes up to this number have been seen. */
  #seq = 0
  /** What was touched and is not taken over yet: a reading failed, or it is not on record. */
  #touched: Touched = nothing()
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null

  constructor({ store, gateway, take }: { store: ControlStore; gateway: GatewayId; take: (news: FeedNews) => void }) {
    this.#store = store
    this.#gateway = gateway
    this.#take = take
  }

  /** Whether something waits for its entry in a journal. */
  get isWaiting(): boolean {
    return isAnything(this.#touched)
  }

  /** Takes over all that is in force now, before anything else. */
  async start(): Promise<void> {
    this.#seq = await this.#lastSeq()
    const read = await this.#store.read(async (reads) => {
      const requests = await reads.requests({ states: ['pending', 'approved'], limit: limits.storeRowsMax })
      return {
        grants: await reads.grants({ isEnded: false, limit: limits.storeRowsMax }),
        tokens: await reads.tokens({ isEnded: false }),
        // Nobody waits here for any of them yet, so nobody needs to be told who approved.
        requests: requests.map((request) => ({ request, approvals: [] })),
        revocations: await reads.revocations(),
      }
    })
    await this.#takeOver(read, {
      grants: new Set(read.grants.map(({ id }) => id)),
      tokens: new Set(read.tokens.map(({ id }) => id)),
      requests: new Set(read.requests.map(({ request }) => request.id)),
      revocations: false,
    })
    await this.catchUp()
  }

  /** Takes over everything that was committed before this call; calls during a reading share the next one. */
  async catchUp(): Promise<void> {
    if (this.#running === null) {
      this.#running = this.#round().finally(() => {
        this.#running = null
      })
      return this.#running
    }
    this.#next ??= this.#running.then(
      async () => this.#afterRunning(),
      async () => this.#afterRunning(),
    )
    return this.#next
  }

  async #afterRunning(): Promise<void> {
    this.#next = null
    return this.catchUp()
  }

  async #round(): Promise<void> {
    for (;;) {
      const changes = await this.#store.changesAfter(this.#seq, pageRows)
      for (const change of changes) {
        touch(this.#touched, change)
        this.#seq = Math.max(this.#seq, change.seq)
      }
      if (changes.length < pageRows) break
    }
    const touched = this.#touched
    if (!isAnything(touched)) return
    const read = await this.#store.read(async (reads) => readTouched(reads, touched))
    await this.#takeOver(read, touched)
  }

  /** `read` has been read before what is not on record is: that order is what makes it safe. */
  async #takeOver(read: Read, touched: Touched): Promise<void> {
    const all = await this.#store.unjournalled({ gateway: this.#gateway, notSeenSinceMs: Number.MAX_SAFE_INTEGER })
    // The store lists no more than that, and what it leaves out would be taken for recorded.
    if (all.length >= limits.storeRowsMax) throw new Error('too many changes of the control store are not on record')
    const unrecorded = all.filter(addsAccess)
    const waiting = nothing()
    for (const change of unrecorded) touch(waiting, change)
    this.#touched = intersection(waiting, touched)
    this.#take(recordedOf(read, unrecorded, waiting))
  }

  /** The number of the newest change, by halves: there may be millions. */
  async #lastSeq(): Promise<number> {
    const isBehind = async (seq: number): Promise<boolean> => (await this.#store.changesAfter(seq, 1)).length > 0
    if (!(await isBehind(0))) return 0
    let [low, high] = [0, 1]
    while (await isBehind(high)) [low, high] = [high, high * 2]
    // Something is behind `low`, nothing is behind `high`.
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (await isBehind(middle)) low = middle
      else high = middle
    }
    return high
  }
}

/** Whether a change gives anybody anything. */
function addsAccess({ type }: StoreChange): boolean {
  return type === 'request_answered' || type === 'grant_started' || type === 'grant_extended' || type === 'token_issued'
}

function nothing(): Touched {
  return { grants: new Set(), tokens: new Set(), requests: new Set(), revocations: false }
}

function isAnything({ grants, tokens, requests, revocations }: Touched): boolean {
  return grants.size > 0 || tokens.size > 0 || requests.size > 0 || revocations
}

function touch(touched: Touched, { type, facts }: StoreChange): void {
  const { grant, token, request } = facts
  if (typeof grant === 'string') touched.grants.add(grant as GrantId)
  if (typeof token === 'string') touched.tokens.add(token as TokenId)
  if (typeof request === 'string') touched.requests.add(request as RequestId)
  if (type === 'principal_revoked') touched.revocations = true
}

function intersection(some: Touched, others: Touched): Touched {
  return {
    grants: both(some.grants, others.grants),
    tokens: both(some.tokens, others.tokens),
    requests: both(some.requests, others.requests),
    revocations: false,
  }
}

function both<Id>(some: ReadonlySet<Id>, others: ReadonlySet<Id>): Set<Id> {
  return new Set([...some].filter((id) => others.has(id)))
}

interface Read {
  readonly grants: readonly Grant[]
  readonly tokens: readonly SessionToken[]
  readonly requests: readonly Omit<ReadRequest, 'isOnRecord'>[]
  readonly revocations: readonly Revocation[] | null
}

async function readTouched(reads: StoreReads, touched: Touched): Promise<Read> {
  const grants: Grant[] = []
  const tokens: SessionToken[] = []
  const requests: Omit<ReadRequest, 'isOnRecord'>[] = []
  for (const id of touched.grants) {
    const grant = await reads.grant(id)
    if (grant !== null) grants.push(grant)
  }
  for (const id of touched.tokens) {
    const token = await reads.token(id)
    if (token !== null) tokens.push(token)
  }
  for (const id of touched.requests) {
    const request = await reads.request(id)
    if (request === null) continue
    const approvals = request.state.state === 'approved' ? await reads.approvals(id) : []
    requests.push({ request, approvals })
  }
  return { grants, tokens, requests, revocations: touched.revocations ? await reads.revocations() : null }
}

function recordedOf(read: Read, unrecorded: readonly StoreChange[], waiting: Touched): FeedNews {
  return {
    grants: read.grants.flatMap((grant) => asRecorded(grant, unrecorded)),
    tokens: read.tokens.filter(({ id, ended }) => ended !== null || !waiting.tokens.has(id)),
    requests: read.requests.map((each) => ({ ...each, isOnRecord: !waiting.requests.has(each.request.id) })),
    revocations: read.revocations,
  }
}

/** A grant as far as it is on record: none whose beginning is not, and with the end from before an extension that is not. */
function asRecorded(grant: Grant, unrecorded: readonly StoreChange[]): Grant[] {
  if (grant.ended !== null) return [grant]
  let untilMs = grant.untilMs
  for (const { type, facts } of unrecorded) {
    if (facts['grant'] !== grant.id) continue
    if (type === 'grant_started') return []
    if (type === 'grant_extended') {
      const beforeMs = Date.parse(String(facts['untilBefore']))
      // A text that is no time would be NaN, which every comparison takes for not over.
      untilMs = Number.isNaN(beforeMs) ? grant.fromMs : Math.min(untilMs, beforeMs)
    }
  }
  return [{ ...grant, untilMs }]
}
