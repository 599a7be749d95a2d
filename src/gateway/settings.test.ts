import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSearchPath, SessionSettings } from './settings.ts'

test('a search path is read as PostgreSQL reports it', () => {
  assert.deepEqual(parseSearchPath('"$user", public', 'app'), ['app', 'public'])
  assert.deepEqual(parseSearchPath('Sales,"Odd ""name"", really"', 'app'), ['sales', 'Odd "name", really'])
  assert.deepEqual(parseSearchPath('', 'app'), [])
  assert.deepEqual(parseSearchPath('""', 'app'), [''])
})

test('a search path that cannot be read leaves every schema possible', () => {
  for (const odd of ['x'.repeat(64), `a${', a'.repeat(2_000)}`, 'a b', '"unfinished', 'a,', ',a', 'a,,b'])
    assert.equal(parseSearchPath(odd, 'app'), null, odd)
})

test('a search path is folded and split as PostgreSQL does it, in ASCII alone', () => {
  assert.deepEqual(parseSearchPath('É,payroll\u00a0', 'app'), ['É', 'payroll\u00a0'])
})

test('what a transaction has set is uncertain behind anything that may fail in it', () => {
  let isBehindSegment = false
  const settings = new SessionSettings('app', () => isBehindSegment)
  settings.report('search_path', 'payroll')
  settings.ready({ isInTransaction: false })
  isBehindSegment = true
  assert.equal(settings.isSettled, true)
  settings.report('search_path', 'public')
  settings.ready({ isInTransaction: true })
  assert.equal(settings.isSettled, false)
  // It stays so, however often PostgreSQL is ready, until the transaction ends.
  settings.ready({ isInTransaction: true })
  assert.equal(settings.isSettled, false)
  isBehindSegment = false
  assert.equal(settings.isSettled, true)
  isBehindSegment = true
  settings.ready({ isInTransaction: false })
  assert.equal(settings.isSettled, true)
})

test('a reported change starts a new epoch, so that decisions are taken again', () => {
  const settings = new SessionSettings('app')
  const before = settings.epoch
  assert.equal(settings.report('TimeZone', 'UTC'), false)
  assert.equal(settings.epoch, before)
  assert.equal(settings.report('application_name', 'psql'), true)
  settings.report('search_path', 'payroll')
  settings.report('standard_conforming_strings', 'off')
  settings.report('client_encoding', 'SJIS')
  assert.ok(settings.epoch > before)
  assert.equal(settings.areStringsStandard, false)
  assert.equal(settings.clientEncoding, 'SJIS')
  assert.equal(settings.application, 'psql')
})

test('settings are certain again once every statement that may change them was answered', () => {
  const settings = new SessionSettings('app')
  settings.unsettle()
  settings.unsettle()
  settings.settle(1)
  assert.equal(settings.isSettled, false)
  settings.settle(1)
  assert.equal(settings.isSettled, true)
})
