import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { Client, DatabaseError } from 'pg'
import { backend, decodeErrorResponse } from '../src/wire/backend.ts'
import {
  encodeBind,
  encodeCopyData,
  encodeExecute,
  encodeParse,
  encodeQuery,
  flush,
  sync,
} from '../src/wire/frontend.ts'
import type { Frame } from '../src/wire/framer.ts'
import { alice, Desk, endOf, pause, rawAs, root, sam, startAccessSandbox, told, until } from './support/access.ts'
import type { RawClient } from './support/raw-client.ts'
import type { Sandbox } from './support/sandbox.ts'

/*
 * What is under way when a grant ends: a running statement gets the grace of one second and then a cancel that says why;
 * a session that may not be there any more is ended.
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

/** Whose sessions the gateway has. */
async function sessionNames(): Promise<string[]> {
  const { sessions } = await desk.mustCall<{ sessions: { principal: string }[] }>(root, 'GET', '/sessions')
  return sessions.map(({ principal }) => principal)
}

const slowNotes = (seconds: number): string => `SELECT note, pg_sleep(${String(seconds / 20)}) FROM cases.notes`

/** Notices of a driver's connection, as `CODE message`. */
function noticesOf(client: Client): string[] {
  const notices: string[] = []
  client.on('notice', ({ code, message, severity }) => notices.push(`${severity ?? ''} ${code ?? ''} ${message ?? ''}`))
  return notices
}

/** Notices and errors among what was received. */
function reports(frames: readonly Frame[]): string[] {
  return frames
    .filter(({ type }) => type === backend.ErrorResponse || type === backend.NoticeResponse)
    .map(({ body }) => {
      const fields = decodeErrorResponse(body)
      return `${fields.get('S') ?? ''} ${fields.get('C') ?? ''} ${fields.get('M') ?? ''}`
    })
}

const overWarning = /^WARNING .* the access that this statement was begun with is over/

describe('a running statement whose access ends', () => {
  for (const [how, end] of [
    ['is revoked by its id', (id: string) => desk.revoke({ grant: id })],
    ['is revoked by its principal', () => desk.revoke({ principal: sam })],
    ['is revoked by its role', () => desk.revoke({ role: 'support-lead' })],
    ['is given back', (id: string) => desk.revoke({ grant: id }, sam)],
  ] as const) {
    test(`is cancelled behind the grace, with a warning that says why, where the grant ${how}`, async () => {
      const client = await sandbox.connect(sam)
      const notices = noticesOf(client)
      const { id } = await desk.grant(sam, 'support-lead', '10m')
      const running = client.query(slowNotes(30))
      running.catch(() => undefined)
      await pause(100)
      await end(id)
      await assert.rejects(running, { code: '57014' })
      assert.equal(notices.length, 1)
      assert.match(notices[0] ?? '', overWarning)
      assert.equal(await told(client, 'SELECT 1'), '[[1]]')
      assert.equal(await told(client, slowNotes(0)), '42501')
      await client.end()
    })
  }

  test('is cancelled where the grant ends by time', async () => {
    const client = await sandbox.connect(sam)
    const notices = noticesOf(client)
    await desk.grant(sam, 'support-lead', '2s')
    await assert.rejects(client.query(slowNotes(30)), { code: '57014' })
    assert.match(notices[0] ?? '', overWarning)
    await client.end()
  })

  test('may end within the grace', async () => {
    const client = await sandbox.connect(sam)
    const notices = noticesOf(client)
    const { id } = await desk.grant(sam, 'support-lead', '10m')
    const running = client.query(slowNotes(0.6))
    await pause(50)
    await desk.revoke({ grant: id })
    assert.equal((await running).rows.length, 20)
    await pause(1_200)
    assert.deepEqual(notices, [])
    await client.end()
  })

  test('is cancelled as a COPY TO, which shows nothing clear from there on', async () => {
    const client = await rawAs(sandbox, sam)
    const { id } = await desk.grant(sam, 'support-lead', '10m')
    client.send(
      encodeQuery(
        `COPY (SELECT email, repeat('x', 9000), pg_sleep(0.1) FROM customers, generate_series(1, 20)) TO STDOUT`,
      ),
    )
    await client.until(backend.CopyData)
    await desk.revoke({ grant: id })
    const said = reports(await client.until(backend.ReadyForQuery))
    assert.match(said[0] ?? '', overWarning)
    assert.match(said[1] ?? '', /57014/)
    client.close()
  })

  test('is cancelled where its client hardly reads', async () => {
    const client = await rawAs(sandbox, sam)
    const { id } = await desk.grant(sam, 'support-lead', '10m')
    client.send(encodeQuery('SELECT email FROM customers, generate_series(1, 1000000)'))
    await client.until(backend.DataRow)
    client.socket.pause()
    await desk.revoke({ grant: id })
    await pause(1_500)
    client.socket.resume()
    const frames = await client.until(backend.ReadyForQuery)
    const said = reports(frames)
    assert.match(said[0] ?? '', overWarning)
    assert.match(said[1] ?? '', /57014/)
    const rows = frames.filter(({ type }) => type === backend.DataRow).length
    assert.ok(rows < 4_000_000, `${String(rows)} rows of 20 million came`)
    client.close()
  })

  test('is cancelled in the middle of a pipeline, whose later statements are decided without it', async () => {
    const client = await rawAs(sandbox, sam)
    const { id } = await desk.grant(sam, 'support-lead', '10m')
    const run = (sql: string): readonly Buffer[] => [encodeParse({ sql }), encodeBind({}), encodeExecute('', 0)]
    client.send(...run(slowNotes(30)), sync, ...run('SELECT 1'), sync)
    await pause(100)
    await desk.revoke({ grant: id })
    const first = reports(await client.until(backend.ReadyForQuery))
    assert.match(first[0] ?? '', overWarning)
    assert.match(first[1] ?? '', /57014/)
    assert.deepEqual(reports(await client.until(backend.ReadyForQuery)), [])
    client.send(...run(slowNotes(0)), sync)
    assert.match(reports(await client.until(backend.ReadyForQuery))[0] ?? '', /42501/)
    client.close()
  })
})

