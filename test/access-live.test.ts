import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodeBind, encodeDescribe, encodeExecute, encodeParse, encodeQuery, sync } from '../src/wire/frontend.ts'
import { Desk, exchange, pause, rawAs, sam, startAccessSandbox, told, until } from './support/access.ts'
import type { RawClient } from './support/raw-client.ts'
import type { Sandbox } from './support/sandbox.ts'

/*
 * A grant begins and ends while a session is open: what was refused or masked works at the next statement, and no longer
 * at the first one behind the end, in whichever way it is asked for.
 */

/** A way to ask for the rows of a query: what is sent once beforehand, and what is sent each time. */
interface Way {
  readonly name: string
  readonly before?: (sql: string) => readonly (readonly Buffer[])[]
  readonly ask: (sql: string) => readonly Buffer[]
}

const query = (sql: string): readonly Buffer[] => [encodeQuery(sql)]

const ways: readonly Way[] = [
  { name: 'Query', ask: query },
  { name: 'two statements in a Query', ask: (sql) => query(`SELECT 1; ${sql}`) },
  {
    name: 'Parse to Execute',
    ask: (sql) => [encodeParse({ sql }), encodeBind({}), encodeDescribe('P', ''), encodeExecute('', 0), sync],
  },
  {
    name: 'Parse to Execute without Describe, in binary',
    ask: (sql) => [encodeParse({ sql }), encodeBind({ resultFormats: [1] }), encodeExecute('', 0), sync],
  },
  {
    name: 'a prepared statement',
    before: (sql) => [[encodeParse({ sql, name: 's' }), sync]],
    ask: () => [encodeBind({ statement: 's' }), encodeExecute('', 0), sync],
  },
  {
    name: 'a prepared statement that was described',
    before: (sql) => [[encodeParse({ sql, name: 's' }), encodeDescribe('S', 's'), sync]],
    ask: () => [encodeBind({ statement: 's' }), encodeDescribe('P', ''), encodeExecute('', 0), sync],
  },
  {
    name: 'PREPARE',
    before: (sql) => [query(`PREPARE s AS ${sql}`)],
    ask: () => query('EXECUTE s'),
  },
  {
    name: 'EXECUTE in the extended protocol',
    before: (sql) => [query(`PREPARE s AS ${sql}`)],
    ask: () => [encodeParse({ sql: 'EXECUTE s' }), encodeBind({}), encodeExecute('', 0), sync],
  },
  {
    name: 'slices of a portal',
    before: (sql) => [query('BEGIN'), [encodeParse({ sql }), encodeBind({ portal: 'p' }), sync]],
    ask: () => [encodeExecute('p', 1), sync],
  },
  {
    name: 'slices of a portal that was begun and described',
    before: (sql) => [
      query('BEGIN'),
      [encodeParse({ sql }), encodeBind({ portal: 'p' }), encodeDescribe('P', 'p'), encodeExecute('p', 1), sync],
    ],
    ask: () => [encodeExecute('p', 1), sync],
  },
  {
    name: 'a cursor',
    before: (sql) => [query('BEGIN'), query(`DECLARE c CURSOR FOR ${sql}`)],
    ask: () => query('FETCH 1 FROM c'),
  },
  {
    name: 'a binary cursor that was begun',
    before: (sql) => [query('BEGIN'), query(`DECLARE c BINARY CURSOR FOR ${sql}`), query('FETCH 1 FROM c')],
    ask: () => [encodeParse({ sql: 'FETCH 1 FROM c' }), encodeBind({}), encodeExecute('', 0), sync],
  },
  {
    name: 'a cursor that outlives its transaction',
    before: (sql) => [query(`DECLARE c CURSOR WITH HOLD FOR ${sql}`)],
    ask: () => query('FETCH 1 FROM c'),
  },
  {
    name: 'a declared cursor executed as a portal',
    before: (sql) => [query('BEGIN'), query(`DECLARE c CURSOR FOR ${sql}`)],
    ask: () => [encodeExecute('c', 1), sync],
  },
  { name: 'COPY TO STDOUT', ask: (sql) => query(`COPY (${sql}) TO STDOUT`) },
  {
    name: 'COPY TO STDOUT in binary by Execute',
    ask: (sql) => [
      encodeParse({ sql: `COPY (${sql}) TO STDOUT (FORMAT binary)` }),
      encodeBind({}),
      encodeExecute('', 0),
      sync,
    ],
  },
]

const emails = 'SELECT email FROM customers ORDER BY id'
const notes = 'SELECT note FROM cases.notes ORDER BY id'

let sandbox: Sandbox
let desk: Desk

before(async () => {
  sandbox = await startAccessSandbox()
  desk = new Desk(sandbox)
})

after(() => sandbox.stop())

async function opened(way: Way, sql: string): Promise<RawClient> {
  const client = await rawAs(sandbox, sam)
  for (const messages of way.before?.(sql) ?? []) {
    const { codes } = await exchange(client, messages)
    assert.deepEqual(codes, [], way.name)
  }
  return client
}

/** One client for each way, where the way can be begun before the grant. */
async function openedInEachWay(sql: string): Promise<readonly { way: Way; client: RawClient }[]> {
  return Promise.all(ways.map(async (way) => ({ way, client: await opened(way, sql) })))
}

async function revokeAll(): Promise<void> {
  await desk.revoke({ principal: sam })
}

