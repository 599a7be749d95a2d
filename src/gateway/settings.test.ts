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
  for (const odd of ['a b', '"unfinished', 'a,', ',a', 'a,,b']) assert.equal(parseSearchPath(odd, 'app'), null, odd)
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
