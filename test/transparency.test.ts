import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Chunking, inRandomPieces, oneByOne, Recorder, seeded, type Way } from './support/transcript.ts'
import { type Sandbox, startSandbox } from './support/sandbox.ts'
import { type Case, schema } from './transparency/case.ts'
import { copyCases } from './transparency/copy.ts'
import { extendedCases } from './transparency/extended.ts'
import { sessionCases } from './transparency/session.ts'
import { simpleCases } from './transparency/simple.ts'

/*
 * For a principal who may do everything nothing differs from a direct connection but the log-in. Each scenario runs
 * directly and through Postern, and every message must be the same, byte for byte; also where its bytes arrive in
 * small pieces. Left out of the comparison is only what differs between any two connections: the cancel key, the
 * process id of a notification, the oid of a table that the scenario makes.
 */

const name = 'alice@example.com'
let sandbox: Sandbox
let token: string

before(async () => {
  sandbox = await startSandbox({
    allowPlaintextOnLoopback: true,
    policies: 'permit (principal, action, resource);',
    postgres: { hba: ['local all all trust', 'host all all 127.0.0.1/32 trust'] },
    setUp: schema,
  })
  token = await sandbox.issuer.issueToken({ identity: name })
})

after(async () => {
  await sandbox.stop()
})

const groups: readonly (readonly [group: string, cases: readonly Case[]])[] = [
  ['the simple protocol', simpleCases],
  ['the extended protocol', extendedCases],
  ['COPY', copyCases],
  ['a session', sessionCases],
]

for (const [group, cases] of groups) {
  describe(`${group} is the same through Postern`, () => {
    for (const scenario of cases) {
      test(scenario.name, async () => {
        const expected = await transcriptOf(scenario, direct())
        assert.deepEqual(await transcriptOf(scenario, encrypted()), expected)
        if (scenario.isSentWhole === true) return
        assert.deepEqual(await transcriptOf(scenario, plain('byte by byte', oneByOne)), expected)
        const pieces = plain('in random pieces', inRandomPieces(seeded(scenario.name.length)))
        assert.deepEqual(await transcriptOf(scenario, pieces), expected)
      })
    }
  })
}

async function transcriptOf(scenario: Case, way: Way): Promise<readonly string[]> {
  if (scenario.setUp !== undefined) await sandbox.postgres.query('shop', scenario.setUp)
  const session = await Recorder.open(way, scenario.logIn)
  try {
    await scenario.run(session)
    return session.lines
  } finally {
    session.close()
  }
}

function direct(): Way {
  const { port, superuser } = sandbox.postgres
  return { name: 'directly', options: { port }, parameters: { user: superuser, database: 'shop' }, processIds: [] }
}

function encrypted(): Way {
  const { port } = sandbox.postern
  const ca = sandbox.authority.certificate
  const parameters = { user: name, database: 'shop' }
  return { name: 'through Postern over TLS', options: { port, ca, password: token }, parameters, processIds: [] }
}

function plain(how: string, chunking: Chunking): Way {
  const { port } = sandbox.postern
  const parameters = { user: name, database: 'shop' }
  return { name: `through Postern ${how}`, options: { port, password: token }, parameters, processIds: [], chunking }
}
