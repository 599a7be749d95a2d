import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { encodeCopyData, encodeCopyFail, frontend } from '../wire/frontend.ts'
import { CopyInMessages } from './copy-messages.ts'
import { Exchange } from './exchange.ts'
import { newExecute, newQuery } from './operations.ts'
import { OutgoingBatch } from './outgoing-batch.ts'

const refused = new PosternError('placeholder_written', 'no')

for (const operation of [newQuery([]), newExecute(null)]) {
  test(`after a refusal nothing more of a COPY goes on until PostgreSQL has answered its ${operation.kind}`, () => {
    const exchange = new Exchange('postgres')
    exchange.send(operation)
    exchange.copy = 'receiving'
    exchange.inspector = {
      take: (data) => ({ passes: [data.subarray(0, 2)], refused }),
      end: () => ({ passes: [], refused: null }),
    }
    const messages = new CopyInMessages(exchange)
    const batch = new OutgoingBatch(Buffer.alloc(0))
    assert.equal(messages.treatData(), 'inspect')
    messages.inspect(Buffer.from('a\nb\n'), batch)
    // What is left of the same message, in another piece.
    messages.inspect(Buffer.from('c\n'), batch)
    assert.equal(operation.refusal?.error.code, '22000')
    const sent = [encodeCopyData(Buffer.from('a\n')), encodeCopyFail(operation.refusal.token)]
    assert.deepEqual(Buffer.concat(batch.buffers), Buffer.concat(sent))
    assert.equal(messages.treatData(), 'hold')
    assert.equal(messages.treat(frontend.CopyDone, batch), 'hold')
  })
}

test('what nobody looks into goes on as it is', () => {
  const exchange = new Exchange('postgres')
  exchange.send(newQuery([]))
  const messages = new CopyInMessages(exchange)
  assert.equal(messages.treatData(), 'drop')
  exchange.copy = 'expected'
  assert.equal(messages.treatData(), 'hold')
  exchange.copy = 'receiving'
  assert.equal(messages.treatData(), 'forward')
  const batch = new OutgoingBatch(Buffer.alloc(0))
  assert.equal(messages.treat(frontend.CopyDone, batch), 'forward')
  assert.equal(batch.buffers.length, 0)
})
