import { notOurs } from './api-client.ts'

/*
 * What the API answers, read member by member: what is not as it should be is no answer of Postern's. Members that this
 * command line does not know are passed over, so that a newer gateway can be talked to.
 */

/** A request as the API shows it. */
export interface ShownRequest {
  readonly id: string
  readonly kind: string
  readonly requester: { readonly name: string; readonly kind: string; readonly actors: readonly string[] }
  readonly reason: string | null
  readonly state: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly requirements: readonly {
    readonly by: string
    readonly approvers: readonly string[]
    readonly count: number
    readonly given: number
  }[]
  readonly approvals: readonly {
    readonly approver: string
    readonly answer: string
    readonly comment: string
    readonly atMs: number
    readonly via: string
  }[]
  readonly mayAnswer: boolean
  readonly whyNot: string | null
  readonly statement: ShownStatement | null
  readonly access: { readonly role: string; readonly for: string; readonly extends: string | null } | null
  readonly outcome: {
    readonly by: string | null
    readonly comment: string | null
    readonly why: string | null
    readonly grant: string | null
  } | null
  readonly url: string
}

/** The statement of a request as the API shows it. */
export interface ShownStatement {
  readonly database: string
  readonly command: string
  readonly sql: string
  readonly parameters: readonly (string | null)[]
  readonly isRedacted: boolean
  readonly relations: readonly string[]
  readonly tags: readonly string[]
  readonly estimatedRows: number | null
  readonly isTransactionOpen: boolean
  readonly locks: readonly string[]
  readonly policies: readonly { readonly id: string; readonly advice: string | null }[]
  readonly clientAddress: string
  readonly application: string
}

/** A grant as the API shows it. */
export interface ShownGrant {
  readonly id: string
  readonly principal: string
  readonly role: string
  readonly databases: readonly string[] | null
  readonly kind: string
  readonly reason: string | null
  readonly untilMs: number
  readonly endedWhy: string | null
  readonly reviewed: string | null
  readonly needsReview: boolean
}

/** An access role as the caller may use it. */
export interface ShownRole {
  readonly name: string
  readonly description: string
  readonly mayAsk: boolean
  readonly mayBreakGlass: boolean
  readonly maxDuration: string
  readonly needsReason: boolean
  readonly databases: readonly string[] | null
}

/** A live session as the API shows it. */
export interface ShownSession {
  readonly id: string
  readonly principal: string
  readonly database: string
  readonly token: string | null
  readonly startedAtMs: number
}

/** Reads a request. */
export function readRequest(value: unknown): ShownRequest {
  const it = new Members(value)
  const requester = it.inner('requester')
  const access = it.innerIfAny('access')
  const outcome = it.innerIfAny('outcome')
  return {
    id: it.text('id'),
    kind: it.text('kind'),
    requester: {
      name: requester.text('name'),
      kind: requester.text('kind'),
      actors: requester.each('actors', (actor) => actor.text('subject')),
    },
    reason: it.textIfAny('reason'),
    state: it.text('state'),
    createdAtMs: it.time('createdAt'),
    expiresAtMs: it.time('expiresAt'),
    requirements: it.each('requirements', (each) => ({
      by: each.text('by'),
      approvers: each.texts('approvers'),
      count: each.number('count'),
      given: each.number('given'),
    })),
    approvals: it.each('approvals', (each) => ({
      approver: each.text('approver'),
      answer: each.text('answer'),
      comment: each.text('comment'),
      atMs: each.time('at'),
      via: each.text('via'),
    })),
    mayAnswer: it.flag('mayAnswer'),
    whyNot: it.textIfAny('whyNot'),
    statement: readStatement(it.innerIfAny('statement')),
    access:
      access === null
        ? null
        : { role: access.text('role'), for: access.text('for'), extends: access.textIfAny('extends') },
    outcome:
      outcome === null
        ? null
        : {
            by: outcome.textIfAny('by'),
            comment: outcome.textIfAny('comment'),
            why: outcome.textIfAny('why'),
            grant: outcome.textIfAny('grant'),
          },
    url: it.text('url'),
  }
}