describe('masked columns', () => {
  test('become clear while the grant lasts, and are masked behind its end, in sessions that were open before', async () => {
    const all = await openedInEachWay(emails)
    const show = async (): Promise<string[]> => {
      const shown: string[] = []
      for (const { way, client } of all) {
        const { text, codes } = await exchange(client, way.ask(emails))
        assert.deepEqual(codes, [], way.name)
        if (/secret\d+@/.test(text)) shown.push(way.name)
        else assert.match(text, /\[masked\]/, way.name)
      }
      return shown
    }
    const names = all.map(({ way }) => way.name)
    assert.deepEqual(await show(), [])
    await desk.grant(sam, 'support-lead', '10m')
    assert.deepEqual(await show(), names)
    await revokeAll()
    assert.deepEqual(await show(), [])
    for (const { client } of all) client.close()
  })

  test('are masked from the moment on at which the grant ends by time', async () => {
    const all = await openedInEachWay(emails)
    const { until: end } = await desk.grant(sam, 'support-lead', '2s')
    for (const { way, client } of all) {
      const { text } = await exchange(client, way.ask(emails))
      // On a slow machine the end may have come, but then nothing shows.
      assert.equal(/secret\d+@/.test(text), !/\[masked\]/.test(text), way.name)
    }
    await pause(Date.parse(end) - Date.now())
    for (const { way, client } of all) {
      const { text } = await exchange(client, way.ask(emails))
      assert.doesNotMatch(text, /secret\d+@/, way.name)
      assert.match(text, /\[masked\]/, way.name)
      client.close()
    }
  })
})

describe('a schema that only the role reads', () => {
  test('is refused before, works in a session that was open before, and is refused behind the end', async () => {
    const clients = await Promise.all(ways.map(() => rawAs(sandbox, sam)))
    const first = async (way: Way, client: RawClient): Promise<string> => {
      const codes = []
      for (const messages of [...(way.before?.(notes) ?? []), way.ask(notes)]) {
        const told = await exchange(client, messages)
        codes.push(...told.codes)
        if (told.codes.length > 0) await exchange(client, query('ROLLBACK'))
        assert.doesNotMatch(told.text, /note \d/, way.name)
      }
      return codes[0] ?? ''
    }
    for (const [index, way] of ways.entries()) {
      const client = clients[index]
      assert.ok(client !== undefined)
      // COPY TO is no SELECT.
      assert.equal(await first(way, client), '42501', way.name)
      await exchange(client, query('DEALLOCATE ALL'))
    }
    await desk.grant(sam, 'support-lead', '10m')
    const mayRead = ways.filter(({ name }) => !name.startsWith('COPY'))
    for (const way of mayRead) {
      const client = clients[ways.indexOf(way)]
      assert.ok(client !== undefined)
      for (const messages of way.before?.(notes) ?? []) {
        assert.deepEqual((await exchange(client, messages)).codes, [], way.name)
      }
      const { text, codes } = await exchange(client, way.ask(notes))
      assert.deepEqual(codes, [], way.name)
      assert.match(text, /note \d/, way.name)
    }
    await revokeAll()
    for (const way of mayRead) {
      const client = clients[ways.indexOf(way)]
      assert.ok(client !== undefined)
      const { text, codes } = await exchange(client, way.ask(notes))
      assert.deepEqual(codes, ['42501'], way.name)
      assert.match(text, /Ask for support-lead|leads-only/, way.name)
      assert.doesNotMatch(text, /note \d/, way.name)
    }
    for (const client of clients) client.close()
  })

  test('is read by psql that was started before', { skip: !hasPsql() && 'there is no psql on the path' }, async () => {
    await writeFile(join(sandbox.directory, 'ca.pem'), sandbox.authority.certificate)
    const { port } = sandbox.postern
    const where = `host=localhost port=${String(port)} user=${sam} dbname=shop sslmode=verify-full sslrootcert=${sandbox.directory}/ca.pem`
    const psql = spawn('psql', ['-X', '-q', '-A', '-t', where], {
      env: { ...process.env, PGPASSWORD: await desk.tokenOf(sam) },
    })
    let said = ''
    psql.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    psql.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const ask = async (answered: RegExp): Promise<void> => {
      said = ''
      psql.stdin.write(`${notes} LIMIT 1;\n`)
      await until(() => answered.test(said), String(answered))
    }
    await ask(/ERROR: .*not allowed|ERROR/)
    assert.doesNotMatch(said, /note 1/)
    await desk.grant(sam, 'support-lead', '10m')
    await ask(/note 1/)
    await revokeAll()
    await ask(/ERROR/)
    assert.match(said, /HINT: {2}Ask for support-lead/)
    psql.stdin.end('\\q\n')
  })
})

test('what was given to one principal is nothing to another, nor in another role', async () => {
  const clients = await Promise.all([sandbox.connect(sam), sandbox.connect(sam)])
  const [own, twin] = clients
  assert.ok(own !== undefined && twin !== undefined)
  await desk.grant(sam, 'idle', '10m')
  assert.equal(await told(own, `${emails} LIMIT 1`), '[["[masked]"]]')
  await desk.grant(sam, 'support-lead', '10m')
  assert.equal(await told(own, `${emails} LIMIT 1`), '[["secret1@example.com"]]')
  assert.equal(await told(twin, `${emails} LIMIT 1`), '[["secret1@example.com"]]')
  assert.equal(await told(own, 'SELECT name FROM customers LIMIT 1'), '[["[masked]"]]')
  await revokeAll()
  for (const client of clients) await client.end()
})

function hasPsql(): boolean {
  return (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, 'psql')))
}