test('a statement that was sent behind another is cancelled once it runs, and the one before it goes on', async () => {
  const client = await rawAs(sandbox, sam)
  const { id } = await desk.grant(sam, 'support-lead', '10m')
  const run = (sql: string): readonly Buffer[] => [encodeParse({ sql }), encodeBind({}), encodeExecute('', 0), sync]
  client.send(...run('SELECT pg_sleep(2)'), ...run(slowNotes(30)), ...run('SELECT 1'))
  await pause(100)
  await desk.revoke({ grant: id })
  assert.deepEqual(reports(await client.until(backend.ReadyForQuery)), [])
  const second = reports(await client.until(backend.ReadyForQuery))
  assert.match(second[0] ?? '', overWarning)
  assert.match(second[1] ?? '', /57014/)
  assert.equal(second.length, 2)
  assert.deepEqual(reports(await client.until(backend.ReadyForQuery)), [])
  client.close()
})

describe('a running statement that does without what has changed', () => {
  const masked = 'SELECT name, email, pg_sleep(0.1) FROM customers'

  const goesOn = async (client: Client, sql: string, change: () => Promise<unknown>): Promise<void> => {
    const notices = noticesOf(client)
    const running = client.query(sql)
    running.catch(() => undefined)
    await pause(100)
    await change()
    assert.equal((await running).rows.length, 20)
    assert.deepEqual(notices, [])
    await client.end()
  }

  test('goes on where nothing of it was by the role', async () => {
    await desk.grant(sam, 'support-lead', '10m')
    await goesOn(await sandbox.connect(sam), 'SELECT id, pg_sleep(0.1) FROM customers', () =>
      desk.revoke({ principal: sam }),
    )
  })

  test('goes on masked where another role is given', async () => {
    await goesOn(await sandbox.connect(sam), masked, () => desk.grant(sam, 'idle', '10m'))
  })

  test('goes on masked where a role that unmasks is given', async () => {
    await goesOn(await sandbox.connect(sam), masked, () => desk.grant(sam, 'support-lead', '10m'))
  })

  test('goes on where the grant that it was begun with is extended', async () => {
    const { id } = await desk.grant(sam, 'support-lead', '10m')
    await goesOn(await sandbox.connect(sam), masked, () => desk.grant(sam, 'support-lead', '10m', { extends: id }))
  })

  test('goes on where another role is taken away', async () => {
    await desk.grant(sam, 'support-lead', '10m')
    const { id } = await desk.grant(sam, 'idle', '10m')
    await goesOn(await sandbox.connect(sam), masked, () => desk.revoke({ grant: id }))
  })

  test('goes on as EXECUTE of what was prepared, as FETCH and as one of several statements', async () => {
    const client = await sandbox.connect(sam)
    const other = await sandbox.connect(sam)
    const several = await sandbox.connect(sam)
    await client.query(`PREPARE s AS ${masked}`)
    await other.query('BEGIN')
    await other.query(`DECLARE c CURSOR FOR ${masked}`)
    const all = [
      client.query('EXECUTE s'),
      other.query('FETCH ALL FROM c'),
      several.query(`PREPARE t AS ${masked}; EXECUTE t`),
    ]
    await pause(100)
    await desk.grant(sam, 'idle', '10m')
    const results = await Promise.allSettled(all)
    assert.deepEqual(
      results.map((each) => (each.status === 'fulfilled' ? 'done' : String(each.reason))),
      ['done', 'done', 'done'],
    )
    for (const each of [client, other, several]) await each.end()
  })
})