function readStatement(it: Members | null): ShownStatement | null {
  if (it === null) return null
  const transaction = it.inner('transaction')
  return {
    database: it.text('database'),
    command: it.text('command'),
    sql: it.text('sql'),
    parameters: it.list('parameters').map((each) => {
      if (typeof each === 'string' || each === null) return each
      throw notOurs()
    }),
    isRedacted: it.flag('isRedacted'),
    relations: it.texts('relations'),
    tags: it.texts('tags'),
    estimatedRows: it.innerIfAny('estimate')?.number('rows') ?? null,
    isTransactionOpen: transaction.flag('isOpen'),
    locks: transaction.texts('locks'),
    policies: it.each('policies', (each) => ({ id: each.text('id'), advice: each.textIfAny('advice') })),
    clientAddress: it.text('clientAddress'),
    application: it.text('application'),
  }
}

/** Reads a grant. */
export function readGrant(value: unknown): ShownGrant {
  const it = new Members(value)
  return {
    id: it.text('id'),
    principal: it.text('principal'),
    role: it.text('role'),
    databases: it.textsIfAny('databases'),
    kind: it.text('kind'),
    reason: it.textIfAny('reason'),
    untilMs: it.time('until'),
    endedWhy: it.innerIfAny('ended')?.text('why') ?? null,
    reviewed: it.innerIfAny('review')?.text('outcome') ?? null,
    needsReview: it.flag('needsReview'),
  }
}

/** Reads who the caller is, and which access roles concern them. */
export function readMe(value: unknown): { readonly name: string; readonly roles: readonly ShownRole[] } {
  const it = new Members(value)
  const roles = it.each('accessRoles', (role) => ({
    name: role.text('name'),
    description: role.text('description'),
    mayAsk: role.flag('mayAsk'),
    mayBreakGlass: role.flag('mayBreakGlass'),
    maxDuration: role.text('maxDuration'),
    needsReason: role.flag('needsReason'),
    databases: role.textsIfAny('databases'),
  }))
  return { name: it.text('name'), roles }
}

/** Reads a live session. */
export function readSession(value: unknown): ShownSession {
  const it = new Members(value)
  return {
    id: it.text('id'),
    principal: it.text('principal'),
    database: it.text('database'),
    token: it.textIfAny('token'),
    startedAtMs: it.time('startedAt'),
  }
}

/** Reads a session token: the one time that it is shown. */
export function readIssued(value: unknown): { id: string; secret: string; user: string; expiresAtMs: number } {
  const it = new Members(value)
  const secret = it.text('secret')
  // It goes to standard output as it is, so it may hold nothing that a terminal or a shell would take for more than text.
  if (!/^[!-~]{16,200}$/u.test(secret)) throw notOurs()
  return { id: it.text('id'), secret, user: it.text('user'), expiresAtMs: it.time('expiresAt') }
}

/** Reads the list that the API gives under a name. */
export function readList<Item>(value: unknown, name: string, read: (item: unknown) => Item): readonly Item[] {
  return new Members(value).list(name).map((item) => read(item))
}

/** The members of an object that came from elsewhere; each way of reading one fails where it is something else. */
class Members {
  readonly #values: ReadonlyMap<string, unknown>

  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notOurs()
    this.#values = new Map(Object.entries(value))
  }

  text(name: string): string {
    return this.textIfAny(name) ?? fail()
  }

  textIfAny(name: string): string | null {
    const value = this.#values.get(name) ?? null
    return value === null || typeof value === 'string' ? value : fail()
  }

  number(name: string): number {
    const value = this.#values.get(name)
    return typeof value === 'number' ? value : fail()
  }

  flag(name: string): boolean {
    const value = this.#values.get(name)
    return typeof value === 'boolean' ? value : fail()
  }

  time(name: string): number {
    const atMs = Date.parse(this.text(name))
    return Number.isNaN(atMs) ? fail() : atMs
  }

  list(name: string): readonly unknown[] {
    const value = this.#values.get(name)
    return Array.isArray(value) ? (value as unknown[]) : fail()
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((each) => (typeof each === 'string' ? each : fail()))
  }

  textsIfAny(name: string): readonly string[] | null {
    return (this.#values.get(name) ?? null) === null ? null : this.texts(name)
  }

  inner(name: string): Members {
    return new Members(this.#values.get(name))
  }

  innerIfAny(name: string): Members | null {
    return (this.#values.get(name) ?? null) === null ? null : this.inner(name)
  }

  each<Item>(name: string, read: (item: Members) => Item): readonly Item[] {
    return this.list(name).map((item) => read(new Members(item)))
  }
}

function fail(): never {
  throw notOurs()
}
