import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, test } from 'node:test'
import { pino } from 'pino'
import { type Postern, serve } from '../src/main.ts'
import {
  authenticationOk,
  bindComplete,
  closeComplete,
  emptyQueryResponse,
  encodeBackendKeyData,
  encodeCommandComplete,
  encodeCopyResponse,
  encodeDataRow,
  encodeErrorResponse,
  encodeNoticeResponse,
  encodeNotificationResponse,
  encodeParameterDescription,
  encodeParameterStatus,
  encodeReadyForQuery,
  encodeRowDescription,
  noData,
  parseComplete,
  portalSuspended,
} from '../src/wire/backend.ts'
import { encodeCopyData, encodeQuery } from '../src/wire/frontend.ts'
import { converse } from './support/conversation.ts'
import { garbage, mutate, pick } from './support/garbage.ts'
import { RawClient } from './support/raw-client.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'
import { seeded } from './support/transcript.ts'

/*
 * A server that answers anything but what was asked. The session ends, its client is told or sees the end, no bug comes
 * to light in the log, and the gateway goes on. POSTERN_FUZZ_S and POSTERN_FUZZ_SEED as in fuzz.test.ts.
 */

const budgetMs = Number(process.env['POSTERN_FUZZ_S'] ?? '3') * 1_000
const firstSeed = Number(process.env['POSTERN_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)

let sandbox: Sandbox
let postern: Postern
let server: Server
let token: string
let random = seeded(firstSeed)
const faults: string[] = []
const playing = new Set<Socket>()

before(async () => {
  sandbox = await startSandbox({ allowPlaintextOnLoopback: true })
  token = await sandbox.issuer.issueToken({ identity: 'alice@example.com' })
  server = createServer((socket) => play(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const shop = sandbox.config.databases.get('shop')
  assert.ok(shop !== undefined)
  const mad = { ...shop, name: 'mad', host: '127.0.0.1', port }
  const log = pino(
    { level: 'error' },
    new Writable({
      write(line: Buffer, _encoding, done) {
        faults.push(line.toString())
        done()
      },
    }),
  )
  postern = await serve(
    {
      ...sandbox.config,
      databases: new Map([
        ['shop', shop],
        ['mad', mad],
      ]),
      journal: { ...sandbox.config.journal, directory: join(sandbox.directory, 'journal-mad') },
    },
    { log },
  )
})

after(async () => {
  await postern.stop({ deadlineMs: 100 })
  server.close()
  await sandbox.stop()
})

test('a server that sends garbage, or messages out of order, ends its session and nothing else', async () => {
  const bystander = await open('shop')
  const endMs = Date.now() + budgetMs
  let seed = firstSeed
  for (; Date.now() < endMs; seed += 1) {
    random = seeded(seed)
    const client = await open('mad')
    client.socket.write(Buffer.concat(converse(random).messages))
    await ended(client)
    bystander.send(encodeQuery('SELECT 1'))
    await bystander.until(0x5a)
    assert.equal(bystander.isClosed, false)
    assert.deepEqual(faults, [], `POSTERN_FUZZ_SEED=${String(seed)} repeats this`)
  }
  // A server that owes an answer is waited for, as its client's end does not mean that nobody reads it.
  for (const socket of playing) socket.destroy()
  const deadlineMs = Date.now() + 5_000
  while (postern.sessionCount > 1 && Date.now() < deadlineMs) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(postern.sessionCount, 1, 'sessions are left over')
  bystander.close()
})

/** Logs a client in like a server, then answers whatever comes with whatever there is. */
function play(socket: Socket): void {
  playing.add(socket)
  socket.on('error', () => socket.destroy()).on('close', () => playing.delete(socket))
  const numbers = random
  let isLoggedIn = false
  socket.on('data', () => {
    if (isLoggedIn) {
      for (let left = 1 + Math.floor(numbers() * 6); left > 0; left -= 1) socket.write(answer(numbers))
      if (numbers() < 0.1) socket.end()
      return
    }
    isLoggedIn = true
    socket.write(
      Buffer.concat([
        authenticationOk,
        encodeParameterStatus('client_encoding', 'UTF8'),
        encodeParameterStatus('server_version', '18.0'),
        encodeBackendKeyData(7, Buffer.alloc(32, 1)),
        encodeReadyForQuery('I'),
      ]),
    )
  })
}

const report = { severity: 'ERROR', code: '22012', message: 'division by zero' } as const
const sound: readonly Buffer[] = [
  parseComplete,
  bindComplete,
  closeComplete,
  noData,
  portalSuspended,
  emptyQueryResponse,
  encodeCommandComplete('SELECT 1'),
  encodeCommandComplete('DEALLOCATE ALL'),
  encodeRowDescription([]),
  encodeDataRow([Buffer.from('x'), null]),
  encodeParameterDescription([23]),
  encodeReadyForQuery('I'),
  encodeReadyForQuery('E'),
  encodeErrorResponse(report),
  encodeErrorResponse({ ...report, severity: 'FATAL' }),
  encodeNoticeResponse({ ...report, severity: 'NOTICE' }),
  encodeNotificationResponse(1, 'a', 'b'),
  encodeParameterStatus('search_path', '"'),
  encodeParameterStatus('standard_conforming_strings', 'off'),
  encodeCopyResponse('CopyInResponse', { format: 0, columnFormats: [] }),
  encodeCopyResponse('CopyOutResponse', { format: 0, columnFormats: [0] }),
  encodeCopyResponse('CopyBothResponse', { format: 0, columnFormats: [] }),
  encodeCopyData(Buffer.from('data')),
  Buffer.from('c\0\0\0\x04', 'latin1'),
  Buffer.from('V\0\0\0\x08\0\0\0\0', 'latin1'),
  authenticationOk,
]

function answer(numbers: () => number): Buffer {
  const message = pick(numbers, sound)
  const dice = numbers()
  if (dice < 0.7) return message
  return dice < 0.9 ? mutate(numbers, message) : garbage(numbers, 100)
}

function open(database: string): Promise<RawClient> {
  const parameters = { user: 'alice@example.com', database }
  return RawClient.logIn({ port: postern.port, parameters, password: token })
}

/** Waits until the gateway has ended the session, or for a moment where it may rightly wait for more. */
async function ended({ socket }: RawClient): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve).once('end', resolve))
  const patience = setTimeout(() => socket.destroy(), 100)
  await closed
  clearTimeout(patience)
  socket.destroy()
}