describe('a session that has no connect left', () => {
  let grant: string

  beforeEach(async () => {
    grant = (await desk.grant(alice, 'visitor', '10m')).id
  })

  const revoke = (): Promise<unknown> => desk.revoke({ grant })
  const isOver = ({ code, message, hint }: { code: string; message: string; hint: string }): void => {
    assert.equal(code, '57P01')
    assert.match(message, /the access that it was opened with is over/)
    assert.match(hint, /postern request/)
  }

  test('is not opened again', async () => {
    await revoke()
    await assert.rejects(sandbox.connect(alice), { code: '42501', message: /connect on shop is refused/ })
  })

  test('is ended at once while it is idle', async () => {
    const client = await sandbox.connect(alice)
    const end = endOf(client)
    await revoke()
    isOver(await end)
  })

  test('is ended at the moment at which its grant ends by time', async () => {
    await revoke()
    await desk.grant(alice, 'visitor', '1s')
    const client = await sandbox.connect(alice)
    isOver(await endOf(client))
  })

  test('is ended in a transaction, which is rolled back', async () => {
    const client = await sandbox.connect(alice)
    await client.query('BEGIN')
    await client.query("INSERT INTO inbox VALUES (1, 'in a transaction')")
    const end = endOf(client)
    await revoke()
    isOver(await end)
    const direct = await sandbox.connectDirect()
    assert.equal(await told(direct, "SELECT count(*)::int FROM inbox WHERE line = 'in a transaction'"), '[[0]]')
    await direct.end()
  })

  test('gets the grace for what it runs, and then a cancel and its end', async () => {
    const client = await sandbox.connect(alice)
    const end = endOf(client)
    const running = client.query('SELECT pg_sleep(60)')
    const refused = assert.rejects(running, { code: '57014' })
    await pause(50)
    await revoke()
    await refused
    isOver(await end)
  })

  test('takes the answer of what ends within the grace, and ends behind it', async () => {
    const client = await sandbox.connect(alice)
    const end = endOf(client)
    const running = client.query('SELECT pg_sleep(0.5), 1 AS one')
    await pause(50)
    await revoke()
    assert.equal((await running).rows[0]?.['one'], 1)
    isOver(await end)
  })

  const endOfRaw = async (client: RawClient): Promise<void> => {
    const frames: Frame[] = []
    for (;;) {
      const frame = await client.next()
      if (frame === null) break
      frames.push({ ...frame, body: Buffer.from(frame.body) })
    }
    assert.match(reports(frames).at(-1) ?? '', /^FATAL 57P01 .*the access that it was opened with is over/)
  }

  test('is ended between two slices of a pipeline that has no Sync yet', async () => {
    const client = await rawAs(sandbox, alice)
    const sql = 'SELECT generate_series(1, 9)'
    client.send(encodeParse({ sql }), encodeBind({}), encodeExecute('', 2), flush)
    await client.until(backend.PortalSuspended)
    await revoke()
    await endOfRaw(client)
  })

  test('is ended in a pipeline whose answers PostgreSQL still holds back', async () => {
    const client = await rawAs(sandbox, alice)
    client.send(encodeParse({ sql: 'SELECT 1' }), encodeBind({}), encodeExecute('', 0))
    await pause(100)
    await revoke()
    await endOfRaw(client)
  })

  test('is ended during COPY FROM STDIN, of which nothing is kept', async () => {
    const client = await rawAs(sandbox, alice)
    client.send(encodeQuery('COPY inbox FROM STDIN'))
    await client.until(backend.CopyInResponse)
    client.send(encodeCopyData(Buffer.from('2\tcopied\n')))
    await pause(50)
    await revoke()
    client.send(encodeCopyData(Buffer.from('3\tcopied\n')))
    await endOfRaw(client)
    const direct = await sandbox.connectDirect()
    assert.equal(await told(direct, "SELECT count(*)::int FROM inbox WHERE line = 'copied'"), '[[0]]')
    await direct.end()
  })

  test('is ended while it waits for an approval, which is withdrawn', async () => {
    const client = await sandbox.connect(alice)
    client.on('error', () => undefined)
    const waiting = client.query('DELETE FROM inbox')
    waiting.catch(() => undefined)
    const pending = async (): Promise<readonly { id: string }[]> =>
      (await desk.mustCall<{ requests: { id: string }[] }>('dana@example.com', 'GET', '/requests?state=pending'))
        .requests
    await until(async () => (await pending()).length === 1)
    const [request] = await pending()
    await revoke()
    await assert.rejects(waiting, (error: DatabaseError & { hint: string; code: string }) => {
      isOver(error)
      return true
    })
    await until(async () => (await pending()).length === 0)
    const { status, body } = await desk.call('dana@example.com', 'POST', `/requests/${request?.id ?? ''}/approve`, {})
    assert.equal(status, 409, JSON.stringify(body))
  })

  test('is ended though its client does not read', async () => {
    const client = await rawAs(sandbox, alice)
    client.send(encodeQuery('SELECT generate_series(1, 10000000)'))
    await client.until(backend.DataRow)
    client.socket.pause()
    await revoke()
    // The grace, and then as long as PostgreSQL may take to end what is cancelled.
    await pause(5_000)
    await until(async () => !(await sessionNames()).includes(alice), 'the end of the session')
    client.close()
  })

  test('is on record as one whose access has ended', async () => {
    const ends = (await sandbox.entries()).filter(({ type }) => type === 'session_ended')
    assert.ok(ends.filter(({ end, sqlstate }) => end === 'access_ended' && sqlstate === '57P01').length >= 9)
  })
})

