import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { PosternError } from '../core/errors.ts'
import { createNotifier, type NotifierOptions, type Notifier, type NotifyFault, type WebhookTarget } from './notify.ts'
import { breakGlass, opened, startReceiver, statementRequest, type Receiver } from './notify-testing.ts'

let directory = ''
let faults: NotifyFault[] = []
let cleanUps: (() => unknown)[] = []
let faultListeners: (() => void)[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'postern-notify-'))
  faults = []
  faultListeners = []
  cleanUps = []
})
afterEach(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  rmSync(directory, { recursive: true })
})

function hook(url: string, changes: Partial<WebhookTarget> = {}): WebhookTarget {
  return { url, secret: () => 's3cret', events: null, allowInsecure: true, ...changes }
}

const quick = { pausesMs: [1, 1], jitter: 0 }

function notifier(webhooks: readonly WebhookTarget[], changes: Partial<NotifierOptions> = {}): Notifier {
  const made = createNotifier({
    directory,
    webhooks,
    slack: null,
    schedule: quick,
    onFault(fault) {
      faults.push(fault)
      for (const look of faultListeners) look()
    },
    ...changes,
  })
  cleanUps.push(() => made.close())
  return made
}

async function receiver(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const started = await startReceiver(...args)
  cleanUps.push(() => started.stop())
  return started
}

/** Settles once there is a fault of that kind; never settles by itself, so a test without one fails by its time. */
function faulted(kind: NotifyFault['kind']): Promise<NotifyFault> {
  return new Promise((resolve) => {
    const look = (): void => {
      const found = faults.find((fault) => fault.kind === kind)
      if (found !== undefined) resolve(found)
    }
    faultListeners.push(look)
    look()
  })
}

function files(folder = ''): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json') && name.includes(folder))
    .toSorted()
}

async function emptied(): Promise<void> {
  while (files().length > 0) await new Promise((resolve) => void setTimeout(resolve, 5))
}

