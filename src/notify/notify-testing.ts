import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AccessEvent, EventRequest } from '../core/access-events.ts'
import type { GrantId, RequestId } from '../core/ids.ts'

/** What a receiver was sent. */
export interface Received {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A receiver on this machine that keeps what it is sent and answers as it is told. */
export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** Settles once so many messages have come. */
  arrived(count: number): Promise<void>
  stop(): Promise<void>
}

/** Starts a receiver; it answers 200 unless told. */
export async function startReceiver(
  answer: (received: Received, response: ServerResponse) => void = (_, response) => void response.end(),
): Promise<Receiver> {
  const received: Received[] = []
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const message = { path: request.url ?? '', headers: request.headers, body }
      received.push(message)
      answer(message, response)
      for (const look of waiting) look()
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${String(port)}`,
    received,
    arrived: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (received.length < count) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A request of a statement that waits, for tests to vary. */
export function statementRequest(changes: Partial<EventRequest> = {}): EventRequest {
  return {
    id: 'r_0123456789ab' as RequestId,
    requester: { name: 'alice@example.com', kind: 'human', actors: [] },
    reason: 'INC-1234',
    requirements: [{ by: 'delete-without-where', approvers: ['dba'], count: 1 }],
    createdAtMs: 1_795_000_000_000,
    expiresAtMs: 4_000_000_000_000,
    about: {
      kind: 'statement',
      database: 'shop',
      command: 'DELETE',
      redacted: 'DELETE FROM refunds',
      redactedParameters: [],
      relations: ['public.refunds'],
      tags: [],
      policies: ['delete-without-where'],
      estimatedRows: 1_200,
      isTransactionOpen: false,
    },
    url: 'https://postern.example.com/r/r_0123456789ab',
    ...changes,
  }
}

/** The opening of a request. */
export function opened(id = 'e1', request: EventRequest = statementRequest()): AccessEvent {
  return { id, type: 'request_opened', atMs: request.createdAtMs, request }
}

/** A break-glass grant that was taken. */
export function breakGlass(id = 'e9'): AccessEvent {
  return {
    id,
    type: 'break_glass_taken',
    atMs: 1_795_000_000_000,
    grant: {
      id: 'a_0123456789ab' as GrantId,
      principal: { name: 'alice@example.com', kind: 'human', actors: [] },
      role: 'support-lead',
      databases: ['shop'],
      kind: 'break_glass',
      reason: 'INC-1234',
      request: null,
      fromMs: 1_795_000_000_000,
      untilMs: 1_795_003_600_000,
      url: null,
    },
  }
}
