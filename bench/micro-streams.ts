import type { Journal } from '../src/audit/journal.ts'
import { newSessionId } from '../src/core/ids.ts'
import type { Principal } from '../src/core/principal.ts'
import { BackendMessages } from '../src/gateway/backend-messages.ts'
import { BackendStream } from '../src/gateway/backend-stream.ts'
import { ClientStream } from '../src/gateway/client-stream.ts'
import { SessionHolding } from '../src/gateway/holding.ts'
import { Exchange } from '../src/gateway/exchange.ts'
import { FrontendMessages } from '../src/gateway/frontend-messages.ts'
import { createStatementEncoder, sessionMembers } from '../src/gateway/record.ts'
import type { Protects } from '../src/gateway/services.ts'
import { protectSession } from '../src/gateway/session-protection.ts'
import { StatementWay } from '../src/gateway/statement.ts'
import type { Decider } from '../src/policy/policy.ts'
import { createRedactor } from '../src/redaction/redact.ts'
import type { Analyzer } from '../src/sql/analyze.ts'
import { bindComplete, encodeCommandComplete, encodeReadyForQuery, parseComplete } from '../src/wire/backend.ts'
import {
  copyDone,
  encodeBind,
  encodeCopyData,
  encodeDescribe,
  encodeExecute,
  encodeParse,
  encodeQuery,
  sync,
} from '../src/wire/frontend.ts'
import { median } from './figures.ts'
import { ownTimeUs } from './processor-time.ts'
import { selectSql } from './statements.ts'

/** What the two halves of a session cost without sockets. */
export interface StreamFigures {
  readonly transactions: readonly { readonly what: string; readonly us: number }[]
  readonly bulk: readonly { readonly what: string; readonly mbPerS: number }[]
}

interface Domains {
  readonly analyzer: Analyzer
  readonly decider: Decider
  readonly journal: Journal
  readonly principal: Principal
  /** Of a database with a classification of columns that are not touched here. */
  readonly protection: Protects
}

/** A session without its sockets: what it would send is thrown away. */
function createRelay({ analyzer, decider, journal, principal }: Domains, protects: Protects | null = null) {
  const exchange = new Exchange('postgres')
  exchange.settings.report('search_path', '"$user", public')
  const { names, settings } = exchange
  const members = sessionMembers({
    session: newSessionId(),
    principal,
    client: { address: '127.0.0.1', port: 50_000, application: 'pgbench', tls: null },
    database: 'bench',
  })
  const redaction = protects === null ? null : createRedactor({ key: Buffer.alloc(32, 7) })
  const services = {
    access: null,
    approvals: null,
    tokens: null,
    identity: { identify: () => Promise.resolve(principal) },
    policy: decider,
    journal,
    log: console,
    redaction,
    statementMembers: createStatementEncoder(redaction),
  }
  const waitFor = () => undefined
  const resource = { name: 'bench', labels: new Map() }
  const holding = new SessionHolding(null, { principal, database: 'bench' })
  const connect = () => Promise.reject(new Error('nobody connects here'))
  const protection = protectSession({
    database: {
      resource,
      role: 'postgres',
      showsIdentity: false,
      sql: analyzer,
      protection: protects,
      sessionRoles: null,
      explain: null,
      connect,
    },
    principal,
    policy: decider,
    holding,
    exchange,
    facts: () => way.sessionFacts(),
    send: waitFor,
    waitFor,
  })
  const way: StatementWay = new StatementWay(services, {
    principal,
    holding,
    database: { resource, showsIdentity: false, sql: analyzer },
    client: { address: '127.0.0.1', isTls: false },
    names,
    settings,
    members,
    protection,
  })
  const frontendMessages = new FrontendMessages(exchange, { way, waitFor, approvals: null })
  const client = new ClientStream(frontendMessages, {
    forward: () => undefined,
    fail: (error) => {
      throw error
    },
    terminated: () => undefined,
    isWaiting: () => false,
  })
  const news = { sessionChanged: () => undefined, fatal: () => undefined }
  const backendMessages = new BackendMessages(exchange, { journal, members, news, guard: protection })
  return { client, backend: new BackendStream(backendMessages, { deliver: () => undefined }) }
}

