import { once } from 'node:events'
import { type Client, DatabaseError } from 'pg'
import type { AccessRole } from '../../src/core/access.ts'
import { backend, decodeErrorResponse } from '../../src/wire/backend.ts'
import { RawClient } from './raw-client.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from './sandbox.ts'

/** Somebody who calls the API or connects: a sandbox identity, with claims of its token replaced where that is needed. */
export type Person =
  | string
  | { readonly identity: string; readonly name: string; readonly overrides: Readonly<Record<string, unknown>> }

export const sam = 'sam@example.com'
export const alice = 'alice@example.com'
export const dana = 'dana@example.com'
/** Of the group that may revoke everything, and kill sessions. */
export const root: Person = person('dana@example.com', { sub: 'u-root', groups: ['admins'], name: 'root@example.com' })
/** Sam while on call: may take the role without asking. */
export const samOnCall: Person = person(sam, { groups: ['support', 'oncall'] })

/** An identity with other claims. */
export function person(
  identity: string,
  { sub, groups, name }: { readonly sub?: string; readonly groups?: readonly string[]; readonly name?: string },
): Person {
  const overrides = {
    ...(sub === undefined ? {} : { sub }),
    ...(groups === undefined ? {} : { groups }),
    ...(name === undefined ? {} : { preferred_username: name, email: name }),
  }
  return { identity, name: name ?? identity, overrides }
}

/** Support reads one schema, masked; its lead reads another and sees e-mails; engineers connect as visitors only. */
export const accessPolicies = `
@id("dba-may-everything")
permit (principal in Group::"dba", action, resource);

@id("support-works")
permit (principal in Group::"support", action in [Action::"connect", Action::"session", Action::"read", Action::"write"], resource);
@id("leads-only") @advice("Ask for support-lead.")
forbid (principal in Group::"support", action, resource in Schema::"shop.cases")
unless { principal in AccessRole::"support-lead" && action == Action::"SELECT" };
@id("lead-sees-emails")
permit (principal in AccessRole::"support-lead", action == Action::"unmask", resource in Tag::"pii.email");

@id("visitors-connect")
permit (principal in AccessRole::"visitor", action in [Action::"connect", Action::"session", Action::"read", Action::"write", Action::"ddl"], resource);

@id("no-delete-of-all") @approvers("dba")
forbid (principal, action == Action::"DELETE", resource) when { !context.statement.hasWhere };
`

export const accessClassification = `
tags:
  pii.email: redact
  pii.name: redact
columns:
  public.customers:
    email: pii.email
    name: pii.name
`

export const accessSetUp = `
CREATE TABLE customers (id int PRIMARY KEY, name text, email text);
INSERT INTO customers SELECT n, 'Name' || n, 'secret' || n || '@example.com' FROM generate_series(1, 20) n;
CREATE TABLE inbox (id int, line text);
CREATE SCHEMA cases;
CREATE TABLE cases.notes (id int PRIMARY KEY, note text);
INSERT INTO cases.notes SELECT n, 'note ' || n FROM generate_series(1, 20) n;
`

const hourMs = 3_600_000

/** An access role of the tests, for an hour at most. */
export function accessRole(name: string, differing: Partial<AccessRole> = {}): [string, AccessRole] {
  return [
    name,
    {
      name,
      description: `what ${name} may do`,
      requestableBy: ['support'],
      approvers: ['dba'],
      approvals: 1,
      maxDurationMs: hourMs,
      needsReason: true,
      databases: ['shop'],
      breakGlass: [],
      ...differing,
    },
  ]
}

/** `support-lead` and `visitor`, which policies know, and `idle`, which gives nothing. */
export const accessRoles: ReadonlyMap<string, AccessRole> = new Map([
  accessRole('support-lead', { breakGlass: ['oncall'] }),
  accessRole('visitor', { requestableBy: ['engineering'] }),
  accessRole('idle', { requestableBy: ['support', 'engineering'] }),
])

/** A sandbox with the roles, policies and tables above, unless told. */
export function startAccessSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  return startSandbox({
    policies: accessPolicies,
    classification: accessClassification,
    setUp: accessSetUp,
    expiryGraceS: 1,
    ...options,
    access: { accessRoles, ...options.access },
  })
}

/** What the API answered. */
export interface Answered {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** A grant as the API tells it, as far as tests look at it. */
export interface ToldGrant {
  readonly id: string
  readonly principal: string
  readonly role: string
  readonly kind: string
  readonly from: string
  readonly until: string
  readonly ended?: { readonly at: string; readonly why: string; readonly by?: string }
  readonly review?: { readonly by: string; readonly outcome: string }
  readonly needsReview: boolean
}

/** Where people go to ask, to answer and to revoke: the API of one gateway, called over HTTP. */
export class Desk {
  readonly #issuer: Sandbox['issuer']
  readonly #url: string