/** What docs/guide/notifications.md tells receivers to do. */
function isGenuine(signature: string, body: string, { secret, nowS }: { secret: string; nowS: number }): boolean {
  const [, t = '', v1 = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/u.exec(signature) ?? []
  if (t === '' || Math.abs(nowS - Number(t)) > 300) return false
  const expected = createHmac('sha256', secret).update(`${t}.${body}`).digest()
  return timingSafeEqual(expected, Buffer.from(v1, 'hex'))
}

describe('a webhook', { timeout: 30_000 }, () => {
  test('is told what happened, signed, and without the text of a statement', async () => {
    const there = await receiver()
    const request = statementRequest()
    notifier([hook(`${there.url}/hook`)]).notify(opened('e1', request))
    await there.arrived(1)
    const { headers, body, path } = there.received[0] ?? assert.fail('nothing came')
    assert.equal(path, '/hook')
    assert.equal(headers['x-postern-event'], 'request_opened')
    assert.match(String(headers['x-postern-delivery']), /^d_[\w-]{22}$/u)
    const signature = String(headers['x-postern-signature'])
    const nowS = Date.now() / 1_000
    assert.equal(isGenuine(signature, body, { secret: 's3cret', nowS }), true)
    assert.equal(isGenuine(signature, `${body} `, { secret: 's3cret', nowS }), false)
    assert.equal(isGenuine(signature, body, { secret: 'other', nowS }), false)
    assert.equal(isGenuine(signature, body, { secret: 's3cret', nowS: nowS + 3_600 }), false)
    const told = JSON.parse(body) as { request: { requester: object; statement: object } }
    assert.deepEqual(told.request.requester, { name: 'alice@example.com', kind: 'human', actors: [] })
    assert.deepEqual(told.request.statement, {
      database: 'shop',
      command: 'DELETE',
      relations: ['public.refunds'],
      tags: [],
      policies: ['delete-without-where'],
      estimatedRows: 1_200,
      isTransactionOpen: false,
    })
    assert.doesNotMatch(body, /DELETE FROM/u)
    await emptied()
    assert.deepEqual(faults, [])
  })

  test('is told only what it asked for', async () => {
    const there = await receiver()
    const telling = notifier([hook(there.url, { events: ['break_glass_taken'] })])
    telling.notify(opened())
    telling.notify(breakGlass())
    await there.arrived(1)
    await emptied()
    assert.deepEqual(
      there.received.map(({ headers }) => headers['x-postern-event']),
      ['break_glass_taken'],
    )
  })

  test('that fails is tried again with the same id, then given up loudly and kept', async () => {
    const there = await receiver((_, response) => response.writeHead(500).end('very secret words'))
    notifier([hook(`${there.url}/path-t0ken`)]).notify(opened())
    const fault = await faulted('given_up')
    assert.equal(there.received.length, 3)
    assert.equal(new Set(there.received.map(({ headers }) => headers['x-postern-delivery'])).size, 1)
    assert.match(fault.why, /^it answered with status 500; it is kept in dead\/$/u)
    assert.equal(files('dead').length, 1)
    assert.equal(files().length, 1)
    // Neither faults nor files show what the URL's path or the answer may hold.
    const kept = readFileSync(join(directory, files()[0] ?? ''), 'utf8')
    assert.doesNotMatch(`${JSON.stringify(faults)}${kept}${files().join()}`, /path-t0ken|secret words|s3cret/u)
  })

  test('that was given up can be told again by moving its file back', async () => {
    let status = 500
    const there = await receiver((_, response) => response.writeHead(status).end())
    const telling = notifier([hook(there.url)])
    telling.notify(opened())
    await faulted('given_up')
    await telling.close()
    status = 200
    const dead = files('dead')[0] ?? ''
    renameSync(join(directory, dead), join(directory, dead.replace('dead/', '')))
    notifier([hook(there.url)])
    await there.arrived(4)
    await emptied()
  })

  test('that comes back is told what it missed', async () => {
    let count = 0
    const there = await receiver((_, response) => response.writeHead((count += 1) === 3 ? 204 : 503).end())
    notifier([hook(there.url)]).notify(opened())
    await there.arrived(3)
    await emptied()
    assert.deepEqual(
      faults.map(({ kind }) => kind),
      ['attempt_failed', 'attempt_failed'],
    )
  })

  test('is signed for anew at each attempt, by the secret of then', async () => {
    const secrets = ['old', 'new', 'new']
    const there = await receiver((_, response) => response.writeHead(500).end())
    notifier([hook(there.url, { secret: () => secrets.shift() ?? '' })]).notify(opened())
    await faulted('given_up')
    const nowS = Date.now() / 1_000
    const last = there.received.at(-1) ?? assert.fail('nothing came')
    assert.equal(isGenuine(String(last.headers['x-postern-signature']), last.body, { secret: 'new', nowS }), true)
  })

  test('without a secret is never told anything unsigned', async () => {
    const there = await receiver()
    notifier([hook(there.url, { secret: () => '' })]).notify(opened())
    assert.match((await faulted('given_up')).why, /its secret is empty/u)
    assert.equal(there.received.length, 0)
  })

  test('that redirects elsewhere is not followed', async () => {
    const elsewhere = await receiver()
    const there = await receiver((_, response) => response.writeHead(307, { location: elsewhere.url }).end())
    notifier([hook(there.url)]).notify(opened())
    assert.match((await faulted('given_up')).why, /status 307/u)
    assert.equal(elsewhere.received.length, 0)
  })

  test('whose answer never ends has taken what it was told', async () => {
    const there = await receiver((_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('x'.repeat(10_000)), 1)
      response.on('close', () => clearInterval(timer))
    })
    notifier([hook(there.url)]).notify(opened())
    await there.arrived(1)
    await emptied()
    assert.equal(there.received.length, 1)
  })

  test('that never answers, or answers no HTTP, is given up after its time', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined))
    const babbling = createServer((socket) => void socket.on('error', () => undefined).write('what?\r\n\r\n'))
    const urls = await Promise.all(
      [silent, babbling].map(async (server) => {
        const sockets = new Set<{ destroy(): unknown }>()
        server.on('connection', (socket) => sockets.add(socket))
        await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
        cleanUps.push(() => {
          for (const socket of sockets) socket.destroy()
          server.close()
        })
        return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
      }),
    )
    notifier(
      urls.map((url) => hook(url)),
      { deadlineMs: 50, schedule: { pausesMs: [], jitter: 0 } },
    ).notify(opened())
    while (faults.filter(({ kind }) => kind === 'given_up').length < 2) {
      await new Promise((resolve) => void setTimeout(resolve, 5))
    }
    const whys = faults.map(({ why }) => why).toSorted()
    assert.match(whys[0] ?? '', /cannot be reached: H/u)
    assert.match(whys[1] ?? '', /did not answer within/u)
  })

  test('that is slow holds up nobody else', async () => {
    const held: { end(): unknown }[] = []
    const slow = await receiver((_, response) => void held.push(response))
    const swift = await receiver()
    const telling = notifier([hook(slow.url), hook(swift.url)])
    for (let n = 0; n < 20; n += 1) telling.notify(opened(`e${String(n)}`))
    await swift.arrived(20)
    await slow.arrived(4)
    // No more than four at a time.
    assert.equal(slow.received.length, 4)
    for (let n = 0; n < 20; n += 1) {
      await slow.arrived(Math.min(20, n + 1))
      held[n]?.end()
    }
    await slow.arrived(20)
    await emptied()
  })

  test('that asks for a pause is left alone, which counts as no failure', async () => {
    let count = 0
    const there = await receiver((_, response) => {
      count += 1
      if (count > 1) response.end()
      else response.writeHead(429, { 'retry-after': '0' }).end()
    })
    notifier([hook(there.url)], { schedule: { pausesMs: [], jitter: 0 } }).notify(opened())
    await there.arrived(2)
    await emptied()
    assert.deepEqual(faults, [])
  })

  test('is refused in the configuration where its address is not safe', () => {
    for (const [url, allowInsecure, why] of [
      ['http://hooks.example.com/', true, /is not https/u],
      ['http://127.0.0.1:1/', false, /is not https/u],
      ['http://127.0.0.1.example.com/', true, /is not https/u],
      ['file:///etc/passwd', true, /is not https/u],
      ['https://user:pa55@hooks.example.com/', false, /holds a name or password/u],
      ['nonsense', false, /cannot be read/u],
    ] as const) {
      assert.throws(
        () => notifier([hook(url, { allowInsecure })]),
        (error) => error instanceof PosternError && why.test(error.message) && !/pa55/u.test(error.message),
        url,
      )
    }
    assert.throws(() => notifier([hook('https://a.example/x'), hook('https://a.example/x')]), /two webhooks/u)
  })
})

