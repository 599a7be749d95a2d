import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { limits } from '../core/limits.ts'
import { Framer } from '../wire/framer.ts'
import {
  copyDone,
  encodeBind,
  encodeCopyData,
  encodeParse,
  encodeQuery,
  flush,
  frontend,
  sync,
  terminate,
} from '../wire/frontend.ts'
import { ClientStream } from './client-stream.ts'
import type { FrontendMessages, Treatment } from './frontend-messages.ts'

/**
 * What the stream asks of the messages' meaning, played by one that decides by the first byte of a body: `d` drops,
 * `r` replaces, `h` holds until asked again, and everything else goes on.
 */
class Meaning {
  readonly seen: string[] = []
  #hasHeld = false

  treat(type: number, body: Buffer): Treatment {
    const first = String.fromCharCode(body[0] ?? 0)
    if (first === 'h' && !this.#hasHeld) {
      this.#hasHeld = true
      return 'hold'
    }
    this.#hasHeld = false
    this.seen.push(`${String.fromCharCode(type)}${body.toString('latin1')}`)
    return treatmentOf(type, first)
  }

  readonly copyIn = { treatData: () => 'forward' as const }

  finishBatch(): void {
    // Nothing is recorded here.
  }
}

function treatmentOf(type: number, first: string): Exclude<Treatment, 'hold'> {
  if (type === frontend.Terminate) return 'terminate'
  if (first === 'd') return 'drop'
  return first === 'r' ? replacement : 'forward'
}

const replacement = encodeQuery('something else')

interface Run {
  readonly stream: ClientStream
  readonly meaning: Meaning
  readonly forwarded: Buffer[]
  readonly failures: string[]
  readonly terminations: string[]
}

function start({ isWaiting = false } = {}): Run {
  const meaning = new Meaning()
  const forwarded: Buffer[] = []
  const failures: string[] = []
  const terminations: string[] = []
  const stream = new ClientStream(meaning as unknown as FrontendMessages, {
    forward: (batch) => void forwarded.push(...batch.buffers.map((buffer) => Buffer.from(buffer))),
    fail: (error) => void failures.push(error.code),
    terminated: () => void terminations.push('terminated'),
    isWaiting: () => isWaiting,
  })
  return { stream, meaning, forwarded, failures, terminations }
}

/** The slow plain way: every message framed, looked at and put together again. */
function plainly(bytes: Buffer): { seen: string[]; forwarded: Buffer } {
  const framer = new Framer({ messageBytesMax: limits.clientMessageBytesMax })
  framer.push(bytes)
  const seen: string[] = []
  const out: Buffer[] = []
  for (let frame = framer.next(); frame !== null; frame = framer.next()) {
    const { type, body } = frame
    if (type === frontend.CopyData) {
      out.push(frame.bytes)
      continue
    }
    seen.push(`${String.fromCharCode(type)}${body.toString('latin1')}`)
    const treatment = treatmentOf(type, String.fromCharCode(body[0] ?? 0))
    if (treatment === 'forward' || treatment === 'terminate') out.push(frame.bytes)
    if (treatment instanceof Buffer) out.push(treatment)
    if (treatment === 'terminate') break
  }
  return { seen, forwarded: Buffer.concat(out) }
}

const message = fc.oneof(
  fc.string({ maxLength: 40, unit: 'grapheme-ascii' }).map((text) => encodeQuery(text)),
  fc.constantFrom('drop', 'replace', 'hold').map((text) => encodeQuery(text)),
  fc.string({ maxLength: 200, unit: 'grapheme-ascii' }).map((sql) => encodeParse({ sql })),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => encodeBind({ parameters: [Buffer.from(bytes)] })),
  fc.uint8Array({ maxLength: 2_000 }).map((bytes) => encodeCopyData(Buffer.from(bytes))),
  fc.constantFrom(sync, flush, copyDone),
)