  constructor({ issuer, postern }: Pick<Sandbox, 'issuer' | 'postern'>) {
    this.#issuer = issuer
    this.#url = postern.apiUrl ?? ''
  }

  tokenOf(who: Person): Promise<string> {
    return this.#issuer.issueToken(typeof who === 'string' ? { identity: who } : who)
  }

  async call(who: Person, method: string, path: string, body?: unknown, token?: string): Promise<Answered> {
    const response = await fetch(`${this.#url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token ?? (await this.tokenOf(who))}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Answered['body']) }
  }

  /** The same where nothing but success will do. */
  async mustCall<T>(who: Person, method: string, path: string, body?: unknown): Promise<T> {
    const { status, body: told } = await this.call(who, method, path, body)
    if (status >= 300) throw new Error(`${method} ${path}: ${String(status)} ${JSON.stringify(told)}`)
    return told as T
  }

  ask(who: Person, role: string, duration: string, more: object = {}): Promise<{ id: string; state: string }> {
    return this.mustCall(who, 'POST', '/requests', { role, for: duration, reason: 'TICKET-1', ...more })
  }

  approve(id: string, by: Person = dana): Promise<{ id: string; state: string; outcome?: { grant?: string } }> {
    return this.mustCall(by, 'POST', `/requests/${id}/approve`, {})
  }

  /** Asks, has it approved, and returns the grant. */
  async grant(who: Person, role: string, duration: string, more: object = {}): Promise<ToldGrant> {
    const { id } = await this.ask(who, role, duration, more)
    const { outcome } = await this.approve(id)
    const grant = (await this.grants()).find((each) => each.id === outcome?.grant)
    if (grant === undefined) throw new Error('what was approved gave no grant')
    return grant
  }

  async grants(query = '', by: Person = dana): Promise<readonly ToldGrant[]> {
    return (await this.mustCall<{ grants: ToldGrant[] }>(by, 'GET', `/grants${query}`)).grants
  }

  async revoke(wish: object, by: Person = dana): Promise<readonly ToldGrant[]> {
    return (await this.mustCall<{ grants: ToldGrant[] }>(by, 'POST', '/grants/revoke', { reason: 'over', ...wish }))
      .grants
  }

  token(who: Person, wish: object = {}): Promise<{ id: string; secret: string; user: string; expiresAt: string }> {
    return this.mustCall(who, 'POST', '/tokens', { database: 'shop', for: '10m', ...wish })
  }
}

/** What came of a statement: its rows as JSON, or the SQLSTATE of its error. */
export async function told(client: Client, text: string, values: unknown[] = []): Promise<string> {
  try {
    const { rows } = await client.query({ text, values, rowMode: 'array' })
    return JSON.stringify(rows)
  } catch (error) {
    if (error instanceof DatabaseError) return error.code ?? 'error'
    throw error
  }
}

/** The FATAL error that ends a driver's connection; asked for before it comes. */
export async function endOf(client: Client): Promise<{ code: string; message: string; hint: string }> {
  const [error] = (await once(client, 'error')) as [{ code: string; message: string; hint: string }]
  return error
}

/** Waits until it holds, five seconds at most. */
export async function until(holds: () => Promise<boolean> | boolean, what = 'it'): Promise<void> {
  for (let attempt = 0; attempt < 250; attempt += 1) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${what} did not come about within five seconds`)
}

/** Lets some time go by. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

/** A raw client through the gateway, as that person. */
export async function rawAs(sandbox: Sandbox, who: Person): Promise<RawClient> {
  const user = typeof who === 'string' ? who : who.name
  return RawClient.logIn({
    port: sandbox.postern.port,
    ca: sandbox.authority.certificate,
    parameters: { user, database: 'shop' },
    password: await sandbox.issuer.issueToken(typeof who === 'string' ? { identity: who } : who),
  })
}

/** Sends messages whose last one brings ReadyForQuery; says all that came back before it, and the SQLSTATEs in it. */
export async function exchange(
  client: RawClient,
  messages: readonly Buffer[],
): Promise<{ readonly text: string; readonly codes: readonly string[] }> {
  client.send(...messages)
  const frames = await client.until(backend.ReadyForQuery)
  const codes = frames
    .filter(({ type }) => type === backend.ErrorResponse)
    .map(({ body }) => decodeErrorResponse(body).get('C') ?? '')
  return { text: Buffer.concat(frames.map(({ body }) => body)).toString('latin1'), codes }
}
