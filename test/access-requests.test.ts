import assert from 'node:assert/strict'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { compareWithJournal } from '../src/access/access.ts'
import { readPublicKey } from '../src/audit/key.ts'
import { verifyJournal } from '../src/audit/verify.ts'
import { openControlStore } from '../src/store/store.ts'
import { dana, Desk, endOf, person, root, sam, samOnCall, startAccessSandbox, told, until } from './support/access.ts'
import { alice } from './support/access.ts'
import { type Entry, readEntries, type Sandbox } from './support/sandbox.ts'

/*
 * Asking for access, more of it, and taking it first: over the API, with a receiver of webhooks that checks signatures, and
 * with store and journal compared at the end.
 */

const notes = 'SELECT note FROM cases.notes WHERE id = 1'
const secret = 'the secret of the receiver'

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let sandbox: Sandbox
let desk: Desk
let receiver: Server
const received: Received[] = []
/** Another approver, and one who was the taker under another name. */
const dirk = person(dana, { sub: 'u-dirk', name: 'dirk@example.com' })
const samAsApprover = person(sam, { groups: ['dba', 'oncall', 'support'] })

before(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      response.writeHead(204).end()
    })
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const address = receiver.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.env['POSTERN_TEST_HOOK_SECRET'] = secret
  const { tmpdir } = await import('node:os')
  const { mkdtemp } = await import('node:fs/promises')
  const directory = await mkdtemp(join(tmpdir(), 'postern-hooks-'))
  await writeFile(join(directory, 'secret'), secret, { mode: 0o600 })
  sandbox = await startAccessSandbox({
    access: {
      notifications: {
        directory: join(directory, 'notifications'),
        webhooks: [
          {
            url: `http://127.0.0.1:${String(port)}/hook`,
            secret: { file: join(directory, 'secret') },
            events: null,
            allowInsecure: true,
          },
        ],
        slack: null,
      },
    },
  })
  desk = new Desk(sandbox)
})

after(async () => {
  receiver.close()
  await sandbox.stop()
})

beforeEach(async () => {
  for (const { id } of await desk.grants('?active=true')) await desk.revoke({ grant: id })
})

/** The events of a type that were delivered and whose signature is right; one that is not fails the test. */
function delivered(type: string): readonly Record<string, unknown>[] {
  return received
    .filter(({ headers }) => headers['x-postern-event'] === type)
    .map(({ headers, body }) => {
      assert.ok(isGenuine(String(headers['x-postern-signature']), body), `${type} is signed`)
      return JSON.parse(body) as Record<string, unknown>
    })
}

