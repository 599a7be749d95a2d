import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Client } from 'pg'
import {
  alice,
  dana,
  Desk,
  endOf,
  exchange,
  pause,
  person,
  rawAs,
  root,
  sam,
  startAccessSandbox,
  told,
  until,
} from './support/access.ts'
import { encodeBind, encodeExecute, encodeParse, encodeQuery, sync } from '../src/wire/frontend.ts'
import { seeded } from './support/transcript.ts'
import type { Sandbox } from './support/sandbox.ts'

/*
 * Access is taken away at the worst moment: while somebody logs in, and while statements are sent as fast as they can be.
 */

let sandbox: Sandbox
let desk: Desk

before(async () => {
  sandbox = await startAccessSandbox()
  desk = new Desk(sandbox)
})

after(() => sandbox.stop())

beforeEach(async () => {
  for (const { id } of await desk.grants('?active=true')) await desk.revoke({ grant: id })
})

describe('a log-in during which access ends', () => {
  /** How long PostgreSQL takes to let the gateway in. */
  const slowness = async (seconds: number): Promise<void> => {
    await sandbox.postgres.query('postgres', `ALTER SYSTEM SET pre_auth_delay = ${String(seconds)}`)
    await sandbox.postgres.query('postgres', 'SELECT pg_reload_conf()')
    await pause(200)
  }

  /** Connects, has `meanwhile` happen before PostgreSQL has let the gateway in, and says how it came out. */
  const raced = async (who: string, meanwhile: () => Promise<unknown>): Promise<string> => {
    const client = new Client(await sandbox.clientConfig(who))
    const errors: string[] = []
    client.on('error', (error: Error & { code?: string }) => errors.push(error.code ?? error.message))
    await slowness(1)
    const connecting = client.connect().then(
      async () => {
        await until(() => errors.length > 0, 'the end').catch(() => undefined)
        return errors[0] ?? (await told(client, 'SELECT 1'))
      },
      (error: { code: string }) => error.code,
    )
    await pause(300)
    await meanwhile()
    await slowness(0)
    const outcome = await connecting
    await client.end().catch(() => undefined)
    return outcome
  }

  test('leads to no session where the grant is revoked meanwhile', async () => {
    const { id } = await desk.grant(alice, 'visitor', '10m')
    assert.equal(await raced(alice, () => desk.revoke({ grant: id })), '57P01')
  })

  test('leads to no session where what was issued to the principal is killed meanwhile', async () => {
    const known = await sandbox.connect(sam)
    const end = endOf(known)
    assert.equal(await raced(sam, () => desk.revoke({ principal: sam, killSessions: true }, root)), '57P01')
    await end
    await pause(1_000)
  })
})

describe('a revoked agent', () => {
  test('loses the sessions in which it acts for others, and opens no more of them', async () => {
    const agent = 'report-agent'
    const subject = { sub: agent, act: undefined }
    const itself = await sandbox.issuer.issueToken({ identity: agent, overrides: { ...subject, groups: ['support'] } })
    const delegated = await sandbox.issuer.issueToken({ identity: agent, overrides: { groups: ['support'] } })
    const [own, acting] = [
      await sandbox.connect(agent, { password: itself }),
      await sandbox.connect(agent, { password: delegated }),
    ]
    const ends = [endOf(own), endOf(acting)]
    await desk.revoke({ principal: agent, killSessions: true }, root)
    for (const end of ends) assert.equal((await end).code, '57P01')
    for (const password of [itself, delegated]) {
      await assert.rejects(sandbox.connect(agent, { password }), { code: '57P01' })
    }
    await pause(1_000)
  })

  test('opens no session for others with what was issued before, also where it was known by itself only', async () => {
    const agent = person('report-agent', { sub: 'second-agent', name: 'second-agent', groups: ['support'] })
    assert.ok(typeof agent !== 'string')
    const itself = await sandbox.issuer.issueToken({ ...agent, overrides: { ...agent.overrides, act: undefined } })
    const overrides = { ...agent.overrides, sub: 'u-2000', act: { sub: 'second-agent' } }
    const delegated = await sandbox.issuer.issueToken({ ...agent, overrides })
    const acting = await sandbox.connect(sam, {
      user: 'boss@example.com',
      password: await sandbox.issuer.issueToken({
        ...agent,
        overrides: { ...overrides, preferred_username: 'boss@example.com' },
      }),
    })
    const [end, own] = [endOf(acting), await sandbox.connect(sam, { user: 'second-agent', password: itself })]
    own.on('error', () => undefined)
    await desk.revoke({ principal: 'second-agent', killSessions: true }, root)
    assert.equal((await end).code, '57P01')
    await assert.rejects(sandbox.connect(sam, { user: 'second-agent', password: delegated }), { code: '57P01' })
  })
})

test('after a revocation was acknowledged nothing begins that needs the role, in many rounds', async () => {
  const seed = Number(process.env['POSTERN_TEST_SEED'] ?? Date.now() % 1e9)
  console.log(`revoking while executing, seed ${String(seed)}`)
  const random = seeded(seed)
  const rounds = 40
  const notes = 'SELECT note FROM cases.notes WHERE id = 1'
  const clients = await Promise.all([0, 1, 2, 3].map(() => rawAs(sandbox, sam)))
  for (const client of clients.slice(2)) {
    assert.deepEqual((await exchange(client, [encodeParse({ sql: 'SELECT 1', name: 'idle' }), sync])).codes, [])
  }
  let ran = 0
  for (let round = 0; round < rounds; round += 1) {
    const approver = person(dana, { sub: `u-d${String(round)}`, name: `d${String(round)}@example.com` })
    const { id } = await desk.ask(sam, 'support-lead', '10m')
    const { outcome } = await desk.approve(id, approver)
    let isAcknowledged = false
    const busy = clients.map(async (client, index) => {
      const messages =
        index < 2
          ? [encodeQuery(notes)]
          : [encodeParse({ sql: notes }), encodeBind({}), encodeExecute('', 0), sync, encodeQuery(notes)]
      for (;;) {
        const wasAcknowledged = isAcknowledged
        client.send(...messages)
        const frames = await client.until('Z'.charCodeAt(0), index < 2 ? 1 : 2)
        const text = Buffer.concat(frames.map(({ body }) => body)).toString('latin1')
        if (/note 1/.test(text)) {
          ran += 1
          assert.ok(!wasAcknowledged, `round ${String(round)}: a statement sent behind the acknowledgement ran`)
        }
        if (wasAcknowledged) return
      }
    })
    await pause(random() * 30)
    const wish = [{ grant: outcome?.grant }, { principal: sam }, { role: 'support-lead' }][round % 3] ?? {}
    await desk.revoke(wish, approver)
    isAcknowledged = true
    await Promise.all(busy)
  }
  assert.ok(ran > rounds)
  for (const client of clients) client.close()
  await pause(100)
  // By the record: an intent that needs the role stands between the beginning of a grant and its end.
  const entries = await sandbox.entries()
  let held = 0
  let intents = 0
  for (const entry of entries) {
    if (entry.type === 'grant_started' && entry['role'] === 'support-lead') held += 1
    if (entry.type === 'grant_ended' && entry['role'] === 'support-lead') held -= 1
    if (entry.type !== 'intent' || !JSON.stringify(entry).includes('cases.notes')) continue
    intents += 1
    assert.ok(held > 0, `entry ${String(entry.seq)} begins a statement without a grant (seed ${String(seed)})`)
  }
  assert.ok(intents >= ran)
})
