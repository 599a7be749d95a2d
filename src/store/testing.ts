import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createInterface } from 'node:readline'
import { startPostgres } from '../../sandbox/postgres.ts'
import type {
  AccessRequestRecord,
  Approval,
  Grant,
  Party,
  SessionRecord,
  SessionToken,
  StatementRequestRecord,
} from '../core/access.ts'
import { newGatewayId, newGrantId, newRequestId, newSessionId, newTokenId } from '../core/ids.ts'
import type { GatewayId, RequestId } from '../core/ids.ts'
import type { ControlStoreOptions } from './store.ts'

/** One of the two databases, as tests use it. */
export interface TestEngine {
  readonly kind: ControlStoreOptions['kind']
  start(): Promise<void>
  stop(): Promise<void>
  /** A store that nobody has opened yet. */
  fresh(): ControlStoreOptions
  /** Runs SQL behind the store's back. */
  raw(store: ControlStoreOptions, sql: string): Promise<readonly Record<string, unknown>[]>
}

/** Both, not started yet. */
export function testEngines(): readonly TestEngine[] {
  return [sqliteEngine(), postgresEngine()]
}

function sqliteEngine(): TestEngine {
  const directory = mkdtempSync(join(tmpdir(), 'postern-store-'))
  let made = 0
  return {
    kind: 'sqlite',
    start: async () => {},
    stop: async () => rmSync(directory, { recursive: true, force: true }),
    fresh: () => ({ kind: 'sqlite', file: join(directory, `store-${String((made += 1))}.db`) }),
    raw: async (store, sql) => {
      if (store.kind !== 'sqlite') throw new Error('not a file')
      const database = new DatabaseSync(store.file, { timeout: 5_000 })
      try {
        const statement = database.prepare(sql)
        return statement.all()
      } finally {
        database.close()
      }
    },
  }
}

function postgresEngine(): TestEngine {
  let server: Awaited<ReturnType<typeof startPostgres>> | undefined
  let made = 0
  const running = () => {
    if (server === undefined) throw new Error('PostgreSQL is not running')
    return server
  }
  return {
    kind: 'postgres',
    start: async () => {
      server = await startPostgres({ settings: { max_connections: '200' } })
    },
    stop: async () => server?.stop(),
    fresh: () => {
      const { host, port, password } = running()
      const connection = { host, port, database: 'postgres', user: 'postgres', password }
      return { kind: 'postgres', connection, schema: `Store ${String((made += 1))}` }
    },
    raw: async (store, sql) => {
      if (store.kind !== 'postgres') throw new Error('not a server')
      return running().query('postgres', `set search_path to "${store.schema ?? 'postern'}"; ${sql}`)
    },
  }
}

/** Another process that does one of the things of `testing-process.ts`; gives what it said once it has ended. */
export function startProcess(
  job: string,
  input: unknown,
  { uid, onLine }: { readonly uid?: number; readonly onLine?: (line: string, child: ChildProcess) => void } = {},
): Promise<readonly string[]> {
  const script = join(import.meta.dirname, 'testing-process.ts')
  const child = spawn(process.execPath, [script, job, JSON.stringify(input)], {
    ...(uid === undefined ? {} : { uid }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    said.push(line)
    onLine?.(line, child)
  })
  return new Promise((resolve) => child.once('close', () => resolve(said)))
}

export const gateway = newGatewayId()
export const alice = party('alice')
export const bob = party('bob')

export function party(name: string): Party {
  return { issuer: 'https://id.example', subject: `sub-${name}`, name, kind: 'human', actors: [] }
}

export function statementRequest(over: Partial<StatementRequestRecord> = {}): StatementRequestRecord {
  return {
    id: newRequestId(),
    kind: 'statement',
    requester: { ...alice, actors: [{ issuer: 'https://id.example', subject: 'agent-7' }] },
    reason: 'INC-1234',
    requirements: [{ by: 'delete-without-where', approvers: ['dba', 'lead'], count: 2, goodForMs: 900_000 }],
    createdAtMs: 1_000,
    expiresAtMs: 61_000,
    state: { state: 'pending' },
    database: 'shop',
    session: newSessionId(),
    gateway,
    clientAddress: '10.0.0.7',
    applicationName: 'psql "nul: \0 lone: \ud800"',
    binding: 'b'.repeat(43),
    about: {
      sql: 'DELETE FROM orders -- ünï ✓ \u{1f600}',
      redacted: 'DELETE FROM orders',
      command: 'DELETE',
      parameters: ['1', null, ''],
      redactedParameters: ['p:1', null, ''],
      relations: ['public.orders'],
      tags: ['pii.email'],
      columns: ['public.orders.email'],
      estimate: { rows: 1.5, cost: 10.25 },
      transaction: { isOpen: true, locks: ['public.orders'] },
      policies: [{ id: 'delete-without-where', advice: null }],
    },
    ...over,
  }
}

export function accessRequest(over: Partial<AccessRequestRecord> = {}): AccessRequestRecord {
  return {
    id: newRequestId(),
    kind: 'access',
    requester: alice,
    reason: null,
    requirements: [{ by: 'support', approvers: ['leads'], count: 1, goodForMs: 900_000 }],
    createdAtMs: 2_000,
    expiresAtMs: 62_000,
    state: { state: 'pending' },
    role: 'support',
    durationMs: 7_200_000,
    extends: newGrantId(),
    ...over,
  }
}

export function approvalOf(request: RequestId, over: Partial<Approval> = {}): Approval {
  return {
    request,
    approver: bob,
    groups: ['dba'],
    answer: 'approve',
    comment: 'ok',
    atMs: 3_000,
    via: 'page',
    ...over,
  }
}

export function grantOf(over: Partial<Grant> = {}): Grant {
  return {
    id: newGrantId(),
    principal: alice,
    role: 'support',
    databases: ['shop'],
    kind: 'approved',
    request: null,
    reason: 'INC-1234',
    fromMs: 4_000,
    untilMs: 9_000,
    ended: null,
    review: null,
    ...over,
  }
}

export function tokenOf(over: Partial<SessionToken> = {}): SessionToken {
  const id = newTokenId()
  return {
    id,
    principal: {
      issuer: alice.issuer,
      subject: alice.subject,
      name: alice.name,
      kind: 'human',
      groups: ['dev'],
      actors: [],
      authenticationMethods: ['pwd', 'otp'],
      tokenId: undefined,
      issuedAtMs: 4_000,
      expiresAtMs: 99_000,
    },
    role: null,
    grant: null,
    database: 'shop',
    secretHash: `hash of ${id}`,
    scram: { salt: 'c2FsdA==', iterations: 4_096, storedKey: 'c3RvcmVk', serverKey: 'c2VydmVy' },
    issuedAtMs: 5_000,
    expiresAtMs: 8_000,
    isSingleSession: true,
    session: null,
    ended: null,
    ...over,
  }
}

export function sessionOf(over: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: newSessionId(),
    gateway,
    principal: alice,
    database: 'shop',
    token: null,
    startedAtMs: 6_000,
    endedAtMs: null,
    ...over,
  }
}

/** What a change notes of a request. */
export function noteOf(id: string, over: { readonly atMs?: number; readonly gateway?: GatewayId } = {}) {
  return { atMs: 1_000, gateway, type: 'request_opened', facts: { request: id }, ...over } as const
}