function isGenuine(signature: string, body: string): boolean {
  const [, at = '', given = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? []
  const own = createHmac('sha256', secret).update(`${at}.${body}`).digest()
  return given.length === 64 && timingSafeEqual(own, Buffer.from(given, 'hex'))
}

describe('asking', () => {
  test('is for those whom the role names, with a reason and no longer than it allows', async () => {
    const ask = async (who: string, body: object): Promise<number> =>
      (await desk.call(who, 'POST', '/requests', { role: 'support-lead', for: '1h', reason: 'T-1', ...body })).status
    assert.equal(await ask(alice, {}), 403)
    assert.equal(await ask(sam, { role: 'nothing' }), 403)
    assert.equal(await ask(sam, { for: '2h' }), 400)
    assert.equal(await ask(sam, { for: 'forever' }), 400)
    assert.equal((await desk.call(sam, 'POST', '/requests', { role: 'support-lead', for: '1h' })).status, 400)
    assert.equal(await ask(sam, { reason: ' ' }), 400)
  })

  test('gives nothing before it is answered, nor when it is denied or withdrawn', async () => {
    const client = await sandbox.connect(sam)
    for (const close of ['deny', 'withdraw'] as const) {
      const { id } = await desk.ask(sam, 'support-lead', '10m')
      assert.equal(await told(client, notes), '42501')
      await desk.mustCall(close === 'deny' ? dana : sam, 'POST', `/requests/${id}/${close}`, {})
      assert.equal(await told(client, notes), '42501')
      assert.equal((await desk.call(dana, 'POST', `/requests/${id}/approve`, {})).status, 409)
      assert.equal(await told(client, notes), '42501')
    }
    await client.end()
  })

  test('is never answered by who asks, whatever groups they are in', async () => {
    const { id } = await desk.ask(samAsApprover, 'support-lead', '10m')
    for (const by of [samAsApprover, person(dana, { sub: 'other', name: sam }), alice, sam]) {
      const { status } = await desk.call(by, 'POST', `/requests/${id}/approve`, {})
      assert.ok(status === 403 || status === 404, String(status))
    }
    assert.equal((await desk.approve(id)).state, 'granted')
  })
})

describe('an extension', () => {
  test('is asked for by the holder alone, before the end, and lasts no longer than the role allows', async () => {
    const { id, until: first } = await desk.grant(sam, 'support-lead', '30m')
    const of = (who: string, extended: string): Promise<{ status: number }> =>
      desk.call(who, 'POST', '/requests', { role: 'support-lead', for: '50m', reason: 'T-1', extends: extended })
    const dora = person(sam, { sub: 'u-dora', name: 'dora@example.com' })
    const foreign = await desk.call(dora, 'POST', '/requests', {
      role: 'support-lead',
      for: '50m',
      reason: 'T-1',
      extends: id,
    })
    assert.equal(foreign.status, 404)
    const extension = await desk.ask(sam, 'support-lead', '50m', { extends: id })
    const beforeMs = Date.now()
    await desk.approve(extension.id)
    const extended = (await desk.grants('?active=true')).find((grant) => grant.id === id)
    const untilMs = Date.parse(extended?.until ?? '')
    assert.ok(untilMs > Date.parse(first))
    assert.ok(untilMs <= Date.now() + 3_600_000 && untilMs >= beforeMs + 3_590_000, 'capped to an hour from now')
    // One that is answered behind the end gives nothing.
    const late = await desk.ask(sam, 'support-lead', '50m', { extends: id })
    await desk.revoke({ grant: id })
    const { status } = await desk.call(dana, 'POST', `/requests/${late.id}/approve`, {})
    const client = await sandbox.connect(sam)
    assert.equal(await told(client, notes), '42501', String(status))
    await client.end()
    assert.equal((await of(sam, id)).status, 400)
  })

  test('keeps the live session, beyond the end that it had before', async () => {
    const { id } = await desk.grant(sam, 'support-lead', '2s')
    const client = await sandbox.connect(sam)
    await desk.grant(sam, 'support-lead', '10m', { extends: id }).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    assert.equal(await told(client, notes), '[["note 1"]]')
    await client.end()
  })

  test('and its grant are listed to those whom they concern, with their history', async () => {
    const { id } = await desk.grant(sam, 'support-lead', '10m')
    const has = async (by: Parameters<Desk['grants']>[1], query = ''): Promise<boolean> =>
      (await desk.grants(query, by)).some((grant) => grant.id === id)
    assert.deepEqual(await Promise.all([has(sam), has(dana), has(root), has(alice)]), [true, true, true, false])
    assert.equal(await has(dana, `?active=true&principal=${sam}&role=support-lead`), true)
    assert.equal(await has(dana, '?role=idle'), false)
    await desk.revoke({ grant: id }, sam)
    assert.equal(await has(sam, '?active=true'), false)
    const ended = (await desk.grants('?active=false', sam)).find((grant) => grant.id === id)
    assert.equal(ended?.ended?.why, 'revoked')
    assert.equal(ended.ended.by, sam)
  })
})

describe('break-glass', () => {
  test('is taken at once by those on call, is told of, and is reviewed by an approver who did not take it', async () => {
    const client = await sandbox.connect(sam)
    const take = { role: 'support-lead', for: '10m', reason: 'the shop is on fire', breakGlass: true }
    assert.equal((await desk.call(sam, 'POST', '/requests', take)).status, 403)
    assert.equal((await desk.call(samOnCall, 'POST', '/requests', { ...take, reason: undefined })).status, 400)
    const { grant } = await desk.mustCall<{ grant: { id: string; kind: string; needsReview: boolean } }>(
      samOnCall,
      'POST',
      '/requests',
      take,
    )
    assert.equal(grant.kind, 'break_glass')
    assert.equal(grant.needsReview, true)
    assert.equal(await told(client, notes), '[["note 1"]]')
    await until(() => delivered('break_glass_taken').length === 1, 'the webhook')
    assert.match(
      JSON.stringify(delivered('break_glass_taken')),
      new RegExp(`${grant.id}.*on fire|on fire.*${grant.id}`),
    )
    assert.equal((await desk.call(samOnCall, 'POST', '/requests', take)).status, 403, 'the first is not reviewed')
    await desk.revoke({ grant: grant.id })
    assert.equal((await desk.call(samOnCall, 'POST', '/requests', take)).status, 403, 'also once it has ended')
    const review = { outcome: 'justified', comment: 'it was' }
    for (const by of [samOnCall, samAsApprover, alice, person(dana, { sub: 'x', name: sam })]) {
      const { status } = await desk.call(by, 'POST', `/grants/${grant.id}/review`, review)
      assert.ok(status === 403 || status === 404, String(status))
    }
    await desk.mustCall(dirk, 'POST', `/grants/${grant.id}/review`, review)
    assert.equal((await desk.call(dana, 'POST', `/grants/${grant.id}/review`, review)).status, 403, 'once')
    const again = await desk.call(samOnCall, 'POST', '/requests', take)
    assert.equal(again.status, 201)
    await until(() => delivered('grant_reviewed').length === 1, 'the webhook')
    await client.end()
  })
})

test('each change is in the journal once, as the store has it, and the journal is whole', async () => {
  const client = await sandbox.connect(sam)
  const { id } = await desk.grant(sam, 'support-lead', '10m')
  const token = await desk.token(sam, { role: 'support-lead' })
  await told(client, notes)
  const end = endOf(client)
  await desk.revoke({ grant: id })
  assert.equal((await desk.call(sam, 'DELETE', `/tokens/${token.id}`)).status, 204)
  await desk.revoke({ principal: sam, killSessions: true }, root)
  await end
  await until(() => delivered('grant_ended').length > 0, 'the webhook')
  const { controlStore, journal } = sandbox.config
  assert.ok(controlStore.kind === 'sqlite')
  await sandbox.postern.stop({ deadlineMs: 500 })
  const store = await openControlStore({ kind: 'sqlite', file: controlStore.file }, { onFault: () => undefined })
  const entries = await readEntries(journal.directory)
  assert.deepEqual(await compareWithJournal(store, changesOf(entries)), [])
  await store.close()
  const types = new Set(entries.map(({ type }) => type))
  for (const type of [
    'request_opened',
    'request_answered',
    'request_closed',
    'grant_started',
    'grant_extended',
    'grant_ended',
    'grant_reviewed',
    'token_issued',
    'token_ended',
    'principal_revoked',
  ]) {
    assert.ok(types.has(type), type)
  }
  const report = verifyJournal(journal.directory, { publicKeys: [readPublicKey(`${journal.signingKey}.pub`)] })
  assert.equal(report.problem, null)
  assert.equal(report.tail, 'sealed')
  assert.deepEqual(report.openIntents, [])
})

/** The entries that stand for a change of the store. */
function changesOf(entries: readonly Entry[]): { type: string; change: number; facts: Record<string, unknown> }[] {
  return entries.flatMap(({ type, change, seq: _seq, at: _at, prev: _prev, ...facts }) =>
    typeof change === 'number' ? [{ type, change, facts }] : [],
  )
}
