import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PosternError } from '../core/errors.ts'
import { encodeBind, encodeExecute, encodeParse, encodeQuery, flush, sync } from '../wire/frontend.ts'
import { newPrepared } from './names.ts'
import { newQuery, type Operation } from './operations.ts'
import { failing, OutgoingBatch, type StatementOperation } from './outgoing-batch.ts'
import { refusalOf } from './refusal.ts'
import { emptyStatement } from '../core/statement.ts'

const query = (): StatementOperation => newQuery([])
const execute = (): StatementOperation => ({ kind: 'execute', execution: null, refusal: null })
const refusalFor = () => refusalOf(new PosternError('journal_unavailable', 'the journal cannot be written'))

test('what is kept leaves as few slices, in order, with what was put in between', () => {
  const input = Buffer.from('abcdefghij')
  const batch = new OutgoingBatch(input)
  batch.keep(0, 2)
  batch.keep(2, 4)
  batch.insert(Buffer.from('1'))
  batch.keep(4, 5)
  batch.keep(7, 9)
  batch.insert(Buffer.from('2'))
  batch.insert(Buffer.from('3'))
  const expected = ['abcd', '1', 'e', 'hi', '2', '3']
  assert.deepEqual(
    batch.buffers.map((buffer) => buffer.toString()),
    expected,
  )
  assert.equal(batch.buffers.length, expected.length, 'asking again changes nothing')
})

test('where the record fails every statement of the batch is replaced, and nothing else', () => {
  const prepared = newPrepared('s', emptyStatement)
  const parse: Operation & StatementOperation = { kind: 'parse', prepared, refusal: null }
  const bind: StatementOperation = {
    kind: 'bind',
    portal: {
      name: '',
      prepared,
      bind: null,
      resultFormats: [],
      parameters: '[]',
      protection: null,
      ticket: null,
      refused: null,
      isApproved: false,
      isCursor: false,
    },
    refusal: null,
  }
  const operations = [query(), parse, bind, execute(), query()]
  const own = Buffer.concat([encodeExecute('p', 0), flush])
  const parts = [
    encodeQuery('SELECT 1'),
    sync,
    encodeParse({ name: 's', sql: 'SELECT 2' }),
    encodeBind({ statement: 's' }),
  ]
  const input = Buffer.concat(parts)
  const batch = new OutgoingBatch(input)
  batch.keep(0, input.length)
  batch.insert(own)
  // This one was refused before, and keeps what it was told.
  const refused = operations[4]
  assert.ok(refused !== undefined)
  refused.refusal = refusalFor()
  batch.insert(failing(refused, refused.refusal))
  for (const operation of operations) batch.carry(operation)
  assert.equal(batch.carriesStatements, true)
  const earlier = refused.refusal
  const out = Buffer.concat(batch.refused(refusalFor))
  const told = operations.map((operation) => {
    assert.ok(operation.refusal !== null)
    return failing(operation, operation.refusal)
  })
  const [first, second, third, fourth, fifth] = told
  assert.ok(first && second && third && fourth && fifth)
  assert.deepEqual(out, Buffer.concat([first, sync, second, third, fourth, flush, fifth]))
  assert.equal(refused.refusal, earlier)
})

test('where the record fails, what ends an earlier CopyData is not taken for messages that swallow a statement', () => {
  const statement = encodeQuery('DELETE FROM victims')
  // Data that reads as the head of a message as long as itself and the statement behind it.
  const data = Buffer.alloc(5, 'd')
  data.writeUInt32BE(4 + statement.length, 1)
  const batch = new OutgoingBatch(Buffer.concat([data, statement]))
  batch.keepData(data.length)
  const operation = query()
  batch.carry(operation)
  batch.keep(data.length, data.length + statement.length)
  const sent = Buffer.concat(batch.refused(refusalFor))
  assert.ok(operation.refusal !== null)
  assert.deepEqual(sent, Buffer.concat([data, failing(operation, operation.refusal)]))
})
