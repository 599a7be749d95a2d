import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Decision, StatementRequest } from '../core/decision.ts'
import { PosternError } from '../core/errors.ts'
import type { StatementAnalysis, TextAnalysis } from '../core/statement.ts'
import { encodeBind, encodeExecute, encodeParse, encodeQuery, flush, frontend, sync } from '../wire/frontend.ts'
import type { Principal } from '../core/principal.ts'
import { Exchange } from './exchange.ts'
import { FrontendMessages, type Treatment } from './frontend-messages.ts'
import { SessionHolding } from './holding.ts'
import { OutgoingBatch } from './outgoing-batch.ts'
import type { Services } from './services.ts'
import { emptyStatement, opaqueStatement } from '../core/statement.ts'
import { StatementWay } from './statement.ts'

const somebody: Principal = {
  issuer: 'https://issuer.example',
  subject: 'u-1',
  name: 'somebody',
  kind: 'human',
  groups: [],
  actors: [],
  authenticationMethods: [],
  tokenId: undefined,
  expiresAtMs: 0,
}

/** A session's client half over domains of plain objects: SELECT is allowed, DELETE is not, LARGE takes its time. */
function session(): {
  readonly exchange: Exchange
  readonly messages: FrontendMessages
  readonly recorded: string[]
  readonly analysed: (() => void)[]
  readonly treat: (message: Buffer) => Treatment
} {
  const exchange = new Exchange('role')
  const recorded: string[] = []
  const analysed: (() => void)[] = []
  const services: Services = {
    access: null,
    approvals: null,
    identity: { identify: () => Promise.reject(new Error('not asked')) },
    tokens: null,
    policy: {
      version: 1,
      usesTime: false,
      decideConnect: () => allow,
      decideStatement: ({ statement }: StatementRequest) => (statement.kind === 'DELETE' ? deny : allow),
      decideUnmask: () => 'masked',
    },
    journal: {
      append: (type, members, _shared, more) => recorded.push(`${type} ${more?.toString() ?? ''} ${members}`),
      commit: (whenRecorded) => setImmediate(() => whenRecorded(null)),
      isAvailable: true,
    },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    redaction: null,
    statementMembers: (statement) => Buffer.from(statement.sql),
  }
  const analyze = (sql: string): TextAnalysis | Promise<TextAnalysis> => {
    const text = textOf(sql)
    if (!sql.includes('LARGE')) return text
    return new Promise((resolve) => analysed.push(() => resolve(text)))
  }
  const way = new StatementWay(services, {
    principal: somebody,
    holding: new SessionHolding(null, { principal: somebody, database: 'shop' }),
    database: { resource: { name: 'shop', labels: new Map() }, showsIdentity: false, sql: { analyze } },
    client: { address: '127.0.0.1', isTls: true },
    names: exchange.names,
    settings: exchange.settings,
    members: Buffer.alloc(0),
    protection: null,
  })
  const messages = new FrontendMessages(exchange, { way, waitFor: (promise) => void promise, approvals: null })
  return {
    exchange,
    messages,
    recorded,
    analysed,
    treat(message) {
      return messages.treat(message[0] ?? 0, message.subarray(5), new OutgoingBatch(message))
    },
  }
}

const allow: Decision = { effect: 'allow', policies: [] }
const deny: Decision = {
  effect: 'deny',
  policies: [],
  command: 'DELETE',
  resource: 'shop',
  reason: 'not_permitted',
  requirements: [],
}

function textOf(sql: string): TextAnalysis {
  const statements = sql.split(';').map((text): StatementAnalysis => {
    if (text.startsWith('OPAQUE')) return opaqueStatement(text, 'a test')
    const copy = text.startsWith('COPY') ? 'in' : null
    return Object.assign({}, emptyStatement, { sql: text, kind: text.split(' ')[0] ?? '', copy })
  })
  return { statements, syntaxError: null }
}

const parse = (sql: string): Buffer => encodeParse({ sql })

describe('a text that is analysed apart', () => {
  test('holds its message until then, however often it is looked at', async () => {
    const { treat, analysed } = session()
    assert.equal(treat(parse('SELECT LARGE')), 'hold')
    assert.equal(treat(parse('SELECT LARGE')), 'hold')
    assert.equal(analysed.length, 1)
    await finish(analysed)
    assert.equal(treat(parse('SELECT LARGE')), 'forward')
  })

  test('never lends its analysis to the message behind it, where an error had its own message dropped', async () => {
    const { exchange, treat, analysed } = session()
    assert.equal(treat(parse('SELECT LARGE')), 'hold')
    exchange.isDiscarding = true
    assert.equal(treat(parse('SELECT LARGE')), 'drop')
    await finish(analysed)
    assert.equal(treat(sync), 'forward')
    assert.ok(treat(parse('DELETE')) instanceof Buffer, 'DELETE is refused')
  })
})

describe('a message type that PostgreSQL does not know', () => {
  for (const state of ['in order', 'while messages are discarded']) {
    test(`ends the session ${state}`, () => {
      const { exchange, treat } = session()
      exchange.isDiscarding = state !== 'in order'
      assert.throws(() => treat(Buffer.from('y\0\0\0\x04')), isViolation)
      assert.throws(() => treat(Buffer.from('p\0\0\0\x05\0')), isViolation)
    })
  }
})

describe('an Execute that may ask for data', () => {
  test('is made to answer at once, since nothing is sent behind it before it has', () => {
    for (const sql of ['COPY', 'OPAQUE']) {
      const { exchange, treat } = session()
      treat(parse(sql))
      treat(encodeBind({}))
      assert.deepEqual(treat(encodeExecute('', 3)), Buffer.concat([encodeExecute('', 3), flush]))
      assert.equal(treat(sync), 'hold')
      exchange.copy = 'receiving'
      assert.equal(treat(Buffer.from([frontend.CopyDone, 0, 0, 0, 4])), 'forward')
      assert.equal(treat(sync), 'forward')
    }
  })
})

describe('a Parse of several statements', () => {
  test("is left to PostgreSQL's own refusal for those who may run what cannot be analysed, as opaque", () => {
    const { messages, treat, recorded } = session()
    assert.equal(treat(parse('SELECT;DELETE')), 'forward')
    messages.finishBatch()
    assert.match(recorded.join('\n'), /^prepare SELECT;DELETE/)
  })
})

describe('a Query', () => {
  test('of which one statement is refused does not run at all, and leaves no intent', () => {
    const { treat, recorded } = session()
    assert.ok(treat(encodeQuery('SELECT;DELETE')) instanceof Buffer)
    assert.deepEqual(
      recorded.map((line) => line.split(' ')[0]),
      ['refusal'],
    )
  })
})

async function finish(analysed: (() => void)[]): Promise<void> {
  for (const resolve of analysed.splice(0)) resolve()
  await new Promise((resolve) => setImmediate(resolve))
}

function isViolation(error: unknown): boolean {
  return error instanceof PosternError && error.code === 'protocol_violation'
}

test('nothing of the client comes in between while the gateway itself asks', () => {
  const { exchange, treat } = session()
  exchange.isReserved = true
  for (const message of [encodeQuery('SELECT 1'), encodeParse({ sql: 'DELETE' }), sync, flush]) {
    assert.equal(treat(message), 'hold')
  }
  exchange.isReserved = false
  assert.equal(treat(encodeQuery('SELECT 1')), 'forward')
})
