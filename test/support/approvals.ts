import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import type { RequestJson } from '../../src/api/present.ts'
import { backend, decodeErrorResponse } from '../../src/wire/backend.ts'
import type { Frame } from '../../src/wire/framer.ts'
import type { SandboxIssuer } from '../../sandbox/issuer.ts'
import type { RawClient } from './raw-client.ts'

/** Somebody with a token of the sandbox issuer, with other claims than it gives by itself. */
export interface Person {
  readonly identity: string
  readonly claims?: Readonly<Record<string, unknown>>
}

/** People who answer, beside those that the issuer knows: each is a subject of its own. */
export const people = {
  alice: { identity: 'alice@example.com' },
  dana: { identity: 'dana@example.com' },
  sam: { identity: 'sam@example.com' },
  agent: { identity: 'report-agent' },
  dora: person('dora', ['dba']),
  sean: person('sean', ['security']),
  olga: person('olga', ['dba', 'security']),
  audrey: person('audrey', ['auditors']),
} as const satisfies Readonly<Record<string, Person>>

function person(name: string, groups: readonly string[]): Person {
  const preferred = `${name}@example.com`
  return {
    identity: 'sam@example.com',
    claims: { sub: `u-${name}`, preferred_username: preferred, name: preferred, email: preferred, groups },
  }
}

/** What the API answered. */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** The HTTP API as one person sees it. */
export interface Caller {
  get(path: string): Promise<Answer>
  post(path: string, body?: object): Promise<Answer>
  /** One request; fails where the caller may not see it. */
  request(id: string): Promise<RequestJson>
  /** Every request that waits and that the caller may see. */
  pending(): Promise<readonly RequestJson[]>
  /** Says yes; fails unless it counts. */
  approve(id: string, comment?: string): Promise<RequestJson>
  /** Says no; fails unless it counts. */
  deny(id: string, comment?: string): Promise<RequestJson>
}

/** Where an API is, and who issues the tokens for it. */
export interface Where {
  readonly issuer: Pick<SandboxIssuer, 'issueToken'>
  readonly postern: { readonly apiUrl: string | null }
}

/** Calls the API as somebody. Where it says that there are too many calls, they are made a moment later. */
export function as({ identity, claims = {} }: Person, { issuer, postern }: Where): Caller {
  const call = async (method: string, path: string, body?: object): Promise<Answer> => {
    const token = await issuer.issueToken({ identity, overrides: claims })
    for (;;) {
      const response = await fetch(`${postern.apiUrl ?? ''}/api/v1${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (response.status !== 429) return { status: response.status, body: text === '' ? null : JSON.parse(text) }
      await sleep(250)
    }
  }
  const succeed = async (answer: Promise<Answer>): Promise<unknown> => {
    const { status, body } = await answer
    assert.ok(status < 300, `${String(status)} ${JSON.stringify(body)}`)
    return body
  }
  return {
    get: (path) => call('GET', path),
    post: (path, body = {}) => call('POST', path, body),
    request: async (id) => (await succeed(call('GET', `/requests/${id}`))) as RequestJson,
    pending: async () =>
      ((await succeed(call('GET', '/requests?state=pending&limit=100'))) as { requests: RequestJson[] }).requests,
    approve: async (id, comment = '') =>
      (await succeed(call('POST', `/requests/${id}/approve`, { comment }))) as RequestJson,
    deny: async (id, comment = '') => (await succeed(call('POST', `/requests/${id}/deny`, { comment }))) as RequestJson,
  }
}

/** The id of the request that a text names, as the NOTICE of a waiting statement does. */
export function requestIn(text: string): string {
  const found = /postern approve (r_\w+)/.exec(text)?.[1]
  assert.ok(found !== undefined, `no request is named in: ${text}`)
  return found
}

/** The id of the next request that a client is told of. */
export function asked(client: Pick<Client, 'on' | 'off'>): Promise<string> {
  return new Promise((resolve) => {
    const onNotice = ({ hint }: { readonly hint?: string | undefined }): void => {
      if (hint?.includes('postern approve') !== true) return
      client.off('notice', onNotice)
      resolve(requestIn(hint))
    }
    client.on('notice', onNotice)
  })
}

/** A statement on its way: the request that it waits for, and what becomes of it. */
export interface Waiting<T> {
  readonly id: string
  readonly result: Promise<T>
}

/** Sends something that has to wait; settles when its request is on file. */
export async function waiting<T>(client: Pick<Client, 'on' | 'off'>, send: () => Promise<T>): Promise<Waiting<T>> {
  const told = asked(client)
  const result = send()
  // A result that nobody looks at yet may fail in the meantime.
  result.catch(() => undefined)
  const ended = result.then(
    () => new Error('it did not wait'),
    (error: unknown) => error,
  )
  const first = await Promise.race([told, ended])
  if (typeof first !== 'string') throw first
  return { id: first, result }
}

/** Messages of a raw client up to the next NOTICE that names a request, and that request. */
export async function askedRaw(client: RawClient): Promise<{ readonly id: string; readonly frames: Frame[] }> {
  const frames = await client.until(backend.NoticeResponse)
  const last = frames.at(-1)
  assert.ok(last?.type === backend.NoticeResponse, `it did not wait: ${namesOf(frames)}`)
  return { id: requestIn(decodeErrorResponse(last.body).get('H') ?? ''), frames: frames.slice(0, -1) }
}

/** Names of messages, in short; of errors their SQLSTATE as well. */
export function namesOf(frames: readonly Frame[]): string {
  return frames
    .map(({ type, body }) => {
      const name = Object.entries(backend).find(([, value]) => value === type)?.[0] ?? String(type)
      return type === backend.ErrorResponse ? `${name} ${decodeErrorResponse(body).get('C') ?? ''}` : name
    })
    .join(', ')
}

/** Waits until something holds, for at most twenty seconds; returns what it gave. */
export async function eventually<T>(look: () => Promise<T | null | false | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const found = await look()
    if (found !== null && found !== false && found !== undefined) return found
    await sleep(50)
  }
  throw new Error('it did not come about within twenty seconds')
}

/** Waits until a request is in that state. */
export async function stateOf(caller: Caller, id: string, state: RequestJson['state']): Promise<RequestJson> {
  return eventually(async () => {
    const request = await caller.request(id)
    return request.state === state ? request : null
  })
}

/** The fields of a failed statement that a person sees. */
export interface Told {
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
}

/** The error that a statement failed with. */
export async function errorOf(result: Promise<unknown>): Promise<Told> {
  try {
    await result
  } catch (error) {
    return error as Told
  }
  throw new Error('it did not fail')
}