test('however the bytes are cut, the same messages are seen and the same bytes go on as when all are framed', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 30 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      (messages, isTerminated, sizes) => {
        const bytes = Buffer.concat([...messages, ...(isTerminated ? [terminate, sync] : [])])
        const { stream, meaning, forwarded } = start()
        for (const [index, chunk] of cut(bytes, sizes).entries()) {
          stream.receive(chunk)
          // Now and then an answer of PostgreSQL lets the stream go on, whether it is held or not.
          if (index % 3 !== 0) stream.resume()
        }
        while (stream.isHeld) stream.resume()
        const expected = plainly(bytes)
        assert.deepEqual(meaning.seen, expected.seen)
        assert.ok(Buffer.concat(forwarded).equals(expected.forwarded))
      },
    ),
    { numRuns: 300 },
  )
})

test('a length that no message may have ends the stream, and what came before it still goes on', () => {
  for (const [length, code] of [
    [3, 'protocol_violation'],
    [0xffff_ffff, 'message_too_large'],
    [limits.clientMessageBytesMax + 1, 'message_too_large'],
  ] as const) {
    const { stream, forwarded, failures } = start()
    const header = Buffer.alloc(5)
    header.writeUInt8(frontend.Query)
    header.writeUInt32BE(length, 1)
    stream.receive(Buffer.concat([sync, header]))
    stream.receive(sync)
    assert.deepEqual(failures, [code])
    assert.deepEqual(Buffer.concat(forwarded), sync)
  }
})

test('COPY data goes on before all of it has come, whatever its length', () => {
  const { stream, forwarded } = start()
  const header = Buffer.from([frontend.CopyData, 0x3f, 0xff, 0xff, 0xff])
  stream.receive(header)
  stream.receive(Buffer.alloc(100, 'x'))
  assert.deepEqual(Buffer.concat(forwarded), Buffer.concat([header, Buffer.alloc(100, 'x')]))
})

test('a stream that was stopped treats nothing more', () => {
  const { stream, meaning, forwarded } = start()
  stream.receive(sync.subarray(0, 3))
  stream.stop()
  stream.receive(sync.subarray(3))
  stream.resume()
  assert.deepEqual([meaning.seen, forwarded], [[], []])
})

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let offset = 0
  for (let index = 0; offset < bytes.length; index += 1) {
    const end = offset + (sizes[index % sizes.length] ?? 1)
    chunks.push(bytes.subarray(offset, end))
    offset = end
  }
  return chunks
}

test('while a person is waited for, what no Sync or Flush has ended stays here, and goes first afterwards', () => {
  const { stream, forwarded } = start({ isWaiting: true })
  const replaced = [encodeQuery('replace it'), encodeParse({ name: 'replace it as well', sql: '' })]
  const ended = [encodeParse({ sql: 'a' }), sync, encodeParse({ sql: 'b' }), flush]
  const open = [encodeParse({ sql: 'c' }), encodeParse({ sql: 'd' })]
  const held = encodeQuery('h')
  stream.receive(Buffer.concat([...replaced, ...ended, ...replaced.toReversed(), ...open, held]))
  const sent = [replacement, replacement, ...ended, replacement, replacement]
  assert.deepEqual(Buffer.concat(forwarded), Buffer.concat(sent))
  stream.resume()
  assert.deepEqual(Buffer.concat(forwarded), Buffer.concat([...sent, ...open, held]))
})

test('a Terminate behind what waits for a person is noticed, and one within another message is none', () => {
  const { stream, terminations } = start({ isWaiting: true })
  stream.receive(Buffer.concat([encodeQuery('h'), encodeQuery('hXXXX')]))
  assert.deepEqual(terminations, [])
  const other = start({ isWaiting: true })
  other.stream.receive(Buffer.concat([encodeQuery('h'), encodeQuery('x'), terminate, encodeQuery('y')]))
  assert.deepEqual(other.terminations, ['terminated'])
})

test('nothing but a whole wait for a person keeps anything back', () => {
  const { stream, forwarded, terminations } = start()
  const open = encodeParse({ sql: 'c' })
  stream.receive(Buffer.concat([open, encodeQuery('h'), terminate]))
  assert.deepEqual(Buffer.concat(forwarded), open)
  assert.deepEqual(terminations, [])
})
