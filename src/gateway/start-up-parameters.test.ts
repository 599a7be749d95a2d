import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardedParameters, loginMethod, settingsStatement } from './start-up-parameters.ts'

const commandsOf = (parameters: Record<string, string>): readonly string[] =>
  settingsStatement(new Map(Object.entries(parameters)))?.commands.map((command) => command.name) ?? []

test("a client's settings go on to PostgreSQL; who and where do not", () => {
  const forwarded = forwardedParameters(
    new Map([
      ['user', 'alice@example.com'],
      ['database', 'shop'],
      ['replication', 'off'],
      ['_pq_.something', '1'],
      ['application_name', 'psql'],
      ['options', '-c geqo=off'],
    ]),
  )
  assert.deepEqual([...forwarded.keys()], ['application_name', 'options'])
})

test('a role switched in the start-up packet is a command like any other, however it is written', () => {
  assert.deepEqual(commandsOf({ role: 'postgres' }), ['SET ROLE'])
  assert.deepEqual(commandsOf({ Session_Authorization: 'postgres' }), ['SET SESSION AUTHORIZATION'])
  for (const options of [
    '-c role=postgres',
    '-crole=postgres',
    '--role=postgres',
    '-c geqo=off   -c ROLE=postgres',
    String.raw`-c\ role=postgres`,
    '\t--role=postgres',
  ]) {
    assert.ok(commandsOf({ options }).includes('SET ROLE'), options)
  }
  assert.deepEqual(commandsOf({ options: '--session-authorization=postgres' }), ['SET SESSION AUTHORIZATION'])
})

test('a role behind switches in the same word is found', () => {
  for (const options of ['-ncrole=x', '-n-role=x', '-e -Ecrole=x', '-ecRole=x', '-f s -nnncrole=x', '-nc role=x']) {
    assert.ok(commandsOf({ options }).includes('SET ROLE'), options)
  }
})

test('a library loaded at the start is a LOAD, and any other setting a SET', () => {
  assert.deepEqual(commandsOf({ session_preload_libraries: 'x' }), ['LOAD'])
  assert.deepEqual(commandsOf({ options: '-c local-preload-libraries=x' }), ['LOAD'])
  assert.deepEqual(commandsOf({ options: '-c search_path=role' }), ['SET'])
  assert.deepEqual(commandsOf({ statement_timeout: '0' }), ['SET'])
  for (const options of ['-O', '-fs', '-S 64', '-d5']) assert.deepEqual(commandsOf({ options }), ['SET'], options)
})

test('what drivers always say about themselves needs no decision', () => {
  assert.deepEqual(
    commandsOf({ application_name: 'role=x', DateStyle: 'ISO', TimeZone: 'UTC', options: '-c postern.login=password' }),
    [],
  )
})

test('how to ask for the token is read from the options, the last word counting', () => {
  const methodOf = (options: string): string => loginMethod(new Map([['options', options]]), 'password')
  assert.equal(methodOf(''), 'password')
  assert.equal(methodOf('-c geqo=off'), 'password')
  assert.equal(methodOf('-c postern.login=oauth'), 'oauth')
  assert.equal(methodOf('--postern.login=oauth -c postern.login=password'), 'password')
  assert.equal(loginMethod(new Map([['options', '-c postern.login=password']]), 'oauth'), 'password')
  assert.throws(() => methodOf('-c postern.login=none'), /neither/)
})