/** Measures the relay of small transactions and of bulk data. */
export async function benchStreams(domains: Domains): Promise<StreamFigures> {
  const ready = encodeReadyForQuery('I')
  const row = message(0x44, Buffer.from('\0\x01\0\0\0\x0512345', 'latin1'))
  const description = message(
    0x54,
    Buffer.from('\0\x01abalance\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0', 'latin1'),
  )
  const one = encodeCommandComplete('SELECT 1')
  const prepare = ({ client, backend }: ReturnType<typeof createRelay>): void => {
    client.receive(Buffer.concat([encodeParse({ name: 'P_0', sql: selectSql }), sync]))
    backend.receive(Buffer.concat([parseComplete, ready]))
  }
  const plain = createRelay(domains)
  const classified = createRelay(domains, domains.protection)
  prepare(plain)
  prepare(classified)
  const bind = encodeBind({ statement: 'P_0', parameters: [Buffer.from('12345')] })
  const question = Buffer.concat([bind, encodeDescribe('P', ''), encodeExecute('', 0), sync])
  const answer = Buffer.concat([bindComplete, description, row, one, ready])
  const simpleQuestion = encodeQuery('SELECT abalance FROM pgbench_accounts WHERE aid = 12345;')
  const simpleAnswer = Buffer.concat([description, row, one, ready])
  let count = 0
  const newQuestion = (): Buffer =>
    encodeQuery(`SELECT abalance FROM pgbench_accounts WHERE aid = ${String((count += 1))};`)
  const transactions: { what: string; us: number }[] = []
  for (const [suffix, relay] of [
    ['', plain],
    [', with a classification', classified],
  ] as const) {
    const exchange = (ask: () => Buffer, reply: Buffer): Promise<number> =>
      timeExchanges(domains.journal, () => {
        relay.client.receive(ask())
        relay.backend.receive(reply)
      })
    transactions.push(
      { what: `relay: prepared select, with journal${suffix}`, us: await exchange(() => question, answer) },
      {
        what: `relay: simple select seen before, with journal${suffix}`,
        us: await exchange(() => simpleQuestion, simpleAnswer),
      },
      {
        what: `relay: simple select never seen before, with journal${suffix}`,
        us: await exchange(newQuestion, simpleAnswer),
      },
    )
  }
  return {
    transactions,
    bulk: [
      { what: 'BackendStream: rows of 95 B', mbPerS: bulkOut(domains, 90) },
      { what: 'BackendStream: rows of 2 KB', mbPerS: bulkOut(domains, 2_000) },
      { what: 'ClientStream: COPY data, 95 B a message', mbPerS: bulkIn(domains, 90) },
      { what: 'ClientStream: COPY data, 8 KB a message', mbPerS: bulkIn(domains, 8_192) },
    ],
  }
}

/** Microseconds per exchange, with the journal written once for every hundred. */
async function timeExchanges(journal: Journal, exchange: () => void): Promise<number> {
  const batches: number[] = []
  for (let batch = 0; batch < 60; batch += 1) {
    const startUs = ownTimeUs()
    for (let index = 0; index < 500; index += 1) exchange()
    batches.push((ownTimeUs() - startUs) / 500)
    await new Promise<void>((resolve, reject) => {
      journal.commit((error) => (error === null ? resolve() : reject(error)))
    })
  }
  return median(batches.slice(20))
}

/** 64 KiB at a time, as the socket delivers it. */
const chunkBytes = 64 * 1024

function bulkOut(domains: Domains, rowBytes: number): number {
  const { client, backend } = createRelay(domains)
  client.receive(encodeQuery('SELECT * FROM pgbench_accounts'))
  backend.receive(message(0x54, Buffer.alloc(2)))
  return feed(message(0x44, Buffer.alloc(rowBytes)), (chunk) => backend.receive(chunk))
}

function bulkIn(domains: Domains, dataBytes: number): number {
  const { client, backend } = createRelay(domains)
  client.receive(encodeQuery('COPY pgbench_history FROM STDIN'))
  backend.receive(message(0x47, Buffer.from([0, 0, 0])))
  const mbPerS = feed(encodeCopyData(Buffer.alloc(dataBytes)), (chunk) => client.receive(chunk))
  client.receive(copyDone)
  return mbPerS
}

/** Passes 200 MB of one message over and over, cut without regard to where messages end. */
function feed(one: Buffer, receive: (chunk: Buffer) => void): number {
  const count = Math.ceil((chunkBytes * 64) / one.length)
  const data = Buffer.concat(Array.from({ length: count }, () => one))
  let bytes = 0
  const startUs = ownTimeUs()
  while (bytes < 200_000_000) {
    for (let at = 0; at < data.length; at += chunkBytes) receive(data.subarray(at, at + chunkBytes))
    bytes += data.length
  }
  return bytes / (ownTimeUs() - startUs)
}

function message(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head[0] = type
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
