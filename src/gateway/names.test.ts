import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../core/limits.ts'
import type { StatementAnalysis } from '../core/statement.ts'
import { newPrepared, SessionNames } from './names.ts'
import { newExecution } from './testing.ts'
import { type Execution, newQuery, type Operation, type Portal } from './operations.ts'
import { emptyStatement } from '../core/statement.ts'

const first = newPrepared('s', emptyStatement)
const second = newPrepared('s', emptyStatement)
const portalOf = (name: string, statement = emptyStatement): Portal => ({
  name,
  prepared: newPrepared('', statement),
  bind: null,
  resultFormats: [],
  parameters: '[]',
  protection: null,
  ticket: null,
  refused: null,
  isApproved: false,
  isCursor: false,
})

function foundBy<T>(lookup: { readonly found: T } | string): T | string {
  return typeof lookup === 'string' ? lookup : lookup.found
}

function executionOf(names: Partial<StatementAnalysis['names']>): Execution {
  const statement = { ...emptyStatement, names: { ...emptyStatement.names, ...names } }
  return newExecution(statement)
}

test('a definition on its way counts within its segment, and is undecided behind the Sync that may follow its failure', () => {
  const names = new SessionNames()
  names.define({ prepared: first })
  assert.deepEqual(names.prepared('s'), { found: first })
  const parse: Operation = { kind: 'parse', prepared: second, refusal: null }
  names.sent(parse)
  assert.equal(foundBy(names.prepared('s')), second)
  names.sent({ kind: 'sync' })
  assert.equal(names.prepared('s'), 'undecided')
  assert.equal(names.prepared('other'), 'unknown')
  names.settled(parse)
  assert.deepEqual(names.prepared('s'), { found: first })
})

test('of two definitions on their way the newer counts, and the answer to the older leaves it there', () => {
  const names = new SessionNames()
  const older: Operation = { kind: 'parse', prepared: first, refusal: null }
  const newer: Operation = { kind: 'parse', prepared: second, refusal: null }
  names.sent(older)
  names.sent(newer)
  names.settled(older)
  names.define({ prepared: first })
  assert.deepEqual(foundBy(names.prepared('s')), second)
  names.settled(newer)
  assert.deepEqual(foundBy(names.prepared('s')), first)
})

test('PREPARE and DECLARE by Query are undecided until it is answered, and then known', () => {
  const names = new SessionNames()
  const prepares = executionOf({ prepares: { name: 's', analysis: emptyStatement } })
  const declares = executionOf({ declares: 'c' })
  const query: Operation = newQuery([prepares, declares])
  names.sent(query)
  assert.equal(names.prepared('s'), 'undecided')
  assert.equal(names.portal('c'), 'undecided')
  names.settled(query)
  assert.equal(names.prepared('s'), 'unknown')
  for (const execution of [prepares, declares]) names.complete(execution, 'PREPARE')
  assert.equal(typeof names.prepared('s'), 'object')
  assert.equal(typeof names.portal('c'), 'object')
})

test('Close, DEALLOCATE ALL and DISCARD ALL forget; the end of a transaction leaves only what SQL declared', () => {
  const names = new SessionNames()
  names.define({ prepared: first })
  names.close('P', 's')
  assert.deepEqual(names.prepared('s'), { found: first })
  names.close('S', 's')
  assert.equal(names.prepared('s'), 'unknown')
  for (const tag of ['DEALLOCATE ALL', 'DISCARD ALL']) {
    names.define({ prepared: first })
    names.complete(newExecution(emptyStatement), tag)
    assert.equal(names.prepared('s'), 'unknown')
  }
  names.define({ portal: portalOf('p') })
  names.complete(executionOf({ declares: 'c' }), 'DECLARE CURSOR')
  names.endTransaction()
  assert.equal(names.portal('p'), 'unknown')
  assert.equal(typeof names.portal('c'), 'object')
})

test('beyond the bound the oldest name is forgotten, and a name that is used anew is the newest', () => {
  const names = new SessionNames()
  for (let n = 0; n < limits.portalsMax; n += 1) names.define({ portal: portalOf(`p${String(n)}`) })
  names.define({ portal: portalOf('p0') })
  names.define({ portal: portalOf('one more') })
  assert.equal(typeof names.portal('p0'), 'object')
  assert.equal(names.portal('p1'), 'unknown')
  assert.equal(typeof names.portal('p2'), 'object')
})