const issuedBefore = /issued before the access of its owner was revoked/

describe('killing what was issued to a principal', () => {
  test('ends its sessions whatever policy says, and lets no token in that was issued before', async () => {
    const token = await desk.tokenOf(sam)
    const clients = await Promise.all([sandbox.connect(sam), sandbox.connect(sam)])
    const other = await sandbox.connect('dana@example.com')
    const ends = clients.map(endOf)
    await desk.revoke({ principal: sam, killSessions: true }, root)
    for (const end of ends) {
      const { code, message } = await end
      assert.equal(code, '57P01')
      assert.match(message, /is over or was revoked/)
    }
    assert.equal(await told(other, 'SELECT 1'), '[[1]]')
    await assert.rejects(sandbox.connect(sam, { password: token }), { code: '57P01', message: issuedBefore })
    assert.equal((await desk.call(sam, 'GET', '/requests', undefined, token)).status, 403)
    // What says when it was issued does so in whole seconds.
    await pause(1_100)
    const again = await sandbox.connect(sam)
    assert.equal(await told(again, 'SELECT 1'), '[[1]]')
    await again.end()
    await other.end()
  })

  test('concerns a principal that has no session at the moment', async () => {
    await pause(1_100)
    const token = await desk.tokenOf(sam)
    const client = await sandbox.connect(sam, { password: token })
    await client.end()
    await until(async () => !(await sessionNames()).includes(sam))
    await desk.revoke({ principal: sam, killSessions: true }, root)
    await assert.rejects(sandbox.connect(sam, { password: token }), { code: '57P01', message: issuedBefore })
    await pause(1_100)
  })

  test('is for admins', async () => {
    const { status } = await desk.call('dana@example.com', 'POST', '/grants/revoke', {
      principal: sam,
      killSessions: true,
      reason: 'x',
    })
    assert.equal(status, 403)
  })
})
