import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PosternError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import {
  backend,
  encodeCommandComplete,
  encodeDataRow,
  encodeErrorResponse,
  encodeNoticeResponse,
  encodeReadyForQuery,
  parseComplete,
} from '../wire/backend.ts'
import { encodeCopyData } from '../wire/frontend.ts'
import { Framer } from '../wire/framer.ts'
import type { BackendMessages } from './backend-messages.ts'
import { BackendStream } from './backend-stream.ts'
import type { Execution } from './operations.ts'
import { emptyStatement } from '../core/statement.ts'
import { newExecution } from './testing.ts'

interface Run {
  readonly stream: BackendStream
  readonly seen: string[]
  readonly delivered: Buffer[]
  readonly execution: Execution
}

const replacement = encodeErrorResponse({ severity: 'ERROR', code: '42501', message: 'refused by policy' })

/** A stream whose messages mean nothing, but that errors are replaced. */
function start(current: 'expected' | 'unexpected' = 'expected'): Run {
  const execution = newExecution(emptyStatement)
  const seen: string[] = []
  const delivered: Buffer[] = []
  const messages = {
    isOwn: false,
    maskerOf: () => null,
    countData(type: number, length: number): void {
      if (current === 'unexpected') throw new PosternError('protocol_violation', 'data where none was asked for')
      if (type === backend.DataRow) execution.rows += 1
      execution.bytes += length + 1
    },
    take(type: number, body: Buffer): Buffer | null {
      seen.push(`${String.fromCharCode(type)}${body.toString('latin1')}`)
      return type === backend.ErrorResponse ? replacement : null
    },
  }
  const stream = new BackendStream(messages as unknown as BackendMessages, {
    deliver: (bytes) => void delivered.push(Buffer.from(bytes)),
  })
  return { stream, seen, delivered, execution }
}

/** The slow plain way: every message framed, looked at and put together again. */
function plainly(bytes: Buffer): { seen: string[]; delivered: Buffer; rows: number; bytes: number } {
  const framer = new Framer({ messageBytesMax: 0x3fff_ffff })
  framer.push(bytes)
  const seen: string[] = []
  const out: Buffer[] = []
  const counted = { rows: 0, bytes: 0 }
  for (let frame = framer.next(); frame !== null; frame = framer.next()) {
    const { type, body } = frame
    const isData = type === backend.DataRow || type === backend.CopyData
    if (isData) counted.bytes += frame.bytes.length
    else seen.push(`${String.fromCharCode(type)}${body.toString('latin1')}`)
    if (type === backend.DataRow) counted.rows += 1
    out.push(type === backend.ErrorResponse ? replacement : frame.bytes)
  }
  return { seen, delivered: Buffer.concat(out), ...counted }
}

const value = fc.option(fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)))
const message = fc.oneof(
  { weight: 4, arbitrary: fc.array(value, { maxLength: 4 }).map((values) => encodeDataRow(values)) },
  fc.uint8Array({ maxLength: 1_000 }).map((bytes) => encodeCopyData(Buffer.from(bytes))),
  fc.constantFrom(parseComplete, encodeCommandComplete('SELECT 1'), encodeReadyForQuery('I')),
  fc.string({ maxLength: 300 }).map((text) => report('ERROR', text)),
  fc.string({ maxLength: 300 }).map((text) => report('NOTICE', text)),
)

test('however the bytes are cut, the same arrives at the client and is counted as when all messages are framed', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
      (messages, sizes) => {
        const bytes = Buffer.concat(messages)
        const { stream, seen, delivered, execution } = start()
        for (const chunk of cut(bytes, sizes)) stream.receive(chunk)
        assert.deepEqual(
          { seen, delivered: Buffer.concat(delivered), rows: execution.rows, bytes: execution.bytes },
          plainly(bytes),
        )
        assert.equal(stream.isInsideMessage, false)
      },
    ),
    { numRuns: 300 },
  )
})

test('a row passes in pieces, and while it does nothing may be put in between', () => {
  const { stream, delivered } = start()
  const row = encodeDataRow([Buffer.alloc(1_000)])
  stream.receive(row.subarray(0, 500))
  assert.equal(stream.isInsideMessage, true)
  assert.equal(delivered.length, 1)
  stream.receive(row.subarray(500))
  assert.equal(stream.isInsideMessage, false)
})

test('what cannot be the answer to anything is refused: lengths, sizes and data that nobody asked for', () => {
  const header = (type: number, length: number): Buffer => {
    const bytes = Buffer.alloc(5)
    bytes.writeUInt8(type)
    bytes.writeUInt32BE(length, 1)
    return bytes
  }
  const cases = [
    [start(), header(backend.ReadyForQuery, 3), 'protocol_violation'],
    [start(), header(backend.NoticeResponse, limits.backendHeldMessageBytesMax + 1), 'message_too_large'],
    [start('unexpected'), encodeDataRow([]), 'protocol_violation'],
  ] as const
  for (const [{ stream }, bytes, code] of cases) {
    assert.throws(
      () => stream.receive(bytes),
      (error) => error instanceof PosternError && error.code === code,
    )
  }
})

function report(severity: 'ERROR' | 'NOTICE', text: string): Buffer {
  const fields = { severity, code: '22012', message: text.replaceAll('\0', '') }
  return severity === 'ERROR' ? encodeErrorResponse(fields) : encodeNoticeResponse(fields)
}

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

test('what the gateway says itself comes between two messages, however they are cut', () => {
  const rows = [encodeDataRow([Buffer.alloc(40)]), encodeDataRow([Buffer.alloc(7)]), encodeCommandComplete('SELECT 2')]
  const bytes = Buffer.concat(rows)
  const own = encodeNoticeResponse({ severity: 'WARNING', code: '57P01', message: 'over' })
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { stream, delivered } = start()
    if (cut > 0) stream.receive(bytes.subarray(0, cut))
    stream.tell(own)
    if (cut < bytes.length) stream.receive(bytes.subarray(cut))
    const framer = new Framer({ messageBytesMax: 1_000 })
    framer.push(Buffer.concat(delivered))
    const received: Buffer[] = []
    for (let frame = framer.next(); frame !== null; frame = framer.next()) received.push(Buffer.from(frame.bytes))
    assert.equal(received.filter((message) => message.equals(own)).length, 1, `cut at ${String(cut)}`)
    assert.deepEqual(Buffer.concat(received.filter((message) => !message.equals(own))), bytes, `cut at ${String(cut)}`)
  }
})
