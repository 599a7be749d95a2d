import type { Approval, Grant, RequestRecord, Revocation, SessionRecord, SessionToken } from '../core/access.ts'
import { subjectKey } from '../core/access.ts'
import type { ControlStore, StoreChange, StoreChanges, StoreReads } from '../core/control-store.ts'
import { PosternError } from '../core/errors.ts'
import type { GatewayId } from '../core/ids.ts'

interface Tables {
  requests: Map<string, RequestRecord>
  approvals: Approval[]
  grants: Map<string, Grant>
  tokens: Map<string, SessionToken>
  sessions: Map<string, SessionRecord>
  revocations: Revocation[]
  gateways: Map<GatewayId, number>
  changes: StoreChange[]
}

/** What tests do to a store behind everybody's back. */
export interface TestingStore extends ControlStore {
  /** While set, every call rejects with `store_unavailable`. */
  isDown: boolean
  /** The next transaction commits, and its caller is told that it did not. */
  losesNextCommit: boolean
  /** Called within each transaction, before its work. */
  onTransaction: () => void | Promise<void>
  readonly tables: Tables
}

/** A control store in memory: serialises changes, rolls back on throw, hands out copies. */
export function createTestingStore(): TestingStore {
  let tables: Tables = {
    requests: new Map(),
    approvals: [],
    grants: new Map(),
    tokens: new Map(),
    sessions: new Map(),
    revocations: [],
    gateways: new Map(),
    changes: [],
  }
  const listeners = new Set<() => void>()
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work)
    last = mine.catch(() => undefined)
    return mine
  }
  const check = (): void => {
    if (store.isDown) throw new PosternError('store_unavailable', 'the testing store is down')
  }
  const tell = (): void => {
    for (const listener of listeners) setImmediate(listener)
  }
  const store: TestingStore = {
    isDown: false,
    losesNextCommit: false,
    onTransaction: () => undefined,
    get tables() {
      return tables
    },
    change: async (work) =>
      inTurn(async () => {
        check()
        const before = copyOf(tables)
        try {
          await store.onTransaction()
          const result = await work(changesOf(tables))
          check()
          tell()
          if (store.losesNextCommit) {
            store.losesNextCommit = false
            throw new LostCommit()
          }
          return structuredClone(result)
        } catch (error) {
          if (error instanceof LostCommit) throw new PosternError('store_unavailable', 'the commit was not heard of')
          tables = before
          throw error
        }
      }),
    read: async (work) =>
      inTurn(async () => {
        check()
        return structuredClone(await work(readsOf(tables)))
      }),
    changesAfter: async (seq, limit) => {
      await Promise.resolve()
      check()
      return structuredClone(tables.changes.filter((change) => change.seq > seq).slice(0, limit))
    },
    unjournalled: async ({ gateway, notSeenSinceMs }) => {
      await Promise.resolve()
      check()
      const isLost = (id: GatewayId): boolean => (tables.gateways.get(id) ?? Infinity) < notSeenSinceMs
      return structuredClone(
        tables.changes.filter((each) => !each.isJournalled && (each.gateway === gateway || isLost(each.gateway))),
      )
    },
    markJournalled: async (seqs) =>
      inTurn(async () => {
        check()
        tables.changes = tables.changes.map((each) =>
          seqs.includes(each.seq) ? { ...each, isJournalled: true } : each,
        )
        tell()
      }),
    touchGateway: async (gateway, atMs) => {
      await Promise.resolve()
      check()
      tables.gateways.set(gateway, atMs)
    },
    prune: async ({ endedBeforeMs, rowsMax }) =>
      inTurn(async () => {
        check()
        const over = [...tables.sessions.values()].filter(({ endedAtMs }) => (endedAtMs ?? Infinity) < endedBeforeMs)
        const removed = over.slice(0, rowsMax)
        for (const { id } of removed) tables.sessions.delete(id)
        return removed.length
      }),
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: async () => {},
  }
  return store
}

class LostCommit extends Error {}

/** What is in the tables is never changed, only replaced. */
function copyOf(tables: Tables): Tables {
  return {
    requests: new Map(tables.requests),
    approvals: [...tables.approvals],
    grants: new Map(tables.grants),
    tokens: new Map(tables.tokens),
    sessions: new Map(tables.sessions),
    revocations: [...tables.revocations],
    gateways: new Map(tables.gateways),
    changes: [...tables.changes],
  }
}