describe('the outbox', { timeout: 60_000 }, () => {
  test('goes on after a restart with what was not taken', async () => {
    let status = 500
    const there = await receiver((_, response) => response.writeHead(status).end())
    const telling = notifier([hook(there.url)], { schedule: { pausesMs: [50, 50, 50, 50], jitter: 0 } })
    telling.notify(opened())
    await faulted('attempt_failed')
    await telling.close()
    assert.equal(files().length, 1)
    status = 200
    const before = there.received.length
    notifier([hook(there.url)])
    await there.arrived(before + 1)
    await emptied()
  })

  test('keeps what it was told for this account only', async () => {
    const telling = notifier([hook('http://127.0.0.1:9/')], { schedule: { pausesMs: [60_000], jitter: 0 } })
    telling.notify(opened())
    await telling.flushed()
    const [name = ''] = files()
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600)
    assert.equal(statSync(join(directory, name.split('/')[0] ?? '')).mode & 0o777, 0o700)
  })

  test('makes one delivery of an event that it is told twice', async () => {
    const telling = notifier([hook('http://127.0.0.1:9/')], { schedule: { pausesMs: [60_000], jitter: 0 } })
    telling.notify(opened())
    telling.notify(opened())
    await telling.flushed()
    assert.equal(files().length, 1)
  })

  test('refuses what is too much, loudly, and takes more once there is room', async () => {
    const there = await receiver((_, response) => response.writeHead(500).end())
    const bounds = { deliveriesMax: 2, bytesMax: 1_000_000 }
    const telling = notifier([hook(there.url)], { bounds, schedule: { pausesMs: [], jitter: 0 } })
    telling.notify(opened('e1'))
    telling.notify(opened('e2'))
    telling.notify(opened('e3'))
    assert.equal((await faulted('refused')).eventType, 'request_opened')
    while (files('dead').length < 2) await new Promise((resolve) => void setTimeout(resolve, 5))
    await telling.flushed()
    // What was given up takes room as well, until somebody takes it away.
    faults = []
    telling.notify(opened('e4'))
    await faulted('refused')
    for (const name of files('dead')) rmSync(join(directory, name))
    faults = []
    telling.notify(opened('e5'))
    await there.arrived(3)
    await faulted('given_up')
    assert.equal(faults.filter(({ kind }) => kind === 'refused').length, 0)
  })

  test('refuses what is too large', async () => {
    const bounds = { deliveriesMax: 10, bytesMax: 300 }
    const telling = notifier([hook('http://127.0.0.1:9/')], { bounds })
    telling.notify(opened())
    await faulted('refused')
    assert.deepEqual(files(), [])
  })

  test('says so when its folder cannot be used, and throws nothing', async () => {
    writeFileSync(join(directory, 'file'), '')
    const telling = notifier([hook('http://127.0.0.1:9/')], { directory: join(directory, 'file') })
    telling.notify(opened())
    await telling.flushed()
    assert.ok(faults.some(({ kind, eventType }) => kind === 'storage_failed' && eventType === 'request_opened'))
  })

  test('puts aside a file that is not its own, and goes on', async () => {
    const there = await receiver()
    const telling = notifier([hook(there.url)])
    telling.notify(opened())
    await emptied()
    await telling.close()
    const [folder = ''] = readdirSync(directory)
    writeFileSync(join(directory, folder, 'd_0123456789012345678901.json'), '{"body":')
    writeFileSync(join(directory, folder, '.new-half'), '{"bo')
    notifier([hook(there.url)]).notify(opened('e2'))
    await there.arrived(2)
    await faulted('unreadable')
    assert.equal(files('dead').length, 1)
    assert.equal(readdirSync(join(directory, folder)).includes('.new-half'), false)
  })

  test('says so when deliveries wait for a receiver that is gone', async () => {
    const telling = notifier([hook('http://127.0.0.1:9/')], { schedule: { pausesMs: [60_000], jitter: 0 } })
    telling.notify(opened())
    await telling.flushed()
    await telling.close()
    notifier([])
    assert.match((await faulted('orphaned')).why, /1 deliveries wait/u)
  })

  test('bears a listener of faults that throws', async () => {
    mkdirSync(join(directory, 'x'))
    const warned = once(process, 'warning')
    const telling = createNotifier({
      directory,
      webhooks: [hook('http://127.0.0.1:9/', { secret: () => '' })],
      slack: null,
      schedule: { pausesMs: [], jitter: 0 },
      onFault() {
        throw new Error('bug in the listener')
      },
    })
    cleanUps.push(() => telling.close())
    telling.notify(opened())
    await warned
  })

  test('loses nothing to a kill', async () => {
    const held: unknown[] = []
    let takes = false
    const there = await receiver((_, response) => void (takes ? response.end() : held.push(response)))
    const program = `
      const { createNotifier } = await import(${JSON.stringify(fileURLToPath(new URL('notify.ts', import.meta.url)))})
      const { opened } = await import(${JSON.stringify(fileURLToPath(new URL('notify-testing.ts', import.meta.url)))})
      const telling = createNotifier({
        directory: ${JSON.stringify(directory)}, slack: null, onFault: console.error,
        webhooks: [{ url: ${JSON.stringify(there.url)}, secret: () => 's3cret', events: null, allowInsecure: true }],
      })
      for (let n = 0; n < 100; n += 1) telling.notify(opened('e' + n))
      await telling.flushed()
      console.log('flushed')
      setInterval(() => undefined, 1_000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    cleanUps.push(() => child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    // Some are under way at this moment.
    await there.arrived(4)
    child.kill('SIGKILL')
    await once(child, 'exit')
    takes = true
    notifier([hook(there.url)])
    await emptied()
    const ids = new Set(there.received.slice(4).map(({ headers }) => headers['x-postern-delivery']))
    assert.equal(ids.size, 100)
    for (const { headers } of there.received) assert.ok(ids.has(headers['x-postern-delivery']))
  })
})
