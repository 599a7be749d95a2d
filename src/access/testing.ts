import type { AccessRole, ApprovalRequirement, StatementFacts } from '../core/access.ts'
import type { FiledRequest, StatementWish } from '../core/access-service.ts'
import type { ControlStore } from '../core/control-store.ts'
import { newGatewayId, newSessionId, type GatewayId } from '../core/ids.ts'
import type { Principal } from '../core/principal.ts'
import { createAccess, type Access, type AccessNotice, type AccessSettings, type JournalledChange } from './access.ts'
import { createTestingStore, type TestingStore } from './testing-store.ts'

/** A person, unless told otherwise. */
export function person(name: string, groups: readonly string[] = [], more: Partial<Principal> = {}): Principal {
  return {
    name,
    kind: 'human',
    issuer: 'https://issuer',
    subject: `sub-${name}`,
    groups,
    actors: [],
    authenticationMethods: [],
    tokenId: undefined,
    expiresAtMs: 1e15,
    ...more,
  }
}

export const minuteMs = 60_000
export const hourMs = 3_600_000
export const startMs = 1_800_000_000_000

/** An access role that engineers ask for and leads give. */
export function role(name: string, more: Partial<AccessRole> = {}): AccessRole {
  return {
    name,
    description: '',
    requestableBy: ['engineering'],
    approvers: ['leads'],
    approvals: 1,
    maxDurationMs: 4 * hourMs,
    needsReason: true,
    databases: ['shop'],
    breakGlass: ['oncall'],
    ...more,
  }
}

export const dbaAgrees: ApprovalRequirement = {
  by: 'delete-without-where',
  approvers: ['dba'],
  count: 1,
  goodForMs: 15 * minuteMs,
}

const facts: StatementFacts = {
  sql: "DELETE FROM orders WHERE note = 'topsecret'",
  redacted: 'DELETE FROM orders WHERE note = ?',
  command: 'DELETE',
  parameters: ['topsecret-parameter'],
  redactedParameters: ['?'],
  relations: ['public.orders'],
  tags: [],
  columns: [],
  estimate: null,
  transaction: { isOpen: false, locks: [] },
  policies: [{ id: 'delete-without-where', advice: null }],
}

/** A statement of that principal's that waits. */
export function wishOf(principal: Principal, more: Partial<StatementWish> = {}): StatementWish {
  return {
    principal,
    session: newSessionId(),
    database: 'shop',
    clientAddress: '10.0.0.1',
    applicationName: 'psql',
    reason: 'INC-1',
    binding: 'b1',
    requirements: [dbaAgrees],
    about: facts,
    ...more,
  }
}

/** What a test sees and moves. */
export interface Bench<Store extends ControlStore = TestingStore> {
  readonly store: Store
  readonly clock: { nowMs: number }
  readonly journal: JournalledChange[]
  /** While set, the journal takes nothing. */
  readonly journalFault: { error: Error | null }
  readonly notices: AccessNotice[]
  readonly access: Access
  readonly gateway: GatewayId
  /** One more gateway on the same store, with the same clock and journal. */
  another(more?: Partial<AccessSettings>, roles?: readonly AccessRole[]): Promise<Bench<Store>>
}

/** Access on a store in memory, with a clock and a journal that the test holds. */
export async function bench(
  options: { readonly roles?: readonly AccessRole[]; readonly settings?: Partial<AccessSettings> } = {},
): Promise<Bench> {
  return benchOn(createTestingStore(), options)
}

/** Access on that store. */
export async function benchOn<Store extends ControlStore>(
  store: Store,
  {
    roles = [role('support')],
    settings = {},
    shared,
  }: {
    readonly roles?: readonly AccessRole[]
    readonly settings?: Partial<AccessSettings>
    readonly shared?: Pick<Bench<Store>, 'clock' | 'journal' | 'journalFault' | 'notices'>
  } = {},
): Promise<Bench<Store>> {
  const parts = shared ?? { clock: { nowMs: startMs }, journal: [], journalFault: { error: null }, notices: [] }
  const gateway = newGatewayId()
  const access = await createAccess({
    store,
    gateway,
    roles: new Map(roles.map((each) => [each.name, each])),
    now: () => parts.clock.nowMs,
    record: async (type, said, change) => {
      await Promise.resolve()
      if (parts.journalFault.error !== null) throw parts.journalFault.error
      parts.journal.push({ type, change, facts: JSON.parse(JSON.stringify(said)) as Record<string, unknown> })
    },
    onNotice: (notice) => void parts.notices.push(notice),
    settings: {
      statementWaitMs: 10 * minuteMs,
      accessRequestWaitMs: 24 * hourMs,
      storeStalenessMs: 5 * minuteMs,
      requestsPerPrincipalMax: 50,
      pendingRequestsMax: 5_000,
      auditors: ['auditors'],
      admins: ['admins'],
      ...settings,
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  })
  const own = { ...parts, store, access, gateway }
  return {
    ...own,
    another: async (more, others = roles) =>
      benchOn(store, { roles: others, settings: { ...settings, ...more }, shared: parts }),
  }
}

/** Whether a request has settled, and how, without waiting for it. */
export async function stateOf(filed: FiledRequest): Promise<string> {
  return Promise.race([
    filed.outcome.then(({ outcome }) => outcome),
    new Promise<string>((resolve) => {
      setTimeout(() => resolve('waits'), 5)
    }),
  ])
}

export const alice = person('alice', ['engineering', 'oncall'])
export const bob = person('bob', ['dba', 'leads', 'engineering'])
export const carol = person('carol', ['dba', 'leads'])
export const root = person('root', ['admins'])