function readsOf(tables: Tables): StoreReads {
  const newest = <T>(found: T[], limit = 100): T[] => structuredClone(found.toReversed().slice(0, limit))
  const one = async <T>(value: T | undefined): Promise<T | null> => {
    await Promise.resolve()
    return structuredClone(value ?? null)
  }
  return {
    request: async (id) => one(tables.requests.get(id)),
    requests: async ({ kind, states, requester, gateway, session, createdBeforeMs, limit }) =>
      newest(
        [...tables.requests.values()].filter(
          (each) =>
            (kind === undefined || each.kind === kind) &&
            (states === undefined || states.includes(each.state.state)) &&
            (requester === undefined || subjectKey(each.requester) === subjectKey(requester)) &&
            (gateway === undefined || (each.kind === 'statement' && each.gateway === gateway)) &&
            (session === undefined || (each.kind === 'statement' && each.session === session)) &&
            (createdBeforeMs === undefined || each.createdAtMs < createdBeforeMs),
        ),
        limit,
      ),
    approvals: async (request) => structuredClone(tables.approvals.filter((each) => each.request === request)),
    grant: async (id) => one(tables.grants.get(id)),
    grants: async ({ isEnded, principal, principalName, role, needsReview, fromBeforeMs, limit }) =>
      newest(
        [...tables.grants.values()].filter(
          (each) =>
            (isEnded === undefined || (each.ended !== null) === isEnded) &&
            (principal === undefined || subjectKey(each.principal) === subjectKey(principal)) &&
            (principalName === undefined || each.principal.name === principalName) &&
            (role === undefined || each.role === role) &&
            (needsReview === undefined || (each.kind === 'break_glass' && each.review === null) === needsReview) &&
            (fromBeforeMs === undefined || each.fromMs < fromBeforeMs),
        ),
        limit,
      ),
    token: async (id) => one(tables.tokens.get(id)),
    tokens: async ({ principal, isEnded }) =>
      structuredClone(
        [...tables.tokens.values()].filter(
          (each) =>
            (isEnded === undefined || (each.ended !== null) === isEnded) &&
            (principal === undefined || subjectKey(each.principal) === subjectKey(principal)),
        ),
      ),
    session: async (id) => one(tables.sessions.get(id)),
    sessions: async ({ gateway, isEnded }) =>
      structuredClone(
        [...tables.sessions.values()].filter(
          (each) =>
            (gateway === undefined || each.gateway === gateway) &&
            (isEnded === undefined || (each.endedAtMs !== null) === isEnded),
        ),
      ),
    revocations: async () => structuredClone(tables.revocations),
    gatewaysNotSeenSince: async (atMs) => [...tables.gateways].filter(([, seen]) => seen < atMs).map(([id]) => id),
    idsAfter: async (of, after, limit) => {
      const ids = [...tables[of].keys()].sort()
      return ids.filter((id) => after === null || id > after).slice(0, limit)
    },
    lastChange: async () => tables.changes.at(-1)?.seq ?? 0,
  }
}

function changesOf(tables: Tables): StoreChanges {
  const insert = async <T extends { readonly id: string }>(table: Map<string, T>, value: T): Promise<void> => {
    await Promise.resolve()
    if (table.has(value.id)) throw new PosternError('internal', 'it is there already')
    table.set(value.id, structuredClone(value))
  }
  const update = async <T extends { readonly id: string }>(table: Map<string, T>, value: T): Promise<void> => {
    await Promise.resolve()
    if (!table.has(value.id)) throw new PosternError('internal', 'it is not there')
    table.set(value.id, structuredClone(value))
  }
  return {
    ...readsOf(tables),
    insertRequest: async (request) => insert(tables.requests, request),
    updateRequest: async (request) => update(tables.requests, request),
    insertApproval: async (approval) => {
      const isSame = (each: Approval): boolean =>
        each.request === approval.request && subjectKey(each.approver) === subjectKey(approval.approver)
      if (tables.approvals.some(isSame)) throw new PosternError('internal', 'that answer is there already')
      tables.approvals.push(structuredClone(approval))
    },
    insertGrant: async (grant) => insert(tables.grants, grant),
    updateGrant: async (grant) => update(tables.grants, grant),
    insertToken: async (token) => insert(tables.tokens, token),
    updateToken: async (token) => update(tables.tokens, token),
    insertSession: async (session) => insert(tables.sessions, session),
    endSession: async (id, endedAtMs) => {
      const session = tables.sessions.get(id)
      if (session === undefined) throw new PosternError('internal', 'it is not there')
      tables.sessions.set(id, { ...session, endedAtMs })
    },
    insertRevocation: async (revocation) => {
      tables.revocations.push(structuredClone(revocation))
    },
    note: async (change) => {
      const seq = tables.changes.length + 1
      tables.changes.push(structuredClone({ ...change, seq, isJournalled: false }))
      return seq
    },
  }
}
